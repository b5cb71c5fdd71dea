"""The style sheet and the scripts: files with the hash of their content in their names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aiohttp import web

__all__ = ["Assets"]

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Assets:
    """All files of the folder `static`, read once."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for file in sorted(_FOLDER.iterdir()):
            if file.suffix in _TYPES:
                content = file.read_bytes()
                name = f"{file.stem}.{hashlib.sha256(content).hexdigest()[:12]}{file.suffix}"
                self._names[file.name] = name
                self._files[name] = (content, _TYPES[file.suffix])

    def path(self, name: str) -> str:
        """The path of a file, below the base path."""
        return f"/static/{self._names[name]}"

    async def answer(self, request: web.Request) -> web.Response:
        """The file. Its name changes with its content, so browsers may keep it for ever."""
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        content, content_type = found
        return web.Response(
            body=content,
            content_type=content_type,
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )
