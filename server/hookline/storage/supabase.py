"""Objects in buckets of Supabase Storage, through the official client."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
from storage3 import AsyncStorageClient
from storage3.exceptions import StorageApiError
from storage3.utils import StorageException
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from hookline.process.http_client import open_http_client
from hookline.process.limited_answers import AnswerTooLarge
from hookline.settings import Settings
from hookline.storage.objects import (
    LARGEST_OBJECT,
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
    StoredObject,
    TypeNotAllowed,
    object_key,
    too_large_to_read,
)

__all__ = ["SupabaseStorage", "open_project", "open_supabase"]

# The share of HOOKLINE_STORAGE_DEADLINE for a call, so that our sentence comes before the caller's
# own time-out.
_SHARE = 0.9
_PAGE = 1000

# Without a charset: the server compares it as text with the bucket's allowed_mime_types.
_MARKDOWN = "text/markdown"
_TYPES = {
    ".md": _MARKDOWN,
    ".pdf": "application/pdf",
    # Artifacts.
    ".txt": "text/plain",
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}

# The dashboard leaves this object in a folder that it has emptied.
_PLACEHOLDER = ".emptyFolderPlaceholder"

_WRONG_KEY = (
    "Supabase does not accept the key: set SUPABASE_SERVICE_ROLE_KEY to the secret (service_role)"
    " key of the project of SUPABASE_URL, one that is not expired or revoked"
)
_TOO_LARGE = (
    "the object is larger than bucket {bucket} takes: raise the file size limit of the bucket or,"
    " if that is higher, the project's"
)
_BUSY = "Supabase Storage is busy or its database is away ({code}): it may recover by itself"
_TAKEN = "the object is being written by another process"


class _Meaning(NamedTuple):
    kind: type[StorageError]
    sentence: str


# By the error's name, or else by the status that the body holds: the HTTP status is nearly always
# 400. Of errors that are not here, a 5xx may recover.
_MEANINGS = {
    "NoSuchBucket": _Meaning(
        StorageMisconfigured,
        "bucket {bucket} does not exist in the project of SUPABASE_URL: create it, private, or"
        " correct HOOKLINE_STORAGE_URL",
    ),
    "AccessDenied": _Meaning(StorageMisconfigured, _WRONG_KEY),
    "InvalidJWT": _Meaning(StorageMisconfigured, _WRONG_KEY),
    "InvalidMimeType": _Meaning(
        TypeNotAllowed,
        "bucket {bucket} does not take {mime}: add it to the bucket's allowed_mime_types",
    ),
    "EntityTooLarge": _Meaning(ObjectRefused, _TOO_LARGE),
    "InvalidKey": _Meaning(ObjectRefused, "Supabase does not take this path: rename the object"),
    "KeyTooLongError": _Meaning(
        ObjectRefused, "Supabase does not take a path as long as this: rename the object"
    ),
    "TenantNotFound": _Meaning(
        StorageMisconfigured, "there is no such project: correct SUPABASE_URL"
    ),
    # We always overwrite, so another process is writing the same bytes at this moment.
    "KeyAlreadyExists": _Meaning(StorageError, _TAKEN),
    "ResourceAlreadyExists": _Meaning(StorageError, _TAKEN),
    "ResourceLocked": _Meaning(StorageError, _TAKEN),
    "DatabaseTimeout": _Meaning(StorageError, _BUSY),
    "SlowDown": _Meaning(StorageError, _BUSY),
    "TransactionError": _Meaning(StorageError, _BUSY),
    # Answers of a gateway in front of Supabase Storage. Their bodies have no error names.
    "401": _Meaning(StorageMisconfigured, _WRONG_KEY),
    "403": _Meaning(StorageMisconfigured, _WRONG_KEY),
    "404": _Meaning(
        StorageMisconfigured, "no Supabase Storage answers there: correct SUPABASE_URL"
    ),
    "408": _Meaning(StorageError, _BUSY),
    "413": _Meaning(ObjectRefused, _TOO_LARGE),
    "429": _Meaning(StorageError, _BUSY),
    "540": _Meaning(
        StorageMisconfigured, "the project is paused: restore it in the Supabase dashboard"
    ),
}

_Answer = TypeVar("_Answer")


class SupabaseStorage:
    """The project's buckets.

    `storage://parsed/` is the bucket of HOOKLINE_STORAGE_URL; any other first part of a path is the
    name of its bucket. Nothing is retried here. Every call ends within `seconds`.
    """

    is_remote = True

    def __init__(
        self, client: AsyncStorageClient, *, url: str, key: str, bucket: str, seconds: float
    ) -> None:
        self._client = client
        self._url = url
        self._key = key
        self._bucket = bucket
        self._seconds = seconds

    async def write(self, path: str, content: bytes) -> None:
        """Upload the object, over the same bytes if it exists already. Raises StorageError."""
        bucket, name = self._place(path)
        mime = _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        await self._call(
            self._client.from_(bucket).upload(
                name, content, {"content-type": mime, "upsert": "true"}
            ),
            bucket,
            mime,
        )

    def begin_write(self, bucket: str, content: bytes) -> _BegunWrite:
        """Nothing is sent before the path is known."""
        return _BegunWrite(self, content)

    async def delete(self, path: str) -> None:
        """Remove the object. A missing object is no error. Raises StorageError."""
        # With another role, row security hides the object, and a deletion would seem to succeed.
        self._require_service_role()
        bucket, name = self._place(path)
        await self._call(self._client.from_(bucket).remove([name]), bucket)

    async def read(self, path: str) -> bytes:
        """Download the object. Raises MissingObject and StorageError."""
        bucket, name = self._place(path)
        return await self._call(self._client.from_(bucket).download(name), bucket)

    async def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every object of the bucket, in pages of a thousand. Raises StorageError."""
        name = self._bucket_of(bucket)
        # The bucket is checked first: listing one that does not exist gives an empty list.
        await self._call(self._client.get_bucket(name), name)
        cursor: str | None = None
        while True:
            # list_v2: the older listing needs a request for each folder, and its pages can shift.
            page = await self._call(
                self._client.from_(name).list_v2(
                    {"limit": _PAGE, "cursor": cursor} if cursor else {"limit": _PAGE}
                ),
                name,
            )
            for found in page.objects:
                if PurePosixPath(found.name).name != _PLACEHOLDER:
                    size = int((found.metadata or {}).get("size", 0))
                    yield StoredObject(f"storage://{bucket}/{found.name}", size, found.updated_at)
            cursor = page.nextCursor
            if not page.hasNext or cursor is None:
                return

    async def unfinished(self) -> tuple[StoredObject, ...]:
        """Nothing: an upload that breaks off leaves no object, and we make no resumable uploads."""
        return ()

    async def sweep(self) -> int:
        """Nothing to do: see `unfinished`."""
        return 0

    async def check(self) -> None:
        """Raise StorageError unless the server takes the key and has the bucket, a private one."""
        self._require_service_role()
        bucket = await self._call(self._client.get_bucket(self._bucket), self._bucket)
        if bucket.public:
            raise StorageMisconfigured(
                f"bucket {self._bucket} is public, so anybody can read every parsed text: make"
                " it private"
            )

    def _place(self, path: str) -> tuple[str, str]:
        first, _, name = object_key(path).partition("/")
        return self._bucket_of(first), name

    def _bucket_of(self, first: str) -> str:
        return self._bucket if first == "parsed" else first

    def _require_service_role(self) -> None:
        if problem := key_problem(self._key, urlsplit(self._url).hostname or "", time.time()):
            raise StorageMisconfigured(problem)

    async def _call(
        self, request: Awaitable[_Answer], bucket: str, mime: str = _MARKDOWN
    ) -> _Answer:
        # `from None`: a cause could show a secret. httpx quotes the headers that it refuses.
        try:
            async with asyncio.timeout(self._seconds):
                return await request
        except TimeoutError:
            raise StorageError(
                f"Supabase at {self._url} did not answer within {self._seconds:g} s"
            ) from None
        except StorageApiError as error:
            raise self._meaning(error, bucket, mime) from None
        except httpx.ConnectError:
            raise StorageError(
                f"Supabase at {self._url} cannot be reached: check SUPABASE_URL, that the project"
                " is not paused, and the network"
            ) from None
        except AnswerTooLarge:
            raise too_large_to_read() from None
        except httpx.HTTPError as error:
            raise StorageError(
                f"the connection to Supabase at {self._url} broke ({type(error).__name__})"
            ) from None
        except (StorageException, LookupError, TypeError, ValueError):
            raise StorageError(
                f"what answered at {self._url} is not Supabase Storage: check SUPABASE_URL"
            ) from None

    def _meaning(self, error: StorageApiError, bucket: str, mime: str) -> StorageError:
        code, status = _code(error), str(error.status)
        if code == "NoSuchKey":
            return MissingObject("there is no object at this path")
        if code == "NoSuchBucket" and bucket != self._bucket:
            # A job names the bucket of its raw file: a wrong one must not stop the other jobs.
            return ObjectRefused(
                f"bucket {bucket} does not exist in the project of SUPABASE_URL: create it, or make"
                " the job again with another raw_path"
            )
        if known := _MEANINGS.get(code) or _MEANINGS.get(status):
            return known.kind(known.sentence.format(bucket=bucket, mime=mime, code=code))
        if status.startswith("5"):
            return StorageError(_BUSY.format(code=code))
        # A redirect is not followed, and says that SUPABASE_URL is not the project's own.
        kind = StorageMisconfigured if status.startswith("3") else ObjectRefused
        return kind(
            f"Supabase Storage refused it ({status} {code}): see the project's storage logs"
        )


