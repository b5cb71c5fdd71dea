"""The demo does what it says, as often as it is asked."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from hookline import demo
from hookline.delivery import Answer, deliver
from hookline.local_parser import ParseFailed
from hookline.standalone import standing

Hookline = Callable[..., subprocess.Popen[str]]


def markdown_in(output: str, directory: Path) -> Path:
    found = re.search(r"The markdown: (.*\.md)\n", output)
    assert found is not None, output
    return directory / found[1]


async def test_the_demo_does_the_whole_job_each_time(project: Path, hookline: Hookline) -> None:
    documents = set()
    for joined in (False, True):
        if joined:
            async with standing(project):
                run = hookline(project, "demo")
                # The receiver is in this process: its loop has to go on.
                output, errors = await asyncio.to_thread(run.communicate, timeout=30)
        else:
            run = hookline(project, "demo")
            output, errors = run.communicate(timeout=30)
        assert (run.returncode, errors) == (0, ""), output
        assert "✗" not in output
        assert output.count("✓") == 8
        for shown in ("HTTP 401", "is a duplicate", "uploaded → parsed", 'outcome: "applied"'):
            assert shown in output
        markdown = markdown_in(output, project)
        assert markdown.read_text().startswith("# What a webhook has to survive\n")
        assert markdown.read_text().splitlines()[0] in output
        documents.add(markdown)
    assert len(documents) == 2


async def test_the_demo_fails_if_the_parser_does(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(raw: object) -> ParseFailed:
        return ParseFailed("no luck")

    monkeypatch.setattr(demo, "parse_raw", fail)
    assert await run_here(project, monkeypatch) == (1, "no luck")


async def test_the_demo_fails_if_the_file_is_not_what_the_database_says(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deliver_and_damage(*given: object) -> Answer:
        answer = await deliver(*given)  # type: ignore[arg-type]
        for file in (project / ".hookline" / "objects" / "parsed").glob("*/*.md"):
            os.truncate(file, 10)
        return answer

    monkeypatch.setattr(demo, "deliver", deliver_and_damage)
    assert await run_here(project, monkeypatch) == (1, "the hash of the database")


async def run_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code, and what the first step says that went wrong."""
    monkeypatch.setattr("hookline.logs.configure", lambda *_: None)
    console = Console(record=True, width=200, file=StringIO())
    code = await demo.run(project, console)
    [wrong] = re.findall(r"✗.*?(no luck|the hash of the database)", console.export_text())
    return code, wrong
