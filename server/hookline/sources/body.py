"""The body of a request, whose SHA-256 is needed twice and computed once."""

from __future__ import annotations

import hashlib

__all__ = ["Body", "sha256_of"]


class Body(bytearray):
    """The bytes of a body. Once it was asked for their hash, they may be freed but not changed."""

    _sha256: str | None = None

    @property
    def sha256(self) -> str:
        """Their SHA-256 in hex, also after they were freed."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(self).hexdigest()
        return self._sha256


def sha256_of(body: bytes | bytearray) -> str:
    """SHA-256 in hex."""
    return body.sha256 if isinstance(body, Body) else hashlib.sha256(body).hexdigest()
