/* Steps that start at once (parallel: true): none waits for another, and what follows waits for
 * all.
 */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define T0 RIG_T0
#define STEPS 3

/* A rule of three such steps, and one that tells of their failure. */
struct group {
	struct store_step_in steps[STEPS], failure;
	struct store_decision_in rule;
};

static void group_init(struct group *g)
{
	*g = (struct group){.steps = {rig_step, rig_step, rig_step}, .failure = rig_step};
	g->steps[0].name = STR("eu");
	g->steps[1].name = STR("us");
	g->steps[2].name = STR("asia");
	g->failure.name = g->failure.runbook = STR("page");
	g->rule = (struct store_decision_in){
		.rule = STR("deploy"),
		.ask = DECISION_RUN,
		.parallel = true,
		.steps = g->steps,
		.steps_n = STEPS,
		.failure_steps = &g->failure,
		.failure_steps_n = 1,
	};
}

static void begin(struct rig *r, struct group *g)
{
	rig_start(r, true);
	group_init(g);
}

static struct rig_answer tell(struct rig *r, char status, int64_t starts, const struct group *g)
{
	struct rig_event ev = rig_alert(A, status, starts);

	if (g)
		ev.rules[ev.rules_n++] = g->rule;
	return rig_ingest(r, &ev);
}

static size_t runs_with(struct rig *r, const char *part)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};
	size_t n = 0;

	assert_non_null(rows);
	rig_list(r, STORE_RUNS, &page, rows);
	for (size_t i = 0; i < rows->n; i++)
		n += strstr(rows->v[i], part) != NULL;
	free(rows);
	return n;
}

/* All of them are there to be claimed. */
static void claim_all(struct rig *r, struct rig_claimed c[STEPS])
{
	static const char *const names[] = {"eu", "us", "asia"};

	for (size_t i = 0; i < STEPS; i++) {
		c[i] = rig_claim(r);
		assert_string_equal(c[i].step, names[i]);
		assert_string_equal(c[i].steps, "{}"); /* none is before another */
	}
	assert_string_equal(rig_claim(r).run, "");
}

static void end_run(struct rig *r, const struct rig_claimed *c, const char *state)
{
	if (rig_change(r, c, state, 0) != ERR_NONE)
		fail_msg("%s", r->e.text);
}

static void all_begin_at_once(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	struct rig_answer a = tell(&r, 'f', T0, &g);
	assert_int_equal(a.d[0].decision, DECISION_RUN);
	claim_all(&r, c);
	assert_string_equal(c[0].run, a.d[0].run);
	for (size_t i = 0; i < STEPS; i++)
		end_run(&r, &c[i], "succeeded");
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(runs_with(&r, "\"state\":\"succeeded\""), STEPS);
	rig_stop(&r);
}

/* Whichever fails, and in whatever order they end: once, when the last one has ended, it is told.
 */
static void what_follows_waits_for_all(void **state)
{
	static const size_t orders[][STEPS] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
	static const char *const bad[] = {"failed", "timed_out", "lost"};

	(void)state;
	for (size_t o = 0; o < 4; o++) {
		for (size_t failing = 0; failing < STEPS; failing++) {
			struct rig_claimed c[STEPS], page;
			struct group g;
			struct rig r;
			begin(&r, &g);
			tell(&r, 'f', T0, &g);
			claim_all(&r, c);
			for (size_t i = 0; i < STEPS; i++) {
				size_t k = orders[o][i];
				assert_string_equal(rig_claim(&r).run, "");
				end_run(&r, &c[k], k == failing ? bad[o % 3] : "succeeded");
			}
			page = rig_claim(&r);
			assert_string_equal(page.step, "page");
			for (size_t i = 0; i < STEPS; i++) {
				char want[64];
				snprintf(want, sizeof(want), "\"%s\":{\"state\":\"%s\"", c[i].step,
					i == failing ? bad[o % 3] : "succeeded");
				assert_has(str_of(page.steps), want);
			}
			assert_string_equal(rig_claim(&r).run, "");
			rig_stop(&r);
		}
	}
}

