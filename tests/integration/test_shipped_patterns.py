"""The shipped log patterns by their own tests: they pass, each expectation that is altered fails, and no pattern takes what another is about.

Patterns and their tests are read here by lines, as they are written: a key a line, an entry a line.
"""
import functools
import json
import re
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, program

TOP = Path(__file__).resolve().parent.parent.parent
FOLDER = TOP / "contrib" / "patterns"
FILES = sorted(p for p in FOLDER.glob("*.yml") if not p.name.endswith(".test.yml"))
TESTS = [FOLDER / f"{p.stem}.test.yml" for p in FILES]


def ctl(*args):
    return subprocess.run([program("runbookctl"), *map(str, args)], capture_output=True, text=True, timeout=6 * DEADLINE)


def play(*args):
    done = ctl("-o", "json", "test", *args)
    answer = json.loads(done.stdout)
    assert answer["findings"] == [] and done.returncode == (1 if answer["failed"] else 0), done
    return answer


@functools.cache
def patterns():
    """Each shipped pattern: its keys as written, by name."""
    found = {}
    for path in FILES:
        for part in re.split(r"^  - name: ", path.read_text(), flags=re.M)[1:]:
            name, _, keys = part.partition("\n")
            assert name not in found, name
            found[name] = dict(re.findall(r"^    (\w+): (.*)$", keys, re.M)) | {"file": path.stem}
    return found


def count_of(name):
    return int(re.match(r"\{count: (\d+)", patterns()[name]["threshold"])[1])


@functools.cache
def parts(path):
    """The tests of a file: (name, line of it, entries of `events`, of `expect`, line of `expect_none`); entries are (line, text)."""
    found, section = [], ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("  - name: "):
            found.append((line.removeprefix("  - name: "), number, [], [], []))
        elif m := re.match(r"    (\w+):", line):
            section = m[1]
            if section == "expect_none":
                found[-1][4].append(number)
        elif line.startswith("      - {"):
            found[-1][2 if section == "events" else 3].append((number, line))
    return found


def line_of(entry):
    return re.search(r"line: '(.*)'\}\}$", entry)[1].replace("''", "'")


# ---- what every pattern has

def test_all_is_clean(tmp_path):
    conf = tmp_path / "runbookd.yml"
    conf.write_text(f'rules: []\npatterns: ["{FOLDER}/*.yml"]\nrunbooks: []\nstate_dir: {tmp_path}/state\n')
    done = ctl("check", conf)
    assert (done.returncode, done.stderr) == (0, "") and "0 warnings" in done.stdout, done


def test_each_pattern_says_what_it_is_and_ends():
    assert len(patterns()) >= 40
    for name, keys in patterns().items():
        assert len(keys["description"]) > 20 and keys["description"].endswith("."), name
        assert re.fullmatch(r"\{count: \d+(, within: \d+[smh])?, by: \[.+\]\}", keys["threshold"]), name
        assert re.fullmatch(r"\{(after: \d+[smhd]|match: '.+')\}", keys["resolve"]), name
        assert keys["severity"] in ("critical", "error", "warning") and keys["summary"], name


def test_each_pattern_is_tested():
    for name, keys in patterns().items():
        kinds = {n.removeprefix(name + ", "): (events, expect, none) for n, _, events, expect, none in parts(FOLDER / f"{keys['file']}.test.yml")
                 if n.startswith(name + ", ")}
        wanted = {"each form", "what is none"} | ({"fewer lines than it counts, or further apart"} if count_of(name) > 1 else set())
        wanted |= {"once while it lasts"} if "after" in keys["resolve"] else {"until it is over"}
        assert wanted <= set(kinds), (name, set(kinds))
        assert len({line_of(e) for _, e in kinds["each form"][0]}) > 1 or name == "redis-disk-slow", name
        assert kinds["what is none"][2] and not kinds["what is none"][1], name


