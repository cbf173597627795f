/* Rules over several events in Redis: what counts, what completes them, when they are over, and
 * that each ends once. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0
#define WITHIN (30 * MINUTE)
#define MANY 1000

static const struct store_step_in back = {
	.name = {"rollback", 8},
	.runbook = {"rollback", 8},
	.runbook_sha256 = {"5ha", 3},
	.pool = {"default", 7},
};

static void start(struct rig *r)
{
	rig_start(r, true);
	r->limits.gate_late_ms = 10 * MINUTE;
	r->limits.gates = 10 * MANY;
}

static struct store_decision_in gate(
	enum store_gate_kind kind, const char *key, uint32_t parts, int64_t time)
{
	return (struct store_decision_in){
		.rule = STR("gate"),
		.ask = DECISION_RUN,
		.steps = &rig_step,
		.steps_n = 1,
		.gate =
			{
				.kind = kind,
				.count = kind == STORE_GATE_THRESHOLD ? 3 : 2,
				.within_ms = WITHIN,
				.parts = parts,
				.key = str_of(key),
				.time_ms = time,
				.names = kind == STORE_GATE_THRESHOLD ? STR_NONE
								      : STR("built\nscanned"),
				.timeout_steps = &back,
				.timeout_steps_n =
					kind == STORE_GATE_ALL_OF || kind == STORE_GATE_SEQUENCE,
			},
	};
}

static struct rig_answer tell(struct rig *r, const struct store_decision_in *d)
{
	struct rig_event ev = {.status = 'i', .rules = {*d}, .rules_n = 1};

	return rig_ingest(r, &ev);
}

/* An info event that is these parts of an all_of. */
static struct rig_answer part(struct rig *r, const char *key, uint32_t parts, int64_t time)
{
	const struct store_decision_in d = gate(STORE_GATE_ALL_OF, key, parts, time);

	return tell(r, &d);
}

static struct rig_answer step_of(struct rig *r, uint32_t parts, int64_t time)
{
	const struct store_decision_in d = gate(STORE_GATE_SEQUENCE, "k", parts, time);

	return tell(r, &d);
}

static void assert_decided(struct rig_answer a, enum decision d, const char *reason)
{
	assert_string_equal(a.d[0].reason, reason);
	assert_int_equal(a.d[0].decision, d);
}

static int64_t runs(struct rig *r)
{
	return server_number(&r->server, "ZCARD " RIG_KEY ":runs:live") +
	       server_number(&r->server, "ZCARD " RIG_KEY ":runs:done");
}

static int64_t gates(struct rig *r)
{
	return server_number(&r->server, "ZCARD " RIG_KEY ":gates");
}

/* Nothing is left of any gate. */
static void assert_none(struct rig *r)
{
	assert_int_equal(
		server_number(&r->server, "EXISTS " RIG_KEY ":gates " RIG_KEY ":gates:count"), 0);
}

static void either_order(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	assert_decided(part(&r, "a", 1, 0), DECISION_PENDING,
		"1 of 2: waits for scanned until 2025-11-22T20:30:00.000Z");
	assert_decided(part(&r, "b", 2, 0), DECISION_PENDING,
		"1 of 2: waits for built until 2025-11-22T20:30:00.000Z");
	assert_int_equal(rig_tick(&r).due_in_ms, WITHIN);
	rig_pass(&r, MINUTE);
	assert_decided(part(&r, "a", 1, 0), DECISION_PENDING,
		"1 of 2: waits for scanned until 2025-11-22T20:30:00.000Z");
	struct rig_answer a = part(&r, "a", 2, 0);
	assert_decided(a, DECISION_RUN, "all 2 came");
	assert_decided(part(&r, "b", 1, 0), DECISION_RUN, "all 2 came");
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.run, a.d[0].run);
	assert_has(str_of(c.event), a.id);
	assert_string_equal(c.rule, "gate");
	/* What came of them is remembered for a while, and then nothing is. */
	rig_pass(&r, WITHIN);
	rig_tick(&r);
	assert_int_equal(runs(&r), 2);
	assert_none(&r);
	rig_stop(&r);
}

