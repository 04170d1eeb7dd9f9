"""The JSON API under `/api/v1`: everything that a person can do with tasks and runs, for programs with a token."""

from webapp.api import annotations, docs, mcp, openapi, runs, shares, tasks, tokens, uploads, webhooks
from webapp.api.blueprint import bp

__all__ = ["annotations", "bp", "docs", "mcp", "openapi", "runs", "shares", "tasks", "tokens", "uploads", "webhooks"]
