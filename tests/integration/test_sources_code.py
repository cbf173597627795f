"""Code hosts and trackers through a live bridge: each golden file, and each real message where those are at hand, gives the events
that its adapter makes, once, as GET /api/v1/events shows them."""
import json
import urllib.parse
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
PAYLOADS = TESTS.parent.parent / "shared" / "payloads"
DELIVERY = {"github": "X-GitHub-Delivery", "gitlab": "Idempotency-Key", "jira": "X-Atlassian-Webhook-Identifier"}
KINDS = list(DELIVERY)
SHOWN = ["type", "status", "severity", "summary", "labels", "links", "data", "fingerprint", "time"]
NO_MESSAGES = {"signature-vectors.json"}

# Of the real messages: what PROTOCOLS says of them. None: no event.
REAL = {
    "github": {
        "ping.json": None, "push.json": ("git_push", "info"), "push-compact-signed.json": ("git_push", "info"),
        "push-branch-deleted.json": ("git_tag_deleted", "info"), "status.json": ("github_status", "info"),
        "pull_request-closed-merged-derived.json": ("git_branch_merged", "info"),
        "pull_request-closed-unmerged.json": ("git_pull_request_closed", "info"),
        "workflow_run-completed.json": ("github_workflow_run", "info"), "code_scanning_alert-created.json": ("alert", "firing"),
        "code_scanning_alert-fixed.json": ("alert", "resolved"),
    },
    "gitlab": {
        "push.json": ("git_push", "info"), "merge_request.json": ("git_pull_request_opened", "info"),
        "pipeline.json": ("alert", "resolved"), "job.json": ("alert", "resolved"),
    },
    "jira": {
        "webhook-issue-created.json": ("jira_issue_created", "info"), "webhook-issue-updated-resolved.json": ("jira_issue_updated", "info"),
        "webhook-server-old-issue-updated-no-event-type-assigned.json": ("jira_issue_updated", "info"),
        "webhook-cloud-comment-created.json": ("jira_comment_created", "info"),
    },
}
RULES = """
rules:
  - name: merged
    match: 'event.type = "git_branch_merged", repo = "harbour/till", branch = "main"'
    mode: dry_run
    steps: [{runbook: note}]
"""
NOTE = """#!/bin/sh
# ---
# summary: Says nothing
# kind: diagnose
# ---
"""


@pytest.fixture
def bridge(runbookd):
    return runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf={"worker": {"enabled": False}}).start()


def take(rb, kind, path, delivery, headers=None):
    """Posts the file; the answer, and the events that are stored since."""
    before = {e["id"] for e in rb.items("events")}
    answer = rb.api("POST", f"/ingest/{kind}", path.read_bytes(), {"Content-Type": "application/json", DELIVERY[kind]: delivery,
                                                                   **(headers or {})})
    assert answer.status == 200, (path, answer)
    return answer.json(), [e for e in rb.items("events") if e["id"] not in before]


@pytest.mark.parametrize("kind", KINDS)
def test_golden_files(bridge, kind):
    files = sorted((TESTS / "golden" / kind).glob("*.json"))
    wants, stored = set(), set()
    assert len(files) >= 8
    for path in files:
        wanted = [json.loads(line)["event"] for line in path.with_suffix(".ndjson").read_text().splitlines()]
        answer, events = take(bridge, kind, path, f"{kind}-{path.stem}")
        assert answer["events"] == len(wanted) and answer["new"] + answer["duplicate"] == len(wanted), (path, answer)
        assert len(events) == answer["new"], (path, answer)
        for event, want in zip(events, wanted):
            assert {k: event[k] for k in SHOWN} == {k: want[k] for k in SHOWN}, path
        wants |= {(w["type"], w["status"]) for w in wanted}
        stored |= {(e["type"], e["status"]) for e in events}
        again, events = take(bridge, kind, path, f"{kind}-{path.stem}")
        assert again["new"] == 0 and events == [], (path, again)
    assert stored == wants


@pytest.mark.parametrize("kind", KINDS)
def test_real_messages(bridge, kind):
    real = {p.name: p for p in (PAYLOADS / kind).glob("*.json") if p.name not in NO_MESSAGES}
    stored = set()
    assert not real or sorted(real) == sorted(REAL[kind])
    for name, path in real.items():
        headers = {"X-GitHub-Event": name.split("-")[0].removesuffix(".json")} if kind == "github" else None
        answer, events = take(bridge, kind, path, name, headers)
        want = REAL[kind][name]
        assert answer["events"] == (want is not None), (name, answer)
        assert [(e["type"], e["status"]) for e in events] == [want] * answer["new"], name
        stored |= {want} if answer["new"] else set()
    assert stored == ({want for want in REAL[kind].values() if want} if real else set())


def test_one_rule_for_both_hosts(bridge):
    for kind, name in ("github", "pull-request-merged"), ("gitlab", "merge-request-merged"):
        answer, _ = take(bridge, kind, TESTS / "golden" / kind / f"{name}.json", "1")
        assert [(d["rule"], d["decision"]) for d in answer["decisions"]] == [("merged", "dry_run")], (kind, answer)


def test_a_form_is_taken(bridge):
    body = "payload=" + urllib.parse.quote_plus((TESTS / "golden" / "github" / "push.json").read_text())
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
    assert bridge.api("POST", "/ingest/github", body.encode(), headers).json()["new"] == 1
    (event,) = bridge.items("events")
    assert event["type"] == "git_push" and event["labels"]["branch"] == "main"


def test_alert_opens_and_resolves(bridge):
    golden = TESTS / "golden" / "gitlab"
    take(bridge, "gitlab", golden / "pipeline-failed.json", "1")
    assert [a["status"] for a in bridge.items("alerts")] == ["firing"]
    take(bridge, "gitlab", golden / "pipeline-running.json", "2")
    assert [a["status"] for a in bridge.items("alerts")] == ["firing"]
    take(bridge, "gitlab", golden / "pipeline-succeeded.json", "3")
    assert [a["status"] for a in bridge.items("alerts")] == ["resolved"]


def test_header_decides_in_explain(bridge):
    payload = json.loads((TESTS / "golden" / "github" / "push.json").read_text())
    ask = {"source": "github", "payload": payload, "headers": {"x-github-event": "star"}}
    (entry,) = bridge.api("POST", "/api/v1/explain", ask).json()["events"]
    assert entry["event"]["type"] == "github_star"
    form = {"source": "github", "payload": "payload=" + urllib.parse.quote_plus(json.dumps(payload)),
            "headers": {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "push"}}
    (entry,) = bridge.api("POST", "/api/v1/explain", form).json()["events"]
    assert entry["event"]["type"] == "git_push"


def test_what_is_not_known_is_no_fault(bridge):
    answer = bridge.api("POST", "/ingest/gitlab", {"object_kind": "emoji", "project": 7})
    assert answer.status == 200 and answer.json()["new"] == 1, answer
    assert bridge.api("POST", "/ingest/github", {"zen": "x"}, {"X-GitHub-Event": "ping"}).json()["events"] == 0
