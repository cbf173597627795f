/* inflate_impl.h: what the decoders share. Not for others. */
#ifndef RB_HTTP_INFLATE_IMPL_H
#define RB_HTTP_INFLATE_IMPL_H

#include "http/inflate.h"

/* -1, with ERR_INPUT at i->in. */
int inflate_bad(struct inflate *i, struct err *e, const char *what);
/* A piece that came out, past the bounds and to the sink, whose word is returned. i->in is up to date. */
int inflate_put(
	struct inflate *i, const char *p, size_t n, inflate_sink sink, void *ctx, struct err *e);

/* zstd. Both count i->in and set i->ended; *_feed and *_finish as inflate_feed and inflate_finish. */
int inflate_zstd_begin(struct inflate *i, struct err *e);
int inflate_zstd_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e);
void inflate_zstd_end(struct inflate *i);
size_t inflate_zstd_held(const struct inflate *i);

/* snappy */
int inflate_snappy_begin(struct inflate *i, struct err *e);
int inflate_snappy_feed(
	struct inflate *i, const char *p, size_t *n, inflate_sink sink, void *ctx, struct err *e);
int inflate_snappy_finish(struct inflate *i, inflate_sink sink, void *ctx, struct err *e);
void inflate_snappy_end(struct inflate *i);
size_t inflate_snappy_held(const struct inflate *i);

#endif
