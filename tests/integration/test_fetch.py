"""What the bridge gets over HTTPS (bridge/fetch): by a real server, and by servers that must not be trusted."""
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from https import Authority, Server

BUILD = Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()
HOST = "sns.eu-west-1.amazonaws.com"


@pytest.fixture
def authority(folder):
    return Authority(folder)


@pytest.fixture
def serve(authority):
    servers = []

    def make(answers, host=HOST, by=None):
        servers.append(Server((by or authority).certify(host), answers))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def fetch(ca, server, *urls, time_ms=20000, stop=False):
    """The lines that were printed, without "closed", which must be the last one."""
    address = server if isinstance(server, str) else server.address
    done = subprocess.run([BUILD / "tests" / "unit" / "print_fetch", ca, address, str(time_ms), "stop" if stop else "-", *urls],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "closed"
    return lines[:-1]


def url(path, host=HOST):
    return f"https://{host}{path}"


def test_gets_a_file(authority, serve):
    body = b"-----BEGIN CERTIFICATE-----\n" * 50
    server = serve({"/a.pem": body})
    assert fetch(authority.cert, server, url("/a.pem")) == [f"{url('/a.pem')} 200 {len(body)} {hashlib.sha256(body).hexdigest()}"]
    assert server.asked == [(HOST, "/a.pem")]


def test_one_after_the_other_in_order(authority, serve):
    server = serve({f"/{i}": str(i).encode() for i in range(20)})
    lines = fetch(authority.cert, server, *[url(f"/{i}") for i in range(20)])
    assert [line.split()[0] for line in lines] == [url(f"/{i}") for i in range(20)]
    assert [path for _, path in server.asked] == [f"/{i}" for i in range(20)]


def test_at_most_so_many_wait(authority, serve):
    server = serve({"/a": b"a"})
    lines = fetch(authority.cert, server, *[url("/a")] * 66)
    assert sum(" 200 " in line for line in lines) == 64
    assert [line for line in lines if " full " in line] == [f"{url('/a')} full 64 files are to be got already; send this again"] * 2


def test_follows_no_redirect(authority, serve):
    server = serve({"/a": (302, {"Location": url("/b")}), "/b": b"b"})
    assert fetch(authority.cert, server, url("/a")) == [f"{url('/a')} away cannot get '{url('/a')}': the server answered 302"]
    assert server.asked == [(HOST, "/a")]


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500, 503])
def test_takes_200_only(authority, serve, status):
    server = serve({"/a": status})
    assert fetch(authority.cert, server, url("/a"))[0].endswith(f"the server answered {status}")


def test_size_is_bounded(authority, serve):
    server = serve({"/most": b"x" * 65536, "/more": b"x" * 65537, "/much": b"x" * (32 << 20)})
    lines = fetch(authority.cert, server, url("/most"), url("/more"), url("/much"))
    assert lines[0].startswith(f"{url('/most')} 200 65536 ")
    assert lines[1:] == [f"{url(p)} limit '{url(p)}' is larger than 64 KiB" for p in ("/more", "/much")]


def test_time_is_bounded(authority, serve):
    """A server that says nothing, and one that says a byte now and then."""
    def silent(handler):
        server.over.wait()

    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        while not server.over.wait(0.05):
            handler.wfile.write(b"x")

    server = serve({"/silent": silent, "/trickle": trickle})
    lines = fetch(authority.cert, server, url("/silent"), url("/trickle"), time_ms=3000)
    assert len(lines) == 2
    for line in lines:
        assert " away cannot get '" in line and "timed out" in line.lower()


def test_stops_in_the_midst(authority, serve):
    """What is under way and what waits is given up, each told."""
    server = serve({"/a": b"a"})

    def silent(handler):
        server.over.wait()

    server.answers["/silent"] = silent
    lines = fetch(authority.cert, server, url("/a"), url("/silent"), url("/a"), stop=True, time_ms=200000)
    assert " 200 1 " in lines[0]
    assert lines[1].startswith(f"{url('/silent')} away cannot get ")
    assert lines[2] == f"{url('/a')} away cannot get '{url('/a')}': this bridge is stopping"


def test_certificate_of_another_host(authority, serve):
    server = serve({"/a": b"a"}, host="sns.eu-west-2.amazonaws.com")
    line, = fetch(authority.cert, server, url("/a"))
    assert " away " in line and "SSL" in line
    assert server.asked == []


def test_authority_that_is_not_trusted(folder, authority, serve):
    server = serve({"/a": b"a"}, by=Authority(folder, "stranger"))
    line, = fetch(authority.cert, server, url("/a"))
    assert " away " in line and "SSL" in line
    assert server.asked == []


def test_system_does_not_trust_the_tests(serve):
    server = serve({"/a": b"a"})
    line, = fetch("-", server, url("/a"))
    assert " away " in line and "SSL" in line


@pytest.mark.parametrize("bad", ["http://127.0.0.1/a", "file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/", "", "::"])
def test_https_only(authority, serve, bad):
    server = serve({"/a": b"a"})
    line, = fetch(authority.cert, server, bad)
    assert " away cannot get " in line
    assert server.asked == []


def test_nobody_listens(authority):
    line, = fetch(authority.cert, "127.0.0.1:1", url("/a"))
    assert " away cannot get " in line
