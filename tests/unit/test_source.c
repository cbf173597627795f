/* The Alertmanager source: golden files, the type of each field, the limits, and odd bytes. */
#include "unit.h"
#include "base/utf8.h"
#include "source/fields.h"
#define RIG_KIND "alertmanager"
#define RIG_SOURCE "am"
#include "source_rig.h"

/* ---- golden files ---- */

static void compare(struct source_rig *r, const char *name, size_t piece)
{
	struct source_batch out = rig_taken_golden(r, name, rig_golden(r, name, ".json"), piece);
	struct buf b;
	struct json_w w;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_ki64(&w, "truncated", out.truncated);
	json_w_kstr(&w, "group", out.group);
	json_w_end(&w, '}');
	buf_putc(&b, '\n');
	for (size_t i = 0; i < out.n; i++)
		rig_put_event(&b, &out.events[i]);
	rig_is_golden(r, name, &b);
}

static void golden_files(void **state)
{
	(void)state;
	assert_true(rig_each_golden(&rig, ".json", compare) >= 12);
}

static struct str group_of(struct str key)
{
	struct str body = arena_printf(&rig.arena,
		"{\"groupKey\":\"%.*s\",\"alerts\":[{\"status\":\"firing\"}]}", STR_ARG(key));

	return rig_taken(&rig, body).events[0].group;
}

static void long_group_keys_are_cut_and_stay_apart(void **state)
{
	struct str key = arena_printf(&rig.arena, "%*s", SOURCE_GROUP_LIMIT, "é"), longer, other;

	(void)state;
	assert_int_equal(key.n, SOURCE_GROUP_LIMIT);
	assert_true(str_eq(group_of(key), key));
	longer = group_of(arena_printf(&rig.arena, "%.*sa", STR_ARG(key)));
	other = group_of(arena_printf(&rig.arena, "%.*sb", STR_ARG(key)));
	assert_int_equal(longer.n, SOURCE_GROUP_LIMIT);
	assert_true(str_eq(longer, group_of(arena_printf(&rig.arena, "%.*sa", STR_ARG(key)))));
	assert_false(str_eq(longer, other));
	assert_memory_equal(longer.p, key.p, 3000);
	assert_int_equal(utf8_valid(longer), longer.n);
}

/* What Alertmanager sent as fingerprint is what we would have computed. */
static void computes_what_alertmanager_computes(void **state)
{
	static const char *const names[] = {
		"v0.25-AuthBearer-firing", "v0.25-Everything-firing", "v0.25-InstanceDown-mixed"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct source_batch out = rig_taken(&rig, rig_golden(&rig, names[i], ".json"));
		for (size_t k = 0; k < out.n; k++) {
			struct event *ev = &out.events[k];
			struct str own = event_fingerprint(&rig.arena, ev->labels, ev->labels_n);
			assert_true(str_eq(own, ev->fingerprint));
		}
	}
}

/* ---- types ---- */

#define ALERT(members) "{\"alerts\":[{" members "}]}"
#define FIRING "\"status\":\"firing\",\"startsAt\":\"2026-01-01T00:00:00Z\""

