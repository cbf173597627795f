/* fuzz_source.h: any bytes as a message to a kind of source, in pieces: an error, or events whose JSON reads back to the
 * same. */
#ifndef RB_TESTS_FUZZ_SOURCE_H
#define RB_TESTS_FUZZ_SOURCE_H

#include "fuzz.h"
#include "source/source.h"

static inline void fuzz_event(struct arena *a, const struct event *ev)
{
	struct buf one, two;
	struct json_w w;
	struct err e;
	struct event back;

	buf_init(&one, BUF_NO_LIMIT);
	buf_init(&two, BUF_NO_LIMIT);
	json_w_init(&w, &one);
	event_write_json(&w, ev);
	const struct json *j = json_parse(a, buf_as_str(&one), &e);
	FUZZ_MUST((j && event_read_json(a, j, &back, &e) == 0) || arena_failed(a));
	if (!arena_failed(a)) {
		json_w_init(&w, &two);
		event_write_json(&w, &back);
		FUZZ_MUST(str_eq(buf_as_str(&one), buf_as_str(&two)));
	}
	buf_release(&one);
	buf_release(&two);
}

/* rq: its source is the kind. */
static inline void fuzz_request(struct source_request rq, const uint8_t *data, size_t size)
{
	struct arena a;
	struct err e = {0};
	struct source_batch out;
	size_t piece = size ? 1 + data[size - 1] % 64 : 1;

	arena_init(&a, FUZZ_MEMORY);
	struct source_parse *p = source_begin(&a, source_kind_find(rq.source), &rq);
	for (size_t at = 0; at < size; at += piece)
		if (source_feed(p, (const char *)data + at, size - at < piece ? size - at : piece, &e) < 0)
			break;
	if (source_finish(p, &out, &e) == 0)
		for (size_t i = 0; i < out.n; i++)
			fuzz_event(&a, &out.events[i]);
	else
		FUZZ_MUST(e.code != ERR_NONE && e.text[0] && e.offset <= size);
	arena_release(&a);
}

/* header as struct source_request's; NULL: there are none. */
static inline void fuzz_source(const char *kind, struct str (*header)(void *ctx, const char *name), void *ctx,
	const uint8_t *data, size_t size)
{
	fuzz_request((struct source_request){.source = str_of(kind), .header = header, .ctx = ctx}, data, size);
}

#endif
