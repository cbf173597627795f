"""The structure that docs/design/layers.md promises, held against the code and the built libraries.

Needs a finished build: RUNBOOKD_BUILDDIR is its folder. CC is the compiler of the header test.
"""
import hashlib
import os
import re
import shlex
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BRIDGE = TOP / "bridge"
BUILD = Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()
PAGE = TOP / "docs" / "design" / "layers.md"
PACKAGES = "libuv libmicrohttpd yajl libpcre2-8 hiredis yaml-0.1 nettle gnutls zlib libcurl".split()

HEADERS = sorted(BRIDGE.glob("*/*.h"))
SOURCES = sorted(BRIDGE.glob("**/*.c"))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

BANNED = "strcpy strcat sprintf vsprintf strtok gmtime localtime atoi system popen".split()
EXEC = re.compile(r"^_?(exec[lv]p?e?|execvpe|execveat|fexecve|v?fork|posix_spawnp?|uv_spawn|system|popen|clone3?)$")
LISTEN = re.compile(r"^(listen|accept4?|uv_listen|uv_accept|uv_tcp_bind|uv_pipe_bind)$")
LOG = re.compile(r"^log_(kv|init|on)$")
IMPURE = re.compile(
    r"^(f?open(at)?(64)?|fdopen|f?read|f?write|pread(64)?|pwrite(64)?|stat(x|64)?|[fl]stat(64)?|unlink|rename|mkdir|opendir"
    r"|socket|connect|bind|send(to|msg)?|recv(from|msg)?|poll|epoll_.*|select|uv_.*"
    r"|time|clock|clock_gettime|gettimeofday|clock_wall_ms|clock_mono_.*|nanosleep|usleep|sleep"
    r"|f?printf|puts|putchar|vf?printf|__f?printf_chk|__vf?printf_chk|perror|syslog|std(in|out|err)"
    r"|getenv|secure_getenv|setenv|environ|file_.*|log_kv|log_init|getrandom|random|rand|pthread_create|signal|sigaction"
    r"|_?exit|kill|exec[lv]p?e?|v?fork|posix_spawnp?|system|popen)$")


def table(heading):
    """Rows of the first table below a heading of the page, without its two head lines."""
    text = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")]
    assert len(rows) > 2, heading
    return rows[2:]


def layer_of(path):
    return "main" if path.parent == BRIDGE else path.parent.name


def code_of(path):
    """The file without comments; texts in quotes emptied, but those of #include."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return "\n".join(line if line.lstrip().startswith("#") else re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
                     for line in text.split("\n"))


def places(path, pattern):
    return [f"{path.relative_to(TOP)}:{n}: {line.strip()}" for n, line in enumerate(code_of(path).split("\n"), 1)
            if re.search(pattern, line)]


@lru_cache(maxsize=None)
def compile_flags():
    cflags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True, check=True).stdout
    return ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{BUILD}", f"-I{BRIDGE}",
            '-DRB_SYSCONFDIR="/etc"', '-DRB_LOCALSTATEDIR="/var"', '-DRB_BINDIR="/usr/bin"', *shlex.split(cflags)]


@lru_cache(maxsize=None)
def undefined(name):
    """What a library or program asks of others: nm's names, without versions."""
    path = BUILD / name
    dynamic = [] if path.suffix == ".a" else ["-D"]
    out = subprocess.run(["nm", *dynamic, "--undefined-only", str(path)], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.split("\n") if " U " in f" {line} " or " w " in f" {line} "}


def test_there_is_something_to_test():
    assert len(HEADERS) > 20 and len(SOURCES) > 20


