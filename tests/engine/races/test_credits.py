"""Credits that are reserved and settled at once, while caps change."""

from __future__ import annotations

from typing import Any

import pytest

from engine.races.arguments import Row, cap, held
from engine.races.sessions import DEADLINE, World, race, refused


def used(world: World) -> Any:
    return world.one("select used from upload_pipeline.credit_status")


def two_leases(world: World) -> tuple[Row, Row]:
    one, other = world.lease("a"), world.lease("b")
    return held(*one, credits=6), held(*other, credits=6)


def test_two_reservations_at_once_do_not_exceed_a_cap(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    _, state = refused(
        world.session(), ("reserve_credits", one), world.session(), ("reserve_credits", other)
    )
    assert state == "UP005"
    assert used(world) == 6


def test_a_reservation_that_waited_for_one_that_is_not_made_has_its_credits(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    first, second = world.session(), world.session()
    first.call("reserve_credits", **one)
    waiting = second.blocked("reserve_credits", by=first, **other)
    first.rollback()
    assert waiting.result(DEADLINE)["outcome"] == "applied"
    second.commit()
    assert used(world) == 6


def test_a_reservation_that_waited_for_a_settlement_has_what_it_gives_back(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.do("reserve_credits", **one)
    settled, reserved = race(
        world.session(),
        ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 4}),
        world.session(),
        ("reserve_credits", other),
    )
    assert (settled["settle_credits"], reserved["outcome"]) == ("applied", "applied")
    assert used(world) == 10


def test_a_reservation_is_settled_once_by_two_at_once(world: World) -> None:
    world.do("set_credit_cap", **cap(10))
    one, _ = two_leases(world)
    world.do("reserve_credits", **one)
    settle = ("settle_credits", {"job_id": one["job_id"], "attempt": 1, "credits": 1})
    first, second = race(world.session(), settle, world.session(), settle)
    assert (first["settle_credits"], second["settle_credits"]) == ("applied", "duplicate")
    assert used(world) == 1


def test_a_cap_that_waited_for_a_reservation_counts_it(world: World) -> None:
    one, _ = two_leases(world)
    race(
        world.session(),
        ("reserve_credits", one),
        world.session("operator"),
        ("set_credit_cap", cap(10)),
    )
    assert used(world) == 6


def test_a_reservation_that_waited_for_a_cap_keeps_to_it(world: World) -> None:
    one, _ = two_leases(world)
    _, state = refused(
        world.session("operator"),
        ("set_credit_cap", cap(5)),
        world.session(),
        ("reserve_credits", one),
    )
    assert state == "UP005"
    assert used(world) == 0


@pytest.mark.parametrize("call", ["reserve_credits", "settle_credits"])
def test_a_change_of_a_cap_and_who_spends_do_not_wait_for_each_other(
    world: World, call: str
) -> None:
    """Both want the cap at once: whoever writes reservations has to be past that by then."""
    world.do("set_credit_cap", **cap(10))
    one, other = two_leases(world)
    world.do("reserve_credits", **one)
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
