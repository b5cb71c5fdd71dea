"""The check of the login role's rights."""

from __future__ import annotations

from collections.abc import Iterator

from hookline.doctor.check import Check
from hookline.doctor.login import Login

__all__ = ["check_rights"]

# Each implies the roles on its right.
_IMPLIED = {
    "hookline_ingest": (),
    "hookline_worker": ("hookline_ingest",),
    "hookline_reader": (),
    "hookline_operator": ("hookline_reader",),
}
_USE = {
    "hookline_ingest": "`hookline serve`",
    "hookline_worker": "`hookline work`",
    "hookline_reader": "looking",
    "hookline_operator": "an operator",
}


def check_rights(login: Login, *, receives: bool) -> Iterator[Check]:
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
        right = "hookline_ingest" if receives else "the one that its process needs"
        yield Check(
            "rights",
            "warning",
            f"Role {login.name} has rights in excess: it {', '.join(excess)}. Give each process a"
            f" login role of its own, in one hookline role alone: {right}.",
        )
    elif not chosen:
        yield Check(
            "rights",
            "fault",
            f"Role {login.name} is in no hookline role and may do nothing: as an administrator,"
            f" `grant hookline_ingest to {login.name}` for `hookline serve`, or another of"
            f" {', '.join(_IMPLIED)}.",
        )
    else:
        # A worker has the receiver's secrets, too: the local parser signs, LlamaCloud is told.
        serve = "" if chosen == ["hookline_ingest"] else "; `hookline serve` needs hookline_ingest"
        yield Check(
            "rights",
            "ok",
            f"Role {login.name} is in {chosen[0]} alone: right for {_USE[chosen[0]]}"
            f"{serve if receives else ''}.",
        )
