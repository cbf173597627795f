"""Who may send to a source that says so itself: every kind of auth over HTTP, replays, rotation, and proxies in between."""
import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import threading
import time

import pytest

from alerts import alert, notification
from harness import DEADLINE, free_port, http_request, request_on, spawn, wait_for
from signers import github, grafana, mac, pagerduty, standard, whsec
from test_auth import basic, bearer, problem, secrets_of, token_line
from test_tls import Server, real_alertmanager

RULES = """
rules:
  - {name: note, match: 'alertname = "Signed"', steps: [{runbook: note}]}
"""
NOTE = """#!/bin/sh
# ---
# summary: Leaves a line
# kind: diagnose
# ---
echo "$LABEL_instance" >> DIR/notes
"""
SECRETS = {"bearer": "a-long-bearer-secret", "password": "a long password", "hook": "It's one of ours", "hook2": "It's the next one",
           "whsec": whsec(), "whsec2": whsec(b"another key of theirs")}
GRAFANA = {"header": "X-Grafana-Alerting-Signature", "timestamp_header": "X-Time"}
AUTHS = {
    "token": {"token": True},
    "bearer": {"bearer_file": "bearer"},
    "basic": {"basic": {"user": "prom", "password_file": "password"}},
    "hmac": {"hmac": {"header": "X-Signature", "algorithm": "sha512", "secret_file": "hook", "prefix": "sha512="}},
    "grafana": {"hmac": {**GRAFANA, "secret_file": "hook"}},
    "standard": {"standard_webhooks": {"secret_file": "whsec"}},
    "github": {"github": {"secret_file": "hook"}},
    "pagerduty": {"pagerduty": {"secret_file": "hook"}},
}
FORWARDED_BY_NGINX = """
daemon off; {user} pid {folder}/nginx.pid; worker_processes 1; error_log {folder}/nginx.err;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen {address};
    location / {{ proxy_pass http://{to}; proxy_set_header Host $host; {headers} }}
  }}
}}
"""


def write_secret(rb, name, text):
    path = rb.folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)


def body_of(name):
    return json.dumps(notification([alert({"alertname": "Signed", "instance": name})])).encode()


def post(rb, source, body, headers=None, address=None):
    return http_request(address or rb.address, "POST", f"/ingest/{source}", body, {"Content-Type": "application/json", **(headers or {})})


def make(runbookd, auths, **conf):
    """A bridge with a source of kind alertmanager by each auth."""
    rb = runbookd(conf={"worker": {"enabled": False}})
    for name, text in SECRETS.items():
        write_secret(rb, name, text)
    rb.configure({"sources": {name: {"kind": "alertmanager", "auth": auth} for name, auth in auths.items()}, **conf})
    return rb


def start(rb):
    rb.spawn()
    rb.wait_ready()
    return rb


def events(rb, headers=None):
    return [e["labels"]["instance"] for e in rb.api("GET", "/api/v1/events?limit=1000", headers=headers).json()["items"]]


def good(kind, body):
    return {
        "token": lambda: bearer("one"),
        "bearer": lambda: {"Authorization": f"Bearer {SECRETS['bearer']}"},
        "basic": lambda: basic("prom", SECRETS["password"]),
        "hmac": lambda: {"X-Signature": "sha512=" + mac(SECRETS["hook"], body, "sha512").hexdigest()},
        "grafana": lambda: grafana(SECRETS["hook"], body),
        "standard": lambda: standard(body, name=f"msg_{body[-60:].hex()}"),
        "github": lambda: github(SECRETS["hook"], body),
        "pagerduty": lambda: pagerduty(["x", SECRETS["hook"]], body),
    }[kind]()


def another_time(headers):
    """One second from what was signed, and not from now: another second may have begun."""
    return {**headers, "X-Time": str(int(headers["X-Time"]) - 1)}


