#!/bin/bash
# Tests everything, from a clean checkout on Debian 12, and ends with one line: N passed, N failed.
#
#   contrib/test.sh            installs what is missing (as root; else it says what is), then
#                              1. clang, -Werror, ASan and UBSan: units, fuzzers' corpus, structure, integration
#                              2. make distcheck: the tarball builds with gcc, -Werror, and passes the same by itself
#   contrib/test.sh clang|distcheck|gcc...   only these; gcc: as 2, but of the checkout
#
# Builds happen in a temporary folder, which goes; the logs of what failed are printed.
set -uo pipefail

BUILD="autoconf automake make pkg-config gcc libc6-dev xz-utils libuv1-dev libmicrohttpd-dev libyajl-dev
	libpcre2-dev libhiredis-dev libyaml-dev nettle-dev libgnutls28-dev zlib1g-dev libzstd-dev libsnappy-dev libcurl4-openssl-dev"
TEST="git clang libclang-rt-14-dev libcmocka-dev python3 python3-pytest python3-pytest-xdist redis-server redis-tools
	prometheus prometheus-alertmanager prometheus-node-exporter procps iproute2
	curl openssl ca-certificates wrk jq nginx postgresql mariadb-server-core mariadb-client-core
	rsyslog rsyslog-gnutls rsyslog-elasticsearch systemd-journal-remote libivykis0 libnet1 libwrap0 libjson-c5 libpcre3 libglib2.0-0"
# Of packages of which only one may be installed, these are only unpacked; the tests look for them there.
BESIDE="syslog-ng-core syslog-ng-mod-http"
beside=/usr/local/lib/runbookd-tests/syslog-ng

top=$(cd "$(dirname "$0")/.." && pwd)
passed=0 failed=0
jobs=$(nproc)

missing_packages() {
	local p
	for p in $BUILD $TEST; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

has_beside() {
	[ -x $beside/usr/sbin/syslog-ng ] && [ -e $beside/usr/lib/syslog-ng/3.38/libhttp.so ]
}

# After the packages' lists were read: whole, or not at all.
unpack_beside() {
	local p
	has_beside && return
	echo "== unpacking $BESIDE"
	mkdir -p "$work/beside/root" $beside && cd "$work/beside" || return 1
	# shellcheck disable=SC2086
	apt-get -qq -o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 download $BESIDE || return 1
	for p in *.deb; do
		dpkg-deb -x "$p" root || return 1
	done
	rm -rf $beside && mv root $beside
}

# Nothing that is installed here may start as a service of the machine.
forbid_services() {
	[ -e /usr/sbin/policy-rc.d ] && return
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

allow_services() {
	[ "$(trap -p EXIT)" ] && rm -f /usr/sbin/policy-rc.d
	trap - EXIT
}

# Another apt may be at work: its locks are waited for, that of the lists by trying again.
apt_install() {
	local try
	export DEBIAN_FRONTEND=noninteractive
	for try in 1 2 3 4 5 6 7 8 9 10; do
		apt-get -qq -o DPkg::Lock::Timeout=300 update && break
		[ "$try" = 10 ] && return 1
		sleep 5
	done
	apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 --no-install-recommends install "$@" >"$work/apt.log" 2>&1 ||
		{ tail -30 "$work/apt.log"; return 1; }
}

install_missing() {
	local missing
	missing=$(missing_packages | tr '\n' ' ')
	[ -z "$missing" ] && has_beside && return
	if [ "$(id -u)" != 0 ]; then
		[ -z "$missing" ] || echo "missing packages; as root: apt-get install --no-install-recommends $missing" >&2
		has_beside || echo "missing in $beside: $BESIDE, unpacked; as root: contrib/test.sh" >&2
		exit 2
	fi
	echo "== installing $missing"
	forbid_services
	# shellcheck disable=SC2086
	apt_install $missing || exit 2
	allow_services
	(unpack_beside) || exit 2
}

# Adds up what a log says: automake's summary (a program of tests counts as one) and pytest's closing lines.
# A test that was skipped did not pass.
sum_of() {
	awk -v want="$1" '
		/^# (PASS|SKIP|XFAIL|FAIL|XPASS|ERROR):/ { if ((want == "good") == ($2 == "PASS:")) n += $3 }
		/ in [0-9.]+s/ {
			for (i = 2; i <= NF; i++)
				if ($i ~ /^(passed|failed|errors?|skipped|xfailed|xpassed),?$/ && (want == "good") == ($i ~ /^passed/))
					n += $(i - 1)
		}
		END { print n + 0 }' "$2"
}

# One part of the whole: its name, then functions that each may fail. A part that fails for another reason than a
# test is one failure more.
part() {
	local name=$1 begin=$SECONDS before=$failed log=$work/$1.log
	echo "== $name"
	mkdir -p "$work/$name"
	(cd "$work/$name" && "part_$name") >"$log" 2>&1
	local status=$?
	passed=$((passed + $(sum_of good "$log")))
	failed=$((failed + $(sum_of bad "$log")))
	grep -E '^(# (TOTAL|PASS|FAIL|ERROR):|[^ ].* in [0-9.]+s)' "$log"
	if [ $status -ne 0 ]; then
		[ "$failed" = "$before" ] && failed=$((failed + 1))
		tail -n 300 "$log"
		find "$work/$name" -name '*.trs' -exec grep -lE '^:global-test-result: (FAIL|ERROR)' {} + 2>/dev/null |
			sed 's/\.trs$/.log/' | xargs -r tail -n 60
	fi
	echo "== $name: $((SECONDS - begin)) s, status $status"
	rm -rf "${work:?}/$name"
}

part_gcc() {
	"$top/configure" --enable-werror CC=gcc CFLAGS='-O2 -g' && make -j"$jobs" && make -k -j"$jobs" check
}

part_clang() {
	"$top/configure" --enable-werror --enable-sanitizers CC=clang CFLAGS='-O1 -g' && make -j"$jobs" && make -k -j"$jobs" check
}

part_distcheck() {
	"$top/configure" CC=gcc && make -j"$jobs" distcheck DISTCHECK_CONFIGURE_FLAGS="--enable-werror CC=gcc CFLAGS='-O2 -g'" &&
		tarball_is_whole
}

# What is under version control is in the tarball, but for what only a checkout needs.
tarball_is_whole() {
	local missing
	[ -e "$top/.git" ] || return 0
	missing=$(comm -23 <(git -c safe.directory='*' -C "$top" ls-files | grep -vE '(^|/)\.(gitignore|keep)$' | LC_ALL=C sort) \
		<(tar -tf runbookd-*.tar.xz | sed 's|^[^/]*/||' | LC_ALL=C sort)) || return 1
	[ -z "$missing" ] || { echo "error: not in the tarball, see EXTRA_DIST:"; echo "$missing"; return 1; }
}

work=$(mktemp -d /tmp/runbookd-test.XXXXXX)
chmod 755 "$work"	# some tests drop root and start the programs as somebody else
install_missing
cd "$top" || exit 2
[ -x configure ] && [ configure -nt configure.ac ] || autoreconf -fi >"$work/autoreconf.log" 2>&1 ||
	{ cat "$work/autoreconf.log"; exit 2; }
[ $# -gt 0 ] || set -- clang distcheck
for name in "$@"; do
	part "$name"
done
rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
