/* Runs: from a rule's decision through queue, claim and fence to their end, step by step. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

static void from_rule_to_end(void **state)
{
	struct rig r;
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, 0);
	struct store_line lines[] = {{T0, false, STR("hello")}, {T0 + 1, true, STR("a \"b\" \xff")}};
	struct rig_rows *rows = calloc(1, sizeof(*rows));

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = rig_ingest(&r, &ev);
	assert_int_equal(a.d[0].decision, DECISION_RUN);
	struct rig_text run = rig_get(&r, STORE_RUN, a.d[0].run);
	assert_text(run, "\"state\":\"queued\"");
	rig_pass(&r, 40);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, a.d[0].run);
	assert_string_equal(c.rule, "disk-full");
	assert_int_equal(c.attempt, 1);
	assert_int_equal(c.depth, 1);
	assert_int_equal(c.claimed - c.received, 40);
	assert_has(str_of(c.event), "\"fingerprint\":\"" A "\"");
	assert_has(str_of(c.incident_json), a.incident);
	assert_string_equal(c.steps, "{}");
	assert_string_equal(rig_claim(&r).run, "");
	rig_await(&r, store_output(r.s, rig_held(&c), lines, 2, rig_done, &r, &r.e));
	assert_int_equal(r.e.code, ERR_NONE);
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	run = rig_get(&r, STORE_RUN, a.d[0].run);
	printf("%s\n", run.text);
	rows->r = &r;
	rig_await(&r, store_run_output(r.s, str_of(c.run), 0, 10, rig_on_rows, rows, &r.e));
	for (size_t i = 0; i < rows->n; i++)
		printf("%s\n", rows->v[i]);
	struct store_page page = {.id = str_of(a.incident), .limit = 50};
	enum store_list what[] = {STORE_TIMELINE, STORE_INCIDENT_ALERTS, STORE_INCIDENT_RUNS, STORE_EVENTS, STORE_ALERTS, STORE_RUNS, STORE_INCIDENTS, STORE_AUDIT};
	for (size_t k = 0; k < 8; k++) {
		rig_list(&r, what[k], &page, rows);
		printf("%zu: %zu rows, %d %s\n", k, rows->n, rows->more, r.e.code ? r.e.text : "");
		for (size_t i = 0; i < rows->n; i++)
			printf("  %s %s\n", rows->cursor[i], rows->v[i]);
	}
	rig_tick(&r);
	free(rows);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(from_rule_to_end))
