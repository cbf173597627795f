/* query.c: a page of a list, with matchers as filter.
 *
 * Rows come from the store in pieces and are handed on byte for byte; with a filter each row is
 * parsed and looked at as if it were an event. Guarantees progress: each page looks at no more than
 * QUERY_SCAN_MAX rows, and `next` is the place after the last row looked at, so that pages one
 * after the other show each row once.
 *
 * What a row is to a matcher: events and alerts are what they were when they came in. Of incidents,
 * runs, timelines and the audit the plain members are labels too (`state = failed`, `runbook =
 * disk-usage`) where no label of that name hides them, `event.*` is what they have of it, and
 * `data.x` is any member (`data.params.path`).
 *
 * Incidents are found by an index where the filter says `label = value`: the store then gives all
 * rows that may match, and each is held against the whole filter all the same. Left to that are
 * names that may be a plain member of the row, or a field of its key, rather than a label.
 *
 * It does not sort.
 */
#include "flow/query.h"

#include <stdlib.h>
#include <string.h>
#include "source/source.h"

#define QUERY_PIECE 200 /* rows asked for at once where a filter drops some */
#define QUERY_MATCH_LIMIT 1000000

/* What one body gave is an event that can be read again: its values, and what we put around them.
 */
_Static_assert(SOURCE_NODES_LIMIT + 3 * SOURCE_LABELS_LIMIT + 100000 < JSON_NODES_LIMIT,
	"events have few enough values");

struct query_run {
	struct store *store;
	enum store_list what;
	struct store_page page; /* its texts are in arena */
	size_t limit, taken, looked;
	struct matchers filter;
	struct kv *labels; /* that the rows must have, of the filter or as asked for */
	bool all_labels;   /* the filter asks for nothing else: it drops few rows */
	struct matcher_scratch *scratch; /* NULL: no filter */
	struct arena arena;		 /* of the query */
	struct arena row;
	struct buf out, cursor;
	store_text_cb cb;
	void *ctx;
};

static void query_free(struct query_run *q)
{
	matchers_release(&q->filter);
	matcher_scratch_free(q->scratch);
	arena_release(&q->row);
	arena_release(&q->arena);
	buf_release(&q->out);
	buf_release(&q->cursor);
	free(q);
}

static void query_end(struct query_run *q, const struct err *e)
{
	struct err nomem = {0};

	if (!e && (buf_failed(&q->out) || buf_failed(&q->cursor))) {
		err_set(&nomem, ERR_NOMEM, "no memory for the answer; ask for fewer with 'limit'");
		e = &nomem;
	}
	q->cb(q->ctx, e, e ? STR_NONE : buf_as_str(&q->out));
	query_free(q);
}

/* ---- a row as an event ---- */

static bool is_plain(const struct json *j)
{
	return j->kind == JSON_STRING || j->kind == JSON_NUMBER || j->kind == JSON_BOOL;
}

static struct str plain_text(const struct json *j)
{
	if (j->kind == JSON_BOOL)
		return j->boolean ? STR("true") : STR("false");
	return j->text;
}

static void add_pairs(struct kv *v, size_t *n, const struct json *object)
{
	if (!object || object->kind != JSON_OBJECT)
		return;
	for (const struct json *m = object->child; m; m = m->next) {
		if (is_plain(m))
			v[(*n)++] = (struct kv){m->key, plain_text(m)};
	}
}

static struct kv *row_labels(struct arena *a, const struct json *row, bool members, size_t *n)
{
	const struct json *labels = json_get(row, "labels");
	const struct json *key = json_get(row, "key");
	size_t most = row->count + (labels ? labels->count : 0) + (key ? key->count : 0);
	struct kv *v = arena_array(a, most ? most : 1, sizeof(*v));

	*n = 0;
	if (!v)
		return NULL;
	if (members) {
		add_pairs(v, n, row);
		add_pairs(v, n, key);
	}
	add_pairs(v, n, labels);
	event_sort_labels(v, n, false);
	return v;
}

static struct str first_of(const struct json *row, const char *a, const char *b)
{
	struct str s = json_str(json_get(row, a));

