#!/bin/sh
# ---
# summary: An object of Kubernetes (its state, what it lacks, its pods, events and ends of logs), or the cluster as a whole
# kind: diagnose
# params:
#   kind: {type: enum, values: [cluster, node, pod, deployment, statefulset, daemonset, replicaset, job, cronjob, persistentvolume, persistentvolumeclaim, horizontalpodautoscaler, poddisruptionbudget, resourcequota], default: cluster}
#   name: {type: string, default: "", pattern: '^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$', summary: "of the object"}
#   namespace: {type: string, default: "", pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$', summary: "of the object; without one it is looked for in all"}
#   container: {type: string, default: "", pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$', summary: "of the pod, whose log is shown; without one all of them"}
#   lines: {type: int, default: 30, summary: "lines of each log"}
# timeout: 3m
# idempotent: true
# env: [KUBECONFIG, KUBERNETES_CONTEXT]
# ---
# Reads only (kubectl get, logs, top). Never asks for a secret or a config map, and never shows the environment or the command of a
# container; logs are shown as they are. KUBECONFIG in the environment of runbook-worker names a file that the user of the runbooks can
# read; give it an account that may only look (the cluster role "view", and nodes and persistent volumes for those alerts). In a pod with
# a service account none is needed. Artifacts: objects.txt, events.txt, log.txt.
set -u
export LC_ALL=C

kind=${PARAM_kind:-cluster}
name=${PARAM_name:-}
namespace=${PARAM_namespace:-}
container=${PARAM_container:-}
lines=${PARAM_lines:-30}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a log may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}
kube() {
	timeout 30 kubectl ${KUBERNETES_CONTEXT:+--context "$KUBERNETES_CONTEXT"} --request-timeout=15s "$@"
}
show() {	# a heading, then the first 25 lines of what kubectl says; or why it says nothing
	printf '\n%s\n' "$1"; shift
	kube "$@" 2>&1 | head -n 25 | sed 's/^/  /' | grep . || echo '  none'
}
conditions='{range .status.conditions[*]}  {.type}={.status}  {.reason}  {.message}{"\n"}{end}'
pod_states='{range .status.initContainerStatuses[*]}  init {.name}: ready {.ready}, restarts {.restartCount}, waits for: {.state.waiting.reason} {.state.waiting.message}; ended: {.state.terminated.reason} {.state.terminated.exitCode}; before that: {.lastState.terminated.reason} {.lastState.terminated.exitCode} {.lastState.terminated.finishedAt}{"\n"}{end}{range .status.containerStatuses[*]}  {.name}: ready {.ready}, restarts {.restartCount}, waits for: {.state.waiting.reason} {.state.waiting.message}; ended: {.state.terminated.reason} {.state.terminated.exitCode}; before that: {.lastState.terminated.reason} {.lastState.terminated.exitCode} {.lastState.terminated.finishedAt}{"\n"}{end}'
limits='{range .spec.containers[*]}  {.name}: image {.image}; asks for cpu {.resources.requests.cpu}, memory {.resources.requests.memory}; limits cpu {.resources.limits.cpu}, memory {.resources.limits.memory}{"\n"}{end}'

command -v kubectl >/dev/null 2>&1 || refuse "cannot ask Kubernetes from $here: kubectl is missing; install kubectl (Debian: kubernetes-client)"
case $kind in
cluster|node|pod|deployment|statefulset|daemonset|replicaset|job|cronjob|persistentvolume|persistentvolumeclaim|horizontalpodautoscaler|poddisruptionbudget|resourcequota) ;;
*) refuse "refusing kind '$kind'" ;;
esac
case $name in -*|*[!a-z0-9.-]*) refuse "refusing '$name': that is no object's name" ;; esac
case $namespace$container in -*|*[!a-z0-9-]*) refuse "refusing '$namespace' '$container': those are no names" ;; esac
[ "$kind" = cluster ] || [ -n "$name" ] || refuse "refusing: the name of the $kind is missing"
if ! [ "$lines" -ge 1 ] 2>/dev/null || [ "$lines" -gt 1000 ]; then lines=30; fi
if ! version=$(kube version -o json 2>&1) || [ "${version#*serverVersion}" = "$version" ]; then
	{
		printf 'Kubernetes, asked from %s, does not answer: %s\n' "$here" "$(printf '%s\n' "$version" | grep -v '^[{} "]' | grep . | tail -n 1)"
		printf 'kubectl uses %s\n' "${KUBECONFIG:-the service account of its pod, or its default file}"
	} | plain
	echo 'if it should be another cluster or user, set KUBECONFIG in the environment of runbook-worker to a file that the user of the runbooks can read'
	exit 1
fi
server=$(printf '%s\n' "$version" | sed -n '/serverVersion/,$s/.*"gitVersion": *"\([^"]*\)".*/\1/p' | head -n 1)

