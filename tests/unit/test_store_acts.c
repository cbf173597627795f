/* What people do with incidents: acknowledge, close, note, merge, split; what it means for alerts
 * and runs; how often. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define C "cccccccccccccccc"
#define D "dddddddddddddddd"
#define T0 RIG_T0

static char told[4096]; /* the answer of the last act */

static void on_told(void *ctx, const struct err *e, struct str text)
{
	snprintf(told, sizeof(told), "%.*s", STR_ARG(text));
	rig_done(ctx, e);
}

static enum err_code act(struct rig *r, enum store_act_kind what, const char *id, const char *text)
{
	struct store_act in = {.what = what,
		.incident = str_of(id),
		.who = STR("token ann"),
		.text = str_of(text)};

	return rig_await(r, store_incident_act(r->s, &in, on_told, r, &r->e));
}

static void assert_act(struct rig *r, enum store_act_kind what, const char *id, const char *text)
{
	if (act(r, what, id, text) != ERR_NONE)
		fail_msg("act %d: %s", (int)what, r->e.text);
}

static void assert_told(const char *part)
{
	assert_has(str_of(told), part);
}

static struct rig_event firing(const char *fp, int64_t starts)
{
	return rig_with_rule(rig_alert(fp, 'f', starts), "disk-full", &rig_step, 1, 0);
}

static void put(struct rig *r, struct rig_event ev)
{
	rig_ingest(r, &ev);
}

static struct rig_answer get(struct rig *r, struct rig_event ev)
{
	return rig_ingest(r, &ev);
}

/* How many rows of the list hold the text. */
static size_t rows_with(struct rig *r, enum store_list what, const char *id, const char *part)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	size_t n = 0;

	assert_non_null(rows);
	rig_list(r, what, &(struct store_page){.id = str_of(id), .limit = 50}, rows);
	assert_int_equal(r->e.code, ERR_NONE);
	for (size_t i = 0; i < rows->n; i++)
		n += strstr(rows->v[i], part) != NULL;
	free(rows);
	return n;
}

static void acknowledged_until_it_breaks_again(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	rig_pass(&r, MINUTE);
	assert_act(&r, STORE_ACK, a.incident, "on it");
	assert_told("\"acked\":true,");
	assert_told("\"acked_at\":\"2025-11-22T20:01:00.000Z\",\"acked_by\":\"token ann\"");
	/* Once more, and an update: it stays as it was, and is told once. */
	rig_pass(&r, MINUTE);
	assert_act(&r, STORE_ACK, a.incident, "on it");
	put(&r, rig_alert(B, 'f', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident),
		"\"acked_at\":\"2025-11-22T20:01:00.000Z\"");
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"kind\":\"act\""), 1);
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident,
				 "\"what\":\"ack\",\"who\":\"token ann\",\"text\":\"on "
				 "it\",\"incident\":\""),
		1);
	assert_int_equal(rows_with(&r, STORE_AUDIT, "",
				 "\"what\":\"ack\",\"who\":\"token ann\",\"incident\":\""),
		1);
	/* Resolved it still was; broken again it is not. */
	put(&r, rig_alert(A, 'r', T0));
	put(&r, rig_alert(B, 'r', T0));
	assert_text(
		rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"resolved\",\"acked\":true");
	rig_pass(&r, MINUTE);
	struct rig_answer again = get(&r, rig_alert(A, 'f', T0 + 3 * MINUTE));
	assert_string_equal(again.incident, a.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"open\",\"acked\":false");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"acked_at\":null,\"acked_by\":null");
	rig_stop(&r);
}

/* Resolved and broken again in the messages of one call. */
static void broken_again_within_one_call(void **state)
{
	struct rig r;
	struct rig_answer out[2];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	assert_act(&r, STORE_ACK, a.incident, "");
	struct rig_event both[] = {rig_alert(A, 'r', T0), rig_alert(A, 'f', T0 + MINUTE)};
	assert_int_equal(rig_ingest_n(&r, both, 2, 0, out), ERR_NONE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"open\",\"acked\":false");
	rig_stop(&r);
}

