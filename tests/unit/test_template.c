/* Templates: paths, filters, errors with their byte, and that data is never read as a template. */
#include "unit.h"
#include "rule/template.h"

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

#define KV(name, value) {{name, sizeof(name) - 1}, {value, sizeof(value) - 1}}

static struct kv labels[] = {
	KV("evil", "{{ steps.disk.output }} \"x\" \\ {{"), KV("instance", "Web-1:9100"), KV("kubernetes.io/name", "pod"),
	KV("lines", "a\nb\0c"), KV("mountpoint", "/var/log"), KV("v6", "[fe80::1]:9100"),
};
static struct kv annotations[] = {KV("empty", ""), KV("summary", "it \"burns\"")};
static struct kv match[] = {KV("none", ""), KV("user", "root")};

static struct event ev;
static struct template_ctx ctx;

static void set_ctx(bool claimed)
{
	struct err e;

	ev = (struct event){
		.id = STR("01JD0000000000000000000000"), .source = STR("am"), .type = STR("alert"), .status = EVENT_FIRING,
		.severity = SEVERITY_WARNING, .summary = STR("sum"), .fingerprint = STR("cbf29ce484222325"),
		.time_ns = INT64_C(1763839172624714673), .received_ms = INT64_C(1763839173001),
		.starts_ns = INT64_C(1763839172624714673), .labels = labels, .labels_n = 6, .annotations = annotations,
		.annotations_n = 2,
	};
	ev.data = json_parse(&arena, STR("{\"host\":\"db-1:5432\",\"n\":1.50,\"t\":true,\"z\":null,\"e\":\"\",\"a\":[{\"b.c\":7},\"x\"],"
				       "\"S\":\"UP\"}"), &e);
	ctx = (struct template_ctx){.event = &ev, .match = match, .match_n = 2};
	if (!claimed)
		return;
	ctx.incident = json_parse(&arena, STR("{\"id\":\"INC\",\"labels\":{\"x\":\"y\"}}"), &e);
	ctx.steps = json_parse(&arena, STR("{\"disk-usage\":{\"output\":\"90% {{ labels.instance }}\",\"exit_code\":0}}"), &e);
}

static struct template *parse(struct str text)
{
	struct err e;
	struct template *t = template_parse(&arena, text, &e);

	if (!t)
		fail_msg("'%.*s': %s at %zu", STR_ARG(text), e.text, e.offset);
	assert_true(str_eq(template_text(t), text));
	return t;
}

static struct str render(struct str text)
{
	struct str out;
	struct err e;

	if (template_render(parse(text), &arena, &ctx, &out, &e) < 0)
		fail_msg("'%.*s': %s", STR_ARG(text), e.text);
	return out;
}

