"""What the integration tests stand on: one runbookd with a folder, ports and a Redis of its own.

    def test_something(runbookd):
        rb = runbookd(rules=RULES, runbooks={"note.sh": NOTE})
        rb.start()
        answer = rb.post_alertmanager(notification([alert({"alertname": "Down"})]))
        rb.wait_run(state="succeeded")

Nothing here sleeps for a time: wait_for() looks until its condition holds, or fails at its deadline and
says what it waited for. Programs come from the build folder in RUNBOOKD_BUILDDIR.
"""
import concurrent.futures
import contextlib
import ctypes
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DEADLINE = 240  # seconds; how long a healthy program may take for anything. Only failures wait so long.
PAUSE = 0.02
PR_SET_PDEATHSIG = 1
PROGRAMS = {"bridge": "runbook-bridge", "worker": "runbook-worker", "redis": "redis-server"}
SANITIZER = re.compile(r"Sanitizer|runtime error:")


def builddir():
    """The folder with the programs: RUNBOOKD_BUILDDIR, else the current one."""
    return Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()


def program(name):
    path = builddir() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: run make, or set RUNBOOKD_BUILDDIR")
    return str(path)


def wait_for(condition, what, deadline=DEADLINE):
    """Calls condition() until it gives something true, and returns that. An exception of a connection counts as no."""
    end = time.monotonic() + deadline
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (OSError, http.client.HTTPException) as e:
            seen = e
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s for: {what}; last seen: {seen!r}")
        time.sleep(PAUSE)


def ports():
    """Below those that the kernel gives to whoever asks for any, and others in each of pytest's workers."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 9) % 10
    for n in itertools.count(os.getpid()):
        yield 20000 + worker * 1000 + n % 1000


PORTS = ports()


def free_port():
    """One that nobody listens at, and that nobody else here will be given for long."""
    for port in PORTS:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port


def die_with_parent():
    """In the child, before exec: a test that is killed leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(argv, log, cwd=None, env=None):
    """A child in a group of its own, whose output goes to the file log."""
    with open(log, "ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, env=env,
                                start_new_session=True, preexec_fn=die_with_parent)


def process_stat(pid):
    """(name, state, parent) of a process, or None where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return name, rest[0], int(rest[1])


def descendants(pid, only_children=False):
    """{pid: name} of all living processes below pid."""
    parents = {}
    for entry in os.listdir("/proc"):
        stat = process_stat(entry) if entry.isdigit() else None
        if stat and stat[1] != "Z":
            parents[int(entry)] = stat
    if only_children:
        return {p: s[0] for p, s in parents.items() if s[2] == pid}
    found, grew = {}, True
    while grew:
        new = {p: s[0] for p, s in parents.items() if p not in found and (s[2] == pid or s[2] in found)}
        found.update(new)
        grew = bool(new)
    return found


def processes_with(text):
    """Pids of living processes whose command line holds text, wherever they hide in the tree."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line and alive(int(entry)):
            found.append(int(entry))
    return found


