"""The local parser: turns a PDF into markdown by liteparse, in a child process with limits.

It runs in a process of its own because the file may come from a stranger. A parser that hangs,
crashes or needs too much memory costs one child, which sees neither our secrets nor our database.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Final

from hookline.providers.local.page_artifacts import EXTENSIONS, LARGEST

__all__ = [
    "DEADLINE",
    "MAX_BYTES",
    "MEMORY",
    "PARSER",
    "ParseFailed",
    "Parsed",
    "ParserMissing",
    "parse",
    "parse_content",
    "parser_version",
]

PARSER: Final = "liteparse"
# Limits for one file: bytes, pages, seconds, bytes of memory.
MAX_BYTES: Final = 200 * 2**20
MAX_PAGES: Final = 2000
DEADLINE: Final = 120.0
MEMORY: Final = 2**30

# The answer is in our own memory.
_MAX_ANSWER: Final = 2**30
# All of our environment that the child gets.
_CHILD_VARIABLES: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TZ")
# Allocators reserve address space ahead and for each thread, which would count as memory: mimalloc,
# which liteparse uses, 1 GiB at once.
_ALLOCATOR_VARIABLES: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MIMALLOC_ARENA_RESERVE": "64MiB",
    "TOKIO_WORKER_THREADS": "2",
}
# How much of the child's standard error is looked at, in bytes. It may quote the document.
_TAIL: Final = 4096
_ALLOCATION_FAILED: Final = b"memory allocation of"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file, and the numbers of its pages that have no text.

    `artifacts` are the texts of those that were wanted, by their kinds. None: it is too large.
    """

    markdown: str
    parser_name: str
    parser_version: str
    pages_without_text: tuple[int, ...] = ()
    artifacts: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """Why there is no text: a code, where possible one of LlamaParse's, and a sentence for people.

    `permanent` means that the same file would fail in the same way again.
    """

    code: str
    reason: str
    permanent: bool = True


class ParserMissing(Exception):
    """The package is not installed. The message says how to install it."""


def parser_version() -> str:
    """The version of the installed liteparse. Raises ParserMissing."""
    try:
        return metadata.version(PARSER)
    except metadata.PackageNotFoundError:
        raise ParserMissing(
            f"The local parser needs the package {PARSER}: pip install '.[local]' in the checkout"
            " of Hookline."
        ) from None


async def parse_content(
    content: bytes,
    name: str,
    *,
    deadline: float = DEADLINE,
    max_pages: int = MAX_PAGES,
    memory: int = MEMORY,
    max_answer: int = _MAX_ANSWER,
    artifacts: Collection[str] = (),
) -> Parsed | ParseFailed:
    """Parse the content of a file with this name. See `parse`."""
    with _anonymous_file() as file:
        await asyncio.to_thread(_fill, file, content)
        number = file.fileno()
        return await parse(
            Path(f"/dev/fd/{number}"),
            name=name,
            deadline=deadline,
            max_pages=max_pages,
            memory=memory,
            max_answer=max_answer,
            artifacts=artifacts,
            inherited=(number,),
        )


