"""The same histories by runbookctl test and on a live bridge, worker and Redis: the same decisions and runs.

The live Redis has the library with its clock switched in, loaded before the bridge starts, which finds a library of its own
number and keeps it. So the clock can be driven to the very times of the history. All histories are played on one bridge at
the same time; they have rules and alerts of their own. What a clock that is driven cannot show is played in real time.
"""
import json
import re
import socket
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

from alerts import ZERO_TIME, timestamp
from harness import DEADLINE, RedisServer, program, wait_for
from histories import GLOBAL, GLOBAL_CONF, HISTORIES, REAL, RUNBOOKS, ms

T0 = 1735689600000  # TRIAL_T0
KEY = "rb:{default:0}:"
CONF = {"sources": {"am2": {"kind": "alertmanager"}}, "limits": {"runs": {"count": 100000, "per": "1m"}, "hosts": {"count": 100000, "per": "1m"}},
        "worker": {"lease": "1h", "slots": 64}}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ULID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")


def rfc3339(at):
    return timestamp(datetime.fromtimestamp(at / 1000, timezone.utc))


# ---- runbookctl test


def write_tree(folder, histories, conf):
    """Rules, runbooks and a configuration; and the tests as a file (JSON is YAML)."""
    for name in ("rules", "runbooks"):
        (folder / name).mkdir(mode=0o755, exist_ok=True)
    (folder / "rules" / "all.yml").write_text(json.dumps({"rules": [r for h in histories for r in h.rules]}, indent=1))
    (folder / "rules" / "all.test.yml").write_text(json.dumps({"tests": [h.test() for h in histories]}, indent=1))
    for name, text in RUNBOOKS.items():
        (folder / "runbooks" / name).write_text(text.replace("DIR", str(folder)))
        (folder / "runbooks" / name).chmod(0o755)
    (folder / "test.yml").write_text(json.dumps({"rules": ["rules/*.yml"], "runbooks": ["runbooks"], **conf}))