static void other_events_are_told(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	struct rig_answer first = part(&r, "a", 1, 0);
	struct rig_answer last = part(&r, "a", 2, 0);
	redisReply *t = server_ask(&r.server, "HGET " RIG_KEY ":run:%s events", last.d[0].run);
	char want[64];

	snprintf(want, sizeof(want), "[\"%s\"]", first.id);
	assert_string_equal(t->str, want);
	freeReplyObject(t);
	rig_stop(&r);
}

static void both_in_one_message(void **state)
{
	struct rig r;
	struct rig_event ev[2] = {{.status = 'i', .rules_n = 1}, {.status = 'i', .rules_n = 1}};
	struct rig_answer out[2];

	(void)state;
	start(&r);
	ev[0].rules[0] = gate(STORE_GATE_ALL_OF, "a", 2, 0);
	ev[1].rules[0] = gate(STORE_GATE_ALL_OF, "a", 1, 0);
	assert_int_equal(rig_ingest_n(&r, ev, 2, 0, out), ERR_NONE);
	assert_int_equal(out[0].d[0].decision, DECISION_PENDING);
	assert_decided(out[1], DECISION_RUN, "all 2 came");
	assert_int_equal(runs(&r), 1);
	/* One event may be both. */
	assert_decided(part(&r, "c", 3, 0), DECISION_RUN, "all 2 came");
	rig_stop(&r);
}

static void times_out_once(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	part(&r, "a", 2, 0);
	rig_pass(&r, WITHIN - 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_RUN);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 1);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "rollback");
	/* One of the past is told that it is; one of now begins another. */
	assert_decided(part(&r, "a", 1, r.now - MINUTE), DECISION_LIMIT,
		"it came too late: the gate that it belongs to timed out at "
		"2025-11-22T20:30:00.000Z");
	rig_pass(&r, MINUTE);
	assert_int_equal(part(&r, "a", 1, 0).d[0].decision, DECISION_PENDING);
	rig_stop(&r);
}

static void a_pause_holds_what_was_to_undo(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	part(&r, "a", 1, 0);
	part(&r, "b", 1, 0);
	freeReplyObject(server_ask(&r.server, "HSET " RIG_KEY ":pauses %s %s", "runbook rollback",
		"1763845200000 1763841600000 [\"me\",\"why\"]"));
	/* It names one of the rule's runbooks, so all of the rule rests. */
	assert_int_equal(part(&r, "b", 2, 0).d[0].decision, DECISION_PAUSED);
	rig_pass(&r, WITHIN);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_PAUSED);
	assert_int_equal(runs(&r), 0);
	/* It has ended all the same. */
	rig_pass(&r, 2 * HOUR);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 0);
	rig_stop(&r);
}