static void renders(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"plain { } }} text", "plain { } }} text"},
		{"{{ labels.mountpoint }}", "/var/log"},
		{"{{labels.mountpoint}}", "/var/log"},
		{"{{\n\tlabels.mountpoint\n}}", "/var/log"},
		{"<{{ labels.mountpoint }}|{{ labels.instance }}>", "</var/log|Web-1:9100>"},
		{"{{ labels.\"kubernetes.io/name\" }}", "pod"},
		{"{{ labels.\"mountpoint\" }}", "/var/log"},
		{"{{ labels.instance | host }}", "Web-1"},
		{"host:{{ labels.instance | host | lower }}", "host:web-1"},
		{"{{ labels.instance | lower | host }}", "web-1"},
		{"{{ labels.v6 | host }}", "[fe80::1]"},
		{"{{ labels.absent | default \"x y\" }}", "x y"},
		{"{{ labels.absent | default xy }}", "xy"},
		{"{{ labels.absent|default \"\" }}", ""},
		{"{{ labels.absent | lower | host | json | default \"D\" }}", "D"},
		{"{{ labels.absent | default \"D\" | lower }}", "d"},
		{"{{ labels.mountpoint | default \"x\" }}", "/var/log"},
		{"{{ annotations.empty | default \"filled\" }}", "filled"},
		{"{{ annotations.summary | json }}", "\"it \\\"burns\\\"\""},
		{"{{ data.host | host }}", "db-1"},
		{"{{ data.n }} {{ data.t }} {{ data.a.1 }}", "1.50 true x"},
		{"{{ data.a.0.\"b.c\" }}", "7"},
		{"{{ data.a }}", "[{\"b.c\":7},\"x\"]"},
		{"{{ data.a | json }}", "[{\"b.c\":7},\"x\"]"},
		{"{{ data.n | json }}", "1.50"},
		{"{{ data.S | lower }}", "up"},
		{"{{ data.z | default null }}", "null"},
		{"{{ match.user }}", "root"},
		{"{{ match.none | default \"nobody\" }}", "nobody"},
		{"{{ event.source }} {{ event.type }} {{ event.status }} {{ event.severity }} {{ event.summary }}",
			"am alert firing warning sum"},
		{"{{ event.fingerprint }} {{ event.id }}", "cbf29ce484222325 01JD0000000000000000000000"},
		{"{{ event.time }} {{ event.starts_at }}", "2025-11-22T19:19:32.624714673Z 2025-11-22T19:19:32.624714673Z"},
		{"{{ event.received }}", "2025-11-22T19:19:33.001Z"},
		{"{{ event.ends_at | default \"still\" }}", "still"},
		{"{{ \"{{\" }} .Names {{ \"}}\" }}", "{{ .Names }}"},
		{"{{ \"a\\\"b\\\\c\\nd\\e\" }}", "a\"b\\c\nd\\e"},
		{"{{ \"ABC\" | lower }}", "abc"},
		{"{{ labels.evil }}", "{{ steps.disk.output }} \"x\" \\ {{"},
		{"{{ incident.id }} {{ incident.labels.x }} {{ steps.disk-usage.exit_code }}", "INC y 0"},
		{"{{ steps.disk-usage.output }}", "90% {{ labels.instance }}"},
	};

	(void)state;
	set_ctx(true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(render(str_of(cases[i].text)), cases[i].want);
	struct str nul = render(STR("{{ labels.lines }}"));
	assert_true(str_eq(nul, STR("a\nb\0c")));
}

