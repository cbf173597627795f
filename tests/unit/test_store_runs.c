/* Runs: from a rule's decision through queue, claim and fence to their end, step by step. */
#include "store_rig.h"
#include "store/store_impl.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

static struct rig_answer start(struct rig *r, const char *fp, const struct store_step_in *steps, size_t n)
{
	struct rig_event ev = rig_with_rule(rig_alert(fp, 'f', T0), "disk-full", steps, n, 0);
	struct rig_answer a = rig_ingest(r, &ev);

	assert_int_equal(a.d[0].decision, DECISION_RUN);
	return a;
}

/* State and reason of a run. */
static void assert_run(struct rig *r, const char *run, const char *state, const char *reason)
{
	struct rig_text t = rig_get(r, STORE_RUN, run);
	char want[300];

	snprintf(want, sizeof(want), "\"state\":\"%s\",\"reason\":\"%s", state, reason);
	assert_text(t, want);
}

static struct rig_rows *list(struct rig *r, enum store_list what, const char *id)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.id = str_of(id), .limit = 50};

	assert_non_null(rows);
	rig_list(r, what, &page, rows);
	assert_int_equal(r->e.code, ERR_NONE);
	return rows;
}

/* How many rows of the audit hold the text. */
static size_t audited(struct rig *r, const char *part)
{
	struct rig_rows *rows = list(r, STORE_AUDIT, "");
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += strstr(rows->v[i], part) != NULL;
	free(rows);
	return n;
}

static void from_rule_to_end(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = start(&r, A, &rig_step, 1);
	assert_run(&r, a.d[0].run, "queued", "");
	rig_pass(&r, 40);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, a.d[0].run);
	assert_string_equal(c.rule, "disk-full");
	assert_string_equal(c.step, "disk-usage");
	assert_string_equal(c.params, "{\"path\":\"/var\"}");
	assert_string_equal(c.incident, a.incident);
	assert_int_equal(c.attempt, 1);
	assert_int_equal(c.depth, 1);
	assert_int_equal(c.claimed - c.received, 40);
	assert_has(str_of(c.event), "\"fingerprint\":\"" A "\"");
	assert_has(str_of(c.incident_json), a.incident);
	assert_string_equal(c.steps, "{}");
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(server_number(&r.server, "HGET " RIG_KEY ":running default"), 1);
	rig_pass(&r, 100);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	struct rig_text t = rig_get(&r, STORE_RUN, c.run);
	assert_text(t, "\"state\":\"succeeded\"");
	assert_text(t, "\"queued\":\"2025-11-22T20:00:00.000Z\",\"started\":\"2025-11-22T20:00:00.040Z\","
		"\"finished\":\"2025-11-22T20:00:00.140Z\",\"exit_code\":0,\"signal\":null,\"duration_ms\":42");
	assert_text(t, "\"worker\":\"w1\",\"attempt\":1");
	assert_text(t, "\"runbook_sha256\":\"5ha\"");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":running " RIG_KEY ":leases"), 0);
	assert_int_equal(audited(&r, c.run), 3);
	assert_int_equal(audited(&r, "\"from\":\"queued\",\"to\":\"running\",\"who\":\"worker w1\""), 1);
	/* On the incident's timeline: the event with its decision, the start, the result. */
	struct rig_rows *rows = list(&r, STORE_TIMELINE, a.incident);
	assert_int_equal(rows->n, 3);
	assert_has(str_of(rows->v[0]), "\"decision\":\"run\"");
	assert_has(str_of(rows->v[1]), "\"kind\":\"run\"");
	assert_has(str_of(rows->v[1]), "\"state\":\"running\"");
	assert_has(str_of(rows->v[2]), "\"labels\":{\"outcome\":\"succeeded\",\"rule\":\"disk-full\",\"runbook\":\"disk-usage\"");
	free(rows);
	rows = list(&r, STORE_INCIDENT_RUNS, a.incident);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), c.run);
	free(rows);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"runs\":1");
	rig_stop(&r);
}

static void told_again(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	start(&r, A, &rig_step, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "failed", 3), ERR_NONE);
	assert_int_equal(rig_change(&r, &c, "failed", 3), ERR_NONE);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_CONFLICT);
	assert_int_equal(audited(&r, "\"to\":\"failed\""), 1);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":inbox"), 1);
	rig_stop(&r);
}

/* ---- chains ---- */