# Where the alert does not say the namespace: the first one that has such an object.
of=
case $kind in
cluster|node|persistentvolume) ;;
*)
	if [ -z "$namespace" ]; then
		found=$(kube get "$kind" --all-namespaces --field-selector "metadata.name=$name" -o 'jsonpath={range .items[*]}{.metadata.namespace}{"\n"}{end}' 2>/dev/null)
		namespace=$(printf '%s\n' "$found" | head -n 1)
		[ -n "$namespace" ] || refuse "there is no $kind '$name' in any namespace of this cluster ($server), or it may not be seen; is this the cluster that the alert is about?"
		[ "$(printf '%s\n' "$found" | grep -c .)" -eq 1 ] || echo "note: several namespaces have a $kind '$name'; this is $namespace"
	fi
	of="--namespace=$namespace" ;;
esac
get() {	# a field of the object
	kube get "$kind" "$name" ${of:+"$of"} -o "jsonpath=$1" 2>/dev/null
}
tidy() {	# fields that are not set are "-"
	sed 's/  *\([,;]\)/ -\1/g; s/: *$/: -/; s/ \(cpu\|memory\|storage\) *$/ \1 -/'
}
if [ "$kind" != cluster ] && ! problem=$(kube get "$kind" "$name" ${of:+"$of"} -o name 2>&1); then
	refuse "cannot see the $kind '$name'${namespace:+ in $namespace} (Kubernetes $server): $(printf '%s\n' "$problem" | tail -n 1)"
