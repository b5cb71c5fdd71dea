"""`hookline submit`: files become jobs, are parsed on this machine, and come back as webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp

from hookline import local_parser
from hookline.database import DatabaseError, Unavailable
from hookline.delivery import Answer, Undelivered, Webhook, deliver, envelope_of
from hookline.engine import Engine, Receipt
from hookline.local_parser import MAX_BYTES, Parsed, ParseFailed, ParserMissing
from hookline.settings import ConfigurationError, Settings
from hookline.storage import Storage, StorageError, open_storage
from hookline.views import Job, Views, connected

__all__ = [
    "RawFile",
    "Submitted",
    "Unreadable",
    "address",
    "make_job",
    "parse_raw",
    "reached_at",
    "read_raw",
    "receiver_url",
    "require_local_parser",
    "submit_files",
    "webhook_of",
    "webhook_url",
]

_ROUTE = "/webhooks/llamaparse"
_LISTENS_WITHIN = aiohttp.ClientTimeout(total=5)
# From here on the parser at hand is ours; further on the result is on its way already.
_TO_PARSE = frozenset({"uploaded", "parse_queued"})


class Unreadable(Exception):
    """There is no document in a file; `str()` of it is a sentence that names it."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a file. With `error` None it is parsed, now or before.

    `outcome` is the receiver's word for our webhook; `duplicate`: it was parsed before; `error`:
    no webhook was taken. `status` is the job's, after all of it. Without a job there is no id.
    """

    path: Path
    job_id: UUID | None
    document_id: UUID | None
    outcome: str
    status: str | None
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class RawFile:
    """The bytes of a file as they were read once: every later step is about these."""

    filename: str
    content: bytes = field(repr=False)
    mime: str
    sha256: str

    def path_for(self, owner_id: UUID) -> str:
        """Where storage keeps it, by its content alone.

        The suffix is not the name's, which may differ between two submissions of one document: the
        object of the second would be nobody's.
        """
        suffix = ".pdf" if self.content.startswith(b"%PDF-") else ""
        return f"storage://raw/{owner_id}/{self.sha256}{suffix}"


async def submit_files(
    settings: Settings, paths: list[Path], owner_id: UUID
) -> AsyncIterator[Submitted]:
    """Make a job of each file, parse it here, send the result as a signed webhook; in order.

    A file that is wrong does not stop the others. Raises ConfigurationError if the settings do not
    suffice, nothing listens or there is no parser; DatabaseError, if Postgres is away.
    """
    async with open_storage(settings) as storage:
        secret_of(settings)
        require_local_parser()
        async with _reached(settings) as session, connected(settings) as pool:
            submitter = _Submitter(settings, storage, Engine(pool), Views(pool), session, owner_id)
            for path in paths:
                yield await submitter.submit(path)


def read_raw(path: Path) -> RawFile:
    """Read a file. Raises Unreadable for one that cannot be, or cannot be a document."""
    try:
        if not path.is_file():
            what = "a directory" if path.is_dir() else "no file"
            raise Unreadable(f"{path} is {what}." if path.exists() else f"{path} does not exist.")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise Unreadable(
                f"{path} is too large: {size:,} bytes, and {MAX_BYTES:,} are the most."
            )
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    if not content:
        raise Unreadable(f"{path} is empty.")
    mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return RawFile(path.name, content, mime.lower(), hashlib.sha256(content).hexdigest())


async def make_job(engine: Engine, storage: Storage, raw: RawFile, owner_id: UUID) -> Receipt:
    """The job of a file, whose raw object is stored and confirmed; `duplicate` if it had one.

    The job comes first, so that no object is without one. Raises DatabaseError, StorageError.
    """
    raw_path = raw.path_for(owner_id)
    receipt = await engine.create_job(
        owner_id=owner_id,
        filename=raw.filename,
        mime=raw.mime,
        bytes_len=len(raw.content),
        file_sha256=raw.sha256,
        raw_path=raw_path,
    )
    assert receipt.job_id is not None  # noqa: S101 - every outcome of create_job has a job
    await storage.write(raw_path, raw.content)
    await engine.confirm_upload(receipt.job_id, len(raw.content), raw.sha256)
    return receipt


def require_local_parser() -> str:
    """The local parser's version. Raises ConfigurationError if it is not installed."""
    try:
        return local_parser.parser_version()
    except ParserMissing as error:
        raise ConfigurationError(str(error)) from error


async def parse_raw(raw: RawFile) -> Parsed | ParseFailed:
    """The text of exactly the bytes that were stored, whatever became of the file meanwhile."""
    with tempfile.TemporaryDirectory(prefix="hookline-") as directory:
        # The name's suffix tells the parser a broken PDF from what was never one.
        file = Path(directory, "document").with_suffix(_suffix(raw.filename))
        await asyncio.to_thread(file.write_bytes, raw.content)
        return await local_parser.parse(file)


