"""The files to submit: found, read once, and named for storage."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

__all__ = ["Entry", "RawFile", "Unreadable", "find_files", "read_raw"]

# The most that is read into memory; local_parser has the same limit.
_MAX_BYTES = 200 * 2**20


class Unreadable(Exception):
    """There is no document in a file; `str()` of it is a sentence that names it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to submit; with `fault`, a sentence, one that cannot be."""

    path: Path
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class RawFile:
    """The bytes of a file as they were read once: every later step is about these."""

    filename: str
    content: bytes = field(repr=False)
    mime: str
    sha256: str

    def path_for(self, owner_id: UUID) -> str:
        """Where storage keeps it, by its content alone.

        The suffix is not the name's, which may differ between two submissions of one document: the
        object of the second would be nobody's.
        """
        suffix = ".pdf" if self.content.startswith(b"%PDF-") else ""
        return f"storage://raw/{owner_id}/{self.sha256}{suffix}"


def find_files(paths: Iterable[Path], *, recursive: bool) -> list[Entry]:
    """The files themselves, and of each folder its PDFs by name; `recursive`: those below, too.

    Links to folders below are not followed, and what is hidden there is left out.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(Entry(path))
            continue
        inside = list(_pdfs_in(path, recursive))
        deeper = "" if recursive else ": --recursive looks deeper"
        found += inside or [Entry(path, f"{path} is a folder without a PDF{deeper}.")]
    return found


def _pdfs_in(folder: Path, recursive: bool) -> Iterator[Entry]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        yield Entry(folder, f"{folder} cannot be read: {error.strerror or error}.")
        return
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if recursive and not path.is_symlink():
                yield from _pdfs_in(path, recursive)
        elif path.suffix.lower() == ".pdf":
            yield Entry(path)


def read_raw(path: Path) -> RawFile:
    """Read a file. Raises Unreadable for one that cannot be, or cannot be a document."""
    try:
        if not path.is_file():
            what = "a directory" if path.is_dir() else "no file"
            raise Unreadable(f"{path} is {what}." if path.exists() else f"{path} does not exist.")
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise Unreadable(
                f"{path} is too large: {size:,} bytes, and {_MAX_BYTES:,} are the most."
            )
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    if not content:
        raise Unreadable(f"{path} is empty.")
    mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return RawFile(path.name, content, mime.lower(), hashlib.sha256(content).hexdigest())
