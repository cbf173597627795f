/* proto.h: Protocol Buffers, as far as a reader needs them: fields one after the other.
 *
 * Nothing is copied. What is no field of the message that the caller knows he passes over, so
 * newer senders are fine. Groups, which nobody sends any more, are refused.
 */
#ifndef RB_LINE_PROTO_H
#define RB_LINE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum proto_wire {
	PROTO_VARINT = 0,
	PROTO_FIXED64 = 1,
	PROTO_BYTES = 2,
	PROTO_FIXED32 = 5,
};

struct proto { /* what is still to be read of a message */
	struct str bytes;
	uint64_t offset; /* of the body, where bytes begin; for messages about faults */
};

struct proto_field {
	uint32_t number;
	enum proto_wire wire;
	uint64_t value;	  /* of a number */
	struct str bytes; /* of PROTO_BYTES */
	uint64_t offset;  /* where the field's content begins */
};

/* 1: *f is the next field; 0: there are no more; -1 with e: broken. */
int proto_next(struct proto *p, struct proto_field *f, struct err *e);
/* The message in a field. */
static inline struct proto proto_in(const struct proto_field *f)
{
	return (struct proto){f->bytes, f->offset};
}

/* Each message, text or bytes of this number in a message; -1 with e: broken, or take said so. */
int proto_each(const struct proto_field *in, uint32_t number,
	int (*take)(void *ctx, const struct proto_field *f, struct err *e), void *ctx,
	struct err *e);

/* A message in pieces: each field of it as soon as it is whole. */
struct proto_stream {
	struct buf kept; /* of a field that is not whole yet */
	uint64_t offset;
	int (*field)(void *ctx, const struct proto_field *f, struct err *e);
	void *ctx;
};

/* limit: bytes of one field. */
void proto_stream_init(struct proto_stream *s, size_t limit,
	int (*field)(void *ctx, const struct proto_field *f, struct err *e), void *ctx);
void proto_stream_release(struct proto_stream *s);
int proto_stream_feed(struct proto_stream *s, struct str piece, struct err *e);
int proto_stream_finish(struct proto_stream *s, struct err *e);

#endif
