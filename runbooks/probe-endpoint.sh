#!/bin/sh
# ---
# summary: Reach an address from here (name, connection, TLS certificate, HTTP answer) and say at which step it fails
# kind: diagnose
# params:
#   target: {type: string, required: true, pattern: '^(https?://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?)(:[0-9]{1,5})?(/[A-Za-z0-9._~:/@!$&()*+,;=%-]{0,1000})?$', summary: "http://… or https://…, HOST:PORT, or a HOST"}
# timeout: 2m
# idempotent: true
# ---
# Sends one or two GET requests without a body and follows no redirect; shows status, times and a few headers of the answer, never its
# body and never a cookie. Of a HOST:PORT it also tries whether HTTP is spoken there. That it cannot be reached is an answer, and so
# exit status 0; it fails where curl is missing, because then nothing was tried. Artifact: certificate.txt.
set -u
export LC_ALL=C

target=${PARAM_target:-}
here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a header may hold what moves a terminal's cursor
	tr -d '\r' | tr '\001-\010\013-\037\177' '?'
}
refuse() {
	printf '%s\n' "$1" | plain
	exit 1
}

command -v curl >/dev/null 2>&1 || refuse "cannot reach out from $here: curl is missing; install curl"
case $target in ''|-*|*[!][A-Za-z0-9._~:/@!\$\&\(\)*+,\;=%-]*) refuse "refusing '$target': that is no address" ;; esac
scheme=; rest=$target
case $target in
http://*) scheme=http; rest=${target#http://} ;;
https://*) scheme=https; rest=${target#https://} ;;
*://*) refuse "refusing '$target': use http or https" ;;
esac
place=${rest%%/*}; path=/
case $rest in */*) path=/${rest#*/} ;; esac
case $place in *@*) refuse 'refusing an address that holds a user name or password' ;; esac
case $place in
\[*\]:*) host=${place%]:*}; host=${host#[}; port=${place##*:} ;;
\[*\]) host=${place#[}; host=${host%]}; port= ;;
*:*) host=${place%%:*}; port=${place##*:} ;;
*) host=$place; port= ;;
esac
case $port in *[!0-9]*) refuse "refusing '$target': its port is no number" ;; esac
case $scheme in http) port=${port:-80} ;; https) port=${port:-443} ;; esac
case $host in *:*) bracketed="[$host]" ;; *) bracketed=$host ;; esac

# curl's own words on what went wrong are taken from it, without its number.
request() {	# of the URL $1, further options after it; prints "code|name|connect|tls|first byte|all|address|verify|redirect"
	to=$1; shift
	curl --silent --show-error --globoff --max-time 15 --connect-timeout 6 --proto '=http,https' --max-redirs 0 --noproxy '*' \
		--max-filesize 100000000 --output /dev/null --dump-header "$work/head" --user-agent runbookd \
		--write-out '%{http_code}|%{time_namelookup}|%{time_connect}|%{time_appconnect}|%{time_starttransfer}|%{time_total}|%{remote_ip}|%{ssl_verify_result}|%{redirect_url}' \
		"$@" -- "$to" 2>"$work/error"
}
why() {
	sed 's/^curl: ([0-9]*) //; q' "$work/error"
}
describe() {	# what request printed for the URL $1, on stdin
	IFS='|' read -r code name connect tls first all remote _ redirect
	printf '  %s: %s from %s\n' "$1" "$([ "$code" = 000 ] && echo 'no answer' || echo "status $code")" "${remote:-nowhere}"
	printf '  name %s s, connected %s s, TLS %s s, first byte %s s, all %s s\n' "$name" "$connect" "$tls" "$first" "$all"
	[ -z "$redirect" ] || printf '  it leads on to %s\n' "${redirect%%\?*}"
	[ ! -s "$work/error" ] || printf '  %s\n' "$(why)"
	grep -iE '^(date|server|content-type|location|retry-after|via|x-cache|age|www-authenticate):' "$work/head" 2>/dev/null | sed 's/?.*//; s/^/  < /' | cut -c 1-200
}

