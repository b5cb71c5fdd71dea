"""Standard output and error of every kind: closed, full, not UTF-8, or a pipe without a reader."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys

__all__ = ["OutputLost", "discard_unwritten", "prepare_streams"]

# Spelled out for an encoding that lacks them. Any other character becomes an escape.
_SPELLED = {"✓": "ok", "✗": "FAILED", "…": "..."}


class OutputLost(OSError):
    """Standard output takes no more: a full disk, a closed file, or a pipe without a reader."""

    @property
    def reader_is_gone(self) -> bool:
        """Whether the reader of a pipe has stopped reading, as `head` does."""
        return self.errno == errno.EPIPE


class _Output(io.FileIO):
    """A file descriptor whose errors are told from those of other files."""

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error


def prepare_streams() -> None:
    """Make both streams usable, and let errors of standard output be OutputLost.

    Characters that the encoding lacks are replaced. A closed descriptor is opened for reading only:
    otherwise the next file or socket would get its number, and receive what we print.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # The lowest free number, which is this one.
    codecs.register_error("hookline.spell", _spell)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    terminal = os.isatty(1)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)),
        encoding=encoding,
        errors="hookline.spell",
        line_buffering=terminal,
    )
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    with contextlib.suppress(AttributeError):
        sys.stderr.reconfigure(errors="hookline.spell")  # type: ignore[union-attr]


def discard_unwritten() -> None:
    """Discard what a stream could not write: at its end the interpreter would try it again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    spelled = (_SPELLED.get(c) or c.encode("unicode_escape").decode("ascii") for c in characters)
    return "".join(spelled), error.end
