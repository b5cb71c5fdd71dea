"""A stage, and the registry in which the decorator `stage` puts it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hookline.postgres.records import Job
from hookline.settings import ConfigurationError
from hookline.stages.outcomes import Advance, HandedOver
from hookline.stages.tools import Tools

__all__ = ["Handler", "Stage", "registered", "stage"]

# A str is the code of an Advance without a payload.
Handler = Callable[[Job, Tools], Awaitable[Advance | HandedOver | str]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A handler and the status whose jobs it works on. Times are seconds.

    `lease_seconds` None is HOOKLINE_LEASE; `timeout` None lets the handler run for as long as it
    likes. Made by hand (as the built-in ones are) it is in no registry.
    """

    status: str
    handler: Handler
    concurrency: int = 4
    lease_seconds: float | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1000:
            raise self._wrong("concurrency", self.concurrency, "1 to 1000")
        if self.lease_seconds is not None and not 1 <= self.lease_seconds <= 86400:
            raise self._wrong("lease_seconds", self.lease_seconds, "1 to 86400")
        if self.timeout is not None and not self.timeout > 0:
            raise self._wrong("timeout", self.timeout, "more than 0")

    def _wrong(self, option: str, value: float, right: str) -> ConfigurationError:
        return ConfigurationError(
            f"The stage {self.status} has {option} {value:g}: right is {right}."
        )


_registry: dict[str, Stage] = {}


def stage(
    status: str,
    *,
    concurrency: int = 4,
    lease_seconds: float | None = None,
    timeout: float | None = None,
) -> Callable[[Handler], Handler]:
    """Register a coroutine as the handler of a status; see Stage for the options.

    Raises ConfigurationError where the status has another handler.
    """

    def register(handler: Handler) -> Handler:
        if other := _registry.get(status):
            raise ConfigurationError(
                f"Two handlers for the status {status}: "
                f"{_name(other.handler)} and {_name(handler)}."
            )
        _registry[status] = Stage(status, handler, concurrency, lease_seconds, timeout)
        return handler

    return register


def registered() -> tuple[Stage, ...]:
    """What `stage` has registered in this process, in the order of registration."""
    return tuple(_registry.values())


def _name(handler: Handler) -> str:
    module = getattr(handler, "__module__", "?")
    return f"{module}.{getattr(handler, '__qualname__', type(handler).__name__)}"
