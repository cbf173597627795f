/* What a message about an alert means, which incident it belongs to, and what its rules come to. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define C "cccccccccccccccc"
#define T0 RIG_T0

static struct rig_answer fire(struct rig *r, const char *fp, int64_t starts)
{
	struct rig_event ev = rig_alert(fp, 'f', starts);

	return rig_ingest(r, &ev);
}

static struct rig_answer resolve(struct rig *r, const char *fp, int64_t starts)
{
	struct rig_event ev = rig_alert(fp, 'r', starts);

	return rig_ingest(r, &ev);
}

/* The only row of a list. */
static struct rig_text only_row(struct rig *r, enum store_list what, const char *id)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.id = str_of(id), .limit = 50};
	struct rig_text t = {.r = r};

	assert_non_null(rows);
	rig_list(r, what, &page, rows);
	assert_int_equal(rows->n, 1);
	strcpy(t.text, rows->v[0]);
	free(rows);
	return t;
}

/* ---- occurrences ---- */

struct told {
	int64_t after;		/* since the message before */
	char status;
	int64_t starts;		/* relative to T0 */
	enum store_outcome want;
	int occurrences;
	bool firing;		/* after it */
};

static void play(const struct told *v, size_t n)
{
	struct rig r;
	char want[64];
	int count = 0;

	rig_start(&r, true);
	for (size_t i = 0; i < n; i++) {
		struct rig_event ev = rig_alert(A, v[i].status, v[i].starts == INT64_MIN ? 0 : T0 + v[i].starts);
		rig_pass(&r, v[i].after);
		if (v[i].status == 't') {
			rig_tick(&r);
		} else {
			struct rig_answer a = rig_ingest(&r, &ev);
			count++;
			if (a.outcome != v[i].want)
				fail_msg("message %zu: outcome %d, not %d", i, a.outcome, v[i].want);
		}
		struct rig_text t = only_row(&r, STORE_ALERTS, "");
		snprintf(want, sizeof(want), "\"occurrences\":%d", v[i].occurrences);
		if (!strstr(t.text, want))
			fail_msg("message %zu: no %s in %s", i, want, t.text);
		snprintf(want, sizeof(want), "\"count\":%d,", count);
		if (!strstr(t.text, want))
			fail_msg("message %zu: no %s in %s", i, want, t.text);
		if (!strstr(t.text, v[i].firing ? "\"status\":\"firing\"" : "\"status\":\"resolved\""))
			fail_msg("message %zu: not %s: %s", i, v[i].firing ? "firing" : "resolved", t.text);
	}
	rig_stop(&r);
}

#define PLAY(name, ...) \
	static void name(void **state) \
	{ \
		const struct told v[] = {__VA_ARGS__}; \
		(void)state; \
		play(v, sizeof(v) / sizeof(v[0])); \
	}

/* An HA pair of Prometheus: startsAt alternates. */
PLAY(alternating, {0, 'f', 0, STORE_NEW, 1, true}, {MINUTE, 'f', 20 * SECOND, STORE_DUPLICATE, 1, true},
	{MINUTE, 'f', 0, STORE_DUPLICATE, 1, true}, {MINUTE, 'f', 20 * SECOND, STORE_DUPLICATE, 1, true},
	{MINUTE, 'r', 0, STORE_NEW, 1, false}, {MINUTE, 'f', 20 * SECOND, STORE_DUPLICATE, 1, false},
	{MINUTE, 'r', 20 * SECOND, STORE_DUPLICATE, 1, false})
/* Alertmanager moves startsAt back; both it and the old one are the same occurrence; either resolves it. */
PLAY(moved_back, {0, 'f', 0, STORE_NEW, 1, true}, {MINUTE, 'f', -HOUR, STORE_DUPLICATE, 1, true},
	{MINUTE, 'f', 0, STORE_DUPLICATE, 1, true}, {MINUTE, 'r', -HOUR, STORE_NEW, 1, false})
