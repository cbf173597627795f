/* inflate.h: compressed request bodies, piece by piece, with an end to them.
 *
 * A small body must not become a large one unseen: past `limit` bytes, or past INFLATE_RATIO times
 * what came in (once INFLATE_FREE bytes are out), it is ERR_LIMIT; so is what would need more
 * memory to inflate than INFLATE_WINDOW_LOG and INFLATE_BLOCK_LIMIT say.
 *
 * The sink may ask for a pause, so that one body does not keep whoever reads it from all others: a
 * few bytes in can be many out.
 *
 * gzip may have several members, zstd several frames. "deflate" is zlib's format or, as some
 * senders have it, without its header. "snappy" is the framing format where the body begins with
 * its stream identifier, else one block: senders mean either by it, and no block can begin so.
 */
#ifndef RB_HTTP_INFLATE_H
#define RB_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>
#include "base/err.h"
#include "base/str.h"

#define INFLATE_RATIO 200	       /* bytes out for one in, at most */
#define INFLATE_FREE ((size_t)1 << 20) /* bytes out before the ratio counts */
#define INFLATE_WINDOW_LOG 23	       /* zstd: how far back it may refer, 8 MiB (RFC 9659) */
#define INFLATE_BLOCK_LIMIT ((size_t)16 << 20) /* one snappy block, which is held whole */
#define INFLATE_HEAD 5			       /* zstd: magic number, and what the header holds */
#define INFLATE_LATE ((size_t)256 << 10)	/* bytes: a block of zstd, and what goes with it */

enum inflate_kind {
	INFLATE_GZIP,
	INFLATE_DEFLATE,
	INFLATE_ZSTD,
	INFLATE_SNAPPY,
};

#define INFLATE_KINDS "gzip, deflate, zstd, snappy" /* for messages */

/* A piece of what came out. -1: stop, with e set. INFLATE_PAUSE: the piece was taken, and it is enough
 * for now. */
typedef int (*inflate_sink)(void *ctx, const char *p, size_t n, struct err *e);

#define INFLATE_PAUSE 1

struct ZSTD_DCtx_s;
struct inflate_snappy;

struct inflate {
	enum inflate_kind kind;
	size_t in, out, limit;
	bool begun; /* the member of the union is set up */
	bool ended; /* at a member's end */
	unsigned char head[INFLATE_HEAD]; /* zstd: the first bytes of the frame under way */
	unsigned head_n;
	union {
		z_stream z;
		struct ZSTD_DCtx_s *zstd;
		struct inflate_snappy *snappy;
	};
};

/* Of a Content-Encoding, in any case of letters. */
bool inflate_kind_of(struct str name, enum inflate_kind *kind);
void inflate_init(struct inflate *i, enum inflate_kind kind, size_t limit);
void inflate_release(struct inflate *i);
/* *n: the bytes at p, then how many of them were taken. 0: all; INFLATE_PAUSE: fewer, perhaps none, for
 * the sink asked for it; go on with the rest. Or -1: ERR_INPUT (offset: byte of the compressed body),
 * ERR_LIMIT, ERR_NOMEM, or what sink said; then only inflate_release. After the sink has asked, it
 * may get what cannot be left in the decoder: at most INFLATE_LATE bytes. */
int inflate_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e);
/* That was all of it; the sink may get more. ERR_INPUT where the body breaks off; INFLATE_PAUSE: call
 * it again; else as above. */
int inflate_finish(struct inflate *i, inflate_sink sink, void *ctx, struct err *e);
/* Bytes of memory that it holds. */
size_t inflate_held(const struct inflate *i);

#endif
