"""Writes docling_serve.schema.json: the models of docling-serve, which its imitation has to meet.

Run it with a Python that has docling-slim. The tests cannot have it beside Hookline: docling-core
2.104 needs an older typer.

    python -m venv other && other/bin/pip install docling-slim
    other/bin/python tests/fakes/docling_schema.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docling.datamodel.service.callbacks import CallbackSpec, ProgressCallbackRequest
from docling.datamodel.service.options import ConvertDocumentsOptions
from docling.datamodel.service.responses import (
    ConvertDocumentResponse,
    TaskFailureResult,
    TaskStatusResponse,
)
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

MODELS: list[type[BaseModel]] = [
    CallbackSpec,
    ConvertDocumentResponse,
    ConvertDocumentsOptions,
    ProgressCallbackRequest,
    TaskFailureResult,
    TaskStatusResponse,
]


KEPT = {"to_formats", "image_export_mode", "table_mode"}


def schema() -> dict[str, Any]:
    """The models by their names in `$defs`, without what Hookline neither sends nor reads."""
    _, found = models_json_schema([(model, "validation") for model in MODELS])
    definitions: dict[str, Any] = found["$defs"]
    # A whole document as JSON, and the options of models of vision and chunking.
    definitions["ExportDocumentResponse"]["properties"]["json_content"] = {"type": "null"}
    options = definitions["ConvertDocumentsOptions"]["properties"]
    for name, option in list(options.items()):
        if "$ref" in json.dumps(option) and name not in KEPT:
            del options[name]
    for definition in definitions.values():
        _strip(definition)
    return {
        "$comment": f"docling-slim {version('docling-slim')}: see docling_schema.py",
        "$defs": _reached(definitions),
    }


def _reached(definitions: dict[str, Any]) -> dict[str, Any]:
    names, left = set[str](), [model.__name__ for model in MODELS]
    while left:
        name = left.pop()
        if name not in names:
            names.add(name)
            text = json.dumps(definitions[name])
            left += [one for one in definitions if f'"#/$defs/{one}"' in text]
    return {name: definitions[name] for name in sorted(names)}


def _strip(schema: Any) -> None:
    """Remove prose, examples and titles."""
    if isinstance(schema, list):
        for one in schema:
            _strip(one)
    elif isinstance(schema, dict):
        for name in ("description", "title", "examples", "default"):
            if name in schema and not isinstance(schema[name], dict):
                del schema[name]
        for one in schema.values():
            _strip(one)


if __name__ == "__main__":
    path = Path(__file__).with_name("docling_serve.schema.json")
    path.write_text(json.dumps(schema(), indent=1) + "\n")
