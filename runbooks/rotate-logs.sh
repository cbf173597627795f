#!/bin/sh
# ---
# summary: Free space below a log folder (compress and empty big logs, drop the oldest rotated ones)
# kind: remediate
# params:
#   path: {type: string, required: true, pattern: '^/[^[:cntrl:]]{1,4095}$', summary: "a folder below /var/log, or below a folder in ROTATE_LOGS_ROOTS"}
#   min_size: {type: string, default: 10MiB, pattern: '^[1-9][0-9]{0,6}(KiB|MiB|GiB)$', summary: "a log in use that is smaller is left alone"}
#   keep: {type: int, default: 3, summary: "rotated files of each log that are never deleted, at least 1"}
#   min_age: {type: duration, default: 24h, summary: "a rotated file that is younger is never deleted"}
# timeout: 10m
# idempotent: true
# retries: {max: 3, backoff: 20s}
# user: root
# env: [ROTATE_LOGS_ROOTS]
# ---
# Where it may work: below /var/log, or below the folders in the environment variable ROTATE_LOGS_ROOTS of
# runbook-worker (with ":" between them, in place of /var/log). Only an administrator sets that; an alert cannot.
#
# What it does, in this order, on the one file system that holds the path:
#   1. deletes rotated files beyond the newest `keep` of each log, where they are older than `min_age`
#   2. compresses rotated files (NAME.1, NAME-20240131) that no process has open
#   3. copies each log of at least `min_size` to NAME-TIME.gz and empties it in place, so a process that has it open
#      goes on writing: what is written in the few milliseconds between the last copy and the emptying is lost
# What it never does: follow a symbolic link, leave the path, touch a file that is no plain file or no log by its name
# (journals and wtmp are not), delete a log in use, or what is younger than `min_age`.
#
# As root it must not be led astray by those who may write to a folder on the way, for they could put a link in the
# place of a file between two looks. So where a folder belongs to another user, everything below is done as that
# user; where it is root's but a group may write, as the file's owner if he is of that group; else nothing is done.
#
# Idempotent: a second run finds the logs small and does nothing; copies that were cut short are removed.
set -u
export LC_ALL=C
umask 077

path=${PARAM_path:-}
keep=${PARAM_keep:-3}
roots=${ROTATE_LOGS_ROOTS:-/var/log}
here=$(uname -n)
dry=
case ${RUNBOOK_DRY_RUN:-} in 1|true) dry=yes ;; esac
logs='.*\(\.log\|\.out\|\.err\|/syslog\|/messages\|/debug\|/secure\|/maillog\|/cron\)'
rotated="$logs"'[.-][0-9][0-9TZ_-]*\(\.gz\|\.xz\|\.bz2\|\.zst\)?'

plain() {	# file names may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
size() {	# bytes -> for people
	numfmt --to=iec -- "${1:-0}"
}
seconds() {	# 24h -> 86400
	case $1 in
	*ms) echo $((${1%ms} / 1000)) ;;
	*s) echo "${1%s}" ;;
	*m) echo $((${1%m} * 60)) ;;
	*h) echo $((${1%h} * 3600)) ;;
	*d) echo $((${1%d} * 86400)) ;;
	esac
}
list() {	# regular files of this file system; a name with a control character is nobody's log
	find "$folder" -xdev -type d -name journal -prune -o -type f ! -name '*[[:cntrl:]]*' "$@" 2>/dev/null
}
note() {	# one line of the report
	printf '  %s\n' "$1"
}

# ---- may we work here
for tool in find gzip truncate numfmt stat flock; do
	command -v "$tool" >/dev/null 2>&1 || refuse "cannot rotate logs: $tool is missing on $here"
