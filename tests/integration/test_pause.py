"""POST /api/v1/pause and /resume: rules that do not run for a time, in all bridges, whatever is killed meanwhile."""
import json

import pytest

from alerts import alert, notification
from harness import RedisServer, wait_for

NOTE = {"note.sh": "#!/bin/sh\n# ---\n# summary: Note it\n# kind: notify\n# ---\n",
        "look.sh": "#!/bin/sh\n# ---\n# summary: Look at it\n# kind: notify\n# ---\n"}
RULES = """
rules:
  - name: note-down
    match: 'alertname = "Down"'
    steps: [{runbook: note}]
  - name: look-down
    match: 'alertname = "Down"'
    steps: [{runbook: look}]
"""


def held(rb):
    return rb.get("/api/v1/pauses")["items"]


def decided(rb, instance):
    """What both rules decide on a new alert: {rule: (decision, reason)}."""
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": instance})]))
    event = next(e for e in rb.items("events") if e["labels"].get("instance") == instance)
    return {d["rule"]: (d["decision"], d["reason"]) for d in event["decisions"]}


def decisions(rb, instance):
    return {rule: decision for rule, (decision, _) in decided(rb, instance).items()}


def test_two_bridges_hold_from_the_next_decision_on(folder, runbookd):
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    one, two = [runbookd(rules=RULES, runbooks=NOTE, conf=conf).start() for _ in range(2)]
    both = {"note-down": "run", "look-down": "run"}
    try:
        for i in range(10):
            answer = one.api("POST", "/api/v1/pause", {"rule": "note-down", "for": "1h", "reason": "moving disks"})
            assert answer.status == 200, answer
            assert decisions(two, f"a{i}") == {**both, "note-down": "paused"}
            assert [p["rule"] for p in held(two)] == ["note-down"]
            assert two.api("POST", "/api/v1/resume", {"rule": "note-down"}).status == 200
            assert decisions(one, f"b{i}") == both
        assert held(one) == []
    finally:
        for rb in (one, two):
            rb.stop()
        redis.kill()