PLAY(later_is_another, {0, 'f', 0, STORE_NEW, 1, true}, {MINUTE, 'f', 5 * MINUTE, STORE_DUPLICATE, 1, true},
	{MINUTE, 'f', 5 * MINUTE + 1, STORE_NEW, 2, true}, {MINUTE, 'f', 5 * MINUTE + 1, STORE_DUPLICATE, 2, true},
	{MINUTE, 'f', 0, STORE_DUPLICATE, 2, true})
PLAY(after_a_resolve, {0, 'f', 0, STORE_NEW, 1, true}, {MINUTE, 'r', 0, STORE_NEW, 1, false},
	{MINUTE, 'f', 0, STORE_DUPLICATE, 1, false}, {MINUTE, 'f', -MINUTE, STORE_DUPLICATE, 1, false},
	{MINUTE, 'f', 1, STORE_NEW, 2, true}, {MINUTE, 'r', 1, STORE_NEW, 2, false},
	{MINUTE, 'r', 1, STORE_DUPLICATE, 2, false})
PLAY(resolve_of_an_older_one, {0, 'f', 0, STORE_NEW, 1, true}, {MINUTE, 'f', HOUR, STORE_NEW, 2, true},
	{MINUTE, 'r', 0, STORE_DUPLICATE, 2, true}, {MINUTE, 'r', HOUR - 5 * MINUTE, STORE_NEW, 2, false})
PLAY(resolve_of_the_unknown, {0, 'r', 0, STORE_NEW, 0, false}, {MINUTE, 'r', 0, STORE_DUPLICATE, 0, false},
	{MINUTE, 'f', 0, STORE_DUPLICATE, 0, false}, {MINUTE, 'f', MINUTE, STORE_NEW, 1, true})
PLAY(without_a_start, {0, 'f', INT64_MIN, STORE_NEW, 1, true}, {MINUTE, 'f', INT64_MIN, STORE_DUPLICATE, 1, true},
	{MINUTE, 'r', INT64_MIN, STORE_NEW, 1, false}, {MINUTE, 'f', INT64_MIN, STORE_NEW, 2, true})
/* We resolved it for want of news: the same startsAt opens it again, a later one is another occurrence. */
PLAY(stale_and_again, {0, 'f', 0, STORE_NEW, 1, true}, {24 * HOUR, 't', 0, 0, 1, false},
	{MINUTE, 'f', 0, STORE_REOPENED, 1, true}, {MINUTE, 'f', 20 * SECOND, STORE_DUPLICATE, 1, true},
	{25 * HOUR, 't', 0, 0, 1, false}, {MINUTE, 'f', HOUR, STORE_NEW, 2, true},
	{25 * HOUR, 't', 0, 0, 2, false}, {MINUTE, 'r', HOUR, STORE_NEW, 2, false},
	{MINUTE, 'f', HOUR, STORE_DUPLICATE, 2, false})

static void ha_pair_for_an_hour(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, 0);
	for (int i = 0; i < 240; i++) {
		ev.starts = T0 + (i % 2 ? 20 * SECOND : 0);
		struct rig_answer a = rig_ingest(&r, &ev);
		assert_int_equal(a.outcome, i == 0 ? STORE_NEW : STORE_DUPLICATE);
		assert_int_equal(a.d[0].decision, i == 0 ? DECISION_RUN : DECISION_DUPLICATE);
		rig_pass(&r, 15 * SECOND);
	}
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":runs:live"), 1);
	assert_text(only_row(&r, STORE_ALERTS, ""), "\"count\":240,\"occurrences\":1");
	rig_stop(&r);
}

