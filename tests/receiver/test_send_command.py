"""`hookline send` sends a webhook of each source to a real receiver, and says what it did."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hookline.cli.exit_codes import AWAY, FAILED, OK, REFUSED, WRONG
from support.commands import Cli, Done, objects, sentence_of
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Job, Sender, Start

SECRETS = {
    "HOOKLINE_LLAMAPARSE_SECRETS": ENVELOPE_SECRET,
    "HOOKLINE_LLAMACLOUD_SECRETS": CLOUD_SECRET,
    "HOOKLINE_PUSH_SECRETS": PUSH_SECRET,
}
WRONG_SECRET = "a-secret-that-is-wrong"


class Sending:
    """Runs `hookline send` against a receiver of this process."""

    def __init__(self, cli: Cli, sender: Sender, reader: str) -> None:
        self._cli = cli
        self.sender = sender
        self._environment = {**SECRETS, "DATABASE_URL": reader, "HOOKLINE_RECEIVER_URL": sender.url}

    async def __call__(self, *arguments: object, **environment: str) -> Done:
        variables = {**self._environment, **environment}
        done = await asyncio.to_thread(self._cli, "send", *arguments, **variables)
        for secret in (*SECRETS.values(), WRONG_SECRET):
            assert secret not in done.stdout + done.stderr
        return done


@pytest.fixture
async def send(start: Start, login: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Sending]:
    async with start() as sender:
        yield Sending(Cli(tmp_path), sender, login("reader"))


def status_of(sender: Sender, job: Job) -> str:
    return str(sender.job(job)["status"])


@pytest.mark.parametrize("source", ["llamaparse", "llamacloud", "llamaparse_push"])
async def test_a_probe_of_each_source_changes_nothing(send: Sending, source: str) -> None:
    done = await send(source)
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.startswith(f"The receiver at {send.sender.url} got the probe of {source}")
    assert send.sender.deliveries() == []
    done = await send(source, **dict.fromkeys(SECRETS, WRONG_SECRET))
    assert done.returncode == REFUSED
    assert "the receiver there does not know this secret. Compare HOOKLINE_" in sentence_of(done)


@pytest.mark.parametrize(
    ("source", "options", "status"),
    [
        ("llamaparse", (), "parsed"),
        ("llamaparse", ("--event", "failed"), "failed_parse"),
        ("llamaparse", ("--event", "processing"), "parse_queued"),
        ("llamacloud", (), "parse_ready"),
        ("llamacloud", ("--event", "parse.running"), "parse_queued"),
        ("llamaparse_push", (), "parsed"),
    ],
)
async def test_a_webhook_about_a_job_moves_it(
    send: Sending, source: str, options: tuple[str, ...], status: str
) -> None:
    job = send.sender.new_job()
    # What the provider called it is known from an earlier event.
    await send("llamaparse", "--job", job.job_id, "--event", "processing", "--yes")
    job = send.sender.new_job() if source != "llamacloud" else job
    if (source, options) == ("llamacloud", ("--event", "parse.running")):
        assert status_of(send.sender, job) == status
        return
    done = await send(source, "--job", job.job_id, *options, "--yes")
    assert (done.returncode, done.stderr) == (OK, ""), done.stdout
    assert status_of(send.sender, job) == status
    assert ": applied. The job has moved." in done.stdout
    assert done.stdout.splitlines()[-1] == f"job {job.job_id} is {status}"


async def test_a_repeated_webhook_is_a_duplicate(send: Sending, tmp_path: Path) -> None:
    job = send.sender.new_job()
    (tmp_path / "it's.md").write_text("# It's\n")
    done = await send(
        *("llamaparse", "--job", job.job_id, "--content", "it's.md"),
        *("--repeat", 2, "--yes", "--json"),
    )
    first, second = objects(done)
    assert (first["answer"]["outcome"], second["answer"]["outcome"]) == ("applied", "duplicate")
    assert first["codes"] == ["parse_completed"]
    assert done.returncode == OK
    path = send.sender.job(job)["parsed_path"]
    assert send.sender.file_of(path).read_text() == "# It's\n"
    done = await send("llamaparse", "--job", job.job_id, "--event", "failed", "--yes")
    assert done.returncode == FAILED
    assert ": stale. The job has moved on since." in done.stdout


async def test_what_is_wrong_on_purpose_is_refused_with_what_to_compare(send: Sending) -> None:
    job = send.sender.new_job()
    done = await send("llamaparse", "--job", job.job_id, "--secret", WRONG_SECRET, "--yes")
    assert done.returncode == REFUSED
    assert done.stdout.startswith("401 Unauthorized in ")
    assert "Compare HOOKLINE_LLAMAPARSE_SECRETS here and at the receiver;" in done.stderr
    assert status_of(send.sender, job) == "uploaded"


async def test_a_job_is_not_changed_without_a_confirmation(send: Sending) -> None:
    job = send.sender.new_job()
    done = await send("llamaparse", "--job", job.job_id)
    assert done.returncode == WRONG
    assert sentence_of(done) == (
        f"This may change job {job.job_id} (report.pdf, uploaded) at {send.sender.url}."
        " Nothing was changed: --yes confirms it."
    )
    assert status_of(send.sender, job) == "uploaded"


@pytest.mark.parametrize("source", ["llamaparse", "llamaparse_push"])
async def test_the_curl_command_does_the_same(send: Sending, source: str) -> None:
    job = send.sender.new_job()
    done = await send(source, "--job", job.job_id, "--curl")
    assert done.returncode == OK
    assert status_of(send.sender, job) == "uploaded"
    sent = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", done.stdout], capture_output=True, text=True, check=True
    )
    assert '"outcome": "applied"' in sent.stdout
    assert status_of(send.sender, job) == "parsed"


async def test_the_curl_command_quotes_the_url(send: Sending) -> None:
    done = await send("llamaparse", "--url", "http://127.0.0.1:9/a;b$(c)", "--curl")
    assert done.returncode == OK
    url = done.stdout.rpartition(" --data-binary @- ")[2].strip()
    assert url.startswith("'http://127.0.0.1:9/a;b$(c)/webhooks/llamaparse?")
    assert url.endswith("'")


async def test_a_body_from_a_file_needs_no_database(send: Sending, tmp_path: Path) -> None:
    job = send.sender.new_job()
    body = {"job_id": str(job.job_id), "document_id": str(job.document_id)}
    told = json.dumps({**body, "parse_job_id": "mine", "status": "processing"}, indent=1)
    (tmp_path / "body.json").write_text(told)
    done = await send("llamaparse", "--body", "body.json", "--yes", DATABASE_URL="")
    assert done.returncode == WRONG  # an empty URL is not one
    done = await send(
        *("llamaparse", "--body", "body.json", "--yes"),
        DATABASE_URL="postgresql://reader@127.0.0.1:9/app",
    )
    assert (done.returncode, done.stderr) == (OK, "")
    assert len(done.stdout.splitlines()) == 1
    assert status_of(send.sender, job) == "parse_queued"


async def test_a_receiver_on_this_machine_is_reached_without_a_proxy(send: Sending) -> None:
    done = await send("llamaparse", HTTP_PROXY="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9")
    assert (done.returncode, done.stderr) == (OK, "")


async def test_without_a_receiver_the_command_says_so(send: Sending) -> None:
    done = await send("llamacloud", "--url", "http://127.0.0.1:9")
    assert done.returncode == AWAY
    assert sentence_of(done) == (
        "http://127.0.0.1:9 gave no answer: no connection (Connection refused): does something"
        " listen there, and no firewall refuse?"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stripe",), "stripe is not a source."),
        (("llamaparse", "--public"), "HOOKLINE_PUBLIC_URL is not set"),
        (("llamaparse", "--event", "parsed"), "--event, --content and every push are about a job"),
        (("llamaparse", "--repeat", "2"), "A probe is signed with the secret of the settings"),
        (("llamaparse", "--url", "ftp://x"), "--url ftp://x is wrong"),
        (("llamaparse", "--body", "gone.json"), "gone.json cannot be read: No such file"),
        (("llamaparse", "--at", "soon", "--body", "x"), "--at soon is wrong"),
        (("llamacloud", "--at", "10m", "--body", "x"), "llamacloud signs no time, so --at would"),
    ],
)
async def test_wrong_usage_is_one_sentence(
    send: Sending, arguments: tuple[str, ...], said: str
) -> None:
    done = await send(*arguments)
    assert done.returncode == WRONG
    assert sentence_of(done).startswith(said)


async def test_a_time_in_the_past_is_refused_by_standard_webhooks(
    start: Start, login: Callable[[str], str], tmp_path: Path
) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with start(llamaparse_scheme="standard", llamaparse_secrets=(secret,)) as sender:
        send = Sending(Cli(tmp_path), sender, login("reader"))
        job = sender.new_job()
        variables = {
            "HOOKLINE_LLAMAPARSE_SCHEME": "standard",
            "HOOKLINE_LLAMAPARSE_SECRETS": secret,
        }
        about = ("llamaparse", "--job", job.job_id, "--yes")
        assert (await send("llamaparse", **variables)).returncode == OK
        done = await send(*about, "--at", "10m", **variables)
        assert done.returncode == REFUSED
        assert "more than 5 minutes from the time of this server" in done.stdout
        assert (await send(*about, **variables)).returncode == OK
        wrong = sentence_of(await send(*about, "--secret", WRONG_SECRET, **variables))
        assert wrong == "--secret is wrong: a Standard Webhooks secret starts with whsec_."


async def test_a_described_source_is_sent_from_a_file(
    start: Start, login: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "senders.toml").write_text(
        "[acme]\n"
        'signature_header = "Acme-Signature"\n'
        'signed = "{id}.{timestamp}.{body}"\n'
        'id_header = "Acme-Id"\n'
        'timestamp_header = "Acme-Time"\n'
        'status = "/state"\n'
        'codes = { done = "parse_ready" }\n'
        'job_id = "/job"\n'
    )
    variables = {
        "HOOKLINE_SOURCES": str(tmp_path / "senders.toml"),
        "HOOKLINE_ACME_SECRETS": "acme-secret-0123456789",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with start(sources=variables["HOOKLINE_SOURCES"]) as sender:
        send = Sending(Cli(tmp_path), sender, login("reader"))
        job = sender.new_job()
        (tmp_path / "done.json").write_text(json.dumps({"state": "done", "job": str(job.job_id)}))
        done = await send("acme", **variables)
        assert (done.returncode, done.stderr) == (OK, "")
        done = await send("acme", "--body", "done.json", "--yes", "--repeat", 2, **variables)
        assert (done.returncode, done.stderr) == (OK, "")
        assert status_of(sender, job) == "parse_ready"
        done = await send("acme", "--job", job.job_id, "--yes", **variables)
        assert done.returncode == WRONG
        assert sentence_of(done).endswith("Give an event of it as --body FILE.")


async def test_an_event_of_docling_serve_is_sent_with_the_token_of_its_job(
    start: Start, login: Callable[[str], str], tmp_path: Path
) -> None:
    secret = {"HOOKLINE_DOCLING_SECRETS": "a-secret-for-docling-serve"}
    async with start(docling_secrets=(*secret.values(),)) as sender:
        send = Sending(Cli(tmp_path), sender, login("reader"))
        assert (await send("docling", **secret)).returncode == OK
        job = sender.new_job()
        sender.query(
            "select upload_pipeline.record_submission(%s, 1, 't', provider => 'docling')",
            job.job_id,
        )
        progress = {"kind": "task_completed", "task_status": "success"}
        (tmp_path / "event.json").write_text(json.dumps({"task_id": "t", "progress": progress}))
        event = ("docling", "--body", "event.json", "--yes")
        done = await send(*event, "--job", job.job_id, **secret)
        assert (done.returncode, status_of(sender, job)) == (OK, "parse_ready")
        # The event of this task again, with the token of no job: the receiver knows it already.
        again = await send(*event, **secret)
        assert (again.returncode, "duplicate" in again.stdout) == (FAILED, True), again.stdout
