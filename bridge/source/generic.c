/* generic.c: any JSON, or a form, by the map that the configuration gives for its source.
 *
 * One event an element of the list that `each` names (of the body itself, where that is a list and
 * there is no `each`); what is read of an element is said by the map, path by path. Without a map
 * the whole body is one event of the type `generic`, so that a sender can be looked at before
 * anything is known about it.
 *
 * What a message lacks is empty, and a list that is missing has no elements: a sender must not be
 * refused for what it leaves out. A list or object where a text is wanted is refused with its
 * place, and so is a time that is none, and an alert that lacks all of its fingerprint: it could be
 * taken for any other. Labels and the rest from paths come first; templates see them.
 *
 * A form becomes an object of strings. Its type is what curl says of JSON, too, so a body of that
 * type that begins as JSON does is read as JSON.
 */
#include "source/fields.h"
#include "source/form.h"
#include "source/kinds.h"
#include "source/map.h"

#include <string.h>
#include <strings.h>
#include "base/clock.h"

#define DEFAULT_TYPE "generic"

struct element {
	struct arena *a;
	const struct source_map *map;
	const struct json *root, *item;
	struct source_place place; /* without its name */
	struct event *ev;
};

static struct source_place place_of(const struct element *el, const struct source_value *v)
{
	return v->root ? (struct source_place){.name = v->text.p}
		       : (struct source_place){el->place.list, el->place.index, v->text.p};
}

/* ---- values ---- */

static int scalar(const struct element *el, const struct source_value *v, const struct json *j,
	struct str *out, struct err *e)
{
	if (j->kind == JSON_ARRAY || j->kind == JSON_OBJECT)
		return fields_wrong(e, j, place_of(el, v), "a string, a number or a boolean");
	*out = fields_text(j);
	return 0;
}

/* *out "" where there is nothing. */
static int text_of(
	const struct element *el, const struct source_value *v, struct str *out, struct err *e)
{
	const struct json *j =
		v->kind == SOURCE_PATH ? source_value_find(v, el->root, el->item) : NULL;

	*out = v->kind == SOURCE_LITERAL ? v->literal : STR_NONE;
	if (v->kind == SOURCE_TEMPLATE && el->map->render(v->template, el->a, el->ev, out, e) != 0)
		return -1;
	if (j && scalar(el, v, j, out, e) != 0)
		return -1;
	if (out->n <= SOURCE_VALUE_LIMIT)
		return 0;
	err_set(e, ERR_LIMIT, "%.80s: a value of %zu bytes, at most %d are taken", v->text.p,
		out->n, SOURCE_VALUE_LIMIT);
	e->offset = j ? j->offset : el->item->offset;
	return -1;
}

/* The one word of a path that leads nowhere. */
static struct str own_word(const struct source_value *v)
{
	return v->kind == SOURCE_PATH && v->path_n == 1 && !v->root ? v->path[0] : STR_NONE;
}

/* ---- labels and annotations ---- */

static int add_pairs(const struct element *el, const struct source_named *from, size_t n,
	bool templates, struct kv *to, size_t *to_n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if ((from[i].value.kind == SOURCE_TEMPLATE) != templates)
			continue;
		to[*to_n].name = from[i].name;
		if (text_of(el, &from[i].value, &to[*to_n].value, e) != 0)
			return -1;
		++*to_n;
	}
	return 0;
}

/* Templates that stand side by side do not see each other. */
static int read_pairs(const struct element *el, const struct source_named *from, size_t n,
	struct kv **out, size_t *out_n, struct err *e)
{
	struct kv *v = arena_array(el->a, n + 2, sizeof(*v)); /* room for alertname and severity */
	size_t v_n = 0;

	if (!v)
		return source_no_memory(e);
	*out = v;
	if (add_pairs(el, from, n, false, v, &v_n, e) != 0)
		return -1;
	event_sort_labels(v, &v_n, true);
	*out_n = v_n;
	if (add_pairs(el, from, n, true, v, &v_n, e) != 0)
		return -1;
	event_sort_labels(v, &v_n, true);
	*out_n = v_n;
	return 0;
}

static void default_label(struct event *ev, struct str name, struct str value)
{
	if (value.n == 0 || event_label(ev, name).n > 0)
		return;
	ev->labels[ev->labels_n++] = (struct kv){name, value};
	event_sort_labels(ev->labels, &ev->labels_n, true);
}

/* ---- status, type, severity ---- */

static bool is_among(struct str word, const struct str *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (word.n == words[i].n && strncasecmp(word.p, words[i].p, word.n) == 0)
			return true;
	}
	return false;
}

static int read_status(const struct element *el, enum event_status *out, struct err *e)
{
	const struct source_map *m = el->map;
	struct str word;

	*out = EVENT_INFO;
	if (text_of(el, &m->status, &word, e) != 0)
		return -1;
	if (word.n == 0)
		event_status_parse(own_word(&m->status), out);
	else if (m->firing_n + m->resolved_n == 0)
		*out = source_status_of(word);
	else if (is_among(word, m->firing, m->firing_n))
		*out = EVENT_FIRING;
	else if (is_among(word, m->resolved, m->resolved_n))
		*out = EVENT_RESOLVED;
	return 0;
}

