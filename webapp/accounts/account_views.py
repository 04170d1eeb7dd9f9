"""The account page, changing the password, and deleting the account."""

from collections.abc import Mapping

from flask import Response, abort, make_response, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import delete_person, events, webhooks
from webapp import rights
from webapp.accounts import flows, messages, passwords, sessions, throttle, tokens, users
from webapp.accounts.auth import TOO_MANY, bp, leave, log_in, place, retry_later
from webapp.accounts.users import LastAdministrator
from webapp.current import backend


@bp.get("/account")
def account() -> str:
    return account_page()


@bp.post("/account/password")
def change_password() -> Response | BaseResponse:
    """Change the password and end all of the user's sessions except the current one."""
    current, new = request.form.get("current", ""), request.form.get("password", "")
    problem = passwords.problem_with(new, current_user.email)
    if problem:
        return make_response(account_page(errors={"password": problem}), 422)
    if refused := refused_password("current", current):
        return refused
    user = users.set_password(backend().database, current_user.id, new) or abort(404)
    events.publish_sign_out(backend().redis, user.id)
    return log_in(user, url_for("auth.account", changed=1))


@bp.post("/account/delete")
def delete_account() -> Response | BaseResponse:
    """Delete the account with everything that is its user's, after checking the password."""
    if refused := refused_password("confirmation", request.form.get("confirmation", "")):
        return refused
    user_id = current_user.id
    try:
        users.resign(backend().database, user_id)
    except LastAdministrator:
        return make_response(account_page(errors={"confirmation": messages.LAST_ADMINISTRATOR}), 409)
    delete_person(backend(), user_id)
    events.publish_sign_out(backend().redis, user_id)
    return leave()


def refused_password(field: str, password: str) -> Response | None:
    """Check the user's password once more, throttling guesses. Return the page that says what is wrong, or None.

    A person who has no password must have confirmed by the provider who they are.
    """
    if not current_user.password_hash:
        unconfirmed = {field: messages.NOT_CONFIRMED}
        return None if flows.is_confirmed() else make_response(account_page(errors=unconfirmed), 422)
    attempt = throttle.begin_attempt(backend().database, current_user.email, place())
    if attempt is None:
        return retry_later(make_response(account_page(errors={field: TOO_MANY}), 429))
    if not users.with_password(backend().database, current_user.email, password[: passwords.LONGEST + 1]):
        return make_response(account_page(errors={field: messages.INCORRECT}), 422)
    throttle.clear_failures(backend().database, attempt)
    return None


def account_page(errors: Mapping[str, str] | None = None, secret_name: str = "", **shown: str) -> str:
    """Render the account page, with error messages by field name; `new_token` is that of a token just created."""
    return render_template(
        "accounts/show.html",
        errors=errors or {},
        changed="changed" in request.args,
        saved="saved" in request.args,
        confirmed=flows.is_confirmed(),
        secret_names=backend().vault.names(current_user.id),
        secret_name=secret_name or request.args.get("needs", ""),
        kept=request.args.get("kept", ""),
        sessions=sessions.listed(backend().database, current_user.id),
        session_number=sessions.number_of(current_user.session_id),
        tokens=tokens.listed(backend().database, current_user.id),
        scopes=tokens.SCOPES,
        lifetimes=tokens.LIFETIMES,
        tasks=rights.visible().values(),
        webhooks=webhooks.listed(backend().database, current_user.id),
        **shown,
    )