static void hosts(void **state)
{
	static const char *const cases[][2] = {
		{"a:1", "a"}, {"a", "a"}, {"a:", "a:"}, {"a:b", "a:b"}, {":80", ":80"}, {"80", "80"}, {"[::1]", "[::1]"},
		{"[::1]:80", "[::1]"}, {"::1", "::1"}, {"fe80::1:2", "fe80::1:2"}, {"10.0.0.1:9100", "10.0.0.1"},
	};

	(void)state;
	set_ctx(false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(render(arena_printf(&arena, "{{ \"%s\" | host }}", cases[i][0])), cases[i][1]);
}

static void errors(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *want;
	} cases[] = {
		{"{{", 2, "want a path here"},
		{"ab{{ }}", 5, "want a path here"},
		{"{{ labels.x", 0, "never closed"},
		{"ab{{ labels.x }", 14, "want '|' or '}}'"},
		{"{{ labels.x y }}", 12, "want '|' or '}}'"},
		{"{{ labels }}", 3, "'labels' needs a name"},
		{"{{ labels. }}", 10, "empty"},
		{"{{ labels..x }}", 10, "empty"},
		{"{{ labels.a.b }}", 3, "double quotes"},
		{"{{ match.a.b }}", 3, "no parts below"},
		{"{{ label.x }}", 3, "unknown path 'label', did you mean 'labels'"},
		{"{{ x }}", 3, "unknown path 'x'; known are labels.x"},
		{"{{ event.tpye }}", 3, "did you mean 'type'"},
		{"{{ event.type.x }}", 3, "unknown member of event"},
		{"{{ steps.x }}", 3, "want steps.NAME.x"},
		{"{{ steps.x.outptu }}", 3, "unknown member of a step 'outptu', did you mean 'output'; known are state"},
		{"{{ steps.x.output.y }}", 3, "no parts below it"},
		{"{{ incident.titel }}", 3, "unknown member of incident 'titel', did you mean 'title'; known are id"},
		{"{{ labels.x | uper }}", 14, "unknown filter 'uper'"},
		{"{{ labels.x | lowr }}", 14, "did you mean 'lower'"},
		{"{{ labels.x | }}", 14, "unknown filter ''"},
		{"{{ labels.x | default }}", 22, "'default' needs a text"},
		{"{{ labels.x | default \"a }}", 22, "never closed"},
		{"{{ labels.\"x }}", 10, "never closed"},
		{"{{ \"x }}", 3, "never closed"},
		{"{{ labels.x | lower lower }}", 20, "want '|' or '}}'"},
		{"{{ labels.x }} {{ bad.x }}", 18, "unknown path 'bad'"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (template_parse(&arena, str_of(cases[i].text), &e))
			fail_msg("taken: %s", cases[i].text);
		assert_int_equal(e.code, ERR_INPUT);
		assert_has(str_of(e.text), cases[i].want);
		if (e.offset != cases[i].offset)
			fail_msg("%s: offset %zu, not %zu (%s)", cases[i].text, e.offset, cases[i].offset, e.text);
	}
}

static void missing(void **state)
{
	static const char *const cases[][2] = {
		{"{{ labels.absent }}", "labels.absent is missing; give it a default"},
		{"x{{ annotations.empty }}", "annotations.empty is missing"},
		{"{{ data.z }}", "data.z is missing"},
		{"{{ data.e }}", "data.e is missing"},
		{"{{ data.a.5 }}", "data.a.5 is missing"},
		{"{{ data.host.x }}", "data.host.x is missing"},
		{"{{ match.none }}", "match.none is missing"},
		{"{{ match.other | lower }}", "match.other is missing"},
		{"{{ event.ends_at }}", "event.ends_at is missing"},
		{"{{ incident.id }}", "incident.id is missing"},
		{"{{ steps.a.output | json }}", "steps.a.output is missing"},
	};
	struct str out;
	struct err e;

	(void)state;
	set_ctx(false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(template_render(parse(str_of(cases[i][0])), &arena, &ctx, &out, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_has(str_of(e.text), cases[i][1]);
	}
}

static void without_an_event(void **state)
{
	static const char *const texts[] = {"labels.x", "annotations.x", "data.x", "event.type", "match.x", "incident.id", "steps.a.output"};
	struct template_ctx none = {0};
	struct str out;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str text = arena_printf(&arena, "{{ %s }}", texts[i]);
		assert_int_equal(template_render(parse(text), &arena, &none, &out, &e), -1);
		assert_has(str_of(e.text), "is missing");
		text = arena_printf(&arena, "{{ %s | default d }}", texts[i]);
		assert_int_equal(template_render(parse(text), &arena, &none, &out, &e), 0);
		assert_str(out, "d");
	}
}

static void limits(void **state)
{
	struct buf b;
	struct str out;
	struct err e;
	char *p = test_malloc(TEMPLATE_OUTPUT_LIMIT);

	(void)state;
	set_ctx(false);
	memset(p, 'x', TEMPLATE_OUTPUT_LIMIT);
	struct kv big[] = {{STR("big"), {p, TEMPLATE_OUTPUT_LIMIT}}};
	ev.labels = big;
	ev.labels_n = 1;
	assert_int_equal(template_render(parse(STR("{{ labels.big }}")), &arena, &ctx, &out, &e), 0);
	assert_int_equal(out.n, TEMPLATE_OUTPUT_LIMIT);
	assert_int_equal(template_render(parse(STR("{{ labels.big }}x")), &arena, &ctx, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	test_free(p);

	buf_init(&b, BUF_NO_LIMIT);
	for (int i = 0; i < TEMPLATE_PARTS_LIMIT; i++)
		buf_puts(&b, "{{labels.a}}");
	parse(buf_as_str(&b));
	buf_puts(&b, "x");
	assert_null(template_parse(&arena, buf_as_str(&b), &e));
	assert_has(str_of(e.text), "too many expressions");

	buf_clear(&b);
	buf_puts(&b, "{{data");
	for (int i = 0; i < TEMPLATE_PATH_LIMIT; i++)
		buf_puts(&b, ".a");
	parse(arena_printf(&arena, "%s}}", b.p));
	assert_null(template_parse(&arena, arena_printf(&arena, "%s.a}}", b.p), &e));
	assert_has(str_of(e.text), "too many parts");

	buf_clear(&b);
	buf_puts(&b, "{{labels.a");
	for (int i = 0; i < TEMPLATE_FILTERS_LIMIT; i++)
		buf_puts(&b, "|lower");
	parse(arena_printf(&arena, "%s}}", b.p));
	assert_null(template_parse(&arena, arena_printf(&arena, "%s|lower}}", b.p), &e));
	assert_has(str_of(e.text), "too many filters");
	buf_release(&b);
}

static void late_and_constant(void **state)
{
	static const struct {
		const char *text;
		bool late, constant;
	} cases[] = {
		{"", false, true}, {"x", false, true}, {"{{ \"x\" }}", false, true}, {"{{ labels.x }}", false, false},
		{"{{ incident.id }}", true, false}, {"a {{ labels.x }} {{ steps.a.state }}", true, false},
		{"{{ event.id }}", true, false}, {"{{ event.received }}", true, false}, {"{{ event.type }}", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template *t = parse(str_of(cases[i].text));
		assert_int_equal(template_is_late(t), cases[i].late);
		assert_int_equal(template_is_constant(t), cases[i].constant);
	}
}

static void refs(void **state)
{
	struct template *t = parse(STR("a{{ match.user }}b{{ \"c\" }}{{ steps.disk-usage.output | default \"x\" }}"));
	struct template_ref r;

	(void)state;
	assert_true(template_ref(t, 0, &r));
	assert_int_equal(r.root, TEMPLATE_MATCH);
	assert_str(r.name, "user");
	assert_int_equal(r.offset, 1);
	assert_true(template_ref(t, 1, &r));
	assert_int_equal(r.root, TEMPLATE_CONSTANT);
	assert_true(template_ref(t, 2, &r));
	assert_int_equal(r.root, TEMPLATE_STEPS);
	assert_str(r.name, "disk-usage");
	assert_false(template_ref(t, 3, &r));
}

/* Renders what is known, then the rest at the claim: the same as all at once, whatever the labels hold. */
static void early_then_late(void **state)
{
	static const char *const texts[] = {
		"{{ labels.evil }}{{ steps.disk-usage.output }}", "{{{ labels.mountpoint }}{{ incident.id }}",
		"{{ labels.lines }}{{ event.id }}", "x{{ incident.id }}y{ {{ labels.instance }}", "{{ \"{{ labels.x }}\" }}{{ incident.id }}",
		"{{ labels.evil | json }} {{ steps.disk-usage.exit_code }} {{ labels.evil }}", "{ {{ incident.id }} }",
		"{{ labels.mountpoint }}", "{{ steps.gone.output | default \"{{ x }}\" }}{", "{{ \"a\\\\\\\"b\" }}{{ event.received }}{",
	};
	struct str early, late, whole;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		/* "{{{" opens an expression that begins with a brace: no path. */
		struct template *t = template_parse(&arena, str_of(texts[i]), &e);
		if (!t) {
			assert_int_equal(i, 1);
			continue;
		}
		set_ctx(false);
		if (template_render_early(t, &arena, &ctx, &early, &e) < 0)
			fail_msg("%s: %s", texts[i], e.text);
		set_ctx(true);
		assert_int_equal(template_render(t, &arena, &ctx, &whole, &e), 0);
		/* At the claim nothing but the late part may be asked for. */
		struct template_ctx claim = {.event = &(struct event){.id = ev.id, .received_ms = ev.received_ms},
			.incident = ctx.incident, .steps = ctx.steps};
		if (template_render(parse(early), &arena, &claim, &late, &e) < 0)
			fail_msg("%s -> %.*s: %s", texts[i], STR_ARG(early), e.text);
		assert_true(str_eq(late, whole));
	}
}

static void early_errors(void **state)
{
	struct str out;
	struct err e;

	(void)state;
	set_ctx(false);
	assert_int_equal(
		template_render_early(parse(STR("{{ labels.absent }}{{ incident.id }}")), &arena, &ctx, &out, &e), -1);
	assert_has(str_of(e.text), "labels.absent is missing");
}

static void a_full_arena(void **state)
{
	struct arena small;
	struct str out;
	struct err e;

	(void)state;
	set_ctx(false);
	for (size_t limit = 0; limit < 4000; limit += 16) {
		arena_init(&small, limit);
		struct template *t = template_parse(&small, STR("a{{ labels.instance | lower | json }}b{{ data.a }}"), &e);
		if (!t)
			assert_int_equal(e.code, ERR_NOMEM);
		else if (template_render(t, &small, &ctx, &out, &e) < 0)
			assert_int_equal(e.code, ERR_LIMIT);
		else
			assert_str(out, "a\"web-1:9100\"b[{\"b.c\":7},\"x\"]");
		arena_release(&small);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(renders), TEST(hosts), TEST(errors), TEST(missing), TEST(without_an_event), TEST(limits), TEST(late_and_constant),
	TEST(refs), TEST(early_then_late), TEST(early_errors), TEST(a_full_arena))
