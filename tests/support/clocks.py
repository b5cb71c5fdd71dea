"""A machine whose clock is wrong: Postgres and the provider keep the right time."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from hookline import timing


def set_clock_of_this_process(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    """Let hookline.timing.now be ahead by so much, or behind, in every module that uses it."""
    right = timing.now

    def wrong() -> datetime:
        return datetime.now(UTC) + ahead

    for name, module in list(sys.modules.items()):
        if name.startswith("hookline") and getattr(module, "now", None) is right:
            monkeypatch.setattr(module, "now", wrong)
