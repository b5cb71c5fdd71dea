"""Errors of Supabase Storage: those that need a person, and those that may recover."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.supabase_storage import SECRET_KEY, Bucket, Object, SupabaseImitation, jwt
from hookline.settings import Settings
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    Storage,
    StorageError,
    StorageMisconfigured,
    TypeNotAllowed,
)
from hookline.storage.opening import open_storage
from hookline.storage.supabase import key_problem

PATH = "storage://parsed/document/job.md"


async def refusal(settings: Settings, path: str = PATH, content: bytes = b"# x") -> StorageError:
    async with open_storage(settings) as storage:
        with pytest.raises(StorageError) as refused:
            await storage.write(path, content)
    assert SECRET_KEY not in str(refused.value)
    # A traceback shows the whole chain.
    assert refused.value.__suppress_context__
    assert refused.value.__cause__ is None
    return refused.value


async def unusable(settings: Settings) -> StorageError:
    async with open_storage(settings) as storage:
        with pytest.raises(StorageError) as refused:
            await storage.check()
    return refused.value


async def test_parsed_content_is_markdown_in_the_bucket_that_is_named(
    supabase: SupabaseImitation,
) -> None:
    supabase.buckets["texts"] = Bucket(["text/markdown"])
    async with open_storage(supabase.settings(storage_url="supabase://texts")) as storage:
        await storage.write(PATH, b"# x")
        assert await storage.read(PATH) == b"# x"
        assert [one.path async for one in storage.list("parsed")] == [PATH]
    [(place, found)] = supabase.objects.items()
    assert place == ("texts", "document/job.md")
    assert (found.content, found.mime) == (b"# x", "text/markdown")


async def test_every_other_path_is_in_the_bucket_of_its_own_name(
    supabase: SupabaseImitation,
) -> None:
    supabase.buckets["raw"] = Bucket(["application/pdf"])
    async with open_storage(supabase.settings()) as storage:
        await storage.write("storage://raw/owner/a.pdf", b"%PDF-")
        assert supabase.objects["raw", "owner/a.pdf"].mime == "application/pdf"
        await storage.delete("storage://raw/owner/a.pdf")
        await storage.delete("storage://nobodys/owner/a.pdf")
    assert supabase.objects == {}


async def test_all_pages_are_listed_but_for_the_dashboards_placeholders(
    supabase: SupabaseImitation,
) -> None:
    for number in range(2500):
        supabase.objects["parsed", f"{number % 7}/{number}.md"] = Object(b"x", "text/markdown")
    supabase.objects["parsed", "empty/.emptyFolderPlaceholder"] = Object(b"", "text/plain")
    async with open_storage(supabase.settings()) as storage:
        listed = [one.path async for one in storage.list("parsed")]
    assert len(listed) == len(set(listed)) == 2500
    assert sum("list-v2" in request for request in supabase.requests) == 3


async def test_a_bucket_that_does_not_exist_is_not_an_empty_one(
    supabase: SupabaseImitation,
) -> None:
    supabase.buckets.clear()
    async with open_storage(supabase.settings()) as storage:
        with pytest.raises(StorageError, match="bucket parsed does not exist"):
            [one async for one in storage.list("parsed")]
        with pytest.raises(StorageError, match="bucket parsed does not exist") as refused:
            await storage.read(PATH)
    assert not isinstance(refused.value, MissingObject)


async def test_an_error_that_needs_a_person_says_what_to_do(supabase: SupabaseImitation) -> None:
    settings = supabase.settings()
    supabase.buckets["parsed"] = Bucket(["text/plain"], file_size_limit=10)
    error = await refusal(settings)
    assert type(error) is TypeNotAllowed
    assert str(error) == (
        "bucket parsed does not take text/markdown: add it to the bucket's allowed_mime_types"
    )
    supabase.buckets["parsed"] = Bucket(["text/markdown"], file_size_limit=10)
    error = await refusal(settings, content=b"x" * 11)
    assert type(error) is ObjectRefused
    assert "larger than bucket parsed takes: raise the file size limit" in str(error)

    supabase.buckets.clear()
    error = await refusal(settings)
    assert type(error) is StorageMisconfigured
    assert "bucket parsed does not exist in the project of SUPABASE_URL: create it" in str(error)

    supabase.roles.clear()
    for supabase.gateway_refuses in (False, True):
        error = await refusal(settings)
        assert type(error) is StorageMisconfigured
        assert "Supabase does not accept the key: set SUPABASE_SERVICE_ROLE_KEY" in str(error)


async def test_a_raw_file_in_a_bucket_that_does_not_exist_is_the_fault_of_its_path(
    supabase: SupabaseImitation,
) -> None:
    error = await refusal(supabase.settings(), "storage://typo/owner/a.pdf")
    assert type(error) is ObjectRefused
    assert "bucket typo does not exist in the project of SUPABASE_URL: create it" in str(error)


async def test_an_error_that_may_recover_blames_neither_object_nor_settings(
    supabase: SupabaseImitation,
) -> None:
    settings = supabase.settings(storage_deadline=0.5)
    supabase.database_is_down = True
    error = await refusal(settings)
    assert type(error) is StorageError
    assert "its database is away (InternalError): it may recover by itself" in str(error)
    supabase.database_is_down = False

    supabase.answers_html = True
    error = await refusal(settings)
    assert type(error) is StorageError
    assert "is not Supabase Storage: check SUPABASE_URL" in str(error)

    await supabase.stop()
    error = await refusal(settings)
    assert type(error) is StorageError
    assert "cannot be reached: check SUPABASE_URL" in str(error)


async def test_a_hanging_server_is_abandoned_before_the_callers_deadline(
    supabase: SupabaseImitation,
) -> None:
    supabase.hangs = True
    async with open_storage(supabase.settings(storage_deadline=0.5)) as storage:
        with pytest.raises(StorageError, match=r"did not answer within 0.45 s") as refused:
            async with asyncio.timeout(0.5):
                await storage.write(PATH, b"# x")
    assert type(refused.value) is StorageError


async def test_a_connection_that_the_server_drops_is_reported() -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        error = await refusal(SupabaseImitation().settings(supabase_url=url))
    assert type(error) is StorageError
    assert "broke (" in str(error)


async def test_a_redirect_is_not_followed_with_the_key(supabase: SupabaseImitation) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\n"
            b"Location: " + f"{supabase.url}/storage/v1/bucket/parsed\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        error = await unusable(supabase.settings(supabase_url=url))
    assert "refused it (307" in str(error)
    assert supabase.requests == []


async def test_an_aborted_upload_leaves_no_object(supabase: SupabaseImitation) -> None:
    async with open_storage(supabase.settings()) as storage:
        upload = asyncio.create_task(storage.write(PATH, b"x" * 2**26))
        while not supabase.requests:
            await asyncio.sleep(0.001)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        with pytest.raises(MissingObject):
            await storage.read(PATH)


async def test_the_check_names_each_fault(supabase: SupabaseImitation) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{bound.getsockname()[1]}"
        said = [str(await unusable(supabase.settings(supabase_url=nobody)))]
    said.append(str(await unusable(supabase.settings(supabase_service_role_key="sb_secret_0" * 4))))
    said.append(str(await unusable(supabase.settings(storage_url="supabase://elsewhere"))))
    said.append(str(await unusable(supabase.settings(supabase_service_role_key=jwt(role="anon")))))
    for sentence, told in zip(
        said,
        (
            "cannot be reached: check SUPABASE_URL",
            "Supabase does not accept the key",
            "bucket elsewhere does not exist",
            "is a key of role anon, which may not write",
        ),
        strict=True,
    ):
        assert told in sentence


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("sb_publishable_0123456789", "is a publishable key"),
        (jwt(role="anon"), "is a key of role anon"),
        (jwt(role="authenticated", sub="someone"), "is a key of role authenticated"),
        (jwt(role="service_role", ref="other"), "is of project other, and SUPABASE_URL of project"),
        (jwt(role="service_role", ref="mine", exp=999), "expired on 1970-01-01"),
        (jwt(role="service_role", ref="mine", exp=1001), None),
        (SECRET_KEY, None),
        ("not.a.token", None),
        ("a.W10.b", None),
    ],
)
def test_a_key_that_is_visibly_wrong_is_refused_with_the_reason(key: str, told: str | None) -> None:
    problem = key_problem(key, "mine.supabase.co", 1000)
    assert (problem is None) if told is None else (problem is not None and told in problem)
    assert problem is None or key not in problem


def test_a_key_of_a_self_hosted_project_is_not_compared_by_project() -> None:
    assert key_problem(jwt(role="service_role", ref="mine"), "127.0.0.1", 1000) is None


async def test_a_public_bucket_is_refused(supabase: SupabaseImitation) -> None:
    supabase.buckets["parsed"].public = True
    async with open_storage(supabase.settings()) as storage:
        with pytest.raises(StorageError, match="bucket parsed is public"):
            await storage.check()


async def test_a_deletion_with_a_key_that_sees_nothing_is_an_error(
    supabase: SupabaseImitation,
) -> None:
    anon = jwt(role="anon")
    supabase.roles[anon] = "anon"
    supabase.objects["parsed", "document/job.md"] = Object(b"x", "text/markdown")
    async with open_storage(supabase.settings(supabase_service_role_key=anon)) as storage:
        with pytest.raises(StorageError, match="is a key of role anon"):
            await storage.delete(PATH)
        with pytest.raises(StorageError, match="does not accept the key"):
            await storage.write(PATH, b"x")


async def test_more_uploads_at_once_than_connections_all_arrive(
    supabase: SupabaseImitation,
) -> None:
    async def write(storage: Storage, number: int) -> None:
        await storage.write(f"storage://parsed/{number}/job.md", b"%d" % number)

    # More uploads than the HTTP client has connections, which is slow on a busy machine.
    async with open_storage(supabase.settings(storage_deadline=25)) as storage:
        await asyncio.gather(*(write(storage, number) for number in range(120)))
    assert len(supabase.objects) == 120


def test_without_the_extra_the_start_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['supabase'] = None\n"
        "from hookline.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "serve"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": ":".join(filter(None, sys.path)),
            "DATABASE_URL": "postgresql://127.0.0.1:1/app",
            "HOOKLINE_STORAGE_URL": "supabase://parsed",
            "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
            "SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY,
            "HOOKLINE_LLAMAPARSE_SECRETS": "a-long-random-secret",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install '.[supabase]' in the checkout" in done.stderr
    assert "Traceback" not in done.stderr


async def test_an_object_that_is_too_large_to_read_is_refused(
    supabase: SupabaseImitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.storage.supabase.LARGEST_OBJECT", 1000)
    supabase.objects["parsed", "document/job.md"] = Object(b"x" * 1001, "text/markdown")
    async with open_storage(supabase.settings()) as storage:
        with pytest.raises(ObjectRefused, match="the most that are read"):
            await storage.read(PATH)
