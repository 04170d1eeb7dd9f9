"""A run beneath the address of a link, for whoever has the link: its page, and its parts and files."""

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from flask_login import current_user
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from jobs.runs import shares
from webapp import rights
from webapp.accounts import throttle
from webapp.accounts.auth import lead_to_sign_in, place
from webapp.connections import is_here
from webapp.current import backend
from webapp.rendering import files, fragments
from webapp.runs import downloads, views
from webapp.sharing import messages

bp = Blueprint("links", __name__, url_prefix="/shared/<text:secret>")

TOO_MANY = messages.TOO_MANY_LINKS.format(minutes=throttle.WINDOW_SECONDS // 60)


@bp.get("")
def show(secret: str) -> str:
    """Show the run. Only this counts as a visit."""
    values = views.shown(opened(secret))
    link = g.link
    is_owner = current_user.is_authenticated and current_user.id == link.access.owner_id
    if request.method == "GET" and not is_owner:
        shares.visit(backend().database, link.share_id)
    return render_template("sharing/linked.html", run=values["run"], output=values["output"], secret=secret)


@bp.get("/changes")
def changes(secret: str) -> Response:
    """Return what has changed since a version; 204 if nothing has. A page whose link has ended loads itself again."""
    try:
        values = views.shown(opened(secret))
    except HTTPException as error:
        if error.code != 404:
            raise
        return make_response("", 200, {"HX-Refresh": "true"})
    run = values["run"]
    if request.args.get("version") == str(run.version):
        return make_response("", 204)
    poll = render_template("sharing/_poll.html", run=run, secret=secret)
    return make_response(
        fragments.partial(f"#run-{run.id}", "outerMorph", fragments.full(run))
        + fragments.partial(f"#run-{run.id}-output", "innerMorph", values["output"])
        + fragments.partial("#link-poll", "outerHTML", poll)
    )


@bp.get("/table")
def table(secret: str) -> str:
    return views.table(opened(secret))


@bp.get("/table.csv")
def table_csv(secret: str) -> BaseResponse:
    return views.table_csv(opened(secret))


@bp.get("/text")
def text(secret: str) -> Response:
    return downloads.text(opened(secret))


@bp.get("/log.txt")
def log(secret: str) -> Response:
    return downloads.log(opened(secret))


@bp.get("/everything.zip")
def everything(secret: str) -> Response:
    return downloads.everything(opened(secret))


@bp.get("/files/<sha256>")
def file(secret: str, sha256: str) -> BaseResponse:
    return files.show(opened(secret), sha256)


@bp.after_request
def keep_private(response: Response) -> Response:
    """Keep a link out of search engines, of other sites' logs and of shared caches."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def opened(secret: str) -> int:
    """Return the id of the run that a link shows, and let the rest of the request see it so, or end the request.

    Guesses are counted before anything is looked up, of a person, or else of the place.
    """
    reader = str(current_user.id) if current_user.is_authenticated else place()
    is_counted = backend().settings.production or not is_here(reader)
    if is_counted and not throttle.may_open_links(backend(), reader):
        abort(429, description=TOO_MANY)
    link = rights.use_link(secret)
    if link is None:
        if is_counted:
            throttle.note_wrong_link(backend(), reader)
        abort(404, description=messages.NO_LINK)
    if link.access is None:
        abort(lead_to_sign_in())
    return link.run_id
