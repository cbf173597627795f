/* conf_table.c: every key of runbookd.yml, once.
 *
 * The parser, the defaults, --dump-config, the manual page and the warnings about restarts are
 * loops over this table: what is not in it does not exist, and what is in it is in all of them.
 * Defaults are written as in the file and go through the parser, so they obey the bounds.
 *
 * Order: as in the manual. The keys of one section stand together.
 */
#include "conf/conf_table.h"

#include "conf/conf.h"

#define AT(field) offsetof(struct conf, field)
#define KIB (INT64_C(1) << 10)
#define GIB (INT64_C(1) << 30)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const char *const fsyncs[] = {
	[CONF_FSYNC_ALWAYS] = "always", [CONF_FSYNC_EVERYSEC] = "everysec", NULL};
static const char *const formats[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL};
static const char *const levels[] = {
	[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error", NULL};

const struct conf_key conf_keys[] = {
	{"http.listen", CONF_LIST, AT(http.listen), "[\"127.0.0.1:9911\"]", 1, 16,
		conf_check_listen, NULL, true,
		"Addresses that the bridge listens on: address:port, [IPv6 address]:port or "
		"unix:/path. Port 0 picks a free one; the chosen addresses are in http.addr in "
		"state_dir. Without tokens only loopback addresses and unix sockets are taken, for "
		"nobody is asked who he is."},
	{"http.body_limit", CONF_SIZE, AT(http.body_limit), "64MiB", KIB, 4 * GIB, NULL, NULL,
		false,
		"Largest body of a request, after decompression; a larger one is answered 413."},
	{"http.connection_limit", CONF_INT, AT(http.connection_limit), "10000", 1, 1000000, NULL,
		NULL, true,
		"Connections that may be open at once on each address that it listens on; a further "
		"one is closed."},
	{"http.connections_per_address", CONF_INT, AT(http.connections_per_address), "2000", 1,
		1000000, NULL, NULL, true,
		"Connections that one address may have open at once, on each address that the bridge "
		"listens on; a further one is closed. Those over unix sockets do not count, nor those "
		"of http.trusted_proxies."},
	{"http.connections_kept", CONF_INT, AT(http.connections_kept), "2000", 1, 1000000, NULL,
		NULL, false,
		"Connections, on all addresses together, that may rest after a request or be in the "
		"middle of sending one; past it, the oldest of those of which there are more is closed. Each takes "
		"up to 24 KiB; those that have sent nothing yet do not count, and take 5."},
	{"http.request_timeout", CONF_DURATION, AT(http.request_timeout_ms), "15s", 100, HOUR, NULL,
		NULL, true,
		"How long a connection may be silent within a request."},
	{"http.tls", CONF_TLS, AT(http.tls), "none", 0, 0, NULL, NULL, false,
		"The PEM files of the certificate (with those that signed it behind it) and its key: all "
		"TCP addresses then speak TLS 1.2 and 1.3, unix sockets stay plain. client_ca: those who "
		"sign certificates of clients, which are then asked for one. A reload reads the files "
		"again; connections go on. To turn it on or off needs a restart."},
	{"http.trusted_proxies", CONF_LIST, AT(http.trusted_proxies), "[]", 0, CONF_RANGES_MAX,
		conf_check_proxy, NULL, false,
		"Addresses of proxies in front, as 10.0.0.7 or 10.0.0.0/8, or unix for those who "
		"connect over a unix socket. What such a one says of whom it speaks for "
		"(X-Forwarded-For, Forwarded) is believed: the last address that is no trusted proxy "
		"is the client's. Its connections do not count for http.connections_per_address. "
		"From others these headers mean nothing but that the request is not this machine's."},
	{"syslog.listen", CONF_LIST, AT(syslog.listen), "[]", 0, 16, conf_check_listen, NULL, true,
		"Addresses that take syslog over TCP, as in [\"0.0.0.0:6514\"]; none by default. Port 0 "
		"picks a free one; the chosen addresses are in syslog.addr in state_dir. Syslog has no "
		"tokens: where other machines can reach an address, either syslog.tls needs client_ca, or "
		"the source must say who may send."},
	{"syslog.tls", CONF_TLS, AT(syslog.tls), "none", 0, 0, NULL, NULL, false,
		"The same as http.tls for syslog.listen, but with client_ca each sender must show a "
		"certificate that it vouches for."},
	{"syslog.source", CONF_TEXT, AT(syslog.source), "logs", 1, 64, conf_check_source, NULL, false,
		"The source, of kind logs, that these lines belong to."},
	{"syslog.connection_limit", CONF_INT, AT(syslog.connection_limit), "1000", 1, 1000000, NULL,
		NULL, true,
		"Connections that may be open at once on each address of syslog.listen; a further one is "
		"closed."},
	{"syslog.connections_per_address", CONF_INT, AT(syslog.connections_per_address), "100", 1,
		1000000, NULL, NULL, true,
		"Connections that one address may have open at once, on each address of syslog.listen; a "
		"further one is closed. Those over unix sockets do not count."},
	{"syslog.idle_timeout", CONF_DURATION, AT(syslog.idle_timeout_ms), "24h", SECOND, 365 * DAY,
		NULL, NULL, true,
		"A connection over which nothing came for so long is closed. Many senders lose the "
		"message that they find this out by, so it is long."},
	{"redis", CONF_PLACED, AT(redis), "embedded", 1, 4096, conf_check_redis, NULL, true,
		"Where the state lives: embedded (a redis-server of its own, started by "
		"runbookd), redis://[user:password@]host:port[/db] or unix:/path."},
	{"redis_fsync", CONF_CHOICE, AT(redis_fsync), "always", 0, 0, NULL, fsyncs, true,
		"Of the embedded Redis: write to disk before each answer (always), or once a "
		"second (everysec), which may lose two seconds when Redis is killed."},
	{"redis_slow_after", CONF_DURATION, AT(redis_slow_after_ms), "800ms", 100, 5 * MINUTE, NULL,
		NULL, true,
		"Ingest is answered 503 when Redis takes longer than this."},
	{"namespace", CONF_TEXT, AT(namespace_), "default", 1, 64, conf_check_namespace, NULL, true,
		"Part of each key in Redis, so that several installations may share one."},
	{"state_dir", CONF_PATH, AT(state_dir), "/var/lib/runbookd", 1, 4000, conf_check_filled,
		NULL, true,
		"Folder of http.addr, the embedded Redis and artifacts."},
	{"rules", CONF_LIST, AT(rules), "[\"rules/*.yml\"]", 0, 256, conf_check_filled, NULL, false,
		"Patterns of rule files, relative to this file. *.test.yml are left out."},
	{"patterns", CONF_LIST, AT(patterns), "[\"patterns/*.yml\"]", 0, 256, conf_check_filled, NULL, false,
		"Patterns of files with log patterns, relative to this file. *.test.yml are left out. A file "
		"may hold rules, too, and a file of rules log patterns."},
	{"runbooks", CONF_LIST, AT(runbooks), "[\"runbooks\"]", 0, 256, conf_check_filled, NULL,
		false,
		"Folders of runbooks, relative to this file."},
	{"contracts", CONF_LIST, AT(contracts), "[\"contracts/*.schema.json\"]", 0, 256,
		conf_check_filled, NULL, false,
		"Patterns of contracts, relative to this file: TYPE.schema.json says in JSON Schema what "
		"the data of an event of that type must look like. An event that breaks it is refused "
		"with the place; of a sender that would send it for ever, it is taken and decided "
		"error."},
	{"topology", CONF_LIST, AT(topology), "[\"topology/*.yml\"]", 0, 256, conf_check_filled, NULL, false,
		"Patterns of files that say what depends on what, relative to this file; they may "
		"hold rules, too. The incident of what others depend on is the root of theirs, and rules may say only: "
		"root."},
	{"worker.enabled", CONF_BOOL, AT(worker.enabled), "true", 0, 0, NULL, NULL, false,
		"Whether runbookd starts a worker on this host."},
	{"worker.pools", CONF_LIST, AT(worker.pools), "[default]", 1, 64, conf_check_pool, NULL,
		false,
		"Pools whose runs the worker claims. The pool host:NAME, with this host's name, "
		"is always one of them."},
	{"worker.slots", CONF_INT, AT(worker.slots), "8", 1, 1024, NULL, NULL, false,
		"Runs that the worker executes at once."},
	{"worker.user", CONF_TEXT, AT(worker.user), "runbook", 1, 32, conf_check_user, NULL, false,
		"User that runbooks run as, unless they name another. When the worker is not "
		"root, all run as the worker's own user."},
	{"worker.lease", CONF_DURATION, AT(worker.lease_ms), "15s", 2 * SECOND, HOUR, NULL, NULL,
		false,
		"A run whose worker was silent for this long is taken from it."},
	{"worker.grace", CONF_DURATION, AT(worker.grace_ms), "30s", 0, HOUR, NULL, NULL, false,
		"Time that running runs get to end when the worker stops."},
	{"correlation", CONF_POLICIES, AT(correlation), "[{by: [instance], window: 10m}]", 0, 0,
		NULL, NULL, false,
		"Policies, the first that fits wins: {match: matchers, by: [label, ...], window: "
		"duration}. Alerts that match and have the same values of the labels within the "
		"window are one incident. An alert that lacks all labels of every policy is an "
		"incident of its own."},
	{"changes", CONF_LIST, AT(changes), "['event.type =~ \"deploy.*|git_.*_merged\"']", 0, CONF_CHANGES_MAX,
		conf_check_filled, NULL, false,
		"Matchers; an event of status info for which one of them holds is a change, such as a deploy. It is put on "
		"the timeline of each incident that shares its labels and opened within an hour after."},
	{"incidents.reopen_window", CONF_DURATION, AT(incidents.reopen_window_ms), "15m", 0,
		30 * DAY, NULL, NULL, false,
		"An incident that resolved less than this ago is opened again instead of a new "
		"one."},
	{"incidents.stale_after", CONF_DURATION, AT(incidents.stale_after_ms), "24h", SECOND,
		365 * DAY, NULL, NULL, false,
		"An alert that nobody repeated for this long is taken as resolved."},
	{"incidents.retention", CONF_DURATION, AT(incidents.retention_ms), "30d", HOUR, 3650 * DAY,
		NULL, NULL, false,
		"How long incidents, alerts, events and runs are kept after their end."},
	{"incidents.occurrence_skew", CONF_DURATION, AT(incidents.occurrence_skew_ms), "5m", 0, DAY,
		NULL, NULL, false,
		"A start time of a firing alert that is later by less than this is the same "
		"occurrence."},
	{"flapping.transitions", CONF_INT, AT(flapping.transitions), "6", 2, 50, NULL, NULL, false,
		"An alert whose state changed this often within flapping.window, from firing to "
		"resolved or back, is flapping; rules with on_flapping: skip do not run for it."},
	{"flapping.window", CONF_DURATION, AT(flapping.window_ms), "15m", SECOND, DAY, NULL, NULL,
		false,
		"The time in which those changes are counted."},
	{"limits.runs", CONF_RATE, AT(limits.runs), "{count: 100, per: 1m}", 1, 1000000, NULL, NULL,
		false,
		"How often rules may run within any such time, all of them together. What goes "
		"past it is decided limit, and said once in a loud event. none: no limit. Runs "
		"by hand do not count."},
	{"limits.hosts", CONF_RATE, AT(limits.hosts), "{count: 10, per: 10m}", 1, 1000000, NULL,
		NULL, false,
		"On how many hosts rules may run within any such time, all of them together: the "
		"label instance without its port, else host. A host that had a run in that time "
		"is no further one. none: no limit."},
	{"limits.chain_depth", CONF_INT, AT(limits.chain_depth), "8", 0, 64, NULL, NULL, false,
		"How often a runbook's own events may start further runs, one after the other."},
	{"limits.delivery_window", CONF_DURATION, AT(limits.delivery_window_ms), "72h", MINUTE,
		30 * DAY, NULL, NULL, false,
		"How long the ids that senders give their deliveries are remembered, by source: what "
		"comes again with the same one is a duplicate. GitHub delivers again within three "
		"days."},
	{"limits.gate_late", CONF_DURATION, AT(limits.gate_late_ms), "10m", 0, DAY, NULL, NULL, false,
		"Rules over several events order them by the time at which they happened. One that comes "
		"later than this after it happened does not count, and its decision is limit."},
	{"limits.gates", CONF_INT, AT(limits.gates), "100000", 1, 10000000, NULL, NULL, false,
		"How many values of its by one rule over several events follows at once; for further ones "
		"its decision is limit."},
	{"limits.queue", CONF_INT, AT(limits.queue), "10000", 1, 10000000, NULL, NULL, false,
		"Runs that may wait in one pool. Ingest that would add more is answered 503."},
	{"limits.queue_ttl", CONF_DURATION, AT(limits.queue_ttl_ms), "1h", SECOND, 30 * DAY, NULL,
		NULL, false,
		"A run that no worker claimed for this long is cancelled."},
	{"limits.match_limit", CONF_INT, AT(limits.match_limit), "100000", 1000, 100000000, NULL, NULL,
		false,
		"Steps that one regular expression may take on one value (PCRE2's match limit); a "
		"million is 5 to 30 ms."},
	{"limits.match_budget", CONF_INT, AT(limits.match_budget), "150000", 1000, 1000000000, NULL,
		NULL, false,
		"Steps that the regular expressions of all rules together may take on one event; on "
		"values of more than 100 bytes a step counts more. The rest of them give up."},
	{"maintenance", CONF_WINDOWS, AT(maintenance), "[]", 0, 0, NULL, NULL, false,
		"Windows in which no rule runs for what they match; the decision is paused: {name: NAME, "
		"match: matchers, from: TIME, until: TIME} with times as 2026-12-01T20:00:00Z, or every week {name: "
		"NAME, match: matchers, days: [sat, sun], at: \"22:00\", for: 4h} in UTC; without days it is each "
		"day, without match for every event."},
	{"inhibit", CONF_INHIBITS, AT(inhibit), "[]", 0, 0, NULL, NULL, false,
		"While an alert fires that the source_matchers hold for, no rule runs for alerts that the "
		"target_matchers hold for and that have the same values of the labels of equal; the decision is "
		"paused: {source_matchers: matchers, target_matchers: matchers, equal: [label, ...]}, as in "
		"Alertmanager."},
	{"logs.line_limit", CONF_SIZE, AT(logs.line_limit), "64KiB", KIB, 1024 * KIB, NULL, NULL, false,
		"Longest line of a log; what is longer is cut, and what comes of it is marked."},
	{"logs.max_age", CONF_DURATION, AT(logs.max_age_ms), "1h", SECOND, 365 * DAY, NULL, NULL, false,
		"How far back the time of a line may lie for it to count at that time; an older one "
		"counts when it arrives, and the alert is marked. time: trust of a source lifts that."},
	{"logs.max_ahead", CONF_DURATION, AT(logs.max_ahead_ms), "5m", 0, DAY, NULL, NULL, false,
		"How far ahead of the clock the time of a line may be; the same."},
	{"sources", CONF_SOURCES, AT(sources), "{}", 0, 0, NULL, NULL, false,
		"Further sources, by name: NAME: {kind: KIND} takes POST /ingest/NAME. Each kind "
		"has a source of its own name without being listed."},
	{"sns.ca_file", CONF_PATH, AT(sns.ca_file), "\"\"", 0, 1024, NULL, NULL, true,
		"Who may vouch for the servers of Amazon SNS, as PEM; empty: whom the system trusts."},
	{"sns.connect_to", CONF_TEXT, AT(sns.connect_to), "\"\"", 0, 255, NULL, NULL, true,
		"An address, host:port, that is connected to in place of Amazon's own, as that of a private endpoint; it must "
		"show the certificate of Amazon's name all the same. Empty: Amazon's own."},
	{"tokens", CONF_TOKENS, AT(tokens), "[]", 0, 0, NULL, NULL, false,
		"Who may ask, and for what: {name: NAME, hash: \"sha256:...\", scopes: [SCOPE, ...]}, as "
		"runbookctl token new prints it. Scopes: read, operate (which holds read), admin "
		"(which holds operate), ingest (to every source), ingest:NAME (to this one). With "
		"tokens each request but to a source, /-/healthy and /-/ready needs one."},
	{"audit.retention", CONF_DURATION, AT(audit_retention_ms), "365d", DAY, 36500 * DAY, NULL,
		NULL, false,
		"How long audit records are kept."},
	{"log.format", CONF_CHOICE, AT(log.format), "logfmt", 0, 0, NULL, formats, false,
		"Format of the log on standard error."},
	{"log.level", CONF_CHOICE, AT(log.level), "info", 0, 0, NULL, levels, false,
		"The least level that is logged."},
};
const size_t conf_keys_n = sizeof(conf_keys) / sizeof(conf_keys[0]);
