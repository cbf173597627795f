"""runbookctl test: files of tests are read, played on a clock of their own, and judged."""
import json
import os
import re
import signal
import subprocess

import pytest

from harness import DEADLINE, alive, descendants, program, wait_for

LOOK = "#!/bin/sh\n# ---\n# summary: look\n# params: {path: {default: /}, n: {type: int, default: 1}}\n# ---\n"
MEND = "#!/bin/sh\n# ---\n# summary: mend\n# params: {path: {required: true}}\n# retries: {max: 1, backoff: 10s}\n# ---\n"
RULES = """
rules:
  - name: disk
    match: 'alertname =~ "Disk.*", mountpoint = "/var/log"'
    cooldown: 30m
    steps:
      - runbook: look
      - {runbook: mend, with: {path: "{{ labels.mountpoint }}"}}
  - name: seen
    match: 'alertname = Seen'
    when: resolved
    steps: [{runbook: look}]
  - name: either
    any: ['alertname = A', 'severity = critical']
    steps: [{runbook: look}]
  - name: deploys
    match: 'event.type = deploy, data.env = prod'
    steps: [{runbook: look, with: {path: "{{ data.path }}", n: "{{ data.n }}"}}]
  - name: chain
    match: alertname = Chain
    steps: [{runbook: look}, {runbook: mend, with: {path: "{{ steps.look.output }}"}}]
  - name: dry
    match: alertname = Dry
    mode: dry_run
    steps: [{runbook: look}]
  - name: broken
    match: alertname = Broken
    steps: [{runbook: mend, with: {path: "{{ labels.none }}"}}]
"""
DISK = "{at: %s, alert: {labels: {alertname: DiskFull, mountpoint: /var/log}}}"


@pytest.fixture
def tests(folder):
    """Writes a file of tests beside RULES and plays it: tests("  - name: …") -> the finished process."""
    for name in ("rules", "runbooks"):
        (folder / name).mkdir(mode=0o755)
    (folder / "rules" / "all.yml").write_text(RULES)
    for name, text in {"look.sh": LOOK, "mend.sh": MEND}.items():
        (folder / "runbooks" / name).write_text(text)
        (folder / "runbooks" / name).chmod(0o755)

    def play(text, *args, name="rules/all.test.yml"):
        (folder / name).write_text(text)
        return run_tests(folder, *args, name)

    play.folder = folder
    return play


def run_tests(folder, *args):
    return subprocess.run([program("runbookctl"), "test", *args], cwd=folder, capture_output=True, text=True, timeout=DEADLINE)


def one(events, **expect):
    """A file with one test, as JSON is YAML; events as YAML texts."""
    lines = ["tests:", "  - name: t", "    events:", *(f"      - {e}" for e in events)]
    lines += [f"    {key}: {json.dumps(value)}" for key, value in expect.items()]
    return "\n".join(lines) + "\n"


