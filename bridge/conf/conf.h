/* conf.h: runbookd.yml as a value.
 *
 * One declaration of every key, conf_table.c (name, type, unit, default, limits, sentence), feeds
 * the parser, --dump-config, the manual page and this struct's defaults. Every key has a default: an
 * empty file is valid. Loading reports all errors at once; a struct conf that was loaded is complete
 * and never changed: reload makes a new one.
 */
#ifndef RB_CONF_CONF_H
#define RB_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/log.h"
#include "base/str.h"

/* A text of the file with the place to blame for it later (matchers are parsed by rule/). */
struct conf_text {
	struct str text;
	int line, column;
};

struct conf_list {
	struct conf_text *v;
	size_t n;
};

/* A map of texts. */
struct conf_pair {
	struct str name;
	struct conf_text value;
};

struct conf_pairs {
	struct conf_pair *v;
	size_t n;
};

#define CONF_PAIRS_MAX 64 /* of one map */

struct conf_correlation {
	struct conf_list match;	/* matchers, all must hold; n == 0: every alert */
	struct conf_list by;	/* left sides of matchers */
	int64_t window_ms;
};

/* An entry of `maintenance`: from until until, or every week on these days from at on for for. */
struct conf_window {
	struct str name;
	struct conf_list match;	/* matchers, all must hold; n == 0: every event */
	int64_t from_ms, until_ms;	/* since 1970; both 0: every week */
	unsigned days;		/* bits, Monday is the lowest */
	int64_t at_ms, for_ms;	/* at: since midnight, UTC */
	int line, column;
};

/* An entry of `inhibit`, as Alertmanager's inhibit_rules have it. */
struct conf_inhibit {
	struct conf_list source, target;	/* matchers, all must hold */
	struct conf_list equal;			/* left sides of matchers */
	int line, column;
};

/* At most `count` within any `per_ms`; count 0: no limit (`none`). */
struct conf_rate {
	int64_t count;
	int64_t per_ms;
};

/* Which words of a sender mean what. */
struct conf_status {
	struct conf_text path;
	struct conf_list firing, resolved;	/* both n == 0: the words that everybody uses */
};

/* `map` of a source: how a message that no kind knows is read. Texts are paths, literals or templates
 * (flow/bind_map.h); text.p == NULL where one is not given. */
struct conf_map {
	bool given;
	int line, column;
	struct conf_text each, type, severity, summary, starts_at, ends_at;
	struct conf_status status;
	struct conf_list fingerprint;
	struct conf_pairs labels, annotations;
};

/* How a sender shows who it is. */
enum conf_auth_kind {
	CONF_AUTH_NONE,
	CONF_AUTH_TOKEN,	/* one of `tokens` */
	CONF_AUTH_BEARER,
	CONF_AUTH_BASIC,
	CONF_AUTH_HMAC,
	CONF_AUTH_STANDARD_WEBHOOKS,
	CONF_AUTH_GITHUB,
	CONF_AUTH_PAGERDUTY,
	CONF_AUTH_SNS,
	CONF_AUTH_CLIENT_CERT,
};

enum conf_algorithm {
	CONF_SHA1,
	CONF_SHA256,
	CONF_SHA512,
};

/* `auth` of a source. What does not belong to its kind is empty. */
struct conf_auth {
	enum conf_auth_kind kind;
	struct conf_list secrets;	/* absolute paths of files, each with one that holds */
	struct str user;
	struct str header, prefix;	/* of the signature */
	struct str timestamp_header;	/* "": the body alone is signed */
	enum conf_algorithm algorithm;
	int64_t tolerance_ms;	/* of the time that is signed, either way */
	struct conf_list names;	/* that a client's certificate may have */
	struct conf_list sns_topics;
	struct conf_list allow;	/* ranges of addresses (base/cidr.h); none: all */
	int line, column;
};

/* Does it say who may send? */
bool conf_has_auth(const struct conf_auth *auth);
/* Does a line of a log count at its own time? */
enum conf_time {
	CONF_TIME_BOUNDED,	/* where that is within logs.max_age and logs.max_ahead */
	CONF_TIME_TRUST,	/* always */
};

struct conf_source {
	struct str name;
	struct str kind;
	enum conf_time time;	/* of kind logs */
	struct conf_rate rate;	/* of its requests; count 0: no limit */
	struct conf_auth auth;
	struct conf_pairs labels; /* by name, a template each: what its events' labels become */
	struct conf_map map;
	int line, column;
};

/* Absolute paths; all empty: connections are plain. */
struct conf_tls {
	struct str cert, key; /* PEM */
	struct str client_ca; /* "": clients are not asked for certificates */
	int line, column;
};

#define CONF_UNIX "unix" /* in http.trusted_proxies: whoever connects over a unix socket */

/* What a token may do. admin holds operate, operate holds read; ingest stands apart. */
enum conf_scope {
	CONF_SCOPE_INGEST = 1 << 0,	/* to every source */
	CONF_SCOPE_READ = 1 << 1,
	CONF_SCOPE_OPERATE = 1 << 2,
	CONF_SCOPE_ADMIN = 1 << 3,
};

