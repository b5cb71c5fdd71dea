"""The unit is valid, confines the process, and gives it time to stop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hookline.settings import Settings
from support.servers import ROOT

UNIT = ROOT / "server/deploy/hookline@.service"
TEXT = UNIT.read_text()

# On systemd's scale from 0, confined, to 10. The unit had 1.2 when it was written.
EXPOSURE = 1.5


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None and "CI" not in os.environ:
        pytest.skip("needs the Debian package systemd")
    assert program is not None
    return subprocess.run(
        [program, "--no-pager", *arguments], capture_output=True, text=True, check=False
    )


def value(name: str) -> str:
    (only,) = re.findall(rf"(?m)^{name}=(.*)$", TEXT)
    return str(only)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The root directory of a machine that has the unit, the program, and little else."""
    program, _ = value("ExecStart").split()
    executable = tmp_path / program.removeprefix("/")
    executable.parent.mkdir(parents=True)
    executable.touch(mode=0o755)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for target in ("sysinit", "basic", "network-online", "shutdown"):
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n")
    shutil.copy(UNIT, units / "hookline@serve.service")
    return tmp_path


def test_systemd_analyze_verify_finds_nothing(installed: Path) -> None:
    done = analyze(
        "verify", f"--root={installed}", "--recursive-errors=one", "hookline@serve.service"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_process_is_confined(installed: Path) -> None:
    # The threshold is a whole number, in tenths.
    done = analyze(
        "security",
        "--offline=true",
        f"--threshold={EXPOSURE * 10:.0f}",
        installed / "etc/systemd/system/hookline@serve.service",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_waits_longer_than_the_stop_timeout() -> None:
    # And what follows: a last moment for connections, the drain's write, the pool.
    stop_timeout: float = Settings.model_fields["stop_timeout"].default
    assert float(value("TimeoutStopSec").removesuffix("s")) >= stop_timeout + 10


def test_memory_is_limited_and_the_limit_is_above_what_the_settings_allow() -> None:
    limit = int(value("MemoryMax").removesuffix("G")) * 2**30
    fields = Settings.model_fields
    assert limit >= fields["parser_memory_budget"].default + 2**30
    assert limit >= 4 * fields["body_budget"].default + 2**30


def test_a_child_that_is_killed_for_its_memory_does_not_end_the_worker() -> None:
    assert value("OOMPolicy") == "continue"


def test_idle_connections_use_up_neither_the_files_nor_the_threads() -> None:
    # The default of the soft limit is 1024, which one machine can hold open.
    assert int(value("LimitNOFILE")) >= 2**16
    assert int(value("TasksMax")) >= 512


def test_the_unit_restarts_whatever_ended_it() -> None:
    assert value("Restart") == "always"
    assert float(value("RestartSec").removesuffix("s")) > 0
    assert value("StartLimitIntervalSec") == "0"
