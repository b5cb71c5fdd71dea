"""Answers of httpx that are read only up to a limit, which a compressed answer cannot evade.

httpx itself reads a body of any size, and decompresses all that has arrived at once.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

import httpx

__all__ = ["AnswerTooLarge", "limit_answers"]

# Bytes of a refusal. The status is the answer, so the rest of its body is left out.
_REFUSAL: Final = 2**16
# Bytes of decompressed text at a time.
_PIECE: Final = 2**16
# zlib: the window of 32 KiB, with the header of gzip (RFC 1952).
_GZIP: Final = 16 + zlib.MAX_WBITS


class AnswerTooLarge(httpx.TransportError):
    """The answer has more bytes than its client takes."""


def limit_answers(client: httpx.AsyncClient, largest: int) -> None:
    """Let all answers of a client have at most `largest` bytes: a larger one is AnswerTooLarge.

    The client asks for gzip alone. An answer in another encoding raises httpx.DecodingError, as a
    damaged one does.
    """

    async def limit(response: httpx.Response) -> None:
        # Hooks run before the body is read: https://www.python-httpx.org/advanced/event-hooks/
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - the client is asynchronous
        encoding = response.headers.pop("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise httpx.DecodingError("The encoding of the answer was not asked for.")
        said = response.headers.get("Content-Length", "")
        if response.is_success and said.isascii() and said.isdigit() and int(said) > largest:
            raise _too_large(largest)
        response.stream = _Limited(stream, encoding == "gzip", largest, response.is_success)

    client.headers["Accept-Encoding"] = "gzip"
    client.event_hooks["response"].append(limit)


class _Limited(httpx.AsyncByteStream):
    """The body of an answer, decompressed. Too much of it raises, or ends a refusal."""

    def __init__(
        self, stream: httpx.AsyncByteStream, compressed: bool, largest: int, succeeded: bool
    ) -> None:
        self._stream = stream
        self._compressed = compressed
        self._most = largest if succeeded else min(largest, _REFUSAL)
        self._succeeded = succeeded

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for piece in self._decompressed() if self._compressed else self._stream:
            left -= len(piece)
            if left < 0:
                if self._succeeded:
                    raise _too_large(self._most)
                return
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _decompressed(self) -> AsyncIterator[bytes]:
        decompressor = zlib.decompressobj(_GZIP)
        empty = True
        try:
            async for piece in self._stream:
                empty = False
                while piece:
                    yield decompressor.decompress(piece, _PIECE)
                    piece = decompressor.unconsumed_tail
            yield decompressor.flush()
        except zlib.error as error:
            raise httpx.DecodingError("The answer is not gzip.") from error
        if not (decompressor.eof or empty):
            raise httpx.DecodingError("The answer breaks off.")


def _too_large(largest: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"The answer has more than {largest:,} bytes.")
