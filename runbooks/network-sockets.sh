#!/bin/sh
# ---
# summary: Sockets and interfaces (states, full listen queues, busiest peers, errors, connection tracking)
# kind: diagnose
# params:
#   device: {type: string, default: any, pattern: '^[A-Za-z0-9._:@-]{1,32}$', summary: "an interface to show in full, or any"}
# timeout: 1m
# idempotent: true
# user: root
# ---
# Reads /proc and /sys; uses ss (package iproute2) only to name the processes behind sockets, and says so where it
# is missing. Sends nothing. Full lists as artifacts: sockets.txt, counters.txt.
set -u
export LC_ALL=C

here=$(uname -n)
device=${PARAM_device:-any}

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {
	tr '\001-\010\013-\037\177' '?'
}
# Counters of /proc/net/netstat and snmp: pairs of lines, names and values. "Tcp" "RetransSegs" -> the value.
counter() {
	cat /proc/net/snmp /proc/net/netstat 2>/dev/null | awk -v group="$1:" -v name="$2" '
		$1 == group && !($1 in header) { header[$1] = 1; for (i = 2; i <= NF; i++) column[i] = $i; next }
		$1 == group { for (i = 2; i <= NF; i++) if (column[i] == name) print $i; exit }'
}

if [ ! -r /proc/net/tcp ]; then
	echo "cannot look at the sockets of $here: /proc is not mounted here"
	exit 1