static const struct store_step_in chain[] = {
	{.name = STR("look"), .runbook = STR("look"), .pool = STR("default"), .params_json = STR("{}")},
	{.name = STR("mend"), .runbook = STR("mend"), .pool = STR("host:db"), .params_json = STR("{\"a\":\"{{ steps.look.output }}\"}"), .late = true},
	{.name = STR("tell"), .runbook = STR("tell"), .pool = STR("default"), .params_json = STR("{}"), .always = true},
	{.name = STR("last"), .runbook = STR("last"), .pool = STR("default"), .params_json = STR("{}")},
};

static void chain_of_ids(struct rig *r, const char *incident, char ids[4][ID_LEN + 1])
{
	struct rig_rows *rows = list(r, STORE_INCIDENT_RUNS, incident);

	assert_int_equal(rows->n, 4);
	for (size_t i = 0; i < 4; i++)
		rig_copy(ids[i], ID_LEN + 1, (struct str){rows->v[i] + strlen("{\"id\":\""), ID_LEN});
	free(rows);
}

static void steps_in_order(void **state)
{
	struct rig r;
	char ids[4][ID_LEN + 1];
	struct store_line lines[] = {{T0, false, STR("two \"lines\"")}, {T0, true, STR("noise")}, {T0, false, STR("\xff")}};

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = start(&r, A, chain, 4);
	chain_of_ids(&r, a.incident, ids);
	assert_string_equal(ids[0], a.d[0].run);
	assert_run(&r, ids[1], "queued", "waits for step 'look'");
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, ids[0]);
	assert_string_equal(rig_claim(&r).run, "");
	assert_string_equal(rig_claim_as(&r, "w2", "i2", "host:db").run, "");
	rig_await(&r, store_output(r.s, rig_held(&c), lines, 3, rig_done, &r, &r.e));
	rig_change(&r, &c, "succeeded", 0);
	assert_string_equal(rig_claim(&r).run, "");
	struct rig_claimed d = rig_claim_as(&r, "w2", "i2", "host:db");
	assert_string_equal(d.run, ids[1]);
	assert_true(d.late);
	assert_string_equal(d.steps,
		"{\"look\":{\"state\":\"succeeded\",\"exit_code\":0,\"output\":\"two \\\"lines\\\"\\n\xEF\xBF\xBD\"}}");
	rig_change(&r, &d, "succeeded", 0);
	c = rig_claim(&r);
	assert_string_equal(c.run, ids[2]);
	rig_change(&r, &c, "failed", 1);
	assert_run(&r, ids[3], "cancelled", "step 'tell' did not succeed");
	assert_string_equal(rig_claim(&r).run, "");
	rig_stop(&r);
}

static void always_after_a_failure(void **state)
{
	struct rig r;
	char ids[4][ID_LEN + 1];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = start(&r, A, chain, 4);
	chain_of_ids(&r, a.incident, ids);
	struct rig_claimed c = rig_claim(&r);
	rig_change(&r, &c, "timed_out", 0);
	assert_run(&r, ids[1], "cancelled", "step 'look' did not succeed");
	c = rig_claim(&r);
	assert_string_equal(c.run, ids[2]);
	assert_has(str_of(c.steps), "\"mend\":{\"state\":\"cancelled\",\"exit_code\":null,\"output\":\"\"}");
	rig_change(&r, &c, "succeeded", 0);
	/* The chain stays broken, though the step before the last one went well. */
	assert_run(&r, ids[3], "cancelled", "step 'look' did not succeed");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:live"), 0);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":runs:done"), 4);
	rig_stop(&r);
}

/* ---- claims ---- */

static void oldest_of_the_pools(void **state)
{
	struct rig r;
	struct store_step_in other = rig_step;
	struct rig_claimed out;
	struct rig_claim rc = {&r, &out};
	struct str pools[] = {STR("default"), STR("nobody"), STR("host:db")};

	(void)state;
	rig_start(&r, true);
	other.pool = STR("host:db");
	struct rig_answer a = start(&r, A, &other, 1);
	rig_pass(&r, 1);
	struct rig_answer b = start(&r, B, &rig_step, 1);
	rig_await(&r, store_claim(r.s, STR("w"), STR("i"), pools, 3, SECOND, rig_on_claim, &rc, &r.e));
	assert_string_equal(out.run, a.d[0].run);
	rig_await(&r, store_claim(r.s, STR("w"), STR("i"), pools, 3, SECOND, rig_on_claim, &rc, &r.e));
	assert_string_equal(out.run, b.d[0].run);
	rig_stop(&r);
}

