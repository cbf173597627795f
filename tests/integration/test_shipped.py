"""The shipped rules by their own tests: they pass, and each expectation that is altered fails.

A rules file and its tests are read here by lines, as they are written: an entry a line.
"""
import functools
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, program

TOP = Path(__file__).resolve().parent.parent.parent
DOMAINS = sorted(p.name.removesuffix(".test.yml") for p in (TOP / "rules").glob("*.test.yml"))
TESTS = [TOP / "rules" / f"{d}.test.yml" for d in DOMAINS]
FILES = [p for p in sorted((TOP / "rules").glob("*.yml")) if not p.name.endswith(".test.yml")]
NEVER = "notify-webhook"  # a runbook that no shipped rule has


def ctl(*args):
    return subprocess.run([program("runbookctl"), *map(str, args)], capture_output=True, text=True, timeout=6 * DEADLINE)


def play(*args):
    """Plays tests; what -o json answers. A file that is refused has its findings in it."""
    done = ctl("-o", "json", "test", *args)
    answer = json.loads(done.stdout)
    assert done.returncode == (3 if answer["findings"] else 1 if answer["failed"] else 0), done
    return answer


@functools.cache
def rules():
    """Each shipped rule: its text, by name."""
    found = {}
    for path in FILES:
        text = "".join(line for line in path.open() if not line.lstrip().startswith("#"))
        for part in re.split(r"^  - name: ", text, flags=re.M)[1:]:
            name = part.split("\n", 1)[0]
            assert name not in found, name
            found[name] = part
    return found


def kind(runbook):
    text = (TOP / "runbooks" / f"{runbook}.sh").read_text()
    return re.search(r"^# kind: (\w+)$", text, re.M)[1]


def runbooks_of(text):
    return re.findall(r"runbook: ([a-z-]+)", text)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """A configuration with the shipped rules and runbooks where they are."""
    folder = tmp_path_factory.mktemp("shipped")
    conf = folder / "runbookd.yml"
    conf.write_text(f'rules: ["{TOP}/rules/*.yml"]\nrunbooks: ["{TOP}/runbooks"]\nstate_dir: {folder}/state\n')
    return conf


# ---- what every rule has

def test_all_is_clean(configuration):
    done = ctl("check", configuration)
    assert (done.returncode, done.stderr) == (0, "") and "0 warnings" in done.stdout, done
    done = ctl("lint", *sorted((TOP / "runbooks").glob("*.sh")))
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith(" runbooks, 0 errors, 0 warnings\n"), done


def test_each_file_has_its_tests_and_each_rule_is_in_them():
    assert {p.stem for p in FILES} == {*DOMAINS, "notify"} and len(DOMAINS) == 13
    for path in FILES:
        names = re.findall(r"^  - name: (\S+)$", path.read_text(), re.M)
        if path.stem == "notify":
            assert names == []
            continue
        tests = (TOP / "rules" / f"{path.stem}.test.yml").read_text()
        for name in names:
            assert f"rule: {name}," in tests and f"expect_none: [{name}]" in tests, name
            assert f"rule: {name}, decision: duplicate" in tests and f"rule: {name}, decision: cooldown" in tests, name


def test_each_rule_says_what_it_does_and_holds_itself_back():
    for name, text in rules().items():
        assert re.search(r"^    description: .{20,}$", text, re.M), name
        assert re.search(r"^    cooldown: \{every: \d+[mh], by: \[.+\]\}$", text, re.M), name


def test_what_changes_something_is_dry_run_and_bounded():
    changing = {name: text for name, text in rules().items() if any(kind(r) == "remediate" for r in runbooks_of(text))}
    assert set(changing) == {"disk-free-logs", "systemd-restart", "container-restart", "postgres-end-idle", "redis-save", "elasticsearch-retry"}
    for name, text in changing.items():
        assert "\n    mode: dry_run\n" in text, name
        assert re.search(r"\n    limits: \{runs: \{count: \d+, per: 1h\}, hosts: \{count: \d+, per: 1h\}\}\n", text), name
        # It is looked at first, wherever there is something to look with; what it looked at stays.
        assert name == "disk-free-logs" or kind(runbooks_of(text)[0]) == "diagnose", name
    for name, text in rules().items():
        assert name in changing or "mode:" not in text


def test_rules_that_run_here_do_so_on_the_host_of_the_alert():
    """Where each runbook may run: on the host that is meant, or on any worker over the network."""
    network = {"kubernetes-status", "kafka-status", "elasticsearch-status", "elasticsearch-retry", "probe-endpoint", "prometheus-status"}
    for name, text in rules().items():
        steps = text.split("    steps:\n")[1].split("      - runbook: ")[1:]
        for step in steps:
            runbook = step.split("\n", 1)[0]
            assert ('pool: "host:{{ ' in step) == (runbook not in network), (name, runbook)


