"""The compose file is valid, its settings are right, and its logins work.

There is no container engine here: what would be run in a container is run without one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from hookline.cli import make_app
from hookline.receiver.configured_sources import require_secrets
from hookline.settings import Settings, load
from hookline.standalone.embedded.address import free_port
from support.servers import ROOT, Server

COMPOSE = ROOT / "server/deploy/compose.yaml"
LOGINS = ROOT / "server/deploy/logins.sql"
DOCKERFILE = (ROOT / "server/deploy/Dockerfile").read_text()
FILE: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "hookline"]
PROCESSES = ["receiver", "worker"]
VALUES = {
    "HOOKLINE_PUBLIC_URL": "https://hooks.example.com",
    "LLAMA_CLOUD_API_KEY": "llx-0123456789",
    "HOOKLINE_LLAMACLOUD_SECRETS": "a-long-random-secret",
}
UNITS = {"s": 1, "m": 60}


def environment_of(service: str) -> dict[str, str]:
    """The variables of a service, with a value for each one that a person sets."""
    return {
        name: re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda it: VALUES.get(it[1], "secret"), str(value))
        for name, value in SERVICES[service]["environment"].items()
    }


def seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def test_it_is_a_compose_file() -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting_with_a_right_value(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = environment_of(service)
    assert {*variables} <= {str(field.alias) for field in Settings.model_fields.values()}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load(None)
    assert settings.require_database().endswith("@postgres/hookline")
    if service in PROCESSES:
        require_secrets(settings)
        [volume] = SERVICES[service]["volumes"]
        assert settings.require_storage() == f"file://{volume.partition(':')[2]}"
        assert f"--mode=0700 {volume.partition(':')[2]}" in DOCKERFILE


def test_every_value_of_a_person_is_asked_for() -> None:
    assert re.findall(r"\$\{(\w+)\}", COMPOSE.read_text()) == []


@pytest.mark.parametrize("service", OURS)
def test_a_container_of_ours_is_confined(service: str) -> None:
    told = SERVICES[service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit"} <= told.keys()
    [command] = told["command"]
    assert command in getattr(get_command(make_app()), "commands")  # noqa: B009


def test_no_container_with_secrets_of_the_environment_is_read_only() -> None:
    """Compose refuses that: it copies them into the container's file system."""
    assert all("environment" in secret for secret in FILE["secrets"].values())
    confined = [
        name for name, told in SERVICES.items() if "secrets" in told and told.get("read_only")
    ]
    assert confined == []


@pytest.mark.parametrize("service", PROCESSES)
def test_a_process_has_time_to_stop(service: str) -> None:
    timeout = load_stop_timeout(service)
    assert seconds(SERVICES[service]["stop_grace_period"]) >= timeout + 10


def load_stop_timeout(service: str) -> float:
    return float(environment_of(service)["HOOKLINE_STOP_TIMEOUT"])


def test_no_port_is_open_to_the_network() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_each_service_waits_for_what_it_needs() -> None:
    waits = {
        name: {other: told["condition"] for other, told in service["depends_on"].items()}
        for name, service in SERVICES.items()
        if "depends_on" in service
    }
    done = "service_completed_successfully"
    assert waits == {
        "migrate": {"postgres": "service_healthy"},
        "logins": {"migrate": done},
        **{name: {"logins": done} for name in [*PROCESSES, "hookline"]},
    }


def test_the_extras_of_the_image_have_what_the_worker_needs() -> None:
    [extras] = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert "llamacloud" in extras.split(",")


def test_the_worker_is_healthy_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    variables = {
        **environment_of("worker"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": f"postgresql://worker:secret@127.0.0.1:{free_port()}/hookline",
        "HOOKLINE_STORAGE_URL": (tmp_path / "objects").as_uri(),
        "HOOKLINE_ADMIN_PORT": str(free_port()),
    }
    kind, python, *check = SERVICES["worker"]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")

    def is_healthy() -> bool:
        asked = [sys.executable, *check]
        done = subprocess.run(asked, env=variables, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    assert not is_healthy()
    work = [sys.executable, "-m", "hookline", *SERVICES["worker"]["command"]]
    process = subprocess.Popen(work, env=variables, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not is_healthy():
            assert process.poll() is None
            assert time.monotonic() < deadline
    finally:
        process.terminate()
        process.wait(60)


def test_the_logins_are_made_once_and_get_their_new_passwords(
    postgres18: Server, database: str, tmp_path: Path
) -> None:
    logins = {"receiver": "ingest", "worker": "worker", "backend": "operator"}
    secrets = SERVICES["logins"]["secrets"]
    assert {f"{login}_password" for login in logins} == {secret["source"] for secret in secrets}
    user = SERVICES["logins"]["user"].partition(":")[0]
    assert all(secret["uid"] == user for secret in secrets)

    def make(password: str) -> None:
        for login in logins:
            (tmp_path / f"{login}_password").write_text(password)
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(LOGINS))
        os.environ["SECRETS"] = str(tmp_path)
        try:
            done = postgres18.run("psql", *options, database)
        finally:
            del os.environ["SECRETS"]
        assert (done.returncode, done.stderr) == (0, "")

    name = database.rpartition("/")[2].partition("?")[0]
    try:
        for password in ("it's first", "second"):
            make(password)
        for login, role in logins.items():
            with psycopg.connect(postgres18.url(name, user=login, password=password)) as made:
                found = made.execute(
                    "select pg_has_role(%s, 'member') and not pg_has_role('hookline_owner',"
                    " 'member')",
                    [f"hookline_{role}"],
                ).fetchone()
            assert found == (True,)
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            for login in logins:
                connection.execute(f"drop role if exists {login}".encode())
