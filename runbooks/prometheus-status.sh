#!/bin/sh
# ---
# summary: A Prometheus or Alertmanager seen over the network (configuration, rules, targets, storage, notifications)
# kind: diagnose
# params:
#   program: {type: enum, values: [prometheus, alertmanager], default: prometheus}
#   address: {type: string, default: "", pattern: '^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?)?(:[0-9]{1,5})?$', summary: "HOST:PORT, as in the label instance; without one, or where it is this machine's own, see below"}
# timeout: 2m
# idempotent: true
# env: [PROMETHEUS_URL, ALERTMANAGER_URL, PROMETHEUS_CURL_CONFIG]
# ---
# Reads only: its metrics, and (where jq is) its list of targets and rules. PROMETHEUS_URL and ALERTMANAGER_URL in the environment of
# runbook-worker win over the address; they are needed where it listens with TLS, below a path, or not on the host that the alert names.
# Password or token: in a file for curl --config that the user of the runbooks can read, named in PROMETHEUS_CURL_CONFIG; it is sent to those
# two only, never to an address out of an alert. An address like localhost:9090 means the machine that this runs on, and the output says
# which one that is. Artifacts: metrics.txt, targets.txt.
set -u
export LC_ALL=C

program=${PARAM_program:-prometheus}
address=${PARAM_address:-}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a label may hold what moves a terminal's cursor
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
get() {	# the path $1 of it; what went wrong is in $work/error
	curl --silent --show-error --fail --globoff --max-time 15 --proto '=http,https' --max-redirs 0 --max-filesize 100000000 \
		${config:+--config "$config"} -- "$base$1" 2>"$work/error"
}
metric() {	# the sum of the samples of a metric, nothing where it has none
	awk -v name="$1" '{ key = $1; sub(/\{.*/, "", key) } key == name { sum += $NF; found = 1 } END { if (found) printf "%.10g\n", sum }' "$work/metrics"
}
samples() {	# "labels value" of the samples of a metric, the biggest first
	sed -n "s/^$1\({[^}]*}\)\{0,1\} /\1 /p" "$work/metrics" | sort -k 2 -rn
}
above() {	# is the metric $1 there, and more than $2
	value=$(metric "$1")
	[ -n "$value" ] && awk -v v="$value" -v limit="${2:-0}" 'BEGIN { exit !(v > limit) }'
}
finding() {
	printf '  ! %s\n' "$1"
}
ago() {	# a time in seconds -> how long ago
	awk -v t="${1:-0}" -v now="$(date +%s)" 'BEGIN { s = now - t; if (t <= 0) print "never"; else if (s < 7200) printf "%d min ago\n", s / 60; else if (s < 172800) printf "%d h ago\n", s / 3600; else printf "%d days ago\n", s / 86400 }'
}

command -v curl >/dev/null 2>&1 || refuse "cannot ask $program from $here: curl is missing; install curl"
case $address in *[!][A-Za-z0-9_.:-]*|-*) refuse "refusing '$address': that is no address" ;; esac
case $program in
prometheus) base=${PROMETHEUS_URL:-}; port=9090; name=PROMETHEUS_URL ;;
alertmanager) base=${ALERTMANAGER_URL:-}; port=9093; name=ALERTMANAGER_URL ;;
*) refuse "refusing program '$program': use prometheus or alertmanager" ;;
esac
config=
if [ -n "$base" ]; then
	base=${base%/}; config=${PROMETHEUS_CURL_CONFIG:-}
	[ -z "$config" ] || [ -r "$config" ] || refuse "cannot read '$config' (PROMETHEUS_CURL_CONFIG): make it a file that user $(id -un), and only he, can read"
else
	case $address in
	'') base=http://localhost:$port ;;
	\[*\]:*) base=http://$address ;;
	\[*\]) base=http://$address:$port ;;
	*:*) base=http://$address ;;
	*) base=http://$address:$port ;;
	esac
fi
case $base in
*://localhost:*|*://localhost|*://127.*|*'://[::1]'*) where="$base on $here" ;;
*) where=$base ;;
esac
work=$(mktemp -d "${RUNBOOK_ARTIFACTS:-/tmp}/prometheus.XXXXXX") || refuse "cannot work on $here: no room for a temporary file"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM

