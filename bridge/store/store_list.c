/* store_list.c: lists, page by page, and a run's output.
 *
 * One page may be several calls, since a call looks at a bounded number of things and gives at most LIST_CHUNK rows:
 * so a large page does not hold up Redis. Rows come as JSON from the library, but for alerts: their rows are made
 * here, of the latest event's JSON and the alert's own fields.
 *
 * Cursors, as callers see them: an id (incidents, runs, events, audit), a place (what belongs to an incident),
 * "time.name" (alerts). A bad one is refused at once.
 */
#include "store/store_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

#define LIST_CHUNK 100
#define LIST_CALLS_MAX 64	/* then the page is short, or has no row at all, and the list goes on behind it */
#define LIST_BYTES_MAX ((size_t)256 << 20)
#define EVENT_ARENA ((size_t)256 << 20)

static const char *const list_names[] = {
	[STORE_INCIDENTS] = "incidents",
	[STORE_ALERTS] = "alerts",
	[STORE_EVENTS] = "events",
	[STORE_RUNS] = "runs",
	[STORE_AUDIT] = "audit",
	[STORE_TIMELINE] = "timeline",
	[STORE_INCIDENT_ALERTS] = "incident_alerts",
	[STORE_INCIDENT_RUNS] = "incident_runs",
};

/* As incident_json in library/40-rows.lua has them; a test holds the two together. */
const char *const store_incident_members[] = {"id", "status", "acked", "severity", "title", "opened", "updated",
	"resolved", "alerts", "firing", "runs", "truncated", "acked_at", "acked_by", "closed_by", "closed_reason",
	"flapping", "dropped", "merged_into", "split_from", "root",
	"symptom_of", NULL};

struct list_call {
	store_rows_cb cb;
	void *ctx;
	struct store *s;
	enum store_list what;
	struct arena arena;	/* all texts below */
	struct str id, status, max, min;
	struct str *labels;	/* "name=value" */
	size_t labels_n;
	bool any_label;
	struct str resume;
	size_t limit, calls;
	struct str *rows, *cursors;	/* limit of each */
	size_t n;
	bool more;
};

static void list_free(struct list_call *c)
{
	if (!c)
		return;
	arena_release(&c->arena);
	free(c->rows);
	free(c->cursors);
	free(c);
}

/* ---- where a page begins and ends ---- */

