#!/bin/sh
# ---
# summary: An nginx server (its configuration, processes, what it answers with, end of its error log)
# kind: diagnose
# params:
#   logs: {type: string, default: /var/log/nginx, pattern: '^/[^[:cntrl:]]{0,1000}$', summary: "the folder of its logs"}
#   tail: {type: int, default: 20000, summary: "lines of the newest access log to count, at most 200000"}
# timeout: 2m
# idempotent: true
# user: root
# env: [NGINX_STATUS_URL]
# ---
# Reads only: `nginx -t` checks the configuration and changes nothing that runs. Counts the access log where it has the format "combined"
# (which nginx writes unless told otherwise); paths are shown without what follows the question mark. NGINX_STATUS_URL in the environment
# of runbook-worker: where stub_status answers. Artifacts: errors.txt, configuration-check.txt.
set -u
export LC_ALL=C

logs=${PARAM_logs:-/var/log/nginx}
tail=${PARAM_tail:-20000}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a request may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
newest() {	# the log of this kind that was written last
	find "$logs" -maxdepth 1 -type f -name "$1" -size +0 -printf '%T@\t%p\n' 2>/dev/null | sort -rn | head -n 1 | cut -f 2-
}

if ! [ "$tail" -ge 1 ] 2>/dev/null || [ "$tail" -gt 200000 ]; then tail=20000; fi
processes=$(ps -eo pid,user,etime,rss,comm 2>/dev/null | awk 'NR == 1 || $5 == "nginx"')
running=$(printf '%s\n' "$processes" | grep -c 'nginx$')
access=$(newest '*access*.log'); errors=$(newest '*error*.log')
program=$(command -v nginx)
if [ -z "$program" ] && [ "$running" -eq 0 ] && [ -z "$access$errors" ]; then
	echo "cannot look at nginx on $here: no program nginx, no process of it and no logs in $logs; is this the host that the alert is about?" | plain
	exit 1
fi
check=$([ -z "$program" ] || timeout 20 nginx -t 2>&1)
case $check in *'test is successful'*) good=yes ;; *) good= ;; esac

# Lines of "combined": address - user [time] "request" status bytes "referrer" "agent". Prints what: key.
parsed=$([ -z "$access" ] || tail -n "$tail" -- "$access" 2>/dev/null | awk -F '"' '
	NF >= 3 { split($3, s, " "); if (s[1] !~ /^[1-5][0-9][0-9]$/) { other++; next }
		split($1, a, " "); split($2, r, " "); path = r[2]; sub(/\?.*/, "", path)
		n++; class[substr(s[1], 1, 1)]++; code[s[1]]++
		if (s[1] >= 400) { bad[s[1] "\t" substr(r[1], 1, 10) " " substr(path, 1, 100)]++; from[substr(s[1], 1, 1) "xx\t" a[1]]++ } }
	NF < 3 { other++ }
	END { printf "total\t%d\nother\t%d\n", n, other
		for (c in class) printf "class\t%d\t%sxx\n", class[c], c
		for (c in code) printf "code\t%d\t%s\n", code[c], c
		for (b in bad) printf "bad\t%d\t%s\n", bad[b], b
		for (f in from) printf "from\t%d\t%s\n", from[f], f }')
part() {	# the biggest $2 of what is called $1
	printf '%s\n' "$parsed" | sed -n "s/^$1	//p" | sort -rn | head -n "$2" | sed 's/^/  /; s/	/  /g'
}
total=$(printf '%s\n' "$parsed" | sed -n 's/^total	//p'); other=$(printf '%s\n' "$parsed" | sed -n 's/^other	//p')
share() {
	printf '%s\n' "$parsed" | awk -F '\t' -v total="${total:-0}" -v class="$1" '$1 == "class" && $3 == class { n = $2 } END { printf "%.1f%%", (total > 0 ? n * 100 / total : 0) }'
}
{
	printf 'nginx on %s: %s processes; configuration %s\n' "$here" "$running" \
		"$(if [ -z "$program" ]; then echo 'not checked: no program nginx here'; elif [ -n "$good" ]; then echo good; else echo 'BAD, see below'; fi)"
	[ "$running" -gt 0 ] || printf '  ! it does not run\n'
	if [ "${total:-0}" -gt 0 ]; then
		printf 'of the last %s requests %s were 4xx and %s were 5xx (%s)\n' "$total" "$(share 4xx)" "$(share 5xx)" "$access"
	elif [ -n "$access" ]; then
		printf 'requests are not counted: %s is not in the format "combined"\n' "$access"
	else
		printf 'requests are not counted: no access log in %s\n' "$logs"
	fi
	[ "${total:-0}" -eq 0 ] || [ "${other:-0}" -eq 0 ] || printf '%s lines of it are in another format and not counted\n' "$other"
	[ -n "$good" ] || [ -z "$check" ] || printf '\nWhat nginx -t says\n%s\n' "$check"
	printf '\nProcesses\n%s\n' "$processes" | head -n 12
	if command -v ss >/dev/null 2>&1; then
		printf '\nListening (waiting, queue, address)\n'
		ss -Hltnp 2>/dev/null | awk '/"nginx"/ { print "  " $2, $3, $4 }' | head -n 20
	fi
	if [ -n "${NGINX_STATUS_URL:-}" ]; then
		printf '\nWhat stub_status says\n'
		if command -v curl >/dev/null 2>&1; then
			curl -sS -m 5 --proto '=http,https' -- "$NGINX_STATUS_URL" 2>&1 | head -n 6 | sed 's/^/  /'
		else
			echo '  not asked: curl is missing; install curl'
		fi
	fi
	if [ "${total:-0}" -gt 0 ]; then
		printf '\nAnswers (number, status)\n'; part code 12
		printf '\nRequests that failed most (number, status, request)\n'; part bad 15
		printf '\nWhose requests fail (number, status, address)\n'; part from 8
	fi
	if [ -n "$errors" ]; then
		printf '\nIts errors of late by kind (number, kind), in %s\n' "$errors"
		tail -n 5000 -- "$errors" 2>/dev/null | sed -n 's/^[0-9/]* [0-9:]* \[\([a-z]*\)\] [^ ]* \(\*[0-9]* \)\{0,1\}/\1: /p' |
			sed 's/, client: .*//; s/"[^"]*"/"…"/g; s/[0-9][0-9.:]*/N/g' | cut -c 1-160 | sort | uniq -c | sort -rn | head -n 8
		printf '\nEnd of it\n'
		tail -n 15 -- "$errors" 2>/dev/null | sed 's/?[^" ]*//g; s/, referrer: .*//'
	else
		printf '\nNo error log in %s, or it is empty\n' "$logs"
	fi
} | plain
[ -z "$errors" ] || tail -n 2000 -- "$errors" | sed 's/?[^" ]*//g; s/, referrer: .*//' | plain | keep errors.txt
printf '%s\n' "$check" | plain | keep configuration-check.txt
exit 0
