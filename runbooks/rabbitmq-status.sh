#!/bin/sh
# ---
# summary: A RabbitMQ node and its cluster (alarms, partitions, queues, connections), or why it does not answer
# kind: diagnose
# params:
#   queue: {type: string, default: "", pattern: '^[^[:cntrl:]]{0,255}$', summary: "a queue to show in full"}
#   vhost: {type: string, default: "/", pattern: '^[^[:cntrl:]]{1,255}$', summary: "the virtual host of that queue"}
# timeout: 4m
# idempotent: true
# user: root
# env: [RABBITMQ_NODENAME]
# ---
# Reads only, with rabbitmqctl and rabbitmq-diagnostics, which need the cookie of the node: so it runs on a host of the cluster, as root.
# Never shows a message. Artifacts: queues.txt, status.txt.
set -u
export LC_ALL=C.UTF-8

queue=${PARAM_queue:-}
vhost=${PARAM_vhost:-/}
here=$(uname -n)
escape=$(printf '\033')

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a queue's name may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
ask() {	# without the colours that it prints also where there is no terminal
	answer=$(timeout 30 "$@" --quiet --timeout 25 2>&1)
	code=$?
	printf '%s\n' "$answer" | sed "s/$escape\[[0-9;]*m//g"
	return $code
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

if ! command -v rabbitmqctl >/dev/null 2>&1 || ! command -v rabbitmq-diagnostics >/dev/null 2>&1; then
	echo "cannot ask RabbitMQ on $here: rabbitmqctl is missing; it comes with rabbitmq-server, so run a worker on a node of the cluster"
	exit 1
fi
# The node may run while RabbitMQ in it does not, or not yet.
if ! ping=$(ask rabbitmq-diagnostics ping) || ! ping=$(ask rabbitmq-diagnostics check_running); then
	{
		printf 'RabbitMQ on %s does not answer: %s\n' "$here" "$(printf '%s\n' "${ping:-nothing within 30 s}" | grep -v '^Error:$' | grep . | head -n 1)"
		printf '\nWhat it says\n%s\n' "$ping" | head -n 30
		printf '\nProcesses\n'
		ps -eo pid,user,etime,rss,comm 2>/dev/null | awk 'NR == 1 || $5 ~ /^(beam|epmd)/' | head -n 8
		units 'rabbitmq*'
		log=$(find /var/log/rabbitmq -maxdepth 1 -name '*.log' -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d ' ' -f 2-)
		[ -z "$log" ] || { printf '\nEnd of %s\n' "$log"; tail -n 25 -- "$log" 2>&1; }
		printf '\nFile systems of its data\n'
		df -h /var/lib/rabbitmq 2>/dev/null
	} | plain
	case $ping in
	*'cookie'*'does not match'*|*'Authentication failed'*|*'Permission denied'*|*'Only root'*)
		echo 'it may run all the same: the cookie in /var/lib/rabbitmq/.erlang.cookie has to be the one of the node, and readable here'
		exit 1 ;;
	esac
	exit 0
fi
status=$(ask rabbitmq-diagnostics status)
cluster=$(ask rabbitmq-diagnostics cluster_status)
alarms=$(ask rabbitmq-diagnostics alarms)
queues=$(ask rabbitmqctl list_queues --no-table-headers --all-vhosts name vhost messages_ready messages_unacknowledged consumers memory state 2>/dev/null)
case $queues in *--all-vhosts*|'') queues=$(ask rabbitmqctl list_vhosts --no-table-headers name | while IFS= read -r name; do
		ask rabbitmqctl list_queues --no-table-headers -p "$name" name messages_ready messages_unacknowledged consumers memory state |
			awk -F '\t' -v OFS='\t' -v vhost="$name" 'NF >= 6 { print $1, vhost, $2, $3, $4, $5, $6 }'
	done) ;;
esac
number=$(printf '%s' "$queues" | grep -c .)
ready=$(printf '%s\n' "$queues" | awk -F '\t' '{ n += $3 } END { printf "%.0f", n }')
unacked=$(printf '%s\n' "$queues" | awk -F '\t' '{ n += $4 } END { printf "%.0f", n }')
alone=$(printf '%s\n' "$queues" | awk -F '\t' '$3 > 0 && $5 == 0' | sort -t '	' -k 3 -rn)
show_queues() {	# name, virtual host, ready, unacknowledged, consumers, state
	awk -F '\t' 'NF >= 7 { printf "  %s  %s  %s  %s  %s  %s\n", $1, $2, $3, $4, $5, $7 }'
}
section() {	# a part of what rabbitmq-diagnostics printed: from its heading to the next blank line but one
	printf '%s\n' "$2" | awk -v head="$1" '$0 == head { on = 1; print; next } on && /^[A-Z][A-Za-z ]*$/ { exit } on && NF && !/: 0\.0 gb/ { print "  " $0 }'
}
{
	printf 'RabbitMQ on %s answers: %s queues, %s messages ready, %s unacknowledged\n' "$here" "$number" "$ready" "$unacked"
	case $alarms in
	*'no alarms'*|'') printf 'no alarm is in effect\n' ;;
	*) printf '%s\n' "$alarms" | grep . | head -n 8 | sed 's/^/  ! /' ;;
	esac
	case $cluster in
	*'Network Partitions'*'(none)'*) ;;
	*'Network Partitions'*) printf '  ! the cluster is PARTITIONED, see below\n' ;;
	esac
	[ -z "$alone" ] || printf '  ! %s queues hold messages and have no consumer\n' "$(printf '%s\n' "$alone" | grep -c .)"
	if [ -n "$queue" ]; then
		printf '\nQueue %s of %s (ready, unacknowledged, consumers, state)\n' "$queue" "$vhost"
		printf '%s\n' "$queues" | queue=$queue vhost=$vhost awk -F '\t' '$1 == ENVIRON["queue"] && $2 == ENVIRON["vhost"] {
			found = 1; printf "  %s  %s  %s  %s\n", $3, $4, $5, $7 } END { if (!found) print "  there is no such queue" }'
		printf 'Who consumes it (connection, tag, prefetch)\n'
		ask rabbitmqctl list_consumers --no-table-headers -p "$vhost" queue_name channel_pid consumer_tag prefetch_count |
			queue=$queue awk -F '\t' '$1 == ENVIRON["queue"] { found = 1; printf "  %s  %s  %s\n", $2, $3, $4 } END { if (!found) print "  nobody" }' | head -n 20
	fi
	printf '\nFullest queues (name, virtual host, ready, unacknowledged, consumers, state)\n'
	printf '%s\n' "$queues" | sort -t '	' -k 3 -rn | head -n 12 | show_queues
	if [ -n "$alone" ]; then
		printf '\nWith messages and without a consumer\n'
		printf '%s\n' "$alone" | head -n 12 | show_queues
	fi
	printf '\n'
	for heading in 'Running Nodes' 'Network Partitions' Versions Maintenance\ status; do section "$heading" "$cluster"; done
	printf '\n'
	for heading in Memory 'File Descriptors' 'Free Disk Space' Totals; do section "$heading" "$status"; done
	printf '\nConnections by user and state (number)\n'
	ask rabbitmqctl list_connections --no-table-headers user state | grep . | sort | uniq -c | sort -rn | head -n 10
} | plain
printf '%s\n' "$queues" | plain | keep queues.txt
printf '%s\n\n%s\n' "$status" "$cluster" | plain | keep status.txt
exit 0
