"""What a job can have of a PDF beside its markdown: the plain text, and the items of its pages.

Everything is written page by page and up to a limit, since a document may be of any size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from liteparse import ParsedPage

__all__ = ["EXTENSIONS", "LARGEST", "PageArtifacts"]

EXTENSIONS: Final = {"json": "json", "text": "txt"}
"""The kinds, and the extension of a file of each."""

LARGEST: Final = 32 * 2**20
"""Bytes of one of them, as it stands in the answer of the child process."""


class PageArtifacts:
    """The artifacts of these kinds, of the pages that were added in their order."""

    def __init__(self, kinds: Collection[str]) -> None:
        self._pages: dict[str, list[str]] = {kind: [] for kind in EXTENSIONS if kind in kinds}
        self._left = dict.fromkeys(self._pages, LARGEST)

    def add(self, page: ParsedPage) -> None:
        """Take what is wanted of a page."""
        for kind, pages in self._pages.items():
            if self._left[kind] < 0:
                continue
            text = _as_json(page) if kind == "json" else page.text
            self._left[kind] -= len(json.dumps(text, ensure_ascii=False).encode())
            pages.append(text)
            if self._left[kind] < 0:
                pages.clear()

    def texts(self) -> dict[str, str | None]:
        """The whole of each kind. None: it is larger than LARGEST.

        Pages of the text have a form feed between them.
        """
        return {
            kind: None
            if self._left[kind] < 0
            else f'{{"pages":[{",".join(pages)}]}}'
            if kind == "json"
            else "\f".join(pages)
            for kind, pages in self._pages.items()
        }


def _as_json(page: ParsedPage) -> str:
    """A page with its items. Lengths are in points, and the origin is the upper left corner."""
    items = [
        {
            "text": item.text,
            "x": _number(item.x),
            "y": _number(item.y),
            "width": _number(item.width),
            "height": _number(item.height),
            "rotation": _number(item.rotation),
            "font": item.font_name,
            "size": _number(item.font_size),
        }
        for item in page.text_items
    ]
    described = {
        "page_number": page.page_num,
        "page_label": page.page_label,
        "width": _number(page.width),
        "height": _number(page.height),
        "items": items,
    }
    return json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _number(value: float | None) -> float | None:
    """A number of JSON, which has neither infinity nor NaN."""
    return round(value, 2) if value is not None and math.isfinite(value) else None
