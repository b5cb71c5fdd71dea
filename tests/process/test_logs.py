"""Whatever a process writes to standard error becomes a line of its log."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline.process.log_formats import LogFormat, beginning, choose_format, encoder, rendering
from support.servers import ROOT

PROGRAM = """
import gc, logging, sys, threading, warnings
import structlog
from hookline.process import logs

logs.configure({arguments})
structlog.get_logger("hookline").info("ours", job_id=7, path=object)
structlog.get_logger("hookline").debug("hidden")
logging.getLogger("aiohttp").warning("of %s", "a library")
logging.getLogger("aiohttp").warning("with %d wrong arguments", "a text")
logging.getLogger("without.handlers").error("last resort")
structlog.get_logger().info("odd", **{{"value": {{b"key": 1}}}})
warnings.warn("a warning")
print("printed", file=sys.stderr)

class Broken:
    def __del__(self):
        secret = "the secret of a variable"
        raise ValueError("in a destructor")

Broken()
gc.collect()
thread = threading.Thread(target=lambda: 1 / 0, name="other")
thread.start()
thread.join()
raise RuntimeError("at the end")
"""


def run(directory: Path, arguments: str = "") -> str:
    program = directory / "program.py"
    program.write_text(PROGRAM.format(arguments=arguments))
    done = subprocess.run(
        [sys.executable, program],
        env={"PYTHONPATH": str(ROOT / "server")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_everything_is_a_line_and_the_last_one_is_not_lost(tmp_path: Path) -> None:
    lines = run(tmp_path).splitlines()
    assert "printed" in lines
    found = [json.loads(line) for line in lines if line != "printed"]
    assert [(line["event"].partition(":")[0], line["level"]) for line in found] == [
        ("ours", "info"),
        ("of a library", "warning"),
        ("log_failed", "error"),
        ("last resort", "error"),
        ("odd", "info"),
        (str(tmp_path / "program.py"), "warning"),
        ("unraisable_exception", "critical"),
        ("uncaught_exception", "critical"),
        ("uncaught_exception", "critical"),
    ]
    assert found[0]["job_id"] == 7
    assert found[-2]["thread"] == "other"
    assert found[-1]["exception"].endswith("RuntimeError: at the end")


def test_people_read_columns_and_no_value_of_a_variable(tmp_path: Path) -> None:
    printed = run(tmp_path, '"console"')
    assert re.search(r"^\d\d:\d\d:\d\dZ \[info +\] ours +job_id=7 ", printed, re.MULTILINE)
    assert "RuntimeError: at the end" in printed
    assert "the secret of" not in printed.replace('secret = "the secret of a variable"', "")
    assert "\x1b" not in printed


class Terminal(io.StringIO):
    encoding = "ascii"

    def isatty(self) -> bool:
        return True


def render(chosen: LogFormat, stream: io.StringIO, **fields: Any) -> str:
    event: Any = {"event": "webhook", **fields}
    for process in (*beginning(chosen), *rendering(chosen, stream)):
        event = process(None, "info", event)
    return encoder(stream)(event).decode()


def test_a_terminal_gets_columns_and_anything_else_json() -> None:
    assert choose_format("auto", Terminal()) == "console"
    assert choose_format("auto", io.StringIO()) == "json"
    assert choose_format("json", Terminal()) == "json"
    assert choose_format("console", io.StringIO()) == "console"


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colors_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in render("console", Terminal(), http=200)) is colored
    assert "\x1b[" not in render("console", io.StringIO(), http=200)


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "a\rb", "a\nb", "\x9b31m", "é"])
def test_no_value_controls_the_terminal(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    line = render("console", Terminal(), delivery_id=text)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    assert line.isascii()


def test_a_line_of_any_value_is_json() -> None:
    itself: dict[str, Any] = {}
    itself["itself"] = itself
    for value in (itself, {b"key": 1}, object(), "\ud800", float("nan")):
        assert json.loads(render("json", io.StringIO(), value=value))["event"] == "webhook"
