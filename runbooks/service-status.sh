#!/bin/sh
# ---
# summary: State of one systemd unit, why it is in it, and the tail of its log
# kind: diagnose
# params:
#   unit: {type: string, required: true, pattern: '^[A-Za-z0-9_][A-Za-z0-9_:.@\\-]{0,199}$', summary: "a unit's name; .service where it has no suffix"}
#   lines: {type: int, default: 40, summary: "lines of its log to print"}
# timeout: 1m
# idempotent: true
# user: root
# ---
# Reads only. Needs systemd as the running init; elsewhere it says so and fails, because nothing was diagnosed.
# Artifacts: properties.txt, log.txt (the last 2000 lines of the log).
set -u
export LC_ALL=C SYSTEMD_PAGER='' SYSTEMD_COLORS=0

unit=${PARAM_unit:-}
lines=${PARAM_lines:-40}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a log may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
value() {	# of one property
	printf '%s\n' "$properties" | sed -n "s/^$1=//p" | head -n 1
}

case $unit in
''|*[!A-Za-z0-9_:.@\\-]*|-*) echo "refusing '$unit': that is no unit's name" | plain; exit 1 ;;
*.service|*.socket|*.timer|*.mount|*.path|*.target|*.slice|*.scope|*.automount|*.swap|*.device) ;;
*) unit=$unit.service ;;
esac
if [ -z "$(systemctl show --property=Version --value 2>/dev/null)" ]; then
	echo "cannot look at '$unit': systemd does not run on $here, or does not answer"
	exit 1
fi
[ "$lines" -ge 1 ] 2>/dev/null && [ "$lines" -le 2000 ] || lines=40

properties=$(systemctl show --no-pager -- "$unit" 2>/dev/null)
if [ -z "$properties" ]; then
	echo "cannot ask systemd on $here: $(systemctl show --no-pager -p Id -- "$unit" 2>&1 | head -n 1)" | plain
	exit 1
fi
if [ "$(value LoadState)" = not-found ]; then
	echo "there is no unit '$unit' on $here; is this the host that the alert is about?"
	exit 1
fi
restarts=$(value NRestarts)
{
	printf '%s on %s is %s (%s) since %s\n' "$unit" "$here" "$(value ActiveState)" "$(value SubState)" \
		"$(since=$(value StateChangeTimestamp); echo "${since:-it was loaded}")"
	case $(value Result) in
	success|'') ;;
	exit-code) printf 'it ended with exit status %s\n' "$(value ExecMainStatus)" ;;
	signal|core-dump) printf 'it was ended by signal %s (%s)\n' "$(value ExecMainStatus)" "$(value Result)" ;;
	oom-kill) printf 'the kernel killed it because memory ran out\n' ;;
	timeout) printf 'it did not start or stop in time\n' ;;
	start-limit-hit) printf 'it failed so often that systemd gave up; this clears it: systemctl reset-failed %s\n' "$unit" ;;
	*) printf 'its result is "%s"\n' "$(value Result)" ;;
	esac
	[ "${restarts:-0}" = 0 ] || printf 'systemd restarted it %s times\n' "$restarts"
	case $(value LoadState) in
	loaded) ;;
	*) printf 'its unit file is %s: %s\n' "$(value LoadState)" "$(value LoadError)" ;;
	esac
	[ "$(value NeedDaemonReload)" != yes ] || printf 'its unit file has changed since it was loaded; missing: systemctl daemon-reload\n'
	memory=$(value MemoryCurrent)
	case $memory in ''|*[!0-9]*) ;; *) printf 'memory %s, tasks %s, main process %s\n' \
		"$(numfmt --to=iec "$memory")" "$(value TasksCurrent)" "$(value MainPID)" ;; esac

	printf '\nWhat systemd says\n'
	systemctl status --no-pager --full --lines=0 -- "$unit" 2>&1 | head -n 30
	printf '\nLast %s lines of its log\n' "$lines"
	if command -v journalctl >/dev/null 2>&1; then
		journalctl --no-pager --quiet --output=short-iso --lines="$lines" --unit="$unit" 2>&1
	else
		echo 'cannot show it: journalctl is missing'
	fi
} | plain

printf '%s\n' "$properties" | keep properties.txt
journalctl --no-pager --quiet --output=short-iso --lines=2000 --unit="$unit" 2>/dev/null | keep log.txt
exit 0
