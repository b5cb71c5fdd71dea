"""An imitation of LlamaCloud: its documented wire format over real HTTP, on a real port.

A function of a seed and of what was uploaded: ids, texts, faults and prices are the same in every
run; only the times differ. In a test:

    async with LlamaCloud(seed=7, pace=Pace(speed=1000)) as cloud:
        client = AsyncLlamaCloud(api_key=cloud.api_key, base_url=cloud.url, max_retries=0)

As a process: `python -m fakes.llamacloud.server --port 0 --seed 7`, which prints its URL in one
line of JSON; `GET /_state` tells what it knows, `PUT /_faults` sets what goes wrong.
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
from fakes.llamacloud.faults import Faults, Luck
from fakes.llamacloud.jobs import File, Jobs, Pace, ParseJob
from fakes.llamacloud.webhooks import Webhooks
from fakes.llamacloud.wire import Refused

_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_USUAL_PACE: Final = Pace()
_NO_FAULTS: Final = Faults()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LlamaCloud:
    """The provider, while the context lasts, at `url` for who has the `api_key`.

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
        self.luck = Luck(seed, faults)
        self.url = ""
        self.jobs: Jobs
        self.webhooks: Webhooks
        self.requests: list[tuple[str, str, int]] = []
        """Each request that was answered: method, path, status."""
        self._pace = pace
        self._address = (host, port)
        self._project_id = self.luck.uuid("project")
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: list[BaseException] = []
        self._stack = AsyncExitStack()
        self._creates = 0
        self._faults_since = time.monotonic()

    @property
    def faults(self) -> Faults:
        return self.luck.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.luck.faults = faults
        self._creates = 0
        self._faults_since = time.monotonic()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            self.webhooks = Webhooks(
                self.luck, http, self._spawn, self._pace.pause, self._pace.webhook_timeout
            )
            self.jobs = Jobs(self.luck, self._pace, self.webhooks, self._spawn)
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
        self._raise_broken()

    async def settle(self) -> None:
        """Wait until no job runs, all credits are recorded and every webhook was sent.

        While jobs are held, that is never.
        """
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._raise_broken()

    def state(self) -> dict[str, Any]:
        """What `GET /_state` answers. `busy` is 0 when all is settled."""
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
            "struck": self.luck.times(),
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
                web.post("/api/v1/parsing/upload", self._create_with_push),
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
        await self._trouble(request, "upload", hashlib.sha256(data).hexdigest())
        purpose, external_id = form.get("purpose"), form.get("external_file_id")
        if not isinstance(purpose, str):
            raise wire.invalid("purpose", "Field required")
        file = self.jobs.upload(name, data, purpose, str(external_id) if external_id else None)
        return web.json_response(wire.file_json(file, self._project_id))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = wire.json_object(await request.text())
        file = self.jobs.files.get(str(body.get("file_id")))
        await self._trouble(request, "create", file.sha256 if file else "")
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
        await self._trouble(request, "create", hashlib.sha256(data).hexdigest())
        return await self._created(request, self.jobs.upload(name, data, "parse", None), body)

    async def _created(
        self, request: web.Request, file: File, body: dict[str, Any]
    ) -> web.StreamResponse:
        order = wire.Order.read(body)
        job = self.jobs.create(file, order.tier, order.user_metadata, order.hooks)
        await self._trouble_after(request, job)
        return web.json_response(wire.job_json(job, self._project_id))

    async def _create_with_push(self, request: web.Request) -> web.StreamResponse:
        """v1's upload: its `webhook_url` is the one way to have a whole result pushed."""
        form = await request.post()
        name, data = wire.file_part(form)
        await self._trouble(request, "create", hashlib.sha256(data).hexdigest())
        url = form.get("webhook_url")
        push_url = wire.webhook_url(url) if url else None
        file = self.jobs.upload(name, data, "parse", None)
        job = self.jobs.create(file, "cost_effective", push_url=push_url)
        await self._trouble_after(request, job)
        return web.json_response({"id": job.id, "status": job.status})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        job_id, expand = request.match_info["id"], request.query.getall("expand", [])
        await self._trouble(request, "get", job_id, *sorted(expand))
        return web.json_response(wire.result_json(self._job(job_id), expand, self._project_id))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        await self._trouble(request, "list", *sorted(request.query.getall("job_ids", [])))
        listing = wire.Listing.read(request.query)
        return web.json_response(listing.page(self.jobs.listed(), self._project_id))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job_id = request.match_info["id"]
        await self._trouble(request, "cancel", job_id)
        job = self._job(job_id)
        if not self.jobs.cancel(job):
            raise Refused(400, f"A job that is {job.status} cannot be cancelled.")
        return web.json_response(wire.job_json(job, self._project_id))

    def _job(self, job_id: str) -> ParseJob:
        try:
            return self.jobs.jobs[job_id]
        except KeyError:
            raise Refused(404, wire.JOB_NOT_FOUND) from None

    async def _trouble(self, request: web.Request, operation: str, *what: str) -> None:
        """The faults that a request meets before it has any effect."""
        draw = (operation, *what, self.luck.turn(operation, *what))
        if operation == "create" and self._quota_is_spent():
            self.luck.note("http_402", *draw)
            raise Refused(402, wire.QUOTA_SPENT)
        if operation not in self.faults.operations:
            return
        if self.luck.strikes("hang", *draw):
            await self._hang(request)
        if self.luck.strikes("reset", *draw):
            _reset(request)
        if self.luck.strikes("http_429", *draw):
            raise Refused(429, "Rate limit exceeded")
        if self.luck.strikes("http_5xx", *draw):
            raise self._server_error(*draw)

    async def _trouble_after(self, request: web.Request, job: ParseJob) -> None:
        """The faults that a request meets when its job was created."""
        if self.luck.strikes("hang_after_create", job.id):
            await self._hang(request)
        if self.luck.strikes("reset_after_create", job.id):
            _reset(request)
        if self.luck.strikes("http_5xx_after_create", job.id):
            raise self._server_error(job.id)

    async def _hang(self, request: web.Request) -> None:
        await asyncio.sleep(self.faults.hang_seconds)
        _reset(request)

    def _server_error(self, *what: str) -> Refused:
        status = self.luck.rng("status", *what).choice((500, 502, 503, 504))
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
            self._broken.append(error)

    async def _stop_tasks(self) -> None:
        # A task may start another one before it hears that it is cancelled.
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _raise_broken(self) -> None:
        """The imitation's own errors are no faults of the provider: the test hears of them."""
        if self._broken:
            raise self._broken.pop(0)


def _reset(request: web.Request) -> None:
    """Close the connection with a RST, so that the client finds it broken and not just closed."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    # A handler that is cancelled has its connection closed, without an answer.
    raise asyncio.CancelledError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fakes.llamacloud.server", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api-key", default="llx-imitation")
    parser.add_argument("--faults", default="{}", help="JSON, as PUT /_faults takes it")
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
