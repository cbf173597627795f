#!/bin/sh
# ---
# summary: ÿ
# ---
