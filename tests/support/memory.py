"""How much memory another process has."""

from __future__ import annotations

from pathlib import Path


def resident_mib(pid: int, *, peak: bool = False) -> int:
    """Resident memory in MiB, now or at its peak. Linux only."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))
