/* What the configuration plans: when windows are open, and what inhibits what. */
#include "store_rig.h"

#define T0 RIG_T0 /* a Saturday, 20:00 */

static struct store_decision_in a_rule(void)
{
	return (struct store_decision_in){
		.rule = STR("fix"), .ask = DECISION_RUN, .steps = &rig_step, .steps_n = 1};
}

static struct rig_event alert_of(const char *fp, char status, const char *facts)
{
	struct rig_event ev = rig_alert(fp, status, 0);

	ev.facts = facts;
	if (status == 'f')
		ev.rules[ev.rules_n++] = a_rule();
	return ev;
}

static struct rig_answer tell(struct rig *r, const char *fp, char status, const char *facts)
{
	struct rig_event ev = alert_of(fp, status, facts);

	ev.starts = r->now;
	return rig_ingest(r, &ev);
}

/* What becomes of a new alert with these facts. */
static struct rig_answer fire(struct rig *r, const char *facts)
{
	static unsigned n;
	static char fp[17];

	snprintf(fp, sizeof(fp), "%016x", 0x1000 + n++);
	return tell(r, fp, 'f', facts);
}

#define paused(r, facts) (fire(r, facts).d[0].decision == DECISION_PAUSED)

static void windows(void **state)
{
	static const struct {
		const char *facts;
		int64_t opens, closes; /* since T0 */
	} cases[] = {
		{"m 1763842200000 1763845800000 one\n", 10 * MINUTE, 70 * MINUTE},
		/* Saturdays from 21:00 for 2 h; then each day; then over the turn of the week, and
		   one that began last week */
		{"w 32 75600000 7200000 sat\n", HOUR, 3 * HOUR},
		{"w 127 79200000 60000 daily\n", 2 * HOUR, 2 * HOUR + MINUTE},
		{"w 64 84600000 7200000 sun\n", DAY + 3 * HOUR + 30 * MINUTE,
			DAY + 5 * HOUR + 30 * MINUTE},
		{"w 1 0 3600000 mon\n", DAY + 4 * HOUR, DAY + 5 * HOUR},
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_start(&r, true);
		assert_false(paused(&r, cases[i].facts));
		rig_time(&r, T0 + cases[i].opens - 1);
		assert_false(paused(&r, cases[i].facts));
		rig_time(&r, T0 + cases[i].opens);
		assert_true(paused(&r, cases[i].facts));
		rig_time(&r, T0 + cases[i].closes - 1);
		assert_true(paused(&r, cases[i].facts));
		rig_time(&r, T0 + cases[i].closes);
		assert_false(paused(&r, cases[i].facts));
		rig_stop(&r);
	}
}

static void a_window_of_seven_days_is_always_open(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 15; i++) {
		struct rig_answer a = fire(&r, "w 4 3600000 604800000 all\n");
		assert_int_equal(a.d[0].decision, DECISION_PAUSED);
		if (i == 0)
			assert_string_equal(a.d[0].reason,
				"maintenance window 'all' until 2025-11-26T01:00:00.000Z");
		rig_pass(&r, 13 * HOUR);
	}
	rig_stop(&r);
}

static void what_comes_due_in_a_window(void **state)
{
	struct rig r;
	struct rig_event ev =
		alert_of("00000000000000aa", 'f', "m 1763842200000 1763845800000 one\n");

	(void)state;
	rig_start(&r, true);
	ev.starts = T0;
	ev.rules[0].for_ms = 10 * MINUTE;
	assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_PENDING);
	rig_pass(&r, 10 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_PAUSED);
	rig_stop(&r);
}

