"""`hookline send`: send a test webhook to a receiver, and say what came back and what it did."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer

from hookline.cli.completion import complete_jobs
from hookline.cli.confirmation import confirm
from hookline.cli.exit_codes import AWAY, FAILED, OK, REFUSED, WrongUsage
from hookline.cli.formats import printable
from hookline.cli.ids import find_job
from hookline.cli.output import console, print_json, print_line, say
from hookline.cli.timeline import event_line
from hookline.cli.times import moment_of
from hookline.postgres.connecting import connected
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.settings import ConfigurationError, Settings, load

if TYPE_CHECKING:
    from hookline.sending.post import Answer
    from hookline.sending.webhook import Webhook

__all__ = ["send"]

_SOURCES = ("llamaparse", "llamacloud", "llamaparse_push")
_TEXT = "# A test\n\nThis text was sent by hookline send.\n"
# Seconds for an answer. The receiver has deadlines of its own.
_TIMEOUT = 90.0


def _complete_sources(incomplete: str) -> list[str]:
    return [one for one in _SOURCES if one.startswith(incomplete)]


@dataclass(frozen=True, slots=True)
class _About:
    """The job that a webhook is about, before it is sent."""

    job: JobOverview
    parse_job_id: str


def send(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help=f"The sender to imitate: {', '.join(_SOURCES)}, a provider's, or one of"
            " HOOKLINE_SOURCES.",
            autocompletion=_complete_sources,
        ),
    ],
    job: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Send a webhook about this job, and so change it.",
            autocompletion=complete_jobs,
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(help="What it says: parsed, failed, parse.success and so on."),
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The markdown of the result, instead of a test text."),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Send the bytes of this file as the body, signed."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Send it to HOOKLINE_PUBLIC_URL.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send it to the receiver at this address."),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="Sign with this secret instead, for example with a wrong one."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Sign for this time: 10m ago, or a date and time."),
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, max=1000, help="Send the same webhook so many times.")
    ] = 1,
    curl: Annotated[
        bool, typer.Option("--curl", help="Send nothing; print a curl command that does.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a job changes.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each answer.")
    ] = False,
) -> None:
    """Send a signed test webhook to the receiver of this environment, and say what it did.

    Without --job and --body it sends a probe, which changes nothing: the receiver says what
    arrived, and whether it accepts the signature. With --job it reads the job from the database,
    which needs a login role in hookline_reader; --body needs no database.

    The exit code is 0 if the webhook was applied (or repeated), 1 if it was taken and changed
    nothing, 3 if no receiver answered or it asks to retry, 4 if the receiver refused it.

    Example: hookline send llamaparse --job 0193a1b2-5c3d --content report.md --repeat 2
    """
    if public and url is not None:
        raise WrongUsage("Give --public or --url, not both.")
    if content is not None and body is not None:
        raise WrongUsage("Give --content or --body, not both.")
    if job is None and (
        event is not None or content is not None or (body is not None and source == _SOURCES[2])
    ):
        raise WrongUsage("--event, --content and every push are about a job: give --job, too.")
    settings = load()
    _require_source(settings, source, by_body=(job is None or body is not None) and secret is None)
    base = _address(settings, public, url)
    now = moment_of("--at", at).timestamp() if at is not None else time.time()
    if at is not None and source in _SOURCES and not _signs_time(settings, source):
        raise WrongUsage(
            f"{source} signs no time, so --at would change nothing. Only llamaparse with"
            " HOOKLINE_LLAMAPARSE_SCHEME=standard does, and sources of HOOKLINE_SOURCES may."
        )
    if job is None and body is None:
        if secret is not None or at is not None or repeat > 1:
            raise WrongUsage(
                "A probe is signed with the secret of the settings, now, and sent once: give --job"
                " or --body, too."
            )
        code = asyncio.run(_probe(settings, source, base, curl, as_json))
    else:
        about = None if job is None else asyncio.run(_find(settings, job))
        webhook = _make(settings, source, about, event, content, body, secret, now)
        if curl:
            print_line(_curl(base, webhook))
            return
        what = (
            f"a job that {body} names"
            if about is None
            else f"job {about.job.job_id} ({printable(about.job.filename)}, {about.job.status})"
        )
        confirm(f"This may change {what} at {base}.", "send", yes=yes)
        code = asyncio.run(_send(settings, base, webhook, about, repeat, as_json))
    if code != OK:
        raise typer.Exit(code)


def _require_source(settings: Settings, source: str, *, by_body: bool) -> None:
    """Raise WrongUsage if there is no such source, or if it is one of which only FILEs are sent."""
    from hookline.receiver.configured_sources import configured_sources

    if source in _SOURCES:
        return
    others = [one.name for one in configured_sources(settings) if one.name not in _SOURCES]
    if source not in others:
        raise WrongUsage(
            f"{printable(source)} is not a source. The sources are"
            f" {', '.join([*_SOURCES, *others])}."
        )
    if not by_body:
        raise WrongUsage(f"{source} takes no --secret. Give an event of it as --body FILE.")


def _signs_time(settings: Settings, source: str) -> bool:
    return source == "llamaparse" and settings.llamaparse_scheme == "standard"


def _address(settings: Settings, public: bool, url: str | None) -> str:
    from hookline.providers.local.stage import receiver_url

    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise WrongUsage(
                f"--url {printable(url)} is wrong: it begins with http:// or https://."
            )
        return url.rstrip("/")
    if public:
        if settings.public_url is None:
            raise ConfigurationError(
                "HOOKLINE_PUBLIC_URL is not set: set it to where senders reach this receiver, for"
                " example to https://hooks.example.com."
            )
        return settings.public_url
    return receiver_url(settings)


async def _find(settings: Settings, text: str) -> _About:
    """The job, and the newest id that the provider gave to it, or one of a test."""
    async with connected(settings) as pool:
        views = Views(pool)
        job = await find_job(views, text)
        known = [
            str(told)
            for event in await views.timeline(job.job_id)
            if (told := event.payload.get("parse_job_id"))
        ]
    return _About(job, known[-1] if known else f"test-{job.job_id}")


def _make(
    settings: Settings,
    source: str,
    about: _About | None,
    event: str | None,
    content: Path | None,
    body: Path | None,
    secret: str | None,
    now: float,
) -> Webhook:
    from hookline.sending.webhook import EVENTS, body_about, sign_webhook

    events = EVENTS.get(source, ("",))
    event = event or events[0]
    if event not in events:
        raise WrongUsage(
            f"{printable(event)} is not an event of {source}. They are {', '.join(events)}."
        )
    if body is not None:
        made = _read(body)
    else:
        assert about is not None  # noqa: S101 - one of the two is given
        try:
            text = _TEXT if content is None else _read(content).decode()
        except UnicodeDecodeError:
            raise WrongUsage(f"{content} is not text in UTF-8.") from None
        made = body_about(
            source,
            event,
            job_id=about.job.job_id,
            document_id=about.job.document_id,
            parse_job_id=about.parse_job_id,
            text=text,
        )
    try:
        return sign_webhook(
            settings,
            source,
            made,
            now=now,
            job_id=about.job.job_id if about else uuid4(),
            attempt=about.job.attempt if about else 1,
            secret=secret,
        )
    except ValueError as error:
        raise WrongUsage(f"--secret is wrong: {error}.") from None


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}.") from None


def _curl(base: str, webhook: Webhook) -> str:
    """A command for a shell. The body goes through printf, which has no limit of length."""
    headers = " ".join(
        f"-H {shlex.quote(f'{name}: {value}')}" for name, value in webhook.headers.items()
    )
    try:
        body = shlex.quote(webhook.body.decode())
    except UnicodeDecodeError:
        raise WrongUsage("The body is not text in UTF-8, so that no shell can hold it.") from None
    if webhook.source == _SOURCES[2]:
        say("This URL is a secret: everybody who has it can send a result for the job.")
    url = shlex.quote(base + webhook.path)
    return f"printf %s {body} | curl -sS -i {headers} --data-binary @- {url}"


async def _probe(settings: Settings, source: str, base: str, curl: bool, as_json: bool) -> int:
    from hookline.doctor.public_address import probe_receiver
    from hookline.sending.post import NoAnswer
    from hookline.sending.webhook import make_probe

    if curl:
        webhook, _, _ = make_probe(settings, source, now=time.time())
        print_line(_curl(base, webhook))
        return OK
    try:
        fault, seconds, _ = await probe_receiver(settings, base, source)
    except NoAnswer as error:
        say(f"hookline: {printable(str(error))}")
        return AWAY
    if as_json:
        print_json({"source": source, "url": base, "fault": fault, "seconds": seconds})
    elif fault is None:
        print_line(
            f"The receiver at {base} got the probe of {source} unchanged and accepts its"
            f" signature, in {seconds * 1000:.0f} ms."
        )
    if fault is not None:
        say(f"hookline: {printable(fault)}")
    return OK if fault is None else REFUSED


async def _send(
    settings: Settings,
    base: str,
    webhook: Webhook,
    about: _About | None,
    repeat: int,
    as_json: bool,
) -> int:
    """Send it so many times; the exit code is that of the worst answer."""
    from hookline.sending.post import NoAnswer, post

    worst = OK
    for number in range(repeat):
        try:
            answer = await post(base, webhook, within=_TIMEOUT)
        except NoAnswer as error:
            say(f"hookline: {printable(str(error))}")
            return AWAY
        told = answer.told()
        job, events = await _effect(settings, told, about)
        if as_json:
            print_json(_as_json(webhook, answer, told, job, events))
        else:
            _print(webhook, base, answer, told, job, events)
        worst = max(worst, _code(answer, told, first=number == 0))
    return worst


def _code(answer: Answer, told: dict[str, Any], *, first: bool) -> int:
    if answer.status in (408, 429) or answer.status >= 500:
        return AWAY
    if answer.status != 200:
        return REFUSED
    return OK if told.get("outcome") == "applied" or not first else FAILED


async def _effect(
    settings: Settings, told: dict[str, Any], about: _About | None
) -> tuple[JobOverview | None, list[TimelineEvent]]:
    """The job as it is now and its newest events, if a database can be read. Else nothing."""
    named = told.get("job_id")
    if settings.database_url is None or (named is None and about is None):
        return None, []
    with contextlib.suppress(DatabaseError, ConfigurationError, ValueError):
        job_id = about.job.job_id if about is not None else UUID(str(named))
        async with connected(settings) as pool:
            views = Views(pool)
            found = await views.jobs_of([job_id])
            after = about.job.version if about is not None else max(0, found[0].version - 1)
            return found[0], await views.timeline(job_id, after=after)
    return None, []


def _print(
    webhook: Webhook,
    base: str,
    answer: Answer,
    told: dict[str, Any],
    job: JobOverview | None,
    events: list[TimelineEvent],
) -> None:
    from hookline.sending.webhook import variable_of

    said = told.get("message") or told.get("detail") or f"{len(answer.body):,} bytes"
    outcome = f"{told['outcome']}. " if "outcome" in told else ""
    print_line(
        f"{answer.status} {printable(answer.reason)} in {answer.seconds * 1000:.0f} ms from {base}:"
        f" {outcome}{printable(str(said))}"
    )
    for name in ("Retry-After", "Location", "Server"):
        if answer.status != 200 and name in answer.headers:
            print_line(f"{name}: {printable(answer.headers[name])}")
    if job is not None:
        for event in events:
            console().print(event_line(event), soft_wrap=True)
        print_line(f"job {job.job_id} is {job.status}")
    if answer.status == 401:
        say(
            f"The sender is not told why. Compare {variable_of(webhook.source)} here and at the"
            " receiver; `hookline deliveries --refused` says why in some seconds."
        )


def _as_json(
    webhook: Webhook,
    answer: Answer,
    told: dict[str, Any],
    job: JobOverview | None,
    events: list[TimelineEvent],
) -> dict[str, Any]:
    return {
        "source": webhook.source,
        "status": answer.status,
        "seconds": answer.seconds,
        "answer": told,
        "job_status": job.status if job else None,
        "codes": [event.code for event in events],
    }
