"""Who may look and who may act, and what other sites may not do: by HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from yarl import URL

from hookline.dashboard.access import access_of
from hookline.dashboard.login_limit import LoginLimit
from hookline.dashboard.run import beside_receiver
from hookline.dashboard.sessions import LIFETIME, Sessions
from hookline.settings import ConfigurationError, Settings
from support.dashboards import PASSWORD, Jobs, running_dashboard
from support.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ["/", "/jobs", "/actions/none", "/jobs/01a21727-f121-7aec-bb2b-842cf7c2c8f3"]


def _settings(**values: Any) -> Settings:
    return Settings(**values)


class Visitor:
    """A browser without a window."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        async with self.http.get(
            URL(f"{self.url}{path}", encoded=True), headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, str, Any]:
        async with self.http.post(
            f"{self.url}{path}", data=body, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text(), answer.headers

    async def token(self, path: str = "/login") -> str:
        _, text, _ = await self.get(path)
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', text)
        assert found, text
        return found[1]

    async def log_in(self, name: str = "Alice", password: str = PASSWORD) -> int:
        form = {"form_token": await self.token(), "name": name, "password": password}
        status, _, _ = await self.post("/login", {**form, "next": "/jobs"})
        return status


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(guarded: str) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Visitor(http, guarded)


@pytest_asyncio.fixture(loop_scope="session")
async def reader(dashboard: str) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Visitor(http, dashboard)


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_shown_before_the_login(visitor: Visitor, path: str) -> None:
    status, text, headers = await visitor.get(path)
    assert status == 303
    assert headers["Location"].startswith("/dashboard/login")
    assert text == ""


async def test_a_login_lasts_until_the_logout_even_for_a_copy_of_the_cookie(
    visitor: Visitor,
) -> None:
    assert await visitor.log_in() == 303
    status, _, _ = await visitor.get("/jobs")
    assert status == 200
    [cookie] = [one for one in visitor.http.cookie_jar if one.key.startswith("hookline_")]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    copy = f"{cookie.key}={cookie.value}"
    status, _, _ = await visitor.post("/logout", {"form_token": await visitor.token("/jobs")})
    assert status == 303
    async with aiohttp.ClientSession() as http:
        status, _, _ = await Visitor(http, visitor.url).get("/jobs", Cookie=copy)
    assert status == 303


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "a\x00b", "a\x1b[31m"])
async def test_a_person_needs_a_name(visitor: Visitor, name: str) -> None:
    assert await visitor.log_in(name) == 403


@pytest.mark.parametrize(
    "cookie", ["", "x", "x.y", "WyJhIiwiQm9iIiw5OTk5OTk5OTk5XQ==.00", "é.é", "=.=."]
)
async def test_a_made_up_cookie_is_no_session(guarded: str, cookie: str) -> None:
    port = guarded.rpartition(":")[2].partition("/")[0]
    async with aiohttp.ClientSession() as http:
        status, _, _ = await Visitor(http, guarded).get("/jobs", Cookie=f"hookline_{port}={cookie}")
    assert status == 303


async def test_a_cookie_that_is_no_utf_8_is_no_session() -> None:
    sessions = Sessions()
    encoded = sessions.cookie(sessions.begin("Alice")).partition(".")[0]
    assert sessions.read(f"{encoded}.\udcff") is None
    assert sessions.read("\udcff.") is None


async def test_a_form_needs_the_token_of_its_own_session(visitor: Visitor, jobs: Jobs) -> None:
    await visitor.log_in()
    job_id = jobs.fail()
    form = {"action": "cancel", "job": str(job_id)}
    for token in ("", "0" * 64, "é"):
        status, _, _ = await visitor.post("/actions", {**form, "form_token": token})
        assert status == 403
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        other = Visitor(http, visitor.url)
        await other.log_in("Bob")
        foreign = await other.token("/jobs")
    status, _, _ = await visitor.post("/actions", {**form, "form_token": foreign})
    assert status == 403
    assert jobs.run("select status from upload_pipeline.upload_jobs where job_id = %s", job_id) == [
        ("failed_parse",)
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_of_another_site_is_refused(visitor: Visitor, headers: dict[str, str]) -> None:
    await visitor.log_in()
    token = await visitor.token("/jobs")
    status, _, _ = await visitor.post("/logout", {"form_token": token}, **headers)
    assert status == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "localhost.evil", "a b"])
async def test_another_host_name_is_refused(reader: Visitor, host: str) -> None:
    status, text, _ = await reader.get("/", Host=host)
    assert status in (400, 421)
    assert "All is well" not in text


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "[::1]:8081"])
async def test_this_machine_is_a_known_host(reader: Visitor, host: str) -> None:
    status, _, _ = await reader.get("/", Host=host)
    assert status == 200


