/* proto.c: varints and lengths, each held against what is there before it is used. */
#include "line/proto.h"

#include <string.h>

#define VARINT_MAX 10	      /* bytes */
#define FIELD_MAX 0x1FFFFFFFu /* the largest number that there may be */

enum found { WHOLE, CUT, BROKEN };

static enum found varint(struct str *s, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < VARINT_MAX; i++) {
		unsigned char c;

		if (i == s->n)
			return CUT;
		c = (unsigned char)s->p[i];
		if (i == VARINT_MAX - 1 && c > 1)
			return BROKEN;
		*v |= (uint64_t)(c & 0x7F) << (7 * i);
		if (c < 0x80) {
			s->p += i + 1;
			s->n -= i + 1;
			return WHOLE;
		}
	}
	return BROKEN;
}

static enum found fixed(struct str *s, size_t n, uint64_t *v)
{
	if (s->n < n)
		return CUT;
	*v = 0;
	for (size_t i = 0; i < n; i++)
		*v |= (uint64_t)(unsigned char)s->p[i] << (8 * i);
	s->p += n;
	s->n -= n;
	return WHOLE;
}

/* *want: bytes of the field's content that are announced, where it is CUT behind its length. */
static enum found content(struct str *s, struct proto_field *f, uint64_t *want)
{
	enum found found;

	switch (f->wire) {
	case PROTO_VARINT:
		return varint(s, &f->value);
	case PROTO_FIXED64:
		return fixed(s, 8, &f->value);
	case PROTO_FIXED32:
		return fixed(s, 4, &f->value);
	case PROTO_BYTES:
		found = varint(s, &f->value);
		if (found != WHOLE)
			return found;
		*want = f->value;
		if (f->value > s->n)
			return CUT;
		f->bytes = (struct str){s->p, (size_t)f->value};
		s->p += f->bytes.n;
		s->n -= f->bytes.n;
		return WHOLE;
	}
	return BROKEN;
}

static enum found read_field(struct proto *p, struct proto_field *f, uint64_t *want)
{
	struct str s = p->bytes;
	uint64_t tag;
	enum found found = varint(&s, &tag);

	*f = (struct proto_field){0};
	*want = 0;
	if (found != WHOLE)
		return found;
	f->number = (uint32_t)(tag >> 3);
	f->wire = (enum proto_wire)(tag & 7);
	if (tag >> 3 == 0 || tag >> 3 > FIELD_MAX)
		return BROKEN;
	found = content(&s, f, want);
	if (found != WHOLE)
		return found;
	f->offset = p->offset + (size_t)(s.p - p->bytes.p) - f->bytes.n;
	p->offset += (size_t)(s.p - p->bytes.p);
	p->bytes = s;
	return WHOLE;
}

static int broken(uint64_t offset, const char *what, struct err *e)
{
	err_set(e, ERR_INPUT, "broken protobuf: %s", what);
	e->offset = offset;
	return -1;
}

int proto_next(struct proto *p, struct proto_field *f, struct err *e)
{
	uint64_t want;

	if (p->bytes.n == 0)
		return 0;
	switch (read_field(p, f, &want)) {
	case WHOLE:
		return 1;
	case CUT:
		return broken(p->offset, "a field is longer than its message", e);
	case BROKEN:
		break;
	}
	return broken(p->offset, "no field begins here", e);
}

int proto_each(const struct proto_field *in, uint32_t number,
	int (*take)(void *ctx, const struct proto_field *f, struct err *e), void *ctx,
	struct err *e)
{
	struct proto p = proto_in(in);
	struct proto_field f;
	int rc;

	while ((rc = proto_next(&p, &f, e)) > 0)
		if (f.number == number && f.wire == PROTO_BYTES && take(ctx, &f, e) != 0)
			return -1;
	return rc;
}

/* ---- in pieces ---- */

void proto_stream_init(struct proto_stream *s, size_t limit,
	int (*field)(void *ctx, const struct proto_field *f, struct err *e), void *ctx)
{
	*s = (struct proto_stream){.field = field, .ctx = ctx};
	buf_init(&s->kept, limit);
}

void proto_stream_release(struct proto_stream *s)
{
	buf_release(&s->kept);
}

static int too_large(const struct proto_stream *s, struct err *e)
{
	err_set(e, ERR_LIMIT, "one item of the body needs more than %zu bytes; send smaller items",
		s->kept.limit);
	e->offset = s->offset;
	return -1;
}

/* All fields that are whole in p. */
static int run(struct proto_stream *s, struct proto *p, struct err *e)
{
	struct proto_field f;
	uint64_t want;

	while (p->bytes.n > 0) {
		switch (read_field(p, &f, &want)) {
		case WHOLE:
			if (s->field(s->ctx, &f, e) != 0)
				return -1;
			break;
		case CUT:
			return want > s->kept.limit ? too_large(s, e) : 0;
		case BROKEN:
			return broken(p->offset, "no field begins here", e);
		}
		s->offset = p->offset;
	}
	return 0;
}

int proto_stream_feed(struct proto_stream *s, struct str piece, struct err *e)
{
	struct proto p = {piece, s->offset};

	if (s->kept.n > 0) {
		buf_str(&s->kept, piece);
		if (buf_failed(&s->kept))
			return too_large(s, e);
		p.bytes = buf_as_str(&s->kept);
	}
	if (run(s, &p, e) != 0)
		return -1;
	if (s->kept.n > 0)
		buf_consume(&s->kept, s->kept.n - p.bytes.n);
	else
		buf_str(&s->kept, p.bytes);
	return buf_failed(&s->kept) ? too_large(s, e) : 0;
}

int proto_stream_finish(struct proto_stream *s, struct err *e)
{
	return s->kept.n > 0 ? broken(s->offset, "it breaks off", e) : 0;
}
