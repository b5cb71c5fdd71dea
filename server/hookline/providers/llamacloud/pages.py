"""What LlamaCloud bills for a page, and which pages it has cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CREDITS_A_PAGE", "cut_pages"]

CREDITS_A_PAGE: Final = {"cost_effective": 3, "agentic": 10, "agentic_plus": 45}
"""Credits for a page, by tier. Vendor: LlamaCloud docs, "Pricing"."""

# Bytes. The provider silently cuts the text of a page at this length, but never inside a character,
# so a cut page may be up to three bytes shorter.
_PAGE_LIMIT: Final = 64 * 1024
_LONGEST_CHARACTER: Final = 4


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
