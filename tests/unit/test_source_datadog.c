/* The Datadog source: golden files, what is absent, which alert it is, tags, forms, types and
 * limits; and the rendered templates where they are at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "datadog"
#include "source_rig.h"

static const struct kv form[] = {
	{STR("content-type"), STR("application/x-www-form-urlencoded; charset=utf-8")},
	{STR(""), STR("")}};

static struct event *one(const char *body)
{
	return rig_one(&rig, str_of(body));
}

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 8);
}

/* ---- state ---- */

static void transitions(void **state)
{
	static const char *const fire[] = {"Triggered", "Re-Triggered", "Warn", "Re-Warn",
		"No Data", "Re-No Data", "Renotify", "Null", "triggered"};

	(void)state;
	for (size_t i = 0; i < sizeof(fire) / sizeof(fire[0]); i++) {
		struct event *ev = one(arena_printf(&rig.arena,
			"{\"alert_id\":1,\"alert_transition\":\"%s\",\"alert_type\":\"success\"}",
			fire[i])
					       .p);
		assert_str(ev->type, "alert");
		assert_int_equal(ev->status, EVENT_FIRING);
		assert_true(ev->starts_ns == 0 && ev->ends_ns == 0);
	}
	struct event *ev =
		one("{\"alert_id\":1,\"alert_transition\":\"Recovered\",\"date\":\"5000\"}");
	assert_int_equal(ev->status, EVENT_RESOLVED);
	assert_true(ev->ends_ns == INT64_C(5000000000));
	ev = one("{\"alert_id\":1,\"alert_transition\":\"Paused\",\"event_type\":\"x\"}");
	assert_int_equal(ev->status, EVENT_INFO);
	assert_str(ev->type, "x");
	assert_int_equal(ev->fingerprint.n, 0);
}

static void without_transition(void **state)
{
	(void)state;
	assert_int_equal(
		one("{\"alert_cycle_key\":\"7\",\"alert_type\":\"error\"}")->status, EVENT_FIRING);
	assert_int_equal(one("{\"alert_cycle_key\":\"7\",\"alert_type\":\"warning\"}")->status,
		EVENT_FIRING);
	assert_int_equal(one("{\"alert_cycle_key\":\"7\",\"alert_type\":\"success\"}")->status,
		EVENT_RESOLVED);
	assert_int_equal(
		one("{\"alert_cycle_key\":\"7\",\"alert_type\":\"info\"}")->status, EVENT_INFO);
	assert_int_equal(one("{\"alert_cycle_key\":\"7\"}")->status, EVENT_INFO);
	assert_int_equal(one("{\"alert_id\":\"7\",\"alert_type\":\"error\"}")->status, EVENT_INFO);
	assert_str(one("{}")->type, "datadog");
	assert_str(one("{\"event_type\":\"alert\"}")->type, "datadog");
	assert_str(one("{\"event_type\":\"$EVENT_TYPE\"}")->type, "datadog");
}

