"""The part of DATABASE_URL that is wrong is named with what to do, and the password never shown."""

from __future__ import annotations

import os
from pathlib import Path

import certifi
import pytest

from hookline.settings import ConfigurationError, load

PASSWORD = "correct-horse-battery"
URL = f"postgresql://app:{PASSWORD}@db.example.com:5432/app"

# A URL, or what follows it; the part that is named; what to do.
WRONG = [
    ("?pgbouncer=true", "`pgbouncer`", "HOOKLINE_PREPARE_THRESHOLD=off"),
    ("?connection_limit=1", "`connection_limit`", "HOOKLINE_POOL_SIZE"),
    ("?sslmode=require&schema=public", "`schema`", "upload_pipeline"),
    ("?prepared_statements=false", "`prepared_statements`", "HOOKLINE_PREPARE_THRESHOLD=off"),
    ("?statement_cache_size=0", "`statement_cache_size`", "HOOKLINE_PREPARE_THRESHOLD=off"),
    ("?prepareThreshold=0", "`prepareThreshold`", "HOOKLINE_PREPARE_THRESHOLD=off"),
    ("?ssl=require", "`ssl`", "sslmode=require"),
    ("?supa=base-pooler.x", "`supa`", "remove it"),
    ("?uselibpqcompat=true", "`uselibpqcompat`", "remove it"),
    ("?ssl_mode=require", "`ssl_mode`", "did you mean sslmode?"),
    ("?SSLMODE=require", "`SSLMODE`", "did you mean sslmode?"),
    ("?nonsense=1", "`nonsense`", "remove it"),
    ("?sslmode=verifyfull", "sslmode", "verify-full"),
    ("?sslmode=on", "sslmode", "require"),
    ("?sslmode=", "sslmode", "require"),
    ("?target_session_attrs=writable", "target_session_attrs", "read-write"),
    ("?channel_binding=yes", "channel_binding", "prefer"),
    ("?sslnegotiation=direct", "sslnegotiation", "verify-full"),
    ("?sslmode=require&sslmode=disable", "`sslmode`", "twice"),
    ("?sslmode=verify-full", "`sslmode=verify-full`", "`sslrootcert=`"),
    ("?sslmode=verify-full&sslrootcert=/missing.pem", "`sslrootcert=/missing.pem`", "No such file"),
    (f"?sslrootcert={__file__}", f"`sslrootcert={__file__}`", "PEM"),
    ("?sslkey=/missing.key", "`sslkey=/missing.key`", "No such file"),
    ("?connect_timeout=never", "`connect_timeout=never`", "number"),
    ("?keepalives_idle=1.5", "`keepalives_idle=1.5`", "number"),
    ("?hostaddr=localhost", "`hostaddr=localhost`", "IP address"),
    ("?port=0", "port 0", "1 to 65535"),
    ("?service=elsewhere", "service", "elsewhere"),
    (f"postgresql://app:{PASSWORD}@a:1,b:99999/app", "port 99999", "1 to 65535"),
    (f"jdbc:postgresql://db:5432/app?user=app&password={PASSWORD}", "`jdbc:`", "remove"),
    (f"postgresql+asyncpg://app:{PASSWORD}@db/app", "`+asyncpg`", "remove it"),
    (f"postgres+psycopg2://app:{PASSWORD}@db/app", "`+psycopg2`", "remove it"),
    (f"prisma+postgres://accelerate.example.com/?api_key={PASSWORD}", "Prisma", "database itself"),
    # A password that is not percent-encoded moves into other parts.
    (f"postgresql://app:a?{PASSWORD}=1@db/app", "percent-encoded", ""),
    (f"postgresql://app:a?b={PASSWORD}@db/app", "percent-encoded", ""),
    (f"postgresql://app:a/{PASSWORD}@db/app", "percent-encoded", ""),
    (f"postgresql://app:{PASSWORD}%@db/app", "percent-encoded", ""),
]
VARIABLES = [
    ("PGSSLMODE", "on", "?sslmode=require"),
    ("PGTARGETSESSIONATTRS", "writable", "?target_session_attrs=any"),
    ("PGCHANNELBINDING", "yes", "?channel_binding=prefer"),
    ("PGSSLROOTCERT", "/missing.pem", f"?sslrootcert={certifi.where()}"),
    ("PGHOSTADDR", "localhost", "?hostaddr=127.0.0.1"),
    ("PGCONNECT_TIMEOUT", "never", "?connect_timeout=3"),
]


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def refusal(monkeypatch: pytest.MonkeyPatch, url: str) -> str:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ConfigurationError) as refused:
        load(None)
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(("url", "part", "remedy"), WRONG)
def test_the_wrong_part_of_the_url_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, part: str, remedy: str
) -> None:
    sentence = refusal(monkeypatch, url if "://" in url else URL + url)
    assert sentence.startswith("DATABASE_URL is wrong: ")
    assert part in sentence
    assert remedy in sentence


@pytest.mark.parametrize(
    "more",
    [
        *("?ssl=true", "?sslmode=require&sslmode=require", "?sslrootcert=system", "?"),
        *("?application_name=mine&keepalives_idle=30&connect_timeout=-1", "?options=-c%20a.b%3D1"),
        f"?sslmode=verify-full&sslrootcert={certifi.where()}",
        "?hostaddr=127.0.0.1&target_session_attrs=read-write",
    ],
)
def test_a_right_parameter_is_taken(monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    monkeypatch.setenv("DATABASE_URL", URL + more)
    load(None)


def test_a_socket_of_this_machine_needs_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///app?host=/run/postgresql&sslmode=verify-full")
    load(None)


@pytest.mark.parametrize(("variable", "value", "same"), VARIABLES)
def test_a_variable_that_libpq_adds_is_named_unless_the_url_overrides_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, same: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert refusal(monkeypatch, URL).startswith(f"{variable} (which libpq adds to DATABASE_URL)")
    monkeypatch.setenv("DATABASE_URL", URL + same)
    load(None)


def test_a_service_that_is_not_defined_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    assert refusal(monkeypatch, URL).startswith("PGSERVICE (which libpq adds to DATABASE_URL)")
