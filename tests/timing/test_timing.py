"""The one clock, the one backoff, and the one wait with an upper limit."""

import asyncio
from datetime import timedelta

from hookline.timing import Backoff, now, wait_until_set


def test_now_is_in_utc_and_says_so() -> None:
    assert now().utcoffset() == timedelta(0)


def test_pauses_grow_by_the_factor_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 2, jitter=0)

    assert [backoff.next(3.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_reset_backoff_starts_with_the_shortest_pause() -> None:
    backoff = Backoff(0.5, 2, jitter=0)
    backoff.next(30.0)
    backoff.next(30.0)

    backoff.reset()

    assert backoff.next(30.0) == 0.5


def test_a_longer_limit_lets_the_pauses_grow_further() -> None:
    backoff = Backoff(1.0, 4, jitter=0)

    assert [backoff.next(2.0), backoff.next(2.0), backoff.next(9.0), backoff.next(9.0)] == [
        1.0,
        2.0,
        2.0,
        8.0,
    ]


def test_jitter_varies_a_pause_by_at_most_its_share() -> None:
    pauses = [Backoff(8.0).next(8.0) for _ in range(200)]

    assert all(6.0 <= pause <= 10.0 for pause in pauses)
    assert len(set(pauses)) > 100


async def test_waiting_says_whether_the_event_was_set() -> None:
    event = asyncio.Event()

    assert not await wait_until_set(event, 0.01)
    event.set()
    assert await wait_until_set(event, 0.01)
