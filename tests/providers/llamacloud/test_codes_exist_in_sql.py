"""The statuses and codes in the stages' code are those of the database."""

from __future__ import annotations

import re

from hookline.worker.parsing import reports
from support.cloud_worker import CloudWorker
from support.servers import ROOT


async def test_every_status_and_code_of_the_stages_is_in_the_database(worker: CloudWorker) -> None:
    rows = worker.query("select status from upload_pipeline.statuses")
    assert {stage.status for stage in worker.parsing.stages} <= {row["status"] for row in rows}

    rows = worker.query("select code from upload_pipeline.event_codes where reported")
    assert {*reports._CODES.values()} <= {row["code"] for row in rows}
    advanced = re.findall(
        r'advance_job\(\s*job\.job_id,\s*job\.lease_token,\s*"(\w+)"',
        (ROOT / "server/hookline/worker/parsing/fetch_stage.py").read_text(),
    )
    assert advanced == ["parse_truncated"]
    assert worker.query("select 1 from upload_pipeline.event_codes where code = %s", *advanced)
