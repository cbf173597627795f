"""The runbooks that look at one program: on the real one where Debian has it, else on a stand-in that says so here.

Real: Redis, Prometheus, Alertmanager, PostgreSQL, MariaDB, nginx, TLS and HTTP servers. Stand-ins, which answer as the manuals
say: docker, kubectl, rabbitmqctl, Kafka's tools, Elasticsearch. Each runbook is also run where its tool is missing.
"""
import contextlib
import glob
import http.server
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from harness import DEADLINE, RedisServer, free_port, http_request, make_folder, remove_folder, spawn, wait_for

TOP = Path(__file__).resolve().parent.parent.parent
HOST = os.uname().nodename
BASIC = ("sh awk cat cut date df dmesg du env find getconf getent grep head id ls mktemp nice numfmt openssl paste printf ps readlink rm sed"
         " sleep sort stat tail timeout tr uname uniq wc xargs")
# What each needs beyond a minimal Debian, and what it says without.
TOOLS = {
    "container-status": "neither docker nor podman is there; install docker.io",
    "restart-container": "neither docker nor podman is there; install docker.io",
    "elasticsearch-status": "curl is missing; install curl",
    "elasticsearch-retry": "curl is missing; install curl",
    "kafka-status": "kafka-topics.sh and kcat are missing; install kcat",
    "kubernetes-status": "kubectl is missing; install kubectl",
    "mysql-status": "neither mariadb nor mysql is there; install mariadb-client",
    "postgres-status": "psql is missing; install postgresql-client",
    "postgres-end-idle": "psql is missing; install postgresql-client",
    "probe-endpoint": "curl is missing; install curl",
    "prometheus-status": "curl is missing; install curl",
    "rabbitmq-status": "rabbitmqctl is missing; it comes with rabbitmq-server",
    "redis-status": "redis-cli is missing; install redis-tools",
    "redis-save": "redis-cli is missing; install redis-tools",
    "time-status": "no time service answers; install chrony",
    "nginx-status": "no program nginx, no process of it and no logs",
}
ARGUMENTS = {"PARAM_container": "shop", "PARAM_target": "http://127.0.0.1:1/", "PARAM_logs": "/nonexistent"}


