/* What happens later than the event: for, on_resolve, on_failure, approval, and what the slo counts. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

static struct store_decision_in a_rule(const char *name)
{
	return (struct store_decision_in){
		.rule = str_of(name), .ask = DECISION_RUN, .steps = &rig_step, .steps_n = 1};
}

static struct rig_answer tell(struct rig *r, char status, int64_t starts, const struct store_decision_in *rule)
{
	struct rig_event ev = rig_alert(A, status, starts);

	if (rule)
		ev.rules[ev.rules_n++] = *rule;
	return rig_ingest(r, &ev);
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

/* How many rows hold the text. */
static size_t count(struct rig *r, enum store_list what, const char *id, const char *part)
{
	struct rig_rows *rows = list(r, what, id);
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += strstr(rows->v[i], part) != NULL;
	free(rows);
	return n;
}

static size_t on_timeline(struct rig *r, const char *incident, const char *part)
{
	return count(r, STORE_TIMELINE, incident, part);
}

static size_t runs(struct rig *r)
{
	return count(r, STORE_RUNS, "", "");
}

static void assert_run(struct rig *r, const char *run, const char *state, const char *reason)
{
	struct rig_text t = rig_get(r, STORE_RUN, run);
	char want[300];

	snprintf(want, sizeof(want), "\"state\":\"%s\",\"reason\":\"%s", state, reason);
	assert_text(t, want);
}

/* Nothing is left that waits. */
static void assert_no_waits(struct rig *r)
{
	assert_int_equal(server_number(&r->server, "EXISTS " RIG_KEY ":pending " RIG_KEY ":alert:am:" A ":waits"), 0);
}

/* ---- for ---- */

static void still_fires(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.for_ms = 2 * MINUTE;
	rule.cooldown_ms = HOUR;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	assert_int_equal(a.d[0].decision, DECISION_PENDING);
	assert_string_equal(a.d[0].reason, "runs if it still fires at 2025-11-22T20:02:00.000Z");
	assert_string_equal(a.d[0].run, "");
	rig_pass(&r, MINUTE);
	/* A resend leaves it as it is. */
	assert_int_equal(tell(&r, 'f', T0, &rule).d[0].decision, DECISION_DUPLICATE);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.due_in_ms, MINUTE);
	assert_int_equal(t.late_n, 0);
	rig_pass(&r, MINUTE - 1);
	t = rig_tick(&r);
	assert_int_equal(t.due_in_ms, 1);
	assert_int_equal(runs(&r), 0);
	rig_pass(&r, 1);
	t = rig_tick(&r);
	assert_int_equal(t.due_in_ms, -1);
	assert_int_equal(t.late_n, 1);
	assert_string_equal(rig_late_rule, "fix");
	assert_int_equal(rig_late_decision, DECISION_RUN);
	assert_int_equal(runs(&r), 1);
	assert_int_equal(on_timeline(&r, a.incident, "\"decision\":\"run\",\"reason\":\"it still fires after 2m\""), 1);
	assert_int_equal(on_timeline(&r, a.incident, "\"kind\":\"decisions\""), 1);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"runs\":1,");
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.rule, "fix");
	assert_string_equal(c.params, "{\"path\":\"/var\"}");
	assert_string_equal(c.incident, a.incident);
	assert_has(str_of(c.event), a.id);
	assert_int_equal(c.depth, 1);
	assert_no_waits(&r);
	/* Its cooldown counts from now. */
	tell(&r, 'r', T0, NULL);
	rig_pass(&r, MINUTE);
	a = tell(&r, 'f', T0 + HOUR, &rule);
	assert_int_equal(a.d[0].decision, DECISION_PENDING);
	rig_pass(&r, 2 * MINUTE);
	rig_tick(&r);
	assert_int_equal(rig_late_decision, DECISION_COOLDOWN);
	assert_int_equal(runs(&r), 1);
	assert_int_equal(on_timeline(&r, a.incident, "in cooldown until 2025-11-22T21:02:00.000Z"), 1);
	rig_stop(&r);
}

