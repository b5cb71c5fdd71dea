"""Small faults in the Python that verifies and parses deliveries (server/hookline/sources).

The tests of a mutant run in a process of their own, with a copy of the package that holds it.
"""

from __future__ import annotations

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hookline
from support.servers import ROOT

PACKAGE = Path(hookline.__file__).parent
SOURCES = PACKAGE / "sources"

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
}


@dataclass(frozen=True)
class PythonMutant:
    """A module with one change; `name` says where and which."""

    path: Path
    name: str
    text: str


def of_the_sources() -> list[PythonMutant]:
    return [mutant for path in sorted(SOURCES.glob("*.py")) for mutant in of_module(path)]


def of_module(path: Path) -> Iterator[PythonMutant]:
    tree = ast.parse(path.read_text())
    plain = ast.unparse(tree)
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        for variant, what in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            same = list(ast.walk(changed))[number]
            for at, _ in enumerate(_changes(same, apply=variant)):
                if at == variant:
                    break
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text != plain:
                line = getattr(node, "lineno", 0)
                yield PythonMutant(path, f"{path.name}:{line}: {what}", text)


def _changes(node: ast.AST, apply: int | None = None) -> Iterator[str]:
    """What can be changed at a node. The change numbered `apply` is made when it comes out."""
    number = 0

    def now() -> bool:
        nonlocal number
        number += 1
        return number - 1 == apply

    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        old, new = type(node.ops[0]), _COMPARISONS[type(node.ops[0])]
        if now():
            node.ops[0] = new()
        yield f"{old.__name__} -> {new.__name__}"
    elif isinstance(node, ast.BoolOp):
        if now():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and <-> or"
        for index in range(len(node.values)):
            if now():
                del node.values[index]
                node.values *= 2 if len(node.values) == 1 else 1
            yield f"operand {index + 1} left out"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        if now():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        yield "not left out"
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        if now():
            node.op = _OPERATORS[type(node.op)]()
        yield f"{type(node.op).__name__} changed"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        if now():
            node.value = not node.value
        yield f"{node.value} changed"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        value = node.value
        if now():
            node.value = value + 1
        yield f"{value} -> {value + 1}"
    elif isinstance(node, ast.Raise):
        if now():
            node.__class__ = ast.Pass  # type: ignore[assignment]
        yield "raise left out"
    elif isinstance(node, ast.Return) and node.value is not None:
        if now():
            node.value = ast.Constant(None)
        yield "returns None"
    elif isinstance(node, ast.If):
        if now():
            node.test = ast.Constant(False)
        yield "if never"
        if now():
            node.test = ast.Constant(True)
        yield "if always"


def killer(mutant: PythonMutant) -> str | None:
    """The test that fails on the mutant, or None. Those of its own module come first."""
    with tempfile.TemporaryDirectory() as directory:
        package = Path(directory) / "hookline"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / "sources" / mutant.path.name).write_text(mutant.text)
        folder = ROOT / "tests" / "sources"
        own = folder / f"test_{mutant.path.stem}.py"
        for chosen in [own, folder] if own.exists() else [folder]:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"),
                    chosen,
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": directory},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                lines = done.stdout.splitlines()
                failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
                return failed[0].split(" - ")[0] if failed else done.stdout[-200:]
    return None
