/* field.c: left sides: the names by which rules ask an event for a value.
 *
 * A plain word without a dot is a label; one with a prefix (event. annotations. data.) is a field;
 * any other dotted word is refused with the likely meant one, since `job.name = x` that quietly
 * looked for a label would never match. In quotes everything is a label. An absent value is the
 * empty text.
 */
#include "rule/matcher_impl.h"

#include "base/nearest.h"

#define DATA_TEXT_LIMIT (1 << 20) /* bytes of an object of data as JSON; past it, it is "" */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const event_fields[] = {
	[FIELD_EVENT_SOURCE] = "source",
	[FIELD_EVENT_TYPE] = "type",
	[FIELD_EVENT_STATUS] = "status",
	[FIELD_EVENT_SEVERITY] = "severity",
	[FIELD_EVENT_SUMMARY] = "summary",
	[FIELD_EVENT_GROUP] = "group",
};

const char *field_event_name(enum field_event f)
{
	return event_fields[f];
}

/* ---- what a name means ---- */

/* The rest after the prefix "event." and the like; "" where s begins otherwise. */
static bool take_prefix(struct str s, const char *prefix, struct str *rest)
{
	struct str p = str_of(prefix);

	if (!str_starts(s, p))
		return false;
	*rest = (struct str){s.p + p.n, s.n - p.n};
	return true;
}

static bool has_empty_segment(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '.' && (i == 0 || i + 1 == path.n || path.p[i + 1] == '.'))
			return true;
	return path.n == 0;
}

static int event_field_of(struct str name, size_t offset, struct field *out, struct err *e)
{
	for (size_t i = 0; i < COUNT(event_fields); i++)
		if (str_is(name, event_fields[i])) {
			out->kind = FIELD_EVENT;
			out->event = (enum field_event)i;
			return 0;
		}
	const char *near = nearest(name, event_fields, COUNT(event_fields));
	err_set(e, ERR_INPUT,
		"there is no 'event.%.*s'%s%s%s; known are event.source, event.type, event.status, "
		"event.severity, event.summary, event.group",
		STR_ARG(name), near ? ", did you mean 'event." : "", near ? near : "",
		near ? "'" : "");
	e->offset = offset;
	return -1;
}

static int dotted_label(struct str name, size_t offset, struct err *e)
{
	static const char *const prefixes[] = {"event", "annotations", "data", "labels"};
	size_t n = 0;

	while (name.p[n] != '.')
		n++;
	const char *near = nearest((struct str){name.p, n}, prefixes, COUNT(prefixes) - 1);
	if (str_starts(name, STR("labels.")))
		err_set(e, ERR_INPUT, "a label is written without 'labels.': '%.*s'",
			(int)(name.n - 7), name.p + 7);
	else
		err_set(e, ERR_INPUT,
			"'%.*s' is no field%s%s%s; for a label of that name write \"%.*s\" in "
			"double quotes",
			STR_ARG(name), near ? ", did you mean '" : "", near ? near : "",
			near ? ".…'" : "", STR_ARG(name));
	e->offset = offset;
	return -1;
}

int field_of_word(const struct word *w, struct field *out, struct err *e)
{
	struct str name = w->value;

	*out = (struct field){.kind = FIELD_LABEL, .name = name, .text = name};
	if (name.n == 0)
		return cursor_fail(e, w->from, "a label or field is missing here");
	if (w->quoted || !memchr(name.p, '.', name.n))
		return 0;
	if (take_prefix(name, "event.", &out->name))
		return event_field_of(out->name, w->from, out, e);
	if (take_prefix(name, "annotations.", &out->name)) {
		out->kind = FIELD_ANNOTATION;
		return out->name.n > 0 ? 0
				       : cursor_fail(e, w->from,
						 "'annotations.' lacks the annotation's name");
	}
	if (take_prefix(name, "data.", &out->name)) {
		out->kind = FIELD_DATA;
		return has_empty_segment(out->name)
			       ? cursor_fail(e, w->from, "a part of this path is empty")
			       : 0;
	}
	return dotted_label(name, w->from, e);
}

int field_parse(struct arena *a, struct str text, struct field *out, struct err *e)
{
	struct cursor c = {text, 0};
	struct word w;

	if (matcher_check_utf8(text, e) < 0)
		return -1;
	cursor_skip_blanks(&c);
	if (matcher_read_word(&c, a, &w, e) < 0)
		return -1;
	cursor_skip_blanks(&c);
	if (!cursor_at_end(&c))
		return cursor_fail(e, c.at,
			"want one label or field here; put a name with such characters in double "
			"quotes");
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "no memory for a field");
	if (field_of_word(&w, out, e) < 0)
		return -1;
	out->text = arena_strdup(a, (struct str){text.p + w.from, w.to - w.from});
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "no memory for a field") : 0;
}

static struct str data_text(struct arena *a, const struct json *j)
{
	struct buf b;
	struct json_w w;
	struct str s = STR_NONE;

	if (!j)
		return STR_NONE;
	switch (j->kind) {
	case JSON_NULL:
		return STR_NONE;
	case JSON_BOOL:
		return j->boolean ? STR("true") : STR("false");
	case JSON_NUMBER:
	case JSON_STRING:
		return j->text;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	buf_init(&b, DATA_TEXT_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, j);
	if (!buf_failed(&b))
		s = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str event_field_value(enum field_event which, const struct event *ev)
{
	switch (which) {
	case FIELD_EVENT_SOURCE:
		return ev->source;
	case FIELD_EVENT_TYPE:
		return ev->type;
	case FIELD_EVENT_STATUS:
		return str_of(event_status_name(ev->status));
	case FIELD_EVENT_SEVERITY:
		return str_of(event_severity_name(ev->severity));
	case FIELD_EVENT_SUMMARY:
		return ev->summary;
	case FIELD_EVENT_GROUP:
		return ev->group;
	}
	return STR_NONE;
}

uint64_t field_cost(const struct field *f, const struct event *ev, struct str value)
{
	const struct json *j = f->kind == FIELD_DATA ? ev->data : NULL;
	uint64_t passed = 0;
	size_t from = 0;

	for (size_t i = 0; j && i <= f->name.n; i++) {
		if (i < f->name.n && f->name.p[i] != '.')
			continue;
		passed += j->count;
		j = json_path(j, (struct str){f->name.p + from, i - from});
		from = i + 1;
	}
	if (!j || (j->kind != JSON_ARRAY && j->kind != JSON_OBJECT))
		return passed;
	return passed + (value.n ? value.n : DATA_TEXT_LIMIT);
}

struct str field_value(struct arena *a, const struct field *f, const struct event *ev)
{
	switch (f->kind) {
	case FIELD_LABEL:
		return event_label(ev, f->name);
	case FIELD_EVENT:
		return event_field_value(f->event, ev);
	case FIELD_ANNOTATION:
		return event_annotation(ev, f->name);
	case FIELD_DATA:
		return data_text(a, json_path(ev->data, f->name));
	}
	return STR_NONE;
}
