"""Run output as HTML. Each batch is rendered once, for the run's page and for every push."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup

from jobs.runs import Entry, OutputKind, Run, StoredBatch, read_output, stored_in
from jobs.storage import Database
from jobs.values import Picture, picture_in
from webapp.rendering import fragments
from webapp.rendering.results import Result

LONGEST_QUERY = 200
# The lines that a level shows: those of its sources, which are the levels of logging, and what goes to stderr.
SEVERE = ("error", "critical", "err")
LEVELS = {"": ("All lines", ()), "warning": ("Warnings and errors", ("warning", *SEVERE)), "error": ("Errors", SEVERE)}
# A run that prints occasional lines has thousands of small batches, so they are rendered in groups.
ENTRIES_PER_CHUNK = 200


@dataclass(frozen=True)
class Chunk:
    """Rendered consecutive batches: entries `number` up to but not including `end`, of one attempt.

    An unfinished chunk is shown below the others and replaced by the next version.
    """

    number: int
    end: int
    attempt: int
    html: str
    unfinished: bool = False


@dataclass(frozen=True)
class RenderedOutput:
    """One kind of a run's output at one version: the stored chunks, the number of entries dropped before them, and
    the rendered unfinished lines.

    Pages append new entries, so they hold more than is stored. Once the entry `resend_after` has been
    dropped, pages must be sent the whole section again, which limits them to twice the stored amount.
    """

    kind: OutputKind
    run_id: int
    version: int
    chunks: Sequence[Chunk] = ()
    dropped: int = 0
    resend_after: int = 0
    unfinished: str = ""

    @property
    def id(self) -> str:
        """The HTML id of its element."""
        return f"run-{self.run_id}-{self.kind}"

    @property
    def end(self) -> int:
        return self.chunks[-1].end if self.chunks else 1


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(second=second)


def second(at: float) -> str:
    """Format the UTC time of day of an entry."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def render_output(
    database: Database, run: Run, kind: OutputKind, earlier: RenderedOutput | None = None
) -> RenderedOutput:
    """Read and render the output that a run has produced since `earlier`."""
    if earlier and earlier.version == run.version:
        return earlier
    known = earlier or RenderedOutput(kind, run.id, run.version)
    read = read_output(database, run.id, kind, known.end - 1)
    kept = [chunk for chunk in known.chunks if chunk.end - 1 > read.dropped]
    chunks = [*kept, *(_chunk(database, run, kind, batches) for batches in _grouped(read.finished))]
    dropped = min(read.dropped, chunks[0].number - 1) if chunks else 0
    now = replace(known, version=read.version, chunks=chunks, dropped=dropped)
    now = replace(now, unfinished=_unfinished(now, read.unfinished))
    return replace(now, resend_after=now.end - 1) if dropped >= known.resend_after else now


def _grouped(batches: Iterable[StoredBatch]) -> list[list[StoredBatch]]:
    """Group consecutive batches of one attempt, with up to ENTRIES_PER_CHUNK entries per group."""
    groups: list[list[StoredBatch]] = []
    for batch in batches:
        last = groups[-1][-1] if groups else None
        fits = last and batch.end - groups[-1][0].number <= ENTRIES_PER_CHUNK
        if last and fits and (last.end, last.attempt) == (batch.number, batch.attempt):
            groups[-1].append(batch)
        else:
            groups.append([batch])
    return groups


def _chunk(database: Database, run: Run, kind: OutputKind, batches: Sequence[StoredBatch]) -> Chunk:
    entries = [entry for batch in batches for entry in batch.entries]
    html = _lines(entries) if kind is OutputKind.LOG else _values(database, run, entries)
    return Chunk(batches[0].number, batches[-1].end, batches[0].attempt, html)


def _unfinished(rendered: RenderedOutput, batch: StoredBatch | None) -> str:
    """Render unfinished lines, which follow the chunks."""
    if not batch:
        return ""
    chunk = Chunk(batch.number, batch.end, batch.attempt, _lines(batch.entries), unfinished=True)
    return render_chunks(rendered, [chunk], rendered.chunks[-1] if rendered.chunks else None, gaps=False)