static void on_lost(void *ctx, const struct err *e, const struct store_beat *b)
{
	struct rig_claim *c = ctx;

	assert_int_equal(b->cancel_n, 0);
	c->out->attempt = (int64_t)b->lost_n;
	c->out->depth = b->lost_n ? (unsigned)b->lost[0] : 99;
	rig_done(c->r, e);
}

/* How many of the two are lost, and the first of them. */
static size_t beat(struct rig *r, const struct rig_claimed *a, const struct rig_claimed *b, unsigned *first)
{
	struct rig_claimed out;
	struct rig_claim c = {r, &out};
	struct store_held held[] = {rig_held(a), rig_held(b)};

	rig_await(r, store_heartbeat(r->s, STR("w1"), STR("i1"), held, 2, 15 * SECOND, on_lost, &c, &r->e));
	assert_int_equal(r->e.code, ERR_NONE);
	*first = out.depth;
	return (size_t)out.attempt;
}

/* The run of A, of a runbook that may be started again. */
static struct rig_answer start_safe(struct rig *r)
{
	struct store_step_in safe = rig_step;

	rig_start(r, true);
	safe.idempotent = true;
	return start(r, A, &safe, 1);
}

static void leases_and_fences(void **state)
{
	struct rig r;
	struct store_line line = {T0, false, STR("late")};
	unsigned first;

	(void)state;
	struct rig_answer a = start_safe(&r);
	struct rig_answer b = start(&r, B, &rig_step, 1);
	struct rig_claimed c = rig_claim(&r), d = rig_claim(&r);
	assert_true(d.fence > c.fence);
	rig_pass(&r, 14 * SECOND);
	assert_int_equal(beat(&r, &c, &d, &first), 0);
	rig_pass(&r, 14 * SECOND);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.requeued + t.lost, 0);
	rig_pass(&r, 2 * SECOND);
	t = rig_tick(&r);
	assert_int_equal(t.requeued, 1);
	assert_int_equal(t.lost, 1);
	assert_run(&r, a.d[0].run, "queued", "worker 'w1' was silent until its lease ran out; it is idempotent and starts again");
	assert_run(&r, b.d[0].run, "lost", "worker 'w1' was silent until its lease ran out; it is not idempotent");
	assert_int_equal(audited(&r, "lease ran out"), 2);
	/* What the silent worker says now is not heard any more. */
	assert_int_equal(beat(&r, &c, &d, &first), 2);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_CONFLICT);
	assert_int_equal(rig_change(&r, &d, "succeeded", 0), ERR_CONFLICT);
	struct rig_claimed again = rig_claim_as(&r, "w2", "i2", "default");
	assert_string_equal(again.run, c.run);
	assert_int_equal(again.attempt, 2);
	assert_true(again.fence > d.fence);
	assert_int_equal(rig_await(&r, store_output(r.s, rig_held(&c), &line, 1, rig_done, &r, &r.e)), ERR_CONFLICT);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_CONFLICT);
	assert_int_equal(beat(&r, &again, &d, &first), 1);
	assert_int_equal(first, 1);
	assert_int_equal(rig_change(&r, &again, "succeeded", 0), ERR_NONE);
	rig_stop(&r);
}

static void a_poisonous_run_ends(void **state)
{
	struct rig r;

	(void)state;
	struct rig_answer a = start_safe(&r);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(rig_claim(&r).attempt, i + 1);
		rig_pass(&r, MINUTE);
		rig_tick(&r);
	}
	assert_run(&r, a.d[0].run, "lost", "worker 'w1' was silent until its lease ran out; that is the 4th worker");
	rig_stop(&r);
}

static enum err_code say_hello(struct rig *r, const char *worker, const char *instance, const char *home)
{
	struct str pools[] = {STR("default")};

	rig_await(r, store_worker_hello(r->s, str_of(worker), str_of(instance), str_of(home), pools, 1, 15 * SECOND,
		rig_done, r, &r->e));
	return r->e.code;
}

static void hello(struct rig *r, const char *worker, const char *instance, const char *home)
{
	assert_int_equal(say_hello(r, worker, instance, home), ERR_NONE);
}

