/* What the store counts for insights: once each, by name and day, within bounds. */
#include "store_rig.h"
#include "store/insights.h"

#define T0 RIG_T0
#define TODAY (T0 / DAY)

/* ---- what was counted ---- */

static struct told {
	struct rig *r;
	int64_t day, fired, left_names, left_fired;
	struct store_insight_name names[64];
	struct store_insight_pair pairs[64];
	struct store_insight_rule rules[16];
	size_t names_n, pairs_n, rules_n, all_names;
	char text[65536]; /* of all texts above */
	size_t text_n;
} told;

static struct str keep(struct str s)
{
	char *at = told.text + told.text_n;

	assert_true(told.text_n + s.n + 1 < sizeof(told.text));
	if (s.n > 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	told.text_n += s.n + 1;
	return (struct str){at, s.n};
}

static void keep_name(const struct store_insight_name *in)
{
	struct store_insight_name *n = &told.names[told.names_n++];

	*n = *in;
	n->name = keep(in->name);
	n->rule = keep(in->rule);
	for (size_t i = 0; i < n->repairs_n; i++)
		n->repairs[i].runbooks = keep(in->repairs[i].runbooks);
}

static void keep_pair(const struct store_insight_pair *in)
{
	struct store_insight_pair *p = &told.pairs[told.pairs_n++];

	*p = *in;
	p->first = keep(in->first);
	p->second = keep(in->second);
	for (size_t i = 0; i < p->labels_n; i++)
		p->labels[i].name = keep(in->labels[i].name);
}

static void on_day(void *ctx, const struct err *e, const struct store_insight_day *d)
{
	struct rig *r = ctx;

	if (e) {
		rig_done(r, e);
		return;
	}
	told.day = d->day;
	told.fired = d->fired;
	told.left_names = d->left_names;
	told.left_fired = d->left_fired;
	told.all_names = d->names_n;
	for (size_t i = 0; i < d->names_n && i < 64; i++)
		keep_name(&d->names[i]);
	for (size_t i = 0; i < d->pairs_n && i < 64; i++)
		keep_pair(&d->pairs[i]);
	for (size_t i = 0; i < d->rules_n && i < 16; i++) {
		told.rules[told.rules_n] = d->rules[i];
		told.rules[told.rules_n++].name = keep(d->rules[i].name);
	}
	rig_done(r, e);
}

static void read_days(struct rig *r, int64_t from, int64_t to)
{
	memset(&told, 0, sizeof(told));
	assert_int_equal(rig_await(r, store_insights(r->s, from, to, on_day, r, &r->e)), ERR_NONE);
}

static const struct store_insight_name *name_of(const char *name)
{
	for (size_t i = 0; i < told.names_n; i++)
		if (str_is(told.names[i].name, name))
			return &told.names[i];
	fail_msg("nothing was counted of '%s'", name);
	return NULL;
}

static const struct store_insight_pair *pair_of(const char *first, const char *second)
{
	for (size_t i = 0; i < told.pairs_n; i++)
		if (str_is(told.pairs[i].first, first) && str_is(told.pairs[i].second, second))
			return &told.pairs[i];
	return NULL;
}

static struct store_insight_rule rule_of(const char *name)
{
	struct store_insight_rule sum = {.name = str_of(name)};

	for (size_t i = 0; i < told.rules_n; i++) {
		if (!str_is(told.rules[i].name, name))
			continue;
		sum.matched += told.rules[i].matched;
		sum.ran += told.rules[i].ran;
	}
	return sum;
}

/* ---- events ---- */

static char labels_text[600];

static struct rig_event named(const char *name, char status, int64_t starts)
{
	struct rig_event ev = rig_alert(name, status, starts);

	snprintf(labels_text, sizeof(labels_text), "{\"alertname\":\"%s\",\"cluster\":\"c1\"}",
		name);
	ev.labels_json = labels_text;
	return ev;
}

static struct rig_answer send_named(struct rig *r, const char *name, char status, int64_t starts)
{
	struct rig_event ev = named(name, status, starts);