PASSING = [
    # a resend is a duplicate; steps follow each other at once
    (([DISK % "0s", DISK % "5m"]),
     [{"at": "0s", "rule": "disk", "runbook": "look"}, {"at": "0s", "rule": "disk", "runbook": "mend", "with": {"path": "/var/log"}},
      {"at": "5m", "rule": "disk", "decision": "duplicate"}]),
    # a resolve ends the occurrence, a cooldown holds the next one back to the millisecond
    (([DISK % "0s", "{at: 1m, resolve: {alertname: DiskFull}}", DISK % "1799s999ms", "{at: 1799999ms, resolve: {alertname: DiskFull}}",
       DISK % "30m"]),
     [{"at": "0s", "rule": "disk", "runbook": "look"}, {"at": "0s", "rule": "disk", "runbook": "mend"},
      {"at": "1799999ms", "rule": "disk", "decision": "cooldown"},
      {"at": "30m", "rule": "disk", "runbook": "look"}, {"at": "30m", "rule": "disk", "runbook": "mend"}]),
    # a run takes until its entry, and its failure ends the chain
    (([DISK % "0s", "{at: 4m, run: {rule: disk, runbook: look, outcome: failed}}"]), [{"at": "0s", "rule": "disk", "runbook": "look"}]),
    (([DISK % "0s", "{at: 4m, run: {rule: disk, runbook: look}}"]),
     [{"at": "0s", "rule": "disk", "runbook": "look"}, {"at": "4m", "rule": "disk", "runbook": "mend"}]),
    # exit status 75 comes again after its backoff
    (([DISK % "0s", "{at: 1m, run: {rule: disk, runbook: mend, outcome: retry}}"]),
     [{"at": "0s", "rule": "disk", "runbook": "look"}, {"at": "0s", "rule": "disk", "runbook": "mend"},
      {"at": "70s", "rule": "disk", "runbook": "mend"}]),
    # what a step printed
    (["{at: 0s, alert: {labels: {alertname: Chain}}}", "{at: 9s, run: {rule: chain, runbook: look, output: /srv}}"],
     [{"at": "0s", "rule": "chain", "runbook": "look"}, {"at": "9s", "rule": "chain", "runbook": "mend", "with": {"path": "/srv"}}]),
    # when: resolved; each alert that has these labels
    (["{at: 0s, alert: {labels: {alertname: Seen, instance: a}}}", "{at: 0s, alert: {labels: {alertname: Seen, instance: b}}}",
      "{at: 9s, resolve: {alertname: Seen}}"], [{"at": "9s", "rule": "seen"}, {"at": "9s", "rule": "seen", "runbook": "look"}]),
    (["{at: 0s, event: {type: deploy, data: {env: prod, path: /srv, n: 7}}}"],
     [{"at": "0s", "rule": "deploys", "with": {"path": "/srv", "n": "7"}, "runbook": "look"}]),
    (["{at: 0s, alert: {labels: {alertname: Dry}}}"], [{"rule": "dry", "decision": "dry_run"}]),
    (["{at: 0s, alert: {labels: {alertname: Broken}}}"], [{"rule": "broken", "decision": "error"}]),
    # starts_at makes an occurrence of its own; another source another alert
    (["{at: 0s, alert: {labels: {alertname: A}}}", "{at: 20m, alert: {labels: {alertname: A}, starts_at: 20m}}",
      "{at: 20m, alert: {labels: {alertname: A}, source: am2}}"],
     [{"at": "0s", "rule": "either"}, {"at": "20m", "rule": "either"}, {"at": "20m", "rule": "either"}]),
]


@pytest.mark.parametrize("events, expect", PASSING)
def test_what_happens_is_expected(tests, events, expect):
    done = tests(one(events, expect=expect, exact=True))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 passed, 0 failed\n", "")


def altered(expect):
    """Each expectation with one thing changed; all of which are then wrong."""
    for i, entry in enumerate(expect):
        changes = [{"at": "123456ms"}]
        if "decision" in entry:
            changes.append({"decision": "paused"})
        else:
            changes.append({"with": {"path": "/else"}, "runbook": entry.get("runbook", "look")})
        for change in changes:
            yield expect[:i] + [{**entry, **change}] + expect[i + 1:]


@pytest.mark.parametrize("events, expect", PASSING)
def test_each_expectation_can_fail(tests, events, expect):
    cases = list(altered(expect))
    text = "tests:\n" + "".join(one(events, expect=e).replace("tests:\n", "").replace("name: t", f"name: t{i}")
                                for i, e in enumerate(cases))
    done = tests(text)
    assert done.returncode == 1 and done.stdout.endswith(f"\n0 passed, {len(cases)} failed\n"), done


def test_two_expectations_need_two_runs(tests):
    entry = {"rule": "disk", "runbook": "look"}
    done = tests(one([DISK % "0s"], expect=[entry, entry]))
    assert done.returncode == 1 and "(which is expected in another entry)" in done.stdout, done


def test_expectations_are_met_in_any_order(tests):
    done = tests(one([DISK % "0s"], expect=[{"rule": "disk"}, {"rule": "disk", "runbook": "look"}], exact=True))
    assert done.returncode == 0, done


