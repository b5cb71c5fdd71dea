"""A small disk that can be full, for which the test needs the right to mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotPossible(Exception):
    """This machine or this user cannot make the fault. The message says why."""


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[None]:
    """Mount an empty disk in memory at this directory. Raises NotPossible."""
    if os.geteuid() != 0:
        raise NotPossible("needs root, to mount a small disk")
    options = ("-t", "tmpfs", "-o", f"size={size},mode=0755", "none")
    mounted = subprocess.run(["mount", *options, at], capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise NotPossible(mounted.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk with one file, and return it."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return filler
