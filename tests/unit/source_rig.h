/* source_rig.h: what the tests of the kinds of senders share: a request in pieces through a kind,
 * what it gives as lines, and the golden files of tests/golden/KIND: a body NAME.json, its events
 * in NAME.ndjson.
 *
 * Included once a program, after unit.h; before it RIG_KIND is defined, RIG_SOURCE where the source
 * has another name, and RIG_NOW_MS where the kind looks at the time. `rig` is the program's, and
 * TEST(f) a test that finds it as new. */
#ifndef RB_TESTS_SOURCE_RIG_H
#define RB_TESTS_SOURCE_RIG_H

#include <dirent.h>
#include <strings.h>
#include "base/file.h"
#include "source/source.h"

#ifndef RIG_SOURCE
#define RIG_SOURCE RIG_KIND
#endif
#ifndef RIG_NOW_MS
#define RIG_NOW_MS 0
#endif
#define RIG_ARENA ((size_t)256 << 20)
#define RIG_PIECE 4096

struct source_rig {
	const char *kind, *source;
	const struct kv *headers; /* ended by a name of no bytes; NULL: none */
	int64_t now_ms;		  /* 0: not known */
	struct arena arena;
};

static struct source_rig rig;

static int rig_begin(void **state)
{
	(void)state;
	rig = (struct source_rig){.kind = RIG_KIND, .source = RIG_SOURCE, .now_ms = RIG_NOW_MS};
	arena_init(&rig.arena, RIG_ARENA);
	return 0;
}

static int rig_end(void **state)
{
	(void)state;
	arena_release(&rig.arena);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_begin, rig_end)

/* ---- a request ---- */

static inline struct str rig_header(void *ctx, const char *name)
{
	const struct source_rig *r = ctx;

	for (const struct kv *h = r->headers; h && h->name.n; h++) {
		if (h->name.n == strlen(name) && strncasecmp(h->name.p, name, h->name.n) == 0)
			return h->value;
	}
	return STR_NONE;
}

static inline void rig_headers(
	void *ctx, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	const struct source_rig *r = ctx;

	for (const struct kv *h = r->headers; h && h->name.n; h++)
		take(arg, h->name, h->value);
}

static inline struct source_request rig_request(struct source_rig *r)
{
	return (struct source_request){.source = str_of(r->source),
		.now_ms = r->now_ms,
		.header = rig_header,
		.headers = rig_headers,
		.ctx = r};
}

/* Ends p. */
static inline int rig_feed(struct source_parse *p, struct str body, size_t piece,
	struct source_batch *out, struct err *e)
{
	*e = (struct err){0};
	if (!p)
		return err_set(e, ERR_LIMIT, "no memory");
	for (size_t at = 0; at < body.n; at += piece)
		if (source_feed(p, body.p + at, body.n - at < piece ? body.n - at : piece, e) < 0)
			break;
	return source_finish(p, out, e);
}

static inline int rig_take(struct source_rig *r, struct str body, size_t piece,
	struct source_batch *out, struct err *e)
{
	struct source_request rq = rig_request(r);

	return rig_feed(source_begin(&r->arena, source_kind_find(str_of(r->kind)), &rq), body,
		piece, out, e);
}

