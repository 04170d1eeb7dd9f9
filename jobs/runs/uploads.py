"""Files that users have uploaded and that no run may use yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs.people import owner_key
from jobs.storage.database import Base, Database, UtcDateTime, utcnow
from jobs.values.stored_file import RunFile

# The time users have to correct a form before its uploads are deleted.
KEPT_SECONDS = 24 * 3600.0


class Upload(Base):
    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_sha256", "sha256"), Index("ix_uploads_created", "created_at"))

    owner_id: Mapped[int] = mapped_column(owner_key("uploads"), primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def add(session: Session, owner_id: int, files: Sequence[RunFile]) -> None:
    """Record files as a user's uploads. A repeated upload renews the old one under its new name."""
    new = {file.sha256: file for file in files}
    sent_again = select(Upload).where(Upload.owner_id == owner_id, Upload.sha256.in_(new)).with_for_update()
    for upload in session.scalars(sent_again):
        file = new.pop(upload.sha256)
        upload.name, upload.media_type, upload.created_at = file.name, file.media_type, utcnow()
    session.add_all(Upload(owner_id=owner_id, **file._asdict()) for file in new.values())


def forget(database: Database) -> None:
    """Delete upload records older than KEPT_SECONDS. Runs that use such files have their own records."""
    with database.change() as connection:
        connection.execute(delete(Upload).where(Upload.created_at < utcnow() - timedelta(seconds=KEPT_SECONDS)))