static void taken_back_and_refused(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	assert_act(&r, STORE_UNACK, a.incident, "");
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"kind\":\"act\""), 0);
	assert_act(&r, STORE_ACK, a.incident, "");
	assert_act(&r, STORE_UNACK, a.incident, "not mine");
	assert_told("\"acked\":false,");
	assert_act(&r, STORE_UNACK, a.incident, "not mine");
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"what\":\"unack\""), 1);
	put(&r, rig_alert(A, 'r', T0));
	assert_int_equal(act(&r, STORE_ACK, a.incident, ""), ERR_CONFLICT);
	assert_has(str_of(r.e.text),
		"is resolved, and only an open one is acknowledged; leave a note");
	assert_int_equal(act(&r, STORE_ACK, "01JD0000000000000000000000", ""), ERR_NOT_FOUND);
	assert_int_equal(act(&r, STORE_ACK, "none", ""), ERR_NOT_FOUND);
	assert_act(&r, STORE_NOTE, a.incident, "it was the \"fan\"\n");
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "it was the \\\"fan\\\"\\n"), 1);
	assert_int_equal(rows_with(&r, STORE_AUDIT, "", "\"what\":\"note\""), 1);
	rig_stop(&r);
}

static void closed_takes_no_more(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	rig_pass(&r, MINUTE);
	assert_act(&r, STORE_CLOSE, a.incident, "known");
	assert_told("\"status\":\"closed\"");
	assert_told("\"resolved\":\"2025-11-22T20:01:00.000Z\",\"alerts\":1,\"firing\":0");
	assert_told("\"closed_by\":\"token ann\",\"closed_reason\":\"known\"");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 0);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:done"), 1);
	assert_act(&r, STORE_CLOSE, a.incident, "known");
	assert_int_equal(rows_with(&r, STORE_AUDIT, "", "\"what\":\"close\""), 1);
	/* The same once more is nothing new; the alert fires on. */
	assert_int_equal(get(&r, rig_alert(A, 'f', T0)).outcome, STORE_DUPLICATE);
	assert_int_equal(rows_with(&r, STORE_ALERTS, "", "\"status\":\"firing\""), 1);
	/* Another alert of its key, and its own anew. */
	struct rig_answer b = get(&r, rig_alert(B, 'f', T0 + MINUTE));
	assert_string_not_equal(b.incident, a.incident);
	struct rig_answer anew = get(&r, rig_alert(A, 'f', T0 + 10 * MINUTE));
	assert_string_equal(anew.incident, b.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"alerts\":2,\"firing\":2");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"closed\"");
	rig_stop(&r);
}

/* Its alerts go on with what they do, and it stays closed. */
static void closed_stays_closed(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	ev.expires = T0 + 4 * MINUTE;
	struct rig_answer a = get(&r, ev);
	struct rig_answer b = get(&r, rig_alert(B, 'f', T0));
	assert_act(&r, STORE_CLOSE, a.incident, "known");
	put(&r, rig_alert(B, 'r', T0));
	assert_string_equal(b.incident, a.incident);
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"status\":\"resolved\""), 1);
	rig_time(&r, T0 + 4 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	/* Resolved for want of news, and the same again: that is no other occurrence, and no other
	 * incident. */
	ev.expires = T0 + 9 * MINUTE;
	struct rig_answer again = get(&r, ev);
	assert_int_equal(again.outcome, STORE_REOPENED);
	assert_string_equal(again.incident, a.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"closed\"");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"firing\":0");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 0);
	rig_stop(&r);
}

static void a_resolved_one_closed_does_not_reopen(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	put(&r, rig_alert(A, 'r', T0));
	rig_pass(&r, MINUTE);
	assert_act(&r, STORE_CLOSE, a.incident, "mended");
	assert_told("\"resolved\":\"2025-11-22T20:00:00.000Z\"");
	struct rig_answer b = get(&r, rig_alert(A, 'f', T0 + MINUTE));
	assert_string_not_equal(b.incident, a.incident);
	rig_stop(&r);
}

static const struct store_step_in two_steps[] = {
	{{"look", 4}, {"look", 4}, {"5ha", 3}, {"default", 7}, {"{}", 2}, false, false, false, 0, 0,
		0},
	{{"mend", 4}, {"mend", 4}, {"5ha", 3}, {"default", 7}, {"{}", 2}, false, false, false, 0, 0,
		0},
};

