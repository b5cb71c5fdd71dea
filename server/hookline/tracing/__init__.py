"""Spans of OpenTelemetry: where they begin (spans.py), and how they are exported (export.py)."""
