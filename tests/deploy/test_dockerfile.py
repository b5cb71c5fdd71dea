"""The image is built from files of the checkout; its command runs, is healthy and stops in time.

There is no container engine here: what would be run in a container is run without one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hookline.standalone.embedded.address import free_port
from support.sender import ENVELOPE_SECRET
from support.servers import ROOT

DOCKERFILE = ROOT / "server/deploy/Dockerfile"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
BESIDE_PYTHON = Path(sys.executable).parent
HADOLINT = shutil.which("hadolint", path=f"{BESIDE_PYTHON}{os.pathsep}{os.environ['PATH']}")


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of this name."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text()).replace("\\\n", "")
    found = re.findall(rf"(?m)^{name}\s+(.+)$", text)
    assert found, f"no {name} in {DOCKERFILE}"
    return found


def instruction(name: str) -> str:
    (only,) = instructions(name)
    return only


def copied() -> list[str]:
    """The paths that come from the checkout."""
    copies = [copy.split() for copy in instructions("COPY") if "--from=" not in copy]
    return [source for *sources, _ in copies for source in sources]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())


def is_within(path: str, parents: list[str]) -> bool:
    return any(Path(path).is_relative_to(parent) for parent in parents)


def test_hadolint_finds_nothing() -> None:
    if HADOLINT is None and "CI" not in os.environ:
        pytest.skip("needs hadolint, which pip has for Linux on x86-64 only")
    assert HADOLINT is not None
    done = subprocess.run(
        [HADOLINT, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", copied())
def test_copied_paths_are_in_every_checkout_and_in_the_build_context(path: str) -> None:
    assert (ROOT / path).exists()
    ignored = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False)
    assert ignored.returncode == 1
    context = (ROOT / ".dockerignore").read_text().splitlines()
    assert is_within(path, [line.removeprefix("!") for line in context if line.startswith("!")])


def test_every_file_that_the_wheel_needs_is_copied() -> None:
    project, wheel = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = ["pyproject.toml", project["readme"], *project["license-files"]]
    needed += [*wheel["packages"], *wheel["force-include"]]
    assert [path for path in needed if not is_within(path, copied())] == []


def test_only_extras_that_exist_are_installed() -> None:
    # pip warns of another one, and goes on without it.
    extras = re.findall(r"'\.\[([\w,]+)\]'", " ".join(instructions("RUN")))
    assert extras
    assert {*extras[0].split(",")} <= {*PROJECT["project"]["optional-dependencies"]}


def test_both_stages_have_the_same_supported_python() -> None:
    images = {image.split()[0] for image in instructions("FROM")}
    assert len(images) == 1
    version = re.match(r"python:(\d+\.\d+)\.\d+-slim-", images.pop())
    assert version
    classifiers = PROJECT["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version[1]}" in classifiers


def test_the_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", instruction("USER"))


@contextmanager
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """Runs ENTRYPOINT and CMD with the variables of ENV, and fails if a file is written there."""
    (program,) = json.loads(instruction("ENTRYPOINT"))
    assert program in PROJECT["project"]["scripts"]
    (objects := tmp_path / "objects").mkdir()
    (here := tmp_path / "here").mkdir()
    variables = {
        **environment(),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": f"postgresql://receiver:password@127.0.0.1:{free_port()}/app",
        "HOOKLINE_STORAGE_URL": f"file://{objects}",
        "HOOKLINE_LLAMAPARSE_SECRETS": ENVELOPE_SECRET,
        "HOOKLINE_PORT": str(free_port()),
        "HOOKLINE_ADMIN_PORT": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", program, *json.loads(instruction("CMD"))],
        env=variables,
        cwd=here,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process, variables
        assert list(here.iterdir()) == []
    finally:
        process.kill()
        process.wait()


def is_healthy(variables: dict[str, str]) -> bool:
    _, check = instruction("HEALTHCHECK").split("CMD ", 1)
    python, *arguments = json.loads(check)
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *arguments], env=variables, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def test_the_command_is_healthy_without_postgres_until_its_stop_signal(tmp_path: Path) -> None:
    with running(tmp_path) as (process, variables):
        assert not is_healthy({**variables, "HOOKLINE_PORT": str(free_port())})
        deadline = time.monotonic() + 60
        while not is_healthy({**variables, "http_proxy": "http://127.0.0.1:1"}):
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.send_signal(signal.Signals[instruction("STOPSIGNAL")])
        assert process.wait(60) == 0
        assert not is_healthy(variables)


def test_the_command_stops_before_docker_kills_it() -> None:
    # Docker gives 10 seconds; 5 are for what follows HOOKLINE_STOP_TIMEOUT.
    assert float(environment()["HOOKLINE_STOP_TIMEOUT"]) <= 10 - 5
