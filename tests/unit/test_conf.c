/* runbookd.yml: each key of the table does what the table says, errors come all at once with
 * their places, and what is dumped parses back to the same. */
#include "unit.h"
#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/units.h"
#include "conf/conf.h"
#include "conf/conf_table.h"

static struct diags diags;
static struct buf out;

static int setup(void **state)
{
	(void)state;
	diags_init(&diags);
	buf_init(&out, BUF_NO_LIMIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	diags_release(&diags);
	buf_release(&out);
	return 0;
}

static struct conf *parse(const char *text)
{
	struct conf *c = conf_parse(str_of(text), "f.yml", "/etc/rb", &diags);
	assert_findings(&diags, "");
	assert_non_null(c);
	return c;
}

static void refuse(const char *text, const char *findings)
{
	assert_null(conf_parse(str_of(text), "f.yml", "/etc/rb", &diags));
	assert_findings(&diags, findings);
	diags_release(&diags);
}

/* Refused with one finding in the first line that holds `part`. */
static void refuse_one(const char *text, const char *part)
{
	assert_null(conf_parse(str_of(text), "f.yml", "/etc/rb", &diags));
	assert_int_equal(diags.n, 1);
	assert_int_equal(diags.v[0].line, 1);
	assert_has(str_of(diags.v[0].text), part);
	diags_release(&diags);
}

static struct str dump(const struct conf *c)
{
	buf_clear(&out);
	conf_dump(c, &out);
	assert_false(buf_failed(&out));
	return buf_as_str(&out);
}

/* text parses; its dump parses to a conf with the same dump. */
static void round_trip(const char *text)
{
	struct conf *c = parse(text);
	char *first = strdup(dump(c).p);
	conf_free(c);
	c = parse(first);
	assert_string_equal(dump(c).p, first);
	conf_free(c);
	free(first);
}

static const struct conf_key *key_of(const char *path)
{
	for (size_t i = 0; i < conf_keys_n; i++) {
		if (strcmp(conf_keys[i].path, path) == 0)
			return &conf_keys[i];
	}
	fail_msg("no key '%s'", path);
	return NULL;
}

/* A file that has just this key. */
static void one_key(struct buf *b, const struct conf_key *k, const char *value)
{
	const char *dot = strchr(k->path, '.');
	buf_clear(b);
	if (dot)
		buf_printf(b, "%.*s: {%s: %s}\n", (int)(dot - k->path), k->path, dot + 1, value);
	else
		buf_printf(b, "%s: %s\n", k->path, value);
}

/* ---- defaults ---- */

static void defaults_are_the_documented_ones(void **state)
{
	(void)state;
	struct conf *c = parse("");
	assert_int_equal(c->http.listen.n, 1);
	assert_str(c->http.listen.v[0].text, "127.0.0.1:9911");
	assert_int_equal(c->http.body_limit, 64 << 20);
	assert_int_equal(c->http.connection_limit, 10000);
	assert_int_equal(c->http.request_timeout_ms, 15000);
	assert_str(c->redis.text, "embedded");
	assert_true(c->redis_embedded);
	assert_int_equal(c->redis_fsync, CONF_FSYNC_ALWAYS);
	assert_int_equal(c->redis_slow_after_ms, 800);
	assert_str(c->namespace_, "default");
	assert_str(c->state_dir, "/var/lib/runbookd");
	assert_int_equal(c->rules.n, 1);
	assert_str(c->rules.v[0].text, "rules/*.yml");
	assert_int_equal(c->runbooks.n, 1);
	assert_str(c->runbooks.v[0].text, "runbooks");
	assert_true(c->worker.enabled);
	assert_int_equal(c->worker.pools.n, 1);
	assert_str(c->worker.pools.v[0].text, "default");
	assert_int_equal(c->worker.slots, 8);
	assert_str(c->worker.user, "runbook");
	assert_int_equal(c->worker.lease_ms, 15000);
	assert_int_equal(c->worker.grace_ms, 30000);
	assert_int_equal(c->correlation_n, 1);
	assert_int_equal(c->correlation[0].match.n, 0);
	assert_int_equal(c->correlation[0].by.n, 1);
	assert_str(c->correlation[0].by.v[0].text, "instance");
	assert_int_equal(c->correlation[0].window_ms, 600000);
	assert_int_equal(c->changes.n, 1);
	assert_str(c->changes.v[0].text, "event.type =~ \"deploy.*|git_.*_merged\"");
	assert_int_equal(c->topology.n, 1);
	assert_str(c->topology.v[0].text, "topology/*.yml");
	assert_int_equal(c->incidents.reopen_window_ms, 900000);
	assert_int_equal(c->incidents.stale_after_ms, 86400000);
	assert_int_equal(c->incidents.retention_ms, INT64_C(2592000000));
	assert_int_equal(c->incidents.occurrence_skew_ms, 300000);
	assert_int_equal(c->flapping.transitions, 6);
	assert_int_equal(c->flapping.window_ms, 900000);
	assert_int_equal(c->limits.runs.count, 100);
	assert_int_equal(c->limits.runs.per_ms, 60000);
	assert_int_equal(c->limits.hosts.count, 10);
	assert_int_equal(c->limits.hosts.per_ms, 600000);
	assert_int_equal(c->limits.chain_depth, 8);
	assert_int_equal(c->limits.delivery_window_ms, 72 * 3600000);
	assert_int_equal(c->limits.gate_late_ms, 10 * 60000);
	assert_int_equal(c->limits.gates, 100000);
	assert_int_equal(c->limits.queue, 10000);
	assert_int_equal(c->limits.queue_ttl_ms, 3600000);
	assert_int_equal(c->limits.match_limit, 100000);
	assert_int_equal(c->limits.match_budget, 150000);
	assert_int_equal(c->sources_n, 0);
	assert_int_equal(c->audit_retention_ms, INT64_C(31536000000));
	assert_int_equal(c->log.format, LOG_LOGFMT);
	assert_int_equal(c->log.level, LOG_INFO);
	assert_str(c->path, "f.yml");
	assert_str(c->dir, "/etc/rb");
	conf_free(c);
	conf_free(parse("# nothing\n"));
	conf_free(parse("http:\nworker: {}\n"));
}

static void every_field_of_the_struct_is_in_the_table(void **state)
{
	(void)state;
	/* Set every key to something else than its default; each must show in the dump. */
	struct conf *c =
		parse("http: {listen: ['[::1]:0'], body_limit: 1MiB, connection_limit: 5, "
		      "tls: {cert: c, key: /k, client_ca: a}, trusted_proxies: [unix], "
		      "connections_per_address: 4, connections_kept: 3, "
		      "request_timeout: 1s}\n"
		      "syslog: {listen: ['127.0.0.1:0'], tls: {cert: c, key: /k}, source: sys, connection_limit: 6, "
		      "connections_per_address: 3, idle_timeout: 2s}\n"
		      "redis: redis://h:1/2\nredis_fsync: everysec\nredis_slow_after: 1s\n"
		      "namespace: a-b_C\nstate_dir: st\nrules: [x]\npatterns: [p]\nrunbooks: [y]\ncontracts: [z]\ntopology: [t]\n"
		      "worker: {enabled: false, pools: ['host:a'], slots: 1, user: root, "
		      "lease: 2s, grace: 0}\n"
		      "correlation: [{match: 'a = b', by: [c, d], window: 1s}]\nchanges: [c]\n"
		      "incidents: {reopen_window: 0s, stale_after: 1m, retention: 1h, "
		      "occurrence_skew: 0}\n"
		      "flapping: {transitions: 2, window: 1m}\n"
		      "limits: {runs: {count: 1, per: 2s}, hosts: none, chain_depth: 0, delivery_window: 2m, gate_late: 0, gates: 9, queue: 1, "
		      "queue_ttl: 1s, match_limit: 1000, match_budget: 2000}\n"
		      "maintenance: [{name: m, match: 'a = b', from: 2026-12-01T20:00:00+01:00, until: 2026-12-02T02:00:00Z}, "
		      "{name: w, days: [sat, mon], at: '22:05', for: 2h, timezone: UTC}]\n"
		      "inhibit: [{source_matchers: ['a = b', c = d], target_matchers: x = y, equal: [e]}]\n"
		      "logs: {line_limit: 1KiB, max_age: 1m, max_ahead: 0}\n"
		      "sources: {am2: {kind: alertmanager, auth: {sns: {topic_arns: ['arn:aws:sns:r:1:t']}}, rate: {count: 3, per: 2s}, time: trust}}\n"
		      "sns: {ca_file: ca.pem, connect_to: 'h:1'}\n"
		      "audit: {retention: 1d}\nlog: {format: json, level: debug}\n");
	assert_string_equal(dump(c).p,
		"http:\n  listen: [\"[::1]:0\"]\n  body_limit: 1MiB\n  connection_limit: 5\n"
		"  connections_per_address: 4\n  connections_kept: 3\n"
		"  request_timeout: 1s\n"
		"  tls: {cert: /etc/rb/c, key: /k, client_ca: /etc/rb/a}\n"
		"  trusted_proxies: [unix]\n"
		"syslog:\n  listen: [\"127.0.0.1:0\"]\n  tls: {cert: /etc/rb/c, key: /k}\n  source: sys\n"
		"  connection_limit: 6\n  connections_per_address: 3\n  idle_timeout: 2s\n"
		"redis: \"redis://h:1/2\"\nredis_fsync: everysec\nredis_slow_after: 1s\n"
		"namespace: a-b_C\nstate_dir: /etc/rb/st\nrules: [x]\npatterns: [p]\nrunbooks: [\"y\"]\ncontracts: [z]\ntopology: [t]\n"
		"worker:\n  enabled: false\n  pools: [\"host:a\"]\n  slots: 1\n  user: root\n"
		"  lease: 2s\n  grace: 0s\n"
		"correlation:\n  - {match: [\"a = b\"], by: [c, d], window: 1s}\nchanges: [c]\n"
		"incidents:\n  reopen_window: 0s\n  stale_after: 1m\n  retention: 1h\n"
		"  occurrence_skew: 0s\n"
		"flapping:\n  transitions: 2\n  window: 1m\n"
		"limits:\n  runs: {count: 1, per: 2s}\n  hosts: none\n  chain_depth: 0\n  delivery_window: 2m\n  gate_late: 0s\n  gates: 9\n  queue: 1\n  queue_ttl: 1s\n  match_limit: 1000\n  match_budget: 2000\n"
		"maintenance:\n  - {name: m, match: [\"a = b\"], from: \"2026-12-01T19:00:00.000Z\", until: \"2026-12-02T02:00:00.000Z\"}\n"
		"  - {name: w, days: [mon, sat], at: \"22:05\", for: 2h}\n"
		"inhibit:\n  - {source_matchers: [\"a = b\", \"c = d\"], target_matchers: [\"x = y\"], equal: [e]}\n"
		"logs:\n  line_limit: 1KiB\n  max_age: 1m\n  max_ahead: 0s\n"
		"sources:\n  am2: {kind: alertmanager, auth: {sns: {topic_arns: [\"arn:aws:sns:r:1:t\"]}}, rate: {count: 3, per: 2s}, time: trust}\n"
		"sns:\n  ca_file: /etc/rb/ca.pem\n  connect_to: \"h:1\"\n"
		"tokens: []\n"
		"audit:\n  retention: 1d\nlog:\n  format: json\n  level: debug\n");
	assert_false(c->redis_embedded);
	assert_int_equal(c->redis.line, 3);
	assert_int_equal(c->redis.column, 8);
	assert_int_equal(c->sources[0].line, 22);
	conf_free(c);
}

/* ---- the table ---- */

static void table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		const char *dot = strchr(k->path, '.');
		size_t n = strlen(k->sentence);
		assert_true(n > 20 && isupper(k->sentence[0]) && k->sentence[n - 1] == '.');
		assert_true(k->initial && *k->initial);
		assert_true(strlen(k->path) < 48 && (!dot || !strchr(dot + 1, '.')));
		for (const char *p = k->path; *p; p++)
			assert_true(islower(*p) || *p == '_' || *p == '.');
		assert_true(k->max >= k->min && k->offset < sizeof(struct conf));
		if (k->type == CONF_INT || k->type == CONF_DURATION || k->type == CONF_SIZE ||
			k->type == CONF_TEXT || k->type == CONF_LIST)
			assert_true(k->max > 0);
		assert_true((k->type == CONF_CHOICE) == (k->choices != NULL));
		for (size_t other = i + 1; other < conf_keys_n; other++) {
			assert_string_not_equal(k->path, conf_keys[other].path);
			assert_int_not_equal(k->offset, conf_keys[other].offset);
		}
	}
}

