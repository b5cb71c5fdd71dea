"""The options that a job may have for docling-serve, and the form fields that they become.

Vendor: docling.datamodel.service.options, ConvertDocumentsOptions (docling-slim 2.143).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from hookline.providers.options import Languages, Options, PageRanges

__all__ = ["DoclingOptions", "fields_of"]


def _check_one_range(pages: str) -> str:
    if "," in pages:
        raise ValueError("docling-serve takes one range of pages, such as 2-5")
    return pages


class DoclingOptions(Options):
    """`ocr`: of pictures (auto), of every page (force), or of none (off)."""

    ocr: Literal["auto", "force", "off"] = "auto"
    languages: Languages | None = None
    tables: Literal["fast", "accurate"] | None = None
    pages: Annotated[PageRanges, AfterValidator(_check_one_range)] | None = None


def fields_of(options: DoclingOptions) -> list[tuple[str, str]]:
    """The fields for these options. A list is a field that is repeated."""
    fields = []
    if options.ocr != "auto":
        fields.append(
            ("force_ocr", "true") if options.ocr == "force" else ("do_ocr", "false"),
        )
    fields += [("ocr_lang", language) for language in options.languages or ()]
    if options.tables is not None:
        fields.append(("table_mode", options.tables))
    if options.pages is not None:
        first, _, last = options.pages.partition("-")
        fields += [("page_range", first), ("page_range", last or first)]
    return fields