static void resolved_first(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.for_ms = 2 * MINUTE;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	rig_pass(&r, 90 * SECOND);
	tell(&r, 'r', T0, NULL);
	assert_int_equal(on_timeline(&r, a.incident,
		"\"decision\":\"pending\",\"reason\":\"dropped: the alert resolved after 1m30s\""), 1);
	assert_no_waits(&r);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 0);
	/* In one message. */
	struct rig_event ev[2] = {rig_alert(A, 'f', T0 + HOUR), rig_alert(A, 'r', T0 + HOUR)};
	struct rig_answer out[2];
	ev[0].rules[ev[0].rules_n++] = rule;
	assert_int_equal(rig_ingest_n(&r, ev, 2, 0, out), ERR_NONE);
	assert_int_equal(out[0].d[0].decision, DECISION_PENDING);
	assert_no_waits(&r);
	rig_stop(&r);
}

static void stale_first(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.for_ms = 25 * HOUR;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	rig_pass(&r, 24 * HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_int_equal(on_timeline(&r, a.incident, "dropped: the alert was not reported any more"), 1);
	assert_no_waits(&r);
	rig_stop(&r);
}

static void another_occurrence_begins_again(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.for_ms = 2 * MINUTE;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	rig_pass(&r, MINUTE);
	struct rig_answer b = tell(&r, 'f', T0 + HOUR, &rule);
	assert_int_equal(b.d[0].decision, DECISION_PENDING);
	assert_int_equal(on_timeline(&r, a.incident, "dropped: another occurrence of the alert began after 1m"), 1);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).due_in_ms, MINUTE);
	assert_int_equal(runs(&r), 0);
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	assert_int_equal(runs(&r), 1);
	assert_has(str_of(rig_claim(&r).event), b.id);
	rig_stop(&r);
}

static void only_for_what_fires(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");
	struct rig_event info = {.status = 'i', .rules = {rule}, .rules_n = 1};

	(void)state;
	rig_start(&r, true);
	info.rules[0].for_ms = MINUTE;
	struct rig_answer a = rig_ingest(&r, &info);
	assert_int_equal(a.d[0].decision, DECISION_ERROR);
	assert_string_equal(a.d[0].reason, "'for' asks whether an alert still fires, and this event is none that does");
	rig_stop(&r);
}

/* Late is at once, in bounded steps; a full queue makes it wait, and not for ever. */
static void many_are_due(void **state)
{
	enum { N = 250 };
	static struct rig_event ev[N];
	static struct rig_answer out[N];
	static char fp[N][17];
	struct store_decision_in rule = a_rule("fix");
	struct rig r;
	int calls = 0;

	(void)state;
	rig_start(&r, true);
	rule.for_ms = MINUTE;
	r.limits.queue = 200;
	for (int i = 0; i < N; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)i);
		ev[i] = rig_alert(fp[i], 'f', T0);
		ev[i].rules[ev[i].rules_n++] = rule;
	}
	assert_int_equal(rig_ingest_n(&r, ev, N, 0, out), ERR_NONE);
	rig_pass(&r, HOUR / 2);
	while (rig_tick(&r).more)
		calls++;
	assert_int_equal(calls, 2);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":queue:default"), 200);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":pending"), 50);
	for (int i = 0; i < 50; i++) {
		struct rig_claimed c = rig_claim(&r);
		assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	}
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, SECOND);
	assert_int_equal(rig_tick(&r).late_n, 50);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":pending"), 0);
	rig_stop(&r);
}

static void limits_at_the_due_time(void **state)
{
	struct rig r;
	struct store_decision_in one = a_rule("one"), two = a_rule("two"), dry = a_rule("dry");
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	r.limits.runs = (struct store_limit){1, HOUR};
	one.for_ms = two.for_ms = dry.for_ms = MINUTE;
	dry.ask = DECISION_DRY_RUN;
	ev.rules[0] = dry;
	ev.rules[1] = one;
	ev.rules[2] = two;
	ev.rules_n = 3;
	struct rig_answer a = rig_ingest(&r, &ev);
	for (int i = 0; i < 3; i++)
		assert_int_equal(a.d[i].decision, DECISION_PENDING);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 3);
	assert_int_equal(runs(&r), 1);
	assert_int_equal(on_timeline(&r, a.incident, "\"decision\":\"dry_run\""), 1);
	assert_int_equal(on_timeline(&r, a.incident, "\"decision\":\"limit\""), 1);
	assert_int_equal(on_timeline(&r, a.incident, "\"type\":\"limit\""), 1);
	assert_no_waits(&r);
	rig_stop(&r);
}