static void first_and_again(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = fire(&r, A, T0 - MINUTE);
	assert_int_equal(first.outcome, STORE_NEW);
	assert_int_equal(strlen(first.id), ID_LEN);
	rig_pass(&r, SECOND);
	struct rig_answer again = fire(&r, A, T0 - MINUTE);
	assert_int_equal(again.outcome, STORE_DUPLICATE);
	assert_string_equal(again.id, first.id);
	assert_string_equal(again.incident, first.incident);
	struct rig_text t = rig_get(&r, STORE_EVENT, first.id);
	assert_text(t, first.id);
	assert_text(t, "\"received\":\"2025-11-22T20:00:00.000Z\",\"source\":\"am\"");
	assert_text(t, "\"decisions\":[]");
	t = only_row(&r, STORE_ALERTS, "");
	assert_text(t, "\"first_seen\":\"2025-11-22T20:00:00.000Z\",\"last_seen\":\"2025-11-22T20:00:01.000Z\"");
	assert_text(t, "\"starts_at\":\"2025-11-22T19:59:00.000Z\",\"ends_at\":null");
	assert_text(t, first.incident);
	rig_pass(&r, SECOND);
	resolve(&r, A, T0 - MINUTE);
	assert_text(only_row(&r, STORE_ALERTS, ""), "\"ends_at\":\"2025-11-22T20:00:02.000Z\"");
	rig_stop(&r);
}

/* The same alert more than once in one message: each sees what the one before did. */
static void twice_in_one_call(void **state)
{
	struct rig r;
	struct rig_event in[] = {rig_alert(A, 'f', T0), rig_alert(A, 'f', T0), rig_alert(A, 'r', T0),
		rig_alert(A, 'f', T0), rig_alert(A, 'f', T0 + HOUR), rig_alert(B, 'f', T0), rig_alert(B, 'r', T0)};
	enum store_outcome want[] = {STORE_NEW, STORE_DUPLICATE, STORE_NEW, STORE_DUPLICATE, STORE_NEW, STORE_NEW, STORE_NEW};
	struct rig_answer out[7];

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, in, 7, 0, out), ERR_NONE);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(out[i].outcome, want[i]);
		assert_string_equal(out[i].incident, out[0].incident);
	}
	assert_string_equal(out[1].id, out[0].id);
	assert_string_equal(out[3].id, out[2].id);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, out[0].incident);
	assert_text(t, "\"status\":\"open\"");
	assert_text(t, "\"alerts\":2,\"firing\":1");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":alerts:firing"), 1);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":alerts:resolved"), 1);
	rig_stop(&r);
}

static void a_full_call(void **state)
{
	struct rig r;
	struct rig_event *in = calloc(STORE_INGEST_EVENTS_MAX + 1, sizeof(*in));
	struct rig_answer *out = calloc(STORE_INGEST_EVENTS_MAX + 1, sizeof(*out));
	char (*fp)[17] = calloc(STORE_INGEST_EVENTS_MAX + 1, sizeof(*fp));

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i <= STORE_INGEST_EVENTS_MAX; i++) {
		snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)i);
		in[i] = rig_alert(fp[i], 'f', T0);
	}
	assert_int_equal(rig_ingest_n(&r, in, STORE_INGEST_EVENTS_MAX + 1, 0, out), ERR_LIMIT);
	assert_int_equal(rig_ingest_n(&r, in, STORE_INGEST_EVENTS_MAX, 0, out), ERR_NONE);
	assert_text(rig_get(&r, STORE_INCIDENT, out[0].incident), "\"alerts\":256,\"firing\":256");
	assert_int_equal(rig_ingest_n(&r, in, STORE_INGEST_EVENTS_MAX, 0, out), ERR_NONE);
	assert_int_equal(out[255].outcome, STORE_DUPLICATE);
	free(in);
	free(out);
	free(fp);
	rig_stop(&r);
}

