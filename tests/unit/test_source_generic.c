/* The kind generic: golden files (a configuration, a body, its events), what is refused and where,
 * and the texts of a map. */
#include "unit.h"
#include "conf/conf.h"
#include "flow/sources.h"
#include "source/map.h"
#define RIG_KIND "generic"
#include "source_rig.h"

struct bound {
	struct arena a;
	struct diags d;
	struct conf *conf;
	struct sources *sources;
};

static struct bound bind(const char *text)
{
	struct bound b = {0};

	arena_init(&b.a, 64 << 20);
	diags_init(&b.d);
	b.conf = conf_parse(str_of(text), "f.yml", "/etc/x", &b.d);
	if (b.conf) {
		b.conf->path = STR("f.yml");
		b.sources = sources_new(b.conf, NULL, &b.d);
	}
	return b;
}

static void release(struct bound *b)
{
	sources_unref(b->sources);
	conf_free(b->conf);
	diags_release(&b->d);
	arena_release(&b->a);
}

static const struct kv form[] = {
	{STR("content-type"), STR("application/x-www-form-urlencoded; charset=utf-8")},
	{STR(""), STR("")}};

/* What the first source of the configuration makes of a body, in pieces. */
static int take(
	struct bound *b, struct str body, size_t piece, struct source_batch *out, struct err *e)
{
	const struct bound_source *s = sources_find(b->sources, b->conf->sources[0].name);

	return rig_feed(sources_begin(s, &b->a, rig_request(&rig)), body, piece, out, e);
}

/* ---- golden files ---- */

static void compare(const char *name, const char *extension, size_t piece)
{
	struct bound b = bind(rig_golden(&rig, name, ".yml").p);
	struct source_batch out;
	struct err e;
	struct buf got;

	assert_findings(&b.d, "");
	if (take(&b, rig_golden(&rig, name, extension), piece, &out, &e) != 0)
		fail_msg("%s: %s", name, e.text);
	buf_init(&got, BUF_NO_LIMIT);
	for (size_t i = 0; i < out.n; i++)
		rig_put_event(&got, &out.events[i]);
	rig_is_golden(&rig, name, &got);
	release(&b);
}

static void compare_json(struct source_rig *r, const char *name, size_t piece)
{
	r->headers = NULL;
	compare(name, ".json", piece);
}

static void compare_form(struct source_rig *r, const char *name, size_t piece)
{
	r->headers = form;
	compare(name, ".form", piece);
}

static void golden_files(void **state)
{
	(void)state;
	assert_true(rig_each_golden(&rig, ".json", compare_json) >= 7);
	assert_true(rig_each_golden(&rig, ".form", compare_form) >= 1);
}

/* curl -d says that JSON is a form. */
static void json_that_calls_itself_a_form(void **state)
{
	(void)state;
	rig.headers = form;
	compare("zabbix", ".json", 1 << 20);
	compare("array", ".json", 7);
}

/* The examples are as short as they are said to be. */
static void two_tools_in_under_15_lines(void **state)
{
	static const char *const names[] = {"zabbix", "sentry"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct str yaml = rig_golden(&rig, names[i], ".yml");
		size_t lines = 0;
		for (size_t k = 0; k < yaml.n; k++)
			lines += yaml.p[k] == '\n';
		assert_in_range(lines, 5, 14);
	}
}

/* ---- identity ---- */

#define MAP(more) "sources: {g: {kind: generic, map: {" more "}}}\n"

static struct str fingerprint(const char *yaml, const char *body)
{
	static char kept[64];
	struct bound b = bind(yaml);
	struct source_batch out;
	struct err e = {0};

