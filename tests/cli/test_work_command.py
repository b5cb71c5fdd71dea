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
    assert last == (
        "hookline: The login role test_operator of DATABASE_URL may not call advance_job, which"
        " `hookline work` needs: as an administrator, run `grant hookline_worker to test_operator`."
    )


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


HEAD = "import functools\nfrom hookline import stage\n\n"
RIGHT = '@stage("parsed") above async def index(job, tools).'


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            '@stage("parsed")\ndef index(job, tools): ...\n',
            "The handler index ({file}, line 4) is not async: write " + RIGHT,
        ),
        (
            '@stage("parsed")\nasync def index(job, tools):\n    yield\n',
            "The handler index ({file}, line 4) uses yield: write " + RIGHT,
        ),
        (
            '@stage("parsed")\nasync def index(job): ...\n',
            "The handler index ({file}, line 4) does not take two positional arguments: write "
            + RIGHT,
        ),
        (
            '@stage("parsed")\nasync def index(job, *, tools): ...\n',
            "The handler index ({file}, line 4) does not take two positional arguments: write "
            + RIGHT,
        ),
        (
            "@stage\nasync def index(job, tools): ...\n",
            "The handler index ({file}, line 4) has no status: write " + RIGHT,
        ),
        (
            "@stage()\nasync def index(job, tools): ...\n",
            "The handler index ({file}, line 4) has no status: write " + RIGHT,
        ),
        (
            "async def index(job, tools): ...\n",
            "There is no stage in mine.py: a handler there needs " + RIGHT,
        ),
    ],
)
def test_a_wrong_handler_ends_the_command_with_its_name_and_the_right_form(
    cli: Cli, operator: str, given: dict[str, str], tmp_path: Path, code: str, sentence: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + code)
    done = cli("work", DATABASE_URL=operator, HOOKLINE_STAGES="mine.py", **given)
    assert done.returncode == 2
    assert done.stderr == f"hookline: {sentence.format(file=file)}\n"


def test_every_awaitable_form_of_a_handler_is_accepted(
    cli: Cli, operator: str, given: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        HEAD + "class Index:\n"
        "    async def __call__(self, job, tools): ...\n"
        "    async def chunk(self, job, tools): ...\n"
        "async def embed(model, job, tools, *more): ...\n"
        "def timed(handler):\n"
        "    @functools.wraps(handler)\n"
        "    def wrapper(*arguments): return handler(*arguments)\n"
        "    return wrapper\n"
        'stage("a")(Index())\n'
        'stage("b")(Index().chunk)\n'
        'stage("c")(functools.partial(embed, "model"))\n'
        '@stage("d")\n'
        "@timed\n"
        "async def store(job, tools): ...\n"
    )
    (tmp_path / "again.py").write_text("from mine import store\n")
    stages = "mine,again,mine"
    done = cli("work", DATABASE_URL=operator, HOOKLINE_STAGES=stages, **given)
    # The stages are accepted, and then Postgres refuses the login, which may not work on jobs.
    assert "`grant hookline_worker to" in done.stderr.splitlines()[-1], done.stderr
