#!/bin/sh
# ---
# summary: A Redis server (memory, clients, persistence, replication, cluster), or why it does not answer
# kind: diagnose
# params:
#   address: {type: string, default: 127.0.0.1, pattern: '^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$', summary: "where it listens, seen from the host that this runs on"}
#   port: {type: int, default: 6379}
# timeout: 1m
# idempotent: true
# env: [REDIS_PASSWORD_FILE, REDIS_USER]
# ---
# Reads only: INFO, CLIENT LIST, LATENCY, CLUSTER INFO. Never shows a key, a value or an argument of a command. A server with a password:
# put it in a file that the user of the runbooks can read, and name that in REDIS_PASSWORD_FILE (and an ACL user in REDIS_USER) in the
# environment of runbook-worker. Artifacts: info.txt, clients.txt.
set -u
export LC_ALL=C

address=${PARAM_address:-127.0.0.1}
port=${PARAM_port:-6379}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a client's name may hold what moves a terminal's cursor
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
redis() {
	timeout 10 redis-cli -h "$address" -p "$port" --no-auth-warning ${REDIS_USER:+--user "$REDIS_USER"} "$@" 2>&1
}
value() {	# of one field of INFO
	printf '%s\n' "$info" | sed -n "s/^$1://p" | head -n 1
}
number() {
	number=$(value "$1")
	case $number in ''|*[!0-9]*) echo 0 ;; *) echo "$number" ;; esac
}
size() {	# bytes -> for people
	numfmt --to=iec -- "${1:-0}" 2>/dev/null || echo "${1:-0}"
}
units() {	# states of the units like $@, and the end of their log
	if ! command -v systemctl >/dev/null 2>&1 || [ -z "$(timeout 10 systemctl show --property=Version --value 2>/dev/null)" ]; then
		printf '\nUnits: systemd does not run here, or does not answer\n'
		return
	fi
	printf '\nUnits\n'
	timeout 10 systemctl list-units --all --plain --no-legend --no-pager -- "$@" 2>&1 | head -n 8
	printf '\nEnd of their log\n'
	for like; do set -- "$@" -u "$like"; shift; done
	timeout 10 journalctl -q --no-pager -o short-iso -n 20 "$@" 2>&1 | tail -n 20
}
finding() {
	printf '  ! %s\n' "$1"
}

if ! command -v redis-cli >/dev/null 2>&1; then
	echo "cannot ask Redis on $here: redis-cli is missing; install redis-tools"
	exit 1
fi
case $address in -*|*[!A-Za-z0-9.:-]*) echo "refusing '$address': that is no address" | plain; exit 1 ;; esac
if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
	if [ ! -r "$REDIS_PASSWORD_FILE" ]; then
		echo "cannot read the password of Redis from '$REDIS_PASSWORD_FILE': make it a file that user $(id -un), and only he, can read" | plain
		exit 1
	fi
	REDISCLI_AUTH=$(head -n 1 -- "$REDIS_PASSWORD_FILE" | tr -d '\r\n'); export REDISCLI_AUTH
fi
info=$(redis INFO everything | tr -d '\r')
case $info in
*redis_version:*) ;;
*NOAUTH*|*WRONGPASS*|*NOPERM*|*'invalid password'*)
	printf 'Redis on %s, %s port %s, does not let us in: %s\n' "$here" "$address" "$port" "$(printf '%s\n' "$info" | tail -n 1)" | plain
	echo 'name a file with the password in REDIS_PASSWORD_FILE, in the environment of runbook-worker'
	exit 1 ;;
*LOADING*) ;;
*)
	{
		printf 'Redis on %s, %s port %s, does not answer: %s\n' "$here" "$address" "$port" "$(printf '%s\n' "${info:-nothing within 10 s}" | head -n 1)"
		printf '\nProcesses\n'
		ps -eo pid,user,etime,rss,comm 2>/dev/null | awk 'NR == 1 || $5 ~ /^(redis|valkey|keydb)-(server|sentinel)/' | head -n 8
		if command -v ss >/dev/null 2>&1; then
			printf '\nListening at that port\n'
			ss -Hltn "sport = :$port" 2>/dev/null | grep . || echo '  nothing'
		fi
		units 'redis*' 'valkey*'
		log=$(find /var/log/redis -maxdepth 1 -name '*.log' -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d ' ' -f 2-)
		[ -z "$log" ] || { printf '\nEnd of %s\n' "$log"; tail -n 20 -- "$log" 2>&1; }
	} | plain
	# That it is down is an answer, and so is that it hangs.
	exit 0 ;;
esac

