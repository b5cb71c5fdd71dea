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
