/* Alerts with a deadline of their own, and deliveries that come twice. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

static struct rig_event expiring(const char *fp, int64_t starts, int64_t expires)
{
	struct rig_event ev = rig_with_rule(rig_alert(fp, 'f', starts), "disk-full", &rig_step, 1, 0);

	ev.expires = expires;
	return ev;
}

static struct rig_event light(struct rig_event ev)
{
	ev.light = true;
	ev.rules[0].ask = DECISION_DUPLICATE;
	ev.rules[0].steps_n = 0;
	return ev;
}

/* The only alert, as lists show it. */
static void assert_alert(struct rig *r, const char *part)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	assert_non_null(rows);
	rig_list(r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), part);
	free(rows);
}

static void resolved_at_its_deadline(void **state)
{
	struct rig r;
	struct rig_event a = expiring(A, T0, T0 + 4 * MINUTE);

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &a);
	assert_int_equal(first.d[0].decision, DECISION_RUN);
	rig_pass(&r, MINUTE);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.resolved_stale, 0);
	assert_int_equal(t.due_in_ms, 3 * MINUTE);
	rig_time(&r, T0 + 4 * MINUTE - 1);
	assert_int_equal(rig_tick(&r).due_in_ms, 1);
	rig_pass(&r, 1);
	t = rig_tick(&r);
	assert_int_equal(t.resolved_stale, 1);
	assert_int_equal(t.due_in_ms, -1);
	assert_alert(&r, "\"ends_at\":\"2025-11-22T20:04:00.000Z\"");
	assert_text(rig_get(&r, STORE_INCIDENT, first.incident), "\"resolved\":\"2025-11-22T20:04:00.000Z\"");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":alerts:expiring"), 0);
	/* The same occurrence again: reopened, and no run. */
	a.expires = T0 + 9 * MINUTE;
	struct rig_answer again = rig_ingest(&r, &a);
	assert_int_equal(again.outcome, STORE_REOPENED);
	assert_int_equal(again.d[0].decision, DECISION_DUPLICATE);
	assert_string_equal(again.incident, first.incident);
	rig_time(&r, T0 + 9 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_alert(&r, "\"ends_at\":\"2025-11-22T20:09:00.000Z\"");
	/* Another one. */
	a = expiring(A, T0 + 30 * MINUTE, T0 + 34 * MINUTE);
	rig_time(&r, T0 + 30 * MINUTE);
	assert_int_equal(rig_ingest(&r, &a).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

/* Nobody was up then: its end is when it was due. */
static void late_is_as_of_the_deadline(void **state)
{
	struct rig r;
	struct rig_event a = expiring(A, T0, T0 + 4 * MINUTE), b = expiring(B, T0, T0 + 3 * MINUTE);

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &a);
	rig_ingest(&r, &b);
	rig_pass(&r, 5 * HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 2);
	assert_text(rig_get(&r, STORE_INCIDENT, first.incident), "\"resolved\":\"2025-11-22T20:04:00.000Z\"");
	rig_stop(&r);
}

/* Reported again, with its JSON or without: the later deadline counts. */
static void a_resend_moves_it(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event a = expiring(A, T0, T0 + 4 * MINUTE);
	rig_ingest(&r, &a);
	rig_pass(&r, MINUTE);
	a = light(expiring(A, T0, T0 + 5 * MINUTE));
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	rig_pass(&r, MINUTE);
	a = expiring(A, T0, T0 + 6 * MINUTE);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	/* The other one of a pair, which started later and promises less. */
	a = light(expiring(A, T0 + SECOND, T0 + 3 * MINUTE));
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_tick(&r).due_in_ms, 4 * MINUTE);
	rig_time(&r, T0 + 6 * MINUTE - 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	rig_stop(&r);
}

/* A new occurrence has its own deadline, also an earlier one. */
static void of_a_new_occurrence(void **state)
{
	struct rig r;
	struct rig_event a = expiring(A, T0, T0 + HOUR), b = expiring(A, T0 + 10 * MINUTE, T0 + 20 * MINUTE);

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	rig_pass(&r, 10 * MINUTE);
	assert_int_equal(rig_ingest(&r, &b).outcome, STORE_NEW);
	assert_int_equal(rig_tick(&r).due_in_ms, 10 * MINUTE);
	rig_stop(&r);
}

/* What its sender resolved has no deadline any more; what is said without one falls back to stale_after. */
static void goes_with_what_is_said(void **state)
{
	struct rig r;
	struct rig_event a = expiring(A, T0, T0 + 4 * MINUTE), plain = rig_alert(A, 'f', T0);
	struct rig_event resolved = rig_alert(A, 'r', T0);

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	assert_int_equal(rig_ingest(&r, &plain).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_tick(&r).due_in_ms, -1);
	a = light(a);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_tick(&r).due_in_ms, 4 * MINUTE);
	plain = rig_alert(A, 'f', T0);
	plain.light = true;
	assert_int_equal(rig_ingest(&r, &plain).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_tick(&r).due_in_ms, -1);
	rig_ingest(&r, &a);
	assert_int_equal(rig_ingest(&r, &resolved).outcome, STORE_NEW);
	assert_int_equal(rig_tick(&r).due_in_ms, -1);
	rig_pass(&r, HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 0);
	assert_int_equal(rig_ingest(&r, &resolved).outcome, STORE_DUPLICATE);
	rig_stop(&r);
}

