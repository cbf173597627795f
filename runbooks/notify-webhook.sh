#!/bin/sh
# ---
# summary: Send the incident to a webhook, as JSON or as a chat message
# kind: notify
# params:
#   url: {type: string, default: "", pattern: '^(https?://[A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]{1,2000})?$', summary: "where to; not for addresses that are secret"}
#   url_file: {type: string, default: "", pattern: '^(/[^[:cntrl:]]{1,1000})?$', summary: "a file whose first line is the address; for chat hooks, whose address is a secret"}
#   token_file: {type: string, default: "", pattern: '^(/[^[:cntrl:]]{1,1000})?$', summary: "a file whose first line is sent as a bearer token"}
#   format: {type: enum, values: [json, chat], default: json, summary: "json is all that is known; chat is one text, for Slack, Mattermost, Rocket.Chat and Google Chat"}
#   text: {type: string, default: "", summary: "the chat message; without one it is made from the labels"}
# timeout: 1m
# idempotent: true
# retries: {max: 5, backoff: 15s}
# output_limit: 64KiB
# ---
# What is sent as json is what every runbook gets on its stdin: {"run": …, "event": …, "incident": …, "params": …}.
#
# Idempotent: rather twice than never. Each attempt has the same header Idempotency-Key, the run's id. A receiver that
# cannot be reached, or answers 408, 425, 429 or 5xx, is tried again; any other answer but 2xx is a failure for good.
#
# No secret is in an argument list, in the output or in an artifact: address and token go to curl by a pipe.
# Redirects are not followed. Without curl it is sent by perl, which every Debian has, but then only over http.
set -u
export LC_ALL=C

url=${PARAM_url:-}
token=
here=$(uname -n)

first_line() {	# of the file $1, which holds the $2
	if [ ! -f "$1" ] || [ ! -r "$1" ]; then
		echo "cannot read the $2 from '$1': make it a file that user $(id -un), and only he, can read" >&2
		return 1
	fi
	case $(stat -L -c %A -- "$1") in
	*r??) echo "warning: '$1' can be read by all users; chmod o-r $1" >&2 ;;
	esac
	head -n 1 -- "$1" | tr -d '\r\n'
}
quoted() {	# stdin as the inside of a JSON string
	tr '\001-\010\013-\037\177' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g; s/	/\\t/g' |
		awk 'NR > 1 { printf "%s", "\\n" } { printf "%s", $0 }'
}
message() {
	if [ -n "${PARAM_text:-}" ]; then printf '%s' "$PARAM_text"; return; fi
	printf '%s' "${LABEL_alertname:-An alert}"
	[ -z "${LABEL_instance:-}" ] || printf ' on %s' "$LABEL_instance"
	[ -z "${LABEL_severity:-}" ] || printf ' (%s)' "$LABEL_severity"
	[ -z "${ANNOTATION_summary:-}" ] || printf ': %s' "$ANNOTATION_summary"
	printf '\n%s\n' "rule ${RUNBOOK_RULE:-none}, incident ${RUNBOOK_INCIDENT:-none}: runbookctl incidents show ${RUNBOOK_INCIDENT:-ID}"
}
# Prints the status code of the answer, 000 where there was none; what went wrong goes to stderr. Body: file $1.
send_by_curl() {
	{
		printf 'url = "%s"\n' "$url"
		[ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\n' "$token"
	} | curl --config - --silent --show-error --max-time 25 --proto '=http,https' --output /dev/null \
		--write-out '%{http_code}' --header 'Content-Type: application/json' \
		--header "Idempotency-Key: ${RUNBOOK_RUN:-none}" --header 'Expect:' --user-agent runbookd --data-binary "@$1"
}
send_by_perl() {
	# shellcheck disable=SC2016
	printf '%s\n%s\n' "$url" "$token" | perl -MIO::Socket::INET -e '
		my ($url, $token) = <STDIN>; chomp($url, $token); local $/; open(my $f, "<", $ARGV[0]) or die "body: $!\n"; my $body = <$f>;
		my ($host, $port, $path) = $url =~ m{^http://([^/:?#]+)(?::(\d+))?([^#]*)} or die "this address is not understood\n";
		$path = "/$path" unless $path =~ m{^/}; alarm 25; $SIG{ALRM} = sub { print "000"; die "no answer within 25 s\n" };
		my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port || 80) or do { print "000"; die "cannot connect: $@\n" };
		print $s "POST $path HTTP/1.0\r\nHost: $host\r\nUser-Agent: runbookd\r\nContent-Type: application/json\r\n",
			"Idempotency-Key: $ARGV[1]\r\n", ($token ne "" ? "Authorization: Bearer $token\r\n" : ""),
			"Content-Length: ", length($body), "\r\n\r\n", $body;
		my $answer = <$s>; print $answer =~ m{^HTTP/\d\.\d (\d{3})} ? $1 : "000"' "$1" "${RUNBOOK_RUN:-none}"
}

if [ -n "$url" ] && [ -n "${PARAM_url_file:-}" ]; then
	echo "cannot tell where to send: give url or url_file, not both"; exit 1
fi
[ -z "${PARAM_url_file:-}" ] || url=$(first_line "$PARAM_url_file" address) || exit 1
[ -z "${PARAM_token_file:-}" ] || token=$(first_line "$PARAM_token_file" token) || exit 1
if ! printf '%s' "$url" | grep -qxE 'https?://[][A-Za-z0-9._~:/?#@!$&()*+,;=%-]+'; then
	echo "cannot send: ${PARAM_url_file:+the first line of $PARAM_url_file}${PARAM_url_file:-url} is no http or https address"; exit 1
fi
case $token in *[!A-Za-z0-9._~+/=:-]*) echo "cannot send: the token in $PARAM_token_file holds characters that no token has"; exit 1 ;; esac
# Without path and query, where hooks have their secrets, and without user:password@.
shown=$(printf '%s' "$url" | sed -E 's|^(https?://)([^/?#]*@)?([^/?#]*).*|\1\3/...|')

work=$(mktemp -d "${RUNBOOK_ARTIFACTS:-${TMPDIR:-/tmp}}/notify.XXXXXX") || exit 75
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
if [ "${PARAM_format:-json}" = chat ]; then
	printf '{"text":"%s"}\n' "$(message | quoted)" >"$work/body"
else
	cat >"$work/body"
fi
[ -s "$work/body" ] || echo '{}' >"$work/body"
if [ "${RUNBOOK_DRY_RUN:-0}" = 1 ] || [ "${RUNBOOK_DRY_RUN:-}" = true ]; then
	echo "would send $(wc -c <"$work/body") bytes from $here to $shown"; exit 0
fi
if ! command -v curl >/dev/null 2>&1 && [ "${url%%:*}" = https ]; then
	echo "cannot send to $shown: https needs curl, which is missing on $here; apt-get install curl"; exit 1
fi
if command -v curl >/dev/null 2>&1; then code=$(send_by_curl "$work/body"); else code=$(send_by_perl "$work/body"); fi
case $code in
2??) echo "sent $(wc -c <"$work/body") bytes from $here to $shown: answer $code"; exit 0 ;;
408|425|429|5??) echo "not sent: $shown answered $code; trying again later"; exit 75 ;;
000|'') echo "not sent: no answer from $shown; trying again later"; exit 75 ;;
*) echo "not sent: $shown refused it with $code"; exit 1 ;;
esac
