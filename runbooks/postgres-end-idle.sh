#!/bin/sh
# ---
# summary: End PostgreSQL sessions that have been idle in a transaction for long
# kind: remediate
# params:
#   idle: {type: duration, default: 15m, summary: "idle in its transaction for at least so long; never less than 1m"}
#   most: {type: int, default: 5, summary: "at most so many sessions, the longest idle first; at most 20"}
#   database: {type: string, default: "", pattern: '^([A-Za-z0-9_][A-Za-z0-9_.$ -]{0,62})?$', summary: "only of this database"}
#   port: {type: int, default: 5432}
# timeout: 1m
# idempotent: true
# user: postgres
# env: [PGHOST, PGUSER, PGPASSFILE, PGSERVICE, PGSSLMODE]
# ---
# Such a session works on nothing, but holds its locks and keeps vacuum from what it cleans. Its transaction is rolled back, and its
# client sees a lost connection. Left alone: superusers, replication, backups (pg_dump, pg_basebackup), and whoever is at work again in
# the moment that it is looked at. Ends nothing twice: it looks anew each time.
set -u
export LC_ALL=C PGCONNECT_TIMEOUT=5 PGAPPNAME=runbookd PGOPTIONS='-c statement_timeout=20s'

database=${PARAM_database:-}
most=${PARAM_most:-5}
port=${PARAM_port:-5432}
here=$(uname -n)

plain() {	# a name may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
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

if ! command -v psql >/dev/null 2>&1; then
	echo "cannot ask PostgreSQL on $here: psql is missing; install postgresql-client"
	exit 1
fi
idle=$(seconds "${PARAM_idle:-15m}" 2>/dev/null)
[ "${idle:-0}" -ge 60 ] 2>/dev/null || { echo "refusing idle '${PARAM_idle:-}': use at least 1m" | plain; exit 1; }
if ! [ "$most" -ge 1 ] 2>/dev/null || [ "$most" -gt 20 ]; then
	echo "refusing most '$most': use 1 to 20" | plain
	exit 1
fi
what='pg_terminate_backend(pid)'
case ${RUNBOOK_DRY_RUN:-} in 1|true) what='null::bool' ;; esac

# The values go in as variables of psql, which quotes them.
statement="select pid, usename, datname, coalesce(host(client_addr), 'local'), date_trunc('second', idle_for), coalesce($what::text, 'would')
from (select a.pid, a.usename, a.datname, a.client_addr, clock_timestamp() - a.state_change as idle_for
	from pg_stat_activity a join pg_roles r on r.rolname = a.usename
	where a.state like 'idle in transaction%' and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
	and not r.rolsuper and not r.rolreplication and a.application_name !~ '^pg_(dump|dumpall|basebackup)'
	and clock_timestamp() - a.state_change >= make_interval(secs => :'idle'::int)
	and (:'database' = '' or a.datname = :'database')
	order by a.state_change limit :'most'::int) old;"
if ! ended=$(printf '%s\n' "$statement" | timeout 40 psql -X -w -q -A -t -F '	' -p "$port" -d postgres -v ON_ERROR_STOP=1 \
		-v idle="$idle" -v most="$most" -v database="$database" 2>&1); then
	printf 'PostgreSQL on %s, port %s: %s\n' "$here" "$port" "$(printf '%s\n' "$ended" | head -n 1)" | plain
	exit 1
fi
count=$(printf '%s' "$ended" | grep -c .)
failed=$(printf '%s\n' "$ended" | awk -F '\t' '$6 == "false"' | grep -c .)
{
	if [ "$count" -eq 0 ]; then
		printf 'no session on %s is idle in a transaction for over %s s: nothing was ended\n' "$here" "$idle"
	elif [ "$what" = 'null::bool' ]; then
		printf 'would end %s sessions on %s that are idle in a transaction\n' "$count" "$here"
	else
		printf 'ended %s of %s sessions on %s that were idle in a transaction\n' "$((count - failed))" "$count" "$here"
	fi
	[ "$count" -eq 0 ] || printf 'pid, user, database, from, idle for, ended\n%s\n' "$ended" | sed 's/	/  /g; 2,$s/^/  /'
} | plain
[ "$failed" -eq 0 ]
