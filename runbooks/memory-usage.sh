#!/bin/sh
# ---
# summary: Who uses the memory (available, swap, pressure, biggest processes and services, OOM kills)
# kind: diagnose
# timeout: 1m
# idempotent: true
# user: root
# ---
# Reads /proc and the cgroup tree only: needs no ps, no free, no systemd. Shows names of processes, never their
# command lines, which may hold passwords. Full list as artifact: processes.txt; and meminfo.txt.
set -u
export LC_ALL=C

here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# names may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
size() {	# KiB -> for people
	numfmt --from-unit=1024 --to=iec -- "${1:-0}" 2>/dev/null || printf '%sK\n' "$1"
}
meminfo() {	# one value of /proc/meminfo in KiB, 0 where the kernel lacks it
	awk -v key="$1:" '$1 == key { print $2; found = 1 } END { if (!found) print 0 }' /proc/meminfo
}
pressure() {	# "some" and "full" share of the last 10, 60, 300 s that something waited for memory
	[ -r /proc/pressure/memory ] || { echo 'pressure: this kernel does not tell (no /proc/pressure)'; return; }
	awk '{ split($2, a, "="); split($3, b, "="); split($4, c, "=")
		printf "%s%s %s%% in 10 s, %s%% in 1 min, %s%% in 5 min", (NR > 1 ? "; " : "pressure: "), $1, a[2], b[2], c[2] }
		END { print "" }' /proc/pressure/memory 2>/dev/null
}
kernel_log() {	# the kernel's words on OOM kills; who may not read them gets nothing
	{ dmesg 2>/dev/null || journalctl -q -k --no-pager -n 5000 2>/dev/null; } |
		grep -aE 'Out of memory|oom-kill:|Killed process' | tail -n 10
}

if [ ! -r /proc/meminfo ]; then
	echo "cannot look at the memory of $here: /proc is not mounted here"
	exit 1
fi
total=$(meminfo MemTotal)
available=$(meminfo MemAvailable)
swap_total=$(meminfo SwapTotal)
swap_free=$(meminfo SwapFree)
oom_kills=$(awk '$1 == "oom_kill" { print $2 }' /proc/vmstat 2>/dev/null)

# KiB resident, KiB swapped, pid, name. A process may end while it is looked at, so cat, not awk, opens the files.
processes=$(cat /proc/[0-9]*/status 2>/dev/null | awk '
	$1 == "Name:" { name = $0; sub(/^Name:[ \t]*/, "", name); rss = swap = 0 }
	$1 == "Pid:" { pid = $2 }
	$1 == "VmRSS:" { rss = $2 }
	$1 == "VmSwap:" { swap = $2 }
	$1 == "Threads:" { if (rss + swap > 0) print rss "\t" swap "\t" pid "\t" name }' | sort -rn)
# Bytes by control group: services and containers, each with all its processes and its page cache.
groups=$(find /sys/fs/cgroup -mindepth 2 -maxdepth 5 -name memory.current 2>/dev/null | while IFS= read -r file; do
		read -r bytes 2>/dev/null <"$file" || continue
		group=${file%/memory.current}
		printf '%s\t%s\n' "$((bytes / 1024))" "${group#/sys/fs/cgroup/}"
	done | sort -rn | grep -vE '	(system|user|init)\.(slice|scope)$' | head -n 50)
top=$(printf '%s\n' "$processes" | head -n 1)

{
	percent=$((total > 0 ? (total - available) * 100 / total : 0))
	printf 'memory of %s is %s%% used: %s of %s available\n' "$here" "$percent" "$(size "$available")" "$(size "$total")"
	if [ "$swap_total" -gt 0 ]; then
		printf 'swap %s%% used: %s of %s free\n' "$(((swap_total - swap_free) * 100 / swap_total))" \
			"$(size "$swap_free")" "$(size "$swap_total")"
	else
		printf 'swap: none\n'
	fi
	pressure
	printf '%s\n' "$top" | while IFS='	' read -r rss _ pid name; do
		[ -z "$pid" ] || printf 'biggest process %s[%s] with %s\n' "$name" "$pid" "$(size "$rss")"
	done
	printf 'OOM kills since boot: %s\n' "${oom_kills:-unknown (this kernel does not count them)}"
	kernel=$(kernel_log)
	if [ -n "$kernel" ]; then
		printf '\nWhat the kernel said on OOM kills\n%s\n' "$kernel"
	fi

	printf '\nBiggest processes (resident, swapped)\n'
	printf '%s\n' "$processes" | head -n 12 | while IFS='	' read -r rss swap pid name; do
		[ -z "$pid" ] || printf '%8s %8s  %s[%s]\n' "$(size "$rss")" "$(size "$swap")" "$name" "$pid"
	done
	printf '\nThe same by name, all processes of it together\n'
	printf '%s\n' "$processes" | awk -F '\t' '{ sum[$4] += $1; n[$4]++ }
		END { for (name in sum) printf "%.0f\t%d\t%s\n", sum[name], n[name], name }' | sort -rn | head -n 8 |
		while IFS='	' read -r kib count name; do
			[ -z "$name" ] || printf '%8s  %s (%s)\n' "$(size "$kib")" "$name" "$count"
		done
	if [ -n "$groups" ]; then
		printf '\nBiggest services and containers (control groups, with their page cache)\n'
		printf '%s\n' "$groups" | head -n 10 | while IFS='	' read -r kib group; do
			printf '%8s  %s\n' "$(size "$kib")" "$group"
		done
	fi
	shared=$(meminfo Shmem); slab=$(meminfo SUnreclaim); huge=$(meminfo Hugetlb)
	printf '\nNot of any process: shared memory and tmpfs %s, kernel %s, huge pages %s\n' \
		"$(size "$shared")" "$(size "$slab")" "$(size "$huge")"
} | plain

{ printf 'resident KiB\tswapped KiB\tpid\tname\n'; printf '%s\n' "$processes"; } | keep processes.txt
keep meminfo.txt </proc/meminfo
exit 0
