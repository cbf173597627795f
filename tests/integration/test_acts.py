"""What people do with incidents: through the API and runbookctl, by two bridges at once, and whatever is killed meanwhile."""
import concurrent.futures
import json

import pytest

from alerts import alert, notification
from harness import RedisServer

NOTE = {"note.sh": "#!/bin/sh\n# ---\n# summary: Note it\n# kind: notify\n# ---\ncat > DIR/stdin\n"}
RULES = """
rules:
  - name: note-down
    match: 'alertname = "Down", kind = "note"'
    steps: [{runbook: note}]
  - name: later
    match: 'alertname = "Down", kind = "later"'
    for: 1h
    steps: [{runbook: note}]
  - name: asked
    match: 'alertname = "Down", kind = "asked"'
    approval: required
    steps: [{runbook: note}]
"""
NOWHERE = "01JD0000000000000000000000"


def fire(rb, instance, **more):
    """One alert of that instance; the id of its incident."""
    labels = {"alertname": "Down", "instance": instance, **more.pop("labels", {})}
    rb.post_alertmanager(notification([alert(labels, **more)]))
    return rb.items("alerts", filter=f'instance = "{instance}"')[0]["incident"]


def act(rb, incident, what, body=None, status=200):
    answer = rb.api("POST", f"/api/v1/incidents/{incident}/{what}", body)
    assert answer.status == status, answer
    return answer.json()


def acts_of(rb, incident):
    """What people did, by the timeline: (what, who, text)."""
    return [(e["act"]["what"], e["act"]["who"], e["act"]["text"])
            for e in rb.items(f"incidents/{incident}/timeline") if e["kind"] == "act"]


def audited(rb, incident):
    return [(a["what"], a["who"], a["reason"]) for a in reversed(rb.items("audit")) if a.get("incident") == incident]


def test_acknowledged_noted_closed_and_audited(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    incident = fire(rb, "a")
    fresh = rb.get(f"/api/v1/incidents/{incident}")
    assert (fresh["acked"], fresh["acked_at"], fresh["acked_by"], fresh["flapping"], fresh["dropped"]) == (
        False, None, None, False, 0)
    acked = act(rb, incident, "ack", {"text": "on it"})
    assert (acked["acked"], acked["acked_by"]) == (True, "api") and acked["acked_at"] >= acked["opened"]
    assert [i["id"] for i in rb.items("incidents", filter="acked = true")] == [incident]
    act(rb, incident, "note", {"text": "the \u2068fan\u2069 \"sticks\""})
    closed = act(rb, incident, "close", {"reason": "known"})
    assert (closed["status"], closed["firing"], closed["closed_by"], closed["closed_reason"]) == ("closed", 0, "api", "known")
    assert closed["resolved"] >= closed["acked_at"]
    assert [i["id"] for i in rb.items("incidents", status="closed")] == [incident]
    want = [("ack", "api", "on it"), ("note", "api", "the \u2068fan\u2069 \"sticks\""), ("close", "api", "known")]
    assert acts_of(rb, incident) == want
    assert audited(rb, incident) == want
    assert rb.metric("runbookd_incidents_open") == 0
    assert rb.items("alerts")[0]["status"] == "firing"


def test_acknowledged_without_a_body_and_taken_back(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    incident = fire(rb, "a")
    assert act(rb, incident, "ack")["acked"] is True
    assert act(rb, incident, "ack", {"acked": True})["acked"] is True
    assert act(rb, incident, "ack", {"acked": False})["acked"] is False
    assert [what for what, _, _ in acts_of(rb, incident)] == ["ack", "unack"]


def test_what_a_closed_one_leaves(runbookd):
    """Its alert sent again opens nothing, fires anew it does; what waits for approval or its time does not run."""
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    began = "2026-11-22T19:19:32Z"
    incident = fire(rb, "a", labels={"kind": "asked"}, starts_at=began)
    assert fire(rb, "a", labels={"kind": "later"}) == incident
    run = rb.wait_run(rule="asked", state="approval")
    act(rb, incident, "close", {"reason": "a drill"})
    gone = rb.wait_run(rule="asked", state="cancelled")
    assert (gone["id"], gone["reason"]) == (run["id"], "its incident was closed by api: a drill")
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "a", "kind": "asked"}, starts_at=began)]))
    assert [i["id"] for i in rb.items("incidents")] == [incident]
    rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "a", "kind": "asked"})]))
    opened = rb.items("incidents", status="open")
    assert [(i["alerts"], i["firing"]) for i in opened] == [(1, 1)]
    assert rb.get(f"/api/v1/incidents/{incident}")["status"] == "closed"
    assert rb.metric("runbookd_incidents_open") == 1


