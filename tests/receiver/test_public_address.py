"""`hookline doctor --public` names what a proxy before the receiver does to webhooks."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.public_proxy import PublicProxy, public_proxy
from hookline.doctor import public_address
from hookline.doctor.check import Check
from hookline.doctor.public_address import check_public_address
from hookline.sending.post import post
from hookline.sending.webhook import Webhook
from hookline.settings import Settings
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender, Start


def settings_of(**secrets: str) -> Settings:
    values: dict[str, Any] = {f"{source}_secrets": (text,) for source, text in secrets.items()}
    return Settings(**values)


ENVELOPE_ONLY = settings_of(llamaparse=ENVELOPE_SECRET)
SETTINGS = settings_of(llamaparse=ENVELOPE_SECRET, llamacloud=CLOUD_SECRET, push=PUSH_SECRET)
SMALL_LIMIT = 2**18


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start(max_body=SMALL_LIMIT) as running:
        yield running


@pytest.fixture
async def proxy(sender: Sender) -> AsyncIterator[PublicProxy]:
    async with public_proxy(sender.url) as running:
        yield running


def said(checks: list[Check]) -> list[tuple[str, str]]:
    return [
        (check.state, re.sub(r"[\d.]+ (ms|s)\.$", r"N \1.", check.sentence)) for check in checks
    ]


async def test_an_honest_proxy_is_well_for_each_source_and_nothing_changes(
    sender: Sender, proxy: PublicProxy
) -> None:
    before = sender.one("select count(*) as n from upload_pipeline.webhook_deliveries")
    assert said(await check_public_address(SETTINGS, proxy.url)) == [
        *(
            (
                "ok",
                f"{source}: a signed webhook reaches this receiver at {proxy.url} unchanged, in"
                " N ms.",
            )
            for source in ("llamaparse", "llamaparse_push", "llamacloud")
        ),
        ("ok", "A body of 0.25 MiB arrives, in N s."),
    ]
    assert sender.one("select count(*) as n from upload_pipeline.webhook_deliveries") == before


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("redirect", "answers 301 and redirects to https://www/webhooks/llamaparse"),
        ("login page", "answers 403 by .*, before the receiver: a login page, a captcha"),
        ("page for everything", "answers 200 by .*: something other than a receiver of Hookline"),
        ("bad gateway", "answers 502 by .*: the proxy is there, but does not reach the receiver"),
        ("no route", "answers 404 by .*: nothing there takes webhooks at this path"),
        ("path", "answers 404.*: nothing there takes webhooks at this path"),
        ("hang up", "gave no answer: the connection was closed without an answer"),
        ("json", r"The body arrives changed: [\d,]+ bytes instead of 16,384"),
        ("gzip", r"A proxy compresses or encodes the body \(Content-Encoding: gzip\)"),
        ("strip", "The header x-webhook-signature does not arrive: a proxy removes or renames it"),
        (
            "rename",
            "The header x-webhook-signature does not arrive, but x-original-x-webhook-signature"
            " does",
        ),
        ("twice", "The header x-webhook-signature arrives 2 times"),
        ("content type", "The header content-type arrives with another value"),
        ("answer", "of Hookline answers there, or a proxy changes its answer"),
        ("query", "is proven, but a proxy removes the query of its URL"),
    ],
)
async def test_a_fault_of_a_proxy_is_named(proxy: PublicProxy, fault: str, sentence: str) -> None:
    proxy.fault = fault
    [check] = await check_public_address(ENVELOPE_ONLY, proxy.url)
    assert check.state == "fault"
    assert re.search(sentence, check.sentence), check.sentence
    assert ENVELOPE_SECRET not in check.sentence


@pytest.mark.parametrize(
    "source", ["llamaparse", "llamacloud", "llamaparse_push", "docling", "reducto"]
)
async def test_a_lost_query_is_named_for_each_source(start: Start, source: str) -> None:
    field, secret = {
        "llamacloud": ("llamacloud_secrets", CLOUD_SECRET),
        "llamaparse_push": ("push_secrets", PUSH_SECRET),
        "docling": ("docling_secrets", ENVELOPE_SECRET),
        "reducto": ("reducto_secrets", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    }.get(source, ("llamaparse_secrets", ENVELOPE_SECRET))
    values: dict[str, Any] = {field: (secret,)}
    async with start(max_body=SMALL_LIMIT, **values) as sender, public_proxy(sender.url) as proxy:
        settings = Settings(**values)
        checks = await check_public_address(settings, proxy.url)
        assert [check.state for check in checks] == ["ok", "ok"]
        assert checks[0].sentence.startswith(f"{source}: a signed webhook reaches this receiver")
        proxy.fault = "query"
        [check] = await check_public_address(settings, proxy.url)
        assert "is proven, but a proxy removes the query of its URL" in check.sentence


@pytest.mark.parametrize("status", ["/status", "/text", "/padding", "/hookline_probe"])
async def test_a_probe_without_its_query_is_no_event_of_a_described_source(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    # It reads the fields that the probes of built-in sources have, or those of its own probe.
    (tmp_path / "sources.toml").write_text(
        f'[acme]\nsignature_header = "X-Acme"\nstatus = "{status}"\n'
        'parse_job_id = "/parse_job_id"\ncodes = { processing = "parse_started" }\n'
    )
    monkeypatch.setenv("HOOKLINE_ACME_SECRETS", "a-secret-of-the-described-sender")
    sources = str(tmp_path / "sources.toml")
    async with start(sources=sources) as sender, public_proxy(sender.url) as proxy:
        values: dict[str, Any] = {"sources": sources}
        settings = Settings(**values)
        [check, _] = await check_public_address(settings, proxy.url)
        assert check.state == "ok"
        proxy.fault = "query"
        [check] = await check_public_address(settings, proxy.url)
        assert "is proven, but a proxy removes the query of its URL" in check.sentence
        assert sender.deliveries() == []


async def test_an_answer_in_pieces_is_read_as_a_whole(proxy: PublicProxy) -> None:
    proxy.fault = "pieces"
    checks = await check_public_address(ENVELOPE_ONLY, proxy.url)
    assert [check.state for check in checks] == ["ok", "ok"]


async def test_an_endless_or_deeply_nested_answer_is_bounded(proxy: PublicProxy) -> None:
    webhook = Webhook("llamaparse", "/webhooks/llamaparse", {}, b"{}")
    proxy.fault = "nested"
    answer = await post(proxy.url, webhook, within=10)
    assert len(answer.body) == 2**20
    assert answer.told() == {}


async def test_a_proxy_that_limits_the_size_is_named_with_a_size_that_arrives(
    proxy: PublicProxy,
) -> None:
    proxy.fault, proxy.limit = "limit", 2**17
    [_, check] = await check_public_address(ENVELOPE_ONLY, proxy.url)
    assert check.state == "warning"
    assert check.sentence.startswith(
        "A body of 0.25 MiB, which the receiver takes, does not arrive; one of 0.125 MiB does."
        f" {proxy.url} answers 413 by nginx"
    )


async def test_a_proxy_that_waits_is_named(
    proxy: PublicProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_address, "_TIMEOUT", 0.2)
    proxy.fault = "silence"
    [check] = await check_public_address(ENVELOPE_ONLY, proxy.url)
    assert "gave no answer: nothing came within 0.2 s" in check.sentence


async def test_another_secret_is_named(proxy: PublicProxy) -> None:
    other = settings_of(llamaparse="another-secret-of-ours")
    [check] = await check_public_address(other, proxy.url)
    assert check.state == "fault"
    assert "the receiver there does not know this secret. Compare HOOKLINE_LLAMA" in check.sentence


async def test_an_address_that_does_not_answer_is_named() -> None:
    async def told(url: str) -> str:
        [check] = await check_public_address(ENVELOPE_ONLY, url)
        assert check.state == "fault"
        return check.sentence

    assert "is not in DNS" in await told("https://hooks.invalid")
    assert "no connection (Connection refused)" in await told("http://127.0.0.1:9")
    assert (
        "HOOKLINE_PUBLIC_URL is not set" in (await check_public_address(ENVELOPE_ONLY))[0].sentence
    )


def make_certificate(directory: Path, name: str, days: int) -> tuple[Path, Path]:
    """A key, and a self-signed certificate for a name, which expired if `days` is negative."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    request, names = directory / "request.pem", directory / "names.txt"
    names.write_text(f"subjectAltName=DNS:{name}\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    signed = ("-signkey", key, "-days", str(days))
    for arguments in (
        ("req", "-new", *curve, "-keyout", key, "-subj", f"/CN={name}", "-out", request),
        ("x509", "-req", "-in", request, *signed, "-extfile", names, "-out", certificate),
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return key, certificate


@pytest.mark.parametrize(
    ("name", "days", "sentence"),
    [
        ("localhost", 1, "its TLS certificate is refused, it is self-signed"),
        ("localhost", -1, "its TLS certificate is refused, it has expired: renew it"),
        ("other.example.com", 1, "its TLS certificate is refused, it is for another host name"),
    ],
)
async def test_a_wrong_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int, sentence: str
) -> None:
    key, certificate = make_certificate(tmp_path, name, days)
    if (name, days) != ("localhost", 1):
        # Its authority is known, so that only the other fault is left.
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with public_proxy("http://127.0.0.1:9", tls) as proxy:
        [check] = await check_public_address(ENVELOPE_ONLY, proxy.url)
        assert sentence in check.sentence
        [check] = await check_public_address(ENVELOPE_ONLY, proxy.url.replace("https", "http"))
        assert check.state == "fault"


async def test_tls_where_there_is_none_is_named(proxy: PublicProxy) -> None:
    [check] = await check_public_address(ENVELOPE_ONLY, proxy.url.replace("http", "https"))
    assert "it does not speak TLS" in check.sentence


async def test_who_knows_no_secret_learns_nothing_from_a_probe(sender: Sender) -> None:
    for token in ("", "x", f"1.{'0' * 32}.{'0' * 64}"):
        status, answer = await sender.post(f"/webhooks/llamaparse?hookline_probe={token}", b"{}")
        assert status == 401
        assert set(answer) == {"type", "title", "status", "detail"}
