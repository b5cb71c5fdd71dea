"""`hookline submit` stores files and folders, and prints the result of each."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from support.commands import Cli, Database, objects, sentence_of


@pytest.fixture
def given(tmp_path: Path, operator: str) -> dict[str, str]:
    (tmp_path / "objects").mkdir()
    return {
        "DATABASE_URL": operator,
        "HOOKLINE_STORAGE_URL": (tmp_path / "objects").as_uri(),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three PDFs, one of them in a folder below, and a file that is not a PDF."""
    folder = tmp_path / "docs"
    (folder / "more").mkdir(parents=True)
    for name in ("a.pdf", "b.pdf", "more/c.pdf"):
        (folder / name).write_bytes(f"%PDF-1.4\n{name}".encode())
    (folder / "notes.txt").write_text("notes")
    return folder


class Parser:
    """Ends every uploaded job: those of `b.pdf` fail, the others are parsed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ends = False
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends:
            for job_id, filename in self._db.run(
                "select job_id, filename from upload_pipeline.job_overview"
                " where status = 'uploaded' and upload_confirmed"
            ):
                if filename == "b.pdf":
                    self._db.fail(job_id, "It is broken.")
                else:
                    self._db.parse(job_id)
            time.sleep(0.05)

    def close(self) -> None:
        self._ends = True
        self._thread.join()


@pytest.fixture
def parser(db: Database) -> Iterator[Parser]:
    with closing(Parser(db)) as parser:
        yield parser


@pytest.mark.usefixtures("parser")
def test_a_bad_file_does_not_stop_the_other_files_of_a_folder(
    cli: Cli, folder: Path, given: dict[str, str]
) -> None:
    missing = folder / "missing.pdf"
    done = cli("submit", "docs", missing, "--recursive", **given)
    assert done.returncode == 1
    rows = {line.split()[-1]: line.split() for line in done.stdout.splitlines()}
    assert set(rows) == {"docs/a.pdf", "docs/b.pdf", "docs/more/c.pdf", str(missing)}
    assert rows["docs/a.pdf"][1:3] == rows["docs/more/c.pdf"][1:3] == ["applied", "parsed"]
    assert rows["docs/b.pdf"][1:3] == ["applied", "failed_parse"]
    assert rows[str(missing)][0] == "error"
    told = done.stderr.splitlines()
    assert sorted(told[:-1]) == sorted(
        [f"hookline: {missing} does not exist.", "hookline: docs/b.pdf: It is broken."]
    )
    assert told[-1] == "4 files: 3 uploaded, 2 parsed, 2 failed."


@pytest.mark.usefixtures("parser")
def test_json_is_one_object_for_each_file(
    cli: Cli, db: Database, folder: Path, given: dict[str, str]
) -> None:
    owner = uuid4()
    done = cli("submit", "docs", "--json", "--owner", owner, **given)
    assert done.returncode == 1
    found = {row["path"]: row for row in objects(done)}
    assert set(found) == {"docs/a.pdf", "docs/b.pdf"}
    good, bad = found["docs/a.pdf"], found["docs/b.pdf"]
    assert (good["outcome"], good["status"], good["code"], good["error"]) == (
        *("applied", "parsed"),
        *(None, None),
    )
    assert (bad["status"], bad["code"]) == ("failed_parse", "parse_failed")
    assert db.run(
        "select job_id::text, document_id::text, owner_id from upload_pipeline.job_overview"
        " where filename = 'a.pdf'"
    ) == [(good["job_id"], good["document_id"], owner)]
    [again] = objects(cli("submit", "docs/a.pdf", "--json", "--owner", owner, **given))
    assert (again["outcome"], again["job_id"]) == ("duplicate", good["job_id"])


def test_without_follow_the_command_ends_once_the_files_are_stored(
    cli: Cli, db: Database, folder: Path, given: dict[str, str]
) -> None:
    done = cli("submit", "docs", "--no-follow", **given)
    assert done.returncode == 0
    assert [line.split()[1:3] for line in done.stdout.splitlines()] == [["applied", "uploaded"]] * 2
    assert done.stderr == "2 files: 2 uploaded, 0 failed.\n"
    assert db.run("select count(*) from upload_pipeline.job_overview where upload_confirmed") == [
        (2,)
    ]
    stored = [path for path in (folder.parent / "objects").rglob("*.pdf") if path.is_file()]
    assert sorted(path.read_bytes() for path in stored) == [
        b"%PDF-1.4\na.pdf",
        b"%PDF-1.4\nb.pdf",
    ]


def test_a_missing_worker_is_reported_and_ctrl_c_leaves_the_jobs(
    cli: Cli, db: Database, folder: Path, given: dict[str, str]
) -> None:
    process = cli.start("submit", "docs", **given)
    assert process.stderr is not None
    told = process.stderr.readline()
    assert told == (
        "hookline: Nothing moves in uploaded: waits for a worker."
        " Is `hookline work` or `hookline up` running?\n"
    )
    process.send_signal(2)
    out, more = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert more.splitlines() == [
        "2 files: 2 uploaded, 0 parsed, 0 failed.",
        "The other jobs go on without this command: see `hookline jobs`.",
    ]
    assert db.run("select count(*) from upload_pipeline.job_overview") == [(2,)]


@pytest.mark.usefixtures("parser")
def test_a_terminal_shows_a_progress_bar_with_the_totals(
    cli: Cli, folder: Path, given: dict[str, str]
) -> None:
    ours, theirs = pty.openpty()
    environment = cli._environment({**given, "TERM": "xterm", "COLUMNS": "120"})
    with subprocess.Popen(
        cli._command(("submit", "docs")),
        cwd=folder.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = _everything_of(ours)
        assert process.wait(20) == 1
    assert "0 uploaded, 0 parsed, 0 failed" in shown
    assert "2/2" in shown
    assert "2 files: 2 uploaded, 1 parsed, 1 failed." in shown
    assert "docs/a.pdf" in shown


def test_a_folder_without_a_pdf_is_an_error(cli: Cli, folder: Path, given: dict[str, str]) -> None:
    (folder / "none").mkdir()
    done = cli("submit", "docs/none", **given)
    assert done.returncode == 1
    assert done.stderr == (
        "hookline: docs/none is a folder without a PDF: --recursive searches the folders below.\n"
    )


def test_a_role_that_may_not_submit_gets_one_error(
    cli: Cli, folder: Path, given: dict[str, str], reader: str
) -> None:
    done = cli("submit", "docs", "--no-follow", **{**given, "DATABASE_URL": reader})
    assert done.returncode == 2
    assert "permission denied for function create_job" in sentence_of(done)


def test_without_a_storage_no_job_is_created(
    cli: Cli, db: Database, folder: Path, operator: str
) -> None:
    done = cli("submit", "docs", DATABASE_URL=operator)
    assert done.returncode == 2
    assert sentence_of(done).startswith("HOOKLINE_STORAGE_URL is not set")
    assert db.run("select count(*) from upload_pipeline.job_overview") == [(0,)]


def _everything_of(terminal: int) -> str:
    shown = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            part: Any = os.read(terminal, 65536)
        except OSError:  # Its other end is closed.
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return shown.decode()


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--option", "colour=red"), {}, "local takes no option colour. It takes artifacts."),
        (
            ("--option", "tier=fast"),
            {"LLAMA_CLOUD_API_KEY": "llx-key"},
            "The option tier of llamacloud is wrong: Input should be 'cost_effective'",
        ),
        (
            ("--provider", "reducto", "--option", "colour=red"),
            {},
            "reducto takes no option colour. It takes pages, tables, extraction, agentic,"
            " artifacts.",
        ),
    ],
)
def test_an_option_that_the_parser_does_not_take_is_refused_at_once(
    cli: Cli,
    given: dict[str, str],
    folder: Path,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    said: str,
) -> None:
    secret = {"HOOKLINE_LLAMAPARSE_SECRETS": "a-long-random-secret"}
    done = cli("submit", folder, "--no-follow", *arguments, **given, **secret, **variables)
    assert done.returncode == 2
    assert sentence_of(done).startswith(said)


def test_options_of_a_parser_that_is_not_known_here_are_left_to_the_worker(
    cli: Cli, given: dict[str, str], folder: Path
) -> None:
    variables = given | {"HOOKLINE_PARSER": "none"}
    done = cli("submit", folder / "a.pdf", "--no-follow", "--option", "colour=red", **variables)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_said_of_the_jobs_is_in_the_jobs(
    cli: Cli, db: Database, given: dict[str, str], folder: Path
) -> None:
    group = uuid4()
    done = cli(
        *("submit", folder, "--no-follow", "--priority", 7, "--not-before", "12h"),
        *("--option", "tier=agentic", "--option", "pages=1-2", "--provider", "llamacloud"),
        *("--metadata", "customer=ACME", "--metadata", "order=42", "--group", group),
        **given,
    )
    assert (done.returncode, done.stdout.count("\n")) == (0, 2)
    rows = db.run(
        "select distinct options, metadata, priority, provider, group_id,"
        " run_after between created_at + interval '11 h' and created_at + interval '13 h'"
        " from upload_pipeline.job_overview"
    )
    options = {"tier": "agentic", "pages": "1-2"}
    metadata = {"customer": "ACME", "order": 42}
    assert rows == [(options, metadata, 7, "llamacloud", group, True)]
    for wrong in (("--option", "tier"), ("--metadata", "=1"), ("--not-before", "soon")):
        done = cli("submit", folder, *wrong, **given)
        assert done.returncode == 2, wrong
        assert f"{wrong[0]} {wrong[1]} is wrong" in sentence_of(done)