def run(runbook, path=None, user=None, **env):
    base = {"PATH": str(path or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")}
    return subprocess.run([str(TOP / "runbooks" / f"{runbook}.sh")], env={**base, **{k: str(v) for k, v in env.items()}}, timeout=DEADLINE * 2,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, user=user, cwd="/")


def good(done):
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture
def tools(folder):
    """A folder for PATH with what a minimal Debian has; tools(NAME, TEXT) adds a stand-in."""
    for name in BASIC.split():
        (folder / name).symlink_to(shutil.which(name))

    def add(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
        return folder
    add.path = folder
    return add


@pytest.fixture
def open_folder():
    """A folder that another user may enter."""
    path = make_folder()
    path.chmod(0o755)
    yield path
    remove_folder(path)


@pytest.mark.parametrize("runbook", TOOLS)
def test_without_its_tool_it_fails_and_says_what_is_missing(tools, runbook):
    if runbook == "nginx-status":
        tools("ps", "#!/bin/sh\necho '  PID USER ELAPSED RSS COMMAND'\n")
    done = run(runbook, path=tools.path, **ARGUMENTS)
    assert done.returncode == 1 and TOOLS[runbook] in done.stdout and HOST in done.stdout, done
    assert done.stderr == "", done


@pytest.mark.parametrize("runbook, name, value", [
    ("container-status", "container", "-x"), ("container-status", "container", "a b"), ("restart-container", "container", "$(x)"),
    ("kubernetes-status", "kind", "secret"), ("kubernetes-status", "name", "-A"), ("kubernetes-status", "namespace", "a;b"),
    ("kafka-status", "topic", "a b"), ("kafka-status", "group", "-x"), ("redis-status", "address", "-h"), ("redis-save", "address", "a b"),
    ("probe-endpoint", "target", "file:///etc/passwd"), ("probe-endpoint", "target", "http://user:password@x/"), ("probe-endpoint", "target", "a b"),
    ("probe-endpoint", "target", "--config"), ("prometheus-status", "address", "a/b"), ("postgres-end-idle", "idle", "5s"), ("postgres-end-idle", "most", "99"),
])
def test_what_is_no_name_is_refused(tools, runbook, name, value):
    for tool in "docker kubectl kafka-topics redis-cli curl psql".split():
        tools(tool, "#!/bin/sh\necho CALLED\n")
    done = run(runbook, path=tools.path, **{f"PARAM_{name}": value})
    assert done.returncode == 1 and done.stdout.startswith("refusing ") and "CALLED" not in done.stdout, done


# ---- this host

def test_open_files_names_who_holds_them(tools):
    with contextlib.ExitStack() as held:
        for _ in range(60):
            held.enter_context(open("/dev/null"))
        output = good(run("open-files", path=tools.path))
    assert output.startswith(f"{HOST} has ") and "Most open files" in output


def test_hardware_status_says_what_it_cannot_see(tools):
    done = run("hardware-status", path=tools.path)
    assert done.stderr == "" and "smartctl is missing; install smartmontools" in done.stdout, done
    assert (done.returncode == 0) == done.stdout.startswith(f"hardware of {HOST}: "), done


def test_hardware_status_shows_a_disk_that_fails(tools):
    tools("smartctl", """#!/bin/sh
case $* in
--scan) echo '/dev/sda -d scsi # SCSI device' ;;
*-H*) printf 'SMART overall-health self-assessment test result: FAILED!\\n197 Current_Pending_Sector 0x0012 100 100 000 Old_age Always - 8\\n' ;;
esac
""")
    output = good(run("hardware-status", path=tools.path))
    assert output.startswith(f"hardware of {HOST}: look at\n") and "! /dev/sda: FAILED!; Current_Pending_Sector 8" in output


@pytest.mark.parametrize("leap, state, code", [("Normal", "synchronised", 0), ("Not synchronised", "NOT synchronised", 0)])
def test_time_status_asks_chrony(tools, leap, state, code):
    tools("chronyc", f"#!/bin/sh\n[ $2 = tracking ] && printf 'Reference ID    : 0A000001 (ntp)\\nStratum         : 3\\n"
          f"System time     : 0.000012 seconds slow of NTP time\\nLeap status     : {leap}\\n'\nexit 0\n")
    done = run("time-status", path=tools.path)
    assert done.returncode == code and done.stdout.startswith(f"the clock of {HOST} is {state} (says chrony)"), done
    assert "0.000012 seconds slow of NTP time; stratum 3" in done.stdout


# ---- Redis

def test_redis_status_of_a_real_server(folder):
    (folder / "redis").mkdir()
    password = folder / "password"
    password.write_text("s3cret\n")
    with real_redis(folder / "redis", "--requirepass", "s3cret", "--maxmemory", "2mb", "--maxclients", "32") as port:
        output = good(run("redis-status", PARAM_port=port, REDIS_PASSWORD_FILE=password))
        assert output.startswith("Redis 7") and f" on {HOST}, 127.0.0.1 port {port}, is a master" in output
        assert "append-only file: off" in output and "s3cret" not in output
        locked = run("redis-status", PARAM_port=port)
        assert locked.returncode == 1 and "does not let us in: NOAUTH" in locked.stdout and "REDIS_PASSWORD_FILE" in locked.stdout
        unreadable = run("redis-status", PARAM_port=port, REDIS_PASSWORD_FILE=folder / "nix")
        assert unreadable.returncode == 1 and "cannot read the password" in unreadable.stdout
    down = good(run("redis-status", PARAM_port=port))
    assert down.startswith(f"Redis on {HOST}, 127.0.0.1 port {port}, does not answer: ") and "refused" in down


def test_redis_status_names_what_stands_out(folder):
    (folder / "redis").mkdir()
    with real_redis(folder / "redis", "--replicaof", "127.0.0.1 1") as port:
        output = good(run("redis-status", PARAM_port=port))
    assert "is a slave" in output and "! its link to the master 127.0.0.1:1 is down" in output


def test_redis_save_writes_a_file_once_it_is_asked_to(folder):
    (folder / "redis").mkdir()
    with real_redis(folder / "redis") as port:
        dry = good(run("redis-save", PARAM_port=port, RUNBOOK_DRY_RUN="1"))
        assert dry.startswith("would let Redis") and not (folder / "redis" / "dump.rdb").exists()
        output = good(run("redis-save", PARAM_port=port))
        assert output.startswith(f"saved: Redis on {HOST}, 127.0.0.1 port {port}, ") and (folder / "redis" / "dump.rdb").exists()
        # A folder that is gone: the save fails, and that is said.
        shutil.rmtree(folder / "redis")
        failed = run("redis-save", PARAM_port=port)
        assert failed.returncode == 1 and ("FAILED" in failed.stdout or "does not save" in failed.stdout), failed
    gone = run("redis-save", PARAM_port=port)
    assert gone.returncode == 1 and "does not answer" in gone.stdout


@contextlib.contextmanager
def real_redis(folder, *more):
    port = free_port()
    process = spawn(["redis-server", "--port", str(port), "--dir", str(folder), "--save", "", *more], folder / "log")
    try:
        wait_for(lambda: "Ready to accept connections" in (folder / "log").read_text(), "redis-server to listen")
        yield port
    finally:
        process.kill()
        process.wait()


# ---- Prometheus and Alertmanager

@pytest.fixture
def monitoring(folder):
    """A real Prometheus with a target that is down and a rule that fails, and a real Alertmanager that reaches nobody."""
    ports = {name: free_port() for name in ("prometheus", "alertmanager")}
    (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{ports['alertmanager']}"]}}]}}]}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{ports['prometheus']}", "127.0.0.1:1"]}}]}}]
