#!/bin/sh
# ---
# summary: Let Elasticsearch try again to place shards that it gave up on
# kind: remediate
# timeout: 2m
# idempotent: true
# env: [ELASTICSEARCH_URL, ELASTICSEARCH_CURL_CONFIG]
# ---
# POST /_cluster/reroute?retry_failed=true: after five attempts that failed (a full disk, say) the cluster leaves a shard alone, also when
# the reason is gone. This makes it try again; it moves, drops or accepts no data otherwise, and changes nothing where no shard was given up.
# Address and password as in elasticsearch-status.
set -u
export LC_ALL=C

base=${ELASTICSEARCH_URL:-http://localhost:9200}
base=${base%/}
config=${ELASTICSEARCH_CURL_CONFIG:-}
here=$(uname -n)

plain() {
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
ask() {	# the path $1; further options after it
	path=$1; shift
	curl --silent --show-error --fail --globoff --max-time 30 --proto '=http,https' --max-redirs 0 --max-filesize 50000000 \
		${config:+--config "$config"} "$@" -- "$base$path" 2>&1
}
unassigned() {
	ask '/_cat/health?h=unassign'
}

command -v curl >/dev/null 2>&1 || refuse "cannot ask Elasticsearch from $here: curl is missing; install curl"
case $base in http://*@*|https://*@*) refuse 'refusing ELASTICSEARCH_URL: it holds a password; put that into a file, see ELASTICSEARCH_CURL_CONFIG' ;; esac
[ -z "$config" ] || [ -r "$config" ] || refuse "cannot read '$config' (ELASTICSEARCH_CURL_CONFIG): make it a file that user $(id -un), and only he, can read"
answer=$(unassigned); before=$(printf '%s' "$answer" | tr -d ' \n')
case $before in
''|*[!0-9]*) refuse "Elasticsearch at $base, asked from $here, does not answer: $(printf '%s\n' "${answer:-nothing}" | sed 's/^curl: ([0-9]*) //; q')" ;;
0) echo "all shards of the cluster at $base are placed: nothing to try again"; exit 0 ;;
esac
gave_up=$(ask '/_cat/shards?h=index,shard,prirep,unassigned.reason' | grep -c ' ALLOCATION_FAILED')
if [ "${RUNBOOK_DRY_RUN:-0}" = 1 ] || [ "${RUNBOOK_DRY_RUN:-}" = true ]; then
	echo "would let the cluster at $base try again: $before shards are nowhere, $gave_up of them after attempts that failed"
	exit 0
fi
answer=$(ask '/_cluster/reroute?retry_failed=true&metric=none' --request POST) || refuse "the cluster at $base refused it: $(printf '%s' "$answer" | head -n 1)"
# It works on it now; a minute tells whether that helps.
began=$(date +%s)
while after=$(unassigned | tr -d ' \n'); [ "${after:-$before}" != 0 ] && [ $(($(date +%s) - began)) -lt 60 ]; do sleep 5; done
echo "tried again at $base: $before shards were nowhere, $gave_up of them after attempts that failed; now it is ${after:-unknown}"
[ "${after:-$before}" -lt "$before" ] 2>/dev/null && exit 0
echo 'that did not help: elasticsearch-status says why the first of them is nowhere'
exit 1
