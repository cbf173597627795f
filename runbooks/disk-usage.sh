#!/bin/sh
# ---
# summary: What fills a file system (space, inodes, biggest folders and files, deleted files still open)
# kind: diagnose
# params:
#   path: {type: string, default: "/", pattern: '^/[^[:cntrl:]]{0,4095}$', summary: "a folder of the file system to look at"}
# timeout: 5m
# idempotent: true
# user: root
# ---
# Reads only. Looks at the one file system that holds the path and never crosses into another. As another
# user than root it still works, but misses what that user may not read, and says so.
# The full lists are kept as artifacts: folders.txt, files.txt, deleted-open.txt, mounts.txt.
set -u
export LC_ALL=C

path=${PARAM_path:-/}
here=$(uname -n)
search_limit=100	# seconds for each of the two walks; what was found until then is shown

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# file names may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
size() {	# KiB -> for people
	numfmt --from-unit=1024 --to=iec -- "${1:-0}" 2>/dev/null || printf '%sK\n' "$1"
}
gently() {
	timeout "$search_limit" nice -n 19 "$@"
}

if [ ! -e "$path" ]; then
	printf "cannot look at '%s': it does not exist on %s; is this the host that the alert is about?\n" "$path" "$here" | plain
	exit 1
fi
# One line each: the path's file system in KiB, and its inodes.
space=$(timeout 20 df -k --output=size,used,avail,pcent,fstype,target -- "$path" 2>/dev/null | tail -n 1)
inodes=$(timeout 20 df --output=itotal,iused,ipcent -- "$path" 2>/dev/null | tail -n 1)
if [ -z "$space" ]; then
	printf "cannot look at '%s' on %s: df gave no answer within 20 s (a network file system whose server is away?)\n" "$path" "$here" | plain
	exit 1
fi
device=$(stat -c %d -- "$path")
read -r total used free percent type mount <<-END
	$space
END
read -r inodes_total inodes_used inodes_percent <<-END
	$inodes
END

started=$(date +%s)
# What is smaller than 1 MiB, or on a small file system than a 500th of what is used, is not listed.
floor=$((used / 500 + 1))
[ "$floor" -le 1024 ] || floor=1024
folders=$(gently du -xk -t "${floor}K" -- "$path" 2>/dev/null | whole=$path awk -F '\t' '
	# A folder is left out where one folder in it holds most of it: the inner one says more. du names the inner ones first.
	# So is the path itself, unless nearly all is right in it.
	{
		inner = most[$2] + 0; up = $2; sub(/\/[^\/]*$/, "", up); if (up == "") up = "/"
		if ($1 + 0 > most[up] + 0) most[up] = $1 + 0
		if (inner < ($2 == ENVIRON["whole"] ? 0.2 : 0.7) * $1) print $1 "\t" $2
	}' | sort -rn | head -n 200)
files=$(gently find "$path" -xdev -type f -size "+${floor}k" -printf '%k\t%TY-%Tm-%Td %TH:%TM\t%u\t%p\n' 2>/dev/null |
	sort -rn | head -n 200)
took=$(($(date +%s) - started))
# Space that no name leads to any more: given back when the process closes the file or ends.
deleted=$(find /proc/[0-9]*/fd -lname '* (deleted)' -print0 2>/dev/null |
	xargs -0 -r stat -L -c '%d:%i %b %n' 2>/dev/null |
	awk -v device="$device" '{ split($1, id, ":"); if (id[1] == device && !seen[$1]++) print int($2 / 2) "\t" $3 }' |
	sort -rn | head -n 200)
deleted_sum=$(printf '%s\n' "$deleted" | awk '{ sum += $1 } END { printf "%.0f", sum }')
top_folder=$(printf '%s\n' "$folders" | head -n 1)
top_file=$(printf '%s\n' "$files" | head -n 1)

{
	printf '%s on %s is %s full: %s of %s used, %s free (%s)\n' "$mount" "$here" "$percent" \
		"$(size "$used")" "$(size "$total")" "$(size "$free")" "$type"
	case ${inodes_percent:--} in
	-) ;;
	9[0-9]%|100%) printf 'INODES %s used: %s of %s; look for a folder with very many small files\n' \
		"$inodes_percent" "$inodes_used" "$inodes_total" ;;
	*) printf 'inodes %s used: %s of %s\n' "$inodes_percent" "$inodes_used" "$inodes_total" ;;
	esac
	[ -z "$top_folder" ] || printf 'biggest folder %s %s\n' "$(size "${top_folder%%	*}")" "${top_folder#*	}"
	[ -z "$top_file" ] || printf 'biggest file   %s %s\n' "$(size "${top_file%%	*}")" "${top_file##*	}"
	printf 'deleted but still open: %s%s\n' "$(size "$deleted_sum")" \
		"$([ "$deleted_sum" -lt "$floor" ] || echo '; restart or signal the processes below to get it back')"
	[ "$took" -lt "$search_limit" ] || printf 'note: the search was cut short after %s s, so the lists are not complete\n' "$took"
	[ "$(id -u)" -eq 0 ] || printf 'note: not root (%s), so folders and processes of others are missing here\n' "$(id -un)"

	printf '\nBiggest folders below %s, this file system only\n' "$path"
	printf '%s\n' "$folders" | head -n 12 | while IFS='	' read -r kib name; do
		[ -z "$name" ] || printf '%8s  %s\n' "$(size "$kib")" "$name"
	done
	printf '\nBiggest files (size, changed, owner)\n'
	printf '%s\n' "$files" | head -n 12 | while IFS='	' read -r kib changed owner name; do
		[ -z "$name" ] || printf '%8s  %s  %-10s %s\n' "$(size "$kib")" "$changed" "$owner" "$name"
	done
	if [ "$deleted_sum" -gt 0 ]; then
		printf '\nDeleted but still open (size, process, was)\n'
		printf '%s\n' "$deleted" | head -n 12 | while IFS='	' read -r kib fd; do
			pid=${fd#/proc/}; pid=${pid%%/*}
			printf '%8s  %s[%s]  %s\n' "$(size "$kib")" "$(cat "/proc/$pid/comm" 2>/dev/null)" "$pid" "$(readlink "$fd")"
		done
	fi
} | plain

printf '%s\n' "$folders" | keep folders.txt
printf '%s\n' "$files" | keep files.txt
printf '%s\n' "$deleted" | keep deleted-open.txt
{ timeout 20 df -h; echo; timeout 20 df -i; } 2>&1 | keep mounts.txt
exit 0
