/* explain.c: an event against the rules, told instead of done.
 *
 * Goes the way of ingest.c up to the store, where it asks for the plan (store_explain) instead of the deed: once as
 * things are, and once more as if nothing of it had ever been heard of, where the first answer is that it is known
 * already. Then each rule is a row: the matcher that fails, or the decision and what would run.
 *
 * Guarantees: nothing is written, no metric moves; the work of one call is bounded by EXPLAIN_PAIRS_MAX, its answer
 * by EXPLAIN_ANSWER_MAX. All memory is the caller's arena, but for the answer's text, which is freed after the
 * callback. What it does not do: guess where the store cannot be asked.
 */
#include "flow/explain.h"

#include <inttypes.h>
#include "base/nearest.h"
#include "base/units.h"
#include "base/utf8.h"
#include "flow/decide.h"
#include "flow/order.h"
#include "rule/miss.h"

#define ROW_MEMORY ((size_t)64 << 20) /* of one rule: objects of `data` as text, rendered parameters */

struct told {
	enum decision decision;
	struct str reason;
};

struct explained {
	struct event event; /* as the store takes it: without id and time of arrival */
	struct str shown;   /* its JSON where it is stored; "" */
	struct str key;	    /* of its incident, as JSON; "" */
	struct rule_match *match;
	size_t match_n;
	enum store_outcome outcome;
	struct told *now, *as_new; /* one a match; NULL: not asked for */
};

struct explain {
	struct store *store;
	struct ruleset *rules; /* a reference */
	struct store_limits limits;
	int64_t chain_depth;
	struct arena *a;
	struct str only; /* a rule's name; "" all */
	struct str id;	 /* of a stored event; "" */
	struct explained *v;
	struct store_event_in *in; /* in the order in which they are decided */
	size_t *from;		   /* of each of these its place in v */
	size_t n;
	int64_t truncated;
	uint64_t steps;	    /* that regexes took to tell why rules do not match */
	struct str refused; /* why an ingest would be */
	struct str not_taken; /* of the payload the first item that its kind does not take, and why */
	store_text_cb cb;
	void *ctx;
};

static int no_room(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the request needs more memory than one may have; send fewer events at once");
}

/* ---- writing: a rule that does not match ---- */

static void write_value(struct json_w *w, const char *key, struct str s, struct arena *a)
{
	struct str cut = s;

	if (s.n > EXPLAIN_SAW_MAX) {
		cut.n = EXPLAIN_SAW_MAX;
		while (cut.n > 0 && ((unsigned char)s.p[cut.n] & 0xc0) == 0x80)
			cut.n--;
		cut = arena_printf(a, "%.*s… (%zu bytes)", STR_ARG(cut), s.n);
	}
	json_w_kstr(w, key, cut);
}

/* Each rule has the budget of an event for itself, until all together took EXPLAIN_STEPS_MAX. */
static void find_miss(struct explain *x, const struct rule *r, const struct event *ev, struct arena *row,
	struct rule_miss *miss)
{
	if (x->steps < EXPLAIN_STEPS_MAX)
		matcher_scratch_begin(x->rules->scratch);
	if (rule_miss(x->rules, r, row, ev, miss) != 0)
		*miss = (struct rule_miss){.kind = RULE_MISS_NONE};
	if (x->steps < EXPLAIN_STEPS_MAX)
		x->steps += matcher_scratch_used(x->rules->scratch);
}

static void write_miss(struct json_w *w, struct explain *x, const struct rule *r, const struct event *ev,
	struct arena *row)
{
	struct rule_miss miss;

	find_miss(x, r, ev, row, &miss);
	json_w_kbool(w, "matches", false);
	json_w_kstr(w, "because", str_of(rule_miss_name(miss.kind)));
	json_w_key(w, STR("failing"));
	json_w_array(w);
	for (size_t i = 0; i < miss.n; i++) {
		json_w_object(w);
		json_w_kstr(w, "matcher", miss.failing[i].matcher);
		write_value(w, "saw", miss.failing[i].saw, row);
		json_w_end(w, '}');
	}
	json_w_end(w, ']');
}

/* ---- writing: a rule that matches ---- */

static void write_told(struct json_w *w, const struct told *t)
{
	json_w_kstr(w, "decision", str_of(decision_name(t->decision)));
	json_w_kstr(w, "reason", t->reason);
}

/* A parameter that waits for the claim is shown as the template that waits; one that does not, as its text. */
static void write_late_params(struct json_w *w, const struct rule_rendered_step *s, const struct template_ctx *ctx,
	struct arena *a)
{
	const struct rule_step *step = s->step;
	const struct runbook *rb = step->runbook;

