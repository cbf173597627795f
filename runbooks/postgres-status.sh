#!/bin/sh
# ---
# summary: A PostgreSQL server (connections, locks, long transactions, replication, vacuum), or why it does not answer
# kind: diagnose
# params:
#   database: {type: string, default: postgres, pattern: '^[A-Za-z0-9_][A-Za-z0-9_.$ -]{0,62}$', summary: "whose tables are looked at"}
#   port: {type: int, default: 5432}
# timeout: 3m
# idempotent: true
# user: postgres
# env: [PGHOST, PGUSER, PGPASSFILE, PGSERVICE, PGSSLMODE]
# ---
# Reads only, in read-only transactions of at most 10 seconds, over the local socket as user postgres, as Debian sets it up. Where the
# server wants it otherwise, an administrator sets PGHOST, PGUSER and PGPASSFILE in the environment of runbook-worker. Queries are shown
# with their texts and numbers taken out. Artifacts: settings.txt, activity.txt, tables.txt.
set -u
export LC_ALL=C PGCONNECT_TIMEOUT=5 PGAPPNAME=runbookd
export PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=2s'

database=${PARAM_database:-postgres}
port=${PARAM_port:-5432}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a query may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
query() {	# rows of the query $1, columns with tabs between; in database $2
	timeout 20 psql -X -w -q -A -t -F '	' -p "$port" -d "${2:-postgres}" -v ON_ERROR_STOP=1 -c "$1" 2>&1
}
table() {	# a heading, then rows of a query as "  a  b  c"; says where it could not
	printf '\n%s\n' "$1"
	if rows=$(query "$2" "${3:-postgres}"); then
		if [ -n "$rows" ]; then printf '%s\n' "$rows" | head -n "${4:-12}" | sed 's/^/  /; s/	/  /g'; else echo '  none'; fi
	else
		printf '  not shown: %s\n' "$(printf '%s\n' "$rows" | head -n 1)"
	fi
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
# What a query looks like without its values: texts and numbers may be people's.
masked="left(regexp_replace(regexp_replace(regexp_replace(query, '''([^'']|'''')*(''|\$)', '?', 'g'), '\m[0-9]+\M', 'N', 'g'), '\s+', ' ', 'g'), 100)"

if ! command -v psql >/dev/null 2>&1; then
	echo "cannot ask PostgreSQL on $here: psql is missing; install postgresql-client"
	exit 1
fi
case $database in *[!A-Za-z0-9_.\$\ -]*|-*) echo "refusing '$database': that is no database's name" | plain; exit 1 ;; esac
if ! first=$(query "select current_setting('server_version'), pg_is_in_recovery(), date_trunc('second', now() - pg_postmaster_start_time())"); then
	{
		printf 'PostgreSQL on %s, port %s, does not let us in: %s\n' "$here" "$port" "$(printf '%s\n' "$first" | head -n 1)"
		command -v pg_isready >/dev/null 2>&1 && printf 'pg_isready: %s\n' "$(pg_isready -t 5 -p "$port" 2>&1)"
		printf '\nProcesses\n'
		ps -eo pid,user,etime,comm 2>/dev/null | awk 'NR == 1 || $4 ~ /^(postgres|postmaster)/' | head -n 8
		if command -v pg_lsclusters >/dev/null 2>&1; then
			printf '\nClusters of this machine\n'
			pg_lsclusters 2>&1
		fi
		units 'postgres*'
		newest=$(find /var/log/postgresql -maxdepth 1 -name '*.log' -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d ' ' -f 2-)
		if [ -n "$newest" ]; then
			printf '\nEnd of %s\n' "$newest"
			tail -n 25 -- "$newest" 2>&1
		fi
		printf '\nFile systems of its data\n'
		df -h /var/lib/postgresql /var/log 2>/dev/null
	} | plain
	# That it is down is an answer. That we may not ask is none.
	case $first in
	*'Connection refused'*|*'No such file or directory'*|*'starting up'*|*'shutting down'*|*'recovery mode'*|*'too many clients'*|*'connection slots'*) exit 0 ;;
	esac
	echo "a user that may ask is set by PGHOST, PGUSER and PGPASSFILE in the environment of runbook-worker"
	exit 1