/* One that is far away is not resolved for want of news before. */
static void outlives_stale_after(void **state)
{
	struct rig r;
	struct rig_event a = expiring(A, T0, T0 + 72 * HOUR);

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	for (int i = 0; i < 71; i++) {
		rig_pass(&r, HOUR);
		assert_int_equal(rig_tick(&r).resolved_stale, 0);
	}
	rig_pass(&r, HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	rig_stop(&r);
}

/* What waits for one that still fires does not run once its deadline is past, whoever has more to do first. */
static void is_over_before_what_waits(void **state)
{
	struct rig r;
	struct store_tick_result t;
	int64_t resolved = 0;
	char fp[17];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 250; i++) {
		snprintf(fp, sizeof(fp), "%016x", i);
		struct rig_event a = expiring(fp, T0, T0 + 4 * MINUTE);
		a.rules[0].for_ms = 2 * MINUTE;
		assert_int_equal(rig_ingest(&r, &a).d[0].decision, DECISION_PENDING);
	}
	rig_pass(&r, HOUR);
	do {
		t = rig_tick(&r);
		resolved += t.resolved_stale;
		assert_int_equal(t.late_n, 0);
	} while (t.more);
	assert_int_equal(resolved, 250);
	assert_int_equal(t.due_in_ms, -1);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":pending " RIG_KEY ":queue:default"), 0);
	rig_stop(&r);
}

/* An alert without a deadline costs no command more than before. */
static void none_costs_nothing(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	rig_ingest(&r, &a);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":alerts:expiring " RIG_KEY ":deliveries"), 0);
	assert_int_equal(rig_tick(&r).due_in_ms, -1);
	rig_stop(&r);
}

/* ---- deliveries ---- */

static struct rig_event delivery(const char *source, const char *id)
{
	struct rig_event ev = {.source = source, .status = 'i', .corr = "host-a", .delivery = id};

	return rig_with_rule(ev, "deploy", &rig_step, 1, 0);
}

static void the_same_delivery_is_a_duplicate(void **state)
{
	struct rig r;
	struct rig_event a = delivery("gh", "72d3162e-cc78"), b = delivery("gh", "72d3162e-cc79");
	struct rig_event other = delivery("gitlab", "72d3162e-cc78");

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &a);
	assert_int_equal(first.d[0].decision, DECISION_RUN);
	struct rig_answer again = rig_ingest(&r, &a);
	assert_int_equal(again.outcome, STORE_DUPLICATE);
	assert_string_equal(again.id, first.id);
	assert_int_equal(again.d[0].decision, DECISION_DUPLICATE);
	assert_has(str_of(again.d[0].reason), "the same delivery as of event ");
	assert_int_equal(rig_ingest(&r, &b).outcome, STORE_NEW);
	assert_int_equal(rig_ingest(&r, &other).outcome, STORE_NEW);
	rig_pass(&r, 72 * HOUR - 1);
	rig_tick(&r);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	/* The window is what decides, ticked or not. */
	rig_pass(&r, 1);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_NEW);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "HLEN " RIG_KEY ":deliveries:gh"), 1);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":deliveries:gitlab"), 0);
	rig_pass(&r, 72 * HOUR);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":deliveries " RIG_KEY ":deliveries:gh "
		RIG_KEY ":deliveries:gh:by_time"), 0);
	rig_stop(&r);
}