if ! get /metrics >"$work/metrics"; then
	printf '%s at %s does not answer: %s\n' "$program" "$where" "$(sed 's/^curl: ([0-9]*) //; q' "$work/error")" | plain
	case $(cat "$work/error") in
	*401*|*403*) echo 'it wants a password or token: see PROMETHEUS_CURL_CONFIG in the text of this runbook'; exit 1 ;;
	esac
	ready=$(get /-/healthy | head -c 200)
	[ -z "$ready" ] || printf '/-/healthy says: %s\n' "$ready" | plain
	echo "if that is the wrong place, set $name in the environment of runbook-worker"
	# That it is down is an answer only where an administrator or the alert said where it is.
	[ -n "$address" ] || [ -n "${PROMETHEUS_URL:-}${ALERTMANAGER_URL:-}" ]
	exit
fi
if [ -z "$(samples "${program}_build_info")" ]; then
	printf 'what answers at %s is no %s: it has no metric %s_build_info\n' "$where" "$program" "$program" | plain
	exit 1
fi
version=$(samples "${program}_build_info" | sed -n 's/.*[{,]version="\([^"]*\)".*/\1/p' | head -n 1)
if [ "$program" = prometheus ]; then
	findings=$(
		[ "$(metric prometheus_config_last_reload_successful)" != 0 ] ||
			finding "its configuration was NOT taken at the last reload, the one from $(ago "$(metric prometheus_config_last_reload_success_timestamp_seconds)") is in use: promtool check config"
		[ "$(metric prometheus_notifications_alertmanagers_discovered)" != 0 ] || finding 'it knows no Alertmanager: no alert leaves it'
		above prometheus_notifications_dropped_total && finding "$(metric prometheus_notifications_dropped_total) notifications were dropped since it started"
		above prometheus_notifications_errors_total && finding "$(metric prometheus_notifications_errors_total) notifications failed since it started"
		above prometheus_notifications_queue_length 100 && finding "$(metric prometheus_notifications_queue_length) notifications wait"
		above prometheus_rule_evaluation_failures_total && finding "$(metric prometheus_rule_evaluation_failures_total) evaluations of rules failed since it started"
		above prometheus_rule_group_iterations_missed_total && finding "$(metric prometheus_rule_group_iterations_missed_total) evaluations of groups were missed since it started"
		above prometheus_template_text_expansion_failures_total && finding "$(metric prometheus_template_text_expansion_failures_total) templates failed since it started"
		for what in checkpoint_creations_failed_total checkpoint_deletions_failed_total compactions_failed_total head_truncations_failed_total \
			reloads_failures_total wal_corruptions_total wal_truncations_failed_total wal_writes_failed_total; do
			above prometheus_tsdb_$what && finding "storage: $(metric prometheus_tsdb_$what) ${what%_total} since it started; is its disk full or broken?"
		done
		above prometheus_target_scrapes_sample_out_of_order_total && finding "$(metric prometheus_target_scrapes_sample_out_of_order_total) samples came out of order since it started"
		above prometheus_target_scrapes_sample_duplicate_timestamp_total && finding "$(metric prometheus_target_scrapes_sample_duplicate_timestamp_total) samples had a time that was there since it started"
		above prometheus_target_scrapes_exceeded_sample_limit_total && finding "$(metric prometheus_target_scrapes_exceeded_sample_limit_total) scrapes were over the sample limit since it started"
		above prometheus_target_sync_failed_total && finding "$(metric prometheus_target_sync_failed_total) target groups could not be taken since it started"
		above prometheus_sd_refresh_failures_total && finding "$(metric prometheus_sd_refresh_failures_total) refreshes of service discovery failed since it started"
		above prometheus_remote_storage_samples_failed_total && finding "$(metric prometheus_remote_storage_samples_failed_total) samples could not be written to remote storage since it started"
	)
else
	findings=$(
		[ "$(metric alertmanager_config_last_reload_successful)" != 0 ] ||
			finding "its configuration was NOT taken at the last reload, the one from $(ago "$(metric alertmanager_config_last_reload_success_timestamp_seconds)") is in use: amtool check-config"
		above alertmanager_notifications_failed_total && finding "$(metric alertmanager_notifications_failed_total) notifications failed since it started, see below"
		above alertmanager_alerts_invalid_total && finding "$(metric alertmanager_alerts_invalid_total) alerts were invalid since it started"
		above alertmanager_cluster_failed_peers && finding "$(metric alertmanager_cluster_failed_peers) members of its cluster are away"
		above alertmanager_cluster_messages_queued 1000 && finding "$(metric alertmanager_cluster_messages_queued) messages wait for its cluster"
	)
