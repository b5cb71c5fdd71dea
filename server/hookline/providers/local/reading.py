"""Reads a PDF by liteparse: the text of its pages, or why there is none. The child runs this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hookline.providers.local.page_artifacts import PageArtifacts
from hookline.providers.local.page_text import (
    DocumentText,
    PageText,
    Turned,
    join_pages,
    read_page,
    read_turned,
)

__all__ = ["NoText", "read_pdf"]

# The header may stand anywhere in the first 1024 bytes (ISO 32000-1, note 13 of annex H).
_HEADER: Final = b"%PDF-"
_HEADER_WITHIN: Final = 1024
# Pages whose parts are in memory at once. Running lines are found among so many pages.
_BATCH: Final = 200
# PDFium's form types (fpdf_formfill.h): an XFA form that has to be rendered, and one that need not.
_XFA_FULL: Final = 2
_XFA_FOREGROUND: Final = 3
# How the only page of a dynamic XFA form begins for viewers without XFA.
_PLACEHOLDER: Final = "please wait..."

_OPTIONS: Final[dict[str, Any]] = {
    # Without OCR, which would download language data while it runs.
    "ocr_enabled": False,
    "output_format": "markdown",
    "quiet": True,
    "extract_form_fields": True,
    "extract_annotations": True,
    "include_complexity": True,
}


class NoText(Exception):
    """The file cannot be parsed: a code, as LlamaParse has them, and a sentence for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def read_pdf(
    content: bytes, *, is_named_pdf: bool, max_pages: int, artifacts: PageArtifacts
) -> DocumentText:
    """The text of a PDF. Its pages are added to the artifacts, too. Raises NoText."""
    from liteparse import ParseError

    start = content.find(_HEADER, 0, _HEADER_WITHIN)
    if start < 0:
        if is_named_pdf:
            raise NoText(
                "PDF_IS_BROKEN", "The file is broken: its name ends in .pdf, but it is not a PDF."
            )
        raise NoText("UNSUPPORTED_FILE_TYPE", "Unsupported file type: the local parser reads PDF.")
    content = content[start:]
    try:
        pages = _read_pages(content, max_pages, artifacts)
        document = join_pages(pages, _read_turned(content, pages))
    except ParseError as error:
        reason = str(error)
        if "password" in reason:
            raise NoText("PDF_IS_PROTECTED", "The file is encrypted: password required.") from error
        why = reason.removeprefix("PDF error: ")
        raise NoText("PDF_IS_BROKEN", f"The file is broken: {why}.") from error
    if len(document.pages_without_text) == len(pages):
        raise NoText(
            "NO_DATA_FOUND_IN_FILE",
            f"The file is blank: no text on any of its pages ({len(pages)}). "
            "A scan needs OCR, which the local parser does not do.",
        )
    return document


def _read_pages(content: bytes, max_pages: int, artifacts: PageArtifacts) -> list[PageText]:
    from liteparse import LiteParse

    pages: list[PageText] = []
    total = failed = 0
    form_type = None
    for batch in LiteParse(max_pages=max_pages, **_OPTIONS).parse_batches(content, _BATCH):
        total = batch.total_pages
        if total > max_pages:
            raise NoText(
                "TOO_MANY_PAGES",
                f"The file is too large: {total:,} pages, and {max_pages:,} are the most.",
            )
        pages += map(read_page, batch.result.pages)
        for page in batch.result.pages:
            artifacts.add(page)
        failed += len(batch.result.page_errors)
        form_type = batch.result.form_type
    if failed or len(pages) != total:
        raise NoText(
            "PDF_IS_BROKEN",
            f"The file is broken: {len(pages) - failed} of its {total} pages can be read.",
        )
    if _is_placeholder(form_type, pages):
        raise NoText(
            "XFA_FORM_NOT_SUPPORTED",
            "The file is a dynamic XFA form: its only page asks the reader to wait, and the content"
            " is not a part of the PDF. Print the form to a new PDF in Adobe Acrobat.",
        )
    return pages


def _is_placeholder(form_type: int | None, pages: Sequence[PageText]) -> bool:
    if len(pages) != 1:
        return False
    asks_to_wait = pages[0].plain.lower().startswith(_PLACEHOLDER)
    return form_type == _XFA_FULL or (form_type == _XFA_FOREGROUND and asks_to_wait)


def _read_turned(content: bytes, pages: Sequence[PageText]) -> Turned:
    from liteparse import LiteParse

    turned = {}
    for angle in (90, 180, 270):
        numbers = [page.number for page in pages if angle in page.angles]
        for first in range(0, len(numbers), _BATCH):
            batch = numbers[first : first + _BATCH]
            parser = LiteParse(
                target_pages=",".join(map(str, batch)),
                page_orientation_corrections=[(number, angle) for number in batch],
                **_OPTIONS,
            )
            for page in parser.parse(content).pages:
                turned[page.page_num, angle] = read_turned(page)
    return turned
