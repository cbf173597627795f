/* Contracts of a configuration: by the names of their files; events held against them: refused whole, or taken and
 * marked. And which kind reads a source's name. */
#include "unit.h"
#include "flow/contracts.h"
#include "flow/sources.h"

static struct conf *conf;
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	struct diags d;

	diags_init(&d);
	arena_init(&arena, 16 << 20);
	conf = conf_parse(STR("sources: {team-a: {kind: alertmanager}, alertmanager: {kind: alertmanager, rate: {count: 5}}}"),
		"runbookd.yml", "/", &d);
	assert_findings(&d, "");
	diags_release(&d);
	return conf ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	conf_free(conf);
	arena_release(&arena);
	return 0;
}

static struct sources *sources_with(const char *type, const char *contract)
{
	char name[100];
	struct diags d;

	diags_init(&d);
	snprintf(name, sizeof(name), "/etc/runbookd/contracts/%s.schema.json", type);
	struct contract_file file = {name, str_of(contract)};
	struct sources *s = sources_new(conf, contracts_new(&file, 1, &d), &d);
	assert_findings(&d, "");
	assert_non_null(s);
	diags_release(&d);
	return s;
}

static void names_find_kinds(void **state)
{
	(void)state;
	struct sources *s = sources_new(conf, NULL, &(struct diags){0});
	const struct bound_source *a = sources_find(s, STR("team-a")), *own = sources_find(s, STR("alertmanager"));

	assert_string_equal(a->kind->name, "alertmanager");
	assert_str(a->name, "team-a");
	assert_ptr_equal(own->conf, &conf->sources[1]); /* the configuration's stands in the kind's place */
	assert_int_equal(own->conf->rate.count, 5);
	assert_null(sources_find(s, STR("team-b")));
	assert_false(sources_shared(s));
	assert_ptr_equal(sources_ref(s), s);
	assert_true(sources_shared(s));
	sources_unref(s);
	sources_unref(s);
}

static void unknown_kinds_are_findings(void **state)
{
	(void)state;
	struct diags d;

	diags_init(&d);
	struct conf *c = conf_parse(STR("sources:\n  a: {kind: alertmanger}\n  b: {kind: zzz}\n"), "runbookd.yml", "/", &d);
	assert_null(sources_new(c, NULL, &d));
	assert_findings(&d, "runbookd.yml:2:3: unknown kind 'alertmanger' of the source 'a'; did you mean 'alertmanager'?\n"
			    "runbookd.yml:3:3: unknown kind 'zzz' of the source 'b'\n");
	diags_release(&d);
	conf_free(c);
}

static void emitted_events_have_a_source_of_their_own(void **state)
{
	(void)state;
	struct sources *s = sources_new(conf, NULL, &(struct diags){0});
	struct diags d;

	assert_str(sources_emitted(s)->name, "emit");
	assert_null(sources_emitted(s)->conf);
	assert_null(sources_find(s, STR("emit")));
	sources_unref(s);
	diags_init(&d);
	struct conf *c = conf_parse(STR("sources:\n  emit: {kind: alertmanager}\n"), "runbookd.yml", "/", &d);
	assert_null(sources_new(c, NULL, &d));
	assert_findings(&d, "runbookd.yml:2:3: the source of events that are emitted over the API is called 'emit'; give this one "
			    "another name\n");
	diags_release(&d);
	conf_free(c);
}

static struct event event_of(const char *type, const char *data)
{
	struct err e = {0};
	struct json *j = json_parse(&arena, str_of(data), &e);

	assert_non_null(j);
	return (struct event){.source = STR("x"), .type = str_of(type), .status = EVENT_INFO, .data = j};
}

static void broken_events_refuse_the_request(void **state)
{
	(void)state;
	struct sources *s = sources_with("deployed", "{\"required\":[\"sha\"]}");
	struct source_kind once = {.name = "once"};
	struct bound_source b = {.name = STR("once"), .kind = &once, .all = s};
	struct event events[] = {event_of("other", "{}"), event_of("deployed", "{\"sha\":1}"), event_of("deployed", "  {\"a\":1}")};
	struct source_batch batch = {.events = events, .n = 2};
	struct err e = {0};

	assert_int_equal(sources_dress(&b, &arena, &batch, &e), 0);
	batch.n = 3;
	assert_int_equal(sources_dress(&b, &arena, &batch, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.text, "events[2]: data breaks the contract of 'deployed': lacks 'sha'");
	assert_int_equal(e.offset, events[2].data->offset);
	batch = (struct source_batch){.events = &events[2], .n = 1};
	assert_int_equal(sources_dress(&b, &arena, &batch, &e), -1);
	assert_string_equal(e.text, "data breaks the contract of 'deployed': lacks 'sha'");
	sources_unref(s);
}

static void senders_that_repeat_are_not_refused(void **state)
{
	(void)state;
	struct sources *s = sources_with("alert", "{\"required\":[\"sha\"]}");
	struct event events[] = {event_of("alert", "{}"), event_of("alert", "{\"sha\":1}")};
	struct source_batch batch = {.events = events, .n = 2};
	struct err e = {0};

	assert_int_equal(sources_dress(sources_find(s, STR("alertmanager")), &arena, &batch, &e), 0);
	assert_str(events[0].broken, "data breaks the contract of 'alert': lacks 'sha'");
	assert_int_equal(events[1].broken.n, 0);
	sources_unref(s);
}

static void names_of_contracts(void **state)
{
	(void)state;
	struct contract_file files[] = {{"/c/a.schema.json", STR("true")}, {"/c/b.json", STR("true")}, {"/d/a.schema.json", STR("true")},
		{"/c/.schema.json", STR("true")}};
	struct diags d;

	diags_init(&d);
	assert_null(contracts_new(files, 4, &d));
	assert_findings(&d,
		"/c/b.json: is named by 'contracts' and is no contract: call it TYPE.schema.json, after the type of event that it is for\n"
		"/d/a.schema.json: there is another contract of 'a'; keep one of them\n"
		"/c/.schema.json: is named by 'contracts' and is no contract: call it TYPE.schema.json, after the type of event that it is "
		"for\n");
	diags_release(&d);
}

static void too_many_contracts(void **state)
{
	(void)state;
	static struct contract_file files[CONTRACTS_MAX + 1];
	struct diags d;

	diags_init(&d);
	for (size_t i = 0; i <= CONTRACTS_MAX; i++)
		files[i] = (struct contract_file){arena_printf(&arena, "/c/t%zu.schema.json", i).p, STR("true")};
	struct contracts *c = contracts_new(files, CONTRACTS_MAX, &d);
	assert_non_null(c);
	contracts_free(c);
	assert_null(contracts_new(files, CONTRACTS_MAX + 1, &d));
	assert_has(str_of(d.v[0].text), "there are 1001 contracts, at most 1000 are read");
	diags_release(&d);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

TESTS_MAIN(T(names_find_kinds), T(unknown_kinds_are_findings), T(emitted_events_have_a_source_of_their_own),
	T(broken_events_refuse_the_request),
	T(senders_that_repeat_are_not_refused), T(names_of_contracts), T(too_many_contracts))
