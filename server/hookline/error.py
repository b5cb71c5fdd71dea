"""The base of every error that a caller of Hookline can expect."""

from __future__ import annotations

__all__ = ["HooklineError"]


class HooklineError(Exception):
    """Something failed that a caller can expect. The message says what, and holds no secret."""