/* What has begun goes on with the steps behind it; what has not, does not begin. */
static void runs_that_have_not_begun(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "begun", two_steps, 2, 0);
	struct rig_answer a = get(&r, ev);
	struct rig_claimed look = rig_claim(&r);
	assert_string_equal(look.step, "look");
	ev = rig_with_rule(rig_alert(B, 'f', T0), "queued", two_steps, 2, 0);
	ev = rig_with_rule(ev, "asked", two_steps, 1, 0);
	ev.rules[1].approval = true;
	put(&r, ev);
	struct rig_claimed back = rig_claim(&r);
	assert_int_equal(rig_give_back(&r, &back), ERR_NONE);
	assert_act(&r, STORE_CLOSE, a.incident, "known");
	assert_int_equal(rows_with(&r, STORE_RUNS, "",
				 "\"state\":\"cancelled\",\"reason\":\"its incident was closed by "
				 "token ann: known\""),
		3);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":approvals"), 0);
	assert_string_equal(rig_claim(&r).run, "");
	assert_int_equal(rig_change(&r, &look, "succeeded", 0), ERR_NONE);
	assert_string_equal(rig_claim(&r).step, "mend");
	rig_stop(&r);
}

/* More of them than a close cancels at once: a worker finds them cancelled. */
static void more_runs_than_one_close_takes(void **state)
{
	struct rig r;
	struct rig_event *v = calloc(256, sizeof(*v));
	struct rig_answer *out = calloc(256, sizeof(*out));
	char(*fp)[17] = calloc(1024, sizeof(*fp)), id[ID_LEN + 1];

	(void)state;
	assert_true(v && out && fp);
	rig_start(&r, true);
	r.limits.queue = 10000;
	for (int i = 0; i < 1024; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", i);
		v[i % 256] = firing(fp[i], T0);
		if (i % 256 == 255)
			assert_int_equal(rig_ingest_n(&r, v, 256, 0, out), ERR_NONE);
	}
	memcpy(id, out[0].incident, sizeof(id));
	assert_act(&r, STORE_CLOSE, id, "noise");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":queue:default"), 24);
	/* Another incident's goes to the worker, whatever stands before it. */
	struct rig_event other = firing("ffffffffffffffff", T0);
	other.corr = "host-b";
	rig_pass(&r, 1);
	struct rig_answer b = get(&r, other);
	assert_string_equal(rig_claim(&r).incident, b.incident);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":queue:default"), 0);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":runs:live"), 1);
	free(v);
	free(out);
	free(fp);
	rig_stop(&r);
}

static void what_waits_for_its_time(void **state)
{
	struct rig r;
	struct rig_event ev = firing(A, T0);

	(void)state;
	rig_start(&r, true);
	ev.rules[0].for_ms = 2 * MINUTE;
	struct rig_answer a = get(&r, ev);
	assert_int_equal(a.d[0].decision, DECISION_PENDING);
	assert_act(&r, STORE_CLOSE, a.incident, "known");
	rig_pass(&r, 2 * MINUTE);
	struct store_tick_result t = rig_tick(&r);
	assert_int_equal(t.late_n, 0);
	assert_int_equal(t.due_in_ms, -1);
	assert_int_equal(
		rows_with(&r, STORE_TIMELINE, a.incident, "dropped: its incident was closed"), 1);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":runs:live"), 0);
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":alert:am:" A ":waits"), 0);
	rig_stop(&r);
}

static void flapping_for_as_long_as_an_alert_does(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	r.limits.flapping.transitions = 3;
	r.limits.flapping.window_ms = 10 * MINUTE;
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"flapping\":false");
	for (int i = 1; i <= 2; i++) {
		rig_pass(&r, MINUTE);
		put(&r, rig_alert(A, 'r', T0 + (i - 1) * MINUTE));
		put(&r, rig_alert(A, 'f', T0 + i * MINUTE));
	}
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"flapping\":true");
	rig_pass(&r, 10 * MINUTE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"flapping\":false");
	rig_stop(&r);
}

