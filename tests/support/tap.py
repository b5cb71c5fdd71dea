"""Reads TAP version 12, which pgTAP writes, as TAP::Parser under pg_prove does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAN = re.compile(r"1\.\.(\d+)\s*")
_NO_TESTS = re.compile(r"1\.\.0\s.*")
_TEST = re.compile(r"(not )?ok\b\s*(\d+)?\s*(.*)")
_TODO = re.compile(r"[^\\#]*(?:\\.[^\\#]*)*#\s*TODO\b", re.IGNORECASE)
_BAIL_OUT = re.compile(r"\s*Bail out!\s*(.*)")


@dataclass
class Verdict:
    """The result of a file. `failures` and `problems` are lines to show."""

    run: int = 0
    planned: int | None = None
    failures: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures and not self.problems


def parse(output: str, exit_code: int) -> Verdict:
    """Read what psql printed. Each failure is followed by its diagnostics."""
    verdict = Verdict()
    plans: list[int] = []
    last_is_plan = failing = False
    for line in output.splitlines():
        if line.startswith("#"):
            if failing:
                verdict.failures.append(line)
        elif test := _TEST.match(line):
            verdict.run += 1
            if last_is_plan and verdict.run > 1:
                verdict.problems.append("the plan is neither at the beginning nor at the end")
            if test[2] and int(test[2]) != verdict.run:
                verdict.problems.append(f"test {test[2]} came where {verdict.run} was due")
            failing = bool(test[1]) and not _TODO.match(test[3])
            last_is_plan = False
            if failing:
                verdict.failures.append(line)
        elif (plan := _PLAN.fullmatch(line)) or _NO_TESTS.fullmatch(line):
            plans.append(int(plan[1]) if plan else 0)
            last_is_plan = True
        elif bail_out := _BAIL_OUT.match(line):
            verdict.problems.append(f"bailed out: {bail_out[1]}")
            break
    if len(plans) > 1:
        verdict.problems.append("there is more than one plan")
    if plans:
        verdict.planned = plans[0]
    if verdict.planned is None:
        verdict.problems.append("there is no plan")
    elif verdict.planned != verdict.run:
        verdict.problems.append(f"planned {verdict.planned} tests but ran {verdict.run}")
    if exit_code != 0:
        verdict.problems.append(f"psql ended with exit code {exit_code}")
    return verdict
