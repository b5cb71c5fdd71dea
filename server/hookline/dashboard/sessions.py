"""Sessions in signed cookies, and the tokens of forms.

The key is made at the start of the process, so a restart ends all sessions. It does not come from
the password: a cookie would then let its holder try passwords without us.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LIFETIME", "Session", "Sessions"]

LIFETIME = 12 * 3600
"""Seconds from the login to its end."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. `name` is None before the login. `until` is in seconds since 1970."""

    id: str
    name: str | None
    until: int


class Sessions:
    """Makes and reads cookies and form tokens. `now` is in seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._key = secrets.token_bytes(32)
        self._now = now
        # Sessions that were logged out before their end. Only a login can add to it.
        self._ended: dict[str, int] = {}

    def begin(self, name: str | None) -> Session:
        """A new session. Its id is new at each login, so that nobody can choose it for others."""
        return Session(secrets.token_urlsafe(24), name, int(self._now()) + LIFETIME)

    def end(self, session: Session) -> None:
        """Make a session's cookie useless."""
        now = self._now()
        self._ended = {one: until for one, until in self._ended.items() if until > now}
        if session.name is not None:
            self._ended[session.id] = session.until

    def cookie(self, session: Session) -> str:
        """The session as the value of a cookie."""
        text = json.dumps([session.id, session.name, session.until]).encode()
        return f"{base64.urlsafe_b64encode(text).decode()}.{self._sign('session', text)}"

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it is not ours, expired or logged out."""
        encoded, _, signature = cookie.partition(".")
        try:
            text = base64.urlsafe_b64decode(encoded.encode())
            # A byte that is no UTF-8 arrives as a surrogate, which cannot be encoded.
            given = signature.encode()
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(given, self._sign("session", text).encode()):
            return None
        session = Session(*json.loads(text))
        is_over = session.until <= self._now() or session.id in self._ended
        return None if is_over else session

    def form_token(self, session: Session, name: str | None) -> str:
        """What a form of this session and this person must hold."""
        return self._sign("form", json.dumps([session.id, name]).encode())

    def accepts_form(self, session: Session, name: str | None, token: str) -> bool:
        """Whether a form came from a page that this person has seen."""
        return hmac.compare_digest(token.encode(), self.form_token(session, name).encode())

    def _sign(self, purpose: str, text: bytes) -> str:
        return hmac.new(self._key, purpose.encode() + b"\0" + text, hashlib.sha256).hexdigest()