/* Nobody ticked when it was over: the event that finds it so ends it, and begins another. */
static void an_event_ends_what_is_over(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	part(&r, "a", 1, 0);
	rig_pass(&r, WITHIN + MINUTE);
	struct rig_answer a = part(&r, "a", 2, 0);
	assert_decided(
		a, DECISION_PENDING, "1 of 2: waits for built until 2025-11-22T21:01:00.000Z");
	/* It is counted as what the tick tells of. */
	assert_true(a.d[0].ended_one);
	assert_int_equal(a.d[0].ended, DECISION_RUN);
	assert_false(part(&r, "a", 2, 0).d[0].ended_one);
	assert_int_equal(runs(&r), 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_string_equal(rig_claim(&r).step, "rollback");
	rig_stop(&r);
}

static void late_events(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	part(&r, "a", 1, 0);
	rig_pass(&r, 5 * MINUTE);
	/* It is of before the other one, so all is over earlier. */
	assert_decided(part(&r, "a", 1, T0 - 4 * MINUTE), DECISION_PENDING,
		"1 of 2: waits for scanned until 2025-11-22T20:26:00.000Z");
	assert_decided(part(&r, "a", 2, T0 - 6 * MINUTE), DECISION_LIMIT,
		"it came too late: 11m after it happened; limits.gate_late is 10m");
	assert_decided(part(&r, "a", 2, T0 - 5 * MINUTE), DECISION_RUN, "all 2 came");
	/* A clock that is ahead counts as now. */
	assert_decided(part(&r, "b", 1, T0 + DAY), DECISION_PENDING,
		"1 of 2: waits for scanned until 2025-11-22T20:35:00.000Z");
	rig_stop(&r);
}

static void in_this_order(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	assert_decided(step_of(&r, 2, 0), DECISION_PENDING,
		"0 of 2: waits for built; scanned until 2025-11-22T20:10:00.000Z");
	rig_pass(&r, MINUTE);
	assert_decided(step_of(&r, 1, 0), DECISION_PENDING,
		"1 of 2: waits for scanned until 2025-11-22T20:31:00.000Z");
	rig_pass(&r, MINUTE);
	assert_decided(step_of(&r, 2, 0), DECISION_RUN, "all 2 came in order");
	rig_pass(&r, MINUTE);
	/* They came the other way round, and happened in order. */
	step_of(&r, 2, r.now);
	assert_decided(step_of(&r, 1, r.now - 30 * SECOND), DECISION_RUN, "all 2 came in order");
	/* An event is one of them, not two. */
	rig_pass(&r, MINUTE);
	assert_int_equal(step_of(&r, 3, 0).d[0].decision, DECISION_PENDING);
	assert_int_equal(step_of(&r, 3, 0).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

/* What comes again and again by itself is no beginning of a sequence: it neither times out nor
 * makes the next one end early. */
static void what_comes_before_the_first_part(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	step_of(&r, 2, 0);
	rig_pass(&r, 8 * MINUTE);
	assert_decided(step_of(&r, 2, 0), DECISION_PENDING,
		"0 of 2: waits for built; scanned until 2025-11-22T20:18:00.000Z");
	rig_pass(&r, 10 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_PENDING);
	assert_int_equal(runs(&r), 0);
	assert_none(&r);
	step_of(&r, 2, 0);
	rig_pass(&r, 5 * MINUTE);
	step_of(&r, 1, 0);
	rig_pass(&r, WITHIN - 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_decided(step_of(&r, 2, 0), DECISION_RUN, "all 2 came in order");
	assert_int_equal(runs(&r), 1);
	rig_stop(&r);
}

/* Its steps on timeout are those of the event from which it counts, also where that came later. */
static void the_earliest_event_says_what_runs(void **state)
{
	struct rig r;
	struct store_step_in other = back;
	struct store_decision_in d = gate(STORE_GATE_ALL_OF, "a", 1, 0);

	(void)state;
	start(&r);
	tell(&r, &d);
	rig_pass(&r, MINUTE);
	other.name = STR("other");
	d.gate.timeout_steps = &other;
	d.gate.time_ms = T0 - MINUTE;
	struct rig_answer first = tell(&r, &d);
	rig_pass(&r, WITHIN);
	assert_int_equal(rig_tick(&r).late_n, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "other");
	assert_has(str_of(c.event), first.id);
	rig_stop(&r);
}

/* One part comes again and again: that must not keep out the one that is missing. */
static void a_part_that_comes_often(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	for (int i = 0; i < 64; i++)
		assert_int_equal(part(&r, "a", 1, 0).d[0].decision, DECISION_PENDING);
	assert_decided(part(&r, "a", 1, 0), DECISION_LIMIT,
		"it came too late: its gate has 64 events already");
	assert_decided(part(&r, "a", 2, 0), DECISION_RUN, "all 2 came");
	for (int i = 0; i < 64; i++)
		assert_int_equal(step_of(&r, 1, 0).d[0].decision, DECISION_PENDING);
	assert_int_equal(step_of(&r, 1, 0).d[0].decision, DECISION_LIMIT);
	assert_decided(step_of(&r, 2, 0), DECISION_RUN, "all 2 came in order");
	/* Nor may what came before the first part keep that out. */
	rig_pass(&r, MINUTE);
	for (int i = 0; i < 64; i++)
		step_of(&r, 2, 0);
	assert_int_equal(step_of(&r, 1, 0).d[0].decision, DECISION_PENDING);
	assert_decided(step_of(&r, 2, 0), DECISION_RUN, "all 2 came in order");
	rig_stop(&r);
}

static struct rig_answer alert(
	struct rig *r, const char *fp, char status, int64_t starts, uint32_t parts)
{
	struct rig_event ev = rig_alert(fp, status, starts);

	if (status == 'f') {
		ev.rules[0] = gate(STORE_GATE_ALL_OF, "a", parts, 0);
		ev.rules_n = 1;
	}
	return rig_ingest(r, &ev);
}

static void a_resolve_takes_it_back(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	alert(&r, A, 'f', T0, 1);
	rig_pass(&r, MINUTE);
	/* A repetition is none. */
	assert_int_equal(alert(&r, A, 'f', T0, 1).d[0].decision, DECISION_DUPLICATE);
	alert(&r, A, 'r', T0, 0);
	assert_none(&r);
	assert_decided(alert(&r, B, 'f', T0, 2), DECISION_PENDING,
		"1 of 2: waits for built until 2025-11-22T20:31:00.000Z");
	rig_pass(&r, MINUTE);
	assert_decided(alert(&r, A, 'f', T0 + HOUR, 1), DECISION_RUN, "all 2 came");
	/* After that a resolve has nothing to take. */
	alert(&r, A, 'r', T0 + HOUR, 0);
	alert(&r, B, 'r', T0, 0);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":alert:am:" A ":waits"), 0);
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_int_equal(runs(&r), 1);
	assert_none(&r);
	rig_stop(&r);
}

/* The earliest one that is left says what runs, and whose timeline tells of it. */
static void the_earliest_is_taken_back(void **state)
{
	struct rig r;
	struct store_step_in other = back;
	struct rig_event ev = rig_alert(B, 'f', T0);

	(void)state;
	start(&r);
	alert(&r, A, 'f', T0, 1);
	rig_pass(&r, MINUTE);
	other.name = STR("other");
	ev.corr = "host-b";
	ev.rules[ev.rules_n++] = gate(STORE_GATE_ALL_OF, "a", 1, 0);
	ev.rules[0].gate.timeout_steps = &other;
	struct rig_answer b = rig_ingest(&r, &ev);
	assert_int_equal(b.d[0].decision, DECISION_PENDING);
	alert(&r, A, 'r', T0, 0);
	rig_pass(&r, WITHIN - 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).late_n, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "other");
	assert_string_equal(c.incident, b.incident);
	assert_has(str_of(c.event), b.id);
	rig_stop(&r);
}

/* Retention may be shorter than `within`: what is left of an incident that is gone would stay. */
static void its_incident_is_gone(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	struct rig_answer a = alert(&r, A, 'f', T0, 1);
	assert_int_equal(strlen(a.incident), ID_LEN);
	freeReplyObject(server_ask(&r.server, "EVAL %s 0",
		"for _, k in ipairs(redis.call('KEYS', '" RIG_KEY ":incident:*')) do "
		"redis.call('UNLINK', k) end"));
	rig_pass(&r, WITHIN);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(runs(&r), 1);
	assert_string_equal(rig_claim(&r).incident, "");
	redisReply *left = server_ask(&r.server, "KEYS " RIG_KEY ":incident:*");
	assert_int_equal(left->elements, 0);
	freeReplyObject(left);
	rig_stop(&r);
}

static void too_many_values(void **state)
{
	struct rig r;

	(void)state;
	start(&r);
	r.limits.gates = 1;
	part(&r, "a", 1, 0);
	assert_decided(part(&r, "b", 1, 0), DECISION_LIMIT,
		"the rule follows 1 different values of its by at once (limits.gates); let by have "
		"fields of few values, or "
		"raise it");
	assert_int_equal(part(&r, "a", 2, 0).d[0].decision, DECISION_RUN);
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_int_equal(part(&r, "b", 1, 0).d[0].decision, DECISION_PENDING);
	rig_stop(&r);
}

static void a_changed_rule_begins_anew(void **state)
{
	struct rig r;
	struct store_decision_in d = gate(STORE_GATE_ALL_OF, "a", 2, 0);

	(void)state;
	start(&r);
	part(&r, "a", 1, 0);
	d.gate.names = STR("built\nsigned");
	assert_decided(tell(&r, &d), DECISION_PENDING,
		"1 of 2: waits for built until 2025-11-22T20:30:00.000Z");
	d = gate(STORE_GATE_THRESHOLD, "a", 0, 0);
	assert_decided(tell(&r, &d), DECISION_PENDING, "1 of 3 within 30m: waits for 2 more");
	assert_int_equal(gates(&r), 1);
	rig_stop(&r);
}

static void steps_that_lack_something(void **state)
{
	struct rig r;
	struct store_decision_in d = gate(STORE_GATE_ALL_OF, "a", 1, 0);

	(void)state;
	start(&r);
	d.gate.why = STR("data.path is missing");
	d.gate.timeout_why = STR("data.to is missing");
	d.gate.timeout_steps_n = d.steps_n = 0;
	assert_int_equal(tell(&r, &d).d[0].decision, DECISION_PENDING);
	assert_decided(part(&r, "a", 2, 0), DECISION_RUN, "all 2 came");
	rig_pass(&r, MINUTE);
	part(&r, "a", 2, 0);
	assert_decided(tell(&r, &d), DECISION_ERROR, "data.path is missing");
	rig_pass(&r, MINUTE);
	tell(&r, &d);
	rig_pass(&r, WITHIN);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_ERROR);
	assert_int_equal(runs(&r), 1);
	rig_stop(&r);
}