""")
    (folder / "rules.yml").write_text("groups: [{name: shop, rules: [{alert: Bad, expr: 'up * on(job) group_left() up'}, {alert: Down, expr: 'up == 0'}]}]\n")
    (folder / "alertmanager.yml").write_text("route: {receiver: r, group_wait: 0s}\nreceivers: [{name: r, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n")
    started = [spawn(["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle",
                      f"--web.listen-address=127.0.0.1:{ports['prometheus']}"], folder / "prometheus.log", cwd=folder),
               spawn(["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address=",
                      f"--web.listen-address=127.0.0.1:{ports['alertmanager']}"], folder / "alertmanager.log", cwd=folder)]
    try:
        yield ports, folder
    finally:
        for process in started:
            process.kill()
            process.wait()


def has(port, text):
    try:
        return text in http_request(f"127.0.0.1:{port}", "GET", "/metrics").text
    except OSError:
        return False


def test_prometheus_status_of_a_real_one(monitoring):
    ports, folder = monitoring
    failures = f'prometheus_rule_evaluation_failures_total{{rule_group="{folder}/rules.yml;shop"}} '
    wait_for(lambda: has(ports["prometheus"], failures) and not has(ports["prometheus"], failures + "0\n"), "a rule to fail")
    address = f"127.0.0.1:{ports['prometheus']}"
    output = good(run("prometheus-status", PARAM_address=address))
    assert output.startswith("prometheus 2.") and f" at http://{address} on {HOST}, " in output
    assert "evaluations of rules failed since it started" in output and "found duplicate series" in output
    assert "shop  127.0.0.1:1  Get" in output and "connection refused" in output
    # A configuration that is not taken.
    (folder / "prometheus.yml").write_text("nonsense: 1\n")
    assert http_request(address, "POST", "/-/reload").status == 500
    assert "! its configuration was NOT taken at the last reload" in good(run("prometheus-status", PROMETHEUS_URL=f"http://{address}/"))


def test_alertmanager_status_of_a_real_one(monitoring):
    ports, _ = monitoring
    wait_for(lambda: has(ports["alertmanager"], 'alertmanager_notifications_total{integration="webhook"} 1'), "a notification")
    output = good(run("prometheus-status", PARAM_program="alertmanager", PARAM_address=f"localhost:{ports['alertmanager']}"))
    assert output.startswith("alertmanager 0.") and 'integration="webhook"' in output and "Alerts: 1 active" in output
    wrong = run("prometheus-status", PARAM_program="alertmanager", PARAM_address=f"127.0.0.1:{ports['prometheus']}")
    assert wrong.returncode == 1 and "is no alertmanager" in wrong.stdout


def test_prometheus_status_where_nobody_is(tmp_path):
    nowhere = run("prometheus-status", PARAM_address="127.0.0.1:1")
    assert nowhere.returncode == 0 and nowhere.stdout.startswith(f"prometheus at http://127.0.0.1:1 on {HOST} does not answer: "), nowhere
    guessed = run("prometheus-status", PARAM_program="alertmanager", path=None, ALERTMANAGER_URL="")
    assert guessed.returncode == 1 and "set ALERTMANAGER_URL" in guessed.stdout, guessed
    unreadable = run("prometheus-status", PROMETHEUS_URL="http://127.0.0.1:1", PROMETHEUS_CURL_CONFIG=tmp_path / "nix")
    assert unreadable.returncode == 1 and "cannot read" in unreadable.stdout


# ---- addresses

class Web(http.server.BaseHTTPRequestHandler):
    """Answers by the path: a status, or what `answers` of the server has."""

    def do_GET(self):
        status, body = self.server.answers.get(self.path.split("?")[0], (None, None))
        if status is None:
            last = self.path.split("?")[0].rsplit("/", 1)[-1]
            status, body = int(last) if last.isdigit() else 200, "body s3cret\n"
        self.server.got.append((self.command, self.path, self.headers.get("Authorization")))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Set-Cookie", "session=s3cret")
        if 300 <= status < 400:
            self.send_header("Location", "https://elsewhere.example.com/?token=s3cret")
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def web(answers=None, certificate=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.answers, server.got = answers or {}, []
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.port = server.server_address[1]
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_probe_endpoint_of_http():
    with web() as server:
        at = f"http://127.0.0.1:{server.port}"
        for path, verdict in (("/200", "it answers with status 200 in "), ("/503", "it answers with an error, status 503"), ("/301", "it answers with status 301")):
            output = good(run("probe-endpoint", PARAM_target=at + path))
            assert output.startswith(f"{at}{path} seen from {HOST}: {verdict}"), output
            assert "s3cret" not in output and "session" not in output
        assert "it leads on to https://elsewhere.example.com/\n" in output
        bare = good(run("probe-endpoint", PARAM_target=f"127.0.0.1:{server.port}"))
        assert "it answers with status 200" in bare.splitlines()[0]


def test_probe_endpoint_says_at_which_step_it_fails():
    assert ": no connection: " in good(run("probe-endpoint", PARAM_target="127.0.0.1:1")).splitlines()[0]
    assert "its name 'nix.invalid' is not known here" in good(run("probe-endpoint", PARAM_target="https://nix.invalid/")).splitlines()[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threading.Thread(target=lambda: silent.accept()[0].close(), daemon=True).start()
        first = good(run("probe-endpoint", PARAM_target=f"127.0.0.1:{port}")).splitlines()[0]
    assert f"it takes connections at port {port}, but does not speak http there" in first


def test_probe_endpoint_shows_a_certificate_that_is_refused(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key", "-out", folder / "crt", "-days", "10",
                    "-subj", "/CN=shop.example.com", "-addext", "subjectAltName=DNS:shop.example.com"], check=True, capture_output=True)
    (folder / "pem").write_text((folder / "key").read_text() + (folder / "crt").read_text())
    with web(certificate=folder / "pem") as server:
        (folder / "artifacts").mkdir()
        output = good(run("probe-endpoint", PARAM_target=f"https://localhost:{server.port}/", RUNBOOK_ARTIFACTS=folder / "artifacts"))
    assert "it connects, but: SSL certificate problem" in output.splitlines()[0]
    assert "The same without checking the certificate\n" in output and "status 200 from 127.0.0.1" in output
    assert "DNS:shop.example.com" in output and ("it ends in 9 days" in output or "it ends in 10 days" in output)
    assert [p.name for p in (folder / "artifacts").iterdir()] == ["certificate.txt"]


# ---- PostgreSQL

@pytest.fixture
def postgres(open_folder):
    """A real server on a socket in a folder of its own: (environment, how to ask it, the user that may)."""
    user = "postgres" if os.geteuid() == 0 else None
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    data, port = open_folder / "pg", free_port()
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
        os.chown(open_folder, pwd.getpwnam(user).pw_uid, -1)
    base = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    subprocess.run([f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N"], check=True, user=user, env=base, capture_output=True, cwd="/")
    # fsync off: nothing here has to survive.
    start = [f"{programs}/pg_ctl", "-D", str(data), "-w", "-l", f"{open_folder}/pg.log", "-o", f"-p {port} -k {open_folder} -c listen_addresses= -F", "start"]
    subprocess.run(start, check=True, user=user, env=base, stdout=subprocess.DEVNULL, cwd="/")

    def ask(sql, role="postgres"):
        return subprocess.Popen(["psql", "-X", "-q", "-h", open_folder, "-p", str(port), "-U", role, "postgres"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, user=user, env=base, cwd="/"), sql
    yield {"PGHOST": open_folder, "PARAM_port": port, "PGUSER": "postgres"}, ask, user
    subprocess.run([f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop"], user=user, env=base, capture_output=True, cwd="/")


@contextlib.contextmanager
def session(ask, sql, role="postgres"):
    """A client that says something and stays; what it got comes when its answer ends with a line `done`."""
    client, sql = ask(sql, role)
    client.stdin.write(sql + "\n\\echo done\n")
    client.stdin.flush()
    while (line := client.stdout.readline()) != "done\n":
        assert line and "ERROR" not in line, line
    try:
        yield client
    finally:
        client.kill()
        client.wait()


def test_postgres_status_of_a_real_server(postgres):
    env, ask, user = postgres
    with session(ask, "create role app login; create table orders (id int primary key, note text); grant all on orders to app; insert into orders values (1, 'x');"):
        pass
    with session(ask, "begin; update orders set note = 'pass''word' where id = 1;", "app"):
        waiting, _ = ask("")
        waiting.stdin.write("update orders set note = 'hidden' where id = 1;\n")
        waiting.stdin.flush()
        try:
            wait_for(lambda: ", 1 wait for a lock\n" in run("postgres-status", user=user, **env).stdout, "a session to wait")
            output = good(run("postgres-status", user=user, **env))
        finally:
            waiting.kill()
            waiting.wait()
    assert output.startswith("PostgreSQL ") and f" on {HOST}, port {env['PARAM_port']}, is a primary" in output
    assert "idle in transaction" in output and "update orders set note = ? where id = N;" in output
    assert "for pid" in output and "not shown" not in output
    assert "pass" not in output and "hidden" not in output


def test_postgres_status_of_one_that_is_down_or_locked(postgres):
    env, _, user = postgres
    down = good(run("postgres-status", user=user, **{**env, "PARAM_port": 1}))
    assert down.startswith(f"PostgreSQL on {HOST}, port 1, does not let us in: ") and "Processes" in down
    locked = run("postgres-status", user=user, **{**env, "PGUSER": "nobody-knows"})
    assert locked.returncode == 1 and "PGUSER" in locked.stdout and "nobody-knows" in locked.stdout.splitlines()[0]


def test_postgres_end_idle_ends_nobody_who_has_not_been_idle_for_long(postgres):
    env, ask, user = postgres
    with session(ask, "create role app login;"):
        pass
    with session(ask, "begin; select 1;", "app") as client:
        for dry in ("0", "1"):
            output = good(run("postgres-end-idle", user=user, PARAM_idle="1m", RUNBOOK_DRY_RUN=dry, **env))
            assert output == f"no session on {HOST} is idle in a transaction for over 60 s: nothing was ended\n"
        assert client.poll() is None
    gone = run("postgres-end-idle", user=user, **{**env, "PARAM_port": 1})
    assert gone.returncode == 1 and "failed: No such file" in gone.stdout


def test_postgres_end_idle_says_whom_it_ended(tools):
    tools("psql", "#!/bin/sh\ncat >\"${0%/*}/asked\"\nprintf '12\\tapp\\tshop\\tlocal\\t00:20:00\\ttrue\\n13\\tapp\\tshop\\tlocal\\t00:16:00\\tfalse\\n'\n")
    done = run("postgres-end-idle", path=tools.path)
    assert done.returncode == 1 and done.stdout.startswith(f"ended 1 of 2 sessions on {HOST} that were idle in a transaction\n"), done
    asked = (tools.path / "asked").read_text()
    assert "pg_terminate_backend(pid)" in asked and "not r.rolsuper" in asked and "backend_type = 'client backend'" in asked
    done = run("postgres-end-idle", path=tools.path, RUNBOOK_DRY_RUN="1")
    assert "would end 2 sessions" in done.stdout and "pg_terminate_backend" not in (tools.path / "asked").read_text()


# ---- MariaDB

@pytest.fixture
def mariadb(open_folder):
    data, user = open_folder / "my", "nobody" if os.geteuid() == 0 else None
    data.mkdir(mode=0o755)
    if user:
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
    options = [f"--user={user}"] if user else []
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}/data", *options, "--auth-root-authentication-method=normal"],
                   check=True, capture_output=True, timeout=DEADLINE * 2)
    process = spawn([shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), "--no-defaults", f"--datadir={data}/data", *options, f"--socket={data}/socket",
                     "--skip-networking", f"--pid-file={data}/pid"], open_folder / "log")
    options = open_folder / "client.cnf"
    options.write_text(f"[client]\nsocket={data}/socket\nuser=root\n")
    ask = ["mariadb", f"--defaults-file={options}"]
    wait_for(lambda: subprocess.run([*ask, "-e", "SELECT 1"], capture_output=True).returncode == 0, "mariadbd to answer")
    yield options, ask, process
    process.kill()
    process.wait()


def test_mysql_status_of_a_real_server(mariadb):
    options, ask, process = mariadb
    slow = subprocess.Popen([*ask, "-e", "SELECT SLEEP(300), 'it''s secret', \"x\" FROM dual WHERE 12345 = 12345"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "User sleep" in run("mysql-status", MYSQL_DEFAULTS_FILE=options).stdout, "a query to be at work")
        output = good(run("mysql-status", MYSQL_DEFAULTS_FILE=options))
    finally:
        slow.kill()
        slow.wait()
    assert output.startswith("MariaDB ") and f" on {HOST}, up " in output and "nothing stands out\n" in output
    assert "FROM dual WHERE N = N" in output and "secret" not in output and "ERROR" not in output
    locked = options.with_name("other.cnf")
    locked.write_text(options.read_text().replace("user=root", "user=nix\npassword=x"))
    refused = run("mysql-status", MYSQL_DEFAULTS_FILE=locked)
    assert refused.returncode == 1 and "does not let us in: ERROR 1045" in refused.stdout and "MYSQL_DEFAULTS_FILE" in refused.stdout
    process.kill()
    process.wait()
    assert "does not let us in: ERROR 2002" in good(run("mysql-status", MYSQL_DEFAULTS_FILE=options)).splitlines()[0]


def test_mysql_status_of_a_replica_that_stands(tools):
    tools("mysql", r"""#!/bin/sh
