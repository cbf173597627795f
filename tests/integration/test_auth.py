"""Who may ask and who may send: tokens with scopes, and the auth of each source, against a running bridge."""
import base64
import hashlib
import json
import re
import socket
import subprocess

import pytest

from alerts import alert, notification
from harness import DEADLINE, http_request, program, wait_for

BODY = notification([alert({"alertname": "Other", "instance": "web-1"})])
NOTE = """#!/bin/sh
# ---
# summary: Says hello
# kind: diagnose
# ---
echo hello
"""
NAMES = {"reader": ["read"], "oncall": ["operate"], "admin": ["admin"], "sender": ["ingest"], "one": ["ingest:alertmanager"]}
TOKENS = {name: f"rb_{name}-0123456789" for name in NAMES}


def token_line(name, scopes):
    return {"name": name, "hash": "sha256:" + hashlib.sha256(TOKENS[name].encode()).hexdigest(), "scopes": scopes}


ALL_TOKENS = [token_line(name, scopes) for name, scopes in NAMES.items()]


def bearer(name):
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def own_address():
    """An address of this machine that is not loopback, or the one that a packet out would have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("192.0.2.1", 9))
        return s.getsockname()[0]


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    return answer.json()["detail"]


def secrets_of(rb):
    """All that the programs said: their log, and the configuration as they print it."""
    return rb.log_text() + rb.run_check("runbook-bridge", "--dump-config").stdout


@pytest.fixture
def guarded(runbookd):
    """A bridge with tokens, asked over loopback."""
    rb = runbookd(conf={"tokens": ALL_TOKENS, "worker": {"enabled": False}}, runbooks={"note.sh": NOTE})
    rb.spawn()
    rb.wait_ready()
    return rb


# -- tokens

@pytest.mark.parametrize("method, path, may", [
    ("GET", "/api/v1/runs", {"reader", "oncall", "admin"}),
    ("GET", "/metrics", {"reader", "oncall", "admin"}),
    ("POST", "/api/v1/runs", {"oncall", "admin"}),
    ("POST", "/-/reload", {"admin"}),
])
def test_route_asks_for_its_scope(guarded, method, path, may):
    body = {"runbook": "note"} if path.endswith("runs") and method == "POST" else None
    nobody = guarded.api(method, path, body)
    assert "show a token" in problem(nobody, 401) and nobody.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = guarded.api(method, path, body, {"Authorization": "Bearer rb_wrong-0123456789"})
    assert "not known" in problem(wrong, 401) and 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    for name in TOKENS:
        answer = guarded.api(method, path, body, bearer(name))
        if name in may:
            assert answer.status in (200, 201), (name, answer)
        else:
            assert f"'{name}' has no scope" in problem(answer, 403)
            assert "WWW-Authenticate" not in answer.headers
    assert guarded.api("GET", "/api/v1/runs", headers=basic("anybody", TOKENS["reader"])).status == 200
    assert guarded.api("HEAD", "/api/v1/runs").status == 401


def test_health_is_public(guarded):
    assert guarded.api("GET", "/-/healthy").status == 200
    assert guarded.api("GET", "/-/ready").status == 200


def test_source_without_auth_ignores_credentials(guarded):
    for headers in ({}, bearer("reader"), {"Authorization": "Bearer wrong"}, basic("a", "b")):
        assert guarded.api("POST", "/ingest/alertmanager", BODY, headers).status == 200


def test_page_is_told_from_a_token(guarded):
    """A browser adds Basic by itself, so a page's origin counts there; a Bearer token was put there by its owner."""
    evil = {"Origin": "http://evil.example"}
    assert guarded.api("POST", "/-/reload", headers={**bearer("admin"), **evil}).status == 200
    assert "web page" in problem(guarded.api("POST", "/-/reload", headers={**basic("", TOKENS["admin"]), **evil}), 403)
    rebound = {"Host": "evil.example"}
    assert guarded.api("GET", "/api/v1/runs", headers={**bearer("reader"), **rebound}).status == 200
    assert guarded.api("GET", "/api/v1/runs", headers={**basic("", TOKENS["reader"]), **rebound}).status == 403


def test_audit_names_the_token(guarded):
    assert guarded.api("POST", "/-/reload", headers=bearer("admin")).status == 200
    assert guarded.api("POST", "/api/v1/runs", {"runbook": "note"}, bearer("oncall")).status == 201

    def audited():
        items = guarded.api("GET", "/api/v1/audit", headers=bearer("reader")).json()["items"]
        return {"token admin", "token oncall"} <= {item.get("who") for item in items}
    wait_for(audited, "the audit to name both tokens")


