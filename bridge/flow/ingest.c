/* ingest.c: a batch of events through rules and store, in pieces of STORE_INGEST_EVENTS_MAX, in
 * order.
 *
 * Guarantees: the callback comes once, and without an error only after Redis has confirmed the last
 * piece; the ruleset that decided the first piece decides the last one, also where a reload came
 * between. When a later piece fails the earlier ones stay stored: the sender sends all of it again,
 * and dedup knows them.
 *
 * Most messages say again what was said before. So a small table remembers, by hash, which alerts
 * were seen with which status and startsAt, and such an event is sent without its JSON and its
 * rules' steps, which is half of the work here and a third of Redis's. The table is a guess and
 * nothing hangs on it: the store judges by what it has, and where such an event is no duplicate it
 * says so before it writes, and the piece is sent again with all there is.
 *
 * What it does not do: parse, wait, retry. The state of a batch lives in the request's arena; only
 * the answer's text is malloc'ed, and freed after the callback.
 */
#include "flow/ingest.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "flow/decide.h"
#include "flow/decide_gate.h"
#include "flow/order.h"
#include "flow/tick.h"
#include "store/message.h"

#define KNOWN_SLOTS 32768 /* a power of two; 8 bytes each, touched as they are used */

/* Hashes of what the store has confirmed; one slot for each, the latest wins. */
static uint64_t known[KNOWN_SLOTS];
static char known_by[HASH_SHA256_HEX]; /* the ruleset of the latest batch */

struct batch_run {
	struct store *store;
	struct tick *tick;
	struct ruleset *rules; /* a reference */
	struct store_limits limits;
	int64_t chain_depth;
	int64_t keep_ms; /* how long a message is kept */
	struct arena *a;
	const struct source_batch *batch;
	ingest_cb cb;
	void *ctx;
	struct store_event_in *in; /* of the piece under way */
	size_t at, piece;	   /* first event of it, and how many */
	bool guessed;		   /* an event of it came without its JSON */
	bool message_kept;
	size_t new_, duplicate;
	struct buf decisions; /* JSON, comma between, without brackets */
};

static int send_piece(struct batch_run *b, bool guess, struct err *e);

/* 0 for what is no alert. */
static uint64_t hash_of(const struct event *ev)
{
	uint64_t h = hash_fnv1a(HASH_FNV1A_START, ev->source.p, ev->source.n);

	if (ev->fingerprint.n == 0 || ev->status == EVENT_INFO)
		return 0;
	h = hash_fnv1a(h, ev->fingerprint.p, ev->fingerprint.n);
	h = hash_fnv1a(h, &ev->starts_ns, sizeof(ev->starts_ns));
	return hash_fnv1a(h, &ev->status, sizeof(ev->status));
}

/* A new inhibit rule is to hear of the alerts that fire already: each comes whole once more. */
static void forget_known(const struct ruleset *rules)
{
	if (ruleset_inhibits(rules) && strcmp(known_by, rules->hash) != 0)
		memset(known, 0, sizeof(known));
	memcpy(known_by, rules->hash, sizeof(known_by));
}

static bool is_known(uint64_t h)
{
	return h && known[h % KNOWN_SLOTS] == h;
}

static void now_known(uint64_t h)
{
	if (h)
		known[h % KNOWN_SLOTS] = h;
}

static void batch_end(struct batch_run *b, const struct err *e)
{
	struct buf answer;

	buf_init(&answer, BUF_NO_LIMIT);
	if (!e && b->batch->n && b->batch->truncated > 0)
		metric_add(METRIC_ALERTS_TRUNCATED, (double)b->batch->truncated,
			&b->batch->events[0].source);
	if (!e) {
		buf_puts(&answer, "{\"events\":");
		buf_u64(&answer, b->batch->n);
		buf_puts(&answer, ",\"new\":");
		buf_u64(&answer, b->new_);
		buf_puts(&answer, ",\"duplicate\":");
		buf_u64(&answer, b->duplicate);
		buf_puts(&answer, ",\"decisions\":[");
		buf_str(&answer, buf_as_str(&b->decisions));
		buf_puts(&answer, "]}\n");
	}
	ruleset_unref(b->rules);
	buf_release(&b->decisions);
	b->cb(b->ctx, e, buf_as_str(&answer));
	buf_release(&answer);
}

static void write_id(struct json_w *w, const char *key, struct str id)
{
	json_w_key(w, str_of(key));
	if (id.n)
		json_w_str(w, id);
	else
		json_w_null(w);
}

void ingest_write_decisions(
	struct buf *out, const struct store_event_in *in, const struct store_event_out *o)
{
	struct json_w w;

	for (size_t i = 0; o->decisions && i < in->decisions_n; i++) {
		const struct store_decision_out *d = &o->decisions[i];

		if (out->n)
			buf_putc(out, ',');
		json_w_init(&w, out);
		json_w_object(&w);
		write_id(&w, "event", o->id);
		json_w_kstr(&w, "rule", in->decisions[i].rule);
		json_w_kstr(&w, "decision", str_of(decision_name(d->decision)));
		json_w_kstr(&w, "reason", d->reason);
		write_id(&w, "run", d->run);
		write_id(&w, "incident", o->incident);
		json_w_end(&w, '}');
	}
}