static bool is_place(struct str s)
{
	if (s.n == 0 || s.n > 15)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static int bad_cursor(struct err *e, struct str cursor)
{
	return err_set(e, ERR_INPUT, "'%.*s' is no cursor of this list; take it from 'next' of the page before",
		cursor.n > 80 ? 80 : (int)cursor.n, cursor.p);
}

/* Ids that sort by time: "[id", "(id", "+", "-". */
static int bounds_ids(struct list_call *c, const struct store_page *p, struct err *e)
{
	char id[ID_LEN + 1];

	c->max = STR("+");
	c->min = STR("-");
	if (p->until_ms > 0) {
		id_from_ms_seq(p->until_ms, UINT64_MAX, id);
		c->max = arena_printf(&c->arena, "[%s", id);
	}
	if (p->since_ms > 0) {
		id_from_ms_seq(p->since_ms, 0, id);
		c->min = arena_printf(&c->arena, "[%s", id);
	}
	if (p->cursor.n > 0) {
		if (!id_valid(p->cursor))
			return bad_cursor(e, p->cursor);
		c->max = arena_printf(&c->arena, "(%.*s", STR_ARG(p->cursor));
	}
	return 0;
}

/* Entry ids of a stream. */
static int bounds_stream(struct list_call *c, const struct store_page *p, struct err *e)
{
	char sid[48];

	c->max = p->until_ms > 0 ? arena_printf(&c->arena, "%lld", (long long)p->until_ms) : STR("+");
	c->min = p->since_ms > 0 ? arena_printf(&c->arena, "%lld", (long long)p->since_ms) : STR("-");
	if (p->cursor.n > 0) {
		if (!store_sid(p->cursor, sid))
			return bad_cursor(e, p->cursor);
		c->max = arena_printf(&c->arena, "(%s", sid);
	}
	return 0;
}

/* Times in ms, and for a cursor the name after a blank. */
static int bounds_alerts(struct list_call *c, const struct store_page *p, struct err *e)
{
	const char *dot = p->cursor.n > 0 ? memchr(p->cursor.p, '.', p->cursor.n) : NULL;
	size_t n = dot ? (size_t)(dot - p->cursor.p) : 0;

	c->max = p->until_ms > 0 ? arena_printf(&c->arena, "%lld", (long long)p->until_ms) : STR("+inf");
	c->min = p->since_ms > 0 ? arena_printf(&c->arena, "%lld", (long long)p->since_ms) : STR("-inf");
	if (p->cursor.n > 0) {
		if (!dot || !is_place((struct str){p->cursor.p, n}))
			return bad_cursor(e, p->cursor);
		c->max = arena_printf(&c->arena, "%.*s %.*s", (int)n, p->cursor.p, (int)(p->cursor.n - n - 1), dot + 1);
	}
	return 0;
}

static int bounds_places(struct list_call *c, const struct store_page *p, struct err *e)
{
	if (!id_valid(p->id))
		return err_set(e, ERR_NOT_FOUND, "there is no incident '%.*s'", p->id.n > 80 ? 80 : (int)p->id.n,
			p->id.p ? p->id.p : "");
	if (p->cursor.n > 0 && !is_place(p->cursor))
		return bad_cursor(e, p->cursor);
	c->max = p->cursor.n > 0 ? arena_strdup(&c->arena, p->cursor) : STR("0");
	c->min = STR("");
	return 0;
}

static int bounds(struct list_call *c, const struct store_page *p, struct err *e)
{
	switch (c->what) {
	case STORE_INCIDENTS:
	case STORE_RUNS:
		return bounds_ids(c, p, e);
	case STORE_EVENTS:
	case STORE_AUDIT:
		return bounds_stream(c, p, e);
	case STORE_ALERTS:
		return bounds_alerts(c, p, e);
	default:
		return bounds_places(c, p, e);
	}
}

/* ---- rows ---- */

static void put_member(struct json_w *w, const struct json *event, const char *name)
{
	const struct json *j = json_get(event, name);

	json_w_key(w, str_of(name));
	if (j)
		json_write(w, j);
	else
		json_w_null(w);
}

/* a: [name, event's JSON, state, incident, n, occurrences, first, last, since, whether it flaps, its deadline] */
static void alert_write(struct json_w *w, const struct json *event, const redisReply *a)
{
	bool firing = str_is(store_text_at(a, 2), "f");
	const struct json *ends = json_get(event, "ends_at");
	struct str incident = store_text_at(a, 3), lines = store_text_at(a, 11);

	json_w_object(w);
	put_member(w, event, "fingerprint");
	put_member(w, event, "source");
	json_w_kstr(w, "status", firing ? STR("firing") : STR("resolved"));
	put_member(w, event, "severity");
	put_member(w, event, "summary");
	put_member(w, event, "labels");
	put_member(w, event, "annotations");
	put_member(w, event, "links");
	put_member(w, event, "starts_at");
	if (!firing && (!ends || ends->kind != JSON_STRING))
		json_w_ktime_ms(w, "ends_at", store_number_at(a, 8));
	else
		put_member(w, event, "ends_at");
	if (firing && store_text_at(a, 10).n > 0)
		json_w_ktime_ms(w, "expires_at", store_number_at(a, 10));
	else
		json_w_kraw(w, "expires_at", STR("null"));
	json_w_ktime_ms(w, "first_seen", store_number_at(a, 6));
	json_w_ktime_ms(w, "last_seen", store_number_at(a, 7));
	json_w_ki64(w, "count", store_number_at(a, 4));
	json_w_ki64(w, "occurrences", store_number_at(a, 5));
	json_w_kbool(w, "flapping", store_text_at(a, 9).n > 0);
	json_w_key(w, STR("incident"));
	if (incident.n > 0)
		json_w_str(w, incident);
	else
		json_w_null(w);
	json_w_kraw(w, "lines", lines.n > 0 ? lines : STR("[]"));
	put_member(w, event, "data");
	json_w_end(w, '}');
}

static struct str alert_row(struct list_call *c, const redisReply *a)
{
	struct arena scratch;
	struct json_w w;
	struct err ignored;
	struct str row = STR_NONE;

	arena_init(&scratch, EVENT_ARENA);
	const struct json *event = json_parse(&scratch, store_text_at(a, 1), &ignored);
	if (event) {
		buf_clear(&c->s->scratch);
		json_w_init(&w, &c->s->scratch);
		alert_write(&w, event, a);
		row = arena_strdup(&c->arena, buf_as_str(&c->s->scratch));
	}
	arena_release(&scratch);
	return row;
}

/* A cursor as the library gives it -> as callers see it. */
static struct str cursor_out(struct list_call *c, const redisReply *r)
{
	char id[ID_LEN + 1];
	struct str s;

	if (c->what == STORE_EVENTS || c->what == STORE_AUDIT) {
		store_event_id(redis_text(r), id);
		return arena_strdup(&c->arena, str_of(id));
	}
	if (r && r->type == REDIS_REPLY_INTEGER)
		return arena_printf(&c->arena, "%lld", r->integer);
	s = arena_strdup(&c->arena, redis_text(r));
	char *blank = c->what == STORE_ALERTS && s.p ? memchr(s.p, ' ', s.n) : NULL;
	if (blank)
		*blank = '.';
	return s;
}

/* The same -> as the library takes it for the next call. */
static struct str cursor_in(struct list_call *c, const redisReply *r)
{
	if (r && r->type == REDIS_REPLY_INTEGER)
		return arena_printf(&c->arena, "%lld", r->integer);
	bool exclusive = c->what != STORE_ALERTS;
	return arena_printf(&c->arena, "%s%.*s", exclusive ? "(" : "", STR_ARG(redis_text(r)));
}

/* ---- calls ---- */

static int ask(struct list_call *c, struct err *e);

static void finish(struct list_call *c, const struct err *e)
{
	struct store_rows rows = {c->rows, c->cursors, c->n, c->more, c->resume};

	c->cb(c->ctx, e, e ? NULL : &rows);
	list_free(c);
}

static void take_rows(struct list_call *c, const redisReply *reply)
{
	for (size_t i = 2; i + 1 < reply->elements && c->n < c->limit; i += 2) {
		const redisReply *r = reply->element[i + 1];
		struct str row = r->type == REDIS_REPLY_ARRAY ? alert_row(c, r) : arena_strdup(&c->arena, redis_text(r));
		if (row.n == 0)
			continue;
		c->rows[c->n] = row;
		c->cursors[c->n++] = cursor_out(c, reply->element[i]);
	}
}

static void on_rows(void *ctx, const struct err *e, const redisReply *reply)
{
	struct list_call *c = ctx;
	struct err mine;

	if (e) {
		finish(c, e);
		return;
	}
	take_rows(c, reply);
	c->more = store_number_at(reply, 0) != 0;
	c->calls++;
	bool full = c->n == c->limit;
	bool enough = !c->more || full || c->calls >= LIST_CALLS_MAX;
	if (c->more && enough)
		c->resume = full ? c->cursors[c->n - 1] : cursor_out(c, store_at(reply, 1));
	else if (!enough)
		c->max = cursor_in(c, store_at(reply, 1));
	if (arena_failed(&c->arena)) {
		err_set(&mine, ERR_LIMIT, "this page has more than %zu MiB; ask for fewer rows",
			LIST_BYTES_MAX >> 20);
		finish(c, &mine);
	} else if (enough) {
		finish(c, NULL);
	} else if (ask(c, &mine)) {
		finish(c, &mine);
	}
}

static int ask(struct list_call *c, struct err *e)
{
	struct redis *r = c->s->redis;
	size_t left = c->limit - c->n;

	if (store_begin(c->s, "rb_list_v1", 6 + (c->labels_n > 0) + c->labels_n, e))
		return -1;
	redis_arg_z(r, list_names[c->what]);
	redis_arg(r, c->status);
	redis_arg(r, c->max);
	redis_arg(r, c->min);
	redis_arg_i64(r, (int64_t)(left < LIST_CHUNK ? left : LIST_CHUNK));
	redis_arg(r, c->id);
	if (c->labels_n > 0)
		redis_arg_z(r, c->any_label ? "any" : "all");
	for (size_t i = 0; i < c->labels_n; i++)
		redis_arg(r, c->labels[i]);
	return redis_end(r, 0, on_rows, c, e);
}

static void copy_labels(struct list_call *c, const struct store_page *page)
{
	assert(page->labels_n <= STORE_LABELS_MAX && (page->labels_n == 0 || c->what == STORE_INCIDENTS));
	c->labels = arena_array(&c->arena, page->labels_n + 1, sizeof(*c->labels));
	c->labels_n = c->labels ? page->labels_n : 0;
	c->any_label = page->any_label;
	for (size_t i = 0; i < c->labels_n; i++) {
		assert(store_label_indexed(page->labels[i].name, page->labels[i].value));
		c->labels[i] = arena_printf(&c->arena, "%.*s=%.*s", STR_ARG(page->labels[i].name),
			STR_ARG(page->labels[i].value));
	}
}

int store_list(struct store *s, enum store_list what, const struct store_page *page, store_rows_cb cb, void *ctx, struct err *e)
{
	struct list_call *c = store_call(sizeof(*c), e);

	if (!c)
		return -1;
	arena_init(&c->arena, LIST_BYTES_MAX);
	c->cb = cb;
	c->ctx = ctx;
	c->s = s;
	c->what = what;
	c->limit = page->limit > 0 ? (size_t)page->limit : 1;
	c->id = arena_strdup(&c->arena, page->id);
	c->status = arena_strdup(&c->arena, page->status);
	copy_labels(c, page);
	c->rows = calloc(c->limit, sizeof(*c->rows));
	c->cursors = calloc(c->limit, sizeof(*c->cursors));
	if (!c->rows || !c->cursors)
		err_set(e, ERR_NOMEM, "no memory for a page of %zu rows", c->limit);
	else if (bounds(c, page, e) == 0 && ask(c, e) == 0)
		return 0;
	list_free(c);
	return -1;
}

/* ---- output ---- */

struct output_call {
	store_rows_cb cb;
	void *ctx;
	int64_t from;
};

/* "o1763841234567 text" */
static void line_write(struct buf *b, struct str line)
{
	struct json_w w;
	size_t i = 1;
	int64_t ms = 0;

	for (; i < line.n && line.p[i] >= '0' && line.p[i] <= '9'; i++)
		ms = ms * 10 + (line.p[i] - '0');
	size_t skip = i < line.n ? i + 1 : line.n;
	json_w_init(&w, b);
	json_w_object(&w);
	json_w_ktime_ms(&w, "time", ms);
	json_w_kstr(&w, "stream", line.n > 0 && line.p[0] == 'e' ? STR("stderr") : STR("stdout"));
	json_w_kstr(&w, "text", (struct str){line.p + skip, line.n - skip});
	json_w_end(&w, '}');
}

static void on_output(void *ctx, const struct err *e, const redisReply *reply)
{
	struct output_call *c = ctx;
	struct arena arena;
	struct buf line;
	struct err mine;
	struct store_rows rows = {.n = e ? 0 : reply->elements - 1};

	arena_init(&arena, LIST_BYTES_MAX);
	buf_init(&line, BUF_NO_LIMIT);
	struct str *v = arena_array(&arena, rows.n + 1, sizeof(*v));
	struct str *cursors = arena_array(&arena, rows.n + 1, sizeof(*cursors));
	for (size_t i = 0; v && cursors && i < rows.n; i++) {
		buf_clear(&line);
		line_write(&line, store_text_at(reply, i + 1));
		v[i] = arena_strdup(&arena, buf_as_str(&line));
		cursors[i] = arena_printf(&arena, "%lld", (long long)(c->from + (int64_t)i + 1));
	}
	if (!e && (arena_failed(&arena) || buf_failed(&line))) {
		err_set(&mine, ERR_LIMIT, "the output is too large for one page; ask for fewer lines");
		e = &mine;
	}
	rows.v = v;
	rows.cursors = cursors;
	rows.more = !e && store_number_at(reply, 0) != 0;
	c->cb(c->ctx, e, e ? NULL : &rows);
	buf_release(&line);
	arena_release(&arena);
	free(c);
}

int store_run_output(struct store *s, struct str run, int64_t from, int64_t limit, store_rows_cb cb, void *ctx, struct err *e)
{
	if (!id_valid(run))
		return err_set(e, ERR_NOT_FOUND, "there is no run '%.*s'", run.n > 80 ? 80 : (int)run.n,
			run.p ? run.p : "");
	struct output_call *c = store_call(sizeof(*c), e);
	if (store_begin_for(s, "rb_output_v1", 3, c, e))
		return -1;
	*c = (struct output_call){cb, ctx, from > 0 ? from : 0};
	redis_arg(s->redis, run);
	redis_arg_i64(s->redis, c->from);
	redis_arg_i64(s->redis, limit > 0 ? limit : 1);
	return store_end(s, on_output, c, e);
}
