"""TLS on the bridge's addresses: versions, files that are wrong, certificates that change under load, real Alertmanager."""
import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import threading

import pytest

from alerts import alert, notification
from harness import DEADLINE, free_port, http_request, program, request_on, spawn, wait_for

INGEST = "/ingest/alertmanager"
ROTATIONS = 10
CLIENTS = 2  # of each kind
ENOUGH = 20  # requests of each client before the next rotation


def openssl(*argv):
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, timeout=DEADLINE)


class Authority:
    """Signs certificates, in a folder of its own."""

    def __init__(self, folder, name):
        self.folder, self.serial = folder / name, 0
        self.folder.mkdir()
        self.key, self.cert = self.folder / "ca.key", self.folder / "ca.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 30,
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def sign(self, name, days=30):
        """Key and certificate for `name`; new ones each time."""
        self.serial += 1
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        request, more = self.folder / "request", self.folder / "more"
        more.write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-set_serial", self.serial,
                "-days", days, "-extfile", more, "-out", cert)
        return key, cert


class Server:
    """A bridge with TLS, and how to trust it."""

    def __init__(self, runbookd, client_ca=False):
        self.rb = runbookd(conf={"worker": {"enabled": False}})
        self.ca = Authority(self.rb.folder, "authority")
        self.clients = Authority(self.rb.folder, "clients")
        self.key, self.cert = self.ca.sign("localhost")
        tls = {"cert": "authority/localhost.crt", "key": "authority/localhost.key"}
        if client_ca:
            tls["client_ca"] = "clients/ca.crt"
        self.socket = self.rb.folder / "api.sock"
        self.rb.configure({"http": {"listen": ["127.0.0.1:0", f"unix:{self.socket}"], "tls": tls}})

    def start(self):
        self.rb.spawn()
        wait_for(lambda: self.rb.address and self.get("/-/ready") == 200, "the bridge to be ready")
        return self

    def context(self, **more):
        context = ssl.create_default_context(cafile=str(self.ca.cert))
        for key, value in more.items():
            setattr(context, key, value)
        return context

    @contextlib.contextmanager
    def connection(self, **more):
        host, _, port = self.rb.address.rpartition(":")
        c = http.client.HTTPSConnection(host, int(port), timeout=DEADLINE, context=self.context(**more))
        with contextlib.closing(c):
            yield c

    def get(self, path):
        with self.connection() as c:
            return request_on(c, "GET", path).status

    def plain(self, method, path, body=None):
        """Over the unix socket."""
        c = http.client.HTTPConnection("localhost", timeout=DEADLINE)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.connect(str(self.socket))
        with contextlib.closing(c):
            return request_on(c, method, path, body)

    def serial(self):
        with self.connection() as c:
            c.connect()
            return int(c.sock.getpeercert()["serialNumber"], 16)

    def events(self):
        return self.plain("GET", "/api/v1/events").json()["items"]


def test_only_versions_that_are_good(runbookd):
    server = Server(runbookd).start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with server.connection(minimum_version=version, maximum_version=version) as c:
            assert request_on(c, "POST", INGEST, notification([alert({"alertname": version.name})])).status == 200
    for version, good in (("-tls1_2", True), ("-tls1_1", False), ("-tls1", False)):
        hello = subprocess.run(["openssl", "s_client", "-connect", server.rb.address, version, "-cipher", "ALL:@SECLEVEL=0"],
                               input="", capture_output=True, text=True, timeout=DEADLINE)
        sent = int(re.search(r"SSL handshake has read \d+ bytes and written (\d+) bytes", hello.stdout)[1])
        assert sent > 0 and (hello.returncode == 0) == good, hello
        assert ("Cipher is (NONE)" in hello.stdout) != good, hello
    # A stranger without TLS gets nothing, the unix socket stays plain.
    with pytest.raises((OSError, http.client.HTTPException)):
        http_request(server.rb.address, "GET", "/-/ready")
    assert server.plain("GET", "/-/ready").status == 200
    assert sorted(e["labels"]["alertname"] for e in server.events()) == ["TLSv1_2", "TLSv1_3"]


def test_large_bodies(runbookd):
    server = Server(runbookd).start()
    many = [alert({"alertname": "Many", "instance": f"h{i}", "text": "x" * 2000}) for i in range(500)]
    with server.connection() as c:
        for _ in range(3):
            answer = request_on(c, "POST", INGEST, notification(many))
            assert answer.status == 200 and answer.json()["events"] == 500


def check_says(server, *texts):
    done = server.rb.run_check("runbook-bridge", "--check")
    for text in texts:
        assert text in done.stdout + done.stderr
    return done.returncode


