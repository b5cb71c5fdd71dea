"""POST /webhooks/NAME: a sender that HOOKLINE_SOURCES describes moves its own jobs."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest

from hookline.doctor.configuration import check_configuration, unknown_variables
from hookline.settings import ConfigurationError, Settings
from support.sender import Sender, Start

SECRET = "a-secret-of-the-described-sender"
ACME = """
[acme]
signature_header = "x-acme"
timestamp_header = "x-acme-time"
signed = "{timestamp}.{body}"
status = "/state"
parse_job_id = "/id"
codes = { done = "parse_ready" }
"""


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "sources.toml"
    path.write_text(ACME)
    monkeypatch.setenv("HOOKLINE_ACME_SECRETS", f"{SECRET},an-older-secret-of-acme")
    return str(path)


async def send(sender: Sender, body: bytes, secret: str = SECRET) -> tuple[int, dict[str, object]]:
    now = str(int(time.time()))
    mac = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Acme": mac, "X-Acme-Time": now, "Content-Type": "application/json"}
    async with sender.http.post(f"{sender.url}/webhooks/acme", data=body, headers=headers) as said:
        return said.status, await said.json()


async def test_an_event_moves_the_job_of_its_own_provider_once(
    start: Start, described: str
) -> None:
    async with start(sources=described) as sender:
        job = sender.submitted("1")
        body = json.dumps({"state": "done", "id": 1}).encode()
        assert (await send(sender, body))[1]["outcome"] == "parked"
        sender.query(
            "select upload_pipeline.record_submission(%s, 1, '1', provider => 'acme')", job.job_id
        )
        assert sender.job(job)["status"] == "parse_ready"
        status, answer = await send(sender, body)
        assert (status, answer["outcome"]) == (200, "duplicate")


async def test_a_forged_event_changes_nothing(start: Start, described: str) -> None:
    async with start(sources=described) as sender:
        status, _ = await send(sender, b'{"state": "done", "id": 1}', "another-secret-entirely")
        assert status == 401
        assert sender.query("select 1 from upload_pipeline.webhook_deliveries") == []


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [("", "HOOKLINE_ACME_SECRETS is not set"), ("short", "HOOKLINE_ACME_SECRETS is wrong")],
)
async def test_without_a_usable_secret_the_receiver_does_not_start(
    start: Start, described: str, monkeypatch: pytest.MonkeyPatch, secrets: str, sentence: str
) -> None:
    monkeypatch.setenv("HOOKLINE_ACME_SECRETS", secrets)
    with pytest.raises(ConfigurationError, match=sentence):
        async with start(sources=described):
            pass
    settings = Settings.model_validate({"sources": described})
    [found] = [one for one in check_configuration(settings) if one.name == "sources"]
    assert (found.state, sentence in found.sentence) == ("fault", True)


async def test_without_the_file_the_receiver_does_not_start(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        async with start(sources=str(tmp_path / "none.toml")):
            pass


def test_the_doctor_names_the_described_sources(described: str) -> None:
    settings = Settings.model_validate({"sources": described})
    [found] = [one for one in check_configuration(settings) if one.name == "sources"]
    assert found.state == "ok"
    assert "acme: 2 secrets" in found.sentence
    given = {"HOOKLINE_SOURCES": described, "HOOKLINE_ACME_SECRETS": SECRET}
    assert list(unknown_variables(given)) == []