def webhook_of(settings: Settings, job: Job, result: Parsed | ParseFailed) -> Webhook:
    """The signed webhook that a parser of its own would send for this job."""
    parse_job_id = f"local-{uuid4()}"

    def envelope(what: Parsed | ParseFailed) -> bytes:
        return envelope_of(
            what,
            job_id=job.job_id,
            document_id=job.document_id,
            parse_job_id=parse_job_id,
            correlation_id=job.correlation_id,
        )

    body = envelope(result)
    if len(body) > settings.max_body:
        reason = (
            f"The text is too large: a webhook of {len(body):,} bytes,"
            f" and HOOKLINE_MAX_BODY is {settings.max_body:,}."
        )
        body = envelope(ParseFailed(reason, result.parser_name, result.parser_version))
    return Webhook(body, f"msg_{uuid4()}", settings.llamaparse_scheme, secret_of(settings))


def secret_of(settings: Settings) -> str:
    """The secret to sign with: the first, as the newest. Raises ConfigurationError without one."""
    if not settings.llamaparse_secrets:
        raise ConfigurationError(
            "HOOKLINE_LLAMAPARSE_SECRETS is not set: the local parser signs with the first of the "
            "receiver's secrets, so set it to the same as there."
        )
    return settings.llamaparse_secrets[0].get_secret_value()


def receiver_url(settings: Settings) -> str:
    """Where the receiver of these settings is reached from this machine."""
    return address(reached_at(settings.host), settings.port)


def reached_at(host: str) -> str:
    """Where this machine reaches what listens at `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to be replaced


def address(host: str, port: int) -> str:
    """The URL of a host, by name or by address, and a port."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def webhook_url(receiver: str) -> str:
    """Where the receiver at this address takes envelopes."""
    return f"{receiver}{_ROUTE}"


class _Submitter:
    """One command's connections."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        engine: Engine,
        views: Views,
        session: aiohttp.ClientSession,
        owner_id: UUID,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._engine = engine
        self._views = views
        self._session = session
        self._owner_id = owner_id

    async def submit(self, path: Path) -> Submitted:
        started = time.perf_counter()
        receipt: Receipt | None = None
        job: Job | None = None
        outcome, error = "error", None
        try:
            raw = await asyncio.to_thread(read_raw, path)
            receipt = await make_job(self._engine, self._storage, raw, self._owner_id)
            job = await self._look_up(receipt)
            if job.parsed_path is not None:
                outcome = "duplicate"
            elif job.status not in _TO_PARSE:
                error = (
                    f"{path} is a job already, in status {job.status}: it is not parsed again here."
                )
            else:
                result = await parse_raw(raw)
                answer = await deliver(
                    self._session,
                    webhook_url(receiver_url(self._settings)),
                    webhook_of(self._settings, job, result),
                )
                job = await self._look_up(receipt)
                outcome = answer.outcome or outcome
                error = _trouble(path, job, result, answer)
        except Unavailable:
            raise
        except (Unreadable, Undelivered, StorageError, DatabaseError) as refused:
            error = _sentence(path, refused)
        except OSError as broken:
            error = f"{path} cannot be parsed here: {broken.strerror or broken}."
        return Submitted(
            path=path,
            job_id=receipt.job_id if receipt else None,
            document_id=receipt.document_id if receipt else None,
            outcome=outcome,
            status=job.status if job else receipt.status if receipt else None,
            error=error,
            seconds=time.perf_counter() - started,
        )

    async def _look_up(self, receipt: Receipt) -> Job:
        assert receipt.job_id is not None  # noqa: S101 - every outcome of create_job has a job
        [job] = await self._views.jobs_between(receipt.job_id, receipt.job_id, limit=1)
        return job


@asynccontextmanager
async def _reached(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A session, once a receiver is seen: without one no job is made."""
    url = receiver_url(settings)
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"{url}/healthz", timeout=_LISTENS_WITHIN) as response:
                # Any answer will do, such as a proxy's: what it is worth, the webhook will show.
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConfigurationError(
                f"Nothing listens at {url}: start `hookline up` or `hookline serve`, or set "
                "HOOKLINE_HOST and HOOKLINE_PORT to where the receiver is."
            ) from error
        yield session


def _trouble(path: Path, job: Job, result: Parsed | ParseFailed, answer: Answer) -> str | None:
    """The sentence about a file that is not parsed; None for one that is."""
    if job.parsed_path is not None:
        return None
    if answer.status == 401:
        return (
            f"The receiver did not accept our signature for {path}: HOOKLINE_LLAMAPARSE_SECRETS or "
            "HOOKLINE_LLAMAPARSE_SCHEME is another there."
        )
    if answer.status != 200:
        return (
            f"The receiver answered {answer.status} for {path}: {answer.detail.rstrip('.')}. "
            f"Job {job.job_id} is {job.status}: submit the file again."
        )
    if job.failed and job.last_error is not None:
        return f"{path}: {job.last_error.get('error') or job.last_error.get('code')}"
    if isinstance(result, ParseFailed):
        return f"{path}: {result.reason} Job {job.job_id} is still {job.status}, of another parser."
    return f"Job {job.job_id} of {path} is {job.status}: the webhook was {answer.outcome}."


def _sentence(path: Path, error: Exception) -> str:
    match error:
        case Unreadable() | Undelivered():
            return str(error)
        case StorageError():
            return f"{path} was not stored: {error}."
        case DatabaseError(hint=hint):
            return " ".join(filter(None, [f"{path} was refused: {error}.", hint]))
        case _:
            raise error


def _suffix(filename: str) -> str:
    suffix = Path(filename).suffix
    return suffix if suffix.isascii() and suffix[1:].isalnum() else ""
