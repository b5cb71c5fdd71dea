"""Providers of other packages: found by their entry points, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline.doctor.configuration import check_parser
from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.settings import ConfigurationError, Settings
from hookline.worker.parsing.configured_stages import parser_stages


async def test_its_variable_chooses_it_and_the_doctor_knows_what_is_missing(
    acme_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "k")
    settings = Settings.model_validate({})
    choice = choose_parser(settings)
    assert (choice.parsers, choice.sentence) == (("acme",), "ACME parses: ACME_KEY is set.")
    assert "set ACME_URL" in check_parser(settings).sentence
    monkeypatch.setenv("ACME_URL", "http://127.0.0.1:9")
    assert check_parser(settings).state == "ok"
    async with parser_stages(settings) as parser:
        assert parser.stages[0].status == "uploaded"


def test_a_parser_that_is_not_installed_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="no provider acme is installed") as raised:
        choose_parser(Settings.model_validate({"parser": "acme"}))
    assert "docling, or llamacloud, or local, or none, or reducto" in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("acme = acme_parser:MISSING", "cannot be imported: AttributeError"),
        ("acme = no_such_module:PROVIDER", "cannot be imported: ModuleNotFoundError"),
        ("llamacloud = acme_parser:PROVIDER", "needs another name"),
        ("Acme = acme_parser:PROVIDER", "needs another name"),
        ("other = acme_parser:PROVIDER", "has another name in its code"),
    ],
)
def test_a_wrong_entry_point_stops_the_start_with_a_sentence(
    acme_package: Path, entry: str, sentence: str
) -> None:
    [file] = acme_package.glob("*.dist-info/entry_points.txt")
    file.write_text(f"[hookline.providers]\n{entry}\n")
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        installed()
    assert "acme-parser" in str(raised.value)
