"""Processes are killed and every fault occurs, and every document ends once, as expected."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from chaos.final_state import FinalState
from chaos.promises import broken_promises
from chaos.report import report
from chaos.run import Plan, run


def _parsed(state: FinalState) -> Any:
    return next(job for [job] in state.jobs.values() if job["status"] == "parsed")


def _tear(state: FinalState) -> FinalState:
    path = _parsed(state)["parsed_path"]
    return replace(state, files={**state.files, path: state.files[path][:-1]})


def _lose(state: FinalState) -> FinalState:
    path = _parsed(state)["parsed_path"]
    return replace(state, files={key: file for key, file in state.files.items() if key != path})


def _add(state: FinalState) -> FinalState:
    return replace(state, files={**state.files, "storage://parsed/nobody.md": b"#"})


def _fail(state: FinalState) -> FinalState:
    _parsed(state).update(status="failed_parse", failed=True, last_error={"code": "x"})
    return state


def _complete_again(state: FinalState) -> FinalState:
    events = state.events[_parsed(state)["job_id"]]
    return replace(state, events={**state.events, events[0]["job_id"]: [*events, events[-1]]})


def _submit_again(state: FinalState) -> FinalState:
    state.cloud["jobs"].append(next(one for one in state.cloud["jobs"] if one["usage"]["credits"]))
    return state


def _settle_less(state: FinalState) -> FinalState:
    next(row for row in state.reservations if row["billed"])["billed"] -= 1
    return state


def _forget_a_provider_job(state: FinalState) -> FinalState:
    return replace(state, provider_jobs=state.provider_jobs[1:])


def _forget_a_delivery(state: FinalState) -> FinalState:
    told = {one["event_id"] for one in state.cloud["deliveries"] if one["outcome"] == 200}
    kept = [row for row in state.deliveries if row["delivery_id"] not in told]
    return replace(state, deliveries=kept)


def _conflict(state: FinalState) -> FinalState:
    state.cloud["deliveries"][0]["outcome"] = 409
    return state


def _tell_nothing(state: FinalState) -> FinalState:
    first = state.told[0].event_id
    return replace(state, told=[one for one in state.told if one.event_id != first])


def _tell_late(state: FinalState) -> FinalState:
    """As if the last one had come first, before anything was told of an earlier step."""
    first = replace(state.told[0], version=99)
    return replace(state, told=[first, *state.told])


def _forge(state: FinalState) -> FinalState:
    return replace(state, forged=1)


def _lease(state: FinalState) -> FinalState:
    _parsed(state)["lease_token"] = "token"
    return state


def _park(state: FinalState) -> FinalState:
    mine = state.cloud["jobs"][0]["id"]
    row = {"delivery_id": "e", "outcome": "parked", "parse_job_id": mine}
    return replace(state, deliveries=[*state.deliveries, row])


def _warn_not(state: FinalState) -> FinalState:
    kept = {
        job_id: [event for event in events if event["code"] != "parse_truncated"]
        for job_id, events in state.events.items()
    }
    return replace(state, events=kept)


def _log_a_bug(state: FinalState) -> FinalState:
    return replace(state, log=[*state.log, {"event": "handler_failed"}])


def _end_alone(state: FinalState) -> FinalState:
    return replace(state, wrong_ends=["worker-1 ended with 1"])


def _violate(state: FinalState) -> FinalState:
    return replace(state, integrity=[{"violation": "history_has_gaps", "detail": ""}])


def _fault(state: FinalState) -> FinalState:
    return replace(state, doctor=[*state.doctor, {"state": "fault", "sentence": "It is down."}])


_DAMAGES: tuple[tuple[Callable[[FinalState], FinalState], str], ...] = (
    (_fail, "every document ends as expected"),
    (_complete_again, "every document ends once"),
    (_tear, "stored content is the parsed content"),
    (_lose, "stored content is the parsed content"),
    (_add, "stored content is the parsed content"),
    (_warn_not, "truncated or partial content has a warning"),
    (_submit_again, "no attempt is paid twice"),
    (_settle_less, "every provider job is known and settled"),
    (_forget_a_provider_job, "every provider job is known and settled"),
    (_forget_a_delivery, "every acknowledged delivery is recorded"),
    (_conflict, "every acknowledged delivery is recorded"),
    (_tell_nothing, "every announced step is told in order"),
    (_tell_late, "every announced step is told in order"),
    (_forge, "every announced step is told in order"),
    (_lease, "no work is left over"),
    (_park, "no work is left over"),
    (_violate, "database is consistent"),
    (_fault, "database is consistent"),
    (_log_a_bug, "no process reports a bug"),
    (_end_alone, "no process reports a bug"),
)


@pytest.mark.long
async def test_every_promise_holds_while_processes_are_killed() -> None:
    plan = Plan(documents=50, seed=random.randrange(2**32))
    print(f"python tests/bench chaos --documents {plan.documents} --seed {plan.seed}")  # noqa: T201
    outcome = await run(plan, progress=print)
    Console(width=100).print(report(outcome))
    assert not outcome.broken, "\n".join(outcome.broken)
    for what in ("workers killed", "receiver killed", "Postgres killed", "endpoint killed"):
        assert outcome.kills[what], what

    # Each damage to the final state breaks its promise. It is tested here because a run takes long.
    for damage, promise in _DAMAGES:
        broken = "\n".join(broken_promises(damage(copy.deepcopy(outcome.state))))
        assert promise in broken, damage.__name__
