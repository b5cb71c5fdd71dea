"""Export spans by OTLP over HTTP, configured by the OTEL_ variables alone.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from hookline.tracing.spans import Attributes, Kind, Span, use

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["exporting", "wanted"]

log = structlog.get_logger("hookline.tracing")

# Seconds at the end of the process for the last spans.
_FLUSH_TIMEOUT = 2.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted() -> bool:
    """Whether the OTEL_ variables ask for traces by OTLP: an endpoint, or the exporter's name."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return exporter == "otlp" or any(os.environ.get(name) for name in _ENDPOINTS)


@contextmanager
def exporting() -> Iterator[None]:
    """Trace inside the block, if the OTEL_ variables ask for it and the extra is installed.

    An exporter that is away delays nothing: spans wait in a queue of bounded size, and a thread
    sends them. One log line says that they are not taken, and one that they are again.
    """
    if not wanted():
        yield
        return
    try:
        provider = _open_provider()
    except ImportError:
        log.warning("tracing_off", reason="the OTEL_ variables need: pip install '.[otel]'")
        yield
        return
    use(_Tracer(provider))
    try:
        yield
    finally:
        use(None)
        closing = threading.Thread(target=provider.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(_FLUSH_TIMEOUT)


def _open_provider() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = "OTEL_SERVICE_NAME" in os.environ or f"{SERVICE_NAME}=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(
        resource=Resource.create({} if named else {SERVICE_NAME: "hookline"}),
        # Its hook would wait for an exporter that is away.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(_telling(OTLPSpanExporter())))
    # It logs every batch that is not taken, with the exporter's address.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return provider


def _telling(exporter: SpanExporter) -> SpanExporter:
    """The exporter, which logs when spans are not taken for the first time, and when again."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Telling(SpanExporter):
        def __init__(self) -> None:
            self._is_away = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            is_away = result is not SpanExportResult.SUCCESS
            if is_away and not self._is_away:
                log.warning("traces_not_exported", hint="check OTEL_EXPORTER_OTLP_ENDPOINT")
            elif self._is_away and not is_away:
                log.info("traces_exported_again")
            self._is_away = is_away
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Telling()


class _Tracer:
    """See Tracer."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hookline")

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Attributes, job_id: UUID | None
    ) -> Iterator[Span]:
        from opentelemetry import trace

        with self._tracer.start_as_current_span(
            name,
            context=None if job_id is None else self._context_of(job_id),
            kind=trace.SpanKind[kind],
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            span = _OpenSpan(opened)
            span.set(attributes)
            try:
                yield span
            except BaseException as error:
                # By the type alone: a message may quote a document.
                span.fail(type(error).__name__)
                if sqlstate := getattr(error, "sqlstate", None):
                    span.set({"db.response.status_code": sqlstate})
                raise

    def ids(self) -> dict[str, str]:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {
            "trace_id": trace.format_trace_id(context.trace_id),
            "span_id": trace.format_span_id(context.span_id),
        }

    def _context_of(self, job_id: UUID) -> Context:
        """The context in which spans of a job begin, in every process: its trace, and its root.

        The sampler of OTEL_TRACES_SAMPLER decides by the trace's id, so for the job as a whole.
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace.sampling import Decision

        root = _root_of(job_id)
        decided = self._provider.sampler.should_sample(None, root.trace_id, "job").decision
        flags = trace.TraceFlags(decided is Decision.RECORD_AND_SAMPLE)
        context = trace.SpanContext(root.trace_id, root.span_id, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(context))


class _OpenSpan(Span):
    recorded = True

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        for name, value in attributes.items():
            if value is not None:
                plain = value if isinstance(value, str | bool | int | float) else str(value)
                self._span.set_attribute(name, plain)

    def link_to_job(self, job_id: UUID) -> None:
        self._span.add_link(_root_of(job_id))

    def link_to_sender(self, traceparent: str) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        sender = trace.get_current_span(context).get_span_context()
        if sender.is_valid:
            self._span.add_link(sender)

    def fail(self, kind: str) -> None:
        from opentelemetry import trace

        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)


def _root_of(job_id: UUID) -> trace.SpanContext:
    """The ids of a job's trace follow from the job's id.

    So a process that only knows the job finds its trace, and nothing is stored. A hash, since
    samplers take the last bits of a trace's id as random, and those of a UUID are not.
    """
    from opentelemetry import trace

    digest = hashlib.sha256(job_id.bytes).digest()
    return trace.SpanContext(
        int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), is_remote=True
    )
