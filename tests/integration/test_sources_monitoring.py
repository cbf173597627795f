"""Tools that watch, through a live bridge."""
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden"
RULES = """
rules:
  - name: any
    match: 'event.type = "alert"'
    steps: [{runbook: note}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Says nothing
# kind: diagnose
# ---
"""


@pytest.fixture
def bridge(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()


def send(rb, kind, path, method="POST"):
    answer = rb.api(method, f"/ingest/{kind}", path.read_bytes(), {"Content-Type": "application/json"})
    assert answer.status == 200, (path, answer)
    return answer.json()


def test_grafana_puts(bridge):
    for name, status in ("firing", "firing"), ("resolved", "resolved"):
        answer = send(bridge, "grafana", GOLDEN / "grafana" / f"{name}.json", "PUT")
        assert (answer["events"], answer["new"]) == (1, 1), answer
        assert [(a["fingerprint"], a["status"]) for a in bridge.items("alerts")] == [("00ff00ff00ff00aa", status)]
    refused = bridge.api("PUT", "/ingest/grafana", b"[")
    assert refused.status == 400 and refused.json()["offset"] == 1, refused
