"""A disk that never answers delays only the writes to it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from support.receiver_process import Spawn
from support.sender import envelope_of


async def test_a_hanging_disk_delays_neither_signature_checks_nor_the_stop(
    spawn: Spawn, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging"
    hanging.mkdir()
    (hanging / "sitecustomize.py").write_text(
        "import os, time\nos.fsync = lambda descriptor: time.sleep(3600)\n"
    )
    environment = {
        "PYTHONPATH": os.pathsep.join([str(hanging), *sys.path]),
        "HOOKLINE_STORAGE_DEADLINE": "1",
    }
    async with spawn(**environment) as (receiver, sender):
        # More than asyncio's own executor has threads.
        jobs = [sender.new_job() for _ in range(40)]
        answers = await asyncio.gather(*(sender.send_envelope(envelope_of(job)) for job in jobs))
        assert {status for status, _ in answers} == {500}

        async with asyncio.timeout(5):
            large = envelope_of(jobs[0], content="x" * 2**17)
            assert (await sender.send_envelope(large, secret="a-wrong-secret"))[0] == 401
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 500

        receiver.process.terminate()
        async with asyncio.timeout(10):
            assert await receiver.process.wait() == 0

        kept = receiver.lines("webhook")
        assert "still hang" in kept[-1]["reason"], "refused at once, not after the deadline"
        assert {line["outcome"] for line in kept if line["http"] == 500} == {"kept"}
        assert {line.get("job_id") for line in kept} >= {str(job.job_id) for job in jobs}
