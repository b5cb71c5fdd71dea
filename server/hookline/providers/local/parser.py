"""The local parser: a PDF becomes markdown by liteparse, in a process that a deadline ends.

A process of its own, because the file is a stranger's: a parser that hangs or crashes on it costs
one child, which sees neither our secrets nor our database.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

__all__ = [
    "DEADLINE",
    "MAX_BYTES",
    "PARSER",
    "ParseFailed",
    "Parsed",
    "ParserMissing",
    "parse",
    "parse_content",
    "parser_version",
]

PARSER = "liteparse"
MAX_BYTES = 200 * 2**20
MAX_PAGES = 2000
DEADLINE = 120.0

# All that the child is told of our environment.
_CHILD_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The whole text of a file, never a part of it."""

    markdown: str
    parser_name: str
    parser_version: str


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """Why there is no text: a code, as LlamaParse has them, and a sentence for people.

    `permanent`: the same file fails in the same way again.
    """

    code: str
    reason: str
    permanent: bool = True


class ParserMissing(Exception):
    """The package is not installed; `str()` of it says how to install it."""


def parser_version() -> str:
    """The installed liteparse's version. Raises ParserMissing."""
    try:
        return metadata.version(PARSER)
    except metadata.PackageNotFoundError:
        raise ParserMissing(
            f"The local parser needs the package {PARSER}: pip install '.[local]' in the checkout"
            " of Hookline."
        ) from None


async def parse_content(
    content: bytes, name: str, *, deadline: float = DEADLINE, max_pages: int = MAX_PAGES
) -> Parsed | ParseFailed:
    """As `parse`, of what a file of this name holds."""
    with _nameless() as file:
        await asyncio.to_thread(_fill, file, content)
        number = file.fileno()
        return await parse(
            Path(f"/dev/fd/{number}"),
            name=name,
            deadline=deadline,
            max_pages=max_pages,
            inherited=(number,),
        )


async def parse(
    file: Path,
    *,
    name: str | None = None,
    deadline: float = DEADLINE,
    max_pages: int = MAX_PAGES,
    inherited: tuple[int, ...] = (),
) -> Parsed | ParseFailed:
    """The text of a PDF, without OCR. After `deadline` seconds the parser is killed.

    `name` is what the file is called, if not as `file` is; `inherited` are the descriptors that it
    takes to read it. Raises ParserMissing, and OSError if the file cannot be read.
    """
    version = parser_version()
    size = (await asyncio.to_thread(file.stat)).st_size
    if size > MAX_BYTES:
        reason = f"The file is too large: {size:,} bytes, and {MAX_BYTES:,} are the most."
        return ParseFailed("DOCUMENT_TOO_LARGE", reason)
    child = await asyncio.create_subprocess_exec(
        *_command(file, name or file.name, max_pages),
        stdin=PIPE,  # Never written to: it ends when we do, and the child with it.
        stdout=PIPE,
        stderr=DEVNULL,
        pass_fds=inherited,
        env={name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ},
    )
    assert child.stdout is not None  # noqa: S101 - it was asked for
    try:
        async with asyncio.timeout(deadline):
            answer = await child.stdout.read()
            status = await child.wait()
    except TimeoutError:
        reason = f"Parsing took more than {deadline:g} seconds and was stopped."
        return ParseFailed("TIMEOUT", reason)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if status != 0:
        how = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        # Memory may have been short: another try may get through.
        return ParseFailed("PARSER_CRASHED", f"The parser crashed on the file ({how}).", False)
    said = await asyncio.to_thread(json.loads, answer)
    if "failed" in said:
        return ParseFailed(said["failed"], said["reason"])
    return Parsed(said["markdown"], PARSER, version)


def _nameless() -> IO[bytes]:
    """A file that is gone with its process: a kill leaves no copy of the document behind."""
    if sys.platform == "linux":
        # In memory: a container may have no disk to write on.
        return os.fdopen(os.memfd_create("document"), "w+b")
    return tempfile.TemporaryFile()


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.seek(0)


def _command(file: Path, name: str, max_pages: int) -> list[str]:
    # -P: whatever lies in the working directory is not imported.
    program = [sys.executable, "-P", "-m", "hookline.providers.local.child"]
    # Of the name only what the child looks at, and nothing that an argument cannot hold.
    called = "a.pdf" if name.lower().endswith(".pdf") else "a"
    return [*program, str(file.absolute()), called, str(max_pages)]
