#!/bin/bash
# Shows runbookd at work on real parts: installs what is missing from Debian, builds, then starts node_exporter,
# Prometheus, Alertmanager and runbookd in one temporary folder, fills a small file system with logs, and shows the
# alert, the incident, the diagnosis, the repair and the resolution. Stays up until Ctrl-C, then removes all of it.
#
#   contrib/quickstart.sh [--once]      --once: ends after the resolution, with status 0
#
# KEEP=1 keeps the temporary folder; BUILD=DIR builds there in place of ./build. Needs root, for the packages and
# for mounting the small file system. Nothing is installed but Debian packages, no service is started or changed.
set -euo pipefail
export LC_ALL=C.UTF-8

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$top/build}
host=$(uname -n)
once=
work=			# the temporary folder
mounted=
began=0
guard=			# the policy-rc.d that we made
pids=()			# of what we started, in the order to be ended
packages=(
	autoconf automake make gcc libc6-dev pkg-config
	libuv1-dev libmicrohttpd-dev libyajl-dev libpcre2-dev libhiredis-dev libyaml-dev nettle-dev zlib1g-dev
	libzstd-dev libsnappy-dev
	'libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev'
	redis-server prometheus prometheus-alertmanager prometheus-node-exporter curl
)
services=(redis-server prometheus prometheus-alertmanager prometheus-node-exporter)

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' red='' plain=''; fi

