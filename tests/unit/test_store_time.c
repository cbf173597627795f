/* Time passes: stale alerts, retention, counters; and the bell, and the audit. */
#include "store_rig.h"
#include "base/metrics.h"
#include "store/redis_impl.h"
#include "store/store_impl.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

/* ---- stale alerts ---- */

static void stale_only_when_nobody_speaks(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', T0), b = rig_alert(B, 'f', T0);
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50, .status = STR("firing")};

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &a);
	rig_ingest(&r, &b);
	rig_pass(&r, 20 * HOUR);
	rig_ingest(&r, &a);
	rig_pass(&r, 4 * HOUR - 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 0);
	rig_pass(&r, 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_int_equal(rig_tick(&r).resolved_stale, 0);
	rig_list(&r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), A);
	page.status = STR("resolved");
	rig_list(&r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), B);
	assert_has(str_of(rows->v[0]), "\"ends_at\":\"2025-11-23T20:00:00.000Z\"");
	assert_has(str_of(rows->v[0]), "\"last_seen\":\"2025-11-22T20:00:00.000Z\"");
	assert_text(rig_get(&r, STORE_INCIDENT, first.incident), "\"firing\":1");
	/* The incident tells of it. */
	page = (struct store_page){.id = str_of(first.incident), .limit = 50};
	rig_list(&r, STORE_TIMELINE, &page, rows);
	assert_int_equal(rows->n, 3);
	assert_has(str_of(rows->v[2]), "\"kind\":\"alert\"");
	assert_has(str_of(rows->v[2]), "\"fingerprint\":\"" B "\",\"status\":\"resolved\"");
	rig_pass(&r, 20 * HOUR);
	assert_int_equal(rig_tick(&r).resolved_stale, 1);
	assert_text(rig_get(&r, STORE_INCIDENT, first.incident), "\"status\":\"resolved\"");
	free(rows);
	rig_stop(&r);
}

/* An alert that fires for longer than the bus is kept still says what it is. */
static void fires_for_ever(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', T0);
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	for (int i = 0; i < 70; i++) {
		rig_pass(&r, 12 * HOUR);
		assert_int_equal(rig_ingest(&r, &a).outcome, STORE_DUPLICATE);
		rig_tick(&r);
	}
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), 0);
	rig_list(&r, STORE_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), "\"status\":\"firing\"");
	assert_has(str_of(rows->v[0]), "\"labels\":{\"alertname\":\"Disk\"}");
	free(rows);
	rig_stop(&r);
}

/* ---- retention ---- */

/* Keys that hold no single incident, alert or run. */
static bool stays(const char *key)
{
	static const char *const names[] = {"clock", "meta", "bus", "audit", "stats", "fence", "inbox"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(key + strlen(RIG_KEY ":"), names[i]) == 0)
			return true;
	return false;
}