done
folder=$(readlink -e -- "$path") || refuse "cannot rotate '$path': it does not exist on $here; is this the host that the alert is about?"
[ -d "$folder" ] || refuse "refusing '$path': it is no folder"
[ "$folder" != "${folder#*[[:cntrl:]]}" ] && refuse "refusing '$path': its name holds control characters"
allowed=
rest=$roots:
while [ -n "$rest" ]; do
	root=${rest%%:*}; rest=${rest#*:}
	root=$(readlink -e -- "${root:-/}") || continue
	[ "$root" != / ] || continue
	case $folder/ in "$root"/*) allowed=yes ;; esac
done
[ -n "$allowed" ] || refuse "refusing '$path': it is not below $roots (an administrator may set ROTATE_LOGS_ROOTS)"
min_size=$(numfmt --from=iec-i -- "$(printf '%s' "${PARAM_min_size:-10MiB}" | sed 's/B$//')" 2>/dev/null) ||
	refuse "refusing min_size '${PARAM_min_size:-}': use for example 10MiB"
min_age=$(seconds "${PARAM_min_age:-24h}" 2>/dev/null)
[ "${min_age:-x}" -ge 0 ] 2>/dev/null || refuse "refusing min_age '${PARAM_min_age:-}': use for example 24h"
[ "$keep" -ge 1 ] 2>/dev/null || refuse "refusing keep '$keep': at least one rotated file of each log stays"

# One at a time below a folder: a second one tries again later.
exec 9<"$folder" || refuse "cannot open '$folder'"
flock -n 9 || { echo "another rotation works below $folder; trying again later"; exit 75; }

# ---- acting on one file
# Prints who may act on file $1: "-" (as we are), or a user id; fails where nobody may. Goes from the root down: who
# may write to a folder decides what all below it is.
actor() {
	if [ "$(id -u)" -ne 0 ]; then echo -; return 0; fi
	way=; below=${1#/}
	while :; do
		case $(stat -c '%u:%g:%A' -- "${way:-/}") in
		0:*:d????-??-?|0:0:d???????-?) ;;	# nobody but root, or root's group
		0:*:d????????[tT])	# sticky: a folder in it stays in place, while files may be added
			if [ "$way" = "${1%/*}" ]; then of_group "$1" "$way"; return; fi ;;
		0:*:d???????-?) of_group "$1" "$way"; return ;;
		0:*) return 1 ;;
		*:d????-??-?) known_user "$(stat -c %u -- "$way")"; return ;;
		*) return 1 ;;
		esac
		case $below in */*) ;; *) break ;; esac
		way=$way/${below%%/*}; below=${below#*/}
	done
	echo -
}
known_user() {
	[ "$1" -ne 0 ] && command -v setpriv >/dev/null 2>&1 && id -u -- "$1" >/dev/null 2>&1 && echo "$1"
}
of_group() {
	case $(stat -c %A -- "$2") in d???????w?) return 1 ;; esac
	case " $(id -G -- "$(stat -c %u -- "$1")" 2>/dev/null) " in
	*" $(stat -c %g -- "$2") "*) known_user "$(stat -c %u -- "$1")" ;;
	*) return 1 ;;
	esac
}
# Runs the constant script $2 as actor $1; what follows are its arguments, which are data.
as() {
	user=$1; script=$2; shift 2
	case $user in
	-) sh -c "$script" rotate-logs "$@" ;;
	*) setpriv --reuid "$user" --regid "$(id -g -- "$user")" --init-groups -- sh -c "$script" rotate-logs "$@" ;;
	esac 9<&- 2>/dev/null
}
# The scripts: constant, hence single quotes.
# shellcheck disable=SC2016
remove='rm -f -- "$1"'
# shellcheck disable=SC2016
squeeze='gzip -- "$1"'
# $1 log, $2 copy. The copy is whole and checked before the log is emptied; what was written meanwhile is added just
# before. Killed in between, there is the copy and the log, never neither.
# shellcheck disable=SC2016
copy_and_empty='
	set -C; part=$2.part
	give_up() { rm -f -- "$part"; exit 1; }
	trap give_up HUP INT TERM
	bytes=$(stat -c %s -- "$1") && head -c "$bytes" -- "$1" | gzip -c >"$part" || give_up
	[ "$(gzip -dc <"$part" | wc -c)" -eq "$bytes" ] && chmod --reference="$1" -- "$part" || give_up
	[ "$(id -u)" -ne 0 ] || chown --reference="$1" -- "$part" || give_up
	tail -c "+$((bytes + 1))" -- "$1" | gzip -c >>"$part" || give_up
	mv -n -- "$part" "$2" && [ ! -e "$part" ] || give_up
	truncate -s 0 -- "$1" || { rm -f -- "$2"; exit 1; }'
