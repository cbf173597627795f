/* split.h: bytes in pieces into what stands between line ends. */
#ifndef RB_LINE_SPLIT_H
#define RB_LINE_SPLIT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct splitter {
	struct buf kept; /* the beginning of a line that is not whole yet */
	size_t limit;	 /* bytes of one line; what is over is dropped */
	uint64_t offset; /* of the body: where the next byte is */
	uint64_t begun;	 /* where the line under way began */
	bool over;	 /* some of it was dropped */
	char end;	 /* the byte that ends a line */
	/* A line without its LF or CRLF; it lives until the call returns. -1 with e: stop. */
	int (*line)(void *ctx, struct str line, uint64_t offset, struct err *e);
	void *ctx;
};

void splitter_init(struct splitter *s, size_t limit,
	int (*line)(void *ctx, struct str line, uint64_t offset, struct err *e), void *ctx);
void splitter_release(struct splitter *s);
int splitter_feed(struct splitter *s, struct str piece, struct err *e);
/* The last line, where its end is missing. */
int splitter_finish(struct splitter *s, struct err *e);

#endif
