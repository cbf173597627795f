/* inbox.c: what runs reported and what scripts emitted, through the rules like any other event.
 *
 * An entry is JSON. A result is an event that the store wrote on the bus already; it is only looked
 * at by rules. What a script emitted is shaped like a CloudEvent: {"type", "source"?, "subject"?,
 * "data"?, "labels"? or extensions}. Its labels are ce_source, subject and the extensions, its
 * event.source is "runbook". The store appended the run, how many runs of which rules led to it, and
 * that it was emitted, after what the script wrote: the last of doubled members counts, so a script
 * cannot set them.
 *
 * Guarantees that each entry leaves the inbox with the same step that stored its decisions, and
 * that one that cannot be read, or that needs too much memory, leaves as an event `invalid_event`
 * that says why. Where a queue is full the entry stays for the next walk, and those behind it are
 * tried one by one: what waits for one pool does not hold up the others.
 *
 * One batch is in memory at a time: so many bytes of JSON, or one entry, and INBOX_MEMORY of what
 * they become. Where they become more, half of them are taken.
 */
#include "flow/ingest.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "flow/decide.h"

#define INBOX_BYTES ((size_t)1 << 20)
#define INBOX_MEMORY ((size_t)64 << 20) /* as a tree, JSON takes up to 40 times its bytes */
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
	size_t batches, taken;
	bool single; /* the rest of the batch one by one: a queue was full */
	struct ingest_place *place;
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
		"trail",
		"received",
		"emitted",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return false;
}

static int add_label(struct event *ev, struct str name, const struct json *j, struct err *e)
{
	struct str value = j->text;

	if (j->kind == JSON_BOOL)
		value = j->boolean ? STR("true") : STR("false");
	else if (j->kind != JSON_STRING && j->kind != JSON_NUMBER)
		return 0;
	if (ev->labels_n == SOURCE_LABELS_LIMIT)
		return err_set(e, ERR_LIMIT, "a script emitted an event with over %d labels",
			SOURCE_LABELS_LIMIT);
	if (name.n > SOURCE_NAME_LIMIT || value.n > SOURCE_VALUE_LIMIT)
		return err_set(e, ERR_LIMIT,
			"a script emitted an event with a label with a name of %zu and a value of "
			"%zu "
			"bytes; at most %d and %d are taken",
			name.n, value.n, SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT);
	ev->labels[ev->labels_n++] = (struct kv){name, value};
	return 0;
}

static int add_labels(struct event *ev, const struct json *j, bool extensions, struct err *e)
{
	for (const struct json *m = j->child; m; m = m->next) {
		if (extensions && is_attribute(m->key))
			continue;
		if (add_label(ev, m->key, m, e) != 0)
			return -1;
	}
	return 0;
}

static int emitted_labels(struct arena *a, const struct json *j, struct event *ev, struct err *e)
{
	const struct json *labels = json_get(j, "labels");
	const struct json *source = json_get(j, "source");
	size_t n = j->count + (labels ? labels->count : 0) + 1;

	ev->labels = arena_array(
		a, n < SOURCE_LABELS_LIMIT ? n : SOURCE_LABELS_LIMIT, sizeof(*ev->labels));
	if (!ev->labels)
		return err_set(e, ERR_LIMIT, "a script emitted an event that is too large");
	if (source && add_label(ev, STR("ce_source"), source, e) != 0)
		return -1;
	if (add_labels(ev, j, true, e) != 0)
		return -1;
	if (labels && labels->kind == JSON_OBJECT && add_labels(ev, labels, false, e) != 0)
		return -1;
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
	ev->trail = event_trail(a, json_get(j, "trail"));
	ev->summary = summary.n ? summary : ev->type;
	if (ev->summary.n > SUMMARY_LIMIT)
		return err_set(e, ERR_INPUT,
			"a script emitted an event whose \"summary\" is over %d bytes",
			SUMMARY_LIMIT);
	return emitted_labels(a, j, ev, e);
}

