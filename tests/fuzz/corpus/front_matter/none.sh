#!/bin/sh
# summary: looks like one
#----
echo
