#!/bin/sh
# ---
# summary: One container of Docker or Podman (state, why it ended, health, limits, end of its log), or all of them
# kind: diagnose
# params:
#   container: {type: string, default: "", pattern: '^([A-Za-z0-9][A-Za-z0-9_.-]{0,127})?$', summary: "its name or id; without one all are listed"}
#   lines: {type: int, default: 40, summary: "lines of its log to print"}
# timeout: 2m
# idempotent: true
# user: root
# env: [DOCKER_HOST, CONTAINER_TOOL]
# ---
# Reads only. Uses docker, or podman where there is no docker; CONTAINER_TOOL in the environment of runbook-worker chooses. Never shows
# a container's environment or command line, which may hold passwords; its log is shown as it is. Artifacts: log.txt, containers.txt.
set -u
export LC_ALL=C

name=${PARAM_container:-}
lines=${PARAM_lines:-40}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a log may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
ask() {
	timeout 20 "$tool" "$@" 2>/dev/null
}
get() {	# one field of the container; empty where this tool does not know it
	ask inspect --type container --format "{{$1}}" -- "$name"
}

case $name in -*|*[!A-Za-z0-9_.-]*) echo "refusing '$name': that is no container's name" | plain; exit 1 ;; esac
[ "$lines" -ge 1 ] 2>/dev/null && [ "$lines" -le 2000 ] || lines=40
tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
	for tool in docker podman none; do command -v "$tool" >/dev/null 2>&1 && break; done
fi
case $tool in
docker|podman) ;;
none) echo "cannot look at containers on $here: neither docker nor podman is there; install docker.io, or run a worker on the host itself"; exit 1 ;;
*) echo "refusing CONTAINER_TOOL '$tool': use docker or podman" | plain; exit 1 ;;
esac
if ! problem=$(timeout 20 "$tool" version 2>&1 >/dev/null); then
	printf '%s on %s does not answer: %s\n' "$tool" "$here" "$(printf '%s\n' "${problem:-it took over 20 s}" | tail -n 1)" | plain
	exit 1
fi

list() {
	ask ps --all --no-trunc --format '{{.Names}}\t{{.Image}}\t{{.Status}}' | sort
}
usage() {
	ask stats --no-stream --format '{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.PIDs}}' "$@"
}
if [ -z "$name" ]; then
	all=$(list)
	{
		printf '%s containers on %s, %s of them up\n' "$(printf '%s' "$all" | grep -c .)" "$here" "$(printf '%s\n' "$all" | grep -c '	Up ')"
		printf '%s\n' "$all" | grep -E '\(unhealthy\)|Restarting|Dead|OOM' | sed 's/^/  ! /'
		printf '\nName, image, state\n%s\n' "$all" | head -n 60
		printf '\nName, CPU, memory, processes\n'
		usage | sort -t '	' -k 2 -rn | head -n 30
		printf '\nDisk space\n'
		ask system df
	} | plain
	printf '%s\n' "$all" | plain | keep containers.txt
	exit 0
fi

state=$(get .State.Status)
if [ -z "$state" ]; then
	{
		printf "there is no container '%s' on %s; is this the host that the alert is about?\n" "$name" "$here"
		printf '\nThere are\n'
		list | head -n 40
	} | plain
	exit 1
fi
health=$(get 'if .State.Health}}{{.State.Health.Status}}{{end')
memory=$(get .HostConfig.Memory)
{
	printf 'container %s on %s is %s%s; started %s\n' "$name" "$here" "$state" "${health:+ ($health)}" "$(get .State.StartedAt)"
	case $state in
	exited|dead|stopped|restarting) printf 'it ended %s with exit status %s\n' "$(get .State.FinishedAt)" "$(get .State.ExitCode)" ;;
	esac
	[ "$(get .State.OOMKilled)" != true ] || printf 'the kernel killed it, because it reached its limit of memory\n'
	error=$(get .State.Error)
	[ -z "$error" ] || printf 'what %s says: %s\n' "$tool" "$error"
	printf 'restarted %s times; restart policy: %s\n' "$(get .RestartCount)" "$(get .HostConfig.RestartPolicy.Name)"
	printf 'image %s\n' "$(get .Config.Image)"
	case $memory in
	''|*[!0-9]*) ;;
	0) printf 'no limit of memory\n' ;;
	*) printf 'limit of memory %s\n' "$(numfmt --to=iec "$memory")" ;;
	esac
	cpus=$(get .HostConfig.NanoCpus)
	case $cpus in ''|*[!0-9]*|0) ;; *) awk -v n="$cpus" 'BEGIN { printf "limit of CPUs %.2f\n", n / 1e9 }' ;; esac
	if [ "$state" = running ]; then
		printf '\nName, CPU, memory, processes\n'
		usage -- "$name"
		printf '\nIts processes\n'
		# Names only: a command line may hold a password. Where ps is not there, podman cannot say them.
		ask top "$name" -o pid,user,pcpu,pmem,etime,comm 2>/dev/null | head -n 15 || true
	fi
	if [ -n "$health" ]; then
		printf '\nLast health checks\n'
		get 'range .State.Health.Log}}{{.Start}} exit {{.ExitCode}}: {{.Output}}
{{end' | cut -c 1-300 | tail -n 12
	fi
	printf '\nVolumes (kind, from, to)\n'
	get 'range .Mounts}}{{.Type}} {{.Source}} -> {{.Destination}}
{{end' | grep . || echo none
	printf '\nLast %s lines of its log\n' "$lines"
	timeout 20 "$tool" logs --timestamps --tail "$lines" -- "$name" 2>&1
} | plain
timeout 30 "$tool" logs --timestamps --tail 2000 -- "$name" 2>&1 | keep log.txt
list | plain | keep containers.txt
exit 0