fi
{
	printf '%s %s at %s, up since %s, uses %s of memory\n' "$program" "${version:-?}" "$where" "$(ago "$(metric process_start_time_seconds)")" \
		"$(numfmt --to=iec "$(printf '%.0f' "$(metric process_resident_memory_bytes)")" 2>/dev/null)"
	if [ -n "$findings" ]; then printf '%s\n' "$findings"; else echo 'nothing stands out'; fi
	if [ "$program" = prometheus ]; then
		printf '\nStorage: %s series, %s chunks in its head\n' "$(metric prometheus_tsdb_head_series)" "$(metric prometheus_tsdb_head_chunks)"
		printf 'Alertmanagers known: %s; notifications waiting: %s\n' "$(metric prometheus_notifications_alertmanagers_discovered)" "$(metric prometheus_notifications_queue_length)"
		printf '\nNotifications that failed since it started (Alertmanager, number)\n'
		samples prometheus_notifications_errors_total | awk '$NF > 0' | head -n 8 | sed 's/^/  /' | grep . || echo '  none'
		printf '\nSlowest groups of rules (seconds, group)\n'
		samples prometheus_rule_group_last_duration_seconds | head -n 8 | sed 's/^{rule_group="\(.*\)"} \(.*\)/  \2  \1/'
		printf '\nGroups of rules that failed since it started (number, group)\n'
		samples prometheus_rule_evaluation_failures_total | awk '$NF > 0' | head -n 8 | sed 's/^{rule_group="\(.*\)"} \(.*\)/  \2  \1/' | grep . || echo '  none'
		printf '\nTargets\n'
		if command -v jq >/dev/null 2>&1; then
			get '/api/v1/targets?state=active' >"$work/targets"
			jq -r '.data.activeTargets[] | [.health, .labels.job, .labels.instance, (.lastScrapeDuration | tostring), .lastError] | @tsv' "$work/targets" 2>/dev/null >"$work/list"
			awk -F '\t' '{ n[$1]++ } END { for (h in n) printf "  %s: %d\n", h, n[h] }' "$work/list"
			printf '\nTargets that are down (job, instance, why)\n'
			awk -F '\t' '$1 == "down" { print "  " $2 "  " $3 "  " $5 }' "$work/list" | head -n 20 | grep . || echo '  none'
			get '/api/v1/rules' | jq -r '.data.groups[] | .name as $g | .rules[] | select(.health == "err") | [$g, .name, .lastError] | @tsv' 2>/dev/null >"$work/rules"
			if [ -s "$work/rules" ]; then
				printf '\nRules that fail (group, rule, why)\n'
				head -n 10 "$work/rules" | cut -c 1-300 | sed 's/^/  /; s/	/  /g'
			fi
			printf '\nMetrics with most series\n'
			get '/api/v1/status/tsdb' | jq -r '.data.seriesCountByMetricName[] | "  \(.value)  \(.name)"' 2>/dev/null | head -n 10
		else
			echo '  not shown: jq is missing; install jq'
		fi
	else
		printf '\nNotifications since it started (integration, number)\n'
		samples alertmanager_notifications_total | awk '$NF > 0' | head -n 12 | sed 's/^/  /'
		printf '\nOf them failed (integration, number)\n'
		samples alertmanager_notifications_failed_total | awk '$NF > 0' | head -n 12 | sed 's/^/  /' | grep . || echo '  none'
		printf '\nAlerts: %s active, %s suppressed; members of its cluster: %s\n' "$(samples alertmanager_alerts | sed -n 's/.*state="active".* //p' | head -n 1)" \
			"$(samples alertmanager_alerts | sed -n 's/.*state="suppressed".* //p' | head -n 1)" "$(metric alertmanager_cluster_members)"
		printf 'Hash of its configuration: %s\n' "$(metric alertmanager_config_hash)"
	fi
} | plain
plain <"$work/metrics" | keep metrics.txt
[ ! -s "$work/list" ] || plain <"$work/list" | keep targets.txt
exit 0
