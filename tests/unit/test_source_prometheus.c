/* The Prometheus source: golden files, what fires until when, item by item; and live messages where
 * they are at hand. */
#include "unit.h"
#include <unistd.h>
#include "source/kinds.h"

#define NOW INT64_C(1795375526000)	/* 2026-11-22T19:25:26Z */
#define RIG_KIND "prometheus"
#define RIG_NOW_MS NOW
#include "source_rig.h"

#define NS_MS INT64_C(1000000)

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 4);
}

static struct event one(const char *members)
{
	struct source_batch out = rig_taken(
		&rig, arena_printf(&rig.arena, "[{\"labels\":{\"a\":\"b\"},%s}]", members));

	assert_int_equal(out.n, 1);
	assert_int_equal(out.refused.code, ERR_NONE);
	return out.events[0];
}

static void fires_until_its_end(void **state)
{
	(void)state;
	struct event ev = one(
		"\"startsAt\":\"2026-11-22T19:25:00Z\",\"endsAt\":\"2026-11-22T19:25:26.001Z\"");
	assert_int_equal(ev.status, EVENT_FIRING);
	assert_true(ev.expires_ns == (NOW + 1) * NS_MS && ev.ends_ns == 0);
	assert_true(ev.time_ns == ev.starts_ns && ev.starts_ns == (NOW - 26000) * NS_MS);
	ev = one("\"startsAt\":\"2026-11-22T19:25:00Z\",\"endsAt\":\"2026-11-22T19:25:26Z\"");
	assert_int_equal(ev.status, EVENT_RESOLVED);
	assert_true(ev.expires_ns == 0 && ev.ends_ns == NOW * NS_MS && ev.time_ns == ev.ends_ns);
	/* Without an end: for a while from now. */
	ev = one("\"startsAt\":\"2026-11-22T19:25:00Z\"");
	assert_int_equal(ev.status, EVENT_FIRING);
	assert_true(ev.expires_ns == (NOW + PROMETHEUS_RESOLVE_MS) * NS_MS);
	assert_true(PROMETHEUS_RESOLVE_MS == 5 * 60 * 1000);
	/* Without a beginning. */
	ev = one("\"endsAt\":\"2026-11-22T19:25:20Z\"");
	assert_int_equal(ev.status, EVENT_RESOLVED);
	assert_true(ev.starts_ns == ev.ends_ns);
	/* Nobody knows what time it is: nothing is past. */
	rig.now_ms = 0;
	ev = one("\"endsAt\":\"2026-11-22T19:25:20Z\"");
	assert_int_equal(ev.status, EVENT_FIRING);
	assert_true(ev.expires_ns == (NOW - 6000) * NS_MS);
	assert_true(one("\"startsAt\":null").expires_ns == 0);
}

/* An empty label is none, so it does not change which alert it is. */
static void identity(void **state)
{
	(void)state;
	struct source_batch out =
		rig_taken(&rig, STR("[{\"labels\":{\"b\":\"2\",\"a\":\"1\",\"c\":\"\"}},"
				    "{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"annotations\":{"
				    "\"summary\":\"s\"}}, {\"labels\":{\"a\":\"1\"}}]"));
	assert_int_equal(out.n, 3);
	assert_int_equal(out.events[0].fingerprint.n, 16);
	assert_true(str_eq(out.events[0].fingerprint, out.events[1].fingerprint));
	assert_false(str_eq(out.events[0].fingerprint, out.events[2].fingerprint));
}

static void bad_item(const char *item, const char *want)
{
	struct str body = arena_printf(&rig.arena,
		"[{\"labels\":{\"a\":\"1\"}}, %s, {\"labels\":{\"a\":\"2\"}}, 7]", item);
	struct source_batch out = rig_taken(&rig, body);

	assert_int_equal(out.n, 2);
	assert_str(out.events[0].labels[0].value, "1");
	assert_str(out.events[1].labels[0].value, "2");
	assert_has(str_of(out.refused.text), want);
	assert_true(out.refused.offset > 0 && out.refused.offset < body.n);
}