static void counts_to_a_threshold(void **state)
{
	struct rig r;
	struct store_decision_in d = gate(STORE_GATE_THRESHOLD, "a", 0, 0);

	(void)state;
	start(&r);
	assert_decided(tell(&r, &d), DECISION_PENDING, "1 of 3 within 30m: waits for 2 more");
	rig_pass(&r, 20 * MINUTE);
	assert_decided(tell(&r, &d), DECISION_PENDING, "2 of 3 within 30m: waits for 1 more");
	rig_pass(&r, 10 * MINUTE);
	/* The first one is 30 minutes old: it does not count any more. */
	assert_decided(tell(&r, &d), DECISION_PENDING, "2 of 3 within 30m: waits for 1 more");
	rig_pass(&r, 5 * MINUTE);
	d.gate.time_ms = r.now - 9 * MINUTE;
	assert_decided(tell(&r, &d), DECISION_RUN, "3 within 30m");
	/* They are used up. */
	d.gate.time_ms = 0;
	assert_decided(tell(&r, &d), DECISION_PENDING, "1 of 3 within 30m: waits for 2 more");
	rig_pass(&r, HOUR);
	rig_tick(&r);
	assert_int_equal(runs(&r), 1);
	assert_none(&r);
	rig_stop(&r);
}

static enum err_code watch(struct rig *r, const struct store_decision_in *d, bool begins)
{
	struct store_watch w = {.limits = r->limits,
		.ruleset_hash = STR("h"),
		.rules = d,
		.begins = &begins,
		.n = d != NULL};

