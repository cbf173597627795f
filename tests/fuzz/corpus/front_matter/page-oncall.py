#!/usr/bin/env python3
# ---
# summary: Tell the person on call
# kind: notify
# params:
#   text: {type: string, required: true}
# timeout: 10s
# ---
