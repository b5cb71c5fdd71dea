"""An imitation of Supabase Storage: the wire format of storage-api as of 2026-08."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from hookline.settings import Settings

SECRET_KEY = "sb_secret_0123456789abcdefghij"

_KEY = re.compile(r"[A-Za-z0-9_/!.*'() &$=@;:+,?-]+")
_PAGE = 1000


@dataclass
class Bucket:
    allowed_mime_types: list[str] | None = None
    file_size_limit: int | None = None
    public: bool = False


@dataclass
class Object:
    content: bytes
    mime: str
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


class _Refused(Exception):
    """(status in the body, code, the older `error`, message)."""


class SupabaseImitation:
    """Buckets and objects in memory. `url` is the project's. Its attributes make it fail."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {"parsed": Bucket(["text/markdown"])}
        self.objects: dict[tuple[str, str], Object] = {}
        self.requests: list[str] = []
        # The role of each key. Only service_role can read and write.
        self.roles = {SECRET_KEY: "service_role"}
        self.database_is_down = False
        self.gateway_refuses = False
        self.gateway_is_busy = False
        self.hangs = False
        self.answers_html = False
        # Adds the routes of the project's other API, if there is one.
        self.rest: Callable[[web.UrlDispatcher], None] | None = None
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def settings(self, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "storage_url": "supabase://parsed",
            "supabase_url": self.url,
            "supabase_service_role_key": SECRET_KEY,
            **changes,
        }
        return Settings(**values)

    async def start(self) -> None:
        """Listen, on the same port as before after a stop."""
        application = web.Application(client_max_size=2**30, middlewares=[self._answer])
        router = application.router
        router.add_get("/storage/v1/bucket/{bucket}", self._get_bucket)
        router.add_post("/storage/v1/object/list-v2/{bucket}", self._list)
        router.add_post("/storage/v1/object/{bucket}/{key:.+}", self._upload)
        router.add_get("/storage/v1/object/{bucket}/{key:.+}", self._download)
        router.add_delete("/storage/v1/object/{bucket}", self._remove)
        if self.rest is not None:
            self.rest(router)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _answer(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path.removeprefix('/storage/v1')}")
        if self.hangs:
            await asyncio.Event().wait()
        if self.answers_html:
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
        if self.gateway_refuses:
            return web.json_response({"message": "Invalid API key", "hint": "…"}, status=401)
        if self.gateway_is_busy:
            return web.json_response({"message": "name resolution failed"}, status=503)
        try:
            self._require_role(request)
            if self.database_is_down:
                raise _Refused(500, "InternalError", "InternalError", "connect ECONNREFUSED")
            return await handler(request)
        except _Refused as refused:
            status, code, error, message = refused.args
            body = {"statusCode": str(status), "code": code, "error": error, "message": message}
            return web.json_response(body, status=500 if status == 500 else 400)

    def _require_role(self, request: web.Request) -> None:
        key = request.headers.get("apikey", "")
        if key not in self.roles or request.headers.get("Authorization") != f"Bearer {key}":
            raise _Refused(403, "AccessDenied", "Unauthorized", "Invalid Compact JWS")

    def _sees(self, request: web.Request) -> bool:
        return self.roles[request.headers["apikey"]] == "service_role"

    def _bucket(self, request: web.Request) -> tuple[str, Bucket]:
        name = request.match_info["bucket"]
        if name not in self.buckets or not self._sees(request):
            raise _Refused(404, "NoSuchBucket", "Bucket not found", "Bucket not found")
        return name, self.buckets[name]

    async def _get_bucket(self, request: web.Request) -> web.Response:
        name, bucket = self._bucket(request)
        now = datetime.now(UTC).isoformat()
        return web.json_response(
            {
                "id": name,
                "name": name,
                "owner": "",
                "public": bucket.public,
                "created_at": now,
                "updated_at": now,
                "file_size_limit": bucket.file_size_limit,
                "allowed_mime_types": bucket.allowed_mime_types,
            }
        )

    async def _upload(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        name = request.match_info["bucket"]
        if not _KEY.fullmatch(key):
            raise _Refused(400, "InvalidKey", "InvalidKey", f"Invalid key: {key}")
        if name not in self.buckets:
            raise _Refused(404, "NoSuchBucket", "Bucket not found", "Bucket not found")
        if not self._sees(request):
            message = "new row violates row-level security policy"
            raise _Refused(403, "AccessDenied", "Unauthorized", message)
        bucket = self.buckets[name]
        # An interrupted upload raises here and leaves no object.
        form = await request.post()
        [file] = [part for part in form.values() if isinstance(part, web.FileField)]
        content, mime = file.file.read(), file.content_type
        if bucket.allowed_mime_types and mime not in bucket.allowed_mime_types:
            message = f"mime type {mime} is not supported"
            raise _Refused(415, "InvalidMimeType", "invalid_mime_type", message)
        if bucket.file_size_limit is not None and len(content) > bucket.file_size_limit:
            message = "The object exceeded the maximum allowed size"
            raise _Refused(413, "EntityTooLarge", "Payload too large", message)
        if (name, key) in self.objects and request.headers.get("x-upsert") != "true":
            message = "The resource already exists"
            raise _Refused(409, "KeyAlreadyExists", "Duplicate", message)
        self.objects[name, key] = Object(content, mime)
        return web.json_response({"Id": str(uuid4()), "Key": f"{name}/{key}"})

    async def _download(self, request: web.Request) -> web.Response:
        name, _ = self._bucket(request)
        found = self.objects.get((name, request.match_info["key"]))
        if found is None:
            raise _Refused(404, "NoSuchKey", "not_found", "Object not found")
        return web.Response(body=found.content, content_type=found.mime)

    async def _remove(self, request: web.Request) -> web.Response:
        # A missing bucket, or one that this role may not see, answers with an empty list.
        name = request.match_info["bucket"]
        keys = (await request.json())["prefixes"]
        if not self._sees(request):
            return web.json_response([])
        removed = [key for key in keys if self.objects.pop((name, key), None)]
        return web.json_response([{"name": key, "bucket_id": name} for key in removed])

    async def _list(self, request: web.Request) -> web.Response:
        name = request.match_info["bucket"]
        asked = await request.json()
        limit = min(asked.get("limit", _PAGE), _PAGE)
        after = base64.b64decode(asked["cursor"]).decode() if "cursor" in asked else ""
        keys = sorted(key for bucket, key in self.objects if bucket == name and key > after)
        if not self._sees(request):
            keys = []
        page, more = keys[:limit], len(keys) > limit
        return web.json_response(
            {
                "hasNext": more,
                **({"nextCursor": base64.b64encode(page[-1].encode()).decode()} if more else {}),
                "folders": [],
                "objects": [_listed(key, self.objects[name, key]) for key in page],
            }
        )


def _listed(key: str, found: Object) -> dict[str, Any]:
    time = found.modified.isoformat()
    return {
        "id": str(uuid4()),
        "name": key,
        "created_at": time,
        "updated_at": time,
        "metadata": {"size": len(found.content), "mimetype": found.mime},
    }


def jwt(**claims: Any) -> str:
    """A key of the older format."""

    def encode(part: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{encode(claims)}.c2lnbmF0dXJl"


@asynccontextmanager
async def imitation() -> AsyncIterator[SupabaseImitation]:
    server = SupabaseImitation()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
