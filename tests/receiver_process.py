"""A receiver in a process of its own, for tests that kill it or read what it logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from sender import Sender


class Spawned:
    """`hookline serve` as a process of its own, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        parsed = [
            json.loads(line) for line in self.printed.splitlines(keepends=True) if line[-1] == "\n"
        ]
        return [line for line in parsed if line["event"] == event]


Spawn = Callable[..., AbstractAsyncContextManager[tuple[Spawned, Sender]]]
