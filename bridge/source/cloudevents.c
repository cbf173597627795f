/* cloudevents.c: CloudEvents 1.0 over HTTP: structured, batched, binary.
 *
 * The content type says which it is: application/cloudevents-batch+json,
 * application/cloudevents+json, anything else binary, with its attributes in ce- headers. Another
 * format of CloudEvents is refused: taken for binary, its event would become data of nothing. A
 * body of JSON that comes without any ce- header is read as structured, since that is what people
 * send by hand.
 *
 * One event, info, for each: the type is the event's, labels are ce_source, subject and the
 * extensions, data is its data: JSON as it is, text as a string, all other bytes as base64. source
 * and id together are the delivery id; the standard says that they are unique, and that a sender
 * uses them again when it sends again.
 *
 * Refused: what the standard forbids of attributes, in any mode the same way. A header's value is
 * unquoted, then its percent signs are decoded once; a "%" that no two hex digits follow is itself,
 * as senders that do not encode at all write it.
 */
#include "source/cloudevents.h"

#include <string.h>
#include <strings.h>
#include "base/base64.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "source/fields.h"
#include "source/kinds.h"
#include "source/labels.h"

enum attribute {
	ATTR_SPECVERSION,
	ATTR_ID,
	ATTR_SOURCE,
	ATTR_TYPE,
	ATTR_SUBJECT,
	ATTR_TIME,
	ATTR_DATACONTENTTYPE,
	ATTR_DATASCHEMA,
	ATTR_COUNT,
};

static const char *const attribute_names[ATTR_COUNT] = {
	[ATTR_SPECVERSION] = "specversion",
	[ATTR_ID] = "id",
	[ATTR_SOURCE] = "source",
	[ATTR_TYPE] = "type",
	[ATTR_SUBJECT] = "subject",
	[ATTR_TIME] = "time",
	[ATTR_DATACONTENTTYPE] = "datacontenttype",
	[ATTR_DATASCHEMA] = "dataschema",
};

/* One event under way. */
struct ce {
	struct arena *a;
	struct str attributes[ATTR_COUNT]; /* p NULL: missing */
	size_t offsets[ATTR_COUNT];	   /* in the body; 0 of a header */
	struct labels labels;
	size_t index; /* in a batch; SOURCE_NO_INDEX */
	size_t offset; /* of the event in the body */
	bool lenient; /* id, source and specversion may be missing, and "_" is in names */
};

#define NAME_MAX_BYTES 100 /* of a name in a message */

/* "events[3].id: TEXT" */
static int fault(
	const struct ce *ce, struct str name, size_t offset, struct err *e, const char *text)
{
	int n = (int)(name.n < NAME_MAX_BYTES ? name.n : NAME_MAX_BYTES);

	if (ce->index != SOURCE_NO_INDEX)
		err_set(e, ERR_INPUT, "events[%zu].%.*s: %s", ce->index, n, name.p, text);
	else
		err_set(e, ERR_INPUT, "%.*s: %s", n, name.p, text);
	e->offset = offset;
	return -1;
}

/* ---- attributes ---- */

static int attribute_of(struct str name)
{
	for (int i = 0; i < ATTR_COUNT; i++) {
		if (str_is(name, attribute_names[i]))
			return i;
	}
	return -1;
}

static bool is_extension_name(const struct ce *ce, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
			    (name.p[i] >= '0' && name.p[i] <= '9') ||
			    (ce->lenient && name.p[i] == '_')))
			return false;
	}
	return name.n > 0;
}

static int put(struct ce *ce, struct str name, struct str value, size_t offset, struct err *e)
{
	int i = attribute_of(name);

	if (i >= 0) {
		ce->attributes[i] = value;
		ce->offsets[i] = offset;
		return 0;
	}
	if (!is_extension_name(ce, name))
		return fault(ce, name, offset, e,
			ce->lenient ? "an attribute's name has small letters, digits and _ only"
				    : "an attribute's name has small letters and digits only");
	if (labels_put(&ce->labels, name, value, e) == 0)
		return 0;
	e->offset = offset;
	return -1;
}