	return s.n ? s : json_str(json_get(row, b));
}

static int row_event(
	struct arena *a, enum store_list what, const struct json *row, struct event *ev)
{
	bool members =
		what != STORE_EVENTS && what != STORE_ALERTS && what != STORE_INCIDENT_ALERTS;
	const struct json *annotations = json_get(row, "annotations");

	*ev = (struct event){
		.source = json_str(json_get(row, "source")),
		.type = what == STORE_ALERTS || what == STORE_INCIDENT_ALERTS
				? STR("alert")
				: json_str(json_get(row, "type")),
		.status = EVENT_INFO,
		.severity = event_severity_of(json_str(json_get(row, "severity"))),
		.summary = first_of(row, "summary", "title"),
		.group = json_str(json_get(row, "group")),
		.data = members ? row : json_get(row, "data"),
	};
	event_status_parse(json_str(json_get(row, "status")), &ev->status);
	ev->labels = row_labels(a, row, members, &ev->labels_n);
	if (annotations && annotations->kind == JSON_OBJECT) {
		ev->annotations = arena_array(
			a, annotations->count ? annotations->count : 1, sizeof(struct kv));
		if (ev->annotations)
			add_pairs(ev->annotations, &ev->annotations_n, annotations);
		event_sort_labels(ev->annotations, &ev->annotations_n, false);
	}
	return arena_failed(a) ? -1 : 0;
}

int query_event(struct arena *a, struct str row, struct event *out, struct err *e)
{
	const struct json *j = json_parse(a, row, e);

	return j && j->kind == JSON_OBJECT ? row_event(a, STORE_EVENTS, j, out) : -1;
}

/* 1 wanted, 0 not, -1 with e. */
static int row_wanted(struct query_run *q, struct str row, struct err *e)
{
	struct event ev;
	const struct json *j;
	int r;

	if (!q->scratch)
		return 1;
	arena_reset(&q->row);
	j = json_parse(&q->row, row, e);
	if (j && j->kind != JSON_OBJECT)
		return 0;
	if (!j || row_event(&q->row, q->what, j, &ev) != 0)
		return err_set(e, ERR_LIMIT,
			"a row of %zu bytes is too large to be held against 'filter'; ask without "
			"it, "
			"or leave the row out by 'since' and 'until'",
			row.n);
	r = matchers_eval(&q->filter, q->scratch, &q->row, &ev, NULL, e);
	if (r < 0)
		e->code = ERR_INPUT;
	return r;
}

/* ---- pieces ---- */

static int fetch(struct query_run *q, struct err *e);

static void finish_page(struct query_run *q, bool more)
{
	buf_puts(&q->out, "],\"next\":");
	if (more && q->cursor.n)
		json_quote(&q->out, buf_as_str(&q->cursor));
	else
		buf_puts(&q->out, "null");
	buf_putc(&q->out, '}');
	query_end(q, NULL);
}

static int take_rows(
	struct query_run *q, const struct store_rows *rows, size_t *used, struct err *e)
{
	size_t i;

	for (i = 0; i < rows->n && q->taken < q->limit && q->looked < QUERY_SCAN_MAX; i++) {
		int wanted = row_wanted(q, rows->v[i], e);

		if (wanted < 0)
			return -1;
		q->looked++;
		if (!wanted)
			continue;
		if (q->taken++)
			buf_putc(&q->out, ',');
		buf_str(&q->out, rows->v[i]);
	}
	*used = i;
	if (i) {
		buf_clear(&q->cursor);
		buf_str(&q->cursor, rows->cursors[i - 1]);
	}
	return 0;
}

static void on_rows(void *ctx, const struct err *e, const struct store_rows *rows)
{
	struct query_run *q = ctx;
	struct err mine = {0};
	size_t used = 0;
	bool more;

	if (e) {
		query_end(q, e);
		return;
	}
	if (take_rows(q, rows, &used, &mine) != 0) {
		query_end(q, &mine);
		return;
	}
	more = rows->more || used < rows->n;
	if (used == rows->n && rows->resume.n) {
		buf_clear(&q->cursor);
		buf_str(&q->cursor, rows->resume);
	}
	if (!more || rows->n == 0 || q->taken >= q->limit || q->looked >= QUERY_SCAN_MAX)
		finish_page(q, more);
	else if (fetch(q, &mine) != 0)
		query_end(q, &mine);
}