/* ---- on_resolve ---- */

static struct store_beat last_beat;
static size_t last_cancel;

static void on_beat(void *ctx, const struct err *e, const struct store_beat *b)
{
	last_beat = *b;
	last_cancel = b->cancel_n ? b->cancel[0] : 99;
	rig_done(ctx, e);
}

static void beat(struct rig *r, const struct rig_claimed *c)
{
	struct store_held held = rig_held(c);

	rig_await(r, store_heartbeat(r->s, STR("w1"), STR("i1"), &held, 1, 15 * SECOND, on_beat, r, &r->e));
	assert_int_equal(r->e.code, ERR_NONE);
}

static void cancels_what_waits(void **state)
{
	struct rig r;
	struct store_step_in steps[2] = {rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	steps[1].always = true;
	rule.steps = steps;
	rule.steps_n = 2;
	rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	rig_pass(&r, MINUTE);
	tell(&r, 'r', T0, NULL);
	assert_run(&r, a.d[0].run, "cancelled", "the alert resolved, and rule 'fix' says on_resolve: cancel");
	assert_int_equal(count(&r, STORE_RUNS, "", "\"state\":\"cancelled\""), 2);
	assert_string_equal(rig_claim(&r).run, "");
	assert_no_waits(&r);
	/* Resolved by us counts too. */
	a = tell(&r, 'f', T0 + HOUR, &rule);
	rig_pass(&r, 25 * HOUR);
	r.limits.queue_ttl_ms = 48 * HOUR;
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_run(&r, a.d[0].run, "cancelled", "the alert resolved, and rule 'fix' says on_resolve: cancel");
	/* What has ended stays as it is. */
	a = tell(&r, 'f', T0 + 30 * HOUR, &rule);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	struct rig_claimed d = rig_claim(&r);
	assert_int_equal(rig_change(&r, &d, "succeeded", 0), ERR_NONE);
	tell(&r, 'r', T0 + 30 * HOUR, NULL);
	assert_run(&r, a.d[0].run, "succeeded", "");
	rig_stop(&r);
}

/* Occurrences that follow each other without a resolve between them. */
static void cancels_runs_of_all_occurrences(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	for (int i = 0; i < 18; i++)
		assert_int_equal(tell(&r, 'f', T0 + i * HOUR, &rule).d[0].decision, DECISION_RUN);
	tell(&r, 'r', T0 + 17 * HOUR, NULL);
	assert_int_equal(count(&r, STORE_RUNS, "", "\"state\":\"cancelled\""), 16); /* RESOLVE_RUNS */
	assert_int_equal(count(&r, STORE_RUNS, "", "\"state\":\"queued\""), 2);
	rig_stop(&r);
}

static void asks_what_runs_to_stop(void **state)
{
	struct rig r;
	struct store_step_in steps[3] = {rig_step, rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	steps[0].idempotent = true;
	steps[1].name = STR("never");
	steps[2].name = STR("clean");
	steps[2].always = true;
	rule.steps = steps;
	rule.steps_n = 3;
	rule.failure_steps = &rig_step;
	rule.failure_steps_n = 1;
	rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	struct rig_claimed c = rig_claim(&r);
	beat(&r, &c);
	assert_int_equal(last_beat.cancel_n, 0);
	tell(&r, 'r', T0, NULL);
	assert_run(&r, a.d[0].run, "running", "");
	assert_int_equal(server_number(&r.server, "LLEN " RIG_KEY ":call:w1"), 1);
	assert_int_equal(on_timeline(&r, a.incident, "asked to stop: the alert resolved"), 1);
	beat(&r, &c);
	assert_int_equal(last_beat.cancel_n, 1);
	assert_int_equal(last_cancel, 0);
	assert_int_equal(last_beat.lost_n, 0);
	/* A worker that gives it back, since it is idempotent: nobody wants it any more. */
	assert_int_equal(rig_change(&r, &c, "release", 0), ERR_NONE);
	assert_run(&r, a.d[0].run, "cancelled", "the alert resolved, and rule 'fix' says on_resolve: cancel");
	/* The step that always runs does; the others and on_failure do not. */
	c = rig_claim(&r);
	assert_string_equal(c.step, "clean");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(runs(&r), 3);
	rig_stop(&r);
}

static void lost_while_cancelled(void **state)
{
	struct rig r;
	struct store_step_in safe = rig_step;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	safe.idempotent = true;
	rule.steps = &safe;
	rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	rig_claim(&r);
	tell(&r, 'r', T0, NULL);
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	assert_run(&r, a.d[0].run, "cancelled", "the alert resolved, and rule 'fix' says on_resolve: cancel; worker 'w1' was silent");
	rig_stop(&r);
}

static void a_step_on_resolve(void **state)
{
	struct rig r;
	struct store_step_in undo[2] = {rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	undo[0].name = undo[0].runbook = STR("undo");
	undo[1].name = undo[1].runbook = STR("tell");
	rule.on_resolve = STORE_ON_RESOLVE_STEPS;
	rule.resolve_steps = undo;
	rule.resolve_steps_n = 2;
	rule.cooldown_ms = HOUR;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	rig_pass(&r, MINUTE);
	struct rig_answer b = tell(&r, 'r', T0, NULL);
	assert_int_equal(on_timeline(&r, a.incident, "\"decision\":\"run\",\"reason\":\"on_resolve: the alert resolved\""), 1);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"runs\":3,");
	c = rig_claim(&r);
	assert_string_equal(c.rule, "fix");
	assert_string_equal(c.step, "undo");
	assert_has(str_of(c.event), b.id);
	assert_has(str_of(c.steps), "\"disk-usage\":{\"state\":\"succeeded\"");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_string_equal(rig_claim(&r).step, "tell");
	assert_no_waits(&r);
	/* In cooldown the rule has no run for the next occurrence, so nothing is done at its end. */
	assert_int_equal(tell(&r, 'f', T0 + HOUR, &rule).d[0].decision, DECISION_COOLDOWN);
	tell(&r, 'r', T0 + HOUR, NULL);
	assert_int_equal(runs(&r), 3);
	rig_stop(&r);
}

/* ---- on_failure ---- */

static void play_failure(struct rig *r, const char *state, size_t want)
{
	struct store_step_in steps[2] = {rig_step, rig_step}, page[2] = {rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	rig_start(r, true);
	steps[1].name = STR("second");
	page[0].name = page[0].runbook = STR("page");
	page[1].name = page[1].runbook = STR("mail");
	rule.steps = steps;
	rule.steps_n = 2;
	rule.failure_steps = page;
	rule.failure_steps_n = 2;
	struct rig_answer a = tell(r, 'f', T0, &rule);
	struct rig_claimed c = rig_claim(r);
	assert_int_equal(rig_change(r, &c, "succeeded", 0), ERR_NONE);
	c = rig_claim(r);
	assert_string_equal(c.step, "second");
	if (rig_change(r, &c, state, 3) != ERR_NONE)
		fail_msg("%s: %s", state, r->e.text);
	assert_int_equal(runs(r), want);
	assert_int_equal(on_timeline(r, a.incident, "on_failure: step 'second' did not succeed"), want > 2);
}

static void failure_steps(void **state)
{
	struct rig r;

	(void)state;
	play_failure(&r, "failed", 4);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "page");
	assert_string_equal(c.rule, "fix");
	assert_int_equal(c.depth, 1);
	assert_has(str_of(c.steps), "\"disk-usage\":{\"state\":\"succeeded\"");
	assert_has(str_of(c.steps), "\"second\":{\"state\":\"failed\",\"exit_code\":3");
	assert_has(str_of(c.event), "\"fingerprint\":\"" A "\"");
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"runs\":4,");
	assert_int_equal(count(&r, STORE_INCIDENT_RUNS, c.incident, ""), 4);
	/* Its own failure sets off no more. */
	assert_int_equal(rig_change(&r, &c, "failed", 1), ERR_NONE);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(runs(&r), 4);
	rig_stop(&r);
	play_failure(&r, "timed_out", 4);
	rig_stop(&r);
	play_failure(&r, "lost", 4);
	rig_stop(&r);
	play_failure(&r, "cancelled", 2);
	rig_stop(&r);
	play_failure(&r, "succeeded", 2);
	rig_stop(&r);
}

/* The first step fails, one that always runs is the last: the chain has failed all the same. */
static void failure_before_an_always(void **state)
{
	struct rig r;
	struct store_step_in steps[3] = {rig_step, rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	steps[1].name = STR("never");
	steps[2].name = STR("clean");
	steps[2].always = true;
	rule.steps = steps;
	rule.steps_n = 3;
	rule.failure_steps = &rig_step;
	rule.failure_steps_n = 1;
	tell(&r, 'f', T0, &rule);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "failed", 1), ERR_NONE);
	c = rig_claim(&r);
	assert_string_equal(c.step, "clean");
	assert_int_equal(runs(&r), 3);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_int_equal(runs(&r), 4);
	assert_has(str_of(rig_claim(&r).steps), "\"disk-usage\":{\"state\":\"failed\"");
	rig_stop(&r);
}