#define CONF_TOKEN_HASH 32	/* bytes of a SHA-256 */

/* A token is known by its hash alone. */
struct conf_token {
	struct str name;
	unsigned char hash[CONF_TOKEN_HASH];
	unsigned scopes;	 /* enum conf_scope */
	struct conf_list ingest; /* the names of `ingest:NAME` */
	int line, column;
};

enum conf_redis_fsync {
	CONF_FSYNC_ALWAYS,
	CONF_FSYNC_EVERYSEC,
};

struct conf {
	struct arena arena;	/* owns everything below */
	struct str path;	/* the file, absolute; "" where there was none */
	struct str dir;		/* its folder: relative paths start here */

	struct {
		struct conf_list listen;	/* "host:port" or "unix:/path" */
		int64_t body_limit;		/* bytes */
		int64_t connection_limit;
		int64_t connections_per_address;
		int64_t connections_kept;
		int64_t request_timeout_ms;
		struct conf_tls tls;
		struct conf_list trusted_proxies;	/* ranges of addresses, or CONF_UNIX */
	} http;
	struct {
		struct conf_list listen;	/* as http.listen; n == 0: nobody listens */
		struct conf_tls tls;
		struct str source;		/* whose lines they are */
		int64_t connection_limit;
		int64_t connections_per_address;
		int64_t idle_timeout_ms;
	} syslog;
	struct conf_text redis;		/* embedded | redis://… | unix:/path */
	bool redis_embedded;
	enum conf_redis_fsync redis_fsync;
	int64_t redis_slow_after_ms;	/* redis_slow_after: answer 503 where Redis takes longer (default 800ms) */
	struct str namespace_;
	struct str state_dir;		/* absolute */
	struct conf_list rules;		/* globs */
	struct conf_list patterns;	/* globs */
	struct conf_list runbooks;	/* folders */
	struct conf_list contracts;	/* globs */
	struct conf_list topology;	/* globs */
	struct {
		bool enabled;
		struct conf_list pools;
		int64_t slots;
		struct str user;
		int64_t lease_ms;	/* worker.lease: a run whose worker was silent this long is taken from it (15s) */
		int64_t grace_ms;	/* worker.grace: time for running runs when stopping (30s) */
	} worker;
	struct conf_correlation *correlation;
	size_t correlation_n;
	struct conf_list changes;	/* matchers: an event that one holds for is a change */
	struct {
		int64_t reopen_window_ms;
		int64_t stale_after_ms;
		int64_t retention_ms;
		int64_t occurrence_skew_ms;
	} incidents;
	struct {
		int64_t transitions;	/* of an alert's state */
		int64_t window_ms;
	} flapping;
	struct {
		struct conf_rate runs, hosts;	/* over all rules */
		int64_t chain_depth;
		int64_t delivery_window_ms;
		int64_t gate_late_ms;
		int64_t gates;
		int64_t queue;
		int64_t queue_ttl_ms;
		int64_t match_limit;	/* limits.match_limit: PCRE2's, a match (100000) */
		int64_t match_budget;	/* limits.match_budget: an event (150000); 0: none */
	} limits;
	struct {
		int64_t line_limit;	/* bytes of a line */
		int64_t max_age_ms, max_ahead_ms;	/* of its time */
	} logs;
	struct {
		struct str ca_file;	/* sns.ca_file: absolute; "": whom the system trusts */
		struct str connect_to;	/* sns.connect_to: host:port; "": the URL's own */
	} sns;
	struct conf_window *maintenance;
	size_t maintenance_n;
	struct conf_inhibit *inhibit;
	size_t inhibit_n;
	struct conf_source *sources;
	size_t sources_n;
	struct conf_token *tokens;
	size_t tokens_n;
	int64_t audit_retention_ms;
	struct {
		enum log_format format;	/* log.format: logfmt | json */
		enum log_level level;	/* log.level */
	} log;
};

/* Reads `path` (NULL or "": only defaults). NULL where d got an error. The caller owns the result. */
struct conf *conf_load(const char *path, struct diags *d);
/* The same, but where d got an error, what could be read, and defaults for the rest: only to look for errors in what it
 * names. NULL: nothing could, or not where rules and runbooks are. */
struct conf *conf_load_some(const char *path, struct diags *d);
/* The same as conf_load from bytes; dir is what relative paths start at. For tests and fuzzers. */
struct conf *conf_parse(struct str bytes, const char *name, const char *dir, struct diags *d);
void conf_free(struct conf *c);

/* Is there an address in http.listen that other machines can reach? */
bool conf_listens_elsewhere(const struct conf *c);

/* --dump-config: YAML with every key, which parses back to the same. */
void conf_dump(const struct conf *c, struct buf *out);
/* What stands behind `correlation:` of such a configuration; without a newline at its end. */
void conf_put_policies(struct buf *out, const struct conf_correlation *v, size_t n);
/* The table as roff, for runbookd.yml(5). */
void conf_print_man(struct buf *out);

/* For each key whose change needs a restart (conf_keys[].restart) and differs: one warning. */
void conf_diff_restart(const struct conf *old, const struct conf *now, struct diags *d);

#endif
