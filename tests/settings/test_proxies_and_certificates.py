"""Proxies and certificates that an HTTP client cannot use are one sentence with their variable."""

from __future__ import annotations

import os
from pathlib import Path

import certifi
import httpx
import pytest
from aiohttp.helpers import get_env_proxy_for_url
from yarl import URL

from hookline.doctor.configuration import check_parser
from hookline.process.http_client import (
    check_certificates,
    check_proxies,
    open_http_client,
    proxied,
)
from hookline.providers.reducto.provider import Reducto
from hookline.sending.post import post
from hookline.sending.webhook import Webhook
from hookline.settings import ConfigurationError, load
from hookline.storage.opening import open_storage
from hookline.worker.parsing.configured_stages import parser_stages
from support.commands import Cli, sentence_of

PASSWORD = "correct-horse-battery"
PROXY = "http://proxy.example.com:3128"

# A variable, values that httpx can use, and values that it cannot.
PROXIES = {
    "right": [
        *(PROXY, "https://proxy.example.com:3128", "127.0.0.1:3128", "http://[::1]:3128", ""),
        f"http://user:{PASSWORD}@proxy.example.com:3128",
    ],
    "wrong": [
        *(
            "socks://127.0.0.1:7890/",
            "socks4://127.0.0.1:1",
            "ftp://a:1",
            "://",
            "http://",
            "direct://",
        ),
        *("http://a:99999", "http://a:0", "http://a:port", "a:99999", "http://[::1", "http:///x"),
        *(f'"{PROXY}"', f"'{PROXY}'", f" {PROXY}", f"{PROXY}\n", f"\ufeff{PROXY}"),
        *(f"http://user:{PASSWORD}/1@a:1", f"socks://user:{PASSWORD}@a:1"),
    ],
}
WITHOUT_PROXY = {
    "right": [
        "*",
        "localhost, 127.0.0.1,::1,.example.com,10.0.0.0/8",
        "*.local",
        "a:80",
        "<local>",
        "",
    ],
    "wrong": ["[::1]", "localhost,fd00::/8", "a:port", "http://a:port"],
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL"):
            monkeypatch.delenv(name)


def refusal() -> str:
    with pytest.raises(ConfigurationError) as refused:
        open_http_client(httpx.AsyncClient)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for value in PROXIES["wrong"]:
        monkeypatch.setenv(variable, value)
        assert refusal().startswith(f"{variable} is wrong: "), value


def test_a_right_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in PROXIES["right"]:
        monkeypatch.setenv("HTTPS_PROXY", value)
        open_http_client(httpx.AsyncClient)


def test_a_socks_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("socksio")
    for value in ("socks5://127.0.0.1:1080", "socks5h://127.0.0.1:1080"):
        monkeypatch.setenv("ALL_PROXY", value)
        open_http_client(httpx.AsyncClient)


def test_the_example_for_a_wrong_proxy_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hookline.process.http_client.find_spec", lambda name: name)
    for wrong in ("socks://127.0.0.1:7890/", "http://a:99999"):
        monkeypatch.setenv("all_proxy", wrong)
        monkeypatch.setenv("all_proxy", refusal().split("A right value: ")[1].split("; ")[0])
        check_proxies()


def test_a_socks_proxy_without_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://user:{PASSWORD}@127.0.0.1:1080")
    monkeypatch.setattr("hookline.process.http_client.find_spec", lambda name: None)
    assert "ALL_PROXY" in refusal()
    assert "`pip install socksio`" in refusal()


def test_a_lower_case_variable_hides_the_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks://a:1")
    monkeypatch.setenv("https_proxy", PROXY)
    open_http_client(httpx.AsyncClient)
    monkeypatch.setenv("https_proxy", "socks://a:1")
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert refusal().startswith("https_proxy ")


def test_proxies_that_are_never_used_may_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://a:1")
    monkeypatch.setenv("no_proxy", "localhost,*")
    open_http_client(httpx.AsyncClient)


def test_hosts_without_a_proxy_that_httpx_cannot_read_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    for value in WITHOUT_PROXY["wrong"]:
        monkeypatch.setenv("NO_PROXY", value)
        assert refusal().startswith("NO_PROXY is wrong: "), value
    for value in WITHOUT_PROXY["right"]:
        monkeypatch.setenv("NO_PROXY", value)
        open_http_client(httpx.AsyncClient)


REDUCTO = "https://platform.reducto.ai"


@pytest.mark.parametrize(
    ("variable", "values"),
    {
        "HTTPS_PROXY": [
            *("https://proxy.example.com:3128", "socks5://127.0.0.1:1080", "127.0.0.1:3128"),
            *("http://", "http://a:99999", "http://a:0", "http://a:port", "http://[::1", "://"),
            *(f"socks5://user:{PASSWORD}@a:1", f"http://user:{PASSWORD}/1@a:1", f" {PROXY}"),
        ],
        "ALL_PROXY": [PROXY, f"socks5://user:{PASSWORD}@127.0.0.1:1080"],
    }.items(),
)
async def test_a_proxy_that_aiohttp_would_go_past_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, values: list[str]
) -> None:
    for value in values:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigurationError, match=rf"^{variable} is .*reducto\.ai") as refused:
            proxied(REDUCTO)
        assert PASSWORD not in str(refused.value)
        assert PROXY in str(refused.value)
        with pytest.raises(ConfigurationError, match=rf"^{variable} is "):
            await post(REDUCTO, Webhook("reducto", "/", {}, b""), within=1)
    monkeypatch.setenv("REDUCTO_API_KEY", "a-key")
    with pytest.raises(ConfigurationError, match=rf"^{variable} is "):
        async with Reducto().open(load(None)):
            pass
    # No connection of aiohttp reads proxies for http://, and none does for a host in NO_PROXY.
    assert not proxied("http://127.0.0.1:8080")
    monkeypatch.setenv("NO_PROXY", "localhost,reducto.ai")
    assert proxied(REDUCTO)