static void retention_leaves_nothing(void **state)
{
	struct rig r;
	struct rig_event a = rig_with_rule(rig_alert(A, 'f', T0), "disk-full", &rig_step, 1, HOUR);
	struct store_line line = {T0, false, STR("x")};
	struct str pools[] = {STR("default")};
	struct store_manual_run manual = {rig_step, STR("anna"), STR("key"), STR("asked"), {.queue = 10}, STR("hash")};
	struct rig_text t = {.r = &r};

	(void)state;
	rig_start(&r, true);
	rig_await(&r, store_worker_hello(r.s, STR("w1"), STR("i1"), STR("h"), pools, 1, SECOND, rig_done, &r, &r.e));
	for (int i = 0; i < 300; i++) {
		char fp[17];
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		a.fp = fp;
		a.corr = fp;
		a.status = 'f';
		rig_ingest(&r, &a);
		if (i < 5) {
			struct rig_claimed c = rig_claim(&r);
			rig_await(&r, store_output(r.s, rig_held(&c), &line, 1, rig_done, &r, &r.e));
			rig_change(&r, &c, "succeeded", 0);
		}
		a.rules_n = i < 5;
		a.status = 'r';
		rig_ingest(&r, &a);
		a.rules_n = i < 4;
	}
	rig_await(&r, store_run_new(r.s, &manual, rig_on_text, &t, &r.e));
	struct rig_event still = rig_alert(B, 'f', T0);
	rig_ingest(&r, &still);
	rig_pass(&r, 29 * DAY);
	rig_ingest(&r, &still);
	assert_int_equal(rig_tick(&r).trimmed, 0);
	rig_pass(&r, 24 * HOUR);
	rig_tick(&r);
	rig_pass(&r, 30 * DAY + 1);
	int ticks = 0;
	while (rig_tick(&r).more)
		ticks++;
	assert_in_range(ticks, 2, 20);
	rig_pass(&r, 30 * DAY + 1);
	while (rig_tick(&r).more)
		ticks++;
	rig_pass(&r, 31 * DAY);
	rig_tick(&r);
	redisReply *keys = server_ask(&r.server, "KEYS *");
	for (size_t i = 0; i < keys->elements; i++) {
		const char *key = keys->element[i]->str;
		if (strstr(key, ":cooldown:"))
			assert_true(server_number(&r.server, "PTTL %s", key) > 0);
		else if (!stays(key))
			fail_msg("%s is left", key);
	}
	freeReplyObject(keys);
	assert_int_equal(server_number(&r.server, "XLEN " RIG_KEY ":bus"), 0);
	rig_stop(&r);
}

/* Runs that ended late neither stop those behind them from being forgotten, nor are forgotten early. */
static void retention_passes_what_stays(void **state)
{
	struct rig r;
	struct rig_claimed late[120];

	(void)state;
	rig_start(&r, true);
	r.limits.queue = 1000;
	for (int i = 0; i < 150; i++) {
		char fp[17];
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		struct rig_event a = rig_with_rule(rig_alert(fp, 'f', T0), "r", &rig_step, 1, 0);
		rig_ingest(&r, &a);
		struct rig_claimed c = rig_claim(&r);
		if (i < 120)
			late[i] = c;
		else
			rig_change(&r, &c, "succeeded", 0);
	}
	rig_pass(&r, 29 * DAY);
	for (int i = 0; i < 120; i++)
		rig_change(&r, &late[i], "succeeded", 0);
	rig_pass(&r, 2 * DAY);
	while (rig_tick(&r).more)
		;
	assert_int_equal(server_number(&r.server, "ZCARD " RIG_KEY ":runs:done"), 120);
	rig_pass(&r, 28 * DAY);
	while (rig_tick(&r).more)
		;
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":runs:done"), 0);
	rig_stop(&r);
}

/* How many keys, and members of the lists of all incidents, alerts and runs, name it. */
static int traces_of(struct rig *r, const char *text)
{
	redisReply *found = server_ask(&r->server, "EVAL %s 0 %s",
		"local n = 0 "
		"for _, key in ipairs(redis.call('KEYS', '*')) do "
		"if string.find(key, ARGV[1], 1, true) then n = n + 1 end "
		"if redis.call('TYPE', key).ok == 'zset' then "
		"for _, m in ipairs(redis.call('ZRANGE', key, 0, -1)) do "
		"if string.find(m, ARGV[1], 1, true) then n = n + 1 end end end "
		"end return n", text);
	int n = (int)found->integer;

	assert_int_equal(found->type, REDIS_REPLY_INTEGER);
	freeReplyObject(found);
	return n;
}

