"""Spans: what the parts of Hookline call. While tracing is off, nothing here costs or imports.

No span holds a path, a body, a text of a document or the message of an error: they may hold tokens
and what users wrote. Names and attributes follow OpenTelemetry's semantic conventions 1.4x, where
they have one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

__all__ = [
    "Attributes",
    "Kind",
    "Span",
    "Tracer",
    "add_ids",
    "calls_traced",
    "procedure_span",
    "span",
    "use",
]

Kind: TypeAlias = Literal["INTERNAL", "SERVER", "CLIENT", "CONSUMER"]
Attributes: TypeAlias = Mapping[str, object]


class Span:
    """A span that is open. This one does nothing: tracing is off."""

    recorded = False

    def set(self, attributes: Attributes) -> None:
        """Set attributes. A value of None is left out; one that is no text, number or bool is
        written as text."""

    def link_to_job(self, job_id: UUID) -> None:
        """Link to the trace of a job: what happens now was caused by it, minutes ago."""

    def link_to_sender(self, traceparent: str) -> None:
        """Link to a sender's span. It is never the parent: a sender does not decide what we
        record."""

    def fail(self, kind: str) -> None:
        """Mark the span as failed, by one word."""


class Tracer(Protocol):
    """Makes spans. tracing.export has the one of OpenTelemetry."""

    def span(
        self, name: str, kind: Kind, attributes: Attributes, job_id: UUID | None
    ) -> AbstractContextManager[Span]: ...

    def ids(self) -> dict[str, str]:
        """trace_id and span_id of the current span, in hex. Empty without one."""


_tracer: Tracer | None = None
_OFF = nullcontext(Span())


def use(tracer: Tracer | None) -> None:
    """Make spans with this tracer from now on. None: make no spans."""
    global _tracer
    _tracer = tracer


def span(
    name: str,
    kind: Kind = "INTERNAL",
    attributes: Attributes | None = None,
    *,
    job_id: UUID | None = None,
) -> AbstractContextManager[Span]:
    """A span for the block. With `job_id` it belongs to the trace of that job."""
    if _tracer is None:
        return _OFF
    return _tracer.span(name, kind, attributes or {}, job_id)


def procedure_span(name: str) -> AbstractContextManager[Span]:
    """A span for a call of an SQL function of ours, which is shared with other work or waited for.

    `calls_traced` makes those of calls that each have a statement of their own.
    """
    if _tracer is None:
        return _OFF
    full = f"upload_pipeline.{name}"
    attributes = {"db.system.name": "postgresql", "db.stored_procedure.name": full}
    return _tracer.span(full, "CLIENT", attributes, None)


def add_ids(logger: object, name: str, event: Any) -> Any:
    """A processor of structlog: add trace_id and span_id to a log line inside a span."""
    if _tracer is not None:
        event.update(_tracer.ids())
    return event


@contextmanager
def calls_traced(
    kind: type,
    prefix: str,
    attributes: Attributes,
    *,
    called: str,
    without: Collection[str] = (),
) -> Iterator[None]:
    """Make a span of each call of a class's coroutine methods that happens inside another span.

    Its name is `prefix` and the method's name, which the attribute `called` has, too. Done once at
    the start of the block, so that no call pays for tracing while it is off.
    """
    methods = {
        name: method
        for name, method in vars(kind).items()
        if _tracer is not None
        and inspect.iscoroutinefunction(method)
        and not name.startswith("_")
        and name not in without
    }
    for name, method in methods.items():
        full = f"{prefix}{name}"
        setattr(kind, name, _traced(method, full, {**attributes, called: full}))
    try:
        yield
    finally:
        for name, method in methods.items():
            setattr(kind, name, method)


def _traced(
    method: Callable[..., Awaitable[Any]], name: str, attributes: Attributes
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def traced(*arguments: Any, **named: Any) -> Any:
        # Polling for work is no part of any work.
        if _tracer is None or not _tracer.ids():
            return await method(*arguments, **named)
        with span(name, "CLIENT", attributes):
            return await method(*arguments, **named)

    return traced
