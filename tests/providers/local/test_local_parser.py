"""The local parser returns the whole text of a file, or a reason, in bounded time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import pytest

from hookline.providers.local import parser as local_parser
from hookline.providers.local.parser import Parsed, ParseFailed, ParserMissing, parse, parse_content
from hookline.standalone.demo import SAMPLE
from support.pdfs import pdf, sample, text
from support.projects import SERVER

HELLO = text("Hello world", y=700)
PARSE_FOR_EVER = """
import asyncio, sys, pathlib
from hookline.providers.local.parser import parse
asyncio.run(parse(pathlib.Path(sys.argv[1])))
"""


async def failure(file: Path, content: bytes) -> tuple[str, str]:
    await asyncio.to_thread(file.write_bytes, content)
    result = await parse(file)
    assert isinstance(result, ParseFailed), result
    assert result.permanent
    assert await parse_content(content, file.name) == result
    return result.code, result.reason


def parsers_of(file: Path) -> list[int]:
    """The ids of the processes that parse this file."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"hookline.providers.local.child\0" in command and os.fsencode(file) in command:
                found.append(int(entry.name))
    return found


async def test_the_sample_becomes_markdown_with_headings_and_a_table() -> None:
    result = await parse(SAMPLE)
    assert isinstance(result, Parsed)
    assert result.parser_name == "liteparse"
    assert result.parser_version == metadata.version("liteparse")
    assert result.markdown.startswith("# What a webhook has to survive\n")
    assert "| Storage is away | 500 | The drain, or the next delivery |" in result.markdown
    assert "## How to check it" in result.markdown


def test_the_sample_is_generated_by_our_own_code_and_small() -> None:
    assert SAMPLE.read_bytes() == sample()
    assert SAMPLE.stat().st_size < 20_000


async def test_an_encrypted_file_needs_its_password(tmp_path: Path) -> None:
    assert await failure(tmp_path / "a.pdf", pdf([HELLO], encrypted=True)) == (
        "PDF_IS_PROTECTED",
        "The file is encrypted: password required.",
    )


@pytest.mark.parametrize("content", [b"%PDF-1.4\nnothing of use", sample()[:900], b"hello"])
async def test_a_broken_file_fails_with_pdf_is_broken(tmp_path: Path, content: bytes) -> None:
    code, reason = await failure(tmp_path / "a.pdf", content)
    assert code == "PDF_IS_BROKEN"
    assert reason.startswith("The file is broken: ")


@pytest.mark.parametrize("pages", [[b""], [b"", text("   ", y=700)], []])
async def test_a_blank_file_fails_with_no_data_found(tmp_path: Path, pages: list[bytes]) -> None:
    code, reason = await failure(tmp_path / "a.pdf", pdf(pages))
    assert code == "NO_DATA_FOUND_IN_FILE"
    assert reason.startswith("The file is blank: ")


async def test_a_blank_page_does_not_make_a_file_blank(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf([b"", HELLO]))
    result = await parse(tmp_path / "a.pdf")
    assert isinstance(result, Parsed)
    assert "Hello world" in result.markdown


@pytest.mark.parametrize("name", ["a.txt", "a.docx", "a"])
async def test_a_file_of_another_type_is_unsupported(tmp_path: Path, name: str) -> None:
    code, reason = await failure(tmp_path / name, b"PK\x03\x04 hello")
    assert code == "UNSUPPORTED_FILE_TYPE"
    assert reason.startswith("Unsupported file type")


async def test_a_file_with_too_many_pages_fails_instead_of_losing_pages() -> None:
    result = await parse(SAMPLE, max_pages=1)
    assert result == ParseFailed(
        "TOO_MANY_PAGES", "The file is too large: 2 pages, and 1 are the most."
    )


async def test_a_file_over_the_size_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_parser, "MAX_BYTES", 1000)
    code, reason = await failure(tmp_path / "a.pdf", sample())
    assert code == "DOCUMENT_TOO_LARGE"
    assert "too large" in reason


async def test_a_parser_is_killed_at_its_deadline(tmp_path: Path) -> None:
    # Nobody ever writes to it, so the parser never finishes reading.
    endless = tmp_path / "endless.pdf"
    os.mkfifo(endless)
    started = time.monotonic()
    result = await parse(endless, deadline=0.5)
    assert result == ParseFailed("TIMEOUT", "Parsing took more than 0.5 seconds and was stopped.")
    assert time.monotonic() - started < 5
    assert parsers_of(endless) == []


