/* journal.c: systemd's journal export format, as systemd-journal-upload sends it.
 *
 * An entry is fields and an empty line. A field is KEY=VALUE and LF, or KEY, LF, eight bytes of
 * length (little endian), that many bytes, LF. An entry is a line as soon as its empty line is
 * there, since the body may have no end.
 *
 * Bounded: of a value line_limit bytes are kept, of an entry ENTRY_LIMIT; what is more is read and
 * dropped, since the uploader, refused once, would offer the same entry for ever. A core dump is a
 * field, too.
 */
#include <string.h>
#include "line/maker.h"

#define ENTRY_LIMIT LINE_ENTRY_LIMIT
#define SIZE_BYTES 8

enum state {
	IN_KEY,
	IN_TEXT, /* a value up to LF */
	IN_SIZE,
	IN_BYTES, /* a value of that size */
	BEHIND_BYTES,
};

struct field {
	size_t key, key_n, value, value_n; /* in `kept`; no key: it did not fit */
};

struct line_decoder {
	struct line_maker maker;
	struct buf kept; /* keys and values of the entry */
	struct field fields[LINE_LABELS_LIMIT +
			    1]; /* the last one is written over by what is too many */
	size_t fields_n;
	char key[LINE_NAME_LIMIT]; /* as far as it was read */
	size_t key_n;
	enum state state;
	uint64_t size; /* IN_SIZE: read so far; IN_BYTES: still to come */
	unsigned size_n;
	uint64_t offset, begun;
	bool any; /* the entry has a field */
};

static int broken(const struct line_decoder *d, const char *what, struct err *e)
{
	err_set(e, ERR_INPUT, "this is no journal export: %s", what);
	e->offset = d->offset;
	return -1;
}

static struct field *now(struct line_decoder *d)
{
	return &d->fields[d->fields_n];
}

static void begin_field(struct line_decoder *d)
{
	d->state = IN_KEY;
	d->key_n = 0;
	*now(d) = (struct field){.key = d->kept.n};
}

/* Keeps what still fits of a value; the rest is only counted. */
static void add_value(struct line_decoder *d, struct str part)
{
	struct field *f = now(d);
	size_t most = d->maker.line_limit + 1, room = ENTRY_LIMIT - d->kept.n;

	if (part.n > most - f->value_n)
		part.n = most - f->value_n;
	if (part.n > room)
		part.n = room;
	buf_str(&d->kept, part);
	f->value_n += part.n;
}

static void begin_value(struct line_decoder *d, enum state state)
{
	now(d)->value = d->kept.n;
	d->state = state;
	d->size = 0;
	d->size_n = 0;
}

static void end_field(struct line_decoder *d)
{
	if (d->fields_n < LINE_LABELS_LIMIT && now(d)->key_n > 0)
		d->fields_n++;
	else
		d->kept.n = now(d)->key;
	begin_field(d);
}

/* ---- an entry ---- */

static bool microseconds(struct str s, int64_t *ns)
{
	int64_t v = 0;

	*ns = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, s.p[i] - '0', &v))
			return false;
	}
	return s.n > 0 && !__builtin_mul_overflow(v, 1000, ns);
}

static void put_field(struct line_decoder *d, const struct field *f)
{
	struct str key = {d->kept.p + f->key, f->key_n}, value = {d->kept.p + f->value, f->value_n};
	int64_t ns;

	if (str_is(key, "MESSAGE"))
		line_maker_message(&d->maker, value);
	else if (str_is(key, "__REALTIME_TIMESTAMP") && microseconds(value, &ns))
		d->maker.line.time_ns = ns;
	else
		line_maker_label(&d->maker, key, value);
}