/* What is cut off the timeline is counted. */
static void entries_that_are_not_kept(void **state)
{
	static const char fill[] =
		"for i = 1, 11 do local v = {} for j = 1, 1000 do v[j] = ARGV[1] end "
		"redis.call('RPUSH', KEYS[1], unpack(v)) end";
	struct rig r;
	char key[80];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	snprintf(key, sizeof(key), RIG_KEY ":incident:%s:timeline", a.incident);
	freeReplyObject(server_ask(&r.server, "EVAL %s 1 %s %s", fill, key, "1763841600000-0"));
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"dropped\":0");
	/* The alert's own, and 11,000, and the note: 10,000 stay. */
	assert_act(&r, STORE_NOTE, a.incident, "one more");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"dropped\":1002");
	rig_stop(&r);
}

/* With the incident goes what people did with it. */
static void forgotten_with_the_incident(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	assert_act(&r, STORE_ACK, a.incident, "");
	put(&r, rig_alert(A, 'r', T0));
	assert_act(&r, STORE_CLOSE, a.incident, "done");
	rig_pass(&r, 31 * DAY);
	while (rig_tick(&r).more)
		;
	redisReply *keys = server_ask(&r.server, "KEYS *incident:*");
	assert_int_equal(keys->elements, 0);
	freeReplyObject(keys);
	rig_stop(&r);
}

/* ---- merge ---- */

static struct rig_event elsewhere(const char *fp, char status, int64_t starts)
{
	struct rig_event ev = rig_alert(fp, status, starts);

	ev.corr = "host-b";
	ev.source = "prom";
	ev.severity = 4;
	return ev;
}

static enum err_code merge(struct rig *r, const char *id, const char *into)
{
	struct store_act in = {.what = STORE_MERGE,
		.incident = str_of(id),
		.who = STR("token ann"),
		.text = STR("one and the same"),
		.into = str_of(into)};

	return rig_await(r, store_incident_act(r->s, &in, on_told, r, &r->e));
}

static void assert_merge(struct rig *r, const char *id, const char *into)
{
	if (merge(r, id, into) != ERR_NONE)
		fail_msg("merge: %s", r->e.text);
}

static void assert_refused(enum err_code got, struct rig *r, const char *part)
{
	assert_int_equal(got, ERR_CONFLICT);
	assert_has(str_of(r->e.text), part);
}

static void one_of_two(void **state)
{
	struct rig r;
	char want[200];

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = firing(A, T0);
	struct rig_answer a = get(&r, ev);
	struct rig_answer b = get(&r, elsewhere(B, 'f', T0));
	assert_string_not_equal(a.incident, b.incident);
	rig_pass(&r, MINUTE);
	put(&r, rig_alert(C, 'f', T0));
	assert_merge(&r, a.incident, b.incident);
	/* What the one has. */
	assert_told("\"alerts\":3,\"firing\":3,\"sources\":[\"prom\",\"am\"],\"runs\":1");
	assert_told("\"severity\":\"critical\"");
	snprintf(want, sizeof(want), "\"merged_into\":null,\"merged\":[\"%s\"]", a.incident);
	assert_told(want);
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_ALERTS, b.incident, "\"status\":\"firing\""), 3);
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_RUNS, b.incident, "\"rule\":\"disk-full\""), 1);
	/* What the other says. */
	snprintf(want, sizeof(want), "\"merged_into\":\"%s\"", b.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), want);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"closed\"");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"alerts\":2,\"firing\":0");
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_ALERTS, a.incident, "\"status\":\"firing\""), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rows_with(&r, STORE_TIMELINE, i ? a.incident : b.incident,
					 "\"what\":\"merge\""),
			1);
	assert_int_equal(
		rows_with(&r, STORE_AUDIT, "", "\"what\":\"merge\",\"who\":\"token ann\""), 1);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	snprintf(want, sizeof(want), "\"incident\":\"%s\"", b.incident);
	assert_int_equal(rows_with(&r, STORE_ALERTS, "", want), 3);
	assert_int_equal(rows_with(&r, STORE_RUNS, "", want), 1);
	/* Once more it is nothing. */
	assert_merge(&r, a.incident, b.incident);
	assert_told("\"alerts\":3,");
	assert_int_equal(rows_with(&r, STORE_AUDIT, "", "\"what\":\"merge\""), 1);
	rig_stop(&r);
}

