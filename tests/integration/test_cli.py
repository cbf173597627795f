"""runbookctl: what it prints, on a terminal and off it, and the status it ends with."""
import errno
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata
from pathlib import Path

import pytest

from alerts import alert, notification
from harness import DEADLINE, free_port, program, spawn, wait_for

TOP = Path(__file__).resolve().parents[2]

DIAGNOSE = """#!/bin/sh
# ---
# summary: Prints a few lines
# kind: diagnose
# params:
#   target: {type: string, required: true}
#   count: {type: int, default: 12}
# ---
i=0
while [ $i -lt "$PARAM_count" ]; do i=$((i + 1)); echo "line $i"; done
printf '%s\\n' "$PARAM_target"
"""
FAIL = """#!/bin/sh
# ---
# summary: Fails
# kind: diagnose
# ---
echo "cannot do it" >&2
exit 3
"""
SLOW = """#!/bin/sh
# ---
# summary: Prints, waits to be let go, prints
# kind: diagnose
# timeout: 10m
# ---
echo before
while [ ! -e DIR/go ]; do sleep 0.05; done
echo after
"""
RULES = """
rules:
  - name: look
    description: Look at it
    match: 'alertname = "Down"'
    steps:
      - runbook: look
        with: {target: "{{ labels.evil | default \\"nothing\\" }}"}
"""
EVIL = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp\tb\nc\rd\x7f"
RUNBOOKS = {"look.sh": DIAGNOSE, "fail.sh": FAIL, "slow.sh": SLOW}


def run_ctl(*args, env=None, cwd=None):
    """runbookctl without a server."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RUNBOOKD_") and k != "NO_COLOR"}
    return subprocess.run([program("runbookctl"), *args], capture_output=True, text=True, timeout=DEADLINE,
                          env={**clean, **(env or {})}, cwd=cwd)


def on_terminal(*args, columns=100, env=None):
    """(status, text) of runbookctl with a terminal of so many columns as its standard output and error."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    child = subprocess.Popen([program("runbookctl"), *args], stdin=slave, stdout=slave, stderr=slave,
                             env={**clean, "TERM": "xterm", **(env or {})})
    os.close(slave)
    chunks = []
    try:
        while chunk := os.read(master, 65536):
            chunks.append(chunk)
    except OSError as e:  # how Linux says that the other side is closed
        assert e.errno == errno.EIO
    finally:
        os.close(master)
    return child.wait(timeout=DEADLINE), b"".join(chunks).decode().replace("\r\n", "\n")


