/* lines.c: lines of a body against the patterns of a ruleset, and what they want into the store.
 *
 * Most lines match nothing, so that is the way that counts: one walk over a line's bytes
 * (patterns_candidates), and it is forgotten. Only a line that some pattern may want has its header
 * split off, its labels sorted and renamed, and its regexes tried.
 *
 * Guarantees: what is wanted is stored in the order of the lines, in pieces of STORE_LINES_MAX, one
 * after the other; the callback comes once, and without an error only after Redis has confirmed the
 * last one. When a piece fails those before it stay stored: the sender sends all of it again, and
 * lines are known by their marks. The ruleset that looked at the first line looks at the last one,
 * but of a body without end (lines_renew).
 *
 * A mark is made of a line's own time, its text, its labels, and which of several equal lines of
 * its body it is. A line without a time of its own cannot be told from one that is sent again: it
 * counts each time.
 *
 * An alert that is known to fire has its further lines sent without JSON and rules, by a table that
 * is a guess, as ingest.c has one: where it is wrong the store says so before it writes, and the
 * piece is sent again with all there is.
 */
#include "flow/lines.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/metrics.h"
#include "flow/decide.h"
#include "flow/relabel.h"
#include "flow/tick.h"
#include "line/decoder.h"
#include "line/syslog.h"
#include "store/lines.h"

#define KNOWN_SLOTS 32768 /* a power of two */
#define TALLY_FIRST 64
#define NS_PER_MS INT64_C(1000000)

/* A line and one pattern that wants it. */
struct wanted {
	const struct pattern *pattern;
	struct event event;
	struct str text;
	char mark[STORE_MARK_HEX];
	int64_t time_ms; /* 0: its arrival counts */
};

struct piece {
	struct piece *next;
	size_t n;
	struct wanted v[STORE_LINES_MAX];
};

/* How often each text was seen: of equal lines of a body each has a mark of its own. */
struct tally {
	struct tally_slot {
		uint64_t hash;
		uint64_t n; /* 0: free */
	} * v;
	size_t n, size;
};

struct lines {
	struct store *store;
	struct tick *tick;
	struct ruleset *rules; /* a reference */
	struct store_limits limits;
	int64_t chain_depth, max_age_ms, max_ahead_ms;
	bool trusted; /* of any age */
	bool on_arrival;
	struct sources *sources; /* a reference, for bound; NULL: whose it is keeps it */
	const struct bound_source *bound;
	const struct line_kind *kind;
	struct line_decoder *decoder; /* NULL: none */
	int64_t now_ns, now_ms;	      /* of the body's begin, and of its latest piece */
	int64_t repeated_ns;
	size_t line_limit;
	char salt[ID_LEN + 1];

	struct arena line; /* of the line under way */
	struct arena kept; /* of what waits */
	struct piece *first, *last;
	size_t waiting;
	bool own_now; /* the time was handed in */
	struct tally tally;
	struct lines_counts counts;
	uint64_t lines_told; /* of counts.lines, in the metrics */
	struct buf decisions;
	struct buf failure;

	/* the store call under way */
	struct arena asked;
	struct store_line_in *in;
	struct store_event_in *events;
	struct arena gone;  /* of what is being stored */
	struct piece *sent; /* of what is gone, which is the next one that is not stored; NULL:
			       there is none */
	bool busy;	    /* it is on its way */
	size_t to_store;    /* lines that are not stored yet */
	bool guessed;
	bool orphan; /* lines_free was called */
	lines_cb cb;
	void *ctx;
};

/* Hashes of alerts that fired when the store spoke of them last. */
static uint64_t known[KNOWN_SLOTS];

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "no memory for the lines of a request");
}

static int too_large(struct err *e)
{
	return err_set(e, ERR_LIMIT,
		"the lines that patterns want need more memory than a request may have; send fewer "
		"at once");
}

/* ---- life ---- */

static int on_line(void *ctx, const struct line *line, struct err *e)
{
	return lines_take(ctx, line, e);
}

static void set_limits(struct lines *l, const struct conf *c)
{
	const struct conf_source *source = l->bound->conf;

	l->limits = decide_limits(c);
	l->chain_depth = c->limits.chain_depth;
	l->max_age_ms = c->logs.max_age_ms;
	l->max_ahead_ms = c->logs.max_ahead_ms;
	l->trusted = source && source->time == CONF_TIME_TRUST;
}

