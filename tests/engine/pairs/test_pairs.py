"""Two calls at once end as two calls in sequence: no deadlock, and no error that is not ours.

A random sample. `make bench ARGS=pairs` runs every pair in every scene.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.pairs.calls import CALLS, GRANTED, Call
from engine.pairs.interleavings import Pairs, Session, is_refusal
from engine.pairs.scenes import SCENES, Scene, Stage
from support.servers import Server


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.create(template=postgres.template) as url:
        yield url


def test_every_granted_function_that_writes_has_a_call(url: str) -> None:
    with psycopg.connect(url) as conn:
        granted = {name for (name,) in conn.execute(GRANTED)}
    assert len(granted) > 30
    assert granted == {call.function for call in CALLS}


def test_two_calls_at_once_end_as_one_after_the_other(url: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    rng = random.Random(seed)
    with ExitStack() as stack:
        pairs = Pairs(url, stack)
        # Some scenes only, because making one takes as long as some pairs.
        scenes = [pairs.stage.scene(name) for name in rng.sample([*SCENES], 4)]
        found = [
            str(finding)
            for _ in range(25)
            for finding in pairs.findings(rng.choice(scenes), *rng.choices(CALLS, k=2))
        ]
    assert not found, "\n".join(found)
    assert pairs.runs > 25


def test_a_violation_that_was_there_before_is_not_held_against_a_busy_call(url: str) -> None:
    calls = {call.name: call for call in CALLS}
    with ExitStack() as stack:
        pairs = Pairs(url, stack)
        found = pairs.findings(
            pairs.stage.scene("missed"),
            calls["receive_event: parked before"],
            calls["receive_events"],
        )
        assert [str(finding) for finding in found] == []


def test_each_call_succeeds_in_a_scene_and_is_refused_in_any_other_isolation(url: str) -> None:
    """A snapshot does not hold what was committed before a lock was had. See check_isolation."""
    with (
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
        ExitStack() as stack,
    ):
        stage = Stage(conn)
        session = Session(url)
        stack.callback(session.close)

        def answer(call: Call, scene: Scene, isolation: psycopg.IsolationLevel) -> str:
            stage.put_back(scene)
            session.conn.isolation_level = isolation
            answered = session.start(call, scene).result()
            session.end(commit=False)
            return answered

        levels = psycopg.IsolationLevel
        for call in CALLS:
            for name in SCENES:
                scene = stage.scene(name)
                if not is_refusal(answer(call, scene, levels.READ_COMMITTED)):
                    break
            else:
                raise AssertionError(f"{call.name} is refused in every scene")
            assert answer(call, scene, levels.REPEATABLE_READ) == "UP012", call.name
            assert answer(call, scene, levels.SERIALIZABLE) == "UP012", call.name