static void sections_stand_together(void **state)
{
	(void)state;
	/* The dump would write a section twice, which the parser refuses. */
	struct conf *c = parse("");
	struct conf *again = parse(dump(c).p);
	conf_free(again);
	conf_free(c);
}

#define HASH_A "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define HASH_B "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

static void tokens_are_read(void **state)
{
	(void)state;
	struct conf *c = parse("http: {listen: ['0.0.0.0:9911']}\n"
			       "tokens:\n"
			       "  - {name: oncall, hash: '" HASH_A "', scopes: [read, operate]}\n"
			       "  - {name: ci@build, hash: '" HASH_B "', scopes: 'ingest:github'}\n");
	assert_int_equal(c->tokens_n, 2);
	assert_str(c->tokens[0].name, "oncall");
	assert_int_equal(c->tokens[0].scopes, CONF_SCOPE_READ | CONF_SCOPE_OPERATE);
	assert_int_equal(c->tokens[0].hash[0], 0xca);
	assert_int_equal(c->tokens[0].hash[31], 0xbb);
	assert_int_equal(c->tokens[1].scopes, 0);
	assert_int_equal(c->tokens[1].ingest.n, 1);
	assert_str(c->tokens[1].ingest.v[0].text, "github");
	conf_free(c);
	round_trip("tokens: [{name: a, hash: \"" HASH_A "\", scopes: [admin, ingest, 'ingest:x', 'ingest:y.z']}]\n");
}