class _BegunWrite:
    """See BegunWrite."""

    def __init__(self, storage: SupabaseStorage, content: bytes) -> None:
        self._storage = storage
        self._content = content

    async def finish(self, path: str) -> None:
        await self._storage.write(path, self._content)

    def abandon(self) -> None:
        pass


@asynccontextmanager
async def open_project(settings: Settings, *, seconds: float) -> AsyncIterator[AsyncClient]:
    """A client for the project of SUPABASE_URL. A request may take so many seconds.

    Raises ConfigurationError for a proxy or certificates that cannot be used.
    """
    assert settings.supabase_url is not None  # noqa: S101 - the callers have looked
    assert settings.supabase_service_role_key is not None  # noqa: S101 - the callers have looked
    # An HTTP client of our own: the one of the SDK is never closed, and would send the key to the
    # target of a redirect.
    async with open_http_client(httpx.AsyncClient, largest=LARGEST_OBJECT, timeout=seconds) as http:
        yield await create_async_client(
            settings.supabase_url,
            settings.supabase_service_role_key.get_secret_value(),
            AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False),
        )


@asynccontextmanager
async def open_supabase(settings: Settings) -> AsyncIterator[SupabaseStorage]:
    """The storage of settings whose HOOKLINE_STORAGE_URL is supabase://bucket.

    Raises ConfigurationError for a proxy or certificates that cannot be used.
    """
    seconds = settings.storage_deadline * _SHARE
    async with open_project(settings, seconds=seconds) as client:
        assert settings.supabase_url is not None  # noqa: S101 - Settings holds
        assert settings.supabase_service_role_key is not None  # noqa: S101 - Settings holds
        yield SupabaseStorage(
            client.storage,
            url=settings.supabase_url,
            key=settings.supabase_service_role_key.get_secret_value(),
            bucket=urlsplit(settings.require_storage()).netloc,
            seconds=seconds,
        )