def wrong(kind, body):
    return {
        "token": lambda: bearer("reader"),
        "bearer": lambda: {"Authorization": "Bearer a-long-bearer-secreu"},
        "basic": lambda: basic("prom", "another password"),
        "hmac": lambda: good("hmac", body + b" "),
        "grafana": lambda: another_time(grafana(SECRETS["hook"], body)),
        "standard": lambda: {**standard(body), "webhook-id": "msg_2"},
        "github": lambda: github(SECRETS["hook2"], body),
        "pagerduty": lambda: pagerduty(["x", "y"], body),
    }[kind]()


@pytest.mark.parametrize("kind", AUTHS)
def test_only_who_shows_it_may_send(runbookd, kind):
    tokens = [{**token_line("one", [f"ingest:{kind}"])}, token_line("reader", ["read"])] if kind == "token" else []
    rb = start(make(runbookd, {kind: AUTHS[kind]}, tokens=tokens))
    read = bearer("reader") if kind == "token" else None
    none = post(rb, kind, body_of("none"))
    assert problem(none, 401) and none.headers["WWW-Authenticate"], "this machine is asked, too"
    body = body_of("wrong")
    refused = post(rb, kind, body, wrong(kind, body))
    problem(refused, 401 if kind in ("bearer", "basic") else 403)
    body = body_of("right")
    taken = post(rb, kind, body, good(kind, body))
    assert taken.status == 200 and taken.json()["new"] == 1, taken
    assert events(rb, read) == ["right"]
    if kind != "token":
        assert rb.metric("runbookd_ingest_rejected_total", source=kind) == 2
        for name, text in SECRETS.items():
            assert text not in secrets_of(rb), name


@pytest.mark.parametrize("kind", ["hmac", "grafana", "standard", "github", "pagerduty"])
def test_signature_covers_the_bytes_as_they_came(runbookd, kind):
    rb = start(make(runbookd, {kind: AUTHS[kind]}))
    body = gzip.compress(body_of("zipped"))
    assert post(rb, kind, body, {**good(kind, body), "Content-Encoding": "gzip"}).status == 200
    plain = body_of("plain")
    assert post(rb, kind, gzip.compress(plain), {**good(kind, plain), "Content-Encoding": "gzip"}).status == 403
    chunked = body_of("chunked")
    pieces = (chunked[i:i + 10] for i in range(0, len(chunked), 10))
    assert http_request(rb.address, "POST", f"/ingest/{kind}", pieces, good(kind, chunked)).status == 200
    large = json.dumps(notification([alert({"alertname": "Large", "instance": f"large-{i}", "text": "x" * 900}) for i in range(300)])).encode()
    assert post(rb, kind, large, good(kind, large)).json()["new"] == 300
    flipped = large.replace(b"large-299", b"large-298")
    assert post(rb, kind, flipped, good(kind, large)).status == 403
    assert {"zipped", "chunked", "large-0"} <= set(events(rb)) and "plain" not in events(rb)


def test_who_may_not_send_hears_nothing_else(runbookd):
    """Neither that the body is no JSON, nor that it is too large, nor that Redis has had enough."""
    rb = make(runbookd, {"github": AUTHS["github"]}, http={"body_limit": "1MiB"})
    rb.configure({"sources": {"github": {**rb.conf["sources"]["github"], "rate": {"count": 2, "per": "1h"}}}})
    start(rb)
    for body in (b"{", b"[" * 100000, gzip.compress(b"x" * 5000000)):
        headers = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
        assert "is not that of this body" in problem(post(rb, "github", body, {**github("x", body), **headers}), 403)
        assert post(rb, "github", body, headers).status == 401
    assert rb.metric("runbookd_ingest_rejected_total", source="github", reason="forbidden") == 3
    # What anybody may send does not use up the rate of those who sign.
    for status in (200, 200, 503):
        body = body_of(f"rate-{status}-{time.monotonic()}")
        assert post(rb, "github", body, github(SECRETS["hook"], body)).status == status


