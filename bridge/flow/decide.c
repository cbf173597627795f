/* decide.c: one event against one ruleset.
 *
 * Guarantees that each rule that matches leaves a decision, also where it cannot run: a regex that
 * hit its limit or a template without its value is a decision `error`, a chain of events that is
 * too long a decision `limit`, each with its reason.
 *
 * The JSON texts are made here, once for each event; the store and all that reads it later passes
 * them on as they are. Scratch memory is kept between calls (one thread), never more than
 * SCRATCH_KEEP of it.
 */
#include "flow/decide.h"

#include "base/metrics.h"

#define SCRATCH_KEEP ((size_t)256 << 10)

static struct buf scratch;

static struct buf *scratch_clear(void)
{
	if (scratch.limit == 0 || scratch.cap > SCRATCH_KEEP) {
		buf_release(&scratch);
		buf_init(&scratch, BUF_NO_LIMIT);
	}
	buf_clear(&scratch);
	return &scratch;
}

static int full(struct err *e)
{
	return err_set(e, ERR_LIMIT,
		"the request needs more memory than one may have; send fewer events at once");
}

static struct str event_json(struct arena *a, const struct event *ev)
{
	struct json_w w;

	json_w_init(&w, scratch_clear());
	event_write_json(&w, ev);
	return buf_failed(w.out) ? STR_NONE : arena_strdup(a, buf_as_str(w.out));
}

static struct str labels_json(struct arena *a, const struct event *ev)
{
	struct json_w w;

	json_w_init(&w, scratch_clear());
	json_w_object(&w);
	for (size_t i = 0; i < ev->labels_n; i++) {
		json_w_key(&w, ev->labels[i].name);
		json_w_str(&w, ev->labels[i].value);
	}
	json_w_end(&w, '}');
	return buf_failed(w.out) ? STR_NONE : arena_strdup(a, buf_as_str(w.out));
}

static void fill_step(struct store_step_in *out, const struct rule_rendered_step *r)
{
	const struct runbook *rb = r->step->runbook;

	*out = (struct store_step_in){
		.name = r->step->name,
		.runbook = rb->name,
		.runbook_sha256 = str_of(rb->sha256),
		.pool = r->pool.n ? r->pool : STR("default"),
		.params_json = r->params_json,
		.late = r->late,
		.always = r->step->always,
		.idempotent = rb->idempotent,
		.timeout_ms = r->step->timeout_ms,
		.retries_max = rb->retries_max,
		.retries_backoff_ms = rb->retries_backoff_ms,
	};
}

static void ask_not(struct store_decision_in *d, enum decision why, struct str reason)
{
	d->ask = why;
	d->reason = reason;
	d->steps = NULL;
	d->steps_n = 0;
}

static int decide_rule(const struct rule_match *m, int64_t chain_depth, struct arena *a,
	const struct event *ev, struct store_decision_in *d, struct err *e)
{
	const struct rule *rule = m->rule;
	struct rule_rendered_step *steps = NULL;
	struct store_step_in *in;
	struct err why = {0};
	size_t n = 0;

	*d = (struct store_decision_in){
		.rule = rule->name,
		.ask = DECISION_RUN,
		.reason = STR("matched"),
		.cooldown_ms = rule->cooldown_ms,
	};
	if (rule->cooldown_ms && rule->cooldown_by_n)
		d->cooldown_key = rule_by_key(a, rule->cooldown_by, rule->cooldown_by_n, ev);
	if (m->failed) {
		ask_not(d, DECISION_ERROR, m->reason);
	} else if (ev->depth >= chain_depth) {
		ask_not(d, DECISION_LIMIT,
			arena_printf(a, "%u runs led to this event, and limits.chain_depth is %lld",
				ev->depth, (long long)chain_depth));
	} else if (rule_render(m, a, ev, &steps, &n, &why) != 0) {
		ask_not(d, DECISION_ERROR, arena_strdup(a, str_of(why.text)));
	} else if (rule->dry_run) {
		ask_not(d, DECISION_DRY_RUN, STR("matched; its mode is dry_run"));
	} else {
		in = arena_array(a, n, sizeof(*in));
		for (size_t i = 0; in && i < n; i++)
			fill_step(&in[i], &steps[i]);
		d->steps = in;
		d->steps_n = n;
	}
	return arena_failed(a) ? full(e) : 0;
}

int decide_event(const struct ruleset *rules, int64_t chain_depth, struct arena *a,
	const struct event *ev, struct store_event_in *out, struct err *e)
{
	struct rule_correlation corr = {0};
	struct store_decision_in *d;
	struct rule_match *m = NULL;
	size_t n = 0;

	*out = (struct store_event_in){.event = ev};
	if (ruleset_correlate(rules, a, ev, &corr) != 0)
		return full(e);
	if (ruleset_match(rules, a, ev, &m, &n) != 0)
		return full(e);
	out->json = event_json(a, ev);
	if (ev->status == EVENT_FIRING) /* only such an event opens an incident, which has them */
		out->labels_json = labels_json(a, ev);
	out->corr_key = corr.key;
	out->corr_json = corr.key_json;
	out->corr_window_ms = corr.window_ms;
	d = n ? arena_array(a, n, sizeof(*d)) : NULL;
	for (size_t i = 0; d && i < n; i++) {
		if (decide_rule(&m[i], chain_depth, a, ev, &d[i], e) != 0)
			return -1;
	}
	out->decisions = d;
	out->decisions_n = d ? n : 0;
	return arena_failed(a) || !out->json.p ? full(e) : 0;
}

int decide_duplicate(const struct ruleset *rules, struct arena *a, const struct event *ev,
	struct store_event_in *out, struct err *e)
{
	struct store_decision_in *d;
	struct rule_match *m = NULL;
	size_t n = 0;

	*out = (struct store_event_in){.event = ev};
	if (ruleset_match(rules, a, ev, &m, &n) != 0)
		return full(e);
	d = n ? arena_array(a, n, sizeof(*d)) : NULL;
	for (size_t i = 0; d && i < n; i++)
		d[i] = (struct store_decision_in){
			.rule = m[i].rule->name, .ask = DECISION_DUPLICATE};
	out->decisions = d;
	out->decisions_n = d ? n : 0;
	return arena_failed(a) ? full(e) : 0;
}

struct store_limits decide_limits(const struct conf *c)
{
	return (struct store_limits){
		.occurrence_skew_ms = c->incidents.occurrence_skew_ms,
		.reopen_window_ms = c->incidents.reopen_window_ms,
		.queue = c->limits.queue,
		.queue_ttl_ms = c->limits.queue_ttl_ms,
	};
}

void decide_count(
	const struct event *ev, const struct store_event_in *in, const struct store_event_out *out)
{
	struct str of_event[] = {ev->source, str_of(event_status_name(ev->status))};

	if (out->outcome == STORE_TAKEN)
		return;
	metric_add(METRIC_EVENTS, 1, of_event);
	if (out->outcome == STORE_DUPLICATE)
		metric_add(METRIC_EVENTS_DUPLICATE, 1, &ev->source);
	for (size_t i = 0; i < in->decisions_n; i++) {
		struct str of_rule[] = {
			in->decisions[i].rule, str_of(decision_name(out->decisions[i].decision))};

		metric_add(METRIC_DECISIONS, 1, of_rule);
	}
}