def key_problem(key: str, host: str, now: float) -> str | None:
    """What is wrong with a key, as far as the key itself shows. The server decides."""
    if key.startswith("sb_publishable_"):
        return (
            "SUPABASE_SERVICE_ROLE_KEY is a publishable key, which may not write: set it to a"
            " secret key (sb_secret_...) of the project"
        )
    claims = _claims(key)
    if (role := claims.get("role", "service_role")) != "service_role":
        return (
            f"SUPABASE_SERVICE_ROLE_KEY is a key of role {role}, which may not write: set it to"
            " the service_role key, or a secret key, of the project"
        )
    project, _, domain = host.partition(".")
    if domain == "supabase.co" and (ref := claims.get("ref", project)) != project:
        return (
            f"SUPABASE_SERVICE_ROLE_KEY is of project {ref}, and SUPABASE_URL of project"
            f" {project}: set both to those of one project"
        )
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now:
        return (
            f"SUPABASE_SERVICE_ROLE_KEY expired on {datetime.fromtimestamp(expires, UTC):%Y-%m-%d}:"
            " set it to a newer key of the project"
        )
    return None


def _claims(key: str) -> dict[str, Any]:
    """The claims of a JWT, not verified. Empty for a key of another format."""
    parts = key.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _code(error: StorageApiError) -> str:
    """The body's `code`. The SDK reads `error` instead, an older field with other names."""
    cause = error.__cause__
    body = cause.response.json() if isinstance(cause, httpx.HTTPStatusError) else {}
    return str(body.get("code", error.code))
