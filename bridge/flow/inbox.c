/* inbox.c: what runs reported and what scripts emitted, through the rules like any other event.
 *
 * An entry is JSON. A result is an event that the store wrote on the bus already; it is only looked
 * at by rules. What a script emitted is shaped like a CloudEvent: {"type", "source"?, "subject"?,
 * "data"?, "labels"? or extensions}. Its labels are ce_source, subject and the extensions, its
 * event.source is "runbook". The store appended the run, how many runs led to it, and that it was
 * emitted, after what the script wrote: the last of doubled members counts, so a script cannot set
 * them.
 *
 * Guarantees that each entry leaves the inbox with the same step that stored its decisions, and
 * that one that cannot be read leaves as an event `invalid_event` that says why. Where a queue is
 * full the entry stays for the next time, and those behind it are tried one by one.
 */
#include "flow/ingest.h"

#include <stdlib.h>
#include "base/clock.h"
#include "flow/decide.h"

#define INBOX_BATCH 100
#define INBOX_MEMORY ((size_t)256 << 20)
#define EMITTED_SOURCE "runbook"
#define SUMMARY_LIMIT 4096

struct inbox_run {
	struct ingest_ctx ic; /* with a reference to the rules */
	struct store_limits limits;
	int64_t chain_depth;
	struct arena a;
	struct event *events;
	struct store_event_in *in;
	size_t n, at, piece;
	size_t taken;
	bool single; /* one by one: a queue was full */
	struct err full;
	void (*done)(void *ctx, const struct err *e, size_t taken);
	void *ctx;
};

/* ---- an entry as an event ---- */

