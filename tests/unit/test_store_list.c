/* Lists: order, pages, cursors, statuses, times. */
#include "store_rig.h"
#include "base/json.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0
#define ALERTS 23

/* Walks the list in pages of `limit` and gives how many rows there were; each row once, newest first by `member` (NULL: by its cursor). */
static size_t walk(struct rig *r, enum store_list what, struct store_page page, const char *member, bool oldest_first)
{
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	char last[100] = "", cursor[100] = "";
	size_t n = 0;

	for (;;) {
		page.cursor = str_of(cursor);
		rig_list(r, what, &page, rows);
		assert_int_equal(r->e.code, ERR_NONE);
		assert_true(rows->n <= (size_t)page.limit);
		for (size_t i = 0; i < rows->n; i++) {
			struct arena a;
			struct err e;
			char now[100];
			arena_init(&a, 1 << 20);
			struct json *j = json_parse(&a, str_of(rows->v[i]), &e);
			if (!j)
				fail_msg("no JSON: %s: %s", e.text, rows->v[i]);
			rig_copy(now, sizeof(now), member ? json_str(json_get(j, member)) : str_of(rows->cursor[i]));
			assert_true(now[0] != '\0');
			if (n > 0 && (oldest_first ? strcmp(last, now) >= 0 : strcmp(last, now) <= 0))
				fail_msg("%s after %s", now, last);
			strcpy(last, now);
			arena_release(&a);
			n++;
		}
		if (!rows->more)
			break;
		assert_true(rows->n > 0);
		strcpy(cursor, rows->cursor[rows->n - 1]);
	}
	free(rows);
	return n;
}

/* 23 alerts of 23 incidents, a second apart but for some; the odd ones are resolved; each third had a run. */
static void fill(struct rig *r, char incidents[ALERTS][ID_LEN + 1])
{
	for (int i = 0; i < ALERTS; i++) {
		char fp[17];
		snprintf(fp, sizeof(fp), "%016x", (unsigned)i);
		struct rig_event ev = rig_alert(fp, 'f', T0);
		ev.corr = fp;
		if (i % 3 == 0)
			ev = rig_with_rule(ev, "disk-full", &rig_step, 1, 0);
		struct rig_answer a = rig_ingest(r, &ev);
		strcpy(incidents[i], a.incident);
		ev.status = 'r';
		ev.rules_n = 0;
		if (i % 2)
			rig_ingest(r, &ev);
		if (i % 6 == 0) {
			struct rig_claimed c = rig_claim(r);
			rig_change(r, &c, i % 12 ? "failed" : "succeeded", 0);
		}
		rig_pass(r, SECOND);
	}
}

static void all_lists(void **state)
{
	struct rig r;
	char incidents[ALERTS][ID_LEN + 1];

	(void)state;
	rig_start(&r, true);
	fill(&r, incidents);
	for (int64_t limit = 1; limit <= 50; limit = limit * 3 + 1) {
		struct store_page page = {.limit = limit};
		assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 23);
		assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 23);
		assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 8);
		assert_int_equal(walk(&r, STORE_EVENTS, page, "id", false), 23 + 11 + 4);
		assert_int_equal(walk(&r, STORE_AUDIT, page, NULL, false), 8 + 4 + 4);
		page.status = STR("open");
		assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 12);
		page.status = STR("resolved");
		assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 11);
		assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 11);
		assert_int_equal(walk(&r, STORE_EVENTS, page, "id", false), 11);
		page.status = STR("closed");
		assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 0);
		page.status = STR("firing");
		assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 12);
		assert_int_equal(walk(&r, STORE_EVENTS, page, "id", false), 23);
		page.status = STR("info");
		assert_int_equal(walk(&r, STORE_EVENTS, page, "id", false), 4);
		page.status = STR("queued");
		assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 4);
		page.status = STR("failed");
		assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 2);
		page.status = STR("succeeded");
		assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 2);
		page.status = STR("running");
		assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 0);
	}
	rig_stop(&r);
}

static void between_times(void **state)
{
	struct rig r;
	char incidents[ALERTS][ID_LEN + 1];
	struct store_page page = {.limit = 4, .since_ms = T0 + 5 * SECOND, .until_ms = T0 + 14 * SECOND};

	(void)state;
	rig_start(&r, true);
	fill(&r, incidents);
	assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 10);
	assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 10);
	assert_int_equal(walk(&r, STORE_RUNS, page, "id", false), 3);
	assert_int_equal(walk(&r, STORE_EVENTS, page, "id", false), 10 + 5 + 2);
	page.until_ms = 0;
	assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 18);
	assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 18);
	rig_stop(&r);
}