def test_the_page_names_each_alert_with_its_rule():
    """docs/shipped-rules.md against the tests: each alert of a row is played for that rule, and each that is played has a row."""
    page = (TOP / "docs" / "shipped-rules.md").read_text()
    written = {}
    for row in re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", page, re.M):
        written[row[0]] = set(re.findall(r"`([A-Za-z0-9_(>%)-]+)`", row[1]))
    assert set(written) == set(rules())
    for path in TESTS:
        for name, body in re.findall(r"^  - name: ([a-z-]+), each of its alerts\n(.*?)(?=^  - name:|\Z)", path.read_text(), re.M | re.S):
            played = {n.strip('"') for n in re.findall(r'alertname: ("[^"]+"|\w+)', body)}
            assert played == written[name], name


# ---- the tests

def test_shipped_rules_pass_their_tests():
    done = ctl("test", *TESTS)
    assert (done.returncode, done.stderr) == (0, ""), done
    passed = re.fullmatch(r"(\d+) passed, 0 failed\n", done.stdout)
    assert passed and int(passed[1]) == sum(p.read_text().count("\n  - name: ") for p in TESTS) > 150


def parts(path):
    """The tests of a file: (line of its name, [(line, text) of expect], (line, text) of expect_none or None)."""
    found = []
    section = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("  - name: "):
            found.append((number, [], []))
        elif re.match(r"    \w+:", line):
            section = line.split(":")[0].strip()
            if section == "expect_none":
                found[-1][2].append((number, line))
        elif line.startswith("      - {") and section == "expect":
            found[-1][1].append((number, line))
    return found


def milliseconds(time):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", time).groups()
    return int(number) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[unit]


def alter_at(line, _seen):
    return re.sub(r"at: (\w+)", lambda m: f"at: {milliseconds(m[1]) + 1}ms", line, count=1)


def alter_rule(line, seen):
    """Another rule: one that nothing happened to in this test, and that has such a step where there is one."""
    runbook = re.search(r"runbook: ([a-z-]+)", line)
    others = [r for r in sorted(rules()) if r not in seen]
    other = next((r for r in others if runbook and runbook[1] in runbooks_of(rules()[r])), others[0])
    return re.sub(r"rule: [a-z-]+", f"rule: {other}", line, count=1)


def alter_runbook(line, _seen):
    return re.sub(r"runbook: [a-z-]+", f"runbook: {NEVER}", line) if "runbook: " in line and "with: {" not in line else None


def alter_runbook_with(line, _seen):
    """The same where parameters stand beside it: those of the other runbook are not the same."""
    return re.sub(r"runbook: [a-z-]+, with: \{.*\}\}$", f"runbook: {NEVER}}}", line) if "with: {" in line else None


def alter_decision(line, _seen):
    return line.replace(re.search(r"decision: (\w+)", line)[0], "decision: paused") if "decision:" in line else None


def alter_parameter(number):
    def alter(line, _seen):
        values = list(re.finditer(r'(\w+): ("[^"]*"|[^,{}]+)(?=[,}])', line[line.index("with: {") + 7:])) if "with: {" in line else []
        if number >= len(values):
            return None
        start = line.index("with: {") + 7
        m = values[number]
        return f'{line[:start + m.start(2)]}"{m[2].strip(chr(34))}-altered"{line[start + m.end(2):]}'
    return alter


ALTER = {"at": alter_at, "rule": alter_rule, "decision": alter_decision, **{f"parameter {n}": alter_parameter(n) for n in range(4)},
         "rule without such a step": alter_rule, "runbook": alter_runbook, "runbook with parameters": alter_runbook_with}
REFUSED = ("rule without such a step", "runbook", "runbook with parameters")  # as the file is read


def seen_and_ran(configuration, paths):
    """By (file, line of the test): rules that it names or that something was decided for, and those that ran in it."""
    seen, ran = {}, {}
    for test in play("-c", configuration, *paths)["tests"]:
        key = (Path(test["file"]).name, test["line"])
        seen[key] = {d["rule"] for d in test["decisions"]}
        ran[key] = {d["rule"] for d in test["decisions"] if d["decision"] in ("run", "dry_run")}
    for path in paths:
        for line, _, none in parts(path):
            for _, text in none:
                seen[path.name, line] |= set(re.findall(r"[a-z-]+", text.split("[")[1]))
    return seen, ran


def alter_all(path, folder, seen, ran):
    """Writes the file once for each part of its entries, that part of all entries altered; {name of a file: the lines that are}."""
    tests, expected = parts(path), {}

    def write(what, lines, altered):
        target = folder / f"{path.name.removesuffix('.test.yml')}-{what.replace(' ', '-')}.test.yml"
        target.write_text("\n".join(lines) + "\n")
        expected[target.name] = altered

    for what, alter in ALTER.items():
        lines, altered = path.read_text().splitlines(), set()
        for line, entries, _ in tests:
            for number, text in entries:
                new = alter(text, seen[path.name, line])
                if new is not None and can_be_read(new) == (what not in REFUSED):
                    assert new != text, (what, text)
                    lines[number - 1] = new
                    altered.add(number)
        if altered:
            write(what, lines, altered)
    # What must not run: altered to what does.
    lines, altered = path.read_text().splitlines(), set()
    for line, entries, none in tests:
        for number, text in none:
            # That both is expected is refused; blank lines keep the others where they are.
            for n in [entries[0][0] - 1, *(n for n, _ in entries)]:
                lines[n - 1] = ""
            lines[number - 1] = re.sub(r"\[.*\]", f"[{sorted(ran[path.name, line])[0]}]", text)
            assert lines[number - 1] != text
            altered.add(number)
    write("none", lines, altered)
    return expected