static void a_source_inhibits_while_it_fires(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_false(paused(&r, "t x:1 0\n"));
	assert_int_equal(tell(&r, "00000000000000aa", 'f', "s x:1 0 Node Down\n").d[0].decision,
		DECISION_RUN);
	struct rig_answer a = fire(&r, "t x:1 0\n");
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	assert_string_equal(
		a.d[0].reason, "inhibited while alert Node Down (am:00000000000000aa) fires");
	assert_false(paused(&r, "t x:2 0\n"));
	struct rig_event ev = alert_of("00000000000000bb", 'f', "t x:1 0\n");
	assert_int_equal(rig_call(&r, RIG_EXPLAIN, &ev, 1, 0, &a), ERR_NONE);
	assert_int_equal(a.d[0].decision, DECISION_PAUSED);
	/* A second one; one resolves, the other goes on. */
	tell(&r, "00000000000000cc", 'f', "s x:1 0 Other\n");
	rig_pass(&r, MINUTE);
	tell(&r, "00000000000000aa", 'r', "s x:1 0 Node Down\n");
	assert_true(paused(&r, "t x:1 0\n"));
	tell(&r, "00000000000000cc", 'r', "s x:1 0 Other\n");
	assert_false(paused(&r, "t x:1 0\n"));
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":inhibits"), 0);
	/* And again. */
	rig_pass(&r, MINUTE);
	tell(&r, "00000000000000aa", 'f', "s x:1 0 Node Down\n");
	assert_true(paused(&r, "t x:1 0\n"));
	rig_stop(&r);
}

/* Alertmanager: what matches both sides is not inhibited by what does, itself included, but by what
 * matches the source alone. */
static void both_sides(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	assert_false(paused(&r, "t x:1 1\ns x:1 1 A\n"));
	assert_false(paused(&r, "t x:1 1\ns x:1 1 B\n"));
	assert_true(paused(&r, "t x:1 0\n")); /* one that is only a target is */
	tell(&r, "00000000000000aa", 'f', "s x:1 0 C\n");
	assert_true(paused(&r, "t x:1 1\ns x:1 1 D\n"));
	rig_stop(&r);
}

/* It is resolved by us, or at its deadline: nothing told the set, and nothing has to. */
static void a_source_that_is_not_heard_of(void **state)
{
	struct rig r;
	struct rig_event ev = alert_of("00000000000000aa", 'f', "s x:1 0 Down\n");

	(void)state;
	rig_start(&r, true);
	ev.starts = T0;
	ev.expires = T0 + MINUTE;
	rig_ingest(&r, &ev);
	assert_true(paused(&r, "t x:1 0\n"));
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_false(paused(&r, "t x:1 0\n"));
	rig_tick(&r);
	assert_int_equal(
		server_number(&r.server, "EXISTS " RIG_KEY ":inhibits " RIG_KEY ":inhibit:x:1"), 0);
	/* Reopened by the same occurrence. */
	ev.expires = r.now + MINUTE;
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_REOPENED);
	assert_true(paused(&r, "t x:1 0\n"));
	rig_stop(&r);
}

/* The rules may be younger than the alert: a duplicate that comes whole tells of it, too. */
static void a_source_that_fires_already(void **state)
{
	struct rig r;
	struct rig_event ev = alert_of("00000000000000aa", 'f', NULL);

	(void)state;
	rig_start(&r, true);
	ev.starts = T0;
	rig_ingest(&r, &ev);
	ev.facts = "s x:1 0 Down\n";
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_DUPLICATE);
	assert_true(paused(&r, "t x:1 0\n"));
	ev.status = 'r';
	ev.rules_n = 0;
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_NEW);
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_DUPLICATE);
	assert_false(paused(&r, "t x:1 0\n"));
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":inhibits"), 0);
	rig_stop(&r);
}

/* In one call, in the order of its events. */
static void within_one_message(void **state)
{
	struct rig r;
	struct rig_answer out[3];
	struct rig_event ev[] = {alert_of("00000000000000a1", 'f', "t x:1 0\n"),
		alert_of("00000000000000a2", 'f', "s x:1 0 Down\n"),
		alert_of("00000000000000a3", 'f', "t x:1 0\n")};

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, ev, 3, 0, out), ERR_NONE);
	assert_int_equal(out[0].d[0].decision, DECISION_RUN);
	assert_int_equal(out[2].d[0].decision, DECISION_PAUSED);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(windows), cmocka_unit_test(a_window_of_seven_days_is_always_open),
	cmocka_unit_test(what_comes_due_in_a_window),
	cmocka_unit_test(a_source_inhibits_while_it_fires), cmocka_unit_test(both_sides),
	cmocka_unit_test(a_source_that_is_not_heard_of),
	cmocka_unit_test(a_source_that_fires_already), cmocka_unit_test(within_one_message))