/* The change is told twice where the first answer did not arrive. */
static void told_twice(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	tell(&r, 'f', T0, &g);
	claim_all(&r, c);
	end_run(&r, &c[0], "failed");
	end_run(&r, &c[0], "failed");
	end_run(&r, &c[0], "failed");
	assert_string_equal(rig_claim(&r).run, "");
	end_run(&r, &c[1], "succeeded");
	assert_string_equal(rig_claim(&r).run, "");
	end_run(&r, &c[2], "succeeded");
	assert_string_equal(rig_claim(&r).step, "page");
	assert_string_equal(rig_claim(&r).run, "");
	rig_stop(&r);
}

/* One whose worker died ends as `lost`, and is one of those that all wait for. */
static void lost_with_its_worker(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	tell(&r, 'f', T0, &g);
	claim_all(&r, c);
	end_run(&r, &c[0], "succeeded");
	end_run(&r, &c[1], "succeeded");
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	assert_int_equal(runs_with(&r, "\"state\":\"lost\""), 1);
	assert_string_equal(rig_claim(&r).step, "page");
	rig_stop(&r);
}

/* Nobody claims them in time: all end, and nothing has failed. */
static void claimed_by_nobody(void **state)
{
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	tell(&r, 'f', T0, &g);
	rig_pass(&r, 2 * HOUR);
	rig_tick(&r);
	assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), STEPS);
	assert_int_equal(runs_with(&r, "\"step\":\"page\""), 0);
	rig_stop(&r);
}

static enum err_code approve(struct rig *r, const char *run, bool yes)
{
	return rig_await(r, store_run_approve(r->s, str_of(run), yes, STR("ann"), STR("go"),
				    rig_done, r, &r->e));
}

static void approved_together(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.rule.approval = true;
	struct rig_answer a = tell(&r, 'f', T0, &g);
	assert_int_equal(a.d[0].decision, DECISION_APPROVAL);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(runs_with(&r, "\"reason\":\"waits for a person to approve it\""), 1);
	assert_int_equal(
		runs_with(&r, "\"reason\":\"waits for a person to approve the first step\""), 2);
	assert_int_equal(approve(&r, a.d[0].run, true), ERR_NONE);
	for (size_t i = 0; i < STEPS; i++)
		c[i] = rig_claim(&r);
	assert_string_equal(c[2].step[0] ? rig_claim(&r).run : "none", "");
	for (size_t i = 0; i < STEPS; i++)
		end_run(&r, &c[i], "succeeded");
	assert_int_equal(runs_with(&r, "\"state\":\"succeeded\""), STEPS);
	rig_stop(&r);
}

static void rejected_together(void **state)
{
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.rule.approval = true;
	g.rule.approval_expires_ms = HOUR;
	struct rig_answer a = tell(&r, 'f', T0, &g);
	assert_int_equal(approve(&r, a.d[0].run, false), ERR_NONE);
	assert_int_equal(runs_with(&r, "\"state\":\"rejected\""), 1);
	assert_int_equal(runs_with(&r, "\"reason\":\"step 'eu' was rejected\""), 2);
	/* The same where nobody answers in time. */
	tell(&r, 'f', T0 + HOUR, &g);
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_int_equal(runs_with(&r, "\"state\":\"rejected\""), 2);
	assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), 4);
	assert_int_equal(runs_with(&r, "\"step\":\"page\""), 0);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:live"), 0);
	rig_stop(&r);
}

/* What runs is asked to stop, what has not begun is cancelled; nothing has failed by that. */
static void cancelled_by_the_resolve(void **state)
{
	struct rig_claimed first, second;
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	tell(&r, 'f', T0, &g);
	first = rig_claim(&r);
	second = rig_claim(&r);
	end_run(&r, &first, "succeeded");
	tell(&r, 'r', T0, NULL);
	assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), 1);
	assert_int_equal(runs_with(&r, "\"state\":\"running\""), 1);
	end_run(&r, &second, "cancelled");
	assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), 2);
	assert_int_equal(runs_with(&r, "\"step\":\"page\""), 0);
	rig_stop(&r);
}

/* One that was not begun is cancelled before one that fails by itself: that is told all the same.
 */
static void fails_while_the_others_are_cancelled(void **state)
{
	struct rig_claimed second, third;
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.steps[0].pool = STR("other");
	g.rule.on_resolve = STORE_ON_RESOLVE_CANCEL;
	tell(&r, 'f', T0, &g);
	second = rig_claim(&r);
	third = rig_claim(&r);
	tell(&r, 'r', T0, NULL);
	end_run(&r, &second, "failed");
	assert_string_equal(rig_claim(&r).run, "");
	end_run(&r, &third, "cancelled");
	assert_string_equal(rig_claim(&r).step, "page");
	assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), 2);
	rig_stop(&r);
}

