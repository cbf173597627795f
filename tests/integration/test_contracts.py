"""Contracts: what becomes of events that break them, and of contracts that are broken themselves."""
import json
import subprocess
from pathlib import Path

from alerts import alert, notification
from harness import program, wait_for

RULES = """
rules:
  - name: any-alert
    match: 'alertname =~ ".+"'
    steps: [{runbook: emit}]
  - name: invalid
    match: 'event.type = "invalid_event"'
    mode: dry_run
    steps: [{runbook: emit}]
  - name: deployed
    match: 'event.type = "deployed"'
    mode: dry_run
    steps: [{runbook: emit}]
"""
EMIT = """#!/bin/sh
# ---
# summary: Emits an event that keeps to its contract, and one that does not
# kind: diagnose
# ---
echo '{"type": "deployed", "data": {"service": "shop", "version": "7", "environment": "test"}}' >> "$RUNBOOK_EVENTS"
echo '{"type": "deployed", "data": {"service": "shop", "version": 7, "environment": "test"}}' >> "$RUNBOOK_EVENTS"
"""
SHIPPED = Path(__file__).resolve().parents[2] / "contrib" / "contracts"
TEAM = {"type": "object", "properties": {"labels": {"required": ["team"], "properties": {"team": {"enum": ["red", "blue"]}}}}}


def write_contract(rb, name, contract):
    folder = rb.folder / "contracts"
    folder.mkdir(exist_ok=True)
    text = contract if isinstance(contract, str) else json.dumps(contract)
    (folder / f"{name}.schema.json").write_text(text)


def shipped(name):
    return (SHIPPED / f"{name}.schema.json").read_text()


def test_alert_that_breaks_its_contract_is_taken_and_decided_error(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    write_contract(rb, "alert", TEAM)
    rb.start()
    good = alert({"alertname": "Down", "instance": "a", "team": "red"})
    bad = alert({"alertname": "Down", "instance": "b", "team": "green"})
    answer = rb.post_alertmanager(notification([good, bad]))
    assert (answer["events"], answer["new"]) == (2, 2)
    ran, refused = answer["decisions"]
    assert (ran["rule"], ran["decision"]) == ("any-alert", "run")
    assert (refused["rule"], refused["decision"], refused["run"]) == ("contract:alert", "error", None)
    assert refused["reason"] == \
        "data breaks the contract of 'alert': /labels/team: want one of 'red', 'blue', got 'green'"
    again = rb.post_alertmanager(notification([good, bad]))
    assert [d["decision"] for d in again["decisions"]] == ["duplicate", "duplicate"]
    assert rb.metric("runbookd_decisions_total", rule="contract:alert", decision="error") == 1
    # It is an alert as any other: it is there, and resolves.
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "b", "team": "green"}, status="resolved")]))
    held = {a["labels"]["instance"]: a["status"] for a in rb.get("/api/v1/alerts")["items"]}
    assert held == {"a": "firing", "b": "resolved"}


def test_event_of_a_runbook_that_breaks_its_contract_is_an_invalid_event(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    write_contract(rb, "deployed", shipped("deployed"))
    rb.start()
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "a"})]))
    rb.wait_run(rule="any-alert", state="succeeded")

    def of_type(kind):
        return [e for e in rb.get("/api/v1/events", limit=100)["items"] if e["type"] == kind]
    invalid = wait_for(lambda: of_type("invalid_event"), "the event that was not taken")
    assert "data breaks the contract of 'deployed': /version: want a string, got a number" in invalid[0]["summary"]
    taken = wait_for(lambda: of_type("deployed"), "the event that was taken")
    assert [e["data"]["version"] for e in taken] == ["7"]


def test_cloudevent_that_breaks_its_contract_is_refused_with_the_place(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    write_contract(rb, "deployed", shipped("deployed"))
    rb.start()
    good = {"service": "shop", "version": "7", "environment": "test"}
    bad = json.dumps({**good, "version": 7})
    detail = "data breaks the contract of 'deployed': /version: want a string, got a number"

    def event(number, data):
        return f'{{"specversion": "1.0", "id": "{number}", "source": "/ci", "type": "deployed", "data": {data}}}'

    def post(content_type, body, **attributes):
        return rb.api("POST", "/ingest/cloudevents", body,
                      {"Content-Type": content_type, **{f"ce-{name}": value for name, value in attributes.items()}})
    refused = [
        (event(1, bad), post("application/cloudevents+json", event(1, bad)), detail),
        (bad, post("application/json", bad, specversion="1.0", id="1", source="/ci", type="deployed"), detail),
    ]
    batch = f"[{event(1, json.dumps(good))}, {event(2, bad)}]"
    refused.append((batch, post("application/cloudevents-batch+json", batch), f"events[1]: {detail}"))
    for body, answer, text in refused:
        assert answer.status == 400 and answer.json()["detail"] == text, answer
        assert body[:answer.json()["offset"]].endswith('"version": 7'), answer
    assert rb.items("events") == []  # of the batch neither
    taken = post("application/cloudevents+json", event(1, json.dumps(good)))
    assert taken.status == 200 and [d["rule"] for d in taken.json()["decisions"]] == ["deployed"], taken


def test_broken_contract_is_refused_with_its_place(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    write_contract(rb, "deployed", '{\n  "type": "object",\n  "uniqueItems": true\n}\n')
    found = subprocess.run([program("runbook-bridge"), "-c", rb.conf_path, "--check"], capture_output=True, text=True)
    assert found.returncode == 3
    assert "contracts/deployed.schema.json:3:22: keyword 'uniqueItems' is not supported" in found.stdout + found.stderr


def test_reload_takes_contracts_and_keeps_the_old_ones_where_new_ones_are_bad(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    rb.start()

    def decision(instance):
        got = rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": instance})]))
        return got["decisions"][0]["rule"]
    assert decision("a") == "any-alert"
    write_contract(rb, "alert", TEAM)
    assert rb.api("POST", "/-/reload").status == 200
    assert decision("b") == "contract:alert"
    write_contract(rb, "alert", '{"type": "objekt"}')
    answer = rb.api("POST", "/-/reload")
    assert answer.status == 422 and "alert.schema.json:1:" in answer.json()["detail"]
    assert decision("c") == "contract:alert"
    write_contract(rb, "alert", "true")
    wait_for(lambda: rb.metric("runbookd_config_reload_success") == 1, "the changed contract to be read by itself")
    assert decision("d") == "any-alert"


def test_shipped_contracts_are_good(runbookd):
    rb = runbookd(rules=RULES, runbooks={"emit.sh": EMIT})
    names = sorted(p.name.removesuffix(".schema.json") for p in SHIPPED.glob("*.json"))
    assert len(names) == 18
    for name in names:
        write_contract(rb, name, shipped(name))
    found = subprocess.run([program("runbook-bridge"), "-c", rb.conf_path, "--check"], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, ""), found