def test_other_addresses_with_tokens(runbookd):
    rb = runbookd(conf={"worker": {"enabled": False}})
    rb.configure({"http": {"listen": ["0.0.0.0:0", "127.0.0.1:0"]}})
    refused = rb.run_check("runbook-bridge", "--check")
    assert refused.returncode == 3 and "runbookctl token new" in refused.stdout + refused.stderr
    rb.configure({"tokens": ALL_TOKENS, "sources": {"signed": {"kind": "sns", "auth": {"sns": {"topic_arns": [
        "arn:aws:sns:eu-west-1:123456789012:oncall"]}}}}})
    rb.spawn()
    wait_for(lambda: (rb.state_dir / "http.addr").exists(), "http.addr")
    everywhere, here = (rb.state_dir / "http.addr").read_text().split("\n")[:2]
    elsewhere = f"{own_address()}:{everywhere.rpartition(':')[2]}"
    wait_for(lambda: http_request(here, "GET", "/-/ready").status == 200, "the bridge to be ready")
    post = ("POST", "/ingest/alertmanager", BODY)
    assert "show a token" in problem(http_request(elsewhere, *post), 401)
    assert problem(http_request(elsewhere, *post, bearer("admin")), 403).endswith("no scope 'ingest:alertmanager'")
    assert http_request(elsewhere, *post, bearer("one")).status == 200
    assert http_request(elsewhere, *post, bearer("sender")).status == 200
    assert "Type" in problem(http_request(elsewhere, "POST", "/ingest/signed", {}), 400), "it is read: its signature counts, no token"
    assert http_request(elsewhere, "GET", "/api/v1/runs").status == 401
    assert http_request(elsewhere, "GET", "/api/v1/runs", headers=bearer("reader")).status == 200
    assert http_request(elsewhere, "GET", "/-/healthy").status == 200
    assert http_request(here, *post).status == 200, "from this machine a source without auth takes what comes"
    # A reload takes the tokens away while it goes on listening there.
    rb.configure({"tokens": [], "http": {"listen": ["127.0.0.1:0"]}})
    assert http_request(here, "POST", "/-/reload", headers=bearer("admin")).status == 200
    if own_address() != "127.0.0.1":
        assert "only this machine" in problem(http_request(elsewhere, "GET", "/api/v1/runs"), 403)
        assert "only this machine" in problem(http_request(elsewhere, *post), 403)


def test_a_page_that_was_told_our_address_is_not_this_machine(runbookd):
    """DNS may tell a browser on this machine that evil.example is 127.0.0.1: also where we listen everywhere."""
    rb = runbookd(conf={"worker": {"enabled": False}, "tokens": ALL_TOKENS, "http": {"listen": ["0.0.0.0:0"]}})
    rb.spawn()
    wait_for(lambda: (rb.state_dir / "http.addr").exists(), "http.addr")
    port = (rb.state_dir / "http.addr").read_text().split("\n")[0].rpartition(":")[2]
    here = f"127.0.0.1:{port}"
    wait_for(lambda: http_request(here, "GET", "/-/ready").status == 200, "the bridge to be ready")
    rebound = {"Host": f"evil.example:{port}"}
    page = {**rebound, "Origin": f"http://evil.example:{port}"}
    assert "no name of this server" in problem(http_request(here, "POST", "/ingest/alertmanager", BODY, page), 403)
    assert http_request(here, "POST", "/ingest/alertmanager", BODY, rebound).status == 200, "a collector knows us by any name"
    assert http_request(here, "GET", "/api/v1/runs", headers={**rebound, **basic("", TOKENS["reader"])}).status == 200
    rb.configure({"tokens": [], "http": {"listen": ["127.0.0.1:0"]}})
    assert http_request(here, "POST", "/-/reload", headers=bearer("admin")).status == 200
    assert "no name of this server" in problem(http_request(here, "GET", "/api/v1/runs", headers=rebound), 403)
    assert "no name of this server" in problem(http_request(here, "POST", "/-/reload", headers=page), 403)
    assert http_request(here, "GET", "/api/v1/runs").status == 200


def test_reload_changes_tokens(guarded):
    guarded.configure({"tokens": [t for t in ALL_TOKENS if t["name"] != "reader"]})
    assert guarded.api("POST", "/-/reload", headers=bearer("admin")).status == 200
    assert guarded.api("GET", "/api/v1/runs", headers=bearer("reader")).status == 401
    assert guarded.api("GET", "/api/v1/runs", headers=bearer("oncall")).status == 200


def test_token_of_an_unknown_source_is_warned_of(guarded):
    guarded.configure({"tokens": [token_line("one", ["ingest:alertmanger"])]})
    done = guarded.run_check("runbook-bridge", "--check")
    assert done.returncode == 0 and "'alertmanger', which does not exist" in done.stdout + done.stderr


def test_new_token_works(runbookd):
    done = subprocess.run([program("runbookctl"), "token", "new", "--name", "me", "--scope", "read", "--scope", "admin"],
                          capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done
    token = re.search(r"^(rb_[0-9a-f]{64})$", done.stdout, re.M)[1]
    line = re.search(r"^  - (\{name: me, .*\})$", done.stdout, re.M)[1]
    assert token not in line
    rb = runbookd(conf={"worker": {"enabled": False}})
    rb.conf_path.write_text(rb.conf_path.read_text().rstrip()[:-1] + f', "tokens": [{line}]}}\n')
    rb.spawn()
    rb.wait_ready()
    (rb.folder / "token").write_text(token + "\n")
    (rb.folder / "token").chmod(0o600)
    assert "401" not in rb.ctl("--token-file", str(rb.folder / "token"), "runs").stderr
    env = {**rb.environment(), "RUNBOOKD_TOKEN_FILE": str(rb.folder / "token"), "RUNBOOKD_URL": f"http://{rb.address}"}
    done = subprocess.run([program("runbookctl"), "reload"], capture_output=True, text=True, timeout=DEADLINE, env=env)
    assert done.returncode == 0, done
    assert "--token-file" in rb.ctl("runs", code=1).stderr
    assert token not in secrets_of(rb)


def test_new_token_as_data():
    tokens = set()
    for _ in range(2):
        done = subprocess.run([program("runbookctl"), "token", "new", "-o", "json"], capture_output=True, text=True,
                              timeout=DEADLINE)
        data = json.loads(done.stdout)
        assert data["hash"] == "sha256:" + hashlib.sha256(data["token"].encode()).hexdigest()
        assert (data["name"], data["scopes"]) == ("new", ["read"])
        tokens.add(data["token"])
    assert len(tokens) == 2
    done = subprocess.run([program("runbookctl"), "token", "new", "--scope", "everything"], capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 2 and "everything" in done.stderr and not done.stdout
