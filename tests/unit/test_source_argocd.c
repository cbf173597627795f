/* The Argo CD source: golden files, states, identity; the template that is shipped; and the message
 * of another template where it is at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "argocd"
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

static void states(void **state)
{
	static const struct {
		const char *health, *sync, *phase;
		enum event_status status;
		enum event_severity severity;
	} cases[] = {
		{"Degraded", "Synced", "Succeeded", EVENT_FIRING, SEVERITY_ERROR},
		{"Missing", "OutOfSync", "", EVENT_FIRING, SEVERITY_WARNING},
		{"Unknown", "Synced", "", EVENT_FIRING, SEVERITY_WARNING},
		{"Healthy", "Synced", "Failed", EVENT_FIRING, SEVERITY_ERROR},
		{"Healthy", "OutOfSync", "Error", EVENT_FIRING, SEVERITY_ERROR},
		{"Healthy", "Unknown", "Succeeded", EVENT_FIRING, SEVERITY_WARNING},
		{"Healthy", "Synced", "Succeeded", EVENT_RESOLVED, SEVERITY_UNKNOWN},
		{"Healthy", "Synced", "Running", EVENT_RESOLVED, SEVERITY_UNKNOWN},
		{"Healthy", "Synced", "", EVENT_RESOLVED, SEVERITY_UNKNOWN},
		{"Healthy", "OutOfSync", "Succeeded", EVENT_INFO, SEVERITY_UNKNOWN},
		{"Progressing", "Synced", "Running", EVENT_INFO, SEVERITY_UNKNOWN},
		{"Suspended", "Synced", "", EVENT_INFO, SEVERITY_UNKNOWN},
		/* Half of it says not that all is well. */
		{"Healthy", "", "Succeeded", EVENT_INFO, SEVERITY_UNKNOWN},
		{"", "Synced", "Succeeded", EVENT_INFO, SEVERITY_UNKNOWN},
		{"", "", "Failed", EVENT_FIRING, SEVERITY_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event *ev = one(arena_printf(&rig.arena,
			"{\"app\":\"a\",\"health\":\"%s\",\"sync\":\"%s\",\"phase\":\"%s\","
			"\"time\":\"2026-11-20T12:00:00Z\"}",
			cases[i].health, cases[i].sync, cases[i].phase)
					       .p);
		assert_int_equal(ev->status, cases[i].status);
		assert_int_equal(ev->severity, cases[i].severity);
		assert_str(ev->type, cases[i].status == EVENT_INFO ? "argocd" : "alert");
		assert_int_equal(ev->fingerprint.n, cases[i].status == EVENT_INFO ? 0 : 16);
		assert_true(ev->starts_ns == 0);
		assert_true(ev->ends_ns == (cases[i].status == EVENT_RESOLVED ? ev->time_ns : 0));
	}
}

#define FIRES(members) "{\"health\":\"Degraded\"," members "}"

static void identity(void **state)
{
	struct str id =
		one(FIRES("\"app\":\"a\",\"namespace\":\"n\",\"project\":\"p\""))->fingerprint;

	(void)state;
	assert_true(str_eq(id, one("{\"app\":\"a\",\"namespace\":\"n\",\"project\":\"p\","
				   "\"health\":\"Healthy\",\"sync\":\"Synced\"}")
				       ->fingerprint));
	assert_true(str_eq(id, one(FIRES("\"app\":\"a\",\"namespace\":\"n\",\"project\":\"p\","
					 "\"revision\":\"2\",\"phase\":\"Error\""))
				       ->fingerprint));
	assert_false(str_eq(id,
		one(FIRES("\"app\":\"b\",\"namespace\":\"n\",\"project\":\"p\""))->fingerprint));
	assert_false(str_eq(id,
		one(FIRES("\"app\":\"a\",\"namespace\":\"m\",\"project\":\"p\""))->fingerprint));
	assert_false(str_eq(id,
		one(FIRES("\"app\":\"a\",\"namespace\":\"n\",\"project\":\"q\""))->fingerprint));
	/* Nothing tells which: no alert that all such messages would share. */
	assert_int_equal(one(FIRES("\"project\":\"p\""))->status, EVENT_INFO);
}

