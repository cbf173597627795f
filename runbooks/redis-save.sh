#!/bin/sh
# ---
# summary: Let a Redis server save its data to disk in the background, and wait until it has
# kind: remediate
# params:
#   address: {type: string, default: 127.0.0.1, pattern: '^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$', summary: "where it listens, seen from the host that this runs on"}
#   port: {type: int, default: 6379}
#   wait: {type: int, default: 240, summary: "seconds to wait for it, at most 3000; it goes on after that"}
# timeout: 1h
# idempotent: true
# env: [REDIS_PASSWORD_FILE, REDIS_USER]
# ---
# Only BGSAVE: it writes a new file beside the old one and then puts it in its place. It forks, which may take as much memory again as is
# written to meanwhile: it is refused where less is available than half of what Redis uses. A save that is at work already is waited
# for, not started again. The password as in redis-status.
set -u
export LC_ALL=C

address=${PARAM_address:-127.0.0.1}
port=${PARAM_port:-6379}
wait=${PARAM_wait:-240}
here=$(uname -n)

plain() {
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
redis() {
	timeout 10 redis-cli -h "$address" -p "$port" --no-auth-warning ${REDIS_USER:+--user "$REDIS_USER"} "$@" 2>&1 | tr -d '\r'
}
value() {	# of one field of INFO, now
	redis INFO everything | sed -n "s/^$1://p" | head -n 1
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}

command -v redis-cli >/dev/null 2>&1 || refuse "cannot ask Redis on $here: redis-cli is missing; install redis-tools"
case $address in -*|*[!A-Za-z0-9.:-]*) refuse "refusing '$address': that is no address" ;; esac
if ! [ "$wait" -ge 1 ] 2>/dev/null || [ "$wait" -gt 3000 ]; then wait=240; fi
if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
	[ -r "$REDIS_PASSWORD_FILE" ] ||
		refuse "cannot read the password of Redis from '$REDIS_PASSWORD_FILE': make it a file that user $(id -un), and only he, can read"
	REDISCLI_AUTH=$(head -n 1 -- "$REDIS_PASSWORD_FILE" | tr -d '\r\n'); export REDISCLI_AUTH
fi
what="Redis on $here, $address port $port"
used=$(value used_memory)
case $used in ''|*[!0-9]*) refuse "$what, does not answer: $(redis PING | head -n 1)" ;; esac
available=$(awk '$1 == "MemAvailable:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)
if [ "${available:-0}" -lt $((used / 2)) ]; then
	refuse "refusing: $what, uses $(numfmt --to=iec "$used"), and only $(numfmt --to=iec "${available:-0}") of memory is available for the fork"
fi
if [ "${RUNBOOK_DRY_RUN:-0}" = 1 ] || [ "${RUNBOOK_DRY_RUN:-}" = true ]; then
	echo "would let $what, save in the background; last save $(date -u -d "@$(value rdb_last_save_time)" +%Y-%m-%dT%H:%M:%SZ)"
	exit 0
fi
before=$(value rdb_last_save_time)
if [ "$(value rdb_bgsave_in_progress)" != 1 ]; then
	answer=$(redis BGSAVE)
	case $answer in
	*'saving started'*|*'in progress'*|*scheduled*) ;;
	*) refuse "$what, does not save: $answer" ;;
	esac
fi
began=$(date +%s)
while [ "$(value rdb_bgsave_in_progress)" != 0 ]; do
	if [ $(($(date +%s) - began)) -ge "$wait" ]; then
		echo "$what, still saves after $wait s; it goes on, look again with redis-status"
		exit 1
	fi
	sleep 1
done
if [ "$(value rdb_last_bgsave_status)" != ok ]; then
	refuse "the save of $what, FAILED: see its log; is there room on its disk?"
fi
after=$(value rdb_last_save_time)
echo "saved: $what, $(numfmt --to=iec "$used") in memory; last save $(date -u -d "@$before" +%Y-%m-%dT%H:%M:%SZ) -> $(date -u -d "@$after" +%Y-%m-%dT%H:%M:%SZ)"
