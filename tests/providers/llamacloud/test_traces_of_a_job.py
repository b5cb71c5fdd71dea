"""A document's whole way in one trace of its job: the worker, its calls, and the webhook's link."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fakes.otlp_collector import running_collector
from hookline.process.traces import tracing
from hookline.receiver.run import receiving
from hookline.settings import Settings
from hookline.worker.parsing.configured_stages import parser_stages
from hookline.worker.run import working
from support.cloud_worker import PDF, Employ

SECRET = "the-newest-secret-of-all"


async def test_the_work_on_a_job_is_one_trace_to_which_its_webhook_links(
    employ: Employ,
    login: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        values: dict[str, Any] = {
            "database_url": login("ingest"),
            "storage_url": f"file://{tmp_path}/objects",
            "llamacloud_secrets": (SECRET,),
            "port": 0,
            "admin_port": 0,
        }
        with tracing():
            async with (
                receiving(Settings(**values)) as receiver,
                employ(public_url=receiver.url, llamacloud_secrets=(SECRET,)) as worker,
            ):
                api_key = worker.cloud.api_key
                settings = worker.settings.model_copy(
                    update={
                        "llama_cloud_api_key": SecretStr(api_key),
                        "llama_cloud_base_url": worker.cloud.url,
                        "admin_port": 0,
                    }
                )
                job_id = await worker.upload(PDF)
                async with (
                    parser_stages(settings) as parser,
                    working(settings, parser.stages, parser.periodic),
                    asyncio.timeout(20),
                ):
                    while worker.status(job_id) != "parsed":
                        await asyncio.sleep(0.05)
                text = await worker.stored(job_id)
            # Its queue is sent by a thread at the end of the block; the loop must answer meanwhile.
            flushing = asyncio.get_running_loop().run_in_executor(None, _flush)
            await flushing

    digest = hashlib.sha256(job_id.bytes).hexdigest()
    [submit] = collector.named("process uploaded")
    [fetch] = collector.named("process parse_ready")
    for one in (submit, fetch):
        assert (one.kind, one.trace_id, one.parent_id) == ("CONSUMER", digest[:32], digest[32:48])
        assert one.attributes["hookline.result"] == "handed_over"
        assert one.attributes["messaging.message.conversation_id"]
    children = {one.name for one in collector.spans if one.parent_id == submit.span_id}
    assert {"llamacloud submit", "upload_pipeline.record_submission"} <= children
    [webhook] = collector.named("POST /webhooks/llamacloud")
    assert webhook.trace_id != submit.trace_id
    assert webhook.links == [(submit.trace_id, submit.parent_id)]
    for secret in (api_key, SECRET, str(text)[:40]):
        assert secret.encode() not in collector.bodies


def _flush() -> None:
    from hookline.tracing import spans

    tracer = spans._tracer
    assert tracer is not None
    tracer._provider.force_flush()  # type: ignore[attr-defined]
