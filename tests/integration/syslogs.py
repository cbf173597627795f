"""A sender of syslog, over a plain socket or TLS, and the bridge that listens for it."""
import contextlib
import socket
import ssl
from datetime import datetime, timezone
from pathlib import Path

from harness import DEADLINE, wait_for

# Each number is an alert of its own, so what was counted can be asked for.
NUMBERED = r"""
patterns:
  - name: numbered
    match: 'number (?<n>\d+) of'
    series: 100000
"""


def bridge(runbookd, patterns=NUMBERED, rules="rules: []\n", conf=None, **syslog):
    """A runbookd that listens for syslog on a port that it picks."""
    return runbookd(conf={"worker": {"enabled": False}, "syslog": {"listen": ["127.0.0.1:0"], **syslog}, **(conf or {})},
                    rules={"test.yml": rules, "patterns.yml": patterns})


def address(rb, nth=0):
    """(host, port) of one of those listened on, read again each time: a bridge that was started anew may have another port."""
    path = Path(rb.state_dir) / "syslog.addr"
    text = wait_for(lambda: path.exists() and path.read_text(), "syslog.addr to be written")
    host, _, port = text.split("\n")[nth].rpartition(":")
    return host.strip("[]"), int(port)


def stamp(at=None):
    return (at or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def modern(message, at=None, pri=38, host="web-1", program="sshd", pid="4711", data="-"):
    """RFC 5424."""
    return f"<{pri}>1 {stamp(at)} {host} {program} {pid} - {data} {message}".encode()


def older(message, at=None, pri=38, host="web-1", program="sshd[4711]:"):
    """RFC 3164: a time in seconds, of this machine's zone, which is UTC where tests run."""
    return f"<{pri}>{(at or datetime.now(timezone.utc)).strftime('%b %e %H:%M:%S')} {host} {program} {message}".encode()


def counted(*messages):
    """Each with its length in front."""
    return b"".join(b"%d %s" % (len(m), m) for m in messages)


def lines(*messages):
    return b"".join(m + b"\n" for m in messages)


@contextlib.contextmanager
def connection(rb, context=None, nth=0):
    with socket.create_connection(address(rb, nth), timeout=DEADLINE) as plain:
        if context is None:
            yield plain
            return
        with context.wrap_socket(plain, server_hostname="localhost") as s:
            yield s


def trusting(ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=str(ca))
    if cert:
        context.load_cert_chain(cert, key)
    return context


def numbers(rb):
    """Which of NUMBERED were counted."""
    return {int(a["labels"]["n"]) for a in rb.items("alerts")}


def is_closed(s):
    """Did the bridge close it?"""
    try:
        return s.recv(1) == b""
    except ConnectionError:
        return True