static inline struct source_batch rig_taken(struct source_rig *r, struct str body)
{
	struct source_batch out;
	struct err e;

	if (rig_take(r, body, RIG_PIECE, &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static inline struct event *rig_one(struct source_rig *r, struct str body)
{
	struct source_batch out = rig_taken(r, body);

	assert_int_equal(out.n, 1);
	return out.events;
}

static inline void rig_refused(
	struct source_rig *r, struct str body, enum err_code code, const char *want)
{
	struct source_batch out;
	struct err e;

	if (rig_take(r, body, RIG_PIECE, &out, &e) == 0)
		fail_msg("taken: %.*s", (int)(body.n < 300 ? body.n : 300), body.p);
	assert_has(str_of(e.text), want);
	assert_int_equal(e.code, code);
	assert_true(e.offset <= body.n);
}

/* ---- a request as bytes: a line, headers, an empty line, the body; CRLF or LF ---- */

#define RIG_HEADERS_MAX 64

/* Its headers are the rig's from now on; the body. */
static inline struct str rig_http(struct source_rig *r, struct str s)
{
	struct kv *headers = arena_array(&r->arena, RIG_HEADERS_MAX + 1, sizeof(*headers));
	const char *p = memchr(s.p, '\n', s.n);
	size_t seen = 0;

	assert_non_null(p);
	r->headers = headers;
	for (p++;;) {
		const char *eol = memchr(p, '\n', (size_t)(s.p + s.n - p));
		assert_non_null(eol);
		size_t n = (size_t)(eol - p) - (eol > p && eol[-1] == '\r');
		const char *colon = memchr(p, ':', n);
		if (!colon) {
			headers[seen] = (struct kv){STR(""), STR("")};
			return (struct str){eol + 1, (size_t)(s.p + s.n - eol - 1)};
		}
		const char *value = colon + 1 + strspn(colon + 1, " ");
		assert_true(seen < RIG_HEADERS_MAX);
		headers[seen++] =
			(struct kv){{p, (size_t)(colon - p)}, {value, (size_t)(p + n - value)}};
		p = eol + 1;
	}
}

/* ---- files ---- */

static inline struct str rig_file(struct source_rig *r, const char *path)
{
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str s = arena_strdup(&r->arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static inline struct str rig_golden(struct source_rig *r, const char *name, const char *extension)
{
	return rig_file(
		r, arena_printf(&r->arena, "%s/%s/%s%s", GOLDEN_DIR, r->kind, name, extension).p);
}

static inline void rig_put_event(struct buf *b, const struct event *ev)
{
	struct json_w w;

	json_w_init(&w, b);
	event_write_json(&w, ev);
	buf_putc(b, '\n');
}

/* Is it what NAME.ndjson says? Releases b. */
static inline void rig_is_golden(struct source_rig *r, const char *name, struct buf *b)
{
	struct str want = rig_golden(r, name, ".ndjson");

	if (!str_eq(buf_as_str(b), want))
		fail_msg("%s:\ngot  %.*s\nwant %.*s", name, STR_ARG(buf_as_str(b)), STR_ARG(want));
	buf_release(b);
}

static inline struct source_batch rig_taken_golden(
	struct source_rig *r, const char *name, struct str body, size_t piece)
{
	struct source_batch out;
	struct err e;

	if (rig_take(r, body, piece, &out, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	return out;
}

static inline void rig_compare(struct source_rig *r, const char *name, size_t piece)
{
	struct source_batch out = rig_taken_golden(r, name, rig_golden(r, name, ".json"), piece);
	struct buf b;
	struct json_w w;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < out.n; i++) {
		json_w_init(&w, &b);
		json_w_object(&w);
		json_w_kstr(&w, "delivery", out.events[i].delivery);
		json_w_key(&w, STR("event"));
		event_write_json(&w, &out.events[i]);
		json_w_end(&w, '}');
		buf_putc(&b, '\n');
	}
	rig_is_golden(r, name, &b);
}

/* Each golden body of that extension, whole and byte by byte; how many. */
static inline unsigned rig_each_golden(struct source_rig *r, const char *extension,
	void (*compare)(struct source_rig *r, const char *name, size_t piece))
{
	struct str path = arena_printf(&r->arena, "%s/%s", GOLDEN_DIR, r->kind);
	DIR *d = opendir(path.p);
	struct dirent *f;
	unsigned seen = 0;

	assert_non_null(d);
	while ((f = readdir(d))) {
		char *dot = strrchr(f->d_name, '.');
		if (!dot || strcmp(dot, extension) != 0)
			continue;
		*dot = '\0';
		compare(r, f->d_name, 1 << 20);
		compare(r, f->d_name, 1);
		seen++;
	}
	closedir(d);
	return seen;
}

static inline unsigned rig_golden_files(struct source_rig *r)
{
	return rig_each_golden(r, ".json", rig_compare);
}

#endif
