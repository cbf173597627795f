/* arena.h: memory that lives as long as one request, and not a byte longer.
 *
 * Blocks are freed all at once. An arena has a hard limit: past it arena_alloc
 * returns NULL and arena_failed() stays true, so that a parser may check once
 * at its end. Not for use by two threads.
 */
#ifndef RB_BASE_ARENA_H
#define RB_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used;	/* bytes handed out */
	size_t limit;	/* bytes, at most */
	bool failed;
	void (*grown)(void *ctx);	/* arena_on_growth */
	void *grown_ctx;
};

#define ARENA_GROWTH ((size_t)16 << 10)

void arena_init(struct arena *a, size_t limit);
/* Frees all blocks; the arena may be used again. */
void arena_release(struct arena *a);
/* As arena_release, but keeps one small block for the next request. */
void arena_reset(struct arena *a);
/* From now on until it is released or reset, or this is called with NULL, `grown` is called each time that about ARENA_GROWTH more bytes have been
 * handed out: who fills it over a long time may let others have the processor there. It must not use the arena. */
void arena_on_growth(struct arena *a, void (*grown)(void *ctx), void *ctx);

/* How far the arena had come. */
struct arena_mark {
	struct arena_block *head;
	size_t n, used;
};

struct arena_mark arena_mark(const struct arena *a);
/* What was handed out since the mark is not needed any more: its blocks become those of `waste`, which is only for
 * freeing; waste->used counts their bytes. The mark {NULL}: all of it. */
void arena_waste(struct arena *a, const struct arena_mark *m, struct arena *waste);
/* Frees one block of such an arena, and more while they have not n bytes together. */
void arena_waste_free(struct arena *waste, size_t n);

/* n bytes, aligned for any type, not cleared. NULL past the limit. */
void *arena_alloc(struct arena *a, size_t n);
/* The same, cleared. */
void *arena_zalloc(struct arena *a, size_t n);
/* An array of n elements; checks the multiplication. Cleared. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Grows the last allocation in place where it can, else copies. */
void *arena_grow(struct arena *a, void *old, size_t old_n, size_t new_n);
/* A copy; also NUL-terminated, so that .p may go to C functions. */
struct str arena_strdup(struct arena *a, struct str s);
/* Formatted; NUL-terminated. On failure {NULL, 0}. */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline bool arena_failed(const struct arena *a)
{
	return a->failed;
}

#endif