static void hello_takes_what_was_held(void **state)
{
	struct rig r;

	(void)state;
	struct rig_answer a = start_safe(&r);
	struct rig_answer b = start(&r, B, &rig_step, 1);
	hello(&r, "w1", "i1", "h1");
	hello(&r, "w2", "i1", "h1");
	assert_true(rig_claim(&r).idempotent);
	rig_claim_as(&r, "w2", "i1", "default");
	hello(&r, "w1", "i1", "h1");
	assert_run(&r, a.d[0].run, "running", "");
	hello(&r, "w1", "i2", "h1");
	assert_run(&r, a.d[0].run, "queued", "worker 'w1' started again without it");
	assert_run(&r, b.d[0].run, "running", "");
	hello(&r, "w2", "i2", "h1");
	assert_run(&r, b.d[0].run, "lost", "worker 'w2' started again without it");
	rig_stop(&r);
}

static void on_beat(void *ctx, const struct err *e, const struct store_beat *b)
{
	assert_int_equal(b->lost_n, 0);
	rig_done(ctx, e);
}

static void beat_as(struct rig *r, const char *instance, const struct rig_claimed *c)
{
	struct store_held held = rig_held(c);

	rig_await(r, store_heartbeat(r->s, STR("w1"), str_of(instance), &held, 1, 15 * SECOND, on_beat, r, &r->e));
	assert_int_equal(r->e.code, ERR_NONE);
}

static void two_of_one_name_are_two(void **state)
{
	struct rig r;

	(void)state;
	struct rig_answer a = start_safe(&r);
	hello(&r, "w1", "i1", "h1");
	struct rig_claimed c = rig_claim(&r);
	rig_pass(&r, 14 * SECOND);
	beat_as(&r, "i1", &c);
	rig_pass(&r, 15 * SECOND - 1);
	assert_int_equal(say_hello(&r, "w1", "i2", "h2"), ERR_CONFLICT);
	assert_string_equal(r.e.text, "another worker is named 'w1'; give this one another --name");
	assert_run(&r, a.d[0].run, "running", "");
	/* Silent for a lease: the name is the other's; its heartbeat is not the other's sign of life, and keeps its run. */
	rig_pass(&r, 1);
	hello(&r, "w1", "i2", "h2");
	assert_run(&r, a.d[0].run, "running", "");
	rig_pass(&r, 15 * SECOND);
	beat_as(&r, "i1", &c);
	hello(&r, "w1", "i3", "h3");
	assert_run(&r, a.d[0].run, "running", "");
	assert_int_equal(say_hello(&r, "w1", "i1", "h1"), ERR_CONFLICT);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	rig_stop(&r);
}

/* ---- retries ---- */

static void try_again(void **state)
{
	struct rig r;
	struct store_step_in step = rig_step;

	(void)state;
	rig_start(&r, true);
	step.retries_max = 2;
	step.retries_backoff_ms = 10 * SECOND;
	struct rig_answer a = start(&r, A, &step, 1);
	for (int i = 0; i < 2; i++) {
		struct rig_claimed c = rig_claim(&r);
		assert_int_equal(c.attempt, i + 1);
		assert_int_equal(c.retries, 2);
		assert_false(c.idempotent);
		assert_int_equal(rig_change(&r, &c, "retry", 75), ERR_NONE);
		assert_int_equal(rig_change(&r, &c, "retry", 75), ERR_NONE);	/* told again */
		assert_run(&r, a.d[0].run, "queued", "");
		rig_pass(&r, 10 * SECOND - 1);
		assert_string_equal(rig_claim(&r).run, "");
		rig_pass(&r, 1);
	}
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(c.attempt, 3);
	assert_int_equal(rig_change(&r, &c, "retry", 75), ERR_NONE);
	assert_run(&r, a.d[0].run, "failed", "; all 2 retries are used up");
	assert_int_equal(rig_change(&r, &c, "retry", 75), ERR_NONE);
	struct rig_answer b = start(&r, B, &rig_step, 1);
	c = rig_claim(&r);
	rig_change(&r, &c, "retry", 75);
	assert_run(&r, b.d[0].run, "failed", "; its front matter allows no retries");
	rig_stop(&r);
}

