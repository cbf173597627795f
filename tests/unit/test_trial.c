/* trial: histories on a private redis-server whose clock stands still: what is decided, which runs
 * start and end, and when; that one history knows nothing of the one before.
 */
#include "unit.h"
#include "conf/conf.h"
#include "run/private_redis.h"
#include "trial/trial.h"

#define S INT64_C(1000)
#define M (60 * S)
#define T0 TRIAL_T0

static const char books[] = "#!/bin/sh\n# ---\n# summary: x\n# params: {path: {default: /}}\n# "
			    "retries: {max: 1, backoff: 10s}\n# ---\n";

static const char rules_text[] =
	"rules:\n"
	"  - name: plain\n    match: alertname = Plain\n    steps: [{runbook: look}]\n"
	"  - name: cool\n    match: alertname = Cool\n    cooldown: 5m\n    steps: [{runbook: "
	"look}]\n"
	"  - name: chain\n    match: alertname = Chain\n"
	"    steps: [{runbook: look}, {runbook: mend, with: {path: '{{ steps.look.output }}'}}]\n"
	"  - name: after\n    match: 'event.type = run, outcome = failed, runbook = look'\n    "
	"steps: [{runbook: mend}]\n"
	"  - name: missing\n    match: alertname = Missing\n    steps: [{runbook: mend, with: "
	"{path: '{{ labels.none }}'}}]\n"
	"  - {name: waits, match: alertname = Waits, for: 1h, steps: [{runbook: look}]}\n"
	"  - {name: waits-not, match: alertname = Waits, steps: [{runbook: look}]}\n"
	"  - name: ever\n    match: 'event.type = run, rule =~ \"ever.*\"'\n    steps: [{runbook: "
	"look}]\n"
	"  - name: ever-first\n    match: alertname = Ever\n    steps: [{runbook: look}]\n";

struct rig {
	struct trial *t;
	struct conf *conf;
	struct ruleset *rules;
	struct trial_outcome outcome; /* of look; ends_ms is from its start */
	struct err e;
};

static void on_run(void *ctx, const struct trial_run *run, struct trial_outcome *out)
{
	const struct rig *r = ctx;

	if (str_is(run->runbook, "look") && r->outcome.state) {
		*out = r->outcome;
		out->ends_ms += run->at_ms;
	}
}

static void begin(struct rig *r)
{
	struct trial_setup s = {r->rules, r->conf, T0, on_run, r};

	if (trial_begin(r->t, &s, &r->e) < 0)
		fail_msg("%s", r->e.text);
	r->outcome = (struct trial_outcome){.ends_ms = 0};
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct diags d;
	struct str address;
	struct ruleset_file rules = {"r.yml", str_of(rules_text)};
	struct ruleset_file runbooks[] = {{"look.sh", str_of(books)}, {"mend.sh", str_of(books)}};

	diags_init(&d);
	r->conf = conf_parse(STR("limits: {chain_depth: 64}\n"), "c.yml", "/", &d);
	struct ruleset_input in = {&rules, 1, runbooks, 2, r->conf};
	r->rules = ruleset_build(&in, &d);
	if (!r->rules)
		fail_msg("%s", d.n ? d.v[0].text : "");
	diags_release(&d);
	if (private_redis_start(&address, &r->e) < 0)
		fail_msg("%s", r->e.text);
	r->t = trial_new(address, &r->e);
	assert_non_null(r->t);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	trial_free(r->t);
	private_redis_stop();
	ruleset_unref(r->rules);
	conf_free(r->conf);
	free(r);
	return 0;
}

static struct trial_answer feed_at(
	struct rig *r, int64_t at, const char *name, enum event_status status, int64_t starts)
{
	struct kv label = {STR("alertname"), str_of(name)};
	struct event ev = {
		.source = STR("alertmanager"),
		.type = STR("alert"),
		.status = status,
		.fingerprint = str_of(name),
		.starts_ns = (T0 + starts) * 1000000,
		.labels = &label,
		.labels_n = 1,
	};
	struct trial_answer a = {.duplicate = false};

	if (trial_feed(r->t, T0 + at, &ev, &a, &r->e) < 0)
		fail_msg("%s", r->e.text);
	return a;
}