for word; do statement=$word; done
case $statement in
*'GLOBAL STATUS'*) printf 'Uptime\t10\nThreads_connected\t95\nThreads_running\t1\n' ;;
*'GLOBAL VARIABLES'*) printf 'version\t8.0.36\nmax_connections\t100\nmaster_password\ts3cret\n' ;;
*'REPLICA STATUS'*) printf '*** 1. row ***\n  Replica_IO_Running: Connecting\n  Replica_SQL_Running: Yes\n  Last_IO_Error: error connecting to source\n  Seconds_Behind_Source: NULL\n' ;;
*'INNODB STATUS'*) printf 'History list length 60000\n' ;;
esac
""")
    (tools.path / "artifacts").mkdir()
    output = good(run("mysql-status", path=tools.path, RUNBOOK_ARTIFACTS=tools.path / "artifacts"))
    assert output.startswith("MySQL 8.0.36") and "! connections are at 95% of max_connections" in output
    assert "! replication does not read (Connecting): error connecting to source" in output and "! InnoDB keeps 60000 old row versions" in output
    assert "s3cret" not in (tools.path / "artifacts" / "variables.txt").read_text()


# ---- nginx

def test_nginx_status_counts_what_fails(open_folder):
    port = free_port()
    (open_folder / "conf").write_text(f"""
