"""Whatever a stranger sends, only answers of the table come back, and webhooks go on."""

from __future__ import annotations

import random

from support.fuzz import fuzz
from support.memory import resident_mib
from support.receiver_process import Spawn
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, envelope_of

# The long form is `make bench ARGS=fuzz`.
REQUESTS = 1000


async def test_hostile_requests_get_answers_of_the_table_only(spawn: Spawn) -> None:
    seed = random.randrange(10**6)
    async with spawn(HOOKLINE_READ_TIMEOUT="2") as (receiver, sender):
        jobs = [sender.new_job() for _ in range(10)]
        port = int(sender.url.rpartition(":")[2])
        before = resident_mib(receiver.process.pid)
        findings = await fuzz(port, jobs, seed=seed, first=0, count=REQUESTS, at_once=32)
        after = resident_mib(receiver.process.pid)
        answer = await sender.send_envelope(envelope_of(sender.new_job()))
        printed = receiver.printed
    assert not findings.faults
    assert {200, 400, 401, 415} <= set(findings.statuses), (seed, findings.statuses)
    assert answer[0] == 200, "a proven webhook is still answered"
    assert after - before < 100, f"MiB; seed {seed}"
    assert "Traceback" not in printed, f"seed {seed}"
    for secret in (ENVELOPE_SECRET, CLOUD_SECRET, PUSH_SECRET, "/webhooks/llamaparse/01"):
        assert secret not in printed