	return rig_ingest(r, &ev);
}

static void send_labels(struct rig *r, const char *fp, const char *labels)
{
	struct rig_event ev = rig_alert(fp, 'f', r->now);

	ev.labels_json = labels;
	rig_ingest(r, &ev);
}

static struct rig_event with_rule(struct rig_event ev, const char *rule)
{
	return rig_with_rule(ev, rule, &rig_step, 1, 0);
}

/* ---- occurrences ---- */

static void occurrences_and_their_ends(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	read_days(&r, 0, TODAY + 1);
	assert_int_equal(told.day, -1);
	send_named(&r, "Disk", 'f', T0);
	/* What says nothing new counts nothing, and neither does what is only asked for. */
	send_named(&r, "Disk", 'f', T0);
	send_named(&r, "Disk", 'f', T0 + MINUTE);
	struct rig_event other = named("Other", 'f', T0);
	struct rig_answer a;
	assert_int_equal(rig_call(&r, RIG_EXPLAIN, &other, 1, 0, &a), ERR_NONE);
	rig_pass(&r, 90 * SECOND);
	send_named(&r, "Disk", 'r', T0);
	send_named(&r, "Disk", 'r', T0);
	rig_pass(&r, HOUR);
	send_named(&r, "Disk", 'f', T0 + HOUR);
	rig_pass(&r, 30 * SECOND);
	send_named(&r, "Disk", 'r', T0 + HOUR);
	/* Nobody heard of it before: it ended nothing. */
	send_named(&r, "Unheard", 'r', T0);
	read_days(&r, 0, TODAY + 1);
	assert_int_equal(told.day, TODAY);
	assert_int_equal(told.names_n, 1);
	const struct store_insight_name *n = name_of("Disk");
	assert_int_equal(n->fired, 2);
	assert_int_equal(n->begun, 2);
	assert_int_equal(n->resolved, 2);
	assert_int_equal(n->resolve_ms, 120 * SECOND);
	assert_int_equal(n->flapped, 0);
	assert_int_equal(told.fired, 2);
	read_days(&r, TODAY + 1, TODAY + 5);
	assert_int_equal(told.day, -1);
	rig_stop(&r);
}

static void what_nobody_spoke_of_any_more(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = named("Disk", 'f', T0);
	ev.expires = T0 + 4 * MINUTE;
	rig_ingest(&r, &ev);
	rig_pass(&r, 10 * MINUTE);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	/* The same occurrence again is none of its own. */
	rig_ingest(&r, &ev);
	read_days(&r, 0, TODAY);
	const struct store_insight_name *n = name_of("Disk");
	assert_int_equal(n->fired, 1);
	assert_int_equal(n->resolved, 1);
	assert_int_equal(n->resolve_ms, 4 * MINUTE);
	rig_stop(&r);
}

static void changes_while_it_flaps(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 5; i++) {
		send_named(&r, "Disk", 'f', r.now);
		rig_pass(&r, 10 * SECOND);
		send_named(&r, "Disk", 'r', r.now - 10 * SECOND);
		rig_pass(&r, 10 * SECOND);
	}
	read_days(&r, 0, TODAY);
	/* The 6th change within 15 minutes is the first that counts; its appearance is none. */
	assert_int_equal(name_of("Disk")->flapped, 4);
	assert_int_equal(name_of("Disk")->fired, 5);
	assert_int_equal(name_of("Disk")->begun, 1);
	rig_stop(&r);
}

static void names_as_senders_have_them(void **state)
{
	static const char with_data[] = "{\"myalertname\":\"x\",\"x\":\"},\\\"annotations\\\":{"
					"\\\"alertname\\\":\\\"y\\\"\"}";
	char much[600], want[201];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_labels(&r, "a1", "{}");
	send_labels(&r, "a2", with_data);
	send_labels(&r, "a3", "{\"alertname\":\"a \\\"b\\\" \\u0000\\n\\\\\"}");
	memset(want, 'x', 199);
	want[199] = '\0';
	snprintf(much, sizeof(much), "{\"alertname\":\"%s\xc3\xa9nd\"}", want);
	send_labels(&r, "a4", much);
	read_days(&r, 0, TODAY);
	assert_int_equal(told.names_n, 3);
	assert_int_equal(name_of("(am)")->fired, 2);
	assert_int_equal(name_of("a \"b\"   \\")->fired, 1);
	assert_int_equal(name_of(want)->fired, 1);
	rig_stop(&r);
}

/* ---- pairs ---- */

