"""runbookctl patterns: what takes a log's lines, and what could."""
import json
import re
import struct
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, program

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "payloads" / "logs"
PATTERNS = r"""
patterns:
  - name: login-failed
    match: 'login of (?<user>\S+) failed from (?<ip>\S+)'
    exclude: 'from 10\.'
    resolve: {match: 'login of (?<user>\S+) succeeded from (?<ip>\S+)'}
  - name: disk
    source: 'program = kernel'
    match: 'I/O error on (?<device>\w+)'
  - name: never
    match: 'no line says this'
"""
LINES = [
    "Nov 28 10:00:01 web-1 app[7]: login of bob failed from 192.0.2.7",
    "Nov 28 10:00:02 web-1 app[7]: login of bob failed from 10.0.0.7",
    "Nov 28 10:00:03 web-1 app[7]: nothing to see",
    "Nov 28 10:00:04 web-1 kernel: I/O error on sda",
    "Nov 28 10:00:05 web-1 app[7]: I/O error on sdb",
    "Nov 28 10:00:06 web-1 app[7]: login of bob succeeded from 192.0.2.7",
    "Nov 28 10:00:07 web-1 app[7]: login of eve failed from 192.0.2.9",
]


@pytest.fixture
def patterns(folder):
    """patterns("test", …) with PATTERNS in p.yml and LINES in a.log -> the finished process."""
    (folder / "p.yml").write_text(PATTERNS)
    (folder / "a.log").write_text("\n".join(LINES))

    def run(*args, stdin=None):
        return subprocess.run([program("runbookctl"), "patterns", *map(str, args)], cwd=folder, input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, text=isinstance(stdin, (str, type(None))),
                              timeout=DEADLINE)

    run.folder = folder
    return run


def data(done):
    assert done.returncode in (0, 1) and not done.stderr, done
    return json.loads(done.stdout)


def by_name(answer):
    return {p["name"]: p for p in answer["patterns"]}


# ---- test

def test_each_line_is_matched_ignored_or_missed(patterns):
    answer = data(patterns("test", "p.yml", "--log", "a.log", "-o", "json"))
    assert {k: answer[k] for k in ("lines", "matched", "ignored", "missed", "failed", "to_regex")} == {
        "lines": 7, "matched": 4, "ignored": 1, "missed": 2, "failed": 0, "to_regex": 6}
    found = by_name(answer)
    assert found["login-failed"]["lines"] == [
        {"line": 1, "verdict": "matched", "groups": {"user": "bob", "ip": "192.0.2.7"}},
        {"line": 2, "verdict": "ignored", "groups": {"user": "bob", "ip": "10.0.0.7"}},
        {"line": 6, "verdict": "resolves", "groups": {"user": "bob", "ip": "192.0.2.7"}},
        {"line": 7, "verdict": "matched", "groups": {"user": "eve", "ip": "192.0.2.9"}}]
    assert found["disk"]["lines"] == [{"line": 4, "verdict": "matched", "groups": {"device": "sda"}}]
    assert [(p["name"], p["matched"], p["ignored"], p["resolves"], p["alerts"], p["tried"]) for p in answer["patterns"]] == [
        ("login-failed", 2, 1, 1, 2, 4), ("disk", 1, 0, 0, 1, 2), ("never", 0, 0, 0, 0, 0)]
    assert [m["line"] for m in answer["no_pattern"]] == [3, 5] and answer["no_pattern"][0]["text"] == LINES[2]
    assert all(p["ns"] > 0 and p["slowest_ns"] <= p["ns"] and p["slowest_line"] in range(1, 8) for p in answer["patterns"] if p["tried"])


def test_as_text(patterns):
    done = patterns("test", "p.yml", "--log", "a.log")
    assert done.returncode == 0 and not done.stderr, done
    table = done.stdout.split("\n\n")[0].splitlines()
    assert table[0].split() == ["PATTERN", "MATCHED", "IGNORED", "RESOLVES", "ALERTS", "TRIED", "US/TRY"]
    assert [row.split()[:6] for row in table[1:3]] == [["login-failed", "2", "1", "1", "2", "4"], ["disk", "1", "0", "0", "1", "2"]]
    assert table[3:] == ["no line holds what these need: never"]
    assert '         6  resolves  {"ip":"192.0.2.7","user":"bob"}\n' in done.stdout
    assert f"\nno pattern took:\n         3  {LINES[2]}\n" in done.stdout
    assert re.search(r"^7 lines: 4 matched, 1 ignored, 2 missed; [0-9.]+ us a line$", done.stdout, re.M)
    assert re.search(r"^the prefilter let 6 of them pass to a regex\nthe slowest try: (login-failed|disk) on line \d+, [0-9.]+ us$", done.stdout, re.M)


