"""The tags of runs, once more beside the runs: an owner's runs with a tag are found without reading others."""

from sqlalchemy import Index, String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import owner_key
from jobs.runs.run import run_key
from jobs.storage.database import Base, Database

LONGEST_TAG = 40
MOST_NAMED = 200


class RunTag(Base):
    __tablename__ = "run_tags"
    __table_args__ = (Index("ix_run_tags_tag", "owner_id", "tag", "run_id"),)

    run_id: Mapped[int] = mapped_column(run_key("run_tags"), primary_key=True, autoincrement=False)
    tag: Mapped[str] = mapped_column(String(LONGEST_TAG), primary_key=True)
    owner_id: Mapped[int] = mapped_column(owner_key("run_tags"))


def replace(session: Session, owner_id: int, run_id: int, tags: list[str]) -> None:
    """Give a run these tags in the place of those that it has."""
    session.execute(delete(RunTag).where(RunTag.run_id == run_id))
    if tags:
        rows = [{"run_id": run_id, "tag": tag, "owner_id": owner_id} for tag in tags]
        session.execute(insert(RunTag), rows)


def tags_of(database: Database, owner_id: int) -> list[str]:
    """Return the first MOST_NAMED tags that an owner's runs have, with one look at an index for each."""
    first = select(func.min(RunTag.tag).label("tag")).where(RunTag.owner_id == owner_id).cte(recursive=True)
    following = select(func.min(RunTag.tag)).where(RunTag.owner_id == owner_id, RunTag.tag > first.c.tag)
    each = first.union_all(select(following.scalar_subquery()).where(first.c.tag.is_not(None)))
    with database.read() as session:
        return list(session.scalars(select(each.c.tag).where(each.c.tag.is_not(None)).limit(MOST_NAMED)))
