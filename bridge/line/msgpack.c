/* msgpack.c: Fluent Bit's own form, which its http output sends where no format is set: one event
 * after the other, each [[TIME, {METADATA}], {RECORD}], of older ones [TIME, {RECORD}]; a bare
 * {RECORD} is taken as well. TIME is seconds and nanoseconds in an extension of type 0, or a
 * number.
 *
 * An event becomes the JSON tree that it stands for. What is cut by a piece's end is kept and read
 * again from its beginning when there is twice as much of it, so that the work stays in proportion
 * to the body however it is cut. Bounded: an event by LINE_DOCUMENT_LIMIT.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "line/maker.h"
#include "line/time.h"

#define DEPTH_MAX 32
#define EXT_TIME_BYTES 8

enum found { WHOLE, CUT, BROKEN, FULL };

/* What is still to be read of the bytes at hand. */
struct reader {
	const unsigned char *p;
	size_t n;
	struct arena *arena;
	struct json *out; /* the value that was read */
};

struct line_decoder {
	struct line_maker maker;
	struct arena arena; /* of an event */
	struct buf kept;    /* of an event that is not whole */
	size_t try_at;	    /* bytes of `kept` that are worth another look */
	uint64_t offset;    /* of the first byte that is kept */
};

/* ---- values ---- */

static bool take(struct reader *r, size_t n, const unsigned char **p)
{
	if (r->n < n)
		return false;
	*p = r->p;
	r->p += n;
	r->n -= n;
	return true;
}

static bool number(struct reader *r, size_t bytes, uint64_t *v)
{
	const unsigned char *p;

	if (!take(r, bytes, &p))
		return false;
	*v = 0;
	for (size_t i = 0; i < bytes; i++)
		*v = *v << 8 | p[i];
	return true;
}

static enum found put(struct reader *r, enum json_kind kind, struct str text)
{
	struct json *j = arena_zalloc(r->arena, sizeof(*j));

	if (!j || (kind == JSON_NUMBER && !text.p))
		return FULL;
	j->kind = kind;
	j->text = text;
	r->out = j;
	return WHOLE;
}

static enum found put_signed(struct reader *r, int64_t v)
{
	return put(r, JSON_NUMBER, arena_printf(r->arena, "%lld", (long long)v));
}

static enum found put_unsigned(struct reader *r, uint64_t v)
{
	return put(r, JSON_NUMBER, arena_printf(r->arena, "%llu", (unsigned long long)v));
}

/* The shorter text where it is the same number. */
static struct str shortest(struct arena *a, double v)
{
	struct str text = arena_printf(a, "%.15g", v);

	return text.p && strtod(text.p, NULL) != v ? arena_printf(a, "%.17g", v) : text;
}

/* A float of 4 or 8 bytes; what JSON has not is null. */
static enum found read_float(struct reader *r, size_t bytes)
{
	uint64_t bits;
	double v;

	if (!number(r, bytes, &bits))
		return CUT;
	if (bytes == sizeof(float)) {
		uint32_t half = (uint32_t)bits;
		float f;

		memcpy(&f, &half, sizeof(f));
		v = (double)f;
	} else {
		memcpy(&v, &bits, sizeof(v));
	}
	if (!isfinite(v))
		return put(r, JSON_NULL, STR_NONE);
	return put(r, JSON_NUMBER, shortest(r->arena, v));
}

static enum found read_int(struct reader *r, unsigned log2, bool with_sign)
{
	size_t bytes = (size_t)1 << log2;
	unsigned shift = 64 - 8 * (unsigned)bytes;
	uint64_t v;

	if (!number(r, bytes, &v))
		return CUT;
	if (!with_sign)
		return put_unsigned(r, v);
	return put_signed(r, (int64_t)(v << shift) >> shift);
}

static enum found read_text(struct reader *r, size_t n)
{
	const unsigned char *p;

	if (!take(r, n, &p))
		return CUT;
	return put(r, JSON_STRING, (struct str){(const char *)p, n});
}

static enum found read_ext(struct reader *r, size_t n)
{
	const unsigned char *type, *p;
	struct reader in = {.arena = r->arena};
	uint64_t seconds = 0, ns = 0;

