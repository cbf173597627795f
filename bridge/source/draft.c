/* draft.c: one nested object to one event.
 *
 * Borrows every text from the body's arena. Guarantee: a draft with an error gives no event; the
 * error is the first one. Reads no member that its caller did not name, so what newer versions of a
 * sender add is left alone.
 */
#include "source/draft.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/utf8.h"
#include "source/fields.h"

#define NS_A_SECOND INT64_C(1000000000)
#define LAST_SECOND INT64_C(9223372035) /* as ns it fits an int64_t: in the year 2262 */

static bool failed(const struct draft *d)
{
	return d->err->code != ERR_NONE;
}

int draft_begin(struct draft *d, struct arena *a, const struct source_request *rq,
	const struct json *body, struct source_batch *out, struct err *e)
{
	if (body->kind != JSON_OBJECT)
		return fields_wrong(e, body, (struct source_place){.name = "body"}, "an object");
	*d = (struct draft){.arena = a,
		.body = body,
		.event = arena_zalloc(a, sizeof(*d->event)),
		.labels = {.arena = a},
		.links = {.arena = a},
		.err = e};
	if (!d->event)
		return source_no_memory(e);
	*d->event = (struct event){.source = rq->source, .status = EVENT_INFO, .data = body};
	*e = (struct err){0};
	out->events = d->event;
	return 0;
}

int draft_end(struct draft *d, struct source_batch *out)
{
	if (failed(d))
		return -1;
	labels_end(&d->labels, &d->event->labels, &d->event->labels_n);
	labels_end(&d->links, &d->event->links, &d->event->links_n);
	if (arena_failed(d->arena))
		return source_no_memory(d->err);
	out->n = 1;
	return 0;
}

/* ---- reading ---- */

static const struct json *wrong(
	struct draft *d, const struct json *j, const char *path, size_t n, const char *wanted)
{
	err_set(d->err, ERR_INPUT, "%.*s: want %s, got %s", (int)n, path, wanted,
		json_kind_name(j->kind));
	d->err->offset = j->offset;
	return NULL;
}

const struct json *draft_at(struct draft *d, const char *path)
{
	const struct json *j = d->body;

	for (const char *at = path; j && !failed(d);) {
		size_t n = strcspn(at, ".");

		if (j->kind != JSON_OBJECT)
			return wrong(d, j, path, (size_t)(at - path) - 1, "an object");
		j = json_getn(j, (struct str){at, n});
		if (j && j->kind == JSON_NULL)
			return NULL;
		if (!at[n])
			return j;
		at += n + 1;
	}
	return NULL;
}

struct str draft_text(struct draft *d, const char *path)
{
	const struct json *j = draft_at(d, path);

	if (j && j->kind != JSON_STRING && j->kind != JSON_NUMBER)
		j = wrong(d, j, path, strlen(path), "a string");
	return j ? j->text : STR_NONE;
}

bool draft_flag(struct draft *d, const char *path)
{
	const struct json *j = draft_at(d, path);

	if (j && j->kind != JSON_BOOL)
		j = wrong(d, j, path, strlen(path), "true or false");
	return j && j->boolean;
}

/* "2016-08-12 15:26:29 UTC" and "…-0800" as RFC 3339 has it. */
static bool parse_time(struct str s, int64_t *ns)
{
	char text[CLOCK_RFC3339_MAX + 8];
	size_t n = 0;

	if (s.n + 2 > sizeof(text))
		return clock_parse_rfc3339(s, ns);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' && i == 10)
			text[n++] = 'T';
		else if (s.p[i] != ' ')
			text[n++] = s.p[i];
	}
	if (n > 3 && memcmp(text + n - 3, "UTC", 3) == 0) {
		n -= 2;
		text[n - 1] = 'Z';
	} else if (n > 19 && (text[n - 5] == '+' || text[n - 5] == '-')) {
		memmove(text + n - 1, text + n - 2, 2);
		text[n - 2] = ':';
		n++;
	}
	return clock_parse_rfc3339((struct str){text, n}, ns);
}

/* A number of 1/scale seconds. */
static int64_t since_1970(struct draft *d, const struct json *j, const char *path, int64_t scale)
{
	int64_t n = 0;

	if (json_i64(j, &n) && n >= 0 && n / scale <= LAST_SECOND)
		return n * (NS_A_SECOND / scale);
	err_set(d->err, ERR_INPUT, "%s: want a time, got %.*s", path,
		(int)(j->text.n < 40 ? j->text.n : 40), j->text.p);
	d->err->offset = j->offset;
	return 0;
}

