#!/bin/sh
# ---
# kind: diagnose
# ---