/* Alerts that changed in the same millisecond: the cursor tells them apart. */
static void same_time(void **state)
{
	struct rig r;
	struct rig_event in[100];
	struct rig_answer out[100];
	char fp[100][17];
	struct store_page page = {.limit = 7};

	(void)state;
	rig_start(&r, true);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(fp[i], sizeof(fp[i]), "%016x", (unsigned)(round * 100 + i));
			in[i] = rig_alert(fp[i], 'f', T0);
		}
		assert_int_equal(rig_ingest_n(&r, in, 100, 0, out), ERR_NONE);
	}
	assert_int_equal(walk(&r, STORE_ALERTS, page, "fingerprint", false), 500);
	assert_int_equal(walk(&r, STORE_INCIDENTS, page, "id", false), 1);
	page.id = str_of(out[0].incident);
	assert_int_equal(walk(&r, STORE_TIMELINE, page, "id", true), 500);
	assert_int_equal(walk(&r, STORE_INCIDENT_ALERTS, page, "fingerprint", true), 500);
	rig_stop(&r);
}

/* More rows than one call of the library gives. */
static void a_large_page(void **state)
{
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct rig_event ev = {.status = 'i'};
	struct store_page page = {.limit = 250};

	(void)state;
	rig_start(&r, true);
	for (int i = 0; i < 300; i++)
		rig_ingest(&r, &ev);
	rig_list(&r, STORE_EVENTS, &page, rows);
	assert_int_equal(rows->n, 250);
	assert_true(rows->more);
	page.limit = 1000;
	rig_list(&r, STORE_EVENTS, &page, rows);
	assert_int_equal(rows->n, 300);
	assert_false(rows->more);
	free(rows);
	rig_stop(&r);
}

/* What is looked for may lie behind thousands of others. */
static void far_behind(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', T0), note = {.status = 'i'};
	struct rig_event in[STORE_INGEST_EVENTS_MAX];
	struct rig_answer *out = calloc(STORE_INGEST_EVENTS_MAX, sizeof(*out));
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct store_page page = {.limit = 10, .status = STR("firing")};

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &a);
	for (int i = 0; i < STORE_INGEST_EVENTS_MAX; i++)
		in[i] = note;
	for (int i = 0; i < 12; i++)
		rig_ingest_n(&r, in, STORE_INGEST_EVENTS_MAX, 0, out);
	rig_list(&r, STORE_EVENTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_false(rows->more);
	assert_has(str_of(rows->v[0]), A);
	free(rows);
	free(out);
	rig_stop(&r);
}

/* An alert moves on to another incident; the first one still tells that it had it. */
static void alert_of_two_incidents(void **state)
{
	struct rig r;
	struct rig_event a = rig_alert(A, 'f', T0);
	struct rig_rows *rows = calloc(1, sizeof(*rows));

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &a);
	rig_pass(&r, MINUTE);
	a.status = 'r';
	rig_ingest(&r, &a);
	rig_pass(&r, HOUR);
	a.status = 'f';
	a.starts = T0 + HOUR;
	struct rig_answer second = rig_ingest(&r, &a);
	assert_string_not_equal(second.incident, first.incident);
	struct store_page page = {.id = str_of(first.incident), .limit = 10};
	rig_list(&r, STORE_INCIDENT_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), "\"status\":\"resolved\"");
	assert_has(str_of(rows->v[0]), first.incident);
	page.id = str_of(second.incident);
	rig_list(&r, STORE_INCIDENT_ALERTS, &page, rows);
	assert_int_equal(rows->n, 1);
	assert_has(str_of(rows->v[0]), "\"status\":\"firing\"");
	assert_has(str_of(rows->v[0]), "\"occurrences\":2");
	free(rows);
	rig_stop(&r);
}