static int begin_decoder(struct lines *l, const struct lines_options *o, struct err *e)
{
	const struct line_sink sink = {on_line, l};
	struct line_options options = o->line;

	if (options.line_limit == 0)
		options.line_limit = (size_t)o->ic->conf->logs.line_limit;
	l->own_now = options.now_ns != 0;
	if (!l->own_now)
		options.now_ns = clock_wall_ms() * NS_PER_MS;
	l->now_ns = options.now_ns;
	l->now_ms = options.now_ns / NS_PER_MS;
	l->line_limit = options.line_limit;
	l->repeated_ns = o->repeated_ns;
	if (!l->kind)
		return 0;
	l->decoder = l->kind->new (&options, &sink, e);
	return l->decoder ? 0 : -1;
}

struct lines *lines_new(const struct lines_options *o, struct err *e)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l) {
		no_memory(e);
		return NULL;
	}
	l->store = o->ic->store;
	l->tick = o->ic->tick;
	l->rules = ruleset_ref(o->ic->rules);
	l->sources = o->ic->sources ? sources_ref(o->ic->sources) : NULL;
	l->bound = o->bound;
	l->kind = o->kind;
	l->on_arrival = o->on_arrival;
	arena_init(&l->line, LINE_SCRATCH);
	arena_init(&l->kept, LINES_MEMORY);
	arena_init(&l->gone, LINES_MEMORY);
	arena_init(&l->asked, LINES_MEMORY);
	buf_init(&l->decisions, BUF_NO_LIMIT);
	buf_init(&l->failure, BUF_NO_LIMIT);
	id_new(clock_wall_ms(), l->salt);
	set_limits(l, o->ic->conf);
	if (begin_decoder(l, o, e) == 0)
		return l;
	lines_free(l);
	return NULL;
}

static void tell_metrics(struct lines *l)
{
	uint64_t n = l->counts.lines - l->lines_told;

	if (n > 0)
		metric_add(METRIC_LOG_LINES, (double)n, &l->bound->name);
	l->lines_told = l->counts.lines;
}

void lines_renew(struct lines *l, const struct ingest_ctx *ic, const struct bound_source *bound)
{
	struct ruleset *rules = l->rules;
	struct sources *sources = l->sources;

	assert(!l->busy && lines_wanted(l) == 0);
	tell_metrics(l);
	l->rules = ruleset_ref(ic->rules);
	l->sources = sources_ref(ic->sources);
	l->bound = bound;
	set_limits(l, ic->conf);
	ruleset_unref(rules);
	sources_unref(sources);
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	l->orphan = true;
	if (l->busy)
		return; /* its answer comes, and then this again */
	if (l->decoder)
		l->kind->free(l->decoder);
	tell_metrics(l);
	ruleset_unref(l->rules);
	sources_unref(l->sources);
	arena_release(&l->line);
	arena_release(&l->kept);
	arena_release(&l->gone);
	arena_release(&l->asked);
	buf_release(&l->decisions);
	buf_release(&l->failure);
	free(l->tally.v);
	free(l);
}

/* ---- marks ---- */

static bool tally_grow(struct tally *t)
{
	size_t size = t->size ? t->size * 2 : TALLY_FIRST;
	struct tally_slot *v = calloc(size, sizeof(*v));

	if (!v)
		return false;
	for (size_t i = 0; i < t->size; i++) {
		size_t at = t->v[i].hash & (size - 1);
		while (t->v[i].n > 0 && v[at].n > 0)
			at = (at + 1) & (size - 1);
		if (t->v[i].n > 0)
			v[at] = t->v[i];
	}
	free(t->v);
	t->v = v;
	t->size = size;
	return true;
}

/* How many of this hash there were before; 0 without memory: then equal lines count once. */
static uint64_t tally_next(struct tally *t, uint64_t hash)
{
	if (t->n * 2 >= t->size && !tally_grow(t))
		return 0;
	size_t at = hash & (t->size - 1);
	while (t->v[at].n > 0 && t->v[at].hash != hash)
		at = (at + 1) & (t->size - 1);
	t->n += t->v[at].n == 0;
	t->v[at].hash = hash;
	return t->v[at].n++;
}