/* `emitted` is appended by the store, behind all that a script can write. */
static bool is_result(const struct json *j)
{
	return j->kind == JSON_OBJECT && !json_get(j, "emitted");
}

/* From the last place of `mark` in text to its end, as an object; NULL where there is none. */
static const struct json *read_from(struct arena *a, struct str text, struct str mark)
{
	struct err e;

	for (size_t i = text.n < mark.n ? 0 : text.n - mark.n + 1; i-- > 0;) {
		if (memcmp(text.p + i, mark.p, mark.n) == 0)
			return json_parse(
				a, arena_printf(a, "{%.*s", (int)(text.n - i), text.p + i), &e);
	}
	return NULL;
}

/* What the store appended can be read also where the rest cannot. The depth is kept, or a rule on
 * `invalid_event` could start the same script again for ever. */
static void make_invalid(struct arena *a, struct str text, const struct err *why, struct event *ev)
{
	const struct json *end = read_from(a, text, STR("\"emitted\":true,"));
	struct kv *label = arena_alloc(a, sizeof(*label));
	int64_t depth = 0;

	if (!end) /* a result */
		end = read_from(a, text, STR("\"depth\":"));
	json_i64(json_get(end, "depth"), &depth);
	*ev = (struct event){
		.source = STR("runbookd"),
		.type = STR("invalid_event"),
		.status = EVENT_INFO,
		.severity = SEVERITY_WARNING,
		.summary = arena_strdup(a, str_of(why->text)),
		.depth = (unsigned)depth,
		.trail = event_trail(a, json_get(end, "trail")),
	};
	if (label && json_str(json_get(end, "run")).n) {
		*label = (struct kv){STR("run"), json_str(json_get(end, "run"))};
		ev->labels = label;
		ev->labels_n = 1;
	}
}

static void read_entry(struct inbox_run *b, struct str text, struct event *ev)
{
	struct arena *a = &b->a;
	struct err e = {0};
	struct json *j = json_parse(a, text, &e);

	if (!j || (is_result(j) ? event_read_json(a, j, ev, &e)
				: read_emitted(a, j, ev, &e) || sources_check(b->ic.sources, ev, &e)) != 0)
		make_invalid(a, text, &e, ev);
}

/* ---- the way of a batch ---- */

static int send_piece(struct inbox_run *b, struct err *e);
static int read_batch(struct inbox_run *b, struct err *e);

static void inbox_end(struct inbox_run *b, const struct err *e)
{
	ruleset_unref(b->ic.rules);
	sources_unref(b->ic.sources);
	b->done(b->ctx, e, b->taken);
	arena_release(&b->a);
	free(b);
}

static void walk_end(struct inbox_run *b)
{
	inbox_end(b, b->taken == 0 && b->full.code ? &b->full : NULL);
}

/* The next piece of this batch, or the next batch. */
static void go_on(struct inbox_run *b)
{
	struct err e = {0};

	if (b->at < b->n) {
		if (send_piece(b, &e) != 0)
			inbox_end(b, &e);
	} else if (++b->batches == INGEST_INBOX_BATCHES) {
		walk_end(b);
	} else if (read_batch(b, &e) != 0) {
		inbox_end(b, &e);
	}
}

