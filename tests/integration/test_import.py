"""runbookctl import: what it makes is taken by check, acts as the old program did, and holds no text as code."""
import json
import os
import re
import subprocess
import urllib.parse

import pytest

from alerts import GOLDEN, alert, notification
from harness import DEADLINE, program
from test_compat import expected

NASTY = ["plain", "", "it's", "two words", "$(touch DIR/pwned)", "`touch DIR/pwned`", "a\nb\n", "\\", "\"q\"", "-n", "*", "~",
         "; touch DIR/pwned;", "'; touch DIR/pwned; '", "$HOME", "${x}", "{{ labels.x }}", "# no comment", "é€😀", "\t tab",
         "\n# ---\n# timeout: 1s\n# ---\n", "%s%n", "&& touch DIR/pwned", "!!", "\u2028", "\x7f", "a=b", "\x1b[31m"]
TELL = """#!/usr/bin/python3
import json, os, sys
with open("DIR/told", "w") as f:
    json.dump({"args": sys.argv[1:], "cwd": os.getcwd(), "stdin": sys.stdin.read(),
               "env": {k.decode("utf-8", "surrogateescape"): v.decode("utf-8", "surrogateescape") for k, v in os.environb.items()},
               "files": {k: open(v).read() for k, v in os.environ.items() if k.startswith("FILE_")}}, f)
os.rename("DIR/told", "DIR/told.json")
"""


def ctl(*args, code=0):
    done = subprocess.run([program("runbookctl"), *map(str, args)], timeout=DEADLINE, capture_output=True, text=True)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done


@pytest.fixture
def imports(folder):
    """import(KIND, config) writes config as JSON (which is YAML, too) or text, and imports it into folder/made."""
    def run(kind, config, code=0):
        source = folder / "config"
        source.write_text(config if isinstance(config, str) else json.dumps(config))
        done = ctl("import", kind, source, "--to", folder / "made", code=code)
        return done.stderr
    return run


@pytest.fixture
def teller(folder):
    path = folder / "tell it's"
    path.write_text(TELL.replace("DIR", str(folder)))
    path.chmod(0o755)
    return str(path)


def nasty(folder):
    return [text.replace("DIR", str(folder)) for text in NASTY]