def by_trial(folder, histories, conf):
    """{history: its test in the answer of runbookctl}"""
    write_tree(folder, histories, conf)
    done = subprocess.run([program("runbookctl"), "test", "-o", "json", "-c", "test.yml", "rules/all.test.yml"], cwd=folder,
                          capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode in (0, 1) and not done.stderr, done
    return {t["name"]: t for t in json.loads(done.stdout)["tests"]}


def trial_decisions(test):
    return [(d["at_ms"], d["rule"], d["decision"], plain(d["reason"])) for d in test["decisions"]]


def trial_runs(test):
    return sorted((r["at_ms"], r["rule"], r["runbook"], r["attempt"], r["state"], tuple(sorted(r["params"].items())))
                  for r in test["runs"])


def plain(reason):
    """Ids differ, and times are of the same clock."""
    return ULID.sub("ID", reason)


def short(run):
    at, _, runbook, _, state, params = run
    return (at, runbook, state, *(f"{k}={v}" for k, v in params if v != "nothing"))


# ---- a live bridge


class Resp:
    """A connection to Redis, with what it answers as Python values."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        data = [w.encode() if isinstance(w, str) else w for w in words]
        self.socket.sendall(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in data))
        return self.read()

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise AssertionError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        n = int(rest)
        if kind == b"$":
            return None if n < 0 else self.file.read(n + 2)[:-2].decode()
        return [self.read() for _ in range(max(n, 0))]

    def close(self):
        self.socket.close()


class Live:
    """One bridge and worker on a Redis whose clock is driven; plays histories side by side."""

    def __init__(self, rb, histories):
        self.rb, self.histories = rb, histories
        self.redis_server = RedisServer(rb.folder)
        self.now = T0
        self.duplicates = []  # (at, rule, decision, reason): they leave no record
        self.taken = set()    # entries `run` that a run took: (history, index)
        self.held = {}        # go file: (end, line to write)
        for name in ("plan", "go"):
            (rb.folder / name).mkdir()
        for h in histories:
            for e in h.events:
                if "run" in e:
                    (rb.folder / "plan" / e["run"]["rule"]).touch()

    # -- life

    def start(self):
        self.redis_server.start()
        self.redis_server.drive_clock(T0)
        self.now = T0
        self.connect()
        self.rb.start()
        return self

    def connect(self):
        self.redis = Resp(self.redis_server.socket)
        self.monitor = Resp(self.redis_server.socket)
        assert self.monitor("MONITOR") == "OK"

    def kill_and_start(self):
        """As a power cut; nothing of it may change what is decided."""
        self.rb.kill9_all()
        self.redis_server.kill()
        self.redis_server.start()
        self.connect()
        self.rb.start()

    # -- time

    def set_clock(self, at):
        self.now = at
        self.redis("SET", KEY + "clock", str(at))

    def wait_tick(self):
        """Until the bridge has called the tick on the clock as it is now: MONITOR shows calls in their order."""
        self.redis("ECHO", f"now {self.now}")
        seen = False
        while True:
            line = self.monitor.read()
            seen = seen or f'"ECHO" "now {self.now}"' in line
            if seen and "rb_tick_v1" in line:
                return

    def settled(self):
        """Nothing is ready, nothing is running but what is held, nothing waits in the inbox."""
        before = self.redis("XREVRANGE", KEY + "bus", "+", "-", "COUNT", "1")
        self.answer_runs()
        quiet = (self.redis("ZCOUNT", KEY + "queue:default", "-inf", str(self.now)) == 0
                 and self.redis("ZCARD", KEY + "leases") == len(self.held)
                 and self.redis("XLEN", KEY + "inbox") == 0)
        return quiet and before == self.redis("XREVRANGE", KEY + "bus", "+", "-", "COUNT", "1")

    def settle(self):
        wait_for(self.settled, f"all that can happen at {self.now - T0} ms to have happened")

    # -- runs

    def entry_for(self, rule, runbook):
        """As runbookctl test has it: the first entry of rule and runbook from now on that no run took."""
        for h in self.histories:
            for i, e in enumerate(h.events):
                run = e.get("run")
                if not run or (run["rule"], run["runbook"]) != (rule, runbook) or (h.name, i) in self.taken:
                    continue
                if T0 + ms(e["at"]) >= self.now and ("started" not in run or T0 + ms(run["started"]) == self.now):
                    self.taken.add((h.name, i))
                    return e
        return None

    def answer_runs(self):
        """Runs that wait for being told how to end."""
        for waits in (self.rb.folder / "go").glob("*.waits"):
            go = waits.with_suffix("")
            runbook = Path(waits.read_text().strip()).stem
            waits.unlink()
            rule = self.redis("HGET", KEY + "run:" + go.name.split(".")[0], "rule")
            entry = self.entry_for(rule, runbook)
            status = {"succeeded": 0, "failed": 1, "retry": 75}[entry["run"]["outcome"]] if entry else 0
            line = f"{status} {entry['run'].get('output', '') if entry else ''}\n"
            if entry and T0 + ms(entry["at"]) > self.now:
                self.held[go] = (T0 + ms(entry["at"]), line)
            else:
                self.tell(go, line)
        for go in [g for g, _ in self.held.items() if self.run_is_over(g)]:
            del self.held[go]

    def run_is_over(self, go):
        return self.redis("HGET", KEY + "run:" + go.name.split(".")[0], "state") != "running"

    @staticmethod
    def tell(go, line):
        new = go.with_suffix(go.suffix + ".new")
        new.write_text(line)
        new.rename(go)

    def end_runs(self):
        for go, (end, line) in list(self.held.items()):
            if end <= self.now:
                del self.held[go]
                self.tell(go, line)

    # -- events

    def payload(self, history, event, at):
        """As runbookctl test makes it: startsAt is the event's own time, or that of the occurrence."""
        known = self.known.setdefault(history.name, {})
        if "alert" in event:
            alert = event["alert"]
            key = (alert.get("source", "alertmanager"), tuple(sorted(alert["labels"].items())))
            k = known.setdefault(key, {"labels": alert["labels"], "firing": False, "starts": at})
            if "starts_at" in alert:
                k["starts"] = T0 + ms(alert["starts_at"])
            elif not k["firing"]:
                k["starts"] = at
            k["firing"] = True
            yield key[0], self.message(k, at)
            return
        for (source, _), k in known.items():
            if k["firing"] and event["resolve"].items() <= k["labels"].items():
                k["firing"] = False
                yield source, self.message(k, at)

    @staticmethod
    def message(k, at):
        return {"version": "4", "alerts": [{"status": "firing" if k["firing"] else "resolved", "labels": k["labels"], "annotations": {},
                                            "startsAt": rfc3339(k["starts"]), "endsAt": ZERO_TIME if k["firing"] else rfc3339(at)}]}

    def post(self, history, event):
        for source, payload in self.payload(history, event, self.now):
            answer = self.rb.post_alertmanager(payload, source=source)
            if answer["duplicate"]:
                self.duplicates += [(self.now - T0, d["rule"], d["decision"], plain(d["reason"])) for d in answer["decisions"]]

    # -- the whole

    def play(self, due, restarts=()):
        """due: times at which something falls due, as the trial saw it; a millisecond before, nothing may have happened."""
        self.known = {}
        at_of = lambda e: T0 + ms(e["at"])
        times = {at_of(e) for h in self.histories for e in h.events}
        due = {T0 + d for d in due} | {T0 + s for h in self.histories for s in h.stops}
        for at in sorted(times | due | {d - 1 for d in due if d > T0} | {T0 + r for r in restarts}):
            if at > self.now:
                self.set_clock(at)
            if at - T0 in restarts:
                assert not self.held, f"no run may be under way at the restart at {at - T0} ms"
                self.kill_and_start()
            if at in due or at + 1 in due:
                self.wait_tick()
            self.settle()
            self.end_runs()
            self.settle()
            rows = [[e for e in h.events if "run" not in e and at_of(e) == at] for h in self.histories]
            for i in range(max(map(len, rows))):
                for h, row in zip(self.histories, rows):
                    if i < len(row):
                        self.post(h, row[i])
                self.settle()

    def decisions(self, history):
        """All, in the order of time; at one time in that of the bus, then those that are only in answers."""
        found = []
        for sid, fields in self.redis("XRANGE", KEY + "bus", "-", "+"):
            record = dict(zip(fields[::2], fields[1::2]))
            at = int(sid.split("-")[0]) - T0
            found += [(at, d["rule"], d["decision"], plain(d["reason"])) for d in json.loads(record["decisions"])]
        return [d for d in sorted(found + self.duplicates, key=lambda d: d[0]) if history.owns(d[1])]

    def runs(self, history):
        """Those that started: an attempt that was followed by another one is in the audit alone."""
        changes = [json.loads(row[1][1]) for row in self.redis("XRANGE", KEY + "audit", "-", "+")]
        changes = [a for a in changes if a["what"] == "run" and a["from"] != a["to"] and history.owns(a["rule"] or "")]
        starts = {(a["run"], a["attempt"]): since(a["time"]) for a in changes if a["to"] == "running"}
        params = {r["id"]: tuple(sorted(r["params"].items())) for r in self.items}
        return sorted((starts[a["run"], a["attempt"]], a["rule"], a["runbook"], a["attempt"],
                       "failed" if a["to"] == "queued" else a["to"], params[a["run"]]) for a in changes if a["from"] == "running")


def since(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000) - T0


def due_times(histories, tests):
    """When the trial decided or started something though no event came and no run ended."""
    return {x["at_ms"] for h in histories for x in tests[h.name]["decisions"] + tests[h.name]["runs"]
            if x["at_ms"] not in {ms(e["at"]) for e in h.events}}


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """What runbookctl test makes of all histories."""
    return by_trial(tmp_path_factory.mktemp("histories"), HISTORIES, CONF)


def play_live(runbookd, histories, conf, tests, restarts=()):
    rb = runbookd(conf={**conf, "worker": {**CONF["worker"], "user": "root"}})
    write_tree(rb.folder, histories, {})
    (rb.folder / "rules" / "all.test.yml").unlink()
    live = Live(rb, histories)
    rb.configure({"redis": live.redis_server.url, **conf})
    try:
        live.start()
        live.play(due_times(histories, tests), restarts)
        live.items = rb.items("runs")
        return {h.name: (live.decisions(h), live.runs(h)) for h in histories}
    finally:
        rb.close()
        live.redis_server.kill()


def same(histories, tests, lived):
    for h in histories:
        decisions, runs = lived[h.name]
        assert decisions == trial_decisions(tests[h.name]), h.name
        assert runs == trial_runs(tests[h.name]), h.name


def test_there_are_enough_histories():
    names = [h.name for h in HISTORIES + GLOBAL]
    assert len(names) >= 60 and len(set(names)) == len(names)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: h.name)