/* A rule waits for its time, or the alert has a deadline, which may come before the next tick. */
void ingest_note_pending(
	struct tick *tick, const struct store_event_in *in, const struct store_event_out *out)
{
	if (tick && in->event->status == EVENT_FIRING && in->event->expires_ns > 0)
		tick_due(tick, in->event->expires_ns / 1000000 - clock_wall_ms());
	for (size_t i = 0; tick && out->outcome == STORE_NEW && i < in->decisions_n; i++) {
		const struct store_decision_in *d = &in->decisions[i];

		if (out->decisions[i].decision == DECISION_PENDING)
			tick_due(tick, d->gate.kind == STORE_GATE_NONE ? d->for_ms
							    : decide_gate_due(&d->gate, clock_wall_ms()));
	}
}

static void on_piece(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct batch_run *b = ctx;
	struct err next = {0};

	if (e && e->code == ERR_CONFLICT && b->guessed) {
		if (send_piece(b, false, &next) != 0)
			batch_end(b, &next);
		return;
	}
	if (e) {
		batch_end(b, e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		now_known(hash_of(b->in[i].event));
		if (out[i].outcome == STORE_DUPLICATE)
			b->duplicate++;
		else
			b->new_++;
		decide_count(b->in[i].event, &b->in[i], &out[i]);
		ingest_note_pending(b->tick, &b->in[i], &out[i]);
		ingest_write_decisions(&b->decisions, &b->in[i], &out[i]);
	}
	b->at += b->piece;
	if (b->at >= b->batch->n)
		batch_end(b, NULL);
	else if (send_piece(b, true, &next) != 0)
		batch_end(b, &next);
}

static int store_piece(struct batch_run *b, struct err *e)
{
	const struct store_ingest in = {
		.events = b->in,
		.n = b->piece,
		.ruleset_hash = str_of(b->rules->hash),
		.truncated = b->batch->truncated,
		.limits = b->limits,
	};

	return store_ingest(b->store, &in, on_piece, b, e);
}

static void on_message(void *ctx, const struct err *e)
{
	struct batch_run *b = ctx;
	struct err next = {0};

	b->message_kept = !e;
	if (e)
		batch_end(b, e);
	else if (store_piece(b, &next) != 0)
		batch_end(b, &next);
}

/* The message that the piece's events point at, where it has to be there before them; NULL: no
 * need. */
static const struct event_message *unkept(const struct batch_run *b)
{
	const struct event_message *m = b->batch->events[b->at].message;

	return m && m->json.n && !b->message_kept ? m : NULL;
}

/* So a part which was not stored is taken when it comes again. An event that has a name of its own may come in another
 * company then. */
struct str ingest_delivery(struct arena *a, const struct source_batch *batch, size_t i)
{
	struct str id = batch->events[i].delivery;

	return id.n > 0 && i > 0 && !batch->own_deliveries ? arena_printf(a, "%.*s#%zu", STR_ARG(id), i) : id;
}

static int send_piece(struct batch_run *b, bool guess, struct err *e)
{
	size_t left = b->batch->n - b->at;

	b->piece = left < STORE_INGEST_EVENTS_MAX ? left : STORE_INGEST_EVENTS_MAX;
	b->guessed = false;
	for (size_t i = 0; i < b->piece; i++) {
		const struct event *ev = &b->batch->events[b->at + i];
		bool light = guess && ev->delivery.n == 0 && is_known(hash_of(ev));

		b->guessed = b->guessed || light;
		if ((light ? decide_duplicate(b->rules, b->a, ev, &b->in[i], e)
			   : decide_event(b->rules, b->chain_depth, b->a, ev, &b->in[i], e)) != 0)
			return -1;
		b->in[i].delivery = ingest_delivery(b->a, b->batch, b->at + i);
		if (ev->delivery.n > 0 && !b->in[i].delivery.p)
			return err_set(e, ERR_LIMIT, "the request needs more memory than one may have; "
				"send fewer events at once");
	}
	order_events(b->a, b->in, b->piece, NULL);
	const struct event_message *m = unkept(b);
	return m ? store_message_put(b->store, str_of(m->id), m->json, b->keep_ms, on_message, b, e)
		 : store_piece(b, e);
}

int ingest_batch(const struct ingest_ctx *ic, struct arena *a, const struct source_batch *batch,
	ingest_cb cb, void *ctx, struct err *e)
{
	size_t piece = batch->n < STORE_INGEST_EVENTS_MAX ? batch->n : STORE_INGEST_EVENTS_MAX;
	struct batch_run *b = arena_zalloc(a, sizeof(*b));

	if (!b)
		return err_set(e, ERR_LIMIT,
			"the request needs more memory than one may have; send fewer events at "
			"once");
	*b = (struct batch_run){
		.store = ic->store,
		.tick = ic->tick,
		.limits = decide_limits(ic->conf),
		.chain_depth = ic->conf->limits.chain_depth,
		.keep_ms = ic->conf->incidents.retention_ms,
		.a = a,
		.batch = batch,
		.cb = cb,
		.ctx = ctx,
	};
	buf_init(&b->decisions, BUF_NO_LIMIT);
	b->rules = ruleset_ref(ic->rules);
	forget_known(b->rules);
	if (batch->n == 0) { /* nothing to store: nothing can be lost */
		batch_end(b, NULL);
		return 0;
	}
	b->in = arena_array(a, piece, sizeof(*b->in));
	if (!b->in)
		err_set(e, ERR_LIMIT,
			"the request needs more memory than one may have; send fewer events at "
			"once");
	if (!b->in || send_piece(b, true, e) != 0) {
		ruleset_unref(b->rules);
		return -1;
	}
	return 0;
}