static void tokens_with_errors(void **state)
{
	(void)state;
	refuse("http: {listen: ['0.0.0.0:1']}\n" /* no second error for want of tokens */
	       "tokens:\n"
	       "  - {name: 'a b', hash: rb_0123, scopes: [write, 'ingest:', read]}\n"
	       "  - {name: b, scope: [read]}\n"
	       "  - text\n",
		"f.yml:3:12: 'tokens.name' is 'a b': a token's name has letters, digits, '-', '_', '.' and '@', and 64 bytes at most\n"
		"f.yml:3:25: 'tokens.hash' must be sha256: and 64 hex digits, as runbookctl token new prints it; the token itself does not belong here\n"
		"f.yml:3:43: 'tokens.scopes' has 'write'; scopes are ingest, ingest:NAME of a source, read, operate and admin\n"
		"f.yml:3:50: 'tokens.scopes' has 'ingest:'; scopes are ingest, ingest:NAME of a source, read, operate and admin\n"
		"f.yml:4:15: unknown key 'tokens.scope'; did you mean 'scopes'?\n"
		"f.yml:4:5: a token of 'tokens' needs 'hash'; runbookctl token new prints a whole one\n"
		"f.yml:4:5: a token of 'tokens' needs 'scopes'; runbookctl token new prints a whole one\n"
		"f.yml:5:5: 'tokens' has a text; each token is a map of name, hash and scopes\n");
	refuse_one("tokens: [{name: a, hash: '" HASH_A "', scopes: []}]\n", "it must have from 1 to 64");
	refuse_one("tokens: [{name: a, hash: '" HASH_A "', scopes: read}, {name: a, hash: '" HASH_B "', scopes: read}]\n",
		"has the name 'a' twice");
	refuse_one("tokens: [{name: a, hash: '" HASH_A "', scopes: read}, {name: b, hash: '" HASH_A "', scopes: read}]\n",
		"the tokens 'a' and 'b' have one hash");
	refuse_one("tokens: [{name: a, hash: '" HASH_A "0', scopes: read}]\n", "must be sha256: and 64 hex digits");
	refuse_one("tokens: [{name: a, hash: 'sha256:g', scopes: read}]\n", "must be sha256: and 64 hex digits");
}

static void tokens_have_a_limit(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "tokens: [");
	for (int i = 0; i <= CONF_TOKENS_MAX; i++)
		buf_printf(&b, "{name: t%d, hash: 'sha256:%064x', scopes: read}, ", i, i);
	buf_puts(&b, "]\n");
	refuse_one(b.p, "must be a list of at most 256 tokens");
	buf_release(&b);
}

static void keys_that_need_a_restart(void **state)
{
	(void)state;
	static const char *const wanted[] = {
		"http.listen", "redis", "redis_fsync", "namespace", "state_dir", "redis_slow_after",
		"http.connection_limit", "http.connections_per_address", "http.request_timeout",
		"sns.ca_file", "sns.connect_to", "syslog.listen", "syslog.connection_limit",
		"syslog.connections_per_address", "syslog.idle_timeout"};
	size_t n = 0;
	for (size_t i = 0; i < conf_keys_n; i++)
		n += conf_keys[i].restart;
	assert_int_equal(n, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < n; i++)
		assert_true(key_of(wanted[i])->restart);
}

/* ---- round trips ---- */

static void numbers_at_their_bounds(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		char text[UNITS_TEXT_MAX];
		if (k->type != CONF_INT && k->type != CONF_DURATION && k->type != CONF_SIZE)
			continue;
		const int64_t good[] = {k->min, k->max, k->min + (k->max - k->min) / 3};
		const int64_t bad[] = {k->max + 1, k->min - 1};
		for (size_t v = 0; v < 3; v++) {
			snprintf(text, sizeof(text), "%lld%s", (long long)good[v],
				k->type == CONF_DURATION ? "ms" : "");
			one_key(&b, k, text);
			struct conf *c = parse(b.p);
			assert_int_equal(*(int64_t *)((char *)c + k->offset), good[v]);
			conf_free(c);
			round_trip(b.p);
		}
		for (size_t v = 0; v < 2; v++) {
			snprintf(text, sizeof(text), "%lld%s", (long long)bad[v],
				k->type == CONF_DURATION ? "ms" : "");
			one_key(&b, k, text);
			refuse_one(b.p, "it must be ");
		}
	}
	buf_release(&b);
}

static void every_choice(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		for (unsigned v = 0; k->choices && k->choices[v]; v++) {
			one_key(&b, k, k->choices[v]);
			round_trip(b.p);
			struct conf *c = parse(b.p);
			unsigned got;
			memcpy(&got, (char *)c + k->offset, sizeof(got));
			assert_int_equal(got, v);
			conf_free(c);
		}
		if (!k->choices)
			continue;
		one_key(&b, k, "sometimes");
		refuse_one(b.p, "is 'sometimes'; it must be one of ");
		one_key(&b, k, "[always]");
		refuse_one(b.p, "it must be one of ");
	}
	buf_release(&b);
}

static void awkward_texts(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"plain",
		"two words",
		"'null'",
		"'true'",
		"'~'",
		"'5'",
		"'no'",
		"\"a\\tb\"",
		"\"\\x7f\"",
		"\"\\u0085\"",
		"\"\\u2028\"",
		"\"\\u2029\"",
		"\"\\uFEFF\"",
		"\"\\uFFFE\"",
		"\"\\uFFFF\"",
		"\"\\u00e4\"",
		"\"\\U0001F600\"",
		"'#x'",
		"'a: b'",
		"'a #b'",
		"'[x'",
		"'{x'",
		"'- a'",
		"'\"q\"'",
		"'it''s'",
		"'C:\\d'",
		"'*'",
		"'&a'",
		"'!x'",
		"'%x'",
		"'@x'",
		"' x '",
		"\"a\\nb\"",
		"\"\\x01\"",
		"\"a\\\\\"",
		"'a,b'",
		"'{{ x }}'",
		"rules/*.yml",
		"'?'",
		"'='",
		"'<<'",
		"'|'",
		"'>'",
	};
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_clear(&b);
		buf_printf(&b, "rules: [%s]\nrunbooks:\n- %s\nstate_dir: %s\n"
			       "correlation: [{match: [%s], by: [%s]}]\nsources: {x: {kind: %s}}\n",
			texts[i], texts[i], texts[i], texts[i], texts[i], texts[i]);
		struct conf *c = parse(b.p);
		char *first = strdup(dump(c).p);
		struct conf *again = parse(first);
		assert_string_equal(dump(again).p, first);
		assert_true(str_eq(c->rules.v[0].text, again->rules.v[0].text));
		assert_true(str_eq(c->state_dir, again->state_dir));
		assert_true(str_eq(c->correlation[0].match.v[0].text,
			again->correlation[0].match.v[0].text));
		assert_true(str_eq(c->correlation[0].by.v[0].text,
			again->correlation[0].by.v[0].text));
		assert_true(str_eq(c->sources[0].kind, again->sources[0].kind));
		conf_free(c);
		conf_free(again);
		free(first);
	}
	buf_release(&b);
}

