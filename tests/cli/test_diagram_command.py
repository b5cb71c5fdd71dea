"""`hookline diagram` draws the statuses and transitions of the database."""

from __future__ import annotations

import random
from datetime import timedelta

from hookline.cli.diagram import draw
from hookline.postgres.views import Status, Transition
from support.commands import Cli, Database
from support.servers import ROOT

DEFAULT = """\
stateDiagram-v2
  classDef failed fill:#fde0dc,stroke:#b3261e,color:#000
  classDef terminal fill:#e6e6e6,stroke:#555,color:#000
  classDef claimable fill:#dcecfd,stroke:#1e5fb3,color:#000
  [*] --> uploaded
  failed_parse --> cancelled: operator
  failed_parse --> parse_ready: stage_done
  failed_parse --> parsed: stage_done
  failed_parse --> uploaded: retry
  failed_stage --> cancelled: operator
  failed_stage --> parsed: retry
  parse_queued --> cancelled: operator
  parse_queued --> failed_parse: stage_error
  parse_queued --> parse_ready: stage_done, stage_error
  parse_queued --> parsed: stage_done
  parse_queued --> uploaded: retry
  parse_ready --> cancelled: operator
  parse_ready --> failed_parse: stage_error
  parse_ready --> parsed: stage_done
  parse_ready --> uploaded: retry
  parsed --> cancelled: operator
  parsed --> complete: finalized
  parsed --> failed_stage: stage_error
  uploaded --> cancelled: operator
  uploaded --> failed_parse: stage_error
  uploaded --> parse_queued: stage_started
  uploaded --> parse_ready: stage_done, stage_error
  uploaded --> parsed: stage_done
  cancelled --> [*]
  complete --> [*]
  class failed_parse,failed_stage failed
  class cancelled,complete terminal
  class parse_ready,parsed,uploaded claimable
"""


def test_the_default_pipeline_is_drawn(cli: Cli, reader: str) -> None:
    done = cli("diagram", DATABASE_URL=reader)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == DEFAULT


def test_added_statuses_are_drawn_and_disabled_transitions_are_not(
    cli: Cli, db: Database, reader: str
) -> None:
    db.run((ROOT / "db/pipelines/rag.sql").read_text())
    drawn = cli("diagram", DATABASE_URL=reader).stdout
    assert "  parsed --> parse_validated: stage_done\n" in drawn
    assert "parsed --> complete" not in drawn
    assert "  class failed_chunking,failed_embedding,failed_parse,failed_stage failed\n" in drawn
    every = cli("diagram", "--all", DATABASE_URL=reader).stdout
    assert "  parsed --> complete: finalized (disabled)\n" in every
    assert "  uploaded --> uploaded: operator, retry, stage_done\n" in every
    assert "  parsed --> parsed: " not in drawn


def test_the_diagram_does_not_depend_on_the_order_of_the_rows() -> None:
    seed = random.randrange(2**32)
    shuffled = random.Random(seed)
    names = ["a", "b", "c", "d"]
    pause = timedelta(seconds=3)
    statuses = [
        Status(
            *(name, name == "a", False, False, True, False, None, ""),
            *(pause, pause, 3, None, None, None, None),
        )
        for name in names
    ]
    steps = [
        Transition(origin, target, kind, True)
        for origin in names
        for target in names
        for kind in ("retry", "operator")
    ]
    first = draw(statuses, steps)
    for _ in range(20):
        shuffled.shuffle(statuses)
        shuffled.shuffle(steps)
        assert draw(statuses, steps) == first, f"seed {seed}"
