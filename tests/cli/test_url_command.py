"""`hookline url` prints the URL that accepts the result of a job's current attempt."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from hookline.sources.llamaparse_push import verify_token
from hookline.sources.refusals import NotProven
from support.commands import Cli, Database, sentence_of

NEW, OLD = "the-new-secret-0123456789", "the-old-secret-0123456789"
PUBLIC = "https://hooks.example.com/base/"


def test_the_url_is_valid_for_the_current_attempt_only(
    cli: Cli, db: Database, operator: str
) -> None:
    job_id = db.make_failed_job()
    db.run("select upload_pipeline.retry_job(%(job_id)s)", job_id=job_id)
    done = cli(
        "url",
        job_id.hex,
        DATABASE_URL=operator,
        HOOKLINE_PUBLIC_URL=PUBLIC,
        HOOKLINE_PUSH_SECRETS=f"{NEW},{OLD}",
    )
    assert done.returncode == 0
    assert (
        done.stderr == "This URL is a secret: everybody who has it can send a result for the job.\n"
    )
    url = done.stdout.removesuffix("\n")
    assert url.startswith(f"https://hooks.example.com/base/webhooks/llamaparse/{job_id}/2.")
    token = urlsplit(url).path.rpartition("/")[2]
    assert verify_token(token, job_id, [NEW.encode()]) == 2
    with pytest.raises(NotProven):
        verify_token(token, job_id, [OLD.encode()])
    assert NEW not in done.stdout + done.stderr


def test_a_url_of_200_characters_is_refused(cli: Cli, db: Database, reader: str) -> None:
    job_id = db.make_job()

    def of_length(length: int) -> str:
        # What is not the base: /webhooks/llamaparse/, the id, a slash, and `1.` with the mac.
        return "https://hooks.example.com/".ljust(length - 21 - 36 - 1 - 45, "x")

    def run(length: int) -> tuple[int, str, str]:
        done = cli(
            "url",
            job_id,
            DATABASE_URL=reader,
            HOOKLINE_PUBLIC_URL=of_length(length),
            HOOKLINE_PUSH_SECRETS=NEW,
        )
        return done.returncode, done.stdout.strip(), done.stderr

    code, url, _ = run(199)
    assert (code, len(url)) == (0, 199)
    code, url, told = run(200)
    assert (code, url) == (2, "")
    assert "would have 200 characters, and LlamaParse takes fewer than 200" in told


@pytest.mark.parametrize("missing", ["HOOKLINE_PUBLIC_URL", "HOOKLINE_PUSH_SECRETS"])
def test_a_missing_setting_is_named(cli: Cli, db: Database, reader: str, missing: str) -> None:
    given = {"HOOKLINE_PUBLIC_URL": PUBLIC, "HOOKLINE_PUSH_SECRETS": NEW}
    del given[missing]
    done = cli("url", db.make_job(), DATABASE_URL=reader, **given)
    assert done.returncode == 2
    assert sentence_of(done).startswith(f"{missing} is not set: ")