static void wrong_types(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{"[]", "body: want an object with 'alerts', got an array"},
		{"3", "body: want an object"},
		{"{}", "alerts: missing, want an array"},
		{"{\"alerts\":null}", "alerts: want an array, got null"},
		{"{\"alerts\":{}}", "alerts: want an array, got an object"},
		{"{\"alerts\":[],\"truncatedAlerts\":\"1\"}",
			"truncatedAlerts: want a number, got a string"},
		{"{\"alerts\":[],\"truncatedAlerts\":-1}",
			"truncatedAlerts: want a whole number from 0, got -1"},
		{"{\"alerts\":[],\"truncatedAlerts\":1e999}",
			"truncatedAlerts: want a whole number from 0, got 1e999"},
		{"{\"alerts\":[],\"truncatedAlerts\":99999999999999999999}",
			"truncatedAlerts: want a whole number"},
		{"{\"alerts\":[],\"version\":4}", "version: want a string, got a number"},
		{"{\"alerts\":[],\"status\":[]}", "status: want a string, got an array"},
		{"{\"alerts\":[],\"receiver\":{}}", "receiver: want a string, got an object"},
		{"{\"alerts\":[],\"externalURL\":1}", "externalURL: want a string"},
		{"{\"alerts\":[],\"groupKey\":true}", "groupKey: want a string, got a boolean"},
		{"{\"alerts\":[],\"groupLabels\":[]}",
			"groupLabels: want an object of strings, got an array"},
		{"{\"alerts\":[],\"commonLabels\":{\"a\":1}}",
			"commonLabels.a: want a string, got a number"},
		{"{\"alerts\":[],\"commonAnnotations\":\"x\"}",
			"commonAnnotations: want an object of strings"},
		{"{\"alerts\":[null]}", "alerts[0]: want an object, got null"},
		{"{\"alerts\":[{" FIRING "},3]}", "alerts[1]: want an object, got a number"},
		{ALERT("\"labels\":{}"), "alerts[0].status: missing, want 'firing' or 'resolved'"},
		{ALERT("\"status\":null"), "alerts[0].status: missing"},
		{ALERT("\"status\":\"suppressed\""),
			"alerts[0].status: want 'firing' or 'resolved', got 'suppressed'"},
		{ALERT("\"status\":1"), "alerts[0].status: want a string, got a number"},
		{ALERT("\"status\":\"firing\",\"startsAt\":\"yesterday\""),
			"alerts[0].startsAt: 'yesterday' is no time"},
		{ALERT("\"status\":\"firing\",\"startsAt\":1763839172"),
			"alerts[0].startsAt: want a string, got a number"},
		{ALERT(FIRING ",\"endsAt\":\"9999-99-99T00:00:00Z\""),
			"alerts[0].endsAt: '9999-99-99T00:00:00Z' is no time"},
		{ALERT(FIRING ",\"labels\":[]"),
			"alerts[0].labels: want an object of strings, got an array"},
		{ALERT(FIRING ",\"labels\":{\"x\":5}"),
			"alerts[0].labels.x: want a string, got a number"},
		{ALERT(FIRING ",\"labels\":{\"x\":null}"),
			"alerts[0].labels.x: want a string, got null"},
		{ALERT(FIRING ",\"annotations\":{\"x\":{}}"),
			"alerts[0].annotations.x: want a string, got an object"},
		{ALERT(FIRING ",\"generatorURL\":1"), "alerts[0].generatorURL: want a string"},
		{ALERT(FIRING ",\"fingerprint\":1"), "alerts[0].fingerprint: want a string"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		rig_refused(&rig, str_of(cases[i].body), ERR_INPUT, cases[i].want);
}

static void says_the_byte(void **state)
{
	static const char body[] = "{\"alerts\":[{" FIRING ",\"labels\":{\"x\":5}}]}";
	struct source_batch out;
	struct err e;

	(void)state;
	assert_int_equal(rig_take(&rig, str_of(body), 7, &out, &e), -1);
	assert_int_equal(e.offset, strstr(body, "5}") - body + 1);
}

static void odd_bytes(void **state)
{
	(void)state;
	rig_refused(&rig, STR(""), ERR_INPUT, "empty");
	rig_refused(&rig, STR("{\"alerts\":["), ERR_INPUT, "incomplete");
	rig_refused(&rig, STR("{\"alerts\":[]} x"), ERR_INPUT, "trailing garbage");
	rig_refused(&rig, STR("{\"alerts\":[],\"x\":\"\xff\"}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{\"alerts\":[],\"x\":\"\xc0\x80\"}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{\"alerts\":[],\"x\":\"a\0b\"}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{\"alerts\":[],\"x\":\"\n\"}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{\"alerts\":[]\0}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{alerts:[]}"), ERR_INPUT, "");
	rig_refused(&rig, STR("{\"alerts\":[],\"x\":0x10}"), ERR_INPUT, "");
}

static void names_twice(void **state)
{
	struct source_batch out =
		rig_taken(&rig, STR("{\"alerts\":[{\"status\":\"odd\"}],\"alerts\":[{" FIRING
				    ",\"status\":\"resolved\",\"labels\":{\"a\":\"1\"},\"labels\":{"
				    "\"b\":\"2\",\"b\":\"\"}}]}"));

	(void)state;
	assert_int_equal(out.n, 1);
	assert_int_equal(out.events[0].status, EVENT_RESOLVED);
	assert_int_equal(out.events[0].labels_n, 0);
}

/* ---- limits ---- */

static struct str nested(unsigned depth)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"alerts\":[],\"x\":");
	for (unsigned i = 0; i < depth; i++)
		buf_putc(&b, '[');
	for (unsigned i = 0; i < depth; i++)
		buf_putc(&b, ']');
	buf_putc(&b, '}');
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void deep_nesting(void **state)
{
	(void)state;
	rig_taken(&rig, nested(SOURCE_DEPTH_LIMIT - 1));
	rig_refused(&rig, nested(SOURCE_DEPTH_LIMIT), ERR_LIMIT, "nested too deep");
	rig_refused(&rig, nested(100000), ERR_LIMIT, "nested too deep");
}

