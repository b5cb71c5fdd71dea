"""Estimates how many pages a file has, for the budget, without parsing it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["count_pages"]

# The header may stand anywhere in the first 1024 bytes (ISO 32000-1, note 13 of annex H).
_HEADER: Final = b"%PDF-"
_HEADER_WITHIN: Final = 1024
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_OBJECTS: Final = re.compile(rb"/Type\s*/ObjStm\b[^>]*>>\s*stream\r?\n")
# How many bytes of compressed objects are read in all. A page takes some hundred bytes.
_INFLATED_MAX: Final = 16 * 2**20


def count_pages(content: bytes, mime: str) -> int | None:
    """The pages of a PDF or an image, or None if they cannot be counted.

    In a PDF that was changed in place, old versions of a page count as well: too many is better
    than too few. It may take a while for large files.
    """
    if _HEADER in content[:_HEADER_WITHIN]:
        pages = len(_PAGE.findall(content))
        pages += sum(len(_PAGE.findall(objects)) for objects in _compressed(content))
        return pages or None
    # A TIFF may have many pages; the other image formats have one.
    return 1 if mime.startswith("image/") and mime != "image/tiff" else None


def _compressed(content: bytes) -> Iterator[bytes]:
    """The object streams (ISO 32000-1, 7.5.7) of a PDF that is not encrypted."""
    left = _INFLATED_MAX
    for match in _OBJECTS.finditer(content):
        if left <= 0:
            return
        try:
            inflated = zlib.decompressobj().decompress(content[match.end() :], left)
        except zlib.error:
            continue
        left -= len(inflated)
        yield inflated