/* An alert that resolved meanwhile does not fire again because an old message is played once more. */
static void a_replayed_alert_is_none(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', 0), again = rig_alert(A, 'f', 0), resolved = rig_alert(A, 'r', 0);

	(void)state;
	rig_start(&r, true);
	a.delivery = "1";
	again.delivery = "2";
	resolved.delivery = "3";
	rig_ingest(&r, &a);
	assert_int_equal(rig_ingest(&r, &again).outcome, STORE_DUPLICATE);
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_ingest(&r, &resolved).outcome, STORE_NEW);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_ingest(&r, &again).outcome, STORE_DUPLICATE);
	a.delivery = "4";
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_NEW);
	rig_stop(&r);
}

/* Long ids, and ids with blanks, are told apart; in one call the second of two is known, too. */
static void odd_ids_in_one_call(void **state)
{
	char one[300], two[300];
	struct rig r;
	struct rig_answer out[5];

	(void)state;
	memset(one, 'x', sizeof(one));
	memset(two, 'x', sizeof(two));
	one[299] = two[299] = '\0';
	two[298] = 'y';
	struct rig_event v[] = {delivery("gh", one), delivery("gh", two), delivery("gh", "a b:c d"),
		delivery("gh", "a b:c"), delivery("gh", "a b:c d")};
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, v, 5, 0, out), ERR_NONE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(out[i].outcome, STORE_NEW);
	assert_int_equal(out[4].outcome, STORE_DUPLICATE);
	assert_string_equal(out[4].id, out[2].id);
	assert_int_equal(rig_ingest_n(&r, v, 5, 0, out), ERR_NONE);
	for (int i = 0; i < 5; i++)
		assert_int_equal(out[i].outcome, STORE_DUPLICATE);
	rig_stop(&r);
}

/* The oldest go where there are too many. */
static void bounded_in_number(void **state)
{
	struct rig r;
	struct rig_event a = delivery("gh", "the first"), b = delivery("gh", "the last");

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	freeReplyObject(server_ask(&r.server, "EVAL %s 0",
		"for i = 1, 100099 do redis.call('HSET', '" RIG_KEY ":deliveries:gh', i, '1763841600001 1-0 -') "
		"redis.call('ZADD', '" RIG_KEY ":deliveries:gh:by_time', 1763841600001, i) end"));
	rig_pass(&r, SECOND);
	rig_ingest(&r, &b);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "HLEN " RIG_KEY ":deliveries:gh"), 100000);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":deliveries:gh:by_time"), 100000);
	assert_int_equal(rig_ingest(&r, &b).outcome, STORE_DUPLICATE);
	assert_int_equal(rig_ingest(&r, &a).outcome, STORE_NEW);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolved_at_its_deadline),
		cmocka_unit_test(late_is_as_of_the_deadline),
		cmocka_unit_test(a_resend_moves_it),
		cmocka_unit_test(of_a_new_occurrence),
		cmocka_unit_test(goes_with_what_is_said),
		cmocka_unit_test(outlives_stale_after),
		cmocka_unit_test(is_over_before_what_waits),
		cmocka_unit_test(none_costs_nothing),
		cmocka_unit_test(the_same_delivery_is_a_duplicate),
		cmocka_unit_test(a_replayed_alert_is_none),
		cmocka_unit_test(odd_ids_in_one_call),
		cmocka_unit_test(bounded_in_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
