"""Artifacts of the local parser have a limit, and are JSON where they say so."""

from __future__ import annotations

import json
import math

import pytest
from liteparse import ParsedPage, TextItem

from hookline.providers.local import page_artifacts
from hookline.providers.local.page_artifacts import PageArtifacts
from hookline.providers.local.parser import Parsed, parse
from hookline.standalone.demo import SAMPLE


def page(number: int, text: str, *items: TextItem) -> ParsedPage:
    return ParsedPage(page_num=number, width=612, height=792, text=text, text_items=[*items])


async def test_they_come_with_the_markdown_if_they_are_wanted() -> None:
    plain, rich = await parse(SAMPLE), await parse(SAMPLE, artifacts=["text", "json", "images"])
    assert isinstance(plain, Parsed)
    assert isinstance(rich, Parsed)
    assert plain.artifacts == {}
    assert rich.markdown == plain.markdown
    assert rich.artifacts.keys() == {"text", "json"}
    pages = json.loads(rich.artifacts["json"] or "")["pages"]
    assert [one["page_number"] for one in pages] == [*range(1, len(pages) + 1)]
    assert len(pages) == len((rich.artifacts["text"] or "").split("\f"))


def test_one_that_is_too_large_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # A newline takes two bytes in the answer, and "é" two as well.
    monkeypatch.setattr(page_artifacts, "LARGEST", 50)
    artifacts = PageArtifacts(["text", "json"])
    artifacts.add(page(1, "x" * 40 + "\n" * 3))
    assert artifacts.texts() == {"json": None, "text": "x" * 40 + "\n" * 3}
    artifacts.add(page(2, "\u00e9"))
    assert artifacts.texts() == {"json": None, "text": None}


def test_what_is_no_number_of_json_is_null() -> None:
    artifacts = PageArtifacts(["json"])
    artifacts.add(page(1, "", TextItem('a\0"b', math.inf, math.nan, 1.005, -2.0)))
    [found] = json.loads(artifacts.texts()["json"] or "")["pages"]
    [item] = found["items"]
    assert (item["text"], item["x"], item["y"], item["size"]) == ('a\0"b', None, None, None)


def test_a_document_without_pages_has_an_empty_list() -> None:
    assert PageArtifacts(["json", "text"]).texts() == {"json": '{"pages":[]}', "text": ""}
