"""Hookline: document-parsing webhooks become durable job state, inside Postgres."""

__version__ = "0.2.0"