@pytest.mark.parametrize("secret, said", [("x", "is not that of this body"), (SECRETS["hook"], "lexical error")])
def test_log_says_why_it_was_refused(runbookd, secret, said):
    """Of a body that is neither signed nor JSON the first counts: what a stranger's bytes are is no news."""
    rb = start(make(runbookd, {"github": AUTHS["github"]}))
    body = b"nonsense"
    answer = post(rb, "github", body, github(secret, body))
    assert said in problem(answer, 403 if secret == "x" else 400)
    (line,) = rb.logged("refused a request")
    assert said in line


def test_white_space_behind_a_header_is_none_of_it(runbookd):
    rb = start(make(runbookd, {"bearer": AUTHS["bearer"], "standard": AUTHS["standard"]}))
    for space in (" ", "\t", " \t "):
        assert post(rb, "bearer", body_of("a"), {"Authorization": f"Bearer {SECRETS['bearer']}{space}"}).status == 200
        body = body_of(f"b{space}")
        headers = {name: value + space for name, value in standard(body, name=f"m{len(space)}{ord(space[0])}").items()}
        assert post(rb, "standard", body, headers).json()["new"] == 1


def test_page_of_a_browser_may_not_use_its_password(runbookd):
    rb = start(make(runbookd, {"basic": AUTHS["basic"], "place": {"allow": ["127.0.0.1"]}}))
    evil = {"Origin": "http://evil.example"}
    assert "web page" in problem(post(rb, "basic", body_of("a"), {**good("basic", b""), **evil}), 403)
    assert "web page" in problem(post(rb, "place", body_of("a"), evil), 403)
    assert post(rb, "place", body_of("a")).status == 200


def test_path_of_an_alertmanager_asks_as_its_source_does(runbookd):
    rb = make(runbookd, {})
    rb.configure({"sources": {"prometheus": {"kind": "prometheus", "auth": AUTHS["basic"]}, "am": {"kind": "prometheus", "auth": AUTHS["github"]}}})
    start(rb)
    body = json.dumps([{"labels": {"alertname": "A", "instance": "p"}}]).encode()
    for path in ("/api/v2/alerts", "/ingest/prometheus/api/v2/alerts", "/ingest/prometheus"):
        assert http_request(rb.address, "POST", path, body).status == 401
        assert http_request(rb.address, "POST", path, body, good("basic", body)).status == 200
    path = "/ingest/am/api/v2/alerts"
    assert http_request(rb.address, "POST", path, body, github("x", body)).status == 403
    assert http_request(rb.address, "POST", path, body, github(SECRETS["hook"], body)).status == 200
    assert rb.metric("runbookd_ingest_rejected_total", source="prometheus", reason="unauthorized") == 3


def test_paths_of_log_shippers_ask_as_their_source_does(runbookd):
    rb = make(runbookd, {})
    rb.configure({"sources": {"logs": {"kind": "logs", "auth": AUTHS["bearer"]}, "signed": {"kind": "logs", "auth": AUTHS["github"]}}})
    start(rb)
    push = b'{"streams": [{"stream": {"job": "a"}, "values": [["1700000000000000000", "a line"]]}]}'
    event = b'{"event": "a line"}'
    json_type = {"Content-Type": "application/json"}
    secret = SECRETS["bearer"]
    for path, body, shown, status in (
            ("/loki/api/v1/push", push, f"Bearer {secret}", 204),
            ("/services/collector/event", event, f"Splunk {secret}", 200),
            ("/ingest/logs", b"a line\n", f"Bearer {secret}", 200)):
        headers = json_type if body[:1] == b"{" else {"Content-Type": "text/plain"}
        assert http_request(rb.address, "POST", path, body, headers).status == 401, path
        assert http_request(rb.address, "POST", path, body, {**headers, "Authorization": shown[:-1]}).status in (401, 403), path
        answer = http_request(rb.address, "POST", path, body, {**headers, "Authorization": shown})
        assert answer.status == status, (path, answer)
    path = "/ingest/signed/loki/api/v1/push"
    assert http_request(rb.address, "POST", path, push, {**json_type, **github("x", push)}).status == 403
    assert http_request(rb.address, "POST", path, push, {**json_type, **github(SECRETS["hook"], push)}).status == 204


