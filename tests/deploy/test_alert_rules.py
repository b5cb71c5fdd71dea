"""The alert rules of Prometheus are those of the view alerts. Each has a section of the runbook."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from support.servers import ROOT

RULES = ROOT / "server" / "deploy" / "alerts.yaml"
# Known to Prometheus only.
OF_PROMETHEUS = {"readings_stale", "hookline_absent"}


def _promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Rule:
    severity: str
    summary: str
    runbook: str


def _rules() -> dict[str, Rule]:
    text = RULES.read_text()
    rules = {
        name: Rule(severity, summary, runbook)
        for name, severity, summary, runbook in re.findall(
            r"- alert: (\w+)\n.*?severity: (\w+)\n.*?summary: \"(.*?)\"\n *runbook_url: (\S+)\n",
            text,
            re.DOTALL,
        )
    }
    assert len(rules) == text.count("- alert:")
    return rules


def test_each_alert_of_the_view_has_a_rule_and_a_section_of_the_runbook(database: str) -> None:
    with psycopg.connect(database) as connection:
        [(view,)] = connection.execute(
            "select pg_get_viewdef('upload_pipeline.alerts'::regclass)"
        ).fetchall()
    names = set(re.findall(r"SELECT '(\w+)'", view))
    rules = _rules()
    assert rules.keys() == names | OF_PROMETHEUS
    handbook = (ROOT / "db" / "README.md").read_text()
    critical = set(re.findall(r"'(\w+)'::text", view.rpartition("CASE")[2].partition("THEN")[0]))
    for name, rule in rules.items():
        assert rule.runbook == f"db/README.md#{name}"
        assert f"\n#### {name}\n" in handbook, name
        if name in names:
            expected = "critical" if name in critical else "warning"
            assert rule.severity == expected, name


def test_each_rule_fires_when_its_row_is_there_and_not_before(tmp_path: Path) -> None:
    _promtool("check", "rules", RULES)
    tests = []
    for name, rule in _rules().items():
        series: list[dict[str, str]] = []
        if name == "hookline_absent":
            quiet = [{"series": "hookline_reading_age_seconds", "values": "1x10"}]
        elif name == "readings_stale":
            series = [{"series": "hookline_reading_age_seconds", "values": "61x10"}]
            quiet = [{"series": "hookline_reading_age_seconds", "values": "59x10"}]
        else:
            of_receiver, of_worker = (
                f'hookline_alerts{{alert="{name}",severity="{rule.severity}",instance="{instance}"}}'
                for instance in ("receiver", "worker")
            )
            # Two processes show the same number: that is one alert.
            series = [{"series": s, "values": "1x10"} for s in (of_receiver, of_worker)]
            series.append({"series": "hookline_reading_age_seconds", "values": "1x10"})
            quiet = [series[-1]]
        labels = {"severity": rule.severity}
        if name not in OF_PROMETHEUS:
            labels["alert"] = name
        annotations = {"summary": rule.summary, "runbook_url": rule.runbook}
        fires = {"exp_labels": labels, "exp_annotations": annotations}
        for values, expected in ((series, [fires]), (quiet, [])):
            tests.append(
                {
                    "interval": "1m",
                    "input_series": values,
                    "alert_rule_test": [
                        {"eval_time": "5m", "alertname": name, "exp_alerts": expected}
                    ],
                }
            )
    path = tmp_path / "tests.yaml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "tests": tests}))
    _promtool("test", "rules", path)
