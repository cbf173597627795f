"""Tools that watch, through a live bridge: each golden file, and each real message where those are at hand, gives the events that its
adapter makes, and what fires and resolves is one incident that opens and resolves."""
import json
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden"
PAYLOADS = TESTS.parent.parent / "shared" / "payloads"
KINDS = ["datadog", "grafana", "pagerduty", "argocd", "sns"]
SHOWN = ["type", "status", "severity", "summary", "labels", "annotations", "links", "data", "fingerprint", "time"]

# An occurrence by each kind's own files, in the order they would come: what fires, what repeats it or goes on, what ends it.
HISTORIES = {
    "datadog": (["triggered", "warn-later", "renotify"], "recovered"),
    "grafana": (["firing"], "resolved"),
    "grafana before 9": (["before-9-alerting", "before-9-no-data"], "before-9-ok"),
    "pagerduty": (["triggered", "acknowledged", "escalated", "annotated"], "resolved"),
    "argocd": (["degraded", "progressing", "out-of-sync", "sync-failed", "degraded-again"], "healthy"),
    "sns": (["cpu-alarm", "insufficient-data"], "cpu-ok"),
}
# The real messages, by folder and in order, with the alerts that there are after each, newest first.
FIRING, RESOLVED = ["firing"], ["resolved"]
REAL = {
    "datadog": ("datadog", {"rendered-triggered.json": FIRING, "rendered-renotify.json": FIRING, "rendered-recovered.json": RESOLVED}),
    "grafana": ("grafana", {"v11-firing.json": FIRING, "v11-resolved-derived.json": RESOLVED}),
    # Two incidents.
    "pagerduty": ("pagerduty", {"v3-triggered.json": FIRING, "v3-resolved.json": ["resolved", "firing"]}),
    "argocd": ("argocd", {"synthetic-app-health-degraded.json": FIRING}),
    "sns": ("aws-sns", {"notification-alarm-v2.json": FIRING, "notification-ok-v2.json": RESOLVED}),
}
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


@pytest.mark.parametrize("kind", KINDS)
def test_golden_files(bridge, kind):
    files = sorted((GOLDEN / kind).glob("*.json"))
    alerts, total = set(), 0
    assert len(files) >= 7
    for path in files:
        wanted = [json.loads(line)["event"] for line in path.with_suffix(".ndjson").read_text().splitlines()]
        before = {e["id"] for e in bridge.items("events")}
        answer = send(bridge, kind, path)
        events = [e for e in bridge.items("events") if e["id"] not in before]
        assert answer["events"] == len(wanted) and answer["new"] + answer["duplicate"] == len(wanted), (path, answer)
        assert len(events) == answer["new"], (path, answer)
        for event in events:
            assert event["source"] == kind
            assert {k: event[k] for k in SHOWN} in [{k: w[k] for k in SHOWN} for w in wanted], path
        alerts |= {w["fingerprint"] for w in wanted if w["type"] == "alert"}
        total += len(events)
    assert {a["fingerprint"] for a in bridge.items("alerts")} == alerts
    assert len(bridge.items("events")) == total


@pytest.mark.parametrize("history", HISTORIES)
def test_fires_and_resolves_as_one_incident(bridge, history):
    kind, (fires, ends) = history.split()[0], HISTORIES[history]
    for name in fires + fires:
        send(bridge, kind, GOLDEN / kind / f"{name}.json")
        assert [(a["status"], a["occurrences"]) for a in bridge.items("alerts")] == [("firing", 1)], name
        assert [i["status"] for i in bridge.items("incidents")] == ["open"], name
    send(bridge, kind, GOLDEN / kind / f"{ends}.json")
    assert [(a["status"], a["occurrences"]) for a in bridge.items("alerts")] == [("resolved", 1)]
    assert [i["status"] for i in bridge.items("incidents")] == ["resolved"]
    (incident,) = bridge.items("incidents")
    assert len(bridge.items("runs")) == 1
    send(bridge, kind, GOLDEN / kind / f"{ends}.json")
    assert [i["id"] for i in bridge.items("incidents")] == [incident["id"]]


def test_reopened_is_another_occurrence(bridge):
    for name in "triggered", "resolved", "reopened":
        send(bridge, "pagerduty", GOLDEN / "pagerduty" / f"{name}.json")
    # What was said before it was reopened, late, ends nothing.
    answer = send(bridge, "pagerduty", GOLDEN / "pagerduty" / "escalated.json")
    assert answer["duplicate"] == 1, answer
    assert [(a["status"], a["occurrences"]) for a in bridge.items("alerts")] == [("firing", 2)]


def test_acknowledged_late_fires_nothing_anew(bridge):
    """The resolve was faster, and this message does not say when the incident began."""
    for name in "triggered", "resolved", "acknowledged":
        send(bridge, "pagerduty", GOLDEN / "pagerduty" / f"{name}.json")
    assert [(a["status"], a["occurrences"]) for a in bridge.items("alerts")] == [("resolved", 1)]
    assert len(bridge.items("runs")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_real_messages(bridge, kind):
    folder, messages = REAL[kind]
    present = (PAYLOADS / folder).is_dir()
    for name, statuses in messages.items() if present else ():
        send(bridge, kind, PAYLOADS / folder / name)
        assert [a["status"] for a in bridge.items("alerts")] == statuses, name
    assert bool(bridge.items("events")) == present
