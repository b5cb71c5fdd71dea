"""A loop of a process goes on after an error that nobody foresaw."""

from __future__ import annotations

import pytest
import structlog

from hookline.process import tasks
from hookline.process.tasks import keep_running
from hookline.settings import ConfigurationError


class Loop:
    """Raises these errors, one a run, then returns."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


async def test_a_loop_that_raises_is_logged_and_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RUN_AGAIN_AFTER", 0)
    loop = Loop(ValueError("of a document"), RecursionError())
    with structlog.testing.capture_logs() as log:
        await keep_running(loop.run, "claimer")
    assert loop.runs == 3
    assert [(line["event"], line["loop"], line["error"]) for line in log] == [
        ("loop_failed", "claimer", "ValueError"),
        ("loop_failed", "claimer", "RecursionError"),
    ]
    assert "test_tasks.py" in log[0]["frames"][-1]
    assert "of a document" not in repr(log)


async def test_a_wrong_configuration_ends_a_loop() -> None:
    loop = Loop(ConfigurationError("There is no such stage."))
    with pytest.raises(ConfigurationError):
        await keep_running(loop.run, "claimer")
    assert loop.runs == 1