static void what_begins_after_what(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_named(&r, "A", 'f', T0);
	rig_pass(&r, 10 * SECOND);
	send_labels(&r, "b",
		"{\"alertname\":\"B\",\"cluster\":\"c1\",\"severity\":\"x\",\"instance\":\"i\"}");
	rig_pass(&r, 80 * SECOND);
	send_named(&r, "C", 'f', r.now);
	send_named(&r, "C", 'r', r.now);
	/* Once more within the gap: C goes on. */
	rig_pass(&r, 100 * SECOND);
	send_named(&r, "C", 'f', r.now);
	/* All of it once more, an hour later, in another cluster. */
	rig_pass(&r, HOUR);
	send_named(&r, "A", 'f', r.now);
	rig_pass(&r, 20 * SECOND);
	send_labels(&r, "b2", "{\"alertname\":\"B\",\"cluster\":\"c2\"}");
	read_days(&r, 0, TODAY);
	const struct store_insight_pair *ab = pair_of("A", "B"), *ac = pair_of("A", "C"),
					*bc = pair_of("B", "C");
	assert_non_null(ab);
	assert_non_null(ac);
	assert_non_null(bc);
	assert_int_equal(told.pairs_n, 3);
	assert_int_equal(ab->n, 2);
	assert_int_equal(ab->near, 2);
	assert_int_equal(ab->seconds, 30);
	assert_int_equal(ab->squares, 500);
	assert_int_equal(ab->labels_n, 1);
	assert_true(str_is(ab->labels[0].name, "cluster"));
	assert_int_equal(ab->labels[0].n, 1);
	assert_int_equal(ac->n, 1);
	assert_int_equal(ac->near, 0);
	assert_int_equal(ac->seconds, 90);
	assert_int_equal(ac->labels_n, 0);
	assert_int_equal(bc->seconds, 80);
	assert_int_equal(name_of("C")->begun, 1);
	assert_int_equal(name_of("C")->fired, 2);
	rig_stop(&r);
}

static void pairs_of_one_message(void **state)
{
	static const char *const labels[] = {"{\"alertname\":\"A\",\"job\":\"j\"}",
		"{\"alertname\":\"B\",\"job\":\"j\"}", "{\"alertname\":\"A\",\"job\":\"k\"}"};
	static const char *const fps[] = {"1", "2", "3"};
	struct rig_event events[3];
	struct rig_answer out[3];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 3; i++) {
		events[i] = rig_alert(fps[i], 'f', T0);
		events[i].labels_json = labels[i];
	}
	assert_int_equal(rig_ingest_n(&r, events, 3, 0, out), ERR_NONE);
	read_days(&r, 0, TODAY);
	assert_int_equal(told.pairs_n, 1);
	assert_int_equal(pair_of("A", "B")->near, 1);
	assert_int_equal(pair_of("A", "B")->labels_n, 1);
	assert_int_equal(name_of("A")->fired, 2);
	assert_int_equal(name_of("A")->begun, 1);
	rig_stop(&r);
}

static void the_day_before_is_looked_at(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	rig_time(&r, (TODAY + 1) * DAY - MINUTE);
	send_named(&r, "A", 'f', r.now);
	send_named(&r, "A", 'r', r.now);
	rig_pass(&r, 2 * MINUTE);
	send_named(&r, "A", 'f', r.now);
	read_days(&r, 0, TODAY);
	assert_int_equal(name_of("A")->begun, 1);
	read_days(&r, TODAY + 1, TODAY + 1);
	assert_int_equal(name_of("A")->fired, 1);
	assert_int_equal(name_of("A")->begun, 0);
	rig_stop(&r);
}

/* ---- repairs and rules ---- */

static void end_run(struct rig *r, const char *how)
{
	struct rig_claimed run = rig_claim(r);

	assert_string_not_equal(run.run, "");
	assert_int_equal(rig_change(r, &run, how, 0), ERR_NONE);
}

static void fire_and_repair(struct rig *r, const char *name, bool approval, const char *how)
{
	struct rig_event ev = with_rule(named(name, 'f', r->now), "fix");
	struct rig_answer a;

	ev.rules[0].approval = approval;
	a = rig_ingest(r, &ev);
	if (approval)
		assert_int_equal(rig_await(r, store_run_approve(r->s, str_of(a.d[0].run), true,
						      STR("ann"), STR_NONE, rig_done, r, &r->e)),
			ERR_NONE);
	rig_pass(r, 20 * SECOND);
	end_run(r, how);
	rig_pass(r, 40 * SECOND);
	send_named(r, name, 'r', r->now - MINUTE);
}

