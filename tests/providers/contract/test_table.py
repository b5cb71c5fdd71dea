"""The table of tests/README.md says which promise is tested with which provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

from fakes.imitation import Imitation
from support.servers import ROOT

COLUMNS: Final = {
    "llamacloud": "LlamaCloud",
    "reducto": "Reducto",
    "docling": "docling-serve",
    "acme": "a package of your own",
}
# Where a test does not run with a provider: why not.
ABSENT: Final = {
    "test_callbacks": "no callbacks",
    "test_contract": "no",
    "test_reducto": "no URLs",
}
# Of the tests of one provider, those of its results by URL.
OF_URLS: Final = ("by_url", "a_url_")


def test_the_table_is_that_of_the_tests() -> None:
    table = "\n".join(["| | " + " | ".join(COLUMNS.values()) + " |", "|---" * 5 + "|", *rows()])
    assert table in (ROOT / "tests/README.md").read_text(), f"the table is:\n{table}"


def rows() -> Iterator[str]:
    for name in ("test_contract", "test_callbacks", "test_options", "test_reducto"):
        module = import_module(name)
        for test in vars(module).values():
            if not getattr(test, "__name__", "").startswith("test_") or not callable(test):
                continue
            run_with = providers_of(test, getattr(module, "pytestmark", None))
            if run_with is None or (name == "test_reducto" and not of_urls(test)):
                continue
            if name == "test_options" and len(run_with) == 1:
                continue
            cells = ["yes" if one in run_with else ABSENT[name] for one in COLUMNS]
            promise = test.__name__.removeprefix("test_").replace("_", " ")
            yield f"| {promise} | {' | '.join(cells)} |"


def providers_of(test: Callable[..., Any], module_mark: Any) -> set[str] | None:
    """The providers that a test runs with; None if it needs none."""
    for mark in (*getattr(test, "pytestmark", ()), *([module_mark] if module_mark else [])):
        if mark.args[0] == "imitation":
            kinds: list[type[Imitation]] = mark.args[1]
            return {kind.name for kind in kinds}
    uses = {"imitation", "worker", "called"} & set(test.__annotations__)
    return set(COLUMNS) if uses else None


def of_urls(test: Callable[..., Any]) -> bool:
    return any(part in test.__name__ for part in OF_URLS)