work=$(mktemp -d "${RUNBOOK_ARTIFACTS:-/tmp}/probe.XXXXXX") || refuse "cannot work on $here: no room for a temporary file"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM

addresses=$(timeout 10 getent ahosts "$host" 2>/dev/null | awk '{ print $1 }' | sort -u)
result=; verdict=; url=; connected=
if [ -z "$addresses" ]; then
	verdict="its name '$host' is not known here"
elif [ -z "$port" ]; then
	verdict="its name is known; without a port nothing else was tried"
elif [ -n "$scheme" ]; then
	url=$scheme://$bracketed:$port$path
	result=$(request "$url")
else
	# Most of what is scraped speaks HTTP. Where it does not, that it connects is what counts.
	case $port in 443|8443|9443|6443) scheme=https ;; *) scheme=http ;; esac
	url=$scheme://$bracketed:$port$path
	result=$(request "$url")
	guessed=yes
fi
if [ -n "$result" ]; then
	code=${result%%|*}
	connected=$(printf '%s' "$result" | cut -d '|' -f 7)	# whom it reached: the times are nothing where the certificate is refused
	case $code in
	000)
		if [ -z "$connected" ]; then verdict="no connection: $(why)"
		elif [ -n "${guessed:-}" ]; then verdict="it takes connections at port $port, but does not speak $scheme there: $(why)"
		else verdict="it connects, but: $(why)"; fi ;;
	2??|3??) verdict="it answers with status $code in $(printf '%s' "$result" | cut -d '|' -f 6) s" ;;
	*) verdict="it answers with an error, status $code" ;;
	esac
fi
{
	printf '%s seen from %s: %s\n' "$target" "$here" "$verdict"
	printf '\nAddresses of %s\n' "$host"
	printf '%s\n' "${addresses:-none}" | sed 's/^/  /' | head -n 10
	if [ -z "$addresses" ]; then
		printf '  asked is: %s\n' "$(awk '$1 == "nameserver" { printf "%s ", $2 }' /etc/resolv.conf 2>/dev/null)"
	fi
	if [ -n "$result" ]; then
		printf '\nHTTP\n'
		printf '%s\n' "$result" | describe "$url"
		# A certificate that does not pass hides what stands behind it.
		if [ "$scheme" = https ] && [ "$code" = 000 ] && [ -n "$connected" ]; then
			printf '\nThe same without checking the certificate\n'
			request "$url" --insecure | describe "$url"
		fi
	fi
	if [ -n "$addresses" ] && [ -z "$connected" ]; then
		printf '\nPing\n'
		if command -v ping >/dev/null 2>&1; then
			timeout 12 ping -n -c 3 -W 2 -- "$host" 2>&1 | tail -n 3 | sed 's/^/  /'
		else
			echo '  not tried: ping is missing; install iputils-ping'
		fi
	fi
	if [ "$scheme" = https ] && [ -n "$addresses" ] && [ -n "$connected" ]; then
		printf '\nCertificate\n'
		if command -v openssl >/dev/null 2>&1; then
			case $host in *:*|*[!0-9.]*) name=$host ;; *) name= ;; esac
			timeout 15 openssl s_client -connect "$bracketed:$port" ${name:+-servername "$name"} </dev/null 2>/dev/null >"$work/tls"
			if openssl x509 -noout -subject -issuer -dates -ext subjectAltName <"$work/tls" >"$work/certificate" 2>/dev/null; then
				sed 's/^/  /' "$work/certificate"
				end=$(sed -n 's/^notAfter=//p' "$work/certificate")
				end=$(date -u -d "$end" +%s 2>/dev/null) && printf '  it ends in %s days\n' "$(((end - $(date +%s)) / 86400))"
			else
				echo '  none was shown'
			fi
			sed -n 's/^ *Verif.* return code: \(.*\)/  \1/p' "$work/tls" | head -n 1
		else
			echo '  not looked at: openssl is missing; install openssl'
		fi
	fi
} | plain
[ ! -s "$work/certificate" ] || plain <"$work/certificate" | keep certificate.txt
exit 0