@pytest.mark.parametrize("event, more, got", [
    (DISK % "0s", {"expect_none": ["disk"]}, "rule 'disk' at 0s: ran 'look' with path='/' n='1'"),
    (DISK % "0s", {"exact": True}, "rule 'disk' at 0s: ran 'mend' with path='/var/log'"),
    ("{at: 0s, alert: {labels: {alertname: Dry}}}", {"expect_none": ["dry"]}, "rule 'dry' at 0s: dry_run"),
    ("{at: 0s, alert: {labels: {alertname: Dry}}}", {"exact": True}, "rule 'dry' at 0s: dry_run"),
    ("{at: 0s, resolve: {alertname: Disk}}", {"exact": True}, "none does"),
    ("{at: 0s, run: {rule: disk, runbook: look}}", {"exact": True}, "none that no other entry took"),
])
def test_what_is_not_expected_fails(tests, event, more, got):
    done = tests(one([event], **more))
    assert done.returncode == 1 and f"  got       {got}\n" in done.stdout, done
    assert done.stdout.endswith("\n0 passed, 1 failed\n")


def test_failure_says_what_and_why(tests):
    done = tests(one([DISK % "0s", "{at: 1m, resolve: {alertname: DiskFull}}", DISK % "2m"],
                     expect=[{"at": "2m", "rule": "disk", "runbook": "mend", "with": {"path": "/var/log"}}]))
    assert done.stdout == """\
rules/all.test.yml:7: t
  expected  at 2m: rule 'disk' runs 'mend' with path='/var/log'
  got       at 0s: ran 'look' with path='/' n='1'; at 0s: ran 'mend' with path='/var/log'
  why       at 0s: run (matched) on alert {alertname="DiskFull", mountpoint="/var/log"} (line 4)
            at 2m: cooldown (in cooldown until 2025-01-01T00:30:00.000Z) on alert {alertname="DiskFull", mountpoint="/var/log"} (line 6)
0 passed, 1 failed
"""


@pytest.mark.parametrize("rule, event, why", [
    ("disk", "{at: 0s, alert: {labels: {alertname: DiskFull, mountpoint: /var}}}",
     "its matcher mountpoint = \"/var/log\" does not hold: the value is '/var'"),
    ("disk", "{at: 0s, alert: {labels: {alertname: Other}}}", "its matcher alertname =~ \"Disk.*\" does not hold: the value is 'Other'"),
    ("either", "{at: 0s, alert: {labels: {alertname: B}}}", "none of its 'any' holds: the last fails at severity = critical, where the value is ''"),
    ("seen", "{at: 0s, alert: {labels: {alertname: Seen}}}", "it is for events that are 'resolved' (when), and this one is firing"),
])
def test_failure_names_the_first_condition_that_fails(tests, rule, event, why):
    done = tests(one([event], expect=[{"rule": rule}]))
    assert done.returncode == 1 and re.search(r"^  why  .*: " + re.escape(why) + "$", done.stdout, re.M), done


FIRES = ["{at: 0s, alert: {labels: {alertname: DiskFull, mountpoint: /a}}}", "{at: 1m, alert: {labels: {alertname: DiskFull, mountpoint: /a}}}",
         "{at: 2m, alert: {labels: {alertname: DiskFull, mountpoint: /b}}}", "{at: 5m, resolve: {mountpoint: /a}}",
         "{at: 9m, alert: {labels: {alertname: DiskFull, mountpoint: /a}}}"]


def test_alerts_are_expected_to_fire_and_to_resolve(tests):
    """By some of their labels; a resend of one that fires is none, and each entry is met by an alert of its own."""
    met = [{"at": "0s", "alert": {"alertname": "DiskFull", "mountpoint": "/a"}}, {"at": "2m", "alert": {"mountpoint": "/b"}},
           {"at": "5m", "resolved": {"alertname": "DiskFull"}}, {"alert": {"alertname": "DiskFull"}}]
    done = tests(one(FIRES, expect=met))
    assert (done.returncode, done.stdout) == (0, "1 passed, 0 failed\n"), done
    answer = json.loads(tests(one(FIRES, expect=met), "-o", "json").stdout)
    assert [(a["at_ms"], a["status"], a["labels"]["mountpoint"]) for a in answer["tests"][0]["alerts"]] == [
        (0, "firing", "/a"), (120000, "firing", "/b"), (300000, "resolved", "/a"), (540000, "firing", "/a")]


