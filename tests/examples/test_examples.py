"""The example applications, on their own servers: upload a document, wait for it, show it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from hookline import AsyncClient
from hookline.standalone.stack import Stack, running_stack
from support.pdfs import pdf, sample
from support.ports import lasting_port
from support.servers import ROOT

EXAMPLES = ROOT / "server/examples"
TITLE = "# What a webhook has to survive"


@pytest_asyncio.fixture
async def stack(project: Path) -> AsyncIterator[Stack]:
    async with running_stack(project) as stack:
        yield stack


@contextmanager
def served(
    stack: Stack, directory: Path, command: Callable[[int], list[str]]
) -> Iterator[httpx.AsyncClient]:
    """Run an example with the settings of `hookline up`, until it listens."""
    port = lasting_port()
    stderr = (directory / "stderr").open("wb")
    process = subprocess.Popen(
        [sys.executable, *command(port)],
        cwd=stack.home.parent,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'server'}:{EXAMPLES}",
            "DJANGO_SECRET_KEY": "not-a-secret-here",
        },
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    stderr.close()
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.ConnectError:
                assert process.poll() is None, (directory / "stderr").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    finally:
        process.terminate()
        process.wait()
    errors = (directory / "stderr").read_text()
    assert "Traceback" not in errors, errors


async def of_another_user(stack: Stack) -> str:
    database_url = stack.settings.require_database()
    async with AsyncClient(database_url, storage_url=stack.settings.storage_url) as client:
        return str((await client.submit(sample(), uuid4(), filename="theirs.pdf")).job_id)


@pytest.mark.parametrize("name", ["fastapi_app.py", "django_app.py"])
def test_an_example_has_at_most_60_lines(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) <= 60


async def test_the_fastapi_application_shows_the_markdown(stack: Stack, tmp_path: Path) -> None:
    with served(
        stack,
        tmp_path,
        lambda port: ["-m", "uvicorn", "fastapi_app:app", "--port", str(port)],
    ) as http:
        async with http:
            theirs = await of_another_user(stack)
            made = await http.post("/documents", files={"file": ("a.pdf", sample())})
            assert made.status_code == 202
            shown = await http.get(made.json()["markdown"])
            assert (shown.status_code, shown.text[: len(TITLE)]) == (200, TITLE)
            blank = await http.post("/documents", files={"file": ("b.pdf", pdf([b""]))})
            failed = await http.get(blank.json()["markdown"])
            assert failed.status_code == 422
            assert failed.json()["error"]["code"] == "NO_DATA_FOUND_IN_FILE"
            empty = await http.post("/documents", files={"file": ("c.pdf", b"")})
            assert (empty.status_code, empty.json()) == (400, {"error": "c.pdf is empty."})
            for unknown in (theirs, str(uuid4())):
                assert (await http.get(f"/documents/{unknown}")).status_code == 404


async def test_the_django_application_shows_the_markdown(stack: Stack, tmp_path: Path) -> None:
    with served(
        stack,
        tmp_path,
        lambda port: [str(EXAMPLES / "django_app.py"), "runserver", "--noreload", str(port)],
    ) as http:
        async with http:
            theirs = await of_another_user(stack)
            form = (await http.get("/")).text
            token = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', form)[0]

            async def upload(name: str, content: bytes) -> httpx.Response:
                return await http.post(
                    "/",
                    files={"file": (name, content)},
                    data={"csrfmiddlewaretoken": token},
                    follow_redirects=True,
                )

            shown, failed = await asyncio.gather(
                upload("a.pdf", sample()), upload("b.pdf", pdf([b""]))
            )
            assert (shown.status_code, shown.text[: len(TITLE)]) == (200, TITLE)
            assert failed.status_code == 422
            assert "is failed_parse" in failed.text
            empty = await upload("c.pdf", b"")
            assert (empty.status_code, empty.text) == (400, "c.pdf is empty.")
            assert (await http.post("/", files={"file": ("d.pdf", b"x")})).status_code == 403
            for unknown in (theirs, str(uuid4())):
                assert (await http.get(f"/documents/{unknown}")).status_code == 404
