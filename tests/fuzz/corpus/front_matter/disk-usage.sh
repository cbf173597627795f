#!/bin/sh
# ---
# summary: What fills a file system
# kind: diagnose
# params:
#   path: {type: string, default: /, pattern: "^/"}
# idempotent: true
# ---
du -x "$PARAM_path"
