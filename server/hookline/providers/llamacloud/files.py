"""The results of a LlamaCloud job that are files of their own, behind URLs: images, tables, a PDF.

Vendor: LlamaCloud docs, "Retrieving Results"; SDK llama-cloud 2.19, ParsingGetResponse,
output_options.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from hookline.providers.client import Artifact
from hookline.providers.result_urls import ResultUrls

__all__ = ["FILE_KINDS", "expansions_of", "files_in", "output_options_of"]

# Where the images are listed, by the kind of artifact, and which of its categories each kind is.
_IMAGES: Final = "images_content_metadata"
_CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "images": ("embedded", "layout"),
    "screenshots": ("screenshot",),
}
# The field of `expand`, and the name of its entry in the answer.
_SINGLE: Final[Mapping[str, tuple[str, str]]] = {
    "pdf": ("output_pdf_content_metadata", "outputPDF"),
    "xlsx": ("xlsx_content_metadata", "xlsx"),
}
# They have no usual ending of files, or several.
_EXTENSIONS: Final[Mapping[str, str]] = {"jpeg": "jpg"}

FILE_KINDS: Final = frozenset({*_CATEGORIES, *_SINGLE})
"""Kinds of artifacts that are files. A job has only those that its order asked for."""


def output_options_of(kinds: Collection[str]) -> dict[str, Any]:
    """The field `output_options` of an order that is to have these kinds; empty if none is here."""
    options: dict[str, Any] = {}
    categories = [one for kind, saved in _CATEGORIES.items() if kind in kinds for one in saved]
    if categories:
        options["images_to_save"] = categories
    if "xlsx" in kinds:
        options["tables_as_spreadsheet"] = {"enable": True}
    if "pdf" in kinds:
        options["save_output_pdf"] = True
    return options


def expansions_of(kinds: Collection[str]) -> list[str]:
    """The values of `expand` that show where the files of these kinds are."""
    fields = [field for kind, (field, _) in _SINGLE.items() if kind in kinds]
    return [*([_IMAGES] if not _CATEGORIES.keys().isdisjoint(kinds) else []), *fields]


def files_in(found: Mapping[str, Any], kinds: Collection[str], urls: ResultUrls) -> list[Artifact]:
    """The files in the answer to `GET /parse/{id}?expand=`. The URLs in it last for minutes.

    Raises TypeError, LookupError or AttributeError for an answer of another shape.
    """
    files = []
    for image in (found.get(_IMAGES) or {}).get("images") or ():
        # It is a word of the vendor's, and another one may come.
        kind = "screenshots" if image.get("category") == "screenshot" else "images"
        if kind in kinds:
            name = image["filename"]
            ending = PurePosixPath(name).suffix[1:].lower()
            read = partial(urls.fetch, image.get("presigned_url"))
            files.append(Artifact(kind, _EXTENSIONS.get(ending, ending), read, name))
    listed = found.get("result_content_metadata") or {}
    for kind, (_, name) in _SINGLE.items():
        entry = listed.get(name) or {}
        if kind in kinds and entry and entry.get("exists") is not False:
            files.append(Artifact(kind, kind, partial(urls.fetch, entry.get("presigned_url"))))
    return files
