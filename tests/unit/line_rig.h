/* line_rig.h: what the tests of the decoders of lines share: a body in pieces through a kind, and
 * what came out as text. Included once a program, after unit.h. */
#ifndef RB_TESTS_LINE_RIG_H
#define RB_TESTS_LINE_RIG_H

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "line/decoder.h"

/* 2026-11-22T20:00:00Z: what times without a year are near to. */
#define RIG_NOW_NS (INT64_C(1795377600) * 1000000000)

struct line_rig {
	struct line_options options;
	struct buf out; /* a JSON object a line */
	size_t lines;
	struct err e;
};

static inline int rig_line(void *ctx, const struct line *l, struct err *e)
{
	struct line_rig *rig = ctx;
	struct json_w w;
	char time[CLOCK_RFC3339_MAX];

	(void)e;
	json_w_init(&w, &rig->out);
	json_w_object(&w);
	json_w_kstr(&w, "message", l->message);
	if (l->time_ns) {
		clock_format_ns(l->time_ns, time);
		json_w_kstr(&w, "time", str_of(time));
	}
	json_w_ki64(&w, "offset", (int64_t)l->offset);
	if (l->raw)
		json_w_kbool(&w, "raw", true);
	if (l->cut)
		json_w_kbool(&w, "cut", true);
	json_w_key(&w, STR("labels"));
	json_w_object(&w);
	for (size_t i = 0; i < l->labels_n; i++) {
		json_w_key(&w, l->labels[i].name);
		json_w_str(&w, l->labels[i].value);
	}
	json_w_end(&w, '}');
	json_w_end(&w, '}');
	buf_putc(&rig->out, '\n');
	rig->lines++;
	return 0;
}

static inline void rig_begin(struct line_rig *rig)
{
	*rig = (struct line_rig){.options = {.now_ns = RIG_NOW_NS}};
	buf_init(&rig->out, BUF_NO_LIMIT);
}

static inline void rig_end(struct line_rig *rig)
{
	buf_release(&rig->out);
}

/* The first piece has `first` bytes, the others `piece`. What came out is in rig->out; 0, or -1
 * with rig->e. */
static inline int rig_cut(struct line_rig *rig, const struct line_kind *kind, struct str body,
	size_t first, size_t piece)
{
	struct line_sink sink = {rig_line, rig};
	struct line_decoder *d;
	int rc = 0;

	buf_clear(&rig->out);
	rig->lines = 0;
	rig->e = (struct err){0};
	d = kind->new (&rig->options, &sink, &rig->e);
	assert_non_null(d);
	for (size_t at = 0, n = first; at < body.n && rc == 0; at += n, n = piece) {
		n = body.n - at < n ? body.n - at : n;
		if (n > 0) { /* exactly as long as the piece, so that a sanitizer sees a read past
				its end */
			char *p = malloc(n);

			assert_non_null(p);
			memcpy(p, body.p + at, n);
			rc = kind->feed(d, (struct str){p, n}, &rig->e);
			free(p);
		}
	}
	if (rc == 0)
		rc = kind->finish(d, &rig->e);
	kind->free(d);
	return rc;
}

static inline int rig_take(struct line_rig *rig, const struct line_kind *kind, struct str body)
{
	return rig_cut(rig, kind, body, body.n, body.n);
}

/* One body, which must be taken: what comes of it. */
static inline struct str rig_taken(
	struct line_rig *rig, const struct line_kind *kind, struct str body)
{
	if (rig_take(rig, kind, body) != 0)
		fail_msg("refused at %zu: %s", rig->e.offset, rig->e.text);
	return buf_as_str(&rig->out);
}

static inline void rig_refused(struct line_rig *rig, const struct line_kind *kind, struct str body,
	enum err_code code, size_t offset, const char *want)
{
	if (rig_take(rig, kind, body) == 0)
		fail_msg("taken: %.*s", (int)(body.n < 300 ? body.n : 300), body.p);
	assert_has(str_of(rig->e.text), want);
	assert_int_equal(rig->e.code, code);
	assert_int_equal(rig->e.offset, offset);
}

/* The same comes out wherever the body is cut in two, and byte by byte. */
static inline void rig_every_cut(
	struct line_rig *rig, const struct line_kind *kind, struct str body)
{
	struct str whole = rig_taken(rig, kind, body);
	char *want = strndup(whole.p ? whole.p : "", whole.n);

	assert_non_null(want);
	for (size_t first = 0; first <= body.n; first++) {
		if (rig_cut(rig, kind, body, first ? first : 1, first ? body.n : 1) != 0)
			fail_msg("cut at %zu: refused at %zu: %s", first, rig->e.offset,
				rig->e.text);
		if (!str_is(buf_as_str(&rig->out), want))
			fail_msg("cut at %zu:\n%.*s\nwhole:\n%s", first,
				STR_ARG(buf_as_str(&rig->out)), want);
	}
	free(want);
}

#endif
