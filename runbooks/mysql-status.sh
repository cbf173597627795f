#!/bin/sh
# ---
# summary: A MySQL or MariaDB server (connections, long queries, locks, replication, InnoDB, Galera), or why it does not answer
# kind: diagnose
# timeout: 2m
# idempotent: true
# user: root
# env: [MYSQL_DEFAULTS_FILE]
# ---
# Reads only: SHOW, and information_schema. Over the local socket as root, as Debian sets it up. Where the server wants it otherwise, an
# administrator puts host, user and password into an option file that root can read and names it in MYSQL_DEFAULTS_FILE in the
# environment of runbook-worker. Queries are shown with their texts and numbers taken out. Artifacts: status.txt, variables.txt, innodb.txt.
set -u
export LC_ALL=C

here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a query may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
query() {	# rows of the query $1, columns with tabs between
	timeout 15 "$client" ${MYSQL_DEFAULTS_FILE:+"--defaults-file=$MYSQL_DEFAULTS_FILE"} --batch --skip-column-names --no-auto-rehash --connect-timeout=5 -e "$1" 2>&1
}
values() {	# what a query looks like without its values: texts and numbers may be people's
	sed "s/\\\\['\"]//g; s/'[^']*'/?/g; s/\"[^\"]*\"/?/g; s/['\"].*/?/; s/\([^A-Za-z0-9_]\)[0-9][0-9.]*/\1N/g" | tr -s ' '
}
status() {	# of SHOW GLOBAL STATUS
	printf '%s\n' "$status" | awk -F '\t' -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }'
}
variable() {
	printf '%s\n' "$variables" | awk -F '\t' -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }'
}
finding() {
	printf '  ! %s\n' "$1"
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

for client in mariadb mysql none; do command -v "$client" >/dev/null 2>&1 && break; done
if [ "$client" = none ]; then
	echo "cannot ask MySQL on $here: neither mariadb nor mysql is there; install mariadb-client"
	exit 1
fi
if ! status=$(query 'SHOW GLOBAL STATUS'); then
	{
		printf 'MySQL on %s does not let us in: %s\n' "$here" "$(printf '%s\n' "$status" | head -n 1)"
		printf '\nProcesses\n'
		ps -eo pid,user,etime,rss,comm 2>/dev/null | awk 'NR == 1 || $5 ~ /^(mysqld|mariadbd)/' | head -n 8
		units 'mysql*' 'mariadb*'
		log=$(find /var/log/mysql /var/lib/mysql -maxdepth 1 \( -name 'error.log' -o -name '*.err' \) -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d ' ' -f 2-)
		[ -z "$log" ] || { printf '\nEnd of %s\n' "$log"; tail -n 25 -- "$log" 2>&1; }
		printf '\nFile systems of its data\n'
		df -h /var/lib/mysql /tmp 2>/dev/null
	} | plain
	# That it is down or full is an answer. That we may not ask is none.
	case $status in
	*'ERROR 2002'*|*'ERROR 2003'*|*'ERROR 2013'*|*'ERROR 1040'*|'') exit 0 ;;
	esac
	echo 'a user that may ask is set by an option file, named in MYSQL_DEFAULTS_FILE in the environment of runbook-worker'
	exit 1