static void on_act(void *ctx, const struct err *e, struct str incident)
{
	(void)incident;
	rig_done(ctx, e);
}

static void close_incident(struct rig *r, const char *id)
{
	struct store_act act = {.what = STORE_CLOSE,
		.incident = str_of(id),
		.who = STR("ann"),
		.text = STR("no need")};

	if (rig_await(r, store_incident_act(r->s, &act, on_act, r, &r->e)) != ERR_NONE)
		fail_msg("%s", r->e.text);
}

/* What has begun goes on, with those beside it. */
static void its_incident_is_closed(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	for (int begun = 0; begun <= STEPS; begun++) {
		begin(&r, &g);
		struct rig_answer a = tell(&r, 'f', T0, &g);
		for (int i = 0; i < begun; i++)
			c[i] = rig_claim(&r);
		close_incident(&r, a.incident);
		assert_int_equal(runs_with(&r, "\"state\":\"cancelled\""), begun ? 0 : STEPS);
		for (int i = begun; begun && i < STEPS; i++)
			c[i] = rig_claim(&r);
		assert_string_equal(rig_claim(&r).run, "");
		for (int i = 0; begun && i < STEPS; i++)
			end_run(&r, &c[i], "succeeded");
		assert_int_equal(runs_with(&r, "\"state\":\"succeeded\""), begun ? STEPS : 0);
		assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:live"), 0);
		rig_stop(&r);
	}
}

/* Steps on resolve find what all of them said. */
static void steps_on_resolve(void **state)
{
	struct rig_claimed c[STEPS], undo;
	struct store_step_in step = rig_step;
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	step.name = step.runbook = STR("undo");
	g.rule.on_resolve = STORE_ON_RESOLVE_STEPS;
	g.rule.resolve_steps = &step;
	g.rule.resolve_steps_n = 1;
	tell(&r, 'f', T0, &g);
	claim_all(&r, c);
	for (size_t i = 0; i < STEPS; i++)
		end_run(&r, &c[i], "succeeded");
	tell(&r, 'r', T0, NULL);
	undo = rig_claim(&r);
	assert_string_equal(undo.step, "undo");
	assert_has(str_of(undo.steps), "\"eu\":{\"state\":\"succeeded\"");
	assert_has(str_of(undo.steps), "\"asia\":{\"state\":\"succeeded\"");
	rig_stop(&r);
}

static double budget_left;

static void on_stats(void *ctx, const struct err *e, const struct store_stat *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(v[i].name, "slo_error_budget_remaining_ratio"))
			budget_left = v[i].value;
	rig_done(ctx, e);
}

static double budget(struct rig *r)
{
	budget_left = -100;
	rig_await(r, store_stats(r->s, on_stats, r, &r->e));
	return budget_left;
}

/* The group counts once for the rule's slo: by its last end, and good where all were. */
static void slo_of_all(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.rule.slo.objective = 50;
	g.rule.slo.within_ms = MINUTE;
	g.rule.slo.window_ms = 2 * HOUR;
	for (int round = 0; round < 2; round++) {
		tell(&r, 'f', T0 + round * HOUR, &g);
		claim_all(&r, c);
		for (size_t i = 0; i < STEPS; i++)
			end_run(&r, &c[i], round == 1 && i == 0 ? "failed" : "succeeded");
		if (round == 0) /* one good chain */
			assert_true(budget(&r) > 0.99);
	}
	/* one of two */
	assert_true(budget(&r) > -0.01 && budget(&r) < 0.01);
	rig_stop(&r);
}

/* Each needs room in the queue of its pool; with one that is full nothing runs. */
static void each_needs_room(void **state)
{
	struct group g;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1;
	group_init(&g);
	g.steps[2].pool = STR("other");
	assert_int_equal(tell(&r, 'f', T0, &g).d[0].decision, DECISION_RUN);
	g.steps[0].pool = STR("third");
	g.steps[1].pool = STR("third");
	struct rig_event ev = rig_alert("bbbbbbbbbbbbbbbb", 'f', T0);
	ev.rules[ev.rules_n++] = g.rule;
	struct rig_answer a;
	assert_int_equal(rig_ingest_n(&r, &ev, 1, 0, &a), ERR_FULL);
	assert_has(str_of(r.e.text), "'other' is full");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":queue:third"), 0);
	assert_int_equal(runs_with(&r, ""), STEPS);
	rig_stop(&r);
}