@pytest.mark.parametrize("expectation, got", [
    ({"at": "1m", "alert": {"mountpoint": "/a"}}, 'at 0s: alert {alertname="DiskFull", mountpoint="/a"} fires'),
    ({"alert": {"alertname": "DiskFull", "mountpoint": "/c"}}, 'at 2m: alert {alertname="DiskFull", mountpoint="/b"} fires'),
    ({"at": "5m", "resolved": {"mountpoint": "/b"}}, 'at 5m: alert {alertname="DiskFull", mountpoint="/a"} resolves'),
])
def test_an_alert_that_does_not_come(tests, expectation, got):
    done = tests(one(FIRES, expect=[expectation]))
    assert done.returncode == 1 and got in done.stdout and done.stdout.endswith("0 passed, 1 failed\n"), done


def test_a_pattern_that_must_not_fire(tests):
    (tests.folder / "rules" / "words.yml").write_text("patterns: [{name: Word, match: 'some word'}]\n")
    event = "{at: 3s, alert: {labels: {alertname: %s}}}"
    done = tests(one([event % "Other"], expect_none=["Word"]))
    assert (done.returncode, done.stdout) == (0, "1 passed, 0 failed\n"), done
    done = tests(one([event % "Word"], expect_none=["Word"]))
    assert done.returncode == 1 and "no alert 'Word' fires" in done.stdout and 'at 3s: alert {alertname="Word"} fires' in done.stdout, done
    done = tests(one([event % "Word"], expect=[{"alert": {"alertname": "Word"}}], expect_none=["Word"]))
    assert done.returncode == 3 and "the pattern 'Word' is in 'expect', too" in done.stdout, done


LOG_PATTERNS = r"""
patterns:
  - name: ssh-bruteforce
    source: '{unit="ssh.service"}'
    match: 'Failed password for (?<user>\S+) from (?<ip>\S+)'
    threshold: {count: 3, within: 2m, by: [ip]}
    resolve: {after: 10m, match: 'Accepted password for \S+ from (?<ip>\S+)'}
rules:
  - name: block
    match: 'alertname = ssh-bruteforce'
    steps: [{runbook: look, with: {path: "/{{ labels.ip }}"}}]
"""


def line(at, text, labels="{unit: ssh.service}"):
    return f"{{at: {at}, log: {{line: '{text}', labels: {labels}}}}}"


def test_lines_of_logs_raise_alerts(tests):
    (tests.folder / "rules" / "ssh.yml").write_text(LOG_PATTERNS)
    fail = "Dec 10 06:55:46 web-1 sshd[24200]: Failed password for root from 192.0.2.7 port 22 ssh2"
    other = fail.replace(".7 ", ".8 ")
    events = [line("0s", fail), line("30s", fail), line("40s", other), line("90s", fail), line("5m", fail)]
    fires = {"at": "90s", "alert": {"alertname": "ssh-bruteforce", "ip": "192.0.2.7", "host": "web-1"}}
    runs = {"at": "90s", "rule": "block", "runbook": "look", "with": {"path": "/192.0.2.7"}}
    quiet = {"at": "15m", "resolved": {"alertname": "ssh-bruteforce", "ip": "192.0.2.7"}}
    done = tests(one(events, expect=[fires, runs, quiet], exact=True))
    assert (done.returncode, done.stdout) == (0, "1 passed, 0 failed\n"), done
    # Each of the expectations can fail.
    for key, at in ((fires, "89s"), (runs, "91s"), (quiet, "14m")):
        done = tests(one(events, expect=[{**key, "at": at}]))
        assert done.returncode == 1, done
    # The third one too late; without the label; resolved by its counter-pattern, and then anew.
    done = tests(one([line("0s", fail), line("30s", fail), line("2m", fail)], expect_none=["ssh-bruteforce", "block"]))
    assert done.returncode == 0, done
    done = tests(one([line("0s", fail, "{unit: cron}")] * 3, expect_none=["ssh-bruteforce"]))
    assert done.returncode == 0, done
    back = line("100s", "Accepted password for root from 192.0.2.7")
    done = tests(one([*events[:4], back, *[line(f"{s}s", fail) for s in (101, 102, 103)]],
                     expect=[fires, {"at": "100s", "resolved": {"ip": "192.0.2.7"}}, {**fires, "at": "103s"}]))
    assert done.returncode == 0, done
    # A JSON object is one, as from a shipper.
    json_line = '{"message": "Failed password for eve from 192.0.2.9", "unit": "ssh.service"}'
    done = tests(one([line(f"{s}s", json_line, "{}") for s in range(3)], expect=[{"alert": {"user": "eve", "ip": "192.0.2.9"}}]))
    assert done.returncode == 0, done


