/* What decoders of lines share: times, levels, Content-Types, and the header that is split off a
 * plain line. */
#include "unit.h"
#include "line_rig.h"
#include "line/maker.h"
#include "line/syslog.h"
#include "line/time.h"

static void time_is(const char *text, const char *want)
{
	char got[CLOCK_RFC3339_MAX] = "none";
	int64_t ns;

	if (line_time(str_of(text), &ns))
		clock_format_ns(ns, got);
	if (strcmp(got, want) != 0)
		fail_msg("%s: got %s, not %s", text, got, want);
}

static void times(void **state)
{
	(void)state;
	time_is("1795375000", "2026-11-22T19:16:40.000Z");
	time_is("1795375000.123456", "2026-11-22T19:16:40.123456Z");
	time_is("1795375000.1234567891", "2026-11-22T19:16:40.123456789Z");
	time_is("1795375000123", "2026-11-22T19:16:40.123Z");
	time_is("1795375000123.5", "2026-11-22T19:16:40.123500Z");
	time_is("1795375000123456", "2026-11-22T19:16:40.123456Z");
	time_is("1795375000123456789", "2026-11-22T19:16:40.123456789Z");
	time_is("2026-11-22T19:16:40Z", "2026-11-22T19:16:40.000Z");
	time_is("2026-11-22T20:16:40.5+01:00", "2026-11-22T19:16:40.500Z");
	time_is("2026-11-22 19:16:40", "2026-11-22T19:16:40.000Z");
	time_is("2026-11-22 19:16:40,250", "2026-11-22T19:16:40.250Z");
	time_is("2026-11-22 14:16:40-05:00", "2026-11-22T19:16:40.000Z");
	static const char *const none[] = {"", "7", "99999999", "12345678901234567890",
		"1795375000.", "1795375000.x", "1795375000x", "now", "2026-11-22",
		"2026-13-22T19:16:40Z", "0001-01-01T00:00:00Z", "9999999999999999999"};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		time_is(none[i], "none");
}

static void bsd_is(const char *text, int64_t now, size_t want_n, const char *want)
{
	char got[CLOCK_RFC3339_MAX] = "none";
	int64_t ns;
	size_t n = line_time_bsd(str_of(text), now, &ns);

	if (ns)
		clock_format_ns(ns, got);
	if (n != want_n || strcmp(got, want) != 0)
		fail_msg("%s: got %zu %s, not %zu %s", text, n, got, want_n, want);
}

static void times_without_a_year(void **state)
{
	const int64_t new_year = INT64_C(1798761600) * 1000000000; /* 2027-01-01T00:00:00Z */

	(void)state;
	bsd_is("Nov 22 19:00:00 h", RIG_NOW_NS, 15, "2026-11-22T19:00:00.000Z");
	bsd_is("Nov  2 19:00:00.25 h", RIG_NOW_NS, 18, "2026-11-02T19:00:00.250Z");
	bsd_is("Nov 23 19:59:59", RIG_NOW_NS, 15, "2026-11-23T19:59:59.000Z");
	bsd_is("Dec 10 06:55:46", RIG_NOW_NS, 15, "2025-12-10T06:55:46.000Z");
	bsd_is("Dec 31 23:59:59", new_year, 15, "2026-12-31T23:59:59.000Z");
	bsd_is("Jan  1 00:00:01", new_year - 1, 15, "2027-01-01T00:00:01.000Z");
	bsd_is("Feb 29 10:00:00", RIG_NOW_NS, 15, "2024-02-29T10:00:00.000Z");
	bsd_is("Oct 11 2019 22:14:15", RIG_NOW_NS, 20, "2019-10-11T22:14:15.000Z");
	bsd_is("Oct 11 22:14:15 2019 h", RIG_NOW_NS, 20, "2019-10-11T22:14:15.000Z");
	bsd_is("Oct 11 22:14:15", 0, 15, "none");
	bsd_is("Oct 11 22:14", RIG_NOW_NS, 0, "none");
	bsd_is("Oct 32 22:14:15", RIG_NOW_NS, 0, "none");
	bsd_is("Feb 30 22:14:15", 0, 0, "none");
	bsd_is("October 11 22:14:15", RIG_NOW_NS, 0, "none");
	bsd_is("", RIG_NOW_NS, 0, "none");
}

static void levels(void **state)
{
	static const char *const words[][2] = {{"0", "critical"}, {"2", "critical"}, {"3", "error"},
		{"4", "warning"}, {"5", "info"}, {"6", "info"}, {"7", "debug"}, {"10", "debug"},
		{"20", "debug"}, {"30", "info"}, {"40", "warning"}, {"50", "error"},
		{"60", "critical"}, {"ERR", "error"}, {"Warn", "warning"}, {"emerg", "critical"},
		{"notice", "info"}, {"TRACE", "debug"}, {"debug", "debug"}};
	static const char *const none[] = {"", "8", "100", "loud", "-1"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_str(line_level(str_of(words[i][0])), words[i][1]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(line_level(str_of(none[i])).n, 0);
	assert_int_equal(line_level_of_syslog(8).n, 0);
}

/* A word that stands for no level stays, and its own name, too. */
static void level_labels(void **state)
{
	struct line_rig rig;

	(void)state;
	rig_begin(&rig);
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"msg\":\"m\",\"level\":\"audit\"}")),
		"{\"level\":\"audit\"}");
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"msg\":\"m\",\"severity\":\"loud\"}")),
		"{\"severity\":\"loud\",\"level\":\"loud\"}");
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"msg\":\"m\",\"level\":\"error\"}")),
		"{\"level\":\"error\"}");
	assert_has(rig_taken(&rig, &line_kind_json, STR("{\"msg\":\"m\",\"level\":\"ERROR\"}")),
		"{\"level_word\":\"ERROR\",\"level\":\"error\"}");
	rig_end(&rig);
}

