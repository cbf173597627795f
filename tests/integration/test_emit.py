"""POST /api/v1/events and runbookctl events emit: events of one's own, through the same rules as any sender's."""
import hashlib
import json
import subprocess

from harness import http_request, program

NOTE = {"note.sh": "#!/bin/sh\n# ---\n# summary: Note it\n# kind: notify\n# ---\n"}
RULES = """
rules:
  - name: after-deploy
    match: 'event.type = "deployed", event.source = "emit", env = "prod", data.sha =~ "[0-9a-f]+"'
    steps: [{runbook: note}]
"""
EVENT = {"type": "deployed", "env": "prod", "subject": "shop", "data": {"sha": "4f2c"}}


def test_an_emitted_event_runs_what_a_rule_says(runbookd):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    answer = rb.api("POST", "/api/v1/events", EVENT)
    assert answer.status == 200, answer
    assert answer.json()["new"] == 1 and answer.json()["decisions"][0]["decision"] == "run"
    rb.wait_run(rule="after-deploy", state="succeeded")
    seen = next(e for e in rb.items("events") if e["type"] == "deployed")
    assert (seen["source"], seen["status"], seen["summary"]) == ("emit", "info", "shop")
    assert seen["labels"] == {"env": "prod", "subject": "shop"} and seen["data"] == {"sha": "4f2c"}


def test_an_id_counts_once_and_a_list_is_several(runbookd):
    rb = runbookd().start()
    event = {**EVENT, "id": "build-7", "source": "ci"}
    assert rb.api("POST", "/api/v1/events", event).json()["new"] == 1
    assert rb.api("POST", "/api/v1/events", event).json()["duplicate"] == 1
    assert rb.api("POST", "/api/v1/events", [EVENT, {"type": "x", "service_name": "a"}]).json()["new"] == 2
    assert rb.api("POST", "/api/v1/events", []).json()["events"] == 0


def test_what_is_no_event_is_refused_with_its_place(runbookd):
    rb = runbookd().start()
    for body, text in ((b'{"data": 1}', "type: missing"), (b'{"type": "a", "Env": "b"}', "Env: an attribute's name has small letters, digits and _ only"),
                       (b'[{"type": "a"}, 7]', "events[1]: want an event"), (b'{"type": "a", "data": }', "")):
        answer = http_request(rb.address, "POST", "/api/v1/events", body=body, headers={"Content-Type": "application/json"})
        assert answer.status == 400 and text in answer.json()["detail"] and "offset" in answer.json(), (body, answer)
    assert rb.api("POST", "/api/v1/events?x=1", EVENT).status == 400
    assert [e for e in rb.items("events") if e["source"] == "emit"] == []
    assert rb.metric("runbookd_ingest_rejected_total", source="emit", reason="input") == 5


def test_needs_operate(runbookd):
    def token(name, scope):
        return {"name": name, "hash": "sha256:" + hashlib.sha256(f"rb_{name}".encode()).hexdigest(), "scopes": [scope]}
    rb = runbookd(conf={"tokens": [token("reader", "read"), token("sender", "ingest"), token("oncall", "operate")]}).start()
    for name, status in (("reader", 403), ("sender", 403), ("nobody", 401), ("oncall", 200)):
        answer = rb.api("POST", "/api/v1/events", EVENT, {"Authorization": f"Bearer rb_{name}"})
        assert answer.status == status, (name, answer)
    other = rb.api("DELETE", "/api/v1/events")
    assert (other.status, other.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_a_contract_holds_for_emitted_events(runbookd):
    rb = runbookd()
    folder = rb.folder / "contracts"
    folder.mkdir()
    (folder / "deployed.schema.json").write_text(json.dumps({"type": "object", "required": ["sha"]}))
    rb.start()
    assert rb.api("POST", "/api/v1/events", EVENT).status == 200
    broken = rb.api("POST", "/api/v1/events", [EVENT, {**EVENT, "data": {}}])
    assert broken.status == 400 and broken.json()["detail"].startswith("events[1]: "), broken


def test_runbookctl_events_emit(runbookd, tmp_path):
    rb = runbookd(rules=RULES, runbooks=NOTE).start()
    out = rb.ctl("events", "emit", "--type", "deployed", "--subject", "shop", "-l", "env=prod", "--data", '{"sha": "4f2c"}')
    assert "after-deploy: run" in str(out)
    data = tmp_path / "data.json"
    data.write_text("[1, 2]")
    assert "no rule wants it" in str(rb.ctl("events", "emit", "--type", "from-file", "--data", f"@{data}"))
    done = subprocess.run([program("runbookctl"), "--url", f"http://{rb.address}", "-o", "json", "events", "emit", "--type", "piped", "--data", "-"],
                          input=b'"text"', capture_output=True, timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout)["new"] == 1, done
    got = {e["type"]: e for e in rb.items("events") if e["source"] == "emit"}
    assert got["from-file"]["data"] == [1, 2] and got["piped"]["data"] == "text"
    assert got["deployed"]["labels"] == {"ce_source": "runbookctl", "env": "prod", "subject": "shop"}
    for args in (["--data", "{}"], ["--type", "a", "--data", "text"], ["--type", "a", "-l", "env"], ["--type", "a", "-l", "data=b"],
                 ["--type", "a", *[f"-ll{i}=x" for i in range(101)]]):
        rb.ctl("events", "emit", *args, code=2)
    rb.ctl("events", "emit", "--type", "many", *[f"-ll{i}=x" for i in range(100)])
    assert len(next(e for e in rb.items("events") if e["type"] == "many")["labels"]) == 101
    rb.ctl("events", "emit", "--type", "a", "-l", "Env=b", code=1)
