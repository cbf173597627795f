"""Random histories of rules over several events, against a model that counts them anew for each event.

Two bridges on one Redis, whose clock is driven; each history has a value of `by` of its own, so that hundreds are played side by
side, and in the middle everything but Redis is killed. Ticks are not waited for: whether one or an event finds a gate over must not
matter. RUNBOOKD_TEST_SEED repeats a sequence; a failure prints the one that it had.
"""
import os
import random
from collections import Counter
from datetime import datetime, timezone

from alerts import alert, notification, timestamp
from harness import RedisServer, wait_for

T0 = 1735689600000
SECOND, MINUTE = 1000, 60_000
WITHIN, LATE = 10 * MINUTE, 4 * MINUTE
KEY = "rb:{default:0}:"
RULES = """
rules:
  - name: all
    all_of: ['event.type = all, data.a = y', 'event.type = all, data.b = y', 'event.type = all, data.c = y']
    by: [data.k]
    within: 10m
    steps: [{runbook: note, with: {what: "passed {{ data.k }}"}}]
    on_timeout: [{runbook: note, with: {what: "over {{ data.k }}"}}]
  - name: order
    sequence: ['event.type = order, data.a = y', 'event.type = order, data.b = y', 'event.type = order, data.c = y']
    by: [data.k]
    within: 10m
    steps: [{runbook: note, with: {what: "passed {{ data.k }}"}}]
    on_timeout: [{runbook: note, with: {what: "over {{ data.k }}"}}]
  - name: often
    match: event.type = often
    threshold: {count: 3, within: 10m, by: [data.k]}
    steps: [{runbook: note, with: {what: "passed {{ data.k }}"}}]
  - name: held
    all_of: [alertname = a, alertname = b, alertname = c]
    by: [instance]
    within: 10m
    steps: [{runbook: note, with: {what: "passed {{ labels.instance }}"}}]
    on_timeout: [{runbook: note, with: {what: "over {{ labels.instance }}"}}]
  - name: silent
    absent: event.type = silent
    every: 10m
    by: [data.k]
    steps: [{runbook: note, with: {what: "passed {{ data.k }}"}}]
"""
NOTE = "#!/bin/sh\n# ---\n# summary: note\n# params: {what: {required: true}}\n# ---\n"


class Gate:
    """all_of and sequence."""

    def __init__(self, ordered):
        self.ordered, self.events, self.ended, self.ran = ordered, [], None, Counter()

    def begins(self):
        """When its earliest event was, of a sequence its earliest first part; None: it has none."""
        return min((t for t, parts in self.events if not self.ordered or "a" in parts), default=None)

    def over(self, now):
        begins = self.begins()
        if begins is not None and begins + WITHIN <= now:
            self.ran["over"] += 1
            self.events, self.ended = [], begins + WITHIN
        elif begins is None and self.events and max(t for t, _ in self.events) + LATE <= now:
            self.events = []

    def complete(self):
        if not self.ordered:
            return set("abc") <= set("".join(parts for _, parts in self.events))
        reached = 0
        for _, parts in sorted(self.events, key=lambda e: e[0]):  # stable: those of one time as they came
            if reached < 3 and "abc"[reached] in parts:
                reached += 1
        return reached == 3

    def take(self, now, time, parts):
        if now - time > LATE:
            return "limit"
        self.over(now)
        if self.ended and time < self.ended or time + WITHIN <= now:
            return "limit"
        if self.events and max(t for t, _ in self.events) - time >= WITHIN:
            return "limit"
        self.events.append((time, parts))
        if not self.complete():
            return "pending"
        self.ran["passed"] += 1
        self.events, self.ended = [], now
        return "run"


class Held(Gate):
    """all_of with alerts, which are parts while they fire."""

    def __init__(self):
        super().__init__(False)
        self.firing = {}  # name: its startsAt

    def fire(self, now, name):
        if name in self.firing:
            return "duplicate"
        self.firing[name] = now
        return self.take(now, now, name)

    def resolve(self, now, name):
        self.over(now)
        self.events = [(t, part) for t, part in self.events if part != name]
        return self.firing.pop(name)


class Threshold:
    def __init__(self):
        self.times, self.ran = [], Counter()

    def over(self, now):
        pass

    def take(self, now, time, _):
        if now - time > LATE:
            return "limit"
        self.times.append(time)
        if not any(begin <= time < begin + WITHIN and sum(begin <= t < begin + WITHIN for t in self.times) >= 3 for begin in self.times):
            return "pending"
        self.ran["passed"] += 1
        self.times = []
        return "run"


class Absent:
    """All of its events are of now: whether a late one comes before the alarm is a matter of luck."""

    def __init__(self):
        self.last, self.ran = None, Counter()

    def over(self, now):
        if self.last is not None and self.last + WITHIN <= now:
            self.ran["passed"] += 1
            self.last = None

    def take(self, now, time, _):
        self.over(now)
        self.last = time
        return "pending"