static int end_entry(struct line_decoder *d, struct err *e)
{
	int rc;

	if (buf_failed(&d->kept))
		return err_set(e, ERR_NOMEM, "no memory for the request");
	line_maker_begin(&d->maker, d->begun);
	for (size_t i = 0; i < d->fields_n; i++)
		put_field(d, &d->fields[i]);
	rc = d->any ? line_maker_end(&d->maker, e) : 0;
	buf_clear(&d->kept);
	d->fields_n = 0;
	d->any = false;
	begin_field(d);
	return rc;
}

/* ---- bytes ---- */

static int end_key(struct line_decoder *d, char end, struct err *e)
{
	struct field *f = now(d);

	if (d->key_n == 0)
		return end == '\n' ? end_entry(d, e) : broken(d, "a field has no name", e);
	d->any = true;
	if (d->key_n <= ENTRY_LIMIT - d->kept.n) {
		buf_add(&d->kept, d->key, d->key_n);
		f->key_n = d->key_n;
	}
	begin_value(d, end == '=' ? IN_TEXT : IN_SIZE);
	return 0;
}

/* How many bytes of the piece were used; 0 with e: broken. */
static size_t take_key(struct line_decoder *d, struct str piece, int *rc, struct err *e)
{
	size_t n = 0;

	while (n < piece.n && piece.p[n] != '=' && piece.p[n] != '\n')
		n++;
	if (n > sizeof(d->key) - d->key_n) {
		*rc = broken(d, "a field's name is too long", e);
		return 0;
	}
	if (d->key_n == 0 && !d->any)
		d->begun = d->offset;
	memcpy(d->key + d->key_n, piece.p, n);
	d->key_n += n;
	if (n < piece.n)
		*rc = end_key(d, piece.p[n], e);
	return n + (n < piece.n);
}

static size_t take_text(struct line_decoder *d, struct str piece)
{
	const char *end = memchr(piece.p, '\n', piece.n);
	size_t n = end ? (size_t)(end - piece.p) : piece.n;

	add_value(d, (struct str){piece.p, n});
	if (end)
		end_field(d);
	return n + (end != NULL);
}

static size_t take_size(struct line_decoder *d, struct str piece)
{
	d->size |= (uint64_t)(unsigned char)piece.p[0] << (8 * d->size_n);
	if (++d->size_n == SIZE_BYTES)
		d->state = d->size > 0 ? IN_BYTES : BEHIND_BYTES;
	return 1;
}

static size_t take_bytes(struct line_decoder *d, struct str piece)
{
	size_t n = piece.n < d->size ? piece.n : (size_t)d->size;

	add_value(d, (struct str){piece.p, n});
	d->size -= n;
	if (d->size == 0)
		d->state = BEHIND_BYTES;
	return n;
}

static size_t take(struct line_decoder *d, struct str piece, int *rc, struct err *e)
{
	switch (d->state) {
	case IN_KEY:
		return take_key(d, piece, rc, e);
	case IN_TEXT:
		return take_text(d, piece);
	case IN_SIZE:
		return take_size(d, piece);
	case IN_BYTES:
		return take_bytes(d, piece);
	case BEHIND_BYTES:
		break;
	}
	if (piece.p[0] != '\n')
		*rc = broken(d, "bytes behind the end of a binary field", e);
	end_field(d);
	return 1;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	int rc = 0;

	while (piece.n > 0 && rc == 0) {
		size_t n = take(d, piece, &rc, e);

		d->offset += n;
		piece.p += n;
		piece.n -= n;
	}
	return rc;
}

/* An entry that lacks only its empty line is whole. */
static int finish(struct line_decoder *d, struct err *e)
{
	if (d->state == IN_TEXT)
		end_field(d);
	if (d->state != IN_KEY || d->key_n > 0)
		return broken(d, "it breaks off inside a field", e);
	return end_entry(d, e);
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	buf_init(&d->kept, ENTRY_LIMIT);
	begin_field(d);
	return d;
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	buf_release(&d->kept);
	line_maker_free(d);
}

const struct line_kind line_kind_journal = {"journal", new, feed, finish, drop};