def sections(database: Database, run: Run, query: str = "", level: str = "") -> Markup:
    """Render a run's partial results and log; with `query`, only the log lines that contain it, and with `level` those
    of that level or above.
    """
    if query or level:
        log = search(database, run, query, level)
    else:
        log = section(render_output(database, run, OutputKind.LOG))
    return fragments.escaped(section(render_output(database, run, OutputKind.EMITTED)) + log)


def section(rendered: RenderedOutput) -> str:
    """Render a whole section, or its empty placeholder."""
    return _section(rendered, render_chunks(rendered, rendered.chunks))


def search(database: Database, run: Run, query: str, level: str = "") -> str:
    """Render the log's section with the lines of a level that contain `query`, ignoring case."""
    count, chunks, read = 0, [], read_output(database, run.id, OutputKind.LOG)
    for batches in _grouped(read.finished):
        if lines := _lines_with(query, level, batches):
            chunks.append(Chunk(batches[0].number, batches[-1].end, batches[0].attempt, _lines(lines)))
            count += len(lines)
    log = RenderedOutput(OutputKind.LOG, run.id, read.version, chunks, read.dropped)
    if read.unfinished and (lines := _lines_with(query, level, [read.unfinished])):
        log = replace(log, unfinished=_unfinished(log, replace(read.unfinished, entries=lines)))
        count += len(lines)
    return _section(log, render_chunks(log, chunks, gaps=False), query=query, level=level, count=count)


def _lines_with(query: str, level: str, batches: Sequence[StoredBatch]) -> list[Entry]:
    wanted, (_, sources) = query.casefold(), LEVELS[level]
    entries = (entry for batch in batches for entry in batch.entries if not level or entry.source in sources)
    return [entry for entry in entries if wanted in entry.content.casefold()]


def render_chunks(
    rendered: RenderedOutput, chunks: Iterable[Chunk], before: Chunk | None = None, gaps: bool = True
) -> str:
    """Render chunks that follow `before`, with a note at each gap and at the start of each attempt."""
    parts = []
    for chunk in chunks:
        gap = chunk.number - before.end if before and gaps else 0
        attempt = chunk.attempt if chunk.attempt != (before.attempt if before else 1) else None
        values = {"chunk": chunk, "gap": gap, "attempt": attempt, "entries": fragments.escaped(chunk.html)}
        parts.append(fragments.render("runs/_output_chunk.html", id=rendered.id, **values))
        before = chunk
    return "".join(parts)


def render_unfinished(rendered: RenderedOutput) -> str:
    """Render the element of the unfinished lines."""
    html = fragments.escaped(rendered.unfinished)
    return fragments.render("runs/_log_unfinished.html", rendered=rendered, unfinished=html)


def render_dropped(rendered: RenderedOutput) -> str:
    """Render the note about dropped entries."""
    return fragments.render("runs/_output_dropped.html", rendered=rendered)


def _lines(entries: Sequence[Entry]) -> str:
    return fragments.render("runs/_log_entries.html", entries=entries)


def _values(database: Database, run: Run, entries: Sequence[Entry]) -> str:
    files = run.access.files
    known = stored_in(database, run.id, [entry.content for entry in entries]) if files else frozenset[str]()
    rendered = [
        (entry, Result(run.id, run.task, entry.content, known, files=files), _tile(entry.content, known))
        for entry in entries
    ]
    return fragments.render("runs/_emitted_entries.html", entries=rendered)


def _tile(value: object, known: frozenset[str]) -> Picture | None:
    picture = picture_in(value)
    return picture if picture and picture.tile and picture.sha256 in known else None


def _section(rendered: RenderedOutput, entries: str, **values: object) -> str:
    unfinished = fragments.escaped(rendered.unfinished)
    given = {"id": rendered.id, "rendered": rendered, "entries": fragments.escaped(entries), "unfinished": unfinished}
    levels = [(level, words) for level, (words, _) in LEVELS.items()]
    values = {"query": "", "level": "", "levels": levels, **values}
    return fragments.render(f"runs/_{rendered.kind}.html", **given, **values)
