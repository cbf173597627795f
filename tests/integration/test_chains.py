"""Runs that lead to events that lead to runs: what rules see of them, and where a loop of them ends."""
import json
import subprocess

from alerts import alert, notification
from harness import DEADLINE, program, wait_for

EMIT = '#!/bin/sh\n# ---\n# summary: Says %s\n# kind: notify\n# idempotent: true\n# ---\necho \'{"type": "%s"}\' >>"$RUNBOOK_EVENTS"\n'
RUNBOOKS = {"say-ping.sh": EMIT % ("ping", "ping"), "say-pong.sh": EMIT % ("pong", "pong"), "say-begun.sh": EMIT % ("begun", "begun"),
            "look.sh": "#!/bin/sh\n# ---\n# summary: Look\n# kind: diagnose\n# ---\n"}
LOOP = """
rules:
  - name: begin
    match: 'alertname = "Begin"'
    steps: [{runbook: say-ping}]
  - name: ping
    match: 'event.type = "ping"'
    steps: [{runbook: say-pong}]
  - name: pong
    match: 'event.type = "pong"'
    steps: [{runbook: say-ping}]
"""
REASON = "5 runs led to this event, and limits.chain_depth is 5; the loop is ping -> pong -> ping"


def decisions(event):
    return [(d["rule"], d["decision"]) for d in event["decisions"]]


def said(rb):
    """What runbooks emitted, the first one first, once the chain has ended."""
    def look():
        events = [e for e in reversed(rb.items("events")) if e["source"] == "runbook"]
        return events if events and decisions(events[-1])[0][1] == "limit" else None
    return wait_for(look, "the decision that ends the chain")


def test_a_loop_ends_and_names_itself(runbookd):
    rb = runbookd(rules=LOOP, runbooks=RUNBOOKS, conf={"limits": {"chain_depth": 5}}).start()
    rb.post_alertmanager(notification([alert({"alertname": "Begin", "instance": "a"})]))
    events = said(rb)
    assert [(e["type"], e["depth"], e["trail"]) for e in events] == [
        ("ping", 1, ["begin"]), ("pong", 2, ["begin", "ping"]), ("ping", 3, ["begin", "ping", "pong"]),
        ("pong", 4, ["begin", "ping", "pong", "ping"]), ("ping", 5, ["begin", "ping", "pong", "ping", "pong"])]
    assert [decisions(e) for e in events] == [[("ping", "run")], [("pong", "run")], [("ping", "run")], [("pong", "run")], [("ping", "limit")]]
    assert events[-1]["decisions"][0]["reason"] == REASON
    # Every event is on the incident's timeline, and nothing runs any more.
    rb.wait_settled()
    incident = rb.items("incidents")[0]
    assert incident["runs"] == 5
    timeline = [i for i in rb.items(f"incidents/{incident['id']}/timeline") if i["kind"] == "event" and i["event"]["source"] == "runbook"]
    assert [i["event"]["type"] for i in timeline] == [e["type"] for e in events]
    # Explaining the same event again names the same loop.
    answer = rb.api("POST", "/api/v1/explain", {"event": events[-1]["id"]}).json()
    assert REASON in json.dumps(answer)


def test_a_loop_outlives_a_kill_of_everything(runbookd):
    rb = runbookd(rules=LOOP, runbooks=RUNBOOKS, conf={"limits": {"chain_depth": 5}}).start()
    rb.post_alertmanager(notification([alert({"alertname": "Begin", "instance": "a"})]))
    rb.wait_run(rule="ping")
    rb.kill9_all()
    rb.start()
    assert said(rb)[-1]["decisions"][0]["reason"] == REASON