static uint64_t hash_line(const struct line *line)
{
	uint64_t h = hash_fnv1a(HASH_FNV1A_START, line->message.p, line->message.n);

	h = hash_fnv1a(h, &line->time_ns, sizeof(line->time_ns));
	for (size_t i = 0; i < line->labels_n; i++) {
		h = hash_fnv1a(h, line->labels[i].name.p, line->labels[i].name.n);
		h = hash_fnv1a(h, "=", 1);
		h = hash_fnv1a(h, line->labels[i].value.p, line->labels[i].value.n);
	}
	return h;
}

static void put_part(struct buf *b, struct str s)
{
	buf_u64(b, s.n);
	buf_putc(b, ':');
	buf_str(b, s);
}

/* whole: the line as it came; line: without its header. */
static int make_mark(struct lines *l, const struct line *whole, const struct line *line,
	char mark[STORE_MARK_HEX], struct err *e)
{
	char hex[HASH_SHA256_HEX];
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	if (line->time_ns == 0) {
		buf_puts(&b, l->salt);
		buf_u64(&b, l->counts.lines);
	} else {
		buf_i64(&b, line->time_ns);
		buf_putc(&b, ' ');
		buf_u64(&b, line->time_ns < l->repeated_ns
				    ? 0
				    : tally_next(&l->tally, hash_line(whole)));
		put_part(&b, whole->message);
		for (size_t i = 0; i < whole->labels_n; i++) {
			put_part(&b, whole->labels[i].name);
			put_part(&b, whole->labels[i].value);
		}
	}
	bool failed = buf_failed(&b);
	if (!failed)
		hash_sha256_hex(buf_as_str(&b), hex);
	buf_release(&b);
	if (failed)
		return no_memory(e);
	memcpy(mark, hex, STORE_MARK_HEX - 1);
	mark[STORE_MARK_HEX - 1] = '\0';
	return 0;
}

/* ---- one line ---- */

/* What stays until it is stored; NULL with e. */
static struct wanted *new_wanted(struct lines *l, struct err *e)
{
	if (l->waiting + l->to_store >= LINES_WANTED_MAX) {
		err_set(e, ERR_LIMIT,
			"patterns want more than %d lines of one body; send fewer at once",
			LINES_WANTED_MAX);
		return NULL;
	}
	if (!l->last || l->last->n == STORE_LINES_MAX) {
		struct piece *p = arena_alloc(&l->kept, sizeof(*p));
		if (!p) {
			too_large(e);
			return NULL;
		}
		p->next = NULL;
		p->n = 0;
		if (l->last)
			l->last->next = p;
		else
			l->first = p;
		l->last = p;
	}
	struct wanted *w = &l->last->v[l->last->n];
	memset(w, 0, sizeof(*w));
	return w;
}

static bool add_note(struct arena *a, struct event *ev, const char *name, struct str value)
{
	struct kv *v = arena_array(a, ev->annotations_n + 1, sizeof(*v));

	if (!v)
		return false;
	if (ev->annotations_n > 0)
		memcpy(v, ev->annotations, ev->annotations_n * sizeof(*v));
	v[ev->annotations_n++] = (struct kv){str_of(name), value};
	ev->annotations = v;
	event_sort_labels(ev->annotations, &ev->annotations_n, true);
	return true;
}

static bool is_of_age(const struct lines *l, int64_t time_ms)
{
	return l->trusted ||
	       (time_ms >= l->now_ms - l->max_age_ms && time_ms <= l->now_ms + l->max_ahead_ms);
}

/* When it happened, by the line where it says so. A time that is too far off does not order the
 * line, and the event says so. */
static void set_time(struct lines *l, const struct line *line, struct wanted *w)
{
	char text[CLOCK_RFC3339_MAX];
	struct event *ev = &w->event;

	if (line->time_ns > 0 && is_of_age(l, line->time_ns / NS_PER_MS)) {
		w->time_ms = line->time_ns / NS_PER_MS;
	} else if (line->time_ns > 0) {
		clock_format_ms(line->time_ns / NS_PER_MS, text);
		add_note(&l->kept, ev, "line_time", arena_strdup(&l->kept, str_of(text)));
	}
	ev->time_ns = w->time_ms ? line->time_ns : l->now_ms * NS_PER_MS;
	ev->starts_ns = ev->status == EVENT_FIRING ? ev->time_ns : 0;
}