def test_the_page_lists_each_pattern():
    page = (TOP / "docs" / "shipped-patterns.md").read_text()
    rows = {m[1]: m for m in re.finditer(r"^\| `([\w-]+)` \| (.*?) \| (.*?) \| (\w+) \| (.*?) \|$", page, re.M)}
    assert set(rows) == set(patterns())
    for name, keys in patterns().items():
        row, within = rows[name], re.search(r"within: (\w+)", keys["threshold"])
        assert row[2].startswith(f"{count_of(name)} lines within {within[1]}: " if within else "a line: "), name
        assert re.findall(r"`(\w+)`", row[3]) == re.search(r"by: \[(.*?)\]", keys["threshold"])[1].split(", "), name
        after = re.search(r"after: (\w+)", keys["resolve"])
        assert (row[4], row[5]) == (keys["severity"], f"quiet for {after[1]}" if after else "by its line"), name
        assert keys["description"][1:] in row[2], name


# ---- the tests

def test_shipped_patterns_pass_their_tests():
    done = ctl("test", *TESTS)
    assert (done.returncode, done.stderr) == (0, ""), done
    passed = re.fullmatch(r"(\d+) passed, 0 failed\n", done.stdout)
    assert passed and int(passed[1]) == sum(len(parts(p)) for p in TESTS) > 120


def milliseconds(time):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d)", time).groups()
    return int(number) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[unit]


def alter_at(line):
    return re.sub(r"at: (\w+)", lambda m: f"at: {milliseconds(m[1]) + 1}ms", line, count=1)


def alter_status(line):
    return line.replace("alert: {", "resolved: {") if "alert: {" in line else line.replace("resolved: {", "alert: {")


def alter_label(number):
    def alter(line):
        start = line.index("{", line.index("{") + 1) + 1
        values = list(re.finditer(r"(\w+): ('(?:[^']|'')*'|[^,{}]+)(?=[,}])", line[start:]))
        if number >= len(values):
            return None
        m = values[number]
        return f"{line[:start + m.start(2)]}'{m[2].strip(chr(39))}-altered'{line[start + m.end(2):]}"
    return alter


ALTER = {"at": alter_at, "status": alter_status, **{f"label {n}": alter_label(n) for n in range(5)}}


def beside(tmp_path, path, text, name):
    """A copy of a test file, in a folder with the patterns that it is about."""
    folder = tmp_path / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    rules = folder / path.name.replace(".test.yml", ".yml")
    if not rules.exists():
        rules.write_text((FOLDER / rules.name).read_text())
    (folder / path.name).write_text(text)
    return folder / path.name


@pytest.mark.parametrize("what", ALTER)
def test_each_expectation_that_is_altered_fails(tmp_path, what):
    """All entries of all files at once: each of them has to be reported."""
    expected = {}
    for path in TESTS:
        lines = path.read_text().splitlines()
        altered = set()
        for _, _, _, expect, _ in parts(path):
            for number, text in expect:
                new = ALTER[what](text)
                if new is not None:
                    assert new != text
                    lines[number - 1] = new
                    altered.add(number)
        if altered:
            expected[beside(tmp_path, path, "\n".join(lines) + "\n", what)] = altered
    assert expected
    answer = play(*expected)
    failed = {p: {f["line"] for t in answer["tests"] if t["file"] == str(p) for f in t["failures"]} for p in expected}
    assert {p.name: sorted(expected[p] ^ failed[p]) for p in expected if expected[p] != failed[p]} == {}


def test_what_is_none_would_be_seen(tmp_path):
    """The lines of each form in place of those that are none: each such test fails."""
    copies, wanted = [], set()
    for path in TESTS:
        text = ["tests:"]
        tests = {name: events for name, _, events, _, _ in parts(path)}
        for name in tests:
            if name.endswith(", what is none"):
                pattern = name.removesuffix(", what is none")
                text += [f"  - name: {name}", "    events:", *(e for _, e in tests[f"{pattern}, each form"]), f"    expect_none: [{pattern}]"]
                wanted.add(name)
        copies.append(beside(tmp_path, path, "\n".join(text) + "\n", "forms"))
    answer = play(*copies)
    assert {t["name"] for t in answer["tests"] if not t["passed"]} == wanted and len(wanted) == len(patterns())


