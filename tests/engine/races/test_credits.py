"""Credits are reserved and settled by two sessions at once, or while a cap changes."""

from __future__ import annotations

from typing import Any

import pytest

from engine.races.arguments import Row, cap, under_lease
from engine.races.sessions import DEADLINE, World, race, race_refused


def used(world: World) -> Any:
    return world.one("select used from upload_pipeline.credit_status")


def two_leases(world: World) -> tuple[Row, Row]:
    one, other = world.leased_job("a"), world.leased_job("b")
    return under_lease(*one, credits=6), under_lease(*other, credits=6)


def test_two_reservations_at_once_do_not_exceed_the_cap(world: World) -> None:
    world.call("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    _, state = race_refused(
        world.session(), ("reserve_credits", one), world.session(), ("reserve_credits", other)
    )
    assert state == "UP005"
    assert used(world) == 6


def test_reservation_gets_the_credits_of_the_one_that_rolled_back(world: World) -> None:
    world.call("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    first, second = world.session(), world.session()
    first.call("reserve_credits", **one)
    waiting = second.blocked("reserve_credits", by=first, **other)
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()
    assert used(world) == 6


def test_reservation_gets_the_credits_that_a_settlement_gives_back(world: World) -> None:
    world.call("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.call("reserve_credits", **one)
    settled, reserved = race(
        world.session(),
        ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 4}),
        world.session(),
        ("reserve_credits", other),
    )
    assert (settled["settle_credits"], reserved["outcome"]) == ("applied", "applied")
    assert used(world) == 10


def test_reservation_settled_twice_at_once_is_settled_once(world: World) -> None:
    world.call("set_credit_cap", **cap(10))
    one, _ = two_leases(world)
    world.call("reserve_credits", **one)
    settle = ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 1})
    first, second = race(world.session(), settle, world.session(), settle)
    assert (first["settle_credits"], second["settle_credits"]) == ("applied", "duplicate")
    assert used(world) == 1


def test_new_cap_counts_the_reservation_it_waited_for(world: World) -> None:
    one, _ = two_leases(world)
    race(
        world.session(),
        ("reserve_credits", one),
        world.session("operator"),
        ("set_credit_cap", cap(10)),
    )
    assert used(world) == 6


def test_reservation_respects_the_cap_it_waited_for(world: World) -> None:
    one, _ = two_leases(world)
    _, state = race_refused(
        world.session("operator"),
        ("set_credit_cap", cap(5)),
        world.session(),
        ("reserve_credits", one),
    )
    assert state == "UP005"
    assert used(world) == 0


@pytest.mark.parametrize("call", ["reserve_credits", "settle_credits"])
def test_change_of_a_cap_and_a_spender_do_not_deadlock(world: World, call: str) -> None:
    """set_credit_cap locks the reservations, then the cap: a spender must lock the two likewise."""
    world.call("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.call("reserve_credits", **one)
    arguments = {
        "reserve_credits": other | {"credits": 1},
        "settle_credits": {"job_id": one["job_id"], "attempt": 1, "credits": 1},
    }
    dba, worker, operator = world.admin(), world.session(), world.session("operator")
    dba.conn.execute("select from upload_pipeline.credit_caps for update")
    spending = worker.blocked(call, by=dba, **arguments[call])
    changing = operator.blocked("set_credit_cap", by=None, **cap(5))
    dba.commit()
    spending.result(DEADLINE)
    worker.commit()
    changing.result(DEADLINE)
    operator.commit()
    assert used(world) == (7 if call == "reserve_credits" else 1)


def test_reservation_locks_the_whole_table_only_to_copy_a_cap(world: World) -> None:
    world.call("set_credit_cap", **cap(100))
    (job_id, token), _ = world.leased_job("a"), world.leased_job("b")
    session = world.session()

    def locks() -> set[str]:
        rows = world.watcher.execute(
            "select mode from pg_locks where pid = %s"
            " and relation = 'upload_pipeline.credit_reservations'::regclass",
            [session.conn.info.backend_pid],
        )
        return {row["mode"] for row in rows}

    session.call("reserve_credits", **under_lease(job_id, token, credits=1))
    assert "RowExclusiveLock" in locks()
    assert "ShareRowExclusiveLock" not in locks()
    session.rollback()
    world.call("set_credit_cap", **cap(100), each_owner=True)
    session.call("reserve_credits", **under_lease(job_id, token, credits=1))
    assert "ShareRowExclusiveLock" in locks()