def without_colours(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def columns_of(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def words(text):
    return " ".join(text.split())


# ---- without a server


@pytest.mark.parametrize("args, said", [
    ([], "no command"),
    (["incidnts"], "did you mean 'incidents'"),
    (["runs", "shw"], "did you mean 'runs show'"),
    (["--limt", "3", "runs"], "did you mean --limit"),
    (["-q"], "unknown option '-q'"),
    (["runs", "--limit"], "needs a value"),
    (["runs", "--limit", "0"], "'0' is no limit"),
    (["runs", "--follow"], "takes no option '--follow'"),
    (["runs", "show"], "too few arguments"),
    (["runs", "show", "a", "b"], "too many arguments"),
    (["runs", "--since", "yesterday"], "'yesterday' is no time"),
    (["-o", "xml", "runs"], "'xml' is no output format"),
    (["run", "look", "-p", "target"], "'target' is no parameter"),
    (["--url", "ftp://x", "runs"], "'ftp://x' is no address"),
    (["--url", "http://", "runs"], "'http://' names no host"),
    (["--url", "unix:x", "runs"], "'unix:x' is no address"),
    (["--token-file", "/nonexistent/token", "runs"], "/nonexistent/token"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_usage_is_2(args, said):
    done = run_ctl(*args)
    assert done.returncode == 2, done
    assert said in done.stderr
    assert not done.stdout


def test_no_connection_is_5():
    url = f"http://127.0.0.1:{free_port()}"
    done = run_ctl("--url", url, "incidents")
    assert done.returncode == 5, done
    assert url in done.stderr and "Connection refused" in done.stderr and "--url" in done.stderr
    assert run_ctl("incidents", env={"RUNBOOKD_URL": url}).stderr == done.stderr


def test_no_socket_is_5(folder):
    done = run_ctl("--url", f"unix:{folder}/http.sock", "runs")
    assert done.returncode == 5, done
    assert "http.sock: No such file or directory" in done.stderr


def test_token_file_of_two_lines_is_refused(folder):
    (folder / "token").write_text("one\ntwo\n")
    done = run_ctl("--token-file", str(folder / "token"), "runs")
    assert done.returncode == 2 and "one line" in done.stderr


def test_token_file_that_others_may_read_is_warned_of(folder):
    (folder / "token").write_text("secret\n")
    for mode, warned in ((0o644, True), (0o600, False)):
        (folder / "token").chmod(mode)
        done = run_ctl("--token-file", str(folder / "token"), "version")
        assert done.returncode == 0 and ("chmod 600" in done.stderr) == warned and "secret" not in done.stderr, done


def test_full_disk_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([program("runbookctl"), "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=DEADLINE)
    assert done.returncode == 1 and "No space left" in done.stderr


@pytest.mark.parametrize("command", [["explain", "--source", "alertmanager", "-"], ["events", "emit", "--type", "a", "--data", "-"]])
def test_standard_input_may_come_late(command):
    """What writes to the pipe may need its time; the payload is wrong, so that no bridge is asked."""
    ctl = subprocess.Popen([program("runbookctl"), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: ctl.poll() is not None or Path(f"/proc/{ctl.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S",
             "runbookctl waits for its input, or has ended")
    _, errors = ctl.communicate(b"\xff", timeout=DEADLINE)
    assert ctl.returncode in (1, 2) and (b"standard input: byte 0 is not UTF-8" in errors or b"--data is no JSON" in errors), errors


# ---- manual pages


def manual(path):
    """What a reader sees of a page: the words, without the markup of roff."""
    text = re.sub(r'^\.\\".*$', "", path.read_text(), flags=re.M)
    text = re.sub(r"^\.[A-Z]+ ?", "", text, flags=re.M)
    text = re.sub(r"\\f[A-Z]|\\&", "", text).replace('"', "")
    return words(text.replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", '"').replace("\\e", "\\"))


def help_entries():
    """(left, sentence) of each command and option in --help."""
    done = run_ctl("--help")
    assert done.returncode == 0 and not done.stderr
    entries = []
    for line in done.stdout.splitlines():
        if m := re.match(r"^  (\S.*?)(?:  +(\S.*))?$", line):
            entries.append([m[1], m[2] or ""])
        elif line.startswith(" " * 30) and entries:
            entries[-1][1] = (entries[-1][1] + " " + line.strip()).strip()
    return entries


def test_manual_says_what_help_says():
    entries = help_entries()
    assert len(entries) > 25 and all(sentence for _, sentence in entries), entries
    page = manual(TOP / "docs" / "man" / "runbookctl.1")
    missing = [e for e in entries if words(f"{e[0]} {e[1]}").replace('"', "") not in page]
    assert not missing, missing
    commands = re.search(r"COMMANDS(.*?)A noun alone", page)[1]
    assert len([e for e in entries if e[0].split()[0] in commands.split()]) >= 16


def test_each_command_has_help():
    commands = [left for left, _ in help_entries()[:20]]
    for command in commands:
        name = [w for w in command.split() if re.fullmatch("[a-z][a-z-]*", w)]
        done = run_ctl(*name, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: runbookctl {command}"), done


def test_configuration_manual_has_each_key():
    """The page is made with the parser's own table; the dump is another reader of it."""
    done = subprocess.run([program("runbookd"), "-c", "/dev/null", "--dump-config"], capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0, done
    page = (Path(program("runbookctl")).parent / "docs" / "man" / "runbookd.yml.5").read_text().replace("\\-", "-")
    keys = re.findall(r"^ *(?:- )?([a-z_]+):", done.stdout, re.M)
    assert len(keys) > 20
    assert not [k for k in keys if k not in page]
    assert page.index(".SH NAME") < page.index(".SH KEYS") < page.index(".SH SEE ALSO")


# ---- files on this machine


@pytest.fixture
def tree(folder):
    """A configuration with a rule and a runbook."""
    for name in ("rules", "runbooks"):
        (folder / name).mkdir(mode=0o755)
    (folder / "runbookd.yml").write_text("")
    (folder / "rules" / "a.yml").write_text("rules:\n  - name: a\n    match: 'alertname = a'\n    steps: [{runbook: fail}]\n")
    (folder / "runbooks" / "fail.sh").write_text(FAIL)
    (folder / "runbooks" / "fail.sh").chmod(0o755)
    return folder


def test_check_of_a_good_configuration(tree):
    done = run_ctl("check", str(tree / "runbookd.yml"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "good: 1 rules, 1 runbooks, 0 warnings\n", "")


def test_check_prints_all_errors_with_their_place(tree):
    (tree / "runbookd.yml").write_text("htp: {}\n")
    done = run_ctl("check", str(tree / "runbookd.yml"))
    assert done.returncode == 1
    assert re.match(rf"{tree}/runbookd.yml:1:1: .*'http'", done.stdout), done
    (tree / "runbookd.yml").write_text("")
    (tree / "rules" / "a.yml").write_text("rules:\n  - name: a\n    match: 'alertname'\n    steps: [{runbook: fial}]\n")
    done = run_ctl("check", str(tree / "runbookd.yml"))
    assert done.returncode == 1
    assert re.search(r"a\.yml:3:\d+: ", done.stdout) and re.search(r"a\.yml:4:\d+: .*fial", done.stdout), done
    data = json.loads(run_ctl("-o", "json", "check", str(tree / "runbookd.yml")).stdout)
    assert data["good"] is False and data["errors"] == len(done.stdout.splitlines()) == len(data["findings"])
    assert data["findings"][0]["line"] == 3 and data["findings"][0]["file"].endswith("a.yml")


def test_check_tells_warnings_from_errors(tree):
    """Warnings alone are good; errors come first; an error in runbookd.yml hides none in the rules; --check says the same."""
    conf = str(tree / "runbookd.yml")
    rules = tree / "rules" / "a.yml"
    rules.write_text("rules:\n- {name: a, match: 'x = y, x = z', steps: [{runbook: fail}]}\n"
                     "- {name: b, match: 'x =~ \"(a+)+b\"', steps: [{runbook: fail}]}\n"
                     "- {name: c, match: 'x =~ \"(a+)+b\"', steps: [{runbook: fail}]}\n")
    done = run_ctl("check", conf)
    assert done.returncode == 0
    said = done.stdout.splitlines()
    assert len(said) == 5 and all("warning: " in line for line in said[:4]), done
    assert re.match(rf"{rules}:2:20: warning: rule 'a': it never matches", said[0])
    assert re.search(r"a\.yml:3:\d+: .*can take very long", said[1]) and re.search(r"a\.yml:4:\d+: .*can take very long", said[2])
    assert re.search(r"a\.yml:4:\d+: .*what rule 'b' in .*a\.yml:3 does", said[3])
    assert said[4] == "good: 3 rules, 1 runbooks, 4 warnings"
    data = json.loads(run_ctl("-o", "json", "check", conf).stdout)
    assert (data["good"], data["errors"], data["warnings"]) == (True, 0, 4)
    assert {f["kind"] for f in data["findings"]} == {"warning"}
    for name in ("runbookd", "runbook-bridge", "runbook-worker"):
        done = subprocess.run([program(name), "-c", conf, "--check"], capture_output=True, text=True, timeout=DEADLINE)
        assert (done.returncode, done.stderr.splitlines()) == (0, said[:4]), done

    (tree / "runbookd.yml").write_text("patterns: [1]\nlimits: {queue: none at all}\nrules: [rules/*.yml, no/*.yml]\n")
    rules.write_text("rules:\n- {name: a, match: 'x = y', steps: [{runbook: fial}]}\n")
    done = run_ctl("check", conf)
    kinds = ["warning" if "warning: " in line else "error" for line in done.stdout.splitlines()]
    assert done.returncode == 1 and kinds == sorted(kinds) and set(kinds) == {"error", "warning"}, done
    assert "did you mean 'fail'" in done.stdout and "runbookd.yml:2:" in done.stdout, done
    done = subprocess.run([program("runbook-bridge"), "-c", conf, "--check"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 3


def test_lint(tree):
    done = run_ctl("lint", "-c", str(tree / "runbookd.yml"))
    assert (done.returncode, done.stdout) == (0, "1 runbook, 0 errors, 0 warnings\n"), done
    bad = tree / "runbooks" / "bad.sh"
    for text, mode, said in [
            (FAIL.replace("#!/bin/sh", "#!/bin/shh"), 0o755, "the interpreter '/bin/shh' is not there"),
            (FAIL.replace("#!/bin/sh\n", ""), 0o755, "names no interpreter"),
            (FAIL.replace("\n", "\r\n"), 0o755, "CR LF"),
            (FAIL.replace("#!/bin/sh", "#!/usr/bin/env nonesuch"), 0o755, "warning: env will not find 'nonesuch'"),
            (FAIL, 0o644, "chmod +x"),
            (FAIL, 0o777, "chmod go-w"),
            ("#!/bin/sh\ntrue\n", 0o755, "front matter"),
            (FAIL.replace("kind: diagnose", "kind: diagnoze"), 0o755, "bad.sh:4:"),
    ]:
        bad.write_text(text)
        bad.chmod(mode)
        done = run_ctl("lint", str(bad))
        assert said in done.stdout, (said, done)
        assert done.returncode == (0 if "warning" in said else 1)


# ---- with a server


@pytest.fixture
def server(runbookd):
    return runbookd(rules=RULES, runbooks=RUNBOOKS).start()


def fire(server, **labels):
    answer = server.post_alertmanager(notification([alert(
        {"alertname": "Down", "instance": "web-1:9100", "severity": "critical", **labels},
        annotations={"summary": labels.get("evil", "web-1 is down")})]))
    assert answer["new"] == 1
    return answer["decisions"][0]["incident"]


def test_page_of_an_incident(server):
    incident = fire(server)
    server.wait_run(runbook="look", state="succeeded")
    page = server.ctl("incidents", "show", incident).stdout
    assert page == re.sub(r"[^\n -~…]", "?", page), "a page is plain text"
    for part in ("critical, open, not acknowledged", "instance=web-1:9100", incident, "1 of 1 firing", "web-1 is down",
                 "look", "rule look", "| line 12", "| nothing", "| ... 3 lines left out: runbookctl runs output", "Timeline"):
        assert part in page, (part, page)
    shown = re.findall(r"\| (line \d+|\.\.\.|nothing)", page)
    assert shown == ["line 1", "line 2", "line 3", "...", *(f"line {i}" for i in range(7, 13)), "nothing"], page
    assert re.search(r"opened +\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ \(\d+[sm] ago\)", page), page
    assert re.search(r"alert +firing +Down: web-1 is down", page), page
    assert re.search(r"run +succeeded +look", page), page
    assert re.search(r"rule +run +look", page), page


def test_page_without_an_id_is_the_newest_open_one(server):
    assert "no incident is open" in server.ctl("incidents", "show", code=4).stderr
    fire(server, instance="a:1")
    wanted = fire(server, instance="b:1")
    assert re.search(rf"^id +{wanted}$", server.ctl("incidents", "show").stdout, re.M)


def test_json_is_the_api_s(server):
    incident = fire(server)
    run = server.wait_settled()[0]
    for what in ("incidents", "alerts", "events", "runs", "rules", "runbooks", "audit"):
        printed = json.loads(server.ctl("-o", "json", what, "list").stdout)
        assert printed == server.get(f"/api/v1/{what}"), what
        assert printed["items"]
    assert json.loads(server.ctl("-o", "json", "incidents", "show", incident).stdout) == \
        server.get(f"/api/v1/incidents/{incident}")
    assert json.loads(server.ctl("-o", "json", "runs", "show", run["id"]).stdout) == server.get(f"/api/v1/runs/{run['id']}")
    assert json.loads(server.ctl("-o", "json", "incidents", "timeline", incident).stdout)["items"] == \
        server.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    lines = [json.loads(line) for line in server.ctl("-o", "json", "runs", "output", run["id"]).stdout.splitlines()]
    assert [line["text"] for line in lines] == server.output(run["id"]).splitlines()


def test_yaml_is_readable(server):
    fire(server)
    text = server.ctl("-o", "yaml", "incidents", "list").stdout
    assert text.startswith("items:\n  - id: ") and re.search(r"^next: null$", text, re.M), text
    assert re.search(r"^    key:\n      instance: web-1:9100$", text, re.M), text


def test_lists_take_the_api_s_parameters(server):
    for n in range(3):
        fire(server, instance=f"host-{n}:1")
    server.wait_settled()

    def ids(*args):
        return [i["id"] for i in json.loads(server.ctl("-o", "json", "incidents", "list", *args).stdout)["items"]]
    everything = ids()
    assert len(everything) == 3
    assert ids("--limit", "2") == everything[:2]
    assert ids("--status", "resolved") == []
    assert ids("--filter", 'instance =~ "host-[12].*"') == everything[:2]
    assert ids("--since", "1h") == everything
    assert ids("--until", "1h") == []
    done = server.ctl("incidents", "--limit", "2")
    assert len(done.stdout.splitlines()) == 3 and "more incidents" in done.stderr
    done = server.ctl("incidents", "--status", "closed")
    assert (done.stdout, done.stderr) == ("", "no incidents\n")
    assert "Bad Request: " in server.ctl("incidents", "--filter", "instance", code=1).stderr


def test_run_by_hand(server):
    done = server.ctl("run", "look", "-p", "target=x = y", "-p", "count=2", "--wait")
    run = done.stdout.splitlines()[0]
    assert done.stdout == f"{run}\nline 1\nline 2\nx = y\n"
    assert re.fullmatch(r"succeeded after \d+(\.\d)?m?s\n", done.stderr), done
    page = server.ctl("runs", "show", run).stdout
    assert re.search(r"^state +succeeded$", page, re.M) and 'target="x = y" count=2' in page, page
    assert server.ctl("runs", "output", run).stdout == "line 1\nline 2\nx = y\n"


def test_run_that_fails_is_1(server):
    done = server.ctl("run", "fail", "--wait", code=1)
    assert done.stdout.splitlines()[1:] == ["cannot do it"]
    assert re.match(r"failed after .*3", done.stderr), done


def test_run_without_wait_prints_the_id(server):
    run = server.ctl("run", "look", "-p", "target=x").stdout
    assert re.fullmatch(r"[0-9A-Z]{26}\n", run)
    server.wait_run(id=run.strip(), state="succeeded")
    data = json.loads(server.ctl("-o", "json", "run", "look", "-p", "target=x", "--wait").stdout)
    assert data["state"] == "succeeded" and data["params"]["target"] == "x"


def test_run_with_wrong_parameters(server):
    assert "target" in server.ctl("run", "look", code=1).stderr
    assert "colour" in server.ctl("run", "look", "-p", "target=x", "-p", "colour=red", code=1).stderr
    assert "did you mean 'look'" in server.ctl("run", "lok", code=4).stderr


def test_output_is_followed(server):
    run = server.ctl("run", "slow").stdout.strip()
    log = server.folder / "followed"
    child = spawn([program("runbookctl"), "--url", f"http://{server.address}", "runs", "output", "-f", run], log)
    wait_for(lambda: log.read_text() == "before\n", "the first line")
    assert child.poll() is None
    (server.folder / "go").touch()
    assert child.wait(timeout=DEADLINE) == 0
    assert log.read_text() == "before\nafter\n"


def test_not_found_is_4(server):
    nothing = "01JD0000000000000000000000"
    for args in (["incidents", "show"], ["incidents", "timeline"], ["runs", "show"], ["runs", "output"]):
        for name in (nothing, "../../metrics", "what?x=1#y"):
            done = server.ctl(*args, name, code=4)
            assert not done.stdout and done.stderr.startswith("runbookctl: Not Found: "), done


def test_reload(server):
    assert server.ctl("reload").stdout == "reloaded\n"
    server.write_rules("rules: [\n")
    done = server.ctl("reload", code=1)
    assert "refused" in done.stderr and re.search(r"^.*/rules/test\.yml:\d+:\d+: ", done.stderr, re.M), done


def test_unix_socket(runbookd):
    server = runbookd(rules=RULES, runbooks=RUNBOOKS)
    server.configure({"http": {"listen": ["127.0.0.1:0", f"unix:{server.folder}/http.sock"]}})
    server.start()
    fire(server)
    done = run_ctl("--url", f"unix:{server.folder}/http.sock", "-o", "json", "alerts", "list")
    assert done.returncode == 0 and json.loads(done.stdout) == server.get("/api/v1/alerts"), done


def test_nothing_of_the_network_reaches_a_terminal_raw(server):
    """Labels, annotations, parameters and output with all that a terminal obeys."""
    incident = fire(server, evil=EVIL, **{"na\u202eme": "x"})
    run = server.wait_run(runbook="look", state="succeeded")["id"]
    url = ["--url", f"http://{server.address}"]
    for args in (["incidents"], ["incidents", "show", incident], ["incidents", "timeline", incident], ["alerts"], ["events"],
                 ["runs"], ["runs", "show", run], ["runs", "output", run], ["runs", "output", "-f", run], ["audit"],
                 ["runs", "show", EVIL], ["runs", "--filter", EVIL], ["run", EVIL]):
        for form in ("table", "json", "yaml"):
            if args[:2] == ["runs", "output"] and form == "yaml":
                continue
            status, text = on_terminal(*url, "-o", form, *args)
            assert status in (0, 1, 4), (args, text)
            bare = without_colours(text) if form == "table" else text
            bad = {c for c in bare if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
            assert not bad, (args, form, bad, text)
    _, text = on_terminal(*url, "runs", "output", run)
    assert "a\\x1b[2J\\x1b]0;title\\x07" in text and "\\u202egnp\tb\nc\\rd\\x7f" in text, text
    raw = subprocess.run([program("runbookctl"), *url, "runs", "output", run], capture_output=True, timeout=DEADLINE)
    assert raw.stdout.decode() == server.output(run)


def test_colours_only_on_a_terminal(server):
    fire(server)
    url = ["--url", f"http://{server.address}"]
    assert "\x1b" not in server.ctl("incidents").stdout
    assert "\x1b[1;31mcritical\x1b[0m" in on_terminal(*url, "incidents")[1]
    assert "\x1b" not in on_terminal(*url, "incidents", env={"NO_COLOR": "1"})[1]
    assert "\x1b" in on_terminal(*url, "incidents", env={"NO_COLOR": ""})[1]
    assert "\x1b" not in on_terminal(*url, "incidents", env={"TERM": "dumb"})[1]


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_tables_fit_the_terminal(server, columns):
    fire(server, evil="Übergroße 日本語 " * 20)
    server.wait_settled()
    url = ["--url", f"http://{server.address}"]
    for what in ("incidents", "alerts", "events", "runs", "rules", "runbooks", "audit"):
        status, text = on_terminal(*url, what, columns=columns)
        assert status == 0 and len(text.splitlines()) >= 2, text
        for line in without_colours(text).splitlines():
            assert columns_of(line) <= columns, (what, line)
    assert "…" in on_terminal(*url, "alerts", columns=columns)[1]
    assert "…" not in server.ctl("alerts").stdout


def test_times_are_local(server):
    fire(server)
    for zone, name in (("UTC", "UTC"), ("Asia/Kolkata", "IST")):
        done = subprocess.run([program("runbookctl"), "--url", f"http://{server.address}", "incidents", "show"],
                              capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, "TZ": zone})
        assert re.search(rf"opened +.* {name} \(", done.stdout), done
