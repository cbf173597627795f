/* inflate.h: compressed request bodies, piece by piece, with an end to them.
 *
 * A small body must not become a large one unseen: past `limit` bytes, or past INFLATE_RATIO times
 * what came in (once INFLATE_FREE bytes are out), it is ERR_LIMIT. A gzip body may have several
 * members. "deflate" is zlib's format or, as some senders have it, without its header.
 */
#ifndef RB_HTTP_INFLATE_H
#define RB_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>
#include "base/err.h"

#define INFLATE_RATIO 200	       /* bytes out for one in, at most */
#define INFLATE_FREE ((size_t)1 << 20) /* bytes out before the ratio counts */

enum inflate_kind {
	INFLATE_GZIP,
	INFLATE_DEFLATE,
};

/* A piece of what came out. Not 0: stop, with e set. */
typedef int (*inflate_sink)(void *ctx, const char *p, size_t n, struct err *e);

struct inflate {
	z_stream z;
	enum inflate_kind kind;
	size_t in, out, limit;
	bool begun; /* z is set up */
	bool ended; /* at a member's end */
};

void inflate_init(struct inflate *i, enum inflate_kind kind, size_t limit);
void inflate_release(struct inflate *i);
/* 0, or -1: ERR_INPUT (offset: byte of the compressed body), ERR_LIMIT, ERR_NOMEM, or what sink
 * said. */
int inflate_feed(
	struct inflate *i, const char *p, size_t n, inflate_sink sink, void *ctx, struct err *e);
/* Was that all of it? ERR_INPUT where the body breaks off. */
int inflate_finish(struct inflate *i, struct err *e);

#endif
