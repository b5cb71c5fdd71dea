"""The outcome of a handler: what its result, or the exception that it raised, means for the job."""

from __future__ import annotations

import asyncio

import structlog

from hookline.postgres.errors import StaleLease, Unavailable
from hookline.process.frames import frames_of
from hookline.sources.strict_json import replace_unstorable
from hookline.stages import Advance, Deferred, Failed, HandedOver, Job
from hookline.stages.storage_outcomes import outcome_of_storage_error
from hookline.storage.objects import StorageError
from hookline.worker.context import log_fields

__all__ = ["Outcome", "has_result", "outcome_of"]

log = structlog.get_logger("hookline.worker")

Outcome = Advance | HandedOver | Failed | Deferred

# Characters of an exception's message that are stored and logged.
_LONGEST_MESSAGE = 300
_RIGHT_RESULTS = "A handler returns a code, Advance(code, payload) or HandedOver()."


def has_result(handler: asyncio.Task[object]) -> bool:
    """Whether the handler has returned, and neither raised nor was cancelled."""
    return handler.done() and not handler.cancelled() and handler.exception() is None


def outcome_of(handler: asyncio.Task[object], job: Job, *, show_message: bool) -> Outcome:
    """The outcome of a handler that has ended. What is not expected of a handler is logged.

    `show_message` is HOOKLINE_ERROR_MESSAGES: without it, the message of an exception is neither
    stored nor logged, since it may quote the document.
    """
    if handler.cancelled():
        return Failed("CancelledError", "The handler cancelled itself.")
    match handler.exception():
        case None:
            return _outcome_of_result(handler.result(), job)
        case Failed() | Deferred() as outcome:
            return outcome
        case Unavailable() as error:
            return Deferred("database_unavailable", str(error))
        case StorageError() as error:
            return outcome_of_storage_error(error)
        case StaleLease() as error:
            # The handler has found out before the heartbeat did. If the lease was not this job's,
            # it is a failure of the handler.
            return Failed("StaleLease", str(error))
        case error:
            name, frames = type(error).__name__, frames_of(error)
            message = _message_of(error) if show_message else ""
            shown = {"message": message} if message else {}
            log.error("handler_failed", error=name, **shown, frames=frames, **log_fields(job))
            where = frames[-1].rpartition("/")[2] if frames else "its handler"
            return Failed(
                name, f"{name} at {where}: {message}" if message else f"{name} at {where}"
            )


def _outcome_of_result(result: object, job: Job) -> Outcome:
    match result:
        case Advance() | HandedOver():
            return result
        case str():
            return Advance(result)
        case None:
            wrong = Failed("no_result", f"The handler returned None. {_RIGHT_RESULTS}")
        case _:
            name = type(result).__name__
            wrong = Failed("wrong_result", f"The handler returned a {name}. {_RIGHT_RESULTS}")
    log.error("handler_result_wrong", error=wrong.text, **log_fields(job))
    return wrong


def _message_of(error: BaseException) -> str:
    """The first line of the error's message that is not empty, shortened. It never raises."""
    try:
        text = replace_unstorable(str(error))
    except Exception:
        # The class is the user's, and so is its __str__.
        return ""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"