def call(folder, name, env=None, stdin="{}"):
    """A runbook as the worker would start it, but for the sandbox; what it told."""
    clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
    done = subprocess.run([folder / "made" / "runbooks" / f"{name}.sh"], env=clean, input=stdin, cwd=folder, text=True,
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done
    assert not (folder / "pwned").exists()
    return json.loads((folder / "told.json").read_text())


def made_rules(folder, slug):
    """The rules as /api/v1/rules has them would need a server; here, what check and lint say is enough."""
    (folder / "runbookd.yml").write_text(json.dumps({"rules": ["made/rules/*.yml"], "runbooks": ["made/runbooks"],
                                                     "state_dir": str(folder / "state")}))
    done = ctl("check", folder / "runbookd.yml")
    assert "good: " in done.stdout
    ctl("lint", *sorted((folder / "made" / "runbooks").iterdir()))
    return (folder / "made" / "rules" / f"imported-{slug}.yml").read_text()


def rule_text(rules, name):
    return re.search(rf"(?ms)^  - name: {name}\n.*?(?=^\n|\Z)", rules)[0]


# ---- prometheus-am-executor

def test_am_executor_command_runs_as_before(folder, imports, teller, runbookd):
    """Environment and arguments of the old script, for the live captures, through a real runbookd."""
    stderr = imports("am-executor", {"listen_address": ":8080", "commands": [
        {"cmd": teller, "args": nasty(folder), "match_labels": {"cluster": "eu1"}},
        {"cmd": "/bin/false", "match_labels": {"cluster": "other"}}]})
    assert "listen_address" in stderr
    rules = made_rules(folder, "am-executor")
    message = json.loads((GOLDEN / "v0.25-InstanceDown-firing.json").read_text())
    rb = runbookd(rules=rules, conf={"incidents": {"stale_after": "30d"}},
                  runbooks={p.name: p.read_text() for p in (folder / "made" / "runbooks").iterdir()}).start()
    decisions = rb.post_alertmanager(message)["decisions"]
    assert [d["decision"] for d in decisions] == ["run", "cooldown"], "one run a message"
    rb.wait_run(id=decisions[0]["run"], state="succeeded")
    told = json.loads((folder / "told.json").read_text())
    assert told["args"] == nasty(folder)
    assert told["stdin"] == ""
    assert {k: v for k, v in told["env"].items() if k.startswith("AMX_")} == expected(message)
    assert not (folder / "pwned").exists()
    again = rb.post_alertmanager((GOLDEN / "v0.25-InstanceDown-mixed.json").read_bytes())
    assert [d["decision"] for d in again["decisions"]] == ["duplicate"], "as before, nothing runs for a resolve"


def test_am_executor_keeps_odd_names(folder, imports, teller, runbookd):
    imports("am-executor", {"commands": [{"cmd": teller}]})
    rb = runbookd(rules=made_rules(folder, "am-executor"), conf={"incidents": {"stale_after": "30d"}},
                  runbooks={p.name: p.read_text() for p in (folder / "made" / "runbooks").iterdir()}).start()
    body = (GOLDEN / "odd-labels.json").read_bytes()
    run = rb.post_alertmanager(body)["decisions"][0]["run"]
    rb.wait_run(id=run, state="succeeded")
    told = json.loads((folder / "told.json").read_text())
    assert {k: v for k, v in told["env"].items() if k.startswith("AMX_")} == expected(json.loads(body))


def test_am_executor_names_what_has_no_equivalent(folder, imports):
    text = """
listen_address: ":23222"
verbose: true
tls_key: key.pem
tls_crt: crt.pem
color: blue
commands:
  - cmd: ./reboot
    args: [now]
    match_labels: {"app.kubernetes.io/name": 'we"b\\x', env: testing}
    notify_on_failure: true
    resolved_signal: SIGUSR1
    max: 3
  - cmd: echo
    ignore_resolved: true
    resolved_signal: TERM
  - cmd: echo
  - cmd: /bin/kill-me
    resolved_signal: sigkill
  - cmd: /bin/term-me
    resolved_signal: "15"
"""
    stderr = imports("am-executor", text)
    rules = made_rules(folder, "am-executor")
    for what in ("listen_address", "verbose", "tls_key", "color", "notify_on_failure", "SIGUSR1", "'max: 3'", "./reboot",
                 "repeat_interval", "limits.hosts", "same command", "'resolved_signal' had no effect"):
        assert what in stderr, what
    assert re.search(r"config:13:\d+: warning: 'max: 3'", stderr), stderr
    reboot = rule_text(rules, "am-reboot")
    assert """- '"app.kubernetes.io/name" = "we\\"b\\\\x"'""" in reboot and """- 'env = "testing"'""" in reboot
    assert "cooldown: {every: 2s, by: [event.group]}" in reboot and "on_resolve: cancel" in reboot
    assert "on_resolve: ignore" in rule_text(rules, "am-echo")
    assert rules.count("- name: am-echo") == 1
    books = {p.name: p.read_text() for p in (folder / "made" / "runbooks").iterdir()}
    assert "# grace: 0s" in books["am-kill-me.sh"] and "grace" not in books["am-term-me.sh"].split("# ---")[1]
    assert all("# compat: am-executor\n" in text for text in books.values())


# ---- adnanh/webhook

def hook(folder, teller, **more):
    return {"id": "Deploy: site/α", "execute-command": teller, **more}


def value(name, want, kind="value"):
    return {"match": {"type": kind, {"value": "value", "regex": "regex"}[kind]: want, "parameter": {"source": "payload", "name": name}}}


def test_webhook_gives_the_command_what_it_had(folder, imports, teller):
    work = folder / "it's a folder"
    work.mkdir()
    texts = nasty(folder)
    arguments = [{"source": "string", "name": text} for text in texts] + [
        {"source": "payload", "name": "ref"}, {"source": "payload", "name": "commits.0.odd name.id"},
        {"source": "entire-payload"}, {"source": "header", "name": "X-Id"}, {"source": "payload", "name": "ref"}]
    stderr = imports("webhook", [hook(folder, teller, **{
        "command-working-directory": str(work),
        "pass-arguments-to-command": arguments,
        "pass-environment-to-command": [
            {"source": "payload", "name": "repository.name"}, {"source": "payload", "name": "who", "envname": "WHO"},
            {"source": "string", "name": "it's", "envname": "STAGE"}, {"source": "url", "name": "q", "envname": "QUERY"}],
        "pass-file-to-command": [
            {"source": "payload", "name": "plain", "envname": "FILE_PLAIN"},
            {"source": "payload", "name": "coded", "envname": "FILE_CODED", "base64decode": True}],
    })])
    assert "'header' of 'X-Id' has no equivalent" in stderr and "'url' of 'q' has no equivalent" in stderr and "jq" in stderr
    rules = made_rules(folder, "webhook")
    with_ = dict(re.findall(r"^          (value_\d+): '\{\{ data\.(.*?) \| default \"\" \}\}'$", rules, re.M))
    assert sorted(with_.values()) == sorted(['repository.name', 'who', 'plain', 'coded', 'ref', 'commits.0."odd name".id'])
    values = {"repository.name": "$(touch x)", "who": "a'b\n", "plain": "text\n'$(id)'", "coded": "aGVsbG8K", "ref": "-n; \"x\" $y",
              'commits.0."odd name".id': "*"}
    payload = {"a": ["it's", 1]}
    told = call(folder, "hook-deploy-site", {f"PARAM_{n}": values[path] for n, path in with_.items()},
                json.dumps({"event": {"data": payload}}))
    assert told["args"][:len(texts)] == texts
    ref, odd, whole, header, again = told["args"][len(texts):]
    assert (ref, odd, header, again) == (values["ref"], "*", "", values["ref"]) and json.loads(whole) == payload
    assert told["cwd"] == str(work) and told["stdin"] == ""
    assert told["env"]["HOOK_repository.name"] == "$(touch x)" and told["env"]["WHO"] == "a'b\n"
    assert told["env"]["STAGE"] == "it's" and told["env"]["QUERY"] == ""
    assert told["files"] == {"FILE_PLAIN": "text\n'$(id)'", "FILE_CODED": "hello\n"}
    assert not os.path.exists(told["env"]["FILE_PLAIN"]), "the file goes when the command has ended"


def test_webhook_secrets_stay_where_they_are(folder, imports, teller):
    signature = {"match": {"type": "payload-hmac-sha256", "secret": "hunter2-hmac",
                           "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}
    token = {"match": {"type": "value", "value": "hunter2-token", "parameter": {"source": "url", "name": "token"}}}
    scalr = {"match": {"type": "scalr-signature", "secret": "hunter2-scalr"}}
    ranges = {"match": {"type": "ip-whitelist", "ip-range": "10.0.0.0/8 192.168.1.7 ::1"}}
    stderr = imports("webhook", [
        hook(folder, teller, **{"trigger-rule": {"and": [signature, ranges, value("ref", "x")]}}),
        {"id": "token", "execute-command": teller, "trigger-rule": token},
        {"id": "scalr", "execute-command": teller, "trigger-rule": scalr},
        {"id": "either", "execute-command": teller, "trigger-rule": {"or": [signature, value("ref", "x")]}}])
    rules = made_rules(folder, "webhook")
    everything = stderr + "".join(p.read_text() for p in (folder / "made").rglob("*") if p.is_file())
    assert "hunter2" not in everything
    assert "secrets/hook-deploy-site" in stderr
    sources = (folder / "made" / "sources-webhook.yml").read_text()
    assert all(line.startswith("#") for line in sources.splitlines())
    assert ("auth: {hmac: {header: 'X-Hub-Signature-256', algorithm: sha256, secret_file: secrets/hook-deploy-site, prefix: \"sha256=\"}, "
            "allow: ['10.0.0.0/8', '192.168.1.7/32', '::1/128']}") in sources
    assert "dry_run" not in rule_text(rules, "hook-deploy-site")
    for name in ("hook-token", "hook-scalr", "hook-either"):
        assert "mode: dry_run" in rule_text(rules, name), "a condition that is gone must not widen the rule"


RULES = {
    "equal": value("ref", "refs/heads/a\"b\\c"),
    "search": value("ref", "heads/.*b", "regex"),
    "whole": value("ref", "^refs/[a-z]+$", "regex"),
    "ends": value("ref", "x\\$|b$", "regex"),
    "there": value("who", ".*", "regex"),
    "not": {"not": value("who", "bot")},
    "deep": {"and": [{"or": [value("ref", "x"), value("ref", "^refs/", "regex")]},
                     {"not": {"or": [value("who", "bot"), value("n.0.a", "1")]}},
                     {"or": [value("n.0.a", "2"), {"and": [value("n.0.a", "3"), value("who", "me")]}]}]},
    "not-and": {"not": {"and": [value("who", "bot"), {"not": value("n.0.a", "2")}, value("ref", "x")]}},
    "and-not": {"and": [value("ref", "^refs/", "regex"), {"not": {"and": [value("who", "bot"), value("n.0.a", "2")]}}]},
    "or-not": {"or": [{"not": value("who", "bot")}, {"and": [{"not": value("n.0.a", "2")}, value("ref", "x")]}]},
}
PAYLOADS = [{"ref": ref, **who, **n} for ref in ("refs/heads/a\"b\\c", "refs/heads/xxb", "refs/tags", "x", "x$y", "a.b\nb")
            for who in ({}, {"who": "bot"}, {"who": "me"}) for n in ({}, {"n": [{"a": 2}]}, {"n": [{"a": 3}]}, {"n": [{"a": 1}]})]


def holds(rule, payload):
    """(value, whether something was missing), as webhook's Evaluate gives them: `and` alone heeds that."""
    if "and" in rule:
        for r in rule["and"]:
            value_, missing = holds(r, payload)
            if missing or not value_:
                return False, missing
        return True, False
    if "not" in rule:
        value_, missing = holds(rule["not"], payload)
        return not value_, missing
    if "or" in rule:
        return any(holds(r, payload)[0] for r in rule["or"]), False
    m, at = rule["match"], payload
    for part in m["parameter"]["name"].split("."):
        at = at[int(part)] if isinstance(at, list) else at.get(part)
        if at is None:
            return False, True
    if m["type"] == "value":
        return str(at) == m["value"], False
    return re.search(re.sub(r"(?<!\\)\$", r"\\Z", m["regex"]), str(at)) is not None, False


def triggers(rule, payload):
    return holds(rule, payload)[0]


def test_webhook_trigger_rules_hold_for_the_same_payloads(folder, imports, runbookd):
    """The matchers of each rule against events with these payloads; their source is of a kind that comes later."""
    imports("webhook", [{"id": name, "execute-command": "/bin/true", "trigger-rule": rule} for name, rule in RULES.items()])
    rules = re.sub(r'event\.source = "hook-[\w-]+"', 'event.type = "payload"', made_rules(folder, "webhook"))
    emit = "#!/usr/bin/python3\n# ---\n# summary: Emits\n# ---\nimport json, os\nwith open(os.environ['RUNBOOK_EVENTS'], 'w') as f:\n" \
        f"    for i, p in enumerate({PAYLOADS!r}):\n        f.write(json.dumps({{'type': 'payload', 'data': p, 'labels': {{'i': str(i)}}}}) + '\\n')\n"
    rb = runbookd(rules=rules, conf={"limits": {"runs": {"count": 10000, "per": "1m"}}},
                  runbooks={"emit.py": emit, **{p.name: p.read_text() for p in (folder / "made" / "runbooks").iterdir()}}).start()
    rb.ctl("run", "emit", "--wait")
    rb.wait_runs(lambda runs: len([e for e in rb.items("events") if e["type"] == "payload"]) == len(PAYLOADS), "all events")
    got = {(d["rule"], int(e["labels"]["i"])) for e in rb.items("events") if e["type"] == "payload" for d in e.get("decisions", [])}
    want = {(f"hook-{name}", i) for name, rule in RULES.items() for i, p in enumerate(PAYLOADS) if triggers(rule, p)}
    assert got == want
    assert {rule for rule, _ in want} == {f"hook-{name}" for name in RULES}, "each rule is true for some payload"


def test_webhook_names_each_key(folder, imports, teller):
    keys = {"response-message": "ok", "response-headers": [{"name": "A", "value": "b"}], "success-http-response-code": 201,
            "include-command-output-in-response": True, "include-command-output-in-response-on-error": True,
            "trigger-rule-mismatch-http-response-code": 400, "trigger-signature-soft-failures": True, "http-methods": ["PUT"],
            "incoming-payload-content-type": "application/json", "parse-parameters-as-json": [{"source": "payload", "name": "x"}],
            "pre-hook-command": "/bin/x", "no-such-key": 1}
    stderr = imports("webhook", [hook(folder, teller, **keys)])
    made_rules(folder, "webhook")
    for key in keys:
        assert f"'{key}'" in stderr, key


def test_webhook_trigger_rule_that_is_too_large(folder, imports):
    pair = {"or": [value("a", "1"), value("b", "2")]}
    wide = {"and": [value(f"v{i}", "1") for i in range(41)]}
    stderr = imports("webhook", [{"id": name, "execute-command": "/bin/true", "trigger-rule": rule} for name, rule in (
        ("fits", {"and": [{"or": [value(f"a{i}", "1"), value(f"b{i}", "2")]} for i in range(6)]}),
        ("many", {"and": [{"or": [value(f"a{i}", "1"), value(f"b{i}", "2")]} for i in range(7)]}),
        ("same", {"and": [pair] * 6}), ("wide", wide))])
    rules = made_rules(folder, "webhook")
    assert stderr.count("too large when multiplied out") == 2
    assert [name for name in ("fits", "many", "same", "wide") if "dry_run" in rule_text(rules, f"hook-{name}")] == ["many", "wide"]


def test_webhook_odd_paths(folder, imports):
    imports("webhook", [{"id": "x", "execute-command": "/bin/true", "pass-arguments-to-command": [
        {"source": "payload", "name": name} for name in ("a..b", ".", "a.\"q\"", "{{ x }}", ".".join("abcd" * 10))]}])
    made = made_rules(folder, "webhook")
    for path in ('."a..b"', '."."', '.a."\\"q\\""', '."{{ x }}"', '."a.b.c.d.'):
        assert "{{ data" + path in made, (path, made)


def test_webhook_yaml(folder, imports):
    imports("webhook", "- id: redeploy\n  execute-command: /bin/true\n  trigger-rule:\n    match:\n      type: value\n      value: 1\n"
                       "      parameter: {source: payload, name: a-b.c}\n")
    assert """- 'data.a-b.c = "1"'""" in made_rules(folder, "webhook")


# ---- krpn/prometheus-alert-webhooker

CURL = """#!/usr/bin/python3
import json, sys
json.dump({"args": sys.argv[1:], "stdin": sys.stdin.read()}, open("DIR/curl.json", "w"))
print(STATUS, end="")
"""


def test_krpn_shell_words(folder, imports, teller):
    where = teller.replace(" ", "_").replace("'", "")
    os.rename(teller, where)
    imports("krpn", {"rules": [{"name": "Clean Logs!", "conditions": {"alert_labels": {"alertname": "Low"}}, "actions": [
        {"executor": "Shell", "parameters": {"command": f"{where} ${{CUT_AFTER_LAST_COLON_LABEL_INSTANCE}}  "
                                                        "--why=${ANNOTATION_SUMMARY}. ${URLENCODE_LABEL_A}x${JSON_ESCAPE_LABEL_A} -n"}}]}]})
    rules = made_rules(folder, "krpn")
    assert "label_instance: '{{ labels.instance }}'" in rules and "annotation_summary: '{{ annotations.summary }}'" in rules
    a = "a b\"c\\/é~;$(id)&+%"
    for text in nasty(folder):
        told = call(folder, "krpn-clean-logs", {"PARAM_label_instance": "web:1:9100", "PARAM_annotation_summary": text, "PARAM_label_a": a})
        escaped = a.replace("\\", "\\\\").replace('"', '\\"')
        assert told["args"] == ["web:1", f"--why={text}.", urllib.parse.quote_plus(a, safe="~") + "x" + escaped, "-n"]


def test_krpn_conditions_and_block(folder, imports):
    stderr = imports("krpn", """
runners: 10
pool_size: 100
block_cache_size: 5
remote_config_refresh_interval: 60s
common_parameters:
  script: {command: /opt/fix.sh}
rules:
- name: a
  conditions:
    alert_labels: {plain: "a.b", group: "^web-(1|2)$", open: "(x)", bad: "(?=x)(y)", back: '(a)\\1'}
    alert_annotations: {fix: enabled}
  actions:
  - {executor: shell, parameters: {command: "/opt/a.sh ${LABEL_INSTANCE}"}, block: 1m30s}
  - {executor: shell, common_parameters: script, block: 5m}
- name: b
  conditions: {alert_status: resolved, alert_labels: {any: "(.*)"}}
  actions: [{type: shell, parameters: {command: "echo $(id) | tee /x"}}]
- name: c
  actions: [{executor: pager, parameters: {}}]
""")
    rules = made_rules(folder, "krpn")
    a, b = rule_text(rules, "krpn-a"), rule_text(rules, "krpn-b")
    for line in ("'plain = \"a.b\"'", "'group =~ \".*(?:^web-(1|2)$).*\"'", "'open =~ \".*(?:(x)).*\"'", "'bad = \"(?=x)(y)\"'",
                 "'back = \"(a)\\\\1\"'", "'annotations.fix = \"enabled\"'"):
        assert line in a, (line, a)
    assert "cooldown: {every: 90s, by: [instance]}" in a and "mode" not in a
    assert a.index("runbook: krpn-a\n") < a.index("runbook: krpn-a-step-2\n")
    assert "when: resolved" in b and "'any != \"\"'" in b and "mode: dry_run" in b, b
    assert "exec 'echo' '$(id)' '|' 'tee' '/x'" in (folder / "made" / "runbooks" / "krpn-b.sh").read_text()
    for what in ("'runners'", "'pool_size'", "'block_cache_size'", "'remote_config_refresh_interval'", "no executor 'pager'",
                 "'block: 5m'", "signs that a shell would act on", "of 'c'"):
        assert what in stderr, what


def test_krpn_requests(folder, imports):
    stderr = imports("krpn", {"common_parameters": {"ci": {"endpoint": "https://jenkins.example/", "login": "me", "password": "hunter2"}}, "rules": [
        {"name": "http", "actions": [{"executor": "http", "parameters": {
            "url": "https://example.com/?q=${URLENCODE_LABEL_A}", "method": "POST", "body": '{"d": "${JSON_ESCAPE_LABEL_A}"}',
            "header Authorization": "Bearer hunter2", "header X-Env": "it's", "timeout": "1m0.5s", "success_http_status": 201}}]},
        {"name": "telegram", "actions": [{"executor": "telegram", "parameters": {
            "bot_token": "hunter2", "chat_id": -5, "message": "Fixed ${LABEL_A}"}}]},
        {"name": "jenkins", "actions": [{"executor": "jenkins", "common_parameters": "ci", "parameters": {
            "job": "Folder/job/${LABEL_A}", "job parameter server": "${LABEL_A}"}}]}]})
    made_rules(folder, "krpn")
    everything = stderr + "".join(p.read_text() for p in (folder / "made").rglob("*") if p.is_file())
    assert "hunter2" not in everything
    secrets = folder / "secrets"
    secrets.mkdir()
    (folder / "curl").write_text(CURL.replace("DIR", str(folder)).replace("STATUS", "os.environ['STATUS']").replace("json, sys", "json, os, sys"))
    (folder / "curl").chmod(0o755)

    def curl(name, status, a, code=0):
        script = folder / "made" / "runbooks" / f"krpn-{name}.sh"
        (secrets / f"krpn-{name}-1").write_text('se"cret\n')
        text = script.read_text().replace("/etc/runbookd/secrets", str(secrets))
        done = subprocess.run(["/bin/bash", "-c", text], env={"PATH": f"{folder}:/usr/bin:/bin", "PARAM_label_a": a, "STATUS": str(status)},
                              capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)
        assert done.returncode == code, done
        got = json.loads((folder / "curl.json").read_text())
        assert "cret" not in " ".join(got["args"]), "ps shows the arguments"
        return got["args"], got["stdin"]

    def after(args, option):
        return args[args.index(option) + 1]

    a = "x'\"\\ @$(id)"
    args, stdin = curl("http", 201, a)
    assert stdin == 'header = "Authorization: se\\"cret"\n'
    assert after(args, "--url") == "https://example.com/?q=" + urllib.parse.quote_plus(a)
    assert json.loads(after(args, "--data-raw")) == {"d": a}
    assert after(args, "--max-time") == "60.500" and after(args, "--request") == "POST" and "X-Env: it's" in args
    curl("http", 200, a, code=1)
    args, stdin = curl("telegram", 200, a)
    assert stdin == 'url = "https://api.telegram.org/botse\\"cret/sendMessage"\n'
    assert "chat_id=-5" in args and f"text=Fixed {a}" in args
    args, stdin = curl("jenkins", 201, a)
    assert stdin == 'user = "me:se\\"cret"\n' and f"server={a}" in args
    assert after(args, "--url") == f"https://jenkins.example/job/Folder/job/{a}/buildWithParameters"
    curl("jenkins", 403, a, code=1)


# ---- all of them

def test_nothing_is_written_over(folder, imports):
    config = {"commands": [{"cmd": "/bin/a"}, {"cmd": "/bin/b"}]}
    book = folder / "made" / "runbooks" / "am-b.sh"
    book.parent.mkdir(parents=True)
    os.symlink(folder / "elsewhere", book)
    stderr = imports("am-executor", config, code=1)
    assert "am-b.sh' is there already; nothing was written" in stderr
    assert sorted(p.name for p in (folder / "made").rglob("*")) == ["am-b.sh", "runbooks"]
    book.unlink()
    imports("am-executor", config)
    before = {p: p.stat().st_mtime_ns for p in (folder / "made").rglob("*.*")}
    assert os.access(book, os.X_OK)
    imports("am-executor", config, code=1)
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "made").rglob("*.*")}


def test_printed_as_written(folder, imports):
    imports("am-executor", {"commands": [{"cmd": "/bin/a", "args": ["ä\u202e\x1b"]}]})
    files = {str(p.relative_to(folder / "made")): p.read_text() for p in (folder / "made").rglob("*.*")}
    data = json.loads(ctl("import", "am-executor", folder / "config", "-o", "json").stdout)
    assert {f["path"]: f["text"] for f in data["files"]} == files
    assert {f["path"] for f in data["files"] if f["executable"]} == {"runbooks/am-a.sh"}
    text = ctl("import", "am-executor", folder / "config").stdout
    assert "==> rules/imported-am-executor.yml <==" in text and "==> runbooks/am-a.sh (chmod 755) <==" in text
    assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("kind,text,want", [
    ("am-executor", "commands: [", r"config:2:1: "),
    ("am-executor", "rules: []\n", r"config:1:1: no list of 'commands'"),
    ("am-executor", "commands:\n  - args: [x]\n", r"config:2:5: a command without 'cmd'"),
    ("webhook", '[{"id": "x",]', r"config:1:\d+: "),
    ("webhook", '{"id": "x"}', r"config:1:1: no list of hooks"),
    ("krpn", "commands: []\n", r"config:1:1: no list of 'rules'"),
    ("krpn", "rules:\n- name: x\n", r"config:2:3: a rule without 'name' or 'actions'"),
    ("krpn", "", r"config:\d+:\d+: no list of 'rules'"),
])
def test_a_wrong_file_is_said(folder, imports, kind, text, want):
    stderr = imports(kind, text, code=1)
    assert re.search(want, stderr), stderr
    assert not (folder / "made").exists()


def test_names_stay_apart(folder, imports):
    imports("am-executor", {"commands": [{"cmd": f"/{i}/Reboot It!" + "x" * i * 60} for i in range(4)]})
    rules = made_rules(folder, "am-executor")
    names = re.findall(r"- name: (\S+)", rules)
    assert len(set(names)) == 4 and names[0] == "am-reboot-it" and all(re.fullmatch(r"[a-z0-9-]{1,100}", n) for n in names)


def test_a_wrong_program_is_said(folder):
    assert "did you mean 'import webhook'" in ctl("import", "webhok", folder / "x", code=2).stderr
    assert "'import' is not a command alone, as 'import am-executor' is one" in ctl("import", code=2).stderr
    assert "no option '--to'" in ctl("check", "--to", folder, code=2).stderr


def test_a_missing_file(folder):
    done = ctl("import", "krpn", folder / "nothing", code=1)
    assert "cannot open" in done.stderr


def test_alerts_of_others_are_left_alone(folder, imports, runbookd):
    """match_labels are exact: a label with another value, or more than the value, does not run it."""
    imports("am-executor", {"commands": [{"cmd": "/bin/true", "match_labels": {"a.b": "x", "c": "é\"\\\n$"}}]})
    rb = runbookd(rules=made_rules(folder, "am-executor"),
                  runbooks={p.name: p.read_text() for p in (folder / "made" / "runbooks").iterdir()}).start()
    labels = {"alertname": "A", "a.b": "x", "c": "é\"\\\n$"}
    for i, change in enumerate(({"c": "é"}, {"a.b": "xx"}, {"a.b": ""})):
        assert rb.post_alertmanager(notification([alert({**labels, "i": str(i), **change})]))["decisions"] == []
    assert [d["decision"] for d in rb.post_alertmanager(notification([alert(labels)]))["decisions"]] == ["run"]