static void given_back(void **state)
{
	struct rig r;

	(void)state;
	struct rig_answer a = start_safe(&r);
	/* Not begun: that was no attempt. */
	for (int i = 0; i < 2; i++) {
		struct rig_claimed c = rig_claim(&r);
		assert_int_equal(c.attempt, 1);
		assert_int_equal(rig_give_back(&r, &c), ERR_NONE);
		assert_int_equal(rig_give_back(&r, &c), ERR_NONE);	/* told again */
		assert_run(&r, a.d[0].run, "queued", "");
		assert_text(rig_get(&r, STORE_RUN, a.d[0].run), "\"worker\":null,\"attempt\":0");
		assert_text(rig_get(&r, STORE_RUN, a.d[0].run), "\"started\":null");
	}
	/* Begun: the next one is another. */
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "release", 0), ERR_NONE);
	for (int i = 0; i < 2; i++) {
		c = rig_claim(&r);
		assert_int_equal(c.attempt, 2);
		assert_int_equal(rig_give_back(&r, &c), ERR_NONE);
	}
	assert_int_equal(server_number(&r.server, "HGET " RIG_KEY ":stats start|0|disk-full"), 1);
	rig_stop(&r);
}

static void nobody_claims(void **state)
{
	struct rig r;
	char ids[4][ID_LEN + 1];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = start(&r, A, chain, 4);
	chain_of_ids(&r, a.incident, ids);
	rig_pass(&r, HOUR - 1);
	assert_int_equal(rig_tick(&r).expired, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).expired, 1);
	assert_run(&r, ids[0], "cancelled", "no worker of pool 'default' claimed it within limits.queue_ttl");
	assert_run(&r, ids[1], "cancelled", "step 'look' did not succeed");
	assert_run(&r, ids[2], "queued", "");
	assert_int_equal(audited(&r, "queue_ttl"), 1);
	rig_stop(&r);
}

/* ---- by hand ---- */

static char *run_new(struct rig *r, const char *key, const char *asked, struct rig_text *t)
{
	struct store_manual_run in = {rig_step, STR("anna"), str_of(key), str_of(asked), r->limits, STR("hash")};

	*t = (struct rig_text){.r = r};
	rig_await(r, store_run_new(r->s, &in, rig_on_text, t, &r->e));
	return t->text;
}

static void by_hand(void **state)
{
	struct rig r;
	struct rig_text one, two, three;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 2;
	assert_int_equal(strlen(run_new(&r, "k 1", "one", &one)), ID_LEN);
	assert_string_equal(run_new(&r, "k 1", "one", &two), one.text);
	run_new(&r, "k 1", "another", &three);
	assert_int_equal(r.e.code, ERR_CONFLICT);
	assert_has(str_of(r.e.text), one.text);
	assert_string_not_equal(run_new(&r, "", "one", &two), one.text);
	run_new(&r, "", "one", &three);
	assert_int_equal(r.e.code, ERR_FULL);
	struct rig_text t = rig_get(&r, STORE_RUN, one.text);
	assert_text(t, "\"rule\":null,\"runbook\":\"disk-usage\"");
	assert_text(t, "\"incident\":null,\"event\":null");
	assert_int_equal(audited(&r, "\"who\":\"anna\",\"reason\":\"by hand\""), 2);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, one.text);
	assert_string_equal(c.event, "null");
	assert_string_equal(c.incident_json, "");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_string_equal(run_new(&r, "k 1", "one", &two), one.text);
	rig_stop(&r);
}

/* ---- output, results ---- */

static void output(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_line lines[] = {
		{T0, false, STR("hello")}, {T0 + 1, true, STR("a \"b\" \xff")}, {T0 + 2, false, STR("")}, {T0 + 3, false, STR(" 12 x")}};

	(void)state;
	rig_start(&r, true);
	rows->r = &r;
	start(&r, A, &rig_step, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_await(&r, store_output(r.s, rig_held(&c), lines, 4, rig_done, &r, &r.e)), ERR_NONE);
	rig_await(&r, store_run_output(r.s, str_of(c.run), 0, 3, rig_on_rows, rows, &r.e));
	assert_int_equal(rows->n, 3);
	assert_true(rows->more);
	assert_string_equal(rows->v[0], "{\"time\":\"2025-11-22T20:00:00.000Z\",\"stream\":\"stdout\",\"text\":\"hello\"}");
	assert_string_equal(rows->v[1],
		"{\"time\":\"2025-11-22T20:00:00.001Z\",\"stream\":\"stderr\",\"text\":\"a \\\"b\\\" \xEF\xBF\xBD\"}");
	assert_has(str_of(rows->v[2]), "\"text\":\"\"}");
	assert_string_equal(rows->cursor[2], "3");
	rig_await(&r, store_run_output(r.s, str_of(c.run), 3, 100, rig_on_rows, rows, &r.e));
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), "\"text\":\" 12 x\"}");
	assert_true(rows->more);	/* it still runs */
	rig_change(&r, &c, "succeeded", 0);
	rig_await(&r, store_run_output(r.s, str_of(c.run), 4, 100, rig_on_rows, rows, &r.e));
	assert_int_equal(rows->n, 0);
	assert_false(rows->more);
	assert_int_equal(rig_await(&r, store_output(r.s, rig_held(&c), lines, 1, rig_done, &r, &r.e)), ERR_CONFLICT);
	rig_await(&r, store_run_output(r.s, STR("01KAPJDTG0000000000000000Z"), 0, 1, rig_on_rows, rows, &r.e));
	assert_int_equal(r.e.code, ERR_NOT_FOUND);
	free(rows);
	rig_stop(&r);
}