def test_pauses_are_played(tests):
    def disk(at):
        return f"{{at: {at}, alert: {{starts_at: {at}, labels: {{alertname: DiskFull, mountpoint: /var/log}}}}}}"

    for what in ("rule: disk", "runbook: mend", "all: true", "matchers: 'mountpoint=~\"/var/.*\"'"):
        pause = f"{{at: 1m, pause: {{{what}, for: 2h, reason: disks move}}}}"
        paused = {"at": "10m", "rule": "disk", "decision": "paused"}
        done = tests(one([pause, disk("10m"), disk("3h")], expect=[paused, {"at": "3h", "rule": "disk", "runbook": "look"}]))
        assert done.returncode == 0, done
        done = tests(one([pause, f"{{at: 2m, resume: {{{what}}}}}", disk("10m")], expect=[paused]))
        assert done.returncode == 1 and "at 10m: run" in done.stdout, done
        # A step that is queued meanwhile waits until the pause ends, by itself or by hand.
        look = "{at: 30m, run: {rule: disk, runbook: look}}"
        for more, at in (("", "121m"), (f"{{at: 40m, resume: {{{what}}}}}", "40m")):
            done = tests(one([disk("0s"), pause, look, *[e for e in [more] if e]], expect=[{"at": at, "rule": "disk", "runbook": "mend"}]))
            assert done.returncode == 0, done
    done = tests(one([disk("0s"), "{at: 1m, resume: {rule: disk}}"], exact=True))
    assert done.returncode == 1 and "'rule disk' is paused and can resume" in done.stdout, done