/* ---- approval ---- */

static enum err_code approve(struct rig *r, const char *run, bool yes)
{
	return rig_await(r, store_run_approve(r->s, str_of(run), yes, STR("ann"), STR("go on"), rig_done, r, &r->e));
}

static void approval(void **state)
{
	struct rig r;
	struct store_step_in steps[2] = {rig_step, rig_step};
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.steps = steps;
	rule.steps_n = 2;
	rule.approval = true;
	rule.approval_expires_ms = HOUR;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	assert_int_equal(a.d[0].decision, DECISION_APPROVAL);
	assert_string_equal(a.d[0].reason, "waits for a person to approve it until 2025-11-22T21:00:00.000Z");
	assert_run(&r, a.d[0].run, "approval", "waits for a person to approve it");
	assert_string_equal(rig_claim(&r).run, "");
	rig_pass(&r, HOUR - 1);
	assert_int_equal(rig_tick(&r).due_in_ms, 1);
	assert_int_equal(approve(&r, a.d[0].run, true), ERR_NONE);
	assert_run(&r, a.d[0].run, "queued", "approved by ann: go on");
	assert_int_equal(approve(&r, a.d[0].run, true), ERR_CONFLICT);
	assert_has(str_of(r.e.text), "does not wait for approval; it is queued");
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, a.d[0].run);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_int_equal(count(&r, STORE_AUDIT, "", "\"from\":\"approval\",\"to\":\"queued\",\"who\":\"ann\""), 1);
	assert_int_equal(approve(&r, "01HZZZZZZZZZZZZZZZZZZZZZZZ", true), ERR_NOT_FOUND);
	rig_stop(&r);
}