# The same in steps, where the disk is too full for the copy: it goes by way of the run's folder.
# shellcheck disable=SC2016
copy_out='head -c "$2" -- "$1" | gzip -c'
# shellcheck disable=SC2016
copy_rest_and_empty='tail -c "+$(($2 + 1))" -- "$1" | gzip -c && truncate -s 0 -- "$1"'
# shellcheck disable=SC2016
copy_back='set -C; cat >"$1.part" && chmod --reference="$2" -- "$1.part" && mv -n -- "$1.part" "$1" && [ ! -e "$1.part" ] && exit 0; rm -f -- "$1.part"; exit 1'

deleted=0; compressed=0; emptied=0; skipped=0; failed=0
skip() {
	skipped=$((skipped + 1)); note "left alone: $1 ($2)"
}
why() {
	case $who in
	-) echo ': is there no room, or is it a link?' ;;
	*) echo " as user $(id -un -- "$who"), whose folder it is in: is there no room, or is it not his?" ;;
	esac
}
drop() {	# a rotated file
	who=$(actor "$1") || { skip "$1" "others may change its folder"; return; }
	bytes=$(stat -c %s -- "$1" 2>/dev/null) || return
	if [ -n "$dry" ]; then note "would delete $1, $(size "$bytes")"; return; fi
	if as "$who" "$remove" "$1" && [ ! -e "$1" ]; then
		deleted=$((deleted + 1)); note "deleted $1, $(size "$bytes")"
	else
		failed=$((failed + 1)); note "could not delete $1$(why)"
	fi
}
compress() {	# a rotated file that nobody has open
	who=$(actor "$1") || { skip "$1" "others may change its folder"; return; }
	bytes=$(stat -c %s -- "$1" 2>/dev/null) || return
	if [ -n "$dry" ]; then note "would compress $1, $(size "$bytes")"; return; fi
	if as "$who" "$squeeze" "$1" && [ -f "$1.gz" ]; then
		compressed=$((compressed + 1)); note "compressed $1, $(size "$bytes") to $(size "$(stat -c %s -- "$1.gz")")"
	else
		failed=$((failed + 1)); note "could not compress $1$(why)"
	fi
}
empty() {	# a log that may be in use
	who=$(actor "$1") || { skip "$1" "others may change its folder"; return; }
	bytes=$(stat -c %s -- "$1" 2>/dev/null) || return
	copy=$1-$(date -u +%Y%m%dT%H%M%SZ).gz
	if [ -n "$dry" ]; then note "would copy $1, $(size "$bytes"), to ${copy##*/} and empty it"; return; fi
	if [ -e "$copy" ]; then skip "$1" "rotated this very second"; return; fi
	if as "$who" "$copy_and_empty" "$1" "$copy"; then
		emptied=$((emptied + 1)); note "emptied $1, $(size "$bytes"); kept as ${copy##*/}, $(size "$(stat -c %s -- "$copy")")"
	elif [ -n "${RUNBOOK_ARTIFACTS:-}" ] && empty_by_artifact "$1" "$copy"; then
		emptied=$((emptied + 1))
	else
		failed=$((failed + 1)); note "could not rotate $1, $(size "$bytes")$(why)"
	fi
}
empty_by_artifact() {
	aside=$RUNBOOK_ARTIFACTS/${2##*/}
	as "$who" "$copy_out" "$1" "$bytes" >"$aside"
	if [ "$(gzip -dc <"$aside" | wc -c)" -ne "$bytes" ] || ! as "$who" "$copy_rest_and_empty" "$1" "$bytes" >>"$aside"; then
		rm -f -- "$aside"
		return 1
	fi
	if as "$who" "$copy_back" "$2" "$1" <"$aside"; then
		rm -f -- "$aside"; note "emptied $1, $(size "$bytes"); kept as ${2##*/}, by way of the run's folder because there was no room"
	else
		note "emptied $1, $(size "$bytes"); its copy ${2##*/} is an artifact of this run: there was no room for it"
	fi
}
used_percent() {
	df --output=pcent -- "$folder" | tail -n 1 | tr -dc '0-9'
}
used_kib() {
	df -k --output=used -- "$folder" | tail -n 1 | tr -dc '0-9'
}

# ---- the work
rotate_all() {
	# Copies that a killed run left behind. Nobody else may be at work: we hold the lock.
	list -regex "$logs"'-[0-9]+T[0-9]+Z\.gz\.part' -print | while IFS= read -r file; do
		who=$(actor "$file") && [ -z "$dry" ] && as "$who" "$remove" "$file"
	done
	oldest=$(($(date +%s) - min_age))
	list -regex "$rotated" -printf '%T@\t%p\n' | sort -rn | awk -F '\t' -v keep="$keep" -v oldest="$oldest" '
		{ log_name = $2; sub(/\.(gz|xz|bz2|zst)$/, "", log_name); sub(/[.-][0-9][0-9TZ_-]*$/, "", log_name)
		  if (++n[log_name] > keep && $1 + 0 < oldest) print $2 }' >"$work/drop"
	while IFS= read -r file; do drop "$file"; done <"$work/drop"

	# Open files of all processes by device and inode: a rotated one may still be written to.
	find -L /proc/[0-9]*/fd -maxdepth 1 -type f -printf '%D:%i\n' 2>/dev/null | sort -u >"$work/open"
	list -regex "$rotated" ! -name '*.gz' ! -name '*.xz' ! -name '*.bz2' ! -name '*.zst' -size +0 -printf '%s\t%D:%i\t%p\n' | sort -n >"$work/compress"
	while IFS='	' read -r _ id file; do
		if grep -qxF -- "$id" "$work/open"; then skip "$file" "a process has it open"; else compress "$file"; fi
	done <"$work/compress"

	# By blocks, not length: a log whose writer does not append is long and hollow after it was emptied.
	list -regex "$logs" -size "+$((min_size - 1))c" -printf '%b\t%p\n' |
		awk -F '\t' -v least="$min_size" '$1 * 512 >= least' | sort -n >"$work/empty"
	while IFS='	' read -r _ file; do empty "$file"; done <"$work/empty"
}

# A few small lists, which must also find room where the disk that we are here for is full.
for place in "${RUNBOOK_ARTIFACTS:-}" /dev/shm /run "${TMPDIR:-/tmp}"; do
	if [ -z "$place" ] || ! work=$(mktemp -d "$place/rotate.XXXXXX" 2>/dev/null); then work=; continue; fi
	trap 'rm -rf -- "$work"' EXIT
	head -c 1000000 /dev/zero 2>/dev/null >"$work/report" && break
	rm -rf -- "$work"; work=
done
[ -n "${work:-}" ] || refuse "cannot work on $here: no room for a list of files in the run's folder, /dev/shm, /run or /tmp"
trap 'exit 1' HUP INT TERM
percent_before=$(used_percent); kib_before=$(used_kib)
rotate_all >"$work/report"
percent=$(used_percent); freed=$((kib_before - $(used_kib)))
[ "$freed" -gt 0 ] || freed=0
changed=$((deleted + compressed + emptied))
{
	if [ -n "$dry" ]; then
		printf 'dry run below %s on %s: nothing was changed; the file system is %s%% full\n' "$folder" "$here" "$percent"
	elif [ "$changed" -gt 0 ]; then
		printf 'freed %s below %s on %s: %s%% -> %s%% full\n' "$(size $((freed * 1024)))" "$folder" "$here" "$percent_before" "$percent"
	else
		printf 'nothing to free below %s on %s: it stays %s%% full\n' "$folder" "$here" "$percent"
	fi
	printf 'emptied %s, compressed %s, deleted %s, left alone %s, failed %s\n' "$emptied" "$compressed" "$deleted" "$skipped" "$failed"
	head -n 60 "$work/report"
	lines=$(grep -c . "$work/report")
	[ "$lines" -le 60 ] || printf '  ... and %s more, all in the artifact report.txt\n' $((lines - 60))
} | plain
[ -z "${RUNBOOK_ARTIFACTS:-}" ] || plain <"$work/report" >"$RUNBOOK_ARTIFACTS/report.txt"
[ -z "$dry" ] || exit 0
if [ "$changed" -eq 0 ] && [ "$failed" -gt 0 ]; then
	exit 1
elif [ "${percent:-0}" -ge 90 ] && { [ "$changed" -eq 0 ] || [ "$failed" -gt 0 ]; }; then
	echo "it is still ${percent}% full: see what else is in it with disk-usage"
	exit 1
fi
exit 0