/* The line as an event that matchers can be held against; all in l->line. */
static int line_event(struct lines *l, const struct line *line, struct event *out, struct err *e)
{
	size_t n = line->labels_n;
	struct kv *v = arena_array(&l->line, n + 1, sizeof(*v));

	if (!v)
		return too_large(e);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct kv){line_text(&l->line, line->labels[i].name),
			line_text(&l->line, line->labels[i].value)};
	event_sort_labels(v, &n, true);
	*out = (struct event){
		.source = l->bound->name,
		.type = STR("log"),
		.status = EVENT_INFO,
		.time_ns = line->time_ns,
		.summary = line->message,
		.labels = v,
		.labels_n = n,
	};
	return arena_failed(&l->line) ? too_large(e)
				      : relabel_apply(l->bound->relabel, &l->line, out, e);
}

static void note_failure(struct lines *l, const struct pattern *p, const struct err *why)
{
	const struct str labels[] = {p->name, STR("regex")};

	l->counts.failed++;
	metric_add(METRIC_LOG_REFUSED, 1, labels);
	if (l->failure.n == 0)
		buf_printf(&l->failure, "pattern '%.*s': %s", STR_ARG(p->name), why->text);
}

/* The texts of ev point into the line: what stays is copied. */
static bool keep_event(struct arena *a, struct event *ev)
{
	struct kv *v = arena_array(a, ev->labels_n + 1, sizeof(*v));

	for (size_t i = 0; v && i < ev->labels_n; i++)
		v[i] = (struct kv){
			arena_strdup(a, ev->labels[i].name), arena_strdup(a, ev->labels[i].value)};
	ev->labels = v;
	ev->fingerprint = arena_strdup(a, ev->fingerprint);
	ev->summary = arena_strdup(a, ev->summary);
	return !arena_failed(a);
}

/* What a line looks like, made once for all patterns that want it. */
struct looked {
	const struct line *whole;
	struct line line; /* without its header */
	struct event event;
	struct str text; /* for people; "" until somebody wants it */
	char mark[STORE_MARK_HEX];
};

static struct str evidence_of(struct arena *a, const struct line *whole, const struct line *line)
{
	struct str s = whole->raw ? whole->message : line->message;

	s.n = s.n < STORE_LINE_TEXT_MAX + 4
		      ? s.n
		      : STORE_LINE_TEXT_MAX + 4; /* the store cuts at a character */
	return arena_strdup(a, line_text(a, s));
}

static int keep(struct lines *l, struct looked *at, const struct pattern *p, bool resolves,
	const struct matcher_groups *groups, struct err *e)
{
	struct wanted *w = new_wanted(l, e);

	if (!w)
		return -1;
	if (!at->text.p) {
		at->text = evidence_of(&l->kept, at->whole, &at->line);
		if (!at->text.p)
			return too_large(e);
		if (make_mark(l, at->whole, &at->line, at->mark, e) != 0)
			return -1;
	}
	if (pattern_event(
		    p, resolves, groups, &l->line, &at->event, at->line.message, &w->event, e) != 0)
		return -1;
	w->pattern = p;
	w->text = at->text;
	memcpy(w->mark, at->mark, sizeof(w->mark));
	if (!keep_event(&l->kept, &w->event))
		return too_large(e);
	set_time(l, &at->line, w);
	if (at->whole->cut && !add_note(&l->kept, &w->event, "line_cut",
				      STR("it was longer than logs.line_limit")))
		return too_large(e);
	l->last->n++;
	l->waiting++;
	l->counts.matched++;
	metric_add(METRIC_LOG_MATCHED, 1, &p->name);
	return arena_failed(&l->kept) ? too_large(e) : 0;
}

static int look(struct lines *l, const struct line *whole, const uint32_t *candidates, size_t n,
	struct err *e)
{
	struct looked at = {.whole = whole};

