"""One run an occurrence: resends, pairs of Alertmanager and of Prometheus, restarts, resolves and our own timers."""
from datetime import datetime, timedelta, timezone

from alerts import alert, golden, notification, now, timestamp
from harness import wait_for

RULES = """
rules:
  - name: look
    match: 'alertname =~ "InstanceDown|DiskFull"'
    steps:
      - runbook: note
"""
NOTE = """#!/bin/sh
# ---
# summary: Leaves a line for each time it was started
# kind: diagnose
# ---
echo "$RUNBOOK_RUN $LABEL_instance" >> DIR/ran
"""
LABELS = {"alertname": "DiskFull", "instance": "db-1:9100", "severity": "critical"}


def server(runbookd, **options):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, **options)


def totals(answers):
    assert {a.status for a in answers} == {200}, answers
    bodies = [a.json() for a in answers]
    return tuple(sum(b[k] for b in bodies) for k in ("events", "new", "duplicate"))


def test_resends_from_a_pair_and_a_power_cut_run_once(runbookd):
    rb = server(runbookd).start()
    message = [alert(LABELS)]
    payloads = [notification(message, external_url=f"http://am-{n % 2}:9093") for n in range(200)]

    assert totals(rb.post_many(payloads, connections=8)) == (200, 1, 199)
    counted = rb.metric("runbookd_events_duplicate_total", source="alertmanager")
    rb.wait_run(state="succeeded")
    rb.kill9_all()

    rb.start()
    assert totals(rb.post_many(payloads, connections=8)) == (200, 0, 200)
    counted += rb.metric("runbookd_events_duplicate_total", source="alertmanager")

    assert counted == 399
    assert [r["state"] for r in rb.wait_settled()] == ["succeeded"]
    assert len(rb.lines("ran")) == 1
    assert len(rb.items("incidents")) == 1
    [known] = rb.items("alerts")
    assert (known["count"], known["occurrences"], known["status"]) == (400, 1, "firing")


def test_power_cut_before_the_run_has_ended(runbookd):
    """The run that was under way may be lost, and says so; it is not run again."""
    rb = server(runbookd).start()
    payload = notification([alert(LABELS)])
    assert rb.post_alertmanager(payload)["new"] == 1
    rb.kill9_all()
    rb.start()
    assert rb.post_alertmanager(payload)["duplicate"] == 1
    [run] = rb.wait_settled()
    assert run["state"] in ("succeeded", "lost")
    assert len(rb.lines("ran")) <= 1
    if run["state"] == "lost":
        assert run["reason"]


def statuses(rb):
    return {a["labels"]["instance"]: a["status"] for a in rb.items("alerts")}


def test_mixed_message_resolves_just_the_one_alert(runbookd):
    rb = server(runbookd).start()
    assert rb.post_alertmanager(golden("v0.25-InstanceDown-firing.json"))["new"] == 2
    assert statuses(rb) == {"web-1:9100": "firing", "web-2:9100": "firing"}

    mixed = golden("v0.25-InstanceDown-mixed.json")
    assert mixed["status"] == "firing"
    answer = rb.post_alertmanager(mixed)
    assert (answer["new"], answer["duplicate"]) == (1, 1)
    assert statuses(rb) == {"web-1:9100": "resolved", "web-2:9100": "firing"}
    by_instance = {i["key"]["instance"]: i["status"] for i in rb.items("incidents")}
    assert by_instance == {"web-1:9100": "resolved", "web-2:9100": "open"}
    assert len(rb.wait_settled()) == 2

    again = [dict(a, status="firing", startsAt=now()) for a in mixed["alerts"][:1]]
    answer = rb.post_alertmanager(dict(mixed, alerts=again))
    assert (answer["new"], answer["duplicate"]) == (1, 0)
    assert [d["decision"] for d in answer["decisions"]] == ["run"]
    runs = rb.wait_settled()
    assert [r["state"] for r in runs] == ["succeeded"] * 3
    assert sorted(line.split()[1] for line in rb.lines("ran")) == ["web-1:9100", "web-1:9100", "web-2:9100"]
    [first] = [a for a in rb.items("alerts") if a["labels"]["instance"] == "web-1:9100"]
    assert (first["occurrences"], first["status"]) == (2, "firing")


def test_resolve_is_new_once(runbookd):
    """Alertmanager repeats resolved alerts while it keeps them."""
    rb = server(runbookd).start()
    rb.post_alertmanager(golden("v0.25-InstanceDown-firing.json"))
    resolved = golden("v0.25-InstanceDown-resolved.json")
    answers = [rb.post_alertmanager(resolved) for _ in range(3)]
    assert [(a["new"], a["duplicate"]) for a in answers] == [(1, 0), (0, 1), (0, 1)]
    assert statuses(rb)["web-2:9100"] == "resolved"