static void lists_and_maps(void **state)
{
	(void)state;
	round_trip("http: {listen: [\"127.0.0.1:0\", \"127.8.9.1:65535\", \"[::1]:9911\", "
		   "\"unix:/run/x y.sock\"]}\n");
	round_trip("rules: []\nrunbooks: []\ncorrelation: []\nsources: {}\n");
	round_trip("rules: one.yml\nworker: {pools: a}\n");
	round_trip("worker: {pools: [default, 'host:web1', a.b_c-D]}\n");
	round_trip("sources: {a: {kind: alertmanager}, 'b.c-d_9': {kind: x}, true: {kind: y}}\n");
	round_trip(
		"correlation:\n- {match: 'a=b', by: c}\n- {match: [a=b, 'c=~\"d|e\"'], by: [x, y], "
		"window: 90s}\n- {by: ['event.source'], window: 30d}\n");
	struct conf *c = parse("correlation: [{match: 'a = b', by: [c]}]\n");
	assert_int_equal(c->correlation[0].window_ms, 600000);
	assert_int_equal(c->correlation[0].match.v[0].line, 1);
	assert_int_equal(c->correlation[0].match.v[0].column, 23);
	conf_free(c);
}

/* ---- errors ---- */

static void all_errors_at_once(void **state)
{
	(void)state;
	refuse("http:\n"
	       "  listne: [\"127.0.0.1:1\"]\n"
	       "  body_limit: big\n"
	       "  request_timeout: 15\n"
	       "redis_fsync: never\n"
	       "worker:\n"
	       "  slots: 0\n"
	       "  enabled: yes\n"
	       "namespace: 'a b'\n"
	       "quux: {}\n",
		"f.yml:2:3: unknown key 'http.listne'; did you mean 'listen'?\n"
		"f.yml:3:15: 'http.body_limit' is 'big'; it must be a size like 64KiB or 8MiB\n"
		"f.yml:4:20: 'http.request_timeout' is '15'; it must be a duration like 500ms, "
		"10s, "
		"5m, 2h or 30d\n"
		"f.yml:5:14: 'redis_fsync' is 'never'; it must be one of always, everysec\n"
		"f.yml:7:10: 'worker.slots' is 0; it must be from 1 to 1024\n"
		"f.yml:8:12: 'worker.enabled' must be true or false\n"
		"f.yml:9:12: 'namespace' is 'a b': it may have letters, digits, '_' and '-' only\n"
		"f.yml:10:1: unknown key 'quux'\n");
}

static void unknown_keys(void **state)
{
	(void)state;
	refuse("htpp: {}\n", "f.yml:1:1: unknown key 'htpp'; did you mean 'http'?\n");
	refuse("listen: []\n", "f.yml:1:1: unknown key 'listen'; did you mean 'http.listen'?\n");
	refuse("http: {slots: 1}\n",
		"f.yml:1:8: unknown key 'http.slots'; did you mean 'worker.slots'?\n");
	refuse("http: {zzzzzzzz: 1}\n", "f.yml:1:8: unknown key 'http.zzzzzzzz'\n");
	refuse("correlation: [{by: [a], windo: 1s}]\n",
		"f.yml:1:25: unknown key 'correlation.windo'; did you mean 'window'?\n");
	refuse("sources: {a: {kind: x, kin: y}}\n",
		"f.yml:1:24: unknown key 'sources.a.kin'; did you mean 'kind'?\n");
	round_trip("sources: {a: {kind: x, labels: {instance: '{{ data.h | host }}', 'odd: name': '', b: \"a\\nb\"}}}\n");
	refuse("sources: {a: {kind: x, labls: {}}}\n",
		"f.yml:1:24: unknown key 'sources.a.labls'; did you mean 'labels'?\n");
	refuse("sources: {a: {kind: x, auth: {snss: {}}}}\n",
		"f.yml:1:31: unknown key 'sources.a.auth.snss'; did you mean 'sns'?\n");
	refuse("audit_retention: 1d\n", "f.yml:1:1: unknown key 'audit_retention'\n");
	refuse("'http.listen': ['127.0.0.1:1']\n"
	       "? \"http\"\n: 5\n",
		"f.yml:3:3: 'http' is a text; it must be a map of keys\n");
}

/* One source with this auth. */
static void refuse_auth(const char *auth, const char *findings)
{
	char text[1000];
	snprintf(text, sizeof(text), "sources: {a: {kind: x, auth: %s}}\n", auth);
	refuse(text, findings);
}

static void auth_of_a_source(void **state)
{
	(void)state;
	struct conf *c = parse("sources:\n  a: {kind: x, auth: {hmac: {header: X-Sig, secret_files: [one, /two]}, allow: '10.0.0.0/8'}}\n"
			       "  b: {kind: x, auth: {basic: {user: me, password_file: p}}}\n"
			       "  c: {kind: x}\n");
	const struct conf_auth *a = &c->sources[0].auth;
	assert_int_equal(a->kind, CONF_AUTH_HMAC);
	assert_int_equal(a->secrets.n, 2);
	assert_str(a->secrets.v[0].text, "/etc/rb/one");
	assert_str(a->secrets.v[1].text, "/two");
	assert_int_equal(a->secrets.v[1].line, 2);
	assert_int_equal(a->algorithm, CONF_SHA256);
	assert_int_equal(a->tolerance_ms, 300000);
	assert_str(a->allow.v[0].text, "10.0.0.0/8");
	assert_int_equal(c->sources[1].auth.kind, CONF_AUTH_BASIC);
	assert_str(c->sources[1].auth.user, "me");
	assert_true(conf_has_auth(a));
	assert_false(conf_has_auth(&c->sources[2].auth));
	conf_free(c);
	round_trip("sources:\n"
		   "  a: {kind: x, auth: {token: true}}\n"
		   "  b: {kind: x, auth: {bearer_file: s}}\n"
		   "  c: {kind: x, auth: {bearer_files: [s, t]}}\n"
		   "  d: {kind: x, auth: {basic: {user: 'a b', password_files: [s, t]}, allow: [10.0.0.1, '::1']}}\n"
		   "  e: {kind: x, auth: {hmac: {header: X-S, algorithm: sha512, secret_file: s, prefix: 'v0=', "
		   "timestamp_header: X-T, tolerance: 90s}}}\n"
		   "  f: {kind: x, auth: {standard_webhooks: {secret_file: s, tolerance: 1m}}}\n"
		   "  g: {kind: x, auth: {github: {secret_file: s}}}\n"
		   "  h: {kind: x, auth: {pagerduty: {secret_files: [s]}}}\n"
		   "  i: {kind: x, auth: {client_cert: {names: [a.example, b]}}}\n"
		   "  j: {kind: x, auth: {allow: [10.0.0.0/8]}}\n");
	c = parse("sources: {a: {kind: x, auth: {hmac: {header: X-S, algorithm: sha1, secret_file: s, prefix: 'v0=', "
		  "timestamp_header: X-T, tolerance: 90s}, allow: ['::1']}}}\n");
	assert_has(dump(c), "  a: {kind: x, auth: {hmac: {header: X-S, algorithm: sha1, secret_file: /etc/rb/s, prefix: \"v0=\", "
			    "timestamp_header: X-T, tolerance: 90s}, allow: [\"::1\"]}}\n");
	conf_free(c);
}