def test_trial_decides_as_it_is_written(trials, history):
    test = trials[history.name]
    assert test["passed"], test["failures"]
    assert [d[:3] for d in trial_decisions(test)] == history.decisions
    if history.runs is not None:
        assert [short(r) for r in trial_runs(test)] == [(ms(r[0]), *r[1:]) for r in history.runs]


def test_live_bridge_decides_the_same(runbookd, trials):
    same(HISTORIES, trials, play_live(runbookd, HISTORIES, CONF, trials))


def test_live_bridge_decides_the_same_over_restarts(runbookd, trials):
    """Everything is killed while rules are pending, cooldowns and limits hold, and an alert flaps."""
    restarts = {ms("5m") + 1, ms("15m"), ms("29m")}
    same(HISTORIES, trials, play_live(runbookd, HISTORIES, CONF, trials, restarts))


def test_global_limits_are_the_same(runbookd, folder):
    tests = by_trial(folder, GLOBAL, GLOBAL_CONF)
    for h in GLOBAL:
        assert [d[:3] for d in trial_decisions(tests[h.name])] == h.decisions
    same(GLOBAL, tests, play_live(runbookd, GLOBAL, GLOBAL_CONF, tests))


class RealTime(Live):
    """The same on runbookd's own Redis with its own clock: nothing is driven, events come when their time has come."""

    def start(self):
        self.rb.start()
        self.redis = Resp(self.rb.state_dir / "redis.sock")
        return self

    def clock(self):
        seconds, us = self.redis("TIME")
        return int(seconds) * 1000 + int(us) // 1000

    def play(self, due, restarts=()):
        self.known, start = {}, self.clock()
        entries = sorted(((ms(e["at"]), i, h, e) for h in self.histories for i, e in enumerate(h.events)), key=lambda x: x[:2])
        for at, i, h, e in [*entries, (max(due), 0, None, None)]:
            self.now = T0 + at  # on the histories' clock, for answer_runs
            wait_for(lambda: self.answer_runs() or self.clock() >= start + at, f"{at} ms to have passed")
            if h and "run" in e:
                wait_for(lambda: self.answer_runs() or (h.name, i) in self.taken, f"the run that ends at {at} ms")
            self.end_runs()
            if h and "run" not in e:
                self.now = self.clock()
                self.post(h, e)
            start = max(start, self.clock() - at)  # what comes next comes as long after this as it says


def test_real_time_is_the_same(runbookd, folder):
    """Without any clock of ours: in which order what is decided and run."""
    tests = by_trial(folder, REAL, {})
    rb = runbookd()
    write_tree(rb.folder, REAL, {})
    live = RealTime(rb, REAL).start()
    live.play({x["at_ms"] for t in tests.values() for x in t["decisions"] + t["runs"]})
    for h in REAL:
        want = [d[1:3] for d in trial_decisions(tests[h.name])]
        assert want == [d[1:] for d in h.decisions]
        wait_for(lambda: [d[1:3] for d in live.decisions(h)] == want, f"{h.name} to decide {want}")
    live.items = rb.wait_runs(lambda runs: live.answer_runs() or all(r["state"] not in ("queued", "running") for r in runs),
                              "all runs to end")
    for h in REAL:
        assert [r[1:] for r in live.runs(h)] == [r[1:] for r in trial_runs(tests[h.name])], h.name