	if (!take(r, 1, &type) || !take(r, n, &p))
		return CUT;
	in.p = p;
	in.n = n;
	if (*type != 0 || n != EXT_TIME_BYTES || !number(&in, 4, &seconds) || !number(&in, 4, &ns))
		return put(r, JSON_NULL, STR_NONE);
	return put(r, JSON_NUMBER,
		arena_printf(r->arena, "%llu.%09llu", (unsigned long long)seconds,
			(unsigned long long)(ns % 1000000000)));
}

static enum found read_value(struct reader *r, unsigned depth);

/* n elements, or n pairs. A key that is no string, and its value, are left out. */
static enum found read_many(struct reader *r, enum json_kind kind, uint64_t n, unsigned depth)
{
	struct json *of, *tail = NULL;
	enum found found = put(r, kind, STR_NONE);

	of = r->out;
	if (depth == 0)
		return BROKEN;
	for (uint64_t i = 0; i < n && found == WHOLE; i++) {
		struct str key = STR_NONE;

		if (kind == JSON_OBJECT) {
			found = read_value(r, depth - 1);
			if (found != WHOLE)
				break;
			key = json_str(r->out);
		}
		found = read_value(r, depth - 1);
		if (found != WHOLE || (kind == JSON_OBJECT && key.n == 0))
			continue;
		r->out->key = key;
		if (tail)
			tail->next = r->out;
		else
			of->child = r->out;
		tail = r->out;
		of->count++;
	}
	r->out = of;
	return found;
}

enum shape { TEXT, EXT, ARRAY, MAP };

/* A length of 1, 2 or 4 bytes, and then what has it. */
static enum found read_sized(struct reader *r, enum shape shape, size_t bytes, unsigned depth)
{
	uint64_t n;

	if (!number(r, bytes, &n))
		return CUT;
	switch (shape) {
	case TEXT:
		return read_text(r, (size_t)n);
	case EXT:
		return read_ext(r, (size_t)n);
	case ARRAY:
		return read_many(r, JSON_ARRAY, n, depth);
	case MAP:
		break;
	}
	return read_many(r, JSON_OBJECT, n, depth);
}

static enum found read_bool(struct reader *r, bool value)
{
	enum found found = put(r, JSON_BOOL, STR_NONE);

	if (found == WHOLE)
		r->out->boolean = value;
	return found;
}