struct inbox {
	struct rig *r;
	size_t n;
	char id[8][64], json[8][2000];
};

static void on_inbox(void *ctx, const struct err *e, const struct store_inbox_entry *v, size_t n)
{
	struct inbox *in = ctx;

	in->n = n;
	for (size_t i = 0; i < n && i < 8; i++) {
		rig_copy(in->id[i], sizeof(in->id[i]), v[i].id);
		rig_copy(in->json[i], sizeof(in->json[i]), v[i].json);
	}
	rig_done(in->r, e);
}

static void result_and_emitted(void **state)
{
	struct rig r;
	struct inbox *in = calloc(1, sizeof(*in));
	const struct str emitted[] = {STR("{\"type\":\"x\",\"depth\":0} "), STR("not json"), STR(" {}"), STR("[1]")};

	(void)state;
	in->r = &r;
	rig_start(&r, true);
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, 0);
	ev.depth = 3;
	struct rig_answer a = rig_ingest(&r, &ev);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(c.depth, 4);
	struct store_run_change change = {.run = rig_held(&c), .state = STR("failed"), .reason = STR("exit status 1"),
		.has_exit = true, .exit_code = 1, .artifacts_json = STR("[{\"name\":\"a\",\"size\":1}]"),
		.params_json = STR("{\"path\":\"/x\"}"), .runbook_sha256 = STR("other"), .emitted = emitted, .emitted_n = 4,
		.who = STR("worker w1")};
	assert_int_equal(rig_await(&r, store_run_change(r.s, &change, rig_done, &r, &r.e)), ERR_NONE);
	struct rig_text t = rig_get(&r, STORE_RUN, c.run);
	assert_text(t, "\"reason\":\"exit status 1; 2 of the events that it emitted are no JSON objects and were dropped\"");
	assert_text(t, "\"artifacts\":[{\"name\":\"a\",\"size\":1}]");
	assert_text(t, "\"params\":{\"path\":\"/x\"}");
	assert_text(t, "\"runbook_sha256\":\"other\"");
	rig_await(&r, store_inbox(r.s, 10, 1, STR_NONE, on_inbox, in, &r.e));
	assert_int_equal(in->n, 1);	/* more bytes than asked for, but one */
	rig_await(&r, store_inbox(r.s, 10, 1 << 20, str_of(in->id[0]), on_inbox, in, &r.e));
	assert_int_equal(in->n, 2);
	assert_has(str_of(in->json[0]), "{\"emitted\":true,");
	rig_await(&r, store_inbox(r.s, 10, 1 << 20, STR_NONE, on_inbox, in, &r.e));
	assert_int_equal(in->n, 3);
	/* What the script says of depth, trail and run is overruled by what comes last. */
	char want[240];
	snprintf(want, sizeof(want), "{\"type\":\"x\",\"depth\":0,\"emitted\":true,\"run\":\"%s\",\"depth\":4,"
		"\"trail\":[\"disk-full\"]}", c.run);
	assert_string_equal(in->json[0], want);
	snprintf(want, sizeof(want), "{\"emitted\":true,\"run\":\"%s\",\"depth\":4,\"trail\":[\"disk-full\"]}", c.run);
	assert_string_equal(in->json[1], want);
	assert_has(str_of(in->json[2]), "\"source\":\"runbookd\",\"type\":\"run\"");
	snprintf(want, sizeof(want), "\"data\":{\"run\":\"%s\",\"incident\":\"%s\"", c.run, a.incident);
	assert_has(str_of(in->json[2]), want);
	assert_has(str_of(in->json[2]), "\"depth\":4,\"trail\":[\"disk-full\"],\"run\":");

	/* Exactly once, and the result is on the bus once, whatever its rules say. */
	long long bus = server_number(&r.server, "XLEN " RIG_KEY ":bus");
	struct rig_event result = {.source = "runbookd", .status = 'i', .inbox = in->id[2], .depth = 4};
	result = rig_with_rule(result, "page", &rig_step, 1, 0);
	struct rig_answer b = rig_ingest(&r, &result);
	assert_int_equal(b.outcome, STORE_NEW);
	assert_int_equal(b.d[0].decision, DECISION_RUN);
	assert_string_equal(b.incident, a.incident);
	assert_true(strstr(in->json[2], b.id) != NULL);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), bus + 1);	/* its decisions */
	struct rig_answer taken = rig_ingest(&r, &result);
	assert_int_equal(taken.outcome, STORE_TAKEN);
	assert_string_equal(taken.d[0].run, "");
	struct rig_claimed d = rig_claim(&r);
	assert_string_equal(d.run, b.d[0].run);
	assert_int_equal(d.depth, 5);
	assert_has(str_of(d.event), b.id);
	/* A run of a run: what comes of it knows both rules. */
	assert_int_equal(rig_change(&r, &d, "succeeded", 0), ERR_NONE);
	rig_await(&r, store_inbox(r.s, 10, 1 << 20, str_of(in->id[2]), on_inbox, in, &r.e));
	assert_int_equal(in->n, 1);
	assert_has(str_of(in->json[0]), "\"depth\":5,\"trail\":[\"disk-full\",\"page\"],\"run\":");
	rig_await(&r, store_inbox(r.s, 10, 1 << 20, STR_NONE, on_inbox, in, &r.e));
	/* What was emitted becomes an event now, on the same incident. */
	struct rig_event said = {.source = "runbook", .status = 'i', .inbox = in->id[0], .depth = 4};
	struct rig_answer e = rig_ingest(&r, &said);
	assert_int_equal(e.outcome, STORE_NEW);
	assert_string_equal(e.incident, a.incident);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":inbox"), 2);
	struct rig_rows *rows = list(&r, STORE_TIMELINE, a.incident);
	assert_int_equal(rows->n, 7);
	assert_has(str_of(rows->v[3]), "\"kind\":\"decisions\"");
	free(rows);
	free(in);
	rig_stop(&r);
}