async def parse(
    file: Path,
    *,
    name: str | None = None,
    deadline: float = DEADLINE,
    max_pages: int = MAX_PAGES,
    memory: int = MEMORY,
    max_answer: int = _MAX_ANSWER,
    artifacts: Collection[str] = (),
    inherited: tuple[int, ...] = (),
) -> Parsed | ParseFailed:
    """Parse a PDF, without OCR.

    The child has `deadline` seconds, as much CPU time, and `memory` bytes of address space. Its
    answer, JSON with the text, has `max_answer` bytes at most, beside the artifacts of these kinds.
    `name` is the file's name if it is not that of `file`; the child inherits the descriptors
    `inherited`. Raises ParserMissing, and OSError if the file cannot be read.
    """
    version = parser_version()
    size = (await asyncio.to_thread(file.stat)).st_size
    if size > MAX_BYTES:
        reason = f"The file is too large: {size:,} bytes, and {MAX_BYTES:,} are the most."
        return ParseFailed("DOCUMENT_TOO_LARGE", reason)
    cpu_seconds = math.ceil(deadline)
    kinds = [kind for kind in EXTENSIONS if kind in artifacts]
    child = await asyncio.create_subprocess_exec(
        *_command(file, name or file.name, max_pages, memory, cpu_seconds, kinds),
        stdin=PIPE,  # We never write to it. It closes when we end, and the child ends with it.
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=inherited,
        env={
            **_ALLOCATOR_VARIABLES,
            **{name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ},
        },
    )
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    assert child.stderr is not None  # noqa: S101 - it is a pipe
    tail = asyncio.create_task(_read_tail(child.stderr), name="parser errors")
    status = 0
    try:
        async with asyncio.timeout(deadline):
            answer = await _read(child.stdout, max_answer + len(kinds) * LARGEST)
            if answer is not None:
                status = await child.wait()
    except TimeoutError:
        reason = f"Parsing took more than {deadline:g} seconds and was stopped."
        return ParseFailed("TIMEOUT", reason)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        errors = await tail
    if answer is None:
        reason = f"The text is too large: more than {max_answer:,} bytes."
        return ParseFailed("DOCUMENT_TOO_LARGE", reason)
    if status != 0:
        return _failure_of(status, errors, memory, cpu_seconds)
    said = await asyncio.to_thread(json.loads, answer)
    if "failed" in said:
        if said["failed"] == "MEMORY_LIMIT_EXCEEDED":
            return _memory_exceeded(memory)
        return ParseFailed(said["failed"], said["reason"])
    return Parsed(
        said["markdown"], PARSER, version, tuple(said["pages_without_text"]), said["artifacts"]
    )


def _failure_of(status: int, errors: bytes, memory: int, cpu_seconds: int) -> ParseFailed:
    """What the end of the child says, if it ended without an answer."""
    # An allocation that fails aborts the process. PDFium then says nothing, Rust one line. Damaged
    # memory also aborts it, but the C library says so.
    if status == -signal.SIGABRT and (not errors.strip() or _ALLOCATION_FAILED in errors):
        return _memory_exceeded(memory)
    if status == -signal.SIGXCPU:
        reason = f"Parsing needed more than {cpu_seconds} seconds of CPU time."
        return ParseFailed("CPU_LIMIT_EXCEEDED", reason)
    how = signal.Signals(-status).name if status < 0 else f"exit code {status}"
    # The machine may have been short of memory, so another try may succeed.
    return ParseFailed("PARSER_CRASHED", f"The parser crashed on the file ({how}).", False)


def _memory_exceeded(memory: int) -> ParseFailed:
    reason = f"Parsing needed more than {memory:,} bytes of memory."
    return ParseFailed("MEMORY_LIMIT_EXCEEDED", reason)


async def _read(stream: asyncio.StreamReader, most: int) -> bytes | None:
    """All that comes, or None as soon as it is more than `most` bytes."""
    parts, size = [], 0
    while part := await stream.read(2**16):
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)


async def _read_tail(stream: asyncio.StreamReader) -> bytes:
    tail = b""
    while part := await stream.read(2**16):
        tail = (tail + part)[-_TAIL:]
    return tail


def _anonymous_file() -> IO[bytes]:
    """A file without a name: if we are killed, no copy of the document is left."""
    if sys.platform == "linux":
        # It is in memory, since a container may have no disk to write to.
        return os.fdopen(os.memfd_create("document"), "w+b")
    return tempfile.TemporaryFile()


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.seek(0)


def _command(
    file: Path, name: str, max_pages: int, memory: int, cpu_seconds: int, kinds: Sequence[str]
) -> list[str]:
    # -P: nothing is imported from the working directory.
    program = [sys.executable, "-P", "-m", "hookline.providers.local.child"]
    # The child needs only the ending of the name, and not every name can be an argument.
    short_name = "a.pdf" if name.lower().endswith(".pdf") else "a"
    numbers = map(str, (max_pages, memory, cpu_seconds))
    return [*program, str(file.absolute()), short_name, *numbers, ",".join(kinds)]