/* What is thought to be known already comes without its JSON. */
static void without_json(void **state)
{
	struct rig r;
	struct rig_event in[] = {rig_alert(A, 'f', T0), rig_alert(B, 'f', T0)};
	struct rig_answer out[2];

	(void)state;
	rig_start(&r, true);
	in[0].light = true;
	assert_int_equal(rig_ingest_n(&r, in, 1, 0, out), ERR_CONFLICT);
	assert_int_equal(server_number(&r.server, "DBSIZE"), 2);	/* clock and meta */
	in[0].light = false;
	assert_int_equal(rig_ingest_n(&r, in, 1, 0, out), ERR_NONE);
	in[0].light = in[1].light = true;
	assert_int_equal(rig_ingest_n(&r, in, 1, 0, out), ERR_NONE);
	assert_int_equal(out[0].outcome, STORE_DUPLICATE);
	assert_int_equal(rig_ingest_n(&r, in, 2, 0, out), ERR_CONFLICT);
	in[1].light = false;
	assert_int_equal(rig_ingest_n(&r, in, 2, 0, out), ERR_NONE);
	assert_int_equal(out[0].outcome, STORE_DUPLICATE);
	assert_int_equal(out[1].outcome, STORE_NEW);
	/* All of them, and one of them twice: each counts. */
	struct rig_event three[] = {in[0], in[1], in[0]};
	struct rig_answer outs[3];
	three[1].light = true;
	for (int i = 0; i < 200; i++)
		assert_int_equal(rig_ingest_n(&r, three, 3, 0, outs), ERR_NONE);
	assert_int_equal(outs[2].outcome, STORE_DUPLICATE);
	assert_string_equal(outs[2].id, outs[0].id);
	assert_string_equal(outs[1].incident, outs[0].incident);
	redisReply *v = server_ask(&r.server, "GET " RIG_KEY ":alert:am:" A);
	assert_has(str_of(v->str), " 403 ");
	freeReplyObject(v);
	rig_stop(&r);
}

/* A pair of Prometheus that alternates startsAt: each of its messages is a resend, by one call of the short kind. */
static void a_pair_without_json(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &ev);
	ev.light = true;
	for (int i = 1; i <= 20; i++) {
		ev.starts = T0 + (i % 2 ? 20 * SECOND : 0);
		struct rig_answer a = rig_ingest(&r, &ev);
		assert_int_equal(a.outcome, STORE_DUPLICATE);
		assert_string_equal(a.id, first.id);
		assert_string_equal(a.incident, first.incident);
	}
	assert_text(only_row(&r, STORE_ALERTS, ""), "\"count\":21,\"occurrences\":1");
	/* Past the skew it is another occurrence, and must come whole. */
	ev.starts = T0 + r.limits.occurrence_skew_ms + SECOND;
	assert_int_equal(rig_ingest_n(&r, &ev, 1, 0, &first), ERR_CONFLICT);
	ev.light = false;
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_NEW);
	/* Once resolved, an earlier start is no news. */
	ev.status = 'r';
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_NEW);
	ev.status = 'f';
	ev.light = true;
	ev.starts -= SECOND;
	assert_int_equal(rig_ingest(&r, &ev).outcome, STORE_DUPLICATE);
	rig_stop(&r);
}

/* ---- incidents ---- */

static void one_incident_for_a_key(void **state)
{
	struct rig r;
	struct rig_event other = rig_alert(C, 'f', T0);

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, A, T0);
	rig_pass(&r, 9 * MINUTE);
	struct rig_event ev = rig_alert(B, 'f', T0);
	ev.source = "grafana";
	ev.severity = SEVERITY_CRITICAL;
	struct rig_answer b = rig_ingest(&r, &ev);
	assert_string_equal(b.incident, a.incident);
	other.corr = "host-b";
	assert_string_not_equal(rig_ingest(&r, &other).incident, a.incident);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"status\":\"open\"");
	assert_text(t, "\"severity\":\"critical\"");
	assert_text(t, "\"title\":\"disk full\"");
	assert_text(t, "\"key\":{\"instance\":\"a\"}");
	assert_text(t, "\"opened\":\"2025-11-22T20:00:00.000Z\",\"updated\":\"2025-11-22T20:09:00.000Z\",\"resolved\":null");
	assert_text(t, "\"alerts\":2,\"firing\":2,\"sources\":[\"am\",\"grafana\"]");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 2);
	resolve(&r, A, T0);
	t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"status\":\"open\"");
	assert_text(t, "\"alerts\":2,\"firing\":1");
	rig_pass(&r, SECOND);
	ev.status = 'r';
	assert_string_equal(rig_ingest(&r, &ev).incident, a.incident);
	t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"status\":\"resolved\"");
	assert_text(t, "\"resolved\":\"2025-11-22T20:09:01.000Z\"");
	assert_text(t, "\"firing\":0");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	rig_stop(&r);
}

