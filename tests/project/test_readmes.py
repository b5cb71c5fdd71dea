"""What the READMEs say of the tree, of the settings and of the commands is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import typer
from pydantic.fields import FieldInfo
from typer.main import get_command

import hookline
from hookline.cli import make_app
from hookline.cli.diagram import draw
from hookline.postgres.pool import open_pool
from hookline.postgres.views import Views
from hookline.settings import Settings
from support.servers import ROOT

PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*/README.md"))
    if path.parent.name not in {"node_modules", ".venv"}
)
README = (ROOT / "README.md").read_text()
SERVER = (ROOT / "server/README.md").read_text()
SUPABASE = (ROOT / "supabase/README.md").read_text()

GLOSSARY = {
    *("job", "attempt", "try", "step", "stage"),
    *("delivery", "content", "lease", "parked", "dead letter"),
}


def section(text: str, heading: str) -> str:
    """What stands below a heading, down to the next one of its level or a higher one."""
    level = len(heading.partition(" ")[0])
    below: list[str] | None = None
    in_code = False
    for line in text.splitlines(keepends=True):
        in_code ^= line.startswith("```")
        if line.rstrip() == heading:
            below = []
        elif below is not None:
            if not in_code and re.match(rf"#{{1,{level}}} ", line):
                break
            below.append(line)
    assert below, f"nothing below {heading}"
    return "".join(below)


def first_cells(text: str) -> list[str]:
    """The first cell of every row of the tables in a text, without the heads of the tables."""
    rows = re.findall(r"^\| *(.*?) *\|", text, re.MULTILINE)
    return [
        cell
        for cell, below in zip(rows, [*rows[1:], ""], strict=True)
        if not re.fullmatch(r"-+", cell) and not re.fullmatch(r"-+", below)
    ]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_has_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


def test_readme_explains_the_ten_words() -> None:
    assert set(first_cells(section(README, "## Ten words"))) == GLOSSARY


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_or_a_heading_leads_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_is_named_is_there(page: Path) -> None:
    for path in re.findall(
        r"(?<![\w/.])((?:db|server|supabase|tests)/[\w./@-]*\w)", page.read_text()
    ):
        places = (ROOT / path, page.parent / path, page.parent / "hookline" / path)
        assert any(place.exists() for place in places), path


async def test_picture_of_the_states_is_that_of_a_database(login: Callable[[str], str]) -> None:
    async with open_pool(login("reader"), size=2, prepare_threshold=None, name="docs") as pool:
        views = Views(pool)
        drawn = draw(await views.statuses(), await views.transitions())
    [shown] = re.findall(r"^```mermaid\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert shown == drawn


def test_every_folder_of_the_server_is_in_its_map() -> None:
    package = Path(hookline.__file__).parent
    folders = {
        path.parent.relative_to(package).as_posix() + "/"
        for path in package.rglob("*.py")
        if path.parent != package
    }
    files = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    named = set(re.findall(r"`([\w/]+/|\w+\.py)`", section(SERVER, "## The tree")))
    assert named - {"hookline/"} == folders | files


def test_every_variable_of_the_settings_is_in_the_table_and_no_other() -> None:
    described = re.findall(r"`(\w+)`", " ".join(first_cells(section(SERVER, "## Configuration"))))
    fields: dict[str, FieldInfo] = Settings.model_fields
    assert sorted(described) == sorted(str(field.alias) for field in fields.values())


def _written(default: object) -> str:
    """A default as the table has it: large sizes in MiB or GiB, and 60.0 as 60."""
    if not isinstance(default, (int, float)):
        return str(default)
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if default >= size:
            return f"{default / size:g} {unit}"
    return f"{default:g}"


def test_every_default_in_the_table_is_that_of_the_settings() -> None:
    table = section(SERVER, "## Configuration")
    rows = re.findall(r"^\| (`.*?) \| .* \| (.*?) ?\|$", table, re.MULTILINE)
    told = {
        name: {part.strip(" `") for part in re.split("[,;]", cell)}
        for names, cell in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    defaults = {
        str(field.alias): _written(field.default)
        for field in Settings.model_fields.values()
        if field.default not in (None, ())
    }
    assert len(defaults) > 10
    for variable, default in defaults.items():
        assert default in told[variable], variable


def test_every_command_is_in_the_table_with_options_that_it_has() -> None:
    command = get_command(make_app())
    assert isinstance(command, typer.core.TyperGroup)
    rows = re.findall(
        r"^\| `hookline (\w+)[^`]*` \| (.*) \|$", section(SERVER, "## Commands"), re.MULTILINE
    )
    assert sorted(name for name, _ in rows) == sorted(command.commands)
    for name, text in rows:
        known = {
            option
            for parameter in command.commands[name].params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert set(re.findall(r"--[a-z-]+", text)) <= known, name


def test_functions_of_the_receiver_are_those_that_its_role_may_execute(database: str) -> None:
    with psycopg.connect(database) as connection:
        granted = connection.execute(
            "select p.proname from pg_proc as p"
            " cross join lateral aclexplode(p.proacl) as a"
            " where p.pronamespace = 'upload_pipeline'::regnamespace"
            " and a.grantee = 'hookline_ingest'::regrole"
        ).fetchall()
    told = section(SERVER, "## How the parts work together")
    named = re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)
    assert sorted(named) == sorted(name for (name,) in granted)
    assert named


def test_transcript_of_db_push_has_every_migration() -> None:
    shown = re.findall(r"^Applying migration (\S+)\.\.\.$", SUPABASE, re.MULTILINE)
    assert shown == sorted(path.name for path in (ROOT / "supabase/migrations").glob("*.sql"))


def test_stage_of_the_server_readme_is_python_that_hookline_knows() -> None:
    stages = section(SERVER, "### Your own stages")
    [example] = re.findall(r"^```python\n(.*?)^```", stages, re.DOTALL | re.MULTILINE)
    names = [
        alias.name
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.ImportFrom) and node.module == "hookline"
        for alias in node.names
    ]
    assert names
    assert set(names) <= set(hookline.__all__)


def test_every_name_that_can_be_imported_is_explained() -> None:
    told = section(SERVER, "### Your own stages") + section(SERVER, "### From your application")
    for name in set(hookline.__all__) - {"__version__", "Client", "AsyncClient"}:
        assert re.search(rf"`@?{name}\b", told), name
