"""Senders that nobody wrote an adapter for, through a live bridge by YAML alone: the examples of docs/sources.md, word for word."""
import json
import re
from pathlib import Path

import pytest

DOC = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
LINES_MAX = 15  # of a mapping: a new sender needs fewer
RULES = """
rules:
  - name: clean-up
    match: 'event.source = "zabbix", alertname =~ "Free space low on (?<mount>/.+)", instance = "db-3"'
    steps: [{runbook: say, with: {text: "{{ labels.instance }} {{ match.mount }}"}}]
  - name: roll-back
    match: 'event.source = "sentry", project = "checkout", event.severity = "critical"'
    steps: [{runbook: say, with: {text: "{{ annotations.url }}"}}]
"""
SAY = """#!/bin/sh
# ---
# summary: Says what it was told
# kind: diagnose
# params:
#   text: {type: string, required: true}
# ---
printf '%s\\n' "$PARAM_text"
"""


def documented():
    """{source: its lines} of the example in the section of the kind."""
    section = DOC.read_text().split("\n## `generic`\n", 1)[1]
    block = re.search(r"```yaml\n(.*?)```", section, re.S)[1]
    return {part.split(":", 1)[0].strip(): part for part in re.split(r"(?m)^(?=  \w)", block) if part.strip()}


@pytest.fixture
def bridge(runbookd):
    rb = runbookd(rules=RULES, runbooks={"say.sh": SAY})
    maps = documented()
    assert sorted(maps) == ["sentry", "zabbix"]
    assert all(len(text.splitlines()) < LINES_MAX for text in maps.values())
    rest = "".join(f"{key}: {json.dumps(value)}\n" for key, value in rb.conf.items())
    rb.conf_path.write_text(rest + "sources:\n" + "".join(maps.values()))
    return rb.start()


def post(rb, source, message):
    answer = rb.api("POST", f"/ingest/{source}", json.dumps(message), {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return answer.json()


def zabbix(event, value, host="db-3", severity="High"):
    """What a media type of Zabbix sends whose parameters are its macros: all of them texts."""
    return {"host": host, "groups": ["Databases", "Linux servers"], "trigger": {"id": "24017", "name": "Free space low on /srv"},
            "event": {"id": event, "value": value, "severity": severity, "clock": "1795375000"}, "opdata": "4.1 %"}


def sentry(action, alert="7742"):
    """A metric alert of an integration platform webhook."""
    closed = "2026-11-22T08:41:30.5Z" if action == "resolved" else None
    return {"action": action, "installation": {"uuid": "5f1e0a51-0000-4000-8000-2b8c4f1d7a11"},
            "actor": {"id": "application", "name": "Sentry", "type": "application"},
            "data": {"metric_alert": {"id": alert, "title": f"{action.title()}: checkout errors", "projects": ["checkout"],
                                      "date_started": "2026-11-22T08:15:00.120Z", "date_closed": closed,
                                      "alert_rule": {"name": "checkout errors", "aggregate": "count()"}},
                     "description_text": "412 events in the last 5 minutes", "web_url": f"https://sentry.example/alerts/{alert}/"}}


def test_zabbix_fires_runs_and_resolves(bridge):
    fired = post(bridge, "zabbix", zabbix("880131", "1"))
    assert (fired["new"], [(d["rule"], d["decision"]) for d in fired["decisions"]]) == (1, [("clean-up", "run")])
    run = bridge.wait_run(rule="clean-up", state="succeeded")
    assert bridge.output(run["id"]) == "db-3 /srv\n"
    alert, = bridge.items("alerts")
    assert (alert["status"], alert["severity"], alert["summary"]) == ("firing", "error", "Free space low on /srv on db-3")
    assert alert["labels"] == {"alertname": "Free space low on /srv", "instance": "db-3", "group": "Databases", "severity": "High"}
    assert alert["starts_at"].startswith("2026-11-22T19:16:40")
    # The same problem once more is known; on another host it is another alert, which the rule does not want.
    assert post(bridge, "zabbix", zabbix("880131", "1"))["duplicate"] == 1
    other = post(bridge, "zabbix", zabbix("880140", "1", host="db-4"))
    assert (other["new"], other["decisions"]) == (1, [])
    assert post(bridge, "zabbix", zabbix("880131", "0"))["new"] == 1
    assert {a["labels"]["instance"]: a["status"] for a in bridge.items("alerts")} == {"db-3": "resolved", "db-4": "firing"}


def test_sentry_fires_runs_and_resolves(bridge):
    # A warning is an alert that the rule does not want.
    warned = post(bridge, "sentry", sentry("warning", alert="7741"))
    assert (warned["new"], warned["decisions"]) == (1, [])
    fired = post(bridge, "sentry", sentry("critical"))
    assert (fired["new"], [(d["rule"], d["decision"]) for d in fired["decisions"]]) == (1, [("roll-back", "run")])
    run = bridge.wait_run(rule="roll-back", state="succeeded")
    assert bridge.output(run["id"]) == "https://sentry.example/alerts/7742/\n"
    assert post(bridge, "sentry", sentry("resolved"))["new"] == 1
    alerts = {a["annotations"]["url"][-5:-1]: a for a in bridge.items("alerts")}
    assert {name: a["status"] for name, a in alerts.items()} == {"7741": "firing", "7742": "resolved"}
    assert alerts["7742"]["labels"]["alertname"] == "checkout errors"


def test_what_the_map_cannot_read_is_refused_with_its_place(bridge):
    message = zabbix("880131", "1")
    message["trigger"]["name"] = ["Free space", "low"]
    answer = bridge.api("POST", "/ingest/zabbix", json.dumps(message))
    assert answer.status == 400
    assert "trigger.name: want a string, a number or a boolean, got an array" in answer.json()["detail"]
    assert answer.json()["offset"] == json.dumps(message).index('["Free space"')
    assert bridge.items("events") == []
