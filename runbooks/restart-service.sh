#!/bin/sh
# ---
# summary: Restart one systemd unit and make sure that it stays up
# kind: remediate
# params:
#   unit: {type: string, required: true, pattern: '^[A-Za-z0-9_][A-Za-z0-9_:.@\\-]{0,199}$', summary: "a service's name; .service where it has no suffix"}
#   stable: {type: int, default: 5, summary: "seconds that it must stay up before this counts as a success, at most 60"}
# timeout: 3m
# idempotent: false
# user: root
# env: [RESTART_SERVICE_ALLOW]
# ---
# Not idempotent: where a worker is lost in the middle, nobody knows whether the service was restarted, and a second
# restart would interrupt people again. The run is then marked lost and a person decides.
#
# Refuses what a machine needs to stay reachable and alive, and runbookd itself, also under another name of the unit.
# Who is sure sets RESTART_SERVICE_ALLOW="ssh.service ..." in the environment of runbook-worker; an alert cannot.
# Never starts a unit that an operator has masked.
set -u
export LC_ALL=C SYSTEMD_PAGER='' SYSTEMD_COLORS=0

unit=${PARAM_unit:-}
stable=${PARAM_stable:-5}
here=$(uname -n)

plain() {	# a log may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
value() {	# of one property of the unit, now
	systemctl show --no-pager --property="$1" --value -- "$unit" 2>/dev/null
}
tail_of_log() {
	journalctl --no-pager --quiet --output=short-iso --lines=20 --unit="$unit" 2>/dev/null | plain
}
critical() {
	case " ${RESTART_SERVICE_ALLOW:-} " in *" $1 "*) return 1 ;; esac
	case $1 in
	systemd-*|init.service|dbus.service|dbus-broker.service|ssh.service|sshd.service|ssh@*|getty@*|serial-getty@*) return 0 ;;
	networking.service|NetworkManager.service|wpa_supplicant*|polkit.service|user@*|user-runtime-dir@*) return 0 ;;
	docker.service|containerd.service|libvirtd.service|virt*d.service|display-manager.service|emergency.service|rescue.service) return 0 ;;
	runbookd.service|runbookd@*|runbook-worker*|runbook-bridge*) return 0 ;;
	esac
	return 1
}

case $unit in
''|*[!A-Za-z0-9_:.@\\-]*|-*) echo "refusing '$unit': that is no unit's name" | plain; exit 1 ;;
*.service) ;;
*.socket|*.timer|*.mount|*.path|*.target|*.slice|*.scope|*.automount|*.swap|*.device)
	echo "refusing '$unit': only services are restarted"; exit 1 ;;
*) unit=$unit.service ;;
esac
if [ -z "$(systemctl show --property=Version --value 2>/dev/null)" ]; then
	echo "cannot restart '$unit': systemd does not run on $here, or does not answer"
	exit 1
fi
[ "$stable" -ge 1 ] 2>/dev/null && [ "$stable" -le 60 ] || stable=5
load=$(value LoadState)
case $load in
loaded) ;;
'') echo "cannot ask systemd on $here: $(systemctl show --property=Id -- "$unit" 2>&1 | head -n 1)" | plain; exit 1 ;;
not-found) echo "there is no unit '$unit' on $here; is this the host that the alert is about?"; exit 1 ;;
masked) echo "refusing '$unit': an operator has masked it; systemctl unmask $unit"; exit 1 ;;
*) echo "refusing '$unit': its unit file is $load"; exit 1 ;;
esac
# A unit has several names where there are aliases: each is looked at.
for name in "$unit" $(value Names); do
	if critical "$name"; then
		echo "refusing '$unit': the machine or runbookd depends on it; an administrator may allow it with RESTART_SERVICE_ALLOW"
		exit 1
	fi
done

before="$(value ActiveState) ($(value SubState)), main process $(value MainPID)"
if [ "${RUNBOOK_DRY_RUN:-0}" = 1 ] || [ "${RUNBOOK_DRY_RUN:-}" = true ]; then
	echo "would restart $unit on $here; it is $before"
	exit 0
fi
# A unit that failed too often is refused a start until this.
systemctl reset-failed -- "$unit" 2>/dev/null
if ! answer=$(systemctl restart -- "$unit" 2>&1); then
	{
		echo "restart of $unit on $here FAILED; it was $before, it is $(value ActiveState) ($(value SubState), $(value Result))"
		printf '%s\n\nLast lines of its log\n' "$answer"
		tail_of_log
	} | plain
	exit 1
fi
main=$(value MainPID)
restarts=$(value NRestarts)
type=$(value Type)
# Counted in looks after the restart, which may itself have taken longer than that.
left=$stable
while [ "$left" -gt 0 ]; do
	sleep 1
	left=$((left - 1))
	state=$(value ActiveState)
	[ "$type" = oneshot ] && [ "$state" != failed ] && continue
	if [ "$state" != active ] || [ "$(value NRestarts)" != "$restarts" ] || [ "$(value MainPID)" != "$main" ]; then
		{
			echo "$unit on $here was restarted but did not stay up: it is $state ($(value SubState), $(value Result))"
			printf '\nLast lines of its log\n'
			tail_of_log
		} | plain
		exit 1
	fi
done
echo "restarted $unit on $here: it was $before; it is $(value ActiveState) ($(value SubState)), main process $(value MainPID), stable for ${stable} s"
printf '\nLast lines of its log\n'
tail_of_log
exit 0
