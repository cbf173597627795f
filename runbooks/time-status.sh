#!/bin/sh
# ---
# summary: Does the clock follow a time source (chrony, ntp or timesyncd, its sources, the kernel's clock)
# kind: diagnose
# timeout: 1m
# idempotent: true
# ---
# Reads only; never sets or steps a clock. Asks the time service that answers: chronyc, ntpq, timedatectl. Where none does, that is
# what is wrong, and it fails: nothing was seen of the clock itself.
set -u
export LC_ALL=C SYSTEMD_PAGER='' SYSTEMD_COLORS=0

here=$(uname -n)

plain() {
	tr '\001-\010\013-\037\177' '?'
}
have() {
	command -v "$1" >/dev/null 2>&1
}
ask() {
	timeout 10 "$@" 2>/dev/null
}
field() {	# of "name   : value" lines on stdin
	sed -n "s/^$1 *: *//p" | head -n 1
}

chrony=; ntp=; system=; state=; by=
if have chronyc; then chrony=$(ask chronyc -n tracking); fi
if have ntpq; then ntp=$(ask ntpq -pn | grep -v 'Connection refused'); fi
if have timedatectl; then system=$(ask timedatectl show); fi

if [ -n "$chrony" ]; then
	by=chrony
	case $(printf '%s\n' "$chrony" | field 'Leap status') in
	Normal|'Insert second'|'Delete second') state=synchronised ;;
	*) state='NOT synchronised' ;;
	esac
elif [ -n "$ntp" ]; then
	by=ntp; state='NOT synchronised'
	case "
$ntp" in *'
*'*|*'
o'*) state=synchronised ;; esac	# the source that ntp has chosen is marked so
elif [ -n "$system" ]; then
	by=systemd
	case "
$system
" in *'
NTPSynchronized=yes
'*) state=synchronised ;; *) state='NOT synchronised' ;; esac
fi

{
	if [ -n "$state" ]; then
		printf 'the clock of %s is %s (says %s); it shows %s\n' "$here" "$state" "$by" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	else
		printf 'cannot look at the clock of %s: no time service answers; install chrony, or start the one that is there\n' "$here"
	fi
	if [ -n "$chrony" ]; then
		offset=$(printf '%s\n' "$chrony" | field 'System time')
		printf 'chrony: %s; stratum %s, reference %s\n' "${offset:-offset unknown}" "$(printf '%s\n' "$chrony" | field Stratum)" \
			"$(printf '%s\n' "$chrony" | field 'Reference ID')"
		printf '\nSources (^* is followed, ^? gives no answer)\n'
		ask chronyc -n sources | head -n 20
	fi
	if [ -n "$ntp" ]; then
		printf '\nPeers of ntp (* is followed; delay, offset and jitter in ms)\n%s\n' "$ntp" | head -n 22
	fi
	if [ -n "$system" ]; then
		printf '\nWhat systemd says\n'
		printf '%s\n' "$system" | grep -E '^(Timezone|LocalRTC|CanNTP|NTP|NTPSynchronized|TimeUSec|RTCTimeUSec)=' | sed 's/^/  /'
		ask timedatectl show-timesync | grep -E '^(ServerName|ServerAddress|PollIntervalUSec|NTPMessage)=' | sed 's/^/  /'
	fi
	if have systemctl && [ -n "$(ask systemctl show --property=Version --value)" ]; then
		printf '\nTime services that systemd knows\n'
		for unit in chrony chronyd ntp ntpd ntpsec openntpd systemd-timesyncd; do
			load=$(ask systemctl show --property=LoadState --value -- "$unit.service")
			[ "$load" = loaded ] && printf '  %s is %s\n' "$unit" "$(ask systemctl show --property=ActiveState --value -- "$unit.service")"
		done
	fi
	clock=/sys/devices/system/clocksource/clocksource0
	if [ -r $clock/current_clocksource ]; then
		printf '\nThe kernel counts by %s (it could by: %s)\n' "$(cat $clock/current_clocksource)" "$(cat $clock/available_clocksource)"
	fi
} | plain
[ -n "$state" ]
