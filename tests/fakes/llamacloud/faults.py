"""What goes wrong at the provider, how often, and the seed that decides when."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, Final
from uuid import UUID

OPERATIONS: Final = ("upload", "create", "get", "list", "cancel")


def _probability() -> float:
    return field(default=0.0, metadata={"probability": True})


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities from 0 to 1, each drawn for itself; durations in seconds.

    Durations pass at the provider's `speed`, except for `hang_seconds`, which is real: it has to
    be longer than the client's timeout.
    """

    # Before a request has any effect; only for these operations.
    operations: tuple[str, ...] = OPERATIONS
    http_429: float = _probability()
    http_5xx: float = _probability()
    hang: float = _probability()
    reset: float = _probability()

    # After a job was created: it will be paid for, and nobody was told its id.
    http_5xx_after_create: float = _probability()
    hang_after_create: float = _probability()
    reset_after_create: float = _probability()
    hang_seconds: float = 120.0

    # The quota is spent in [from, to): requests to create a job, or seconds, counted since these
    # faults were set.
    http_402_requests: tuple[int, int] | None = None
    http_402_seconds: tuple[float, float] | None = None

    # Events that are lost, repeated, or come at another time than they should.
    webhook_dropped: float = _probability()
    webhook_duplicated: float = _probability()
    webhook_reordered: float = _probability()  # after the job's next event
    webhook_late: float = _probability()
    late_seconds: float = 20.0
    webhook_early: float = _probability()  # the result answers 404 for a while after the event
    early_seconds: float = 5.0

    # Events that look otherwise than they are documented.
    webhook_reissued: float = _probability()  # a repetition has an event_id and bytes of its own
    webhook_format_flipped: float = _probability()  # object for string, string for object
    webhook_uppercase: float = _probability()  # PARSE_SUCCESS
    webhook_only_data_id: float = _probability()
    push_field_shape: float = _probability()  # v1: the shape that was seen in the field

    # Events that are not ours: sent in addition to the true one, and before it.
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
        """Faults of an object with some of the fields. Raises ValueError for other names."""
        if unknown := values.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        changes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**changes)


KINDS: Final = tuple(field.name for field in fields(Faults) if field.metadata)
"""The names of all probabilities."""


class Luck:
    """Draws that depend on the seed and on what they are about, not on what was drawn before.

    So a fault strikes the same request again in another run, however requests interleave, and
    switching one kind on moves no other.
    """

    def __init__(self, seed: int, faults: Faults) -> None:
        self.seed = seed
        self.faults = faults
        self.struck: list[tuple[str, ...]] = []
        """Each fault that occurred: its kind, then what it was drawn for."""
        self._turns: Counter[tuple[str, ...]] = Counter()

    def strikes(self, kind: str, *what: str) -> bool:
        # random() is below 1: a probability of 1 always strikes, one of 0 never.
        struck: bool = self.rng(kind, *what).random() < getattr(self.faults, kind)
        if struck:
            self.note(kind, *what)
        return struck

    def note(self, kind: str, *what: str) -> None:
        self.struck.append((kind, *what))

    def times(self) -> Counter[str]:
        """How often each kind of fault occurred."""
        return Counter(kind for kind, *_ in self.struck)

    def turn(self, *what: str) -> str:
        """ "0", "1", ...: the how-manieth of its like this is."""
        self._turns[what] += 1
        return str(self._turns[what] - 1)

    def rng(self, *what: str) -> Random:
        return Random("/".join((str(self.seed), *what)))

    def uuid(self, *what: str) -> str:
        return str(UUID(int=self.rng("uuid", *what).getrandbits(128), version=4))
