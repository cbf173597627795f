/* text.c: a body of plain lines, ended by LF or CRLF.
 *
 * Lines without a byte are no lines. A line that is a JSON object is taken as one, since shippers
 * that write a template a line call that text, too; one that only looks like it is plain.
 */
#include "line/maker.h"
#include "line/split.h"

struct line_decoder {
	struct line_maker maker;
	struct splitter split;
};

static int take(void *ctx, struct str text, uint64_t offset, struct err *e)
{
	struct line_decoder *d = ctx;

	if (text.n == 0)
		return 0;
	line_maker_begin(&d->maker, offset);
	line_maker_text(&d->maker, text);
	return line_maker_end(&d->maker, e);
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_decoder *d = line_maker_new(sizeof(*d), o, sink, e);

	if (!d)
		return NULL;
	splitter_init(&d->split, d->maker.line_limit, take, d);
	return d;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return splitter_feed(&d->split, piece, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	return splitter_finish(&d->split, e);
}

static void drop(struct line_decoder *d)
{
	if (!d)
		return;
	splitter_release(&d->split);
	line_maker_free(d);
}

const struct line_kind line_kind_text = {"text", new, feed, finish, drop};
