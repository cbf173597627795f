/* What a runbook is told, and what an environment cannot hold. */
#include "unit.h"
#include "base/json.h"
#include "run/amx.h"
#include "run/environment.h"

static struct arena a;

static int setup(void **state)
{
	(void)state;
	arena_init(&a, 64 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&a);
	return 0;
}

static struct run_facts facts(void)
{
	return (struct run_facts){
		.run = STR("01JD0000000000000000000000"),
		.rule = STR("disk"),
		.runbook = STR("rotate-logs"),
		.step = STR("rotate-logs"),
		.incident = STR("01JD0000000000000000000001"),
		.pool = STR("default"),
		.worker = STR("web-1"),
		.attempt = 2,
		.started_ms = 1763841234567,
		.home = STR("/home/x"),
		.artifacts = STR("/s/artifacts/r"),
		.events = STR("/s/events/r"),
	};
}

/* The value of a name, or NULL. */
static const char *value(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	}
	return NULL;
}

static size_t count(char **env)
{
	size_t n = 0;

	while (env[n])
		n++;
	return n;
}

static void holds_the_documented_names(void **state)
{
	(void)state;
	struct run_facts f = facts();
	struct kv params[] = {{STR("path"), STR("/var/log")}, {STR("empty"), STR("")}};
	struct kv labels[] = {{STR("alertname"), STR("Disk\n$(x)")}};
	struct kv annotations[] = {{STR("summary"), STR("full")}};
	struct event ev = {
		.labels = labels, .labels_n = 1, .annotations = annotations, .annotations_n = 1};
	f.params = params;
	f.params_n = 2;
	f.event = &ev;

	char **env = environment_build(&a, &f);
	assert_non_null(env);
	assert_string_equal(value(env, "PATH"), ENVIRONMENT_PATH);
	assert_string_equal(value(env, "HOME"), "/home/x");
	assert_string_equal(value(env, "RUNBOOK_RUN"), "01JD0000000000000000000000");
	assert_string_equal(value(env, "RUNBOOK_RULE"), "disk");
	assert_string_equal(value(env, "RUNBOOK_INCIDENT"), "01JD0000000000000000000001");
	assert_string_equal(value(env, "RUNBOOK_ATTEMPT"), "2");
	assert_string_equal(value(env, "RUNBOOK_DRY_RUN"), "0");
	assert_string_equal(value(env, "RUNBOOK_ARTIFACTS"), "/s/artifacts/r");
	assert_string_equal(value(env, "RUNBOOK_EVENTS"), "/s/events/r");
	assert_string_equal(value(env, "PARAM_path"), "/var/log");
	assert_string_equal(value(env, "PARAM_empty"), "");
	assert_string_equal(value(env, "LABEL_alertname"), "Disk\n$(x)");
	assert_string_equal(value(env, "ANNOTATION_summary"), "full");
	assert_int_equal(count(env), 13);
}

static void leaves_out_what_it_cannot_hold(void **state)
{
	(void)state;
	struct run_facts f = facts();
	char *big = malloc(ENVIRONMENT_ENTRY_MAX);
	memset(big, 'x', ENVIRONMENT_ENTRY_MAX);
	size_t most = ENVIRONMENT_ENTRY_MAX - strlen("LABEL_fits=") - 1;
	struct kv labels[] = {
		{STR(""), STR("v")},
		{STR("1a"), STR("v")},
		{STR("a-b"), STR("v")},
		{STR("a=b"), STR("v")},
		{STR("a\0b"), STR("v")},
		{STR("caf\xc3\xa9"), STR("v")},
		{STR("fits"), {big, most}},
		{STR("much"), {big, most + 1}},
		{STR("nul"), STR("a\0b")},
		{STR("ok"), STR("v")},
	};
	struct event ev = {.labels = labels, .labels_n = 10};
	f.event = &ev;

	char **env = environment_build(&a, &f);
	assert_non_null(env);
	assert_int_equal(count(env), 9 + 2 + 1);
	assert_string_equal(value(env, "LABEL_ok"), "v");
	assert_int_equal(strlen(value(env, "LABEL_fits")), most);
	assert_string_equal(value(env, "RUNBOOK_ENV_OMITTED"),
		"[\"LABEL_\",\"LABEL_1a\",\"LABEL_a-b\",\"LABEL_a=b\","
		"\"LABEL_a\\u0000b\",\"LABEL_caf\xc3\xa9\",\"LABEL_much\",\"LABEL_nul\"]");
	free(big);
}

static void is_bounded_as_a_whole(void **state)
{
	(void)state;
	struct run_facts f = facts();
	static char names[2000][16], big[100000];
	struct kv labels[2000];
	size_t total = 0;

	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		labels[i] = (struct kv){str_of(names[i]), {big, sizeof(big)}};
	}
	struct event ev = {.labels = labels, .labels_n = 2000};
	f.event = &ev;
	char **env = environment_build(&a, &f);
	assert_non_null(env);
	for (size_t i = 0; env[i]; i++)
		total += strlen(env[i]) + 1;
	assert_true(total <= ENVIRONMENT_MAX && total > ENVIRONMENT_MAX / 2);
	const char *omitted = value(env, "RUNBOOK_ENV_OMITTED");
	assert_true(strlen(omitted) <= ENVIRONMENT_OMITTED_MAX + 64);
	struct err e;
	assert_non_null(json_parse(&a, str_of(omitted), &e));
}

