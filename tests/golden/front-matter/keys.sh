#!/bin/sh
# ---
# summary: Every key that can be wrong, wrong
# kind: repair
# timeout: 90
# grace: 1h
# idempotent: "true"
# retries: {max: -1, backoff: soon, tries: 3}
# user: "root; rm"
# output_limit: 1GiB
# env: [LANG, PATH, RUNBOOK_RUN, "A B"]
# timout: 5s
# sandbox: {network: false}
# secrets: [password]
# concurrency: {max: 1}
# undo: other
# compat: webhook
# owner: me
# ---
