"""The local parser: a PDF becomes markdown by liteparse, in a process that a deadline ends.

python -m hookline.providers.local.parser FILE NAME MAX_PAGES
                                that process: a JSON object on its output

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
import threading
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

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

# The header may stand anywhere in the first 1024 bytes (ISO 32000-1, note 13 of annex H).
_MAGIC = b"%PDF-"
_MAGIC_WITHIN = 1024
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
            f"The local parser needs the package {PARSER}: pip install 'hookline[local]'"
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
    program = [sys.executable, "-P", "-m", "hookline.providers.local.parser"]
    # Of the name only what the child looks at, and nothing that an argument cannot hold.
    called = "a.pdf" if name.lower().endswith(".pdf") else "a"
    return [*program, str(file.absolute()), called, str(max_pages)]


def _read(file: Path, name: str, max_pages: int) -> dict[str, Any]:
    """What the child says: {markdown}, or {failed: a code, reason}."""
    from liteparse import LiteParse, ParseError

    content = file.read_bytes()
    if _MAGIC not in content[:_MAGIC_WITHIN]:
        if name.endswith(".pdf"):
            return _failed("PDF_IS_BROKEN", "The file is broken: it is called .pdf and is none.")
        return _failed(
            "UNSUPPORTED_FILE_TYPE", "Unsupported file type: the local parser reads PDF."
        )
    # OCR off: it would download language data while it runs.
    parser = LiteParse(ocr_enabled=False, output_format="markdown", max_pages=max_pages, quiet=True)
    try:
        result = parser.parse(content)
    except ParseError as error:
        reason = str(error)
        if "password" in reason:
            return _failed("PDF_IS_PROTECTED", "The file is encrypted: password required.")
        why = reason.removeprefix("PDF error: ")
        return _failed("PDF_IS_BROKEN", f"The file is broken: {why}.")
    if result.total_pages != result.num_pages or result.page_errors:
        if result.total_pages > max_pages:
            return _failed(
                "TOO_MANY_PAGES",
                f"The file is too large: {result.total_pages:,} pages, "
                f"and {max_pages:,} are the most.",
            )
        read = result.num_pages - len(result.page_errors)
        return _failed(
            "PDF_IS_BROKEN",
            f"The file is broken: {read} of its {result.total_pages} pages can be read.",
        )
    # Not the markdown: of a blank page that is an empty fence.
    if not any(page.text.strip() for page in result.pages):
        return _failed(
            "NO_DATA_FOUND_IN_FILE",
            f"The file is blank: no text on any of its pages ({result.num_pages}). "
            "A scan needs OCR, which the local parser does not do.",
        )
    return {"markdown": result.text}


def _failed(code: str, reason: str) -> dict[str, Any]:
    return {"failed": code, "reason": reason}


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Be the child. Anything but the answer that is printed, by native code too, goes elsewhere."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    json.dump(_read(Path(arguments[0]), arguments[1], int(arguments[2])), answer)
    answer.close()
    # Not by the interpreter's own end, which would wait for the thread's read.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
