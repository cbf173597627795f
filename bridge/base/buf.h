/* buf.h: bytes that grow, with a limit that cannot be gone round.
 *
 * Many appends, one check: an append past the limit (or without memory) sets
 * the sticky error, drops what was to be appended, and makes all later appends
 * do nothing. Look at buf_failed() once, at the end.
 */
#ifndef RB_BASE_BUF_H
#define RB_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct buf {
	char *p;	/* NUL-terminated while not NULL */
	size_t n;	/* bytes held, without the NUL */
	size_t cap;
	size_t limit;	/* n at most */
	bool failed;
};

#define BUF_NO_LIMIT ((size_t)1 << 40)

void buf_init(struct buf *b, size_t limit);
void buf_release(struct buf *b);
/* Empties it and clears the error; keeps the memory. */
void buf_clear(struct buf *b);
/* The same, and gives the memory back where it is over `keep` bytes. */
void buf_shrink(struct buf *b, size_t keep);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
/* Room for n more bytes at p + n, or NULL (and the sticky error); then buf_added. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

/* What buf_add does where there is no room yet. */
void buf_add_grow(struct buf *b, const void *p, size_t n);

/* Short appends are what programs spend their time on: the usual case is inline. cap - 1 never passes limit. */
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->failed || n == 0 || n >= b->cap - b->n) {
		buf_add_grow(b, p, n);
		return;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

static inline void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

static inline void buf_puts(struct buf *b, const char *z)
{
	buf_add(b, z, strlen(z));
}

void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}

/* What it holds now; valid until the next append. */
static inline struct str buf_as_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

/* Malloc'ed NUL-terminated text that the caller frees; b is empty after. NULL where the
 * sticky error was set, or without memory. */
char *buf_steal(struct buf *b);

#endif
