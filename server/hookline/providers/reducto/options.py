"""The options that a job may have for Reducto, and the configuration that they make.

Vendor: Reducto API reference, "Parse": settings, formatting, enhance, retrieval (v3).
"""

from __future__ import annotations

from typing import Any, Literal

from hookline.providers.options import Options, PageRanges

__all__ = ["ReductoOptions", "configuration_of"]


class ReductoOptions(Options):
    """`agentic` lets a vision model correct the text; it doubles the cost."""

    pages: PageRanges | None = None
    tables: Literal["dynamic", "html", "md", "json", "csv"] = "dynamic"
    extraction: Literal["hybrid", "ocr"] = "hybrid"
    agentic: bool = False


def configuration_of(options: ReductoOptions) -> dict[str, Any]:
    """The fields of the body of `POST /parse_async` beside `input` and `async`."""
    settings: dict[str, Any] = {"extraction_mode": options.extraction}
    if options.pages is not None:
        ranges = [part.partition("-") for part in options.pages.split(",")]
        settings["page_range"] = [
            {"start": int(first), "end": int(last or first)} for first, _, last in ranges
        ]
    if "images" in options.artifacts:
        settings["return_images"] = ["figure"]
    configuration: dict[str, Any] = {
        "settings": settings,
        "formatting": {"table_output_format": options.tables},
        # One chunk: the whole document.
        "retrieval": {"chunking": {"chunk_mode": "disabled"}},
    }
    if options.agentic:
        configuration["enhance"] = {"agentic": [{"scope": "text"}, {"scope": "table"}]}
    return configuration
