"""The comment above each SQL function says what it locks and which functions it calls.

Read from the files: a lock order that is written down can be checked without a deadlock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from support.servers import ROOT

DB = ROOT / "db"

# The order in which every function takes its locks, as lock_job.sql says it.
ORDER = [
    "uploads of the owner",
    "provider job",
    "provider",
    "document",
    "job",
    "raw path",
    "deletion",
    "artifact",
    "provider request",
    "content",
    "delivery",
    "reservation",
    "cap",
    "owner",
    "fallback",
    "status",
    "provider pause",
    "group",
    "notification",
    "refusal",
    "activity",
]

_TAKES_A_LOCK = re.compile(
    r"\bfor (no key update|update|key share|share)\b|\block table\b|pg_advisory"
    r"|\bupdate upload_pipeline\.|\bdelete from upload_pipeline\.|\bdo update\b"
)


@dataclass(frozen=True)
class Function:
    """One file of db/functions or db/triggers: `Locks:` and `Calls:` as written, and its code."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def comment(self) -> str:
        """The comment that the file begins with, as one line."""
        lines: list[str] = []
        for line in self.path.read_text().splitlines():
            if not line.startswith("-- "):
                break
            lines.append(line.removeprefix("-- "))
        return " ".join(lines)

    @cached_property
    def body(self) -> str:
        """What stands between the $$, or is standard SQL, without comments and string literals."""
        text = self.path.read_text()
        if "$$" in text:
            code = text.split("$$")[1]
        else:
            found = re.search(r"^(return\b|begin atomic\b)(.*?)^comment on ", text, re.M | re.S)
            assert found, f"{self.path.relative_to(ROOT)}: no body"
            code = found[2]
        return re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--.*", "", code))

    def declared(self, word: str) -> list[str]:
        found = re.search(rf"\b{word}: ([^.]+)\.", self.comment)
        assert found, f"{self.path.relative_to(ROOT)}: its comment has no `{word}: ... .`"
        names = re.sub(r"\([^)]*\)", "", found[1]).split(",")
        return [name.strip() for name in names if name.strip() != "none"]


FUNCTIONS = {
    path.stem: Function(path)
    for folder in ("functions", "triggers")
    for path in sorted((DB / folder).rglob("*.sql"))
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_calls_are_the_functions_that_the_body_calls(function: Function) -> None:
    called = set(re.findall(r"\bupload_pipeline\.(\w+)\s*\(", function.body))
    assert function.declared("Calls") == sorted(called & FUNCTIONS.keys())


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_locks_are_in_the_one_order(function: Function) -> None:
    locks = function.declared("Locks")
    assert set(locks) <= set(ORDER)
    assert locks == sorted(locks, key=ORDER.index)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_locks_include_those_of_the_functions_called(function: Function) -> None:
    locks = set(function.declared("Locks"))
    for called in function.declared("Calls"):
        assert set(FUNCTIONS[called].declared("Locks")) <= locks, called


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_without_locks_takes_none(function: Function) -> None:
    taken = _TAKES_A_LOCK.search(function.body)
    # The one exception holds another lock that covers its rows.
    if function.name != "link_provider_job":
        assert function.declared("Locks") or taken is None


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_comment_begins_with_what_the_function_does(function: Function) -> None:
    assert re.match(r"[A-Z].*\. Locks: ", function.comment)


def test_the_order_is_the_one_that_lock_job_and_the_handbook_tell() -> None:
    told = re.sub(r" \(advisory\)", "", FUNCTIONS["lock_job"].comment)
    assert f"in one order: {', '.join(ORDER)}." in told
    handbook = " ".join((DB / "README.md").read_text().split()).replace(" (advisory)", "")
    assert f"if you write a function of your own: {', '.join(ORDER)}." in handbook


def test_no_line_of_sql_is_longer_than_120_characters() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(DB.rglob("*.sql"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > 120
    ]
    assert not long
