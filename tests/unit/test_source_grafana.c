/* The Grafana source: golden files, both kinds of message, and types; and real messages where they
 * are at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "grafana"
#include "source_rig.h"

static struct event *one(const char *body)
{
	return rig_one(&rig, str_of(body));
}

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 10);
}

static void keeps_what_alertmanager_keeps(void **state)
{
	struct source_batch out =
		rig_taken(&rig, STR("{\"alerts\":[],\"groupKey\":\"g\",\"truncatedAlerts\":3}"));

	(void)state;
	assert_int_equal(out.n, 0);
	assert_int_equal(out.truncated, 3);
	assert_str(out.group, "g");
}

static void old_states(void **state)
{
	static const struct {
		const char *members;
		enum event_status status;
	} cases[] = {
		{"\"ruleId\":1,\"state\":\"alerting\"", EVENT_FIRING},
		{"\"ruleId\":\"1\",\"state\":\"no_data\"", EVENT_FIRING},
		{"\"ruleName\":\"x\",\"state\":\"alerting\"", EVENT_FIRING},
		{"\"ruleId\":1,\"state\":\"ok\"", EVENT_RESOLVED},
		{"\"ruleId\":1,\"state\":\"pending\"", EVENT_INFO},
		{"\"ruleId\":1,\"state\":\"paused\"", EVENT_INFO},
		{"\"ruleId\":1", EVENT_INFO},
		{"\"state\":\"alerting\"", EVENT_INFO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *ev = one(arena_printf(&rig.arena, "{%s}", cases[i].members).p);
		assert_int_equal(ev->status, cases[i].status);
		assert_int_equal(ev->fingerprint.n, cases[i].status == EVENT_INFO ? 0 : 16);
		assert_str(ev->type, cases[i].status == EVENT_INFO ? "grafana" : "alert");
		assert_true(ev->starts_ns == 0);
	}
}

static void old_identity(void **state)
{
	struct str first =
		one("{\"ruleId\":1,\"orgId\":1,\"ruleName\":\"a\",\"state\":\"alerting\"}")
			->fingerprint;

	(void)state;
	assert_true(
		str_eq(first, one("{\"ruleId\":1,\"orgId\":1,\"ruleName\":\"b\",\"state\":\"ok\"}")
				      ->fingerprint));
	assert_false(
		str_eq(first, one("{\"ruleId\":2,\"orgId\":1,\"ruleName\":\"a\",\"state\":\"ok\"}")
				      ->fingerprint));
	assert_false(
		str_eq(first, one("{\"ruleId\":1,\"orgId\":2,\"ruleName\":\"a\",\"state\":\"ok\"}")
				      ->fingerprint));
}

static void others(void **state)
{
	(void)state;
	struct event *ev = one("{\"text\":\"hello\",\"tags\":[1],\"state\":{},\"title\":[]}");
	assert_int_equal(ev->status, EVENT_INFO);
	assert_str(ev->type, "grafana");
	assert_str(ev->summary, "hello");
	assert_int_equal(one("{}")->status, EVENT_INFO);
}

#define ALERT(members) "{\"alerts\":[{\"status\":\"firing\"," members "}]}"

static void wrong_types(void **state)
{
	static const char *const cases[][2] = {
		{"[]", "body: want an object, got an array"},
		{"{\"alerts\":null}", "alerts: want an array, got null"},
		{"{\"alerts\":{}}", "alerts: want an array, got an object"},
		{"{\"alerts\":[{}]}", "alerts[0].status: missing"},
		{ALERT("\"values\":[]"), "alerts[0].values: want an object, got an array"},
		{ALERT("\"valueString\":1"), "alerts[0].valueString: want a string"},
		{ALERT("\"silenceURL\":1"), "alerts[0].silenceURL: want a string"},
		{ALERT("\"dashboardURL\":{}"), "alerts[0].dashboardURL: want a string"},
		{ALERT("\"panelURL\":false"), "alerts[0].panelURL: want a string"},
		{ALERT("\"imageURL\":1"), "alerts[0].imageURL: want a string"},
		{"{\"ruleId\":[]}", "ruleId: want a string, got an array"},
		{"{\"ruleId\":1,\"state\":1}", "state: want a string, got a number"},
		{"{\"evalMatches\":{}}", "evalMatches: want an array, got an object"},
		{"{\"ruleName\":\"a\",\"tags\":[]}",
			"tags: want an object of strings, got an array"},
		{"{\"ruleId\":1,\"tags\":{\"a\":1}}", "tags.a: want a string, got a number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		rig_refused(&rig, str_of(cases[i][0]), ERR_INPUT, cases[i][1]);
}

static void real_messages(void **state)
{
	(void)state;
	if (access(SHARED_DIR "/payloads/grafana", R_OK) != 0)
		return; /* the golden files have their shapes */
	struct event *ev = one(rig_file(&rig, SHARED_DIR "/payloads/grafana/v11-firing.json").p);
	assert_str(ev->fingerprint, "e6349a25f5ef0e9e");
	assert_int_equal(ev->status, EVENT_FIRING);
	assert_int_equal(ev->links_n, 6);
	ev = one(rig_file(&rig, SHARED_DIR "/payloads/grafana/v11-resolved-derived.json").p);
	assert_str(ev->fingerprint, "e6349a25f5ef0e9e");
	assert_int_equal(ev->status, EVENT_RESOLVED);
	assert_true(ev->ends_ns == INT64_C(1709259240000000000));
}

TESTS_MAIN(TEST(golden_files), TEST(keeps_what_alertmanager_keeps), TEST(old_states),
	TEST(old_identity), TEST(others), TEST(wrong_types), TEST(real_messages))
