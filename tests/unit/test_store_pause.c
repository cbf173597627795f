/* Pauses: what they hold back, how they end, and how many there may be. */
#include "store_rig.h"

#define T0 RIG_T0

static char told[4096]; /* the answer of the last call */

static void on_told(void *ctx, const struct err *e, struct str text)
{
	snprintf(told, sizeof(told), "%.*s", STR_ARG(text));
	rig_done(ctx, e);
}

static enum err_code pause_tests(struct rig *r, const char *what, const char *tests, int64_t for_ms)
{
	struct store_pause in = {str_of(what), for_ms, STR("token ann"),
		STR("the disk is \"moved\""), str_of(tests)};

	return rig_await(r, store_pause(r->s, &in, on_told, r, &r->e));
}

static enum err_code pause_for(struct rig *r, const char *what, int64_t for_ms)
{
	return pause_tests(r, what, NULL, for_ms);
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

/* Of the rig's events: source am, label alertname Disk, severity warning, summary "disk of …". */
static void by_matchers(void **state)
{
	static const struct {
		const char *tests;
		bool holds;
	} cases[] = {
		{"[[\"l\",\"alertname\",0,0,0,\"Disk\"]]", true},
		{"[[\"l\",\"alertname\",1,0,0,\"Disk\"]]", false},
		{"[[\"l\",\"alertname\",0,0,0,\"Dis\",\"isk\"]]", false},
		{"[[\"l\",\"alertname\",0,0,0,\"CPU\",\"Disk\"]]", true},
		{"[[\"l\",\"alertname\",0,0,1,\"Disk\"]]", true},
		{"[[\"l\",\"alertname\",0,0,2,\"Disk\"]]", false},
		{"[[\"l\",\"alertname\",0,0,2,\"Dis\"]]", true},
		{"[[\"l\",\"alertname\",0,1,0,\"isk\"]]", true},
		{"[[\"l\",\"alertname\",0,2,0,\"Disk\"]]", false},
		{"[[\"l\",\"alertname\",0,2,0,\"isk\"]]", true},
		{"[[\"l\",\"alertname\",0,2,2,\"is\"]]", true},
		{"[[\"l\",\"alertname\",0,2,2,\"isk\"]]", false},
		{"[[\"l\",\"alertname\",0,2,1,\"Di\"]]", false},
		{"[[\"l\",\"alertname\",0,0,2,\"\"]]", true},
		{"[[\"l\",\"cluster\",0,0,2,\"\"]]", false},
		{"[[\"l\",\"cluster\",0,0,0,\"\"]]", true},
		{"[[\"l\",\"cluster\",1,0,0,\"eu\"]]", true},
		{"[[\"a\",\"runbook\",0,0,0,\"\"]]", true},
		{"[[\"e\",\"severity\",0,0,0,\"warning\"],[\"e\",\"source\",0,0,0,\"am\"]]", true},
		{"[[\"e\",\"severity\",0,0,0,\"warning\"],[\"e\",\"source\",0,0,0,\"other\"]]",
			false},
	};
	struct rig r;
	struct store_decision_in fix = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			pause_tests(&r, "matchers a=\"b\"", cases[i].tests, HOUR), ERR_NONE);
		struct rig_answer a = fire(&r, &fix);
		if (a.d[0].decision != (cases[i].holds ? DECISION_PAUSED : DECISION_RUN))
			fail_msg("%s: %s", cases[i].tests, a.d[0].reason);
	}
	assert_string_equal(list(&r),
		"[{\"matchers\":\"a=\\\"b\\\"\",\"since\":\"2025-11-22T20:00:00.000Z\",\"until\":"
		"\"2025-11-22T21:00:"
		"00.000Z\",\"who\":\"token ann\",\"reason\":\"the disk is \\\"moved\\\"\"}]");
	assert_int_equal(pause_tests(&r, "matchers a=\"b\"", cases[0].tests, HOUR), ERR_NONE);
	struct rig_answer a = fire(&r, &fix);
	assert_string_equal(a.d[0].reason,
		"what has a=\"b\" is paused until 2025-11-22T21:00:00.000Z by "
		"token ann: the disk is \"moved\"");
	/* Also what came before the pause, and is due in it. */
	assert_int_equal(resume(&r, "matchers a=\"b\""), ERR_NONE);
	fix.for_ms = MINUTE;
	fire(&r, &fix);
	assert_int_equal(pause_tests(&r, "matchers a=\"b\"", cases[0].tests, HOUR), ERR_NONE);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_PAUSED);
	rig_stop(&r);
}

static const char *run_reason(struct rig *r, const char *id)
{
	static char reason[1000];
	redisReply *reply = server_ask(&r->server, "HGET " RIG_KEY ":run:%s reason", id);

	snprintf(reason, sizeof(reason), "%s", reply->str);
	freeReplyObject(reply);
	return reason;
}

static long long count_of(struct rig *r, const char *command, const char *key)
{
	redisReply *reply = server_ask(&r->server, "%s " RIG_KEY ":%s", command, key);
	long long n = reply->integer;

	freeReplyObject(reply);
	return n;
}