@pytest.mark.parametrize("text, finding", [
    (one(["{at: 0s, pause: {rule: disc, for: 1h}}"], exact=True), "there is no rule 'disc', did you mean 'disk'?"),
    (one(["{at: 0s, pause: {runbook: lok, for: 1h}}"], exact=True), "did you mean 'look'"),
    (one(["{at: 0s, pause: {rule: disk}}"], exact=True), "a pause has a 'for'"),
    (one(["{at: 0s, pause: {for: 1h}}"], exact=True), "say what is paused"),
    (one(["{at: 0s, pause: {rule: disk, all: true, for: 1h}}"], exact=True), "at a time"),
    (one(["{at: 0s, pause: {all: false, for: 1h}}"], exact=True), "'all' is true"),
    (one(["{at: 0s, pause: {matchers: 'a =~ \"[0-9]\"', for: 1h}}"], exact=True), "more than words"),
    (one(["{at: 0s, resume: {rule: disk, for: 1h}}"], exact=True), "leave 'for' out"),
    (one(["{at: 0s, resume: {}}"], exact=True), "say which pause ends"),
    ("tests:\n  - nam: t\n", "2:5: unknown key 'nam' in a test, did you mean 'name'?"),
    (one(["{at: 0s, alert: {label: {a: b}}}"], exact=True), "4:26: unknown key 'label' in an alert, did you mean 'labels'?"),
    (one(["{at: 0s, alert: {labels: {a: b}}}"], exact=True, expects=[]), "unknown key 'expects' in a test, did you mean 'expect'?"),
    (one(["{at: soon, alert: {labels: {a: b}}}"], exact=True), "4:14: want a duration such as 500ms, 30s, 5m, 2h or 30d, got 'soon'"),
    (one(["{alert: {labels: {a: b}}}"], exact=True), "an event has an 'at'"),
    (one(["{at: 0s}"], exact=True), "say what comes: 'alert', 'resolve', 'event', 'log', 'run', 'pause' or 'resume'"),
    (one(["{at: 0s, alert: {labels: {a: b}}, event: {type: x}}"], exact=True), "this entry is 'alert' already"),
    (one(["{at: 0s, log: {source: sshd}}"], exact=True), "a line of a log has a 'line'"),
    (one(["{at: 0s, log: {line: x, label: {a: b}}}"], exact=True), "unknown key 'label' in a line of a log, did you mean 'labels'?"),
    (one([DISK % "0s"]), "this test cannot fail"),
    (one([DISK % "0s"], expect=[]), "this test cannot fail"),
    (one([DISK % "0s"], exact=False), "this test cannot fail"),
    (one([DISK % "0s"], expect=[{"rule": "disc"}]), "there is no rule 'disc', did you mean 'disk'?"),
    (one([DISK % "0s"], expect_none=["disc"]), "there is no rule 'disc', did you mean 'disk'?"),
    (one([DISK % "0s"], expect=[{"rule": "disk", "runbook": "lok"}]), "the rule 'disk' has no step 'lok', did you mean 'look'?"),
    (one([DISK % "0s"], expect=[{"rule": "disk", "runbook": "look", "with": {"pth": "/"}}]),
     "the runbook 'look' has no parameter 'pth', did you mean 'path'?"),
    (one([DISK % "0s"], expect=[{"rule": "disk", "decision": "cool"}]), "want one of run, pending, approval"),
    (one([DISK % "0s"], expect=[{"rule": "disk", "decision": "run", "runbook": "look"}]), "'decision' is about the rule alone"),
    (one([DISK % "0s"], expect=[{"rule": "disk"}], expect_none=["disk"]), "the rule 'disk' is in 'expect', too"),
    (one([DISK % "0s"], expect=[{"at": "0s"}]), "say which 'rule' is expected to do something, or which 'alert' to fire"),
    (one([DISK % "0s"], expect=[{"alert": {}}]), "say which alert, by some of its labels"),
    (one([DISK % "0s"], expect=[{"alert": {"a": "b"}, "resolved": {"a": "b"}}]), "an entry is about one alert that fires or resolves"),
    (one([DISK % "0s"], expect=[{"alert": {"a": "b"}, "rule": "disk"}]), "an entry is about an alert or about a rule"),
    (one([DISK % "0s"], expect=[{"resolved": {"a": "b"}, "decision": "run"}]), "an entry is about an alert or about a rule"),
    (one(["{at: 1s, run: {rule: disk, runbook: look, outcome: fine}}"], exact=True), "want one of succeeded, failed, timed_out"),
    (one(["{at: 1s, run: {rule: disk, runbook: page}}"], exact=True), "the rule 'disk' has no step 'page'"),
    ("tests:\n" + 2 * one([DISK % "0s"], exact=True).replace("tests:\n", ""), "the name 't' is also that of the test in line 2"),
    ("tests: [", ""),
    ("", "want a file of tests here"),
])
def test_a_bad_file_is_read_to_its_end_and_refused(tests, text, finding):
    done = tests(text)
    assert done.returncode == 3 and done.stdout.endswith("\n0 passed, 0 failed\n"), done
    assert re.search(r"^rules/all\.test\.yml:\d+:\d+: .*", done.stdout, re.M) and finding in done.stdout, done


def test_good_files_are_played_beside_a_bad_one(tests):
    (tests.folder / "rules" / "bad.test.yml").write_text("tests: 5\n")
    done = tests(one([DISK % "0s"], expect=[{"rule": "disk"}]), "rules/bad.test.yml", "rules/not-there.test.yml")
    assert done.returncode == 3 and done.stdout.endswith("1 passed, 0 failed\n"), done
    assert "bad.test.yml:1:8: want a list of tests here" in done.stdout and "not-there.test.yml" in done.stdout


def test_rules_that_cannot_be_read(tests):
    (tests.folder / "rules" / "all.yml").write_text("rules: [{name: x}]\n")
    done = tests(one([DISK % "0s"], exact=True))
    assert done.returncode == 3 and "rules/all.yml:1:9: " in done.stdout, done


