/* split.c: finds line ends. A line that is whole in its piece is handed on where it stands; only
 * one that a piece's end cuts is copied.
 *
 * Guarantee: no more than `limit` bytes are kept, and the same lines come out however the body is
 * cut. Of a longer line its beginning comes out, one byte more than the limit, so that whoever
 * takes it sees that it was cut.
 */
#include "line/split.h"

#include <string.h>

void splitter_init(struct splitter *s, size_t limit,
	int (*line)(void *ctx, struct str line, uint64_t offset, struct err *e), void *ctx)
{
	*s = (struct splitter){.limit = limit + 1, .end = '\n', .line = line, .ctx = ctx};
	buf_init(&s->kept, limit + 1);
}

void splitter_release(struct splitter *s)
{
	buf_release(&s->kept);
}

static int emit(struct splitter *s, struct str line, struct err *e)
{
	if (line.n > s->limit)
		line.n = s->limit;
	else if (!s->over && line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return s->line(s->ctx, line, s->begun, e);
}

static int keep(struct splitter *s, struct str part, struct err *e)
{
	size_t room = s->limit - s->kept.n;

	if (part.n > room) {
		part.n = room;
		s->over = true;
	}
	buf_str(&s->kept, part);
	return buf_failed(&s->kept) ? err_set(e, ERR_NOMEM, "no memory for the request") : 0;
}

static int end_kept(struct splitter *s, struct str rest, struct err *e)
{
	int rc = keep(s, rest, e);

	if (rc == 0)
		rc = emit(s, buf_as_str(&s->kept), e);
	buf_clear(&s->kept);
	s->over = false;
	return rc;
}

int splitter_feed(struct splitter *s, struct str piece, struct err *e)
{
	while (piece.n > 0) {
		const char *end = memchr(piece.p, s->end, piece.n);
		struct str part = {piece.p, end ? (size_t)(end - piece.p) : piece.n};
		size_t used = part.n + (end != NULL);
		int rc;

		if (!end)
			rc = keep(s, part, e);
		else if (s->kept.n > 0)
			rc = end_kept(s, part, e);
		else
			rc = emit(s, part, e);
		if (rc != 0)
			return -1;
		s->offset += used;
		if (end)
			s->begun = s->offset;
		piece.p += used;
		piece.n -= used;
	}
	return 0;
}

int splitter_finish(struct splitter *s, struct err *e)
{
	return s->kept.n > 0 ? end_kept(s, STR_NONE, e) : 0;
}
