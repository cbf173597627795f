"""Steps that start at once, and what waits for all of them."""
import subprocess

from alerts import alert, notification
from harness import program, wait_for

# Each of the two ends only when the other one has begun.
MEET = """#!/bin/sh
# ---
# summary: Waits for the other one
# kind: diagnose
# params:
#   me: {type: string}
#   other: {type: string}
#   at: {type: string}
# timeout: 10m
# ---
: >"$PARAM_at/$PARAM_me"
while [ ! -e "$PARAM_at/$PARAM_other" ]; do sleep 0.02; done
echo "$PARAM_me met $PARAM_other"
"""
# Says that it deployed, as the runbook's own event; fails where it is told to.
DEPLOY = """#!/bin/sh
# ---
# summary: Deploys to a region
# kind: remediate
# params:
#   region: {type: string}
#   fails: {type: bool, default: "false"}
# idempotent: true
# ---
[ "$PARAM_fails" = true ] && exit 3
echo "{\\"type\\": \\"deployed\\", \\"labels\\": {\\"region\\": \\"$PARAM_region\\", \\"commit\\": \\"c0ffee\\"}}" >>"$RUNBOOK_EVENTS"
echo "deployed to $PARAM_region"
"""
SAY = """#!/bin/sh
# ---
# summary: Says what it is given
# kind: notify
# params:
#   text: {type: string, default: ""}
# ---
echo "$PARAM_text"
"""
RUNBOOKS = {"meet.sh": MEET, "deploy.sh": DEPLOY, "say.sh": SAY}


def fire(rb, name, **labels):
    rb.post_alertmanager(notification([alert({"alertname": name, "instance": "a", **labels})]))


def test_both_run_at_the_same_time(runbookd, tmp_path):
    tmp_path.chmod(0o777)
    rb = runbookd(runbooks=RUNBOOKS, rules=f"""
rules:
  - name: together
    match: alertname="Go"
    parallel: true
    steps:
      - {{runbook: meet, with: {{me: a, other: b, at: {tmp_path}}}}}
      - {{runbook: meet, with: {{me: b, other: a, at: {tmp_path}}}}}
""").start()
    assert [r["parallel"] for r in rb.get("/api/v1/rules")["items"]] == [True]
    fire(rb, "Go")
    runs = rb.wait_runs(lambda runs: [r["state"] for r in runs] == ["succeeded"] * 2, "both to have met")
    assert sorted(rb.output(r["id"])[-8:-1] for r in runs) == ["a met b", "b met a"]
    assert {r["step"] for r in runs} == {"meet", "meet-2"}


FLOW = """
rules:
  - name: deploy
    match: alertname="TestSuitePassed"
    parallel: true
    steps:
      - {runbook: deploy, with: {region: eu}}
      - {runbook: deploy, with: {region: us, fails: '{{ labels.us_fails | default "false" }}'}}
    on_failure: {runbook: say, with: {text: '{{ steps.deploy.state }}, {{ steps.deploy-2.state }}'}}
  - name: switch
    all_of: ['event.type="deployed", region="eu"', 'event.type="deployed", region="us"']
    by: [commit]
    within: 30m
    steps: [{runbook: say, with: {text: "both are there"}}]
"""


def test_two_at_once_and_then_what_waits_for_both(runbookd):
    rb = runbookd(rules=FLOW, runbooks=RUNBOOKS).start()
    fire(rb, "TestSuitePassed")
    run = rb.wait_run(rule="switch", state="succeeded")
    assert "both are there" in rb.output(run["id"])
    runs = rb.wait_settled()
    assert sorted((r["rule"], r["step"], r["state"]) for r in runs) == [
        ("deploy", "deploy", "succeeded"), ("deploy", "deploy-2", "succeeded"), ("switch", "say", "succeeded")]


def test_on_failure_waits_for_all(runbookd):
    rb = runbookd(rules=FLOW, runbooks=RUNBOOKS).start()
    fire(rb, "TestSuitePassed", us_fails="true")
    run = rb.wait_run(rule="deploy", step="say", state="succeeded")
    assert "succeeded, failed" in rb.output(run["id"])
    runs = rb.wait_settled()
    assert sorted((r["rule"], r["step"], r["state"]) for r in runs) == [
        ("deploy", "deploy", "succeeded"), ("deploy", "deploy-2", "failed"), ("deploy", "say", "succeeded")]


def test_a_kill_of_everything_between_the_two(runbookd, tmp_path):
    """One has ended, the other one runs: what follows comes once, after the restart."""
    tmp_path.chmod(0o777)
    rb = runbookd(runbooks=RUNBOOKS, rules=f"""
rules:
  - name: together
    match: alertname="Go"
    parallel: true
    steps:
      - {{runbook: say, with: {{text: quick}}}}
      - {{runbook: meet, with: {{me: a, other: b, at: {tmp_path}}}}}
    on_failure: {{runbook: say, with: {{text: '{{{{ steps.say.state }}}}, {{{{ steps.meet.state }}}}'}}}}
""").start()
    fire(rb, "Go")
    rb.wait_run(step="say", state="succeeded")
    wait_for(lambda: (tmp_path / "a").exists(), "the slow one to have begun")
    rb.kill9_all()
    rb.start()
    # It is not idempotent, so it is lost with its worker.
    run = rb.wait_run(step="say-2", state="succeeded")
    assert "succeeded, lost" in rb.output(run["id"])
    runs = rb.wait_settled()
    assert sorted((r["step"], r["state"]) for r in runs) == [("meet", "lost"), ("say", "succeeded"), ("say-2", "succeeded")]


def test_played_by_runbookctl_test(tmp_path):
    for name, text in RUNBOOKS.items():
        (tmp_path / "runbooks").mkdir(exist_ok=True)
        (tmp_path / "runbooks" / name).write_text(text)
        (tmp_path / "runbooks" / name).chmod(0o755)
    (tmp_path / "rules.yml").write_text(FLOW)
    (tmp_path / "flow.test.yml").write_text("""
tests:
  - name: both at once, and what follows when both have ended
    events:
      - {at: 0s, alert: {labels: {alertname: TestSuitePassed}}}
      - {at: 4m, run: {rule: deploy, runbook: deploy, outcome: failed}}
      - {at: 9m, run: {rule: deploy, runbook: deploy, outcome: succeeded}}
    expect:
      - {at: 0s, rule: deploy, runbook: deploy, with: {region: eu}}
      - {at: 0s, rule: deploy, runbook: deploy, with: {region: us}}
      - {at: 9m, rule: deploy, runbook: say, with: {text: "failed, succeeded"}}
    expect_none: [switch]
""")
    done = subprocess.run([program("runbookctl"), "test", str(tmp_path / "flow.test.yml")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1 passed, 0 failed\n"), done
