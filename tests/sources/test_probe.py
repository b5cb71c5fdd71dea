"""A probe's token proves a secret for one source and five minutes; its answer proves it, too."""

from __future__ import annotations

import pytest

from hookline.sources.probe import make_token, seal, verify_token
from hookline.sources.refusals import NotProven

SECRET, OTHER = b"a-long-random-secret", b"the-one-before-it"
NONCE = "0123456789abcdef" * 2
NOW = 1_700_000_000.5
TOKEN = make_token(SECRET, "llamaparse", NONCE, NOW)


@pytest.mark.parametrize("later", [-300, 0, 300])
def test_a_token_is_proven_by_its_secret_within_five_minutes(later: int) -> None:
    assert verify_token(TOKEN, "llamaparse", [OTHER, SECRET], int(NOW) + later) == SECRET


@pytest.mark.parametrize(
    ("token", "source", "secrets", "later", "code"),
    [
        (TOKEN, "llamaparse", [OTHER], 0, "wrong_probe"),
        (TOKEN, "llamaparse", [], 0, "wrong_probe"),
        (make_token(b"", "llamaparse", NONCE, NOW), "llamaparse", [b""], 0, "wrong_probe"),
        (TOKEN, "llamacloud", [SECRET], 0, "wrong_probe"),
        (TOKEN.replace("1700", "1701", 1), "llamaparse", [SECRET], 0, "wrong_probe"),
        (TOKEN.replace("abcdef", "abcde0", 1), "llamaparse", [SECRET], 0, "wrong_probe"),
        (f"{TOKEN}0", "llamaparse", [SECRET], 0, "wrong_probe"),
        ("é", "llamaparse", [SECRET], 0, "wrong_probe"),
        (TOKEN, "llamaparse", [SECRET], 301, "wrong_time"),
        (TOKEN, "llamaparse", [SECRET], -301, "wrong_time"),
    ],
)
def test_every_other_token_is_refused(
    token: str, source: str, secrets: list[bytes], later: int, code: str
) -> None:
    with pytest.raises(NotProven) as refused:
        verify_token(token, source, secrets, int(NOW) + later)
    assert refused.value.reason.code == code


def test_an_answer_is_sealed_for_one_probe_and_for_what_it_says() -> None:
    sealed = seal(SECRET, TOKEN, {"bytes": 1, "names": []})
    assert sealed == seal(SECRET, TOKEN, {"names": [], "bytes": 1})
    others = [
        seal(OTHER, TOKEN, {"bytes": 1, "names": []}),
        seal(SECRET, f"{TOKEN}x", {"bytes": 1, "names": []}),
        seal(SECRET, TOKEN, {"bytes": 2, "names": []}),
    ]
    assert sealed not in others
