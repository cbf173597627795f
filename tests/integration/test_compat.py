"""compat: am-executor: the variables of prometheus-am-executor, of the whole message, and no others.

What is expected is made here, from that program's documented rules alone.
"""
import json
import re
from datetime import datetime, timezone

import pytest

from alerts import GOLDEN, alert, notification
from harness import wait_for

TELL = """#!/usr/bin/python3
# ---
# summary: Prints what it was told
# kind: diagnose
# compat: am-executor
# ---
import json, os
print(json.dumps({k.decode("utf-8", "surrogateescape"): v.decode("utf-8", "surrogateescape")
                  for k, v in os.environb.items() if k.startswith((b"AMX_", b"RUNBOOK_ENV"))}, indent=0))
"""
EVERY = """rules:
  - name: tell
    match: 'event.source = "alertmanager"'
    when: any
    steps: [{runbook: tell}]
"""
ONCE = """rules:
  - name: tell
    match: 'alertname =~ ".+"'
    cooldown: {every: 2s, by: [event.group]}
    steps: [{runbook: tell}]
"""


def seconds(text):
    """A time of Go's as whole seconds, rounded down; "0" for its zero time and for none."""
    m = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text or "0001-01-01T00:00:00Z")
    when = datetime.fromisoformat(m[1] + m[2].replace("Z", "+00:00"))
    zero = datetime(1, 1, 1, tzinfo=timezone.utc)
    return "0" if when == zero else str(int((when - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()))


def expected(message):
    """The environment that the program makes of a message; what no environment can hold is not in it."""
    env = {
        "AMX_RECEIVER": message.get("receiver") or "",
        "AMX_STATUS": message.get("status") or "",
        "AMX_EXTERNAL_URL": message.get("externalURL") or "",
        "AMX_ALERT_LEN": str(len(message["alerts"])),
    }

    def put(prefix, pairs):
        env.update({prefix + name: value for name, value in (pairs or {}).items()})

    put("AMX_LABEL_", message.get("commonLabels"))
    put("AMX_GLABEL_", message.get("groupLabels"))
    put("AMX_ANNOTATION_", message.get("commonAnnotations"))
    for number, one in enumerate(message["alerts"], 1):
        prefix = f"AMX_ALERT_{number}_"
        put(prefix, {"STATUS": one["status"], "START": seconds(one.get("startsAt")), "END": seconds(one.get("endsAt")),
                     "URL": one.get("generatorURL") or "", "FINGERPRINT": one.get("fingerprint") or ""})
        put(prefix + "LABEL_", one.get("labels"))
        put(prefix + "ANNOTATION_", one.get("annotations"))
    plain = {k: re.sub("[\ud800-\udfff]", "\ufffd", v or "") for k, v in env.items()}
    return {k: v for k, v in plain.items() if "\0" not in v}


def told(rb, run):
    rb.wait_run(id=run["id"], state="succeeded")
    return json.loads(rb.output(run["id"]))


def messages_kept(rb):
    return rb.redis_cli("--scan", "--pattern", "rb:*:message:*").split()


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.json") if p.stem != "empty-list"))
def test_environment_is_that_of_the_program(runbookd, name):
    rb = runbookd(rules=EVERY, runbooks={"tell.py": TELL}, conf={"incidents": {"stale_after": "30d"}}).start()
    body = (GOLDEN / f"{name}.json").read_bytes()
    message = json.loads(body)
    answer = rb.post_alertmanager(body)
    ran = [d for d in answer["decisions"] if d["decision"] == "run"]
    assert len(ran) == len(message["alerts"])
    for decision in ran:
        run = rb.wait_run(id=decision["run"], state="succeeded")
        env = told(rb, run)
        omitted = json.loads(env.pop("RUNBOOK_ENV_OMITTED", "[]"))
        assert env == expected(message)
        assert not run["reason"]
        left_out = [n for n in omitted if n.startswith("AMX_")]
        assert left_out == (["AMX_ALERT_1_LABEL_nul"] if name == "odd-labels" else [])
    assert len(messages_kept(rb)) == 1


def test_whole_message_is_kept_once_and_only_where_wanted(runbookd):
    rules = ONCE.replace('".+"', '"Wanted"') + """
  - name: other
    match: 'alertname = "Other"'
    steps: [{runbook: plain}]
"""
    plain = "#!/bin/sh\n# ---\n# summary: Says nothing\n# ---\n"
    rb = runbookd(rules=rules, runbooks={"tell.py": TELL, "plain.sh": plain}).start()
    unwanted = notification([alert({"alertname": "Other"})])
    rb.post_alertmanager(unwanted)
    other = rb.wait_run(rule="other", state="succeeded")
    events = rb.items("events")
    assert messages_kept(rb) == []
    assert not any("message" in e for e in events)
    assert {e["group"] for e in events if e["type"] == "alert"} == {unwanted["groupKey"]}
    assert not any("group" in e for e in events if e["type"] != "alert")

    wanted = [alert({"alertname": "Wanted", "instance": f"web-{i}"}) for i in range(300)]
    message = notification(wanted)
    rb.post_alertmanager(message)
    keys = messages_kept(rb)
    assert len(keys) == 1
    assert json.loads(rb.redis_cli("GET", keys[0])) == message
    assert int(rb.redis_cli("PTTL", keys[0])) > 29 * 24 * 3600 * 1000
    event = next(e for e in rb.items("events") if e["labels"].get("alertname") == "Wanted")
    assert event["group"] == message["groupKey"]
    assert keys[0].endswith(":" + event["message"])
    assert other["event"] != event["id"]


def test_one_run_a_message_that_has_news(runbookd):
    rb = runbookd(rules=ONCE, runbooks={"tell.py": TELL}).start()

    def group(name, *instances):
        return notification([alert({"alertname": name, "instance": i}, starts_at="2026-01-02T03:04:05Z") for i in instances])

    def ran(message):
        return [d["run"] for d in rb.post_alertmanager(message)["decisions"] if d["decision"] == "run"]

    first, other = ran(group("A", "a", "b")), ran(group("B", "a", "b", "c"))
    assert len(first) == len(other) == 1, "one run a group, and no group holds another back"
    assert told(rb, {"id": first[0]}) == expected(group("A", "a", "b"))
    assert told(rb, {"id": other[0]}) == expected(group("B", "a", "b", "c"))
    assert ran(group("A", "a", "b")) == [], "a repetition has no news"
    grown = ["a", "b"]

    def one_more():
        grown.append(f"more-{len(grown)}")
        return ran(group("A", *grown))

    later = wait_for(one_more, "a message with a new alert, after the cooldown, to run")
    assert len(later) == 1
    assert told(rb, {"id": later[0]}) == expected(group("A", *grown))


def test_without_a_message_they_tell_of_the_event(runbookd):
    emit = """#!/bin/sh
# ---
# summary: Emits an event
# ---
echo '{"type": "odd", "labels": {"a": "1"}}' >"$RUNBOOK_EVENTS"
"""
    rules = """rules:
  - name: tell
    match: 'event.type = "odd"'
    steps: [{runbook: tell}]
"""
    rb = runbookd(rules=rules, runbooks={"tell.py": TELL, "emit.sh": emit}).start()
    rb.ctl("run", "emit", "--wait")
    run = rb.wait_run(rule="tell", state="succeeded")
    env = told(rb, run)
    assert env["AMX_ALERT_LEN"] == "1" and env["AMX_STATUS"] == "info" and env["AMX_LABEL_a"] == "1"
    assert env["AMX_ALERT_1_LABEL_a"] == "1" and env["AMX_RECEIVER"] == ""
    assert "AMX_* variables told of its alert alone" in run["reason"]
    rb.ctl("run", "tell", "--wait")
    by_hand = next(r for r in rb.items("runs") if r["runbook"] == "tell" and not r["rule"])
    assert told(rb, by_hand) == {"AMX_RECEIVER": "", "AMX_STATUS": "", "AMX_EXTERNAL_URL": "", "AMX_ALERT_LEN": "0"}


def test_a_message_that_is_gone_is_said(runbookd):
    """The run waits in a pool that nobody serves, loses its message, and starts when a worker serves that pool."""
    rules = EVERY.replace("{runbook: tell}", "{runbook: tell, pool: later}")
    rb = runbookd(rules=rules, runbooks={"tell.py": TELL}).start()
    message = notification([alert({"alertname": "A", "instance": i}) for i in "ab"])
    runs = [d["run"] for d in rb.post_alertmanager(message)["decisions"]]
    rb.redis_cli("DEL", *messages_kept(rb))
    rb.stop()
    rb.configure({"worker": {"pools": ["later"]}})
    rb.start()
    for run in runs:
        done = rb.wait_run(id=run, state="succeeded")
        assert "AMX_* variables told of its alert alone" in done["reason"]
        env = told(rb, done)
        assert env["AMX_ALERT_LEN"] == "1" and env["AMX_ALERT_1_LABEL_instance"] in "ab"
        assert env["AMX_EXTERNAL_URL"] == message["externalURL"] and env["AMX_ALERT_1_URL"] == message["alerts"][0]["generatorURL"]