fi
IFS='	' read -r version standby uptime <<EOF
$first
EOF
[ "$standby" = t ] && role=standby || role=primary
IFS='	' read -r used most idle_in active waiting <<EOF
$(query "select count(*), current_setting('max_connections'), count(*) filter (where state like 'idle in transaction%'),
	count(*) filter (where state = 'active'), count(*) filter (where wait_event_type = 'Lock') from pg_stat_activity where backend_type = 'client backend'")
EOF
blocked="select a.pid, a.usename, a.datname, 'waits ' || date_trunc('second', now() - a.state_change), 'for pid ' || array_to_string(pg_blocking_pids(a.pid), ','), $masked
	from pg_stat_activity a where cardinality(pg_blocking_pids(a.pid)) > 0 order by a.state_change"
{
	printf 'PostgreSQL %s on %s, port %s, is a %s, up %s\n' "$version" "$here" "$port" "$role" "$uptime"
	printf 'connections %s of %s: %s active, %s idle in a transaction, %s wait for a lock\n' "$used" "$most" "$active" "$idle_in" "$waiting"
	table 'Connections (database, user, from, state, number)' \
		"select coalesce(datname, '-'), usename, coalesce(host(client_addr), 'local'), coalesce(state, '-'), count(*) from pg_stat_activity
		where backend_type = 'client backend' group by 1, 2, 3, 4 order by 5 desc"
	table 'Oldest transactions (pid, user, database, state, in transaction for, in this state for, query)' \
		"select pid, usename, datname, state, date_trunc('second', now() - xact_start), date_trunc('second', now() - state_change), $masked
		from pg_stat_activity where xact_start is not null and pid <> pg_backend_pid() and backend_type = 'client backend' order by xact_start"
	table 'Who waits for whom' "$blocked"
	table 'Locks (mode, granted, number)' 'select mode, granted, count(*) from pg_locks where pid <> pg_backend_pid() group by 1, 2 order by 3 desc' postgres 8
	table 'Databases (size, cache hit %, rollback %, deadlocks, temporary files, transactions until wraparound is forced)' \
		"select d.datname, pg_size_pretty(pg_database_size(d.oid)), round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1),
		round(100.0 * xact_rollback / nullif(xact_commit + xact_rollback, 0), 1), deadlocks, temp_files,
		current_setting('autovacuum_freeze_max_age')::bigint - age(datfrozenxid)
		from pg_stat_database s join pg_database d on d.oid = s.datid where not datistemplate order by pg_database_size(d.oid) desc"
	if [ "$role" = primary ]; then
		table 'Standbys (name, from, state, sync, behind in bytes, replay lag)' \
			"select application_name, coalesce(host(client_addr), 'local'), state, sync_state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), replay_lag
			from pg_stat_replication"
	else
		table 'Replication (receiver, from, last message, behind)' \
			"select status, sender_host, date_trunc('second', now() - last_msg_receipt_time), (select date_trunc('second', now() - pg_last_xact_replay_timestamp()))
			from pg_stat_wal_receiver"
	fi
	table 'Replication slots (name, kind, active, WAL kept for it)' \
		"select slot_name, slot_type, active, pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, restart_lsn))
		from pg_replication_slots order by active, slot_name"
	table "Tables of $database with most dead rows (dead, live, last vacuum, last analyze)" \
		"select schemaname || '.' || relname, n_dead_tup, n_live_tup, coalesce(to_char(greatest(last_vacuum, last_autovacuum), 'YYYY-MM-DD HH24:MI'), 'never'),
		coalesce(to_char(greatest(last_analyze, last_autoanalyze), 'YYYY-MM-DD HH24:MI'), 'never') from pg_stat_user_tables order by n_dead_tup desc" "$database"
	table "Broken indexes of $database (remains of a CREATE INDEX CONCURRENTLY; drop and make them again)" \
		'select indexrelid::regclass, indrelid::regclass from pg_index where not indisvalid' "$database"
	table 'Vacuum at work' 'select pid, datname, relid, phase, heap_blks_scanned, heap_blks_total from pg_stat_progress_vacuum'
	printf '\nFile systems of its data\n'
	df -h /var/lib/postgresql 2>/dev/null || echo '  not on this host'
} | plain
query "select name, setting, unit, source from pg_settings where source <> 'default' and name !~ '(password|secret|ssl_passphrase|conninfo)' order by name" | plain | keep settings.txt
query "select pid, usename, datname, state, xact_start, state_change, wait_event_type, wait_event, $masked from pg_stat_activity order by xact_start" | plain | keep activity.txt
query 'select schemaname, relname, n_live_tup, n_dead_tup, last_vacuum, last_autovacuum, last_analyze, last_autoanalyze from pg_stat_user_tables order by n_dead_tup desc' "$database" |
	plain | keep tables.txt
exit 0
