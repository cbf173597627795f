#!/bin/sh
# ---
# summary: What the CPUs do (load, busy, iowait and steal, pressure, busiest and blocked processes)
# kind: diagnose
# timeout: 1m
# idempotent: true
# user: root
# ---
# Reads /proc twice, three seconds apart, and shows what happened between: needs no ps, top or sar. Shows names of
# processes, never their command lines, which may hold passwords. Full list as artifact: processes.txt.
set -u
export LC_ALL=C

here=$(uname -n)
seconds=3

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# names may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
# "pid ticks state name" of all processes. A name may hold blanks and brackets: it ends at the last bracket. A
# process may end while it is looked at, so cat, not awk, opens the files.
snapshot() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk '{
		end = match($0, /\)[^)]*$/); if (!end) next
		begin = index($0, "("); n = split(substr($0, end + 2), f, " "); if (n < 13) next
		printf "%d\t%.0f\t%s\t%s\n", $1, f[12] + f[13], f[1], substr($0, begin + 1, end - begin - 1) }'
}
pressure() {
	for what in cpu io; do
		[ -r /proc/pressure/$what ] || continue
		awk -v what=$what '$1 == "some" { split($2, a, "="); split($3, b, "="); split($4, c, "=")
			printf "waiting for %s: %s%% in 10 s, %s%% in 1 min, %s%% in 5 min\n", what, a[2], b[2], c[2] }' /proc/pressure/$what 2>/dev/null
	done
}

if [ ! -r /proc/stat ]; then
	echo "cannot look at the CPUs of $here: /proc is not mounted here"
	exit 1
fi
cpus=$(grep -c '^cpu[0-9]' /proc/stat)
before=$(head -n 1 /proc/stat); processes_before=$(snapshot)
sleep "$seconds"
after=$(head -n 1 /proc/stat); processes_after=$(snapshot)
hz=$(getconf CLK_TCK 2>/dev/null || echo 100)
read -r load1 load5 load15 tasks _ </proc/loadavg

# Percent of one CPU, pid, name: what each process used between the two looks.
busy=$(printf '%s\n--\n%s\n' "$processes_before" "$processes_after" | awk -F '\t' -v window="$((seconds * hz))" '
	$0 == "--" { second = 1; next }
	!second { was[$1] = $2; next }
	{ used = $2 - ($1 in was ? was[$1] : 0); if (used > 0) printf "%.0f\t%d\t%s\n", used * 100 / window, $1, $4 }' | sort -rn)
# Processes that cannot be woken: nearly always waiting for a disk or a network file system.
blocked=$(printf '%s\n' "$processes_after" | awk -F '\t' '$3 == "D"')
blocked_count=$(printf '%s' "$blocked" | grep -c .)

{
	printf '%s\n%s\n' "$before" "$after" | awk -v here="$here" -v cpus="$cpus" -v average="$load1 $load5 $load15" '
		NR == 1 { for (i = 2; i <= NF; i++) was[i] = $i; next }
		{ for (i = 2; i <= 9; i++) { d[i] = $i - was[i]; all += d[i] } if (all <= 0) all = 1
		  printf "CPUs of %s are %.0f%% busy; load %s on %d CPUs\n", here, (all - d[5] - d[6]) * 100 / all, average, cpus
		  printf "user %.0f%%, nice %.0f%%, system %.0f%%, interrupts %.0f%%, waiting for disk %.0f%%, stolen by the hypervisor %.0f%%\n",
			d[2] * 100 / all, d[3] * 100 / all, d[4] * 100 / all, (d[7] + d[8]) * 100 / all, d[6] * 100 / all, d[9] * 100 / all
		  if (d[9] * 100 / all >= 10) print "STEAL is high: the trouble is a neighbour on the same hardware, not a process here"
		  if (d[6] * 100 / all >= 20) print "IOWAIT is high: look at the disks and at the blocked processes below" }'
	printf '%s\n' "$busy" | head -n 1 | while IFS='	' read -r percent pid name; do
		[ -z "$pid" ] || printf 'busiest process %s[%s] with %s%% of one CPU\n' "$name" "$pid" "$percent"
	done
	printf 'blocked processes: %s; running and all tasks: %s\n' "$blocked_count" "$tasks"
	pressure

	printf '\nBusiest processes in %s s (percent of one CPU)\n' "$seconds"
	printf '%s\n' "$busy" | head -n 12 | while IFS='	' read -r percent pid name; do
		[ -z "$pid" ] || printf '%7s%%  %s[%s]\n' "$percent" "$name" "$pid"
	done
	if [ "$blocked_count" -gt 0 ]; then
		printf '\nBlocked processes and where in the kernel they wait\n'
		printf '%s\n' "$blocked" | head -n 12 | while IFS='	' read -r pid _ _ name; do
			printf '  %s[%s]  %s\n' "$name" "$pid" "$(cat "/proc/$pid/wchan" 2>/dev/null)"
		done
	fi
} | plain

{ printf 'percent of one CPU\tpid\tname\n'; printf '%s\n' "$busy"; } | keep processes.txt
exit 0