static int check_attributes(const struct ce *ce, struct err *e)
{
	static const enum attribute required[] = {
		ATTR_SPECVERSION, ATTR_ID, ATTR_SOURCE, ATTR_TYPE};

	for (int i = 0; i < ATTR_COUNT; i++) {
		if (ce->attributes[i].p && ce->attributes[i].n == 0)
			return fault(ce, str_of(attribute_names[i]), ce->offsets[i], e,
				"must not be empty");
	}
	for (size_t i = ce->lenient ? 3 : 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (!ce->attributes[required[i]].p)
			return fault(ce, str_of(attribute_names[required[i]]), ce->offset, e,
				"missing; an event has specversion, id, source and type");
	}
	if (ce->attributes[ATTR_SPECVERSION].p && !str_is(ce->attributes[ATTR_SPECVERSION], "1.0"))
		return fault(ce, STR("specversion"), ce->offsets[ATTR_SPECVERSION], e,
			"only CloudEvents 1.0 is taken");
	return 0;
}

static int set_delivery(struct ce *ce, struct event *ev)
{
	struct str source = ce->attributes[ATTR_SOURCE], id = ce->attributes[ATTR_ID];

	if (!id.p)
		return 0;
	/* The length in front keeps apart what the pair alone would not. */
	ev->delivery = source.p ? arena_printf(ce->a, "%zu:%.*s %.*s", source.n, STR_ARG(source),
					  STR_ARG(id))
				: id;
	return ev->delivery.p ? 0 : -1;
}

static int to_event(
	struct ce *ce, struct str source, const struct json *data, struct event *ev, struct err *e)
{
	struct str *at = ce->attributes;

	if (check_attributes(ce, e) != 0)
		return -1;
	*ev = (struct event){
		.source = source, .type = at[ATTR_TYPE], .status = EVENT_INFO, .data = data};
	if (at[ATTR_TIME].p && !clock_parse_rfc3339(at[ATTR_TIME], &ev->time_ns))
		return fault(
			ce, STR("time"), ce->offsets[ATTR_TIME], e, "want a time as in RFC 3339");
	if (labels_put(&ce->labels, STR("ce_source"), at[ATTR_SOURCE], e) != 0 ||
		labels_put(&ce->labels, STR("subject"), at[ATTR_SUBJECT], e) != 0)
		return -1;
	labels_end(&ce->labels, &ev->labels, &ev->labels_n);
	ev->severity = event_severity_of(event_label(ev, STR("severity")));
	ev->summary = fields_cut(
		at[ATTR_SUBJECT].n ? at[ATTR_SUBJECT] : at[ATTR_TYPE], SOURCE_SUMMARY_LIMIT);
	return set_delivery(ce, ev) == 0 && !arena_failed(ce->a) ? 0 : source_no_memory(e);
}

/* ---- data ---- */

/* application/json, text/json, application/problem+json; none: what JSON events have. */
static bool is_json_type(struct str type)
{
	const char *semicolon = type.n ? memchr(type.p, ';', type.n) : NULL;
	size_t n = semicolon ? (size_t)(semicolon - type.p) : type.n;

	while (n > 0 && (type.p[n - 1] == ' ' || type.p[n - 1] == '\t'))
		n--;
	return n >= 5 && (strncasecmp(type.p + n - 5, "/json", 5) == 0 ||
				 strncasecmp(type.p + n - 5, "+json", 5) == 0);
}

static const struct json *json_string(struct arena *a, struct str s)
{
	struct json *j = arena_zalloc(a, sizeof(*j));

	if (j)
		*j = (struct json){.kind = JSON_STRING, .text = s};
	return j;
}

static const struct json *bytes_as_data(struct arena *a, struct str bytes)
{
	if (utf8_valid(bytes) != bytes.n || (bytes.n && memchr(bytes.p, '\0', bytes.n)))
		bytes = base64_encode(a, bytes);
	return bytes.p || bytes.n == 0 ? json_string(a, bytes) : NULL;
}

static int read_base64(
	const struct ce *ce, const struct json *j, const struct json **data, struct err *e)
{
	struct str bytes, name = STR("data_base64");
	struct err inner = {0};

	if (j->kind != JSON_STRING)
		return fault(ce, name, j->offset, e, "want a string of base64");
	if (!base64_decode(ce->a, j->text, &bytes))
		return arena_failed(ce->a) ? source_no_memory(e)
					   : fault(ce, name, j->offset, e, "this is no base64");
	if (is_json_type(ce->attributes[ATTR_DATACONTENTTYPE])) {
		*data = source_json(ce->a, bytes, &inner);
		if (!*data)
			return fault(ce, name, j->offset, e,
				"it is not the JSON that datacontenttype says");
		return 0;
	}
	*data = bytes_as_data(ce->a, bytes);
	return *data ? 0 : source_no_memory(e);
}