/* The types from 0xc0 to 0xdf. */
static enum found read_typed(struct reader *r, unsigned type, unsigned depth)
{
	switch (type) {
	case 0xc0:
		return put(r, JSON_NULL, STR_NONE);
	case 0xc2:
	case 0xc3:
		return read_bool(r, type == 0xc3);
	case 0xc4: /* bytes */
	case 0xc5:
	case 0xc6:
		return read_sized(r, TEXT, (size_t)1 << (type - 0xc4), depth);
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return read_sized(r, EXT, (size_t)1 << (type - 0xc7), depth);
	case 0xca:
	case 0xcb:
		return read_float(r, type == 0xca ? 4 : 8);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return read_int(r, type - 0xcc, false);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return read_int(r, type - 0xd0, true);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return read_ext(r, (size_t)1 << (type - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return read_sized(r, TEXT, (size_t)1 << (type - 0xd9), depth);
	case 0xdc:
	case 0xdd:
		return read_sized(r, ARRAY, (size_t)2 << (type - 0xdc), depth);
	case 0xde:
	case 0xdf:
		return read_sized(r, MAP, (size_t)2 << (type - 0xde), depth);
	default:
		return BROKEN; /* 0xc1 is never used */
	}
}

static enum found read_value(struct reader *r, unsigned depth)
{
	const unsigned char *type;

	if (!take(r, 1, &type))
		return CUT;
	if (*type < 0x80)
		return put_unsigned(r, *type);
	if (*type < 0x90)
		return read_many(r, JSON_OBJECT, *type & 0x0f, depth);
	if (*type < 0xa0)
		return read_many(r, JSON_ARRAY, *type & 0x0f, depth);
	if (*type < 0xc0)
		return read_text(r, *type & 0x1f);
	if (*type < 0xe0)
		return read_typed(r, *type, depth);
	return put_signed(r, (int64_t)*type - 0x100);
}

/* ---- events ---- */

static int refuse(uint64_t offset, const char *what, struct err *e)
{
	err_set(e, ERR_INPUT, "broken msgpack: %s", what);
	e->offset = (size_t)offset;
	return -1;
}

static int too_large(const struct line_decoder *d, struct err *e)
{
	return refuse(d->offset, "an event has more than 1 MiB", e);
}

static int take_event(struct line_decoder *d, const struct json *event, struct err *e)
{
	const struct json *time = NULL, *metadata = NULL, *record = event;
	int64_t ns;

	if (event->kind == JSON_ARRAY && event->count == 2) {
		time = event->child;
		record = time->next;
	}
	if (time && time->kind == JSON_ARRAY) {
		metadata = time->child ? time->child->next : NULL;
		time = time->child;
	}
	if (record->kind != JSON_OBJECT)
		return refuse(d->offset, "want events, [TIME, {…}] each", e);
	line_maker_begin(&d->maker, d->offset);
	if (time && time->kind == JSON_NUMBER && line_time(time->text, &ns))
		d->maker.line.time_ns = ns;
	if (metadata && metadata->kind == JSON_OBJECT)
		line_maker_flatten(&d->maker, metadata);
	line_maker_object(&d->maker, record);
	return line_maker_end(&d->maker, e);
}

/* All events that are whole in s; what is left of it. */
static int run(struct line_decoder *d, struct str *s, struct err *e)
{
	while (s->n > 0) {
		struct reader r = {(const unsigned char *)s->p, s->n, &d->arena, NULL};
		enum found found = read_value(&r, DEPTH_MAX);
		int rc = 0;

		if (found == WHOLE && s->n - r.n > LINE_DOCUMENT_LIMIT)
			rc = too_large(d, e);
		else if (found == WHOLE)
			rc = take_event(d, r.out, e);
		arena_reset(&d->arena);
		if (found == CUT || rc != 0)
			return rc;
		if (found == FULL)
			return refuse(d->offset, "an event has too many values", e);
		if (found == BROKEN)
			return refuse(
				d->offset, "no event begins here, or it is nested too deep", e);
		d->offset += s->n - r.n;
		*s = (struct str){(const char *)r.p, r.n};
	}
	return 0;
}

static int run_kept(struct line_decoder *d, struct err *e)
{
	struct str s = buf_as_str(&d->kept);

	if (run(d, &s, e) != 0)
		return -1;
	buf_consume(&d->kept, d->kept.n - s.n);
	d->try_at = 2 * d->kept.n;
	return 0;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	if (d->kept.n == 0 && run(d, &piece, e) != 0)
		return -1;
	if (d->kept.n == 0)
		d->try_at = 2 * piece.n;
	while (piece.n > 0) {
		size_t room = LINE_DOCUMENT_LIMIT - d->kept.n;
		struct str part = {piece.p, piece.n < room ? piece.n : room};

		buf_str(&d->kept, part);
		if (buf_failed(&d->kept))
			return err_set(e, ERR_NOMEM, "no memory for the request");
		piece.p += part.n;
		piece.n -= part.n;
		if (d->kept.n < d->try_at && d->kept.n < LINE_DOCUMENT_LIMIT)
			continue;
		if (run_kept(d, e) != 0)
			return -1;
		if (d->kept.n == LINE_DOCUMENT_LIMIT)
			return too_large(d, e);
	}
	return 0;
}

static int finish(struct line_decoder *d, struct err *e)
{
	if (d->kept.n > 0 && run_kept(d, e) != 0)
		return -1;
	return d->kept.n > 0 ? refuse(d->offset, "it breaks off", e) : 0;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	arena_init(&d->arena, LINE_ITEM_LIMIT);
	buf_init(&d->kept, LINE_DOCUMENT_LIMIT);
	return d;
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	buf_release(&d->kept);
	arena_release(&d->arena);
	line_maker_free(d);
}

const struct line_kind line_kind_msgpack = {"msgpack", new, feed, finish, drop};
