/* json.c: a body of JSON objects: an array of them, or one after the other with anything of white
 * space or nothing between them, which is what NDJSON and Fluent Bit's json_stream are, too.
 *
 * An object that holds others is taken apart: Kafka's REST form {"records": [{"value": …}]}, and
 * Loki's {"streams": […]}, both of which rsyslog sends to any address.
 */
#include "line/json_body.h"
#include "line/loki.h"

struct line_decoder {
	struct json_body body;
};

static int refuse(const struct json *j, struct err *e)
{
	err_set(e, ERR_INPUT, "want an object a line, or an array of objects; got %s",
		json_kind_name(j->kind));
	e->offset = j->offset;
	return -1;
}

static int take(struct line_decoder *d, const struct json *j, struct err *e)
{
	if (j->kind != JSON_OBJECT && j->kind != JSON_STRING)
		return refuse(j, e);
	line_maker_begin(&d->body.maker, j->offset);
	if (j->kind == JSON_STRING)
		line_maker_text(&d->body.maker, j->text);
	else
		line_maker_object(&d->body.maker, j);
	return line_maker_end(&d->body.maker, e);
}

/* The array of this name in an object whose elements have this member; NULL where it is not so. */
static const struct json *array_of(const struct json *j, const char *name, const char *member)
{
	const struct json *array = json_get(j, name);

	return array && array->kind == JSON_ARRAY && array->child && json_get(array->child, member)
		       ? array
		       : NULL;
}

static int item(void *ctx, unsigned depth, const struct json *j, struct err *e)
{
	struct line_decoder *d = ctx;
	const struct json *records = array_of(j, "records", "value");
	const struct json *streams = array_of(j, "streams", "values");
	int rc = 0;

	(void)depth;
	if (!records && !streams)
		return take(d, j, e);
	for (const struct json *c = streams ? streams->child : NULL; c && rc == 0; c = c->next)
		rc = loki_stream(&d->body.maker, c, e);
	for (const struct json *c = streams ? NULL : records->child; c && rc == 0; c = c->next) {
		const struct json *value = json_get(c, "value");

		rc = value ? take(d, value, e) : refuse(c, e);
	}
	return rc;
}

static enum json_want open_container(void *ctx, unsigned depth, struct str key, enum json_kind kind,
	size_t offset, struct err *e)
{
	(void)ctx;
	(void)key;
	if (kind == JSON_OBJECT)
		return JSON_WHOLE;
	if (depth == 0)
		return JSON_INTO;
	refuse(&(struct json){.kind = kind, .offset = offset}, e);
	return JSON_STOP;
}

static struct line_decoder *new (
	const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	const struct json_items_use use = {open_container, item, NULL, NULL};

	return json_body_new(sizeof(struct line_decoder), use, o, sink, e);
}

const struct line_kind line_kind_json = {
	"json", new, json_body_feed, json_body_finish, json_body_free};