int64_t draft_time(struct draft *d, const char *path)
{
	const struct json *j = draft_at(d, path);
	struct str s = draft_text(d, path);
	int64_t ns = 0;

	if (j && j->kind == JSON_NUMBER)
		return since_1970(d, j, path, 1);
	if (s.n == 0 || parse_time(s, &ns))
		return ns;
	err_set(d->err, ERR_INPUT, "%s: '%.*s' is no time as in RFC 3339", path,
		(int)(s.n < 40 ? s.n : 40), s.p);
	d->err->offset = j->offset;
	return 0;
}

int64_t draft_time_ms(struct draft *d, const char *path)
{
	const struct json *j = draft_at(d, path);

	if (j && j->kind != JSON_NUMBER)
		j = wrong(d, j, path, strlen(path), "a number of milliseconds");
	return j ? since_1970(d, j, path, 1000) : 0;
}

struct str draft_header(struct draft *d, const struct source_request *rq, const char *name)
{
	struct str s = source_header(rq, name);

	return s.n && utf8_valid(s) == s.n ? arena_strdup(d->arena, s) : STR_NONE;
}

/* ---- writing ---- */

void draft_put(struct draft *d, const char *label, struct str value)
{
	if (!failed(d))
		labels_put(&d->labels, str_of(label), value, d->err);
}

void draft_take(struct draft *d, const char *label, const char *path)
{
	draft_put(d, label, draft_text(d, path));
}

void draft_take_all(struct draft *d, const struct draft_label *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		draft_take(d, table[i].label, table[i].path);
}

struct str draft_label_of(const struct draft *d, const char *label)
{
	const struct kv *found = labels_find(&d->labels, str_of(label));

	return found ? found->value : STR_NONE;
}

void draft_link(struct draft *d, const char *name, struct str url)
{
	if (!failed(d))
		labels_put(&d->links, str_of(name), url, d->err);
}

void draft_type(struct draft *d, const char *prefix, struct str word)
{
	size_t n = strlen(prefix), more = word.n < DRAFT_WORD_LIMIT ? word.n : DRAFT_WORD_LIMIT;
	char *text = arena_alloc(d->arena, n + more + 1);

	if (!text)
		return;
	memcpy(text, prefix, n);
	for (size_t i = 0; i < more; i++, n++) {
		char c = word.p[i];
		bool upper = c >= 'A' && c <= 'Z';

		if (upper)
			c = (char)(c - 'A' + 'a');
		text[n] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	text[n] = '\0';
	d->event->type = (struct str){text, n};
}

void draft_summary(struct draft *d, const char *format, ...)
{
	/* Each text in it is cut below: the longest that can matter, and no more. */
	char *text = arena_alloc(d->arena, SOURCE_SUMMARY_LIMIT + 4);
	va_list ap;

	if (!text)
		return;
	va_start(ap, format);
	int n = vsnprintf(text, SOURCE_SUMMARY_LIMIT + 4, format, ap);
	va_end(ap);
	size_t len = n < 0				    ? 0
		     : (size_t)n < SOURCE_SUMMARY_LIMIT + 4 ? (size_t)n
							    : SOURCE_SUMMARY_LIMIT + 3;
	d->event->summary = fields_cut((struct str){text, len}, SOURCE_SUMMARY_LIMIT);
}

/* ---- alerts ---- */

void draft_alert(struct draft *d, const char *alertname, enum event_status status,
	const char *const *identity, size_t needed, int64_t since)
{
	struct event *ev = d->event;
	struct kv id[DRAFT_IDENTITY + 1] = {{STR("alertname"), str_of(alertname)}};
	size_t n = 1;

	for (size_t i = 0; identity[i]; i++) {
		struct str value = draft_label_of(d, identity[i]);

		assert(n <= DRAFT_IDENTITY);
		if (value.n > 0)
			id[n++] = (struct kv){str_of(identity[i]), value};
		else if (i < needed)
			return;
	}
	event_sort_labels(id, &n, true);
	draft_put(d, "alertname", str_of(alertname));
	ev->type = STR("alert");
	ev->status = status;
	ev->fingerprint = event_fingerprint(d->arena, id, n);
	ev->starts_ns = since;
	ev->ends_ns = status == EVENT_RESOLVED ? since : 0;
}

/* ---- words ---- */

struct str draft_after(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return str_starts(s, str_of(prefix)) ? (struct str){s.p + n, s.n - n} : STR_NONE;
}

bool draft_is_one(struct str word, const char *const *list)
{
	for (; *list; list++) {
		if (str_is(word, *list))
			return true;
	}
	return false;
}