used=$(number used_memory); most=$(number maxmemory); system=$(number total_system_memory)
clients=$(number connected_clients); most_clients=$(number maxclients)
role=$(value role)
findings=$(
	case $info in *LOADING*) finding 'it is loading its data and answers nothing else yet' ;; esac
	[ "$most" -eq 0 ] || [ $((used * 100 / most)) -lt 90 ] || finding "memory is at $((used * 100 / most))% of maxmemory; when full: $(value maxmemory_policy)"
	[ "$system" -eq 0 ] || [ $((used * 100 / system)) -lt 80 ] || finding "memory is at $((used * 100 / system))% of the machine's"
	[ "$most_clients" -eq 0 ] || [ $((clients * 100 / most_clients)) -lt 80 ] || finding "clients are at $((clients * 100 / most_clients))% of maxclients"
	[ "$(number rejected_connections)" -eq 0 ] || finding "it rejected $(number rejected_connections) connections since it started: maxclients was reached"
	[ "$(value rdb_last_bgsave_status)" != err ] || finding 'its last background save FAILED: see its log; is there room, and memory for the fork?'
	[ "$(value aof_last_write_status)" != err ] || finding 'the last write of its append-only file FAILED: is the disk full?'
	[ "$(value aof_last_bgrewrite_status)" != err ] || finding 'the last rewrite of its append-only file FAILED'
	[ "$role" != slave ] || [ "$(value master_link_status)" = up ] ||
		finding "its link to the master $(value master_host):$(value master_port) is down since $(value master_link_down_since_seconds) s"
	[ "$(value cluster_enabled)" != 1 ] || [ "$(redis CLUSTER INFO | tr -d '\r' | sed -n 's/^cluster_state://p')" = ok ] || finding 'its cluster is not ok, see below'
	[ "$(number evicted_keys)" -eq 0 ] || finding "it evicted $(number evicted_keys) keys since it started"
	[ "$(number blocked_clients)" -lt 50 ] || finding "$(number blocked_clients) clients wait in a blocking command"
	fragmentation=$(value mem_fragmentation_ratio)
	[ "$used" -lt 104857600 ] || [ "$(awk -v r="${fragmentation:-1}" 'BEGIN { print (r >= 1.8) }')" != 1 ] || finding "its memory is fragmented: $fragmentation times what it uses"
)
{
	printf 'Redis %s on %s, %s port %s, is a %s, up %s s\n' "$(value redis_version)" "$here" "$address" "$port" "${role:-?}" "$(value uptime_in_seconds)"
	printf 'memory %s%s, peak %s; clients %s of %s; %s commands/s\n' "$(size "$used")" "$([ "$most" -eq 0 ] || echo " of $(size "$most")")" \
		"$(size "$(number used_memory_peak)")" "$clients" "$most_clients" "$(value instantaneous_ops_per_sec)"
	if [ -n "$findings" ]; then printf '%s\n' "$findings"; else echo 'nothing stands out'; fi

	saved=$(number rdb_last_save_time)
	printf '\nPersistence\n'
	printf '  last RDB save %s (%s), %s changes since; now: %s\n' "$(date -u -d "@$saved" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null)" "$(value rdb_last_bgsave_status)" \
		"$(value rdb_changes_since_last_save)" "$([ "$(value rdb_bgsave_in_progress)" = 1 ] && echo 'a save is at work' || echo 'no save at work')"
	printf '  append-only file: %s\n' "$([ "$(value aof_enabled)" = 1 ] && echo "on, last write $(value aof_last_write_status)" || echo off)"
	printf '\nReplication\n'
	printf '%s\n' "$info" | grep -E '^(role|master_host|master_port|master_link_status|master_last_io_seconds_ago|master_sync_in_progress|connected_slaves|slave[0-9]+|master_repl_offset|slave_repl_offset):' | sed 's/^/  /'
	if [ "$(value cluster_enabled)" = 1 ]; then
		printf '\nCluster\n'
		redis CLUSTER INFO | grep -E '^cluster_(state|slots_|known_nodes|size)' | sed 's/^/  /'
		redis CLUSTER NODES | awk '$3 ~ /fail|handshake|noaddr/ || $8 == "disconnected" { print "  ! " $2, $3, $8 }'
	fi
	printf '\nMost time in commands (calls, microseconds together)\n'
	printf '%s\n' "$info" | sed -n 's/^cmdstat_\([^:]*\):calls=\([0-9]*\),usec=\([0-9]*\).*/\3	\2	\1/p' | sort -rn | head -n 8 |
		while IFS='	' read -r usec calls name; do printf '%12s %14s  %s\n' "$calls" "$usec" "$name"; done
	printf '\nClients by address (number)\n'
	redis CLIENT LIST | sed -n 's/.* addr=\([^ ]*\):[0-9]* .*/\1/p' | sort | uniq -c | sort -rn | head -n 10
	slow=$(redis SLOWLOG LEN)
	printf '\nSlow commands noted: %s; what they were is shown by SLOWLOG GET, with their arguments\n' "$slow"
	latency=$(redis LATENCY LATEST)
	[ -z "$latency" ] || printf 'Latency events (name, time, latest ms, most ms)\n%s\n' "$(printf '%s\n' "$latency" | paste - - - - | head -n 8 | sed 's/^/  /')"
	printf 'Keys\n'
	printf '%s\n' "$info" | grep '^db[0-9]*:' | sed 's/^/  /'
} | plain
printf '%s\n' "$info" | plain | keep info.txt
redis CLIENT LIST | plain | keep clients.txt
exit 0
