"""What a result of Reducto holds beside its markdown: all of it as JSON, and its figures by URL.

Vendor: Reducto API reference, "Parse": settings.return_images; SDK reductoai 0.25, ParseResponse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from hookline.providers.client import Artifact
from hookline.providers.result_urls import ResultUrls

__all__ = ["ARTIFACT_KINDS", "artifacts_in"]

ARTIFACT_KINDS: Final = frozenset({"images", "json"})

# The extension in the path of a URL, before its query.
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,5})(?:[?#]|\Z)")


def artifacts_in(full: Mapping[str, Any], urls: ResultUrls) -> list[Artifact]:
    """The artifacts of a full result, which read_result has read. A strange figure is left out."""

    async def as_json() -> bytes:
        return json.dumps(full, ensure_ascii=False).encode("utf-8", "surrogatepass")

    return [Artifact("json", "json", as_json), *_figures(full, urls)]


def _figures(full: Mapping[str, Any], urls: ResultUrls) -> Iterator[Artifact]:
    blocks = (block for chunk in full["chunks"] for block in chunk.get("blocks") or ())
    figures = (block for block in blocks if block.get("type") == "Figure")
    for number, figure in enumerate(figures, start=1):
        url, box = figure.get("image_url"), figure.get("bbox")
        page = box.get("page") if isinstance(box, dict) else None
        if not isinstance(url, str):
            continue
        found = _EXTENSION.search(url)
        extension = found[1].lower() if found else "bin"
        where = f"page_{page}_" if type(page) is int else ""
        yield Artifact(
            "images", extension, partial(urls.fetch, url), f"{where}figure_{number}.{extension}"
        )