/* An incident stays while one of its runs does, and goes with it and with its alerts; its neighbour has gone before. */
static void an_incident_goes_whole(void **state)
{
	struct rig r;
	struct rig_event a = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, 0);
	struct rig_event b = rig_alert(B, 'f', T0);

	(void)state;
	rig_start(&r, true);
	b.corr = "host-b";
	struct rig_answer first = rig_ingest(&r, &a), other = rig_ingest(&r, &b);
	struct rig_claimed c = rig_claim(&r);
	a.rules_n = 0;
	a.status = b.status = 'r';
	rig_ingest(&r, &a);
	rig_ingest(&r, &b);
	rig_pass(&r, DAY);
	rig_change(&r, &c, "succeeded", 0);
	rig_pass(&r, 30 * DAY - HOUR);
	while (rig_tick(&r).more)
		;
	assert_int_equal(traces_of(&r, other.incident), 0);
	assert_int_equal(traces_of(&r, B), 0);
	assert_true(traces_of(&r, first.incident) > 2);
	assert_true(traces_of(&r, first.d[0].run) > 1);
	rig_pass(&r, 2 * HOUR);
	while (rig_tick(&r).more)
		;
	assert_int_equal(traces_of(&r, first.incident), 0);
	assert_int_equal(traces_of(&r, first.d[0].run), 0);
	assert_int_equal(traces_of(&r, A), 0);
	rig_stop(&r);
}

/* A run that waits for approval for ever keeps its incident, and does not leave half of it behind. */
static void what_waits_keeps_its_incident(void **state)
{
	struct rig r;
	struct rig_event a = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, 0);

	(void)state;
	rig_start(&r, true);
	a.rules[0].approval = true;
	struct rig_answer first = rig_ingest(&r, &a);
	a.rules_n = 0;
	a.status = 'r';
	rig_ingest(&r, &a);
	for (int i = 0; i < 3; i++) {
		rig_pass(&r, 40 * DAY);
		while (rig_tick(&r).more)
			;
	}
	assert_text(rig_get(&r, STORE_INCIDENT, first.incident), "\"runs\":1");
	assert_int_equal(rig_await(&r, store_run_approve(r.s, str_of(first.d[0].run), false, STR("ann"), STR("late"), rig_done, &r,
				 &r.e)),
		ERR_NONE);
	rig_pass(&r, 31 * DAY);
	while (rig_tick(&r).more)
		;
	assert_int_equal(traces_of(&r, first.incident), 0);
	assert_int_equal(traces_of(&r, first.d[0].run), 0);
	rig_stop(&r);
}

/* More alerts and runs than go in one turn. */
static void a_large_incident_goes_whole(void **state)
{
	struct rig r;
	struct rig_event v[50];
	struct rig_answer out[50];
	char fp[50][17];

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 2200; i += 50) {
		for (int k = 0; k < 50; k++) {
			snprintf(fp[k], sizeof(fp[k]), "%016x", (unsigned)(i + k));
			v[k] = rig_alert(fp[k], 'f', T0);
		}
		assert_int_equal(rig_ingest_n(&r, v, 50, 0, out), ERR_NONE);
		for (int k = 0; k < 50; k++)
			v[k].status = 'r';
		assert_int_equal(rig_ingest_n(&r, v, 50, 0, out), ERR_NONE);
	}
	rig_pass(&r, 30 * DAY + 1);
	rig_tick(&r);
	assert_int_equal(server_number(&r.server, "LLEN " RIG_KEY ":incident:%s:timeline", out[0].incident), 2 + 3400);
	assert_true(server_number(&r.server, "ZCARD " RIG_KEY ":alerts:resolved") < 2000);
	for (int i = 0; i < 10; i++)
		rig_tick(&r);
	assert_int_equal(traces_of(&r, out[0].incident), 0);
	while (rig_tick(&r).more)
		;
	assert_int_equal(server_number(&r.server, "EXISTS " RIG_KEY ":alerts:resolved"), 0);
	rig_stop(&r);
}

/* ---- counters ---- */

struct counted {
	struct rig *r;
	double queue_depth, oldest, running, open, succeeded, failed, run_sum, start_sum;
	uint64_t run_count, start_count, run_bucket, start_bucket;
	size_t n;
};

static size_t bucket_of(double seconds)
{
	size_t i = 0;

	while (i < metric_buckets_n && seconds > metric_buckets[i])
		i++;
	return i;
}

