"""Everything is killed and everything fails, and every document ends once, as it has to."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console

from chaos.promises import broken_promises
from chaos.report import report
from chaos.storm import Plan, run
from chaos.world import World


def _parsed(world: World) -> Any:
    return next(job for [job] in world.jobs.values() if job["status"] == "parsed")


def _tear(world: World) -> World:
    path = _parsed(world)["parsed_path"]
    return replace(world, files={**world.files, path: world.files[path][:-1]})


def _lose(world: World) -> World:
    path = _parsed(world)["parsed_path"]
    return replace(world, files={key: file for key, file in world.files.items() if key != path})


def _add(world: World) -> World:
    return replace(world, files={**world.files, "storage://parsed/nobody.md": b"#"})


def _fail(world: World) -> World:
    _parsed(world).update(status="failed_parse", failed=True, last_error={"code": "x"})
    return world


def _complete_again(world: World) -> World:
    events = world.events[_parsed(world)["job_id"]]
    return replace(world, events={**world.events, events[0]["job_id"]: [*events, events[-1]]})


def _order_again(world: World) -> World:
    world.cloud["jobs"].append(next(one for one in world.cloud["jobs"] if one["usage"]["credits"]))
    return world


def _settle_less(world: World) -> World:
    next(row for row in world.reservations if row["billed"])["billed"] -= 1
    return world


def _forget_an_order(world: World) -> World:
    return replace(world, provider_jobs=world.provider_jobs[1:])


def _forget_a_delivery(world: World) -> World:
    told = {one["event_id"] for one in world.cloud["deliveries"] if one["outcome"] == 200}
    kept = [row for row in world.deliveries if row["delivery_id"] not in told]
    return replace(world, deliveries=kept)


def _conflict(world: World) -> World:
    world.cloud["deliveries"][0]["outcome"] = 409
    return world


def _lease(world: World) -> World:
    _parsed(world)["lease_token"] = "token"
    return world


def _park(world: World) -> World:
    mine = world.cloud["jobs"][0]["id"]
    row = {"delivery_id": "e", "outcome": "parked", "parse_job_id": mine}
    return replace(world, deliveries=[*world.deliveries, row])


def _warn_not(world: World) -> World:
    kept = {
        job_id: [event for event in events if event["code"] != "parse_truncated"]
        for job_id, events in world.events.items()
    }
    return replace(world, events=kept)


def _log_a_bug(world: World) -> World:
    return replace(world, log=[*world.log, {"event": "handler_failed"}])


def _end_alone(world: World) -> World:
    return replace(world, wrong_ends=["worker-1 ended with 1"])


def _violate(world: World) -> World:
    return replace(world, integrity=[{"violation": "history_has_gaps", "detail": ""}])


def _fault(world: World) -> World:
    return replace(world, doctor=[*world.doctor, {"state": "fault", "sentence": "It is down."}])


_DAMAGES: tuple[tuple[Callable[[World], World], str], ...] = (
    (_fail, "every document ends as it has to"),
    (_complete_again, "each ends once"),
    (_tear, "what is stored is what was parsed"),
    (_lose, "what is stored is what was parsed"),
    (_add, "what is stored is what was parsed"),
    (_warn_not, "what is cut or partial says so"),
    (_order_again, "no attempt is paid twice"),
    (_settle_less, "every order is known and settled"),
    (_forget_an_order, "every order is known and settled"),
    (_forget_a_delivery, "what was acknowledged is known"),
    (_conflict, "what was acknowledged is known"),
    (_lease, "nothing is left"),
    (_park, "nothing is left"),
    (_violate, "the database is whole"),
    (_fault, "the database is whole"),
    (_log_a_bug, "no bug shows"),
    (_end_alone, "no bug shows"),
)


async def test_every_promise_is_kept_whatever_is_killed() -> None:
    plan = Plan(documents=50, seed=random.randrange(2**32))
    print(f"python tests/bench chaos --documents {plan.documents} --seed {plan.seed}")  # noqa: T201
    outcome = await run(plan, tell=print)
    Console(width=100).print(report(outcome))
    assert not outcome.broken, "\n".join(outcome.broken)
    for what in ("workers killed", "receiver killed", "Postgres killed"):
        assert outcome.kills[what], what

    # And had one been broken, it would have shown: no test of its own, for a run takes long.
    for damage, promise in _DAMAGES:
        broken = "\n".join(broken_promises(damage(copy.deepcopy(outcome.world))))
        assert promise in broken, damage.__name__
