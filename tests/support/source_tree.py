"""A copy of what db/build.py reads and writes, to change it as a developer would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support.servers import ROOT


class SourceTree:
    """db/ and supabase/migrations in another directory, not released yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "db", root / "db", ignore=shutil.ignore_patterns("released.sha256"))
        shutil.copytree(ROOT / "supabase/migrations", root / "supabase/migrations")

    def build(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run db/build.py of the copy, whatever its exit code."""
        return subprocess.run(
            [sys.executable, self.root / "db/build.py", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def append(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(exist_ok=True)
        with (self.root / path).open("a") as file:
            file.write(text)

    def replace(self, path: str, before: str, after: str) -> None:
        """Replace a text that occurs once in a file."""
        source = (self.root / path).read_text()
        assert source.count(before) == 1, f"{path} has {before!r} {source.count(before)} times"
        (self.root / path).write_text(source.replace(before, after))

    @property
    def migrations(self) -> Path:
        return self.root / "supabase/migrations"

    def texts(self) -> dict[str, str]:
        """The name and the text of each migration, in order."""
        return {path.stem: path.read_text() for path in sorted(self.migrations.glob("*.sql"))}
