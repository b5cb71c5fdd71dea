"""What a stage is: a coroutine that does the work of one status, and how it says what came of it.

    from hookline import Job, Tools, stage

    @stage("parsed")
    async def index(job: Job, tools: Tools) -> str:
        text = await tools.markdown(job)
        ...
        return "job_completed"

A handler runs on the event loop, under a lease that is prolonged while it runs. What blocks goes to
`asyncio.to_thread`: a loop that stands still prolongs nothing. It may run again for the same job
after a crash, so what it does elsewhere has to bear repetition.
"""

from __future__ import annotations

from hookline.postgres.records import Job
from hookline.stages.outcomes import Advance, Deferred, Failed, HandedOver, Paused
from hookline.stages.registry import Handler, Stage, registered, stage
from hookline.stages.tools import Tools

__all__ = [
    "Advance",
    "Deferred",
    "Failed",
    "HandedOver",
    "Handler",
    "Job",
    "Paused",
    "Stage",
    "Tools",
    "registered",
    "stage",
]
