"""The Supabase CLI, run in a copy of the project because it writes files there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from support.servers import ROOT

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "supabase/config.toml").read_text())


class SupabaseCli:
    """`migrations` takes the place of this version's, for a project that is behind."""

    def __init__(self, project: Path, migrations: Path | None = None) -> None:
        self.project = project
        ignored = shutil.ignore_patterns("tests", ".temp", *(["migrations"] if migrations else []))
        shutil.copytree(ROOT / "supabase", project / "supabase", ignore=ignored)
        if migrations is not None:
            shutil.copytree(migrations, project / "supabase/migrations")

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "node_modules/.bin/supabase", *command],
            cwd=self.project,
            env={
                **os.environ,
                "HOME": str(self.project),
                "SUPABASE_TELEMETRY_DISABLED": "1",
                "SUPABASE_NO_UPDATE_NOTIFIER": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *command: str, url: str) -> str:
        """Run a command on this database as on a remote one; return all that it prints."""
        done = self.attempt(*command, "--db-url", url, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr
