"""What LlamaCloud bills for a page, which pages it has cut, and how sure it is of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

__all__ = ["CREDITS_A_PAGE", "confidence_in", "cut_pages"]

CREDITS_A_PAGE: Final = {"cost_effective": 3, "agentic": 10, "agentic_plus": 45}
"""Credits for a page, by tier. Vendor: LlamaCloud docs, "Pricing"."""

# Bytes. The provider silently cuts the text of a page at this length, but never inside a character,
# so a cut page may be up to three bytes shorter.
_PAGE_LIMIT: Final = 64 * 1024
_LONGEST_CHARACTER: Final = 4


# Pages that are named for their low confidence.
_LOWEST: Final = 10


class _Metadata(Protocol):
    """The SDK's Metadata: what it says of the pages, and of the document if that was asked for."""

    @property
    def pages(self) -> Sequence[Any]: ...
    @property
    def document(self) -> Any: ...


def confidence_in(metadata: _Metadata | None) -> dict[str, object]:
    """The entry `confidence` (0 to 1): mean, lowest, and the pages from the lowest on."""
    if metadata is None:
        return {}
    rated = [
        (page.confidence, page.page_number)
        for page in metadata.pages
        if _is_score(page.confidence) and type(page.page_number) is int
    ]
    if not rated:
        return {}
    mean = sum(confidence for confidence, _ in rated) / len(rated)
    confidence: dict[str, object] = {
        "mean": round(mean, 3),
        "lowest": round(min(rated)[0], 3),
        "lowest_pages": [number for _, number in sorted(rated)[:_LOWEST]],
    }
    if metadata.document is not None and _is_score(metadata.document.confidence):
        confidence["document"] = round(metadata.document.confidence, 3)
    return {"confidence": confidence}


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def cut_pages(pages: Mapping[int, str | None]) -> list[int]:
    """The numbers of the pages that are as long as the provider's limit."""
    return [number for number, text in sorted(pages.items()) if text and _is_cut(text)]


def _is_cut(text: str) -> bool:
    if len(text) == _PAGE_LIMIT:
        return True
    if len(text) * _LONGEST_CHARACTER < _PAGE_LIMIT - _LONGEST_CHARACTER:
        return False
    size = len(text.encode("utf-8", "surrogatepass"))
    return _PAGE_LIMIT - _LONGEST_CHARACTER < size <= _PAGE_LIMIT