static void windows(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, A, T0);
	rig_pass(&r, 6 * MINUTE);
	fire(&r, A, T0);	/* a resend is no activity */
	rig_pass(&r, 5 * MINUTE);
	struct rig_answer b = fire(&r, B, T0);
	assert_string_not_equal(b.incident, a.incident);
	rig_pass(&r, 10 * MINUTE);
	struct rig_answer c = fire(&r, C, T0);
	assert_string_equal(c.incident, b.incident);
	/* A new occurrence of what still fires stays where it is. */
	struct rig_answer a2 = fire(&r, A, T0 + HOUR);
	assert_int_equal(a2.outcome, STORE_NEW);
	assert_string_equal(a2.incident, a.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"alerts\":1,\"firing\":1");
	rig_stop(&r);
}

static void reopened(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, A, T0);
	rig_pass(&r, MINUTE);
	resolve(&r, A, T0);
	rig_pass(&r, 15 * MINUTE);
	struct rig_answer b = fire(&r, B, T0);
	assert_string_equal(b.incident, a.incident);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"status\":\"open\"");
	assert_text(t, "\"resolved\":null");
	assert_text(t, "\"alerts\":2,\"firing\":1");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:done"), 0);
	rig_pass(&r, MINUTE);
	resolve(&r, B, T0);
	rig_pass(&r, 15 * MINUTE + 1);
	struct rig_answer c = fire(&r, A, T0 + HOUR);
	assert_int_equal(c.outcome, STORE_NEW);
	assert_string_not_equal(c.incident, a.incident);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 1);
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:done"), 1);
	rig_stop(&r);
}

static void stale_incident_reopened(void **state)
{
	struct rig r;
	struct rig_event ev = rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, 0);

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = rig_ingest(&r, &ev);
	rig_pass(&r, 24 * HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"status\":\"resolved\"");
	rig_pass(&r, HOUR);
	struct rig_answer b = rig_ingest(&r, &ev);
	assert_int_equal(b.outcome, STORE_REOPENED);
	assert_string_equal(b.incident, a.incident);
	assert_int_equal(b.d[0].decision, DECISION_DUPLICATE);
	assert_has(str_of(b.d[0].reason), "resolved here");
	assert_string_equal(b.d[0].run, "");
	struct rig_text t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"status\":\"open\"");
	assert_text(t, "\"alerts\":1,\"firing\":1");
	rig_stop(&r);
}

static void resolve_of_the_unknown_has_no_incident(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = resolve(&r, A, T0);
	assert_int_equal(a.outcome, STORE_NEW);
	assert_string_equal(a.incident, "");
	assert_text(rig_get(&r, STORE_EVENT, a.id), "\"incident\":null");
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":incidents:open"), 0);
	rig_stop(&r);
}

static void info_events(void **state)
{
	struct rig r;
	struct rig_event ev = {.status = 'i'};

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = rig_ingest(&r, &ev), b = rig_ingest(&r, &ev);
	assert_int_equal(a.outcome, STORE_NEW);
	assert_int_equal(b.outcome, STORE_NEW);
	assert_string_not_equal(a.id, b.id);
	assert_string_equal(a.incident, "");
	/* With a key it joins an incident that is open, and opens none. */
	ev.corr = "host-a";
	assert_string_equal(rig_ingest(&r, &ev).incident, "");
	struct rig_answer c = fire(&r, A, T0);
	struct rig_answer d = rig_ingest(&r, &ev);
	assert_string_equal(d.incident, c.incident);
	assert_text(rig_get(&r, STORE_INCIDENT, c.incident), "\"alerts\":1,\"firing\":1");
	rig_stop(&r);
}