daemon off; pid {open_folder}/pid; error_log {open_folder}/error.log;
events {{}} http {{ access_log {open_folder}/access.log; client_body_temp_path {open_folder}/a; proxy_temp_path {open_folder}/b; fastcgi_temp_path {open_folder}/c;
 uwsgi_temp_path {open_folder}/d; scgi_temp_path {open_folder}/e; server {{ listen 127.0.0.1:{port};
 location /ok {{ return 200; }} location /sick {{ return 503; }} location /proxy {{ proxy_pass http://127.0.0.1:1; }} location = /status {{ stub_status; }} }} }}
""")
    process = spawn(["nginx", "-c", f"{open_folder}/conf", "-e", f"{open_folder}/error.log"], open_folder / "log", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def get(path):
        with contextlib.suppress(OSError):
            return http_request(f"127.0.0.1:{port}", "GET", path).status
    try:
        wait_for(lambda: get("/ok") == 200, "nginx to answer")
        assert [get(p) for p in ("/sick?token=s3cret", "/sick", "/missing", "/proxy?token=s3cret")] == [503, 503, 404, 502]
        wait_for(lambda: (open_folder / "access.log").read_text().count("\n") >= 5, "the log to be written")
        (open_folder / "artifacts").mkdir()
        output = good(run("nginx-status", PARAM_logs=open_folder, NGINX_STATUS_URL=f"http://127.0.0.1:{port}/status", RUNBOOK_ARTIFACTS=open_folder / "artifacts"))
    finally:
        process.terminate()
        process.wait()
    assert output.startswith(f"nginx on {HOST}: ") and "  2  503  GET /sick\n" in output and "  1  404  GET /missing\n" in output
    assert "Active connections: " in output and "connect() failed" in output
    assert "s3cret" not in output and "s3cret" not in (open_folder / "artifacts" / "errors.txt").read_text()


def test_nginx_status_of_a_bad_configuration(tools):
    tools("nginx", "#!/bin/sh\necho 'nginx: [emerg] unknown directive \"nix\" in /etc/nginx/nginx.conf:3' >&2\nexit 1\n")
    output = good(run("nginx-status", path=tools.path, PARAM_logs=tools.path))
    assert "configuration BAD, see below" in output.splitlines()[0] and 'unknown directive "nix"' in output


# ---- containers: a stand-in

DOCKER = r"""#!/bin/sh
# Answers for one container, "shop", whose fields are in the folder of this script; notes what it was told to do.
folder=${0%/*}; command=$1; format=; last=
for word; do [ "$last" = --format ] && format=$word; last=$word; done
case $command in
version) [ ! -e "$folder/away" ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; } ;;
inspect) [ "$last" = shop ] || { echo 'No such container' >&2; exit 1; }
	case $format in
	*Health.Log*) printf '2026-01-01 exit 1: connection refused\n\n' ;;
	*Health*) cat "$folder/health" ;;
	*State.Status*) cat "$folder/status" ;;
	*OOMKilled*) echo true ;;
	*ExitCode*) echo 137 ;;
	*HostConfig.Memory*) echo 268435456 ;;
	*Env*|*Config.Cmd*|*Args*) echo s3cret ;;
	*Mounts*) echo 'volume data -> /data' ;;
	*) echo x ;;
	esac ;;
restart) echo "$*" >>"$folder/done"; [ ! -e "$folder/broken" ] || echo exited >"$folder/status" ;;
ps) printf 'shop\tshop:1\tUp 3 hours (unhealthy)\nold\told:1\tExited (0) 2 days ago\n' ;;
logs) echo 'panic: \033[31mno memory' ;;
stats) printf 'shop\t5%%\t250MiB / 256MiB\t12\n' ;;
esac
"""


@pytest.fixture
def docker(tools):
    tools("docker", DOCKER)
    (tools.path / "status").write_text("running\n")
    (tools.path / "health").write_text("unhealthy\n")
    return tools.path


def test_container_status_says_why_it_is_sick(docker):
    output = good(run("container-status", path=docker, PARAM_container="shop"))
    assert output.startswith(f"container shop on {HOST} is running (unhealthy); started ")
    assert "the kernel killed it, because it reached its limit of memory\n" in output and "limit of memory 256M\n" in output
    assert "exit 1: connection refused" in output and "volume data -> /data" in output and "?[31mno memory" in output
    assert "s3cret" not in output


def test_container_status_of_all_and_of_none(docker):
    output = good(run("container-status", path=docker))
    assert output.startswith(f"2 containers on {HOST}, 1 of them up\n  ! shop\t")
    unknown = run("container-status", path=docker, PARAM_container="nix")
    assert unknown.returncode == 1 and "there is no container 'nix'" in unknown.stdout
    (docker / "away").touch()
    for runbook in ("container-status", "restart-container"):
        away = run(runbook, path=docker, PARAM_container="shop")
        assert (away.returncode, away.stdout) == (1, f"docker on {HOST} does not answer: Cannot connect to the Docker daemon\n")


def test_restart_container_restarts_what_runs_and_looks_again(docker):
    dry = good(run("restart-container", path=docker, PARAM_container="shop", RUNBOOK_DRY_RUN="1"))
    assert dry == f"would restart container shop on {HOST}; it is running\n" and not (docker / "done").exists()
    sick = run("restart-container", path=docker, PARAM_container="shop", PARAM_stable="1")
    assert sick.returncode == 1 and "was restarted but did not stay up: it is running (unhealthy)" in sick.stdout
    (docker / "health").write_text("healthy\n")
    output = good(run("restart-container", path=docker, PARAM_container="shop", PARAM_stable="1"))
    assert output.startswith(f"restarted container shop on {HOST}: it was running; it is running, stable for 1 s\n")
    (docker / "broken").touch()
    gone = run("restart-container", path=docker, PARAM_container="shop", PARAM_stable="1")
    assert gone.returncode == 1 and "it is exited" in gone.stdout
    assert (docker / "done").read_text().splitlines() == ["restart --time 30 -- shop"] * 3


@pytest.mark.parametrize("name, status", [("shop", "exited"), ("shop", "paused"), ("shop", "created"), ("k8s_shop_1", "running"), ("nix", "running")])
def test_restart_container_leaves_alone_what_somebody_wanted(docker, name, status):
    (docker / "status").write_text(status + "\n")
    done = run("restart-container", path=docker, PARAM_container=name)
    assert done.returncode == 1 and not (docker / "done").exists(), done


# ---- Elasticsearch: a stand-in

def elastic(**more):
    answers = {
        "/_cat/health": "logs red 3 3 10 5 0 0 2 1 30s 83.3%\n",
        "/_cat/allocation": "node-1 91 9gb 100gb 5\nnode-2 40 60gb 100gb 5\n",
        "/_cat/nodes": "node-1 dim * 90 95 20 1.0 3d\nnode-2 dim - 50 80 10 0.5 3d\n",
        "/_cat/thread_pool": "node-1 write 8 200 17\nnode-2 search 0 0 0\n",
        "/_cat/shards": "shop 0 p UNASSIGNED  ALLOCATION_FAILED\nshop 0 r UNASSIGNED  NODE_LEFT\nshop 1 p STARTED node-2 \n",
        "/_cluster/allocation/explain": '{\n  "index" : "shop",\n  "allocate_explanation" : "cannot allocate because of the disk"\n}\n',
        "/_cat/indices": "red shop 2 1 1000 2gb\n", "/_cat/pending_tasks": "1.2s HIGH put-mapping\n", "/_cat/recovery": "",
        "/_cluster/reroute": '{"acknowledged":true}',
    }
    answers.update({f"/{k}": v for k, v in more.items()})
    return {path: (200, text) if isinstance(text, str) else text for path, text in answers.items()}


def test_elasticsearch_status_says_what_is_wrong(folder):
    config = folder / "curl"
    config.write_text('user = "app:s3cret"\n')
    with web(elastic()) as server:
        output = good(run("elasticsearch-status", ELASTICSEARCH_URL=f"http://127.0.0.1:{server.port}/", ELASTICSEARCH_CURL_CONFIG=config))
        assert {m for m, _, _ in server.got} == {"GET"} and all(a and a.startswith("Basic ") for _, _, a in server.got)
    assert output.startswith(f"Elasticsearch cluster logs at http://127.0.0.1:{server.port} is red: 3 nodes (3 with data), 10 shards, 83.3% of them active\n")
    for finding in ("its health is red: 2 shards are nowhere", "the disk of node-1 is 91% full", "the heap of node-1 is 90% full", "17 requests were rejected"):
        assert f"  ! {finding}" in output
    assert "shop 0 p UNASSIGNED  ALLOCATION_FAILED" in output and "cannot allocate because of the disk" in output and "STARTED" not in output
    assert "not shown" not in output and "s3cret" not in output


def test_elasticsearch_status_of_one_that_is_away_or_locked():
    with web({"/_cat/health": (401, "no")}) as server:
        locked = run("elasticsearch-status", ELASTICSEARCH_URL=f"http://127.0.0.1:{server.port}")
    assert locked.returncode == 1 and "ELASTICSEARCH_CURL_CONFIG" in locked.stdout
    down = good(run("elasticsearch-status", ELASTICSEARCH_URL="http://127.0.0.1:1"))
    assert down.startswith(f"Elasticsearch at http://127.0.0.1:1, asked from {HOST}, does not answer: ")
    for runbook in ("elasticsearch-status", "elasticsearch-retry"):
        secret = run(runbook, ELASTICSEARCH_URL="http://user:s3cret@127.0.0.1:1")
        assert secret.returncode == 1 and "holds a password" in secret.stdout and "s3cret" not in secret.stdout


def test_elasticsearch_retry_posts_once_and_sees_whether_it_helps():
    answers = elastic(**{"_cat/health": "2\n"})

    class Placed(dict):
        """From the retry on no shard is nowhere."""

        def get(self, path, default=None):
            if path == "/_cluster/reroute":
                self["/_cat/health"] = (200, "0\n")
            return super().get(path, default)

    with web(Placed(answers)) as server:
        url = f"http://127.0.0.1:{server.port}"
        dry = good(run("elasticsearch-retry", ELASTICSEARCH_URL=url, RUNBOOK_DRY_RUN="1"))
        assert dry == f"would let the cluster at {url} try again: 2 shards are nowhere, 1 of them after attempts that failed\n"
        output = good(run("elasticsearch-retry", ELASTICSEARCH_URL=url))
        assert output.endswith("2 shards were nowhere, 1 of them after attempts that failed; now it is 0\n")
        assert [p for m, p, _ in server.got if m == "POST"] == ["/_cluster/reroute?retry_failed=true&metric=none"]
        again = good(run("elasticsearch-retry", ELASTICSEARCH_URL=url))
        assert again == f"all shards of the cluster at {url} are placed: nothing to try again\n"
        assert len([p for m, p, _ in server.got if m == "POST"]) == 1
    away = run("elasticsearch-retry", ELASTICSEARCH_URL="http://127.0.0.1:1")
    assert away.returncode == 1 and "does not answer: Failed to connect" in away.stdout


# ---- Kafka, RabbitMQ, Kubernetes: stand-ins

KAFKA_TOPICS = r"""#!/bin/sh
[ "$3" = --bootstrap-server ] || [ "$2" = --bootstrap-server ] || exit 2
printf 'Topic: orders\tTopicId: x\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: \n'
printf '\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n'
printf '\tTopic: orders\tPartition: 1\tLeader: none\tReplicas: 2,3,1\tIsr: 2\n'
"""
KAFKA_GROUPS = r"""#!/bin/sh
case $* in
*--state*) printf '\nGROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS\nbilling kafka-1:9092 (1) range Stable 1\n' ;;
*) printf '\nGROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID\nbilling orders 0 10 12 2 c-1 /10.0.0.1 c\nbilling orders 1 5 905 900 c-1 /10.0.0.1 c\n' ;;
esac
"""
KCAT = r"""#!/bin/sh
printf 'Metadata for all topics (from broker 2: 127.0.0.1:2/2):\n 2 brokers:\n  broker 1 at kafka-1:9092\n  broker 2 at kafka-2:9092 (controller)\n 1 topics:\n'
printf '  topic "orders" with 2 partitions:\n    partition 0, leader 1, replicas: 1,2, isrs: 1,2\n    partition 1, leader -1, replicas: 2,1, isrs: 2, Broker: Leader not available\n'
"""


def test_kafka_status_by_its_own_tools(tools):
    tools("kafka-topics.sh", KAFKA_TOPICS)
    tools("kafka-consumer-groups.sh", KAFKA_GROUPS)
    output = good(run("kafka-status", path=tools.path, KAFKA_BOOTSTRAP="kafka-1:9092", PARAM_topic="orders", PARAM_group="billing"))
    assert output.startswith(f"Kafka at kafka-1:9092, asked from {HOST}: 1 topics, 2 partitions, 1 not in sync everywhere, 1 without a leader\n")
    assert "orders/1 leader none, replicas 2,3,1, in sync 2" in output
    lag = output.split("Its partitions")[1].splitlines()[1:3]
    assert [line.split() for line in lag] == [["orders", "1", "5", "905", "900", "c-1"], ["orders", "0", "10", "12", "2", "c-1"]]


def test_kafka_status_by_kcat(tools):
    tools("kcat", KCAT)
    output = good(run("kafka-status", path=tools.path, KAFKA_BOOTSTRAP="kafka-1:9092", PARAM_topic="orders"))
    assert ": 1 topics, 2 partitions, 1 not in sync everywhere, 1 without a leader\n" in output and "2 at kafka-2:9092" in output
    group = run("kafka-status", path=tools.path, KAFKA_BOOTSTRAP="kafka-1:9092", PARAM_group="billing")
    assert group.returncode == 1 and "the lag of 'billing' was not seen: install Kafka's own tools" in group.stdout


def test_kafka_status_of_one_that_is_away(tools):
    tools("kcat", "#!/bin/sh\necho '% ERROR: Failed to acquire metadata: Local: Broker transport failure' >&2\nexit 1\n")
    told = run("kafka-status", path=tools.path, KAFKA_BOOTSTRAP="kafka-1:9092")
    assert told.returncode == 0 and "does not answer: % ERROR: Failed to acquire metadata" in told.stdout
    guessed = run("kafka-status", path=tools.path)
    assert guessed.returncode == 1 and "KAFKA_BOOTSTRAP" in guessed.stdout


RABBIT = r"""#!/bin/sh
command=$1
[ ! -e "${0%/*}/away" ] || { printf 'Error:\nFailed to connect and authenticate to rabbit@mq-1 in 25000 ms\n' >&2; exit 69; }
case $command in
alarms) printf '\033[1mmemory alarm\033[0m on node rabbit@mq-1\n' ;;
cluster_status) printf 'Running Nodes\n\nrabbit@mq-1\n\nNetwork Partitions\n\nNode rabbit@mq-1 cannot communicate with rabbit@mq-2\n\nVersions\n\nrabbit@mq-1: RabbitMQ 3.12\n' ;;
status) printf 'Memory\n\nTotal memory used: 1.2 gb\nplugins: 0.0 gb (0.0 %%)\n' ;;
list_vhosts) printf '/\nshop\n' ;;
list_queues) case $* in *--all-vhosts*) exit 64 ;; *'-p shop'*) printf 'orders\t5000\t3\t0\t1024\trunning\n' ;; *) printf 'mail\t0\t0\t2\t10\trunning\n' ;; esac ;;
list_consumers) printf 'mail\t<1>\ttag\t10\n' ;;
list_connections) printf 'app\trunning\napp\trunning\n' ;;
esac
"""


def test_rabbitmq_status_says_what_is_wrong(tools):
    for name in ("rabbitmqctl", "rabbitmq-diagnostics"):
        tools(name, RABBIT)
    output = good(run("rabbitmq-status", path=tools.path, PARAM_queue="orders", PARAM_vhost="shop"))
    assert output.startswith(f"RabbitMQ on {HOST} answers: 2 queues, 5000 messages ready, 3 unacknowledged\n  ! memory alarm on node rabbit@mq-1\n")
    assert "! the cluster is PARTITIONED" in output and "! 1 queues hold messages and have no consumer" in output
    assert "\nQueue orders of shop (ready, unacknowledged, consumers, state)\n  5000  3  0  running\nWho consumes it (connection, tag, prefetch)\n  nobody\n" in output
    (tools.path / "away").touch()
    down = good(run("rabbitmq-status", path=tools.path))
    assert down.startswith(f"RabbitMQ on {HOST} does not answer: Failed to connect and authenticate to rabbit@mq-1")


KUBECTL = r"""#!/bin/sh
# A pod "shop-1" in the namespace "prod" that crashes; everything else is empty. Refuses what is not looking.
printf '%s\n' "$*" >>"${0%/*}/asked"
shift # --request-timeout
case "$*" in
*secret*|*configmap*|exec*|delete*|apply*) exit 9 ;;
'version -o json') [ ! -e "${0%/*}/away" ] || { echo 'The connection to the server localhost:8080 was refused' >&2; exit 1; }
	printf '{\n  "clientVersion": {\n    "gitVersion": "v1.20.2"\n  },\n  "serverVersion": {\n    "gitVersion": "v1.29.1"\n  }\n}\n' ;;
'get pod shop-1 --namespace=prod -o name') echo pod/shop-1 ;;
'get pod '*' -o name'|'get node '*' -o name') echo 'Error from server (NotFound): pods "nix" not found' >&2; exit 1 ;;
'get pod --all-namespaces --field-selector metadata.name=shop-1 '*) echo prod ;;
*'jsonpath={.status.phase}') printf Running ;;
*containerStatuses*) echo '  app: ready false, restarts 12, waits for: CrashLoopBackOff back-off; ended:  ; before that: OOMKilled 137' ;;
'logs shop-1 '*--previous*) printf 'panic: out of \033[31mmemory\n' ;;
'get nodes -o jsonpath'*) [ ! -e "${0%/*}/forbidden" ] || { echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1; }
	printf 'n1 True\nn2 Unknown\nn3 True\n' ;;
esac
"""


def test_kubernetes_status_of_a_pod_that_crashes(tools):
    tools("kubectl", KUBECTL)
    for namespace in ("prod", ""):
        output = good(run("kubernetes-status", path=tools.path, PARAM_kind="pod", PARAM_name="shop-1", PARAM_namespace=namespace))
        assert output.startswith("pod prod/shop-1 is Running") and "(Kubernetes v1.29.1)" in output.splitlines()[0]
        assert "waits for: CrashLoopBackOff back-off; ended: -; before that: OOMKilled 137\n" in output and "End of its log (previous run)\npanic: out of ?[31mmemory\n" in output
    asked = (tools.path / "asked").read_text()
    assert {line.split()[1] for line in asked.splitlines()} <= {"version", "get", "logs", "top"}
    assert "secret" not in asked and "configmap" not in asked


def test_kubernetes_status_of_the_cluster_and_of_what_is_not_there(tools):
    tools("kubectl", KUBECTL)
    assert good(run("kubernetes-status", path=tools.path)).startswith(f"Kubernetes v1.29.1, asked from {HOST}: 3 nodes, 1 of them not ready\n")
    (tools.path / "forbidden").touch()
    assert good(run("kubernetes-status", path=tools.path)).startswith(f"Kubernetes v1.29.1, asked from {HOST}: its nodes may not be seen\n")
    for env in ({"PARAM_kind": "pod", "PARAM_name": "nix", "PARAM_namespace": "prod"}, {"PARAM_kind": "node", "PARAM_name": "nix"}, {"PARAM_kind": "pod", "PARAM_name": "nix"},
                {"PARAM_kind": "pod"}):
        done = run("kubernetes-status", path=tools.path, **env)
        assert done.returncode == 1 and done.stdout.count("\n") == 1, done
    (tools.path / "away").touch()
    away = run("kubernetes-status", path=tools.path)
    assert away.returncode == 1 and "was refused" in away.stdout and "KUBECONFIG" in away.stdout