def test_handshake_needs_no_signature(runbookd):
    rb = make(runbookd, {})
    rb.configure({"sources": {"ce": {"kind": "cloudevents", "auth": AUTHS["github"]},
                              "ce2": {"kind": "cloudevents", "auth": AUTHS["bearer"]}}})
    start(rb)
    ask = {"WebHook-Request-Origin": "grid.example"}
    assert rb.api("OPTIONS", "/ingest/ce", headers=ask).status == 200
    assert rb.api("OPTIONS", "/ingest/ce2", headers=ask).status == 401
    assert rb.api("OPTIONS", "/ingest/ce2", headers={**ask, **good("bearer", b"")}).status == 200


# -- replays

@pytest.mark.parametrize("kind", ["grafana", "standard"])
def test_replay_inside_the_window_does_nothing_and_after_it_is_refused(runbookd, kind):
    auth = {"standard": {"standard_webhooks": {"secret_file": "whsec", "tolerance": "1h"}},
            "grafana": {"hmac": {**GRAFANA, "secret_file": "hook", "tolerance": "1h"}}}[kind]

    def sign(body, at):
        return standard(body, at=at, name=f"at-{at}") if kind == "standard" else grafana(SECRETS["hook"], body, at)
    rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE})
    for name, text in SECRETS.items():
        write_secret(rb, name, text)
    # The ids of a kind's own may come in headers that nobody signs: here, X-GitHub-Delivery.
    rb.configure({"sources": {kind: {"kind": "alertmanager", "auth": auth}, "gh": {"kind": "github", "auth": auth}}})
    rb.start()
    now = int(time.time())
    body = body_of("once")
    headers = sign(body, now)
    first = post(rb, kind, body, headers)
    assert (first.status, first.json()["new"]) == (200, 1), first
    for again in (headers, {**headers, "X-Other": "1"}):
        answer = post(rb, kind, body, again)
        assert (answer.status, answer.json()["new"], answer.json()["duplicate"]) == (200, 0, 1), answer
    # The same, made to look like news: what fires again is not the same alert, but it is the same message.
    resolved = json.dumps(notification([alert({"alertname": "Signed", "instance": "once"}, "resolved")])).encode()
    assert post(rb, kind, resolved, sign(resolved, now + 1)).json()["duplicate"] == 0
    assert post(rb, kind, body, headers).json()["duplicate"] == 1, "it does not fire again"
    push = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "a/b"}, "commits": []}).encode()
    pushed = {"X-GitHub-Event": "push", **sign(push, now)}
    assert post(rb, "gh", push, {**pushed, "X-GitHub-Delivery": "one"}).json()["duplicate"] == 0
    assert post(rb, "gh", push, {**pushed, "X-GitHub-Delivery": "two"}).json()["duplicate"] == 1
    for late in (now - 3700, now + 3700):
        body = body_of(f"late {late}")
        assert "tolerance" in problem(post(rb, kind, body, sign(body, late)), 403)
    assert [r["rule"] for r in rb.wait_settled()] == ["note"]
    assert rb.lines("notes") == ["once"]
    assert len(rb.get("/api/v1/alerts")["items"]) == 1


# -- secrets that change

def test_rotation(runbookd):
    rb = start(make(runbookd, {"github": {"github": {"secret_files": ["hook", "hook2"]}}}))

    def status(secret):
        body = body_of(f"{secret} {time.monotonic()}")
        return post(rb, "github", body, github(SECRETS[secret], body)).status
    assert (status("hook"), status("hook2")) == (200, 200)
    rb.configure({"sources": {"github": {"kind": "alertmanager", "auth": {"github": {"secret_file": "hook2"}}}}})
    os.kill(rb.pid("bridge"), signal.SIGHUP)
    wait_for(lambda: status("hook") == 403, "the old secret to be refused")
    assert status("hook2") == 200
    # The file is watched, as the configuration is.
    write_secret(rb, "hook2", SECRETS["hook"])
    wait_for(lambda: status("hook") == 200, "the file's new secret to be taken")
    assert status("hook2") == 403
    (rb.folder / "hook2").write_text("\n")
    answer = rb.api("POST", "/-/reload")
    assert answer.status == 422 and "is empty; put the secret there" in answer.json()["detail"], answer
    assert status("hook") == 200, "the secret of before goes on"
    (rb.folder / "hook2").unlink()
    done = rb.run_check("runbook-bridge", "--check")
    assert done.returncode == 3 and f"cannot open '{rb.folder}/hook2'" in done.stdout + done.stderr