static void truncated(void **state)
{
	struct rig r;
	struct rig_event in = rig_alert(A, 'f', T0);
	struct rig_answer a;

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, &in, 1, 0, &a), ERR_NONE);
	assert_int_equal(rig_ingest_n(&r, &in, 1, 7, &a), ERR_NONE);
	assert_int_equal(a.outcome, STORE_DUPLICATE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"truncated\":7");
	assert_int_equal(rig_ingest_n(&r, &in, 1, 3, &a), ERR_NONE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"truncated\":7");
	rig_stop(&r);
}

static void odd_names(void **state)
{
	struct rig r;
	char corr[2000];
	struct rig_event ev = rig_alert(A, 'f', T0);

	(void)state;
	rig_start(&r, true);
	memset(corr, 'k', sizeof(corr) - 1);
	corr[sizeof(corr) - 1] = '\0';
	ev.corr = corr;
	struct rig_answer a = rig_ingest(&r, &ev);
	ev.fp = B;
	assert_string_equal(rig_ingest(&r, &ev).incident, a.incident);
	corr[sizeof(corr) - 2] = 'j';
	ev.fp = C;
	assert_string_not_equal(rig_ingest(&r, &ev).incident, a.incident);
	ev.corr = "a b-c\n%d+ \x01\xff";
	a = rig_ingest(&r, &ev);
	ev.fp = "dddddddddddddddd";
	struct rig_answer b = rig_ingest(&r, &ev);
	ev.fp = "eeeeeeeeeeeeeeee";
	assert_string_equal(rig_ingest(&r, &ev).incident, b.incident);
	rig_stop(&r);
}

/* ---- decisions ---- */

static void cooldown(void **state)
{
	struct rig r;
	struct rig_event in[2] = {rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, 30 * MINUTE),
		rig_with_rule(rig_alert(B, 'f', T0), "disk-full", &rig_step, 1, 30 * MINUTE)};
	struct rig_answer out[2];

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_ingest_n(&r, in, 2, 0, out), ERR_NONE);
	assert_int_equal(out[0].d[0].decision, DECISION_RUN);
	assert_int_equal(strlen(out[0].d[0].run), ID_LEN);
	assert_int_equal(out[1].d[0].decision, DECISION_COOLDOWN);
	assert_string_equal(out[1].d[0].reason, "in cooldown until 2025-11-22T20:30:00.000Z");
	assert_string_equal(out[1].d[0].run, "");
	struct rig_text t = rig_get(&r, STORE_EVENT, out[1].id);
	assert_text(t, "\"decisions\":[{\"rule\":\"disk-full\",\"decision\":\"cooldown\",\"reason\":\"in cooldown until");
	/* Another key of the same rule, another rule of the same key. */
	struct rig_event ev = rig_alert(C, 'f', T0);
	ev = rig_with_rule(ev, "disk-full", &rig_step, 1, 30 * MINUTE);
	ev.rules[0].cooldown_key = STR("other");
	ev = rig_with_rule(ev, "second", &rig_step, 1, 30 * MINUTE);
	ev = rig_with_rule(ev, "third", &rig_step, 1, 0);
	struct rig_answer a = rig_ingest(&r, &ev);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(a.d[i].decision, DECISION_RUN);
	rig_pass(&r, 30 * MINUTE - 1);
	in[0].starts = in[1].starts = T0 + 20 * MINUTE;
	assert_int_equal(rig_ingest(&r, &in[0]).d[0].decision, DECISION_COOLDOWN);
	rig_pass(&r, 1);
	assert_int_equal(rig_ingest(&r, &in[1]).d[0].decision, DECISION_RUN);
	rig_stop(&r);
}