static void approval_refused_or_late(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.approval = true;
	rule.approval_expires_ms = HOUR;
	rule.failure_steps = &rig_step;
	rule.failure_steps_n = 1;
	rule.on_resolve = STORE_ON_RESOLVE_STEPS;
	rule.resolve_steps = &rig_step;
	rule.resolve_steps_n = 1;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	assert_int_equal(approve(&r, a.d[0].run, false), ERR_NONE);
	assert_run(&r, a.d[0].run, "rejected", "rejected by ann: go on");
	struct rig_answer b = tell(&r, 'f', T0 + HOUR, &rule);
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_run(&r, b.d[0].run, "rejected", "nobody approved it in time");
	/* Nothing ran, so nothing is undone and nothing has failed. */
	tell(&r, 'r', T0 + HOUR, NULL);
	assert_int_equal(runs(&r), 2);
	/* One that still waits when the alert resolves, with on_resolve: cancel. */
	rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	rule.resolve_steps_n = 0;
	rule.approval_expires_ms = 0;
	a = tell(&r, 'f', T0 + 2 * HOUR, &rule);
	assert_string_equal(a.d[0].reason, "waits for a person to approve it");
	assert_int_equal(rig_tick(&r).due_in_ms, -1);
	tell(&r, 'r', T0 + 2 * HOUR, NULL);
	assert_run(&r, a.d[0].run, "cancelled", "the alert resolved");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":approvals"), 0);
	rig_stop(&r);
}

static void on_act(void *ctx, const struct err *e, struct str incident)
{
	(void)incident;
	rig_done(ctx, e);
}