def test_no_rules_beside_the_file(tests):
    (tests.folder / "elsewhere").mkdir()
    done = tests(one([DISK % "0s"], exact=True), name="elsewhere/x.test.yml")
    assert done.returncode == 3 and "no rules or log patterns stand beside the test" in done.stdout, done


def test_maintenance_and_inhibition_hold(tests):
    (tests.folder / "rules" / "runbookd.yml").write_text("""
rules: ["all.yml"]
runbooks: [../runbooks]
maintenance: [{name: move, match: 'alertname = A', from: 2025-01-01T01:00:00Z, until: 2025-01-01T02:00:00Z}]
inhibit: [{source_matchers: severity = critical, target_matchers: alertname = DiskFull, equal: [instance]}]
""")

    def fires(at, name, **labels):
        return f"{{at: {at}, alert: {{starts_at: {at}, labels: {json.dumps({'alertname': name, **labels})}}}}}"

    a = [fires(at, "A", n=at) for at in ("59m", "60m", "119m", "120m")]
    expect = [{"at": at, "rule": "either", "decision": what} for at, what in
              (("59m", "run"), ("60m", "paused"), ("119m", "paused"), ("120m", "run"))]
    done = tests(one(a, expect=expect))
    assert done.returncode == 0, done
    disk = {"mountpoint": "/var/log"}
    events = [fires("0s", "Down", severity="critical", instance="x"), fires("1m", "DiskFull", instance="x", **disk),
              fires("1m", "DiskFull", instance="y", **disk), "{at: 10m, resolve: {alertname: Down}}",
              fires("2h", "DiskFull", instance="x", **disk)]
    expect = [{"at": "1m", "rule": "disk", "decision": "paused"}, {"at": "1m", "rule": "disk", "decision": "run"},
              {"at": "2h", "rule": "disk", "decision": "run"}]
    done = tests(one(events, expect=expect))
    assert done.returncode == 0, done
    done = tests(one(events[:3] + events[4:], expect=expect))
    assert done.returncode == 1 and "inhibited while alert Down (alertmanager:" in done.stdout, done


def test_maintenance_holds_rules_over_several_events(tests):
    """When the rule is decided counts: as it is complete, as its time is over, as none came."""
    (tests.folder / "rules" / "all.yml").write_text("""
rules:
  - {name: twice, match: event.type = login, threshold: {count: 2, within: 1h}, steps: [{runbook: look}]}
  - name: both
    all_of: [event.type = built, event.type = scanned]
    within: 30m
    steps: [{runbook: look}]
    on_timeout: [{runbook: look}]
  - {name: silent, absent: event.type = beat, every: 30m, by: [host], steps: [{runbook: look}]}
""")
    (tests.folder / "rules" / "runbookd.yml").write_text("""
rules: ["all.yml"]
runbooks: [../runbooks]
maintenance: [{name: move, match: 'event.type != other', from: 2025-01-01T01:00:00Z, until: 2025-01-01T02:00:00Z}]
""")

    def event(at, kind):
        return f"{{at: {at}, event: {{type: {kind}, labels: {{host: a}}}}}}"

    for kinds, rule, minutes in ((("login", "login"), "twice", 30), (("built", "scanned"), "both", 29), (("built",), "both", 30), (("beat",), "silent", 30)):
        for decided, what in ((59, "run"), (60, "paused"), (119, "paused"), (120, "run")):
            events = [event(f"{at}m", kind) for at, kind in zip((decided - minutes, decided), kinds)]
            done = tests(one(events, expect=[{"at": f"{decided}m", "rule": rule, "decision": what}]))
            assert done.returncode == 0, (kinds, done)


