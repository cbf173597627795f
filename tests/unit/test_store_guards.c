/* What holds a rule back beside duplicates: flapping, cooldown, limits; dry_run; and store_explain, which says the same
 * without doing it. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

/* An occurrence of its own, of an alert of its own, on this host; the rule is the first one's. */
static struct rig_event on_host(const char *host, int n, const struct store_decision_in *rule)
{
	static char fp[64][17];
	char *name = fp[n % 64];

	snprintf(name, 17, "%016x", (unsigned)n);
	struct rig_event ev = rig_alert(name, 'f', T0);
	ev.host = host;
	ev.rules[ev.rules_n++] = *rule;
	return ev;
}

static struct rig_answer fire_on(struct rig *r, const char *host, int n, const struct store_decision_in *rule)
{
	struct rig_event ev = on_host(host, n, rule);

	return rig_ingest(r, &ev);
}

static struct store_decision_in a_rule(const char *name)
{
	return (struct store_decision_in){
		.rule = str_of(name), .ask = DECISION_RUN, .steps = &rig_step, .steps_n = 1};
}

/* Of runbookd's events of type limit on the bus: how many, and the last one's text. */
static int loud(struct rig *r, char *last, size_t size)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};
	int n = 0;

	assert_non_null(rows);
	rig_list(r, STORE_EVENTS, &page, rows);
	for (size_t i = rows->n; i-- > 0;) {
		if (strstr(rows->v[i], "\"type\":\"limit\"")) {
			snprintf(last, size, "%s", rows->v[i]);
			n++;
		}
	}
	free(rows);
	return n;
}

static void runs_of_a_rule(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");
	char last[2000] = "";

	(void)state;
	rig_start(&r, true);
	rule.limit_runs = (struct store_limit){3, HOUR};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fire_on(&r, "a", i, &rule).d[0].decision, DECISION_RUN);
		rig_pass(&r, MINUTE);
	}
	assert_int_equal(loud(&r, last, sizeof(last)), 0);
	struct rig_answer a = fire_on(&r, "a", 3, &rule);
	assert_int_equal(a.d[0].decision, DECISION_LIMIT);
	assert_string_equal(a.d[0].reason, "its limit of 3 runs within 1h holds until 2025-11-22T21:00:00.000Z");
	assert_string_equal(a.d[0].run, "");
	assert_int_equal(fire_on(&r, "a", 4, &rule).d[0].decision, DECISION_LIMIT);
	/* Said once, on the incident, and for the rules to see. */
	assert_int_equal(loud(&r, last, sizeof(last)), 1);
	assert_has(str_of(last), "\"source\":\"runbookd\",\"type\":\"limit\",\"status\":\"info\"");
	assert_has(str_of(last), "\"severity\":\"error\",\"summary\":\"rule 'fix' is held back: its limit of 3 runs within 1h");
	assert_has(str_of(last), "\"labels\":{\"limit\":\"runs\",\"rule\":\"fix\"}");
	assert_has(str_of(last), a.incident);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":inbox"), 1);
	/* Exact to the ms: the first of the three leaves the window at its hour. */
	rig_time(&r, T0 + HOUR - 1);
	assert_int_equal(fire_on(&r, "a", 5, &rule).d[0].decision, DECISION_LIMIT);
	rig_pass(&r, 1);
	assert_int_equal(fire_on(&r, "a", 6, &rule).d[0].decision, DECISION_RUN);
	assert_int_equal(loud(&r, last, sizeof(last)), 1);
	/* After one that was let through it begins to hold anew. */
	assert_int_equal(fire_on(&r, "a", 7, &rule).d[0].decision, DECISION_LIMIT);
	assert_int_equal(fire_on(&r, "a", 8, &rule).d[0].decision, DECISION_LIMIT);
	assert_int_equal(loud(&r, last, sizeof(last)), 2);
	/* Another rule of the same limit has its own. */
	struct store_decision_in other = rule;
	other.rule = STR("other");
	assert_int_equal(fire_on(&r, "a", 9, &other).d[0].decision, DECISION_RUN);
	assert_int_equal(server_number(&r.server, "LLEN " RIG_KEY ":limit:runs:fix"), 3);
	rig_stop(&r);
}