/* The timeline of the one is in order, with what came of both. */
static void in_order(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct rig_answer a, b;

	(void)state;
	assert_non_null(rows);
	rig_start(&r, true);
	for (int i = 0; i < 5; i++) {
		char fp[2][17];

		snprintf(fp[0], sizeof(fp[0]), "%016x", i);
		snprintf(fp[1], sizeof(fp[1]), "%016x", i + 100);
		a = get(&r, rig_alert(fp[0], 'f', T0));
		b = get(&r, elsewhere(fp[1], 'f', T0));
		if (i % 2)
			rig_pass(&r, SECOND);
	}
	assert_merge(&r, b.incident, a.incident);
	rig_list(&r, STORE_TIMELINE, &(struct store_page){.id = str_of(a.incident), .limit = 50},
		rows);
	assert_int_equal(rows->n, 11);
	for (size_t i = 1; i < rows->n; i++)
		assert_true(strncmp(rows->v[i - 1], rows->v[i], strlen("{\"id\":\"") + ID_LEN) < 0);
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_ALERTS, a.incident, "\"status\":\"firing\""), 10);
	free(rows);
	rig_stop(&r);
}

/* Alerts, runs and keys of the one that was merged lead on. */
static void what_comes_later_is_the_other_ones(void **state)
{
	struct rig r;
	char want[200];

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = firing(A, T0);
	struct rig_answer a = get(&r, ev);
	struct rig_answer b = get(&r, elsewhere(B, 'f', T0));
	struct rig_claimed run = rig_claim(&r);
	struct rig_event waits = firing(D, T0);
	waits.rules[0].for_ms = 2 * MINUTE;
	waits.rules[0].rule = STR("later");
	put(&r, waits);
	assert_merge(&r, a.incident, b.incident);
	/* A run that ends. */
	assert_int_equal(rig_change(&r, &run, "failed", 1), ERR_NONE);
	assert_int_equal(rows_with(&r, STORE_TIMELINE, b.incident, "\"outcome\":\"failed\""), 1);
	/* Another alert of its key. */
	struct rig_answer c = get(&r, rig_alert(C, 'f', T0));
	assert_string_equal(c.incident, b.incident);
	/* What waited for its time. */
	rig_pass(&r, 2 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	run = rig_claim(&r);
	assert_string_equal(run.rule, "later");
	assert_string_equal(run.incident, b.incident);
	snprintf(want, sizeof(want), "{\"id\":\"%s\"", b.incident);
	assert_has(str_of(run.incident_json), want);
	/* Resolves end the one, the last of them; what fires anew comes back to it, and is none
	 * more. */
	put(&r, rig_alert(A, 'r', T0));
	put(&r, rig_alert(D, 'r', T0));
	put(&r, rig_alert(C, 'r', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"status\":\"open\"");
	put(&r, elsewhere(B, 'r', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"status\":\"resolved\"");
	c = get(&r, rig_alert(A, 'f', T0 + MINUTE));
	assert_string_equal(c.incident, b.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"status\":\"open\"");
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"alerts\":4,\"firing\":1");
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_ALERTS, b.incident, "\"fingerprint\":\"" A "\""), 1);
	/* Closed, that is over. */
	assert_act(&r, STORE_CLOSE, b.incident, "enough");
	c = get(&r, rig_alert(C, 'f', T0 + MINUTE));
	assert_string_not_equal(c.incident, b.incident);
	assert_string_not_equal(c.incident, a.incident);
	rig_stop(&r);
}

/* An alert with a deadline, which nobody repeats, and one that fires anew while it fires. */
static void alerts_keep_the_count(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	ev.expires = T0 + 4 * MINUTE;
	struct rig_answer a = get(&r, ev), b = get(&r, elsewhere(B, 'f', T0));
	put(&r, rig_alert(C, 'f', T0));
	assert_merge(&r, a.incident, b.incident);
	rig_time(&r, T0 + 4 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"alerts\":3,\"firing\":2");
	ev.expires = T0 + 9 * MINUTE;
	assert_int_equal(get(&r, ev).outcome, STORE_REOPENED);
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"alerts\":3,\"firing\":3");
	rig_time(&r, T0 + 8 * MINUTE);
	struct rig_answer c = get(&r, rig_alert(C, 'f', T0 + 7 * MINUTE));
	assert_int_equal(c.outcome, STORE_NEW);
	assert_string_equal(c.incident, b.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, b.incident), "\"alerts\":3,\"firing\":3");
	rig_stop(&r);
}

