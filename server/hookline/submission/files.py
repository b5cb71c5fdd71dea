"""The files to submit: find them, read each once, name its object in storage."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from hookline.error import HooklineError

__all__ = ["Entry", "RawFile", "Unreadable", "find_files", "make_raw", "read_raw"]

# A file is read into memory. The local parser has the same limit.
_MAX_BYTES = 200 * 2**20


class Unreadable(HooklineError):
    """A file cannot be submitted; `str()` of it is a sentence that names the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to submit. With `fault`, a sentence, it is one that cannot be submitted."""

    path: Path
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class RawFile:
    """The bytes of a file. They are read once, so that every later step is about the same bytes."""

    filename: str
    content: bytes = field(repr=False)
    mime: str | None
    sha256: str

    def path_for(self, owner_id: UUID) -> str:
        """Where storage keeps it. The path depends on owner and content only.

        The same document may be submitted again under another name. With the suffix of the name in
        the path, its object would be stored twice, and no job would know the second one.
        """
        suffix = ".pdf" if self.content.startswith(b"%PDF-") else ""
        return f"storage://raw/{owner_id}/{self.sha256}{suffix}"


def find_files(paths: Iterable[Path], *, recursive: bool) -> list[Entry]:
    """Every file named, and the PDFs of every folder named, sorted by name.

    `recursive` adds the PDFs of the folders below; links to folders are not followed. Hidden files
    and folders are left out.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(Entry(path))
            continue
        inside = list(_pdfs_in(path, recursive))
        deeper = "" if recursive else ": --recursive searches the folders below"
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
    """Read a file. Raises Unreadable if it cannot be read, is empty or is too large."""
    try:
        if not path.is_file():
            what = "a directory" if path.is_dir() else "no file"
            raise Unreadable(f"{path} is {what}." if path.exists() else f"{path} does not exist.")
        _check_size(str(path), path.stat().st_size)
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    _check_size(str(path), len(content))
    return make_raw(path.name, content)


def make_raw(filename: str, content: bytes, mime: str | None = None) -> RawFile:
    """The file of a content. Without `mime` it is guessed by the name.

    Raises Unreadable if the content is empty or too large.
    """
    _check_size(filename, len(content))
    mime = mime or mimetypes.guess_type(filename)[0]
    return RawFile(filename, content, mime, hashlib.sha256(content).hexdigest())


def _check_size(name: str, size: int) -> None:
    if size > _MAX_BYTES:
        raise Unreadable(f"{name} is too large: {size:,} bytes, the limit is {_MAX_BYTES:,}.")
    if not size:
        raise Unreadable(f"{name} is empty.")
