#!/bin/sh
# ---
# summary: An Elasticsearch or OpenSearch cluster (health, nodes, disks, shards that are nowhere and why, tasks, rejections)
# kind: diagnose
# timeout: 2m
# idempotent: true
# env: [ELASTICSEARCH_URL, ELASTICSEARCH_CURL_CONFIG]
# ---
# Reads only, with GET requests (the reason of an unassigned shard included); never a document. Asks ELASTICSEARCH_URL of the environment of
# runbook-worker, http://localhost:9200 where it is not set: the label instance of these alerts is the exporter's. User and password:
# in a file for curl --config that the user of the runbooks can read, named in ELASTICSEARCH_CURL_CONFIG. Artifacts: shards.txt, nodes.txt.
set -u
export LC_ALL=C

base=${ELASTICSEARCH_URL:-http://localhost:9200}
base=${base%/}
config=${ELASTICSEARCH_CURL_CONFIG:-}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# an index' name may hold what moves a terminal's cursor
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
get() {
	curl --silent --show-error --fail --globoff --max-time 20 --proto '=http,https' --max-redirs 0 --max-filesize 50000000 \
		${config:+--config "$config"} -- "$base$1" 2>"$work/error"
}
table() {	# a heading, then the first $3 lines of what the path $2 answers; says where it could not
	printf '\n%s\n' "$1"
	if get "$2" >"$work/answer"; then
		head -n "$3" "$work/answer" | grep . | sed 's/^/  /' || echo '  none'
	else
		printf '  not shown: %s\n' "$(sed 's/^curl: ([0-9]*) //; q' "$work/error")"
	fi
}
finding() {
	printf '  ! %s\n' "$1"
}

command -v curl >/dev/null 2>&1 || refuse "cannot ask Elasticsearch from $here: curl is missing; install curl"
case $base in http://*@*|https://*@*) refuse 'refusing ELASTICSEARCH_URL: it holds a password; put that into a file, see ELASTICSEARCH_CURL_CONFIG' ;; esac
[ -z "$config" ] || [ -r "$config" ] || refuse "cannot read '$config' (ELASTICSEARCH_CURL_CONFIG): make it a file that user $(id -un), and only he, can read"
work=$(mktemp -d "${RUNBOOK_ARTIFACTS:-/tmp}/elasticsearch.XXXXXX") || refuse "cannot work on $here: no room for a temporary file"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM

columns='cluster,status,node.total,node.data,shards,pri,relo,init,unassign,pending_tasks,max_task_wait_time,active_shards_percent'
if ! health=$(get "/_cat/health?h=$columns"); then
	printf 'Elasticsearch at %s, asked from %s, does not answer: %s\n' "$base" "$here" "$(sed 's/^curl: ([0-9]*) //; q' "$work/error")" | plain
	case $(cat "$work/error") in
	*401*|*403*) echo 'it wants a user: see ELASTICSEARCH_CURL_CONFIG in the text of this runbook'; exit 1 ;;
	*503*) echo 'it is there but has no master, or is starting: look at its log on its nodes'; exit 0 ;;
	esac
	if [ -z "${ELASTICSEARCH_URL:-}" ]; then
		echo 'say where it is: ELASTICSEARCH_URL in the environment of runbook-worker'
		exit 1
	fi
	exit 0
fi
read -r cluster status nodes data shards _ relocating initializing unassigned pending _ percent <<EOF
$health
EOF
get '/_cat/allocation?h=node,disk.percent,disk.avail,disk.total,shards' >"$work/allocation"
get '/_cat/nodes?h=name,node.role,master,heap.percent,ram.percent,cpu,load_1m,uptime' >"$work/nodes"
get '/_cat/thread_pool?h=node_name,name,active,queue,rejected&s=rejected:desc' >"$work/pools"
findings=$(
	[ "$status" = green ] || finding "its health is $status: $unassigned shards are nowhere, see below"
	[ "${relocating:-0}" = 0 ] || finding "$relocating shards move to another node"
	[ "${initializing:-0}" = 0 ] || finding "$initializing shards are being built"
	[ "${pending:-0}" = 0 ] || finding "$pending tasks wait for the master"
	awk '$2 ~ /^[0-9]+$/ && $2 >= 85 { printf "  ! the disk of %s is %d%% full: from 85%% on it gets no new shards, from 95%% on its indices cannot be written\n", $1, $2 }' "$work/allocation"
	awk '$4 >= 85 { printf "  ! the heap of %s is %d%% full\n", $1, $4 }' "$work/nodes"
	awk '$5 > 0 { n += $5 } END { if (n) printf "  ! %d requests were rejected since its nodes started, see below\n", n }' "$work/pools"
)
{
	printf 'Elasticsearch cluster %s at %s is %s: %s nodes (%s with data), %s shards, %s of them active\n' "$cluster" "$base" "$status" "$nodes" "$data" "$shards" "$percent"
	if [ -n "$findings" ]; then printf '%s\n' "$findings"; else echo 'nothing stands out'; fi
	printf '\nNodes (name, roles, master, heap %%, memory %%, CPU %%, load, up)\n'
	head -n 30 "$work/nodes" | sed 's/^/  /'
	printf '\nDisks (node, full %%, free, size, shards)\n'
	head -n 30 "$work/allocation" | sed 's/^/  /'
	get '/_cat/shards?h=index,shard,prirep,state,node,unassigned.reason&s=state' >"$work/shards"
	grep -vE ' STARTED( |$)' "$work/shards" >"$work/astray"
	printf '\nShards that do not serve (index, number, primary or replica, state, node, why)\n'
	head -n 20 "$work/astray" | sed 's/^/  /' | grep . || echo '  none'
	if [ "${unassigned:-0}" != 0 ]; then
		printf '\nWhy the first of them is nowhere\n'
		get '/_cluster/allocation/explain?filter_path=index,shard,primary,current_state,unassigned_info.reason,unassigned_info.details,can_allocate,allocate_explanation,node_allocation_decisions.node_name,node_allocation_decisions.deciders.explanation&pretty' |
			grep -v '^ *[][{}],*$' | cut -c 1-400 | head -n 40
	fi
	table 'Indices that are not green (health, index, primaries, replicas, documents, size)' '/_cat/indices?health=red&h=health,index,pri,rep,docs.count,store.size' 12
	get '/_cat/indices?health=yellow&h=health,index,pri,rep,docs.count,store.size' | head -n 12 | sed 's/^/  /'
	table 'Tasks that wait for the master (in queue for, priority, what)' '/_cat/pending_tasks?h=timeInQueue,priority,source' 12
	printf '\nThread pools that rejected (node, pool, active, queue, rejected)\n'
	awk '$5 > 0 || $4 > 0' "$work/pools" | head -n 12 | sed 's/^/  /' | grep . || echo '  none'
	table 'Recoveries at work (index, number, stage, from, to, bytes %)' '/_cat/recovery?active_only=true&h=index,shard,stage,source_node,target_node,bytes_percent' 12
} | plain
plain <"$work/shards" | keep shards.txt
plain <"$work/nodes" | keep nodes.txt
exit 0