MODELS = {"all": lambda: Gate(False), "order": lambda: Gate(True), "often": Threshold, "silent": Absent}


def rfc3339(time):
    return timestamp(datetime.fromtimestamp(time / 1000, timezone.utc))


def event_of(kind, key, time, parts):
    return {"type": kind, "time": rfc3339(time),
            "data": {"k": key, **{p: "y" if p in parts else "n" for p in "abc"}}}


def some_event(chance, kind, now):
    """(time, parts): of now, a little late, at the edges, or too late."""
    back = 0 if kind == "silent" else chance.choice([0, 0, 0, SECOND, chance.randrange(LATE), LATE, LATE + 1, 3 * LATE])
    parts = chance.choice("aaabbbccc") if chance.random() < 0.9 else "".join(sorted(chance.sample("abc", 2)))
    return now - back, parts


def pause(chance, step):
    """Short ones first, so that something of each kind is completed, whatever the seed."""
    short = [1, 2, SECOND, chance.randrange(1, LATE // 4)]
    return chance.choice(short if step < 8 else [*short, LATE, WITHIN - 1, WITHIN, chance.randrange(1, 2 * WITHIN)])


def send_alerts(rb, chance, held, now):
    """Of each key, one alert may resolve and another one fire. What was decided, and what it should have been."""
    ended, began, want = [], [], []
    for key, model in held.items():
        names = chance.sample("abc", 2)
        if names[0] in model.firing and chance.random() < 0.4:
            ended.append(alert({"alertname": names[0], "instance": key}, "resolved", rfc3339(model.resolve(now, names[0])), rfc3339(now)))
        if chance.random() < 0.6:
            want.append((key, model.fire(now, names[1])))
            began.append(alert({"alertname": names[1], "instance": key}, starts_at=rfc3339(model.firing[names[1]])))
    if ended:
        rb.post_alertmanager(notification(ended))
    got = [d["decision"] for d in rb.post_alertmanager(notification(began))["decisions"]] if began else []
    return [(key, g) for (key, _), g in zip(want, got, strict=True)], want


def test_random_histories_are_as_the_model_says(folder, runbookd):
    seed = int(os.environ.get("RUNBOOKD_TEST_SEED", random.randrange(1 << 32)))
    print(f"RUNBOOKD_TEST_SEED={seed}")
    chance = random.Random(seed)
    redis = RedisServer(folder).start()
    redis.drive_clock(T0)
    conf = {"redis": redis.url, "worker": {"enabled": False}, "limits": {"runs": "none", "hosts": "none", "queue": 1000000, "gate_late": "4m"}}
    bridges = [runbookd(rules=RULES, runbooks={"note.sh": NOTE}, conf=conf).start() for _ in range(2)]
    models = {f"{kind}-{i}": (kind, make()) for kind, make in MODELS.items() for i in range(80)}
    held = {f"held-{i}": Held() for i in range(80)}
    now, steps = T0, 24
    for step in range(steps):
        redis.set_clock(now)
        if step == steps // 2:
            for rb in bridges:
                rb.kill9_all()
                rb.start()
        sent = []
        for key, (kind, model) in models.items():
            for _ in range(chance.choice([0, 0, 1, 1, 2])):
                sent.append((key, kind, model, *some_event(chance, kind, now)))
        want = [model.take(now, time, parts) for _, _, model, time, parts in sent]
        answer = bridges[step % 2].api("POST", "/api/v1/events", [event_of(kind, key, time, parts) for key, kind, _, time, parts in sent])
        assert answer.status == 200, answer
        decisions = answer.json()["decisions"]
        got = [d["decision"] for d in decisions]
        wrong = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), None)
        assert wrong is None, (f"step {step} at {now}", sent[wrong], vars(sent[wrong][2]), decisions[wrong], want[wrong])
        assert len(got) == len(want)
        got, want = send_alerts(bridges[step % 2], chance, held, now)
        assert got == want, f"step {step} at {now}"
        now += pause(chance, step)
    now += WITHIN
    redis.set_clock(now)
    models.update({key: ("held", model) for key, model in held.items()})
    for _, model in models.values():
        model.over(now)
    want = {f"{what} {key}": n for key, (_, model) in models.items() for what, n in model.ran.items()}
    due = lambda: int(redis.ask("ZCOUNT", KEY + "gates", "-inf", str(now)))
    wait_for(lambda: due() == 0, "all that is over to be ended")
    assert Counter(run["params"]["what"] for run in bridges[0].items("runs")) == want
    # All that can come of them did.
    assert {what.split("-")[0] for what in want} == {
        "passed all", "over all", "passed order", "over order", "passed held", "over held", "passed often", "passed silent"}
    for rb in bridges:
        rb.stop()
    redis.kill()