def test_a_proxy_that_aiohttp_uses_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxied(REDUCTO)
    for value in (PROXY, "http://[::1]:3128", f"http://user:{PASSWORD}@proxy.example.com:3128"):
        monkeypatch.setenv("HTTPS_PROXY", value)
        # Then it is not read.
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
        assert proxied(REDUCTO)
        found, _ = get_env_proxy_for_url(URL(REDUCTO))
        assert found.host == httpx.URL(value).host


def test_certificates_that_cannot_be_read_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "words.pem").write_text("words\n")
    cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    (tmp_path / "cut.pem").write_text(cut)
    for name in ("missing.pem", "empty.pem", "words.pem", "cut.pem", ""):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        assert refusal().startswith(f"SSL_CERT_FILE={tmp_path / name} is wrong: ")
    monkeypatch.delenv("SSL_CERT_FILE")
    for value in (tmp_path, tmp_path / "missing", tmp_path / "empty.pem", f"{tmp_path}:/missing"):
        monkeypatch.setenv("SSL_CERT_DIR", str(value))
        assert refusal().startswith(f"SSL_CERT_DIR={value} is wrong: ")


def test_right_certificates_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "9f727ac7.0").symlink_to(certifi.where())
    for variable, value in {
        "SSL_CERT_FILE": certifi.where(),
        "SSL_CERT_DIR": f"/missing:{tmp_path}",
    }.items():
        with monkeypatch.context() as only:
            only.setenv(variable, value)
            check_certificates()
            open_http_client(httpx.AsyncClient)


async def test_storage_parser_and_doctor_tell_a_wrong_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:7890/")
    monkeypatch.setenv("HOOKLINE_STORAGE_URL", "supabase://parsed")
    monkeypatch.setenv("SUPABASE_URL", "https://abcdefghijklmnopqrst.supabase.co")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_abcdefghijklmnopqrstuv")
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-0123456789")
    settings = load(None)
    with pytest.raises(ConfigurationError, match=r"^all_proxy is wrong"):
        async with open_storage(settings):
            pass
    with pytest.raises(ConfigurationError, match=r"^all_proxy is wrong"):
        async with parser_stages(settings):
            pass
    check = check_parser(settings)
    assert (check.state, "all_proxy is wrong" in check.sentence) == ("fault", True)


async def test_the_local_parser_tells_wrong_certificates_for_a_receiver_behind_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
    monkeypatch.setenv("HOOKLINE_LLAMAPARSE_SECRETS", "a-secret-that-is-long")
    monkeypatch.setenv("HOOKLINE_RECEIVER_URL", "https://hooks.example.com")
    with pytest.raises(ConfigurationError, match=r"^SSL_CERT_FILE="):
        async with parser_stages(load(None)):
            pass


def test_a_file_for_tls_keys_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = Cli(tmp_path)(
        "serve",
        DATABASE_URL="postgresql://receiver@127.0.0.1:1/app",
        HOOKLINE_STORAGE_URL=tmp_path.as_uri(),
        HOOKLINE_LLAMAPARSE_SECRETS="a-secret-that-is-long",
        SSLKEYLOGFILE="/missing/keys",
    )
    assert done.returncode == 2
    assert "SSLKEYLOGFILE=/missing/keys cannot be written" in sentence_of(done)
