/* json.h: JSON out (onto a struct buf) and in (yajl into an arena).
 *
 * Reading is strict and streaming: bytes come in pieces of any size, each value
 * is copied into the arena, and the defined answers to odd input are:
 * invalid UTF-8, a NUL or other control byte (a vertical tab or form feed between values, too), trailing bytes, depth over the
 * limit: refused with the byte offset. A key twice in one object: the last one
 * wins (as Go's encoding/json, which Alertmanager's own consumers use); the
 * earlier members are not in the tree.
 * Numbers keep their text; json_i64 says no where it does not fit. "\u0000" in
 * a string is kept as a NUL byte: a struct str has a length. Half of a surrogate
 * pair ("\ud800") becomes "?" (first half) or U+FFFD (second half), as yajl gives it.
 * Documented for users in docs/http-api.md.
 */
#ifndef RB_BASE_JSON_H
#define RB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* ---- writing ---- */
/* Commas are put by the writer. Nesting past this sets the buffer's sticky error; it is more
 * than a reader takes, so that what was read can be put inside. */
#define JSON_W_DEPTH 128

struct json_w {
	struct buf *out;
	unsigned depth;
	bool comma[JSON_W_DEPTH];
};

void json_w_init(struct json_w *w, struct buf *out);
void json_w_object(struct json_w *w);
void json_w_array(struct json_w *w);
void json_w_end(struct json_w *w, char bracket);	/* '}' or ']' */
void json_w_key(struct json_w *w, struct str key);
/* Invalid UTF-8 is written as U+FFFD. */
void json_w_str(struct json_w *w, struct str s);
void json_w_i64(struct json_w *w, int64_t v);
void json_w_double(struct json_w *w, double v);
void json_w_bool(struct json_w *w, bool v);
void json_w_null(struct json_w *w);
/* Bytes that are JSON already. */
void json_w_raw(struct json_w *w, struct str json);
/* "2026-…Z", or null for 0. */
void json_w_time_ms(struct json_w *w, int64_t ms);
/* Key and value in one. */
void json_w_kstr(struct json_w *w, const char *key, struct str s);
void json_w_ki64(struct json_w *w, const char *key, int64_t v);
void json_w_kbool(struct json_w *w, const char *key, bool v);
void json_w_kraw(struct json_w *w, const char *key, struct str json);
void json_w_ktime_ms(struct json_w *w, const char *key, int64_t ms);
/* Just the quoted string, without a writer. */
void json_quote(struct buf *out, struct str s);

/* ---- reading ---- */
enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json {
	enum json_kind kind;
	bool boolean;
	struct str text;	/* string: its bytes; number: as written */
	struct str key;		/* where it is a member of an object */
	struct json *child;	/* array, object: first element, in order */
	struct json *next;
	size_t count;		/* array, object: elements */
	size_t offset;		/* byte of the input where it ends (containers: where it begins) */
};

#define JSON_DEPTH_LIMIT 64
#define JSON_NODES_LIMIT 1000000	/* values of one document */

struct json_limits {
	unsigned depth;		/* default JSON_DEPTH_LIMIT, which is also the most */
	size_t nodes;		/* default JSON_NODES_LIMIT */
};

struct json_reader;		/* one document; a yajl handle inside */

/* lives in arena; *limits may be NULL. NULL: no memory. */
struct json_reader *json_reader_new(struct arena *a, const struct json_limits *limits);
/* 0, or -1 with e (ERR_INPUT or ERR_LIMIT). The offset counts the bytes read when the fault was
 * found: it is at the fault or at the end of the token at fault. After -1 the reader takes no
 * more. */
int json_reader_feed(struct json_reader *r, const char *p, size_t n, struct err *e);
/* The document, owned by the arena; NULL with e where it is incomplete or empty. */
struct json *json_reader_finish(struct json_reader *r, struct err *e);
/* Frees yajl's handle; the arena keeps the rest. */
void json_reader_free(struct json_reader *r);

/* The whole in one. */
struct json *json_parse(struct arena *a, struct str bytes, struct err *e);
struct json *json_parse_within(struct arena *a, const struct json_limits *limits, struct str bytes, struct err *e);

/* Member by name (the last one of that name); NULL where j is NULL, no object, or has none. */
const struct json *json_get(const struct json *j, const char *key);
const struct json *json_getn(const struct json *j, struct str key);
/* Dotted path, numbers index arrays: "data.a.b.0.c". */
const struct json *json_path(const struct json *j, struct str path);
/* The string, or STR_NONE where it is none. */
struct str json_str(const struct json *j);
bool json_i64(const struct json *j, int64_t *v);
const char *json_kind_name(enum json_kind kind);
/* Writes it back, compact, members in order (a doubled key: the last one only). */
void json_write(struct json_w *w, const struct json *j);

#endif