static void on_stats(void *ctx, const struct err *e, const struct store_stat *v, size_t n)
{
	struct counted *c = ctx;

	c->n = n;
	for (size_t i = 0; i < n; i++) {
		if (str_is(v[i].name, "queue_depth") && str_is(v[i].labels[0], "default"))
			c->queue_depth = v[i].value;
		else if (str_is(v[i].name, "oldest_queued_seconds") && str_is(v[i].labels[0], "default"))
			c->oldest = v[i].value;
		else if (str_is(v[i].name, "runs_running") && str_is(v[i].labels[0], "default"))
			c->running = v[i].value;
		else if (str_is(v[i].name, "incidents_open"))
			c->open = v[i].value;
		else if (str_is(v[i].name, "runs")) {
			assert_str(v[i].labels[0], "disk-usage");
			assert_str(v[i].labels[1], "disk-full");
			if (str_is(v[i].labels[2], "succeeded"))
				c->succeeded = v[i].value;
			else if (str_is(v[i].labels[2], "failed"))
				c->failed = v[i].value;
		} else if (str_is(v[i].name, "run_seconds")) {
			assert_str(v[i].labels[0], "disk-usage");
			c->run_sum = v[i].value;
			c->run_count = v[i].count;
			c->run_bucket = v[i].buckets[bucket_of(0.042)];
		} else if (str_is(v[i].name, "event_to_start_seconds")) {
			assert_str(v[i].labels[0], "disk-full");
			c->start_sum = v[i].value;
			c->start_count = v[i].count;
			c->start_bucket = v[i].buckets[bucket_of(7)];
		}
	}
	rig_done(c->r, e);
}

static void counters(void **state)
{
	struct rig r;
	struct counted c = {.r = &r};

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 4; i++) {
		char fp[17];
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		struct rig_event a = rig_with_rule(rig_alert(fp, 'f', T0), "disk-full", &rig_step, 1, 0);
		rig_ingest(&r, &a);
	}
	rig_pass(&r, 7 * SECOND);
	for (int i = 0; i < 3; i++) {
		struct rig_claimed run = rig_claim(&r);
		if (i < 2)
			rig_change(&r, &run, i ? "failed" : "succeeded", i);
	}
	assert_int_equal(rig_await(&r, store_stats(r.s, on_stats, &c, &r.e)), ERR_NONE);
	assert_true(c.queue_depth == 1);
	assert_true(c.oldest == 7);
	assert_true(c.running == 1);
	assert_true(c.open == 1);
	assert_true(c.succeeded == 1);
	assert_true(c.failed == 1);
	assert_int_equal(c.run_count, 2);
	assert_int_equal(c.run_bucket, 2);
	assert_true(c.run_sum > 0.0839 && c.run_sum < 0.0841);
	assert_int_equal(c.start_count, 3);
	assert_int_equal(c.start_bucket, 3);
	assert_true(c.start_sum == 21);
	rig_stop(&r);
}

/* The bounds are written twice, in C and in Lua. */
static void buckets_are_the_same(void **state)
{
	const char *at = strstr(store_library, "local BUCKETS = {");
	size_t n = 0;

	(void)state;
	assert_non_null(at);
	for (at = strchr(at, '\n'); *at && *at != '}';) {
		char *end;
		double v = strtod(at, &end);
		if (end == at) {
			at++;
			continue;
		}
		assert_true(n < metric_buckets_n);
		assert_true(v > metric_buckets[n] * 999.9 && v < metric_buckets[n] * 1000.1);
		n++;
		at = end;
	}
	assert_int_equal(n, metric_buckets_n);
}

/* ---- the bell ---- */

struct heard {
	bool rung;
	char run[ID_LEN + 1];
};

static void on_rung(void *ctx, const struct err *e, const struct store_claimed *c)
{
	struct heard *h = ctx;

	assert_null(e);
	h->rung = true;
	rig_copy(h->run, sizeof(h->run), c->run);
}