	for (size_t i = 0; i < step->with_n; i++) {
		const struct template *t = step->with[i].value;
		struct str text = template_text(t);
		struct err ignored;

		json_w_key(w, step->with[i].name);
		if (template_is_late(t))
			template_render_early(t, a, ctx, &text, &ignored);
		else
			template_render(t, a, ctx, &text, &ignored);
		json_w_str(w, text);
	}
	for (size_t i = 0; i < rb->params_n; i++) {
		bool given = false;

		for (size_t k = 0; k < step->with_n; k++)
			given = given || str_eq(step->with[k].name, rb->params[i].name);
		if (given || !rb->params[i].has_default)
			continue;
		json_w_key(w, rb->params[i].name);
		json_w_str(w, rb->params[i].default_);
	}
}

static void write_step(struct json_w *w, const struct rule_rendered_step *s, const struct template_ctx *ctx,
	struct arena *a)
{
	const struct rule_step *step = s->step;
	char timeout[UNITS_TEXT_MAX];

	units_format_duration(step->timeout_ms ? step->timeout_ms : step->runbook->timeout_ms, timeout);
	json_w_object(w);
	json_w_kstr(w, "name", step->name);
	json_w_kstr(w, "runbook", step->runbook->name);
	json_w_kstr(w, "pool", s->pool.n ? s->pool : STR("default"));
	json_w_key(w, STR("params"));
	if (s->late) {
		json_w_object(w);
		write_late_params(w, s, ctx, a);
		json_w_end(w, '}');
	} else {
		json_w_raw(w, s->params_json);
	}
	json_w_key(w, STR("late"));
	json_w_array(w);
	for (size_t i = 0; i < step->with_n; i++)
		if (template_is_late(step->with[i].value))
			json_w_str(w, step->with[i].name);
	json_w_end(w, ']');
	json_w_kstr(w, "timeout", str_of(timeout));
	json_w_kbool(w, "always", step->always);
	json_w_end(w, '}');
}

static void write_groups(struct json_w *w, const struct matcher_groups *g)
{
	json_w_key(w, STR("groups"));
	json_w_object(w);
	for (size_t i = 0; i < g->n; i++) {
		json_w_key(w, g->v[i].name);
		json_w_str(w, g->v[i].value);
	}
	json_w_end(w, '}');
}

static void write_match(struct json_w *w, const struct explained *ev, size_t at, struct arena *a)
{
	const struct rule_match *m = &ev->match[at];
	const struct template_ctx ctx = {.event = &ev->event, .match = m->groups.v, .match_n = m->groups.n};
	struct rule_rendered_step *steps = NULL;
	struct err why;
	size_t n = 0;

	json_w_kbool(w, "matches", true);
	if (ev->now) {
		write_told(w, &ev->now[at]);
	} else {
		json_w_key(w, STR("decision"));
		json_w_null(w);
	}
	if (ev->as_new) {
		json_w_key(w, STR("if_new"));
		json_w_object(w);
		write_told(w, &ev->as_new[at]);
		json_w_end(w, '}');
	}
	write_groups(w, &m->groups);
	if (m->failed || rule_render(m, a, &ev->event, &steps, &n, &why) != 0)
		n = 0;
	if (arena_failed(a)) /* not "no steps" */
		w->out->failed = true;
	json_w_key(w, STR("steps"));
	json_w_array(w);
	for (size_t i = 0; i < n; i++)
		write_step(w, &steps[i], &ctx, a);
	json_w_end(w, ']');
}

/* ---- writing: the whole ---- */

static void write_rules(struct json_w *w, struct explain *x, const struct explained *ev, struct arena *row)
{
	size_t at = 0;

	json_w_key(w, STR("rules"));
	json_w_array(w);
	for (size_t i = 0; i < x->rules->rules_n; i++) {
		const struct rule *r = &x->rules->rules[i];
		bool matches = at < ev->match_n && ev->match[at].rule == r;

		if (x->only.n == 0 || str_eq(x->only, r->name)) {
			json_w_object(w);
			json_w_kstr(w, "rule", r->name);
			json_w_kstr(w, "file", r->file);
			json_w_ki64(w, "line", r->line);
			if (matches)
				write_match(w, ev, at, row);
			else
				write_miss(w, x, r, &ev->event, row);
			json_w_end(w, '}');
			arena_reset(row);
		}
		at += matches;
	}
	json_w_end(w, ']');
}

static const char *outcome_name(enum store_outcome o)
{
	return o == STORE_DUPLICATE ? "duplicate" : o == STORE_REOPENED ? "reopened" : "new";
}