static void asked_for_nothing(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0);
	const struct store_decision_in rules[] = {
		{.rule = STR("one"), .ask = DECISION_DRY_RUN, .steps = &rig_step, .steps_n = 1},
		{.rule = STR("two"), .ask = DECISION_ERROR, .reason = STR("no \"labels.x\"\n\t\x01 in {{ }}")},
		{.rule = STR("three"), .ask = DECISION_LIMIT, .reason = STR("chain too long")},
	};

	(void)state;
	rig_start(&r, true);
	memcpy(ev.rules, rules, sizeof(rules));
	ev.rules_n = 3;
	struct rig_answer a = rig_ingest(&r, &ev);
	assert_int_equal(a.d[0].decision, DECISION_DRY_RUN);
	assert_int_equal(a.d[1].decision, DECISION_ERROR);
	assert_string_equal(a.d[1].reason, "no \"labels.x\"\n\t\x01 in {{ }}");
	assert_int_equal(a.d[2].decision, DECISION_LIMIT);
	struct rig_text t = rig_get(&r, STORE_EVENT, a.id);
	assert_text(t, "\"reason\":\"no \\\"labels.x\\\"\\n\\t\\u0001 in {{ }}\",\"run\":null");
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":queue:default"), 0);
	struct rig_answer again = rig_ingest(&r, &ev);
	assert_int_equal(again.d[1].decision, DECISION_DUPLICATE);
	assert_has(str_of(again.d[1].reason), a.id);
	rig_stop(&r);
}

/* What a call that is refused left behind must be nothing. */
static char *everything(struct rig *r)
{
	redisReply *keys = server_ask(&r->server, "KEYS *");
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < keys->elements; i++) {
		redisReply *d = server_ask(&r->server, "DEBUG DIGEST-VALUE %s", keys->element[i]->str);
		buf_puts(&b, keys->element[i]->str);
		buf_puts(&b, d->element[0]->str);
		freeReplyObject(d);
	}
	freeReplyObject(keys);
	return buf_steal(&b);
}

static void full_queue(void **state)
{
	struct rig r;
	struct rig_event in[4];
	struct rig_answer out[4];
	char fp[17];

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 3;
	for (int i = 0; i < 3; i++) {
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		struct rig_event ev = rig_with_rule(rig_alert(fp, 'f', T0), "r", &rig_step, 1, 0);
		assert_int_equal(rig_ingest(&r, &ev).d[0].decision, DECISION_RUN);
	}
	in[0] = rig_alert("0000000000000001", 'f', T0);
	in[1] = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, HOUR);
	in[2] = rig_alert("0000000000000000", 'r', T0);
	in[3] = rig_with_rule(rig_alert(B, 'f', T0), "r", &rig_step, 1, 0);
	char *before = everything(&r);
	assert_int_equal(rig_ingest_n(&r, in, 4, 0, out), ERR_FULL);
	assert_string_equal(r.e.text, "the queue of pool 'default' is full (limits.queue 3)");
	char *after = everything(&r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* A resolve always fits, and so does what adds no run. */
	assert_int_equal(rig_ingest_n(&r, &in[2], 1, 0, out), ERR_NONE);
	/* What is not full before a message takes all of it: no message is too large for ever. */
	r.limits.queue = 4;
	assert_int_equal(rig_ingest_n(&r, in, 4, 0, out), ERR_NONE);
	assert_int_equal(out[1].d[0].decision, DECISION_RUN);
	assert_int_equal(out[3].d[0].decision, DECISION_RUN);
	in[3] = rig_with_rule(rig_alert("0000000000000009", 'f', T0), "r", &rig_step, 1, 0);
	assert_int_equal(rig_ingest_n(&r, &in[3], 1, 0, out), ERR_FULL);
	in[3].rules[0].steps = &(struct store_step_in){.name = STR("x"), .runbook = STR("x"), .pool = STR("other")};
	assert_int_equal(rig_ingest_n(&r, &in[3], 1, 0, out), ERR_NONE);
	struct rig_event plain = rig_alert(C, 'f', T0);
	assert_int_equal(rig_ingest(&r, &plain).outcome, STORE_NEW);
	rig_stop(&r);
}

/* ---- ids ---- */

