"""The shell completes commands and options, once `hookline --install-completion` was run."""

from __future__ import annotations

import pytest

from support.commands import Cli, Database


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["hookline", "jo"], {"job", "jobs"}),
        (["hookline", "retry", "--dr"], {"--dry-run"}),
    ],
)
def test_bash_completes(cli: Cli, words: list[str], completed: set[str]) -> None:
    done = cli(
        _HOOKLINE_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(words),
        COMP_CWORD=str(len(words) - 1),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == completed


def test_the_completion_is_installed_for_a_shell(cli: Cli) -> None:
    home = cli.directory / "home"
    home.mkdir()
    done = cli.in_bash("--install-completion", HOME=str(home))
    assert (done.returncode, done.stderr) == (0, "")
    [script] = (home / ".bash_completions").iterdir()
    assert str(script) in (home / ".bashrc").read_text()


def complete(cli: Cli, *words: str, **environment: str) -> list[str]:
    done = cli(
        _HOOKLINE_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(["hookline", *words]),
        COMP_CWORD=str(len(words)),
        **environment,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_what_is_in_the_database(cli: Cli, db: Database, reader: str) -> None:
    job_id = str(db.make_failed_job())
    assert complete(cli, "job", job_id[:5], DATABASE_URL=reader) == [job_id]
    assert complete(cli, "job", "zz", DATABASE_URL=reader) == []
    assert complete(cli, "jobs", "--status", "parse_", DATABASE_URL=reader) == [
        *("parse_queued", "parse_ready"),
    ]
    assert complete(cli, "pause", "c", DATABASE_URL=reader) == []
    assert complete(cli, "deliveries", "--source", "l", DATABASE_URL=reader) == ["llamaparse"]


@pytest.mark.parametrize("url", ["", "mysql://x", "postgresql://app@127.0.0.1:9/app"])
def test_without_a_database_nothing_is_completed_and_nothing_is_said(cli: Cli, url: str) -> None:
    assert complete(cli, "job", "01", DATABASE_URL=url) == []