/* An alert with one label of so many bytes, or so many labels. */
static struct str with_labels(size_t labels, size_t name, size_t value)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"alerts\":[{" FIRING ",\"labels\":{");
	for (size_t i = 0; i < labels; i++) {
		buf_printf(&b, "%s\"l%06zu", i ? "," : "", i);
		for (size_t k = 7; k < name; k++)
			buf_putc(&b, 'n');
		buf_puts(&b, "\":\"");
		for (size_t k = 0; k < value; k++)
			buf_putc(&b, 'v');
		buf_putc(&b, '"');
	}
	buf_puts(&b, "}}]}");
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void large_labels(void **state)
{
	struct source_batch out = rig_taken(&rig, with_labels(1, 7, 100 * 1024));

	(void)state;
	assert_int_equal(out.events[0].labels[0].value.n, 100 * 1024);
	out = rig_taken(&rig, with_labels(1, SOURCE_NAME_LIMIT, SOURCE_VALUE_LIMIT));
	assert_int_equal(out.events[0].labels[0].name.n, SOURCE_NAME_LIMIT);
	rig_refused(&rig, with_labels(1, SOURCE_NAME_LIMIT + 1, 1), ERR_LIMIT,
		"alerts[0].labels: a name of 1025");
	rig_refused(&rig, with_labels(1, 7, SOURCE_VALUE_LIMIT + 1), ERR_LIMIT,
		"at most 1024 and 1048576");
	out = rig_taken(&rig, with_labels(SOURCE_LABELS_LIMIT, 7, 1));
	assert_int_equal(out.events[0].labels_n, SOURCE_LABELS_LIMIT);
	rig_refused(&rig, with_labels(SOURCE_LABELS_LIMIT + 1, 7, 1), ERR_LIMIT,
		"alerts[0].labels: 257 members, at most 256");
}

static void a_full_arena(void **state)
{
	struct arena small;
	struct str body = with_labels(SOURCE_LABELS_LIMIT, 100, 100);
	struct source_batch out;
	struct err e;

	(void)state;
	for (size_t limit = 12 << 10; limit < 120 << 10; limit += 64) {
		arena_init(&small, limit);
		struct source_parse *p = source_begin(&small, source_kind_find(STR("alertmanager")),
		&(struct source_request){.source = STR("am")});
		if (p) {
			source_feed(p, body.p, body.n, &e);
			if (source_finish(p, &out, &e) < 0)
				assert_int_equal(e.code, ERR_LIMIT);
			else
				assert_int_equal(out.n, 1);
		}
		arena_release(&small);
	}
}

static void many_alerts(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"alerts\":[");
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&b, "%s{" FIRING ",\"labels\":{\"alertname\":\"A\",\"i\":\"%u\"}}",
			i ? "," : "", i);
	buf_puts(&b, "]}");
	struct source_batch out = rig_taken(&rig, buf_as_str(&b));
	assert_int_equal(out.n, 20000);
	assert_str(event_label(&out.events[19999], STR("i")), "19999");
	assert_str(out.events[19999].summary, "A");
	buf_release(&b);
}

static void cuts_summaries(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"alerts\":[{" FIRING ",\"annotations\":{\"summary\":\"x");
	for (unsigned i = 0; i < SOURCE_SUMMARY_LIMIT; i++)
		buf_puts(&b, "\xc3\xa9");
	buf_puts(&b, "\"}}]}");
	struct source_batch out = rig_taken(&rig, buf_as_str(&b));
	assert_int_equal(out.events[0].summary.n, SOURCE_SUMMARY_LIMIT - 1);
	assert_int_equal(out.events[0].annotations[0].value.n, 1 + 2 * SOURCE_SUMMARY_LIMIT);
	buf_release(&b);
	assert_str(fields_cut(STR("abc"), 3), "abc");
	assert_str(fields_cut(STR("abcd"), 3), "abc");
	assert_str(fields_cut(STR("ab\xe2\x82\xac"), 4), "ab");
	assert_str(fields_cut(STR("ab\xe2\x82\xac"), 5), "ab\xe2\x82\xac");
}

/* ---- the table, and giving up ---- */

static void kinds(void **state)
{
	(void)state;
	assert_non_null(source_kind_find(STR("alertmanager")));
	assert_null(source_kind_find(STR("alertmanage")));
	assert_null(source_kind_find(STR("")));
	for (const struct source_kind *k = source_kinds; k->name; k++) {
		assert_non_null(k->read);
		assert_true(strlen(k->sentence) > 10);
	}
}

static void gives_up(void **state)
{
	struct source_parse *p = source_begin(&rig.arena, source_kind_find(STR("alertmanager")),
		&(struct source_request){.source = STR("am")});
	struct err e;
	struct source_batch out;

	(void)state;
	assert_int_equal(source_feed(p, "{\"alerts\":[{", 12, &e), 0);
	source_abort(p);
	/* The first error is the one that counts, however much follows. */
	p = source_begin(&rig.arena, source_kind_find(STR("alertmanager")),
		&(struct source_request){.source = STR("am")});
	assert_int_equal(source_feed(p, "nonsense", 8, &e), -1);
	struct str first = arena_strdup(&rig.arena, str_of(e.text));
	assert_int_equal(source_feed(p, "{}", 2, &e), -1);
	assert_int_equal(source_finish(p, &out, &e), -1);
	assert_str(first, e.text);
}

TESTS_MAIN(TEST(golden_files), TEST(computes_what_alertmanager_computes),
	TEST(long_group_keys_are_cut_and_stay_apart), TEST(wrong_types), TEST(says_the_byte),
	TEST(odd_bytes), TEST(names_twice), TEST(deep_nesting), TEST(large_labels),
	TEST(a_full_arena), TEST(many_alerts), TEST(cuts_summaries), TEST(kinds), TEST(gives_up))
