/* Pauses: what they hold back, how they end, and how many there may be. */
#include "store_rig.h"

#define T0 RIG_T0

static char told[4096]; /* the answer of the last call */

static void on_told(void *ctx, const struct err *e, struct str text)
{
	snprintf(told, sizeof(told), "%.*s", STR_ARG(text));
	rig_done(ctx, e);
}

static enum err_code pause_for(struct rig *r, const char *what, int64_t for_ms)
{
	struct store_pause in = {
		str_of(what), for_ms, STR("token ann"), STR("the disk is \"moved\"")};

	return rig_await(r, store_pause(r->s, &in, on_told, r, &r->e));
}

static enum err_code resume(struct rig *r, const char *what)
{
	struct store_pause in = {
		.what = str_of(what), .who = STR("token bob"), .reason = STR("done")};

	return rig_await(r, store_resume(r->s, &in, on_told, r, &r->e));
}

static const char *list(struct rig *r)
{
	assert_int_equal(rig_await(r, store_pauses(r->s, on_told, r, &r->e)), ERR_NONE);
	return told;
}

static struct store_decision_in a_rule(const char *name)
{
	return (struct store_decision_in){
		.rule = str_of(name), .ask = DECISION_RUN, .steps = &rig_step, .steps_n = 1};
}

static struct rig_event new_event(const struct store_decision_in *rule)
{
	static char fp[64][17];
	static unsigned n;
	char *name = fp[n % 64];

	snprintf(name, 17, "%016x", n++);
	struct rig_event ev = rig_alert(name, 'f', T0);
	ev.rules[ev.rules_n++] = *rule;
	return ev;
}

static struct rig_answer fire(struct rig *r, const struct store_decision_in *rule)
{
	struct rig_event ev = new_event(rule);

	return rig_ingest(r, &ev);
}

static void a_rule_until_its_time_is_over(void **state)
{
	struct rig r;
	struct store_decision_in fix = a_rule("fix"), other = a_rule("fixed");

	(void)state;
	rig_start(&r, true);
	fix.cooldown_ms = HOUR;
	assert_int_equal(pause_for(&r, "rule fix", MINUTE), ERR_NONE);
	assert_string_equal(told,
		"{\"rule\":\"fix\",\"since\":\"2025-11-22T20:00:00.000Z\",\"until\":\"2025-11-"
		"22T20:01:00.000Z\","
		"\"who\":\"token ann\",\"reason\":\"the disk is \\\"moved\\\"\"}");
	struct rig_answer a = fire(&r, &fix);
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	assert_string_equal(a.d[0].reason, "the rule is paused until 2025-11-22T20:01:00.000Z by "
					   "token ann: the disk is \"moved\"");
	assert_string_equal(a.d[0].run, "");
	assert_int_equal(fire(&r, &other).d[0].decision, DECISION_RUN);
	rig_pass(&r, MINUTE - 1);
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_PAUSED);
	rig_pass(&r, 1);
	/* It began no cooldown, and is no longer shown, with or without a tick. */
	assert_string_equal(list(&r), "[]");
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

static void a_runbook_in_any_step(void **state)
{
	static const struct store_step_in notify = {.name = {"tell", 4},
		.runbook = {"notify", 6},
		.runbook_sha256 = {"5ha", 3},
		.pool = {"default", 7},
		.params_json = {"{}", 2}};
	struct rig r;
	struct store_decision_in fix = a_rule("fix"), step_only = a_rule("tell");

	(void)state;
	rig_start(&r, true);
	step_only.steps = &notify;
	fix.failure_steps = &notify;
	fix.failure_steps_n = 1;
	assert_int_equal(pause_for(&r, "runbook notify", MINUTE), ERR_NONE);
	struct rig_answer a = fire(&r, &fix);
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	assert_string_equal(a.d[0].reason,
		"its runbook 'notify' is paused until 2025-11-22T20:01:00.000Z by token ann: "
		"the disk is \"moved\"");
	assert_int_equal(fire(&r, &step_only).d[0].decision, DECISION_PAUSED);
	fix.failure_steps_n = 0;
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

static void all_until_somebody_resumes(void **state)
{
	struct rig r;
	struct store_decision_in fix = a_rule("fix");
	struct rig_answer a;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(pause_for(&r, "all", HOUR), ERR_NONE);
	fix.ask = DECISION_DRY_RUN;
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_PAUSED);
	fix.ask = DECISION_RUN;
	struct rig_event ev = new_event(&fix);
	assert_int_equal(rig_call(&r, RIG_EXPLAIN, &ev, 1, 0, &a), ERR_NONE);
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_PAUSED);
	assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_DUPLICATE);
	assert_int_equal(resume(&r, "rule fix"), ERR_NOT_FOUND);
	assert_int_equal(resume(&r, "all"), ERR_NONE);
	assert_non_null(strstr(told, "{\"all\":true,"));
	assert_int_equal(resume(&r, "all"), ERR_NOT_FOUND);
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

static void what_comes_due_meanwhile(void **state)
{
	struct rig r;
	struct store_decision_in fix = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	fix.for_ms = MINUTE;
	assert_int_equal(fire(&r, &fix).d[0].decision, DECISION_PENDING);
	assert_int_equal(pause_for(&r, "rule fix", HOUR), ERR_NONE);
	rig_pass(&r, MINUTE);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.late_n, 1);
	assert_int_equal(t.due_in_ms, -1);
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	assert_non_null(rows);
	rig_list(&r, STORE_RUNS, &(struct store_page){.limit = 10}, rows);
	assert_int_equal(rows->n, 0);
	free(rows);
	rig_stop(&r);
}

static void a_hundred_at_once(void **state)
{
	struct rig r;
	char what[32];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 100; i++) {
		snprintf(what, sizeof(what), "rule r%d", i);
		assert_int_equal(pause_for(&r, what, i == 7 ? MINUTE : HOUR), ERR_NONE);
	}
	assert_int_equal(pause_for(&r, "rule more", HOUR), ERR_CONFLICT);
	assert_non_null(strstr(r.e.text, "100 pauses"));
	/* One that is there may be made longer, and one that is over makes room. */
	assert_int_equal(pause_for(&r, "rule r8", 2 * HOUR), ERR_NONE);
	rig_pass(&r, MINUTE);
	assert_int_equal(pause_for(&r, "rule more", HOUR), ERR_NONE);
	assert_int_equal(pause_for(&r, "rule r7", HOUR), ERR_CONFLICT);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(a_rule_until_its_time_is_over), cmocka_unit_test(a_runbook_in_any_step),
	cmocka_unit_test(all_until_somebody_resumes), cmocka_unit_test(what_comes_due_meanwhile),
	cmocka_unit_test(a_hundred_at_once))
