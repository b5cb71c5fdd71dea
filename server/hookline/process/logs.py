"""Logs: one event name and its fields a line, on standard error.

Everything that this process writes there goes through one LineWriter, so that neither a full disk
nor a reader that stalls can stop the process: our events, the records of other libraries, warnings,
tracebacks, and what is printed.
"""

from __future__ import annotations

import atexit
import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import structlog

from hookline.process.line_writer import LineWriter
from hookline.process.log_formats import (
    LogFormat,
    beginning,
    choose_format,
    encoder,
    rendering,
)

__all__ = ["configure", "describe_loss", "flush", "lines_lost"]

# Seconds that the end of the process waits for the reader of its log.
_FLUSH_TIMEOUT = 2.0

_writer: LineWriter | None = None


def configure(log_format: LogFormat = "auto", level: int = logging.INFO) -> None:
    """Log to standard error: our own events from `level` up, warnings of other libraries.

    From here on sys.stderr writes into the log, too.
    """
    global _writer
    stream = sys.stderr.original if isinstance(sys.stderr, _Stream) else sys.stderr
    chosen = choose_format(log_format, stream)
    begin, render, encode = beginning(chosen), rendering(chosen, stream), encoder(stream)

    def say_lost(lines: int) -> bytes:
        event: Any = {"lines": lines, "event": "log_lines_lost"}
        for process in (*begin, *render):
            event = process(None, "warning", event)
        return encode(str(event))

    if _writer is None:
        atexit.register(flush)
    writer = _writer = LineWriter(_descriptor(stream), say_lost)

    def put(line: str) -> None:
        writer.write(encode(line))

    structlog.configure(
        processors=[*begin, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Logger(put),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(put)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=begin,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.stderr = _Stream(stream, put)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def flush() -> None:
    """Wait until the log is written, at most _FLUSH_TIMEOUT seconds: its reader may hang."""
    if _writer is not None:
        _writer.flush(_FLUSH_TIMEOUT)


def lines_lost() -> int:
    """How many log lines of this process were lost."""
    return 0 if _writer is None else _writer.lost


def describe_loss() -> str | None:
    """One sentence while log lines are being lost. None once the log says how many were."""
    if _writer is None or not (lost := _writer.unreported):
        return None
    reason = _writer.fault or "its reader does not take it"
    return f"The log cannot be written, {lost:,} lines are lost: {reason}."


def _descriptor(stream: TextIO) -> int:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return 2


class _Logger:
    """What structlog calls with a rendered line, by the name of its level."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = put


class _Handler(logging.Handler):
    """What the loggers of the standard library call with a record."""

    def __init__(self, put: Callable[[str], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._put(self.format(record))
        except Exception as error:
            where = f"{record.pathname}:{record.lineno}"
            structlog.get_logger().error("log_failed", error=type(error).__name__, where=where)


class _Stream(io.TextIOBase):
    """sys.stderr whose writes never wait. A line goes into the log once it has its end."""

    def __init__(self, original: TextIO, put: Callable[[str], None]) -> None:
        self.original = original
        self._put = put
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.original.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.original.errors

    def fileno(self) -> int:
        return _descriptor(self.original)

    def isatty(self) -> bool:
        return self.original.isatty()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._put(line)
        return len(text)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log_exception("uncaught_exception", error)


def _log_uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    name = found.thread.name if found.thread else None
    _log_exception("uncaught_exception", found.exc_value or found.exc_type(), thread=name)


def _log_unraisable(found: sys.UnraisableHookArgs) -> None:
    _log_exception("unraisable_exception", found.exc_value or found.exc_type())


def _log_exception(event: str, error: BaseException, **fields: object) -> None:
    structlog.get_logger("hookline").critical(event, exc_info=error, **fields)
