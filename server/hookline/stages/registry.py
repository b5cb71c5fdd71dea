"""The stage, and the registry into which the decorator `stage` puts it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hookline.postgres.records import Job
from hookline.settings import ConfigurationError
from hookline.stages.outcomes import Advance, HandedOver
from hookline.stages.tools import Tools

__all__ = ["RIGHT_HANDLER", "Handler", "Stage", "registered", "stage"]

# A str is the code of an Advance without a payload.
Handler = Callable[[Job, Tools], Awaitable[Advance | HandedOver | str]]

# The form that every handler has, for the sentences about a wrong one.
RIGHT_HANDLER = '@stage("parsed") above async def index(job, tools)'


@dataclass(frozen=True, slots=True)
class Stage:
    """A handler, and the status whose jobs it works on. Times are seconds.

    A worker runs the handler for `concurrency` jobs at once. `lease_seconds` None means
    HOOKLINE_LEASE; `timeout` None means no limit. With a `provider` only its jobs are claimed, and
    with `takes_unnamed` those that name none as well: they become its jobs. Creating a Stage does
    not register it: only the decorator does, and the built-in parsers create theirs directly.
    """

    status: str
    handler: Handler
    concurrency: int = 4
    lease_seconds: float | None = None
    timeout: float | None = None
    provider: str | None = None
    takes_unnamed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1000:
            raise self._wrong("concurrency", self.concurrency, "1 to 1000")
        if self.lease_seconds is not None and not 1 <= self.lease_seconds <= 86400:
            raise self._wrong("lease_seconds", self.lease_seconds, "1 to 86400")
        if self.timeout is not None and not self.timeout > 0:
            raise self._wrong("timeout", self.timeout, "more than 0")

    @property
    def title(self) -> str:
        """The status, with the provider if the stage is for the jobs of one."""
        return self.status if self.provider is None else f"{self.status} ({self.provider})"

    def _wrong(self, option: str, value: float, right: str) -> ConfigurationError:
        return ConfigurationError(
            f"The stage for {self.title} has {option}={value:g}; a right value is {right}."
        )


_registry: dict[str, Stage] = {}


def stage(
    status: str = "",
    *,
    concurrency: int = 4,
    lease_seconds: float | None = None,
    timeout: float | None = None,
) -> Callable[[Handler], Handler]:
    """Register an async function as the handler of a status. Stage explains the options.

    Raises ConfigurationError if the status is missing or already has another handler, or if the
    handler is not async or does not take the job and the tools.
    """
    if not isinstance(status, str):
        # A bare @stage passes the handler itself.
        raise _wrong_handler(status, "has no status")

    def register(handler: Handler) -> Handler:
        if not status:
            raise _wrong_handler(handler, "has no status")
        _check_handler(handler)
        if other := _registry.get(status):
            raise ConfigurationError(
                f"Two handlers for the status {status}: "
                f"{_name(other.handler)} and {_name(handler)}."
            )
        _registry[status] = Stage(status, handler, concurrency, lease_seconds, timeout)
        return handler

    return register


def registered() -> tuple[Stage, ...]:
    """The stages that `stage` has registered in this process, in the order of registration."""
    return tuple(_registry.values())


def _check_handler(handler: Handler) -> None:
    # A decorator may wrap an async function into one that only returns what it returns.
    function = inspect.unwrap(handler)
    if inspect.isasyncgenfunction(function):
        raise _wrong_handler(handler, "uses yield")
    called = getattr(type(function), "__call__", None)  # noqa: B004 - for what it is, not whether
    if not inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(called):
        raise _wrong_handler(handler, "is not async")
    try:
        signature = inspect.signature(handler)
    except ValueError:
        return
    try:
        signature.bind(None, None)
    except TypeError:
        raise _wrong_handler(handler, "does not take two positional arguments") from None


def _wrong_handler(handler: object, fault: str) -> ConfigurationError:
    return ConfigurationError(f"The handler {_name(handler)} {fault}: write {RIGHT_HANDLER}.")


def _name(handler: object) -> str:
    name = getattr(handler, "__qualname__", type(handler).__name__)
    code = getattr(handler, "__code__", None)
    if code is None:
        return f"{getattr(handler, '__module__', '?')}.{name}"
    return f"{name} ({code.co_filename}, line {code.co_firstlineno})"