def test_first_lines_or_all(patterns):
    log = "".join(f"login of u{i} failed from 192.0.2.{i}\nother line {i}\n" for i in range(20))
    some, every = (patterns("test", "p.yml", "--log", "-", *more, stdin=log).stdout for more in ([], ["-v"]))
    assert some.count('"ip"') == 5 and some.count("other line") == 5 and some.count("… and 15 more; -v shows all") == 2
    assert every.count('"ip"') == 20 and every.count("other line") == 20 and "more" not in every
    answer = data(patterns("test", "p.yml", "--log", "-", "-o", "json", stdin=log))
    assert len(answer["no_pattern"]) == 5 and answer["missed"] == 20


def journal(**fields):
    """An entry of the export format; what holds a line end is binary."""
    out = b""
    for key, value in fields.items():
        value = value.encode()
        out += key.encode() + (b"\n" + struct.pack("<Q", len(value)) + value + b"\n" if b"\n" in value else b"=" + value + b"\n")
    return out + b"\n"


JOURNAL = (journal(__CURSOR="s=1;i=1", __REALTIME_TIMESTAMP="1764324000000000", SYSLOG_IDENTIFIER="kernel", MESSAGE="I/O error on sda")
           + journal(__CURSOR="s=1;i=2", __REALTIME_TIMESTAMP="1764324001000000", SYSLOG_IDENTIFIER="app", MESSAGE="two\nlogin of x failed from ::1"))
NDJSON = (b'{"program":"kernel","message":"I/O error on sda"}\n{"level":"error","msg":"login of x failed from ::1"}\n')
ARRAY = b'[{"program":"kernel","message":"I/O error on sda"},\n {"log":"login of x failed from ::1"}]'


@pytest.mark.parametrize("log, lines, args", [
    (JOURNAL, (1, 6), []), (JOURNAL, (1, 6), ["--format", "journal"]), (NDJSON, (1, 2), []), (NDJSON, (1, 2), ["--format", "json"]),
    (ARRAY, (1, 2), []), (ARRAY, (1, 2), ["--format", "json"]), (b"".join(NDJSON.split(b"\n")), (1, 1), ["--format", "json"]),
])
def test_forms_of_logs(patterns, log, lines, args):
    done = patterns("test", "p.yml", "--log", "-", "-o", "json", *args, stdin=log)
    assert done.returncode == 0 and not done.stderr, done
    found = by_name(json.loads(done.stdout))
    assert [x["line"] for x in found["disk"]["lines"] + found["login-failed"]["lines"]] == list(lines)
    assert found["login-failed"]["lines"][0]["groups"] == {"user": "x", "ip": "::1"}


def test_exit_status(patterns):
    assert patterns("test", "p.yml", "--log", "-", stdin="login of a failed from b\n").returncode == 0
    done = patterns("test", "p.yml", "--log", "-", stdin="nothing\n")
    assert done.returncode == 1 and "1 lines: 0 matched, 0 ignored, 1 missed" in done.stdout
    done = patterns("test", "p.yml")
    assert done.returncode == 2 and "needs a log: --log FILE" in done.stderr
    for args, why in ([["--log", "gone.log"], "gone.log"], [["--log", "a.log", "--format", "xml"], "'xml' is no format of a log; give text, json or journal"],
                      [["--log", "-", "--format", "json"], "offset|byte|JSON|json"]):
        done = patterns("test", "p.yml", *args, stdin="{broken")
        assert done.returncode == 3 and re.search(why, done.stderr), done
    (patterns.folder / "bad.yml").write_text("patterns: [{name: x, match: '('}]\n")
    done = patterns("test", "bad.yml", "--log", "a.log")
    assert done.returncode == 3 and "bad.yml:1:" in done.stdout and "bad regex" in done.stdout, done
    done = patterns("test", "gone.yml", "--log", "a.log")
    assert done.returncode == 3 and "gone.yml: cannot open 'gone.yml'" in done.stdout, done