def test_files_that_are_wrong_are_found_by_check(runbookd):
    server = Server(runbookd)
    assert check_says(server) == 0
    cert, key = server.cert.read_bytes(), server.key.read_bytes()
    server.key.write_text("no key")
    assert check_says(server, "http.tls.key", str(server.key), "holds no private key") == 3
    server.key.write_bytes(server.ca.key.read_bytes())
    assert check_says(server, "http.tls.key", "is not the key of the first certificate") == 3
    server.key.unlink()
    assert check_says(server, "http.tls.key", str(server.key), "No such file") == 3
    server.key.write_bytes(key)
    server.cert.write_text("no certificate")
    assert check_says(server, "http.tls.cert", "holds no certificate") == 3
    server.cert.write_bytes(cert)
    server.ca.sign("localhost", days=3)
    assert check_says(server, "ends within 14 days") == 0
    server.rb.configure({"http": {"tls": {"cert": "authority/localhost.crt"}}})
    assert check_says(server, "'http.tls' needs both 'cert' and 'key'") == 3


class Client(threading.Thread):
    """Posts until it is told to stop, on one connection or on a new one each time."""

    def __init__(self, server, number, keep_alive):
        super().__init__()
        self.server, self.number, self.keep_alive = server, number, keep_alive
        self.seen, self.failed, self.over = [], None, threading.Event()

    def post(self, c):
        body = notification([alert({"alertname": "Load", "instance": f"h-{self.number}-{len(self.seen)}"})])
        self.seen.append(request_on(c, "POST", INGEST, body).status)

    def run(self):
        try:
            while not self.over.is_set():
                with self.server.connection() as c:
                    self.post(c)
                    while self.keep_alive and not self.over.is_set():
                        self.post(c)
        except Exception as e:  # what a client sees is the result of the test
            self.failed = e


def test_certificates_change_under_load(runbookd):
    server = Server(runbookd).start()
    clients = [Client(server, i, keep_alive=i < CLIENTS) for i in range(2 * CLIENTS)]
    for c in clients:
        c.start()
    try:
        for _ in range(ROTATIONS):
            counts = [len(c.seen) for c in clients]
            wait_for(lambda: all(len(c.seen) >= n + ENOUGH or c.failed for c, n in zip(clients, counts)), "requests")
            server.ca.sign("localhost")
            answer = server.plain("POST", "/-/reload")
            # The files are watched, too: that reload may have come between the key and its certificate.
            if answer.status != 200:
                answer = server.plain("POST", "/-/reload")
            assert answer.status == 200, answer
            assert server.serial() == server.ca.serial
    finally:
        for c in clients:
            c.over.set()
        for c in clients:
            c.join()
    assert [c.failed for c in clients] == [None] * len(clients)
    assert {status for c in clients for status in c.seen} == {200}


@contextlib.contextmanager
def real_alertmanager(folder, url, http_config):
    """Debian's own, that sends one alert, OverTls, to url."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "alertmanager.yml").write_text(json.dumps({
        "route": {"receiver": "runbookd", "group_wait": "1s", "group_interval": "1s"},
        "receivers": [{"name": "runbookd", "webhook_configs": [{"url": url, "http_config": http_config}]}]}))
    process = spawn(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
                     "--cluster.listen-address=", f"--web.listen-address={address}"], folder / "am.log", cwd=folder)
    try:
        wait_for(lambda: http_request(address, "GET", "/-/ready").status == 200, "Alertmanager to be ready")
        body = json.dumps([{"labels": {"alertname": "OverTls", "instance": "web-1"}}]).encode()
        assert http_request(address, "POST", "/api/v2/alerts", body, {"Content-Type": "application/json"}).status == 200
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("mutual", [False, True], ids=["TLS", "mTLS"])
def test_real_alertmanager(runbookd, mutual):
    server = Server(runbookd, client_ca=mutual).start()
    tls = {"ca_file": str(server.ca.cert)}
    if mutual:
        key, cert = server.clients.sign("alertmanager.example")
        tls |= {"cert_file": str(cert), "key_file": str(key)}
    with real_alertmanager(server.rb.folder, f"https://{server.rb.address}{INGEST}", {"tls_config": tls}):
        wait_for(lambda: [e for e in server.events() if e["labels"]["alertname"] == "OverTls"], "the alert to arrive")


def test_client_without_a_certificate_is_not_turned_away(runbookd):
    """Whether one is needed is the source's to say."""
    server = Server(runbookd, client_ca=True).start()
    with server.connection() as c:
        assert request_on(c, "POST", INGEST, notification([alert({"alertname": "A"})])).status == 200


def test_runbookctl(runbookd):
    server = Server(runbookd).start()
    url = f"https://{server.rb.address}"
    done = subprocess.run([program("runbookctl"), "--url", url, "--ca-file", server.ca.cert, "rules", "list", "-o", "json"],
                          timeout=DEADLINE, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    done = subprocess.run([program("runbookctl"), "--url", url, "rules", "list"], timeout=DEADLINE, capture_output=True,
                          text=True)
    assert done.returncode == 5 and "certificate" in done.stderr