class Sender(threading.Thread):
    """Signs and posts until it is told to stop, with the secret that is in force for its side now."""

    def __init__(self, rb, number, secret):
        super().__init__()
        self.rb, self.number, self.secret = rb, number, secret
        self.seen, self.failed, self.over = [], None, threading.Event()

    def run(self):
        host, _, port = self.rb.address.rpartition(":")
        try:
            with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=DEADLINE)) as c:
                while not self.over.is_set():
                    body = body_of(f"load-{self.number}-{len(self.seen)}")
                    self.seen.append(request_on(c, "POST", "/ingest/github", body, github(self.secret(), body)).status)
        except Exception as e:  # what a client sees is the result of the test
            self.failed = e


def test_secret_changes_under_load(runbookd):
    """As an operator does it: both are taken, the sender changes over, the old one goes."""
    rb = start(make(runbookd, {"github": {"github": {"secret_files": ["hook", "hook2"]}}}))
    generation = [0]
    senders = [Sender(rb, i, lambda: f"secret {generation[0]}") for i in range(3)]
    write_secret(rb, "hook", "secret 0")
    write_secret(rb, "hook2", "secret 1")
    assert rb.api("POST", "/-/reload").status == 200
    for s in senders:
        s.start()
    try:
        for n in range(1, 11):
            counts = [len(s.seen) for s in senders]
            wait_for(lambda: all(len(s.seen) >= c + 20 or s.failed for s, c in zip(senders, counts)), "requests")
            generation[0] = n
            counts = [len(s.seen) for s in senders]
            wait_for(lambda: all(len(s.seen) >= c + 2 or s.failed for s, c in zip(senders, counts)), "the change over")
            write_secret(rb, ("hook", "hook2")[(n + 1) % 2], f"secret {n + 1}")
            assert rb.api("POST", "/-/reload").status == 200
    finally:
        for s in senders:
            s.over.set()
        for s in senders:
            s.join()
    assert [s.failed for s in senders] == [None] * 3
    assert {status for s in senders for status in s.seen} == {200}
    old = body_of("old")
    assert post(rb, "github", old, github("secret 8", old)).status == 403


# -- certificates

def test_certificate_by_its_name(runbookd):
    server = Server(runbookd, client_ca=True)
    server.rb.configure({"sources": {"am": {"kind": "alertmanager", "auth": {"client_cert": {"names": ["am.example", "other.example"]}}}}})
    server.start()
    strangers = type(server.clients)(server.rb.folder, "strangers")

    def status(authority=None, name=None):
        context = server.context()
        if authority:
            key, cert = authority.sign(name)
            context.load_cert_chain(cert, key)
        with server.connection() as c:
            c._context = context
            answer = request_on(c, "POST", "/ingest/am", notification([alert({"alertname": "A", "instance": name or "none"})]))
            return answer.status
    assert status() == 401
    assert status(server.clients, "am.example") == 200
    assert status(server.clients, "AM.example") == 200
    assert status(server.clients, "evil.example") == 403
    assert status(strangers, "am.example") == 401, "nobody vouches for it"
    assert server.plain("POST", "/ingest/am", notification([alert({"alertname": "A"})])).status == 401
    assert sorted(e["labels"]["instance"] for e in server.events()) == ["AM.example", "am.example"]


