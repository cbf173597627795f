"""Ten thousand rules in many files, of which one generation after the other is put in force at once."""
import os
import shutil

FILES = 20
RUNBOOK = "#!/bin/sh\n# ---\n# summary: Nothing\n# kind: diagnose\n# params:\n#   service: {}\n# ---\n"


def rule(generation, i):
    """One of the many; no event of a test is for it."""
    return (f"  - name: g{generation}-r{i}\n"
            f"    description: What is done for service {i}\n"
            f"    match: 'alertname =~ \"Alert{i % 300}|Alarm{i % 300}.*\", instance =~ \"svc-{i}-[0-9]+\\\\.example:\\\\d+\"'\n"
            "    cooldown: 10m\n"
            "    steps: [{runbook: nothing, with: {service: \"{{ labels.service }}\"}}]\n")


def mark(generation, n):
    """One that stands in each file and matches every event of the load."""
    return (f"  - name: g{generation}-mark-{n}\n    match: 'job = load'\n    mode: dry_run\n"
            "    steps: [{runbook: nothing}]\n")


class Generations:
    """rules/ of a Runbookd as a link to one of two folders: what is prepared in the other one comes in force whole."""

    def __init__(self, rb, rules):
        self.link, self.rules = rb.folder / "current", rules
        self.folders = [rb.folder / "even", rb.folder / "odd"]
        rb.configure({"rules": ["current/*.yml"]})
        rb.write_runbook("nothing.sh", RUNBOOK)
        self.put(0)

    def put(self, generation):
        folder = self.folders[generation % 2]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        each = self.rules // FILES
        for n in range(FILES):
            text = "".join(rule(generation, i) for i in range(n * each, (n + 1) * each))
            (folder / f"{n:02d}.yml").write_text("rules:\n" + mark(generation, n) + text)
        new = self.link.with_suffix(".new")
        new.symlink_to(folder)
        os.replace(new, self.link)


def generations_of(decisions):
    """Which ones took part in deciding, and by how many marks."""
    return {name.partition("-")[0] for name in (d["rule"] for d in decisions)}, len(decisions)
