"""Make a share as a form or a program asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.runs import Parts, Share, Terms, groups, shares
from webapp import rights
from webapp.accounts import users
from webapp.current import backend
from webapp.sharing import messages


@dataclass(frozen=True)
class Asked:
    """A share that is asked for: with a person's address, a group by id, or by a link; `kind` says which."""

    kind: str
    email: str = ""
    group_id: int | None = None
    parts: Parts = field(default_factory=Parts)
    terms: Terms = field(default_factory=Terms)


class Refused(Exception):
    """A share that is not made, because of the value of `name`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def make(owner_id: int, run_id: int, asked: Asked) -> tuple[Share, str]:
    """Share an owner's run. Return the share, and of a link its secret. Raises Refused, and NotShared without a run."""
    try:
        match asked.kind:
            case "person":
                return _with_person(owner_id, run_id, asked), ""
            case "group":
                return _with_group(owner_id, run_id, asked), ""
            case "link":
                return _by_link(owner_id, run_id, asked)
    except shares.TooManyShares:
        raise Refused("kind", messages.TOO_MANY.format(most=shares.MOST_SHARES)) from None
    raise Refused("kind", messages.NOBODY_CHOSEN)


def own_groups(owner_id: int) -> Mapping[int, str]:
    """Return the groups that somebody may share with, by id: their own, and for administrators all."""
    if rights.of(owner_id).manages_all:
        return groups.names(backend().database)
    return groups.of_person(backend().database, owner_id)


def _with_person(owner_id: int, run_id: int, asked: Asked) -> Share:
    address = users.normalised(asked.email)
    if address is None:
        raise Refused("email", messages.NO_EMAIL)
    try:
        return shares.with_person(backend(), owner_id, run_id, address, asked.parts)
    except shares.OwnAddress:
        raise Refused("email", messages.OWN_ADDRESS) from None


def _with_group(owner_id: int, run_id: int, asked: Asked) -> Share:
    if asked.group_id is None or asked.group_id not in own_groups(owner_id):
        raise Refused("group", messages.NO_GROUP)
    return shares.with_group(backend(), owner_id, run_id, asked.group_id, asked.parts)


def _by_link(owner_id: int, run_id: int, asked: Asked) -> tuple[Share, str]:
    if not backend().settings.share_links:
        raise Refused("kind", messages.LINKS_OFF)
    if asked.terms.days not in shares.LIFETIMES:
        raise Refused("days", messages.NO_DAYS)
    return shares.by_link(backend(), owner_id, run_id, asked.parts, asked.terms)