static void severities(void **state)
{
	static const struct {
		const char *members;
		enum event_severity severity;
	} cases[] = {
		{"\"alert_transition\":\"Triggered\",\"alert_priority\":\"P1\",\"alert_type\":"
		 "\"warning\"",
			SEVERITY_CRITICAL},
		{"\"alert_transition\":\"Triggered\",\"alert_priority\":\"P4\",\"alert_type\":"
		 "\"error\"",
			SEVERITY_INFO},
		{"\"alert_transition\":\"Triggered\",\"alert_type\":\"warning\"", SEVERITY_WARNING},
		{"\"alert_transition\":\"Triggered\"", SEVERITY_ERROR},
		{"\"alert_transition\":\"Warn\",\"alert_priority\":\"P1\"", SEVERITY_WARNING},
		{"\"alert_transition\":\"Warn\",\"alert_priority\":\"P5\"", SEVERITY_INFO},
		{"\"alert_transition\":\"Warn\"", SEVERITY_WARNING},
		{"\"alert_transition\":\"No Data\"", SEVERITY_WARNING},
		{"\"alert_transition\":\"No Data\",\"alert_priority\":\"P2\"", SEVERITY_ERROR},
		{"\"alert_transition\":\"Recovered\",\"alert_type\":\"success\"", SEVERITY_UNKNOWN},
		{"\"priority\":\"normal\"", SEVERITY_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			one(arena_printf(&rig.arena, "{\"alert_id\":\"1\",%s}", cases[i].members).p)
				->severity,
			cases[i].severity);
}

/* ---- identity ---- */

#define FIRES "{\"alert_transition\":\"Triggered\","
#define ENDS "{\"alert_transition\":\"Recovered\","

static bool same(const char *a, const char *b)
{
	struct str x = one(a)->fingerprint, y = one(b)->fingerprint;

	assert_true(x.n == 16 && y.n == 16);
	return str_eq(x, y);
}

static void identity(void **state)
{
	(void)state;
	assert_true(same(FIRES "\"alert_cycle_key\":\"a\",\"alert_id\":1}",
		ENDS "\"alert_cycle_key\":\"a\",\"alert_id\":2}"));
	assert_false(same(FIRES "\"alert_cycle_key\":\"a\"}", FIRES "\"alert_cycle_key\":\"b\"}"));
	/* A variable that was not expanded is no key that alerts share. */
	assert_false(same(FIRES "\"alert_cycle_key\":\"$ALERT_CYCLE_KEY\",\"alert_id\":1}",
		FIRES "\"alert_cycle_key\":\"$ALERT_CYCLE_KEY\",\"alert_id\":2}"));
	assert_true(same(FIRES "\"alert_id\":1,\"alert_scope\":\"host:a\"}",
		ENDS "\"alert_id\":\"1\",\"alert_scope\":\"host:a\"}"));
	assert_false(same(FIRES "\"alert_id\":1,\"alert_scope\":\"host:a\"}",
		FIRES "\"alert_id\":1,\"alert_scope\":\"host:b\"}"));
	assert_false(same(FIRES "\"alert_id\":1,\"hostname\":\"a\"}",
		FIRES "\"alert_id\":1,\"hostname\":\"b\"}"));
	assert_false(same(FIRES "\"alert_id\":1,\"aggreg_key\":\"a\"}",
		FIRES "\"alert_id\":1,\"aggreg_key\":\"b\"}"));
	/* The group stands in the title where the template has no scope. */
	assert_true(same(FIRES "\"alert_id\":1,\"title\":\"[Triggered on {host:a}] X\"}",
		ENDS "\"alert_id\":1,\"title\":\"[P3] [Recovered on {host:a}] X\"}"));
	assert_false(same(FIRES "\"alert_id\":1,\"title\":\"[Triggered on {host:a}] X\"}",
		FIRES "\"alert_id\":1,\"title\":\"[Triggered on {host:b}] X\"}"));
	assert_true(
		same(FIRES "\"title\":\"[Triggered] X\"}", ENDS "\"title\":\"[Recovered] X\"}"));
	assert_false(
		same(FIRES "\"title\":\"[Triggered] X\"}", FIRES "\"title\":\"[Triggered] Y\"}"));
	/* Nothing tells which: no alert that all such notifications would share. */
	assert_int_equal(one(FIRES "\"id\":\"5\",\"alert_type\":\"error\"}")->status, EVENT_INFO);
}

static bool same_delivery(const char *a, const char *b)
{
	struct str x = one(a)->delivery, y = one(b)->delivery;

	assert_true(x.n > 0 && y.n > 0);
	return str_eq(x, y);
}

static void deliveries(void **state)
{
	(void)state;
	assert_true(same_delivery(FIRES "\"alert_id\":1,\"id\":\"7\",\"date\":\"9\"}",
		FIRES "\"alert_id\":\"1\",\"id\":7,\"date\":9}"));
	assert_false(same_delivery(FIRES "\"alert_id\":1,\"id\":7,\"date\":9}",
		FIRES "\"alert_id\":1,\"id\":7,\"date\":10}"));
	assert_false(same_delivery(FIRES "\"alert_id\":1,\"id\":7,\"date\":9}",
		ENDS "\"alert_id\":1,\"id\":7,\"date\":9}"));
	/* A monitor's id as "id": its groups, evaluated at once, are not one delivery. */
	assert_false(same_delivery(FIRES
		"\"alert_id\":7,\"id\":7,\"date\":9,\"alert_scope\":\"host:a\"}",
		FIRES "\"alert_id\":7,\"id\":7,\"date\":9,\"alert_scope\":\"host:b\"}"));
	assert_false(same_delivery(FIRES "\"alert_cycle_key\":\"x\",\"id\":7,\"date\":9}",
		FIRES "\"alert_cycle_key\":\"y\",\"id\":7,\"date\":9}"));
	assert_false(same_delivery("{\"title\":\"[Renotified on {host:a}] X\",\"id\":7,\"date\":9}",
		"{\"title\":\"[Renotified on {host:b}] X\",\"id\":7,\"date\":9}"));
	assert_str(one(FIRES "\"alert_id\":1,\"id\":\"7\"}")->delivery, "");
	assert_str(one(FIRES "\"alert_id\":1,\"id\":\"$ID\",\"date\":\"9\"}")->delivery, "");
}

/* ---- names, tags, texts, times ---- */

static void absent(void **state)
{
	struct event *ev = one(FIRES "\"alert_id\":1,\"hostname\":\"$HOSTNAME\",\"host\":\" b "
				     "\",\"alert_metric\":\"$x\",\"link\":null,"
				     "\"org\":{\"name\":\"$ORG_NAME\"}}");

	(void)state;
	assert_str(event_label(ev, STR("host")), "b");
	assert_str(event_label(ev, STR("metric")), "$x");
	assert_int_equal(event_label(ev, STR("org")).n, 0);
	assert_int_equal(ev->links_n, 0);
}

static void alert_names(void **state)
{
	static const char *const cases[][2] = {
		{"[P1] [Triggered on {a:b}] Disk", "Disk"},
		{"[prod] Disk", "[prod] Disk"},
		{"[Re-Warn] [prod] Disk", "[prod] Disk"},
		{"[No Data]", "[No Data]"},
		{"[Warning light] Disk", "[Warning light] Disk"},
		{"[Triggered", "[Triggered"},
		{"[]", "[]"},
		{"[Triggered on {}] D", "D"},
		{"[P6] D", "[P6] D"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(event_label(one(arena_printf(
					       &rig.arena, FIRES "\"title\":\"%s\"}", cases[i][0])
						       .p),
				   STR("alertname")),
			cases[i][1]);
	assert_str(event_label(one(FIRES "\"title\":\"A\",\"alert_title\":\"[Triggered] B\"}"),
			   STR("alertname")),
		"B");
}

static void tags(void **state)
{
	struct event *ev = one(FIRES "\"alert_id\":1,\"tags\":\", monitor "
				     ",env:prod,url:http://a:80/,a.b-C:x,a.b-C:y,a.b-C:x,:v,k:,*,"
				     "alertname:z,alert_id:1\"}");

	(void)state;
	assert_str(event_label(ev, STR("monitor")), "true");
	assert_str(event_label(ev, STR("env")), "prod");
	assert_str(event_label(ev, STR("url")), "http://a:80/");
	assert_str(event_label(ev, STR("a_b_c")), "x,y");
	assert_str(event_label(ev, STR("alertname")), "z");
	assert_str(event_label(ev, STR("alert_id")), "1");
	assert_int_equal(ev->labels_n, 7);
}

static void times(void **state)
{
	(void)state;
	assert_true(one("{\"date\":\"1795375000123\"}")->time_ns == INT64_C(1795375000123000000));
	assert_true(one("{\"date\":1795375000123}")->time_ns == INT64_C(1795375000123000000));
	assert_true(
		one("{\"date_posix\":\"1795375000\"}")->time_ns == INT64_C(1795375000000000000));
	assert_true(one("{\"date\":\"$DATE\",\"last_updated\":\"1000\"}")->time_ns == 1000000000);
	assert_true(one("{\"date\":\"2026-11-22T19:16:40+01:00\"}")->time_ns ==
		    INT64_C(1795371400000000000));
	assert_true(one("{\"date\":\"\"}")->time_ns == 0);
	rig_refused(&rig, STR("{\"date\":\"soon\"}"), ERR_INPUT,
		"date: want milliseconds since 1970, got 'soon'");
	rig_refused(&rig, STR("{\"date\":\"99999999999999999999\"}"), ERR_INPUT,
		"date: want milliseconds");
	rig_refused(
		&rig, STR("{\"date\":\"9223372036855\"}"), ERR_INPUT, "date: want milliseconds");
	rig_refused(&rig, STR("{\"date_posix\":-1}"), ERR_INPUT,
		"date_posix: want seconds since 1970, got '-1'");
}

/* ---- forms ---- */

static void forms(void **state)
{
	(void)state;
	rig.headers = form;
	struct event *ev = one("alert_transition=Triggered&alert_id=1&alert_id=2&title=%"
			       "5BTriggered%5D+Disk+90%25&org=%7B%22name%22%3A%22O%22%7D"
			       "&date=5000");
	assert_int_equal(ev->status, EVENT_FIRING);
	assert_str(event_label(ev, STR("alertname")), "Disk 90%");
	assert_str(event_label(ev, STR("alert_id")), "2");
	assert_str(event_label(ev, STR("org")), "O");
	assert_int_equal(ev->data->count, 5);
	assert_str(json_str(json_get(ev->data, "alert_id")), "2");
	ev = one("payload=%7B%22alert_transition%22%3A%22Recovered%22%2C%22alert_id%22%3A7%7D");
	assert_int_equal(ev->status, EVENT_RESOLVED);
	assert_str(event_label(ev, STR("alert_id")), "7");
	assert_str(one("")->type, "datadog");
	rig_refused(&rig, STR("payload=%7B%22a%22%3A"), ERR_INPUT, "payload, byte ");
	rig_refused(&rig, STR("payload=3"), ERR_INPUT, "body: want an object, got a number");
	rig_refused(&rig, STR("a=%ff"), ERR_INPUT, "UTF-8");
}

/* ---- types and limits ---- */

static void wrong_types(void **state)
{
	(void)state;
	rig_refused(&rig, STR("[]"), ERR_INPUT, "body: want an object, got an array");
	rig_refused(&rig, STR("{\"alert_id\":{}}"), ERR_INPUT,
		"alert_id: want a string, got an object");
	rig_refused(
		&rig, STR("{\"tags\":[\"a\"]}"), ERR_INPUT, "tags: want a string, got an array");
	rig_refused(&rig, STR("{\"alert_transition\":true}"), ERR_INPUT,
		"alert_transition: want a string, got a boolean");
	/* The quotes of a text that nobody escaped. */
	struct source_batch out;
	struct err e;
	assert_int_equal(
		rig_take(&rig, STR("{\"body\":\"Disk \"full\" on a\"}"), 4096, &out, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_true(e.offset >= 15 && e.offset <= 17);
}

static struct str with_tags(size_t n)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"tags\":\"");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%st%zu:v", i ? "," : "", i);
	buf_puts(&b, "\"}");
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str with_tag_of(size_t key, size_t value)
{
	static const char start[] = "{\"tags\":\"";
	char *p = arena_alloc(&rig.arena, key + value + 32);
	size_t n = sizeof(start) - 1;

	memcpy(p, start, n);
	memset(p + n, 'k', key);
	p[n + key] = ':';
	memset(p + n + key + 1, 'v', value);
	memcpy(p + n + key + 1 + value, "\"}", 2);
	return (struct str){p, n + key + value + 3};
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(rig_taken(&rig, with_tags(SOURCE_LABELS_LIMIT)).events[0].labels_n,
		SOURCE_LABELS_LIMIT);
	rig_refused(
		&rig, with_tags(SOURCE_LABELS_LIMIT + 1), ERR_LIMIT, "at most that many are taken");
	rig_taken(&rig, with_tag_of(SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT));
	rig_refused(&rig, with_tag_of(SOURCE_NAME_LIMIT + 1, 1), ERR_LIMIT,
		"the name of label 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk' has 1025 bytes, at "
		"most 1024");
	rig_refused(&rig, with_tag_of(1, SOURCE_VALUE_LIMIT + 1), ERR_LIMIT,
		"the value of label 'k' has 1048577 bytes, at most 1048576");
}

static void a_full_arena(void **state)
{
	struct str body = with_tags(100);

	(void)state;
	for (size_t limit = 8 << 10; limit < 120 << 10; limit += 64) {
		struct source_rig small = {.kind = RIG_KIND, .source = RIG_SOURCE};
		struct source_batch out;
		struct err e;

		arena_init(&small.arena, limit);
		if (rig_take(&small, body, 4096, &out, &e) < 0)
			assert_int_equal(e.code, ERR_LIMIT);
		else
			assert_int_equal(out.n, 1);
		arena_release(&small.arena);
	}
}

/* ---- what Datadog's own variables make of a template ---- */

static void rendered(void **state)
{
	static const struct {
		const char *name;
		enum event_status status;
	} files[] = {{"triggered.json", EVENT_FIRING}, {"renotify.json", EVENT_FIRING},
		{"recovered.json", EVENT_RESOLVED}, {"form-encoded.txt", EVENT_FIRING}};
	struct str first = STR_NONE;

	(void)state;
	for (size_t i = 0; i < 4 && access(SHARED_DIR "/payloads/datadog", R_OK) == 0; i++) {
		rig.headers = strstr(files[i].name, "form") ? form : NULL;
		struct event *ev = one(rig_file(
			&rig, arena_printf(&rig.arena, SHARED_DIR "/payloads/datadog/rendered-%s",
				      files[i].name)
				      .p)
					       .p);
		assert_int_equal(ev->status, files[i].status);
		assert_int_equal(ev->severity, SEVERITY_ERROR);
		assert_str(event_label(ev, STR("host")), "web-1");
		if (i == 0)
			first = ev->fingerprint;
		assert_true(str_eq(first, ev->fingerprint));
	}
}

/* The template that is shipped, with nothing filled in, says nothing. */
static void shipped_template(void **state)
{
	struct event *ev = one(rig_file(&rig, CONTRIB_DIR "/datadog/webhook.json").p);

	(void)state;
	assert_str(ev->type, "datadog");
	assert_int_equal(ev->labels_n, 0);
	assert_int_equal(ev->annotations_n, 0);
	assert_int_equal(ev->links_n, 0);
	assert_int_equal(ev->delivery.n, 0);
	assert_true(ev->time_ns == 0);
}

TESTS_MAIN(TEST(golden_files), TEST(transitions), TEST(without_transition), TEST(severities),
	TEST(identity), TEST(deliveries), TEST(absent), TEST(alert_names), TEST(tags), TEST(times),
	TEST(forms), TEST(wrong_types), TEST(limits), TEST(a_full_arena), TEST(rendered),
	TEST(shipped_template))
