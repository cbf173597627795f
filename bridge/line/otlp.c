/* otlp.c: what a log record and a span mean as lines.
 *
 * Attributes of resource, scope and record are labels. A span is a line only where its status is
 * error: type="trace_error", with service, operation and ids as labels. A record of which a known
 * member has a wrong type is refused alone, and the others are taken.
 */
#include "line/otlp.h"

#include "line/time.h"

#define VALUE_DEPTH 16 /* lists in one another, of an attribute's value */
#define STATUS_ERROR 2

/* ---- values as plain JSON ---- */

static struct json *new_node(struct arena *a, enum json_kind kind, struct str text)
{
	struct json *j = arena_zalloc(a, sizeof(*j));

	if (j) {
		j->kind = kind;
		j->text = text;
	}
	return j;
}

static struct json *plain(struct arena *a, const struct json *any, unsigned depth);

/* The elements of a list of values, or of pairs. */
static struct json *plain_list(
	struct arena *a, enum json_kind kind, const struct json *list, unsigned depth)
{
	struct json *out = new_node(a, kind, STR_NONE), *tail = NULL;

	for (const struct json *c = list ? list->child : NULL; c && out; c = c->next) {
		struct json *j = plain(a, kind == JSON_OBJECT ? json_get(c, "value") : c, depth);

		if (!j)
			return NULL;
		if (kind == JSON_OBJECT)
			j->key = json_str(json_get(c, "key"));
		if (tail)
			tail->next = j;
		else
			out->child = j;
		tail = j;
		out->count++;
	}
	return out;
}

/* {"stringValue": …} and its like; NULL: no memory. */
static struct json *plain(struct arena *a, const struct json *any, unsigned depth)
{
	const struct json *v = any && any->kind == JSON_OBJECT ? any->child : NULL;

	if (!v || depth == 0)
		return new_node(a, JSON_NULL, STR_NONE);
	if (str_is(v->key, "kvlistValue"))
		return plain_list(a, JSON_OBJECT, json_get(v, "values"), depth - 1);
	if (str_is(v->key, "arrayValue"))
		return plain_list(a, JSON_ARRAY, json_get(v, "values"), depth - 1);
	if (v->kind == JSON_BOOL) {
		struct json *j = new_node(a, JSON_BOOL, STR_NONE);

		if (j)
			j->boolean = v->boolean;
		return j;
	}
	if (v->kind != JSON_STRING && v->kind != JSON_NUMBER)
		return new_node(a, JSON_NULL, STR_NONE);
	/* An int may come as a string. */
	return new_node(a, str_is(v->key, "intValue") ? JSON_NUMBER : v->kind, v->text);
}

static void put_attributes(struct line_maker *m, const struct json *of)
{
	const struct json *object =
		plain_list(&m->arena, JSON_OBJECT, json_get(of, "attributes"), VALUE_DEPTH);

	if (object)
		line_maker_flatten(m, object);
}

size_t otlp_resource(struct line_maker *m, const struct json *resource)
{
	line_maker_begin(m, 0);
	put_attributes(m, resource);
	return line_maker_base(m);
}

size_t otlp_scope(struct line_maker *m, const struct json *scope)
{
	line_maker_begin(m, 0);
	line_maker_set(m, "scope", json_str(json_get(scope, "name")));
	put_attributes(m, scope);
	return line_maker_base(m);
}

/* ---- faults of one record ---- */

void otlp_refused(struct line_maker *m, const struct err *fault)
{
	if (!m->report)
		return;
	m->report->items++;
	if (m->report->refused++ == 0)
		m->report->first = *fault;
}

static int wrong(struct line_maker *m, const struct json *j, const char *name, const char *want)
{
	struct err fault = {0};

	err_set(&fault, ERR_INPUT, "%s: want %s, got %s", name, want, json_kind_name(j->kind));
	fault.offset = j->offset;
	otlp_refused(m, &fault);
	return -1;
}

struct member {
	const char *name;
	unsigned kinds; /* bits of enum json_kind */
	const char *want;
};

#define KIND(k) (1u << (k))

/* Each known member that is there has a kind that it may have. */
static int check(
	struct line_maker *m, const struct json *record, const struct member *members, size_t n)
{
	if (record->kind != JSON_OBJECT)
		return wrong(m, record, "record", "an object");
	for (size_t i = 0; i < n; i++) {
		const struct json *j = json_get(record, members[i].name);

		if (j && j->kind != JSON_NULL && !(KIND(j->kind) & members[i].kinds))
			return wrong(m, j, members[i].name, members[i].want);
	}
	return 0;
}

#define NUMBER_OR_TEXT (KIND(JSON_NUMBER) | KIND(JSON_STRING))

static int64_t time_of(const struct json *record, const char *name)
{
	const struct json *j = json_get(record, name);
	int64_t ns;

	if (!j || (j->kind != JSON_NUMBER && j->kind != JSON_STRING) || !line_time(j->text, &ns))
		return 0;
	return ns;
}

static int64_t number_of(const struct json *record, const char *name)
{
	int64_t v;

	return json_i64(json_get(record, name), &v) ? v : 0;
}

static int end(struct line_maker *m, struct err *e)
{
	if (m->report)
		m->report->items++;
	return line_maker_end(m, e);
}

/* ---- logs ---- */

static void put_level(struct line_maker *m, const struct json *record)
{
	static const char *const words[] = {
		"debug", "debug", "info", "warning", "error", "critical"};
	int64_t number = number_of(record, "severityNumber");
	struct str text = json_str(json_get(record, "severityText"));

	if (number >= 1 && number <= 24)
		line_maker_set(m, "level", str_of(words[(number - 1) / 4]));
	line_maker_label(m, STR("severity_text"), text);
}

