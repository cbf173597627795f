#!/bin/sh
# ---
# summary: Who holds open files (the system's limit, processes with the most, and those near their own limit)
# kind: diagnose
# timeout: 2m
# idempotent: true
# user: root
# ---
# Reads /proc only: needs no lsof. Shows names of processes and kinds of files, never command lines or file names. As another user
# than root it sees that user's processes only, and says so. Full list as artifact: processes.txt.
set -u
export LC_ALL=C

here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# names may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}

# By cat: a shell that reads byte by byte gets the first digit of a file in /proc/sys, and no more.
if ! numbers=$(cat /proc/sys/fs/file-nr 2>/dev/null); then
	echo "cannot look at the open files of $here: /proc is not mounted here"
	exit 1
fi
read -r open _ most <<EOF
$numbers
EOF
# open, soft limit, percent of it, pid, name. A process may end while it is looked at: then it has no line.
processes=$(for fds in /proc/[0-9]*/fd; do
		pid=${fds#/proc/}; pid=${pid%/fd}
		count=$(find "$fds" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
		[ "$count" -gt 0 ] || continue
		limit=$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits" 2>/dev/null)
		name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
		case $limit in ''|*[!0-9]*|0) percent=0 ;; *) percent=$((count * 100 / limit)) ;; esac
		printf '%s\t%s\t%s\t%s\t%s\n' "$count" "${limit:-?}" "$percent" "$pid" "$name"
	done | sort -rn)
near=$(printf '%s\n' "$processes" | awk -F '\t' '$3 >= 70' | sort -t '	' -k 3 -rn)
show() {
	while IFS='	' read -r count limit percent pid name; do
		[ -z "$pid" ] || printf '%8s of %8s (%3s%%)  %s[%s]\n' "$count" "$limit" "$percent" "$name" "$pid"
	done
}

{
	awk -v here="$here" -v open="$open" -v most="$most" 'BEGIN {
		printf "%s has %d files open, %.1f%% of what its kernel allows (%s)\n", here, open, (most > 0 ? open * 100 / most : 0), most }'
	if [ -n "$near" ]; then
		printf 'processes near their own limit: %s\n' "$(printf '%s\n' "$near" | grep -c .)"
		printf '%s\n' "$near" | head -n 10 | show
	else
		printf 'no process is near its own limit\n'
	fi
	[ "$(id -u)" -eq 0 ] || printf 'seen are only the processes of user %s: run it as root to see all\n' "$(id -un)"

	printf '\nMost open files (open, limit)\n'
	printf '%s\n' "$processes" | head -n 12 | show
	printf '%s\n' "$processes" | head -n 1 | while IFS='	' read -r _ _ _ pid name; do
		[ -n "$pid" ] || continue
		printf '\nWhat %s[%s] holds\n' "$name" "$pid"
		find "/proc/$pid/fd" -mindepth 1 -maxdepth 1 -printf '%l\n' 2>/dev/null | sed 's/:.*//; s/^\/dev\/.*/device/; s/^\/.*/file/; s/^$/not to be seen/' |
			sort | uniq -c | sort -rn | head -n 8
	done
} | plain
{ printf 'open\tlimit\tpercent\tpid\tname\n'; printf '%s\n' "$processes"; } | keep processes.txt
exit 0
