#!/bin/sh
# ---
# summary: A Kafka cluster (brokers, partitions out of sync or without a leader, one topic, one consumer group's lag)
# kind: diagnose
# params:
#   topic: {type: string, default: "", pattern: '^[A-Za-z0-9._-]{0,249}$', summary: "a topic to show in full"}
#   group: {type: string, default: "", pattern: '^[A-Za-z0-9._:-]{0,255}$', summary: "a consumer group to show in full"}
# timeout: 4m
# idempotent: true
# env: [KAFKA_BOOTSTRAP, KAFKA_COMMAND_CONFIG, KAFKA_HOME, JAVA_HOME]
# ---
# Reads only: describes topics and groups, never reads a message. Asks KAFKA_BOOTSTRAP (HOST:PORT,…) of the environment of runbook-worker,
# localhost:9092 where it is not set: the label instance of these alerts is the exporter's. Uses Kafka's own tools (in PATH, in
# $KAFKA_HOME/bin or /opt/kafka/bin), and without them kcat, which shows brokers and topics but no groups. KAFKA_COMMAND_CONFIG: a
# properties file for Kafka's tools, for a cluster with users or TLS. Artifact: topics.txt.
set -u
export LC_ALL=C

topic=${PARAM_topic:-}
group=${PARAM_group:-}
servers=${KAFKA_BOOTSTRAP:-localhost:9092}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {
	tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
find_tool() {	# of Kafka, under either of its names
	for folder in '' "${KAFKA_HOME:+$KAFKA_HOME/bin/}" /opt/kafka/bin/; do
		for tool in "$folder$1.sh" "$folder$1"; do
			if command -v "$tool" >/dev/null 2>&1; then echo "$tool"; return; fi
		done
	done
}
kafka() {	# a tool of Kafka with its arguments
	timeout 60 "$@" --bootstrap-server "$servers" ${KAFKA_COMMAND_CONFIG:+--command-config "$KAFKA_COMMAND_CONFIG"} 2>&1
}
nobody() {
	printf 'Kafka at %s, asked from %s, does not answer: %s\n' "$servers" "$here" "$(printf '%s\n' "${1:-nothing within 60 s}" | grep . | tail -n 1)" | plain
	if [ -z "${KAFKA_BOOTSTRAP:-}" ]; then
		echo 'say where it is: KAFKA_BOOTSTRAP in the environment of runbook-worker'
		exit 1
	fi
	exit 0
}

case $topic in *[!A-Za-z0-9._-]*|-*) refuse "refusing '$topic': that is no topic's name" ;; esac
case $group in *[!A-Za-z0-9._:-]*|-*) refuse "refusing '$group': that is no group's name" ;; esac
[ -z "${KAFKA_COMMAND_CONFIG:-}" ] || [ -r "$KAFKA_COMMAND_CONFIG" ] ||
	refuse "cannot read '$KAFKA_COMMAND_CONFIG' (KAFKA_COMMAND_CONFIG): make it a file that user $(id -un), and only he, can read"
topics=$(find_tool kafka-topics); groups=$(find_tool kafka-consumer-groups)
kcat=$(command -v kcat || command -v kafkacat)
if [ -z "$topics" ] && [ -z "$kcat" ]; then
	refuse "cannot ask Kafka from $here: kafka-topics.sh and kcat are missing; install kcat, or set KAFKA_HOME to where Kafka's tools are"
fi
[ -n "$topics" ] || [ -z "${KAFKA_COMMAND_CONFIG:-}" ] || echo 'note: kcat does not read KAFKA_COMMAND_CONFIG; it asks without a user'

if [ -n "$topics" ]; then
	all=$(kafka "$topics" --describe) || nobody "$all"
	# Lines "Topic: a Partition: 0 Leader: 1 Replicas: 1,2 Isr: 1" -> topic, partition, leader, replicas, in sync
	partitions=$(printf '%s\n' "$all" | awk '/Partition: / { t = p = l = r = i = ""
		for (f = 1; f < NF; f++) { if ($f == "Topic:") t = $(f + 1); if ($f == "Partition:") p = $(f + 1); if ($f == "Leader:") l = $(f + 1)
			if ($f == "Replicas:") r = $(f + 1); if ($f == "Isr:") i = $(f + 1) }
		print t "\t" p "\t" l "\t" r "\t" i }')
	brokers=