static void auth_that_contradicts_itself(void **state)
{
	(void)state;
	refuse_auth("{}", "f.yml:1:30: 'sources.a.auth' says nothing; it takes one of token, bearer_file, basic, hmac, "
			  "standard_webhooks, github, pagerduty, sns and client_cert, and allow\n");
	refuse_auth("x", "f.yml:1:30: 'sources.a.auth' is a text; it must be a map, as in {token: true}\n");
	refuse_auth("{tokn: true}", "f.yml:1:31: unknown key 'sources.a.auth.tokn'; did you mean 'token'?\n");
	refuse_auth("{token: false}", "f.yml:1:38: 'sources.a.auth.token' can only be true; else leave it out\n");
	refuse_auth("{token: true, github: {secret_file: s}}",
		"f.yml:1:44: 'sources.a.auth' has both 'token' and 'github'; it takes one of them\n");
	refuse_auth("{bearer_file: s, bearer_files: [t]}",
		"f.yml:1:47: 'sources.a.auth' has both 'bearer_file' and 'bearer_files'; it takes one of them\n");
	refuse_auth("{bearer_file: [s]}", "f.yml:1:44: 'sources.a.auth.bearer_file' is a list; it must be the path of a file\n");
	refuse_auth("{bearer_file: ''}", "f.yml:1:44: 'sources.a.auth.bearer_file' must not be empty: it names a file\n");
	refuse_auth("{bearer_files: []}", "f.yml:1:45: 'sources.a.auth.bearer_files' has 0 entries; it must have from 1 to 8\n");
	refuse_auth("{bearer_files: [a, b, c, d, e, f, g, h, i]}",
		"f.yml:1:45: 'sources.a.auth.bearer_files' has 9 entries; it must have from 1 to 8\n");
	refuse_auth("{basic: {user: 'a:b', password_file: s, passwd: t}}",
		"f.yml:1:45: 'sources.a.auth.basic.user' is 'a:b'; it must not be empty, nor hold a colon\n"
		"f.yml:1:70: unknown key 'sources.a.auth.basic.passwd'\n");
	refuse_auth("{basic: {password_files: [s]}}",
		"f.yml:1:38: 'sources.a.auth.basic' needs 'user', as in {user: NAME, password_file: FILE}\n");
	refuse_auth("{github: s}", "f.yml:1:39: 'sources.a.auth.github' is a text; it must be a map, as in {secret_file: FILE}\n");
	refuse_auth("{github: {}}", "f.yml:1:39: 'sources.a.auth.github' needs 'secret_file', as in {secret_file: FILE}\n");
	refuse_auth("{pagerduty: {secret_file: s, secret_files: [t]}}",
		"f.yml:1:73: 'sources.a.auth.pagerduty' has both 'secret_file' and 'secret_files'; take one of them\n");
	refuse_auth("{hmac: {header: 'X Y', algorithm: md5, secret_file: s, prefix: 'a,b'}}",
		"f.yml:1:46: 'sources.a.auth.hmac.header' is 'X Y': a header's name has letters, digits, '-' and '_', and 64 bytes at most\n"
		"f.yml:1:64: 'sources.a.auth.hmac.algorithm' is 'md5'; it must be one of sha1, sha256, sha512\n"
		"f.yml:1:93: 'sources.a.auth.hmac.prefix' is 'a,b': a comma stands between signatures, and cannot be in one\n");
	refuse_auth("{hmac: {tolerance: 2h, tolerances: 1}}",
		"f.yml:1:49: 'sources.a.auth.hmac.tolerance' is 2h; it must be from 1s to 1h\n"
		"f.yml:1:53: unknown key 'sources.a.auth.hmac.tolerances'; did you mean 'tolerance'?\n"
		"f.yml:1:37: 'sources.a.auth.hmac' needs 'header', as in {header: X-Signature, secret_file: FILE}\n"
		"f.yml:1:37: 'sources.a.auth.hmac' needs 'secret_file', as in {header: X-Signature, secret_file: FILE}\n"
		"f.yml:1:49: 'sources.a.auth.hmac.tolerance' needs 'timestamp_header': without a time nothing is too old\n");
	refuse_auth("{standard_webhooks: {secret_file: s, tolerance: 0s}}",
		"f.yml:1:78: 'sources.a.auth.standard_webhooks.tolerance' is 0s; it must be from 1s to 1h\n");
	refuse_auth("{client_cert: {names: []}}",
		"f.yml:1:52: 'sources.a.auth.client_cert.names' has 0 entries; it must have from 1 to 64\n");
	refuse_auth("{client_cert: {}}", "f.yml:1:44: 'sources.a.auth.client_cert' needs 'names', as in {names: [NAME]}\n");
	refuse_auth("{allow: []}", "f.yml:1:38: 'sources.a.auth.allow' has 0 entries; it must have from 1 to 256\n");
	refuse_auth("{allow: [10.0.0.0/8, 10.0.0.0/33]}",
		"f.yml:1:51: 'sources.a.auth.allow' has '10.0.0.0/33': it must be an address, or a range of them as in "
		"10.0.0.0/8 or 2001:db8::/32\n");
	refuse_auth("{sns: []}", "f.yml:1:36: 'sources.a.auth.sns' is a list; it must be a map, as in {topic_arns: [ARN]}\n");
	refuse_auth("{sns: {topic_arns: []}}", "f.yml:1:49: 'sources.a.auth.sns.topic_arns' must name a topic at least\n");
	refuse_auth("{sns: {topic_arns: [oncall]}}",
		"f.yml:1:50: 'sources.a.auth.sns.topic_arns' has 'oncall', which is no ARN of a topic, as in "
		"arn:aws:sns:eu-west-1:123456789012:NAME\n");
}