	arena_reset(&l->line);
	matcher_scratch_begin(l->rules->scratch);
	at.line = *whole;
	if (whole->raw && !line_split(&l->line, whole, l->now_ns, &at.line))
		return too_large(e);
	at.line.message = line_text(&l->line, at.line.message);
	if (l->on_arrival)
		at.line.time_ns = 0;
	if (line_event(l, &at.line, &at.event, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct pattern *p = &l->rules->patterns.v[candidates[i]];
		struct matcher_groups groups = {0};
		struct err why = {0};
		enum pattern_verdict v = pattern_try(
			p, l->rules->scratch, &l->line, &at.event, at.line.message, &groups, &why);
		if (v == PATTERN_FAILED)
			note_failure(l, p, &why);
		else if ((v == PATTERN_MATCHED || v == PATTERN_RESOLVES) &&
			 keep(l, &at, p, v == PATTERN_RESOLVES, &groups, e) != 0)
			return -1;
	}
	return arena_failed(&l->line) ? too_large(e) : 0;
}

int lines_take(struct lines *l, const struct line *line, struct err *e)
{
	const uint32_t *candidates;
	size_t n;

	l->counts.lines++;
	l->counts.cut += line->cut;
	n = patterns_candidates(&l->rules->patterns, line->message, &candidates);
	return n == 0 ? 0 : look(l, line, candidates, n, e);
}

int lines_feed(struct lines *l, struct str piece, struct err *e)
{
	if (!l->own_now)
		l->now_ms = clock_wall_ms();
	return l->kind->feed(l->decoder, piece, e);
}

int lines_end(struct lines *l, struct err *e)
{
	return l->kind->finish(l->decoder, e);
}

void lines_now(struct lines *l, int64_t now_ns)
{
	l->now_ns = now_ns;
	l->now_ms = now_ns / NS_PER_MS;
}

size_t lines_held(const struct lines *l)
{
	return l->kept.used + l->gone.used + l->asked.used;
}

size_t lines_wanted(const struct lines *l)
{
	return l->waiting + (l->busy ? 0 : l->to_store);
}

/* ---- into the store ---- */

static int send_piece(struct lines *l, bool guess, struct err *e);

static uint64_t hash_of(const struct event *ev)
{
	uint64_t h = hash_fnv1a(HASH_FNV1A_START, ev->source.p, ev->source.n);

	return hash_fnv1a(h, ev->fingerprint.p, ev->fingerprint.n) | 1;
}

static void note_known(const struct event *ev, bool fires)
{
	uint64_t h = hash_of(ev);
	uint64_t *slot = &known[h / 2 % KNOWN_SLOTS];

	if (fires)
		*slot = h;
	else if (*slot == h)
		*slot = 0;
}

static bool is_known(const struct event *ev)
{
	uint64_t h = hash_of(ev);

	return ev->status == EVENT_FIRING && known[h / 2 % KNOWN_SLOTS] == h;
}

/* All is stored, or something is wrong. */
static void stored(struct lines *l, const struct err *e)
{
	lines_cb cb = l->cb;

	l->busy = false;
	arena_release(&l->asked);
	if (!e)
		arena_release(&l->gone);
	tell_metrics(l);
	if (l->orphan)
		lines_free(l);
	else
		cb(l->ctx, e);
}

static void note_event(struct lines *l, const struct wanted *w, const struct store_event_in *in,
	const struct store_event_out *out)
{
	l->counts.new_++;
	decide_count(&w->event, in, out);
	note_known(&w->event, w->event.status == EVENT_FIRING);
	if (l->tick && w->event.status == EVENT_FIRING && w->pattern->resolve_after_ms > 0)
		tick_due(l->tick, w->pattern->resolve_after_ms);
	ingest_note_pending(l->tick, in, out);
	ingest_write_decisions(&l->decisions, in, out);
}

static void note_line(
	struct lines *l, size_t i, enum store_line_outcome out, const struct store_event_out *event)
{
	const struct wanted *w = &l->sent->v[i];
	const struct str refused[] = {w->pattern->name, STR("series")};