/* ---- structured ---- */

static bool is_int32(const struct json *j)
{
	int64_t v;

	return json_i64(j, &v) && v >= INT32_MIN && v <= INT32_MAX;
}

static int take_member(struct ce *ce, const struct json *m, struct err *e)
{
	bool attribute = attribute_of(m->key) >= 0;

	if (m->kind == JSON_NULL)
		return 0;
	if (m->kind == JSON_STRING && m->text.n && memchr(m->text.p, '\0', m->text.n))
		return fault(ce, m->key, m->offset, e, "holds a NUL character");
	if (attribute && m->kind != JSON_STRING)
		return fault(ce, m->key, m->offset, e, "want a string");
	if (m->kind != JSON_STRING && m->kind != JSON_BOOL && !is_int32(m))
		return fault(ce, m->key, m->offset, e,
			"an extension is a string, a boolean or a whole number of 32 bits");
	return put(ce, m->key, fields_text(m), m->offset, e);
}

static int read_structured(struct arena *a, const struct source_request *rq, const struct json *j,
	size_t index, bool lenient, struct event *ev, struct err *e)
{
	struct ce ce = {.a = a,
		.labels = {.arena = a},
		.index = index,
		.offset = j->offset,
		.lenient = lenient};
	const struct json *data = NULL, *base64 = NULL;

	if (j->kind != JSON_OBJECT)
		return fields_wrong(e, j,
			(struct source_place){index == SOURCE_NO_INDEX ? NULL : "events", index,
				index == SOURCE_NO_INDEX ? "body" : ""},
			"an event, as an object");
	for (const struct json *m = j->child; m; m = m->next) {
		if (str_is(m->key, "data"))
			data = m->kind == JSON_NULL ? NULL : m;
		else if (str_is(m->key, "data_base64"))
			base64 = m->kind == JSON_NULL ? NULL : m;
		else if (take_member(&ce, m, e) != 0)
			return -1;
	}
	if (data && base64)
		return fault(&ce, STR("data_base64"), base64->offset, e,
			"stands beside data; an event has one of them");
	if (base64 && read_base64(&ce, base64, &data, e) != 0)
		return -1;
	return to_event(&ce, rq->source, data, ev, e);
}

static int read_list(struct arena *a, const struct source_request *rq, const struct json *body,
	bool lenient, struct source_batch *out, struct err *e)
{
	bool list = body->kind == JSON_ARRAY;
	size_t n = list ? body->count : 1;

	out->events = arena_array(a, n ? n : 1, sizeof(*out->events));
	if (!out->events)
		return source_no_memory(e);
	out->own_deliveries = true;
	for (const struct json *j = list ? body->child : body; j && out->n < n;
		j = j->next, out->n++) {
		if (read_structured(a, rq, j, list ? out->n : SOURCE_NO_INDEX, lenient,
			    &out->events[out->n], e) != 0)
			return -1;
	}
	return 0;
}

int cloudevents_emitted(struct arena *a, const struct source_request *rq, const struct json *body,
	struct source_batch *out, struct err *e)
{
	*out = (struct source_batch){0};
	return read_list(a, rq, body, true, out, e);
}

/* ---- binary ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

/* "…" with its escapes undone; any other value is itself. */
static struct str unquote(struct arena *a, struct str s)
{
	char *to;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	to = arena_alloc(a, s.n);
	if (!to)
		return STR_NONE;
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		to[n++] = s.p[i];
	}
	return (struct str){to, n};
}

static struct str decode_percent(struct arena *a, struct str s)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (!to)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		bool code = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 &&
			    hex(s.p[i + 2]) >= 0;

		to[n++] = code ? (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])) : s.p[i];
		i += code ? 2 : 0;
	}
	to[n] = '\0';
	return (struct str){to, n};
}

struct header_walk {
	struct ce *ce;
	struct err *e;
	int rc;
};

