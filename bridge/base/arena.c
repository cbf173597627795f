/* arena.c: a chain of blocks, newest first; memory is handed out from the newest only.
 *
 * Guarantee: `used` never passes `limit`, and after one refusal nothing more is handed out
 * until the arena is released or reset. A parser may therefore ignore single results only
 * where it also stops using what it got: it looks at arena_failed() at its end.
 *
 * Blocks double up to BLOCK_MAX, so a small request costs one malloc and a large one few; where
 * somebody wants to hear of growth they stay small, and a block is the growth.
 * An element larger than a block gets a block of its own. Memory that was handed out never
 * moves (but for arena_grow, which says so).
 *
 * Freeing many blocks takes a while (their pages go back to the system), so a loop that others wait
 * for may turn them over with arena_waste and free some at a time.
 *
 * It does not free single elements and knows nothing of threads.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_FIRST ((size_t)8 << 10)
#define BLOCK_MAX ((size_t)256 << 10)
#define BLOCK_KEEP ((size_t)64 << 10)

struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t n;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

void arena_on_growth(struct arena *a, void (*grown)(void *ctx), void *ctx)
{
	a->grown = grown;
	a->grown_ctx = ctx;
}

void arena_release(struct arena *a)
{
	struct arena_block *b = a->head;
	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	arena_init(a, a->limit);
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head;
	while (b && (b->next || b->cap > BLOCK_KEEP)) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	arena_init(a, a->limit);
	if (b)
		b->n = 0;
	a->head = b;
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->head, a->head ? a->head->n : 0, a->used};
}

void arena_waste(struct arena *a, const struct arena_mark *m, struct arena *waste)
{
	while (a->head != m->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		b->next = waste->head;
		waste->head = b;
		waste->used += b->cap;
	}
	if (a->head)
		a->head->n = m->n;
	a->used = m->used;
	a->failed = false;
}

void arena_waste_free(struct arena *waste, size_t n)
{
	size_t freed = 0;

	while (waste->head && freed < n) {
		struct arena_block *b = waste->head;

		waste->head = b->next;
		freed += b->cap;
		waste->used -= b->cap;
		free(b);
	}
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
	size_t cap = a->head ? a->head->cap * 2 : BLOCK_FIRST;
	size_t most = a->grown ? ARENA_GROWTH : BLOCK_MAX;
	if (cap > most)
		cap = most;
	if (cap < n)
		cap = n;
	struct arena_block *b = malloc(sizeof(*b) + cap);
	if (!b)
		return NULL;
	b->next = a->head;
	b->cap = cap;
	b->n = 0;
	a->head = b;
	if (a->grown)
		a->grown(a->grown_ctx);
	return b;
}

static void *fail(struct arena *a)
{
	a->failed = true;
	return NULL;
}

/* Blocks begin aligned for any type, so a multiple of `align` inside one is aligned, too. */
static void *take(struct arena *a, size_t n, size_t align)
{
	struct arena_block *b = a->head;
	size_t at = b ? (b->n + align - 1) & ~(align - 1) : 0;
	size_t pad = b ? at - b->n : 0;

	if (a->failed || n > a->limit || a->used > a->limit - n)
		return fail(a);
	if (!b || at > b->cap || b->cap - at < n) {
		b = add_block(a, n);
		if (!b)
			return fail(a);
		at = 0;
		pad = 0;
	}
	if (pad > a->limit - n - a->used)
		return fail(a);
	a->used += pad + n;
	b->n = at + n;
	return b->data + at;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return take(a, n, alignof(max_align_t));
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	if (p)
		memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return fail(a);
	return arena_zalloc(a, bytes);
}

void *arena_grow(struct arena *a, void *old, size_t old_n, size_t new_n)
{
	if (!old)
		return arena_alloc(a, new_n);
	if (new_n <= old_n)
		return old;

	struct arena_block *b = a->head;
	size_t more = new_n - old_n;
	if (b && (char *)old + old_n == b->data + b->n && b->cap - b->n >= more) {
		if (a->failed || more > a->limit - a->used)
			return fail(a);
		a->used += more;
		b->n += more;
		return old;
	}
	void *p = arena_alloc(a, new_n);
	if (p)
		memcpy(p, old, old_n);
	return p;
}

struct str arena_strdup(struct arena *a, struct str s)
{
	if (s.n == SIZE_MAX) {
		fail(a);
		return STR_NONE;
	}
	char *p = take(a, s.n + 1, 1);
	if (!p)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? fail(a) : take(a, (size_t)n + 1, 1);
	if (!p)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){p, (size_t)n};
}