static void repaired_by_runs_of_rules(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	fire_and_repair(&r, "Good", false, "succeeded");
	fire_and_repair(&r, "Bad", false, "failed");
	fire_and_repair(&r, "Asked", true, "succeeded");
	rig_pass(&r, HOUR);
	/* The next occurrence has no run: what was done for the one before is not its. */
	send_named(&r, "Good", 'f', r.now);
	rig_pass(&r, MINUTE);
	send_named(&r, "Good", 'r', r.now - MINUTE);
	rig_pass(&r, HOUR);
	fire_and_repair(&r, "Good", false, "succeeded");
	read_days(&r, 0, TODAY);
	const struct store_insight_name *good = name_of("Good");
	assert_int_equal(good->resolved, 3);
	assert_int_equal(good->repairs_n, 1);
	assert_true(str_is(good->repairs[0].runbooks, "disk-usage"));
	assert_int_equal(good->repairs[0].n, 2);
	assert_int_equal(good->repairs[0].ms, 40 * SECOND);
	assert_true(str_is(good->rule, "fix"));
	assert_int_equal(name_of("Bad")->repairs_n, 0);
	assert_int_equal(name_of("Asked")->repairs_n, 0);
	assert_int_equal(rule_of("fix").matched, 4);
	assert_int_equal(rule_of("fix").ran, 4);
	rig_stop(&r);
}

static void on_act(void *ctx, const struct err *e, struct str text)
{
	(void)text;
	rig_done(ctx, e);
}

static void acknowledged_by_a_person(void **state)
{
	struct rig r;
	struct rig_event ev;

	(void)state;
	rig_start(&r, true);
	ev = with_rule(named("Disk", 'f', T0), "fix");
	struct rig_answer a = rig_ingest(&r, &ev);
	rig_pass(&r, 2 * MINUTE);
	struct store_act act = {
		.what = STORE_ACK, .incident = str_of(a.incident), .who = STR("ann")};
	assert_int_equal(rig_await(&r, store_incident_act(r.s, &act, on_act, &r, &r.e)), ERR_NONE);
	end_run(&r, "succeeded");
	/* Another alert of the incident begins when somebody knows already. */
	rig_pass(&r, MINUTE);
	send_named(&r, "Late", 'f', r.now);
	rig_pass(&r, MINUTE);
	send_named(&r, "Disk", 'r', T0);
	send_named(&r, "Late", 'r', r.now);
	read_days(&r, 0, TODAY);
	assert_int_equal(name_of("Disk")->acked, 1);
	assert_int_equal(name_of("Disk")->ack_ms, 2 * MINUTE);
	assert_int_equal(name_of("Disk")->repairs_n, 0);
	assert_int_equal(name_of("Late")->acked, 0);
	rig_stop(&r);
}

static void rules_that_were_held_back(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = rig_with_rule(named("Disk", 'f', T0), "cool", &rig_step, 1, HOUR);
	rig_ingest(&r, &ev);
	ev.fp = "another";
	rig_ingest(&r, &ev);
	struct rig_event waits = with_rule(named("Slow", 'f', T0), "later");
	waits.rules[0].for_ms = MINUTE;
	rig_ingest(&r, &waits);
	read_days(&r, 0, TODAY);
	assert_int_equal(rule_of("cool").matched, 2);
	assert_int_equal(rule_of("cool").ran, 1);
	assert_int_equal(rule_of("later").matched, 1);
	assert_int_equal(rule_of("later").ran, 0);
	rig_pass(&r, MINUTE);
	rig_tick(&r);
	read_days(&r, 0, TODAY);
	assert_int_equal(rule_of("later").ran, 1);
	rig_stop(&r);
}

/* ---- bounds ---- */