@pytest.mark.parametrize("kind", ["bearer", "basic", "client_cert"])
def test_real_alertmanager_shows_it(runbookd, kind):
    """Debian's Alertmanager over TLS: with what the source asks for the alert arrives, without it is refused."""
    server = Server(runbookd, client_ca=True)
    rb = server.rb
    for name, text in SECRETS.items():
        write_secret(rb, name, text)
    auth = {"client_cert": {"names": ["alertmanager.example"]}} if kind == "client_cert" else AUTHS[kind]
    rb.configure({"sources": {"am": {"kind": "alertmanager", "auth": auth}}})
    server.start()
    key, cert = server.clients.sign("alertmanager.example")
    shown = {"bearer": {"authorization": {"credentials_file": str(rb.folder / "bearer")}},
             "basic": {"basic_auth": {"username": "prom", "password_file": str(rb.folder / "password")}},
             "client_cert": {"tls_config": {"cert_file": str(cert), "key_file": str(key)}}}[kind]
    trust = {"ca_file": str(server.ca.cert)}
    shown["tls_config"] = {**shown.get("tls_config", {}), **trust}
    url = f"https://{rb.address}/ingest/am"

    def refused():
        text = server.plain("GET", "/metrics").text
        return 'runbookd_ingest_rejected_total{source="am",reason="unauthorized"}' in text
    with real_alertmanager(rb.folder, url, {"tls_config": trust}):
        wait_for(refused, "the one without it to be refused")
    assert server.events() == []
    with real_alertmanager(rb.folder, url, shown):
        wait_for(lambda: [e for e in server.events() if e["labels"]["alertname"] == "OverTls"], "the alert to arrive")


class CertifiedSender(threading.Thread):
    """Posts with the certificate of now until it is told to stop, on one connection or on a new one each time."""

    def __init__(self, server, number, keep_alive, pair):
        super().__init__()
        self.server, self.number, self.keep_alive, self.pair = server, number, keep_alive, pair
        self.seen, self.failed, self.over = [], None, threading.Event()

    def post(self, c):
        body = notification([alert({"alertname": "Load", "instance": f"h-{self.number}-{len(self.seen)}"})])
        self.seen.append(request_on(c, "POST", "/ingest/am", body).status)

    def run(self):
        try:
            while not self.over.is_set():
                with self.server.connection() as c:
                    key, cert = self.pair()
                    c._context.load_cert_chain(cert, key)
                    self.post(c)
                    while self.keep_alive and not self.over.is_set():
                        self.post(c)
        except Exception as e:  # what a client sees is the result of the test
            self.failed = e


def test_certificates_of_both_sides_change_under_load(runbookd):
    server = Server(runbookd, client_ca=True)
    names = [f"sender-{n}.example" for n in range(6)]
    server.rb.configure({"sources": {"am": {"kind": "alertmanager", "auth": {"client_cert": {"names": names}}}}})
    server.start()
    pairs = [server.clients.sign(name) for name in names]
    now = [0]
    senders = [CertifiedSender(server, i, i < 2, lambda: pairs[now[0]]) for i in range(4)]
    for s in senders:
        s.start()
    try:
        for n in range(1, len(names)):
            counts = [len(s.seen) for s in senders]
            wait_for(lambda: all(len(s.seen) >= c + 10 or s.failed for s, c in zip(senders, counts)), "requests")
            server.ca.sign("localhost")
            answer = server.plain("POST", "/-/reload")
            # The files are watched, too: that reload may have come between the key and its certificate.
            assert answer.status == 200 or server.plain("POST", "/-/reload").status == 200, answer
            now[0] = n
    finally:
        for s in senders:
            s.over.set()
        for s in senders:
            s.join()
    assert [s.failed for s in senders] == [None] * len(senders)
    assert {status for s in senders for status in s.seen} == {200}


# -- where from

def nginx(rb, address, headers, to=None):
    """A real nginx before the bridge."""
    conf = rb.folder / "nginx.conf"
    conf.write_text(FORWARDED_BY_NGINX.format(folder=rb.folder, address=address, to=to or rb.address, headers=headers,
                                                user="user root;" if os.geteuid() == 0 else ""))
    process = spawn(["nginx", "-c", str(conf), "-e", f"{rb.folder}/nginx.err"], rb.folder / "nginx.log",
                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return process


@contextlib.contextmanager
def behind_nginx(rb, headers, to=None):
    address = f"127.0.0.1:{free_port()}"
    process = nginx(rb, address, headers, to)
    try:
        # 401 and 403 are answers of the bridge, too.
        wait_for(lambda: http_request(address, "GET", "/-/ready").status == 200, "nginx to answer")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE)


