/* syslog_frame.c: a connection of syslog as its messages (RFC 6587).
 *
 * Each message says by its first bytes how it ends: a number, a blank and '<' are its length in
 * bytes and its beginning, all else is ended by LF. NUL and LF between messages are passed over, so
 * are lines without a byte.
 *
 * Bounded: of a message limit + HEADER_MAX bytes are kept; the rest is read and dropped. A length
 * of more than LENGTH_DIGITS digits is text; one of more than SYSLOG_FRAME_LIMIT bytes is an error,
 * for a sender that is out of step would have all its next messages dropped.
 */
#include <stdlib.h>
#include <string.h>
#include "line/syslog.h"

#define LENGTH_DIGITS 7
#define HEADER_MAX 4096

enum state {
	BETWEEN,
	IN_LENGTH,
	BEHIND_LENGTH,
	IN_COUNTED,
	IN_LINE,
};

struct line_decoder {
	struct line_maker maker;
	enum state state;
	struct buf kept; /* of the message, or the digits of its length */
	size_t left;	 /* IN_COUNTED: bytes still to come */
	uint64_t offset, begun;
};

static int emit(struct line_decoder *d, struct err *e)
{
	struct str text = buf_as_str(&d->kept);
	int rc = 0;

	if (buf_failed(&d->kept))
		return err_set(e, ERR_NOMEM, "no memory for the request");
	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' ||
				 text.p[text.n - 1] == '\0'))
		text.n--;
	if (text.n > 0) {
		line_maker_begin(&d->maker, d->begun);
		syslog_read(&d->maker, text);
		rc = line_maker_end(&d->maker, e);
	}
	buf_clear(&d->kept);
	d->state = BETWEEN;
	return rc;
}

static void keep(struct line_decoder *d, const char *p, size_t n)
{
	size_t room = d->kept.limit - d->kept.n;

	buf_add(&d->kept, p, n < room ? n : room);
}

static size_t begin(struct line_decoder *d, char c)
{
	if (c == '\n' || c == '\r' || c == '\0')
		return 1;
	d->begun = d->offset;
	d->state = c >= '1' && c <= '9' ? IN_LENGTH : IN_LINE;
	return 0;
}

static size_t take_length(struct line_decoder *d, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (digit && d->kept.n < LENGTH_DIGITS) {
		keep(d, &c, 1);
		return 1;
	}
	d->state = c == ' ' ? BEHIND_LENGTH : IN_LINE;
	if (c == ' ')
		keep(d, &c, 1);
	return c == ' ';
}

static size_t behind_length(struct line_decoder *d, char c, int *rc, struct err *e)
{
	d->state = c == '<' ? IN_COUNTED : IN_LINE;
	if (c == '<') {
		d->left = (size_t)strtoul(d->kept.p, NULL, 10);
		buf_clear(&d->kept);
	}
	if (c == '<' && d->left > SYSLOG_FRAME_LIMIT) {
		*rc = err_set(e, ERR_INPUT,
			"a message of %zu bytes is announced; it may have %zu at most, so send "
			"shorter "
			"ones, or look whether the sender counts right",
			d->left, SYSLOG_FRAME_LIMIT);
		e->offset = d->begun;
	}
	return 0;
}

static size_t take_counted(struct line_decoder *d, struct str piece, int *rc, struct err *e)
{
	size_t n = piece.n < d->left ? piece.n : d->left;

	keep(d, piece.p, n);
	d->left -= n;
	if (d->left == 0)
		*rc = emit(d, e);
	return n;
}

static size_t take_line(struct line_decoder *d, struct str piece, int *rc, struct err *e)
{
	const char *end = memchr(piece.p, '\n', piece.n);
	size_t n = end ? (size_t)(end - piece.p) : piece.n;

	keep(d, piece.p, n);
	if (end)
		*rc = emit(d, e);
	return n + (end != NULL);
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	int rc = 0;

	while (piece.n > 0 && rc == 0) {
		size_t n = 0;

		switch (d->state) {
		case BETWEEN:
			n = begin(d, piece.p[0]);
			break;
		case IN_LENGTH:
			n = take_length(d, piece.p[0]);
			break;
		case BEHIND_LENGTH:
			n = behind_length(d, piece.p[0], &rc, e);
			break;
		case IN_COUNTED:
			n = take_counted(d, piece, &rc, e);
			break;
		case IN_LINE:
			n = take_line(d, piece, &rc, e);
			break;
		}
		d->offset += n;
		piece.p += n;
		piece.n -= n;
	}
	return rc;
}

/* The connection ended: what came of a line is a line, what came of a counted message is not the
 * message. */
static int finish(struct line_decoder *d, struct err *e)
{
	if (d->state == IN_COUNTED) {
		err_set(e, ERR_INPUT, "the connection ended %zu bytes before its message did",
			d->left);
		e->offset = d->offset;
		return -1;
	}
	return d->kept.n > 0 ? emit(d, e) : 0;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	buf_init(&d->kept, d->maker.line_limit + HEADER_MAX);
	return d;
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	buf_release(&d->kept);
	line_maker_free(d);
}

void line_syslog_now(struct line_decoder *d, int64_t now_ns)
{
	d->maker.now_ns = now_ns;
}

const struct line_kind line_kind_syslog = {"syslog", new, feed, finish, drop};