def memory_kb(pid, field="VmRSS"):
    """VmRSS: now; VmHWM: the most it ever was."""
    return int(re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def memory_bound(kb):
    """How much a program may grow: under ASan twice as much, for its shadow and what it holds back."""
    return kb * 2 if b"__asan_init" in Path(program("runbook-bridge")).read_bytes() else kb


def alive(pid):
    stat = process_stat(pid)
    return bool(stat) and stat[1] != "Z"


def kill_quietly(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


class Answer:
    """What came back for one HTTP request."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.text[:2000]}>"


def http_request(address, method, path, body=None, headers=None, timeout=DEADLINE):
    """One request on a connection of its own. A dict or list as body goes as JSON."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    try:
        return request_on(connection, method, path, body, headers)
    finally:
        connection.close()


def request_on(connection, method, path, body=None, headers=None):
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
    connection.request(method, path, body=body, headers=headers or {})
    r = connection.getresponse()
    return Answer(r.status, dict(r.headers), r.read())


def clocked_library():
    """The function library with its own clock for tests: docs/design/trial.md."""
    text = "".join(p.read_text() for p in sorted((TOP / "bridge/store/library").glob("*.lua")))
    clocked = text.replace("\nlocal TEST_CLOCK = false", "\nlocal TEST_CLOCK = true ")
    assert clocked != text
    return clocked


class RedisServer:
    """A redis-server of the test's own, for what embedded Redis cannot show."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.socket = self.folder / "own-redis.sock"
        self.process = None

    @property
    def url(self):
        return f"unix:{self.socket}"

    def start(self, *more):
        self.process = spawn(["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                              "--appendonly", "yes", "--appendfsync", "always", "--save", "", *more], self.folder / "redis.log")
        wait_for(lambda: self.ping() == "PONG", "redis-server to answer")
        return self

    def ask(self, *words, stdin=None):
        """What redis-cli prints."""
        done = subprocess.run(["redis-cli", "-s", str(self.socket), *words], input=stdin, capture_output=True, text=True, timeout=DEADLINE)
        return done.stdout.strip()

    def ping(self):
        return self.ask("ping")

    def drive_clock(self, at):
        """From now on runbookd's time in it is what set_clock says. Before a bridge starts: it keeps a library of its number."""
        assert self.ask("-x", "FUNCTION", "LOAD", "REPLACE", stdin=clocked_library()) == "runbookd"
        self.set_clock(at)

    def set_clock(self, at):
        """In ms since 1970."""
        assert self.ask("SET", "rb:{default:0}:clock", str(at)) == "OK"

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=DEADLINE)

    def signal(self, sig):
        self.process.send_signal(sig)


class Runbookd:
    """One runbookd: configuration, rules and runbooks in a folder, and the handles to drive it.

    conf: keys of runbookd.yml, laid over the defaults of a test; rules: the text of rules/test.yml, or
    {file: text}; runbooks: {file: text}, made executable.
    """

    def __init__(self, folder, conf=None, rules="rules: []\n", runbooks=None):
        self.folder = Path(folder)
        self.state_dir = self.folder / "state"
        self.log = self.folder / "log"
        self.process = None
        self.log.touch()
        for name in ("rules", "runbooks", "state"):
            (self.folder / name).mkdir(mode=0o755, exist_ok=True)
        # Tests fire on many hosts at once; what the limits do is test_limits.py's.
        self.conf = {"http": {"listen": ["127.0.0.1:0"]}, "state_dir": str(self.state_dir),
                     "limits": {"runs": "none", "hosts": "none"}}
        if os.geteuid() == 0:
            self.conf["worker"] = {"user": "root"}
        self.configure(conf or {})
        self.write_rules(rules)
        for name, text in (runbooks or {}).items():
            self.write_runbook(name, text)

    # -- files

    def configure(self, conf):
        """Lays conf over what is set and writes runbookd.yml (JSON is YAML)."""
        for key, value in conf.items():
            if isinstance(value, dict) and isinstance(self.conf.get(key), dict):
                self.conf[key] = {**self.conf[key], **value}
            else:
                self.conf[key] = value
        self.write(self.conf_path, json.dumps(self.conf, indent=2) + "\n")

    def write(self, path, text):
        """In one step: who starts or reloads meanwhile reads all of it or what was there."""
        new = self.folder / "new"
        new.write_text(text)
        new.replace(path)

    @property
    def conf_path(self):
        return self.folder / "runbookd.yml"

    def write_rules(self, rules):
        files = rules if isinstance(rules, dict) else {"test.yml": rules}
        for name, text in files.items():
            self.write(self.folder / "rules" / name, text)

    def write_runbook(self, name, text):
        """DIR in the text stands for this server's folder."""
        path = self.folder / "runbooks" / name
        path.write_text(text.replace("DIR", str(self.folder)))
        path.chmod(0o755)

    def lines(self, name):
        """What runbooks wrote to a file in DIR so far."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    # -- life

    def environment(self):
        env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "RUNBOOKD_URL")}
        # A freed block that ASan holds back is memory that a test of flat memory would see.
        asan = [env["ASAN_OPTIONS"]] if env.get("ASAN_OPTIONS") else []
        env["ASAN_OPTIONS"] = ":".join(asan + ["quarantine_size_mb=8", "malloc_context_size=8",
                                                "allocator_release_to_os_interval_ms=100"])
        return env

    def spawn(self, *more):
        """Starts runbookd and does not wait for anything."""
        (self.state_dir / "http.addr").unlink(missing_ok=True)
        self.process = spawn([program("runbookd"), "-c", str(self.conf_path), *more], self.log, cwd=self.folder,
                             env=self.environment())
        return self

    def start(self):
        """Starts runbookd and waits until it is ready."""
        self.spawn()
        self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"runbookd ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
            return self.answers("/-/ready")
        wait_for(ready, "/-/ready to answer 200")

    def answers(self, path, status=200):
        """Whether a bridge is there and answers so; false while one starts or has ended."""
        address = self.address  # once: it goes away when a bridge starts
        try:
            return bool(address) and http_request(address, "GET", path).status == status
        except (ConnectionError, http.client.BadStatusLine):
            return False

    @property
    def address(self):
        """host:port, read again each time: a bridge that was started anew may have another port."""
        try:
            lines = (self.state_dir / "http.addr").read_text().split("\n")
        except FileNotFoundError:
            return None
        return next((line for line in lines[:-1] if not line.startswith("unix:")), None)

    def run_check(self, name="runbookd", *args):
        """A program that ends by itself, as `--check`."""
        return subprocess.run([program(name), "-c", str(self.conf_path), *args], cwd=self.folder, timeout=DEADLINE,
                              capture_output=True, text=True, env=self.environment())

    def stop(self):
        """SIGTERM, as systemd would; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE)

    def pids(self, name):
        """Of "bridge", "worker" or "redis", runbookd's own children; or of any other process name below it."""
        own = name in PROGRAMS  # what a worker forks has its name for a moment
        below = descendants(self.process.pid, only_children=own)
        return sorted(p for p, n in below.items() if n == PROGRAMS.get(name, name)[:15])

    def pid(self, name):
        if name == "runbookd":
            return self.process.pid
        return wait_for(lambda: self.pids(name), f"a process {name}")[0]

    def kill9(self, name):
        pid = self.pid(name)
        kill_quietly(pid)
        if name == "runbookd":
            self.process.wait(timeout=DEADLINE)
        return pid

    def kill9_all(self):
        """Every program and Redis at once, as the power cut would."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        for pid in pids:
            kill_quietly(pid)
        self.process.wait(timeout=DEADLINE)
        # Also one that was started while they were counted.
        wait_for(lambda: not any(alive(p) for p in pids) and not processes_with(str(self.conf_path)), "all programs to be gone")

    def close(self):
        """Ends whatever still runs; what the tests' teardown calls."""
        if self.process and self.process.poll() is None:
            pids = list(descendants(self.process.pid))
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            for pid in pids:
                kill_quietly(pid)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def logged(self, *texts):
        """The log's whole lines that hold all texts, once there is one: an answer may be there before the line about it."""
        return wait_for(lambda: [line for line in self.log_text().split("\n")[:-1] if all(t in line for t in texts)],
                        f"a log line with {texts}")

    def sanitizer_findings(self):
        """Lines that a sanitizer printed, each with what follows it."""
        lines = self.log_text().split("\n")
        first = next((i for i, line in enumerate(lines) if SANITIZER.search(line)), None)
        return [] if first is None else lines[first:first + 60]

    # -- driving it

    def api(self, method, path, body=None, headers=None, timeout=DEADLINE):
        return http_request(self.address, method, path, body, headers, timeout)

    def get(self, path, **query):
        """The JSON of a GET that has to succeed."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        answer = self.api("GET", path)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def items(self, what, **query):
        """All pages of a list: incidents, alerts, events, runs, ..."""
        found, cursor = [], None
        while True:
            page = self.get(f"/api/v1/{what}", limit=1000, **query, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def post_alertmanager(self, payload, source="alertmanager", expect=200):
        answer = self.api("POST", f"/ingest/{source}", payload)
        assert answer.status == expect, answer
        return answer.json() if expect == 200 else answer

    def post_many(self, payloads, connections):
        """Posts all, each connection kept open and every nth payload on the nth one; the answers in the order of payloads."""
        def client(first):
            host, _, port = self.address.rpartition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)
            with contextlib.closing(connection):
                return [request_on(connection, "POST", "/ingest/alertmanager", p) for p in payloads[first::connections]]
        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            by_client = list(pool.map(client, range(connections)))
        return [by_client[i % connections][i // connections] for i in range(len(payloads))]

    def metric(self, name, **labels):
        """Sum of the samples of a metric whose labels are at least these."""
        total = 0.0
        for line in self.api("GET", "/metrics").text.split("\n"):
            m = re.match(r"^(\w+)(?:\{(.*)\})? (\S+)$", line)
            if m and m[1] == name:
                have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or ""))
                if all(have.get(k) == v for k, v in labels.items()):
                    total += float(m[3])
        return total

    def ctl(self, *args, code=0):
        """runbookctl against this server; the finished process."""
        done = subprocess.run([program("runbookctl"), "--url", f"http://{self.address}", *args], timeout=DEADLINE,
                              capture_output=True, text=True, env=self.environment())
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done

    def redis_cli(self, *args):
        done = subprocess.run(["redis-cli", "-s", str(self.state_dir / "redis.sock"), *args], timeout=DEADLINE,
                              capture_output=True, text=True)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def wait_runs(self, condition, what, deadline=DEADLINE, **query):
        """Waits until condition(list of all runs) holds, and returns the list."""
        def look():
            runs = self.items("runs", **query)
            return runs if condition(runs) else None
        return wait_for(look, what, deadline)

    def wait_settled(self, deadline=DEADLINE):
        """Waits until no run is queued or running, and returns all runs."""
        return self.wait_runs(lambda runs: all(r["state"] not in ("queued", "running") for r in runs),
                              "all runs to have ended", deadline)

    def wait_run(self, deadline=DEADLINE, **want):
        """Waits for one run with these members, and returns it."""
        def fits(r):
            return all(r.get(k) == v for k, v in want.items())
        runs = self.wait_runs(lambda runs: any(map(fits, runs)), f"a run with {want}", deadline)
        return next(filter(fits, runs))

    def output(self, run):
        answer = self.api("GET", f"/api/v1/runs/{run}/output")
        assert answer.status == 200, answer
        return answer.text


def make_folder():
    """A folder with a short path (a unix socket's may have 107 bytes) that only we may change."""
    return Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp"))


def remove_folder(folder):
    """Unless RUNBOOKD_KEEP is set, for a look at what a test left."""
    if os.environ.get("RUNBOOKD_KEEP"):
        return
    shutil.rmtree(folder, ignore_errors=True)
