#!/bin/sh
# ---
# summary: x

# kind: diagnose
# ---