static void queued_runs_wait(void **state)
{
	static const char *const pauses[][2] = {{"rule fix", ""}, {"runbook disk-usage", ""},
		{"all", ""}, {"matchers x", "[[\"l\",\"alertname\",0,0,0,\"Disk\"]]"}};
	static const char *const texts[] = {"the rule is paused", "the runbook is paused",
		"all rules are paused", "what has x is paused"};
	struct rig r;
	struct store_decision_in fix = a_rule("fix"), other = a_rule("other");
	struct store_step_in step = rig_step;

	(void)state;
	rig_start(&r, true);
	step.runbook = STR("other");
	other.steps = &step;
	for (size_t i = 0; i < 4; i++) {
		struct rig_answer a = fire(&r, &fix), b = fire(&r, &other);
		char want[300];

		assert_int_equal(pause_tests(&r, pauses[i][0], pauses[i][1], MINUTE), ERR_NONE);
		if (i < 2) { /* the other one is of another rule, and runbook */
			struct rig_claimed c = rig_claim(&r);
			assert_string_equal(c.run, b.d[0].run);
			assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
		}
		assert_string_equal(rig_claim(&r).run, "");
		snprintf(want, sizeof(want), "paused: %s until 2025-11-22T", texts[i]);
		assert_has(str_of(run_reason(&r, a.d[0].run)), want);
		long long records = count_of(&r, "XLEN", "audit");
		assert_string_equal(rig_claim(&r).run, ""); /* said once */
		assert_int_equal(count_of(&r, "XLEN", "audit"), records);
		assert_in_range(rig_tick(&r).due_in_ms, 1, MINUTE);
		rig_pass(&r, MINUTE - 1);
		assert_string_equal(rig_claim(&r).run, "");
		rig_pass(&r, 1);
		struct rig_claimed c = rig_claim(&r);
		assert_string_equal(c.run, a.d[0].run);
		assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
		if (i >= 2) {
			c = rig_claim(&r);
			assert_string_equal(c.run, b.d[0].run);
			assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
		}
		rig_tick(&r);
		assert_int_equal(count_of(&r, "EXISTS", "held"), 0);
		assert_string_equal(list(&r), "[]");
	}
	rig_stop(&r);
}

/* A pause that ends before lets them go at once; another one keeps them; their time in the queue
 * begins anew. */
static void held_until_all_pauses_are_over(void **state)
{
	struct rig r;
	struct store_decision_in fix = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, &fix);
	assert_int_equal(pause_for(&r, "all", 2 * HOUR), ERR_NONE);
	assert_int_equal(pause_for(&r, "rule fix", 4 * HOUR), ERR_NONE);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(resume(&r, "all"), ERR_NONE);
	assert_string_equal(rig_claim(&r).run, "");
	assert_has(str_of(run_reason(&r, a.d[0].run)),
		"paused: the rule is paused until 2025-11-23T00:00");
	assert_int_equal(pause_for(&r, "rule fix", 3 * HOUR),
		ERR_NONE); /* shorter, and longer than queue_ttl */
	rig_pass(&r, 2 * HOUR);
	assert_int_equal(rig_tick(&r).expired, 0);
	assert_string_equal(rig_claim(&r).run, "");
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_string_equal(run_reason(&r, a.d[0].run), "");
	rig_pass(&r, HOUR - 1);
	assert_int_equal(rig_tick(&r).expired, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).expired, 1);
	rig_stop(&r);
}

static void a_run_by_hand_is_not_held(void **state)
{
	struct rig r;
	struct store_manual_run run = {
		.step = rig_step, .who = STR("ann"), .ruleset_hash = STR("h")};
	struct rig_text id = {.r = &r};

	(void)state;
	rig_start(&r, true);
	run.limits = r.limits;
	assert_int_equal(pause_for(&r, "all", HOUR), ERR_NONE);
	assert_int_equal(rig_await(&r, store_run_new(r.s, &run, rig_on_text, &id, &r.e)), ERR_NONE);
	assert_string_equal(rig_claim(&r).run, id.text);
	rig_stop(&r);
}

static void the_end_is_audited_once(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));

	(void)state;
	assert_non_null(rows);
	rig_start(&r, true);
	assert_int_equal(pause_for(&r, "rule fix", MINUTE), ERR_NONE);
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	rig_tick(&r);
	rig_list(&r, STORE_AUDIT, &(struct store_page){.limit = 10}, rows);
	assert_int_equal(rows->n, 2);
	assert_has(str_of(rows->v[0]), "\"what\":\"pause_end\",\"who\":\"runbookd\",\"rule\":"
				       "\"fix\",\"until\":\"2025-11-22T20:01:00.000Z\"");
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
	cmocka_unit_test(by_matchers), cmocka_unit_test(queued_runs_wait),
	cmocka_unit_test(held_until_all_pauses_are_over),
	cmocka_unit_test(a_run_by_hand_is_not_held), cmocka_unit_test(the_end_is_audited_once),
	cmocka_unit_test(a_hundred_at_once))