static void send_many(struct rig *r, int from, int n)
{
	static char fps[100][24], labels[100][64];
	struct rig_event events[100];
	struct rig_answer out[100];

	for (int i = 0; i < n; i += 100) {
		for (int k = 0; k < 100; k++) {
			snprintf(fps[k], sizeof(fps[k]), "fp%d", from + i + k);
			snprintf(labels[k], sizeof(labels[k]), "{\"alertname\":\"Once%d\"}",
				from + i + k);
			events[k] = rig_alert(fps[k], 'f', T0);
			events[k].labels_json = labels[k];
		}
		assert_int_equal(rig_ingest_n(r, events, 100, 0, out), ERR_NONE);
	}
}

static void a_thousand_names_a_day(void **state)
{
	char fp[24];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	send_many(&r, 0, 600);
	for (int i = 0; i < 6; i++) {
		snprintf(fp, sizeof(fp), "often%d", i);
		send_labels(&r, fp, "{\"alertname\":\"Often\"}");
	}
	send_many(&r, 600, 900);
	read_days(&r, 0, TODAY);
	assert_int_equal(told.all_names, 1000);
	assert_int_equal(told.fired, 1506);
	assert_int_equal(told.left_names, 501);
	assert_int_equal(told.left_fired, 501);
	redisReply *kept = server_ask(
		&r.server, "HSTRLEN " RIG_KEY ":insights:%lld %s", (long long)TODAY, "n Often");
	assert_true(kept->integer > 0);
	freeReplyObject(kept);
	redisReply *after =
		server_ask(&r.server, "HLEN " RIG_KEY ":insights:%lld:after", (long long)TODAY);
	assert_true(after->integer > 0 && after->integer <= 1000);
	freeReplyObject(after);
	rig_stop(&r);
}

static void followers_of_one_name(void **state)
{
	char name[24];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "N%d", i);
		send_named(&r, name, 'f', r.now);
		rig_pass(&r, SECOND);
	}
	read_days(&r, 0, TODAY);
	size_t most = 0, n = 0;
	for (size_t i = 0; i < told.pairs_n; i++) {
		n = i > 0 && str_eq(told.pairs[i].first, told.pairs[i - 1].first) ? n + 1 : 1;
		most = n > most ? n : most;
	}
	assert_int_equal(most, 16);
	rig_stop(&r);
}

static long long keys_like(struct rig *r, const char *pattern)
{
	redisReply *keys = server_ask(&r->server, "KEYS " RIG_KEY ":%s", pattern);
	long long n = (long long)keys->elements;

	freeReplyObject(keys);
	return n;
}

static void trimmed_with_retention(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, true);
	struct rig_event ev = with_rule(named("A", 'f', T0), "fix");
	rig_ingest(&r, &ev);
	send_named(&r, "B", 'f', T0);
	assert_true(keys_like(&r, "insights:*") >= 5);
	rig_pass(&r, 30 * DAY);
	rig_tick(&r);
	/* The day is over for longer than 30 days only when all of it is. */
	read_days(&r, 0, TODAY);
	assert_int_equal(told.day, TODAY);
	assert_int_equal(keys_like(&r, "insights:began") + keys_like(&r, "insights:labels"), 0);
	rig_pass(&r, DAY);
	rig_tick(&r);
	read_days(&r, 0, TODAY);
	assert_int_equal(told.day, -1);
	char day[64];
	snprintf(day, sizeof(day), "insights:%lld*", (long long)TODAY);
	assert_int_equal(keys_like(&r, day), 0);
	rig_stop(&r);
}

/* ---- rates ---- */

#define HOUR_14 (14 * HOUR)

/* n occurrences of a name, n different alerts, at that time. */
static void fire_many(struct rig *r, int64_t at, const char *name, int n)
{
	static int count;
	char labels[80], fp[24];

	rig_time(r, at);
	snprintf(labels, sizeof(labels), "{\"alertname\":\"%s\"}", name);
	for (int i = 0; i < n; i++) {
		snprintf(fp, sizeof(fp), "fp%d", count++);
		send_labels(r, fp, labels);
	}
}

static void past(struct rig *r, const char *name, int days, const int *counts, int counts_n)
{
	for (int d = days; d > 0; d--)
		fire_many(r, (TODAY - d) * DAY + HOUR_14, name, counts[d % counts_n]);
}

/* What is in the inbox of this type; its last JSON in found. */
static char found[2000];