static void hosts_of_a_rule(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");
	char last[2000] = "";

	(void)state;
	rig_start(&r, true);
	rule.limit_hosts = (struct store_limit){2, HOUR};
	assert_int_equal(fire_on(&r, "a", 0, &rule).d[0].decision, DECISION_RUN);
	rig_pass(&r, 10 * MINUTE);
	assert_int_equal(fire_on(&r, "b", 1, &rule).d[0].decision, DECISION_RUN);
	struct rig_answer a = fire_on(&r, "c", 2, &rule);
	assert_int_equal(a.d[0].decision, DECISION_LIMIT);
	assert_string_equal(a.d[0].reason, "its limit of 2 hosts within 1h holds until 2025-11-22T21:00:00.000Z");
	/* A host that is in it already is no further one, and one without a name is none. */
	assert_int_equal(fire_on(&r, "a", 3, &rule).d[0].decision, DECISION_RUN);
	assert_int_equal(fire_on(&r, NULL, 4, &rule).d[0].decision, DECISION_RUN);
	/* That was no sign that the brake had opened. */
	assert_int_equal(fire_on(&r, "d", 5, &rule).d[0].decision, DECISION_LIMIT);
	assert_int_equal(loud(&r, last, sizeof(last)), 1);
	assert_has(str_of(last), "\"labels\":{\"limit\":\"hosts\",\"rule\":\"fix\"}");
	/* a ran again at 20:10, as b did: both leave the window then. */
	rig_time(&r, T0 + HOUR);
	assert_int_equal(fire_on(&r, "c", 6, &rule).d[0].decision, DECISION_LIMIT);
	rig_time(&r, T0 + HOUR + 10 * MINUTE);
	assert_int_equal(fire_on(&r, "c", 7, &rule).d[0].decision, DECISION_RUN);
	assert_int_equal(fire_on(&r, "d", 8, &rule).d[0].decision, DECISION_RUN);
	assert_int_equal(fire_on(&r, "e", 9, &rule).d[0].decision, DECISION_LIMIT);
	assert_int_equal(loud(&r, last, sizeof(last)), 2);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":limit:hosts:fix"), 2);
	rig_stop(&r);
}

static void a_storm_in_one_message(void **state)
{
	enum { N = 200 };
	static struct rig_event ev[N];
	static struct rig_answer out[N];
	static char fp[N][17], host[N][17];
	struct store_decision_in rule = a_rule("fix");
	struct rig r;
	int runs = 0;

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1000;
	rule.limit_hosts = (struct store_limit){3, HOUR};
	for (int i = 0; i < N; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)i);
		snprintf(host[i], sizeof(host[i]), "h%d", i / 2);
		ev[i] = on_host(host[i], i, &rule);
		ev[i].fp = fp[i];
	}
	for (int again = 0; again < 2; again++) {
		for (int i = 0; again && i < N; i++)
			fp[i][0] = 'f';
		assert_int_equal(rig_ingest_n(&r, ev, N, 0, out), ERR_NONE);
		for (int i = 0; i < N; i++) {
			assert_int_equal(out[i].d[0].decision, i < 6 ? DECISION_RUN : DECISION_LIMIT);
			runs += out[i].d[0].decision == DECISION_RUN;
		}
	}
	assert_int_equal(runs, 12);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":limit:hosts:fix"), 3);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":inbox"), 1);
	rig_stop(&r);
}