static bool is_attribute(struct str name)
{
	static const char *const names[] = {
		"id",
		"source",
		"type",
		"specversion",
		"time",
		"datacontenttype",
		"dataschema",
		"data",
		"data_base64",
		"labels",
		"annotations",
		"summary",
		"severity",
		"status",
		"run",
		"depth",
		"received",
		"emitted",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return false;
}

static void add_label(struct event *ev, struct str name, const struct json *j)
{
	struct str value = j->text;

	if (j->kind == JSON_BOOL)
		value = j->boolean ? STR("true") : STR("false");
	else if (j->kind != JSON_STRING && j->kind != JSON_NUMBER)
		return;
	ev->labels[ev->labels_n++] = (struct kv){name, value};
}

static int emitted_labels(struct arena *a, const struct json *j, struct event *ev)
{
	const struct json *labels = json_get(j, "labels");
	const struct json *source = json_get(j, "source");

	ev->labels =
		arena_array(a, j->count + (labels ? labels->count : 0) + 1, sizeof(*ev->labels));
	if (!ev->labels)
		return -1;
	if (source)
		add_label(ev, STR("ce_source"), source);
	for (const struct json *m = j->child; m; m = m->next) {
		if (!is_attribute(m->key))
			add_label(ev, m->key, m);
	}
	for (const struct json *m = labels && labels->kind == JSON_OBJECT ? labels->child : NULL; m;
		m = m->next)
		add_label(ev, m->key, m);
	event_sort_labels(ev->labels, &ev->labels_n, true);
	return 0;
}

static int read_emitted(struct arena *a, const struct json *j, struct event *ev, struct err *e)
{
	struct str summary = json_str(json_get(j, "summary"));
	int64_t depth = 0;

	*ev = (struct event){
		.source = STR(EMITTED_SOURCE),
		.type = json_str(json_get(j, "type")),
		.status = EVENT_INFO,
		.severity = event_severity_of(json_str(json_get(j, "severity"))),
		.data = json_get(j, "data"),
	};
	if (j->kind != JSON_OBJECT || ev->type.n == 0)
		return err_set(e, ERR_INPUT, "a script emitted an event without a \"type\"");
	clock_parse_rfc3339(json_str(json_get(j, "time")), &ev->time_ns);
	json_i64(json_get(j, "depth"), &depth);
	ev->depth = (unsigned)depth;
	ev->summary = summary.n ? summary : ev->type;
	if (ev->summary.n > SUMMARY_LIMIT)
		return err_set(e, ERR_INPUT,
			"a script emitted an event whose \"summary\" is over %d bytes",
			SUMMARY_LIMIT);
	if (emitted_labels(a, j, ev) != 0)
		return err_set(e, ERR_LIMIT, "a script emitted an event that is too large");
	return 0;
}

/* `emitted` is appended by the store, behind all that a script can write. */
static bool is_result(const struct json *j)
{
	return j->kind == JSON_OBJECT && !json_get(j, "emitted");
}

static void make_invalid(
	struct arena *a, const struct json *j, const struct err *why, struct event *ev)
{
	struct str run = json_str(json_get(j, "run"));
	struct kv *label = run.n ? arena_alloc(a, sizeof(*label)) : NULL;

	*ev = (struct event){
		.source = STR("runbookd"),
		.type = STR("invalid_event"),
		.status = EVENT_INFO,
		.severity = SEVERITY_WARNING,
		.summary = arena_strdup(a, str_of(why->text)),
	};
	if (label) {
		*label = (struct kv){STR("run"), run};
		ev->labels = label;
		ev->labels_n = 1;
	}
}

static void read_entry(struct arena *a, struct str text, struct event *ev)
{
	struct err e = {0};
	struct json *j = json_parse(a, text, &e);

	if (!j)
		make_invalid(a, NULL, &e, ev);
	else if ((is_result(j) ? event_read_json(a, j, ev, &e) : read_emitted(a, j, ev, &e)) != 0)
		make_invalid(a, j, &e, ev);
}

/* ---- the way of a batch ---- */

static int send_piece(struct inbox_run *b, struct err *e);

static void inbox_end(struct inbox_run *b, const struct err *e)
{
	ruleset_unref(b->ic.rules);
	b->done(b->ctx, e, b->taken);
	arena_release(&b->a);
	free(b);
}

static void go_on(struct inbox_run *b)
{
	struct err e = {0};

	if (b->at >= b->n)
		inbox_end(b, b->taken == 0 && b->full.code ? &b->full : NULL);
	else if (send_piece(b, &e) != 0)
		inbox_end(b, &e);
}

static void on_piece(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct inbox_run *b = ctx;

	if (e && e->code == ERR_FULL && !b->single) {
		b->single = true;
	} else if (e && e->code == ERR_FULL) {
		b->full = *e;
		b->at++;
	} else if (e) {
		inbox_end(b, e);
		return;
	} else {
		for (size_t i = 0; i < n; i++)
			decide_count(&b->events[b->at + i], &b->in[b->at + i], &out[i]);
		b->at += b->piece;
		b->taken += b->piece;
	}
	go_on(b);
}

static int send_piece(struct inbox_run *b, struct err *e)
{
	struct store_ingest in = {
		.events = &b->in[b->at],
		.ruleset_hash = str_of(b->ic.rules->hash),
		.limits = b->limits,
	};

	b->piece = b->single ? 1 : b->n - b->at;
	in.n = b->piece;
	return store_ingest(b->ic.store, &in, on_piece, b, e);
}

static int prepare(struct inbox_run *b, const struct store_inbox_entry *v, size_t n, struct err *e)
{
	b->events = arena_array(&b->a, n, sizeof(*b->events));
	b->in = arena_array(&b->a, n, sizeof(*b->in));
	if (!b->events || !b->in)
		return err_set(e, ERR_NOMEM, "no memory for the inbox");
	b->n = n;
	for (size_t i = 0; i < n; i++) {
		read_entry(&b->a, arena_strdup(&b->a, v[i].json), &b->events[i]);
		if (decide_event(b->ic.rules, b->chain_depth, &b->a, &b->events[i], &b->in[i], e) !=
			0)
			return -1;
		b->in[i].inbox = arena_strdup(&b->a, v[i].id);
	}
	return arena_failed(&b->a) ? err_set(e, ERR_NOMEM, "no memory for the inbox") : 0;
}

static void on_entries(void *ctx, const struct err *e, const struct store_inbox_entry *v, size_t n)
{
	struct inbox_run *b = ctx;
	struct err mine = {0};

	if (e)
		inbox_end(b, e);
	else if (n && prepare(b, v, n, &mine) != 0)
		inbox_end(b, &mine);
	else
		go_on(b);
}

int ingest_inbox(const struct ingest_ctx *ic,
	void (*done)(void *ctx, const struct err *e, size_t taken), void *ctx, struct err *e)
{
	struct inbox_run *b = calloc(1, sizeof(*b));

	if (!b)
		return err_set(e, ERR_NOMEM, "no memory for the inbox");
	b->ic = *ic;
	b->limits = decide_limits(ic->conf);
	b->chain_depth = ic->conf->limits.chain_depth;
	b->done = done;
	b->ctx = ctx;
	arena_init(&b->a, INBOX_MEMORY);
	ruleset_ref(b->ic.rules);
	if (store_inbox(ic->store, INBOX_BATCH, on_entries, b, e) != 0) {
		ruleset_unref(b->ic.rules);
		free(b);
		return -1;
	}
	return 0;
}