/* A gate that began in the one runs out in the other. */
static void a_gate_that_runs_out(void **state)
{
	struct rig r;
	struct rig_event ev = firing(A, T0);

	(void)state;
	rig_start(&r, true);
	r.limits.gate_late_ms = 10 * MINUTE;
	r.limits.gates = 10;
	ev.rules[0].gate = (struct store_gate_in){.kind = STORE_GATE_ALL_OF,
		.count = 2,
		.within_ms = 5 * MINUTE,
		.parts = 1,
		.names = STR("built\nscanned"),
		.timeout_steps = &rig_step,
		.timeout_steps_n = 1};
	struct rig_answer a = get(&r, ev), b = get(&r, elsewhere(B, 'f', T0));
	assert_int_equal(a.d[0].decision, DECISION_PENDING);
	assert_merge(&r, a.incident, b.incident);
	rig_pass(&r, 5 * MINUTE);
	assert_int_equal(rig_tick(&r).late_n, 1);
	assert_string_equal(rig_claim(&r).incident, b.incident);
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_RUNS, b.incident, "\"rule\":\"disk-full\""), 1);
	rig_stop(&r);
}

static void merged_in_a_row(void **state)
{
	struct rig r;
	char want[200];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0)), b = get(&r, elsewhere(B, 'f', T0));
	struct rig_event other = rig_alert(C, 'f', T0);
	other.corr = "host-c";
	struct rig_answer c = get(&r, other);
	assert_merge(&r, a.incident, b.incident);
	assert_merge(&r, b.incident, c.incident);
	snprintf(want, sizeof(want), "\"merged\":[\"%s\",\"%s\"]", a.incident, b.incident);
	assert_told(want);
	assert_told("\"alerts\":3,\"firing\":3");
	snprintf(want, sizeof(want), "\"merged_into\":\"%s\"", c.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), want);
	put(&r, rig_alert(A, 'r', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"alerts\":3,\"firing\":2");
	rig_stop(&r);
}

static void a_resolved_one_opens_again(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer b = get(&r, elsewhere(B, 'f', T0));
	assert_act(&r, STORE_ACK, b.incident, "");
	put(&r, elsewhere(B, 'r', T0));
	rig_pass(&r, HOUR);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0 + HOUR));
	assert_merge(&r, a.incident, b.incident);
	assert_told("\"status\":\"open\",\"acked\":false");
	assert_told("\"resolved\":null,\"alerts\":2,\"firing\":1");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	rig_stop(&r);
}

static void no_merge(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0)), b = get(&r, elsewhere(B, 'f', T0));
	struct rig_event other = rig_alert(C, 'f', T0);
	other.corr = "host-c";
	struct rig_answer c = get(&r, other);
	assert_int_equal(merge(&r, a.incident, "01JD0000000000000000000000"), ERR_NOT_FOUND);
	assert_int_equal(merge(&r, "01JD0000000000000000000000", a.incident), ERR_NOT_FOUND);
	assert_refused(merge(&r, a.incident, a.incident), &r, "into itself; name another one");
	assert_merge(&r, a.incident, b.incident);
	assert_refused(merge(&r, c.incident, a.incident), &r, "which was merged itself; name '");
	assert_refused(merge(&r, a.incident, c.incident), &r, "was merged into '");
	assert_refused(act(&r, STORE_CLOSE, a.incident, "x"), &r, "was merged into '");
	assert_refused(act(&r, STORE_NOTE, a.incident, "x"), &r, "; name that one");
	assert_act(&r, STORE_CLOSE, b.incident, "done");
	assert_refused(merge(&r, c.incident, b.incident), &r, "which is closed and takes no more");
	assert_refused(merge(&r, b.incident, c.incident), &r, "leave a note");
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"alerts\":1,\"firing\":1");
	assert_int_equal(rows_with(&r, STORE_AUDIT, "", "\"what\":\"merge\""), 1);
	rig_stop(&r);
}

static void a_hundred_into_one(void **state)
{
	struct rig r;
	char fp[17], corr[16];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	for (int i = 0; i <= 100; i++) {
		snprintf(fp, sizeof(fp), "%016x", i);
		snprintf(corr, sizeof(corr), "host-%d", i);
		struct rig_event ev = rig_alert(fp, 'f', T0);
		ev.corr = corr;
		struct rig_answer b = get(&r, ev);
		if (i < 100)
			assert_merge(&r, b.incident, a.incident);
		else
			assert_refused(merge(&r, b.incident, a.incident), &r,
				"as many as one takes (MERGED, 100)");
	}
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"alerts\":101,\"firing\":101");
	rig_stop(&r);
}

