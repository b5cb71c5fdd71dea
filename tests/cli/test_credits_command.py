"""`hookline credits` shows the caps, and sets them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from support.commands import Cli, Database, objects, sentence_of


def test_caps_are_set_shown_and_removed(cli: Cli, db: Database, operator: str) -> None:
    owner = uuid4()

    def caps(*arguments: object) -> list[tuple[str, str | None, str, str]]:
        done = cli("credits", *arguments, "--json", DATABASE_URL=operator)
        assert (done.returncode, done.stderr) == (0, "")
        return [
            (one["scope"], one["owner_id"], one["period"], one["credits"]) for one in objects(done)
        ]

    everybody = ("all", None, "day", "5000")
    each, own = ("each", None, "month", "250.5"), ("owner", str(owner), "day", "Infinity")
    assert caps("--set", "5,000", "--per", "day") == [everybody]
    assert caps("--set", "250.5", "--per", "month", "--each-owner") == [everybody, each]
    assert caps("--owner", owner, "--set", "unlimited", "--per", "day") == [everybody, each, own]
    assert caps("--owner", uuid4()) == [everybody, each]

    done = cli("credits", DATABASE_URL=operator)
    head, first, *_ = done.stdout.splitlines()
    assert head.split() == ["whose", "provider", "per", "cap", "used", "left", "until", "(UTC)"]
    assert first.split()[:8] == [
        *("all", "owners", "together", "llamacloud", "day", "5,000", "0", "5,000")
    ]

    assert caps("--set", "7", "--per", "day", "--provider", "docling")[0] == (
        *("all", None, "day", "7"),
    )
    caps("--set", "none", "--per", "day", "--provider", "docling")

    assert caps("--set", "none", "--per", "day") == [each, own]
    caps("--set", "none", "--per", "month", "--each-owner")
    caps("--owner", owner, "--set", "none", "--per", "day")
    done = cli("credits", DATABASE_URL=operator)
    assert (done.stdout, done.stderr) == ("", "There is no cap.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "5"), "To set a cap, give --set and --per"),
        (("--per", "day"), "To set a cap, give --set and --per"),
        (("--each-owner",), "To set a cap, give --set and --per"),
        (("--set", "lots", "--per", "day"), "--set lots is wrong."),
        (("--owner", "xyz"), "xyz is not an owner id"),
    ],
)
def test_wrong_arguments_are_refused(
    cli: Cli, operator: str, arguments: tuple[str, ...], said: str
) -> None:
    done = cli("credits", *arguments, DATABASE_URL=operator)
    assert done.returncode == 2
    assert sentence_of(done).startswith(said)


def test_a_period_that_does_not_exist_is_refused_by_postgres(cli: Cli, operator: str) -> None:
    done = cli("credits", "--set", "5", "--per", "week", DATABASE_URL=operator)
    assert done.returncode == 1
    assert sentence_of(done).startswith(
        "a cap cannot be 5 credits of 'llamacloud' a 'week' of all."
    )
