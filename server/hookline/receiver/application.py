"""The public application: one handler for all sources, and the two health routes."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from uuid import UUID

import structlog
from aiohttp import hdrs, web

from hookline.postgres.deliveries import Content, Notice
from hookline.postgres.engine import Engine
from hookline.postgres.notifier import Notifier
from hookline.postgres.records import Receipt
from hookline.process.problems import INTERNAL, problem
from hookline.process.readiness import Readiness
from hookline.receiver.accepted import AcceptedCounter
from hookline.receiver.bodies import BodyBudget, check_expectation
from hookline.receiver.busy_jobs import BusyJobs, job_key
from hookline.receiver.gathering import Gatherer
from hookline.receiver.metrics import ReceiverMetrics
from hookline.receiver.problems import EXPECTED, problem_of
from hookline.receiver.refusals import RefusalCounter, reason_of
from hookline.settings import Settings
from hookline.sources import probe
from hookline.sources.body import sha256_of
from hookline.sources.protocol import Source
from hookline.sources.refusals import NotProven, Refusal
from hookline.storage.content import take_content
from hookline.storage.objects import Storage
from hookline.timing import now
from hookline.tracing.spans import Span, procedure_span, span

__all__ = ["make_application"]

log = structlog.get_logger("hookline.receiver")

# Bytes from which a body is verified and parsed in a thread: below, the switch costs more.
_LARGE = 2**16
# Large bodies that are parsed at the same time. While one is parsed there are two copies of it.
_PARSED_AT_ONCE = 2

_UNRECOGNISED = "The body has an unknown shape. It is kept, and an operator will decide."
_MESSAGES = {
    "applied": "The job has moved.",
    "duplicate": "This was applied before.",
    "stale": "The job has moved on since.",
    "ignored": "This delivery changes nothing.",
    "parked": "Kept until its job is known.",
}


def make_application(
    *,
    settings: Settings,
    sources: tuple[Source, ...],
    engine: Engine,
    storage: Storage,
    readiness: Readiness,
    metrics: ReceiverMetrics,
    notifier: Notifier,
    refusals: RefusalCounter,
    accepted: AcceptedCounter,
) -> web.Application:
    """The application of the public listener. Everything it uses is given to it, and open."""
    application = web.Application()
    bodies = BodyBudget(settings.body_budget)
    metrics.watch_bodies(bodies)
    busy_jobs = BusyJobs(engine.pool)
    parsing = asyncio.Semaphore(_PARSED_AT_ONCE)
    gatherer = Gatherer(engine, busy_jobs, connections=settings.pool_size)
    for source in sources:
        handler = _Handler(
            source=source,
            engine=engine,
            storage=storage,
            bodies=bodies,
            busy_jobs=busy_jobs,
            parsing=parsing,
            gatherer=gatherer,
            metrics=metrics,
            notifier=notifier,
            refusals=refusals,
            accepted=accepted,
            read_timeout=settings.read_timeout,
            storage_deadline=settings.storage_deadline,
        )
        application.router.add_post(source.route, handler.handle, expect_handler=check_expectation)
    application.router.add_get("/healthz", _alive)
    application.router.add_get("/readyz", readiness.answer)
    return application


async def _alive(request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


class _Progress:
    """What is committed of a delivery so far, for its log line: a later step may still fail."""

    def __init__(self) -> None:
        self.outcome = "refused"
        self.ids: dict[str, object] = {}
        self.job_id: UUID | None = None

    def record(self, receipt: Receipt, event: Notice | Content) -> None:
        self.outcome = receipt.outcome
        self.ids = _identify(receipt, event)
        self.job_id = receipt.job_id


class _Handler:
    """Takes the deliveries of one source: limits, proof, parsing, SQL, answer, and a log line."""

    def __init__(
        self,
        *,
        source: Source,
        engine: Engine,
        storage: Storage,
        bodies: BodyBudget,
        busy_jobs: BusyJobs,
        parsing: asyncio.Semaphore,
        gatherer: Gatherer,
        metrics: ReceiverMetrics,
        notifier: Notifier,
        refusals: RefusalCounter,
        accepted: AcceptedCounter,
        read_timeout: float,
        storage_deadline: float,
    ) -> None:
        self._source = source
        self._engine = engine
        self._storage = storage
        self._bodies = bodies
        self._busy_jobs = busy_jobs
        self._parsing = parsing
        self._gatherer = gatherer
        self._metrics = metrics
        self._notifier = notifier
        self._refusals = refusals
        self._accepted = accepted
        self._read_timeout = read_timeout
        self._storage_deadline = storage_deadline

    async def handle(self, request: web.Request) -> web.StreamResponse:
        route = self._source.route
        attributes = {
            "http.request.method": "POST",
            # The route, never the path: a path may hold a token.
            "http.route": route,
            "hookline.source": self._source.name,
        }
        with span(f"POST {route}", "SERVER", attributes) as spanned:
            return await self._handle(request, spanned)

    async def _handle(self, request: web.Request, spanned: Span) -> web.StreamResponse:
        started = time.perf_counter()
        route = self._source.route
        fields: dict[str, object] = {"source": self._source.name, "route": route}
        progress = _Progress()
        try:
            if (token := request.query.get(probe.PARAMETER)) is not None:
                response = await self._answer_probe(request, token)
                progress.outcome = "probe"
            else:
                response = _answer(await self._receive(request, progress), progress)
                self._accepted.count(self._source.name, progress.outcome)
        except EXPECTED as error:
            response = problem_of(error)
            # Of a missing proof our log tells more than the sender may know.
            said = error.reason.sentence if isinstance(error, NotProven) else str(error)
            fields["reason"] = said
            if response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._refusals.count(self._source.name, reason_of(error), request)
        except web.HTTPError as error:
            response = problem(HTTPStatus(error.status), error.reason)
            fields["reason"] = error.reason
            self._refusals.count(self._source.name, reason_of(error), request)
        except Exception:
            response = problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL)
            fields["reason"] = INTERNAL
            log.exception("webhook_failed", source=self._source.name, route=route)
        seconds = time.perf_counter() - started
        self._metrics.count(self._source.name, progress.outcome, response.status, seconds)
        if spanned.recorded:
            _describe(spanned, request, response, progress)
        log.info(
            "webhook",
            **fields,
            outcome=progress.outcome,
            http=response.status,
            ms=round(seconds * 1000, 1),
            **progress.ids,
        )
        return response

    async def _receive(self, request: web.Request, progress: _Progress) -> Receipt:
        self._check_head(request)
        async with self._bodies.read(
            request, limit=self._source.body_limit, seconds=self._read_timeout
        ) as body:
            if len(body) > _LARGE:
                async with self._parsing:
                    event, body_sha256 = await asyncio.to_thread(self._read, request, body)
            else:
                event, body_sha256 = self._read(request, body)
            # The content is a copy.
            body.clear()

            if isinstance(event, Notice):
                # Its statement is shared with other requests, so this is the wait for it.
                with procedure_span("receive_events"):
                    receipt = await self._gatherer.receive(self._source.name, body_sha256, event)
            else:
                receipt = await self._take_content(body_sha256, event, progress)
            progress.record(receipt, event)
            if receipt.outcome == "applied":
                self._notifier.notify(receipt.status)
        return receipt

    def _check_head(self, request: web.Request) -> None:
        """Refuse what the path and the headers alone show to be wrong."""
        self._source.check_path(request.match_info)
        encodings = request.headers.getall(hdrs.CONTENT_ENCODING, ())
        if any(encoding.lower() != "identity" for encoding in encodings):
            raise web.HTTPUnsupportedMediaType(reason="Content-Encoding is not accepted")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(reason="The content type is application/json")

    async def _answer_probe(self, request: web.Request, token: str) -> web.Response:
        """Say what arrived, and what would become of it. Only for who knows a secret."""
        secret = probe.verify_token(token, self._source.name, self._source.keys, time.time())
        async with self._bodies.read(
            request, limit=self._source.body_limit, seconds=self._read_timeout
        ) as body:
            async with self._parsing:
                refused, body_sha256 = await asyncio.to_thread(self._judge, request, body)
            size = len(body)
        seen = {
            "bytes": size,
            "sha256": body_sha256,
            "headers": [
                [name.lower(), value]
                for name, value in request.headers.items()
                if name.lower() in probe.ECHOED
            ],
            "names": sorted({name.lower() for name in request.headers}),
            "refused": refused,
            "body_limit": self._source.body_limit,
        }
        answer = {"seen": seen, "proof": probe.seal(secret, token, seen)}
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")

    def _judge(self, request: web.Request, body: bytearray) -> tuple[str | None, str]:
        """The reason for which a delivery would be refused before SQL; the SHA-256 of its body."""
        refused = None
        try:
            self._check_head(request)
            self._source.read(request.headers, body, time.time(), request.match_info)
        except (Refusal, web.HTTPError) as error:
            refused = reason_of(error)
        return refused, sha256_of(body)

    def _read(self, request: web.Request, body: bytearray) -> tuple[Notice | Content, str]:
        event = self._source.read(request.headers, body, time.time(), request.match_info)
        return event, sha256_of(body)

    async def _take_content(
        self, body_sha256: str, content: Content, progress: _Progress
    ) -> Receipt:
        return await take_content(
            self._engine,
            self._storage,
            self._source.name,
            body_sha256,
            content,
            deadline=self._storage_deadline,
            repeatable=False,
            first_call=self._busy_jobs.one_call(job_key(content)),
            on_commit=lambda receipt: progress.record(receipt, content),
        )


def _describe(
    spanned: Span, request: web.Request, response: web.StreamResponse, progress: _Progress
) -> None:
    spanned.set({"http.response.status_code": response.status})
    spanned.set({"hookline.outcome": progress.outcome})
    spanned.set({f"hookline.{name}": value for name, value in progress.ids.items()})
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        spanned.fail(str(response.status))
    # Only of a delivery that is proven: before that the sender is a stranger.
    if progress.ids and (traceparent := request.headers.get("traceparent")):
        spanned.link_to_sender(traceparent)
    if progress.job_id is not None:
        spanned.link_to_job(progress.job_id)


def _answer(receipt: Receipt, progress: _Progress) -> web.Response:
    if receipt.outcome == "unrecognised":
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, _UNRECOGNISED)
    body = {
        "success": True,
        "message": _MESSAGES[receipt.outcome],
        "job_id": progress.ids.get("job_id"),
        "document_id": progress.ids.get("document_id"),
        "processed_at": now().isoformat(),
        "outcome": receipt.outcome,
    }
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


def _identify(receipt: Receipt, event: Notice | Content) -> dict[str, object]:
    found = {
        "delivery_id": event.delivery_id,
        "event_type": event.event_type,
        "job_id": _text(receipt.job_id),
        "document_id": _text(receipt.document_id),
        "parse_job_id": event.parse_job_id,
        "correlation_id": event.correlation_id,
        "event_id": _text(receipt.event_id),
        "status": receipt.status,
        "bytes": len(event.content) if isinstance(event, Content) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