static void count(struct inbox_run *b, size_t i, const struct store_event_out *out)
{
	decide_count(&b->events[i], &b->in[i], out);
	if (out->outcome != STORE_TAKEN && b->ic.on_limit && decide_is_limit(&b->events[i]))
		b->ic.on_limit(b->ic.ctx, &b->events[i]);
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
			count(b, b->at + i, &out[i]);
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

/* Event i is read: what the rules want of it. */
static int decide(struct inbox_run *b, size_t i, struct str id, struct err *e)
{
	if (decide_event(b->ic.rules, b->chain_depth, &b->a, &b->events[i], &b->in[i], e) != 0)
		return -1;
	b->in[i].inbox = arena_strdup(&b->a, id);
	return arena_failed(&b->a) ? err_set(e, ERR_NOMEM, "no memory for the inbox") : 0;
}

static int begin_batch(struct inbox_run *b, size_t n, struct err *e)
{
	arena_release(&b->a);
	b->events = arena_array(&b->a, n, sizeof(*b->events));
	b->in = arena_array(&b->a, n, sizeof(*b->in));
	b->n = n;
	b->at = 0;
	b->single = false;
	return b->in ? 0 : err_set(e, ERR_NOMEM, "no memory for the inbox");
}

static int prepare(struct inbox_run *b, const struct store_inbox_entry *v, size_t n, struct err *e)
{
	if (begin_batch(b, n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		read_entry(b, v[i].json, &b->events[i]);
		if (decide(b, i, v[i].id, e) != 0)
			return -1;
	}
	return 0;
}

/* An entry that does not fit even alone. */
static int prepare_invalid(struct inbox_run *b, const struct store_inbox_entry *v, struct err *e)
{
	struct err why;

	err_set(&why, ERR_LIMIT,
		"an event and what the rules make of it need over %zu MiB of memory",
		INBOX_MEMORY >> 20);
	if (begin_batch(b, 1, e) != 0)
		return -1;
	make_invalid(&b->a, v->json, &why, &b->events[0]);
	return decide(b, 0, v->id, e);
}

/* As many of them as fit the memory, one at least. */
static int prepare_some(
	struct inbox_run *b, const struct store_inbox_entry *v, size_t n, struct err *e)
{
	for (; n > 0; n /= 2) {
		if (prepare(b, v, n, e) == 0)
			return 0;
		if (!arena_failed(&b->a))
			return -1;
	}
	return prepare_invalid(b, v, e);
}

static void set_place(struct ingest_place *place, struct str id)
{
	size_t n = id.n < sizeof(place->after) ? id.n : 0;

	if (n)
		memcpy(place->after, id.p, n);
	place->after[n] = '\0';
}

/* The place goes on before the batch is sent: where the store refuses it for a reason that nobody
 * thought of, the next walk begins behind it. */
static void on_entries(void *ctx, const struct err *e, const struct store_inbox_entry *v, size_t n)
{
	struct inbox_run *b = ctx;
	struct err mine = {0};

	if (e) {
		inbox_end(b, e);
	} else if (n == 0) {
		set_place(b->place, STR_NONE);
		walk_end(b);
	} else if (prepare_some(b, v, n, &mine) != 0) {
		inbox_end(b, &mine);
	} else {
		set_place(b->place, v[b->n - 1].id);
		go_on(b);
	}
}

static int read_batch(struct inbox_run *b, struct err *e)
{
	return store_inbox(b->ic.store, INGEST_INBOX_ENTRIES, INBOX_BYTES, str_of(b->place->after),
		on_entries, b, e);
}

int ingest_inbox(const struct ingest_ctx *ic, struct ingest_place *place,
	void (*done)(void *ctx, const struct err *e, size_t taken), void *ctx, struct err *e)
{
	struct inbox_run *b = calloc(1, sizeof(*b));

	if (!b)
		return err_set(e, ERR_NOMEM, "no memory for the inbox");
	b->ic = *ic;
	b->limits = decide_limits(ic->conf);
	b->chain_depth = ic->conf->limits.chain_depth;
	b->place = place;
	b->done = done;
	b->ctx = ctx;
	arena_init(&b->a, INBOX_MEMORY);
	ruleset_ref(b->ic.rules);
	if (b->ic.sources)
		sources_ref(b->ic.sources);
	if (read_batch(b, e) != 0) {
		ruleset_unref(b->ic.rules);
		sources_unref(b->ic.sources);
		free(b);
		return -1;
	}
	return 0;
}