/* before, n different values as `value` makes them of a number, after. */
static void refuse_list(const char *before, size_t n, const char *value, const char *after, const char *part)
{
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s%zu", i ? ", " : "", value, i);
	buf_puts(&b, after);
	refuse_one(b.p, part);
	buf_release(&b);
}

static void lists_of_senders_have_limits(void **state)
{
	(void)state;
	refuse_list("sources: {a: {kind: x, auth: {allow: [", CONF_RANGES_MAX + 1, "2001:db8::", "]}}}\n",
		"'sources.a.auth.allow' has 257 entries; it must have from 1 to 256");
	refuse_list("sources: {a: {kind: x, auth: {client_cert: {names: [", CONF_CERT_NAMES_MAX + 1, "n", "]}}}}\n",
		"'sources.a.auth.client_cert.names' has 65 entries; it must have from 1 to 64");
	refuse_list("http: {trusted_proxies: [", CONF_RANGES_MAX + 1, "2001:db8::", "]}\n",
		"'http.trusted_proxies' has 257 entries; it must have from 0 to 256");
}

static void trusted_proxies(void **state)
{
	(void)state;
	struct conf *c = parse("http: {trusted_proxies: [10.0.0.0/8, '::1', unix]}\n");
	assert_int_equal(c->http.trusted_proxies.n, 3);
	conf_free(c);
	round_trip("http: {trusted_proxies: [10.0.0.0/8, '::1', unix]}\n");
	refuse("http: {trusted_proxies: [nginx.example]}\n",
		"f.yml:1:26: 'http.trusted_proxies' is 'nginx.example': it must be an address, or a range of them as in "
		"10.0.0.0/8 or 2001:db8::/32, or unix for those who connect over a unix socket\n");
}

static void other_addresses(void **state)
{
	(void)state;
	struct conf *c = parse("http: {listen: ['127.0.0.1:1', 'unix:/s', '[::1]:1']}\n");
	assert_false(conf_listens_elsewhere(c));
	conf_free(c);
	c = parse("http: {listen: ['127.0.0.1:1', '0.0.0.0:1']}\ntokens: [{name: a, hash: \"" HASH_A "\", scopes: read}]\n");
	assert_true(conf_listens_elsewhere(c));
	conf_free(c);
}

static void rates(void **state)
{
	(void)state;
	struct conf *c = parse("limits: {runs: {count: 5}, hosts: {per: 30s}}\n");
	assert_int_equal(c->limits.runs.count, 5);
	assert_int_equal(c->limits.runs.per_ms, 60000);
	assert_int_equal(c->limits.hosts.count, 10);
	assert_int_equal(c->limits.hosts.per_ms, 30000);
	conf_free(c);
	c = parse("limits: {runs: none}\n");
	assert_int_equal(c->limits.runs.count, 0);
	conf_free(c);
	refuse("limits: {runs: 5}\n",
		"f.yml:1:16: 'limits.runs' is a text; it must be none or a map like {count: 100, "
		"per: 1m}\n");
	refuse("limits: {hosts: {count: 0, per: 500ms}}\n",
		"f.yml:1:25: 'limits.hosts.count' is 0; it must be from 1 to 1000000\n"
		"f.yml:1:33: 'limits.hosts.per' is 500ms; it must be from 1s to 30d\n");
	refuse("limits: {hosts: {cuont: 1}}\n",
		"f.yml:1:18: unknown key 'limits.hosts.cuont'; did you mean 'count'?\n");
	refuse("flapping: {transitions: 1}\n",
		"f.yml:1:25: 'flapping.transitions' is 1; it must be from 2 to 50\n");
}

/* What INTERFACE-like documents of later versions name is refused, not ignored. */
static void maintenance_windows(void **state)
{
	(void)state;
	struct conf *c = parse("maintenance:\n  - {name: daily, at: '00:00', for: 7d}\n");
	assert_int_equal(c->maintenance_n, 1);
	assert_int_equal(c->maintenance[0].days, 127);
	assert_int_equal(c->maintenance[0].for_ms, INT64_C(7) * 86400000);
	assert_int_equal(c->maintenance[0].until_ms, 0);
	conf_free(c);
	refuse_one("maintenance: {}\n", "'maintenance' must be a list of at most 100 maps");
	refuse_one("maintenance: [a]\n", "each window is a map");
	refuse_one("maintenance: [{at: '01:00', for: 1h}]\n", "needs a 'name'");
	refuse_one("maintenance: [{name: 'a b', at: '01:00', for: 1h}]\n", "1 to 64 letters");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 1h}, {name: a, at: '02:00', for: 1h}]\n", "there twice");
	refuse_one("maintenance: [{name: a}]\n", "needs 'from' and 'until', or 'at' and 'for'");
	refuse_one("maintenance: [{name: a, at: '01:00'}]\n", "needs 'from' and 'until', or 'at' and 'for'");
	refuse_one("maintenance: [{name: a, from: 2026-12-01T20:00:00Z}]\n", "needs 'from' and 'until'");
	refuse_one("maintenance: [{name: a, from: 2026-12-01T20:00:00Z, until: 2026-12-01T20:00:00Z}]\n", "'until' must be later");
	refuse_one("maintenance: [{name: a, from: 2026-12-01T20:00:00Z, until: 2026-12-02T20:00:00Z, for: 1h}]\n", "not both");
	refuse_one("maintenance: [{name: a, from: tomorrow, until: 2026-12-02T20:00:00Z}]\n", "must be a time as 2026-12-01T20:00:00Z");
	refuse_one("maintenance: [{name: a, at: '24:00', for: 1h}]\n", "a time of day");
	refuse_one("maintenance: [{name: a, at: '1:00', for: 1h}]\n", "a time of day");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 8d}]\n", "must be from 1s to 7d");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 1h, days: [monday]}]\n", "days are mon, tue");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 1h, days: []}]\n", "leave it out for every day");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 1h, timezone: Europe/Berlin}]\n", "times are in UTC");
	refuse_one("maintenance: [{name: a, at: '01:00', for: 1h, matches: x}]\n", "did you mean 'match'");
}

static void inhibit_rules(void **state)
{
	(void)state;
	struct conf *c = parse("inhibit:\n  - {source_matchers: [a = b], target_matchers: [c = d]}\n");
	assert_int_equal(c->inhibit_n, 1);
	assert_int_equal(c->inhibit[0].equal.n, 0);
	conf_free(c);
	refuse_one("inhibit: {}\n", "'inhibit' must be a list of at most 100 maps");
	refuse_one("inhibit: [a]\n", "each rule is a map");
	refuse_one("inhibit: [{source_matchers: [a = b]}]\n", "needs 'target_matchers'");
	refuse_one("inhibit: [{source_matchers: [], target_matchers: [a = b]}]\n", "needs 'source_matchers'");
	refuse_one("inhibit: [{source_match: a, source_matchers: x = y, target_matchers: a = b}]\n", "did you mean 'source_matchers'");
}

