"""make bench-auth: does the time of an answer tell how much of a signature was right?

Two measurements, each of a right signature and of ones that are wrong from some digit on, in an order that is shuffled anew in
each round: the check alone (bench_auth.c), and whole requests to a bridge. Of whole requests the right one is refused, too: the
body is no JSON, so that it is a 400 and Redis is not asked; what is wrong is a 403. Prints a table, and draws docs/auth-timing.svg.
"""
import argparse
import hashlib
import hmac
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "integration"))

from harness import Runbookd, builddir, make_folder, remove_folder  # noqa: E402

SECRET = "the secret that holds"
BODY = b"no JSON " + b"x" * 2040
DIGITS = 64
BOUND = 0.02  # of the median: what may lie between a right signature and the wrong ones of all places


def alone(rounds):
    """{first wrong digit, or None: (quartiles in ns)} of the check alone."""
    done = subprocess.run([str(builddir() / "tests" / "bench" / "bench_auth"), str(rounds)], check=True, capture_output=True, text=True)
    rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    return {None if at < 0 else at: quartiles for at, *quartiles in rows}


class Client:
    """One connection, kept; a request is written whole, and its answer read."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def post(self, signature):
        request = (f"POST /ingest/signed HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: sha256={signature}\r\n"
                   f"Content-Length: {len(BODY)}\r\n\r\n").encode() + BODY
        begun = time.perf_counter_ns()
        self.socket.sendall(request)
        status = int(self.file.readline().split()[1])
        took = time.perf_counter_ns() - begun
        length = 0
        while line := self.file.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.file.read(length)
        return status, took


def wrong_from(right, at):
    return right[:at] + "".join("1" if c == "0" else "0" for c in right[at:])


def whole(rounds, step):
    folder = make_folder()
    rb = Runbookd(folder, conf={"worker": {"enabled": False}})
    try:
        (folder / "secret").write_text(SECRET + "\n")
        (folder / "secret").chmod(0o600)
        rb.configure({"sources": {"signed": {"kind": "alertmanager", "auth": {"github": {"secret_file": "secret"}}}}})
        rb.start()
        right = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
        cases = {at: wrong_from(right, at) for at in range(0, DIGITS, step)} | {None: right}
        client, took, order = Client(rb.address), {at: [] for at in cases}, list(cases)
        for _ in range(rounds):
            random.shuffle(order)
            for at in order:
                status, ns = client.post(cases[at])
                assert status == (400 if at is None else 403), status
                took[at].append(ns)
        return {at: statistics.quantiles(v, n=4) for at, v in took.items()}
    finally:
        rb.close()
        remove_folder(folder)


# -- the picture

WIDTH, HEIGHT, LEFT, TOP_EDGE, PANEL = 860, 340, 70, 44, 340


def panel(title, rows, unit, scale, x0):
    """Dots for the medians, bars for the quartiles; the right signature is the line with its own bar."""
    low = min(q[0] for q in rows.values()) / scale
    high = max(q[2] for q in rows.values()) / scale
    margin = max((high - low) * 0.5, high * 0.05)
    low, high = max(0, low - margin), high + margin
    plot = HEIGHT - TOP_EDGE - 50

    def y(v):
        return TOP_EDGE + plot * (1 - (v / scale - low) / (high - low))

    def x(at):
        return x0 + 10 + (PANEL - 40) * (at / (DIGITS - 1))
    out = [f'<text x="{x0}" y="24" font-weight="bold">{title}</text>']
    for i in range(5):
        v = low + (high - low) * i / 4
        out.append(f'<line x1="{x0}" x2="{x0 + PANEL - 20}" y1="{y(v * scale):.1f}" y2="{y(v * scale):.1f}" stroke="#ddd"/>'
                   f'<text x="{x0 - 6}" y="{y(v * scale) + 4:.1f}" text-anchor="end">{v:.3g}</text>')
    q = rows[None]
    out.append(f'<rect x="{x0}" width="{PANEL - 20}" y="{y(q[2]):.1f}" height="{max(1, y(q[0]) - y(q[2])):.1f}" fill="#2a7" opacity="0.15"/>'
               f'<line x1="{x0}" x2="{x0 + PANEL - 20}" y1="{y(q[1]):.1f}" y2="{y(q[1]):.1f}" stroke="#2a7" stroke-width="2"/>')
    for at, q in rows.items():
        if at is not None:
            out.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(q[0]):.1f}" y2="{y(q[2]):.1f}" stroke="#c64" opacity="0.5"/>'
                       f'<circle cx="{x(at):.1f}" cy="{y(q[1]):.1f}" r="2.2" fill="#c64"/>')
    for at in (0, 16, 32, 48, 63):
        out.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 30}" text-anchor="middle">{at}</text>')
    out.append(f'<text x="{x0 + PANEL / 2 - 10}" y="{HEIGHT - 12}" text-anchor="middle">first wrong digit of 64; {unit}</text>')
    return out


def draw(path, check, request):
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    lines += panel("the check alone", check, "µs", 1000, LEFT)
    lines += panel("a whole request", request, "µs", 1000, LEFT + PANEL + 70)
    lines += ['<g font-size="11"><circle cx="600" cy="36" r="2.2" fill="#c64"/><text x="608" y="40">wrong</text>'
              '<line x1="655" x2="675" y1="36" y2="36" stroke="#2a7" stroke-width="2"/><text x="680" y="40">right; bars: quartiles</text></g>', "</svg>"]
    path.write_text("\n".join(lines) + "\n")


def tell(name, rows):
    """A row of the table; is the bound held?"""
    right = rows[None][1]
    medians = [q[1] for at, q in rows.items() if at is not None]
    spread = (max(medians) - min(medians)) / right
    off = abs(statistics.median(medians) - right) / right
    good = off <= BOUND
    print(f"{name:20} right {right / 1000:8.3f} µs   wrong {min(medians) / 1000:8.3f} to {max(medians) / 1000:8.3f}, median "
          f"{statistics.median(medians) / 1000:8.3f}   places differ by {spread:6.2%}, right and wrong by {off:6.2%}   "
          f"{'good' if good else 'MISSED'}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20000)
    parser.add_argument("--requests", type=int, default=3000, help="of each case")
    parser.add_argument("--step", type=int, default=4, help="every so many digits, of whole requests")
    parser.add_argument("--picture", type=Path, default=TOP / "docs" / "auth-timing.svg")
    args = parser.parse_args()
    check = alone(args.rounds)
    request = whole(args.requests, args.step)
    good = [tell("the check alone", check), tell("a whole request", request)]
    draw(args.picture, check, request)
    sys.exit(not all(good))


main()