static void kind_is(const char *type, const struct line_kind *want)
{
	struct err e = {0};
	const struct line_kind *got = line_kind_of(str_of(type), &e);

	if (got != want)
		fail_msg("%s: got %s: %s", type, got ? got->name : "none", e.text);
	assert_true(want || (e.code == ERR_INPUT && e.text[0]));
}

static void content_types(void **state)
{
	struct err e;

	(void)state;
	kind_is("", &line_kind_any);
	kind_is("application/x-www-form-urlencoded", &line_kind_any);
	kind_is("text/plain; charset=utf-8", &line_kind_text);
	kind_is("Application/JSON;charset=utf-8", &line_kind_json);
	kind_is("application/x-ndjson", &line_kind_json);
	kind_is("application/vnd.kafka.v1+json", &line_kind_json);
	kind_is("application/vnd.fdo.journal", &line_kind_journal);
	kind_is("application/logplex-1", &line_kind_syslog);
	kind_is("application/msgpack", &line_kind_msgpack);
	kind_is("application/x-protobuf", NULL);
	kind_is("image/png", NULL);
	line_kind_of(STR("application/x-protobuf"), &e);
	assert_has(str_of(e.text), "send it to /loki/api/v1/push");
	line_kind_of(STR("image/png"), &e);
	assert_has(str_of(e.text), "'image/png' is not taken here; send text/plain");
}

/* ---- what is split off ---- */

static struct line_rig split_rig;

static struct str split(
	const char *message, const struct line_label *labels, size_t n, int64_t time_ns)
{
	struct line raw = {.message = str_of(message),
			    .labels = labels,
			    .labels_n = n,
			    .time_ns = time_ns,
			    .raw = true},
		    out;
	struct arena a;
	struct err e;

	arena_init(&a, (size_t)1 << 20);
	buf_clear(&split_rig.out);
	assert_true(line_split(&a, &raw, RIG_NOW_NS, &out));
	assert_int_equal(rig_line(&split_rig, &out, &e), 0);
	arena_release(&a);
	return buf_as_str(&split_rig.out);
}

static void splitting(void **state)
{
	static const struct line_label known[] = {
		{{"host", 4}, {"relay", 5}}, {{"x", 1}, {"y", 1}}};

	(void)state;
	rig_begin(&split_rig);
	assert_str(split("Nov 22 06:55:46 LabSZ sshd[24200]: Failed password", NULL, 0, 0),
		"{\"message\":\"Failed "
		"password\",\"time\":\"2026-11-22T06:55:46.000Z\",\"offset\":0,"
		"\"labels\":{\"host\":\"LabSZ\",\"program\":\"sshd\",\"pid\":\"24200\"}}\n");
	assert_str(split("Nov 22 06:55:46 LabSZ sshd[24200]: Failed password", known, 2,
			   INT64_C(1795375000000000000)),
		"{\"message\":\"Failed "
		"password\",\"time\":\"2026-11-22T19:16:40.000Z\",\"offset\":0,"
		"\"labels\":{\"host\":\"relay\",\"x\":\"y\",\"program\":\"sshd\",\"pid\":\"24200\"}"
		"}\n");
	assert_str(split("<11>1 2026-11-22T10:00:00Z db-1 pg 42 - [a@1 k=\"v\"] FATAL", NULL, 0, 0),
		"{\"message\":\"FATAL\",\"time\":\"2026-11-22T10:00:00.000Z\",\"offset\":0,"
		"\"labels\":{\"facility\":\"user\","
		"\"level\":\"error\",\"host\":\"db-1\",\"program\":\"pg\",\"pid\":\"42\",\"a_1_k\":"
		"\"v\"}}\n");
	static const char *const plain[] = {"no header", "", "2026-11-22T10:00:00Z ERROR db: x",
		"Nov 22 06:55:46 only: a tag",
		"2026/11/22 10:00:00 [error] 7#7: *1 connect() failed",
		"Nov 22 06:55:46 host no tag"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		struct str out = split(plain[i], NULL, 0, 0);

		assert_has(out, "\"labels\":{}");
		assert_has(out, plain[i]);
	}
	rig_end(&split_rig);
}

TESTS_MAIN(cmocka_unit_test(times), cmocka_unit_test(times_without_a_year),
	cmocka_unit_test(levels), cmocka_unit_test(level_labels), cmocka_unit_test(content_types),
	cmocka_unit_test(splitting))
