"""A wrong value is refused with a sentence that names its variable, and no secret is ever shown."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import pytest

from hookline.receiver.configured_sources import require_secrets
from hookline.settings import ConfigurationError, Settings, load

SECRET = "a-secret-that-nobody-may-see"
PROJECT = "https://abcdefghijklmnopqrst.supabase.co"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

RIGHT = {
    "DATABASE_URL": [
        "postgresql://app:pass@db.example.com:5432/app",
        "postgres://app@db.example.com/app?sslmode=require",
        "postgresql://app:p%40ss%2Fword@db.example.com/app",
        "postgresql://app:pass@one:5432,two:5433/app",
        "postgresql://app:pass@[::1]:5432/app",
        "postgresql:///app?host=/run/postgresql",
    ],
    "HOOKLINE_PREPARE_THRESHOLD": ["0", "5", "off"],
    "HOOKLINE_POOL_SIZE": ["2", "1000"],
    "HOOKLINE_STORAGE_URL": [
        "file:///var/lib/hookline",
        "file:///with%20space",
        "supabase://parsed",
    ],
    "SUPABASE_URL": [
        PROJECT,
        f"{PROJECT}/",
        "https://files.example.com:8443",
        "http://127.0.0.1:54321",
        "http://localhost:54321",
        "http://kong:8000",
        "http://[::1]:54321",
    ],
    "SUPABASE_SERVICE_ROLE_KEY": [SECRET, "eyJhbGciOiJI.eyJyb2xlIjoi.c2lnbmF0dXJl-_"],
    "HOOKLINE_STORAGE_DEADLINE": ["0.5", "25"],
    "HOOKLINE_LLAMAPARSE_SECRETS": [SECRET, f"{SECRET},{SECRET}", f"{SECRET} , {SECRET}"],
    "HOOKLINE_LLAMAPARSE_SCHEME": ["hex", "standard"],
    "HOOKLINE_LLAMACLOUD_SECRETS": [SECRET],
    "HOOKLINE_PUSH_SECRETS": [SECRET],
    "HOOKLINE_HOST": ["0.0.0.0", "::1", "localhost"],  # noqa: S104 - an example
    "HOOKLINE_PORT": ["0", "65535"],
    "HOOKLINE_PROCESSES": ["1", "64"],
    "HOOKLINE_ADMIN_HOST": ["127.0.0.1"],
    "HOOKLINE_ADMIN_PORT": ["0", "65535"],
    "HOOKLINE_DASHBOARD_DATABASE_URL": [f"postgresql://app:{SECRET}@db.example.com/app"],
    "HOOKLINE_DASHBOARD_PASSWORD": ["a pass phrase of words"],
    "HOOKLINE_DASHBOARD_URL": [
        *("https://ops.example.com", "https://ops.example.com:8443/hook-line/a/"),
        "http://127.0.0.1:8081",
    ],
    "HOOKLINE_DASHBOARD_USER_HEADER": ["X-Forwarded-User"],
    "HOOKLINE_DASHBOARD_PROXIES": ["127.0.0.1", "10.0.0.0/8, ::1"],
    "HOOKLINE_PUBLIC_URL": [
        "https://hooks.example.com",
        "https://hooks.example.com:8443/base/",
        "https://HOOKS.example.com",
    ],
    "HOOKLINE_MAX_BODY": ["65536", "67108864"],
    "HOOKLINE_BODY_BUDGET": ["33554432"],
    "HOOKLINE_READ_TIMEOUT": ["0.1", "600"],
    "HOOKLINE_STOP_TIMEOUT": ["0.1", "600"],
    "HOOKLINE_SOURCES": ["/etc/hookline/sources.toml", "sources.toml"],
    "HOOKLINE_STAGES": ["my_stages", "app.stages, /srv/app/more.py"],
    "HOOKLINE_WORKER_NAME": ["worker-1"],
    "HOOKLINE_LEASE": ["1", "86400"],
    "HOOKLINE_NOTIFY_URL": [
        *("https://app.example.com/hooks", "https://app.example.com:8443/hooks?token=a%20b"),
        "https://93.184.215.14/",
    ],
    "HOOKLINE_NOTIFY_SECRETS": [KEY, f"{KEY}, {KEY}"],
    "HOOKLINE_NOTIFY_PRIVATE": ["on", "off"],
    "HOOKLINE_NOTIFY_TIMEOUT": ["0.1", "60"],
    "HOOKLINE_ERROR_MESSAGES": ["on", "off"],
    "HOOKLINE_LOG_FORMAT": ["auto", "json", "console"],
    "HOOKLINE_PARSER": ["local", "llamacloud", "none", "llamacloud,local"],
    "HOOKLINE_RECEIVER_URL": ["http://10.0.0.5:8080", "https://hooks.example.com/base/"],
    "HOOKLINE_PARSER_MEMORY": ["268435456", "4294967296"],
    "HOOKLINE_PARSER_MEMORY_BUDGET": ["1073741824", "1099511627776"],
    "HOOKLINE_DOCLING_URL": ["http://127.0.0.1:5001", "https://docling.example.com/base"],
    "HOOKLINE_DOCLING_API_KEY": ["0123456789"],
    "HOOKLINE_DOCLING_SECRETS": [SECRET, f"{SECRET},{SECRET}"],
    "REDUCTO_API_KEY": ["0123456789"],
    "REDUCTO_BASE_URL": ["https://eu.platform.reducto.ai"],
    "HOOKLINE_REDUCTO_SECRETS": [KEY, f"{KEY}, {KEY}"],
    "HOOKLINE_REDUCTO_CREDITS_PER_PAGE": ["0.5", "1000"],
    "HOOKLINE_RESULT_HOSTS": ["minio", "results.internal, 10.0.0.7", "fd00::7"],
    "LLAMA_CLOUD_API_KEY": ["llx-0123456789"],
    "LLAMA_CLOUD_BASE_URL": ["https://api.cloud.eu.llamaindex.ai", "http://127.0.0.1:8000"],
    "HOOKLINE_PARSE_VERSION": ["latest", "2026-10-16"],
    "HOOKLINE_PARSE_TIER": ["cost_effective", "agentic", "agentic_plus"],
    "HOOKLINE_ASSUMED_PAGES": ["1", "100000"],
    "HOOKLINE_PROVIDER_TIMEOUT": ["0.5", "60"],
    "HOOKLINE_SUBMIT_GRACE": ["61", "600"],
}

WRONG = {
    "DATABASE_URL": [
        "",
        "db.example.com",
        "mysql://app@db.example.com/app",
        f"postgresql://app:{SECRET}%zz@db.example.com/app",
        f"postgresql://app:{SECRET}@1@db.example.com/app",
        f"postgresql://app:{SECRET}/1@db.example.com/app",
        f"postgresql://app:1/{SECRET}@db.example.com/app",
        "postgresql://app@db.example.com:port/app",
        "postgresql://app@db.example.com/app?nonsense=1",
        "postgresql://app@[::1/app",
    ],
    "HOOKLINE_PREPARE_THRESHOLD": ["", "-1", "on", "1.5"],
    "HOOKLINE_POOL_SIZE": ["", "1", "1001", "many"],
    "HOOKLINE_STORAGE_URL": [
        *("", "/var/lib", "file://var/lib", "file:var", "s3://bucket"),
        *("file:///var/lib?a=1", "file:///var/lib?", "file:///var/lib#a", "file:///var%00/lib"),
        *("supabase://", "supabase://a/b", "supabase://a?b", "supabase://raw", "supabase:a"),
        *("supabase://user@parsed", "supabase://parsed:1", "supabase://../a"),
    ],
    "SUPABASE_URL": [
        *("", "abcdefghijklmnopqrst", "abcdefghijklmnopqrst.supabase.co", "ftp://example.com"),
        *("http://abcdefghijklmnopqrst.supabase.co", "http://192.0.2.1", "http://[2001:db8::1]"),
        *(
            f"{PROJECT}/storage/v1",
            f"{PROJECT}?a",
            f"{PROJECT}#a",
            f"{PROJECT}:port",
            f"{PROJECT}:65536",
        ),
        *(f"https://user:{SECRET}@example.com", f"http://127.0.0.1:{SECRET}@example.com"),
    ],
    "SUPABASE_SERVICE_ROLE_KEY": [
        *("", "short", f"{SECRET} {SECRET}", f"Bearer {SECRET}", f"{SECRET}é"),
    ],
    "HOOKLINE_STORAGE_DEADLINE": ["", "0", "-1", "26", "nan", "inf", "soon"],
    "HOOKLINE_LLAMAPARSE_SECRETS": ["", "short", f"{SECRET},", f",{SECRET}", f"{SECRET},short"],
    "HOOKLINE_LLAMAPARSE_SCHEME": ["", "HEX", "none"],
    "HOOKLINE_LLAMACLOUD_SECRETS": ["", "short", f"{SECRET},"],
    "HOOKLINE_PUSH_SECRETS": ["", "short", f"{SECRET},"],
    "HOOKLINE_HOST": ["", "a..b", "a" * 64],
    "HOOKLINE_PORT": ["", "-1", "65536", "http"],
    "HOOKLINE_PROCESSES": ["", "0", "65", "many"],
    "HOOKLINE_ADMIN_HOST": ["", "a..b", "é" * 64],
    "HOOKLINE_ADMIN_PORT": ["", "-1", "65536", "http"],
    "HOOKLINE_DASHBOARD_DATABASE_URL": ["", f"mysql://app:{SECRET}@db.example.com/app"],
    "HOOKLINE_DASHBOARD_PASSWORD": ["", "too short"],
    "HOOKLINE_DASHBOARD_URL": [
        *("", "ops.example.com", "ftp://ops.example.com", "https://ops.example.com/a b"),
        *("https://ops.example.com/metrics", "https://ops.example.com/{a}", "https://a?b=c"),
    ],
    "HOOKLINE_DASHBOARD_USER_HEADER": ["", "X User", "Cookie", "X-User:"],
    "HOOKLINE_DASHBOARD_PROXIES": ["", "proxy.example.com", "10.0.0.1/8", "10.0.0.1,"],
    "HOOKLINE_PUBLIC_URL": [
        "",
        "hooks.example.com",
        "http://hooks.example.com",
        "https://localhost",
        "https://192.0.2.1",
        "https://[::1]",
        "https://hooks.example.com:port",
        "https://hooks.example.com:65536",
        "https://hooks.example.com/?query",
        "https://hooks.example.com/#fragment",
        f"https://user:{SECRET}@hooks.example.com",
    ],
    "HOOKLINE_MAX_BODY": ["", "65535", "1073741825", "32MB"],
    "HOOKLINE_BODY_BUDGET": ["", "1048575", "1048576", "256MB"],
    "HOOKLINE_READ_TIMEOUT": ["", "0", "601", "nan"],
    "HOOKLINE_STOP_TIMEOUT": ["", "0", "601", "nan"],
    "HOOKLINE_SOURCES": [""],
    "HOOKLINE_STAGES": ["", "my_stages,"],
    "HOOKLINE_WORKER_NAME": ["", "w" * 201],
    "HOOKLINE_LEASE": ["0.9", "86401", "a minute"],
    "HOOKLINE_NOTIFY_URL": [
        *("", "app.example.com/hooks", "ftp://app.example.com", "https://", "https://a b"),
        *("https://app.example.com/#a", f"https://a:{SECRET}@app.example.com", "https://a.b:0"),
    ],
    "HOOKLINE_NOTIFY_SECRETS": ["", SECRET, f"whsec_{SECRET}", "whsec_YQ=="],
    "HOOKLINE_NOTIFY_PRIVATE": ["", "yes", "1"],
    "HOOKLINE_NOTIFY_TIMEOUT": ["", "0", "61", "nan"],
    "HOOKLINE_ERROR_MESSAGES": ["", "no", "ON"],
    "HOOKLINE_LOG_FORMAT": ["", "JSON", "text"],
    "HOOKLINE_DOCLING_URL": ["", "docling.example.com", "http://a b"],
    "HOOKLINE_DOCLING_API_KEY": ["", f"{SECRET} {SECRET}"],
    "HOOKLINE_DOCLING_SECRETS": ["", "short", f"{SECRET},"],
    "REDUCTO_API_KEY": ["", f"{SECRET} {SECRET}"],
    "REDUCTO_BASE_URL": ["", "platform.reducto.ai"],
    "HOOKLINE_REDUCTO_SECRETS": ["", SECRET, "whsec_short", f"{KEY},"],
    "HOOKLINE_REDUCTO_CREDITS_PER_PAGE": ["", "0", "-1", "1001", "two"],
    "HOOKLINE_RESULT_HOSTS": ["", "https://minio", "minio:9000", "minio,"],
    "LLAMA_CLOUD_API_KEY": ["", f"{SECRET} {SECRET}", f"{SECRET}\n{SECRET}", f"{SECRET}é"],
    "LLAMA_CLOUD_BASE_URL": [
        *("", "api.cloud.llamaindex.ai", "ftp://example.com", "https://"),
        *("https://example.com?a=1", "https://example.com/#a", f"https://a:{SECRET}@example.com"),
        *("https://example.com:99999", f"https://a:{SECRET}/1@example.com", "https://ex ample.com"),
    ],
    "HOOKLINE_PARSER": ["", "lite parse", "LOCAL", "local,"],
    "HOOKLINE_RECEIVER_URL": [
        "",
        "10.0.0.5:8080",
        "ftp://a",
        "http://a/?b",
        "http://u:p@a",
        "http://a:0",
    ],
    "HOOKLINE_PARSER_MEMORY": ["", "268435455", "68719476737", "1GB"],
    "HOOKLINE_PARSER_MEMORY_BUDGET": ["", "268435455", "1099511627777", "4GB"],
    "HOOKLINE_PARSE_VERSION": ["", "newest", "2026-10", "2026-10-16x"],
    "HOOKLINE_PARSE_TIER": ["", "fast", "AGENTIC", "best"],
    "HOOKLINE_ASSUMED_PAGES": ["", "0", "100001", "ten"],
    "HOOKLINE_PROVIDER_TIMEOUT": ["", "0", "601", "nan"],
    "HOOKLINE_SUBMIT_GRACE": ["", "0", "601", "nan"],
}

# Settings that need each other.
TOGETHER = {
    "HOOKLINE_DASHBOARD_USER_HEADER": "HOOKLINE_DASHBOARD_PROXIES",
    "HOOKLINE_DASHBOARD_PROXIES": "HOOKLINE_DASHBOARD_USER_HEADER",
    "HOOKLINE_NOTIFY_URL": "HOOKLINE_NOTIFY_SECRETS",
    "HOOKLINE_NOTIFY_SECRETS": "HOOKLINE_NOTIFY_URL",
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("HOOKLINE_", "LLAMA_CLOUD_", "SUPABASE_", "DATABASE_URL", "PG")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def cases(values: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(variable, value) for variable, listed in values.items() for value in listed]


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load()
    # A traceback shows the whole chain.
    chain: BaseException | None = refused.value
    while chain is not None:
        assert SECRET not in str(chain)
        chain = None if chain.__suppress_context__ else chain.__cause__ or chain.__context__
    return str(refused.value)


def test_every_variable_is_tested_here() -> None:
    variables = {field.alias for field in Settings.model_fields.values()}
    assert variables == set(RIGHT) == set(WRONG)


def test_nothing_needs_to_be_set() -> None:
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.admin_host, settings.admin_port) == ("127.0.0.1", 8081)


@pytest.mark.parametrize(("variable", "value"), cases(RIGHT))
def test_a_right_value_is_taken(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    if variable == "HOOKLINE_LLAMAPARSE_SCHEME":
        monkeypatch.setenv("HOOKLINE_LLAMAPARSE_SECRETS", KEY)
    if value.startswith("supabase:"):
        monkeypatch.setenv("SUPABASE_URL", PROJECT)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
    if other := TOGETHER.get(variable):
        monkeypatch.setenv(other, RIGHT[other][0])
    monkeypatch.setenv(variable, value)
    load()


@pytest.mark.parametrize(("variable", "other"), TOGETHER.items())
def test_half_a_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, other: str
) -> None:
    sentence = refusal(monkeypatch, **{variable: RIGHT[variable][0]})
    assert sentence.startswith(f"{variable} is set without {other}")


def test_two_ways_to_log_in_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        "HOOKLINE_DASHBOARD_PASSWORD",
        *(name for name in TOGETHER if name.startswith("HOOKLINE_DASHBOARD_")),
    ]
    sentence = refusal(monkeypatch, **{variable: RIGHT[variable][0] for variable in both})
    assert "set one of them" in sentence


@pytest.mark.parametrize(
    "url",
    [
        *("http://app.example.com/hooks", "https://10.0.0.5/hooks", "https://localhost/hooks"),
        *("https://[::1]/hooks", "https://[::ffff:10.0.0.5]/hooks", "https://app/hooks"),
        *("https://169.254.169.254/", "https://app.internal/hooks"),
    ],
)
def test_an_endpoint_in_the_local_network_has_to_be_allowed(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    sentence = refusal(monkeypatch, HOOKLINE_NOTIFY_URL=url, HOOKLINE_NOTIFY_SECRETS=KEY)
    assert sentence.startswith("HOOKLINE_NOTIFY_URL ")
    assert "HOOKLINE_NOTIFY_PRIVATE=on" in sentence
    monkeypatch.setenv("HOOKLINE_NOTIFY_PRIVATE", "on")
    assert load().notify_url is not None


@pytest.mark.parametrize(("variable", "value"), cases(WRONG))
def test_a_wrong_value_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    sentence = refusal(monkeypatch, **{variable: value})
    assert sentence.startswith(variable)
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(("variable", "value"), cases(WRONG))
def test_the_example_in_a_refusal_is_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    example = re.search(
        r"A right value: (\S+?),? ?(or .*)?\.$", refusal(monkeypatch, **{variable: value})
    )
    assert (
        example
        or (variable, value) == ("HOOKLINE_BODY_BUDGET", "1048576")
        # A key that is told would be used.
        or variable == "HOOKLINE_NOTIFY_SECRETS"
    )
    if example:
        if other := TOGETHER.get(variable):
            monkeypatch.setenv(other, RIGHT[other][0])
        monkeypatch.setenv(variable, example[1])
        load()


def test_secrets_are_split_and_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLINE_PUSH_SECRETS", f" {SECRET} ,the-one-before-it")
    secrets = [secret.get_secret_value() for secret in load().push_secrets]
    assert secrets == [SECRET, "the-one-before-it"]


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "\ufeff{}", " {} "])
def test_what_a_file_or_a_shell_leaves_around_a_value_is_removed(
    monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    for variable, (value, *_) in RIGHT.items():
        if not value.startswith("supabase:"):
            with monkeypatch.context() as only:
                if other := TOGETHER.get(variable):
                    only.setenv(other, RIGHT[other][0])
                only.setenv(variable, value)
                expected = load()
                only.setenv(variable, around.format(value))
                assert load() == expected


@pytest.mark.parametrize("wrong", ['"{}"', "'{}'", "{}\udcff", "{}\x07"])
def test_a_value_that_is_quoted_or_not_text_is_named(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    for variable, (value, *_) in RIGHT.items():
        with monkeypatch.context() as only:
            assert refusal(only, **{variable: wrong.format(value)}).startswith(variable)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:{SECRET}@db.example.com/app")
    for name in ("LLAMAPARSE", "LLAMACLOUD", "PUSH"):
        monkeypatch.setenv(f"HOOKLINE_{name}_SECRETS", SECRET)
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", SECRET)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
    settings = load()
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown


@pytest.mark.parametrize(
    "secret",
    [
        *(SECRET, f"whsec_{SECRET}!", "whsec_0123456789abc", f"{KEY},{SECRET}"),
        *("whsec_AAAA", "whsec_QUFBQUFBQQ", "short"),
    ],
)
def test_a_key_that_standard_webhooks_cannot_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    sentence = refusal(
        monkeypatch, HOOKLINE_LLAMAPARSE_SCHEME="standard", HOOKLINE_LLAMAPARSE_SECRETS=secret
    )
    assert sentence.startswith("HOOKLINE_LLAMAPARSE_SECRETS is wrong for the scheme `standard`: ")
    assert sentence.endswith("A right one: whsec_ and 32 random bytes in base64.")
    assert secret not in sentence


def test_a_budget_below_one_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, HOOKLINE_MAX_BODY="2097152", HOOKLINE_BODY_BUDGET="2097151")
    assert sentence == "HOOKLINE_BODY_BUDGET must be at least HOOKLINE_MAX_BODY, here 2097152."


def test_a_parser_budget_below_one_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(
        monkeypatch,
        HOOKLINE_PARSER_MEMORY="2147483648",
        HOOKLINE_PARSER_MEMORY_BUDGET="2147483647",
    )
    assert sentence == (
        "HOOKLINE_PARSER_MEMORY_BUDGET must be at least HOOKLINE_PARSER_MEMORY, here 2147483648."
    )


def test_a_submit_grace_below_the_provider_timeout_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence = refusal(monkeypatch, HOOKLINE_SUBMIT_GRACE="60", HOOKLINE_PROVIDER_TIMEOUT="60")
    assert sentence == "HOOKLINE_SUBMIT_GRACE must be more than HOOKLINE_PROVIDER_TIMEOUT, here 60."


def test_the_tier_without_markdown_is_refused_for_that_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "fast gives no markdown" in refusal(monkeypatch, HOOKLINE_PARSE_TIER="fast")


def test_supabase_needs_its_url_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", SECRET)
    sentence = refusal(monkeypatch, HOOKLINE_STORAGE_URL="supabase://parsed")
    assert sentence == (
        "SUPABASE_URL is not set, and HOOKLINE_STORAGE_URL=supabase://parsed needs it: set it, for"
        f" example to {PROJECT}."
    )
    monkeypatch.delenv("SUPABASE_SERVICE_ROLE_KEY")
    sentence = refusal(monkeypatch, SUPABASE_URL=PROJECT)
    assert sentence.startswith("SUPABASE_SERVICE_ROLE_KEY is not set, and HOOKLINE_STORAGE_URL=")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1


def test_the_file_of_hookline_up_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".hookline").mkdir()
    (tmp_path / ".hookline/env").write_text("HOOKLINE_PORT=1111\nHOOKLINE_ADMIN_PORT=2222\n")
    monkeypatch.setenv("HOOKLINE_PORT", "3333")
    assert (load().port, load().admin_port) == (3333, 2222)
    assert load(None).admin_port == 8081


def test_a_file_that_begins_with_the_mark_of_utf_8_is_read(tmp_path: Path) -> None:
    (tmp_path / ".hookline").mkdir()
    (tmp_path / ".hookline/env").write_bytes(
        b"\xef\xbb\xbfHOOKLINE_PORT='1'\r\nHOOKLINE_PORT=2\r\n"
    )
    assert load().port == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    env = tmp_path / ".hookline/env"
    env.parent.mkdir()
    env.write_bytes(b"\xff\xfe\x80HOOKLINE_PORT=1111\n")
    with pytest.raises(ConfigurationError, match=r"^\.hookline/env is damaged, it is not text: "):
        load()
    env.unlink()
    env.mkdir()
    with pytest.raises(ConfigurationError, match=r"^\.hookline/env .*cannot be read: Is a dir"):
        load()


def test_a_missing_variable_is_named_with_an_example() -> None:
    settings = load()
    for require, variable in (
        (settings.require_database, "DATABASE_URL"),
        (settings.require_storage, "HOOKLINE_STORAGE_URL"),
        (partial(require_secrets, settings), "HOOKLINE_LLAMAPARSE_SECRETS"),
    ):
        with pytest.raises(ConfigurationError, match=rf"^{variable} is not set: .*example"):
            require()


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ("LLAMAPARSE", SECRET),
        ("LLAMACLOUD", SECRET),
        ("PUSH", SECRET),
        ("DOCLING", SECRET),
        ("REDUCTO", KEY),
    ],
)
def test_one_source_with_a_secret_is_enough(
    monkeypatch: pytest.MonkeyPatch, source: str, secret: str
) -> None:
    monkeypatch.setenv(f"HOOKLINE_{source}_SECRETS", secret)
    require_secrets(load())
