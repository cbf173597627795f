#!/usr/bin/env python3
# ---
# summary: Parameters, each with its fault
# params:
#   bad-name: {type: string}
#   type: {type: text}
#   both: {type: int, required: true, default: 5}
#   int: {type: int, default: five}
#   float: {type: float, default: "nan"}
#   bool: {type: bool, default: yes}
#   enum: {type: enum}
#   choice: {type: enum, values: [a, b, a], default: c}
#   values: {values: [a]}
#   pattern: {pattern: "^(a"}
#   escaped: {pattern: 'it''s [z'}
#   default: {pattern: "^/var/", default: /etc}
#   number: {type: int, pattern: "^5$"}
#   duration: {type: duration, default: 5 minutes}
#   unknown: {require: true}
#   list: [a]
#   nodefault: {default: [a]}
# ---
