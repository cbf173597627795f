/* outq.c: a queue of lines in two arrays: the texts one after the other, and where each ends.
 *
 * A batch is only looked at until outq_drop, so that it can be sent again as it was. No line is
 * lost or changes its place; a line may reach Redis twice when an answer was lost on the way.
 */
#include <stdlib.h>
#include <string.h>
#include "run/outq.h"

void outq_init(struct outq *q)
{
	*q = (struct outq){0};
	buf_init(&q->text, BUF_NO_LIMIT);
}

void outq_release(struct outq *q)
{
	buf_release(&q->text);
	free(q->lines);
}

bool outq_add(struct outq *q, bool is_stderr, int64_t time_ms, struct str text)
{
	if (q->n == q->cap) {
		size_t cap = q->cap ? q->cap * 2 : 64;
		struct outq_line *v = reallocarray(q->lines, cap, sizeof(*v));
		if (!v)
			return false;
		q->lines = v;
		q->cap = cap;
	}
	buf_str(&q->text, text);
	if (buf_failed(&q->text)) {
		q->text.failed =
			false; /* what is in it is whole: an append that fails adds nothing */
		return false;
	}
	q->lines[q->n++] = (struct outq_line){time_ms, text.n, is_stderr};
	return true;
}

size_t outq_batch(struct outq *q, struct store_line *out, size_t max, size_t max_bytes)
{
	size_t n = 0, at = 0;

	while (n < q->n && n < max && (n == 0 || at + q->lines[n].n <= max_bytes)) {
		const struct outq_line *l = &q->lines[n];
		out[n++] = (struct store_line){l->time_ms, l->is_stderr, {q->text.p + at, l->n}};
		at += l->n;
	}
	q->taken = n;
	return n;
}

void outq_drop(struct outq *q)
{
	size_t bytes = 0;

	for (size_t i = 0; i < q->taken; i++)
		bytes += q->lines[i].n;
	buf_consume(&q->text, bytes);
	q->n -= q->taken;
	if (q->n)
		memmove(q->lines, q->lines + q->taken, q->n * sizeof(*q->lines));
	q->taken = 0;
}