static int fetch(struct query_run *q, struct err *e)
{
	struct store_page page = q->page;
	size_t want = q->limit - q->taken;

	if (q->scratch && (!q->all_labels || q->looked > 0) && want < QUERY_PIECE)
		want = QUERY_PIECE;
	page.limit = (int64_t)want;
	if (q->cursor.n)
		page.cursor = buf_as_str(&q->cursor);
	return store_list(q->store, q->what, &page, on_rows, q, e);
}

static int set_filter(struct query_run *q, struct str filter, struct err *e)
{
	if (filter.n == 0)
		return 0;
	if (matchers_parse(&q->arena, filter, &q->filter, e) != 0)
		return -1;
	q->scratch = matcher_scratch_new(QUERY_MATCH_LIMIT);
	if (!q->scratch)
		return err_set(e, ERR_NOMEM, "no memory for the filter");
	return 0;
}

/* May the index of labels stand in for `name = value` on an incident's row? */
static bool by_index(const struct kv *label)
{
	for (const char *const *m = store_incident_members; *m; m++)
		if (str_is(label->name, *m))
			return false;
	return !memchr(label->name.p, '.', label->name.n) &&
	       store_label_indexed(label->name, label->value);
}

/* What the store is to look up: the labels asked for, else those that the filter asks for. */
static int set_labels(struct query_run *q, const struct store_page *page, struct err *e)
{
	size_t n = page->labels_n;

	q->labels = arena_array(&q->arena, STORE_LABELS_MAX, sizeof(*q->labels));
	if (!q->labels)
		return err_set(e, ERR_NOMEM, "no memory for the query");
	for (size_t i = 0; i < n; i++)
		q->labels[i] = (struct kv){arena_strdup(&q->arena, page->labels[i].name),
			arena_strdup(&q->arena, page->labels[i].value)};
	if (n == 0 && q->what == STORE_INCIDENTS) {
		size_t all = matchers_labels(&q->filter, q->labels, STORE_LABELS_MAX);
		for (size_t i = 0; i < all; i++)
			if (by_index(&q->labels[i]))
				q->labels[n++] = q->labels[i];
		q->all_labels = n > 0 && n == q->filter.n;
	}
	q->page.labels = q->labels;
	q->page.labels_n = n;
	return arena_failed(&q->arena) ? err_set(e, ERR_NOMEM, "no memory for the query") : 0;
}

int query_list(struct store *s, const struct query *in, store_text_cb cb, void *ctx, struct err *e)
{
	struct query_run *q = calloc(1, sizeof(*q));
	size_t limit = in->page.limit > 0 ? (size_t)in->page.limit : QUERY_LIMIT_DEFAULT;

	if (!q)
		return err_set(e, ERR_NOMEM, "no memory for the query");
	arena_init(&q->arena, (size_t)1 << 20);
	arena_init(&q->row, QUERY_ROW_ARENA);
	buf_init(&q->out, BUF_NO_LIMIT);
	buf_init(&q->cursor, 4096);
	q->store = s;
	q->what = in->what;
	q->limit = limit < QUERY_LIMIT_MAX ? limit : QUERY_LIMIT_MAX;
	q->cb = cb;
	q->ctx = ctx;
	q->page = in->page;
	q->page.id = arena_strdup(&q->arena, in->page.id);
	q->page.status = arena_strdup(&q->arena, in->page.status);
	buf_str(&q->cursor, in->page.cursor);
	buf_puts(&q->out, "{\"items\":[");
	if (buf_failed(&q->cursor))
		err_set(e, ERR_INPUT, "'cursor' is none that a list gave as 'next'");
	if (buf_failed(&q->cursor) || set_filter(q, in->filter, e) != 0 ||
		set_labels(q, &in->page, e) != 0 || fetch(q, e) != 0) {
		query_free(q);
		return -1;
	}
	return 0;
}