static void write_event(struct json_w *w, struct explain *x, size_t i, struct arena *row)
{
	const struct explained *ev = &x->v[i];

	json_w_object(w);
	json_w_key(w, STR("event"));
	if (ev->shown.n)
		json_w_raw(w, ev->shown);
	else
		event_write_json(w, &ev->event);
	json_w_key(w, STR("outcome"));
	if (x->refused.n)
		json_w_null(w);
	else
		json_w_str(w, str_of(outcome_name(ev->outcome)));
	json_w_kraw(w, "incident_key", x->v[i].key.n ? x->v[i].key : STR("{}"));
	write_rules(w, x, ev, row);
	json_w_end(w, '}');
}

/* null: there is no such reason. */
static void write_why(struct json_w *w, const char *key, struct str why)
{
	json_w_key(w, str_of(key));
	if (why.n)
		json_w_str(w, why);
	else
		json_w_null(w);
}

static void write_answer(struct explain *x, struct buf *out)
{
	struct arena row;
	struct json_w w;

	arena_init(&row, ROW_MEMORY);
	json_w_init(&w, out);
	json_w_object(&w);
	json_w_kstr(&w, "ruleset_hash", str_of(x->rules->hash));
	write_why(&w, "refused", x->refused);
	write_why(&w, "not_taken", x->not_taken);
	json_w_key(&w, STR("events"));
	json_w_array(&w);
	for (size_t i = 0; i < x->n; i++)
		write_event(&w, x, i, &row);
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	buf_putc(out, '\n');
	arena_release(&row);
}

static void explain_end(struct explain *x, const struct err *e)
{
	struct err large = {0};
	struct buf out;

	buf_init(&out, EXPLAIN_ANSWER_MAX);
	if (!e) {
		write_answer(x, &out);
		if (buf_failed(&out)) {
			err_set(&large, ERR_LIMIT, "the answer is over %zu MiB; name one rule with 'rule'",
				EXPLAIN_ANSWER_MAX >> 20);
			e = &large;
		}
	}
	ruleset_unref(x->rules);
	x->cb(x->ctx, e, e ? STR_NONE : buf_as_str(&out));
	buf_release(&out);
}

/* ---- asking the store ---- */

static struct told *copy_decisions(struct arena *a, const struct store_decision_out *d, size_t n)
{
	struct told *v = arena_array(a, n ? n : 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++)
		v[i] = (struct told){d[i].decision, arena_strdup(a, d[i].reason)};
	return arena_failed(a) ? NULL : v;
}

static int ask(struct explain *x, bool as_new, store_ingest_cb cb, struct err *e)
{
	struct store_ingest in = {
		.events = x->in,
		.n = x->n,
		.ruleset_hash = str_of(x->rules->hash),
		.truncated = x->truncated,
		.limits = x->limits,
	};

	return store_explain(x->store, &in, as_new, cb, x, e);
}

/* A full queue is no error here: the sender would get it, and the rules can be told of all the same. */
static bool would_be_refused(struct explain *x, const struct err *e)
{
	if (!e || e->code != ERR_FULL)
		return false;
	x->refused = arena_strdup(x->a, str_of(e->text));
	return x->refused.p != NULL;
}

static void on_as_new(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct explain *x = ctx;
	struct err mine = {0};

	for (size_t i = 0; !e && i < n; i++) {
		struct explained *ev = &x->v[x->from[i]];
		if (ev->outcome == STORE_NEW)
			continue;
		ev->as_new = copy_decisions(x->a, out[i].decisions, ev->match_n);
		if (!ev->as_new) {
			no_room(&mine);
			e = &mine;
		}
	}
	explain_end(x, e && e->code != ERR_FULL ? e : NULL);
}

static void on_now(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	struct explain *x = ctx;
	struct err mine = {0};
	bool known = false;

	if (e) {
		explain_end(x, would_be_refused(x, e) ? NULL : e);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct explained *ev = &x->v[x->from[i]];
		ev->outcome = out[i].outcome;
		ev->now = copy_decisions(x->a, out[i].decisions, ev->match_n);
		known = known || (out[i].outcome != STORE_NEW && ev->match_n > 0);
	}
	if (arena_failed(x->a)) {
		no_room(&mine);
		explain_end(x, &mine);
	} else if (!known) {
		explain_end(x, NULL);
	} else if (ask(x, true, on_as_new, &mine) != 0) {
		explain_end(x, &mine);
	}
}

/* ---- from outside ---- */

static int check_rule(const struct ruleset *rs, struct str name, struct arena *a, struct err *e)
{
	return name.n == 0 || ruleset_find_rule(rs, name, a, e) ? 0 : -1;
}