def test_configuration_counts(tests):
    """-c names rules from elsewhere, and its limits hold: a chain that may not be longer than one run."""
    (tests.folder / "c.yml").write_text("rules: [rules/*.yml]\nincidents: {occurrence_skew: 1h}\n")
    (tests.folder / "elsewhere").mkdir()
    text = one(["{at: 0s, alert: {labels: {alertname: A}}}", "{at: 20m, alert: {labels: {alertname: A}, starts_at: 20m}}"],
               expect=[{"at": "20m", "rule": "either", "decision": "duplicate"}])
    done = tests(text, "-c", "c.yml", name="elsewhere/x.test.yml")
    assert (done.returncode, done.stdout) == (0, "1 passed, 0 failed\n"), done
    assert tests(text).returncode == 1  # by default that is a new occurrence


def test_usage(tests):
    done = run_tests(tests.folder)
    assert done.returncode == 2 and "too few arguments" in done.stderr, done


def test_json_has_decisions_and_runs(tests):
    done = tests(one([DISK % "0s", DISK % "1m", "{at: 4m, run: {rule: disk, runbook: look, outcome: failed}}"],
                     expect=[{"rule": "disk", "runbook": "mend"}]), "-o", "json")
    got = json.loads(done.stdout)
    assert done.returncode == 1 and (got["passed"], got["failed"], got["findings"]) == (0, 1, [])
    test = got["tests"][0]
    assert (test["file"], test["line"], test["name"], test["passed"]) == ("rules/all.test.yml", 2, "t", False)
    assert test["failures"][0]["expected"] == "rule 'disk' runs 'mend'" and test["failures"][0]["line"] == 7
    assert [(d["at_ms"], d["rule"], d["decision"]) for d in test["decisions"]] == [(0, "disk", "run"), (60000, "disk", "duplicate")]
    run = test["runs"][0]
    assert (run["at_ms"], run["runbook"], run["state"], run["params"]) == (0, "look", "failed", {"path": "/", "n": "1"})


def test_two_hundred_files(tests):
    """One redis-server, and the rules of the folder read once."""
    names = []
    for i in range(200):
        names.append(f"rules/{i}.test.yml")
        (tests.folder / names[-1]).write_text(one([DISK % "0s", DISK % "5m"], expect=[{"rule": "disk", "runbook": "mend"}]))
    done = run_tests(tests.folder, *names)
    assert (done.returncode, done.stdout) == (0, "200 passed, 0 failed\n"), done


def test_needs_no_safe_owner_of_runbooks(tests):
    """They are not executed: a checkout with a loose umask has tests that can be played."""
    (tests.folder / "runbooks" / "look.sh").chmod(0o777)
    assert tests(one([DISK % "0s"], expect=[{"rule": "disk"}])).returncode == 0


def heed_interrupt():
    """In the child, before exec: a shell starts what it runs in the background with SIGINT ignored, and that is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def long_play(tests):
    """A test that takes long: many events, each a run with a chain."""
    events = [f"{{at: {i}s, alert: {{labels: {{alertname: A, n: '{i}'}}}}}}" for i in range(1000)]
    text = "tests:\n" + "".join(one(events, exact=False, expect=[{"rule": "either"}]).replace("tests:\n", "").replace("name: t", f"name: t{i}")
                                for i in range(20))
    (tests.folder / "rules" / "long.test.yml").write_text(text)
    tmp = tests.folder / "tmp"
    tmp.mkdir()
    process = subprocess.Popen([program("runbookctl"), "test", "rules/long.test.yml"], cwd=tests.folder, stdout=subprocess.DEVNULL,
                               env={**os.environ, "TMPDIR": str(tmp)}, preexec_fn=heed_interrupt)
    servers = wait_for(lambda: [p for p, n in descendants(process.pid).items() if n == "redis-server"], "the private Redis")
    return process, servers[0], tmp


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_private_redis_ends_with_its_parent(tests, sig):
    process, server, tmp = long_play(tests)
    process.send_signal(sig)
    assert process.wait(timeout=DEADLINE) == -sig
    wait_for(lambda: not alive(server), "the private Redis to end")
    if sig != signal.SIGKILL:
        assert list(tmp.iterdir()) == []


def test_private_redis_that_is_killed_fails_the_tests(tests):
    process, server, tmp = long_play(tests)
    os.kill(server, signal.SIGKILL)
    assert process.wait(timeout=DEADLINE) == 1
    assert list(tmp.iterdir()) == []
