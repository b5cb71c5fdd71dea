"""The demo processes a document with every part, each time it runs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from hookline.postgres.connecting import Unreachable
from hookline.providers.local.delivery import Answer, deliver
from hookline.providers.local.parser import ParseFailed
from hookline.standalone import demo, stack
from hookline.standalone.directory_lock import lock_directory
from hookline.standalone.stack import running_stack

Hookline = Callable[..., subprocess.Popen[str]]

# Fresh projects would all begin with the same one, at the same time.
ANY_PORT = {"HOOKLINE_PORT": "0", "HOOKLINE_ADMIN_PORT": "0"}


def markdown_in(output: str, directory: Path) -> Path:
    found = re.search(r"The markdown: (.*\.md)\n", output)
    assert found is not None, output
    return directory / found[1]


async def test_each_demo_processes_a_new_document(project: Path, hookline: Hookline) -> None:
    documents = set()
    for joined in (False, True):
        if joined:
            async with running_stack(project):
                run = hookline(project, "demo")
                # The receiver is in this process: its loop has to go on.
                output, errors = await asyncio.to_thread(run.communicate, timeout=30)
        else:
            run = hookline(project, "demo")
            output, errors = run.communicate(timeout=30)
        assert (run.returncode, errors) == (0, ""), output
        assert "✗" not in output
        assert output.count("✓") == 7
        for shown in ("HTTP 401", "is a duplicate", "uploaded -> parsed", 'outcome: "duplicate"'):
            assert shown in output
        markdown = markdown_in(output, project)
        assert markdown.read_text().startswith("# What a webhook has to survive\n")
        assert markdown.read_text().splitlines()[0] in output
        documents.add(markdown)
    assert len(documents) == 2


def test_demos_at_the_same_time_all_succeed(other_project: Path, hookline: Hookline) -> None:
    for _ in ("without a settings file", "with that of the last start"):
        demos = [hookline(other_project, "demo", **ANY_PORT) for _ in range(3)]
        for run in demos:
            output, errors = run.communicate(timeout=60)
            assert (run.returncode, errors) == (0, ""), output
            assert output.count("✓") == 7


async def test_the_starter_waits_until_joiners_have_left(project: Path) -> None:
    ended = asyncio.Event()

    async def first() -> None:
        async with running_stack(project, join=True):
            started.set()
            await asyncio.sleep(0)
            await joined.wait()
        ended.set()

    started, joined = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(first())
    await started.wait()
    async with running_stack(project, join=True) as up:
        joined.set()
        await asyncio.sleep(0.3)
        assert not ended.is_set()
        async with aiohttp.ClientSession() as session, session.get(f"{up.url}/readyz") as ready:
            assert ready.status == 200
    await running


async def test_a_joiner_gives_up_on_a_start_that_never_ends(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "_OTHER_PROCESS_TIMEOUT", 0.2)
    with (
        lock_directory(project / ".hookline"),
        pytest.raises(Unreachable, match=f"Process {os.getpid()} is starting or stopping"),
    ):
        async with running_stack(project, join=True):
            pass


async def test_the_demo_fails_if_the_parser_does(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*given: object, **options: object) -> ParseFailed:
        return ParseFailed("NO_LUCK", "no luck")

    monkeypatch.setattr("hookline.providers.local.stage.parse_content", fail)
    assert await run_here(project, monkeypatch) == (False, "no luck")


async def test_the_demo_fails_if_no_worker_claims_the_job(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*given: object, **options: object) -> None:
        await asyncio.sleep(3)

    monkeypatch.setattr("hookline.providers.local.stage.parse_content", never)
    monkeypatch.setattr(demo, "_PARSE_TIMEOUT", 0.3)
    monkeypatch.setenv("HOOKLINE_STOP_TIMEOUT", "0.1")
    assert await run_here(project, monkeypatch) == (False, "No worker has done it")


async def test_the_demo_fails_if_the_stored_file_has_another_hash(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deliver_and_damage(*given: object) -> Answer:
        answer = await deliver(*given)  # type: ignore[arg-type]
        for file in (project / ".hookline" / "objects" / "parsed").glob("*/*.md"):
            os.truncate(file, 10)
        return answer

    monkeypatch.setattr(demo, "deliver", deliver_and_damage)
    assert await run_here(project, monkeypatch) == (False, "the hash of the database")


async def test_the_demo_always_uses_the_local_parser(
    project: Path, hookline: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stack(project, parser="none"):
        run = hookline(project, "demo")
        _, errors = await asyncio.to_thread(run.communicate, timeout=30)
    assert run.returncode == 2
    assert "The demo shows the parser of this machine" in errors
    run = hookline(project, "demo", LLAMA_CLOUD_API_KEY="llx-0123456789")
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (0, ""), output
    assert "liteparse" in output


async def run_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, str]:
    """Whether every step holds, and what the one that does not says."""
    monkeypatch.setattr("hookline.process.logs.configure", lambda *_: None)
    steps: list[demo.Step] = []
    holds = await demo.run(project, on_step=steps.append, on_outcome=lambda _: None)
    told = "no luck|the hash of the database|No worker has done it"
    [wrong] = [re.search(told, step.sentence) for step in steps if not step.holds]
    assert wrong
    return holds, wrong[0]
