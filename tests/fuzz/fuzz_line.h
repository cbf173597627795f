/* fuzz_line.h: any bytes as a body of lines: an error with its place, or the same lines however the
 * body is cut. */
#ifndef RB_TESTS_FUZZ_LINE_H
#define RB_TESTS_FUZZ_LINE_H

#include "fuzz.h"
#include "base/hash.h"
#include "line/decoder.h"
#include "line/syslog.h"

#define FUZZ_LINE_LIMIT 64 /* so that lines are cut, too */
#define FUZZ_NOW_NS (INT64_C(1795377600) * 1000000000)

struct fuzz_lines {
	uint64_t hash, lines;
};

static inline void fuzz_add(struct fuzz_lines *l, struct str s)
{
	l->hash = hash_fnv1a(l->hash ^ s.n, s.p, s.n);
}

static inline int fuzz_line(void *ctx, const struct line *l, struct err *e)
{
	struct fuzz_lines *lines = ctx;
	struct arena a;
	struct line out;

	(void)e;
	arena_init(&a, FUZZ_MEMORY);
	FUZZ_MUST(l->message.n <= FUZZ_LINE_LIMIT && l->labels_n <= LINE_LABELS_LIMIT);
	fuzz_add(lines, l->message);
	lines->hash ^= (uint64_t)l->time_ns + l->offset;
	for (size_t i = 0; i < l->labels_n; i++) {
		FUZZ_MUST(l->labels[i].name.n > 0 && l->labels[i].value.n <= FUZZ_LINE_LIMIT);
		fuzz_add(lines, l->labels[i].name);
		fuzz_add(lines, l->labels[i].value);
	}
	FUZZ_MUST(line_split(&a, l, FUZZ_NOW_NS, &out));
	FUZZ_MUST(out.labels_n >= l->labels_n && out.message.n <= l->message.n && !out.raw);
	lines->lines++;
	arena_release(&a);
	return 0;
}

static inline int fuzz_body(const struct line_kind *kind, const uint8_t *data, size_t size,
	size_t piece, struct fuzz_lines *lines)
{
	struct line_report report = {0};
	struct line_options o = {
		.line_limit = FUZZ_LINE_LIMIT, .now_ns = FUZZ_NOW_NS, .report = &report};
	struct line_sink sink = {fuzz_line, lines};
	struct err e = {0};
	struct line_decoder *d = kind->new (&o, &sink, &e);
	int rc = 0;

	FUZZ_MUST(d);
	*lines = (struct fuzz_lines){.hash = HASH_FNV1A_START};
	for (size_t at = 0; at < size && rc == 0; at += piece)
		rc = kind->feed(d,
			(struct str){
				(const char *)data + at, size - at < piece ? size - at : piece},
			&e);
	if (rc == 0)
		rc = kind->finish(d, &e);
	kind->free(d);
	FUZZ_MUST(rc == 0 || (e.code != ERR_NONE && e.text[0] && e.offset <= size));
	FUZZ_MUST(report.refused <= report.items);
	return rc;
}

static inline void fuzz_kind(const struct line_kind *kind, const uint8_t *data, size_t size)
{
	struct fuzz_lines whole, pieces;
	size_t piece = size ? 1 + data[size - 1] % 16 : 1;
	int rc = fuzz_body(kind, data, size, size ? size : 1, &whole);

	FUZZ_MUST(fuzz_body(kind, data, size, piece, &pieces) == rc);
	FUZZ_MUST(whole.lines == pieces.lines && whole.hash == pieces.hash);
}

#endif
