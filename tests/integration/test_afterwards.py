"""What happens after a rule has run: on_resolve, on_failure, approval, slo; and that a running script is stopped at once."""
import signal

from alerts import alert, notification
from harness import wait_for

STARTS = "2026-11-22T19:19:32Z"
SLEEPER = """#!/bin/sh
# ---
# summary: Runs until it is told to stop
# kind: remediate
# timeout: 10m
# grace: GRACE
# idempotent: true
# ---
trap 'STOP' TERM
echo began >> DIR/sleeper
while :; do
	tail -f /dev/null & wait
done
"""
WORDS = """#!/bin/sh
# ---
# summary: Says what it was told, and ends as it was told
# kind: diagnose
# params:
#   say: {default: nothing}
#   exit: {type: int, default: 0}
# ---
echo "$PARAM_say"
echo "$PARAM_say" >> DIR/said
exit "$PARAM_exit"
"""


def sleeper(stop="kill %%; echo stopped >> DIR/sleeper; exit 0", grace="10s"):
    return SLEEPER.replace("STOP", stop).replace("GRACE", grace)


def fire(rb, name, status="firing"):
    labels = {"alertname": name, "instance": "a"}
    return rb.post_alertmanager(notification([alert(labels, status, starts_at=STARTS)]))["decisions"]


CANCEL = """
rules:
  - name: wait
    match: 'alertname = Down'
    on_resolve: cancel
    steps: [{runbook: sleeper}, {runbook: words}, {runbook: words, always: true, with: {say: cleaned}}]
  - name: other
    match: 'alertname = Other'
    steps: [{runbook: words, with: {say: other}}]
"""


def test_cancel_stops_a_running_script(runbookd):
    rb = runbookd(rules=CANCEL, runbooks={"sleeper.sh": sleeper(), "words.sh": WORDS}).start()
    [decision] = fire(rb, "Down")
    wait_for(lambda: rb.lines("sleeper") == ["began"], "the script to run")
    fire(rb, "Down", "resolved")
    run = rb.wait_run(id=decision["run"], state="cancelled")
    assert run["reason"] == "the alert resolved, and rule 'wait' says on_resolve: cancel"
    assert rb.lines("sleeper") == ["began", "stopped"]
    # What was to follow does not; what always runs does.
    runs = rb.wait_settled()
    assert {r["state"] for r in runs} == {"cancelled", "succeeded"}
    assert rb.lines("said") == ["cleaned"]
    assert rb.metric("runbookd_runs_total", rule="wait", outcome="cancelled") == 2


def test_cancel_kills_what_does_not_listen_and_frees_its_slot(runbookd):
    """With all slots taken the worker hears of it, too, and long before its next heartbeat."""
    rb = runbookd(rules=CANCEL, conf={"worker": {"slots": 1, "lease": "1h"}},
                  runbooks={"sleeper.sh": sleeper(stop="", grace="100ms"), "words.sh": WORDS}).start()
    [decision] = fire(rb, "Down")
    wait_for(lambda: rb.lines("sleeper") == ["began"], "the script to run")
    [other] = fire(rb, "Other")
    assert rb.get(f"/api/v1/runs/{other['run']}")["state"] == "queued"
    fire(rb, "Down", "resolved")
    run = rb.wait_run(id=decision["run"], state="cancelled")
    assert run["signal"] == signal.SIGKILL
    assert run["reason"].startswith("the alert resolved, and rule 'wait' says on_resolve: cancel")
    rb.wait_run(id=other["run"], state="succeeded")


def test_cancel_of_a_killed_worker(runbookd, leases):
    rb = runbookd(rules=CANCEL, conf={"redis": leases.url, "worker": {"lease": "2s"}},
                  runbooks={"sleeper.sh": sleeper(), "words.sh": WORDS}).start()
    [decision] = fire(rb, "Down")
    wait_for(lambda: rb.lines("sleeper") == ["began"], "the script to run")
    rb.process.send_signal(signal.SIGSTOP)  # no other worker tells of it before its lease is over
    rb.kill9("worker")
    fire(rb, "Down", "resolved")
    leases.over()
    rb.wait_run(id=decision["run"], state="cancelled")
    rb.process.send_signal(signal.SIGCONT)
    rb.wait_settled()
    assert rb.lines("sleeper").count("began") == 1


AFTER = """
rules:
  - name: fails
    match: 'alertname = Fails'
    steps:
      - {runbook: words, with: {say: all well}}
      - {runbook: other-words, with: {say: oh no, exit: "3"}}
    on_failure:
      - runbook: tell
        with: {say: "{{ steps.words.output }}, then {{ steps.other-words.output }} {{ steps.other-words.exit_code }} {{ steps.other-words.state }}"}
  - name: undone
    match: 'alertname = Undone'
    steps: [{runbook: words, with: {say: done}}]
    on_resolve: {runbook: tell, with: {say: "undone {{ event.status }}"}}
"""


def test_on_failure_sees_the_steps_before(runbookd):
    rb = runbookd(rules=AFTER, runbooks={n: WORDS for n in ("words.sh", "other-words.sh", "tell.sh")}).start()
    [decision] = fire(rb, "Fails")
    run = rb.wait_run(rule="fails", runbook="tell", state="succeeded")
    assert rb.output(run["id"]) == "all well, then oh no 3 failed\n"
    assert run["incident"] == decision["incident"]
    assert rb.get(f"/api/v1/incidents/{run['incident']}")["runs"] == 3
    assert len(rb.items("runs")) == 3


def test_a_step_on_resolve(runbookd):
    rb = runbookd(rules=AFTER, runbooks={n: WORDS for n in ("words.sh", "other-words.sh", "tell.sh")}).start()
    [decision] = fire(rb, "Undone")
    rb.wait_run(id=decision["run"], state="succeeded")
    fire(rb, "Undone", "resolved")
    fire(rb, "Undone", "resolved")
    run = rb.wait_run(rule="undone", runbook="tell", state="succeeded")
    assert rb.output(run["id"]) == "undone firing\n"  # as the rule was told when it ran
    rb.wait_settled()
    assert len(rb.items("runs")) == 2


def test_approval_expires(runbookd):
    rules = """
rules:
  - name: ask
    match: 'alertname = Ask'
    approval: {expires: 1s}
    steps: [{runbook: words}, {runbook: words}]
"""
    rb = runbookd(rules=rules, runbooks={"words.sh": WORDS}).start()
    [decision] = fire(rb, "Ask")
    assert decision["decision"] == "approval"
    run = rb.wait_run(id=decision["run"], state="rejected")
    assert run["reason"] == "nobody approved it in time"
    assert {r["state"] for r in rb.wait_settled()} == {"rejected", "cancelled"}
    assert rb.lines("said") == []


def test_slo_is_counted(runbookd):
    rules = """
rules:
  - name: quick
    match: 'alertname =~ "Good|Bad"'
    slo: {objective: 90, within: 1h, window: 1d}
    steps: [{runbook: words, with: {exit: "{{ annotations.exit }}"}}]
"""
    rb = runbookd(rules=rules, runbooks={"words.sh": WORDS}).start()
    for name, code in (("Good", "0"), ("Bad", "1")):
        labels = {"alertname": name, "instance": "a"}
        rb.post_alertmanager(notification([alert(labels, annotations={"exit": code})]))
        rb.wait_settled()
    assert rb.metric("runbookd_slo_objective_ratio", rule="quick") == 0.9
    assert round(rb.metric("runbookd_slo_error_budget_remaining_ratio", rule="quick"), 6) == -4
