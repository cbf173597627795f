"""Pages that say what the code says, too: manual pages of the programs, docs/redis.md, HACKING.md.

The tables of configuration, metrics and routes are compared with theirs in tests/unit.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RUNBOOKD_BUILDDIR", ".")).resolve()
MANUAL = TOP / "docs" / "man"
LIBRARY = "".join(p.read_text() for p in sorted((TOP / "bridge/store/library").glob("*.lua")))
KEYS = set(re.findall(r"\bp \.\. '([a-z]+)", LIBRARY)) - {"clock"}  # which only the tests' build of the library reads
REDIS_PAGE = (TOP / "docs" / "redis.md").read_text()
PROGRAMS = {"runbookd": "runbookd.8", "runbook-bridge": "runbook-bridge.8", "runbook-worker": "runbook-worker.8"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def plain(roff):
    """A manual page's text without its fonts and escapes."""
    return re.sub(r"\\f.", "", roff).replace("\\-", "-").replace("\\&", "")


@pytest.mark.parametrize("program, page", PROGRAMS.items(), ids=PROGRAMS)
def test_manual_page_has_the_options_of_the_program(program, page):
    done = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done
    text = plain((MANUAL / page).read_text())
    options = {o for o in OPTION.findall(text.split(".SH OPTIONS")[1].split("\n.SH ")[0])}
    assert options == set(OPTION.findall(done.stdout)), page


@pytest.mark.parametrize("key", sorted(KEYS))
def test_redis_page_has_the_key(key):
    assert re.search(rf"`{key}[`:]", REDIS_PAGE), f"docs/redis.md does not list `{key}`"


@pytest.mark.parametrize("page", sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")]), ids=lambda p: str(p.relative_to(TOP)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_hacking_names_what_is_there():
    """Paths and make targets in HACKING.md exist."""
    text = (TOP / "HACKING.md").read_text()
    for path in re.findall(r"`((?:bridge|tests|docs|rules|runbooks|contrib)/[\w./*-]*)`", text):
        assert re.search("[A-Z]{4}", path) or list(TOP.glob(path.rstrip("/"))), path
    makefile = "\n".join(p.read_text() for p in TOP.glob("**/Makefrag.am"))
    for target in re.findall(r"`make ((?:check|bench|pytest)[\w-]*)", text):
        assert re.search(rf"^[^#\t\n]*\b{target}\b[^\n]*:", makefile, re.M) or target == "check", target
