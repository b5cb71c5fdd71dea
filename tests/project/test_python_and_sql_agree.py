"""SQL defines the facts. Where Python repeats one, the two agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings, strategies

import hookline
import hookline.sources
from hookline.cli import timeline
from hookline.doctor import alerts, rights
from hookline.postgres import errors as connections
from hookline.postgres import records, views
from hookline.postgres.records import ClaimedContent, Receipt
from hookline.receiver.application import _MESSAGES
from hookline.receiver.configured_sources import configured_sources
from hookline.receiver.problems import _ANSWERS
from hookline.receiver.run import _NEEDS
from hookline.settings import load
from hookline.stages import Job
from hookline.storage.objects import ObjectRefused, object_key
from hookline.submission.waiting_reason import NEEDS_WORKER

VIEWS = {
    "job_overview": views.JobOverview,
    "job_timeline": views.TimelineEvent,
    "failed_jobs": views.FailedJob,
    "queue_health": views.Queue,
    "refusal_log": views.RefusedMinute,
    "statuses": views.Status,
    "transitions": views.Transition,
}
LOADS = {"uuid": "UUID", "timestamptz": "datetime", "interval": "timedelta", "jsonb": "dict"}
LOADS |= {"text": "str", "bool": "bool", "int2": "int", "int4": "int", "int8": "int"}


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(database) as connection:
        yield connection


def words(connection: psycopg.Connection[tuple[Any, ...]], domain: str) -> set[str]:
    """The values that a domain of upload_pipeline lists."""
    rows = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where contypid = ('upload_pipeline.' || %s)::regtype",
        [domain],
    ).fetchall()
    return {word for (definition,) in rows for word in re.findall(r"'([a-z_]+)'", definition)}


def test_each_of_our_sqlstates_has_an_exception_of_the_same_name(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    rows = connection.execute("select sqlstate, name from upload_pipeline.error_codes").fetchall()
    assert len(rows) >= 10
    assert {
        sqlstate: kind.__name__
        for sqlstate, kind in connections.ERRORS.items()
        if sqlstate.startswith("UP")
    } == {sqlstate: name.title().replace("_", "") for sqlstate, name in rows}


def test_every_exception_is_public_and_belongs_to_an_sqlstate() -> None:
    kinds = {
        kind
        for kind in vars(connections).values()
        if isinstance(kind, type) and issubclass(kind, connections.DatabaseError)
    }
    assert kinds - {connections.DatabaseError} == set(connections.ERRORS.values())
    assert {kind.__name__ for kind in kinds} <= set(connections.__all__)


def test_outcomes_in_python_are_those_of_the_domain(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    assert words(connection, "outcome") == records.OUTCOMES
    # `unrecognised` is answered with a problem; the others become another outcome before that.
    assert set(_MESSAGES) == records.OUTCOMES - {"unrecognised", "awaited", "kept"}


def test_receipt_has_the_attributes_of_the_sql_type(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    cursor = connection.execute("select (null::upload_pipeline.receipt).*")
    names = [column.name for column in cursor.description or ()]
    assert names == [field.name for field in fields(Receipt)]


def test_kept_content_has_the_columns_of_claim_contents(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    cursor = connection.execute("select * from upload_pipeline.claim_contents()")
    assert tuple(column.name for column in cursor.description or ()) == ClaimedContent._fields


ROWS: dict[str, Any] = {
    "claim_jobs(status => 'uploaded', worker => 'w')": Job,
    "claim_reservations()": records.OpenReservation,
    "reserve_credits(null, null, 1)": records.Reservation,
    "credit_status": records.CreditStatus,
}


@pytest.mark.parametrize("relation", ROWS)
def test_rows_of_a_worker_have_the_columns_of_their_function(
    connection: psycopg.Connection[tuple[Any, ...]], relation: str
) -> None:
    kind = ROWS[relation]
    names = [field.name for field in fields(Job)[1:]] if kind is Job else list(kind._fields)
    # With limit 0 the function is not called.
    query = f"select * from upload_pipeline.{relation} limit 0"  # noqa: S608 - ours
    cursor = connection.execute(query.encode())
    assert [column.name for column in cursor.description or ()] == names


def test_codes_given_to_advance_job_are_event_codes_of_stages(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    known = {
        code
        for (code,) in connection.execute(
            "select code from upload_pipeline.event_codes"
            " where event_type in ('stage_started', 'stage_done', 'finalized')"
        )
    }
    package = Path(hookline.__file__).parent
    said = [
        argument.value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "advance_job"
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    assert said
    assert set(said) <= known


def test_statuses_of_our_stages_are_unfinished_statuses(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    unfinished = {
        status
        for (status,) in connection.execute(
            "select status from upload_pipeline.statuses where not terminal"
        )
    }
    package = Path(hookline.__file__).parent
    said = {
        node.args[0].value
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Stage"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert "uploaded" in said
    assert said <= unfinished


def test_severities_in_python_are_those_of_the_domain(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    assert words(connection, "severity") == set(timeline.SEVERITIES)


@pytest.mark.parametrize("view", VIEWS)
def test_row_class_has_the_columns_and_types_of_its_view(
    connection: psycopg.Connection[tuple[Any, ...]], view: str
) -> None:
    kind = VIEWS[view]
    columns = connection.execute(
        "select a.attname, b.typname from pg_attribute as a"
        " join pg_type as t on t.oid = a.atttypid"
        " join pg_type as b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)"
        " where a.attrelid = ('upload_pipeline.' || %s)::regclass and a.attnum > 0"
        " and not a.attisdropped order by a.attnum",
        [view],
    ).fetchall()
    written = [
        (field.name, re.sub(r"\[.*| \| None", "", str(field.type))) for field in fields(kind)
    ]
    stored = [(name, LOADS[typename]) for name, typename in columns]
    # Python shows every column of a view, but not the retry and pause columns of statuses.
    assert written == (stored[: len(written)] if view == "statuses" else stored)


def test_codes_of_the_sources_are_event_codes(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    known = {code for (code,) in connection.execute("select code from upload_pipeline.event_codes")}
    said = set(codes_in_sources())
    assert {"parse_started", "parse_ready", "parse_failed"} <= said
    assert said <= known


def codes_in_sources() -> Iterator[str]:
    """Every code in the sources: the argument `code=...`, or the code of a `_Meaning`."""
    for path in Path(hookline.sources.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                if isinstance(node.func, ast.Name) and node.func.id == "_Meaning":
                    given += node.args[1:]
                for value in given:
                    for part in ast.walk(value):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield part.value


def test_name_of_each_source_is_accepted_by_receive_event(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    names = [source.name for source in configured_sources(load(None))]
    assert len(set(names)) == len(names) == 5
    for name in names:
        connection.execute(
            "select upload_pipeline.receive_event(%s, 'one', repeat('0', 64), 'any')", [name]
        )


def test_readiness_checks_functions_that_the_endpoint_may_call(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    rows = connection.execute(
        "select proname from pg_proc where pronamespace = 'upload_pipeline'::regnamespace"
        " and proname = any(%s) and has_function_privilege('hookline_ingest', oid, 'execute')",
        [list(_NEEDS.functions)],
    ).fetchall()
    assert {name for (name,) in rows} == set(_NEEDS.functions)
    assert len(rows) == len(_NEEDS.functions)


def test_doctor_knows_the_roles_and_their_memberships(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    rows = connection.execute(
        "select r.rolname, array(select h.rolname::text from pg_auth_members as m"
        " join pg_roles as h on h.oid = m.roleid where m.member = r.oid"
        " and h.rolname like 'hookline\\_%' order by 1)"
        " from pg_roles as r where r.rolname like 'hookline\\_%'"
        " and r.rolname <> 'hookline_owner'"
    ).fetchall()
    assert {name: tuple(implied) for name, implied in rows} == rights._IMPLIED
    assert set(rights._USE) == set(rights._IMPLIED)


def test_job_overview_ends_its_reason_as_submit_expects(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    [(view,)] = connection.execute(
        "select pg_get_viewdef('upload_pipeline.job_overview'::regclass)"
    ).fetchall()
    assert len(re.findall(rf"{NEEDS_WORKER}'", view)) == 2


def test_doctor_has_a_remedy_for_every_alert(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    [(view,)] = connection.execute(
        "select pg_get_viewdef('upload_pipeline.alerts'::regclass)"
    ).fetchall()
    assert set(re.findall(r"SELECT '(\w+)'", view)) == set(alerts.REMEDIES)


# Whether a text is a storage path. Postgres 15 has no pg_input_is_valid(), and a cast raises.
FITS = """
create function pg_temp.fits(path text) returns boolean language plpgsql as $$
begin
  return path::upload_pipeline.storage_path is not null;