static long long told_of(struct rig *r, const char *type)
{
	redisReply *v = server_ask(&r->server, "XRANGE " RIG_KEY ":inbox - +");
	char want[64];
	long long n = 0;

	snprintf(want, sizeof(want), "\"type\":\"%s\"", type);
	for (size_t i = 0; i < v->elements; i++) {
		const char *json = v->element[i]->element[1]->element[5]->str;
		if (!strstr(json, want))
			continue;
		snprintf(found, sizeof(found), "%s", json);
		n++;
	}
	freeReplyObject(v);
	return n;
}

static void a_rate_against_its_past(void **state)
{
	static const int counts[] = {2, 2, 1, 40, 2};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	/* One of the days before was a storm of its own, of which the median knows nothing. */
	past(&r, "Disk", 9, counts, 5);
	assert_int_equal(told_of(&r, "unusual_rate"), 0);
	fire_many(&r, TODAY * DAY + HOUR_14, "Disk", 9);
	assert_int_equal(told_of(&r, "unusual_rate"), 0);
	fire_many(&r, TODAY * DAY + HOUR_14 + 5 * MINUTE, "Disk", 1);
	assert_int_equal(told_of(&r, "unusual_rate"), 1);
	assert_non_null(strstr(
		found, "\"source\":\"runbookd\",\"type\":\"unusual_rate\",\"status\":\"info\""));
	assert_non_null(strstr(found,
		"\"summary\":\"'Disk' began 10 times since 14:00 UTC; usual at this hour are 2\""));
	assert_non_null(strstr(found, "\"labels\":{\"alertname\":\"Disk\"}"));
	assert_non_null(
		strstr(found, "\"data\":{\"alertname\":\"Disk\",\"count\":10,\"usual\":2,"));
	/* Once, however much more comes, until it was quiet about it for 6 hours. */
	fire_many(&r, TODAY * DAY + HOUR_14 + 6 * MINUTE, "Disk", 40);
	fire_many(&r, TODAY * DAY + HOUR_14 + 2 * HOUR, "Disk", 40);
	assert_int_equal(told_of(&r, "unusual_rate"), 1);
	fire_many(&r, TODAY * DAY + HOUR_14 + 7 * HOUR, "Disk", 20);
	assert_int_equal(told_of(&r, "unusual_rate"), 2);
	/* It is an event of the bus, too, and none that is counted as an alert. */
	redisReply *bus = server_ask(&r.server, "XREVRANGE " RIG_KEY ":bus + - COUNT 100");
	bool there = false;
	for (size_t i = 0; i < bus->elements; i++)
		there |= strstr(bus->element[i]->element[1]->element[7]->str, "unusual_rate") !=
			 NULL;
	assert_true(there);
	freeReplyObject(bus);
	assert_int_equal(keys_like(&r, "insights:told"), 1);
	rig_pass(&r, 7 * HOUR);
	rig_tick(&r);
	assert_int_equal(keys_like(&r, "insights:told"), 0);
	rig_stop(&r);
}

static void what_is_usual_is_not_told(void **state)
{
	static const int busy[] = {20, 24, 18, 22};
	static const int mondays[] = {60, 0, 0, 0, 0, 0, 0};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	/* As much as on other days, and half as much again. */
	past(&r, "Busy", 9, busy, 4);
	fire_many(&r, TODAY * DAY + HOUR_14, "Busy", 33);
	assert_int_equal(told_of(&r, "unusual_rate"), 0);
	/* Each week on this day, which is known when it came three times. */
	past(&r, "Weekly", 28, mondays, 7);
	long long before = told_of(&r, "unusual_rate");
	fire_many(&r, TODAY * DAY + HOUR_14, "Weekly", 60);
	assert_int_equal(told_of(&r, "unusual_rate"), before);
	fire_many(&r, (TODAY + 1) * DAY + HOUR_14, "Weekly", 60);
	assert_int_equal(told_of(&r, "unusual_rate"), before + 1);
	rig_stop(&r);
}

static void too_little_past(void **state)
{
	static const int counts[] = {2};
	struct rig r;

	(void)state;
	rig_start(&r, true);
	past(&r, "Disk", 6, counts, 1);
	fire_many(&r, TODAY * DAY + HOUR_14, "Disk", 60);
	assert_int_equal(told_of(&r, "unusual_rate") + told_of(&r, "alert_storm"), 0);
	rig_stop(&r);
}

