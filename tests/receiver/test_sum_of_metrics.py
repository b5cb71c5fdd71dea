"""The metrics of several processes are one exposition, and no sum goes backwards."""

from __future__ import annotations

import re

from hookline.receiver.bodies import BodyBudget
from hookline.receiver.metrics import ReceiverMetrics
from hookline.receiver.sum_of_metrics import SumOfMetrics


async def report(webhooks: int) -> str:
    metrics = ReceiverMetrics()
    metrics.watch_bodies(BodyBudget(2**20))
    for _ in range(webhooks):
        metrics.count("llamaparse", "applied", 200, 0.003)
    text = (await metrics.exposition()).decode()
    return text.replace("hookline_bodies_bytes 0.0", f"hookline_bodies_bytes {webhooks}.0")


def values(total: SumOfMetrics) -> dict[str, float]:
    found = re.findall(r"^([^#\s]+?)(?:{.*?})? (\S+)$", total.exposition().decode(), re.M)
    return {name: float(value) for name, value in found}


async def test_the_sum_of_one_is_what_it_exposes() -> None:
    text = await report(3)
    total = SumOfMetrics()
    total.report(1, text)
    assert total.exposition().decode() == text


async def test_counts_of_a_process_that_has_ended_stay_and_what_it_held_does_not() -> None:
    total = SumOfMetrics()
    total.report(1, await report(2))
    total.report(2, await report(3))
    both = values(total)
    assert both["hookline_webhooks_total"] == both["hookline_webhook_seconds_count"] == 5
    assert round(both["hookline_webhook_seconds_sum"], 6) == 0.015
    assert both["hookline_bodies_bytes"] == 5

    total.report(2, await report(4))
    assert values(total)["hookline_webhooks_total"] == 6, "a report replaces the one before"
    total.end(2)
    total.end(2)
    left = values(total)
    assert left["hookline_webhooks_total"] == left["hookline_webhook_seconds_count"] == 6
    assert left["hookline_bodies_bytes"] == 2

    total.report(2, await report(1))
    total.end(2)
    assert values(total)["hookline_webhooks_total"] == 7
    created = [name for name in both if name.endswith("_created")]
    assert all(values(total)[name] <= both[name] for name in created), "the earliest"


def test_the_state_of_the_jobs_is_that_of_the_latest_reading_and_no_sum() -> None:
    total = SumOfMetrics()
    for process, jobs, steps, age in ((1, 7, 20, 9.0), (2, 8, 21, 3.0)):
        total.report(
            process,
            "# TYPE hookline_jobs gauge\n"
            f'hookline_jobs{{status="parsed"}} {jobs}\n'
            "# TYPE hookline_steps_total counter\n"
            f'hookline_steps_total{{status="parsed",code="parse_completed"}} {steps}\n'
            "# TYPE hookline_reading_age_seconds gauge\n"
            f"hookline_reading_age_seconds {age}\n",
        )
    latest = {"hookline_jobs": 8, "hookline_steps_total": 21, "hookline_reading_age_seconds": 3}
    assert values(total) == latest
    total.end(2)
    assert values(total) == {
        "hookline_jobs": 7,
        "hookline_steps_total": 20,
        "hookline_reading_age_seconds": 9,
    }


def test_of_the_lag_of_the_event_loops_the_largest_counts() -> None:
    lag = "# TYPE hookline_event_loop_lag_seconds gauge\nhookline_event_loop_lag_seconds "
    total = SumOfMetrics()
    for process, seconds in enumerate((0.25, 2.0, 0.5)):
        total.report(process, f"{lag}{seconds}\n")
    assert values(total) == {"hookline_event_loop_lag_seconds": 2.0}


def test_a_process_that_does_not_answer_keeps_its_counts_but_not_what_it_read_of_the_jobs() -> None:
    said = (
        "# TYPE hookline_drained_total counter\nhookline_drained_total 3.0\n"
        "# TYPE hookline_jobs gauge\nhookline_jobs 7.0\n"
        "# TYPE hookline_reading_age_seconds gauge\nhookline_reading_age_seconds {age}\n"
    )
    total = SumOfMetrics()
    total.report(1, said.format(age=1.0))
    total.report(2, said.format(age=9.0))
    assert values(total)["hookline_reading_age_seconds"] == 1.0
    total.miss(1)
    left = values(total)
    assert left["hookline_reading_age_seconds"] == 9.0
    assert (left["hookline_drained_total"], left["hookline_jobs"]) == (6.0, 7.0)
