#!/bin/sh
# ---
# summary: x
