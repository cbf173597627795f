#!/bin/sh
# ---
# ---
echo
