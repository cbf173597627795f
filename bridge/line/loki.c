/* loki.c: what is pushed to Loki, as JSON.
 *
 *	{"streams": [{"stream": {LABEL: VALUE}, "values": [["NANOSECONDS", "LINE", {LABEL:
 *VALUE}]]}]}
 *
 * A stream's values are lines as soon as they are read where its labels stand before them, as all
 * senders write it; else they are kept as text until the labels are known. A line's own labels
 * (structured metadata) come after its stream's.
 */
#include "line/loki.h"

#include "line/json_body.h"
#include "line/time.h"

struct line_decoder {
	struct json_body body; /* early: a stream's values that came before its labels */
	bool labelled;	       /* the stream's labels are the base */
};

static int refuse(const struct json *j, const char *want, struct err *e)
{
	err_set(e, ERR_INPUT, "%s, got %s", want, json_kind_name(j->kind));
	e->offset = j->offset;
	return -1;
}

/* ---- a stream as a tree ---- */

static int put_labels(struct line_maker *m, const struct json *labels, struct err *e)
{
	if (labels->kind != JSON_OBJECT)
		return refuse(labels, "stream: want an object of labels", e);
	line_maker_begin(m, labels->offset);
	line_maker_flatten(m, labels);
	line_maker_base(m);
	return 0;
}

static int take_value(struct line_maker *m, const struct json *value, struct err *e)
{
	const struct json *stamp = value->kind == JSON_ARRAY ? value->child : NULL;
	const struct json *text = stamp ? stamp->next : NULL;
	const struct json *metadata = text ? text->next : NULL;
	int64_t ns;

	if (!text)
		return refuse(value, "values: want [\"NANOSECONDS\", \"LINE\"]", e);
	if (text->kind != JSON_STRING)
		return refuse(text, "values: want the line as a string", e);
	if ((stamp->kind != JSON_STRING && stamp->kind != JSON_NUMBER) ||
		!line_time(stamp->text, &ns))
		return refuse(stamp, "values: want the time in nanoseconds as a string", e);
	line_maker_begin(m, value->offset);
	m->line.time_ns = ns;
	if (metadata && metadata->kind == JSON_OBJECT)
		line_maker_flatten(m, metadata);
	line_maker_text(m, text->text);
	return line_maker_end(m, e);
}

static int take_values(struct line_maker *m, const struct json *values, struct err *e)
{
	int rc = 0;

	if (values->kind != JSON_ARRAY)
		return refuse(values, "values: want an array", e);
	for (const struct json *v = values->child; v && rc == 0; v = v->next)
		rc = take_value(m, v, e);
	return rc;
}

int loki_stream(struct line_maker *m, const struct json *stream, struct err *e)
{
	const struct json *labels = json_get(stream, "stream"),
			  *values = json_get(stream, "values");
	int rc = 0;

	if (stream->kind != JSON_OBJECT)
		return refuse(stream, "streams: want objects", e);
	if (labels)
		rc = put_labels(m, labels, e);
	if (rc == 0 && values)
		rc = take_values(m, values, e);
	line_maker_unbase(m, m->request_n);
	return rc;
}

/* ---- the body ---- */

enum { AT_TOP, IN_BODY, IN_STREAMS, IN_STREAM, IN_VALUES };

static enum json_want open_container(void *ctx, unsigned depth, struct str key, enum json_kind kind,
	size_t offset, struct err *e)
{
	const struct line_decoder *d = ctx;
	const struct json here = {.kind = kind, .offset = offset};

	switch (depth) {
	case AT_TOP:
		if (kind == JSON_OBJECT)
			return JSON_INTO;
		refuse(&here, "want an object with 'streams'", e);
		return JSON_STOP;
	case IN_BODY:
		return str_is(key, "streams") && kind == JSON_ARRAY ? JSON_INTO : JSON_WHOLE;
	case IN_STREAMS:
		return kind == JSON_OBJECT ? JSON_INTO : JSON_WHOLE;
	case IN_STREAM:
		return str_is(key, "values") && kind == JSON_ARRAY && d->labelled ? JSON_INTO
										  : JSON_WHOLE;
	default:
		return JSON_WHOLE;
	}
}

static int in_stream(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (str_is(j->key, "stream")) {
		d->labelled = true;
		line_maker_unbase(&d->body.maker, d->body.maker.request_n);
		return put_labels(&d->body.maker, j, e);
	}
	if (!str_is(j->key, "values"))
		return 0;
	return j->kind == JSON_ARRAY ? json_body_keep(&d->body, j, "values", "stream", e)
				     : refuse(j, "values: want an array", e);
}

static int item(void *ctx, unsigned depth, const struct json *j, struct err *e)
{
	struct line_decoder *d = ctx;

	switch (depth) {
	case AT_TOP:
		return refuse(j, "want an object with 'streams'", e);
	case IN_BODY:
		return str_is(j->key, "streams") ? refuse(j, "streams: want an array", e) : 0;
	case IN_STREAMS:
		return refuse(j, "streams: want objects", e);
	case IN_STREAM:
		return in_stream(d, j, e);
	default:
		return take_value(&d->body.maker, j, e);
	}
}

static int take_kept(struct line_decoder *d, const struct json *value, struct err *e)
{
	return take_value(&d->body.maker, value, e);
}

static int close_container(void *ctx, unsigned depth, struct err *e)
{
	struct line_decoder *d = ctx;
	int rc;

	if (depth != IN_STREAMS)
		return 0;
	rc = json_body_take_kept(&d->body, take_kept, e);
	line_maker_unbase(&d->body.maker, d->body.maker.request_n);
	d->labelled = false;
	return rc;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	const struct json_items_use use = {open_container, item, close_container, NULL};

	return json_body_new(sizeof(struct line_decoder), use, o, sink, e);
}

const struct line_kind line_kind_loki_json = {
	"loki", new, json_body_feed, json_body_finish, json_body_free};
