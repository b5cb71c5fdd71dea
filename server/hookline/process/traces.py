"""Tracing of one process: the spans are exported, and the calls of Postgres are among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hookline.postgres.engine import Engine
from hookline.tracing.export import exporting
from hookline.tracing.spans import calls_traced

__all__ = ["tracing"]


@contextmanager
def tracing() -> Iterator[None]:
    """Trace inside the block, if the OTEL_ variables ask for it. Call logs.configure before."""
    with (
        exporting(),
        calls_traced(
            Engine,
            "upload_pipeline.",
            {"db.system.name": "postgresql"},
            called="db.stored_procedure.name",
            # Many requests or jobs share one statement: each has a span for its wait.
            without={"receive_events", "advance_jobs"},
        ),
    ):
        yield