@pytest.mark.parametrize("header", HEADERS, ids=lambda h: str(h.relative_to(BRIDGE)))
def test_header_compiles_alone(header):
    """A header brings all it needs. A table, which is included several times, needs only its macro."""
    name = header.relative_to(BRIDGE)
    text = f'#include "{name}"\n'
    if header.name.endswith("_table.h"):
        macros = set(re.findall(r"^([A-Z][A-Z0-9_]+)\(", header.read_text(), re.M))
        text = "".join(f"#define {m}(...)\n" for m in macros) + text
    cc = shlex.split(os.environ.get("CC", "gcc"))
    done = subprocess.run([*cc, *compile_flags(), "-x", "c", "-"], input=text + "typedef int not_empty;\n",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder, allowed", [r[:2] for r in table("Who may include whom")], ids=lambda v: v.split()[0])
def test_includes_stay_below(folder, allowed):
    files = [p for p in [*HEADERS, *SOURCES] if layer_of(p) == folder]
    wrong = []
    for path in files:
        for quote, name in INCLUDE.findall(code_of(path)):
            own = name == "config.h" or name == "main_options.h" and folder == "main"
            if quote == '"' and not own and name.split("/")[0] not in allowed.split():
                wrong.append(f"{path.relative_to(TOP)} includes \"{name}\"; {folder}/ may include {allowed}")
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_in_the_table():
    in_table = {r[0] for r in table("Who may include whom")}
    assert {layer_of(p) for p in [*HEADERS, *SOURCES]} == in_table


@pytest.mark.parametrize("header, library, folders", table("Which library belongs to whom"), ids=lambda v: v.split()[0])
def test_library_stays_in_its_folder(header, library, folders):
    users = {layer_of(p): p for p in [*HEADERS, *SOURCES] for _, name in INCLUDE.findall(code_of(p))
             if name.startswith(header)}
    wrong = {f: str(p.relative_to(TOP)) for f, p in users.items() if f not in folders.split()}
    assert not wrong, f"{library} belongs to {folders}: {wrong}"
    assert users, f"nobody includes {header}: drop it from {PAGE.name}"


@pytest.mark.parametrize("folder", ["line", "source", "rule", "event"])
def test_pure_folder_does_nothing_else(folder):
    wrong = sorted(s for s in undefined(f"lib{folder}.a") if IMPURE.match(s))
    assert not wrong, f"{folder}/ is pure but calls {wrong}"


@pytest.mark.parametrize("folder", ["conf", "auth", "fetch", "event", "line", "source", "rule", "store", "flow", "trial"])
def test_library_layer_does_not_log(folder):
    wrong = sorted(s for s in undefined(f"lib{folder}.a") if LOG.match(s))
    assert not wrong, f"{folder}/ returns errors and does not log, but calls {wrong}"


@pytest.mark.parametrize("folder", ["base", "conf", "auth", "fetch", "event", "line", "source", "rule", "store", "flow", "trial", "http", "syslog", "cli"])
def test_only_run_starts_processes(folder):
    wrong = sorted(s for s in undefined(f"lib{folder}.a") if EXEC.match(s))
    assert not wrong, f"only run/ starts processes, but {folder}/ calls {wrong}"


def test_bridge_cannot_exec():
    wrong = sorted(s for s in undefined("runbook-bridge") if EXEC.match(s))
    assert not wrong, f"runbook-bridge imports {wrong}"
    assert any(EXEC.match(s) for s in undefined("runbook-worker")), "the test would not see an exec"


def test_worker_cannot_listen():
    wrong = sorted(s for s in undefined("runbook-worker") if LISTEN.match(s))
    assert not wrong, f"runbook-worker imports {wrong}"
    assert undefined("runbook-bridge") - undefined("runbook-worker"), "the test would not see a difference"


@pytest.mark.parametrize("name", BANNED)
def test_banned_function_is_not_called(name):
    found = [p for path in [*HEADERS, *SOURCES] for p in places(path, rf"(?<![\w.>]){name}\s*\(")]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: str(s.relative_to(BRIDGE)))
def test_source_begins_with_its_essay(source):
    """What it owns, what it guarantees, what it does not do; a short file may be brief."""
    text = source.read_text()
    m = re.match(r"/\*(.*?)\*/", text, re.S)
    assert m, f"{source.name} does not begin with a comment"
    lines = [line for line in m[1].split("\n") if line.strip(" *")]
    wanted = 2 if text.count("\n") > 200 else 1
    assert len(lines) >= wanted, f"{source.name} begins with {len(lines)} lines: say what it owns and what it does not do"


@pytest.mark.parametrize("header", HEADERS, ids=lambda h: str(h.relative_to(BRIDGE)))
def test_header_says_what_it_is(header):
    assert header.read_text().startswith("/*"), f"{header.name} does not begin with a comment"


def test_nothing_is_left_open():
    pattern = r"\b(TODO|FIXME|XXX|HACK)\b"
    found = [f"{p.relative_to(TOP)}:{n}" for p in [*HEADERS, *SOURCES] for n, line in enumerate(p.read_text().split("\n"), 1)
             if re.search(pattern, line)]
    assert not found, found


def test_state_of_a_run_is_changed_in_one_place():
    """flow/run_state.c is the only caller of store_run_change(), which only store/ defines."""
    users = [str(p.relative_to(BRIDGE)) for p in SOURCES if places(p, r"\bstore_run_change\s*\(") and layer_of(p) != "store"]
    assert users == ["flow/run_state.c"]


def test_library_changes_with_its_number():
    """A bridge loads the library only into a Redis whose library has a lower number: with the number unchanged, the old
    text would go on there under the new programs."""
    text = b"".join(p.read_bytes() for p in sorted((BRIDGE / "store/library").glob("*.lua")))
    number = int(re.search(rb"^local LIBRARY = (\d+)", text, re.M)[1])
    recorded, digest = (BRIDGE / "store" / "library.sha256").read_text().split()
    if hashlib.sha256(text).hexdigest() == digest:
        assert number == int(recorded)
        return
    assert number > int(recorded), f"the library changed: raise LIBRARY above {recorded} and run 'make record-library'"
    pytest.fail("the library changed, and LIBRARY with it: run 'make record-library'")