/* What waits for approval when its incident is closed never ran, so nothing is undone. */
static void closed_before_approval(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.approval = true;
	rule.on_resolve = STORE_ON_RESOLVE_STEPS;
	rule.resolve_steps = &rig_step;
	rule.resolve_steps_n = 1;
	struct rig_answer a = tell(&r, 'f', T0, &rule);
	struct store_act act = {
		.what = STORE_CLOSE, .incident = str_of(a.incident), .who = STR("ann"), .text = STR("a drill")};
	assert_int_equal(rig_await(&r, store_incident_act(r.s, &act, on_act, &r, &r.e)), ERR_NONE);
	assert_run(&r, a.d[0].run, "cancelled", "its incident was closed by ann: a drill");
	tell(&r, 'r', T0, NULL);
	assert_int_equal(runs(&r), 1);
	/* One that was approved and began is undone, whatever became of it. */
	a = tell(&r, 'f', T0 + HOUR, &rule);
	assert_int_equal(approve(&r, a.d[0].run, true), ERR_NONE);
	struct rig_claimed c = rig_claim(&r);
	assert_int_equal(rig_change(&r, &c, "failed", 1), ERR_NONE);
	tell(&r, 'r', T0 + HOUR, NULL);
	assert_int_equal(runs(&r), 3);
	rig_stop(&r);
}

/* ---- slo ---- */

struct stats {
	struct rig *r;
	double objective, budget;
	int n;
};

static void on_stats(void *ctx, const struct err *e, const struct store_stat *v, size_t n)
{
	struct stats *st = ctx;

	for (size_t i = 0; i < n; i++) {
		if (str_is(v[i].name, "slo_objective_ratio")) {
			assert_true(str_is(v[i].labels[0], "fix"));
			st->objective = v[i].value;
			st->n++;
		} else if (str_is(v[i].name, "slo_error_budget_remaining_ratio")) {
			st->budget = v[i].value;
			st->n++;
		}
	}
	rig_done(st->r, e);
}

static void assert_budget(struct rig *r, double budget)
{
	struct stats st = {.r = r};

	rig_await(r, store_stats(r->s, on_stats, &st, &r->e));
	assert_int_equal(st.n, 2);
	assert_true(st.objective > 0.7499 && st.objective < 0.7501);
	if (st.budget < budget - 0.001 || st.budget > budget + 0.001)
		fail_msg("%g of the budget is left, not %g", st.budget, budget);
}

/* One chain that takes so long and ends so. */
static void chain(struct rig *r, int64_t takes, const char *end, const struct store_decision_in *rule)
{
	static int64_t starts = T0;

	starts += 10 * MINUTE;
	tell(r, 'f', starts, rule);
	struct rig_claimed c = rig_claim(r);
	rig_pass(r, takes);
	assert_int_equal(rig_change(r, &c, end, 0), ERR_NONE);
}

static void slo(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.slo.objective = 75;
	rule.slo.within_ms = 30 * SECOND;
	rule.slo.window_ms = 2 * HOUR;
	chain(&r, 30 * SECOND, "succeeded", &rule);
	assert_budget(&r, 1);
	chain(&r, 30 * SECOND + 1, "succeeded", &rule);	/* late is bad */
	assert_budget(&r, 1 - 0.5 / 0.25);
	chain(&r, SECOND, "succeeded", &rule);
	chain(&r, SECOND, "succeeded", &rule);
	assert_budget(&r, 0);
	for (int i = 0; i < 4; i++)
		chain(&r, SECOND, i ? "succeeded" : "failed", &rule);
	assert_budget(&r, 0);
	/* By the hour: those of 20:xx leave when 22:xx is full. */
	rig_time(&r, T0 + 2 * HOUR);
	chain(&r, SECOND, "succeeded", &rule);
	assert_budget(&r, 1 - 2.0 / 9 / 0.25);
	rig_time(&r, T0 + 3 * HOUR);
	assert_budget(&r, 1);
	rig_time(&r, T0 + 10 * HOUR);
	chain(&r, SECOND, "failed", &rule);
	assert_budget(&r, -3);
	/* objective, window and the one hour */
	assert_int_equal(server_number(&r.server, "HLEN " RIG_KEY ":slo:fix"), 3);
	rig_tick(&r);
	assert_budget(&r, -3);
	rig_pass(&r, 3 * HOUR);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":slo:fix " RIG_KEY ":slos"), 0);
	rig_stop(&r);
}

/* One call adds more to a timeline, and to a limit, than Lua hands over at once. */
#define ALERTS 256
#define RULES 40

struct storm {
	struct event ev[ALERTS];
	struct store_event_in in[ALERTS];
	struct store_decision_in rules[RULES];
	char json[ALERTS][1024], fp[ALERTS][17], names[RULES][16];
};