def test_thresholds_would_be_missed(tmp_path):
    """With thresholds of one line less, each test of fewer lines fails; with a window twice as long, too, or it fires at another time."""
    for path in TESTS:
        copy = beside(tmp_path, path, path.read_text(), "fewer")
        rules = copy.with_name(path.name.replace(".test.yml", ".yml"))
        rules.write_text(re.sub(r"count: (\d+), within", lambda m: f"count: {max(2, int(m[1]) - 1)}, within", rules.read_text()))
    answer = play(*sorted((tmp_path / "fewer").glob("*.test.yml")))
    passed = {t["name"] for t in answer["tests"] if t["passed"] and "fewer lines" in t["name"]}
    assert passed == {f"{n}, fewer lines than it counts, or further apart" for n in patterns() if count_of(n) == 2}


# ---- all of them together

def test_no_pattern_takes_what_another_is_about(tmp_path):
    """Every line that some test calls a form of something, and those that are none, against all patterns."""
    wanted = []
    for path in TESTS:
        for name, _, events, _, _ in parts(path):
            pattern, _, what = name.partition(", ")
            if what in ("each form", "what is none"):
                wanted += [(pattern if what == "each form" else None, line_of(e), e) for _, e in events]
    log = tmp_path / "all.log"
    log.write_text("".join(f"Nov 28 10:00:00 web-1 {re.search(r'program: ([^,}]+)', e)[1]}: {line}\n" for _, line, e in wanted))
    answer = json.loads(ctl("-o", "json", "-v", "patterns", "test", *FILES, "--log", log).stdout)
    assert answer["lines"] == len(wanted) > 400
    took = {}
    for p in answer["patterns"]:
        for line in p["lines"]:
            if line["verdict"] == "matched":
                took.setdefault(line["line"], set()).add(p["name"])
    for number, (pattern, line, entry) in enumerate(wanted, 1):
        # What resolves an alert stands among its forms, and what is none of one may be a form of another.
        if pattern and number in took:
            assert took[number] == {pattern}, (line, took[number])
    forms = {name for names in took.values() for name in names}
    assert forms == set(patterns())


def test_what_patterns_raise_is_what_rules_want(tmp_path):
    """From the line to the run: for each alert that rules/logs.yml names, the lines of its pattern make that rule run."""
    conf = tmp_path / "runbookd.yml"
    conf.write_text(f'rules: ["{TOP}/rules/*.yml"]\npatterns: ["{FOLDER}/*.yml"]\nrunbooks: ["{TOP}/runbooks"]\nstate_dir: {tmp_path}/state\n')
    text, named = ["tests:"], set()
    for part in re.split(r"^  - name: ", (TOP / "rules" / "logs.yml").read_text(), flags=re.M)[1:]:
        rule, runbook = part.split("\n", 1)[0], re.search(r"runbook: ([\w-]+)", part)[1]
        for alert in re.search(r'alertname =~? "([^"]+)"', part)[1].split("|"):
            events = next(e for n, _, e, _, _ in parts(FOLDER / f"{patterns()[alert]['file']}.test.yml") if n == f"{alert}, each form")
            text += [f"  - name: {rule} for {alert}", "    events:", *(e for _, e in events), "    expect:", f"      - {{rule: {rule}, runbook: {runbook}}}"]
            named.add(alert)
    (tmp_path / "all.test.yml").write_text("\n".join(text) + "\n")
    answer = play("-c", conf, tmp_path / "all.test.yml")
    assert [(t["name"], t["failures"]) for t in answer["tests"] if not t["passed"]] == []
    assert len(named) == len(answer["tests"]) >= 25
