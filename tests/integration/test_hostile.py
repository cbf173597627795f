"""Data is never code: whatever labels hold, the script gets it as data, or the decision says why not."""
import json

import pytest

from alerts import alert, notification

DUMP = """#!/bin/sh
# ---
# summary: Keeps what it was given
# kind: diagnose
# params:
#   target: {type: string}
# ---
cat > DIR/stdin.new
env -0 > DIR/environment
printf '%s\\n' "$LABEL_evil"
mv DIR/stdin.new DIR/stdin
"""
STRICT = """#!/bin/sh
# ---
# summary: Takes only a word
# kind: diagnose
# params:
#   target: {type: string, required: true, pattern: "^[a-z]+$"}
# ---
touch DIR/strict-ran
"""
RULES = """
rules:
  - name: dump
    match: 'alertname = "Hostile"'
    steps:
      - runbook: dump
        with: {target: "{{ labels.evil }}"}
  - name: plain
    match: 'alertname = "Large"'
    steps: [{runbook: dump}]
  - name: strict-large
    match: 'alertname = "Large"'
    steps:
      - runbook: dump
        with: {target: "{{ labels.evil }}"}
  - name: strict
    match: 'alertname = "Hostile"'
    steps:
      - runbook: strict
        with: {target: "{{ labels.evil }}"}
"""
HOSTILE = {
    "substitution": "$(touch DIR/x)",
    "backticks": "`touch DIR/x`",
    "separators": "; touch DIR/x # && touch DIR/x || touch DIR/x | touch DIR/x > DIR/x",
    "newline": "one\ntouch DIR/x\n\r\ntwo",
    "quotes": "'\"'; touch DIR/x; \"'\\",
    "options": "--exec=touch DIR/x",
    "percent": "%s%n%d %{x} {{ labels.alertname }} ${PATH} $IFS",
    "control": "\x01\x1b[2J\x7f",
    "unicode": "\u202etxt.exe \U0001f4a9 \ufffd",
    "60 KB": "x" * 60_000 + "$(touch DIR/x)",
}


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks={"dump.sh": DUMP, "strict.sh": STRICT}).start()


def decisions(answer):
    return {d["rule"]: d for d in answer["decisions"]}


def environment(rb):
    pairs = (rb.folder / "environment").read_bytes().split(b"\0")
    return {k.decode(): v.decode("utf-8", "surrogateescape") for k, _, v in (p.partition(b"=") for p in pairs if p)}


def printed(rb, run):
    """The output without its end. The worker cuts what comes without a newline into lines of 16 KiB."""
    text = rb.api("GET", f"/api/v1/runs/{run['id']}/output").body.decode()
    assert text.endswith("\n")
    return text[:-1] if len(text) <= 16384 else text.replace("\n", "")


@pytest.mark.parametrize("kind", HOSTILE)
def test_value_reaches_the_script_as_data(server, kind):
    value = HOSTILE[kind].replace("DIR", str(server.folder))
    labels = {"alertname": "Hostile", "instance": "a", "evil": value}
    answer = server.post_alertmanager(notification([alert(labels, annotations={"summary": value})]))

    run = server.wait_run(rule="dump", state="succeeded")
    given = json.loads((server.folder / "stdin").read_text())
    assert given["event"]["labels"] == labels
    assert given["event"]["annotations"]["summary"] == value
    assert given["params"]["target"] == value
    env = environment(server)
    assert env["LABEL_evil"] == env["PARAM_target"] == env["ANNOTATION_summary"] == value
    assert printed(server, run) == value

    refused = decisions(answer)["strict"]
    assert refused["decision"] == "error" and "target" in refused["reason"]
    assert not (server.folder / "strict-ran").exists()
    assert not (server.folder / "x").exists()


def test_100_kb_are_a_label_but_no_parameter(server):
    value = "x" * 100_000 + f"$(touch {server.folder}/x)"
    labels = {"alertname": "Large", "instance": "a", "evil": value}
    answer = server.post_alertmanager(notification([alert(labels)]))
    refused = decisions(answer)["strict-large"]
    assert refused["decision"] == "error" and "target" in refused["reason"] and "65536" in refused["reason"], refused

    run = server.wait_run(rule="plain", state="succeeded")
    assert json.loads((server.folder / "stdin").read_text())["event"]["labels"] == labels
    assert environment(server)["LABEL_evil"] == value
    assert printed(server, run) == value
    assert not (server.folder / "x").exists()


def test_names_that_are_no_environment_names(server):
    names = ["a-b", "a.b", "a b", "1a", "", "a=b", "$(touch DIR/x)", "PATH", "LD_PRELOAD", "IFS", "\u00e9"]
    labels = {"alertname": "Hostile", "instance": "a", "evil": "e"}
    labels.update({n.replace("DIR", str(server.folder)): f"value {i}" for i, n in enumerate(names) if n})
    server.post_alertmanager(notification([alert(labels)]))
    server.wait_run(rule="dump", state="succeeded")
    assert json.loads((server.folder / "stdin").read_text())["event"]["labels"] == labels
    env = environment(server)
    assert env["LABEL_LD_PRELOAD"] == labels["LD_PRELOAD"]
    assert "LD_PRELOAD" not in env and "IFS" not in env
    assert env["PATH"] != labels["PATH"]
    assert all(k.replace("_", "").isalnum() and k.isascii() for k in env), sorted(env)
    assert not (server.folder / "x").exists()


def test_nul_in_a_label(server):
    """No environment can hold it: the script does not start, and the decision or the run says why."""
    labels = {"alertname": "Hostile", "instance": "a", "evil": "a\0$(touch DIR/x)"}
    answer = server.post_alertmanager(notification([alert(labels)]))
    d = decisions(answer)["dump"]
    assert d["decision"] == "error" and "NUL" in d["reason"], d
    assert server.items("runs") == []
    assert server.items("alerts")[0]["labels"]["evil"] == labels["evil"]


def test_body_that_is_no_json_is_refused_whole_with_its_place(server):
    good = json.dumps(notification([alert({"alertname": "Hostile", "evil": "e"})]))
    for body in (good[:-1], good + "x", good.replace('"evil"', '"\xff'), "", "[]", '{"alerts": {}}', good.replace('"alerts": [', '"alerts": [7, ')):
        answer = server.api("POST", "/ingest/alertmanager", body.encode("latin-1"))
        assert answer.status == 400, (body[:100], answer)
        assert answer.json()["detail"], answer
    assert server.items("alerts") == [] and server.items("events") == []