static void severities(void **state)
{
	(void)state;
	assert_int_equal(
		one(FIRES("\"app\":\"a\",\"severity\":\"critical\""))->severity, SEVERITY_CRITICAL);
	assert_int_equal(
		one(FIRES("\"app\":\"a\",\"severity\":\"purple\""))->severity, SEVERITY_UNKNOWN);
	assert_int_equal(one(FIRES("\"app\":\"a\",\"severity\":null"))->severity, SEVERITY_ERROR);
}

static void wrong_types(void **state)
{
	static const char *const cases[][2] = {
		{"[]", "body: want an object, got an array"},
		{"{\"app\":{}}", "app: want a string, got an object"},
		{"{\"app\":\"a\",\"health\":[]}", "health: want a string, got an array"},
		{"{\"app\":\"a\",\"sync\":true}", "sync: want a string, got a boolean"},
		{"{\"app\":\"a\",\"message\":{}}", "message: want a string, got an object"},
		{"{\"app\":\"a\",\"url\":[]}", "url: want a string, got an array"},
		{"{\"app\":\"a\",\"time\":\"soon\"}", "time: 'soon' is no time"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		rig_refused(&rig, str_of(cases[i][0]), ERR_INPUT, cases[i][1]);
}

static void a_long_message(void **state)
{
	char *text = arena_alloc(&rig.arena, 100001);

	(void)state;
	memset(text, 'm', 100000);
	text[100000] = '\0';
	struct event *ev =
		one(arena_printf(&rig.arena, FIRES("\"app\":\"a\",\"message\":\"%s\""), text).p);
	assert_int_equal(ev->summary.n, SOURCE_SUMMARY_LIMIT);
}

static struct str with_url_of(size_t n)
{
	static const char start[] = "{\"app\":\"a\",\"url\":\"";
	size_t at = sizeof(start) - 1;
	char *p = arena_alloc(&rig.arena, at + n + 2);

	memcpy(p, start, at);
	memset(p + at, 'u', n);
	memcpy(p + at + n, "\"}", 2);
	return (struct str){p, at + n + 2};
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(
		rig_taken(&rig, with_url_of(SOURCE_VALUE_LIMIT)).events[0].links[0].value.n,
		SOURCE_VALUE_LIMIT);
	rig_refused(&rig, with_url_of(SOURCE_VALUE_LIMIT + 1), ERR_LIMIT,
		"the value of label 'application' has 1048577 bytes, at most 1048576 are taken");
}

/* The template that is shipped writes each name that is read. */
static void shipped_template(void **state)
{
	static const char *const names[] = {"app", "namespace", "project", "health", "sync",
		"phase", "revision", "repo", "dest_namespace", "dest_server", "severity", "url",
		"message", "time"};
	struct str file = rig_file(&rig, CONTRIB_DIR "/argocd/notifications-cm.yaml");

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_has(file, arena_printf(&rig.arena, "\n            \"%s\": {{ ", names[i]).p);
}

static void another_template(void **state)
{
	(void)state;
	if (access(SHARED_DIR "/payloads/argocd", R_OK) != 0)
		return; /* short.json has its shape */
	struct event *ev = one(
		rig_file(&rig, SHARED_DIR "/payloads/argocd/synthetic-app-health-degraded.json").p);
	assert_int_equal(ev->status, EVENT_FIRING);
	assert_int_equal(ev->severity, SEVERITY_ERROR);
	assert_str(event_label(ev, STR("app")), "guestbook");
	assert_str(event_label(ev, STR("phase")), "Failed");
	assert_str(event_label(ev, STR("trigger")), "on-health-degraded");
}

TESTS_MAIN(TEST(golden_files), TEST(states), TEST(identity), TEST(severities), TEST(wrong_types),
	TEST(a_long_message), TEST(limits), TEST(shipped_template), TEST(another_template))