fi
events() {	# of the object
	printf '\nEvents\n'
	kube get events "${of:---all-namespaces}" --field-selector "involvedObject.name=$name" --sort-by=.lastTimestamp \
		-o 'custom-columns=LAST:.lastTimestamp,TIMES:.count,TYPE:.type,REASON:.reason,MESSAGE:.message' 2>&1 | tail -n 20 | cut -c 1-300 | sed 's/^/  /' | grep . || echo '  none'
}
pods_of() {	# those that its selector selects
	# shellcheck disable=SC2016
	selector=$(kube get "$kind" "$name" ${of:+"$of"} -o 'go-template={{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}' 2>/dev/null)
	selector=${selector%,}
	[ -n "$selector" ] || { printf '\nPods\n  not shown: it selects them by an expression\n'; return; }
	show 'Its pods' get pods ${of:+"$of"} --selector "$selector" -o wide
	# The end of one that is not well says why.
	sick=$(kube get pods ${of:+"$of"} --selector "$selector" -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{range .status.containerStatuses[*]}{.ready}{" "}{end}{"\n"}{end}' 2>/dev/null |
		grep -vE '^[^ ]+( true)+ *$' | head -n 1 | cut -d ' ' -f 1)
	[ -n "$sick" ] || return
	printf '\nThe first that is not ready: %s\n' "$sick"
	kube get pod "$sick" ${of:+"$of"} -o "jsonpath=$pod_states" 2>&1 | tidy
	logs "$sick"
}
logs() {	# ends of the logs of pod $1, of the run before first: that is the one that failed
	for run in previous current; do
		[ "$run" = previous ] && before=--previous || before=
		text=$(kube logs "$1" ${of:+"$of"} ${container:+--container "$container"} ${before:+"$before"} --tail "$lines" --all-containers="$([ -z "$container" ] && echo true || echo false)" --prefix 2>/dev/null)
		[ -z "$text" ] || printf '\nEnd of its log (%s run)\n%s\n' "$run" "$text"
	done
}
{
	case $kind in
	cluster)
		if nodes=$(kube get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' 2>&1); then
			printf 'Kubernetes %s, asked from %s: %s nodes, %s of them not ready\n' "$server" "$here" "$(printf '%s\n' "$nodes" | grep -c .)" \
				"$(printf '%s\n' "$nodes" | grep . | grep -vc ' True$')"
		else
			printf 'Kubernetes %s, asked from %s: its nodes may not be seen\n' "$server" "$here"
		fi
		show 'Nodes' get nodes -o wide
		printf '\nWhat the API server says of itself\n'
		kube get --raw '/readyz?verbose' 2>&1 | grep -v '^\[+\]' | tail -n 20 | sed 's/^/  /'
		show 'Pods that are not well' get pods --all-namespaces --field-selector 'status.phase!=Running,status.phase!=Succeeded'
		show 'Pods of the control plane' get pods --namespace kube-system
		show 'API services that are not there' get apiservices -o 'jsonpath={range .items[?(@.status.conditions[0].status!="True")]}{.metadata.name} {.status.conditions[0].message}{"\n"}{end}'
		show 'Certificates that wait for approval' get certificatesigningrequests ;;
	node)
		printf 'node %s (Kubernetes %s)\n' "$name" "$server"
		show 'The node' get node "$name" -o wide
		printf '\nIts conditions\n'; get "$conditions"
		printf '\nTaints\n'; get '{range .spec.taints[*]}  {.key}={.value}:{.effect}{"\n"}{end}' | grep . || echo '  none'
		printf '\nCan hold: %s\n' "$(get 'cpu {.status.allocatable.cpu}, memory {.status.allocatable.memory}, pods {.status.allocatable.pods}, storage {.status.allocatable.ephemeral-storage}' | tidy)"
		show 'Its use now' top node "$name"
		pods=$(kube get pods --all-namespaces --field-selector "spec.nodeName=$name" 2>&1)
		printf '\nIts pods: %s; those that are not well\n' "$(printf '%s\n' "$pods" | tail -n +2 | grep -c .)"
		printf '%s\n' "$pods" | awk 'NR == 1 || ($4 != "Running" && $4 != "Completed")' | head -n 20 | sed 's/^/  /'
		events ;;
	pod)
		printf 'pod %s/%s is %s %s(Kubernetes %s)\n' "$namespace" "$name" "$(get '{.status.phase}')" "$(get '{.status.reason}{" "}' | sed 's/^ $//')" "$server"
		show 'The pod' get pod "$name" ${of:+"$of"} -o wide
		printf '\nIts containers\n'; get "$pod_states" | tidy; get "$limits" | tidy
		printf '\nIts conditions\n'; get "$conditions"
		printf 'it belongs to %s\n' "$(get '{range .metadata.ownerReferences[*]}{.kind} {.name} {end}')"
		show 'Its use now' top pod "$name" ${of:+"$of"} --containers
		events
		logs "$name" ;;
	deployment|statefulset|daemonset|replicaset)
		printf '%s %s/%s (Kubernetes %s): %s\n' "$kind" "$namespace" "$name" "$server" \
			"$(get 'wants {.spec.replicas}{.status.desiredNumberScheduled}, ready {.status.readyReplicas}{.status.numberReady}, available {.status.availableReplicas}{.status.numberAvailable}, updated {.status.updatedReplicas}{.status.updatedNumberScheduled}; generation {.metadata.generation}, seen {.status.observedGeneration}' | tidy)"
		show 'It' get "$kind" "$name" ${of:+"$of"}
		printf '\nIts conditions\n'; get "$conditions" | grep . || echo '  none'
		pods_of
		events ;;
	job)
		printf 'job %s/%s (Kubernetes %s): %s\n' "$namespace" "$name" "$server" "$(get 'active {.status.active}, succeeded {.status.succeeded}, failed {.status.failed}, of {.spec.completions}; tries at most {.spec.backoffLimit} times' | tidy)"
		printf '\nIts conditions\n'; get "$conditions" | grep . || echo '  none'
		pods_of
		events ;;
	cronjob)
		printf 'cronjob %s/%s (Kubernetes %s): %s\n' "$namespace" "$name" "$server" "$(get 'at {.spec.schedule}, suspended {.spec.suspend}, last {.status.lastScheduleTime}, last success {.status.lastSuccessfulTime}' | tidy)"
		show 'Its jobs' get jobs ${of:+"$of"} --sort-by=.metadata.creationTimestamp
		events ;;
	*)
		printf '%s %s%s (Kubernetes %s) %s\n' "$kind" "${namespace:+$namespace/}" "$name" "$server" "$(get '{.status.phase}')"
		show 'It' get "$kind" "$name" ${of:+"$of"} -o wide
		printf '\nIts conditions\n'; get "$conditions" | grep . || echo '  none'
		case $kind in
		persistentvolumeclaim) printf '\nAsks for %s of class %s; volume %s has %s\n' "$(get '{.spec.resources.requests.storage}')" "$(get '{.spec.storageClassName}')" \
			"$(get '{.spec.volumeName}')" "$(get '{.status.capacity.storage}')"
			show 'Storage classes' get storageclasses ;;
		persistentvolume) printf '\nOf claim %s, class %s; %s\n' "$(get '{.spec.claimRef.namespace}/{.spec.claimRef.name}')" "$(get '{.spec.storageClassName}')" "$(get '{.status.reason} {.status.message}')" ;;
		horizontalpodautoscaler) printf '\nOf %s; now %s\n' "$(get '{.spec.scaleTargetRef.kind} {.spec.scaleTargetRef.name}')" "$(get '{.status.currentReplicas}, wants {.status.desiredReplicas}, from {.spec.minReplicas} to {.spec.maxReplicas}')" ;;
		resourcequota) printf '\nLimits %s\nUsed   %s\n' "$(get '{.status.hard}')" "$(get '{.status.used}')" ;;
		esac
		events ;;
	esac
} | plain
kube get events "${of:---all-namespaces}" --sort-by=.lastTimestamp 2>/dev/null | tail -n 500 | plain | keep events.txt
[ -z "$of" ] || kube get pods,replicasets,deployments,statefulsets,daemonsets,jobs ${of:+"$of"} -o wide 2>/dev/null | plain | keep objects.txt
[ "$kind" != pod ] || kube logs "$name" ${of:+"$of"} --all-containers --prefix --tail 2000 2>/dev/null | plain | keep log.txt
exit 0