	assert_findings(&b.d, "");
	if (take(&b, str_of(body), 4096, &out, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(out.n, 1);
	snprintf(kept, sizeof(kept), "%.*s", STR_ARG(out.events[0].fingerprint));
	release(&b);
	return str_of(kept);
}

static void identity(void **state)
{
	static const char by_id[] = MAP("status: s, fingerprint: [id, host], labels: {sev: sev}");
	static const char by_labels[] = MAP("status: s, severity: sev, labels: {host: host}");
	char first[64];

	(void)state;
	snprintf(first, sizeof(first), "%s",
		fingerprint(by_id, "{\"s\":\"open\",\"id\":1,\"host\":\"a\",\"sev\":\"x\"}").p);
	assert_int_equal(strlen(first), 16);
	assert_str(fingerprint(by_id, "{\"s\":\"closed\",\"id\":1,\"host\":\"a\",\"sev\":\"y\"}"),
		first);
	assert_str(fingerprint(by_id, "{\"s\":\"closed\",\"id\":\"1\",\"host\":\"a\"}"), first);
	assert_string_not_equal(
		fingerprint(by_id, "{\"s\":\"open\",\"id\":1,\"host\":\"b\"}").p, first);
	assert_string_not_equal(fingerprint(by_id, "{\"s\":\"open\",\"id\":1}").p, first);
	/* Without `fingerprint`, the labels of the map, and not what was added to them. */
	snprintf(first, sizeof(first), "%s",
		fingerprint(by_labels, "{\"s\":\"open\",\"host\":\"a\",\"sev\":\"high\"}").p);
	assert_str(fingerprint(by_labels, "{\"s\":\"ok\",\"host\":\"a\",\"sev\":\"low\"}"), first);
	/* One that is a fingerprint already is taken as it is. */
	assert_str(fingerprint(MAP("status: s, fingerprint: fp"),
			   "{\"s\":\"open\",\"fp\":\"0123456789abcdef\"}"),
		"0123456789abcdef");
	/* What neither begins nor ends has none. */
	assert_str(fingerprint(by_id, "{\"s\":\"what\",\"id\":1,\"host\":\"a\"}"), "");
}

/* ---- what is refused ---- */

static void refused(const char *yaml, const char *body, const char *want)
{
	struct bound b = bind(yaml);
	struct source_batch out;
	struct err e = {0};

	assert_findings(&b.d, "");
	if (take(&b, str_of(body), 4096, &out, &e) == 0)
		fail_msg("taken: %s", body);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.text, want);
	assert_true(e.offset <= strlen(body));
	release(&b);
}

static void bad_bodies_are_refused_with_their_place(void **state)
{
	static const char each[] =
		MAP("each: l.m, status: s, fingerprint: [id], labels: {a: x.0}, starts_at: t");

	(void)state;
	refused(each, "{\"l\":{\"m\":{}}}", "l.m: want an array, as 'each' says, got an object");
	refused(each, "{\"l\":{\"m\":[{},{\"x\":[[]]}]}}",
		"l.m[1].x.0: want a string, a number or a boolean, got an array");
	refused(each, "{\"l\":{\"m\":[{\"s\":{}}]}}",
		"l.m[0].s: want a string, a number or a boolean, got an object");
	refused(each, "{\"l\":{\"m\":[{\"t\":\"noon\"}]}}",
		"l.m[0].t: want a time as in RFC 3339, or seconds since 1970, got 'noon'");
	refused(each, "{\"l\":{\"m\":[{\"s\":\"open\"}]}}",
		"l.m[0].id: missing, want a value: all that 'fingerprint' names is missing");
	refused(MAP("status: s, labels: {a: a}"), "{\"s\":\"open\"}",
		"body: missing, want a label: without 'fingerprint' they tell which alert it is");
	refused(MAP("labels: {a: root.a}"), "[{\"a\":1},{}", "the document is incomplete");
	refused(MAP("summary: a"), "{\"a\":1}x", "parse error: trailing garbage");
}

static void limits(void **state)
{
	(void)state;
	struct bound b = bind(MAP("labels: {a: a}, summary: s"));
	struct source_batch out;
	struct err e = {0};
	struct buf body;

	buf_init(&body, BUF_NO_LIMIT);
	buf_puts(&body, "{\"a\":\"");
	for (int i = 0; i <= SOURCE_VALUE_LIMIT; i++)
		buf_putc(&body, 'x');
	buf_puts(&body, "\"}");
	assert_int_equal(take(&b, buf_as_str(&body), 1 << 20, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "a: a value of 1048577 bytes, at most 1048576 are taken");
	assert_true(e.offset > 0);
	buf_clear(&body);
	buf_puts(&body, "{\"s\":\"");
	for (int i = 0; i <= SOURCE_SUMMARY_LIMIT; i++)
		buf_putc(&body, 'x');
	buf_puts(&body, "\"}");
	assert_int_equal(take(&b, buf_as_str(&body), 1 << 20, &out, &e), 0);
	assert_int_equal(out.events[0].summary.n, SOURCE_SUMMARY_LIMIT);
	release(&b);
	b = bind(MAP("labels: {a: a}"));
	rig.headers = form;
	buf_clear(&body);
	for (int i = 0; i <= SOURCE_PAIRS_LIMIT; i++)
		buf_puts(&body, "a=1&");
	assert_int_equal(take(&b, buf_as_str(&body), 1 << 20, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_release(&body);
	release(&b);
}

/* ---- times ---- */

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"1795375000", INT64_C(1795375000000000000)},
		{"1795375000.123456", INT64_C(1795375000123456000)},
		{"1795375000123", INT64_C(1795375000123000000)},
		{"1795375000123.5", INT64_C(1795375000123500000)},
		{"1795375000123456", INT64_C(1795375000123456000)},
		{"1795375000123456789", INT64_C(1795375000123456789)},
		{"\"1795375000\"", INT64_C(1795375000000000000)},
		{"\"2026-11-22T19:16:40Z\"", INT64_C(1795375000000000000)},
		{"9000000000", INT64_C(9000000000000000000)},
		{"\"\"", 0},
		{"null", 0},
		{"0", 0},
	};
	static const char *const bad[] = {
		"-1", "1e9", "\"1795375000.\"", "true", "\"99999999999999999999\"", "\"12:00\""};

	(void)state;
	struct bound b = bind(MAP("starts_at: t"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_batch out;
		struct err e = {0};
		struct str body = arena_printf(&b.a, "{\"t\":%s}", cases[i].text);
		if (take(&b, body, 4096, &out, &e) != 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		if (out.events[0].time_ns != cases[i].ns)
			fail_msg("%s: %lld", cases[i].text, (long long)out.events[0].time_ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct source_batch out;
		struct err e = {0};
		struct str body = arena_printf(&b.a, "{\"t\":%s}", bad[i]);
		if (take(&b, body, 4096, &out, &e) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_has(str_of(e.text), "time as in RFC 3339");
	}
	release(&b);
}

/* ---- words ---- */

static void words_of_status(void **state)
{
	static const char *const firing[] = {
		"firing", "ALERTING", "Problem", "alarm", "triggered", "open", "active", "down"};
	static const char *const resolved[] = {
		"resolved", "OK", "Recovered", "recovery", "closed", "inactive", "up"};

	(void)state;
	for (size_t i = 0; i < sizeof(firing) / sizeof(firing[0]); i++)
		assert_int_equal(source_status_of(str_of(firing[i])), EVENT_FIRING);
	for (size_t i = 0; i < sizeof(resolved) / sizeof(resolved[0]); i++)
		assert_int_equal(source_status_of(str_of(resolved[i])), EVENT_RESOLVED);
	assert_int_equal(source_status_of(STR("okay")), EVENT_INFO);
	assert_int_equal(source_status_of(STR("")), EVENT_INFO);
}

/* ---- the configuration ---- */

static void bad(const char *yaml, const char *findings)
{
	struct bound b = bind(yaml);

	assert_findings(&b.d, findings);
	assert_null(b.sources);
	release(&b);
}

static void bad_maps_are_found_with_their_place(void **state)
{
	(void)state;
	bad(MAP("statsu: s"),
		"f.yml:1:36: unknown key 'sources.g.map.statsu'; did you mean 'status'?\n");
	bad(MAP("status: {path: s, firng: [a]}"),
		"f.yml:1:54: unknown key 'sources.g.map.status.firng'; did you mean 'firing'?\n"
		"f.yml:1:44: 'sources.g.map.status' needs 'firing' or 'resolved', as in {path: "
		"state, firing: [alarm], resolved: [ok]}\n");
	bad(MAP("status: {firing: a}"), "f.yml:1:44: 'sources.g.map.status' needs 'path', as in "
					"{path: state, firing: [alarm], resolved: [ok]}\n");
	bad(MAP("fingerprint: []"), "f.yml:1:49: 'sources.g.map.fingerprint' has 0 entries; it "
				    "must have from 1 to 64\n");
	bad(MAP("summary: [a]"),
		"f.yml:1:45: 'sources.g.map.summary' is a list; it must be a text\n");
	bad(MAP("summary: ''"),
		"f.yml:1:45: 'sources.g.map.summary' must not be empty; leave it out\n");
	bad("sources: {g: {kind: generic, map: [a]}}\n",
		"f.yml:1:35: 'sources.g.map' is a list; it must be a map, as in {status: state, "
		"labels: {host: host.name}}\n");
	bad(MAP("labels: {a: 'disk is full', b: x..y, c: '\"x', d: ''}"),
		"f.yml:1:48: 'sources.g.map.labels.a': a path has no blanks and quotes in its "
		"names; put such a name in double quotes, "
		"as in labels.\"disk name\", and a text of your own as a whole: '\"disk is "
		"full\"'\n"
		"f.yml:1:67: 'sources.g.map.labels.b': a part of this path is empty\n"
		"f.yml:1:76: 'sources.g.map.labels.c': this double quote is never closed\n"
		"f.yml:1:85: 'sources.g.map.labels.d': a part of this path is empty\n");
	bad(MAP("summary: '{{ lables.a }}'"),
		"f.yml:1:45: 'sources.g.map.summary': unknown path 'lables', did you mean "
		"'labels'; known are labels.x annotations.x "
		"data.x event.x match.x incident.x steps.NAME.x\n");
	bad(MAP("each: '\"x\"'"),
		"f.yml:1:42: 'sources.g.map.each': want the path of a list, as in alerts\n");
	bad(MAP("status: s"), "f.yml:1:44: 'sources.g.map.status': an alert needs 'fingerprint' or "
			      "'labels', which tell that it is the same one\n");
	bad("sources: {g: {kind: alertmanager, map: {labels: {a: a}}}}\n",
		"f.yml:1:40: 'sources.g.map': only a source of kind 'generic' has a map\n");
}

static void paths(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* the parts, each in []; "root" in front */
	} cases[] = {
		{"a", "[a]"},
		{"a.0.b-c", "[a][0][b-c]"},
		{"a.\"b.c d\".e", "[a][b.c d][e]"},
		{"a.\"q\\\"\\\\\"", "[a][q\"\\]"},
		{"root.a", "root[a]"},
		{"root", "root"},
		{"root.root", "root[root]"},
		{"\"root\".a", "[root][a]"},
		{".", ""},
		{"\"a\".\"b\"", "[a][b]"},
	};
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source_value v;
		struct err e = {0};
		struct buf got;
		if (source_value_parse(&a, str_of(cases[i].text), &v, &e) != 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_int_equal(v.kind, SOURCE_PATH);
		buf_init(&got, BUF_NO_LIMIT);
		buf_puts(&got, v.root ? "root" : "");
		for (size_t k = 0; k < v.path_n; k++)
			buf_printf(&got, "[%.*s]", STR_ARG(v.path[k]));
		assert_str(buf_as_str(&got), cases[i].want);
		buf_release(&got);
	}
	struct source_value v;
	struct err e = {0};
	assert_int_equal(source_value_parse(&a, STR("\"a \\\"b\\\" c\""), &v, &e), 0);
	assert_int_equal(v.kind, SOURCE_LITERAL);
	assert_str(v.literal, "a \"b\" c");
	assert_int_equal(source_value_parse(&a, STR("{{ x }}"), &v, &e), 0);
	assert_int_equal(v.kind, SOURCE_TEMPLATE);
	assert_int_equal(
		source_value_parse(&a,
			STR("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.1.2.3.4.5.6.7"),
			&v, &e),
		-1);
	assert_string_equal(e.text, "this path has too many parts");
	arena_release(&a);
}

TESTS_MAIN(TEST(golden_files), TEST(json_that_calls_itself_a_form),
	TEST(two_tools_in_under_15_lines), TEST(identity),
	TEST(bad_bodies_are_refused_with_their_place), TEST(limits), TEST(times),
	TEST(words_of_status), TEST(bad_maps_are_found_with_their_place), TEST(paths))
