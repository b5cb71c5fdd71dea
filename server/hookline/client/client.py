"""The client for programs without an event loop, such as Django or Celery.

It runs an AsyncClient on an event loop in a thread of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID
from weakref import WeakSet, finalize

from hookline.client.async_client import AsyncClient, JobReceipt
from hookline.client.background_loop import BackgroundLoop
from hookline.client.files import File, read_file
from hookline.postgres.records import JobRequest
from hookline.postgres.views import Artifact, JobOverview

__all__ = ["Client"]

_Answer = TypeVar("_Answer")


class Client:
    """AsyncClient for programs without an event loop: each call waits for its answer.

    Make one for a process, for example in a module. It connects at its first call, or at the start
    of a `with` block; `close` ends it, or the end of the program. Threads may share it. A process
    that is forked later, as by Celery or gunicorn, connects anew. The arguments are those of
    AsyncClient.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        storage_url: str | None = None,
        connections: int = 4,
    ) -> None:
        self._client = AsyncClient(database_url, storage_url=storage_url, connections=connections)
        self._start_anew()
        _clients.add(self)

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._loop: BackgroundLoop | None = None
        self._end: finalize[[AsyncClient, BackgroundLoop], Client] | None = None

    def __enter__(self) -> Self:
        """Connect. Raises Unavailable, ConfigurationError."""
        self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect. Waits that other threads have begun are cancelled. Another call connects."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._loop = self._end = None

    def submit(
        self,
        file: File,
        owner: UUID | str,
        *,
        filename: str | None = None,
        mime: str | None = None,
        **request: Unpack[JobRequest],
    ) -> JobReceipt:
        """See AsyncClient.submit."""
        raw = read_file(file, filename, mime)
        return self._run(lambda client: client.submit_raw(raw, owner, request))

    def create(
        self,
        owner: UUID | str,
        *,
        filename: str,
        bytes_len: int,
        file_sha256: str,
        raw_path: str,
        mime: str | None = None,
        **request: Unpack[JobRequest],
    ) -> JobReceipt:
        """See AsyncClient.create."""
        return self._run(
            lambda client: client.create(
                owner,
                filename=filename,
                bytes_len=bytes_len,
                file_sha256=file_sha256,
                raw_path=raw_path,
                mime=mime,
                **request,
            )
        )

    def confirm(self, job_id: UUID | str, *, bytes_len: int, file_sha256: str) -> JobReceipt:
        """See AsyncClient.confirm."""
        return self._run(
            lambda client: client.confirm(job_id, bytes_len=bytes_len, file_sha256=file_sha256)
        )

    def push_url(self, job_id: UUID | str) -> str:
        """See AsyncClient.push_url."""
        return self._run(lambda client: client.push_url(job_id))

    def status(self, job_id: UUID | str) -> JobOverview:
        """See AsyncClient.status."""
        return self._run(lambda client: client.status(job_id))

    def wait(self, job_id: UUID | str, *, timeout: float | None = None) -> JobOverview:
        """See AsyncClient.wait."""
        return self._run(lambda client: client.wait(job_id, timeout=timeout))

    def result(self, job_id: UUID | str) -> str:
        """See AsyncClient.result."""
        return self._run(lambda client: client.result(job_id))

    def artifacts(self, job_id: UUID | str) -> Sequence[Artifact]:
        """See AsyncClient.artifacts."""
        return self._run(lambda client: client.artifacts(job_id))

    def artifact(self, job_id: UUID | str, kind: str, name: str = "") -> bytes:
        """See AsyncClient.artifact."""
        return self._run(lambda client: client.artifact(job_id, kind, name))

    def cancel(self, job_id: UUID | str, reason: str | None = None) -> JobReceipt:
        """See AsyncClient.cancel."""
        return self._run(lambda client: client.cancel(job_id, reason))

    def retry(
        self, job_id: UUID | str, reason: str | None = None, *, provider: str | None = None
    ) -> JobReceipt:
        """See AsyncClient.retry."""
        return self._run(lambda client: client.retry(job_id, reason, provider=provider))

    def close_group(self, group_id: UUID | str) -> int:
        """See AsyncClient.close_group."""
        return self._run(lambda client: client.close_group(group_id))

    def _run(self, call: Callable[[AsyncClient], Coroutine[Any, Any, _Answer]]) -> _Answer:
        loop = self._opened()
        return loop.run(call(self._client))

    def _opened(self) -> BackgroundLoop:
        with self._lock:
            if self._loop is None:
                loop = BackgroundLoop()
                try:
                    loop.run(self._client.__aenter__())
                except BaseException:
                    loop.stop()
                    raise
                self._loop = loop
                # Also at the end of the program, so that the server sees an orderly goodbye.
                self._end = finalize(self, _close, self._client, loop)
            return self._loop


def _close(client: AsyncClient, loop: BackgroundLoop) -> None:
    if loop.runs_here:  # The garbage collector runs in any thread.
        threading.Thread(target=_close, args=(client, loop)).start()
        return
    loop.run(client.__aexit__(None, None, None))
    loop.stop()


_clients: WeakSet[Client] = WeakSet()
# Kept for ever: the connections in them belong to the parent, and must not be closed here.
_of_the_parent: list[object] = []


def _after_fork() -> None:
    """Forget the thread, which a fork does not copy, and the connections, which it shares."""
    for client in list(_clients):
        if client._end is not None:
            client._end.detach()
        _of_the_parent.append((client._loop, client._client))
        client._client = client._client.unopened()
        client._start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
