"""Faults of the provider: their probabilities, and the seed that decides when they occur."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, Final
from uuid import UUID

OPERATIONS: Final = ("upload", "create", "get", "list", "cancel", "delete")


def _probability() -> float:
    return field(default=0.0, metadata={"probability": True})


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities from 0 to 1, drawn independently; durations in seconds.

    Durations are divided by the provider's `speed`, except `hang_seconds`, which is in real
    seconds and must be longer than the client's timeout.
    """

    # These occur before a request has any effect, and only for these operations.
    operations: tuple[str, ...] = OPERATIONS
    http_429: float = _probability()
    http_5xx: float = _probability()
    hang: float = _probability()
    reset: float = _probability()

    # These occur after a job was created: it costs credits, and the client does not get its id.
    http_5xx_after_create: float = _probability()
    hang_after_create: float = _probability()
    reset_after_create: float = _probability()
    hang_seconds: float = 120.0

    # The quota is spent from the first number up to the second: of requests that create a job, or
    # of seconds, counted since these faults were set.
    http_402_requests: tuple[int, int] | None = None
    http_402_seconds: tuple[float, float] | None = None

    # Events that are lost, repeated, or sent at the wrong time.
    webhook_dropped: float = _probability()
    webhook_duplicated: float = _probability()
    webhook_reordered: float = _probability()  # after the job's next event
    webhook_late: float = _probability()
    late_seconds: float = 20.0
    webhook_early: float = _probability()  # the result answers 404 for a while after the event
    early_seconds: float = 5.0

    # Events that differ from the documentation.
    webhook_reissued: float = _probability()  # a repetition has another event_id and other bytes
    webhook_format_flipped: float = _probability()  # object for string, string for object
    webhook_uppercase: float = _probability()  # PARSE_SUCCESS
    webhook_only_data_id: float = _probability()
    push_field_shape: float = _probability()  # v1: the shape that users have reported

    # Additional events that are not ours, sent before the true one.
    webhook_foreign: float = _probability()  # of another application with the same secret
    webhook_forged: float = _probability()  # parse.error of our job, with a wrong signature

    def __post_init__(self) -> None:
        for kind in KINDS:
            if not 0 <= getattr(self, kind) <= 1:
                raise ValueError(f"{kind} is a probability from 0 to 1, not {getattr(self, kind)}")
        if unknown := set(self.operations) - set(OPERATIONS):
            raise ValueError(f"no such operation: {', '.join(sorted(unknown))}")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Faults":
        """Make faults of a JSON object with some of the fields. Raises ValueError for others."""
        if unknown := values.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        changes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**changes)


KINDS: Final = tuple(field.name for field in fields(Faults) if field.metadata)
"""The names of all probabilities."""


class FaultDraws:
    """Decides which faults occur, from the seed and the request alone, not from earlier draws.

    So the same request meets the same fault in every run, in whatever order requests come, and
    switching one kind of fault on does not change the others.
    """

    def __init__(self, seed: int, faults: Faults) -> None:
        self.seed = seed
        self.faults = faults
        self.occurred: list[tuple[str, ...]] = []
        """Each fault that occurred: its kind, then the key of its draw."""
        self._turns: Counter[tuple[str, ...]] = Counter()

    def occurs(self, kind: str, *what: str) -> bool:
        # random() is below 1: a probability of 1 always occurs, one of 0 never.
        occurred: bool = self.rng(kind, *what).random() < getattr(self.faults, kind)
        if occurred:
            self.note(kind, *what)
        return occurred

    def note(self, kind: str, *what: str) -> None:
        self.occurred.append((kind, *what))

    def times(self) -> Counter[str]:
        """How often each kind of fault occurred."""
        return Counter(kind for kind, *_ in self.occurred)

    def turn(self, *what: str) -> str:
        """How often this was called with the same key before: "0", "1", ..."""
        self._turns[what] += 1
        return str(self._turns[what] - 1)

    def rng(self, *what: str) -> Random:
        return Random("/".join((str(self.seed), *what)))

    def uuid(self, *what: str) -> str:
        return str(UUID(int=self.rng("uuid", *what).getrandbits(128), version=4))