static struct trial_answer fire(struct rig *r, int64_t at, const char *name, int64_t starts)
{
	return feed_at(r, at, name, EVENT_FIRING, starts);
}

static void test_run_starts_and_ends_at_once(void **state)
{
	struct rig *r = *state;

	begin(r);
	struct trial_answer a = fire(r, 0, "Plain", 0);
	assert_false(a.duplicate);
	assert_int_equal(a.decisions_n, 1);
	assert_int_equal(a.decisions[0].decision, DECISION_RUN);
	assert_str(a.decisions[0].rule, "plain");
	struct trial_log log = trial_log(r->t);
	assert_int_equal(log.decisions_n, 1);
	assert_int_equal(log.runs_n, 1);
	assert_int_equal(log.runs[0].at_ms, T0);
	assert_int_equal(log.runs[0].ended_ms, T0);
	assert_int_equal(log.runs[0].state, RUN_SUCCEEDED);
	assert_str(log.runs[0].runbook, "look");
	assert_true(str_eq(log.runs[0].run, a.decisions[0].run));
	assert_true(str_eq(log.runs[0].event, a.decisions[0].event));
	assert_int_equal(log.runs[0].params_n, 1);
	assert_str(log.runs[0].params[0].value, "/");
}

static void test_duplicate_is_in_the_log(void **state)
{
	struct rig *r = *state;

	begin(r);
	struct trial_answer first = fire(r, 0, "Plain", 0);
	struct trial_answer again = fire(r, M, "Plain", 0);
	assert_true(again.duplicate);
	assert_int_equal(again.decisions_n, 1);
	assert_int_equal(again.decisions[0].decision, DECISION_DUPLICATE);
	assert_int_equal(again.decisions[0].at_ms, T0 + M);
	assert_true(str_eq(again.decisions[0].event, first.decisions[0].event));
	assert_int_equal(trial_log(r->t).runs_n, 1);
}

static void test_what_an_event_ends_is_not_its_own(void **state)
{
	struct rig *r = *state;

	begin(r);
	struct trial_decision first = fire(r, 0, "Waits", 0).decisions[0];
	struct trial_answer a = fire(r, 10 * M, "Waits", 10 * M);
	assert_int_equal(a.decisions_n, 2);
	assert_str(a.decisions[0].rule, "waits");
	assert_int_equal(a.decisions[0].decision, DECISION_PENDING);
	assert_false(a.decisions[0].later);
	assert_str(a.decisions[1].rule, "waits-not");
	assert_int_equal(a.decisions[1].decision, DECISION_RUN);
	assert_false(str_eq(a.decisions[0].event, first.event));
	assert_true(str_eq(a.decisions[0].event, a.decisions[1].event));
}

static void test_cooldown_ends_on_the_trials_clock(void **state)
{
	struct rig *r = *state;

	begin(r);
	assert_int_equal(fire(r, 0, "Cool", 0).decisions[0].decision, DECISION_RUN);
	feed_at(r, M, "Cool", EVENT_RESOLVED, 0);
	struct trial_answer cooling = fire(r, 5 * M - 1, "Cool", 5 * M - 1);
	assert_int_equal(cooling.decisions[0].decision, DECISION_COOLDOWN);
	assert_str(cooling.decisions[0].reason, "in cooldown until 2025-01-01T00:05:00.000Z");
	feed_at(r, 5 * M - 1, "Cool", EVENT_RESOLVED, 5 * M - 1);
	assert_int_equal(fire(r, 5 * M, "Cool", 5 * M).decisions[0].decision, DECISION_RUN);
}

static void test_histories_know_nothing_of_each_other(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 3; i++) {
		begin(r);
		struct trial_answer a = fire(r, 0, "Cool", 0);
		assert_false(a.duplicate);
		assert_int_equal(a.decisions[0].decision, DECISION_RUN);
		assert_int_equal(a.decisions[0].at_ms, T0);
	}
}