static int read_type(const struct element *el, struct event *ev, struct err *e)
{
	if (text_of(el, &el->map->type, &ev->type, e) != 0)
		return -1;
	if (ev->type.n == 0)
		ev->type = own_word(&el->map->type);
	if (ev->type.n == 0)
		ev->type = ev->status == EVENT_INFO ? STR(DEFAULT_TYPE) : STR("alert");
	return 0;
}

static int read_severity(
	const struct element *el, struct event *ev, struct str *word, struct err *e)
{
	if (text_of(el, &el->map->severity, word, e) != 0)
		return -1;
	if (word->n == 0 && event_severity_of(own_word(&el->map->severity)) != SEVERITY_UNKNOWN)
		*word = own_word(&el->map->severity);
	ev->severity = event_severity_of(word->n ? *word : event_label(ev, STR("severity")));
	return 0;
}

/* ---- times ---- */

/* Seconds, or what is too large for them: ms, us, ns. With a fraction, which is of those. */
static bool parse_epoch(struct str s, int64_t *ns)
{
	static const int64_t largest = INT64_C(9000000000); /* seconds: the year 2255 */
	int64_t v = 0, unit = 1000000000, more = 0;
	size_t i = 0;

	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		if (v > INT64_C(900000000000000000))
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	if (i == 0)
		return false;
	for (int64_t most = largest; v > most && unit > 1; most *= 1000)
		unit /= 1000;
	if (i < s.n && s.p[i] == '.' && i + 1 < s.n) {
		int64_t digit = unit / 10;
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, digit /= 10)
			more += digit * (s.p[i] - '0');
	}
	*ns = v * unit + more;
	return i == s.n;
}

static int read_time(
	const struct element *el, const struct source_value *v, int64_t *ns, struct err *e)
{
	const struct json *j =
		v->kind == SOURCE_PATH ? source_value_find(v, el->root, el->item) : NULL;
	struct str text;

	*ns = 0;
	if (text_of(el, v, &text, e) != 0)
		return -1;
	if (text.n == 0 || parse_epoch(text, ns) || clock_parse_rfc3339(text, ns))
		return 0;
	if (j)
		return fields_odd(
			e, j, place_of(el, v), "a time as in RFC 3339, or seconds since 1970");
	err_set(e, ERR_INPUT, "%.80s: '%.*s' is no time as in RFC 3339, and no seconds since 1970",
		v->text.p, (int)(text.n < 40 ? text.n : 40), text.p);
	e->offset = el->item->offset;
	return -1;
}

static int read_times(const struct element *el, struct event *ev, struct err *e)
{
	int64_t starts, ends;

	if (read_time(el, &el->map->starts_at, &starts, e) != 0 ||
		read_time(el, &el->map->ends_at, &ends, e) != 0)
		return -1;
	ev->time_ns = starts;
	if (ev->status == EVENT_INFO)
		return 0;
	ev->starts_ns = starts;
	if (ev->status == EVENT_RESOLVED && ends) {
		ev->ends_ns = ends;
		ev->time_ns = ends;
	}
	return 0;
}

/* ---- identity ---- */

static bool is_fingerprint(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	}
	return s.n == 16;
}

static int nothing_to_know_it_by(const struct element *el, struct err *e)
{
	struct source_place place = el->place;

	place.name = el->map->fingerprint_n ? el->map->fingerprint[0].text.p
		     : place.list	    ? ""
					    : "body";
	fields_wrong(e, NULL, place,
		el->map->fingerprint_n
			? "a value: all that 'fingerprint' names is missing"
			: "a label: without 'fingerprint' they tell which alert it is");
	e->offset = el->item->offset;
	return -1;
}

static int read_fingerprint(const struct element *el, struct event *ev, struct err *e)
{
	const struct source_map *m = el->map;
	size_t n = 0;
	struct kv *v = arena_array(el->a, m->fingerprint_n ? m->fingerprint_n : 1, sizeof(*v));

	if (!v)
		return source_no_memory(e);
	for (; n < m->fingerprint_n; n++) {
		v[n].name = m->fingerprint[n].text;
		if (text_of(el, &m->fingerprint[n], &v[n].value, e) != 0)
			return -1;
	}
	if (n == 1 && is_fingerprint(v[0].value)) {
		ev->fingerprint = v[0].value;
		return 0;
	}
	event_sort_labels(v, &n, true);
	if (n == 0 && (m->fingerprint_n > 0 || ev->labels_n == 0))
		return nothing_to_know_it_by(el, e);
	ev->fingerprint = n ? event_fingerprint(el->a, v, n)
			    : event_fingerprint(el->a, ev->labels, ev->labels_n);
	return ev->fingerprint.p ? 0 : source_no_memory(e);
}

/* ---- an element, and all of them ---- */

