"""Which incidents there are: by filter, by label, page by page, from the command line and from Redis itself."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from alerts import alert, fingerprint, notification
from harness import wait_for

DOCS = Path(__file__).resolve().parents[2] / "docs" / "redis.md"
EXAMPLE_SOCKET = "/var/lib/runbookd/redis.sock"
KEY = "rb:{default:0}"


def labels(instance, **more):
    return {"alertname": "Down", "instance": instance, **more}


def post(rb, *alerts, status="firing"):
    rb.post_alertmanager(notification([alert(a, status=status) for a in alerts]))


def instances(rows):
    return [row["labels"]["instance"] for row in rows]


def test_filters_of_incidents(runbookd):
    rb = runbookd().start()
    for i in range(30):
        post(rb, labels(f"h{i}", job="node" if i % 2 else "db", zone=f"z{i % 3}"))
    post(rb, labels("h7", job="db", zone="z9"))  # into the incident of h7
    post(rb, labels("h4", job="db", zone="z1"), status="resolved")

    def found(query, **more):
        return instances(rb.items("incidents", filter=query, **more))
    assert found('job = node, zone = z1') == [f"h{i}" for i in (25, 19, 13, 7, 1)]
    assert found('job = node, zone =~ "z[12]", instance != h7') == [f"h{i}" for i in range(29, 0, -2) if i % 3 and i != 7]
    assert found('job = db, zone = z1', status="open") == [f"h{i}" for i in (28, 22, 16, 10)]
    assert found('job = db, zone = z1', status="resolved") == ["h4"]
    assert found('zone = z9') == []  # not its first alert
    post(rb, labels("h99", mountpoint="/var/log", note='a "b" \\ ü'))
    assert found('mountpoint = "/var/log", instance = h99') == found('note = "a \\"b\\" \\\\ ü"') == ["h99"]
    assert found('instance = h4, status = resolved') == ["h4"]
    since = rb.items("incidents", filter="instance = h20")[0]["opened"]
    assert found('job = db, zone = z1', since=since) == ["h28", "h22"]
    assert found('job = db, zone = z1', until=since, status="open") == ["h16", "h10"]


def test_related(runbookd):
    rb = runbookd().start()
    post(rb, labels("db-17", service="shop"))
    post(rb, labels("web-1", service="shop"))
    post(rb, labels("web-2", service="mail"))
    post(rb, labels("web-2", service="mail", upstream="db-17"))
    rows = rb.get("/api/v1/related?label=instance=db-17&label=upstream=db-17&label=service=shop")["items"]
    assert [(r["labels"]["instance"], r["shared"]) for r in rows] == [
        ("web-2", ["upstream=db-17"]), ("web-1", ["service=shop"]), ("db-17", ["instance=db-17", "service=shop"])]
    one = rb.get("/api/v1/related?label=service=shop&limit=1")
    assert instances(one["items"]) == ["web-1"]
    rest = rb.get(f"/api/v1/related?label=service=shop&limit=1&cursor={one['next']}")
    assert instances(rest["items"]) == ["db-17"] and rest["next"] is None
    assert instances(rb.get("/api/v1/related?label=service=shop&filter=instance=db-17")["items"]) == ["db-17"]

    table = rb.ctl("related", "--label", "instance=db-17", "-l", "service=mail", "--since", "2h").stdout.splitlines()
    assert table[0].split() == ["ID", "STATUS", "SEVERITY", "OPENED", "TITLE", "SHARED"]
    assert [line.split()[-1] for line in table[1:]] == ["service=mail", "instance=db-17"]
    done = rb.ctl("related", "-l", "service=shop", "--status", "open", "--limit", "1", "-o", "json")
    assert instances(json.loads(done.stdout)["items"]) == ["web-1"]
    rb.ctl("related", code=2)
    rb.ctl("related", "-l", "service", code=2)


@pytest.mark.parametrize("query, text", [
    ("", "there are 0 of 'label'"),
    ("label=instance", "'label' is 'instance'; want name=value"),
    ("label=instance%3D", "'label' is 'instance='; want name=value"),
    ("label==x", "'label' is '=x'; want name=value"),
    ("label=a=" + "x" * 256, "of at most 256 bytes"),
    ("&".join(["label=a=b"] * 17), "there are 17 of 'label'; want 1 to 16"),
    ("label=a=b&status=firing", "'status' is 'firing'"),
    ("label=a=b&since=soon", "'since' is 'soon'"),
    ("lable=a=b", "lable"),
])
def test_what_related_refuses(runbookd, query, text):
    answer = runbookd().start().api("GET", f"/api/v1/related?{query}")
    assert answer.status == 400 and text in answer.json()["detail"], answer


def page_of_api(query):
    def page(rb, cursor):
        found = rb.get(f"/api/v1/{query}" + (f"&cursor={cursor}" if cursor else ""))
        return found["items"], found["next"]
    return page


def page_of_redis(function, *words):
    """words: those before and behind UNTIL, which is the place to go on at."""
    def page(rb, cursor):
        before, behind = words
        found = json.loads(rb.redis_cli("FCALL_RO", function, "1", KEY, *before, cursor or "0", "7", *behind))
        return found["items"], found["next"]
    return page


WALKS = {
    "all": page_of_api("incidents?limit=7"),
    "open": page_of_api("incidents?limit=7&status=open"),
    "filter": page_of_api("incidents?limit=7&filter=job=node"),
    "status-and-filter": page_of_api("incidents?limit=7&status=open&filter=job=node,zone!=z9"),
    "regex": page_of_api("incidents?limit=7&filter=job=~n.*"),
    "related": page_of_api("related?limit=7&label=job=node&label=zone=z1"),
    "rb_incidents": page_of_redis("rb_incidents", ["open", "0"], []),
    "rb_incidents-label": page_of_redis("rb_incidents", ["*", "0"], ["job=node"]),
    "rb_related": page_of_redis("rb_related", ["0"], ["job=node", "zone=z1"]),
}


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_over_a_list_that_changes(runbookd, walk):
    """Incidents come, go and come back between the pages; each that stood throughout is shown exactly once."""
    rb = runbookd().start()
    for first in range(0, 120, 20):
        post(rb, *[labels(f"h{i:03}", job="node") for i in range(first, first + 20)])
    stood = {f"h{i:03}" for i in range(120) if i % 4}
    seen, cursor, turn = [], None, 0
    while cursor or turn == 0:
        rows, cursor = WALKS[walk](rb, cursor)
        seen += instances(rows)
        changing = [f"h{i:03}" for i in range(0, 120, 4)][turn % 30:turn % 30 + 4]
        post(rb, *[labels(c, job="node") for c in changing], status="resolved")
        post(rb, labels(f"n{turn:03}", job="node"), labels("h001", job="node", zone="z1", more=str(turn)))
        if turn % 2:
            post(rb, *[labels(c, job="node") for c in changing])
        turn += 1
    assert turn > 10
    assert sorted(s for s in seen if s in stood) == sorted(stood)
    assert len(seen) == len(set(seen)), "an incident twice"


def test_examples_of_the_page_work_as_written(runbookd):
    rb = runbookd().start()
    post(rb, labels("db-17", job="node", service="shop"))
    post(rb, labels("web-1", job="node", service="shop"))
    rows = {row["labels"]["instance"]: row for row in rb.items("incidents")}
    text = DOCS.read_text()
    examples = re.findall(r"^redis-cli .*$", text[text.index("## Asking"):], re.M)
    assert len(examples) == 5 and all(EXAMPLE_SOCKET in e for e in examples)
    env = {**os.environ, "INCIDENT": rows["web-1"]["id"], "FINGERPRINT": fingerprint(labels("db-17", job="node", service="shop"))}

    def run(example):
        line = example.replace(EXAMPLE_SOCKET, str(rb.state_dir / "redis.sock"))
        done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    every, by_labels, related, incident, one = map(run, examples)
    assert every == {"items": [rows["web-1"], rows["db-17"]], "next": None}
    assert by_labels == {"items": [rows["db-17"]], "next": None}
    assert [(r["id"], r["shared"]) for r in related["items"]] == [
        (rows["web-1"]["id"], ["service=shop"]), (rows["db-17"]["id"], ["instance=db-17", "service=shop"])]
    assert incident == rb.get(f"/api/v1/incidents/{rows['web-1']['id']}")
    assert one == next(a for a in rb.items("alerts") if a["labels"]["instance"] == "db-17")


RETENTION = """
rules:
  - name: note
    match: 'alertname = Down'
    cooldown: {every: 1m, by: [instance]}
    limits: {runs: {count: 100, per: 1m}, hosts: {count: 100, per: 1m}}
    on_resolve: [{runbook: note}]
    steps: [{runbook: note}, {runbook: note}]
  - name: later
    match: 'alertname = Down'
    for: 1h
    steps: [{runbook: note}]
