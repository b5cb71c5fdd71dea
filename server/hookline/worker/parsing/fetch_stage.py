"""Stage `parse_ready`: fetches the result and stores it, or records why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from hookline.postgres.deliveries import Content
from hookline.postgres.engine import Engine
from hookline.providers.artifacts import Artifacts
from hookline.providers.client import ParseJob, ProviderClient, Result
from hookline.providers.errors import NotReady, ProviderError, UnknownParseJob
from hookline.providers.options import read_options
from hookline.sources.markdown import holds_text
from hookline.sources.strict_json import replace_unstorable
from hookline.stages import Deferred, Failed, HandedOver, Job, Paused, Tools
from hookline.stages.storage_outcomes import outcome_of_storage_error
from hookline.storage.content import hash_of, take_content
from hookline.storage.objects import StorageError
from hookline.worker.parsing.outcomes import failure_of, is_stuck, outcome_of_error, why_ended

__all__ = ["Fetch"]

# A result that does not appear within this time after its job is done never will.
_READABLE_WITHIN: Final = timedelta(hours=1)
# Characters of a provider's text in an event.
_LONGEST_REASON: Final = 1000
# Time for the receiver's drain to store the content. If no drain runs, it is fetched again.
_DRAIN_PAUSE: Final = timedelta(minutes=5)


class Fetch:
    """The handler. An attempt may have several provider jobs; the latest success counts."""

    def __init__(self, client: ProviderClient) -> None:
        self._client = client
        self._artifacts = Artifacts(client)

    async def __call__(self, job: Job, tools: Tools) -> HandedOver:
        """End the lease by finish_content. Raises Failed, Deferred, Paused."""
        result = await self._result(job, tools)
        content = result.markdown.encode("utf-8", "surrogatepass")
        if not holds_text(result.markdown):
            raise _nothing_in(result)
        if result.cut or result.failed or result.incomplete:
            # Before the content, so that no content is stored without its warning.
            await tools.engine.advance_job(
                job.job_id,
                job.lease_token,
                "parse_truncated",
                _what_is_missing(result),
                keep_lease=True,
            )
        # Before the content too, which moves the job: who hears of it finds them.
        kinds = read_options(self._client.options, job.options, self._client.name).artifacts
        artifacts = await self._artifacts.store(job, tools, kinds, result.job.id, result.artifacts)
        await self._store(job, tools, result, content, artifacts)
        # With several provider jobs the sum counts. The reconciler finds it.
        if result.job.billed is not None and len(job.parse_job_ids) == 1:
            await tools.engine.settle_credits(
                job.job_id, job.attempt, result.job.billed, parse_job_id=result.job.id
            )
        return HandedOver()

    async def _store(
        self,
        job: Job,
        tools: Tools,
        result: Result,
        content: bytes,
        artifacts: Mapping[str, int],
    ) -> None:
        sha256 = await hash_of(content)
        details: dict[str, Any] = {
            **result.details,
            "parse_job_id": result.job.id,
            "content_length": len(result.markdown),
        }
        if result.pages is not None:
            details["pages"] = result.pages
        if artifacts:
            details["artifacts"] = artifacts
        delivery = Content(
            delivery_id=f"fetched:{result.job.id}",
            event_type="parse.result",
            job_id=job.job_id,
            content=content,
            document_id=job.document_id,
            parse_job_id=result.job.id,
            attempt=job.attempt,
            details=details,
        )
        try:
            receipt = await take_content(
                tools.engine,
                tools.storage,
                self._client.name,
                sha256,
                delivery,
                deadline=tools.settings.storage_deadline,
                repeatable=True,
            )
        except StorageError as error:
            raise _outcome_of_kept(error) from error
        if receipt.outcome == "stale":
            # Usually the job has moved, and the lease has ended. If not, deferring ends it.
            raise Deferred("content_stale", f"The job is {receipt.status} now.")

    async def _result(self, job: Job, tools: Tools) -> Result:
        """The result of the attempt. If there is none, it raises what that means for the job."""
        others: list[ParseJob] = []
        try:
            for parse_job_id in job.parse_job_ids:
                with suppress(UnknownParseJob):
                    try:
                        return await self._client.fetch(parse_job_id)
                    except NotReady:
                        others.append(await self._client.ask(parse_job_id))
        except ProviderError as error:
            raise outcome_of_error(error, self._client) from error
        raise await self._no_result(others, tools.engine)

    async def _no_result(self, jobs: list[ParseJob], engine: Engine) -> Deferred | Failed:
        by_status = {job.status: job for job in reversed(jobs)}
        for unfinished in (by_status.get("running"), by_status.get("waiting")):
            if unfinished and not await is_stuck(unfinished, self._client, engine):
                return Deferred("parse_running", f"The provider says {unfinished.said}.")
        if completed := by_status.get("done"):
            if not await self._is_gone(completed, engine):
                return Deferred(
                    "result_not_ready", "The provider has the result but does not show it yet."
                )
            return Failed("result_gone", "The provider does not show the result.", start_over=True)
        if failed := by_status.get("failed"):
            return failure_of(failed)
        if cancelled := by_status.get("cancelled"):
            return Failed("parse_cancelled", why_ended(cancelled), permanent=True)
        if jobs:
            return Failed("parse_stuck", "The job does not end at the provider.", start_over=True)
        return Failed("parse_job_unknown", "The provider does not know the job.", start_over=True)

    async def _is_gone(self, completed: ParseJob, engine: Engine) -> bool:
        if completed.updated_at is None:
            return await is_stuck(completed, self._client, engine)
        return await engine.clock() - completed.updated_at >= _READABLE_WITHIN


def _outcome_of_kept(error: StorageError) -> Deferred | Failed:
    """For content that is kept in Postgres: the drain has time to store it before the next try."""
    outcome = outcome_of_storage_error(error)
    if isinstance(outcome, Failed | Paused):
        return outcome
    text = f"{outcome.text} Postgres keeps the content, and the drain tries again."
    return Deferred(outcome.code, text, _DRAIN_PAUSE)


def _what_is_missing(result: Result) -> dict[str, object]:
    missing: dict[str, object] = {
        "parse_job_id": result.job.id,
        "pages": list(result.cut),
        "failed_pages": list(result.failed),
    }
    if result.incomplete is not None:
        missing["reason"] = replace_unstorable(result.incomplete)[:_LONGEST_REASON]
    return missing


def _nothing_in(result: Result) -> Failed:
    if result.failed:
        pages = ", ".join(map(str, result.failed[:20]))
        text = f"Pages {pages} failed, and no other page has text."
        return Failed("PAGES_FAILED", text, start_over=True)
    where = "" if result.pages is None else f" on {result.pages} pages"
    return Failed("NO_DATA_FOUND_IN_FILE", f"The provider found no text{where}.", permanent=True)