static int read_element(const struct element *el, struct str source, struct err *e)
{
	const struct source_map *m = el->map;
	struct event *ev = el->ev;
	struct str word;

	*ev = (struct event){.source = source, .data = el->item};
	if (read_status(el, &ev->status, e) != 0 || read_type(el, ev, e) != 0 ||
		read_pairs(el, m->labels, m->labels_n, &ev->labels, &ev->labels_n, e) != 0 ||
		read_pairs(el, m->annotations, m->annotations_n, &ev->annotations,
			&ev->annotations_n, e) != 0 ||
		read_severity(el, ev, &word, e) != 0 ||
		text_of(el, &m->summary, &ev->summary, e) != 0 || read_times(el, ev, e) != 0)
		return -1;
	ev->summary = fields_cut(ev->summary, SOURCE_SUMMARY_LIMIT);
	if (ev->status != EVENT_INFO) {
		if (read_fingerprint(el, ev, e) != 0)
			return -1;
		default_label(ev, STR("alertname"), str_is(ev->type, "alert") ? source : ev->type);
	}
	/* What is added here is no part of the identity. */
	default_label(ev, STR("severity"), word);
	return arena_failed(el->a) ? source_no_memory(e) : 0;
}

/* *list NULL: the body is the only element. */
static int find_list(const struct source_map *m, const struct json *body, const struct json **list,
	bool *none, struct err *e)
{
	*none = false;
	*list = body->kind == JSON_ARRAY ? body : NULL;
	if (m->each.kind == SOURCE_UNSET)
		return 0;
	*list = source_value_find(&m->each, body, body);
	*none = !*list;
	if (*list && (*list)->kind != JSON_ARRAY)
		return fields_wrong(e, *list, (struct source_place){.name = m->each.text.p},
			"an array, as 'each' says");
	return 0;
}

static int read_mapped(struct arena *a, const struct source_request *rq, const struct json *body,
	struct source_batch *out, struct err *e)
{
	const struct source_map *m = rq->map;
	const struct json *list;
	bool none;

	if (find_list(m, body, &list, &none, e) != 0)
		return -1;
	size_t n = none ? 0 : list ? list->count : 1;
	out->events = arena_array(a, n ? n : 1, sizeof(*out->events));
	if (!out->events)
		return source_no_memory(e);
	for (const struct json *item = list ? list->child : body; item && out->n < n;
		item = item->next) {
		struct element el = {
			a, m, body, item, {NULL, SOURCE_NO_INDEX, ""}, &out->events[out->n]};
		if (list) {
			el.place.list = m->each.kind == SOURCE_UNSET ? "body" : m->each.text.p;
			el.place.index = out->n;
		}
		if (read_element(&el, rq->source, e) != 0)
			return -1;
		out->n++;
	}
	return 0;
}

static int read_whole(struct arena *a, const struct source_request *rq, const struct json *body,
	struct source_batch *out, struct err *e)
{
	out->events = arena_zalloc(a, sizeof(*out->events));
	if (!out->events)
		return source_no_memory(e);
	out->n = 1;
	*out->events = (struct event){.source = rq->source,
		.type = STR(DEFAULT_TYPE),
		.status = EVENT_INFO,
		.data = body};
	return 0;
}

/* ---- the body ---- */

static bool is_form(const struct source_request *rq)
{
	return source_type_is(rq, "application/x-www-form-urlencoded");
}

enum source_form generic_form(const struct source_request *rq)
{
	return is_form(rq) ? SOURCE_BYTES : SOURCE_JSON;
}

static const struct json *form_object(struct arena *a, struct str bytes, struct err *e)
{
	struct json *object = arena_zalloc(a, sizeof(*object)), **end;
	struct kv *pairs;
	size_t n;

	if (form_decode(a, bytes, &pairs, &n, e) != 0)
		return NULL;
	if (!object) {
		source_no_memory(e);
		return NULL;
	}
	object->kind = JSON_OBJECT;
	end = &object->child;
	for (size_t i = 0; i < n; i++) {
		struct json *m = arena_zalloc(a, sizeof(*m));
		if (!m) {
			source_no_memory(e);
			return NULL;
		}
		/* Of one name the last counts, as in JSON. */
		bool again = false;
		for (size_t k = i + 1; k < n && !again; k++)
			again = str_eq(pairs[k].name, pairs[i].name);
		if (again)
			continue;
		*m = (struct json){
			.kind = JSON_STRING, .text = pairs[i].value, .key = pairs[i].name};
		*end = m;
		end = &m->next;
		object->count++;
	}
	return object;
}

static const struct json *read_bytes(struct arena *a, struct str bytes, struct err *e)
{
	size_t i = 0;

	while (i < bytes.n && strchr(" \t\r\n", bytes.p[i]) && bytes.p[i])
		i++;
	if (i < bytes.n && (bytes.p[i] == '{' || bytes.p[i] == '['))
		return source_json(a, bytes, e);
	return form_object(a, bytes, e);
}

int generic_read(struct arena *a, const struct source_request *rq, const struct source_body *whole,
	struct source_batch *out, struct err *e)
{
	const struct json *body =
		whole->form == SOURCE_JSON ? whole->json : read_bytes(a, whole->bytes, e);

	if (!body)
		return -1;
	return rq->map ? read_mapped(a, rq, body, out, e) : read_whole(a, rq, body, out, e);
}
