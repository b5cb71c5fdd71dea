"""Every query of the Grafana dashboard has a result in a real Prometheus that scrapes us."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from hookline.settings import Settings
from hookline.stages import Job, Stage, Tools
from hookline.worker.run import working
from support.sender import Start, envelope_of
from support.servers import ROOT

DASHBOARD = ROOT / "server" / "deploy" / "grafana.json"

FILL = """
select upload_pipeline.count_deliveries('[{"source": "push", "outcome": "applied", "count": 2}]');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 40);
select upload_pipeline.pause_stage('parsed', now() + interval '1 hour', 'a test');
select upload_pipeline.receive_event('push', 'd', repeat('0', 64), 'x');
"""


def queries() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(found) > 20
    return [
        re.sub(r"\$instance\b", ".*", query).replace("$__rate_interval", "10s") for query in found
    ]


async def _fail(job: Job, tools: Tools) -> str:
    raise RuntimeError("a test")


@asynccontextmanager
async def prometheus(targets: list[str], directory: Path) -> AsyncIterator[str]:
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "scrape_configs": [{"job_name": "hookline", "static_configs": [{"targets": targets}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={address}",
            stderr=log,
        )
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()


async def _ask(http: aiohttp.ClientSession, url: str, query: str) -> list[Any]:
    """The result; none while Prometheus starts. A query that it refuses fails the test."""
    try:
        async with http.get(f"{url}/api/v1/query", params={"query": query}) as response:
            answer = await response.json()
    except (aiohttp.ClientError, OSError):
        return []
    assert answer["status"] == "success" or response.status >= 500, answer
    result: list[Any] = answer.get("data", {}).get("result", [])
    return result


async def test_each_query_of_the_dashboard_has_a_result(
    start: Start, login: Callable[[str], str], tmp_path: Path
) -> None:
    async with start() as sender:
        sender.query(FILL)
        job = sender.new_job()
        sender.query("select upload_pipeline.confirm_upload(%s, 9, %s)", job.job_id, "a" * 64)
        sender.query(
            "select upload_pipeline.receive_event('push', 'd2', repeat('0', 64), 'x',"
            " 'parse_failed', job_id => %s)",
            sender.new_job().job_id,
        )
        # The worker reads Postgres at its start.
        values: dict[str, Any] = {
            "database_url": login("worker"),
            "storage_url": f"file://{sender.objects}",
            "admin_port": 0,
        }
        async with working(Settings(**values), [Stage("uploaded", _fail)]) as worker:
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
            targets = [url.removeprefix("http://") for url in (sender.admin_url, worker.admin_url)]
            async with prometheus(targets, tmp_path) as url, asyncio.timeout(50):
                empty = queries()
                while empty:
                    await asyncio.sleep(0.3)
                    empty = [q for q in empty if not await _ask(sender.http, url, q)]
