"""Tasks that take files, where little may be sent and kept, and what the tests of uploads do with them."""

import io
from dataclasses import replace
from typing import Annotated, Any

from flask import Flask
from pydantic import BaseModel, Field
from werkzeug.test import TestResponse

from jobs import File, FileField, task
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from tests.support.people import read
from tests.support.serving import catalog_of
from tests.support.visitor import ORIGIN, Visitor, soup, the
from webapp.current import put_backend


class Chapter(BaseModel):
    title: str
    scan: File


@task
def bind(
    title: Annotated[str, Field(min_length=1)],
    cover: Annotated[File, FileField(accept=(".png", "text/plain"), max_mb=0.01)],
    pages: list[File],
    index: File | None = None,
    chapters: list[Chapter] = [],  # noqa: B006  # nothing changes it
) -> list[int]:
    """Read all files."""
    return [len(one.open().read()) for one in (cover, *pages, *([index] if index else []))]


@task
def plain(text: str) -> str:
    """A task without files."""
    return text


@task(example={"book": File.at(__file__), "copies": 2})
def weigh(book: File, copies: int) -> int:
    """Read a file that comes with its task."""
    return len(book.open().read()) * copies


def cramped(app: Flask, backend: Backend) -> Backend:
    """The application with these tasks, where 0.1 MB are let through and 0.5 MB kept of each user."""
    settings = backend.settings.model_copy(update={"max_upload_mb": 0.1, "user_quota_mb": 0.5})
    catalog = catalog_of(bind, plain, weigh)
    tasks = {name: task.summary for name, task in catalog.items()}
    changed = replace(backend, settings=settings, catalog=catalog, tasks=tasks)
    put_backend(app, changed)
    return changed


def file(content: bytes = b"text", name: str = "a.txt") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def send(visitor: Visitor, data: dict[str, Any], headers: dict[str, str] = ORIGIN) -> TestResponse:
    return visitor.client.post("/tasks/bind", data=data, headers=headers, content_type="multipart/form-data")


def good(**changes: Any) -> dict[str, Any]:
    return {"title": "x", "cover": file(), **changes}


def error(response: TestResponse, name: str) -> str:
    assert response.status_code == 422, response.text
    return the(soup(response), f"[id='{name}-error']").text.strip()


def run_of(backend: Backend, response: TestResponse) -> Run:
    assert response.status_code == 303, response.text
    return read(backend, Run(id=int(response.headers["Location"].rpartition("/")[2])))
