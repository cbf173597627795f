#!/bin/sh
# ---
# summary: x
# summary: y
# ---
