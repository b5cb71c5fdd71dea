"""The documents of a run, and how each of them must end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Final
from uuid import UUID

from fakes.llamacloud.documents import expected_markdown

_GOOD: Final = b"%PDF-1.7"
# Of a hundred documents: how many, their marker, and their failure code. The others are good.
_MIX: Final = (
    (6, b"%FAIL PDF_IS_PROTECTED", "PDF_IS_PROTECTED"),
    (4, b"%FAIL PDF_IS_BROKEN", "PDF_IS_BROKEN"),
    # A timeout may be temporary, so these are parsed three times.
    (3, b"%FAIL TIMEOUT", "TIMEOUT"),
    (5, b"%BLANK", "NO_DATA_FOUND_IN_FILE"),
    (4, b"%LONG", None),
    (4, b"%PARTIAL", None),
    (3, b"%STUCK", "parse_stuck"),
)
_OWNERS: Final = 5
# Of a hundred good documents, how many have the same bytes as one of another owner.
_TWINS: Final = 10


@dataclass(frozen=True)
class Document:
    """A file of an owner. `failure` is the code it must fail with; None means it is parsed."""

    owner_id: UUID
    name: str
    content: bytes = field(repr=False)
    failure: str | None

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def markdown(self) -> bytes:
        return expected_markdown(self.name, self.content).encode()

    @property
    def raw_path(self) -> str:
        return f"storage://raw/{self.owner_id}/{self.name}"


def documents(count: int, seed: int) -> Sequence[Document]:
    """A mix of all kinds, each at least once, in an order that the seed decides."""
    rng = Random(f"{seed}/documents")
    marked = [
        (marker, failure)
        for percent, marker, failure in _MIX
        for _ in range(max(1, round(count * percent / 100)))
    ]
    kinds = [*marked, *[(_GOOD, None)] * (count - len(marked))]
    rng.shuffle(kinds)
    owners = [UUID(int=rng.getrandbits(128), version=4) for _ in range(_OWNERS)]
    made: list[Document] = []
    original: bytes | None = None
    for number, (marker, failure) in enumerate(kinds):
        content = b"%s\n%d\n%s" % (marker, number, b"/Type /Page\n" * rng.randint(1, 4))
        if marker == _GOOD and original is not None and rng.randrange(100) < _TWINS:
            content, original = original, None
        else:
            # The next document belongs to another owner and may reuse these bytes.
            original = content if marker == _GOOD else None
        made.append(Document(owners[number % _OWNERS], f"{number:04}.pdf", content, failure))
    return made