static void the_good_are_taken(void **state)
{
	(void)state;
	bad_item("[]", "alerts[1]: want an object, got an array");
	bad_item("{}", "alerts[1].labels: want at least one label");
	bad_item("{\"labels\":{\"a\":\"\"}}", "alerts[1].labels: want at least one label");
	bad_item("{\"labels\":{\"a\":1}}", "alerts[1].labels.a: want a string");
	bad_item("{\"labels\":[]}", "alerts[1].labels: want an object of strings");
	bad_item("{\"labels\":{\"a\":\"1\"},\"annotations\":{\"x\":true}}",
		"alerts[1].annotations.x: want a string");
	bad_item("{\"labels\":{\"a\":\"1\"},\"startsAt\":5}", "alerts[1].startsAt: want a string");
	bad_item("{\"labels\":{\"a\":\"1\"},\"endsAt\":\"soon\"}",
		"alerts[1].endsAt: 'soon' is no time");
	bad_item("{\"labels\":{\"a\":\"1\"},\"generatorURL\":{}}",
		"alerts[1].generatorURL: want a string");
	bad_item("{\"labels\":{\"a\":\"1\"},\"startsAt\":\"2026-11-22T19:25:00Z\",\"endsAt\":"
		 "\"2026-11-22T19:24:00Z\"}",
		"alerts[1].endsAt: it is before startsAt");
}

static void no_array(void **state)
{
	(void)state;
	rig_refused(&rig, STR("{\"alerts\":[]}"), ERR_INPUT,
		"body: want an array of alerts, got an object");
	rig_refused(&rig, STR("null"), ERR_INPUT, "body: want an array");
	rig_refused(&rig, STR("[{]"), ERR_INPUT, "");
	assert_int_equal(rig_taken(&rig, STR("[]")).n, 0);
}

static void a_full_arena(void **state)
{
	struct source_batch out;
	struct arena whole = rig.arena;
	unsigned refused = 0, taken = 0;
	struct buf body;
	struct err e;

	(void)state;
	buf_init(&body, BUF_NO_LIMIT);
	for (unsigned i = 0; i < 300; i++)
		buf_printf(&body, "%s{\"labels\":{\"a\":\"%u\"},\"generatorURL\":\"u\"}",
			i ? "," : "[", i);
	buf_putc(&body, ']');
	for (size_t limit = 16384; taken == 0; limit += 16384) {
		arena_init(&rig.arena, limit);
		if (rig_take(&rig, buf_as_str(&body), 4096, &out, &e) == 0) {
			assert_int_equal(out.n, 300);
			assert_int_equal(out.refused.code, ERR_NONE);
			taken++;
		} else {
			assert_int_equal(e.code, ERR_LIMIT);
			refused++;
		}
		arena_release(&rig.arena);
	}
	rig.arena = whole;
	buf_release(&body);
	assert_true(refused > 0);
}

/* ---- live messages, where they lie beside the project ---- */

static void live_messages(void **state)
{
	static const struct {
		const char *name;
		enum event_status status;
	} files[] = {{"live-2.42-firing.json", EVENT_FIRING},
		{"live-2.42-firing-resend.json", EVENT_FIRING},
		{"live-2.42-resolved.json", EVENT_RESOLVED}};
	struct str fingerprint = STR_NONE;

	(void)state;
	if (access(SHARED_DIR "/payloads/prometheus-v2", R_OK) != 0)
		return; /* the golden files are the same */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str path = arena_printf(
			&rig.arena, SHARED_DIR "/payloads/prometheus-v2/%s", files[i].name);
		struct source_batch out = rig_taken(&rig, rig_file(&rig, path.p));

		assert_int_equal(out.n, 1);
		assert_int_equal(out.events[0].status, files[i].status);
		assert_int_equal(out.events[0].severity, SEVERITY_CRITICAL);
		assert_true(i == 0 || str_eq(fingerprint, out.events[0].fingerprint));
		fingerprint = out.events[0].fingerprint;
	}
}

TESTS_MAIN(TEST(golden_files), TEST(fires_until_its_end), TEST(identity), TEST(the_good_are_taken),
	TEST(no_array), TEST(a_full_arena), TEST(live_messages))
