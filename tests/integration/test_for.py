"""`for`: a rule that runs where its alert still fires after a while, whatever happens to the programs meanwhile."""
import time
from datetime import datetime

from alerts import alert, notification
from harness import wait_for

RULES = """
rules:
  - name: still
    match: 'alertname = Down'
    for: 2s
    steps: [{runbook: note, with: {host: "{{ labels.instance }}"}}]
  - name: much-later
    match: 'alertname = Slow'
    for: 1h
    steps: [{runbook: note, with: {host: "{{ labels.instance }}"}}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Notes for whom it ran
# kind: diagnose
# params:
#   host: {required: true}
# ---
echo "$PARAM_host" >> DIR/notes
"""


def started(runbookd, **conf):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf=conf).start()


def fire(rb, labels):
    answer = rb.post_alertmanager(notification([alert(labels, starts_at="2026-11-22T19:19:32Z")]))
    return answer["decisions"]


def timeline(rb, incident):
    page = rb.get(f"/api/v1/incidents/{incident}/timeline", limit=1000)
    return [d for row in page["items"] for d in row["decisions"]]


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def pending(rb):
    return int(rb.redis_cli("ZCARD", "rb:{default:0}:pending"))


def only_run(rb, decision):
    """The one run that came of a pending decision, not before its time."""
    run = rb.wait_run(rule="still", state="succeeded")
    event = rb.get(f"/api/v1/events/{decision['event']}")
    assert seconds(run["queued"]) - seconds(event["received"]) >= 2
    assert run["event"] == decision["event"] and run["incident"] == decision["incident"]
    later = [d for d in timeline(rb, run["incident"]) if d["decision"] != "pending"]
    assert [(d["decision"], d["reason"], d["run"]) for d in later] == [
        ("run", "it still fires after 2s", run["id"])]
    assert pending(rb) == 0
    assert len(rb.items("runs")) == 1
    return run


def test_runs_when_it_still_fires(runbookd):
    rb = started(runbookd)
    [decision] = fire(rb, {"alertname": "Down", "instance": "a"})
    assert decision["decision"] == "pending" and decision["run"] is None
    assert decision["reason"].startswith("runs if it still fires at 20")
    [again] = fire(rb, {"alertname": "Down", "instance": "a"})
    assert again["decision"] == "duplicate"
    only_run(rb, decision)
    assert rb.lines("notes") == ["a"]
    assert rb.metric("runbookd_decisions_total", rule="still", decision="pending") == 1
    assert rb.metric("runbookd_decisions_total", rule="still", decision="run") == 1


def no_run_yet(runbookd):
    """Without a worker, so that no kill hits a run."""
    return started(runbookd, worker={"enabled": False})


def kill_all_and_have_a_worker(rb):
    rb.kill9_all()
    rb.configure({"worker": {"enabled": True}})


def test_on_time_after_everything_was_killed(runbookd):
    rb = no_run_yet(runbookd)
    [decision] = fire(rb, {"alertname": "Down", "instance": "a"})
    kill_all_and_have_a_worker(rb)
    rb.start()
    only_run(rb, decision)
    assert rb.lines("notes") == ["a"]


def test_at_once_where_it_is_late(runbookd):
    rb = no_run_yet(runbookd)
    [decision] = fire(rb, {"alertname": "Down", "instance": "a"})
    due = time.time() + 2
    kill_all_and_have_a_worker(rb)
    wait_for(lambda: time.time() > due, "the time when it would have been due")
    rb.start()
    only_run(rb, decision)
    # And only once, whoever comes and goes.
    rb.kill9_all()
    rb.start()
    assert rb.lines("notes") == ["a"]
    assert len(rb.items("runs")) == 1


def test_without_its_rule_it_still_runs(runbookd):
    """What was decided keeps the rules of its time, as a run does."""
    rb = started(runbookd)
    [decision] = fire(rb, {"alertname": "Down", "instance": "a"})
    rb.write_rules("rules: []\n")
    assert rb.api("POST", "/-/reload").status == 200
    only_run(rb, decision)


def test_resolved_meanwhile(runbookd):
    rb = started(runbookd)
    labels = {"alertname": "Slow", "instance": "a"}
    [decision] = fire(rb, labels)
    assert decision["decision"] == "pending"
    rb.kill9_all()
    rb.start()
    assert pending(rb) == 1
    rb.post_alertmanager(notification([alert(labels, "resolved", starts_at="2026-11-22T19:19:32Z")]))
    last = timeline(rb, decision["incident"])[-1]
    assert last["decision"] == "pending" and last["run"] is None
    assert last["reason"].startswith("dropped: the alert resolved after ")
    assert pending(rb) == 0
    assert rb.items("runs") == []
    page = rb.ctl("incidents", "timeline", decision["incident"]).stdout
    assert "dropped: the alert resolved after" in page