else
	all=$(timeout 30 "$kcat" -b "$servers" -m 10 -L 2>&1) || nobody "$all"
	partitions=$(printf '%s\n' "$all" | awk -F '[ ,]' -v OFS='\t' '/^ *topic "/ { t = $0; sub(/^ *topic "/, "", t); sub(/".*/, "", t) }
		/^ *partition [0-9]/ { line = $0; sub(/^ *partition /, "", line); p = line + 0
			l = line; sub(/.*leader /, "", l); sub(/,.*/, "", l); r = line; sub(/.*replicas: /, "", r); sub(/, isrs.*/, "", r)
			i = line; sub(/.*isrs: /, "", i); sub(/, [^0-9].*/, "", i); print t, p, l, r, i }')
	brokers=$(printf '%s\n' "$all" | sed -n 's/^ *broker \([0-9]* at [^ ]*\)/\1/p')
fi
number=$(printf '%s\n' "$partitions" | cut -f 1 | sort -u | grep -c .)
count=$(printf '%s' "$partitions" | grep -c .)
headless=$(printf '%s\n' "$partitions" | awk -F '\t' 'NF && ($3 == "none" || $3 < 0 || $3 == "")')
behind=$(printf '%s\n' "$partitions" | awk -F '\t' 'NF { r = split($4, a, ","); i = split($5, b, ","); if (i < r) print }')
show() {	# partitions
	head -n 20 | awk -F '\t' 'NF { printf "  %s/%s leader %s, replicas %s, in sync %s\n", $1, $2, $3, $4, $5 }' | grep . || echo '  none'
}
{
	printf 'Kafka at %s, asked from %s: %s topics, %s partitions, %s not in sync everywhere, %s without a leader\n' "$servers" "$here" "$number" "$count" \
		"$(printf '%s' "$behind" | grep -c .)" "$(printf '%s' "$headless" | grep -c .)"
	if [ -n "$brokers" ]; then
		printf '\nBrokers\n'
		printf '%s\n' "$brokers" | sed 's/^/  /'
	else
		printf '\nPartitions led by broker (number, broker)\n'
		printf '%s\n' "$partitions" | cut -f 3 | sort | uniq -c | sort -rn | head -n 20
	fi
	printf '\nWithout a leader (cannot be written or read)\n'
	printf '%s\n' "$headless" | show
	printf '\nNot in sync everywhere\n'
	printf '%s\n' "$behind" | show
	if [ -n "$topic" ]; then
		printf '\nTopic %s\n' "$topic"
		printf '%s\n' "$partitions" | awk -F '\t' -v topic="$topic" '$1 == topic' | show
	fi
	if [ -n "$group" ]; then
		printf '\nConsumer group %s\n' "$group"
		if [ -n "$groups" ]; then
			kafka "$groups" --describe --group "$group" --state | grep . | head -n 6 | sed 's/^/  /'
			printf '  Its partitions (topic, partition, offset, end, lag, consumer)\n'
			kafka "$groups" --describe --group "$group" | awk 'NF >= 6 && $1 != "GROUP" { print $6 "\t  " $2, $3, $4, $5, $6, $7 }' | sort -rn | cut -f 2- | head -n 30
		else
			echo "  not shown: kafka-consumer-groups.sh is missing; kcat cannot show groups"
		fi
	elif [ -n "$groups" ]; then
		printf '\nConsumer groups (name, state)\n'
		kafka "$groups" --list --state | grep . | head -n 30 | sed 's/^/  /'
	fi
} | plain
printf '%s\n' "$all" | plain | keep topics.txt
# The lag of a group was asked for and cannot be told: that is no answer.
if [ -n "$group" ] && [ -z "$groups" ] && [ -z "$topic" ]; then
	echo "the lag of '$group' was not seen: install Kafka's own tools and set KAFKA_HOME"
	exit 1
fi
exit 0
