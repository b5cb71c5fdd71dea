"""The options that a job may have for LlamaCloud, and the fields that they become.

Vendor: LlamaCloud API reference, "Parsing" (v2): agentic_options, processing_options, page_ranges,
output_options.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from hookline.providers.llamacloud.files import output_options_of
from hookline.providers.options import Languages, Options, PageRanges

__all__ = ["LlamaCloudOptions", "fields_of"]


class LlamaCloudOptions(Options):
    """`tier` and `version` win over the settings. `prompt` tells the model what to look for."""

    tier: Literal["cost_effective", "agentic", "agentic_plus"] | None = None
    version: Annotated[str, StringConstraints(pattern=r"^(latest|\d{4}-\d{2}-\d{2})$")] | None = (
        None
    )
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=8000)] | None = None
    languages: Languages | None = None
    pages: PageRanges | None = None
    disable_cache: bool = False


def fields_of(options: LlamaCloudOptions) -> dict[str, Any]:
    """The fields of `POST /api/v2/parse` for these options, without tier and version."""
    fields: dict[str, Any] = {}
    if options.prompt is not None:
        fields["agentic_options"] = {"custom_prompt": options.prompt}
    if options.languages is not None:
        fields["processing_options"] = {"ocr_parameters": {"languages": list(options.languages)}}
    if options.pages is not None:
        fields["page_ranges"] = {"target_pages": options.pages}
    if outputs := output_options_of(options.artifacts):
        fields["output_options"] = outputs
    if options.disable_cache:
        fields["disable_cache"] = True
    return fields
