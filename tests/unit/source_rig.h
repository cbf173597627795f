/* source_rig.h: what the tests of the kinds of senders share: a body in pieces through a kind, and the golden files of
 * tests/golden/KIND: NAME.json gives exactly the events in NAME.ndjson. Included once a program, after unit.h. */
#ifndef RB_TESTS_SOURCE_RIG_H
#define RB_TESTS_SOURCE_RIG_H

#include <dirent.h>
#include <strings.h>
#include "base/file.h"
#include "source/source.h"

struct source_rig {
	const char *kind;
	const struct kv *headers;	/* ended by a name of no bytes; NULL: none */
	int64_t now_ms;			/* 0: not known */
	struct arena arena;
};

static inline struct str rig_header(void *ctx, const char *name)
{
	const struct source_rig *rig = ctx;

	for (const struct kv *h = rig->headers; h && h->name.n; h++) {
		if (h->name.n == strlen(name) && strncasecmp(h->name.p, name, h->name.n) == 0)
			return h->value;
	}
	return STR_NONE;
}

static inline int rig_take(struct source_rig *rig, struct str body, size_t piece, struct source_batch *out, struct err *e)
{
	struct source_request rq = {.source = str_of(rig->kind), .now_ms = rig->now_ms, .header = rig_header, .ctx = rig};
	struct source_parse *p = source_begin(&rig->arena, source_kind_find(str_of(rig->kind)), &rq);

	*e = (struct err){0};
	if (!p)
		return err_set(e, ERR_LIMIT, "no memory");
	for (size_t at = 0; at < body.n; at += piece)
		if (source_feed(p, body.p + at, body.n - at < piece ? body.n - at : piece, e) < 0)
			break;
	return source_finish(p, out, e);
}

static inline struct source_batch rig_taken(struct source_rig *rig, struct str body)
{
	struct source_batch out;
	struct err e;

	if (rig_take(rig, body, 4096, &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static inline void rig_refused(struct source_rig *rig, struct str body, enum err_code code, const char *want)
{
	struct source_batch out;
	struct err e;

	if (rig_take(rig, body, 4096, &out, &e) == 0)
		fail_msg("taken: %.*s", (int)(body.n < 300 ? body.n : 300), body.p);
	assert_has(str_of(e.text), want);
	assert_int_equal(e.code, code);
	assert_true(e.offset <= body.n);
}

static inline struct str rig_file(struct source_rig *rig, const char *path)
{
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str s = arena_strdup(&rig->arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static inline struct str rig_golden(struct source_rig *rig, const char *name, const char *extension)
{
	return rig_file(rig, arena_printf(&rig->arena, "%s/%s/%s%s", GOLDEN_DIR, rig->kind, name, extension).p);
}

static inline void rig_compare(struct source_rig *rig, const char *name, size_t piece)
{
	struct str body = rig_golden(rig, name, ".json"), want = rig_golden(rig, name, ".ndjson");
	struct source_batch out;
	struct err e;
	struct buf b;
	struct json_w w;

	if (rig_take(rig, body, piece, &out, &e) < 0)
		fail_msg("%s: %s", name, e.text);
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
	if (!str_eq(buf_as_str(&b), want))
		fail_msg("%s:\ngot  %.*s\nwant %.*s", name, STR_ARG(buf_as_str(&b)), STR_ARG(want));
	buf_release(&b);
}

/* All golden files of the kind, whole and byte by byte; how many. */
static inline unsigned rig_golden_files(struct source_rig *rig)
{
	struct str path = arena_printf(&rig->arena, "%s/%s", GOLDEN_DIR, rig->kind);
	DIR *d = opendir(path.p);
	struct dirent *f;
	unsigned seen = 0;

	assert_non_null(d);
	while ((f = readdir(d))) {
		char *dot = strrchr(f->d_name, '.');
		if (!dot || strcmp(dot, ".json") != 0)
			continue;
		*dot = '\0';
		rig_compare(rig, f->d_name, 1 << 20);
		rig_compare(rig, f->d_name, 1);
		seen++;
	}
	closedir(d);
	return seen;
}

#endif
