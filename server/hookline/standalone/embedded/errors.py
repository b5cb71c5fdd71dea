"""The error of a private PostgreSQL."""

__all__ = ["EmbeddedPostgresError"]


class EmbeddedPostgresError(Exception):
    """The private database cannot run; the message is a sentence to show to a person."""