@pytest.mark.parametrize("path", TESTS, ids=DOMAINS)
def test_each_expectation_that_is_altered_fails(configuration, tmp_path, path):
    """All entries of a file, one part of each altered: each of them has to be reported, in each test.

    An entry is met by something that no other entry took. So with all of them altered at once there is more to be met by
    than with one alone: what fails here fails alone, too.
    """
    expected = alter_all(path, tmp_path, *seen_and_ran(configuration, [path]))
    entries = sum(len(e) for _, e, _ in parts(path))
    assert sum(map(len, expected.values())) >= 3 * entries > 0  # its time, rule and decision at least

    failed = {name: set() for name in expected}
    # What is refused by its place is refused with its whole file, and one call shows 200 findings at most.
    files = sorted(tmp_path.glob("*.test.yml"))
    refused = [f for f in files if f.name.endswith(tuple(f"-{what.replace(' ', '-')}.test.yml" for what in REFUSED))]
    for call in [[f] for f in refused] + [[f for f in files if f not in refused]]:
        answer = play("-c", configuration, *call)
        assert len(answer["findings"]) < 200 and bool(answer["findings"]) == (call[0] in refused)
        for where, line in [(t["file"], f["line"]) for t in answer["tests"] for f in t["failures"]] + [(f["file"], f["line"]) for f in answer["findings"]]:
            failed[Path(where).name].add(line)
    assert {n: sorted(expected[n] - failed[n]) for n in expected if expected[n] - failed[n]} == {}
    assert {n: sorted(failed[n] - expected[n]) for n in expected if failed[n] - expected[n]} == {}


def test_one_altered_expectation_fails_its_test_alone(configuration, tmp_path):
    """The same one by one, for the shorter tests: a copy of the test for each entry and part of it."""
    copies = []
    seen, _ = seen_and_ran(configuration, TESTS)
    for path in TESTS:
        lines = path.read_text().splitlines()
        starts = [line for line, _, _ in parts(path)] + [len(lines) + 1]
        for (line, entries, _), end in zip(parts(path), starts[1:]):
            for number, text in entries if end - line < 14 else []:
                for alter in ALTER.values():
                    new = alter(text, seen[path.name, line])
                    if new is not None and can_be_read(new):
                        copies.append([f"  - name: copy {len(copies)}", *lines[line:number - 1], new, *lines[number:end - 1]])
    assert len(copies) > 400
    (tmp_path / "alone.test.yml").write_text("tests:\n" + "\n".join("\n".join(c) for c in copies) + "\n")
    answer = play("-c", configuration, tmp_path / "alone.test.yml")
    assert [(t["line"], t["name"]) for t in answer["tests"] if t["passed"]] == []
    assert (answer["passed"], answer["failed"], answer["findings"]) == (0, len(copies), [])


def can_be_read(entry):
    """Has its rule such a step? If not, the whole file is refused."""
    runbook = re.search(r"runbook: ([a-z-]+)", entry)
    return not runbook or runbook[1] in runbooks_of(rules()[re.search(r"rule: ([a-z-]+)", entry)[1]])


# ---- installing them

def test_install_replaces_former_files_that_nobody_changed(tmp_path):
    """The shell of contrib/Makefrag.am: a former file goes where it is as it came, else it stays and is named."""
    text = (TOP / "contrib" / "Makefrag.am").read_text()
    assert "$(FORMER_RULES)" in text.split("uninstall-config:")[0]
    former = re.findall(r"^\t(\w+\.yml):([0-9a-f]{64})", (TOP / "rules" / "Makefrag.am").read_text(), re.M)
    assert len(former) == 6 and not {name for name, _ in former} & {p.name for p in FILES}
    recipe = re.search(r"^\t@(for f in \$\(FORMER_RULES\).*?done)$", text, re.M | re.S)[1]
    script = tmp_path / "Makefile"
    script.write_text(f"FORMER_RULES = a.yml:{_sha256(b'one')} b.yml:{_sha256(b'two')} c.yml:{_sha256(b'x')}\nCONFDIR = {tmp_path}\nDESTDIR =\n"
                      f"go:\n\t@{recipe}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_bytes(b"one")
    (tmp_path / "rules" / "b.yml").write_bytes(b"mine")
    done = subprocess.run([shutil.which("make"), "-s", "-f", script, "go"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done
    assert f"removed {tmp_path}/rules/a.yml" in done.stdout and f"kept {tmp_path}/rules/b.yml, which was changed" in done.stdout
    assert [p.name for p in (tmp_path / "rules").iterdir()] == ["b.yml"]


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
