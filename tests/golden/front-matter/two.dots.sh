#!/bin/sh
# ---
# summary: x
# ---