def test_prometheus_pair_that_alternates_starts_at_is_one_occurrence(runbookd):
    """An hour of messages, each 30 s; startsAt goes 20 s back and forth, and once in a while earlier."""
    rb = server(runbookd).start()
    begin = datetime.now(timezone.utc) - timedelta(hours=1)
    starts = [begin + timedelta(seconds=20 * (n % 2) - (5 if n % 40 == 39 else 0)) for n in range(120)]
    payloads = [notification([alert(LABELS, starts_at=timestamp(s))]) for s in starts]
    assert totals(rb.post_many(payloads, connections=1)) == (120, 1, 119)
    [run] = rb.wait_settled()
    assert run["state"] == "succeeded"
    assert len(rb.lines("ran")) == 1
    [known] = rb.items("alerts")
    assert (known["count"], known["occurrences"]) == (120, 1)
    assert len(rb.items("incidents")) == 1


def test_alert_that_our_timer_resolved_reopens_without_a_run(runbookd):
    rb = server(runbookd, conf={"incidents": {"stale_after": "1s"}}).start()
    payload = notification([alert(LABELS)])
    rb.post_alertmanager(payload)
    wait_for(lambda: statuses(rb) == {"db-1:9100": "resolved"}, "our own timer to resolve the alert")
    wait_for(lambda: [i["status"] for i in rb.items("incidents")] == ["resolved"], "its incident to resolve")

    # Let go of the timer, so that what is reopened stays so for as long as we look.
    rb.configure({"incidents": {"stale_after": "1h"}})
    assert rb.api("POST", "/-/reload").status == 200
    answer = rb.post_alertmanager(payload)
    assert all(d["decision"] != "run" for d in answer["decisions"]), answer
    assert statuses(rb) == {"db-1:9100": "firing"}
    assert [i["status"] for i in rb.items("incidents")] == ["open"]
    assert len(rb.wait_settled()) == 1
    assert len(rb.lines("ran")) == 1
    [known] = rb.items("alerts")
    assert known["occurrences"] == 1


def test_two_bridges_worth_of_storms_share_no_run(runbookd):
    """Many alerts at once, each several times over, spread over connections: a run for each alert, none twice."""
    rb = server(runbookd).start()
    messages = [notification([alert({**LABELS, "instance": f"db-{n}:9100"}, starts_at="2026-11-22T19:19:32Z")]) for n in range(40)]
    events, new, duplicate = totals(rb.post_many(messages * 5, connections=8))
    assert (events, new, duplicate) == (200, 40, 160)
    runs = rb.wait_settled()
    assert len(runs) == 40 and {r["state"] for r in runs} == {"succeeded"}
    assert len({line.split()[1] for line in rb.lines("ran")}) == len(rb.lines("ran")) == 40


def test_a_delivery_comes_once(runbookd):
    """Delivered again, after kills, too: the id decides, not what the message says."""
    rb = runbookd(rules="rules: [{name: note, match: 'event.source = github', steps: [{runbook: note}]}]\n",
                  runbooks={"note.sh": "#!/bin/sh\n# ---\n# summary: Notes\n# kind: diagnose\n# ---\necho seen\n"}).start()

    def deliver(ident, ref):
        body = {"ref": ref, "before": "0" * 40, "after": "1" * 40, "commits": [], "repository": {"full_name": "o/r"}}
        answer = rb.api("POST", "/ingest/github", body, {"X-GitHub-Event": "push", "X-GitHub-Delivery": ident})
        assert answer.status == 200, answer
        return answer.json()
    first = deliver("72d3162e-cc78-11e3-81ab-4c9367dc0958", "refs/heads/main")
    assert first["new"] == 1
    rb.wait_run(rule="note", state="succeeded")
    again = deliver("72d3162e-cc78-11e3-81ab-4c9367dc0958", "refs/heads/main")
    assert again["duplicate"] == 1 and "the same delivery as of event " in again["decisions"][0]["reason"]
    assert again["decisions"][0]["event"] == first["decisions"][0]["event"]
    rb.kill9_all()
    rb.start()
    assert deliver("72d3162e-cc78-11e3-81ab-4c9367dc0958", "refs/heads/main")["duplicate"] == 1
    assert deliver("72d3162e-cc78-11e3-81ab-4c9367dc0959", "refs/heads/main")["new"] == 1
    rb.wait_settled()
    assert len([r for r in rb.items("runs") if r["rule"] == "note"]) == 2