/* The one that was merged goes with the one that has what it had, and not before. */
static void merged_ones_are_forgotten_together(void **state)
{
	struct rig r;
	struct rig_event ev = firing(A, T0);

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, ev), b = get(&r, elsewhere(B, 'f', T0));
	struct rig_claimed run = rig_claim(&r);
	assert_int_equal(rig_change(&r, &run, "succeeded", 0), ERR_NONE);
	assert_merge(&r, a.incident, b.incident);
	rig_pass(&r, 20 * DAY);
	put(&r, rig_alert(A, 'r', T0));
	put(&r, elsewhere(B, 'r', T0));
	rig_pass(&r, 20 * DAY);
	while (rig_tick(&r).more)
		;
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"closed\"");
	rig_pass(&r, 20 * DAY);
	for (int i = 0; i < 3; i++)
		while (rig_tick(&r).more)
			;
	for (int i = 0; i < 3; i++) {
		static const char *const left[] = {"*incident:0*", "*run:*", "*alert:*"};
		redisReply *keys = server_ask(&r.server, "KEYS %s", left[i]);
		if (keys->elements > 0)
			fail_msg("%s stays", keys->element[0]->str);
		freeReplyObject(keys);
	}
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":labels"), 0);
	rig_stop(&r);
}

/* ---- split ---- */

static enum err_code split(struct rig *r, const char *id, const char *first, const char *second)
{
	struct str alerts[] = {str_of(first), str_of(second)};
	struct store_act in = {.what = STORE_SPLIT,
		.incident = str_of(id),
		.who = STR("token ann"),
		.text = STR("not of this"),
		.alerts = alerts,
		.alerts_n = second ? 2 : 1};

	return rig_await(r, store_incident_act(r->s, &in, on_told, r, &r->e));
}

/* The id that the last answer begins with. */
static const char *told_id(char id[ID_LEN + 1])
{
	snprintf(id, ID_LEN + 1, "%.26s", told + strlen("{\"id\":\""));
	return id;
}

static void two_of_one(void **state)
{
	struct rig r;
	char id[ID_LEN + 1], want[200];

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = firing(A, T0);
	struct rig_answer a = get(&r, ev);
	ev = rig_alert(B, 'f', T0);
	ev.severity = 1;
	put(&r, ev);
	put(&r, rig_alert(C, 'f', T0));
	rig_pass(&r, MINUTE);
	if (split(&r, a.incident, "am:" B, NULL) != ERR_NONE)
		fail_msg("split: %s", r.e.text);
	told_id(id);
	assert_string_not_equal(id, a.incident);
	assert_told("\"status\":\"open\",\"acked\":false,\"severity\":\"warning\",\"title\":\"disk "
		    "of " B "\",\"key\":{},"
		    "\"labels\":{\"alertname\":\"Disk\"}");
	assert_told("\"alerts\":1,\"firing\":1,\"sources\":[\"am\"],\"runs\":0");
	snprintf(want, sizeof(want), "\"split_from\":\"%s\"", a.incident);
	assert_told(want);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"alerts\":2,\"firing\":2");
	assert_int_equal(
		rows_with(&r, STORE_INCIDENT_ALERTS, a.incident, "\"status\":\"firing\""), 2);
	assert_int_equal(rows_with(&r, STORE_INCIDENT_ALERTS, id, "\"fingerprint\":\"" B "\""), 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			rows_with(&r, STORE_TIMELINE, i ? a.incident : id, "\"what\":\"split\""),
			1);
	assert_int_equal(rows_with(&r, STORE_AUDIT, "",
				 "\"alerts\":[\"am:" B "\"],\"reason\":\"not of this\""),
		1);
	/* Once more changes nothing, and tells the same. */
	char again[ID_LEN + 1];
	assert_int_equal(split(&r, a.incident, "am:" B, NULL), ERR_NONE);
	assert_string_equal(told_id(again), id);
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"what\":\"split\""), 1);
	assert_int_equal(rows_with(&r, STORE_AUDIT, "", "\"what\":\"split\""), 1);
	assert_refused(split(&r, a.incident, "am:" B, "am:" C), &r, "does not have the alert");
	/* What becomes of it is the new one's. */
	put(&r, rig_alert(B, 'r', T0));
	assert_text(rig_get(&r, STORE_INCIDENT, id), "\"status\":\"resolved\"");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"firing\":2");
	/* And back again. */
	assert_merge(&r, id, a.incident);
	assert_told("\"alerts\":3,\"firing\":2");
	assert_int_equal(rows_with(&r, STORE_INCIDENT_ALERTS, a.incident, ""), 3);
	assert_int_equal(rows_with(&r, STORE_TIMELINE, a.incident, "\"what\":\"split\""), 1);
	rig_stop(&r);
}