static void put_body(struct line_maker *m, const struct json *record)
{
	const struct json *body = plain(&m->arena, json_get(record, "body"), VALUE_DEPTH);

	if (!body)
		return;
	if (body->kind == JSON_NULL)
		line_maker_message(m, json_str(json_get(record, "eventName")));
	else if (body->kind == JSON_OBJECT)
		line_maker_object(m, body);
	else
		line_maker_value(m, body);
}

static int take_log(struct line_maker *m, const struct json *record, struct err *e)
{
	static const struct member members[] = {
		{"timeUnixNano", NUMBER_OR_TEXT, "nanoseconds"},
		{"observedTimeUnixNano", NUMBER_OR_TEXT, "nanoseconds"},
		{"severityNumber", NUMBER_OR_TEXT, "a number"},
		{"severityText", KIND(JSON_STRING), "a string"},
		{"body", KIND(JSON_OBJECT), "an object, as {\"stringValue\": …}"},
		{"attributes", KIND(JSON_ARRAY), "an array"},
		{"traceId", KIND(JSON_STRING), "a string"},
		{"spanId", KIND(JSON_STRING), "a string"},
		{"eventName", KIND(JSON_STRING), "a string"},
	};

	if (check(m, record, members, sizeof(members) / sizeof(members[0])) != 0)
		return 0;
	line_maker_begin(m, record->offset);
	m->line.time_ns = time_of(record, "timeUnixNano");
	if (m->line.time_ns == 0)
		m->line.time_ns = time_of(record, "observedTimeUnixNano");
	put_level(m, record);
	line_maker_set(m, "trace_id", json_str(json_get(record, "traceId")));
	line_maker_set(m, "span_id", json_str(json_get(record, "spanId")));
	line_maker_set(m, "event_name", json_str(json_get(record, "eventName")));
	put_attributes(m, record);
	put_body(m, record);
	return end(m, e);
}

const struct otlp_signal otlp_logs = {"resourceLogs", "scopeLogs", "logRecords", take_log};

/* ---- traces ---- */

static bool has_failed(const struct json *span)
{
	const struct json *status = json_get(span, "status"), *code = json_get(status, "code");
	int64_t v;

	return str_is(json_str(code), "STATUS_CODE_ERROR") ||
	       (json_i64(code, &v) && v == STATUS_ERROR);
}

static const struct json *exception_of(struct line_maker *m, const struct json *span)
{
	const struct json *events = json_get(span, "events");

	for (const struct json *c = events ? events->child : NULL; c; c = c->next)
		if (str_is(json_str(json_get(c, "name")), "exception"))
			return plain_list(
				&m->arena, JSON_OBJECT, json_get(c, "attributes"), VALUE_DEPTH);
	return NULL;
}

/* "OPERATION: why", by its status or by the exception that it recorded. */
static void put_why(struct line_maker *m, const struct json *span, struct str operation)
{
	const struct json *exception = exception_of(m, span);
	struct str type = json_str(json_get(exception, "exception.type"));
	struct str message = json_str(json_get(exception, "exception.message"));
	struct str why = json_str(json_path(span, STR("status.message")));

	line_maker_label(m, STR("exception.type"), type);
	if (why.n == 0)
		why = message.n > 0 ? message : type;
	line_maker_message(m, why.n == 0 ? operation
					 : arena_printf(&m->arena, "%.*s: %.*s", STR_ARG(operation),
						   STR_ARG(why)));
}

static void put_kind(struct line_maker *m, const struct json *span)
{
	static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
	int64_t kind = number_of(span, "kind");

	if (kind >= 1 && kind <= 5)
		line_maker_set(m, "span_kind", str_of(kinds[kind - 1]));
}

static int take_span(struct line_maker *m, const struct json *span, struct err *e)
{
	static const struct member members[] = {
		{"traceId", KIND(JSON_STRING), "a string"},
		{"spanId", KIND(JSON_STRING), "a string"},
		{"parentSpanId", KIND(JSON_STRING), "a string"},
		{"name", KIND(JSON_STRING), "a string"},
		{"kind", NUMBER_OR_TEXT, "a number"},
		{"endTimeUnixNano", NUMBER_OR_TEXT, "nanoseconds"},
		{"attributes", KIND(JSON_ARRAY), "an array"},
		{"events", KIND(JSON_ARRAY), "an array"},
		{"status", KIND(JSON_OBJECT), "an object"},
	};
	struct str operation;

	if (check(m, span, members, sizeof(members) / sizeof(members[0])) != 0)
		return 0;
	if (!has_failed(span)) {
		if (m->report)
			m->report->items++;
		return 0;
	}
	operation = json_str(json_get(span, "name"));
	line_maker_begin(m, span->offset);
	m->line.time_ns = time_of(span, "endTimeUnixNano");
	put_attributes(m, span);
	line_maker_set(m, "type", STR(LINE_TYPE_TRACE_ERROR));
	line_maker_set(m, "level", STR("error"));
	line_maker_set(m, "operation", operation);
	line_maker_set(m, "trace_id", json_str(json_get(span, "traceId")));
	line_maker_set(m, "span_id", json_str(json_get(span, "spanId")));
	line_maker_set(m, "parent_span_id", json_str(json_get(span, "parentSpanId")));
	put_kind(m, span);
	put_why(m, span, operation);
	if (m->report && m->report->span && m->report->span(m->report->ctx, &m->line, e) != 0)
		return -1;
	return end(m, e);
}

const struct otlp_signal otlp_traces = {"resourceSpans", "scopeSpans", "spans", take_span};
