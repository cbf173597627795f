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
    """rules/ of a Runbookd as a link to one of several folders: what is prepared comes in force whole."""

    def __init__(self, rb, rules):
        self.rb, self.link, self.rules, self.prepared = rb, rb.folder / "current", rules, {}
        rb.configure({"rules": ["current/*.yml"]})
        rb.write_runbook("nothing.sh", RUNBOOK)
        self.put(0)

    def prepare(self, generation):
        """Writes its files, so that put has only a link to set."""
        if generation in self.prepared:
            return
        folder = self.rb.folder / f"generation-{generation}"
        folder.mkdir()
        each = self.rules // FILES
        for n in range(FILES):
            text = "".join(rule(generation, i) for i in range(n * each, (n + 1) * each))
            (folder / f"{n:02d}.yml").write_text("rules:\n" + mark(generation, n) + text)
        self.prepared[generation] = folder

    def put(self, generation):
        """Puts it in the place of all earlier ones, whose files go but those of the one before."""
        self.prepare(generation)
        new = self.link.with_suffix(".new")
        new.symlink_to(self.prepared[generation])
        os.replace(new, self.link)
        for old in [g for g in self.prepared if g < generation - 1]:
            shutil.rmtree(self.prepared.pop(old))


def generations_of(decisions):
    """Which ones took part in deciding, and by how many marks."""
    return {name.partition("-")[0] for name in (d["rule"] for d in decisions)}, len(decisions)