static void keys_of_later_versions(void **state)
{
	(void)state;
	static const char *const keys[] = {
		"partitions: 1",
		"redis_ack: local",
		"http: {loops: 1}",
		"partition_by: []",
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		refuse_one(keys[i], "unknown key '");
}

static void wrong_kinds_of_values(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < conf_keys_n; i++) {
		one_key(&b, &conf_keys[i], "");
		refuse_one(b.p, "' has no value; leave the key out for its default, ");
		one_key(&b, &conf_keys[i], "{a: [b]}");
		if (conf_keys[i].type == CONF_SOURCES)
			refuse_one(b.p, "'sources.a' is a list; it must be a map");
		else
			refuse_one(b.p, conf_keys[i].path);
		one_key(&b, &conf_keys[i], "[[a], [b]]");
		assert_null(conf_parse(buf_as_str(&b), "f.yml", "/etc/rb", &diags));
		assert_true(diags.errors >= 1);
		diags_release(&diags);
	}
	buf_release(&b);
	refuse("[a]\n", "f.yml:1:1: the file holds a list; it must be a map of keys\n");
	refuse("http: 5\n", "f.yml:1:7: 'http' is a text; it must be a map of keys\n");
	refuse("\"rules\": [\"a\\0b\"]\n",
		"f.yml:1:11: 'rules' holds a NUL byte; leave it out\n");
	refuse("rules: [a, b, a]\n", "f.yml:1:15: 'rules' has 'a' twice\n");
	refuse("rules: ['']\n", "f.yml:1:9: 'rules' is '': it must not be empty\n");
	refuse("runbooks: ['']\n", "f.yml:1:12: 'runbooks' is '': it must not be empty\n");
	refuse("http: {listen: []}\n",
		"f.yml:1:16: 'http.listen' has 0 entries; it must have from 1 to 16\n");
	refuse("namespace: ''\n",
		"f.yml:1:12: 'namespace' has 0 bytes; it must have from 1 to 64\n");
	refuse("worker: {slots: '8'}\n",
		"f.yml:1:17: 'worker.slots' is '8'; it must be a number like 8\n");
}

static void broken_yaml(void **state)
{
	(void)state;
	refuse("http: {listen: x\n",
		"f.yml:2:1: expected ',' or '}' in the map that begins in line 1, column 7\n");
	refuse("redis: embedded\nredis: embedded\n",
		"f.yml:2:1: key 'redis' was given already in line 1\n");
}

static void listen_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *value, *part;
	} bad[] = {
		{"9911", "it must be address:port"},
		{"127.0.0.1", "it must be address:port"},
		{"127.0.0.1:", "the port must be"},
		{"127.0.0.1:65536", "the port must be"},
		{"127.0.0.1:-1", "the port must be"},
		{"127.0.0.1:http", "the port must be"},
		{":9911", "it needs an IP address"},
		{"localhost:9911", "it needs an IP address"},
		{"::1:9911", "it needs an IP address"},
		{"[127.0.0.1]:9911", "it needs an IP address"},
		{"[::1", "it needs an IP address"},
		{"0.0.0.0:9911",
			"without tokens runbookd listens on loopback and unix sockets only"},
		{"10.0.0.1:9911", "make tokens with runbookctl token new, or listen on"},
		{"[::]:9911", "listen on 127.0.0.1 or unix:/path"},
		{"[::ffff:10.0.0.1]:9911", "without tokens"},
		{"unix:", "must be absolute"},
		{"unix:http.sock", "must be absolute"},
	};
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&b);
		buf_printf(&b, "http: {listen: [\"%s\"]}\n", bad[i].value);
		refuse_one(b.p, bad[i].part);
	}
	buf_clear(&b);
	buf_printf(&b, "http: {listen: ['unix:/%0*d']}\n", 106, 0);
	conf_free(parse(b.p));
	buf_clear(&b);
	buf_printf(&b, "http: {listen: ['unix:/%0*d']}\n", 107, 0);
	refuse_one(b.p, "107 bytes at most");
	buf_release(&b);
}

static void redis_forms(void **state)
{
	(void)state;
	static const char *const good[] = {
		"embedded",
		"unix:/run/redis.sock",
		"redis://127.0.0.1:6379",
		"redis://h.example:1/15",
		"redis://[::1]:6379/0",
		"redis://user:pass@h:6379",
		"redis://:p@ss/w:rd@h:6379/2",
		"redis://user@h:6379",
	};
	static const struct {
		const char *value, *part;
	} bad[] = {
		{"rediss://h:1", "this form is not supported yet; embedded, redis://host:port/db"},
		{"sentinel://h:1/x", "not supported yet"},
		{"cluster://h:1", "not supported yet"},
		{"127.0.0.1:6379", "it must be embedded, redis://"},
		{"Embedded", "it must be embedded"},
		{"unix:x", "must be absolute"},
		{"redis://", "it needs a host and a port"},
		{"redis://h", "it needs a host and a port"},
		{"redis://h:", "it needs a host and a port"},
		{"redis://h:0", "it needs a host and a port"},
		{"redis://:6379", "it needs a host and a port"},
		{"redis://h:6379/x", "the number of a database"},
		{"redis://h:6379/", "the number of a database"},
		{"redis://::1:6379", "stands in brackets"},
		{"redis://a b:6379", "it needs a host"},
	};
	struct buf b;
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_clear(&b);
		buf_printf(&b, "redis: '%s'\n", good[i]);
		struct conf *c = parse(b.p);
		assert_str(c->redis.text, good[i]);
		assert_int_equal(c->redis_embedded, i == 0);
		conf_free(c);
		round_trip(b.p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&b);
		buf_printf(&b, "redis: '%s'\n", bad[i].value);
		refuse_one(b.p, bad[i].part);
	}
	buf_release(&b);
}

static void secrets_are_not_shown(void **state)
{
	(void)state;
	struct conf *c = parse("redis: 'redis://user:hunter2@h:6379/1'\n");
	assert_has(dump(c), "redis: \"redis://user:<secret>@h:6379/1\"\n");
	assert_null(strstr(dump(c).p, "hunter2"));
	conf_free(c);
	c = parse("redis: 'redis://:hun/t@er2@h:6379'\n");
	assert_has(dump(c), "redis: \"redis://:<secret>@h:6379\"\n");
	conf_free(c);
	/* nor in a message */
	refuse("redis: 'redis://user:hunter2@h'\n",
		"f.yml:1:8: 'redis': it needs a host and a port, as in redis://127.0.0.1:6379\n");
	refuse("redis: 'rediss://user:hunter2@h:1'\n",
		"f.yml:1:8: 'redis': this form is not supported yet; embedded, "
		"redis://host:port/db "
		"and unix:/path are\n");
}