	switch (out) {
	case STORE_LINE_EVENT:
		note_event(l, w, &l->events[i], event);
		break;
	case STORE_LINE_FIRING:
		note_known(&w->event, true);
		break;
	case STORE_LINE_KNOWN:
		l->counts.duplicate++;
		break;
	case STORE_LINE_REFUSED:
		l->counts.refused++;
		metric_add(METRIC_LOG_REFUSED, 1, refused);
		break;
	case STORE_LINE_COUNTED:
	case STORE_LINE_NOTHING:
		break;
	}
}

static void on_piece(void *ctx, const struct err *e, const enum store_line_outcome *out,
	const struct store_event_out *events, size_t n)
{
	struct lines *l = ctx;
	struct err next = {0};

	if (e && e->code == ERR_CONFLICT && l->guessed) {
		for (size_t i = 0; i < l->sent->n; i++)
			note_known(&l->sent->v[i].event, false);
		if (send_piece(l, false, &next) != 0)
			stored(l, &next);
		return;
	}
	if (e) {
		stored(l, e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		note_line(l, i, out[i], &events[i]);
	l->to_store -= n;
	l->sent = l->sent->next;
	if (!l->sent)
		stored(l, NULL);
	else if (send_piece(l, true, &next) != 0)
		stored(l, &next);
}

static int fill_line(struct lines *l, const struct wanted *w, bool guess, size_t i, struct err *e)
{
	const struct pattern *p = w->pattern;
	bool light = guess && is_known(&w->event);
	struct store_line_in *in = &l->in[i];

	*in = (struct store_line_in){
		.pattern = p->name,
		.count = p->count,
		.within_ms = p->within_ms,
		.series = p->series,
		.lines = p->lines,
		.after_ms = p->resolve_after_ms,
		.time_ms = w->time_ms,
		.text = w->text,
	};
	memcpy(in->mark, w->mark, sizeof(in->mark));
	l->guessed |= light;
	l->events[i] = (struct store_event_in){.event = &w->event};
	return light ? 0
		     : decide_event(
			       l->rules, l->chain_depth, &l->asked, &w->event, &l->events[i], e);
}

static int send_piece(struct lines *l, bool guess, struct err *e)
{
	const struct piece *p = l->sent;

	arena_reset(&l->asked);
	l->guessed = false;
	l->in = arena_array(&l->asked, p->n, sizeof(*l->in));
	l->events = arena_array(&l->asked, p->n, sizeof(*l->events));
	if (!l->in || !l->events)
		return too_large(e);
	for (size_t i = 0; i < p->n; i++)
		if (fill_line(l, &p->v[i], guess, i, e) != 0)
			return -1;
	const struct store_lines call = {l->in, l->events, p->n, str_of(l->rules->hash), l->limits};
	return store_lines(l->store, &call, on_piece, l, e);
}

/* What waits is what is sent from now on; what comes waits in its place. */
static void take_waiting(struct lines *l)
{
	struct arena empty = l->gone;

	l->gone = l->kept;
	l->kept = empty;
	l->sent = l->first;
	l->to_store = l->waiting;
	l->first = l->last = NULL;
	l->waiting = 0;
}

int lines_store(struct lines *l, lines_cb cb, void *ctx, struct err *e)
{
	l->cb = cb;
	l->ctx = ctx;
	if (!l->sent && l->waiting == 0) { /* nothing to store: nothing can be lost */
		tell_metrics(l);
		cb(ctx, NULL);
		return 0;
	}
	if (!l->sent)
		take_waiting(l);
	l->busy = send_piece(l, true, e) == 0;
	return l->busy ? 0 : -1;
}

/* ---- the answer ---- */

struct lines_counts lines_counts(const struct lines *l)
{
	return l->counts;
}

const char *lines_failure(const struct lines *l)
{
	return l->failure.n > 0 ? l->failure.p : "";
}

void lines_answer(const struct lines *l, struct buf *out)
{
	const struct lines_counts *c = &l->counts;

	buf_puts(out, "{\"events\":");
	buf_u64(out, c->lines);
	buf_puts(out, ",\"new\":");
	buf_u64(out, c->new_);
	buf_puts(out, ",\"duplicate\":");
	buf_u64(out, c->duplicate);
	buf_puts(out, ",\"matched\":");
	buf_u64(out, c->matched);
	buf_puts(out, ",\"refused\":");
	buf_u64(out, c->refused);
	buf_puts(out, ",\"decisions\":[");
	buf_str(out, buf_as_str(&l->decisions));
	buf_puts(out, "]}\n");
}