static void clock_goes_back(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_answer a = fire(&r, A, T0);
	rig_time(&r, T0 - DAY);
	struct rig_answer b = fire(&r, B, T0);
	assert_true(strcmp(a.id, b.id) < 0);
	assert_string_equal(b.incident, a.incident);
	assert_text(rig_get(&r, STORE_EVENT, b.id), "\"received\":\"2025-11-21T20:00:00.000Z\"");
	/* Redis starts again: what the library remembered is gone, the bus is not. */
	server_kill(&r.server);
	r.up = false;
	server_run(&r.server);
	rig_until(&r, &r.up);
	struct rig_answer c = fire(&r, C, T0);
	assert_true(strcmp(b.id, c.id) < 0);
	assert_int_equal(fire(&r, A, T0).outcome, STORE_DUPLICATE);
	rig_stop(&r);
}

/* A storm that never ends in one incident: the latest entries stay, and the head. */
static void long_timeline(void **state)
{
	enum { EACH = 250, CALLS = 48 };
	struct rig r;
	struct rig_event in[EACH];
	struct rig_answer out[EACH];
	struct rig_event steady = rig_alert(B, 'f', T0);

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &steady);
	for (int call = 0; call < CALLS; call++) {
		for (int i = 0; i < EACH; i++)
			in[i] = rig_alert(A, i % 2 ? 'r' : 'f', T0 + (call * EACH + i / 2) * (int64_t)1000);
		assert_int_equal(rig_ingest_n(&r, in, EACH, 0, out), ERR_NONE);
	}
	long long n = server_number(&r.server, "LLEN " RIG_KEY ":incident:%s:timeline", first.incident);
	assert_true(n > 10000 && n <= 11000 + EACH);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, first.incident);
	assert_text(t, "\"key\":{\"instance\":");
	rig_stop(&r);
}

/* Something else wrote to the bus meanwhile, as a master does that we came back from. */
static void bus_went_on(void **state)
{
	struct rig r;
	struct rig_event ev = rig_with_rule(rig_alert(B, 'f', T0), "r", &rig_step, 1, 0);

	(void)state;
	rig_start(&r, true);
	fire(&r, A, T0);
	freeReplyObject(server_ask(&r.server, "XADD " RIG_KEY ":bus %lld-7 kind info incident %s decisions [] event {}",
		(long long)(T0 + HOUR), ""));
	struct rig_answer b = rig_ingest(&r, &ev);
	int64_t ms;
	uint64_t seq;
	assert_true(id_to_ms_seq(str_of(b.id), &ms, &seq));
	assert_int_equal(ms, T0 + HOUR);
	assert_true(seq > 7);
	assert_true(strcmp(b.d[0].run, b.id) < 0);
	assert_int_equal(rig_change(&r, &(struct rig_claimed){.run = "", .fence = 1}, "failed", 1), ERR_NOT_FOUND);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(alternating), cmocka_unit_test(moved_back), cmocka_unit_test(later_is_another),
	cmocka_unit_test(after_a_resolve), cmocka_unit_test(resolve_of_an_older_one),
	cmocka_unit_test(resolve_of_the_unknown), cmocka_unit_test(without_a_start), cmocka_unit_test(stale_and_again),
	cmocka_unit_test(ha_pair_for_an_hour), cmocka_unit_test(first_and_again), cmocka_unit_test(twice_in_one_call),
	cmocka_unit_test(a_full_call), cmocka_unit_test(without_json), cmocka_unit_test(a_pair_without_json),
	cmocka_unit_test(one_incident_for_a_key), cmocka_unit_test(windows),
	cmocka_unit_test(reopened), cmocka_unit_test(stale_incident_reopened),
	cmocka_unit_test(resolve_of_the_unknown_has_no_incident), cmocka_unit_test(info_events),
	cmocka_unit_test(truncated), cmocka_unit_test(odd_names), cmocka_unit_test(cooldown),
	cmocka_unit_test(asked_for_nothing), cmocka_unit_test(full_queue), cmocka_unit_test(clock_goes_back), cmocka_unit_test(long_timeline),
	cmocka_unit_test(bus_went_on))