static void resolved_ones_split(void **state)
{
	struct rig r;
	char id[ID_LEN + 1];

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0));
	put(&r, rig_alert(B, 'f', T0));
	put(&r, rig_alert(C, 'f', T0));
	put(&r, rig_alert(B, 'r', T0));
	assert_int_equal(split(&r, a.incident, "am:" B, NULL), ERR_NONE);
	assert_told("\"status\":\"resolved\"");
	/* All that fire go: what stays is resolved. */
	put(&r, rig_alert(C, 'r', T0));
	assert_int_equal(split(&r, a.incident, "am:" A, "am:" A), ERR_NONE);
	assert_told("\"alerts\":1,\"firing\":1");
	told_id(id);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"resolved\"");
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"alerts\":1,\"firing\":0");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	assert_text(rig_get(&r, STORE_INCIDENT, id), "\"status\":\"open\"");
	rig_stop(&r);
}

static void no_split(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = get(&r, rig_alert(A, 'f', T0)), b = get(&r, elsewhere(B, 'f', T0));
	put(&r, rig_alert(C, 'f', T0));
	assert_int_equal(split(&r, a.incident, "am:" D, NULL), ERR_NOT_FOUND);
	assert_has(str_of(r.e.text), "there is no alert 'am:" D "'");
	assert_refused(split(&r, a.incident, "am:" A, "prom:" B), &r,
		"does not have the alert 'prom:" B "'; its incident is '");
	assert_refused(
		split(&r, a.incident, "am:" A, "am:" C), &r, "has no other alerts than these");
	assert_refused(
		split(&r, b.incident, "prom:" B, NULL), &r, "has no other alerts than these");
	/* Of one that was merged, too. */
	assert_merge(&r, b.incident, a.incident);
	assert_int_equal(split(&r, a.incident, "prom:" B, NULL), ERR_NONE);
	assert_told("\"sources\":[\"prom\"]");
	assert_act(&r, STORE_CLOSE, a.incident, "x");
	assert_refused(split(&r, a.incident, "am:" A, NULL), &r, "is closed");
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(acknowledged_until_it_breaks_again),
	cmocka_unit_test(broken_again_within_one_call), cmocka_unit_test(taken_back_and_refused),
	cmocka_unit_test(closed_takes_no_more), cmocka_unit_test(closed_stays_closed),
	cmocka_unit_test(a_resolved_one_closed_does_not_reopen),
	cmocka_unit_test(runs_that_have_not_begun),
	cmocka_unit_test(more_runs_than_one_close_takes), cmocka_unit_test(what_waits_for_its_time),
	cmocka_unit_test(flapping_for_as_long_as_an_alert_does),
	cmocka_unit_test(entries_that_are_not_kept), cmocka_unit_test(forgotten_with_the_incident),
	cmocka_unit_test(one_of_two), cmocka_unit_test(in_order),
	cmocka_unit_test(what_comes_later_is_the_other_ones),
	cmocka_unit_test(alerts_keep_the_count), cmocka_unit_test(a_gate_that_runs_out),
	cmocka_unit_test(merged_in_a_row), cmocka_unit_test(a_resolved_one_opens_again),
	cmocka_unit_test(no_merge), cmocka_unit_test(a_hundred_into_one),
	cmocka_unit_test(merged_ones_are_forgotten_together), cmocka_unit_test(two_of_one),
	cmocka_unit_test(resolved_ones_split), cmocka_unit_test(no_split))
