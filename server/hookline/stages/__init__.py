"""Everything that a stage of your own needs. A stage does the work of one status.

    from hookline import Job, Tools, stage

    @stage("parsed")
    async def index(job: Job, tools: Tools) -> str:
        text = await tools.markdown(job)
        ...
        return "job_completed"

The function is the handler of the stage. A worker calls it once for each job that comes to the
status, and holds a lease on the job meanwhile. How the handler ends decides what becomes of the
job; see `hookline.stages.outcomes`.

A handler runs on the worker's event loop, which also prolongs the lease. So call what blocks in
`asyncio.to_thread`. After a crash a handler runs again for the same job, so its effects elsewhere
must be safe to repeat.
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