def test_patterns_of_a_configuration(patterns):
    (patterns.folder / "c.yml").write_text("rules: []\npatterns: [p.yml]\nrunbooks: []\n")
    answer = data(patterns("test", "-c", "c.yml", "--log", "a.log", "-o", "json"))
    assert by_name(answer)["login-failed"]["matched"] == 2


def test_a_regex_that_gives_up_is_a_failure(patterns):
    (patterns.folder / "slow.yml").write_text("patterns: [{name: slow, match: 'word (a|aa)+$'}]\n")
    done = patterns("test", "slow.yml", "--log", "-", stdin=f"word {'a' * 300}!\n")
    assert done.returncode == 1 and re.search("on 1 lines a regex gave up: .*word", done.stderr), done


def test_more_alerts_than_series_is_a_warning(patterns):
    (patterns.folder / "id.yml").write_text("patterns: [{name: id, match: 'request (?<id>\\S+) failed', series: 10}]\n")
    done = patterns("test", "id.yml", "--log", "-", stdin="".join(f"request {i} failed\n" for i in range(11)))
    assert done.returncode == 0 and "pattern 'id' would be 11 alerts, and series allows 10" in done.stderr, done
    done = patterns("test", "id.yml", "--log", "-", stdin="".join(f"request {i % 10} failed\n" for i in range(11)))
    assert done.returncode == 0 and not done.stderr, done


def test_what_a_terminal_would_act_on_is_shown(patterns):
    evil = b"login of \x1b[2Jx failed from \xff\xfe\n\x1b]0;title\x07 other\n"
    done = patterns("test", "p.yml", "--log", "-", "-v", stdin=evil)
    assert done.returncode == 0 and not re.search(rb"[\x00-\x08\x0b-\x1f\x7f\xff]", done.stdout), done
    done = patterns("suggest", "p.yml", "--log", "-", "-v", stdin=evil * 3)
    assert done.returncode == 0 and not re.search(rb"[\x00-\x08\x0b-\x1f\x7f\xff]", done.stdout), done


# ---- what is written of them

def test_both_pages_have_each_key():
    """The loader's tables are what they are held against."""
    top = Path(__file__).resolve().parents[2]
    source = (top / "bridge" / "rule" / "pattern_yaml.c").read_text()
    keys = re.findall(r"^\t+\{\"(\w+)\", read_\w+, (?:true|false)\},$", source, re.M)
    assert len(keys) >= 16 and {"name", "match", "series", "count", "after"} <= set(keys)
    manual = (top / "docs" / "man" / "runbookd-patterns.5").read_text()
    page = (top / "docs" / "patterns.md").read_text()
    top_keys = set(keys) - {"count", "within", "by", "after"}
    assert [k for k in keys if not re.search(rf"^\.BR? {k}\b", manual, re.M)] == []
    assert [k for k in top_keys if not re.search(rf"^\| `{k}` \|", page, re.M)] == []


# ---- suggest

KINDS = [
    ("web-{a} app[{n}]: ERROR payment {n} of tenant-{b} failed: card {c} declined", 40),
    ("web-{a} app[{n}]: WARN queue {b} is {n} messages long", 25),
    ("web-{a} app[{n}]: panic: index {n} out of range", 2),
    ("web-{a} app[{n}]: request served in {n} ms to 192.0.2.{a}", 200),
    ("web-{a} db[{n}]: could not reach 192.0.2.{a} on port {n}: connection refused", 12),
]


def many_lines():
    names = ["alpha", "beta", "gamma", "delta", "epsilon"]
    return "".join(f"Nov 28 10:{i // 60 % 60:02}:{i % 60:02} " + kind.format(a=i % 7, b=names[i % 5], c=names[i * 3 % 5], n=1000 + i * 37) + "\n"
                   for kind, count in KINDS for i in range(count))


