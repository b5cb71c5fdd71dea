"""The layout of server/hookline: imports point one way, and no modules import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hookline

PACKAGE = Path(hookline.__file__).parent

# From low to high. A module may import from its own part and from lower lines, never from its own
# line's other parts and never from a higher line.
LAYERS = (
    ("error", "version"),
    ("database_url",),
    ("setting_values",),
    ("settings", "timing", "tracing"),
    ("postgres",),
    ("process",),
    ("storage", "sources"),
    ("stages",),
    ("providers",),
    ("receiver", "worker", "dashboard"),
    ("sending",),
    ("submission", "doctor"),
    ("client",),
    ("standalone",),
    ("cli",),
)
LAYER_OF = {part: number for number, parts in enumerate(LAYERS) for part in parts}

# The package's own face and `python -m hookline`: they may import from anywhere.
FACES = {"", "__main__"}


def read_modules(package: Path) -> dict[str, ast.Module]:
    """Every module below a package by its dotted name; the package itself is the empty name."""
    modules = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        modules[name] = ast.parse(path.read_text())
    return modules


def imports_of(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """The modules of ours that a module imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] == "hookline":
                base = module.removeprefix("hookline").removeprefix(".")
                for alias in node.names:
                    inner = f"{base}.{alias.name}".removeprefix(".")
                    yield inner if inner in known else base
            case ast.ImportFrom(level=level) if level > 0:
                raise AssertionError(f"a relative import, which this test does not read: {node!r}")
            case ast.Import():
                for alias in node.names:
                    if alias.name.split(".")[0] == "hookline":
                        yield alias.name.removeprefix("hookline").removeprefix(".")


def read_arrows(package: Path) -> set[tuple[str, str]]:
    """(importer, imported) for every import of one of our modules by another."""
    modules = read_modules(package)
    return {
        (importer, imported)
        for importer, tree in modules.items()
        for imported in imports_of(tree, set(modules))
        if imported != importer
    }


def part_of(module: str) -> str:
    return module.partition(".")[0]


def wrong_arrows(arrows: set[tuple[str, str]]) -> list[str]:
    return sorted(
        f"{importer} imports {imported}"
        for importer, imported in arrows
        if not {importer, imported} & FACES
        and part_of(importer) != part_of(imported)
        and LAYER_OF[part_of(imported)] >= LAYER_OF[part_of(importer)]
    )


def circles(arrows: set[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Groups of modules that reach each other by imports."""
    targets: dict[str, set[str]] = {}
    for importer, imported in arrows:
        targets.setdefault(importer, set()).add(imported)
        targets.setdefault(imported, set())

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            for target in targets[left.pop()] - seen:
                seen.add(target)
                left.append(target)
        return seen

    reached = {module: reach(module) for module in targets}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in targets
    }
    return sorted(group for group in groups if group)


@pytest.fixture(scope="module")
def arrows() -> set[tuple[str, str]]:
    return read_arrows(PACKAGE)


def test_every_import_points_to_a_lower_layer(arrows: set[tuple[str, str]]) -> None:
    assert wrong_arrows(arrows) == []


def test_no_modules_import_each_other(arrows: set[tuple[str, str]]) -> None:
    assert circles(arrows) == []


def test_every_part_of_the_package_has_a_layer() -> None:
    assert {part_of(name) for name in read_modules(PACKAGE)} == LAYER_OF.keys() | FACES


def test_every_package_says_what_it_holds() -> None:
    silent = [
        str(path.parent.relative_to(PACKAGE))
        for path in PACKAGE.rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package in which everything is as it should be."""
    for name, text in {
        "settings": "",
        "postgres/__init__": "",
        "postgres/pool": "from hookline.settings import load\n",
        "receiver/run": "from hookline.postgres import pool\n",
        "worker/run": "from hookline.postgres.pool import open_pool\n",
    }.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert wrong_arrows(read_arrows(tmp_path)) == []
    assert circles(read_arrows(tmp_path)) == []
    return tmp_path


def test_an_import_against_the_order_is_found(tree: Path) -> None:
    (tree / "settings.py").write_text("def load():\n    from hookline.postgres import pool\n")
    assert wrong_arrows(read_arrows(tree)) == ["settings imports postgres.pool"]
    assert circles(read_arrows(tree)) == [("postgres.pool", "settings")]


def test_an_import_of_the_receiver_by_the_worker_is_found(tree: Path) -> None:
    (tree / "worker/run.py").write_text("import hookline.receiver.run\n")
    assert wrong_arrows(read_arrows(tree)) == ["worker.run imports receiver.run"]
