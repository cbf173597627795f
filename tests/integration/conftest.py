"""Fixtures of the integration tests; what they give is in harness.py and chain.py."""
import signal
import time

import pytest

from harness import RedisServer, Runbookd, make_folder, remove_folder

# Seconds: a test that hangs ends, as a failure. The longest takes a minute alone under ASan, and over five where
# others keep all cores busy.
TEST_DEADLINE = 900
# Redis syncs its file at each write, and a disk shared with others stands still for seconds now and then. What a
# bridge does then is test_redis_away.py's.
DISK_MAY_TAKE = "5m"
# While it stands still no heartbeat is taken. A lease that runs out is one of the fixture leases.
LEASE = "10m"


def pytest_runtest_makereport(item, call):
    """Shows the programs' logs under a test that failed, and only there."""
    if call.excinfo is not None:
        for title, path in getattr(item, "logs", []):
            if path.exists():  # gone where the teardown itself failed
                item.add_report_section(call.when, title, path.read_text(errors="replace")[-20000:])


@pytest.fixture(autouse=True)
def deadline():
    """Every test has one, whatever it waits for."""
    def late(_signal, _frame):
        raise TimeoutError(f"the test took longer than {TEST_DEADLINE} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(TEST_DEADLINE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder():
    """A short-named folder that goes when the test ends."""
    path = make_folder()
    yield path
    remove_folder(path)


@pytest.fixture
def runbookd(request):
    """Makes Runbookd objects, each in a folder of its own, and ends them; a sanitizer's finding fails the test."""
    made = []
    request.node.logs = []

    def make(conf=None, **options):
        rb = Runbookd(make_folder(), **options)
        rb.configure({"redis_slow_after": DISK_MAY_TAKE, "worker": {"lease": LEASE}})
        rb.configure(conf or {})
        made.append(rb)
        request.node.logs.append((f"log of runbookd in {rb.folder}", rb.log))
        return rb

    yield make
    findings = []
    for rb in made:
        rb.close()
        findings += rb.sanitizer_findings()
        remove_folder(rb.folder)
    assert not findings, "a sanitizer found:\n" + "\n".join(findings)


@pytest.fixture
def leases(folder):
    """A Redis in which a lease of two seconds runs out where the test says so: leases.over()."""
    redis = RedisServer(folder).start()
    at = time.time_ns() // 1_000_000
    redis.drive_clock(at)
    redis.over = lambda: redis.set_clock(at + 2001)
    yield redis
    redis.kill()