static void all_rules_together(void **state)
{
	struct rig r;
	struct store_decision_in one = a_rule("one"), two = a_rule("two"), dry = a_rule("dry");
	char last[2000] = "";

	(void)state;
	rig_start(&r, true);
	r.limits.runs = (struct store_limit){3, MINUTE};
	r.limits.hosts = (struct store_limit){2, 10 * MINUTE};
	dry.ask = DECISION_DRY_RUN;
	assert_int_equal(fire_on(&r, "a", 0, &one).d[0].decision, DECISION_RUN);
	assert_int_equal(fire_on(&r, "b", 1, &two).d[0].decision, DECISION_RUN);
	struct rig_answer a = fire_on(&r, "c", 2, &two);
	assert_int_equal(a.d[0].decision, DECISION_LIMIT);
	assert_string_equal(a.d[0].reason,
		"the limit of all rules, 2 hosts within 10m (limits.hosts), holds until 2025-11-22T20:10:00.000Z");
	assert_int_equal(loud(&r, last, sizeof(last)), 1);
	assert_has(str_of(last), "\"labels\":{\"limit\":\"limits.hosts\",\"rule\":\"two\"}");
	assert_int_equal(fire_on(&r, "a", 3, &two).d[0].decision, DECISION_RUN);
	a = fire_on(&r, "a", 4, &one);
	assert_int_equal(a.d[0].decision, DECISION_LIMIT);
	assert_string_equal(a.d[0].reason,
		"the limit of all rules, 3 runs within 1m (limits.runs), holds until 2025-11-22T20:01:00.000Z");
	assert_int_equal(loud(&r, last, sizeof(last)), 2);
	/* What runs nothing uses nothing up. */
	assert_int_equal(fire_on(&r, "z", 5, &dry).d[0].decision, DECISION_DRY_RUN);
	rig_pass(&r, MINUTE);
	assert_int_equal(fire_on(&r, "a", 6, &one).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

/* Of one event, in one call: the second rule is held by what the first one takes. */
static void rules_of_one_event(void **state)
{
	struct rig r;
	struct store_decision_in one = a_rule("one");

	(void)state;
	rig_start(&r, true);
	r.limits.runs = (struct store_limit){2, MINUTE};
	struct rig_event ev = on_host("a", 0, &one);
	for (int i = 0; i < 2; i++) {
		ev.rules[ev.rules_n] = one;
		ev.rules[ev.rules_n++].rule = i ? STR("three") : STR("two");
	}
	struct rig_answer a = rig_ingest(&r, &ev);
	assert_int_equal(a.d[0].decision, DECISION_RUN);
	assert_int_equal(a.d[1].decision, DECISION_RUN);
	assert_int_equal(a.d[2].decision, DECISION_LIMIT);
	rig_stop(&r);
}

static void dry_run_goes_the_same_way(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");
	struct store_step_in steps[2] = {rig_step, rig_step};
	char last[2000] = "";

	(void)state;
	rig_start(&r, true);
	steps[1].runbook = STR("rotate-logs");
	rule.ask = DECISION_DRY_RUN;
	rule.steps = steps;
	rule.steps_n = 2;
	rule.cooldown_ms = MINUTE;
	rule.limit_runs = (struct store_limit){2, HOUR};
	struct rig_answer a = fire_on(&r, "a", 0, &rule);
	assert_int_equal(a.d[0].decision, DECISION_DRY_RUN);
	assert_string_equal(a.d[0].reason, "its mode is dry_run; it would run 'disk-usage', then 'rotate-logs'");
	assert_string_equal(a.d[0].run, "");
	assert_int_equal(fire_on(&r, "a", 1, &rule).d[0].decision, DECISION_COOLDOWN);
	rig_pass(&r, MINUTE);
	assert_int_equal(fire_on(&r, "a", 2, &rule).d[0].decision, DECISION_DRY_RUN);
	rig_pass(&r, MINUTE);
	assert_int_equal(fire_on(&r, "a", 3, &rule).d[0].decision, DECISION_LIMIT);
	assert_int_equal(loud(&r, last, sizeof(last)), 1);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:live " RIG_KEY ":queue:default"), 0);
	rule.approval = true;
	rule.rule = STR("asks");
	assert_string_equal(fire_on(&r, "a", 4, &rule).d[0].reason,
		"its mode is dry_run; it would ask for approval to run 'disk-usage', then 'rotate-logs'");
	rig_stop(&r);
}

/* ---- flapping ---- */

static bool flaps(struct rig *r)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	assert_non_null(rows);
	rig_list(r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	bool yes = strstr(rows->v[0], "\"flapping\":true");
	assert_true(yes || strstr(rows->v[0], "\"flapping\":false"));
	free(rows);
	return yes;
}

/* The i-th change: it fires at even ones. */
static struct rig_answer flip(struct rig *r, int i, const struct store_decision_in *rule)
{
	struct rig_event ev = rig_alert(A, i % 2 ? 'r' : 'f', T0 + i / 2 * MINUTE);

	if (i % 2 == 0)
		ev.rules[ev.rules_n++] = *rule;
	return rig_ingest(r, &ev);
}

static void flapping_is_skipped(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.skip_flapping = true;
	/* Its first message is no change; so 0 to 5 are five changes. */
	for (int i = 0; i < 6; i++) {
		struct rig_answer a = flip(&r, i, &rule);
		assert_int_equal(a.outcome, STORE_NEW);
		if (i % 2 == 0)
			assert_int_equal(a.d[0].decision, DECISION_RUN);
		assert_false(flaps(&r));
		rig_pass(&r, MINUTE);
	}
	struct rig_answer a = flip(&r, 6, &rule);
	assert_int_equal(a.d[0].decision, DECISION_FLAPPING);
	assert_string_equal(a.d[0].reason, "the alert changed its state 6 times within 15m; it counts as flapping until "
					   "2025-11-22T20:16:00.000Z");
	assert_true(flaps(&r));
	/* A resend does not change anything, and is not asked. */
	assert_int_equal(flip(&r, 6, &rule).outcome, STORE_DUPLICATE);
	assert_true(flaps(&r));
	rig_time(&r, T0 + 16 * MINUTE - 1);
	assert_true(flaps(&r));
	rig_pass(&r, 1);
	assert_false(flaps(&r));
	flip(&r, 7, &rule);
	rig_pass(&r, 20 * MINUTE);
	struct rig_event late = rig_alert(A, 'f', T0 + DAY);
	late.rules[late.rules_n++] = rule;
	assert_int_equal(rig_ingest(&r, &late).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

static void flapping_is_no_reason_for_others(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 12; i++) {
		struct rig_answer a = flip(&r, i, &rule);
		if (i % 2 == 0)
			assert_int_equal(a.d[0].decision, DECISION_RUN);
		rig_pass(&r, SECOND);
	}
	assert_true(flaps(&r));
	rig_stop(&r);
}

/* ---- explain ---- */

/* All of Redis, and the counters that a write would move. */
static void fingerprint(struct rig *r, char out[64])
{
	redisReply *dig = server_ask(&r->server, "DEBUG DIGEST");

	assert_true(dig->type == REDIS_REPLY_STATUS || dig->type == REDIS_REPLY_STRING);
	snprintf(out, 64, "%s", dig->str);
	freeReplyObject(dig);
}

static struct rig_answer explain(struct rig *r, const struct rig_event *in, bool as_new)
{
	struct rig_answer out = {.outcome = STORE_TAKEN};
	char before[64], after[64];

	fingerprint(r, before);
	rig_call(r, as_new ? RIG_EXPLAIN_NEW : RIG_EXPLAIN, in, 1, 0, &out);
	assert_int_equal(r->e.code, ERR_NONE);
	fingerprint(r, after);
	assert_string_equal(before, after);
	return out;
}

static void explain_writes_nothing(void **state)
{
	struct rig r;
	struct store_decision_in rule = a_rule("fix");

	(void)state;
	rig_start(&r, true);
	rule.cooldown_ms = HOUR;
	rule.for_ms = 0;
	rule.limit_runs = (struct store_limit){1, 2 * HOUR};
	struct rig_event ev = on_host("a", 0, &rule);
	struct rig_answer a = explain(&r, &ev, false);
	assert_int_equal(a.outcome, STORE_NEW);
	assert_int_equal(a.d[0].decision, DECISION_RUN);
	assert_int_equal(strlen(a.d[0].run), ID_LEN);
	assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_RUN);
	/* The same again: a duplicate; and what it would be were it new. */
	a = explain(&r, &ev, false);
	assert_int_equal(a.outcome, STORE_DUPLICATE);
	assert_int_equal(a.d[0].decision, DECISION_DUPLICATE);
	a = explain(&r, &ev, true);
	assert_int_equal(a.outcome, STORE_NEW);
	assert_int_equal(a.d[0].decision, DECISION_COOLDOWN);
	assert_string_equal(a.d[0].reason, "in cooldown until 2025-11-22T21:00:00.000Z");
	rig_pass(&r, HOUR);
	assert_int_equal(explain(&r, &ev, true).d[0].decision, DECISION_LIMIT);
	ev.rules[0].for_ms = MINUTE;
	ev.rules[0].limit_runs.count = 0;
	a = explain(&r, &ev, true);
	assert_int_equal(a.d[0].decision, DECISION_PENDING);
	assert_string_equal(a.d[0].reason, "runs if it still fires at 2025-11-22T21:01:00.000Z");
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(runs_of_a_rule), cmocka_unit_test(hosts_of_a_rule),
	cmocka_unit_test(a_storm_in_one_message), cmocka_unit_test(all_rules_together),
	cmocka_unit_test(rules_of_one_event), cmocka_unit_test(dry_run_goes_the_same_way),
	cmocka_unit_test(flapping_is_skipped), cmocka_unit_test(flapping_is_no_reason_for_others),
	cmocka_unit_test(explain_writes_nothing))