static int check_amount(const struct ruleset *rs, size_t n, struct str only, struct err *e)
{
	size_t rules = only.n ? 1 : rs->rules_n;

	if (n > EXPLAIN_EVENTS_MAX)
		return err_set(e, ERR_INPUT, "the payload has %zu events, and at most %d are explained at once", n,
			EXPLAIN_EVENTS_MAX);
	if (rules > 0 && n > EXPLAIN_PAIRS_MAX / rules)
		return err_set(e, ERR_INPUT, "%zu events by %zu rules are too many to be explained at once; send fewer, "
			"or name one rule with 'rule'", n, rules);
	return 0;
}

static struct explain *explain_new(const struct ingest_ctx *ic, struct arena *a, struct str rule, store_text_cb cb,
	void *ctx, struct err *e)
{
	struct explain *x;

	if (check_rule(ic->rules, rule, a, e) != 0)
		return NULL;
	x = arena_zalloc(a, sizeof(*x));
	if (!x) {
		no_room(e);
		return NULL;
	}
	x->store = ic->store;
	x->rules = ic->rules;
	x->limits = decide_limits(ic->conf);
	x->chain_depth = ic->conf->limits.chain_depth;
	x->a = a;
	x->only = rule;
	x->cb = cb;
	x->ctx = ctx;
	return x;
}

/* events: copied. Does not take x->rules. */
static int explain_prepare(struct explain *x, const struct event *events, size_t n, struct err *e)
{
	if (check_amount(x->rules, n, x->only, e) != 0)
		return -1;
	x->n = n;
	x->v = arena_array(x->a, n + 1, sizeof(*x->v));
	x->in = arena_array(x->a, n + 1, sizeof(*x->in));
	x->from = arena_array(x->a, n + 1, sizeof(*x->from));
	if (!x->v || !x->in || !x->from)
		return no_room(e);
	for (size_t i = 0; i < n; i++) {
		struct explained *ev = &x->v[i];

		ev->event = events[i];
		ev->event.id = STR_NONE;
		ev->event.received_ms = 0;
		if (ruleset_match(x->rules, x->a, &ev->event, &ev->match, &ev->match_n) != 0)
			return no_room(e);
		if (decide_event(x->rules, x->chain_depth, x->a, &ev->event, &x->in[i], e) != 0)
			return -1;
		ev->key = x->in[i].corr_json;
	}
	return 0;
}

int explain_batch(const struct ingest_ctx *ic, struct arena *a, const struct source_batch *batch, struct str rule,
	store_text_cb cb, void *ctx, struct err *e)
{
	struct explain *x = explain_new(ic, a, rule, cb, ctx, e);

	if (!x || explain_prepare(x, batch->events, batch->n, e) != 0)
		return -1;
	for (size_t i = 0; i < x->n; i++) {
		x->in[i].delivery = ingest_delivery(a, batch, i);
		if (batch->events[i].delivery.n > 0 && !x->in[i].delivery.p)
			return no_room(e);
	}
	order_events(a, x->in, x->n, x->from);
	x->truncated = batch->truncated;
	if (batch->refused.code)
		x->not_taken = arena_strdup(a, str_of(batch->refused.text));
	ruleset_ref(x->rules);
	if (x->n == 0)
		explain_end(x, NULL);
	else if (ask(x, false, on_now, e) != 0) {
		ruleset_unref(x->rules);
		return -1;
	}
	return 0;
}

static void on_stored(void *ctx, const struct err *e, struct str text)
{
	static const struct json_limits stored_limits = {.nodes = 2 * SOURCE_NODES_LIMIT};
	struct explain *x = ctx;
	struct err mine = {0};
	struct event ev;
	struct str kept = e ? STR_NONE : arena_strdup(x->a, text);
	const struct json *j = kept.p ? json_parse_within(x->a, &stored_limits, kept, &mine) : NULL;

	if (e) {
		explain_end(x, e);
		return;
	}
	if (!kept.p)
		no_room(&mine);
	if (!j || event_read_json(x->a, j, &ev, &mine) != 0 || explain_prepare(x, &ev, 1, &mine) != 0) {
		explain_end(x, &mine);
		return;
	}
	x->v[0].shown = kept;
	x->from[0] = 0;
	if (ask(x, false, on_now, &mine) != 0)
		explain_end(x, &mine);
}

int explain_stored(const struct ingest_ctx *ic, struct arena *a, struct str id, struct str rule, store_text_cb cb,
	void *ctx, struct err *e)
{
	struct explain *x = explain_new(ic, a, rule, cb, ctx, e);

	if (!x || store_get(ic->store, STORE_EVENT, id, on_stored, x, e) != 0)
		return -1;
	ruleset_ref(x->rules);
	return 0;
}
