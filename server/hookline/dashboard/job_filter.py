"""The filters of the list of jobs: read from an address, and written into one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from hookline.dashboard.errors import Refused

__all__ = ["AGES", "JobFilter", "read_id"]

AGES: Final[Mapping[str, timedelta]] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""The choices for `age`: jobs created within this time."""

# Such a text is the beginning of an id, everything else is part of a file's name.
_ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
_METADATA = re.compile("[^=]+=.*")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a job has to be to be listed; None: anything. `before` is where the page begins."""

    status: str | None = None
    code: str | None = None
    owner: UUID | None = None
    document: UUID | None = None
    age: str | None = None
    text: str | None = None
    provider: str | None = None
    metadata: str | None = None
    before: UUID | None = None

    @classmethod
    def read(cls, given: Mapping[str, str], statuses: list[str]) -> JobFilter:
        """The filters of a query string. Raises Refused, 400, for a value that is not possible."""
        values = {name: value.strip() for name, value in given.items() if value.strip()}
        for name, value in values.items():
            if len(value) > _LONGEST or not value.isprintable():
                raise _wrong(name, f"it is a text of at most {_LONGEST} characters")
        status, age = values.get("status"), values.get("age")
        if status is not None and status not in statuses:
            raise _wrong("status", f"it is one of {', '.join(statuses)}")
        if age is not None and age not in AGES:
            raise _wrong("age", f"it is one of {', '.join(AGES)}")
        if "metadata" in values and not _METADATA.fullmatch(values["metadata"]):
            raise _wrong("metadata", "it is a name and a value, as customer=42")
        return cls(
            status=status,
            code=values.get("code"),
            owner=_read(values, "owner", UUID),
            document=_read(values, "document", UUID),
            age=age,
            text=values.get("text"),
            provider=values.get("provider"),
            metadata=values.get("metadata"),
            before=_read(values, "before", UUID),
        )

    @property
    def id_prefix(self) -> str | None:
        """The text, if it is the beginning of an id."""
        text = (self.text or "").lower()
        return text if _ID_PREFIX.fullmatch(text) else None

    @property
    def wanted_metadata(self) -> dict[str, str]:
        """The value that the metadata has to have, by its name. Empty: any."""
        name, equals, value = (self.metadata or "").partition("=")
        return {name: value} if equals else {}

    def query(self, *, before: UUID | None = None) -> str:
        """The filters as a query string, for the page that begins before a job."""
        values = {
            "status": self.status,
            "code": self.code,
            "owner": self.owner,
            "document": self.document,
            "age": self.age,
            "text": self.text,
            "provider": self.provider,
            "metadata": self.metadata,
            "before": before,
        }
        return urlencode({name: str(value) for name, value in values.items() if value is not None})


def read_id(text: str) -> UUID:
    """The id of a job in a path. Raises Refused, 404."""
    try:
        return UUID(text)
    except ValueError:
        raise Refused(HTTPStatus.NOT_FOUND, "This is not the id of a job.") from None


def _read(values: Mapping[str, str], name: str, kind: Callable[[str], UUID]) -> UUID | None:
    if name not in values:
        return None
    try:
        return kind(values[name])
    except ValueError:
        raise _wrong(name, "it is an id, such as 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b") from None


def _wrong(name: str, right: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"The filter {name} is wrong: {right}.")