say() {		# a step of the story, with the time since the disk was filled
	if [ "$began" = 0 ]; then printf '%s==> %s%s\n' "$bold" "$*" "$plain"; return; fi
	local ms=$((($(date +%s%N) - began) / 1000000))
	printf '\n%s==> +%d.%ds  %s%s\n' "$bold" $((ms / 1000)) $((ms % 1000 / 100)) "$*" "$plain"
}
show() {	# a command that a user would type, and what it prints
	printf '%s$ runbookctl %s%s\n' "$dim" "$*" "$plain"
	ctl "$@"
}
ctl() {
	"$build/runbookctl" --url "http://$address" "$@"
}
die() {
	printf '%squickstart: %s%s\n' "$red" "$*" "$plain" >&2
	local log
	for log in ${work:+"$work"/log/*.log}; do
		[ -s "$log" ] || continue
		printf '\n--- last lines of %s\n' "$log" >&2
		tail -n 15 "$log" >&2
	done
	exit 1
}
wait_for() {	# DEADLINE_SECONDS WHAT COMMAND...: looks until the command succeeds
	local end=$(($(date +%s) + $1)) what=$2 pid
	shift 2
	until "$@" >/dev/null 2>&1; do
		for pid in "${pids[@]}"; do
			[ -d "/proc/$pid" ] || die "one of the programs ended while waiting for: $what"
		done
		[ "$(date +%s)" -lt "$end" ] || die "waited too long for: $what"
		sleep 0.1
	done
}

# ---- packages
have() {	# a package, or one of several: a|b
	local one
	for one in ${1//|/ }; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$one" 2>/dev/null)" = installed ] && return 0
	done
	return 1
}
install_missing() {
	local missing=() new_services=() one
	for one in "${packages[@]}"; do have "$one" || missing+=("${one%%|*}"); done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "quickstart: these packages are missing, and only root can install them:" >&2
		echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get: ${missing[*]}"
	say "installing ${#missing[@]} packages: ${missing[*]}"
	for one in "${services[@]}"; do have "$one" || new_services+=("$one"); done
	# The packages' own services are not wanted: neither now nor at the next boot.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		guard=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >$guard
		chmod 755 $guard
	fi
	local log; log=$(mktemp)
	if ! { apt-get -q -o DPkg::Lock::Timeout=300 update && DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2; rm -f "$log"; die "apt-get could not install them"
	fi
	rm -f "$log"
	remove_guard
	if command -v systemctl >/dev/null && [ ${#new_services[@]} -gt 0 ]; then
		systemctl disable "${new_services[@]}" >/dev/null 2>&1 || true
	fi
}
remove_guard() {
	[ -z "$guard" ] || rm -f "$guard"
	guard=
}

# ---- build
build_all() {
	say "building in $build"
	mkdir -p "$build"
	local log=$build/quickstart.log
	{
		if [ ! -e "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then (cd "$top" && autoreconf -fi); fi
		cd "$build"
		[ -e Makefile ] || "$top/configure"
		make -j"$(nproc)"
	} >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "the build failed; all of its output is in $log"; }
	cd "$top"
}

# ---- the chain
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}
start() {	# NAME COMMAND...: in a session of its own, so that Ctrl-C reaches only us, and we end them in order
	local name=$1
	shift
	setsid "$@" >"$work/log/$name.log" 2>&1 </dev/null &
	pids+=($!)
}
write_files() {
	mkdir -p "$work"/{disk,log,etc/rules,etc/runbooks,state,prometheus,alertmanager}
	install -m 755 "$top"/runbooks/*.sh "$work/etc/runbooks/"
	cat >"$work/etc/runbookd.yml" <<-END
		http: {listen: ["127.0.0.1:0"]}
		state_dir: $work/state
		worker: {user: root}
	END
	# One rule, two steps: look, then repair. Each runs on the host that the alert is about.
	cat >"$work/etc/rules/disk.yml" <<-'END'
		rules:
		  - name: disk-full
		    description: Show what fills the disk, then free its logs.
		    match: 'alertname = "HostOutOfDiskSpace", mountpoint =~ "/.+"'
		    steps:
		      - runbook: disk-usage
		        with: {path: "{{ labels.mountpoint }}"}
		        pool: "host:{{ labels.instance | host }}"
		      - runbook: rotate-logs
		        with: {path: "{{ labels.mountpoint }}", min_size: 1MiB}
		        pool: "host:{{ labels.instance | host }}"
	END
	cat >"$work/prometheus.yml" <<-END
		global: {scrape_interval: 1s, evaluation_interval: 1s}
		rule_files: [$work/alerts.yml]
		alerting:
		  alertmanagers: [{static_configs: [{targets: ["127.0.0.1:$alertmanager"]}]}]
		scrape_configs:
		  - job_name: node
		    static_configs: [{targets: ["127.0.0.1:$exporter"], labels: {instance: "$host:9100"}}]
	END
	cat >"$work/alerts.yml" <<-END
		groups:
		  - name: disk
		    rules:
		      - alert: HostOutOfDiskSpace
		        expr: node_filesystem_avail_bytes{mountpoint="$work/disk"} / node_filesystem_size_bytes{mountpoint="$work/disk"} < 0.1
		        labels: {severity: critical}
		        annotations: {summary: "less than 10% is free on {{ \$labels.mountpoint }}"}
	END
}
# Once runbookd has its address. The files of a program that runs are left as they are: it may be reading them.
write_alertmanager() {
	cat >"$work/alertmanager.yml" <<-END
		route: {receiver: runbookd, group_by: [alertname, instance], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
		receivers:
		  - name: runbookd
		    webhook_configs: [{url: "http://$address/ingest/alertmanager", send_resolved: true}]
	END
}
start_chain() {
	say "starting runbookd, node_exporter, Prometheus and Alertmanager in $work"
	exporter=$(free_port); alertmanager=$(free_port); prometheus=$(free_port)
	write_files
	mount -t tmpfs -o size=64m,mode=755 quickstart "$work/disk" ||
		die "cannot mount a small file system (64 MB tmpfs); a container needs the capability SYS_ADMIN for that"
	mounted=yes
	# rotate-logs works only below the folders that the administrator names.
	ROTATE_LOGS_ROOTS=$work/disk start runbookd "$build/runbookd" -c "$work/etc/runbookd.yml"
	wait_for 20 "runbookd to write its address to $work/state/http.addr" test -s "$work/state/http.addr"
	address=$(head -n 1 "$work/state/http.addr")
	write_alertmanager
	wait_for 20 "runbookd to be ready" curl -fsS "http://$address/-/ready"
	start node_exporter prometheus-node-exporter --web.listen-address="127.0.0.1:$exporter" \
		--collector.disable-defaults --collector.filesystem --collector.filesystem.mount-points-exclude='^/(dev|proc|sys)($|/)'
	start alertmanager prometheus-alertmanager --config.file="$work/alertmanager.yml" --storage.path="$work/alertmanager" \
		--web.listen-address="127.0.0.1:$alertmanager" --cluster.listen-address=
	start prometheus prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
		--web.listen-address="127.0.0.1:$prometheus"
	wait_for 20 "Alertmanager to be ready" curl -fsS "http://127.0.0.1:$alertmanager/-/ready"
	wait_for 20 "Prometheus to be ready" curl -fsS "http://127.0.0.1:$prometheus/-/ready"
	wait_for 20 "Prometheus to see the small file system" sees_disk
}
sees_disk() {
	curl -fsS -G "http://127.0.0.1:$prometheus/api/v1/query" --data-urlencode \
		"query=node_filesystem_size_bytes{mountpoint=\"$work/disk\"}" | grep -q '"__name__":"node_filesystem_size_bytes"'
}

# ---- the story
lines_of_log() {
	yes "2026-01-31T12:00:00Z INFO shop.checkout order accepted request=7f3a status=200 took=12ms" | head -c "$1" || true
}
api() {
	curl -fsS "http://$address/api/v1/$1"
}
alert_fires() {
	curl -fsS "http://127.0.0.1:$prometheus/api/v1/alerts" | grep -q '"state":"firing"'
}
id_of() {	# RUNBOOK: the id of its newest run
	api "runs?limit=20" | tr '{' '\n' | sed -n "s/.*\"id\": *\"\([^\"]*\)\".*\"runbook\": *\"$1\".*/\1/p" | head -n 1
}
run_ended() {	# RUNBOOK
	api "runs/$(id_of "$1")" | grep -qE '"state": *"(succeeded|failed|timed_out|cancelled|lost)"'
}
succeeded() {	# RUNBOOK
	api "runs/$(id_of "$1")" | grep -qE '"state": *"succeeded"' || {
		ctl runs show "$(id_of "$1")" || true
		ctl runs output "$(id_of "$1")" || true
		die "the runbook $1 did not succeed"
	}
}
tell_story() {
	local incident
	mkdir "$work/disk/shop"
	lines_of_log 40M >"$work/disk/shop/checkout.log"
	lines_of_log 3M >"$work/disk/shop/checkout.log.1"
	# A service that has its log open and goes on writing through all that follows.
	# shellcheck disable=SC2016
	start shop sh -c 'while sleep 0.2; do echo "$(date -u +%FT%TZ) INFO shop.checkout still here"; done >>"$1"' shop "$work/disk/shop/checkout.log"
	df -h "$work/disk"
	began=$(date +%s%N)
	lines_of_log 17M >"$work/disk/shop/access.log"
	say "filled the small file system with logs: 10% free is crossed now"
	df -h "$work/disk" | tail -n 1

	wait_for 30 "Prometheus to fire HostOutOfDiskSpace" alert_fires
	say "Prometheus fires HostOutOfDiskSpace; Alertmanager sends it to runbookd"
	wait_for 30 "an incident in runbookd" eval 'api incidents | grep -q "\"id\""'
	say "runbookd has opened an incident"
	show incidents list
	incident=$(api incidents | grep -o '"id": *"[^"]*"' | head -n 1 | cut -d '"' -f 4)

	wait_for 30 "the diagnosis to end" run_ended disk-usage
	succeeded disk-usage
	say "diagnosed by the runbook disk-usage"
	show runs output "$(id_of disk-usage)"

	wait_for 30 "the repair to end" run_ended rotate-logs
	succeeded rotate-logs
	say "repaired by the runbook rotate-logs"
	show runs output "$(id_of rotate-logs)"
	df -h "$work/disk" | tail -n 1

	wait_for 30 "Prometheus to see the space and the incident to be resolved" \
		eval "api incidents/$incident | grep -qE '\"status\": *\"resolved\"'"
	say "Prometheus sees the space, Alertmanager says so: the incident is resolved"
	show incidents show "$incident"
	say "done: alert, incident, diagnosis, repair, resolution"
}
look_around() {
	cat <<-END

		${bold}All of it stays up. To look around, in another terminal:${plain}
		  export RUNBOOKD_URL=http://$address PATH=$build:\$PATH
		  runbookctl incidents list            # and: show, timeline
		  runbookctl runs list                 # and: show, output
		  runbookctl alerts list
		  runbookctl run memory-usage          # a runbook by hand
		  curl -s http://$address/metrics
		Again:  yes | head -c 60M >$work/disk/shop/more.log; runbookctl events list
		Rules   $work/etc/rules/disk.yml       Runbooks  $work/etc/runbooks/
		Logs    $work/log/                     Prometheus http://127.0.0.1:$prometheus/alerts
		Ctrl-C ends and removes everything${KEEP:+ but $work}.
	END
	local pid
	while :; do
		for pid in "${pids[@]}"; do
			[ -d "/proc/$pid" ] || die "one of the programs has ended"
		done
		sleep 1
	done
}
clean_up() {
	local status=$? pid i
	trap '' INT TERM HUP
	remove_guard
	for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do
		for ((i = 0; i < 150; i++)); do [ -d "/proc/$pid" ] || break; sleep 0.1; done
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	if [ -n "$work" ] && [ -n "${KEEP:-}" ]; then
		echo "kept $work${mounted:+; its file system is still mounted: umount $work/disk}"
	elif [ -n "$work" ]; then
		[ -z "$mounted" ] || umount "$work/disk" 2>/dev/null || umount -l "$work/disk" || true
		rm -rf --one-file-system -- "$work"
	fi
	exit "$status"
}

case ${1:-} in
'') ;;
--once) once=yes ;;
-h|--help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
*) echo "quickstart: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac
command -v dpkg-query >/dev/null || { echo "quickstart: this needs Debian 12 or one of its kin: there is no dpkg here" >&2; exit 1; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
install_missing
if [ "$(id -u)" -ne 0 ]; then
	echo "quickstart: no package is missing, but only root can mount the small file system: sudo $0 $*" >&2
	exit 1
fi
build_all
work=$(mktemp -d /tmp/runbookd-quickstart.XXXXXX)
chmod 755 "$work"
start_chain
tell_story
[ -n "$once" ] || look_around