static void test_steps_follow_each_other_and_see_output(void **state)
{
	struct rig *r = *state;

	begin(r);
	r->outcome = (struct trial_outcome){
		.ends_ms = 30 * S, .state = RUN_SUCCEEDED, .output = STR("/var/log")};
	fire(r, 0, "Chain", 0);
	assert_int_equal(trial_log(r->t).runs_n, 1);
	assert_int_equal(trial_next_due(r->t), T0 + 30 * S);
	assert_int_equal(trial_advance(r->t, T0 + M, &r->e), 0);
	struct trial_log log = trial_log(r->t);
	assert_int_equal(log.runs_n, 2);
	assert_int_equal(log.runs[0].ended_ms, T0 + 30 * S);
	assert_int_equal(log.runs[1].at_ms, T0 + 30 * S);
	assert_str(log.runs[1].runbook, "mend");
	assert_str(log.runs[1].params[0].value, "/var/log");
	assert_int_equal(trial_now(r->t), T0 + M);
}

static void test_result_comes_back_as_an_event(void **state)
{
	struct rig *r = *state;

	begin(r);
	r->outcome = (struct trial_outcome){.state = RUN_FAILED,
		.has_exit = true,
		.exit_code = 3,
		.reason = STR("exit status 3")};
	fire(r, 0, "Plain", 0);
	struct trial_log log = trial_log(r->t);
	assert_int_equal(log.decisions_n, 2);
	assert_str(log.decisions[1].rule, "after");
	assert_true(log.decisions[1].later);
	assert_int_equal(log.runs_n, 2);
	assert_int_equal(log.runs[0].state, RUN_FAILED);
	assert_str(log.runs[1].runbook, "mend");
}

static void test_retry_comes_after_its_backoff(void **state)
{
	struct rig *r = *state;

	begin(r);
	r->outcome = (struct trial_outcome){
		.state = RUN_FAILED, .retry = true, .has_exit = true, .exit_code = 75};
	fire(r, 0, "Plain", 0);
	assert_int_equal(trial_advance(r->t, T0 + M, &r->e), 0);
	struct trial_log log = trial_log(r->t);
	assert_int_equal(log.runs[1].at_ms, T0 + 10 * S);
	assert_int_equal(log.runs[1].attempt, 2);
	assert_str(log.runs[2].rule, "after"); /* both were used up: it failed */
}

static void test_missing_value_is_an_error_decision(void **state)
{
	struct rig *r = *state;

	begin(r);
	struct trial_answer a = fire(r, 0, "Missing", 0);
	assert_int_equal(a.decisions[0].decision, DECISION_ERROR);
	assert_has(a.decisions[0].reason, "labels.none");
	assert_int_equal(trial_log(r->t).runs_n, 0);
}

static void test_no_rule_no_decision(void **state)
{
	struct rig *r = *state;

	begin(r);
	assert_int_equal(fire(r, 0, "Other", 0).decisions_n, 0);
	assert_int_equal(trial_log(r->t).decisions_n, 0);
}

static void test_a_circle_of_rules_ends(void **state)
{
	struct rig *r = *state;

	begin(r);
	fire(r, 0, "Ever", 0);
	struct trial_log log = trial_log(r->t);
	assert_int_equal(log.decisions[log.decisions_n - 1].decision, DECISION_LIMIT);
	assert_true(log.runs_n < 70);
}

static void test_server_that_is_gone_is_an_error(void **state)
{
	struct trial *t;
	struct trial_setup s = {
		((struct rig *)*state)->rules, ((struct rig *)*state)->conf, T0, NULL, NULL};
	struct err e;

	t = trial_new(STR("unix:/nowhere/at/all"), &e);
	assert_non_null(t);
	assert_int_equal(trial_begin(t, &s, &e), -1);
	assert_int_equal(e.code, ERR_AWAY);
	trial_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_starts_and_ends_at_once),
		cmocka_unit_test(test_duplicate_is_in_the_log),
		cmocka_unit_test(test_what_an_event_ends_is_not_its_own),
		cmocka_unit_test(test_cooldown_ends_on_the_trials_clock),
		cmocka_unit_test(test_histories_know_nothing_of_each_other),
		cmocka_unit_test(test_steps_follow_each_other_and_see_output),
		cmocka_unit_test(test_result_comes_back_as_an_event),
		cmocka_unit_test(test_retry_comes_after_its_backoff),
		cmocka_unit_test(test_missing_value_is_an_error_decision),
		cmocka_unit_test(test_no_rule_no_decision),
		cmocka_unit_test(test_a_circle_of_rules_ends),
		cmocka_unit_test(test_server_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