async def test_without_a_login_nobody_acts(reader: Visitor, jobs: Jobs) -> None:
    job_id = jobs.fail()
    for path in ("/actions", "/actions/preview", "/logout", "/login"):
        status, _, _ = await reader.post(path, {"action": "cancel", "job": str(job_id)})
        assert status == 403, path
    _, text, _ = await reader.get(f"/jobs/{job_id}")
    assert "/actions" not in text


async def test_every_answer_has_its_headers(visitor: Visitor) -> None:
    await visitor.log_in()
    for path in (*PAGES, "/nothing", "/login", "/jobs?status=wrong"):
        _, text, headers = await visitor.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert " style=" not in text
        assert " onclick=" not in text
    _, text, _ = await visitor.get("/jobs")
    for name in re.findall(r'(?:href|src)="/dashboard(/static/[^"]+)"', text):
        status, _, headers = await visitor.get(name)
        assert status == 200
        assert "immutable" in headers["Cache-Control"]


@pytest.mark.parametrize(
    "query",
    [
        *("status=wrong", "age=3y", "owner=me", "document=%00", "text=%00", f"text={'a' * 201}"),
        *("before=1", "code=a%0d%0aSet-Cookie:a=b"),
    ],
)
async def test_a_wrong_filter_is_answered_with_a_sentence(reader: Visitor, query: str) -> None:
    status, text, headers = await reader.get(f"/jobs?{query}")
    assert status == 400
    assert "The filter " in text
    assert headers["X-Correlation-Id"] in text
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("path", ["/jobs/x", "/jobs/%00", "/nothing", "/static/../site.py"])
async def test_what_is_not_there_is_a_page_that_says_so(reader: Visitor, path: str) -> None:
    status, text, _ = await reader.get(path)
    assert status == 404
    assert "<h1>Not Found</h1>" in text


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example", "/\r\nX: y", "javascript:alert(1)"]
)
async def test_the_login_leads_to_no_other_site(visitor: Visitor, target: str) -> None:
    form = {"form_token": await visitor.token(), "name": "A", "password": PASSWORD}
    status, _, headers = await visitor.post("/login", {**form, "next": target})
    assert status == 303
    assert headers["Location"].startswith("/dashboard/")
    assert "X" not in headers