static void passes_only_what_the_runbook_asks_for(void **state)
{
	(void)state;
	struct run_facts f = facts();
	char lang[] = "LANG=C.UTF-8", secret[] = "SECRET=1", path[] = "PATH=/evil",
	     run[] = "RUNBOOK_RUN=x";
	char *const own[] = {lang, secret, path, run, NULL};
	const struct str pass[] = {STR("LANG"), STR("PATH"), STR("RUNBOOK_RUN"), STR("MISSING")};
	f.own = own;
	f.pass = pass;
	f.pass_n = 4;

	char **env = environment_build(&a, &f);
	assert_string_equal(value(env, "LANG"), "C.UTF-8");
	assert_null(value(env, "SECRET"));
	assert_null(value(env, "MISSING"));
	assert_string_equal(value(env, "PATH"), ENVIRONMENT_PATH);
	assert_string_equal(value(env, "RUNBOOK_RUN"), "01JD0000000000000000000000");
	assert_int_equal(count(env), 10);
}

static void gives_all_of_it_as_json(void **state)
{
	(void)state;
	struct run_facts f = facts();
	struct kv params[] = {{STR("path"), STR("a\0\"b")}};
	struct event ev = {.id = STR("01JD0000000000000000000002")};
	struct err e;
	f.params = params;
	f.params_n = 1;
	f.event = &ev;
	f.event_json = STR("{\"id\":\"01JD0000000000000000000002\"}");

	const struct json *j = json_parse(&a, environment_stdin(&a, &f), &e);
	assert_non_null(j);
	assert_str(json_str(json_path(j, STR("run.id"))), "01JD0000000000000000000000");
	assert_str(json_str(json_path(j, STR("run.started"))), "2025-11-22T19:53:54.567Z");
	assert_str(json_str(json_path(j, STR("run.event"))), "01JD0000000000000000000002");
	assert_str(json_str(json_path(j, STR("event.id"))), "01JD0000000000000000000002");
	assert_int_equal(json_get(j, "incident")->kind, JSON_NULL);
	struct str path = json_str(json_path(j, STR("params.path")));
	assert_int_equal(path.n, 4);
	assert_memory_equal(path.p, "a\0\"b", 4);
	assert_str(environment_params(&a, &f), "{\"path\":\"a\\u0000\\\"b\"}");
}

static char **amx_environment(const char *message)
{
	struct run_facts f = facts();
	struct err e;
	struct kv *v = NULL;
	const struct json *j = json_parse(&a, str_of(message), &e);
	static const struct str pass[] = {{"AMX_STATUS", 10}, {"LANG", 4}};
	static char status[] = "AMX_STATUS=mine", lang[] = "LANG=C";
	static char *const own[] = {status, lang, NULL};

	assert_non_null(j);
	assert_int_equal(amx_entries(&a, j, NULL, &v, &f.amx_n), 0);
	f.amx = v;
	f.pass = pass;
	f.pass_n = 2;
	f.own = own;
	char **env = environment_build(&a, &f);
	assert_non_null(env);
	return env;
}

/* The whole of it is in tests/integration/test_compat.py; here what no Alertmanager sends. */
static void amx_takes_any_message(void **state)
{
	(void)state;
	char **env = amx_environment("{\"status\": 5, \"alerts\": [7, {\"status\": \"firing\", "
				     "\"startsAt\": \"1969-12-31T23:59:59.5Z\", \"endsAt\": \"soon\", "
				     "\"labels\": {\"a=b\": \"x\", \"nul\": \"a\\u0000b\", \"a.b\": \"y\", "
				     "\"n\": 1}}], \"commonLabels\": [1]}");

	assert_string_equal(value(env, "AMX_STATUS"), "");
	assert_string_equal(value(env, "AMX_RECEIVER"), "");
	assert_string_equal(value(env, "AMX_ALERT_LEN"), "2");
	assert_string_equal(value(env, "AMX_ALERT_1_STATUS"), "");
	assert_string_equal(value(env, "AMX_ALERT_2_STATUS"), "firing");
	assert_string_equal(value(env, "AMX_ALERT_2_START"), "-1");
	assert_string_equal(value(env, "AMX_ALERT_2_END"), "0");
	assert_string_equal(value(env, "AMX_ALERT_2_LABEL_a.b"), "y");
	assert_string_equal(value(env, "AMX_ALERT_2_LABEL_n"), "");
	assert_null(value(env, "AMX_ALERT_2_LABEL_a"));
	assert_string_equal(value(env, "RUNBOOK_ENV_OMITTED"),
		"[\"AMX_ALERT_2_LABEL_a=b\",\"AMX_ALERT_2_LABEL_nul\"]");
	assert_string_equal(value(env, "LANG"), "C");
	env = amx_environment("{\"alerts\": \"many\"}");
	assert_string_equal(value(env, "AMX_ALERT_LEN"), "0");
	env = amx_environment("[]");
	assert_string_equal(value(env, "AMX_ALERT_LEN"), "0");
}

TESTS_MAIN(cmocka_unit_test_setup_teardown(holds_the_documented_names, setup, teardown),
	cmocka_unit_test_setup_teardown(leaves_out_what_it_cannot_hold, setup, teardown),
	cmocka_unit_test_setup_teardown(is_bounded_as_a_whole, setup, teardown),
	cmocka_unit_test_setup_teardown(passes_only_what_the_runbook_asks_for, setup, teardown),
	cmocka_unit_test_setup_teardown(gives_all_of_it_as_json, setup, teardown),
	cmocka_unit_test_setup_teardown(amx_takes_any_message, setup, teardown))