"""
NOTE = "#!/bin/sh\n# ---\n# summary: Say so\n# kind: diagnose\n# ---\necho seen\n"
LIMITS = "300000 900000 10000 6 900000 0 0 0 0 259200000"


def tick(rb, retention_ms):
    """As the bridge calls it each second; are there things left to do?"""
    answer = rb.redis_cli("FCALL", "rb_tick_v1", "1", KEY, "3600000", "86400000", str(retention_ms), "31536000000", LIMITS)
    return answer.split("\n")[5] == "1"


def by_hand(rb, ids):
    """All that a person may do with incidents that are over."""
    for i, act, body in ((0, "merge", {"into": ids[1], "reason": "one switch"}), (2, "note", {"text": "seen"}),
                         (3, "close", {"reason": "a drill"}), (4, "merge", {"into": ids[1], "reason": "and that one"})):
        assert rb.api("POST", f"/api/v1/incidents/{ids[i]}/{act}", body).status == 200


def test_retention_leaves_no_key_of_an_expired_incident(runbookd):
    limits = {"runs": {"count": 1000, "per": "1m"}, "hosts": {"count": 1000, "per": "10m"}}
    rb = runbookd(rules=RETENTION, runbooks={"note.sh": NOTE}, conf={"limits": limits}).start()
    gone = [labels(f"h{i}", job="node", zone=f"z{i % 3}") for i in range(40)]
    for status in ("firing", "resolved"):
        post(rb, *gone, status=status)
    rb.wait_runs(lambda runs: len(runs) == 120 and all(r["state"] == "succeeded" for r in runs), "all to have run")
    post(rb, labels("stays", job="node"))
    by_hand(rb, [row["id"] for row in rb.items("incidents", status="resolved")])
    rows = rb.items("incidents")
    stays = next(row for row in rows if row["labels"]["instance"] == "stays")
    names = [row["id"] for row in rows if row is not stays] + [fingerprint(a) for a in gone] + \
        [run["id"] for run in rb.items("runs") if run["incident"] != stays["id"]]
    assert len(names) == 40 + 40 + 120

    def of_the_expired():
        keys = rb.redis_cli("--scan").split("\n")
        members = [m for key in ("labels", "labels:later") for m in rb.redis_cli("ZRANGE", f"{KEY}:{key}", "0", "-1").split("\n")]
        return [k for k in keys + members if any(name in k for name in names)]
    assert len(of_the_expired()) > 5 * 40
    wait_for(lambda: not tick(rb, 1) and not of_the_expired(), "nothing of the expired ones to be left")
    assert [row["id"] for row in rb.items("incidents")] == [stays["id"]]
    assert rb.get("/api/v1/related?label=job=node")["items"][0]["id"] == stays["id"]
    assert instances(rb.items("alerts")) == ["stays"]
