"""Peak memory of the receiver while many senders send large bodies at once, default settings.

Each sender repeats what was answered 429 or 503 after the seconds of Retry-After, as real ones do,
until it is applied. Nobody may be left out. The goal is 256 MiB of resident memory at the peak.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import psycopg
from rich.console import Console

from bench.thin import SECRET, describe_server, receiver
from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from support.memory import resident_mib

GOAL_MIB = 256
# A character of four bytes, which makes a Python str of four bytes for each.
_LINE = "A line of the document, as a parser writes it, with one 😀 in it.\n"
_SLICE = 2**18


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(prog="memory", description=__doc__)
    options.add_argument("--senders", type=int, default=200)
    options.add_argument("--megabytes", type=float, default=8)
    options.add_argument("--seed", type=int, default=1)
    asyncio.run(_measure(options.parse_args(arguments or [])))


async def _measure(options: argparse.Namespace) -> None:
    console = Console()
    text = _LINE * int(options.megabytes * 2**20 / len(_LINE.encode()))
    with ThrowawayPostgres(options={}) as postgres:
        url = postgres.start()
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            console.print(f"{describe_server(connection)}; seed {options.seed}")
            jobs = connection.execute(
                "select j.job_id, j.document_id from generate_series(1, %s) as n cross join lateral"
                " upload_pipeline.create_job(owner_id => gen_random_uuid(), filename => 'a.pdf',"
                " mime => 'application/pdf', bytes_len => 9,"
                " file_sha256 => encode(sha256(n::text::bytea), 'hex'),"
                " raw_path => 'storage://raw/a.pdf') as j",
                [options.senders],
            ).fetchall()
            with receiver(url) as port:
                pid = receiver_pid()
                idle = resident_mib(pid)
                started = time.monotonic()
                answers, tries = await _send_all(port, jobs, text, random.Random(options.seed))
                seconds = time.monotonic() - started
                peak = resident_mib(pid, peak=True)
                await asyncio.sleep(1)
                after = resident_mib(pid)
            ((applied,),) = connection.execute(
                "select count(*) from upload_pipeline.upload_jobs where status = 'parsed'"
            ).fetchall()
    console.print(
        f"{options.senders} senders of {options.megabytes:g} MiB at once: peak {peak} MiB of"
        f" {GOAL_MIB}, ratio {peak / GOAL_MIB:.2f}; idle {idle} MiB, a second after {after} MiB"
    )
    console.print(
        f"{applied} of {options.senders} applied in {seconds:.0f} s; answers {dict(answers)};"
        f" tries of one sender: median {sorted(tries)[len(tries) // 2]}, most {max(tries)}"
    )
    assert applied == options.senders, "a sender was left out"


async def _send_all(
    port: int, jobs: list[tuple[UUID, UUID]], text: str, chance: random.Random
) -> tuple[Counter[str], list[int]]:
    answers: Counter[str] = Counter()
    # The text is the same in all bodies, so that the senders do not need their memory.
    escaped = json.dumps(text, ensure_ascii=False).encode()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    length = len(text.encode())

    async def send(job_id: UUID, document_id: UUID) -> int:
        head = (
            f'{{"job_id": "{job_id}", "document_id": "{document_id}", "parse_job_id": "p-{job_id}",'
            f' "status": "parsed", "artifacts": [{{"type": "markdown", "sha256": "{sha256}",'
            f' "bytes": {length}, "content": '
        ).encode()
        tail = b"}]}"
        mac = hmac.new(SECRET.encode(), digestmod="sha256")
        for part in (head, escaped, tail):
            mac.update(part)
        size = len(head) + len(escaped) + len(tail)
        request = (
            "POST /webhooks/llamaparse HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nX-Webhook-Signature: {mac.hexdigest()}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        )
        for tries in range(1, 1000):
            status, pause = await _post(port, request.encode() + head, escaped, tail)
            answers[status] += 1
            if status == "200":
                return tries
            await asyncio.sleep(pause * chance.uniform(0.7, 1.3))
        raise AssertionError("never applied")

    return answers, await asyncio.gather(*(send(*job) for job in jobs))


async def _post(port: int, head: bytes, escaped: bytes, tail: bytes) -> tuple[str, float]:
    """The status, or the name of the error, and the seconds to wait before the next try."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    try:
        writer.write(head)
        for start in range(0, len(escaped), _SLICE):
            if answer.done():
                break
            writer.write(escaped[start : start + _SLICE])
            await writer.drain()
        else:
            writer.write(tail)
        received = await answer
    except (OSError, EOFError):
        (outcome,) = await asyncio.gather(answer, return_exceptions=True)
        if isinstance(outcome, BaseException):
            return "reset", 1.0
        received = outcome
    finally:
        writer.transport.abort()
    head_lines = received.decode().lower().split("\r\n")
    pause = next((line[13:] for line in head_lines if line.startswith("retry-after: ")), "1")
    return head_lines[0].split()[1], float(pause)


def receiver_pid() -> int:
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    (pid,) = (
        int(child) for child in children if b"serve" in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    return pid
