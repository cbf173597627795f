/* buf.c: one growing piece of memory with a hard limit and a sticky error.
 *
 * Guarantee: n <= limit and p[n] == 0 at all times while p is set. An append is whole or not
 * at all; after the first one that failed, nothing is appended until buf_clear, so what is held
 * is always a beginning of what was asked for.
 *
 * Memory grows by doubling and is kept by buf_clear. Text moves when it grows: what
 * buf_as_str gave out ends with the next append.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_FIRST 256

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit};
}

void buf_release(struct buf *b)
{
	free(b->p);
	buf_init(b, b->limit);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_release(b);
	else
		buf_clear(b);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = '\0';
}

static char *grow(struct buf *b, size_t n)
{
	size_t need = b->n + n + 1;
	size_t cap = b->cap ? b->cap : CAP_FIRST;
	while (cap < need)
		cap *= 2;
	if (cap - 1 > b->limit)
		cap = b->limit + 1;
	char *p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	b->p[b->n] = '\0';
	return p;
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->failed)
		return NULL;
	if (n > b->limit - b->n) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->n <= n && !grow(b, n))
		return NULL;
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	assert(b->p && n < b->cap - b->n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_add_grow(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	char *to = buf_room(b, n);
	if (!to)
		return;
	memcpy(to, p, n);
	buf_added(b, n);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t v)
{
	char text[21];
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	size_t at = sizeof(text);
	do {
		text[--at] = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		text[--at] = '-';
	buf_add(b, text + at, sizeof(text) - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	char *to = buf_room(b, (size_t)n);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_added(b, (size_t)n);
}

char *buf_steal(struct buf *b)
{
	char *p = NULL;
	if (!b->failed)
		p = b->p ? b->p : calloc(1, 1);
	if (p)
		b->p = NULL;
	buf_release(b);
	return p;
}