def test_outlives_everything_and_is_audited(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    assert rb.api("POST", "/api/v1/pause", {"runbook": "look", "for": "1h", "reason": "it lies"}).status == 200
    rb.kill9_all()
    rb.start()
    result = decided(rb, "a")
    until = held(rb)[0]["until"]
    assert result["note-down"][0] == "run"
    assert result["look-down"] == ("paused", f"its runbook 'look' is paused until {until} by api: it lies")
    rb.wait_run(rule="note-down", state="succeeded")
    assert rb.api("POST", "/api/v1/resume", {"runbook": "look", "reason": "mended"}).status == 200
    acts = {a["what"]: a for a in rb.items("audit") if a["what"] in ("pause", "resume")}
    assert (acts["pause"]["who"], acts["pause"]["runbook"], acts["pause"]["until"]) == ("api", "look", until)
    assert (acts["resume"]["who"], acts["resume"]["reason"]) == ("api", "mended")


def test_explain_and_the_incident_say_so(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    assert rb.api("POST", "/api/v1/pause", {"all": True, "for": "2d", "reason": "the hall burns"}).status == 200
    payload = notification([alert({"alertname": "Down", "instance": "a"})])
    told = rb.api("POST", "/api/v1/explain", {"source": "alertmanager", "payload": payload}).json()
    assert [r["decision"] for r in told["events"][0]["rules"]] == ["paused", "paused"], told
    assert decisions(rb, "a") == {"note-down": "paused", "look-down": "paused"}
    incident = rb.items("incidents")[0]["id"]
    timeline = rb.items(f"incidents/{incident}/timeline")
    assert all("the hall burns" in d["reason"] for entry in timeline for d in entry["decisions"])
    assert rb.items("runs") == []


def test_queued_runs_wait_whatever_is_killed(folder, runbookd):
    """No worker yet: both runs are queued; one is paused then, and is neither lost nor claimed by whichever worker comes."""
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    rb = runbookd(rules=RULES, runbooks=NOTE, conf=conf).start()
    other = runbookd(rules=RULES, runbooks=NOTE, conf={**conf, "worker": {"enabled": True}})
    try:
        assert decisions(rb, "a") == {"note-down": "run", "look-down": "run"}
        assert rb.api("POST", "/api/v1/pause", {"rule": "note-down", "for": "1h", "reason": "moving"}).status == 200
        other.start()
        other.wait_run(rule="look-down", state="succeeded")
        held_run = other.wait_run(rule="note-down", state="queued")
        wait_for(lambda: rb.get(f"/api/v1/runs/{held_run['id']}")["reason"].startswith("paused: the rule is paused until"), "the run is held")
        other.kill9_all()
        rb.kill9("bridge")
        other.start()
        rb.wait_ready()
        assert rb.ctl("resume", "rule", "note-down").returncode == 0
        assert other.wait_run(rule="note-down", state="succeeded")["id"] == held_run["id"]
        changes = [(a["to"], a["who"]) for a in reversed(rb.items("audit")) if a.get("run") == held_run["id"]]
        assert changes[:2] == [("queued", "bridge"), ("queued", "runbookd")], changes
        timeline = rb.items(f"incidents/{held_run['incident']}/timeline")
        assert any("paused: the rule" in entry["run"]["reason"] for entry in timeline if entry["kind"] == "run")
    finally:
        for one in (rb, other):
            one.stop()
        redis.kill()


def test_by_matchers(folder, runbookd):
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    one, two = [runbookd(rules=RULES, runbooks=NOTE, conf=conf).start() for _ in range(2)]
    try:
        body = {"matchers": 'instance =~ "db-.*", alertname = Down', "for": "1h", "reason": "moving"}
        assert one.api("POST", "/api/v1/pause", body).json()["matchers"] == 'alertname="Down",instance=~"db-.*"'
        assert decisions(two, "db-1") == {"note-down": "paused", "look-down": "paused"}
        assert decisions(two, "web-1") == {"note-down": "run", "look-down": "run"}
        assert two.ctl("pause").stdout.splitlines()[1].startswith('matchers alertname="Down",instance=~"db-.*"  ')
        assert two.ctl("resume", "matchers", 'alertname="Down", instance=~"db-.*"').returncode == 0
        assert decisions(one, "db-2") == {"note-down": "run", "look-down": "run"}
        assert two.ctl("pause", "matchers", "instance=db-3", "1h", "x").stdout.startswith('matchers instance="db-3" is paused until ')
        assert decisions(one, "db-3") == {"note-down": "paused", "look-down": "paused"}
    finally:
        for rb in (one, two):
            rb.stop()
        redis.kill()


def test_by_runbookctl(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    assert rb.ctl("pause", "rule", "note-down", "2h", "moving disks").stdout.startswith("rule note-down is paused until ")
    rb.ctl("pause", "runbook", "look", "1h", "it lies")
    rb.ctl("pause", "all", "1d", "the hall burns")
    table = rb.ctl("pause").stdout.splitlines()
    assert table[0].split() == ["PAUSED", "UNTIL", "WHO", "REASON"]
    assert [(line.startswith(f"{what} "), line.endswith(f" api  {why}")) for line, what, why in zip(
        table[1:], ("all", "rule note-down", "runbook look"), ("the hall burns", "moving disks", "it lies"))] == [(True, True)] * 3
    assert decisions(rb, "a") == {"note-down": "paused", "look-down": "paused"}
    assert rb.ctl("resume", "all").stdout == "all is not paused any more\n"
    assert rb.ctl("resume", "rule", "note-down", "moved").stdout == "rule note-down is not paused any more\n"
    assert decisions(rb, "b") == {"note-down": "run", "look-down": "paused"}
    assert [p["runbook"] for p in json.loads(rb.ctl("pause", "list", "-o", "json").stdout)["items"]] == ["look"]
    rb.ctl("pause", "rule", "note-down", "soon", "x", code=1)
    rb.ctl("pause", "rule", "note-down", "1h", code=2)
    rb.ctl("resume", "rule", "note-down", code=4)


@pytest.mark.parametrize("act, body, status, text", [
    ("pause", {"rule": "note-dwn", "for": "1h", "reason": "x"}, 404, "did you mean 'note-down'"),
    ("pause", {"runbook": "nota", "for": "1h", "reason": "x"}, 404, "did you mean 'note'"),
    ("pause", {"rule": "note-down", "for": "1h"}, 400, "'reason' is missing"),
    ("pause", {"rule": "note-down", "for": "1h", "reason": ""}, 400, "'reason' is missing"),
    ("pause", {"rule": "note-down", "for": "1h", "reason": "x" * 501}, 400, "over 500 bytes"),
    ("pause", {"rule": "note-down", "reason": "x"}, 400, "'for' is missing"),
    ("pause", {"rule": "note-down", "for": "999ms", "reason": "x"}, 400, "from 1s to 366d"),
    ("pause", {"rule": "note-down", "for": "367d", "reason": "x"}, 400, "from 1s to 366d"),
    ("pause", {"rule": "note-down", "all": True, "for": "1h", "reason": "x"}, 400, "at a time"),
    ("pause", {"all": False, "for": "1h", "reason": "x"}, 400, "'all' is true"),
    ("pause", {"matchers": "instance =~ \"[0-9]+\"", "for": "1h", "reason": "x"}, 400, "more than words"),
    ("pause", {"matchers": "{}", "for": "1h", "reason": "x"}, 400, "pause all"),
    ("pause", {"matchers": "a = b", "rule": "note-down", "for": "1h", "reason": "x"}, 400, "at a time"),
    ("resume", {"matchers": "a = b"}, 404, "nothing is paused as 'matchers a=\"b\"'"),
    ("pause", {"rule": 7, "for": "1h", "reason": "x"}, 400, "are names"),
    ("pause", {"rule": "note-down", "for": 7, "reason": "x"}, 400, "are strings"),
    ("pause", {"rules": "note-down", "for": "1h", "reason": "x"}, 400, "unknown member 'rules'"),
    ("pause", {"for": "1h", "reason": "x"}, 400, "want an object"),
    ("pause", [], 400, "want an object"),
    ("resume", {"rule": "note-down", "for": "1h"}, 400, "unknown member 'for'"),
    ("resume", {"rule": "note-down"}, 404, "nothing is paused as 'rule note-down'"),
])
def test_what_cannot_be_done_is_refused(runbookd, act, body, status, text):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    answer = rb.api("POST", f"/api/v1/{act}", body)
    assert answer.status == status and text in answer.json()["detail"], answer
    assert held(rb) == []
    assert [a for a in rb.items("audit") if a["what"] in ("pause", "resume")] == []


PLANNED = {
    "maintenance": [{"name": "move-hall", "match": "site = a", "from": "2020-01-01T00:00:00Z", "until": "2120-01-01T00:00:00Z"},
                    {"name": "long-ago", "from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}],
    "inhibit": [{"source_matchers": ["alertname = NodeDown"], "target_matchers": ["alertname = Down"], "equal": ["cluster"]}],
}


def test_maintenance(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE, conf={**PLANNED, "worker": {"enabled": False}}).start()
    inside = notification([alert({"alertname": "Down", "instance": "a", "site": "a"})])
    why = "maintenance window 'move-hall' until 2120-01-01T00:00:00.000Z"
    told = rb.api("POST", "/api/v1/explain", {"source": "alertmanager", "payload": inside}).json()
    assert [(r["decision"], r["reason"]) for r in told["events"][0]["rules"]] == [("paused", why)] * 2, told
    rb.post_alertmanager(inside)
    assert [d["reason"] for d in rb.items("events")[0]["decisions"]] == [why, why]
    assert decisions(rb, "b") == {"note-down": "run", "look-down": "run"}
    done = rb.run_check("runbook-bridge", "--check")
    assert "the maintenance window 'long-ago' is over; remove it" in done.stdout + done.stderr and "move-hall" not in done.stdout, done


def inhibited(rb, instance, cluster="eu"):
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": instance, "cluster": cluster})]))
    event = next(e for e in rb.items("events") if e["labels"].get("instance") == instance)
    return {d["decision"] for d in event["decisions"]}, event["decisions"][0]["reason"]


def test_inhibition_within_a_message_and_after_a_reload(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE, conf={**PLANNED, "worker": {"enabled": False}}).start()
    source = alert({"alertname": "NodeDown", "cluster": "eu", "instance": "n"})
    targets = [alert({"alertname": "Down", "cluster": "eu", "instance": i}) for i in ("x", "y")]
    message = notification([targets[0], source, targets[1]])
    told = rb.api("POST", "/api/v1/explain", {"source": "alertmanager", "payload": message}).json()["events"]
    assert [e["event"]["labels"]["instance"] for e in told] == ["x", "n", "y"]  # as they were sent
    assert [{r["decision"] for r in e["rules"] if r["matches"]} for e in told] == [{"paused"}, set(), {"paused"}], told
    assert [e["incident_key"] for e in told] == [{"instance": i} for i in ("x", "n", "y")]
    rb.post_alertmanager(message)
    for i in ("x", "y"):
        event = next(e for e in rb.items("events") if e["labels"]["instance"] == i)
        assert {d["decision"] for d in event["decisions"]} == {"paused"}, event
    # Another rule comes, whose source fires already: known from its next message on, by the bridge that knows the alert.
    old = notification([alert({"alertname": "Old", "cluster": "us", "instance": "o"}, starts_at="2026-11-22T19:00:00Z")])
    rb.post_alertmanager(old)
    rb.configure({"inhibit": [{"source_matchers": ["alertname = Old"], "target_matchers": ["alertname = Down"], "equal": ["cluster"]}]})
    assert rb.api("POST", "/-/reload").status == 200
    assert inhibited(rb, "p", "us")[0] == {"run"}
    assert rb.post_alertmanager(old)["duplicate"] == 1
    assert inhibited(rb, "q", "us")[0] == {"paused"}
    assert inhibited(rb, "r", "eu")[0] == {"run"}


def test_a_source_that_ended_and_began_again_within_a_message(runbookd):
    """It comes before others, and after what the message says of itself."""
    rb = runbookd(rules=RULES, runbooks=NOTE, conf={**PLANNED, "worker": {"enabled": False}}).start()
    labels = {"alertname": "NodeDown", "cluster": "eu", "instance": "n"}
    target = alert({"alertname": "Down", "cluster": "eu", "instance": "x"})
    rb.post_alertmanager(notification([
        target, alert(labels, status="resolved", starts_at="2026-11-22T19:00:00Z", ends_at="2026-11-22T19:01:00Z"),
        alert(labels, starts_at="2026-11-22T19:02:00Z")]))
    status = {a["labels"]["instance"]: a["status"] for a in rb.items("alerts")}
    assert status == {"n": "firing", "x": "firing"}
    assert inhibited(rb, "y")[0] == {"paused"}
    event = next(e for e in rb.items("events") if e["labels"]["instance"] == "x")
    assert {d["decision"] for d in event["decisions"]} == {"paused"}, event


def test_inhibition_by_two_bridges_whatever_is_killed(folder, runbookd):
    redis = RedisServer(folder).start()
    conf = {**PLANNED, "redis": redis.url, "worker": {"enabled": False}}
    one, two = [runbookd(rules=RULES, runbooks=NOTE, conf=conf).start() for _ in range(2)]
    source = {"alertname": "NodeDown", "cluster": "eu", "instance": "n"}
    try:
        for i in range(5):
            assert inhibited(two, f"a{i}")[0] == {"run"}
            starts = f"2026-11-22T19:0{i}:00Z"
            one.post_alertmanager(notification([alert(source, starts_at=starts)]))
            what, why = inhibited(two, f"b{i}")
            assert what == {"paused"} and why.startswith("inhibited while alert NodeDown (alertmanager:"), why
            assert inhibited(two, f"c{i}", "us")[0] == {"run"}
            if i == 0:
                one.kill9_all()
                two.kill9("bridge")
                one.start()
                two.wait_ready()
                assert inhibited(one, "d")[0] == {"paused"}
            two.post_alertmanager(notification([alert(source, status="resolved", starts_at=starts, ends_at=f"2026-11-22T19:0{i}:30Z")]))
        assert inhibited(one, "e")[0] == {"run"}
    finally:
        for rb in (one, two):
            rb.stop()
        redis.kill()