	return rig_await(r, store_watch(r->s, &w, rig_done, r, &r->e));
}

static struct store_decision_in absent(const char *key, int64_t time)
{
	struct store_decision_in d = gate(STORE_GATE_ABSENT, key, 0, time);

	d.gate.within_ms = 5 * MINUTE;
	d.gate.names = STR("heartbeat");
	return d;
}

static void none_came(void **state)
{
	struct rig r;
	struct store_decision_in d = absent("a", 0);

	(void)state;
	start(&r);
	assert_int_equal(watch(&r, &d, false), ERR_NONE);
	assert_int_equal(gates(&r), 0);
	assert_decided(tell(&r, &d), DECISION_PENDING,
		"runs if no other one came until 2025-11-22T20:05:00.000Z");
	rig_pass(&r, 4 * MINUTE);
	struct rig_answer last = tell(&r, &d);
	assert_decided(
		last, DECISION_PENDING, "runs if no other one came until 2025-11-22T20:09:00.000Z");
	rig_pass(&r, 4 * MINUTE);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.due_in_ms, MINUTE);
	assert_int_equal(t.late_n, 0);
	/* Nobody was there when it was due: once, late. */
	rig_pass(&r, HOUR);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_late_decision, DECISION_RUN);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, DAY);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 1);
	/* Again only after one came. */
	assert_int_equal(tell(&r, &d).d[0].decision, DECISION_PENDING);
	rig_pass(&r, 5 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(runs(&r), 2);
	rig_stop(&r);
}

