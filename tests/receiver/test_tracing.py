"""Tracing of a receiver in a process of its own, with a real collector of OpenTelemetry."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys

from fakes.otlp_collector import OtlpCollector, running_collector
from hookline.sources.llamaparse_push import mint_token
from support.ports import lasting_port
from support.projects import SERVER
from support.receiver_process import Spawn
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, envelope_of, sign

TEXT = "# What nobody but its owner may read\n"
STRANGER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{STRANGER}-b7ad6b7169203331-01"
PUSH = "POST /webhooks/llamaparse/{job_id}/{token}"
ENVELOPE = "POST /webhooks/llamaparse"


def variables(collector: OtlpCollector) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_SERVICE_NAME": "receiver-1",
    }


async def test_spans_say_what_happened_and_hold_no_secret(spawn: Spawn) -> None:
    async with (
        running_collector() as collector,
        spawn(**variables(collector)) as (receiver, sender),
    ):
        pushed, sent = sender.new_job(), sender.new_job()
        token = mint_token(PUSH_SECRET.encode(), pushed.job_id, 1)
        await sender.push(pushed, {"md": TEXT, "txt": TEXT, "json": []})
        body = json.dumps(envelope_of(sent, content=TEXT, correlation_id="order-7")).encode()
        signature = sign(body, ENVELOPE_SECRET)
        route = "/webhooks/llamaparse"
        await sender.post(route, body, X_Webhook_Signature=signature, traceparent=TRACEPARENT)
        await sender.post(route, body, X_Webhook_Signature="0" * 64, traceparent=TRACEPARENT)
        await receiver.stop()

    [push] = collector.named(PUSH)
    envelope, refused = collector.named(ENVELOPE)
    assert {one.service for one in collector.spans} == {"receiver-1"}
    assert {one.kind for one in (push, envelope, refused)} == {"SERVER"}
    assert (
        push.attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/webhooks/llamaparse/{job_id}/{token}",
            "http.response.status_code": 200,
            "hookline.source": "llamaparse_push",
            "hookline.outcome": "applied",
            "hookline.job_id": str(pushed.job_id),
        }.items()
    )
    assert envelope.attributes["hookline.correlation_id"] == "order-7"
    assert refused.attributes["http.response.status_code"] == 401

    # The webhook is a trace of its own, linked to that of the job and to the sender's span.
    digest = hashlib.sha256(sent.job_id.bytes).hexdigest()
    of_the_job = (digest[:32], digest[32:48])
    assert envelope.links == [(STRANGER, TRACEPARENT[36:52]), of_the_job]
    assert refused.links == []
    assert {push.parent_id, envelope.parent_id, refused.parent_id} == {""}
    assert STRANGER not in {one.trace_id for one in collector.spans}

    calls = [one for one in collector.spans if one.parent_id == push.span_id]
    assert [one.name for one in calls] == [
        "upload_pipeline.expect_content",
        "upload_pipeline.finish_content",
    ]
    assert calls[0].attributes["db.system.name"] == "postgresql"

    logged = {line["trace_id"]: line["span_id"] for line in receiver.lines("webhook")}
    assert logged == {one.trace_id: one.span_id for one in (push, envelope, refused)}
    for secret in (token, TEXT.strip(), signature, PUSH_SECRET, ENVELOPE_SECRET, CLOUD_SECRET):
        assert secret.encode() not in collector.bodies


async def test_an_exporter_that_is_away_is_logged_once_and_delays_nothing(spawn: Spawn) -> None:
    port = lasting_port()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
    }
    async with spawn(**environment) as (receiver, sender):
        while not receiver.lines("traces_not_exported"):
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
        async with running_collector(port) as collector:
            while not receiver.lines("traces_exported_again"):
                assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
            await receiver.stop()
        assert collector.named(ENVELOPE)
    assert len(receiver.lines("traces_not_exported")) == 1
    assert "Traceback" not in receiver.printed
    assert {line["event"] for line in map(json.loads, receiver.printed.splitlines())} <= {
        *("receiving", "webhook", "traces_not_exported", "traces_exported_again"),
        "stopping",
    }


async def test_a_collector_that_refuses_ends_no_delivery(spawn: Spawn) -> None:
    async with running_collector() as collector:
        collector.refuses = True
        async with spawn(**variables(collector)) as (receiver, sender):
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
            async with asyncio.timeout(20):
                await receiver.stop()
            assert receiver.process.returncode == 0


def test_without_the_variables_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import os, sys; import hookline.receiver.run, hookline.worker.run\n"
        "from hookline.process.traces import tracing\n"
        "from hookline.tracing.spans import span\n"
        "with tracing(), span('a') as one: one.set({'b': 1})\n"
        "os.environ |= {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x', 'OTEL_SDK_DISABLED': 'true'}\n"
        "with tracing(), span('a') as one: one.set({'b': 1})\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SERVER)}, check=True)


def test_without_the_extra_a_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from hookline.process import logs\n"
        "from hookline.process.traces import tracing\n"
        "from hookline.tracing.spans import span\n"
        "logs.configure('json')\n"
        "with tracing(), span('a') as one: one.fail('b')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SERVER), "OTEL_TRACES_EXPORTER": "otlp"},
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = map(json.loads, done.stderr.splitlines())
    assert (line["event"], line["level"]) == ("tracing_off", "warning")
    assert "pip install '.[otel]'" in line["reason"]
