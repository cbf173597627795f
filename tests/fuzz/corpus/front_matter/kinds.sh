#!/bin/sh
# ---
# summary: x
# kind:
# params: {a: {}, b: }
# timeout: [1]
# env: []
# ---