static void on_storm(void *ctx, const struct err *e, const struct store_event_out *out, size_t n)
{
	(void)out;
	(void)n;
	rig_done(ctx, e);
}

static struct storm *storm_new(void)
{
	struct storm *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	for (int i = 0; i < RULES; i++) {
		snprintf(s->names[i], sizeof(s->names[i]), "rule-%d", i);
		s->rules[i] = a_rule(s->names[i]);
	}
	return s;
}

static void tell_storm(struct rig *r, struct storm *s, char status, size_t rules)
{
	for (int i = 0; i < ALERTS; i++) {
		snprintf(s->fp[i], sizeof(s->fp[i]), "%016x", (unsigned)i);
		struct rig_event ev = rig_alert(s->fp[i], status, T0);
		rig_fill(&ev, &s->ev[i], &s->in[i], s->json[i], sizeof(s->json[i]));
		s->in[i].decisions = s->rules;
		s->in[i].decisions_n = rules;
	}
	struct store_ingest call = {s->in, ALERTS, STR("rulesethash"), 0, r->limits};
	if (rig_await(r, store_ingest(r->s, &call, on_storm, r, &r->e)) != ERR_NONE)
		fail_msg("%s", r->e.text);
}

static void more_waits_end_than_lua_unpacks(void **state)
{
	struct storm *s = storm_new();
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < RULES; i++)
		s->rules[i].for_ms = HOUR;
	tell_storm(&r, s, 'f', RULES);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":pending"), ALERTS * RULES);
	tell_storm(&r, s, 'r', 0);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":pending"), 0);
	rig_stop(&r);
	free(s);
}

static void more_runs_are_counted_than_lua_unpacks(void **state)
{
	struct storm *s = storm_new();
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 100000;
	r.limits.runs = (struct store_limit){100000, HOUR};
	tell_storm(&r, s, 'f', RULES);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":queue:default"), ALERTS * RULES);
	assert_int_equal(server_number(&r.server, "LLEN " RIG_KEY ":limit:runs"), ALERTS * RULES);
	rig_stop(&r);
	free(s);
}

/* A newer library takes over what an older one put off: for, on_failure and on_resolve. */
static void kept_by_an_older_library(void **state)
{
	struct rig r;
	struct store_step_in undo[2] = {rig_step, rig_step}, page = rig_step;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	undo[0].name = undo[0].runbook = STR("undo");
	undo[1].name = STR("tell them");
	page.name = page.runbook = STR("page");
	rule.for_ms = MINUTE;
	rule.on_resolve = STORE_ON_RESOLVE_STEPS;
	rule.resolve_steps = undo;
	rule.resolve_steps_n = 2;
	rule.failure_steps = &page;
	rule.failure_steps_n = 1;
	tell(&r, 'f', T0, &rule);
	rig_keep_as_before(&r);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	rig_keep_as_before(&r);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "disk-usage");
	assert_string_equal(c.params, "{\"path\":\"/var\"}");
	assert_int_equal(rig_change(&r, &c, "failed", 1), ERR_NONE);
	c = rig_claim(&r);
	assert_string_equal(c.step, "page");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	tell(&r, 'r', T0, NULL);
	c = rig_claim(&r);
	assert_string_equal(c.step, "undo");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	assert_string_equal(rig_claim(&r).step, "tell them");
	assert_no_waits(&r);
	rig_stop(&r);
}

/* ---- bridges of before ---- */

#define LIMITS "300000 900000 100 6 900000 0 0 0 0 259200000 600000 100"
#define STEP(name) name, name, "5ha", "default", "{\"path\":\"/var\"}", "0 0 1 0 0 0"
#define JSON "\"source\":\"am\",\"type\":\"alert\",\"labels\":{}}"
/* Of a rule with two steps, one on resolve and one on failure: 5 + 6 * 4 words. */
#define FIX "fix", "run", "web-1", "", "0 2 0 0 0 0 0 2 0 0 0 1 1 0 0 0 0 0 0", STEP("one"), STEP("two"), STEP("undo"), STEP("page")
/* Of an all_of with a step, and one on timeout: 5 + 6 + 6 + 6 words. */
#define GATE "gate", "run", "", "", "0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 12 0 0", STEP("deploy"), "2 2 60000 1 1", "k", "0", "a\nb", "", "", STEP("back")
#define ALERT(fp) "am:" fp, "f 0 ", "2 0 600000 29 ", "key", "+{\"title\":\"t\",\"key\":{},\"labels\":{}", JSON, FIX