static void not_there(void **state)
{
	static const struct {
		enum store_list what;
		const char *cursor, *id;
		enum err_code want;
	} v[] = {
		{STORE_INCIDENTS, "x", "", ERR_INPUT},
		{STORE_INCIDENTS, "01KAPJDTG0000000000000000", "", ERR_INPUT},
		{STORE_EVENTS, "1763841600000-0", "", ERR_INPUT},
		{STORE_EVENTS, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", ERR_INPUT},
		{STORE_ALERTS, "17", "", ERR_INPUT},
		{STORE_ALERTS, "x.am:aa", "", ERR_INPUT},
		{STORE_ALERTS, ".am:aa", "", ERR_INPUT},
		{STORE_TIMELINE, "-1", "01KAPJDTG00000000000000000", ERR_INPUT},
		{STORE_TIMELINE, "", "01KAPJDTG00000000000000000", ERR_NOT_FOUND},
		{STORE_TIMELINE, "", "..", ERR_NOT_FOUND},
		{STORE_INCIDENT_RUNS, "", "01KAPJDTG00000000000000000", ERR_NOT_FOUND},
	};
	struct rig r;
	struct rig_rows *rows = calloc(1, sizeof(*rows));

	(void)state;
	rig_start(&r, true);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct store_page page = {.id = str_of(v[i].id), .cursor = str_of(v[i].cursor), .limit = 10};
		rig_list(&r, v[i].what, &page, rows);
		if (r.e.code != v[i].want)
			fail_msg("case %zu: %s", i, r.e.text);
	}
	rig_get(&r, STORE_RUN, "01KAPJDTG00000000000000000");
	assert_int_equal(r.e.code, ERR_NOT_FOUND);
	assert_string_equal(r.e.text, "there is no run '01KAPJDTG00000000000000000'");
	rig_get(&r, STORE_INCIDENT, "x");
	assert_int_equal(r.e.code, ERR_NOT_FOUND);
	rig_get(&r, STORE_EVENT, "01KAPJDTG00000000000000000");
	assert_int_equal(r.e.code, ERR_NOT_FOUND);
	assert_string_equal(r.e.text, "there is no event '01KAPJDTG00000000000000000'");
	rig_get(&r, STORE_EVENT, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	assert_int_equal(r.e.code, ERR_NOT_FOUND);
	free(rows);
	rig_stop(&r);
}

/* ---- records of the bus ---- */

struct told {
	struct rig *r;
	size_t n;
	char json[4][400];
};

static void on_told(void *ctx, const struct err *e, const struct store_record *v, size_t n)
{
	struct told *t = ctx;

	for (size_t i = 0; i < n && i < 4; i++)
		rig_copy(t->json[i], sizeof(t->json[i]), v[i].json);
	t->n = n;
	rig_done(t->r, e);
}

/* What follows from a record's entry id is not kept with it. Whoever reads the bus gets it all the same: of a record that
 * was made when the clock had gone back, and of one that was kept whole. */
static void id_and_received(void **state)
{
	static const char whole[] = "{\"id\":\"01KAPJDTG00000000000000009\",\"received\":\"2025-11-22T20:00:00.000Z\",\"source\":\"x\"}";
	struct rig r;
	struct rig_event in = rig_alert(A, 'f', RIG_T0);
	struct rig_rows *rows = calloc(1, sizeof(*rows));
	struct told t = {.r = &r};

	(void)state;
	rig_start(&r, true);
	rig_ingest(&r, &in);
	rig_time(&r, RIG_T0 - 1000);
	in = rig_alert(B, 'f', RIG_T0);
	rig_ingest(&r, &in);
	freeReplyObject(server_ask(&r.server, "XADD " RIG_KEY ":bus 1763841600000-9 kind info incident %s decisions [] event %s", "", whole));
	assert_int_equal(rig_await(&r, store_records(r.s, STR_NONE, 10, on_told, &t, &r.e)), ERR_NONE);
	assert_int_equal(t.n, 3);
	const char *begins[] = {
		"{\"id\":\"01KAPJDTG00000000000000001\",\"received\":\"2025-11-22T20:00:00.000Z\",\"source\":\"am\"",
		"{\"id\":\"01KAPJDTG00000000000000002\",\"received\":\"2025-11-22T19:59:59.000Z\",\"source\":\"am\"",
		whole,
	};
	struct store_page page = {.limit = 10};
	rig_list(&r, STORE_EVENTS, &page, rows);
	assert_int_equal(rows->n, 3);
	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(begins[i]) - 1;
		char id[ID_LEN + 1];

		rig_copy(id, sizeof(id), (struct str){begins[i] + 7, ID_LEN});
		assert_memory_equal(t.json[i], begins[i], n);
		assert_memory_equal(rows->v[2 - i], begins[i], n);
		assert_memory_equal(rig_get(&r, STORE_EVENT, id).text, begins[i], n);
	}
	assert_string_equal(t.json[2], whole);
	free(rows);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(all_lists), cmocka_unit_test(between_times), cmocka_unit_test(same_time),
	cmocka_unit_test(a_large_page), cmocka_unit_test(far_behind), cmocka_unit_test(alert_of_two_incidents),
	cmocka_unit_test(not_there), cmocka_unit_test(id_and_received))
