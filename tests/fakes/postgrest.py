"""An imitation of PostgREST over a real database: functions, and `in` filters of views.

Source: https://docs.postgrest.org/en/stable/references/api.html
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
from aiohttp import web
from psycopg import sql


class Postgrest:
    """Runs each request in one transaction as service_role, like the key that the caller has."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.schemas = ["public", "hookline_api"]

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_post("/rest/v1/rpc/{function}", self._call)
        router.add_get("/rest/v1/{view}", self._select)

    async def _call(self, request: web.Request) -> web.Response:
        arguments = await request.json()
        statement = sql.SQL("select to_jsonb({}.{}({}))").format(
            sql.Identifier(request.headers.get("Content-Profile", "public")),
            sql.Identifier(request.match_info["function"]),
            sql.SQL(", ").join(sql.SQL("{} => %s").format(sql.Identifier(a)) for a in arguments),
        )
        return await self._answer(request, "Content-Profile", statement, list(arguments.values()))

    async def _select(self, request: web.Request) -> web.Response:
        # ?select=a,b&job_id=in.(1,2)
        ids = request.query["job_id"].removeprefix("in.(").removesuffix(")").split(",")
        statement = sql.SQL(
            "select coalesce(jsonb_agg(t), '[]') from (select {} from {}.{}"
            " where job_id = any(%s::uuid[])) as t"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, request.query["select"].split(","))),
            sql.Identifier(request.headers.get("Accept-Profile", "public")),
            sql.Identifier(request.match_info["view"]),
        )
        return await self._answer(request, "Accept-Profile", statement, [ids])

    async def _answer(
        self, request: web.Request, profile: str, statement: sql.Composed, values: list[Any]
    ) -> web.Response:
        if request.headers.get(profile) not in self.schemas:
            said = {"code": "PGRST106", "message": "Invalid schema", "details": None, "hint": None}
            return web.json_response(said, status=406)
        try:
            found = await asyncio.to_thread(self._run, statement, values)
        except psycopg.OperationalError:
            said = {"code": "PGRST001", "message": "no connection", "details": None, "hint": None}
            return web.json_response(said, status=503)
        except psycopg.Error as error:
            diag = error.diag
            return web.json_response(
                {
                    "code": diag.sqlstate,
                    "message": diag.message_primary,
                    "details": diag.message_detail,
                    "hint": diag.message_hint,
                },
                status=403 if diag.sqlstate == "42501" else 400,
            )
        return web.json_response(found, dumps=lambda value: json.dumps(value, default=str))

    def _run(self, statement: sql.Composed, values: list[Any]) -> Any:
        with psycopg.connect(self.database) as connection:
            connection.execute("set local role service_role")
            row = connection.execute(statement, values).fetchone()
            return row[0] if row else None