/* A newer library takes over what an older one kept of gates: steps on timeout, also those of an
 * event that may yet be the first, and the rule of an absent. */
static void kept_by_an_older_library(void **state)
{
	struct rig r;
	struct store_decision_in d = absent("heart", 0);

	(void)state;
	start(&r);
	assert_int_equal(watch(&r, &d, false), ERR_NONE);
	tell(&r, &d);
	part(&r, "a", 2, 0);
	rig_keep_as_before(&r);
	rig_pass(&r, MINUTE);
	part(&r, "b", 1, 0);
	part(&r, "a", 2, r.now - 2 * MINUTE);
	rig_keep_as_before(&r);
	rig_pass(&r, 4 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_string_equal(c.step, "disk-usage");
	assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	rig_pass(&r, WITHIN);
	while (rig_tick(&r).more)
		;
	assert_int_equal(runs(&r), 3);
	for (int i = 0; i < 2; i++) {
		c = rig_claim(&r);
		assert_string_equal(c.step, "rollback");
		assert_int_equal(rig_change(&r, &c, "succeeded", 0), ERR_NONE);
	}
	rig_stop(&r);
}

/* The heartbeat comes before the tick that would have told. */
static void one_that_comes_after_it_was_due(void **state)
{
	struct rig r;
	struct store_decision_in d = absent("a", 0);

	(void)state;
	start(&r);
	watch(&r, &d, false);
	tell(&r, &d);
	rig_pass(&r, 7 * MINUTE);
	/* It happened in time. */
	d.gate.time_ms = r.now - 3 * MINUTE;
	assert_decided(tell(&r, &d), DECISION_PENDING,
		"runs if no other one came until 2025-11-22T20:09:00.000Z");
	assert_int_equal(runs(&r), 0);
	rig_pass(&r, 20 * MINUTE);
	/* It did not. */
	d.gate.time_ms = 0;
	assert_decided(tell(&r, &d), DECISION_PENDING,
		"runs if no other one came until 2025-11-22T20:32:00.000Z");
	assert_int_equal(runs(&r), 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_stop(&r);
}

/* An alert that is repeated for ever is a heartbeat, though a repetition asks no rule. */
static void an_alert_that_is_repeated(void **state)
{
	struct rig r;
	struct store_decision_in d = absent("a", 0);
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	start(&r);
	watch(&r, &d, false);
	ev.rules[0] = d;
	ev.rules_n = 1;
	rig_ingest(&r, &ev);
	for (int i = 0; i < 5; i++) {
		rig_pass(&r, 4 * MINUTE);
		assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_DUPLICATE);
		assert_int_equal(rig_tick(&r).late_n, 0);
	}
	/* The last one was at 20:20. */
	rig_pass(&r, 5 * MINUTE - 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, HOUR);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_int_equal(runs(&r), 1);
	/* It is repeated again, and then not: once more. */
	rig_ingest(&r, &ev);
	rig_pass(&r, 4 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 0);
	rig_pass(&r, 10 * MINUTE);
	while (rig_tick(&r).late_n == 0 && r.now < T0 + 3 * HOUR)
		rig_pass(&r, MINUTE);
	assert_int_equal(runs(&r), 2);
	rig_pass(&r, 40 * DAY);
	while (gates(&r) > 0 && r.now < T0 + 80 * DAY) {
		watch(&r, &d, false);
		assert_int_equal(rig_tick(&r).late_n, 0);
		rig_pass(&r, DAY);
	}
	assert_none(&r);
	rig_stop(&r);
}

static void watched_from_the_load(void **state)
{
	struct rig r;
	struct store_decision_in d = absent(NULL, 0);

	(void)state;
	start(&r);
	watch(&r, &d, true);
	rig_pass(&r, 4 * MINUTE);
	watch(&r, &d, true); /* loaded again: the watch goes on */
	rig_pass(&r, MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	struct rig_claimed c = rig_claim(&r);
	assert_has(str_of(c.event), "\"type\":\"absent\"");
	assert_has(str_of(c.event), "none of heartbeat came for 5m since 2025-11-22T20:00:00.000Z");
	rig_pass(&r, DAY);
	watch(&r, &d, true);
	assert_int_equal(rig_tick(&r).late_n, 0);
	/* No such rule any more. */
	tell(&r, &d);
	rig_pass(&r, 2 * MINUTE);
	watch(&r, NULL, false);
	rig_pass(&r, 5 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 0);
	assert_none(&r);
	rig_stop(&r);
}

/* It has fired and would wait for its next event for ever. */
static void one_that_fired_goes_with_its_rule(void **state)
{
	struct rig r;
	struct store_decision_in d = absent(NULL, 0);

	(void)state;
	start(&r);
	watch(&r, &d, true);
	rig_pass(&r, 5 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_int_equal(gates(&r), 1);
	rig_pass(&r, 2 * MINUTE);
	watch(&r, NULL, false);
	assert_none(&r);
	assert_int_equal(
		server_number(&r.server, "EXISTS " RIG_KEY ":gate:gate: " RIG_KEY ":absents"), 0);
	rig_stop(&r);
}

/* Two bridges tick, and each gate ends once, half of them by their second event. */
static void many_at_once(void **state)
{
	struct rig r;
	struct store_tick_result t = {.more = true};
	char key[16];
	int64_t late = 0;

	(void)state;
	start(&r);
	r.limits.queue = 10 * MANY;
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		part(&r, key, 1, 0);
	}
	for (int i = 0; i < MANY; i += 2) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(part(&r, key, 2, 0).d[0].decision, DECISION_RUN);
	}
	rig_pass(&r, WITHIN);
	for (int i = 0; t.more; i++) {
		t = rig_tick(&r);
		assert_true(t.late_n <= 100);
		late += (int64_t)t.late_n;
	}
	assert_int_equal(late, MANY / 2);
	assert_int_equal(runs(&r), MANY);
	assert_int_equal(server_number(&r.server, "HGET " RIG_KEY ":gates:count gate"), MANY / 2);
	rig_stop(&r);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(either_order),
		T(other_events_are_told),
		T(both_in_one_message),
		T(times_out_once),
		T(a_pause_holds_what_was_to_undo),
		T(an_event_ends_what_is_over),
		T(late_events),
		T(in_this_order),
		T(what_comes_before_the_first_part),
		T(the_earliest_event_says_what_runs),
		T(a_part_that_comes_often),
		T(a_resolve_takes_it_back),
		T(the_earliest_is_taken_back),
		T(its_incident_is_gone),
		T(too_many_values),
		T(a_changed_rule_begins_anew),
		T(steps_that_lack_something),
		T(counts_to_a_threshold),
		T(none_came),
		T(kept_by_an_older_library),
		T(one_that_comes_after_it_was_due),
		T(an_alert_that_is_repeated),
		T(watched_from_the_load),
		T(one_that_fired_goes_with_its_rule),
		T(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