def test_a_runbook_sees_who_looks_at_it(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE, conf={"worker": {"enabled": False}}).start()
    incident = fire(rb, "a", labels={"kind": "note"})
    act(rb, incident, "ack")
    rb.stop()
    rb.configure({"worker": {"enabled": True}})
    rb.start()
    rb.wait_run(rule="note-down", state="succeeded")
    seen = json.loads((rb.folder / "stdin").read_text())["incident"]
    assert (seen["id"], seen["acked"], seen["acked_by"]) == (incident, True, "api")


def test_by_runbookctl(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    incident = fire(rb, "a")
    assert "not acknowledged" in rb.ctl("incidents", "show").stdout
    assert rb.ctl("incidents", "ack", incident, "on it").stdout == f"incident {incident} is acknowledged by api\n"
    assert ", acknowledged by api (" in rb.ctl("incidents", "show").stdout
    assert rb.ctl("incidents", "list").stdout.splitlines()[1].split()[1] == "acked"
    assert rb.ctl("incidents", "unack", incident).stdout == f"incident {incident} is not acknowledged any more\n"
    assert rb.ctl("incidents", "note", incident, "the fan").stdout == f"incident {incident} has the note\n"
    closed = json.loads(rb.ctl("incidents", "close", incident, "a drill", "-o", "json").stdout)
    assert closed["status"] == "closed"
    page = rb.ctl("incidents", "show", incident).stdout
    assert "closed   by api: a drill" in page
    lines = [line.split(None, 1)[1] for line in rb.ctl("incidents", "timeline", incident).stdout.splitlines() if "person" in line]
    assert [line.split() for line in lines] == [
        ["person", "ack", "api:", "on", "it"], ["person", "unack", "api"],
        ["person", "note", "api:", "the", "fan"], ["person", "close", "api:", "a", "drill"]]
    assert "a drill" in rb.ctl("audit").stdout
    rb.ctl("incidents", "close", incident, code=2)
    rb.ctl("incidents", "ack", incident, code=1)
    rb.ctl("incidents", "ack", NOWHERE, code=4)


@pytest.mark.parametrize("what, body, status, text", [
    ("ack", {"text": 7}, 400, "has to be a string"),
    ("ack", {"acked": "no"}, 400, "'acked' is true or false"),
    ("ack", {"by": "me"}, 400, "unknown member 'by'; known are: acked, text"),
    ("ack", [], 400, "want an object"),
    ("note", {}, 400, "'text' is missing"),
    ("note", {"text": "x" * 4097}, 400, "over 4096 bytes"),
    ("note", {"acked": True, "text": "x"}, 400, "unknown member 'acked'"),
    ("close", {"reason": ""}, 400, "'reason' is missing"),
    ("close", None, 400, ""),
    ("reopen", {}, 404, ""),
])
def test_what_cannot_be_done_is_refused(runbookd, what, body, status, text):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    incident = fire(rb, "a")
    refused = act(rb, incident, what, body, status)
    assert text in refused["detail"], refused
    assert acts_of(rb, incident) == [] and audited(rb, incident) == []


def test_unknown_and_resolved_ones(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    for incident in (NOWHERE, "x"):
        assert "there is no incident" in act(rb, incident, "ack", {}, 404)["detail"]
        act(rb, incident, "note", {"text": "x"}, 404)
    began = "2026-11-22T19:19:32Z"
    incident = fire(rb, "a", starts_at=began)
    fire(rb, "a", status="resolved", starts_at=began)
    assert "leave a note" in act(rb, incident, "ack", {}, 409)["detail"]
    act(rb, incident, "note", {"text": "it went by itself"})


def test_two_bridges_at_once_are_one(folder, runbookd):
    """Whoever is first has it: once on the timeline, once in the audit, whichever bridge was asked."""
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    both = [runbookd(rules=RULES, runbooks=NOTE, conf=conf).start() for _ in range(2)]
    try:
        incidents = [fire(both[0], f"host-{i}") for i in range(8)]
        calls = [(rb, i, what, body) for i in incidents for rb in both
                 for what, body in (("ack", {}), ("close", {"reason": "drill"}))]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda c: c[0].api("POST", f"/api/v1/incidents/{c[1]}/{c[2]}", c[3]).status, calls))
        # An ack that comes behind the close is told that it is closed.
        assert all(s == 200 or (s == 409 and c[2] == "ack") for s, c in zip(statuses, calls)), statuses
        for i in incidents:
            done = [what for what, _, _ in acts_of(both[1], i)]
            assert done in (["ack", "close"], ["close"]), done
            assert [what for what, _, _ in audited(both[0], i)] == done
        assert both[0].metric("runbookd_incidents_open") == 0
    finally:
        for rb in both:
            rb.stop()
        redis.kill()


