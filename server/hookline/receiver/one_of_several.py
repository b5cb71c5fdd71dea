"""One of the processes of a receiver: it answers its parent's questions, and ends with it.

It writes a line once it listens. Then a question is a line `number metrics` or `number readiness`
on standard input, and its answer a line of JSON on standard output: `[number, answer]`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from hookline.receiver.run import OpenedReceiver, opened_receiver, taking_deliveries
from hookline.settings import Settings

__all__ = ["Question", "receive_beside_others"]

Question = Literal["metrics", "readiness"]
"""The text of /metrics, or the object of the admin side's /readyz."""


async def receive_beside_others(settings: Settings, stop: asyncio.Event) -> None:
    """Take deliveries on a shared port until `stop` is set, or the parent has closed its end."""
    async with (
        _parent() as (questions, answers),
        opened_receiver(settings) as opened,
        taking_deliveries(opened, shared=True),
    ):
        answers.write(b"\n")
        answering = asyncio.create_task(_answer_all(opened, questions, answers), name="parent")
        answering.add_done_callback(lambda _: stop.set())
        await stop.wait()
        answering.cancel()


@asynccontextmanager
async def _parent() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.WriteTransport]]:
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader()
    # Copies, because the transports close what they are given.
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), os.fdopen(os.dup(0), "rb", 0)
    )
    answers, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(1), "wb", 0))
    try:
        yield questions, answers
    finally:
        transport.close()
        answers.close()


async def _answer_all(
    opened: OpenedReceiver, questions: asyncio.StreamReader, answers: asyncio.WriteTransport
) -> None:
    async with asyncio.TaskGroup() as group:
        while line := await questions.readline():
            # Whether it is ready may take long to find out, while Postgres is away.
            group.create_task(_answer(opened, line.decode(), answers))


async def _answer(opened: OpenedReceiver, line: str, answers: asyncio.WriteTransport) -> None:
    number, question = line.split()
    answer: str | dict[str, Any]
    if question == "metrics":
        answer = (await opened.metrics.exposition()).decode()
    else:
        answer = await opened.readiness.details()
    answers.write(json.dumps([int(number), answer]).encode() + b"\n")
