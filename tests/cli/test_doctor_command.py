"""`hookline doctor` finds what is wrong, and says what to do about it."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hookline.doctor import configuration
from hookline.settings import Settings
from support.commands import Cli, Database, objects
from support.servers import ROOT, Server

SECRET = "the-secret-of-the-sender"
Examine = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def storage(tmp_path: Path) -> str:
    directory = tmp_path / "objects"
    directory.mkdir()
    return directory.as_uri()


@pytest.fixture
def examine(cli: Cli, db: Database, storage: str) -> Examine:
    """Runs `hookline doctor --json`."""
    db.run((ROOT / "db/history.sql").read_text())
    db.run((ROOT / "db/history_grants.sql").read_text().replace("%", "%%"))

    def examine(url: str, *options: str, **variables: str) -> tuple[int, list[dict[str, Any]]]:
        given = {"DATABASE_URL": url, "HOOKLINE_STORAGE_URL": storage, **variables}
        done = cli("doctor", "--json", *options, **given)
        assert done.stderr == ""
        assert SECRET not in done.stdout
        return done.returncode, objects(done)

    return examine


def rows(checks: list[dict[str, Any]], name: str) -> list[tuple[str, str]]:
    return [(check["state"], check["sentence"]) for check in checks if check["name"] == name]


def states(checks: list[dict[str, Any]]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in checks}


@pytest.mark.parametrize(
    ("role", "variables", "state", "said"),
    [
        ("operator", {"HOOKLINE_DASHBOARD_PASSWORD": "open sesame, please"}, "ok", "can act"),
        ("reader", {"HOOKLINE_DASHBOARD_PASSWORD": "open sesame, please"}, "ok", "only shows"),
        ("operator", {}, "ok", "nobody can act"),
        ("ingest", {}, "fault", "grant hookline_reader to test_ingest"),
        ("operator", {"HOOKLINE_ADMIN_HOST": "0.0.0.0"}, "fault", "without a login"),  # noqa: S104
        (None, {"HOOKLINE_DASHBOARD_PASSWORD": "open sesame, please"}, "fault", "_DATABASE_URL"),
    ],
)
def test_the_dashboard_is_checked(
    examine: Examine,
    login: Callable[[str], str],
    role: str | None,
    variables: dict[str, str],
    state: str,
    said: str,
) -> None:
    if role is not None:
        variables = {**variables, "HOOKLINE_DASHBOARD_DATABASE_URL": login(role)}
    _, checks = examine(login("operator"), "--quick", **variables)
    [(found, sentence)] = rows(checks, "dashboard")
    assert found == state
    assert said in sentence


def test_a_healthy_installation_has_no_fault(examine: Examine, operator: str) -> None:
    code, checks = examine(operator, HOOKLINE_LLAMAPARSE_SECRETS=f"{SECRET},{SECRET}")
    assert code == 0
    assert states(checks) == dict.fromkeys(
        (
            *("configuration", "sources", "parser", "database", "migrations", "rights"),
            *("queues", "alerts", "refusals", "integrity", "storage"),
        ),
        "ok",
    )
    [(_, told)] = rows(checks, "sources")
    assert told.startswith("llamaparse (hex): 2 secrets, llamacloud: none, answers 401, push: none")
    [(_, told)] = rows(checks, "parser")
    assert told.endswith(" parses on this machine: LLAMA_CLOUD_API_KEY is not set.")
    [(_, told)] = rows(checks, "rights")
    assert "test_operator is in hookline_operator only: right for an operator" in told


def test_the_report_is_a_table_for_people(
    cli: Cli, db: Database, operator: str, storage: str
) -> None:
    done = cli("doctor", DATABASE_URL=operator, HOOKLINE_STORAGE_URL=storage)
    header, first, *_ = done.stdout.splitlines()
    assert header.split() == ["check", "state"]
    assert first.split() == ["configuration", "ok", "Every", "value", "is", "valid."]
    assert done.stderr == ""


def test_a_reader_of_the_output_may_stop_reading(cli: Cli, operator: str) -> None:
    with cli.start("doctor", "--json", DATABASE_URL=operator) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) != 0


def test_checks_that_a_receivers_role_may_not_do_are_no_warnings(
    examine: Examine, login: Callable[[str], str]
) -> None:
    code, checks = examine(login("ingest"), HOOKLINE_LLAMAPARSE_SECRETS=SECRET)
    assert code == 0
    assert rows(checks, "rights") == [
        ("ok", "Role test_ingest is in hookline_ingest only: right for `hookline serve`.")
    ]
    assert set(states(checks).values()) == {"ok"}
    unseen = {
        "migrations": "reader",
        "queues": "reader",
        "alerts": "reader",
        "refusals": "reader",
        "integrity": "operator",
    }
    for name, role in unseen.items():
        [(_, told)] = rows(checks, name)
        assert told.startswith("Not checked: hookline_ingest may not read this, and need not.")
        assert told.endswith(f"run `hookline doctor` as a login role in hookline_{role}.")


def test_checks_that_a_workers_role_may_not_do_are_no_warnings(
    examine: Examine, login: Callable[[str], str]
) -> None:
    code, checks = examine(login("worker"), HOOKLINE_LLAMAPARSE_SECRETS=SECRET)
    assert code == 0
    assert rows(checks, "rights") == [
        (
            "ok",
            "Role test_worker is in hookline_worker only: right for `hookline work`;"
            " `hookline serve` needs hookline_ingest.",
        )
    ]
    assert set(states(checks).values()) == {"ok"}
    for name in ("migrations", "queues", "alerts", "refusals", "integrity"):
        [(_, told)] = rows(checks, name)
        assert told.startswith("Not checked: hookline_worker may not read this, and need not.")


def test_a_parser_that_lacks_a_setting_is_a_fault(examine: Examine, operator: str) -> None:
    code, checks = examine(operator, HOOKLINE_PARSER="local")
    assert code == 1
    [(state, told)] = rows(checks, "parser")
    assert state == "fault"
    assert told.endswith("set HOOKLINE_LLAMAPARSE_SECRETS to sign with.")
    code, checks = examine(operator, HOOKLINE_PARSER="llamacloud")
    [(state, told)] = rows(checks, "parser")
    assert (state, told.endswith(": set LLAMA_CLOUD_API_KEY.")) == ("fault", True)
    code, checks = examine(operator, LLAMA_CLOUD_API_KEY=SECRET)
    assert rows(checks, "parser") == [("ok", "LlamaCloud parses: LLAMA_CLOUD_API_KEY is set.")]


def test_an_api_key_without_its_package_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cloud", None)
    given: dict[str, Any] = {"llama_cloud_api_key": SecretStr(SECRET)}
    check = configuration.check_parser(Settings(**given))
    assert check.state == "fault"
    assert check.sentence == (
        "LlamaCloud parses: LLAMA_CLOUD_API_KEY is set. `hookline work` does not start:"
        " pip install '.[llamacloud]' in the checkout of Hookline."
    )


def test_checks_that_another_role_may_not_do_are_warnings(
    examine: Examine, login: Callable[[str], str]
) -> None:
    _, checks = examine(login("reader"))
    assert {name for name, state in states(checks).items() if state == "warning"} == {
        *("sources", "integrity"),
    }
    [(_, sentence)] = rows(checks, "integrity")
    assert sentence == (
        "Not checked: role test_reader may not read this. Run `hookline doctor` as a login role in"
        " hookline_operator."
    )


def test_a_history_that_nobody_granted_is_a_warning_that_says_what_to_grant(
    examine: Examine, db: Database, operator: str
) -> None:
    db.run("revoke all on schema supabase_migrations from hookline_reader")
    _, checks = examine(operator)
    assert rows(checks, "migrations") == [
        (
            "warning",
            "Not checked: role test_operator may not read supabase_migrations.schema_migrations. As"
            " its owner, run `grant usage on schema supabase_migrations to hookline_reader` and"
            " `grant select (version, name) on supabase_migrations.schema_migrations to"
            " hookline_reader`.",
        )
    ]


def test_doctor_says_why_deliveries_were_refused(
    examine: Examine, db: Database, operator: str
) -> None:
    db.run(
        "select upload_pipeline.count_refusals('["
        '{"source": "llamacloud", "reason": "no_match", "count": 40, "user_agent": "svix/1"},'
        '{"source": "llamaparse", "reason": "no_signature", "count": 1}]\')'
    )
    db.run(
        "insert into upload_pipeline.refused_deliveries (minute, source, reason, count)"
        " values (upload_pipeline.clock() - interval '25 hours', 'push', 'wrong_token', 9)"
    )
    code, checks = examine(operator)
    assert code == 0
    told = [re.sub(r"\d\d:\d\dZ", "12:00Z", sentence) for _, sentence in rows(checks, "refusals")]
    assert told == [
        '40 deliveries of llamacloud refused in 24 hours, the last at 12:00Z by "svix/1": no_match.'
        " It was signed with a secret that is not configured here, or a proxy changed the body on"
        " the way.",
        "1 delivery of llamaparse refused in 24 hours, the last at 12:00Z: no_signature. The sender"
        " signs nothing, or a proxy removed the header.",
    ]
    assert states(checks)["refusals"] == "warning"


def test_a_role_with_more_rights_than_it_needs_is_a_warning(
    examine: Examine, db: Database, postgres18: Server
) -> None:
    code, checks = examine(db.url)
    assert code == 0
    [(state, told)] = rows(checks, "rights")
    assert state == "warning"
    assert "Role postgres has more rights than it needs: it is a superuser" in told

    db.run("create role much login createrole bypassrls password 'much'")
    try:
        db.run("grant hookline_owner, hookline_worker, hookline_ingest, hookline_reader to much")
        much = postgres18.url(
            db.url.rpartition("/")[2].partition("?")[0], user="much", password="much"
        )
        _, checks = examine(much)
        [(state, told)] = rows(checks, "rights")
        assert state == "warning"
        assert told.startswith(
            "Role much has more rights than it needs: it bypasses row security, may create roles,"
            " is in hookline_owner, is in hookline_reader and hookline_worker."
        )
    finally:
        db.run("drop role much")


def test_a_role_in_no_hookline_role_is_a_fault(
    examine: Examine, db: Database, postgres18: Server
) -> None:
    db.run("create role little login password 'little'")
    try:
        little = postgres18.url(
            db.url.rpartition("/")[2].partition("?")[0], user="little", password="little"
        )
        code, checks = examine(little)
        assert code == 1
        [(state, told)] = rows(checks, "rights")
        assert state == "fault"
        assert "run `grant hookline_ingest to little` for `hookline serve`" in told
    finally:
        db.run("drop role little")


def test_a_database_without_hookline_is_a_fault(examine: Examine, postgres18: Server) -> None:
    with postgres18.create() as url:
        code, checks = examine(url)
    assert code == 1
    [(state, told)] = rows(checks, "database")
    assert state == "fault"
    assert "does not have Hookline: run `hookline migrate`" in told
    assert states(checks)["storage"] == "ok"


def test_a_database_that_cannot_hold_every_text_is_a_fault(
    examine: Examine, postgres18: Server
) -> None:
    with postgres18.create(encoding="LATIN1") as url:
        code, checks = examine(url)
    assert code == 1
    [(state, told)] = rows(checks, "database")
    assert state == "fault"
    assert "has the encoding LATIN1, which cannot hold every text" in told


def test_a_database_that_only_reads_is_a_fault(
    examine: Examine, db: Database, operator: str
) -> None:
    db.run("alter role test_operator set default_transaction_read_only = on")
    try:
        code, checks = examine(operator)
    finally:
        db.run("alter role test_operator reset default_transaction_read_only")
    assert code == 1
    [(state, told)] = rows(checks, "database")
    assert state == "fault"
    assert "only read: set default_transaction_read_only to off" in told


def test_a_migration_that_is_not_applied_is_a_fault(
    examine: Examine, db: Database, operator: str
) -> None:
    db.run("delete from supabase_migrations.schema_migrations")
    code, checks = examine(operator)
    assert code == 1
    [(state, told)] = rows(checks, "migrations")
    assert state == "fault"
    assert re.match(r"\d migrations? not applied, the first is 20", told)
    assert told.endswith(": run `hookline migrate`.")


def test_a_newer_database_is_a_fault(examine: Examine, db: Database, operator: str) -> None:
    db.run(
        "insert into supabase_migrations.schema_migrations (version, name)"
        " values ('29990101000000', 'hookline__later')"
    )
    code, checks = examine(operator)
    assert code == 1
    [(state, told)] = rows(checks, "migrations")
    assert state == "fault"
    assert "upgrade the hookline package" in told


def test_an_unreachable_postgres_is_a_fault_and_the_other_checks_run(examine: Examine) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        code, checks = examine(f"postgresql://app:{SECRET}@127.0.0.1:{port}/app")
    assert code == 1
    assert states(checks) == {
        "configuration": "ok",
        "sources": "warning",
        "parser": "ok",
        "database": "fault",
        "storage": "ok",
    }


def test_more_connections_than_postgres_allows_are_a_warning(
    examine: Examine, db: Database, login: Callable[[str], str]
) -> None:
    [(name,)] = db.run("select current_database()")
    db.run(f'alter database "{name}" connection limit 15')
    code, checks = examine(login("ingest"), "--quick", HOOKLINE_PROCESSES="2")
    [(state, sentence)] = rows(checks, "connections")
    assert (code, state) == (0, "warning")
    assert sentence.startswith("The receiver may open 16 connections")
    assert "Postgres allows 15" in sentence
    assert rows(examine(login("ingest"), "--quick")[1], "connections") == []


def test_a_wrong_configuration_value_is_a_fault(cli: Cli) -> None:
    done = cli("doctor", "--json", HOOKLINE_PORT="many")
    assert done.returncode == 1
    [check] = [one for one in objects(done) if one["name"] == "configuration"]
    assert check["state"] == "fault"
    assert check["sentence"].startswith("HOOKLINE_PORT is wrong: ")


def test_wrong_configuration_values_hide_no_other_check(examine: Examine, operator: str) -> None:
    code, checks = examine(
        operator,
        HOOKLINE_PORT="many",
        HOOKLINE_LEASE="0",
        HOOKLINE_MAX_BODY="99999999",
        HOOKLINE_BODY_BUDGET="2097152",
        HOOKLINE_LLAMAPARSE_SECRETS=SECRET,
    )
    assert code == 1
    told = [sentence for state, sentence in rows(checks, "configuration") if state == "fault"]
    assert [sentence.split()[0] for sentence in told] == [
        *("HOOKLINE_PORT", "HOOKLINE_LEASE", "HOOKLINE_BODY_BUDGET"),
    ]
    assert {name for name, state in states(checks).items() if state == "ok"} >= {
        *("sources", "parser", "database", "migrations", "rights", "queues", "storage"),
    }


def test_every_kind_of_wrong_configuration_leaves_the_other_checks(
    examine: Examine, operator: str
) -> None:
    for variables in (
        {"DATABASE_URL": "mysql://x"},
        {"HOOKLINE_STORAGE_URL": "supabase://parsed"},
        {"HOOKLINE_LLAMAPARSE_SCHEME": "standard", "HOOKLINE_LLAMAPARSE_SECRETS": SECRET},
        {"HOOKLINE_SUBMIT_GRACE": "1"},
    ):
        code, checks = examine(variables.pop("DATABASE_URL", operator), **variables)
        assert code == 1
        assert rows(checks, "configuration")[0][0] == "fault"
        assert {check["name"] for check in checks} >= {"sources", "parser", "database", "storage"}


def test_a_missing_database_url_is_a_fault(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.returncode == 1
    checks = objects(done)
    assert states(checks) == {
        "configuration": "ok",
        "sources": "warning",
        "parser": "ok",
        "database": "fault",
        "storage": "warning",
    }
    [(_, told)] = rows(checks, "database")
    assert told.startswith("DATABASE_URL is not set: ")


def test_a_misspelled_variable_is_a_warning_with_the_right_name(
    examine: Examine, operator: str
) -> None:
    code, checks = examine(operator, HOOKLINE_LLAMAPARSE_SECRET=SECRET)
    assert code == 0
    assert rows(checks, "configuration")[0] == (
        "warning",
        "HOOKLINE_LLAMAPARSE_SECRET is not a setting: did you mean HOOKLINE_LLAMAPARSE_SECRETS?",
    )


def test_a_storage_that_cannot_be_written_is_a_fault(
    examine: Examine, operator: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "absent", tmp_path / "file" / "below", tmp_path / "file"):
        code, checks = examine(operator, HOOKLINE_STORAGE_URL=where.as_uri())
        assert code == 1
        [(state, told)] = rows(checks, "storage")
        assert state == "fault"
        assert told.startswith(f"An object cannot be written to {where.as_uri()} and deleted: ")


def test_the_storage_check_leaves_no_object(
    examine: Examine, operator: str, tmp_path: Path
) -> None:
    examine(operator)
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_a_violated_invariant_is_a_fault_that_names_the_job(
    examine: Examine, db: Database, operator: str
) -> None:
    job_id = db.make_job()
    db.run("alter table upload_pipeline.upload_jobs disable trigger user")
    db.run("update upload_pipeline.upload_jobs set version = 7")
    code, checks = examine(operator)
    assert code == 1
    [(_, guards), (state, told)] = rows(checks, "integrity")
    assert guards.startswith("guard_is_off: 2 rows, the first is trigger job_")
    assert state == "fault"
    assert told.startswith(
        f"history_has_gaps: 1 row, the first is job {job_id} (version 7, 1 events"
    )

    code, checks = examine(operator, "--quick")
    assert code == 0
    assert rows(checks, "integrity") == []


def test_work_that_waits_too_long_is_a_warning(
    examine: Examine, db: Database, operator: str
) -> None:
    job_id = db.make_job()
    db.run(
        "select upload_pipeline.receive_content(source => 'llamaparse_push', delivery_id => 'one',"
        " body_sha256 => repeat('0', 64), event_type => 'result_push', job_id => %(job_id)s,"
        " content => 'shapeless', recognised => false)",
        job_id=job_id,
    )
    db.run(
        "select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'two',"
        " body_sha256 => repeat('0', 64), event_type => 'parse.success', code => 'parse_ready',"
        " parse_job_id => 'nobodys')"
    )
    db.run("update upload_pipeline.webhook_deliveries set first_seen = first_seen - interval '1 h'")
    db.confirm(job_id)
    db.run(
        "update upload_pipeline.upload_jobs set deadline_at = upload_pipeline.clock()"
        " - interval '1 hour'"
    )
    db.run(
        "select upload_pipeline.pause_stage('parsed', upload_pipeline.clock() + interval '1 h',"
        " 'No more paper')"
    )
    code, checks = examine(operator)
    assert code == 0
    [(state, told)] = rows(checks, "queues")
    assert state == "ok"
    assert told.endswith(" of work waiting.")
    alerts = dict(sentence.split(", ", 1) for _, sentence in rows(checks, "alerts"))
    assert set(alerts) == {"jobs_overdue", "content_undecided", "stage_paused", "delivery_parked"}
    assert "settle_parked" in alerts["delivery_parked"]
    assert "1 jobs are past their deadline" in alerts["jobs_overdue"]
    assert "hookline jobs --overdue" in alerts["jobs_overdue"]
    assert "accept_content or discard_content" in alerts["content_undecided"]
    assert alerts["stage_paused"].startswith("parsed: Paused by postgres until ")
    assert "No more paper" in alerts["stage_paused"]
    assert {state for state, _ in rows(checks, "alerts")} == {"warning"}
