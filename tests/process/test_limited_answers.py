"""An answer of httpx is read up to a limit: whatever it says of its size, and also compressed."""

from __future__ import annotations

import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from hookline.process.http_client import open_http_client
from hookline.process.limited_answers import AnswerTooLarge
from support.raw_server import Talk, endless, listening, says

LARGEST = 100_000
# Without this each client loads all certificate authorities, which takes longer than a test.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Talk:
    said = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {said}", "Connection: close", *headers]
    return says("\r\n".join([*lines, "", ""]).encode() + body)


def compressed(body: bytes, encoding: str = "gzip", **other: str) -> Talk:
    return answer(body, f"Content-Encoding: {encoding}", **other)  # type: ignore[arg-type]


BOMB = gzip.compress(bytes(2**25), mtime=0)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_http_client(httpx.AsyncClient, largest=LARGEST, verify=NO_TLS) as client:
        yield client


@pytest.mark.parametrize(
    "talk",
    [
        answer(b"x" * LARGEST),
        compressed(gzip.compress(b"x" * LARGEST, mtime=0)),
        compressed(gzip.compress(b"x" * LARGEST, mtime=0), "GZip"),
    ],
    ids=["plain", "gzip", "in other letters"],
)
async def test_an_answer_of_just_the_limit_is_read(client: httpx.AsyncClient, talk: Talk) -> None:
    async with listening(talk) as url:
        assert (await client.get(url)).content == b"x" * LARGEST


@pytest.mark.parametrize(
    "talk",
    [
        answer(b"x" * (LARGEST + 1)),
        # It would wait for the rest, if the header were not believed.
        answer(b"", length=2**40),
        endless,
        compressed(gzip.compress(b"x" * (LARGEST + 1), mtime=0)),
        compressed(BOMB),
    ],
    ids=["one byte more", "said", "endless", "gzip", "bomb"],
)
async def test_a_larger_one_is_refused_before_its_memory_is_taken(
    client: httpx.AsyncClient, talk: Talk
) -> None:
    async with listening(talk) as url:
        tracemalloc.start()
        try:
            with pytest.raises(AnswerTooLarge, match="more than 100,000 bytes"):
                await client.get(url)
            assert tracemalloc.get_traced_memory()[1] < 2**21
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("talk", [answer(BOMB, status="502 Bad Gateway"), compressed(BOMB)])
async def test_the_next_request_of_the_client_is_answered(
    client: httpx.AsyncClient, talk: Talk
) -> None:
    async with listening(talk) as url:
        with suppress(AnswerTooLarge):
            assert 0 < len((await client.get(url)).content) <= 2**16
    async with listening(answer(b"well")) as url:
        assert (await client.get(url)).text == "well"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\x0b\x02\x80x\x03", "br"),
        (zlib.compress(b"x"), "deflate"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip, gzip"),
        (b"no gzip at all", "gzip"),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], "gzip"),
    ],
)
async def test_what_was_not_asked_for_or_is_damaged_is_no_answer(
    client: httpx.AsyncClient, body: bytes, encoding: str
) -> None:
    async with listening(compressed(body, encoding)) as url:
        with pytest.raises(httpx.DecodingError):
            await client.get(url)


async def test_an_answer_without_a_body_may_name_an_encoding(client: httpx.AsyncClient) -> None:
    async with listening(compressed(b"", status="204 No Content")) as url:
        assert (await client.get(url)).status_code == 204