exception
  when check_violation then
    return false;
end
$$
"""

NAMES = strategies.one_of(
    strategies.text("aZ09_!.*'() &$=@;:+,?-", max_size=4),
    strategies.text(".", max_size=3),
    strategies.text('é[]%#~\\"<>|^`{}\n\t\u00a0\u212a', min_size=1, max_size=1),
    strategies.integers(99, 101).map(lambda length: "b" * length),
    strategies.integers(254, 257).map(lambda length: "n" * length),
)
PATHS = strategies.builds(
    lambda scheme, names: scheme + "/".join(names),
    strategies.sampled_from(["storage://", "storage:/", "Storage://", " storage://", "s3://", ""]),
    strategies.lists(NAMES, max_size=5),
)


def is_storage_path(path: str) -> bool:
    try:
        return object_key(path) == path.removeprefix("storage://")
    except ObjectRefused:
        return False


def test_sql_and_python_accept_the_same_storage_paths(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    connection.execute(FITS)
    seen: set[bool] = set()

    @settings(max_examples=200, deadline=None)
    @given(strategies.lists(PATHS, min_size=1, max_size=50))
    @example(
        [f"storage://b/{'n/' * half}{'n' * end}" for half in (467, 468) for end in (1, 2, 3, 4)]
    )
    @example([f"storage://b/{chr(number)}" for number in range(1, 256)])
    def agree(paths: list[str]) -> None:
        rows = connection.execute(
            "select path, pg_temp.fits(path) from unnest(%s::text[]) as path", [paths]
        ).fetchall()
        said = dict(rows)
        seen.update(said.values())
        assert said == {path: is_storage_path(path) for path in paths}

    agree()
    assert seen == {True, False}


def test_every_reason_of_a_refusal_has_a_likely_cause(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> None:
    [(view,)] = connection.execute("select pg_get_viewdef('upload_pipeline.refusal_log'::regclass)")
    proven = [
        code
        for path in Path(hookline.sources.__file__).parent.glob("*.py")
        for code in re.findall(r'Reason\(\s*"(\w+)"', path.read_text())
    ]
    answered = [kind.__name__ for kind, answer in _ANSWERS.items() if answer.status < 500]
    others = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in answered if name != "NotProven"
    }
    refused_early = {"request_entity_too_large", "unsupported_media_type", "request_timeout"}
    assert set(re.findall(r"WHEN '(\w+)'", view)) == {*proven, *others, *refused_early}
