#!/bin/sh
# ---
# summary: Restart one container of Docker or Podman and make sure that it stays up
# kind: remediate
# params:
#   container: {type: string, required: true, pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$', summary: "its name or id"}
#   stable: {type: int, default: 10, summary: "seconds that it must stay up before this counts as a success, at most 60"}
# timeout: 3m
# idempotent: false
# user: root
# env: [DOCKER_HOST, CONTAINER_TOOL]
# ---
# Not idempotent: where a worker is lost in the middle, nobody knows whether it was restarted, and a second restart would interrupt
# people again. Restarts only what runs, or what is being restarted all the time: what is stopped or paused somebody may have wanted so, and
# is left alone, as is a container of Kubernetes, which its kubelet looks after. Removes and creates nothing.
set -u
export LC_ALL=C

name=${PARAM_container:-}
stable=${PARAM_stable:-10}
here=$(uname -n)

plain() {	# a log may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
get() {	# one field of the container
	timeout 20 "$tool" inspect --type container --format "{{$1}}" -- "$name" 2>/dev/null
}
tail_of_log() {
	printf '\nLast lines of its log\n'
	timeout 20 "$tool" logs --tail 20 -- "$name" 2>&1 | plain
}

case $name in ''|-*|*[!A-Za-z0-9_.-]*) echo "refusing '$name': that is no container's name" | plain; exit 1 ;; esac
[ "$stable" -ge 1 ] 2>/dev/null && [ "$stable" -le 60 ] || stable=10
case $name in k8s_*) echo "refusing '$name': Kubernetes looks after it; delete its pod, if at all"; exit 1 ;; esac
tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
	for tool in docker podman none; do command -v "$tool" >/dev/null 2>&1 && break; done
fi
case $tool in
docker|podman) ;;
none) echo "cannot restart '$name' on $here: neither docker nor podman is there; install docker.io, or run a worker on the host itself"; exit 1 ;;
*) echo "refusing CONTAINER_TOOL '$tool': use docker or podman" | plain; exit 1 ;;
esac
if ! problem=$(timeout 20 "$tool" version 2>&1 >/dev/null); then
	printf '%s on %s does not answer: %s\n' "$tool" "$here" "$(printf '%s\n' "${problem:-it took over 20 s}" | tail -n 1)" | plain
	exit 1
fi
before=$(get .State.Status)
case $before in
running|restarting) ;;
'') echo "there is no container '$name' on $here; is this the host that the alert is about?"; exit 1 ;;
*) echo "refusing '$name': it is $before, and somebody may have wanted that"; exit 1 ;;
esac
if [ "${RUNBOOK_DRY_RUN:-0}" = 1 ] || [ "${RUNBOOK_DRY_RUN:-}" = true ]; then
	echo "would restart container $name on $here; it is $before"
	exit 0
fi
if ! answer=$(timeout 90 "$tool" restart --time 30 -- "$name" 2>&1); then
	{
		echo "restart of container $name on $here FAILED; it was $before, it is $(get .State.Status)"
		printf '%s\n' "$answer"
	} | plain
	tail_of_log
	exit 1
fi
started=$(get .State.StartedAt)
# Counted in looks, not by a clock of whole seconds, which may end before the first one.
left=$stable
while [ "$left" -gt 0 ]; do
	sleep 1
	left=$((left - 1))
	state=$(get .State.Status); health=$(get 'if .State.Health}}{{.State.Health.Status}}{{end')
	if [ "$state" != running ] || [ "$health" = unhealthy ] || [ "$(get .State.StartedAt)" != "$started" ]; then
		echo "container $name on $here was restarted but did not stay up: it is $state${health:+ ($health)}, exit status $(get .State.ExitCode)"
		tail_of_log
		exit 1
	fi
done
echo "restarted container $name on $here: it was $before; it is $(get .State.Status), stable for ${stable} s"
tail_of_log
exit 0