static void names_are_checked(void **state)
{
	(void)state;
	refuse_one("worker: {pools: ['a b']}", "a pool's name has letters");
	refuse_one("worker: {pools: ['']}", "a pool's name has letters");
	refuse_one("worker: {pools: []}", "it must have from 1 to 64");
	refuse_one("namespace: 'a:b'", "it may have letters");
	refuse_one("namespace: 'a{b}'", "it may have letters");
	refuse_one("worker: {user: '-x'}", "it is no name of a user");
	refuse_one("worker: {user: 'a:b'}", "it is no name of a user");
	refuse_one("sources: {'a/b': {kind: x}}", "'sources' has 'a/b': a source's name has");
	refuse_one("sources: {a: {}}", "'sources.a' needs 'kind', as in {kind: alertmanager}");
	refuse_one("sources: {a: {kind: ''}}", "'sources.a.kind' must not be empty");
	refuse_one("sources: {a: {kind: [x]}}", "'sources.a.kind' is a list");
	refuse_one("sources: [a]", "'sources' must be a map");
	refuse_one("correlation: {by: [a]}", "'correlation' must be a list");
	refuse_one("correlation: [a]", "each policy is a map of match, by and window");
	refuse_one("correlation: [{window: 1s}]", "needs 'by', a list of labels");
	refuse_one("correlation: [{by: []}]", "needs 'by', a list of labels");
	refuse_one("correlation: [{by: [a], window: 0s}]",
		"'correlation.window' is 0s; it must be from 1s to 30d");
}

/* ---- files ---- */

static char folder[64];
static char path[128];

static void put(const char *text, mode_t mode)
{
	struct err e;
	snprintf(folder, sizeof(folder), "/tmp/rb-test-conf.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/runbookd.yml", folder);
	assert_int_equal(file_write_atomic(path, str_of(text), mode, &e), 0);
}

static void drop(void)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void loads_a_file(void **state)
{
	(void)state;
	char want[256];
	put("state_dir: state\nworker: {slots: 3}\n", 0644);
	struct conf *c = conf_load(path, &diags);
	assert_findings(&diags, "");
	assert_int_equal(c->worker.slots, 3);
	assert_str(c->path, path);
	assert_str(c->dir, folder);
	snprintf(want, sizeof(want), "%s/state", folder);
	assert_str(c->state_dir, want);
	conf_free(c);
	drop();
}

static void relative_paths_become_absolute(void **state)
{
	(void)state;
	char *here = getcwd(NULL, 0);
	put("worker: {slots: 3}\n", 0644);
	assert_int_equal(chdir(folder), 0);
	struct conf *c = conf_load("runbookd.yml", &diags);
	assert_str(c->path, path);
	assert_str(c->dir, folder);
	conf_free(c);
	assert_int_equal(chdir(here), 0);
	free(here);
	drop();
}

static void no_file(void **state)
{
	(void)state;
	struct conf *c = conf_load(NULL, &diags);
	assert_findings(&diags, "");
	assert_int_equal(c->worker.slots, 8);
	assert_str(c->path, "");
	conf_free(c);
	assert_null(conf_load("/nonexistent/x.yml", &diags));
	assert_findings(&diags, "/nonexistent/x.yml: cannot open '/nonexistent/x.yml': "
				"No such file or directory\n");
}

static void loose_mode_with_a_password_is_a_warning(void **state)
{
	(void)state;
	char want[400];
	put("redis: redis://:x@h:1\n", 0644);
	struct conf *c = conf_load(path, &diags);
	assert_non_null(c);
	snprintf(want, sizeof(want),
		"%s:1:8: warning: 'redis' has a password, and everyone may read this file; chmod "
		"o-r "
		"%s\n",
		path, path);
	assert_findings(&diags, want);
	conf_free(c);
	diags_release(&diags);
	assert_int_equal(chmod(path, 0640), 0);
	c = conf_load(path, &diags);
	assert_findings(&diags, "");
	conf_free(c);
	drop();
}

/* ---- changes and the manual ---- */

static void restarts(void **state)
{
	(void)state;
	struct conf *a = parse("redis: redis://:x@h:1\n");
	struct conf *b = parse("redis: redis://:y@h:1\nnamespace: n\nworker: {slots: 1}\n"
			       "http: {listen: ['127.0.0.1:1']}\nstate_dir: /x\n");
	conf_diff_restart(a, b, &diags);
	assert_int_equal(diags.errors, 0);
	assert_findings(&diags,
		"f.yml: warning: 'http.listen' was changed; restart runbookd for it to take "
		"effect\n"
		"f.yml: warning: 'redis' was changed; restart runbookd for it to take effect\n"
		"f.yml: warning: 'namespace' was changed; restart runbookd for it to take effect\n"
		"f.yml: warning: 'state_dir' was changed; restart runbookd for it to take "
		"effect\n");
	diags_release(&diags);
	conf_diff_restart(b, b, &diags);
	assert_findings(&diags, "");
	conf_free(a);
	conf_free(b);
}

static void manual_has_every_key(void **state)
{
	(void)state;
	conf_print_man(&out);
	assert_false(buf_failed(&out));
	for (size_t i = 0; i < conf_keys_n; i++) {
		char row[100];
		snprintf(row, sizeof(row), ".TP\n.B %s\n(", conf_keys[i].path);
		assert_has(buf_as_str(&out), row);
	}
	assert_has(buf_as_str(&out), "\n(size from 1KiB to 4GiB; default\n.BR \"64MiB\" )\n");
	assert_has(buf_as_str(&out), ".BR \"[\\(dq127.0.0.1:9911\\(dq]\" )\n");
	assert_has(buf_as_str(&out), "\n(one of always, everysec; default\n.BR \"always\" )\n");
	assert_has(buf_as_str(&out), "A change needs a restart.\n");
	/* no line that roff would take for a request but ours */
	for (const char *p = out.p; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (*p == '.')
			assert_true(strncmp(p, ".TP\n", 4) == 0 || strncmp(p, ".B ", 3) == 0 ||
				strncmp(p, ".BR ", 4) == 0 || strncmp(p, ".br\n", 4) == 0);
		assert_true(*p != '\'');
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(defaults_are_the_documented_ones), T(every_field_of_the_struct_is_in_the_table),
	T(table_is_sound), T(sections_stand_together), T(keys_that_need_a_restart),
	T(numbers_at_their_bounds), T(every_choice), T(awkward_texts), T(lists_and_maps),
	T(all_errors_at_once), T(unknown_keys), T(maintenance_windows), T(inhibit_rules), T(keys_of_later_versions), T(rates), T(auth_of_a_source), T(auth_that_contradicts_itself),
	T(lists_of_senders_have_limits), T(trusted_proxies), T(other_addresses), T(wrong_kinds_of_values),
	T(broken_yaml), T(tokens_are_read), T(tokens_with_errors), T(tokens_have_a_limit), T(listen_addresses), T(redis_forms), T(secrets_are_not_shown),
	T(names_are_checked), T(loads_a_file), T(relative_paths_become_absolute), T(no_file),
	T(loose_mode_with_a_password_is_a_warning), T(restarts), T(manual_has_every_key))
