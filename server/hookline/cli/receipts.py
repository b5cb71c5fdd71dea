"""Print the receipts of jobs: a table for people, JSON objects for programs."""

from __future__ import annotations

from collections.abc import Sequence

from hookline.cli.job_table import ids_to_show
from hookline.cli.output import print_json, print_rows
from hookline.postgres.records import Receipt

__all__ = ["print_receipts"]


def print_receipts(receipts: Sequence[Receipt], *, as_json: bool) -> None:
    """Print one line for each receipt. Without receipts, print nothing."""
    if as_json:
        for receipt in receipts:
            print_json(
                {
                    "job_id": receipt.job_id,
                    "document_id": receipt.document_id,
                    "outcome": receipt.outcome,
                    "status": receipt.status,
                    "version": receipt.version,
                    "event_id": receipt.event_id,
                }
            )
    elif receipts:
        ids = ids_to_show([receipt.job_id for receipt in receipts if receipt.job_id])
        rows = [
            (shown, str(one.version), one.status or "")
            for shown, one in zip(ids, receipts, strict=True)
        ]
        print_rows(["job", ">version", "status"], rows)