def fingerprint_of(rb, instance):
    return rb.items("alerts", filter=f'instance = "{instance}"')[0]["fingerprint"]


def firing_in(rb, incident):
    return sorted(a["labels"]["instance"] for a in rb.items(f"incidents/{incident}/alerts") if a["status"] == "firing")


def test_merged_and_split(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    began = "2026-11-22T19:19:32Z"
    one, two = fire(rb, "a", labels={"kind": "note"}, starts_at=began), fire(rb, "b", starts_at=began)
    run = rb.wait_run(rule="note-down", state="succeeded")
    merged = act(rb, one, "merge", {"into": two, "reason": "one switch"})
    assert (merged["id"], merged["alerts"], merged["firing"], merged["runs"], merged["merged"]) == (two, 2, 2, 1, [one])
    assert (firing_in(rb, two), firing_in(rb, one)) == (["a", "b"], ["a"])
    assert [r["id"] for r in rb.items(f"incidents/{two}/runs")] == [run["id"]]
    gone = rb.get(f"/api/v1/incidents/{one}")
    assert (gone["status"], gone["merged_into"], gone["closed_reason"]) == ("closed", two, "one switch")
    assert rb.metric("runbookd_incidents_open") == 1
    # The labels of both find it, and another alert of a's key joins it.
    assert two in [i["id"] for i in rb.get("/api/v1/related", label="instance=a")["items"]]
    rb.post_alertmanager(notification([alert({"alertname": "Slow", "instance": "a"})]))
    assert rb.get(f"/api/v1/incidents/{two}")["alerts"] == 3
    new = act(rb, two, "split", {"alerts": ["alertmanager:" + fingerprint_of(rb, "b")], "reason": "not the switch"})
    assert (new["alerts"], new["firing"], new["split_from"], new["labels"]["instance"]) == (1, 1, two, "b")
    assert firing_in(rb, new["id"]) == ["b"] and firing_in(rb, two) == ["a", "a"]
    assert [i["id"] for i in rb.get("/api/v1/related", label="instance=b")["items"]] == [new["id"], two]
    fire(rb, "b", status="resolved", starts_at=began)
    assert rb.get(f"/api/v1/incidents/{new['id']}")["status"] == "resolved"
    assert [what for what, _, _ in acts_of(rb, two)] == ["merge", "split"]
    assert ("merge", "api", "one switch") in audited(rb, one)
    assert ("split", "api", "not the switch") in audited(rb, two)


@pytest.mark.parametrize("what, body, status, text", [
    ("merge", {}, 400, "'into' is missing"),
    ("merge", None, 400, "'into' is missing"),
    ("merge", {"into": "x"}, 400, "'into' is the id of an incident"),
    ("merge", {"into": 7}, 400, "'into' is the id of an incident"),
    ("merge", {"into": NOWHERE}, 404, "there is no incident"),
    ("merge", {"into": "SELF"}, 409, "into itself"),
    ("merge", {"into": "SELF", "text": "x"}, 400, "known are: into, reason"),
    ("split", {}, 400, "'alerts' is missing"),
    ("split", {"alerts": []}, 400, "'alerts' is a list"),
    ("split", {"alerts": ["x"]}, 400, "an alert is"),
    ("split", {"alerts": ["a:b"] * 257}, 400, "more than 256 alerts"),
    ("split", {"alerts": ["a:b"]}, 404, "there is no alert 'a:b'"),
])
def test_what_cannot_be_merged_or_split(runbookd, what, body, status, text):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    incident = fire(rb, "a")
    if body and body.get("into") == "SELF":
        body = {**body, "into": incident}
    refused = act(rb, incident, what, body, status)
    assert text in refused["detail"], refused
    assert acts_of(rb, incident) == [] and audited(rb, incident) == []


def test_merge_and_split_by_runbookctl(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    one, two = fire(rb, "a"), fire(rb, "b")
    assert rb.ctl("incidents", "merge", one, two, "one switch").stdout == f"incident {two} has it now\n"
    assert f"merged   by api into {two}: one switch" in rb.ctl("incidents", "show", one).stdout
    said = rb.ctl("incidents", "split", two, "alertmanager:" + fingerprint_of(rb, "b")).stdout
    new = said.split()[1]
    assert said == f"incident {new} has them now\n"
    assert f"split    from {two}" in rb.ctl("incidents", "show", new).stdout
    timeline = rb.ctl("incidents", "timeline", two).stdout
    assert f"api, {one} into {two}: one switch" in timeline and f"api, 1 alert of {two} into {new}" in timeline
    rb.ctl("incidents", "merge", one, new, code=1)
    rb.ctl("incidents", "merge", NOWHERE, new, code=4)
    rb.ctl("incidents", "merge", one, code=2)
    rb.ctl("incidents", "split", two, code=2)


def test_two_bridges_merge_and_fire_at_once(folder, runbookd):
    """However it falls together: every alert is in one open incident, and counted once."""
    redis = RedisServer(folder).start()
    conf = {"redis": redis.url, "worker": {"enabled": False}}
    both = [runbookd(rules=RULES, runbooks=NOTE, conf=conf).start() for _ in range(2)]
    began = "2026-11-22T19:19:32Z"

    def post(call):
        rb, instance, kind = call
        rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": instance, "kind": kind}, starts_at=began)]))

    try:
        incidents = [fire(both[0], f"host-{i}", labels={"kind": "x"}, starts_at=began) for i in range(8)]
        target = incidents[0]
        posts = [(both[n % 2], f"host-{i}", f"k{n}") for n in range(6) for i in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            merges = [pool.submit(both[i % 2].api, "POST", f"/api/v1/incidents/{one}/merge", {"into": target})
                      for i, one in enumerate(incidents[1:] * 2)]
            list(pool.map(post, posts))
            assert {m.result().status for m in merges} == {200}
        total = both[1].get(f"/api/v1/incidents/{target}")
        assert (total["alerts"], total["firing"], total["status"]) == (56, 56, "open")
        assert {a["incident"] for a in both[0].items("alerts")} == {target}
        assert len(both[0].items(f"incidents/{target}/alerts")) == 56
        assert both[1].metric("runbookd_incidents_open") == 1
        assert len(acts_of(both[0], target)) == 7
    finally:
        for rb in both:
            rb.stop()
        redis.kill()


def test_kill_9_between_the_acts(runbookd):
    """Each act is there as a whole when it was answered, and may be sent again when it was not."""
    rb = runbookd(rules=RULES, runbooks=NOTE, conf={"worker": {"enabled": False}}).start()
    one, two = fire(rb, "a"), fire(rb, "b")
    act(rb, one, "merge", {"into": two})
    rb.kill9_all()
    rb.start()
    assert act(rb, one, "merge", {"into": two})["alerts"] == 2
    new = act(rb, two, "split", {"alerts": ["alertmanager:" + fingerprint_of(rb, "b")]})["id"]
    rb.kill9_all()
    rb.start()
    assert (firing_in(rb, two), firing_in(rb, new)) == (["a"], ["b"])
    assert [what for what, _, _ in acts_of(rb, two)] == ["merge", "split"]
    assert len(audited(rb, one)) == len(audited(rb, two)) == 1
    assert rb.metric("runbookd_incidents_open") == 2


def test_outlives_everything(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    acked, closed = fire(rb, "a"), fire(rb, "b")
    act(rb, acked, "ack", {"text": "on it"})
    act(rb, closed, "close", {"reason": "a drill"})
    rb.kill9_all()
    rb.start()
    assert rb.get(f"/api/v1/incidents/{acked}")["acked"] is True
    assert rb.get(f"/api/v1/incidents/{closed}")["status"] == "closed"
    assert (acts_of(rb, acked), acts_of(rb, closed)) == ([("ack", "api", "on it")], [("close", "api", "a drill")])
    # Sent again, as by whoever did not get the answer.
    act(rb, acked, "ack", {"text": "on it"})
    act(rb, closed, "close", {"reason": "a drill"})
    assert len(audited(rb, acked)) == len(audited(rb, closed)) == 1
