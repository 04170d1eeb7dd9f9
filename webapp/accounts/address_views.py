"""Views for changing the e-mail address of one's account, where mails are sent."""

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from webapp.accounts import addresses, messages, throttle, users
from webapp.accounts.account_views import account_page
from webapp.accounts.auth import log, retry_later, show_form
from webapp.accounts.constant_time import constant_time
from webapp.accounts.proofs import NotProved
from webapp.accounts.registration import TOO_MANY_MAILS, has_mail, other_domain
from webapp.accounts.users import EmailTaken
from webapp.current import backend

bp = Blueprint("addresses", __name__)


@bp.post("/account/address")
def begin() -> Response:
    """Mail a link to the new address. The answer is the same if that has an account."""
    if not has_mail():
        abort(404)
    email = request.form.get("email", "")[: users.LONGEST_EMAIL + 1]
    address = users.normalised(email)
    if problem := _problem_with(address):
        return make_response(account_page({"address": problem}, new_address=email), 422)
    assert address
    if not throttle.may_mail(backend().database, address):
        return retry_later(make_response(account_page({"address": TOO_MANY_MAILS}, new_address=email), 429))
    with constant_time():
        addresses.begin(backend(), current_user, address)
    return show_form("address_sent", email=address)


@bp.get("/account/address/confirm")
def confirm() -> Response:
    """Show what the link from the mail does, to the user whose link it is."""
    link = request.args.get("link", "")
    email = addresses.proved(backend().database, current_user.id, link)
    if email is None:
        return show_form("not_open", 403, message=messages.ADDRESS_LINK_USED)
    return show_form("address_confirm", email=email, link=link)


@bp.post("/account/address/confirm")
def change() -> BaseResponse:
    old = current_user.email
    try:
        addresses.change(backend(), current_user, request.form.get("link", ""))
    except NotProved:
        return show_form("not_open", 403, message=messages.ADDRESS_LINK_USED)
    except EmailTaken:
        return show_form("not_open", 403, message=messages.ADDRESS_TAKEN)
    log.info("address changed: %r", old)
    return redirect(url_for("auth.account"), 303)


def _problem_with(address: str | None) -> str | None:
    if address is None:
        return messages.NO_EMAIL
    return messages.SAME_ADDRESS if address == current_user.email else other_domain(address)
