"""The measurements: `make bench`, or one of them by name: `make bench ARGS=thin`.

Each compares two things within one run and prints their ratio, because a single figure depends on
the machine more than on the code. No test depends on a time. What is not a measurement runs only by
name, and has options: `make bench ARGS="chaos --documents 500 --seed 7"`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

BENCHES = ("thin", "content", "claims", "fairness", "stage", "notifications")
BY_NAME = (
    *(
        "chaos",
        "faults",
        "failover",
        "patroni",
        "growth",
        "memory",
        "fuzz",
        "pairs",
        "mutants",
        "screenshots",
        "pages",
    ),
)


def main(names: list[str]) -> None:
    if names and names[0] in BY_NAME:
        importlib.import_module(f"bench.{names[0]}").main(names[1:])
        return
    unknown = set(names) - set(BENCHES)
    if unknown:
        there = ", ".join((*BENCHES, *BY_NAME))
        sys.exit(f"no such measurement: {', '.join(unknown)}; there are: {there}")
    for name in names or BENCHES:
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
