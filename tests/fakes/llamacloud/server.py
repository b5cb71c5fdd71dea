"""An imitation of LlamaCloud: its documented wire format over real HTTP, on a real port.

The seed and the uploaded files decide all ids, texts, faults and prices, so they are the same in
every run. Only the times differ. In a test:

    async with LlamaCloud(seed=7, pace=Pace(speed=1000)) as cloud:
        client = AsyncLlamaCloud(api_key=cloud.api_key, base_url=cloud.url, max_retries=0)

As a process: `python -m fakes.llamacloud.server --port 0 --seed 7`, which prints its URL in one
line of JSON. `GET /_state` shows its jobs, files and deliveries; `PUT /_faults` sets the faults.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from fakes.llamacloud import wire
from fakes.llamacloud.faults import FaultDraws, Faults
from fakes.llamacloud.files import files_of
from fakes.llamacloud.jobs import File, Jobs, Pace, ParseJob
from fakes.llamacloud.webhooks import Webhooks
from fakes.llamacloud.wire import Refused

_CLOSE_WITH_RST: Final = struct.pack("ii", 1, 0)
_USUAL_PACE: Final = Pace()
_NO_FAULTS: Final = Faults()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LlamaCloud:
    """The provider. It serves `url` to clients with the `api_key` while the context lasts.

    Setting `faults` takes effect with the next request or event.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        pace: Pace = _USUAL_PACE,
        faults: Faults = _NO_FAULTS,
        api_key: str = "llx-imitation",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.api_key = api_key
        self.draws = FaultDraws(seed, faults)
        self.url = ""
        self.jobs: Jobs
        self.webhooks: Webhooks
        self.requests: list[tuple[str, str, int]] = []
        """Each answered request: method, path, status."""
        self.downloads: list[str] = []
        """The names of the files that were asked for."""
        self.planned_downloads: dict[str, list[web.Response]] = {}
        """Answers instead of these files."""
        self._pace = pace
        self._address = (host, port)
        self._project_id = self.draws.uuid("project")
        self._tasks: set[asyncio.Task[None]] = set()
        self._own_errors: list[BaseException] = []
        self._stack = AsyncExitStack()
        self._creates = 0
        self._faults_since = time.monotonic()

    @property
    def faults(self) -> Faults:
        return self.draws.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.draws.faults = faults
        self._creates = 0
        self._faults_since = time.monotonic()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            self.webhooks = Webhooks(
                self.draws, http, self._spawn, self._pace.pause, self._pace.webhook_timeout
            )
            self.jobs = Jobs(self.draws, self._pace, self.webhooks, self._spawn)
            # A handler that hangs ends when its client goes away.
            runner = web.AppRunner(
                self._application(), access_log=None, handler_cancellation=True, shutdown_timeout=0
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            stack.push_async_callback(self._stop_tasks)
            await web.TCPSite(runner, *self._address).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._raise_own_errors()

    async def settle(self) -> None:
        """Wait until no job runs, all credits are recorded and every webhook was sent.

        Never returns while jobs are held.
        """
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._raise_own_errors()

    def state(self) -> dict[str, Any]:
        """The answer of `GET /_state`. `busy` is 0 when nothing is under way."""
        jobs = self.jobs.jobs.values()
        return {
            "jobs": [
                wire.job_json(job, self._project_id, usage=True)
                | {
                    "file_id": job.file.id,
                    "sha256": job.file.sha256,
                    "pages": len(job.document.pages),
                }
                for job in jobs
            ],
            "files": [
                wire.file_json(file, self._project_id)
                | {"sha256": file.sha256, "bytes": len(file.data)}
                for file in self.jobs.files.values()
            ],
            "billed": {
                "credits": self.jobs.credits_billed,
                "jobs": {job.id: job.credits for job in jobs if job.credits is not None},
            },
            "deliveries": [asdict(delivery) for delivery in self.webhooks.deliveries],
            "requests": self.requests,
            "faults": asdict(self.faults),
            "occurred": self.draws.times(),
            "busy": len(self._tasks),
        }

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._answer], client_max_size=2**30)
        application.add_routes(
            [
                web.post("/api/v1/beta/files", self._upload),
                web.post("/api/v2/parse", self._create),
                web.post("/api/v2/parse/upload", self._create_with_file),
                web.get("/api/v2/parse", self._list),
                web.get("/api/v2/parse/{id}", self._get),
                web.post("/api/v2/parse/{id}/cancel", self._cancel),
                web.delete("/api/v2/parse/{id}", self._delete),
                web.delete("/api/v1/beta/files/{id}", self._delete_file),
                web.post("/api/v1/parsing/upload", self._create_with_push),
                web.get("/_files/{id}/{name}", self._download),
                web.get("/_state", self._show_state),
                web.put("/_faults", self._set_faults),
            ]
        )
        return application

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await handler(request)
        response: web.StreamResponse
        try:
            if request.headers.get("Authorization") != f"Bearer {self.api_key}":
                raise Refused(401, "Invalid API key")
            response = await handler(request)
        except Refused as refused:
            response = refused.response()
        except web.HTTPException as error:
            response = Refused(error.status, error.reason).response()
        self.requests.append((request.method, request.path, response.status))
        return response

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        name, data = wire.file_part(form)
        await self._fail_before(request, "upload", hashlib.sha256(data).hexdigest())
        purpose, external_id = form.get("purpose"), form.get("external_file_id")
        if not isinstance(purpose, str):
            raise wire.invalid("purpose", "Field required")
        file = self.jobs.upload(name, data, purpose, str(external_id) if external_id else None)
        return web.json_response(wire.file_json(file, self._project_id))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = wire.json_object(await request.text())
        file = self.jobs.files.get(str(body.get("file_id")))
        await self._fail_before(request, "create", file.sha256 if file else "")
        if body.get("source_url"):
            raise Refused(400, "source_url is not imitated: upload the file.")
        if not body.get("file_id"):
            raise Refused(400, "Either file_id or source_url must be provided.")
        if file is None:
            raise Refused(404, "File not found")
        return await self._created(request, file, body)

    async def _create_with_file(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        name, data = wire.file_part(form)
        body = wire.json_object(str(form.get("configuration", "")))
        await self._fail_before(request, "create", hashlib.sha256(data).hexdigest())
        return await self._created(request, self.jobs.upload(name, data, "parse", None), body)

    async def _created(
        self, request: web.Request, file: File, body: dict[str, Any]
    ) -> web.StreamResponse:
        order = wire.Order.read(body)
        job = self.jobs.create(file, order.tier, order.user_metadata, order.hooks)
        job.version = order.version
        job.options = {name: body[name] for name in wire.OPTIONS if body.get(name)}
        await self._fail_after_create(request, job)
        return web.json_response(wire.job_json(job, self._project_id))

    async def _create_with_push(self, request: web.Request) -> web.StreamResponse:
        """The upload of v1. Only its `webhook_url` lets the provider push a whole result."""
        form = await request.post()
        name, data = wire.file_part(form)
        await self._fail_before(request, "create", hashlib.sha256(data).hexdigest())
        url = form.get("webhook_url")
        push_url = wire.webhook_url(url) if url else None
        file = self.jobs.upload(name, data, "parse", None)
        job = self.jobs.create(file, "cost_effective", push_url=push_url)
        await self._fail_after_create(request, job)
        return web.json_response({"id": job.id, "status": job.status})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        job_id, expand = request.match_info["id"], request.query.getall("expand", [])
        await self._fail_before(request, "get", job_id, *sorted(expand))
        found = wire.result_json(self._job(job_id), expand, self._project_id, self.url)
        return web.json_response(found)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """A file behind a presigned URL, which is that of another service: no key comes."""
        assert "Authorization" not in request.headers
        name = request.match_info["name"]
        self.downloads.append(name)
        planned = self.planned_downloads.get(name)
        if planned:
            return planned.pop(0)
        content = files_of(self._job(request.match_info["id"])).get(name)
        return web.Response(status=403) if content is None else web.Response(body=content)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        await self._fail_before(request, "list", *sorted(request.query.getall("job_ids", [])))
        listing = wire.Listing.read(request.query)
        return web.json_response(listing.page(self.jobs.listed(), self._project_id))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job_id = request.match_info["id"]
        await self._fail_before(request, "cancel", job_id)
        job = self._job(job_id)
        if not self.jobs.cancel(job):
            raise Refused(400, f"A job that is {job.status} cannot be cancelled.")
        return web.json_response(wire.job_json(job, self._project_id))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        job_id = request.match_info["id"]
        await self._fail_before(request, "delete", job_id)
        if not self._job(job_id).ended:
            raise Refused(409, "A job that runs cannot be deleted.")
        del self.jobs.jobs[job_id]
        return web.Response(status=204)

    async def _delete_file(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["id"]
        await self._fail_before(request, "delete", file_id)
        if self.jobs.files.pop(file_id, None) is None:
            raise Refused(404, "File not found")
        return web.Response(status=204)

    def _job(self, job_id: str) -> ParseJob:
        try:
            return self.jobs.jobs[job_id]
        except KeyError:
            raise Refused(404, wire.JOB_NOT_FOUND) from None

    async def _fail_before(self, request: web.Request, operation: str, *what: str) -> None:
        """Raise the fault that occurs before this request has any effect, if there is one."""
        draw = (operation, *what, self.draws.turn(operation, *what))
        if operation == "create" and self._quota_is_spent():
            self.draws.note("http_402", *draw)
            raise Refused(402, wire.QUOTA_SPENT)
        if operation not in self.faults.operations:
            return
        if self.draws.occurs("hang", *draw):
            await self._hang(request)
        if self.draws.occurs("reset", *draw):
            reset_connection(request)
        if self.draws.occurs("http_429", *draw):
            raise Refused(429, "Rate limit exceeded")
        if self.draws.occurs("http_5xx", *draw):
            raise self._server_error(*draw)

    async def _fail_after_create(self, request: web.Request, job: ParseJob) -> None:
        """Raise the fault that occurs after the job was created, if there is one."""
        if self.draws.occurs("hang_after_create", job.id):
            await self._hang(request)
        if self.draws.occurs("reset_after_create", job.id):
            reset_connection(request)
        if self.draws.occurs("http_5xx_after_create", job.id):
            raise self._server_error(job.id)

    async def _hang(self, request: web.Request) -> None:
        await asyncio.sleep(self.faults.hang_seconds)
        reset_connection(request)

    def _server_error(self, *what: str) -> Refused:
        status = self.draws.rng("status", *what).choice((500, 502, 503, 504))
        return Refused(status, "Internal server error")

    def _quota_is_spent(self) -> bool:
        number, self._creates = self._creates, self._creates + 1
        passed = (time.monotonic() - self._faults_since) * self._pace.speed
        requests, seconds = self.faults.http_402_requests, self.faults.http_402_seconds
        return (requests is not None and requests[0] <= number < requests[1]) or (
            seconds is not None and seconds[0] <= passed < seconds[1]
        )

    async def _show_state(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self.state())

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        try:
            self.faults = Faults.from_json(wire.json_object(await request.text()))
        except Refused as refused:
            return refused.response()
        except (TypeError, ValueError) as error:
            return Refused(400, str(error)).response()
        return web.json_response(asdict(self.faults))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._own_errors.append(error)

    async def _stop_tasks(self) -> None:
        # A task may start another one before its cancellation reaches it.
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _raise_own_errors(self) -> None:
        """Raise an error of the imitation itself, so that the test fails with it."""
        if self._own_errors:
            raise self._own_errors.pop(0)


def reset_connection(request: web.Request) -> None:
    """Close the connection with a RST, so that the client sees a reset and not an end."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RST)
    # aiohttp closes the connection of a cancelled handler without an answer.
    raise asyncio.CancelledError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fakes.llamacloud.server", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api-key", default="llx-imitation")
    parser.add_argument("--faults", default="{}", help="JSON, as for PUT /_faults")
    for name, value in asdict(_USUAL_PACE).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value)
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with LlamaCloud(
        seed=arguments.seed,
        pace=Pace(**{name: getattr(arguments, name) for name in asdict(_USUAL_PACE)}),
        faults=Faults.from_json(json.loads(arguments.faults)),
        api_key=arguments.api_key,
        host=arguments.host,
        port=arguments.port,
    ) as cloud:
        sys.stdout.write(json.dumps({"url": cloud.url, "api_key": cloud.api_key}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