static redisReply *called(struct rig *r, const char *const *words, size_t n)
{
	redisReply *reply = redisCommandArgv(r->server.raw, (int)n, (const char **)words, NULL);

	assert_non_null(reply);
	if (reply->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", words[1], reply->str);
	return reply;
}

#define CALLED(r, ...) \
	called(r, (const char *const[]){"FCALL", __VA_ARGS__}, \
		sizeof((const char *const[]){"FCALL", __VA_ARGS__}) / sizeof(char *))

static void take(struct rig *r, const char *step, const char *state)
{
	struct rig_claimed c = rig_claim(r);

	assert_string_equal(c.step, step);
	assert_string_equal(c.params, "{\"path\":\"/var\"}");
	assert_int_equal(rig_change(r, &c, state, 0), ERR_NONE);
}

/* A bridge that ran when a newer one brought the library calls what it knows: a step is six words, and an event's JSON has
 * no brace. */
static void an_older_bridge(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	redisReply *v = CALLED(&r, "rb_explain_v1", "1", RIG_KEY, "1", "1", LIMITS, "0", "h", ALERT(A));
	assert_has(str_of(v->element[1]->str), "run ");
	freeReplyObject(v);
	v = CALLED(&r, "rb_ingest_v1", "1", RIG_KEY, "1 1", LIMITS, "0", "h", ALERT(A), "", "i 0 ", "0 0 0 23 ", "", "", JSON, GATE);
	assert_int_equal(v->elements, 4);
	assert_has(str_of(v->element[1]->str), "run ");
	assert_has(str_of(v->element[3]->str), "pending - 1 of 2: waits for b");
	freeReplyObject(v);
	take(&r, "one", "succeeded");
	take(&r, "two", "failed");
	take(&r, "page", "succeeded");
	freeReplyObject(CALLED(&r, "rb_ingest_v1", "1", RIG_KEY, "1", LIMITS, "0", "h", "am:" A, "r 0 ", "2 0 600000 0 ", "key", "", JSON));
	take(&r, "undo", "succeeded");
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	take(&r, "back", "succeeded");
	assert_int_equal(count(&r, STORE_EVENTS, "", "\"source\":\"am\",\"type\":\"alert\",\"labels\":{},"), 3);
	freeReplyObject(CALLED(&r, "rb_run_new_v1", "1", RIG_KEY, "me", "", "h", "100", STEP("by hand")));
	take(&r, "by hand", "succeeded");
	v = CALLED(&r, "rb_lines_v1", "1", RIG_KEY, LIMITS, "h", "p", "1 60000 10 5 0", "00", "0", "{}", ALERT(B));
	freeReplyObject(v);
	take(&r, "one", "succeeded");
	take(&r, "two", "succeeded");
	freeReplyObject(CALLED(&r, "rb_watch_v1", "1", RIG_KEY, LIMITS, "h", "by", "0", "dead", "17", "dead", "run", "", "",
		"0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 6 0 0", STEP("wake"), "4 1 60000 0 0", "", "0", "beat", "", ""));
	rig_pass(&r, 2 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	take(&r, "wake", "succeeded");
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(still_fires), cmocka_unit_test(resolved_first), cmocka_unit_test(stale_first),
	cmocka_unit_test(another_occurrence_begins_again), cmocka_unit_test(only_for_what_fires),
	cmocka_unit_test(many_are_due), cmocka_unit_test(limits_at_the_due_time),
	cmocka_unit_test(cancels_what_waits), cmocka_unit_test(cancels_runs_of_all_occurrences),
	cmocka_unit_test(asks_what_runs_to_stop),
	cmocka_unit_test(lost_while_cancelled), cmocka_unit_test(a_step_on_resolve), cmocka_unit_test(kept_by_an_older_library), cmocka_unit_test(an_older_bridge),
	cmocka_unit_test(failure_steps), cmocka_unit_test(failure_before_an_always),
	cmocka_unit_test(approval), cmocka_unit_test(approval_refused_or_late), cmocka_unit_test(closed_before_approval), cmocka_unit_test(slo),
	cmocka_unit_test(more_waits_end_than_lua_unpacks), cmocka_unit_test(more_runs_are_counted_than_lua_unpacks))
