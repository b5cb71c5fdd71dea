"""The two formats of a log line: JSON for programs, columns for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hookline.tracing.spans import add_ids

__all__ = ["LogFormat", "beginning", "choose_format", "encoder", "rendering"]

LogFormat = Literal["auto", "json", "console"]

_EVENT_WIDTH = 22


def choose_format(wanted: LogFormat, stream: TextIO) -> LogFormat:
    """`auto` is `console` on a terminal, else `json`."""
    if wanted != "auto":
        return wanted
    return "console" if stream.isatty() else "json"


def beginning(chosen: LogFormat) -> list[Processor]:
    """The processors that add the fields of every line."""
    # One clock for all commands and people: UTC.
    fmt = "%H:%M:%SZ" if chosen == "console" else "iso"
    return [
        structlog.contextvars.merge_contextvars,
        add_ids,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt=fmt, utc=True),
    ]


def rendering(chosen: LogFormat, stream: TextIO) -> list[Processor]:
    """The renderer that makes a text of the fields. It never raises, whatever the fields are."""
    if chosen == "json":
        return [structlog.processors.format_exc_info, _render_json]
    return [
        structlog.processors.format_exc_info,
        _escape_control_characters,
        structlog.dev.ConsoleRenderer(
            colors=_has_colors(stream),
            # The default is Rich's, which prints the values of variables: bodies and secrets.
            exception_formatter=structlog.dev.plain_traceback,
            sort_keys=False,
            pad_event_to=_EVENT_WIDTH,
        ),
    ]


def encoder(stream: TextIO) -> Callable[[str], bytes]:
    """The function that makes a line in the encoding of `stream`, with its line end."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "backslashreplace"
    return lambda text: f"{text}\n".encode(encoding, errors)


def _has_colors(stream: TextIO) -> bool:
    # https://no-color.org: set, and not empty.
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _render_json(logger: WrappedLogger, name: str, event: EventDict) -> str:
    try:
        return json.dumps(event, default=repr)
    except (TypeError, ValueError, RecursionError):
        # A key that is not a text, or a value that holds itself.
        return json.dumps({str(key): _plain(value) for key, value in event.items()})


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float) or value is None else repr(value)


def _escape_control_characters(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """A value that a sender chose must not control the terminal."""
    return {
        key: _escape(value) if isinstance(value, str) else value for key, value in event.items()
    }


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
