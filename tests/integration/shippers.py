"""Real shippers of logs from Debian, each a process of its own with its configuration and its work in the test's folder."""
import os
import subprocess
import threading
import time
from pathlib import Path

from harness import DEADLINE, spawn

# syslog-ng and rsyslog may not both be installed: contrib/test.sh unpacks this one here.
SYSLOG_NG = Path("/usr/local/lib/runbookd-tests/syslog-ng")


class Shipper:
    """A process that reads what write() appends to a file, and sends it on."""

    def __init__(self, folder, name):
        self.folder = Path(folder) / name
        self.folder.mkdir()
        self.input = self.folder / "input.log"
        self.input.touch()
        self.conf, self.log = self.folder / "conf", self.folder / "log"
        self.process = None

    def start(self):
        self.process = spawn(self.argv(), self.log, cwd=self.folder, env={**os.environ, **self.environment()})
        return self

    def environment(self):
        return {}

    def write(self, lines):
        with open(self.input, "a") as f:
            f.write("".join(line + "\n" for line in lines))

    def log_text(self):
        return self.log.read_text(errors="replace")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


class Rsyslog(Shipper):
    """action: the parameters of the one action, without its queue."""

    def __init__(self, folder, action, name="rsyslog", modules="", top=""):
        super().__init__(folder, name)
        self.conf.write_text(f"""
global(workDirectory="{self.folder}" {top})
module(load="imfile")
{modules}
input(type="imfile" file="{self.input}" tag="shop:" severity="error" facility="daemon")
action({action} action.resumeRetryCount="-1" action.resumeInterval="1"
       queue.type="LinkedList" queue.filename="queue" queue.saveOnShutdown="on" queue.size="20000" queue.dequeueBatchSize="256")
""")

    def argv(self):
        return ["rsyslogd", "-n", "-f", str(self.conf), "-i", str(self.folder / "pid")]


class SyslogNg(Shipper):
    """destination: what stands within destination d { … }."""

    def __init__(self, folder, destination, name="syslog-ng"):
        super().__init__(folder, name)
        self.conf.write_text(f"""@version: 3.38
options {{ stats-freq(0); time-reopen(1); }};
source s {{ file("{self.input}" follow-freq(0.1) flags(no-parse) program-override("shop") multi-line-mode(none)); }};
destination d {{ {destination} }};
log {{ source(s); destination(d); flags(flow-control); }};
""")

    def environment(self):
        return {"LD_LIBRARY_PATH": str(SYSLOG_NG / "usr/lib/syslog-ng")}

    def argv(self):
        return [str(SYSLOG_NG / "usr/sbin/syslog-ng"), "--foreground", "--no-caps", "--stderr", "--cfgfile", str(self.conf),
                "--module-path", str(SYSLOG_NG / "usr/lib/syslog-ng/3.38"), "--persist-file", str(self.folder / "persist"),
                "--pidfile", str(self.folder / "pid"), "--control", str(self.folder / "ctl")]


class JournalUpload(Shipper):
    """systemd-journal-upload over a journal of our own. Where systemd would start it again, this does, as long as wanted."""

    def __init__(self, folder, url, name="journal-upload"):
        super().__init__(folder, name)
        self.url, self.written, self.over = url, 0, threading.Event()
        self.thread = threading.Thread(target=self.keep_up)

    def argv(self):
        return ["/lib/systemd/systemd-journal-upload", f"--url={self.url}", f"--file={self.folder}/test.journal", "--follow=yes",
                f"--save-state={self.folder}/state"]

    def start(self):
        self.write([])  # so that there is a journal
        self.thread.start()
        return self

    def keep_up(self):
        while not self.over.is_set():
            super().start()
            while self.process.poll() is None and not self.over.wait(0.05):
                pass
            self.over.wait(0.2)

    def write(self, lines):
        """By systemd-journal-remote, which writes a journal of what it is given in the export format."""
        entries = []
        for line in ["the journal begins"] if not self.written else lines:
            self.written += 1
            now = time.time_ns() // 1000
            entries.append(f"__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={now}\n_BOOT_ID={'5' * 32}\n_HOSTNAME=web-1\n"
                           f"SYSLOG_IDENTIFIER=shop\nPRIORITY=3\nMESSAGE={line}\n\n")
        subprocess.run(["/lib/systemd/systemd-journal-remote", f"--output={self.folder}/test.journal", "-"],
                       input="".join(entries).encode(), check=True, capture_output=True, timeout=DEADLINE)

    def close(self):
        self.over.set()
        self.thread.join()
        super().close()
