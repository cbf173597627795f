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

#include "base/hash.h"
#include "base/metrics.h"
#include "flow/chain.h"
#include "flow/decide_gate.h"

#define SCRATCH_KEEP ((size_t)256 << 10)
#define DECIDE_MESSAGE_LIMIT ((size_t)8 << 20) /* bytes of a message that is kept for runbooks */

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

/* Cut where it is long, between two characters. */
static struct str shortened(struct str s)
{
	size_t n = DECIDE_CHANGE_TEXT_MAX;

	if (s.n <= n)
		return s;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){s.p, n};
}

static bool any_compat(const struct rule_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].runbook->compat == RUNBOOK_COMPAT_AM_EXECUTOR)
			return true;
	return false;
}

/* Some runbook of the rule is told of the whole message, not only of its own alert. */
static bool wants_message(const struct rule *r)
{
	return any_compat(r->steps, r->steps_n) ||
	       any_compat(r->resolve_steps, r->resolve_steps_n) ||
	       any_compat(r->failure_steps, r->failure_steps_n) ||
	       any_compat(r->gate.timeout_steps, r->gate.timeout_steps_n);
}

/* One that is too long stays unkept: no environment could hold it, and the run says that it was not
 * there. */
static void keep_message(struct arena *a, struct event_message *m)
{
	struct json_w w;

	if (!m || !m->body || m->id[0])
		return;
	json_w_init(&w, scratch_clear());
	json_write(&w, m->body);
	if (buf_failed(w.out) || w.out->n > DECIDE_MESSAGE_LIMIT)
		return;
	m->json = arena_strdup(a, buf_as_str(w.out));
	if (m->json.p)
		hash_sha256_hex(m->json, m->id);
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

/* NULL with e: a template without its value, or the arena is full. */
static const struct store_step_in *fill_steps(const struct rule_match *m,
	const struct rule_step *steps, size_t n, struct arena *a, const struct event *ev,
	struct err *e)
{
	struct rule_rendered_step *v = NULL;

	if (rule_render_steps(m, steps, n, a, ev, &v, e) != 0)
		return NULL;
	struct store_step_in *in = arena_array(a, n ? n : 1, sizeof(*in));
	for (size_t i = 0; in && i < n; i++)
		fill_step(&in[i], &v[i]);
	return in;
}

/* The steps, those on failure and those on resolve. What one of them lacks is known before anything
 * runs. */
static int ask_steps(struct store_decision_in *d, const struct rule_match *m, struct arena *a,
	const struct event *ev, struct err *e)
{
	const struct rule *r = m->rule;

	d->steps = fill_steps(m, r->steps, r->steps_n, a, ev, e);
	d->steps_n = r->steps_n;
	if (!d->steps)
		return -1;
	if (r->failure_steps_n) {
		d->failure_steps = fill_steps(m, r->failure_steps, r->failure_steps_n, a, ev, e);
		d->failure_steps_n = r->failure_steps_n;
		if (!d->failure_steps)
			return -1;
	}
	if (r->on_resolve == ON_RESOLVE_CANCEL)
		d->on_resolve = STORE_ON_RESOLVE_CANCEL;
	if (r->on_resolve == ON_RESOLVE_STEP) {
		d->on_resolve = STORE_ON_RESOLVE_STEPS;
		d->resolve_steps = fill_steps(m, r->resolve_steps, r->resolve_steps_n, a, ev, e);
		d->resolve_steps_n = r->resolve_steps_n;
		if (!d->resolve_steps)
			return -1;
	}
	return 0;
}

static struct store_limit limit_of(struct rule_limit l)
{
	return (struct store_limit){l.count, l.per_ms};
}

static void ask_guards(struct store_decision_in *d, const struct rule *r)
{
	d->for_ms = r->for_ms;
	d->limit_runs = limit_of(r->limit_runs);
	d->limit_hosts = limit_of(r->limit_hosts);
	d->skip_flapping = r->skip_flapping;
	d->approval = r->approval;
	d->approval_expires_ms = r->approval_expires_ms;
	d->slo.objective = r->slo.objective;
	d->slo.within_ms = r->slo.within_ms;
	d->slo.window_ms = r->slo.window_ms;
}

/* It is decided already: what it would have asked for is not sent. */
static void ask_not(struct store_decision_in *d, enum decision why, struct str reason)
{
	*d = (struct store_decision_in){.rule = d->rule, .ask = why, .reason = reason};
}

/* What cannot run for this event may run for the one that completes it: so it counts all the same. */
static bool ask_gate(struct store_decision_in *d, const struct rule_match *m, struct arena *a,
	const struct event *ev)
{
	const struct rule_gate *g = &m->rule->gate;
	struct err why = {0};

	if (!decide_gate(m, a, ev, &d->gate, &d->reason))
		return false;
	if (ask_steps(d, m, a, ev, &why) != 0) {
		d->gate.why = arena_strdup(a, str_of(why.text));
		d->steps_n = d->failure_steps_n = d->resolve_steps_n = 0;
	}
	if (g->timeout_steps_n == 0)
		return true;
	d->gate.timeout_steps = fill_steps(m, g->timeout_steps, g->timeout_steps_n, a, ev, &why);
	d->gate.timeout_steps_n = d->gate.timeout_steps ? g->timeout_steps_n : 0;
	if (!d->gate.timeout_steps)
		d->gate.timeout_why = arena_strdup(a, str_of(why.text));
	return true;
}

static int decide_rule(const struct rule_match *m, int64_t chain_depth, struct arena *a,
	const struct event *ev, struct store_decision_in *d, struct err *e)
{
	const struct rule *rule = m->rule;
	struct err why = {0};

	*d = (struct store_decision_in){
		.rule = rule->name,
		.ask = rule->dry_run ? DECISION_DRY_RUN : DECISION_RUN,
		.cooldown_ms = rule->cooldown_ms,
		.only_root = rule->only_root,
		.parallel = rule->parallel,
	};
	if (rule->cooldown_ms && rule->cooldown_by_n)
		d->cooldown_key = rule_by_key(a, rule->cooldown_by, rule->cooldown_by_n, ev);
	ask_guards(d, rule);
	if (m->failed)
		ask_not(d, DECISION_ERROR, m->reason);
	else if (ev->depth >= chain_depth)
		ask_not(d, DECISION_LIMIT, chain_reason(a, ev, rule->name, chain_depth));
	else if (rule->gate.kind != RULE_GATE_NONE) {
		if (!ask_gate(d, m, a, ev))
			ask_not(d, DECISION_ERROR, d->reason);
	} else if (ask_steps(d, m, a, ev, &why) != 0)
		ask_not(d, DECISION_ERROR, arena_strdup(a, str_of(why.text)));
	return arena_failed(a) ? full(e) : 0;
}

/* An event that broke the contract of its type: no rule looks at it, and it still ends in a decision. */
static int decide_broken(struct arena *a, const struct event *ev, enum decision ask, struct store_event_in *out,
	struct err *e)
{
	struct store_decision_in *d = arena_zalloc(a, sizeof(*d));

	if (!d)
		return full(e);
	d->rule = arena_printf(a, "contract:%.*s", STR_ARG(ev->type));
	d->ask = ask;
	if (ask == DECISION_ERROR)
		d->reason = ev->broken;
	out->decisions = d;
	out->decisions_n = 1;
	return arena_failed(a) ? full(e) : 0;
}

/* What a change shows of itself on an incident: without its data, which may be long. */
static struct str change_json(struct arena *a, const struct event *ev)
{
	struct json_w w;
	size_t n = 0;

	json_w_init(&w, scratch_clear());
	json_w_object(&w);
	json_w_kstr(&w, "type", shortened(ev->type));
	json_w_kstr(&w, "source", ev->source);
	json_w_kstr(&w, "summary", shortened(ev->summary));
	json_w_key(&w, STR("labels"));
	json_w_object(&w);
	for (size_t i = 0; i < ev->labels_n && n < DECIDE_CHANGE_LABELS_MAX; i++) {
		const struct kv *l = &ev->labels[i];
		if (l->name.n + l->value.n > DECIDE_CHANGE_LABEL_MAX)
			continue;
		json_w_key(&w, l->name);
		json_w_str(&w, l->value);
		n++;
	}
	json_w_end(&w, '}');
	json_w_end(&w, '}');
	return buf_failed(w.out) ? STR_NONE : arena_strdup(a, buf_as_str(w.out));
}

/* What else the store is to know: where it stands among what depends on what, and whether it is a change. */
static int relate(
	const struct ruleset *rules, struct arena *a, const struct event *ev, struct store_event_in *out)
{
	struct rule_topology topology;

	if (ruleset_topology(rules, a, ev, &topology) != 0)
		return -1;
	out->topology = topology.keys;
	out->topology_n = topology.n;
	if (ruleset_is_change(rules, a, ev))
		out->change_json = change_json(a, ev);
	return 0;
}

int decide_event(const struct ruleset *rules, int64_t chain_depth, struct arena *a,
	const struct event *ev, struct store_event_in *out, struct err *e)
{
	struct rule_correlation corr = {0};
	struct store_decision_in *d;
	struct rule_match *m = NULL;
	size_t n = 0;

	*out = (struct store_event_in){.event = ev};
	if (ruleset_correlate(rules, a, ev, &corr) != 0 || relate(rules, a, ev, out) != 0)
		return full(e);
	if (!ev->broken.n && ruleset_match(rules, a, ev, &m, &n) != 0)
		return full(e);
	for (size_t i = 0; i < n; i++)
		if (wants_message(m[i].rule))
			keep_message(a, ev->message);
	out->json = event_json(a, ev);
	if (ev->status == EVENT_FIRING) /* only such an event opens an incident, which has them */
		out->labels_json = labels_json(a, ev);
	out->corr_key = corr.key;
	out->corr_json = corr.key_json;
	out->corr_window_ms = corr.window_ms;
	out->host = n ? rule_host(ev) : STR_NONE;
	if (ruleset_facts(rules, a, ev, &out->facts) != 0)
		return full(e);
	d = n ? arena_array(a, n, sizeof(*d)) : NULL;
	for (size_t i = 0; d && i < n; i++) {
		if (decide_rule(&m[i], chain_depth, a, ev, &d[i], e) != 0)
			return -1;
	}
	out->decisions = d;
	out->decisions_n = d ? n : 0;
	if (ev->broken.n && decide_broken(a, ev, DECISION_ERROR, out, e) != 0)
		return -1;
	return arena_failed(a) || !out->json.p ? full(e) : 0;
}

int decide_duplicate(const struct ruleset *rules, struct arena *a, const struct event *ev,
	struct store_event_in *out, struct err *e)
{
	struct store_decision_in *d;
	struct rule_match *m = NULL;
	size_t n = 0;

	*out = (struct store_event_in){.event = ev};
	if (ev->broken.n)
		return decide_broken(a, ev, DECISION_DUPLICATE, out, e);
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

/* One without `by` may fire before any event came: its steps are filled in from the event that then tells so. */
static int watch_rule(const struct rule *rule, struct arena *a, struct store_decision_in *d, bool *begins, struct err *e)
{
	struct kv label = {STR("rule"), rule->name};
	const struct event ev = {.source = STR("runbookd"), .type = STR("absent"), .status = EVENT_INFO,
		.labels = &label, .labels_n = 1};
	const struct rule_match m = {.rule = rule};

	*begins = rule->gate.by_n == 0;
	if (*begins)
		return decide_rule(&m, INT64_MAX, a, &ev, d, e);
	*d = (struct store_decision_in){.rule = rule->name};
	return 0;
}

int decide_watch(const struct ruleset *rules, struct arena *a, struct store_watch *out, struct err *e)
{
	struct store_decision_in *d = arena_array(a, rules->rules_n + 1, sizeof(*d));
	bool *begins = arena_array(a, rules->rules_n + 1, sizeof(*begins));

	if (!d || !begins)
		return full(e);
	*out = (struct store_watch){.ruleset_hash = str_of(rules->hash), .rules = d, .begins = begins};
	for (size_t i = 0; i < rules->rules_n; i++) {
		if (rules->rules[i].gate.kind != RULE_GATE_ABSENT)
			continue;
		if (watch_rule(&rules->rules[i], a, &d[out->n], &begins[out->n], e) != 0)
			return -1;
		out->n++;
	}
	return arena_failed(a) ? full(e) : 0;
}

struct store_limits decide_limits(const struct conf *c)
{
	return (struct store_limits){
		.occurrence_skew_ms = c->incidents.occurrence_skew_ms,
		.reopen_window_ms = c->incidents.reopen_window_ms,
		.queue = c->limits.queue,
		.queue_ttl_ms = c->limits.queue_ttl_ms,
		.runs = {c->limits.runs.count, c->limits.runs.per_ms},
		.hosts = {c->limits.hosts.count, c->limits.hosts.per_ms},
		.flapping = {c->flapping.transitions, c->flapping.window_ms},
		.delivery_window_ms = c->limits.delivery_window_ms,
		.gate_late_ms = c->limits.gate_late_ms,
		.gates = c->limits.gates,
	};
}

bool decide_is_limit(const struct event *ev)
{
	return str_is(ev->source, "runbookd") && str_is(ev->type, "limit");
}

static void count_decision(struct str rule, enum decision d)
{
	struct str labels[] = {rule, str_of(decision_name(d))};

	metric_add(METRIC_DECISIONS, 1, labels);
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
	if (decide_is_limit(ev)) {
		struct str rule = event_label(ev, STR("rule"));
		struct str held[] = {rule.n ? rule : event_label(ev, STR("pattern")),
			event_label(ev, STR("limit"))};

		metric_add(METRIC_LIMIT_HELD, 1, held);
	}
	for (size_t i = 0; i < in->decisions_n; i++) {
		const struct store_decision_out *d = &out->decisions[i];

		count_decision(in->decisions[i].rule, d->decision);
		if (d->ended_one)
			count_decision(in->decisions[i].rule, d->ended);
	}
}
