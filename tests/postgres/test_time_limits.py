"""A silent network is found out in seconds, unless the user has set other time limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline.postgres.time_limits import time_limits

URL = "postgresql://receiver:word@db-1:5432,db-2:5433/app?target_session_attrs=read-write"


def test_every_connection_has_time_limits_by_default() -> None:
    assert time_limits(URL) == {
        "connect_timeout": 5,
        "tcp_user_timeout": 8_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }


def test_a_limit_in_the_connection_string_wins() -> None:
    assert "tcp_user_timeout" not in time_limits(f"{URL}&tcp_user_timeout=60000")
    assert "keepalives_idle" not in time_limits("host=/run/postgresql keepalives_idle=60")


def test_a_limit_in_the_service_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = tmp_path / "services.conf"
    services.write_text("[app]\nhost=db-1\nkeepalives_count=9\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert "keepalives_count" not in time_limits("postgresql:///app?service=app")
    monkeypatch.setenv("PGSERVICE", "app")
    assert "keepalives_count" not in time_limits("postgresql:///app")


def test_a_limit_in_a_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "30")
    assert "connect_timeout" not in time_limits(URL)