def proposals(patterns, *args, stdin):
    """The YAML as printed, written to s.yml, and the same as data."""
    done = patterns("suggest", *args, "--log", "-", stdin=stdin)
    assert done.returncode == 0 and not done.stderr, done
    (patterns.folder / "s.yml").write_text(done.stdout)
    return data(patterns("suggest", *args, "--log", "-", "-o", "json", stdin=stdin))


def check_proposals(patterns, answer, stdin):
    """Each takes as many lines as it was made of, in which it has its groups."""
    tried = by_name(data(patterns("test", "s.yml", "--log", "-", "-v", "-o", "json", stdin=stdin)))
    assert set(tried) == {p["name"] for p in answer["patterns"]}
    for p in answer["patterns"]:
        assert tried[p["name"]]["matched"] >= p["lines"], p
        assert all(set(line["groups"]) <= set(p["groups"]) for line in tried[p["name"]]["lines"])
    return tried


def test_kinds_of_lines_are_proposed_worst_and_most_first(patterns):
    log = many_lines()
    answer = proposals(patterns, stdin=log)
    assert (answer["lines"], answer["known"], answer["kinds"], answer["left_out"]) == (279, 0, 5, 0)
    assert [(p["severity"], p["lines"]) for p in answer["patterns"]] == [("critical", 2), ("error", 40), ("error", 12), ("warning", 25)]
    worst = answer["patterns"][1]
    assert worst["source"] == '{program="app"}' and "tenant" in worst["match"] and "declined" in worst["match"]
    tried = check_proposals(patterns, answer, log)
    assert [tried[p["name"]]["matched"] for p in answer["patterns"]] == [2, 40, 12, 25]
    refused = answer["patterns"][2]
    assert refused["groups"] == ["ip"] and "by: [ip]" in answer["yaml"]
    every = proposals(patterns, "-v", stdin=log)
    assert [p["lines"] for p in every["patterns"]] == [2, 40, 12, 25, 200]
    assert len(proposals(patterns, "-v", "--limit", 2, stdin=log)["patterns"]) == 2


def test_what_patterns_know_is_left_out(patterns):
    log = many_lines()
    proposals(patterns, stdin=log)
    (patterns.folder / "known.yml").write_text((patterns.folder / "s.yml").read_text())
    answer = proposals(patterns, "known.yml", stdin=log)
    assert (answer["known"], answer["kinds"], answer["patterns"]) == (79, 1, [])
    # A name that is taken is not given again.
    first = data(patterns("suggest", "--log", "-", "-o", "json", stdin=log))["patterns"][0]["name"]
    (patterns.folder / "known.yml").write_text(f"patterns: [{{name: {first}, match: 'something else'}}]\n")
    names = [p["name"] for p in proposals(patterns, "known.yml", stdin=log)["patterns"]]
    assert names[0] == first + "-2" and len(set(names)) == len(names)


def test_nothing_to_propose(patterns):
    for stdin in ("", "\n\n", "all is well\n"):
        answer = proposals(patterns, stdin=stdin)
        assert answer["patterns"] == [] and (patterns.folder / "s.yml").read_text().endswith("patterns: []\n")
    assert patterns("suggest").returncode == 2


def test_proposals_for_any_line_are_taken(patterns):
    """What would be something else in YAML, in a regex or in a template; and each matches its lines."""
    odd = ["error: it's \"so\" (a|b)* [x]{2} \\d+ $HOME ^x # no comment", "error {{ labels.x }} {% raw %}", "failed: key: value, - item", "error &anchor *alias !tag",
           "error \u00e9t\u00e9 \u4e2d\u6587 \u202e", "error 'single' ''two''", "fatal %s %n {}", "error tab\there", "failed at /srv/it's/a path"]
    log = "".join(f"{line} {i}\n" for line in odd for i in range(3))
    answer = proposals(patterns, stdin=log)
    assert sum(p["lines"] for p in answer["patterns"]) == 27
    check_proposals(patterns, answer, log)


def test_a_sample_of_sshd(patterns):
    """Where it is at hand; the kinds above are the same without it."""
    log = SAMPLES / "OpenSSH_2k.log"
    text = log.read_text() if log.exists() else many_lines()
    answer = proposals(patterns, "-v", stdin=text)
    tried = check_proposals(patterns, answer, text)
    assert sum(p["lines"] for p in answer["patterns"]) == answer["lines"] == sum(t["matched"] for t in tried.values())