APPENDS = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
SAYS = 'proxy_set_header Forwarded "for=$remote_addr";'


@pytest.mark.parametrize("headers", [APPENDS, SAYS], ids=["X-Forwarded-For", "Forwarded"])
def test_client_behind_a_trusted_nginx(runbookd, headers):
    rb = start(make(runbookd, {"place": {"allow": ["198.51.100.0/24"]}, "here": {"allow": ["127.0.0.1"]}},
                    http={"trusted_proxies": ["127.0.0.1"]}))
    with behind_nginx(rb, headers) as address:
        # nginx says that we are 127.0.0.1, which is a trusted proxy itself: whom that one names counts, or nobody.
        said = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"} if headers == APPENDS else {}
        answer = post(rb, "place", body_of("a"), said, address)
        if headers == APPENDS:
            assert answer.status == 200, answer
            assert "from 203.0.113.9" in problem(post(rb, "place", body_of("a"), {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}, address), 403)
        else:
            assert "from 127.0.0.1" in problem(answer, 403)
        assert post(rb, "here", body_of("b"), address=address).status == 200
        # What came through a proxy is not this machine.
        assert "not through a proxy" in problem(http_request(address, "GET", "/api/v1/events"), 403)
    # Two headers that differ: one of them is not the proxy's.
    both = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.8"}
    assert "is not known" in problem(post(rb, "place", body_of("a"), both), 403)
    assert post(rb, "place", body_of("a"), {**both, "Forwarded": "for=198.51.100.7"}).status == 200
    assert "is not known" in problem(post(rb, "place", body_of("a"), {"X-Forwarded-For": "unknown"}), 403)
    assert rb.api("GET", "/api/v1/events").status == 200


def test_nginx_that_nobody_named(runbookd):
    """It is on this machine, and whom it speaks for is not: safe is not to take that for us."""
    rb = start(make(runbookd, {"here": {"allow": ["127.0.0.1"]}}))
    with behind_nginx(rb, APPENDS) as address:
        assert "not through a proxy" in problem(http_request(address, "GET", "/api/v1/events"), 403)
        assert "not through a proxy" in problem(post(rb, "alertmanager", body_of("a"), address=address), 403)
        assert "http.trusted_proxies" in problem(post(rb, "here", body_of("a"), address=address), 403)
        assert http_request(address, "GET", "/-/healthy").status == 200
    assert post(rb, "here", body_of("a")).status == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto", "Via"):
        assert rb.api("GET", "/api/v1/events", headers={name: "x"}).status == 403, name
    assert rb.api("GET", "/api/v1/events", headers={"X-Forwarded-Foo": "x"}).status == 200


def test_nginx_on_a_unix_socket(runbookd):
    """That has no address: the word unix names it."""
    rb = make(runbookd, {"place": {"allow": ["198.51.100.0/24"]}, "here": {"allow": ["127.0.0.1"]}})
    path = rb.folder / "api.sock"
    rb.configure({"http": {"listen": ["127.0.0.1:0", f"unix:{path}"], "trusted_proxies": ["unix", "127.0.0.1"]}})
    start(rb)
    with behind_nginx(rb, APPENDS, f"unix:{path}:") as address:
        assert post(rb, "place", body_of("a"), {"X-Forwarded-For": "198.51.100.7"}, address).status == 200
        assert "from 127.0.0.1" in problem(post(rb, "place", body_of("a"), address=address), 403)
        rb.configure({"http": {**rb.conf["http"], "trusted_proxies": ["127.0.0.1"]}})
        assert rb.api("POST", "/-/reload").status == 200
        assert "is not known" in problem(post(rb, "place", body_of("a"), {"X-Forwarded-For": "198.51.100.7"}, address), 403)
    connection = http.client.HTTPConnection("localhost", timeout=DEADLINE)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    with contextlib.closing(connection) as c:
        assert request_on(c, "POST", "/ingest/here", body_of("b")).status == 200, "who comes by itself counts as 127.0.0.1"
        assert request_on(c, "POST", "/ingest/place", body_of("b")).status == 403


