"""The blast radius: how often and on how many hosts rules may act, and that a limit which holds is said once."""
from collections import Counter

from alerts import alert, notification

HOSTS, A_MESSAGE = 10_000, 250
NOTE = """#!/bin/sh
# ---
# summary: Notes for whom it ran
# kind: diagnose
# params:
#   host: {default: nobody}
# ---
echo "$PARAM_host" >> DIR/FILE
"""
RULES = """
rules:
  - name: fix
    match: 'alertname = Down'
    LIMITS
    steps: [{runbook: touch, with: {host: "{{ labels.instance }}"}}]
  - name: tell
    match: 'event.source = runbookd, event.type = limit'
    steps: [{runbook: page, with: {host: "{{ labels.rule }} {{ labels.limit }}"}}]
"""


def started(runbookd, of_rule, **conf):
    books = {"touch.sh": NOTE.replace("FILE", "touched"), "page.sh": NOTE.replace("FILE", "paged")}
    return runbookd(rules=RULES.replace("LIMITS", of_rule), runbooks=books, conf=conf).start()


def storm(rb, hosts):
    """All of them at once; the decisions."""
    names = [f"h{n}" for n in range(hosts)]
    alerts = [alert({"alertname": "Down", "instance": f"{name}:9100"}) for name in names]
    messages = [notification(alerts[i:i + A_MESSAGE]) for i in range(0, hosts, A_MESSAGE)]
    answers = rb.post_many(messages, connections=8)
    assert {a.status for a in answers} == {200}
    return [d for a in answers for d in a.json()["decisions"]]


def loud(rb):
    return [e for e in rb.items("events", filter='event.type = limit')]


def test_ten_thousand_hosts_at_once(runbookd):
    rb = started(runbookd, "limits: {hosts: {count: 3, per: 1h}}")
    decisions = storm(rb, HOSTS)
    assert Counter(d["decision"] for d in decisions) == {"run": 3, "limit": HOSTS - 3}
    reasons = {d["reason"].split(" until ")[0] for d in decisions if d["decision"] == "limit"}
    assert reasons == {"its limit of 3 hosts within 1h holds"}
    rb.wait_run(rule="tell", state="succeeded")
    rb.wait_settled()
    assert len(rb.lines("touched")) == 3
    assert len(set(rb.lines("touched"))) == 3
    # One loud event: in the list, through the rules, in the log and in the metric.
    [event] = loud(rb)
    assert (event["source"], event["severity"]) == ("runbookd", "error")
    assert event["labels"] == {"rule": "fix", "limit": "hosts"}
    assert rb.lines("paged") == ["fix hosts"]
    assert rb.log_text().count("a limit holds rules back") == 1
    assert rb.metric("runbookd_limit_held_total", rule="fix", limit="hosts") == 1
    assert rb.metric("runbookd_decisions_total", rule="fix", decision="limit") == HOSTS - 3
    # A restart does not forget what was let through.
    rb.kill9_all()
    rb.start()
    answer = rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": "late:9100"})]))
    assert [d["decision"] for d in answer["decisions"]] == ["limit"]
    assert len(loud(rb)) == 1


def test_all_rules_together(runbookd):
    rb = started(runbookd, "", limits={"runs": {"count": 5, "per": "1h"}, "hosts": {"count": 4, "per": "1h"}})
    decisions = storm(rb, 20)
    assert Counter(d["decision"] for d in decisions) == {"run": 4, "limit": 16}
    # The page is a run of a rule, too: the fifth one.
    rb.wait_run(rule="tell", state="succeeded")
    rb.wait_settled()
    assert len(set(rb.lines("touched"))) == 4
    [event] = loud(rb)
    assert event["labels"] == {"rule": "fix", "limit": "limits.hosts"}
    # A known host: now the runs are used up. That is another limit, which nothing may tell of any more.
    touched = rb.lines("touched")[0].removesuffix(":9100")
    answer = rb.post_alertmanager(notification([alert({"alertname": "Down", "instance": touched, "again": "yes"})]))
    [decision] = answer["decisions"]
    assert decision["decision"] == "limit"
    assert decision["reason"].startswith("the limit of all rules, 5 runs within 1h (limits.runs), holds until 20")
    assert Counter(e["labels"]["limit"] for e in loud(rb)) == {"limits.hosts": 1, "limits.runs": 1}
    # By hand it may still run.
    answer = rb.api("POST", "/api/v1/runs", {"runbook": "page"})
    assert answer.status in (200, 201, 202), answer
    rb.wait_run(runbook="page", rule=None, state="succeeded")


def test_by_default_ten_hosts(runbookd):
    rb = runbookd(rules=RULES.replace("LIMITS", ""), runbooks={
        "touch.sh": NOTE.replace("FILE", "touched"), "page.sh": NOTE.replace("FILE", "paged")})
    del rb.conf["limits"]
    rb.configure({})
    rb.start()
    assert Counter(d["decision"] for d in storm(rb, 30)) == {"run": 10, "limit": 20}
