"""How often the loops of a worker ask Postgres for work, in seconds."""

from __future__ import annotations

__all__ = ["POLL_MAX_WITHOUT_LISTEN", "POLL_MAX_WITH_LISTEN", "POLL_MIN", "REFUSED_PAUSE"]

POLL_MIN = 0.2
"""Between two polls that find nothing, at first. Then longer and longer, up to one of these:"""

POLL_MAX_WITH_LISTEN = 5.0
POLL_MAX_WITHOUT_LISTEN = 1.0

REFUSED_PAUSE = 10.0
"""After Postgres refused a claim, for example because a right is missing."""