@pytest.mark.parametrize("proxies", [[], ["127.0.0.1"]], ids=["nobody named it", "trusted"])
def test_folded_header_of_a_proxy_is_one(runbookd, proxies):
    rb = start(make(runbookd, {"here": {"allow": ["127.0.0.1", "198.51.100.7"]}}, http={"trusted_proxies": proxies}))
    host, _, port = rb.address.rpartition(":")

    def status(method, path, header):
        with socket.create_connection((host, int(port)), timeout=DEADLINE) as s:
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 2\r\n{header}\r\n\r\n{{}}".encode())
            return int(s.makefile("rb").readline().split()[1])
    for header in ("X-Forwarded-For:\r\n 203.0.113.9", "X-Forwarded-For: 198.51.100.7,\r\n\t203.0.113.9", "Forwarded: for=198.51.100.7,\r\n for=203.0.113.9",
                   "Via: 1.1\r\n proxy"):
        assert status("POST", "/ingest/here", header) == 403, header
        assert status("GET", "/api/v1/events", header) == 403, header
    assert status("GET", "/api/v1/events", "X-Other: a\r\n b") == 200


def test_headers_of_others_mean_nothing(runbookd):
    """From an address that is no proxy, X-Forwarded-For does not move anybody to where he may send."""
    tokens = [token_line("one", ["ingest"])]
    rb = make(runbookd, {"here": {"allow": ["127.0.0.1", "198.51.100.7"]}}, tokens=tokens,
              http={"listen": ["127.0.0.1:0", "127.0.0.2:0"], "trusted_proxies": ["127.0.0.2"]})
    start(rb)
    forged = {"X-Forwarded-For": "198.51.100.7"}
    assert "is not known" in problem(post(rb, "here", body_of("a"), forged), 403)
    port = (rb.state_dir / "http.addr").read_text().split("\n")[1].rpartition(":")[2]
    with socket.create_connection(("127.0.0.2", int(port)), timeout=DEADLINE, source_address=("127.0.0.2", 0)) as s:
        text = json.dumps(notification([alert({"alertname": "A"})]))
        s.sendall(f"POST /ingest/here HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.7\r\n"
                  f"Content-Length: {len(text)}\r\n\r\n{text}".encode())
        assert s.makefile("rb").readline().split()[1] == b"200"


def test_connections_of_a_trusted_proxy_are_not_counted(runbookd):
    rb = make(runbookd, {}, http={"connections_per_address": 3})
    start(rb)

    def connections(n):
        """How many of n are still open once the last was answered or closed."""
        host, _, port = rb.address.rpartition(":")
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(socket.create_connection((host, int(port)), timeout=DEADLINE)) for _ in range(n)]
            answered = 0
            for s in opened:
                with contextlib.suppress(ConnectionError):
                    s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    answered += s.recv(100).startswith(b"HTTP/1.1 200")
            return answered
    wait_for(lambda: connections(6) == 3, "the limit to hold")
    rb.configure({"http": {**rb.conf["http"], "trusted_proxies": ["127.0.0.0/8"]}})
    wait_for(lambda: rb.api("POST", "/-/reload").status == 200, "the reload")
    assert connections(6) == 6


def test_refusals_name_the_client_in_the_log(runbookd):
    rb = start(make(runbookd, {"github": AUTHS["github"]}, http={"trusted_proxies": ["127.0.0.1"]}))
    assert post(rb, "github", b"{}", {"X-Forwarded-For": "198.51.100.77", **github("x", b"{}")}).status == 403
    rb.logged("source=github", "client=198.51.100.77")
