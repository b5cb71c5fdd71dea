"""Providers of other packages: found by their entry points, or refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from hookline.doctor.configuration import check_configuration, check_parser
from hookline.doctor.public_address import check_public_address
from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.receiver.run import receiving
from hookline.sending.post import post
from hookline.sending.webhook import sign_webhook
from hookline.settings import ConfigurationError, Settings
from hookline.worker.parsing.configured_stages import parser_stages

HOOKS = """
from acme_parser import Acme
from hookline.sources.signed_json import Description, SignedJsonSource

DESCRIPTION = Description(
    name="acme",
    signature_header="X-Acme",
    codes={"ready": "parse_ready"},
    status="/status",
    parse_job_id="/id",
)


class AcmeThatCallsBack(Acme):
    def source(self, settings):
        return SignedJsonSource(DESCRIPTION, [b"a-secret-of-sixteen-bytes"])


PROVIDER = AcmeThatCallsBack()
"""


async def test_the_source_of_a_package_is_served_checked_and_tested_like_ours(
    acme_package: Path, database: str, login: Callable[[str], str], tmp_path: Path
) -> None:
    (acme_package / "acme_hooks.py").write_text(HOOKS)
    described = acme_package / "acme_parser-1.0.dist-info"
    (described / "entry_points.txt").write_text(
        "[hookline.providers]\nacme = acme_hooks:PROVIDER\n"
    )
    (tmp_path / "objects").mkdir()
    # No secret of a source of ours is set.
    settings = Settings.model_validate(
        {
            "database_url": login("ingest"),
            "storage_url": f"file://{tmp_path}/objects",
            "port": 0,
            "admin_port": 0,
        }
    )
    sources, _ = check_configuration(settings)
    assert (sources.state, "acme: 1 secret" in sources.sentence) == ("ok", True)
    async with receiving(settings) as receiver:
        checks = await check_public_address(settings, receiver.url)
        assert [check.state for check in checks] == ["ok", "ok"]
        webhook = sign_webhook(
            settings, "acme", b'{"status": "ready", "id": "a"}', now=1.0, job_id=uuid4()
        )
        answer = await post(receiver.url, webhook, within=10)
        assert (answer.status, answer.told()["outcome"]) == (200, "parked")


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