static int wait_claim(struct rig *r, int64_t ms, struct heard *h)
{
	const struct str pools[] = {STR("other"), STR("default")};

	*h = (struct heard){.rung = false};
	return store_claim_wait(r->s, STR("w1"), STR("i1"), pools, 2, HOUR, ms, on_rung, h, &r->e);
}

static void start_with_bell(struct rig *r)
{
	rig_start(r, true);
	while (!redis_up(r->s->bell) || r->s->bell_id == 0)
		uv_run(&r->loop, UV_RUN_ONCE);
}

static void bell(void **state)
{
	struct rig r;
	struct heard h, second;
	struct rig_event a = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, 0);

	(void)state;
	start_with_bell(&r);
	/* Nothing comes: back after the time. */
	assert_int_equal(wait_claim(&r, 20, &h), 0);
	rig_until(&r, &h.rung);
	assert_string_equal(h.run, "");
	assert_int_equal(wait_claim(&r, 600 * SECOND, &h), 0);
	assert_int_equal(wait_claim(&r, 600 * SECOND, &second), -1);
	assert_int_equal(r.e.code, ERR_CONFLICT);
	assert_false(h.rung);
	/* It is claimed in the same turn. */
	struct rig_answer out = rig_ingest(&r, &a);
	rig_until(&r, &h.rung);
	assert_string_equal(h.run, out.d[0].run);
	assert_string_equal(rig_claim(&r).run, "");
	rig_stop(&r);
}

/* Elsewhere than on this machine it is only told of. */
static void bell_from_afar(void **state)
{
	struct rig r;
	struct heard h;
	struct rig_event a = rig_with_rule(rig_alert(A, 'f', T0), "r", &rig_step, 1, 0);

	(void)state;
	start_with_bell(&r);
	struct str path = r.s->bell->url.path;
	r.s->bell->url.path = STR_NONE;
	assert_int_equal(wait_claim(&r, 600 * SECOND, &h), 0);
	struct rig_answer out = rig_ingest(&r, &a);
	rig_until(&r, &h.rung);
	assert_string_equal(h.run, "");
	assert_string_equal(rig_claim(&r).run, out.d[0].run);
	r.s->bell->url.path = path;
	rig_stop(&r);
}

static void woken(void **state)
{
	struct rig r;
	struct heard h;

	(void)state;
	start_with_bell(&r);
	store_claim_wake(r.s); /* nobody waits: nothing happens */
	assert_int_equal(wait_claim(&r, 600 * SECOND, &h), 0);
	while (!h.rung) { /* the other connection may be faster */
		store_claim_wake(r.s);
		uv_run(&r.loop, UV_RUN_ONCE);
	}
	assert_string_equal(h.run, "");
	rig_stop(&r);
}

static void audit_acts(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 50};

	(void)state;
	rig_start(&r, true);
	assert_int_equal(rig_await(&r, store_audit(r.s, STR("{\"what\":\"reload\"}"), rig_done, &r, &r.e)), ERR_NONE);
	rig_list(&r, STORE_AUDIT, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_string_equal(rows->v[0], "{\"time\":\"2025-11-22T20:00:00.000Z\",\"what\":\"reload\"}");
	assert_int_equal(store_audit(r.s, STR("{}"), rig_done, &r, &r.e), -1);
	free(rows);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(stale_only_when_nobody_speaks), cmocka_unit_test(fires_for_ever),
	cmocka_unit_test(retention_leaves_nothing), cmocka_unit_test(retention_passes_what_stays),
	cmocka_unit_test(an_incident_goes_whole), cmocka_unit_test(what_waits_keeps_its_incident),
	cmocka_unit_test(a_large_incident_goes_whole),
	cmocka_unit_test(counters), cmocka_unit_test(buckets_are_the_same), cmocka_unit_test(bell),
	cmocka_unit_test(bell_from_afar), cmocka_unit_test(woken), cmocka_unit_test(audit_acts))
