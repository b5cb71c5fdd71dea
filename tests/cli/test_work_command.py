"""`hookline work` logs who parses, or ends with the reason why it cannot start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Cli

SECRET = "the-secret-of-the-sender"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "objects").mkdir()
    return {
        "HOOKLINE_STORAGE_URL": (tmp_path / "objects").as_uri(),
        "HOOKLINE_LLAMAPARSE_SECRETS": SECRET,
    }


def test_the_parser_is_logged_at_the_start(cli: Cli, operator: str, given: dict[str, str]) -> None:
    done = cli("work", DATABASE_URL=operator, **given)
    [line] = [json.loads(one) for one in done.stderr.splitlines() if '"event": "parser"' in one]
    assert line["parser"] == "local"
    assert line["reason"].endswith("parses on this machine: LLAMA_CLOUD_API_KEY is not set.")


def test_a_role_that_may_not_claim_is_told_which_role_may(
    cli: Cli, operator: str, given: dict[str, str]
) -> None:
    done = cli("work", DATABASE_URL=operator, **given)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("hookline: The login role of DATABASE_URL may not claim jobs")
    assert last.endswith("a worker needs a login that is a member of hookline_worker.")


def test_a_worker_without_stages_ends_and_says_why(
    cli: Cli, operator: str, given: dict[str, str]
) -> None:
    done = cli("work", DATABASE_URL=operator, HOOKLINE_PARSER="none", **given)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "hookline: There is no stage to run. Nothing is parsed by this worker: HOOKLINE_PARSER"
        " says so. To run stages of your own, set HOOKLINE_STAGES"
    )
    del given["HOOKLINE_LLAMAPARSE_SECRETS"]
    done = cli("work", DATABASE_URL=operator, **given)
    assert "HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set." in done.stderr


def test_a_second_handler_for_a_status_is_told_how_to_leave_out_the_built_in_one(
    cli: Cli, operator: str, given: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "from hookline import stage\n\n"
        '@stage("uploaded")\n'
        "async def work(job, tools):\n"
        '    return "parse_completed"\n'
    )
    done = cli("work", "--stages", "mine.py", DATABASE_URL=operator, **given)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "hookline: Two handlers for the status uploaded: a status has one handler."
        " HOOKLINE_PARSER=none leaves out the stages of the built-in parsers."
    )