def test_a_loop_over_the_ends_of_runs(runbookd):
    rb = runbookd(rules="""
rules:
  - name: begin
    match: 'alertname = "Begin"'
    steps: [{runbook: look}]
  - name: echo
    match: 'event.type = "run", outcome = "succeeded"'
    steps: [{runbook: look}]
""", runbooks=RUNBOOKS, conf={"limits": {"chain_depth": 3}}).start()
    rb.post_alertmanager(notification([alert({"alertname": "Begin", "instance": "a"})]))
    runs = rb.wait_runs(lambda runs: len(runs) == 3 and all(r["state"] == "succeeded" for r in runs), "three runs")
    assert [r["rule"] for r in runs] == ["echo", "echo", "begin"]
    rb.wait_settled()
    ends = [e for e in reversed(rb.items("events")) if e["type"] == "run"]
    assert [e["trail"] for e in ends] == [["begin"], ["begin", "echo"], ["begin", "echo", "echo"]]


def test_loops_and_emitted_events_in_tests_of_rules(runbookd):
    rb = runbookd(rules=LOOP, runbooks=RUNBOOKS, conf={"limits": {"chain_depth": 5}})
    path = rb.folder / "rules" / "loop.test.yml"
    turns = [("ping", "say-pong", "pong"), ("pong", "say-ping", "ping")]
    runs = "".join(f"      - {{at: {i}s, run: {{rule: {rule}, runbook: {runbook}, emits: [{{type: {emits}, data: {{n: {i}}}}}]}}}}\n"
                   for i, (rule, runbook, emits) in enumerate(turns * 2, 2))
    path.write_text(f"""
tests:
  - name: the loop ends
    events:
      - {{at: 0s, alert: {{labels: {{alertname: Begin}}}}}}
      - {{at: 1s, run: {{rule: begin, runbook: say-ping, emits: [{{type: ping, labels: {{host: a}}}}]}}}}
{runs}    expect:
      - {{at: 1s, rule: ping, runbook: say-pong}}
      - {{at: 2s, rule: pong, runbook: say-ping}}
      - {{at: 5s, rule: ping, decision: limit}}
  - name: what nobody emits does not happen
    events: [{{at: 0s, alert: {{labels: {{alertname: Begin}}}}}}]
    expect_none: [ping, pong]
""")
    assert rb.ctl("test", "-c", str(rb.conf_path), str(path)).stdout == "2 passed, 0 failed\n"
    assert REASON in rb.ctl("-o", "json", "test", "-c", str(rb.conf_path), str(path)).stdout
    for emits, want in [("ping", "want a list of at most 100 events"), ("[{data: {}}]", "has a 'type'"),
                        ("[" + "{type: x}," * 101 + "]", "want a list of at most 100 events")]:
        path.write_text("tests:\n  - name: t\n    exact: true\n    events:\n"
                        f"      - {{at: 1s, run: {{rule: begin, runbook: say-ping, emits: {emits}}}}}\n")
        done = subprocess.run([program("runbookctl"), "test", "-c", str(rb.conf_path), str(path)], capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 3 and want in done.stdout + done.stderr, done


def test_runs_side_by_side_complete_a_gate(runbookd):
    rb = runbookd(rules="""
rules:
  - name: left
    match: 'alertname = "Begin"'
    steps: [{runbook: say-ping}]
  - name: right
    match: 'alertname = "Begin"'
    steps: [{runbook: say-pong}]
  - name: both
    all_of: ['event.type = "ping"', 'event.type = "pong"']
    within: 10m
    steps: [{runbook: look}]
""", runbooks=RUNBOOKS).start()
    rb.post_alertmanager(notification([alert({"alertname": "Begin", "instance": "a"})]))
    run = rb.wait_run(rule="both", state="succeeded")
    end = wait_for(lambda: next((e for e in rb.items("events") if e["data"].get("run") == run["id"]), None), "the end of the third run")
    # It came by the event that completed the gate, whichever that was.
    assert end["depth"] == 2 and end["trail"] in (["left", "both"], ["right", "both"])
    rb.wait_settled()
    assert sorted(r["rule"] for r in rb.items("runs")) == ["both", "left", "right"]
