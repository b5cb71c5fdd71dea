"""Check the rights of the login role: neither too few nor too many."""

from __future__ import annotations

from collections.abc import Iterator

from hookline.doctor.check import Check
from hookline.doctor.login import Login

__all__ = ["check_rights"]

# Role -> the roles that its members are in, too.
_IMPLIED = {
    "hookline_ingest": (),
    "hookline_worker": ("hookline_ingest",),
    "hookline_reader": (),
    "hookline_operator": ("hookline_reader",),
}
_USE = {
    "hookline_ingest": "`hookline serve`",
    "hookline_worker": "`hookline work`",
    "hookline_reader": "a person who only reads",
    "hookline_operator": "an operator",
}


def check_rights(login: Login, *, receives: bool) -> Iterator[Check]:
    """One row. `receives`: the settings have a secret, so they may be those of a receiver."""
    chosen = [role for role in login.roles if role in _IMPLIED]
    implied = {under for role in chosen for under in _IMPLIED[role]}
    chosen = [role for role in chosen if role not in implied]

    excess = [
        words
        for words, has in (
            ("is a superuser", login.superuser),
            ("bypasses row security", login.bypassrls and not login.superuser),
            ("may create roles", login.createrole and not login.superuser),
            ("is in hookline_owner", "hookline_owner" in login.roles),
            (f"is in {' and '.join(chosen)}", len(chosen) > 1),
        )
        if has
    ]
    if excess:
        right = "hookline_ingest" if receives else "the one of its process"
        yield Check(
            "rights",
            "warning",
            f"Role {login.name} has more rights than it needs: it {', '.join(excess)}. Give each"
            f" process a login role of its own that is in one hookline role only: {right}.",
        )
    elif not chosen:
        yield Check(
            "rights",
            "fault",
            f"Role {login.name} is in no hookline role and may do nothing. As an administrator,"
            f" run `grant hookline_ingest to {login.name}` for `hookline serve`, or grant another"
            f" of {', '.join(_IMPLIED)}.",
        )
    else:
        # A worker has the secrets, too: it signs with them, or gives them to LlamaCloud.
        serve = "" if chosen == ["hookline_ingest"] else "; `hookline serve` needs hookline_ingest"
        yield Check(
            "rights",
            "ok",
            f"Role {login.name} is in {chosen[0]} only: right for {_USE[chosen[0]]}"
            f"{serve if receives else ''}.",
        )
