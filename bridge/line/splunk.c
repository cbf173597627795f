/* splunk.c: events of Splunk's HTTP Event Collector: objects with nothing between them, or arrays
 * of them.
 *
 *	{"time": SECONDS, "host": …, "source": …, "sourcetype": …, "index": …,
 *	 "event": …, "fields": {…}}
 *
 * The first event that is none refuses the body, and the report says which one it was and why.
 */
#include "line/json_body.h"
#include "line/time.h"

struct line_decoder {
	struct json_body body;
	struct line_report own; /* where nobody asks for a report */
};

static struct line_report *report(struct line_decoder *d)
{
	return d->body.maker.report ? d->body.maker.report : &d->own;
}

static int refuse(
	struct line_decoder *d, enum line_hec hec, size_t offset, const char *what, struct err *e)
{
	struct line_report *r = report(d);

	r->hec = hec;
	err_set(e, ERR_INPUT, "event %llu: %s", (unsigned long long)r->items, what);
	e->offset = offset;
	return -1;
}

static void put_wrapper(struct line_decoder *d, const struct json *j)
{
	static const char *const names[] = {"host", "source", "sourcetype", "index"};
	const struct json *time = json_get(j, "time"), *fields = json_get(j, "fields");
	int64_t ns;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		line_maker_label(&d->body.maker, str_of(names[i]), json_str(json_get(j, names[i])));
	if (fields && fields->kind == JSON_OBJECT)
		line_maker_flatten(&d->body.maker, fields);
	if (time && (time->kind == JSON_NUMBER || time->kind == JSON_STRING) &&
		line_time(time->text, &ns))
		d->body.maker.line.time_ns = ns;
}

static bool is_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
			return false;
	return true;
}

static int item(void *ctx, unsigned depth, const struct json *j, struct err *e)
{
	struct line_decoder *d = ctx;
	const struct json *event = json_get(j, "event");

	(void)depth;
	if (j->kind != JSON_OBJECT)
		return refuse(d, LINE_HEC_INVALID, j->offset, "want an object", e);
	if (!event || event->kind == JSON_NULL)
		return refuse(d, LINE_HEC_NO_EVENT, j->offset, "it has no 'event'", e);
	if (event->kind == JSON_STRING && is_blank(event->text))
		return refuse(d, LINE_HEC_BLANK_EVENT, event->offset, "'event' is blank", e);
	line_maker_begin(&d->body.maker, j->offset);
	put_wrapper(d, j);
	if (event->kind == JSON_OBJECT)
		line_maker_object(&d->body.maker, event);
	else
		line_maker_value(&d->body.maker, event);
	report(d)->items++;
	return line_maker_end(&d->body.maker, e);
}

static enum json_want open_container(void *ctx, unsigned depth, struct str key, enum json_kind kind,
	size_t offset, struct err *e)
{
	(void)key;
	if (kind == JSON_OBJECT)
		return JSON_WHOLE;
	if (depth == 0)
		return JSON_INTO;
	refuse(ctx, LINE_HEC_INVALID, offset, "want an object", e);
	return JSON_STOP;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	const struct json_items_use use = {open_container, item, NULL, NULL};

	return json_body_new(sizeof(struct line_decoder), use, o, sink, e);
}

/* What no callback has named is broken JSON. */
static int tell_invalid(struct line_decoder *d, const struct err *e)
{
	if (e->code == ERR_INPUT && report(d)->hec == LINE_HEC_NONE)
		report(d)->hec = LINE_HEC_INVALID;
	return -1;
}

static int feed(struct line_decoder *d, struct str piece, struct err *e)
{
	return json_body_feed(d, piece, e) == 0 ? 0 : tell_invalid(d, e);
}

static int finish(struct line_decoder *d, struct err *e)
{
	if (json_body_finish(d, e) != 0)
		return tell_invalid(d, e);
	if (report(d)->items > 0)
		return 0;
	report(d)->hec = LINE_HEC_NO_DATA;
	return err_set(e, ERR_INPUT, "no data: the body holds no event");
}

const struct line_kind line_kind_splunk = {"splunk", new, feed, finish, json_body_free};
