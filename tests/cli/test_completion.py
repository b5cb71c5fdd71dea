"""The shell completes commands and options, once `hookline --install-completion` was run."""

from __future__ import annotations

import pytest

from support.commands import Cli


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
    done = cli("--install-completion", "bash", HOME=str(home), SHELL="/bin/bash")
    assert done.returncode == 0
    [script] = (home / ".bash_completions").iterdir()
    assert str(script) in (home / ".bashrc").read_text()