fi
# State, local port, remote address in hex, bytes waiting to be sent, to be read: of all TCP sockets.
tcp=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '
	function hex(s,  i, n) { n = 0; for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789ABCDEF", substr(s, i, 1)) - 1; return n }
	BEGIN { split("ESTABLISHED SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED CLOSE-WAIT LAST-ACK LISTEN CLOSING", name, " ") }
	$1 != "sl" { split($2, l, ":"); split($3, r, ":"); split($5, q, ":")
		print name[hex($4)] "\t" hex(l[2]) "\t" r[1] "\t" hex(q[1]) "\t" hex(q[2]) }')
states=$(printf '%s\n' "$tcp" | awk -F '\t' 'NF { n[$1]++; all++ }
	END { printf "%d", all; for (s in n) printf " %s=%d", s, n[s]; print "" }')
listen_overflows=$(counter TcpExt ListenOverflows)
conntrack=$(cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null)
conntrack_max=$(cat /proc/sys/net/netfilter/nf_conntrack_max 2>/dev/null)
# By cat: a shell that reads byte by byte gets the first digit of a file in /proc/sys, and no more.
read -r port_low port_high <<EOF
$(cat /proc/sys/net/ipv4/ip_local_port_range 2>/dev/null)
EOF
interfaces=$(awk -F ':' 'NR > 2 { name = $1; gsub(/ /, "", name); n = split($2, f, " ")
	if (n >= 12) printf "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", name, f[1], f[9], f[3], f[11], f[4], f[12] }' /proc/net/dev)
# What a person should look at first; nothing here: nothing stands out.
findings=$(
	printf '%s\n' "$tcp" | awk -F '\t' -v low="${port_low:-0}" -v high="${port_high:-0}" '
		$1 == "CLOSE-WAIT" { closing++ }
		$1 == "SYN-RECV" { half++ }
		$1 != "LISTEN" && $2 >= low && $2 <= high { ports++ }
		END {
			if (closing >= 100) printf "%d sockets in CLOSE-WAIT: a program here does not close what its peer has closed\n", closing
			if (half >= 100) printf "%d half-open connections (SYN-RECV): slow clients or a SYN flood\n", half
			if (high > low && ports >= 0.8 * (high - low)) printf "%d of %d ephemeral ports in use: outgoing connections will soon fail\n", ports, high - low
		}'
	[ "${listen_overflows:-0}" -eq 0 ] ||
		printf '%s connections since boot found a full listen queue (ListenOverflows): a server accepts too slowly\n' "$listen_overflows"
	if [ -n "$conntrack" ] && [ "${conntrack_max:-0}" -gt 0 ] && [ $((conntrack * 100 / conntrack_max)) -ge 80 ]; then
		printf 'connection tracking is %s%% full (%s of %s): new connections will be dropped\n' \
			$((conntrack * 100 / conntrack_max)) "$conntrack" "$conntrack_max"
	fi
	printf '%s\n' "$interfaces" | awk -F '\t' '$4 + $5 > 0 { printf "%s has %d receive and %d transmit errors since boot\n", $1, $4, $5 }'
)

{
	printf '%s has %s TCP sockets; %s\n' "$here" "${states%% *}" \
		"$(if [ -n "$findings" ]; then echo 'look at:'; else echo 'nothing stands out'; fi)"
	[ -z "$findings" ] || printf '%s\n' "$findings" | sed 's/^/  ! /'
	case $states in
	*' '*) printf '%s\n' "${states#* }" | tr ' ' '\n' | sort -t = -k 2 -rn | awk -F = '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 } END { print "" }' ;;
	esac
	[ -z "$conntrack" ] || printf 'connection tracking: %s of %s\n' "$conntrack" "$conntrack_max"
	printf 'segments sent again since boot: %s of %s\n' "$(counter Tcp RetransSegs)" "$(counter Tcp OutSegs)"

	printf '\nInterfaces (in, out; errors in/out; dropped in/out)\n'
	printf '%s\n' "$interfaces" | while IFS='	' read -r name in out in_errors out_errors in_drops out_drops; do
		[ -z "$name" ] || printf '%-16s %8s %8s   errors %s/%s   dropped %s/%s   %s\n' "$name" "$(numfmt --to=iec "$in")" \
			"$(numfmt --to=iec "$out")" "$in_errors" "$out_errors" "$in_drops" "$out_drops" \
			"$(cat "/sys/class/net/$name/operstate" 2>/dev/null)"
	done
	if [ "$device" != any ]; then
		printf '\nInterface %s\n' "$device"
		if [ -d "/sys/class/net/$device" ]; then
			for what in operstate speed duplex mtu carrier_changes; do
				printf '  %s: %s\n' "$what" "$(cat "/sys/class/net/$device/$what" 2>/dev/null || echo unknown)"
			done
			for file in "/sys/class/net/$device/statistics"/*; do
				value=$(cat "$file" 2>/dev/null)
				[ "${value:-0}" -eq 0 ] || printf '  %s: %s\n' "${file##*/}" "$value"
			done
		else
			printf '  there is no such interface on %s; is this the host that the alert is about?\n' "$here"
		fi
	fi

	if command -v ss >/dev/null 2>&1; then
		printf '\nListening (waiting, queue, address, process)\n'
		ss -Hltnp 2>/dev/null | awk '{ process = $6; sub(/^users:\(\(/, "", process); sub(/\)\)$/, "", process)
			printf "%6s %6s  %-28s %s%s\n", $2, $3, $4, process, ($3 > 0 && $2 >= $3 ? "   <- FULL" : "") }' | head -n 25
		printf '\nBusiest peers (sockets, state, address)\n'
		ss -Htn 2>/dev/null | awk '{ peer = $5; sub(/:[0-9]+$/, "", peer); n[$1 "  " peer]++ }
			END { for (p in n) printf "%7d  %s\n", n[p], p }' | sort -rn | head -n 10
		printf '\nMost sockets by process\n'
		ss -Htanp 2>/dev/null | awk '{ if (match($0, /\(\("[^"]*"/)) n[substr($0, RSTART + 3, RLENGTH - 4)]++ }
			END { for (p in n) printf "%7d  %s\n", n[p], p }' | sort -rn | head -n 8
	else
		printf '\nListening (waiting, port); the processes are not named: install iproute2 for ss\n'
		printf '%s\n' "$tcp" | awk -F '\t' '$1 == "LISTEN" { printf "%6d  %d\n", $5, $2 }' | sort -u -k 2n | head -n 25
	fi
} | plain

if command -v ss >/dev/null 2>&1; then ss -tuanp 2>/dev/null; else cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp 2>/dev/null; fi | keep sockets.txt
cat /proc/net/snmp /proc/net/netstat /proc/net/sockstat /proc/net/dev 2>/dev/null | keep counters.txt
exit 0
