"""Every setting with hostile values: the process starts, or a sentence names the variable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from llama_cloud import DefaultAsyncHttpxClient

from hookline.process.http_client import open_http_client
from hookline.process.http_listener import listen
from hookline.providers.llamacloud.client import open_client
from hookline.providers.local.delivery import Undelivered, deliver
from hookline.providers.local.signed_envelope import SignedEnvelope
from hookline.settings import ConfigurationError, Settings, load
from hookline.storage.objects import StorageError
from hookline.storage.opening import open_storage
from hookline.worker.loading import load_stages

LONG = "a" * 5_000
HOSTILE = [
    *(
        "",
        " ",
        "\n",
        "\ufeff",
        "\udcff",
        "\x1b[31m",
        "a\nb",
        "'",
        '"',
        '""',
        "'a'",
        LONG,
        "9" * 400,
    ),
    *("null", "true", "-1", "0", "1e400", "-1e-400", "nan", "inf", "-inf", "0x10", "1_000", "1,5"),
    *("${HOME}", "%00", "%zz", "%", "../..", "/", "//", "://", ",", "a,b", "*", "é", "漢字", "a b"),
    *("http://", "https://[", "https://[::1", "https://a:99999", "https://a:b@c", "https://é.é"),
    *(
        "http:///x",
        "https://a\\b",
        "file:",
        "file:///",
        f"file:///{LONG}",
        "file:///%00",
        "file:///é",
    ),
    *("supabase://", "supabase:///", "postgresql://", "postgresql://[", "postgresql://a:b:c/d"),
    *("postgresql:///%zz", "postgresql://a/b?", "postgresql://a/b?&", "postgresql://a/b?=", "@"),
    *("postgresql://h/d?options=-c%20a", "[::1]", "127.0.0.1:80", "a..b", "whsec_", "whsec_=="),
]
VARIABLES = [str(field.alias) for field in Settings.model_fields.values()]


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("HOOKLINE_", "LLAMA_CLOUD_", "SUPABASE_", "DATABASE_URL", "PG")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def accepted(monkeypatch: pytest.MonkeyPatch, variable: str) -> Iterator[Settings]:
    """The settings of each value that is accepted. Any other one is refused as it should be."""
    for value in HOSTILE:
        monkeypatch.setenv(variable, value)
        try:
            settings = load(None)
        except ConfigurationError as error:
            sentence = str(error)
            assert sentence.startswith(variable), (value[:100], sentence)
            assert "\n" not in sentence
            assert len(sentence) < 600
        else:
            yield settings


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_hostile_value_is_taken_or_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for settings in accepted(monkeypatch, variable):
        assert repr(settings)


def test_a_hostile_key_of_standard_webhooks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLINE_LLAMAPARSE_SCHEME", "standard")
    assert not list(accepted(monkeypatch, "HOOKLINE_LLAMAPARSE_SECRETS"))


async def test_a_hostile_host_is_listened_on_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in accepted(monkeypatch, "HOOKLINE_HOST"):
        # Only what fails before a name server is asked: that may take seconds.
        if settings.host in ("[::1]", "127.0.0.1:80", "%", "/", "a b"):
            runner = web.AppRunner(web.Application())
            with pytest.raises(ConfigurationError, match="HOOKLINE_HOST"):
                await listen(runner, settings.host, 0, "HOOKLINE_")
            await runner.cleanup()


async def test_a_hostile_storage_fails_as_storages_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in accepted(monkeypatch, "HOOKLINE_STORAGE_URL"):
        if settings.storage_url != "file:///":
            async with open_storage(settings) as storage:
                with pytest.raises(StorageError):
                    await storage.check()


def test_hostile_stages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in accepted(monkeypatch, "HOOKLINE_STAGES"):
        with pytest.raises(ConfigurationError, match=r"The stages of .* cannot be imported"):
            load_stages(settings.stages)


async def test_a_hostile_address_of_the_receiver_takes_no_webhook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webhook = SignedEnvelope(b"{}", "id", "hex", "secret")
    async with aiohttp.ClientSession() as session:
        for settings in accepted(monkeypatch, "HOOKLINE_RECEIVER_URL"):
            with pytest.raises(Undelivered):
                await deliver(session, f"{settings.receiver_url}/", webhook, tries=1)


async def test_a_hostile_address_of_llamacloud_makes_a_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for settings in accepted(monkeypatch, "LLAMA_CLOUD_BASE_URL"):
        async with open_client(
            "llx-0",
            settings.llama_cloud_base_url,
            tier="agentic",
            webhook=None,
            http=open_http_client(DefaultAsyncHttpxClient),
        ):
            pass