/* The same where `for` is over: nothing runs until there is room for all. */
static void each_needs_room_when_it_is_due(void **state)
{
	struct rig_event other = rig_alert("bbbbbbbbbbbbbbbb", 'f', T0);
	struct store_step_in step = rig_step;
	struct rig_claimed c;
	struct group g;
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1;
	step.pool = STR("other");
	other = rig_with_rule(other, "fills", &step, 1, 0);
	rig_ingest(&r, &other);
	group_init(&g);
	g.steps[STEPS - 1].pool = STR("other");
	g.rule.for_ms = MINUTE;
	assert_int_equal(tell(&r, 'f', T0, &g).d[0].decision, DECISION_PENDING);
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	assert_int_equal(runs_with(&r, "\"rule\":\"deploy\""), 0);
	assert_string_equal(rig_claim(&r).run, "");
	c = rig_claim_as(&r, "w1", "i1", "other");
	assert_string_equal(c.rule, "fills");
	end_run(&r, &c, "succeeded");
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	assert_int_equal(runs_with(&r, "\"rule\":\"deploy\""), STEPS);
	rig_stop(&r);
}

static void pause_all(struct rig *r, int64_t for_ms)
{
	struct store_pause in = {
		.what = STR("all"), .for_ms = for_ms, .who = STR("ann"), .reason = STR("a freeze")};

	assert_int_equal(rig_await(r, store_pause(r->s, &in, on_act, r, &r->e)), ERR_NONE);
}

/* One of them is held for longer than those that have ended are kept for. */
static void kept_while_one_of_them_lasts(void **state)
{
	struct rig_claimed c[STEPS];
	struct group g;
	struct rig r;

	(void)state;
	for (size_t late = 0; late < STEPS; late++) {
		begin(&r, &g);
		tell(&r, 'f', T0, &g);
		claim_all(&r, c);
		for (size_t i = 0; i < STEPS; i++)
			end_run(&r, &c[i], i == late ? "release" : "failed");
		pause_all(&r, 40 * DAY);
		assert_string_equal(rig_claim(&r).run, "");
		rig_pass(&r, 40 * DAY);
		for (int i = 0; i < 3; i++)
			rig_tick(&r);
		c[late] = rig_claim(&r);
		end_run(&r, &c[late], "succeeded");
		c[0] = rig_claim(&r);
		assert_string_equal(c[0].step, "page");
		assert_has(str_of(c[0].steps), "\"state\":\"failed\"");
		end_run(&r, &c[0], "succeeded");
		/* They go together then. */
		rig_pass(&r, 40 * DAY);
		for (int i = 0; i < 3; i++)
			rig_tick(&r);
		assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:done"), 0);
		rig_stop(&r);
	}
}

static void said_in_a_dry_run(void **state)
{
	struct group g;
	struct rig r;

	(void)state;
	begin(&r, &g);
	g.rule.ask = DECISION_DRY_RUN;
	struct rig_answer a = tell(&r, 'f', T0, &g);
	assert_string_equal(a.d[0].reason, "its mode is dry_run; it would run 'disk-usage', "
					   "'disk-usage', 'disk-usage' at once");
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(all_begin_at_once), cmocka_unit_test(what_follows_waits_for_all),
	cmocka_unit_test(told_twice), cmocka_unit_test(lost_with_its_worker),
	cmocka_unit_test(claimed_by_nobody), cmocka_unit_test(approved_together),
	cmocka_unit_test(rejected_together), cmocka_unit_test(cancelled_by_the_resolve),
	cmocka_unit_test(fails_while_the_others_are_cancelled),
	cmocka_unit_test(its_incident_is_closed), cmocka_unit_test(steps_on_resolve),
	cmocka_unit_test(slo_of_all), cmocka_unit_test(each_needs_room),
	cmocka_unit_test(each_needs_room_when_it_is_due),
	cmocka_unit_test(kept_while_one_of_them_lasts),
	cmocka_unit_test(said_in_a_dry_run))
