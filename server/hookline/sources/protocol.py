"""What the receiver needs to know of a source, and asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

from hookline.postgres.deliveries import Content, Notice

__all__ = ["SigningSource", "Source"]


class Source(Protocol):
    """One kind of sender. `name` is the word of webhook_deliveries.source."""

    @property
    def name(self) -> str: ...

    @property
    def route(self) -> str:
        """A path of `routes`; `{...}` in it are the keys of `path` below."""

    @property
    def body_limit(self) -> int:
        """The largest body that the source takes, in bytes."""

    @property
    def keys(self) -> Sequence[bytes]:
        """The secrets that prove a sender, as bytes."""

    def check_path(self, path: Mapping[str, str]) -> None:
        """Refuse a delivery by its path alone, before its body is read. Raises NotProven.

        This only saves the work of reading. `read` checks the path again.
        """

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Notice | Content:
        """Verify who sent the delivery, then parse it; `now` is in Unix seconds.

        Raises NotProven, and only for a proven delivery Malformed or Unprocessable.
        """


@runtime_checkable
class SigningSource(Source, Protocol):
    """A source that can also make what it verifies: for `hookline send` and `doctor --public`."""

    def sign(
        self,
        body: bytes,
        secret: bytes,
        *,
        message_id: str,
        now: float,
        job_id: UUID,
        attempt: int,
    ) -> Mapping[str, str]:
        """The headers that prove a delivery which is sent at `now`, in Unix seconds.

        `secret` is one of `keys`. The delivery is about this attempt of this job, for senders that
        return what they were given with it.
        """