async def test_a_parser_is_killed_when_its_task_is_cancelled(tmp_path: Path) -> None:
    endless = tmp_path / "endless.pdf"
    os.mkfifo(endless)
    task = asyncio.create_task(parse(endless))
    while not parsers_of(endless):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert parsers_of(endless) == []


def test_a_parser_ends_with_its_parent(tmp_path: Path) -> None:
    endless = tmp_path / "endless.pdf"
    os.mkfifo(endless)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARSE_FOR_EVER, endless],
        env={**os.environ, "PYTHONPATH": str(SERVER)},
    )
    deadline = time.monotonic() + 20
    while not (found := parsers_of(endless)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(found) == 1
    time.sleep(0.3)  # It may still be importing what would notice.
    parent.kill()
    parent.wait()
    while parsers_of(endless) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert parsers_of(endless) == []


async def test_parsing_leaves_no_copy_of_the_document_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(local_parser, "_command", lambda *_: ["sleep", "60"])
    task = asyncio.create_task(parse_content(sample(), "a.pdf", deadline=0.5))
    while not task.done():
        assert os.listdir(tmp_path) == []
        await asyncio.sleep(0.01)
    failed = await task
    assert isinstance(failed, ParseFailed)
    assert failed.code == "TIMEOUT"


async def test_a_crash_of_the_parser_fails_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_parser, "_command", lambda *_: ["sh", "-c", "kill -SEGV $$"])
    result = await parse(SAMPLE)
    reason = f"The parser crashed on the file ({signal.SIGSEGV.name})."
    assert result == ParseFailed("PARSER_CRASHED", reason, permanent=False)


async def test_a_parser_that_aborts_without_a_word_has_met_its_memory_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = "import os; os.abort()"
    rust = "import os; os.write(2, b'memory allocation of 16416 bytes failed'); os.abort()"
    damaged = "import os; os.write(2, b'free(): invalid pointer'); os.abort()"
    for code, expected in (
        (silent, "MEMORY_LIMIT_EXCEEDED"),
        (rust, "MEMORY_LIMIT_EXCEEDED"),
        (damaged, "PARSER_CRASHED"),
    ):
        monkeypatch.setattr(local_parser, "_command", lambda *_: [sys.executable, "-c", code])  # noqa: B023
        result = await parse(SAMPLE)
        assert isinstance(result, ParseFailed)
        assert (result.code, result.permanent) == (expected, expected != "PARSER_CRASHED")


async def test_a_parser_that_computes_for_too_long_meets_its_cpu_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "from hookline.providers.local.child import limit_resources\n"
        "limit_resources(2**30, 1)\n"
        "while True: pass"
    )
    monkeypatch.setattr(local_parser, "_command", lambda *_: [sys.executable, "-c", code])
    result = await parse(SAMPLE, deadline=60)
    assert result == ParseFailed(
        "CPU_LIMIT_EXCEEDED", "Parsing needed more than 60 seconds of CPU time."
    )


def test_a_parser_leaves_no_core_file_is_limited_and_is_what_the_kernel_kills_first() -> None:
    code = (
        "import resource\n"
        "from hookline.providers.local.child import limit_resources\n"
        "limit_resources(2**29, 7)\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_AS)[0],"
        " resource.getrlimit(resource.RLIMIT_CPU)[0])\n"
        "try:\n    bytes(2**29)\nexcept MemoryError:\n    print('refused')\n"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    environment = {**os.environ, "PYTHONPATH": str(SERVER)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines() == [f"(0, 0) {2**29} 7", "refused", "1000", ""]


async def test_an_answer_over_its_limit_ends_the_parser_and_not_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    monkeypatch.setattr(local_parser, "_command", lambda *_: [sys.executable, "-c", endless])
    started = time.monotonic()
    result = await parse(SAMPLE, max_answer=2**20)
    assert result == ParseFailed(
        "DOCUMENT_TOO_LARGE", "The text is too large: more than 1,048,576 bytes."
    )
    assert time.monotonic() - started < 30


async def test_a_parser_does_not_see_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import json, os;"
        'print(json.dumps({"failed": "TIMEOUT", "reason": json.dumps(dict(os.environ))}))'
    )
    monkeypatch.setattr(local_parser, "_command", lambda *_: [sys.executable, "-c", code])
    monkeypatch.setenv("HOOKLINE_PUSH_SECRETS", "a-long-random-secret")
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-secret")
    result = await parse(SAMPLE)
    assert isinstance(result, ParseFailed)
    assert "PATH" in json.loads(result.reason)
    assert "secret" not in result.reason


async def test_without_the_package_a_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(ParserMissing, match=r"pip install '\.\[local\]'"):
        await parse(SAMPLE)