fi
variables=$(query 'SHOW GLOBAL VARIABLES')
innodb=$(query 'SHOW ENGINE INNODB STATUS\G')
# MariaDB and MySQL before 8.0.22 know only the second.
replica=$(query 'SHOW REPLICA STATUS\G') || replica=$(query 'SHOW SLAVE STATUS\G') || replica=
replica() {	# a field of it, under either name
	printf '%s\n' "$replica" | sed -n "s/^ *\($1\): *//p" | head -n 1
}
used=$(status Threads_connected); most=$(variable max_connections)
history=$(printf '%s\n' "$innodb" | sed -n 's/^History list length \([0-9]*\).*/\1/p' | head -n 1)
io=$(replica 'Slave_IO_Running\|Replica_IO_Running'); sql=$(replica 'Slave_SQL_Running\|Replica_SQL_Running')
behind=$(replica 'Seconds_Behind_Master\|Seconds_Behind_Source')
findings=$(
	[ "$most" -eq 0 ] || [ $((used * 100 / most)) -lt 80 ] || finding "connections are at $((used * 100 / most))% of max_connections"
	[ "$(status Connection_errors_max_connections)" -eq 0 ] || finding "$(status Connection_errors_max_connections) connections were refused since it started: max_connections was reached"
	[ "${history:-0}" -lt 50000 ] || finding "InnoDB keeps $history old row versions: a transaction is open for long, see below"
	[ "$(status Innodb_log_waits)" -eq 0 ] || finding "writes waited $(status Innodb_log_waits) times for room in the log buffer: innodb_log_buffer_size"
	[ "$(variable innodb_force_recovery)" = 0 ] || finding "innodb_force_recovery is $(variable innodb_force_recovery): meant for rescue, not for work"
	if [ -n "$io$sql" ]; then
		[ "$io" = Yes ] || finding "replication does not read ($io): $(replica Last_IO_Error)"
		[ "$sql" = Yes ] || finding "replication does not apply ($sql): $(replica Last_SQL_Error | values | cut -c 1-200)"
		case $behind in ''|NULL|0|[0-9]|[12][0-9]) ;; *) finding "replication is $behind s behind" ;; esac
	fi
	if [ "$(status wsrep_cluster_size)" != 0 ]; then
		[ "$(status wsrep_ready)" = ON ] || finding "Galera: this node is not ready ($(status wsrep_local_state_comment))"
		[ "$(status wsrep_cluster_status)" = Primary ] || finding "Galera: this node is in no primary component ($(status wsrep_cluster_status))"
	fi
)
{
	printf '%s %s on %s, up %s s\n' "$(case $(variable version) in *MariaDB*) echo MariaDB ;; *) echo MySQL ;; esac)" "$(variable version)" "$here" "$(status Uptime)"
	printf 'connections %s of %s, %s at work; %s queries, %s slow since it started\n' "$used" "$most" "$(status Threads_running)" "$(status Questions)" "$(status Slow_queries)"
	if [ -n "$findings" ]; then printf '%s\n' "$findings"; else echo 'nothing stands out'; fi

	printf '\nConnections (user, from, state, number)\n'
	query "SELECT user, SUBSTRING_INDEX(host, ':', 1), command, COUNT(*) FROM information_schema.processlist GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 12" | sed 's/^/  /; s/	/  /g'
	printf '\nLongest at work (id, user, database, seconds, state, query)\n'
	query "SELECT id, user, IFNULL(db, '-'), time, IFNULL(state, '-'), LEFT(REPLACE(REPLACE(IFNULL(info, '-'), '\n', ' '), '\t', ' '), 400) FROM information_schema.processlist
		WHERE command NOT IN ('Sleep', 'Daemon', 'Binlog Dump') AND id <> CONNECTION_ID() ORDER BY time DESC LIMIT 10" |
		while IFS='	' read -r id user db seconds state text; do
			printf '  %s  %s  %s  %s  %s  %s\n' "$id" "$user" "$db" "$seconds" "$state" "$(printf '%s\n' "$text" | values | cut -c 1-100)"
		done
	printf '\nOldest transactions (id, started, state, rows locked, changed)\n'
	query 'SELECT trx_mysql_thread_id, trx_started, trx_state, trx_rows_locked, trx_rows_modified FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 10' | sed 's/^/  /; s/	/  /g'
	if [ -n "$io$sql" ]; then
		printf '\nReplication: reads %s, applies %s, %s s behind %s\n' "$io" "$sql" "$behind" "$(replica 'Master_Host\|Source_Host')"
	else
		printf '\nReplication: this server follows no other\n'
	fi
	printf 'History list length %s; deadlocks %s; rows waited for %s times\n' "${history:-unknown}" "$(status Innodb_deadlocks)" "$(status Innodb_row_lock_waits)"
	printf 'Open files %s of %s; prepared statements %s of %s\n' "$(status Open_files)" "$(variable open_files_limit)" "$(status Prepared_stmt_count)" "$(variable max_prepared_stmt_count)"
	if [ "$(status wsrep_cluster_size)" != 0 ]; then
		printf 'Galera: %s nodes, %s, %s, receive queue %s, flow control paused %s\n' "$(status wsrep_cluster_size)" "$(status wsrep_cluster_status)" 			"$(status wsrep_local_state_comment)" "$(status wsrep_local_recv_queue)" "$(status wsrep_flow_control_paused)"
	fi
	printf '\nFile systems of its data\n'
	df -h "$(variable datadir)" 2>/dev/null || echo '  not on this host'
} | plain
printf '%s\n' "$status" | plain | keep status.txt
printf '%s\n' "$variables" | grep -viE 'password|secret|passphrase' | plain | keep variables.txt
# Without what shows queries: transactions and the last deadlock.
printf '%s\n' "$innodb" | sed '/^LATEST \(DETECTED DEADLOCK\|FOREIGN KEY ERROR\)/,/^TRANSACTIONS/d; /^LIST OF TRANSACTIONS/,/^FILE I\/O/d' | plain | keep innodb.txt
exit 0
