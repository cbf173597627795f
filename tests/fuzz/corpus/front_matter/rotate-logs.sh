#!/bin/sh
# ---
# summary: Rotate the logs under a folder
# kind: remediate
# params:
#   path: {type: string, required: true, pattern: "^/var/log(/|$)"}
#   days: {type: int, default: 7}
#   how: {type: enum, values: [gzip, zstd], default: gzip}
# timeout: 60s
# user: root
# ---