async def test_hostile_forms_are_refused(visitor: Visitor) -> None:
    await visitor.log_in()
    token = await visitor.token("/jobs")
    cases: list[tuple[Any, dict[str, str], int]] = [
        (b"a" * 200_000, {"Content-Type": "application/x-www-form-urlencoded"}, 413),
        (b"a=1&" * 2000, {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"%ff=\xff", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"{}", {"Content-Type": "application/json"}, 415),
        ({"form_token": token, "action": "drop", "job": "1"}, {}, 400),
        ({"form_token": token, "action": "retry", "job": "1"}, {}, 400),
        ({"form_token": token, "action": "retry"}, {}, 400),
    ]
    for body, headers, expected in cases:
        status, _, _ = await visitor.post("/actions", body, **headers)
        assert status == expected, body


async def test_a_link_on_another_site_opens_the_page_of_a_person_who_is_logged_in(
    visitor: Visitor,
) -> None:
    status, text, _ = await visitor.get("/jobs?text=a%22b", **{"Sec-Fetch-Site": "cross-site"})
    assert status == 200
    assert 'content="0;url=/dashboard/jobs?text=a%22b"' in text


async def test_a_proxy_names_the_person_and_nobody_else_does(
    place: str, postgres18: Server, jobs: Jobs
) -> None:
    login = postgres18.login(place, "operator")
    async with (
        running_dashboard(
            login, dashboard_user_header="X-User", dashboard_proxies="127.0.0.1"
        ) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        assert (await visitor.get("/"))[0] == 403
        assert (await visitor.get("/", **{"X-User": "  "}))[0] == 403
        assert (await visitor.get("/login", **{"X-User": "alice"}))[0] == 404
        status, text, _ = await visitor.get("/jobs", **{"X-User": "alice"})
        assert status == 200
        assert "alice" in text
        async with http.get(f"{url}/", headers=[("X-User", "alice"), ("X-User", "root")]) as twice:
            assert twice.status == 403
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', text)
        assert found
        form = {"form_token": found[1], "action": "retry", "job": str(jobs.fail())}
        assert (await visitor.post("/actions", form, **{"X-User": "alice"}))[0] == 303
        # A cookie of the process before is replaced.
        name = next(one.key for one in http.cookie_jar)
        http.cookie_jar.clear()
        _, _, answer = await visitor.get("/", **{"X-User": "alice", "Cookie": f"{name}=old.old"})
        assert name in answer["Set-Cookie"]
        # The token is alice's.
        assert (await visitor.post("/actions", form, **{"X-User": "mallory"}))[0] == 403
    async with (
        running_dashboard(
            login, dashboard_user_header="X-User", dashboard_proxies="10.0.0.1"
        ) as url,
        aiohttp.ClientSession() as http,
    ):
        assert (await Visitor(http, url).get("/", **{"X-User": "alice"}))[0] == 403


async def test_a_link_on_another_site_keeps_the_session_behind_a_proxy(
    place: str, postgres18: Server
) -> None:
    login = postgres18.login(place, "operator")
    linked = {"X-User": "alice", "Sec-Fetch-Site": "cross-site"}
    async with (
        running_dashboard(
            login, dashboard_user_header="X-User", dashboard_proxies="127.0.0.1"
        ) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        # Without the cookie, which is SameSite=Strict.
        status, text, headers = await visitor.get("/jobs", **linked)
        assert status == 200
        assert 'content="0;url=/dashboard/jobs"' in text
        assert "Set-Cookie" not in headers
        assert (await visitor.get("/static/none", **linked))[0] == 404
        assert (await visitor.get("/", **{**linked, "X-User": " "}))[0] == 403
        _, _, headers = await visitor.get("/jobs", **{"X-User": "alice"})
        assert "Set-Cookie" in headers
        _, text, headers = await visitor.get("/jobs", **linked)
        assert "url=" not in text
        assert "Set-Cookie" not in headers


async def test_it_lives_below_a_path_behind_a_proxy(
    place: str, postgres18: Server, jobs: Jobs
) -> None:
    async with (
        running_dashboard(
            postgres18.login(place, "operator"),
            dashboard_password=PASSWORD,
            dashboard_url="https://ops.example.com/hook/line",
        ) as url,
        aiohttp.ClientSession() as http,
    ):
        visitor = Visitor(http, url)
        host = {"Host": "ops.example.com"}
        assert url.endswith("/hook/line")
        status, text, headers = await visitor.get("/login", **host)
        assert status == 200
        assert "Secure" in headers["Set-Cookie"]
        assert "Path=/hook/line" in headers["Set-Cookie"]
        paths = re.findall(r'(?:href|src|action)="([^"#]+)"', text)
        assert paths
        assert all(path.startswith("/hook/line/") for path in paths)
        status, _, headers = await visitor.get("/jobs", **host)
        assert headers["Location"] == "/hook/line/login?next=%2Fjobs"


async def test_a_login_in_reader_only_shows(place: str, postgres18: Server, jobs: Jobs) -> None:
    login = postgres18.login(place, "reader")
    async with (
        running_dashboard(login, dashboard_password=PASSWORD) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        await visitor.log_in()
        job_id = jobs.fail()
        token = await visitor.token("/jobs")
        form = {"form_token": token, "action": "retry", "job": str(job_id)}
        status, text, _ = await visitor.post("/actions", form)
        assert status == 403
        assert "hookline_operator" in text


@pytest.mark.parametrize("path", ["/stages/uploaded/pause", "/stages/uploaded/resume"])
async def test_a_login_in_reader_only_pauses_no_stage(
    place: str, postgres18: Server, path: str
) -> None:
    login = postgres18.login(place, "reader")
    async with (
        running_dashboard(login, dashboard_password=PASSWORD) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        await visitor.log_in()
        form = {"form_token": await visitor.token("/jobs"), "length": "1h", "reason": "why"}
        status, text, _ = await visitor.post(path, form)
        assert status == 403
        assert "grant hookline_operator to" in text


async def test_wrong_passwords_are_limited(place: str, postgres18: Server) -> None:
    login = postgres18.login(place, "operator")
    async with (
        running_dashboard(login, dashboard_password=PASSWORD) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        answers = [await visitor.log_in(password="wrong password!") for _ in range(5)]
        assert answers == [403] * 5
        # Also the right one: else the limit would tell which it is.
        assert await visitor.log_in() == 429


async def test_limits_are_for_an_address_and_overall_and_end() -> None:
    now = 0.0
    limit = LoginLimit(lambda: now)
    for number in range(5):
        limit.count_failure(f"2001:db8::{number}")
    assert not limit.allows("2001:db8::ffff")
    assert limit.allows("2001:db8:0:1::1")
    for number in range(95):
        limit.count_failure(f"10.0.0.{number}")
    assert not limit.allows("192.0.2.1")
    now = 61.0
    assert limit.allows("2001:db8::1")


async def test_a_session_ends_after_its_lifetime_and_with_its_process() -> None:
    now = 1_000_000.0
    sessions = Sessions(lambda: now)
    cookie = sessions.cookie(sessions.begin("Alice"))
    assert Sessions(lambda: now).read(cookie) is None
    now += LIFETIME - 1
    found = sessions.read(cookie)
    assert found is not None
    assert found.name == "Alice"
    now += 1
    assert sessions.read(cookie) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"admin_host": "0.0.0.0"},  # noqa: S104 - refused
        {"admin_host": "hookline.internal"},
        {"dashboard_url": "https://ops.example.com"},
    ],
)
async def test_without_a_login_others_cannot_look(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="HOOKLINE_DASHBOARD_PASSWORD"):
        access_of(_settings(**changes))
    access_of(_settings(**changes, dashboard_password=PASSWORD))


async def test_a_receiver_does_not_start_with_half_a_dashboard() -> None:
    with pytest.raises(ConfigurationError, match="HOOKLINE_DASHBOARD_DATABASE_URL"):
        async with beside_receiver(_settings(dashboard_password=PASSWORD)):
            pass


async def test_a_login_that_may_not_read_stops_the_start(place: str, postgres18: Server) -> None:
    with pytest.raises(ConfigurationError, match="grant hookline_reader to test_ingest"):
        async with running_dashboard(postgres18.login(place, "ingest")):
            pass


async def test_a_page_that_takes_too_long_is_cancelled_and_says_so(
    reader: Visitor, place: str
) -> None:
    with psycopg.connect(place) as connection:
        connection.execute("lock table upload_pipeline.statuses in access exclusive mode")
        status, text, headers = await reader.get("/jobs")
    assert status == 503
    assert "more than 2 s" in text
    assert headers["X-Correlation-Id"] in text


async def test_only_what_may_succeed_later_is_to_be_tried_again(postgres18: Server) -> None:
    with postgres18.create(template=postgres18.template) as place:
        async with (
            running_dashboard(postgres18.login(place, "reader")) as url,
            aiohttp.ClientSession() as http,
        ):
            visitor = Visitor(http, url)
            for change, expected in (
                ("revoke select on upload_pipeline.statuses from hookline_reader", 403),
                ("alter table upload_pipeline.statuses rename to gone", 500),
            ):
                with psycopg.connect(place) as connection:
                    connection.execute(change.encode())
                status, text, headers = await visitor.get("/jobs")
                assert status == expected, text
                assert "Retry-After" not in headers
                assert headers["X-Correlation-Id"] in text


async def test_a_form_that_breaks_off_is_refused(visitor: Visitor) -> None:
    await visitor.log_in()
    cookies = visitor.http.cookie_jar.filter_cookies(URL(visitor.url))
    address = URL(visitor.url)
    head = (
        f"POST /dashboard/actions HTTP/1.1\r\nHost: {address.authority}\r\n"
        f"Cookie: {'; '.join(f'{name}={one.value}' for name, one in cookies.items())}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(head.encode())
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"3\r\na=b\r\nno length\r\n")
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert b" 400 " in answer
    assert b"The form did not arrive" in answer


async def test_a_database_that_is_away_is_a_page_that_says_so(postgres18: Server) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(postgres18.create(template=postgres18.template))
        async with (
            running_dashboard(postgres18.login(url, "reader")) as shown,
            aiohttp.ClientSession() as http,
        ):
            visitor = Visitor(http, shown)
            assert (await visitor.get("/"))[0] == 200
            stack.close()
            status, text, headers = await visitor.get("/")
            assert status == 503
            assert "Postgres does not answer" in text
            assert headers["Retry-After"] == "5"


async def test_a_job_that_others_hold_does_not_stop_the_rest(
    place: str, postgres18: Server, jobs: Jobs
) -> None:
    login = f"{postgres18.login(place, 'operator')}&options=-c%20lock_timeout%3D100ms"
    held, free = jobs.upload("held.pdf"), jobs.upload("free.pdf")
    async with (
        running_dashboard(login, dashboard_password=PASSWORD) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        visitor = Visitor(http, url)
        await visitor.log_in()
        form = {"form_token": await visitor.token("/jobs"), "action": "cancel"}
        with psycopg.connect(place) as connection:
            connection.execute(
                "select from upload_pipeline.upload_jobs where job_id = %s for update", [held]
            )
            _, _, headers = await visitor.post(
                "/actions", [*form.items(), ("job", str(held)), ("job", str(free))]
            )
            text = ""
            async with asyncio.timeout(30):
                while "Finished" not in text:
                    _, text, _ = await visitor.get(headers["Location"].removeprefix("/dashboard"))
    assert "1 done, 1 not." in text
    assert "lock timeout" in text
