/* conf_table.h: the keys of runbookd.yml, as data. For the files of this folder and its tests. */
#ifndef RB_CONF_CONF_TABLE_H
#define RB_CONF_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/diag.h"
#include "base/str.h"

struct conf;

enum conf_type {
	CONF_BOOL,	/* bool */
	CONF_INT,	/* int64_t */
	CONF_DURATION,	/* int64_t, ms */
	CONF_SIZE,	/* int64_t, bytes */
	CONF_CHOICE,	/* an enum: the index into choices */
	CONF_TEXT,	/* struct str */
	CONF_PATH,	/* struct str, made absolute */
	CONF_PLACED,	/* struct conf_text */
	CONF_LIST,	/* struct conf_list */
	CONF_RATE,	/* struct conf_rate; the bounds are those of count */
	CONF_TLS,	/* struct conf_tls */
	CONF_POLICIES,	/* correlation and correlation_n */
	CONF_WINDOWS,	/* maintenance and maintenance_n */
	CONF_INHIBITS,	/* inhibit and inhibit_n */
	CONF_SOURCES,	/* sources and sources_n */
	CONF_TOKENS,	/* tokens and tokens_n */
};

/* NULL where s is good, else what is to be said of it: "must be …". */
typedef const char *conf_check(struct str s);

struct conf_key {
	const char *path;	/* "http.listen"; keys of one section stand together */
	enum conf_type type;
	size_t offset;		/* in struct conf */
	const char *initial;	/* the default, as it would stand in the file */
	/* Both 0: no bounds. Of a number its value; of a text its length; of a list its length. */
	int64_t min, max;
	conf_check *check;	/* of a text, or of each text of a list; or NULL */
	const char *const *choices;	/* ends with NULL */
	bool restart;		/* a change takes effect after a restart */
	const char *sentence;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

/* What struct conf_correlation, struct conf_source and struct conf_rate are bound by. */
#define CONF_POLICIES_MAX 32
#define CONF_PLANNED_MAX 100 /* entries of maintenance, and of inhibit */
#define CONF_WINDOW_NAME_MAX 64
#define CONF_WINDOW_FOR_MIN_MS INT64_C(1000)
#define CONF_WINDOW_FOR_MAX_MS (INT64_C(7) * 86400000)
#define CONF_CHANGES_MAX 64
#define CONF_SOURCES_MAX 256
#define CONF_TOKENS_MAX 256
#define CONF_SCOPES_MAX 64 /* of one token */
#define CONF_SECRETS_MAX 8 /* of one source */
#define CONF_RANGES_MAX 256 /* of addresses, of one list */
#define CONF_CERT_NAMES_MAX 64 /* of one source */
#define CONF_TOLERANCE_MIN_MS INT64_C(1000)
#define CONF_TOLERANCE_MAX_MS INT64_C(3600000)
#define CONF_TOLERANCE_MS INT64_C(300000)
#define CONF_RANGE_LIKE "it must be an address, or a range of them as in 10.0.0.0/8 or 2001:db8::/32"
#define CONF_PER_MIN_MS INT64_C(1000)
#define CONF_PER_MAX_MS (INT64_C(30) * 86400000)
#define CONF_WINDOW_MIN_MS INT64_C(1000)
#define CONF_WINDOW_MAX_MS (INT64_C(30) * 86400000)
#define CONF_WINDOW_MS INT64_C(600000)

conf_check conf_check_listen;
/* Is it loopback, or a unix socket? Of a text that conf_check_listen takes. */
bool conf_listen_is_local(struct str s);
conf_check conf_check_redis;
conf_check conf_check_pool;
conf_check conf_check_namespace;
conf_check conf_check_user;
conf_check conf_check_source;
conf_check conf_check_token;
conf_check conf_check_filled;
conf_check conf_check_header;
conf_check conf_check_proxy;

/* The parser behind conf_parse and conf_load: name is for findings, path is the conf's. some: as conf_load_some. */
struct conf *conf_build(struct str bytes, const char *name, const char *path, const char *dir,
	bool some, struct diags *d);

/* Where the password of a redis:// URL is; n == 0 where it has none. */
struct str conf_redis_password(struct str url);

#endif
