"""`hookline cat` prints the markdown of a job, and only what has the hash of the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.commands import Cli, sentence_of
from support.workplace import Workplace

# Markdown with every kind of line end, and none at its end.
TEXT = "# Résumé\r\n\n| a |\tb\nno end"


@pytest.fixture
def workplace(database: str, login: Callable[[str], str], tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(database, login("worker"), tmp_path)
    yield place
    place.close()


@pytest.fixture
def environment(workplace: Workplace, reader: str) -> dict[str, str]:
    return {"DATABASE_URL": reader, "HOOKLINE_STORAGE_URL": workplace.objects.as_uri()}


def test_a_file_gets_exactly_the_bytes_in_storage(
    cli: Cli, workplace: Workplace, environment: dict[str, str]
) -> None:
    job_id = workplace.parsed_job(TEXT)
    done = cli.redirected("> out.md", "cat", job_id.hex[:20], **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (cli.directory / "out.md").read_bytes() == TEXT.encode()
    assert cli.on_terminal("cat", job_id, columns=80, **environment)[-1] == "no end"
    lost = cli.redirected("> /dev/full", "cat", job_id, **environment)
    assert lost.returncode == 1
    assert lost.stderr == ("hookline: The output could not be written: No space left on device.\n")


def test_a_job_without_markdown_says_where_it_is(
    cli: Cli, workplace: Workplace, environment: dict[str, str]
) -> None:
    job_id = workplace.uploaded_job()
    done = cli("cat", job_id, **environment)
    assert done.returncode == 1
    assert sentence_of(done) == (
        f"Job {job_id} has no markdown yet: it is uploaded (waits for a worker)."
    )


def test_an_object_that_was_changed_is_not_printed(
    cli: Cli, workplace: Workplace, environment: dict[str, str]
) -> None:
    job_id = workplace.parsed_job(TEXT)
    path = workplace.job(job_id)["parsed_path"].removeprefix("storage://")
    (workplace.objects / path).write_text(TEXT.upper())
    done = cli("cat", job_id, **environment)
    assert done.returncode == 1
    assert "has 27 bytes and another hash" in sentence_of(done)
    (workplace.objects / path).unlink()
    done = cli("cat", job_id, **environment)
    assert done.returncode == 3
    assert sentence_of(done) == "The storage failed: there is no object at this path."


def test_an_artifact_is_printed_by_its_kind_and_name(
    cli: Cli, workplace: Workplace, environment: dict[str, str]
) -> None:
    job_id = workplace.parsed_job(TEXT)
    workplace.add_artifact(job_id, "json", "", b"{}")
    for name in ("1.png", "a/b.png"):
        workplace.add_artifact(job_id, "images", name, name.encode())
    assert cli("cat", job_id, "--artifact", "json", **environment).stdout == "{}"
    assert cli("cat", job_id, "--artifact", "images/a/b.png", **environment).stdout == "a/b.png"
    done = cli("cat", job_id, "--artifact", "images", **environment)
    assert done.returncode == 1
    assert sentence_of(done) == (
        "The job has no single artifact images. It has images/1.png, images/a/b.png."
    )
    shown = cli("job", job_id, DATABASE_URL=environment["DATABASE_URL"]).stdout
    assert "\nartifact    images/a/b.png (7 bytes)\n" in shown
    for number in range(30):
        workplace.add_artifact(job_id, "screenshots", f"{number:02}.png", b"x")
    shown = cli("job", job_id, DATABASE_URL=environment["DATABASE_URL"]).stdout
    assert shown.count("\nartifact ") == 21
    assert "\nartifact    and 13 more (13 bytes): see --json\n" in shown
    [path] = workplace.objects.rglob("*.json")
    path.write_text("[]")
    done = cli("cat", job_id, "--artifact", "json", **environment)
    assert done.returncode == 1
    assert "another hash" in done.stderr