static void a_storm_of_all_names(void **state)
{
	static const int counts[] = {3};
	char name[24];
	struct rig r;

	(void)state;
	rig_start(&r, true);
	past(&r, "Disk", 8, counts, 1);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "N%d", i);
		fire_many(&r, TODAY * DAY + HOUR_14 + i * SECOND, name, 1);
	}
	assert_int_equal(told_of(&r, "alert_storm"), 1);
	assert_non_null(strstr(found,
		"\"summary\":\"alerts began 50 times since 14:00 UTC; usual at this hour are 3\""));
	assert_non_null(strstr(found, "\"labels\":{}"));
	assert_int_equal(told_of(&r, "unusual_rate"), 0);
	rig_stop(&r);
}

/* ---- what is to be expected ---- */

static void what_follows_is_expected(void **state)
{
	struct rig r;
	struct rig_event b;

	(void)state;
	rig_start(&r, true);
	rig_time(&r, (TODAY - 7) * DAY);
	for (int i = 0; i < 6; i++) {
		send_named(&r, "A", 'f', r.now);
		rig_pass(&r, 90 * SECOND);
		/* Once it does not follow. */
		if (i != 3)
			send_named(&r, "B", 'f', r.now);
		rig_pass(&r, HOUR);
		send_named(&r, "A", 'r', r.now);
		send_named(&r, "B", 'r', r.now);
		rig_pass(&r, DAY);
	}
	struct rig_answer a = send_named(&r, "A", 'f', r.now);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, a.incident);
	assert_text(t, "\"expected_next\":[{\"alertname\":\"B\",\"after\":\"A\",\"confidence\":0."
		       "714,\"support\":5,"
		       "\"delay_seconds\":90.0,\"spread_seconds\":0.0,\"expected_at\":\"");
	/* It came. */
	rig_pass(&r, 80 * SECOND);
	b = named("B", 'f', r.now);
	b.corr = "host-a";
	rig_ingest(&r, &b);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"expected_next\":[]");
	/* It does not come any more. */
	rig_pass(&r, HOUR);
	send_named(&r, "B", 'r', r.now);
	send_named(&r, "A", 'r', r.now);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"expected_next\":[]");
	rig_pass(&r, HOUR);
	a = send_named(&r, "A", 'f', r.now);
	rig_pass(&r, 5 * MINUTE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"expected_next\":[]");
	rig_stop(&r);
}

static void what_comes_all_the_time_is_not(void **state)
{
	struct rig r;
	struct rig_answer a = {0};

	(void)state;
	rig_start(&r, true);
	/* B begins every six minutes: it is near everything. */
	for (int i = 0; i < 200; i++) {
		send_named(&r, "B", 'f', r.now);
		send_named(&r, "B", 'r', r.now);
		rig_pass(&r, MINUTE);
		if (i % 20 == 19) {
			a = send_named(&r, "A", 'f', r.now);
			if (i < 199)
				send_named(&r, "A", 'r', r.now);
		}
		rig_pass(&r, 5 * MINUTE);
	}
	rig_time(&r, r.now - 5 * MINUTE);
	assert_text(rig_get(&r, STORE_INCIDENT, a.incident), "\"expected_next\":[]");
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(occurrences_and_their_ends),
	cmocka_unit_test(what_nobody_spoke_of_any_more), cmocka_unit_test(changes_while_it_flaps),
	cmocka_unit_test(names_as_senders_have_them), cmocka_unit_test(what_begins_after_what),
	cmocka_unit_test(pairs_of_one_message), cmocka_unit_test(the_day_before_is_looked_at),
	cmocka_unit_test(repaired_by_runs_of_rules), cmocka_unit_test(acknowledged_by_a_person),
	cmocka_unit_test(rules_that_were_held_back), cmocka_unit_test(a_thousand_names_a_day),
	cmocka_unit_test(followers_of_one_name), cmocka_unit_test(trimmed_with_retention),
	cmocka_unit_test(a_rate_against_its_past), cmocka_unit_test(what_is_usual_is_not_told),
	cmocka_unit_test(too_little_past), cmocka_unit_test(a_storm_of_all_names),
	cmocka_unit_test(what_follows_is_expected),
	cmocka_unit_test(what_comes_all_the_time_is_not))