static void take_header(void *arg, struct str name, struct str value)
{
	struct header_walk *w = arg;
	struct ce *ce = w->ce;
	char *lower;

	if (w->rc != 0 || name.n < 3 || strncasecmp(name.p, "ce-", 3) != 0)
		return;
	w->rc = -1;
	lower = arena_alloc(ce->a, name.n - 2);
	value = decode_percent(ce->a, unquote(ce->a, value));
	if (!lower || !value.p) {
		source_no_memory(w->e);
		return;
	}
	for (size_t i = 3; i < name.n; i++)
		lower[i - 3] =
			name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 32) : name.p[i];
	lower[name.n - 3] = '\0';
	struct str key = {lower, name.n - 3};
	if (utf8_valid(value) != value.n || memchr(value.p, '\0', value.n))
		fault(ce, key, 0, w->e, "the header's value is no UTF-8 text");
	else if (str_is(key, "datacontenttype"))
		fault(ce, key, 0, w->e, "must not be a header; Content-Type says it");
	else if (str_is(key, "data") || str_is(key, "data_base64"))
		fault(ce, key, 0, w->e, "must not be a header; the body is the data");
	else
		w->rc = put(ce, key, value, 0, w->e);
}

static int read_binary(struct arena *a, const struct source_request *rq, struct str bytes,
	struct source_batch *out, struct err *e)
{
	struct ce ce = {.a = a, .labels = {.arena = a}, .index = SOURCE_NO_INDEX};
	struct header_walk w = {&ce, e, 0};
	const struct json *data = NULL;

	if (rq->headers)
		rq->headers(rq->ctx, take_header, &w);
	if (w.rc != 0)
		return -1;
	if (!ce.attributes[ATTR_SPECVERSION].p)
		return err_set(e, ERR_INPUT,
			"this is no CloudEvent: neither a header ce-specversion nor Content-Type "
			"application/cloudevents+json or application/cloudevents-batch+json");
	if (is_json_type(source_header(rq, "Content-Type"))) {
		if (bytes.n > 0 && !(data = source_json(a, bytes, e)))
			return -1;
	} else if (bytes.n > 0 && !(data = bytes_as_data(a, bytes))) {
		return source_no_memory(e);
	}
	out->events = arena_array(a, 1, sizeof(*out->events));
	if (!out->events)
		return source_no_memory(e);
	if (to_event(&ce, rq->source, data, out->events, e) != 0)
		return -1;
	out->n = 1;
	return 0;
}

/* ---- which of them ---- */

enum mode {
	MODE_STRUCTURED,
	MODE_BATCH,
	MODE_BINARY,
	MODE_EITHER, /* JSON without headers of an event */
	MODE_UNKNOWN,
};

static enum mode mode_of(const struct source_request *rq)
{
	static const char family[] = "application/cloudevents";
	struct str type = source_header(rq, "Content-Type");

	/* The batch first: both begin alike. */
	if (source_type_is(rq, "application/cloudevents-batch+json"))
		return MODE_BATCH;
	if (source_type_is(rq, "application/cloudevents+json") ||
		source_type_is(rq, "application/cloudevents"))
		return MODE_STRUCTURED;
	if (type.n >= sizeof(family) - 1 && strncasecmp(type.p, family, sizeof(family) - 1) == 0)
		return MODE_UNKNOWN;
	if (!rq->header)
		return MODE_EITHER;
	return is_json_type(type) && !source_header(rq, "ce-specversion").p &&
			       !source_header(rq, "ce-id").p
		       ? MODE_EITHER
		       : MODE_BINARY;
}

enum source_form cloudevents_form(const struct source_request *rq)
{
	enum mode mode = mode_of(rq);

	return mode == MODE_BINARY || mode == MODE_UNKNOWN ? SOURCE_BYTES : SOURCE_JSON;
}

int cloudevents_read(struct arena *a, const struct source_request *rq,
	const struct source_body *whole, struct source_batch *out, struct err *e)
{
	const struct json *body = whole->json;
	struct str type = source_header(rq, "Content-Type");

	switch (mode_of(rq)) {
	case MODE_UNKNOWN:
		err_set(e, ERR_INPUT,
			"content type '%.*s' is not read; CloudEvents are taken as "
			"application/cloudevents+json, "
			"application/cloudevents-batch+json or in ce- headers",
			(int)(type.n < 80 ? type.n : 80), type.p);
		return -1;
	case MODE_BINARY:
		return read_binary(a, rq, whole->bytes, out, e);
	case MODE_BATCH:
		if (body->kind != JSON_ARRAY)
			return fields_wrong(e, body, (struct source_place){.name = "body"},
				"an array of events");
		break;
	case MODE_STRUCTURED:
		if (body->kind != JSON_OBJECT)
			return fields_wrong(e, body, (struct source_place){.name = "body"},
				"an event, as an object");
		break;
	case MODE_EITHER:
		break;
	}
	return read_list(a, rq, body, false, out, e);
}