/* ---- a claim whose answer is lost ---- */

static void claim_again(void **state)
{
	struct rig r;
	struct rig_claimed out;
	struct rig_claim rc = {&r, &out};
	struct str pool = STR("default");
	struct err cut = {.code = ERR_AWAY, .text = "cut"};

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = start(&r, A, &rig_step, 1);
	/* Redis sleeps; what was sent to it is done when it wakes, though nobody hears the answer. */
	kill(r.server.pid, SIGSTOP);
	assert_int_equal(store_claim(r.s, STR("w1"), STR("i1"), &pool, 1, HOUR, rig_on_claim, &rc, &r.e), 0);
	uv_run(&r.loop, UV_RUN_NOWAIT);
	uv_run(&r.loop, UV_RUN_NOWAIT);
	redis_drop(r.s->redis, &cut);
	assert_int_equal(rig_await(&r, 0), ERR_AWAY);
	r.up = false;
	kill(r.server.pid, SIGCONT);
	rig_until(&r, &r.up);
	assert_run(&r, a.d[0].run, "running", "");
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, a.d[0].run);
	assert_int_equal(c.attempt, 1);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(from_rule_to_end), cmocka_unit_test(told_again), cmocka_unit_test(steps_in_order),
	cmocka_unit_test(always_after_a_failure), cmocka_unit_test(oldest_of_the_pools),
	cmocka_unit_test(leases_and_fences), cmocka_unit_test(a_poisonous_run_ends),
	cmocka_unit_test(hello_takes_what_was_held), cmocka_unit_test(two_of_one_name_are_two),
	cmocka_unit_test(try_again), cmocka_unit_test(given_back), cmocka_unit_test(nobody_claims),
	cmocka_unit_test(by_hand), cmocka_unit_test(output), cmocka_unit_test(result_and_emitted),
	cmocka_unit_test(claim_again))
