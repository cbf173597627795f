/* The Jira source: golden files, the changelog, links, the type of each field; and real samples
 * where they are at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "jira"
#include "source_rig.h"

static const struct kv delivery[] = {
	{STR("x-atlassian-webhook-identifier"), STR("2d8b7a64-1111-4222-8333-000000000001")},
	{STR(""), STR("")}};

static void golden_files(void **state)
{
	(void)state;
	rig.headers = delivery;
	assert_int_equal(rig_golden_files(&rig), 8);
}

static const struct event *one(struct str body)
{
	return rig_one(&rig, body);
}

/* ---- the changelog ---- */

static struct str changed(size_t n)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"changelog\":{\"items\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s{\"field\":\"f%zu\"}", i ? "," : "", i);
	buf_puts(&b, "]}}");
	struct str body = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return event_label(one(body), STR("changed"));
}

static void changes(void **state)
{
	(void)state;
	assert_int_equal(changed(0).n, 0);
	assert_str(changed(3), "f0,f1,f2");
	struct str most = changed(64);
	assert_true(str_eq(most, changed(65)));
	assert_int_equal(most.n, 10 * 2 + 54 * 3 + 63);
	/* Numbers of custom fields are texts; what has no name is not named. */
	/* The name of a field is shown in the reader's language, and a new issue's with a capital;
	 * its id is neither. */
	assert_str(event_label(one(STR("{\"changelog\":{\"items\":[{\"field\":\"Status\","
				       "\"toString\":\"Open\"}]}}")),
			   STR("status_to")),
		"Open");
	assert_str(event_label(one(STR("{\"changelog\":{\"items\":[{\"field\":\"Zustand\","
				       "\"fieldId\":\"status\",\"toString\":\"Offen\"}]}}")),
			   STR("status_to")),
		"Offen");
	const struct event *ev = one(STR("{\"changelog\":{\"items\":[{\"field\":\"status\","
					 "\"fromString\":1,\"toString\":2},{}]}}"));
	assert_str(event_label(ev, STR("status_from")), "1");
	assert_str(event_label(ev, STR("status_to")), "2");
	assert_str(event_label(ev, STR("changed")), "status");
}

/* ---- links ---- */

static size_t links(const char *self)
{
	return one(arena_printf(&rig.arena, "{\"issue\":{\"key\":\"A-1\",\"self\":\"%s\"}}", self))
		->links_n;
}

static void link_of_the_page(void **state)
{
	(void)state;
	const struct event *ev = one(STR(
		"{\"issue\":{\"key\":\"A-1\",\"self\":\"https://j.example/rest/api/2/issue/1\"}}"));

	assert_int_equal(ev->links_n, 1);
	assert_str(ev->links[0].value, "https://j.example/browse/A-1");
	assert_int_equal(links("https://j.example/rest"), 0);
	assert_int_equal(links(""), 0);
}

/* ---- faults ---- */

static void faults(void **state)
{
	(void)state;
	rig_refused(&rig, STR("7"), ERR_INPUT, "body: want an object, got a number");
	rig_refused(&rig, STR("{\"webhookEvent\":[]}"), ERR_INPUT,
		"webhookEvent: want a string, got an array");
	rig_refused(&rig, STR("{\"timestamp\":\"now\"}"), ERR_INPUT,
		"timestamp: want a number of milliseconds, got a string");
	rig_refused(&rig, STR("{\"timestamp\":-1}"), ERR_INPUT, "timestamp: want a time, got -1");
	rig_refused(
		&rig, STR("{\"issue\":\"A-1\"}"), ERR_INPUT, "issue: want an object, got a string");
	rig_refused(&rig, STR("{\"issue\":{\"fields\":{\"status\":\"Open\"}}}"), ERR_INPUT,
		"issue.fields.status: want an object, got a string");
	rig_refused(&rig, STR("{\"changelog\":{\"items\":{}}}"), ERR_INPUT,
		"changelog.items: want an array, got an object");
	rig_refused(&rig, STR("{\"changelog\":{\"items\":[{},7]}}"), ERR_INPUT,
		"changelog.items[1]: want an object, got a number");
	rig_refused(&rig, STR("{\"changelog\":{\"items\":[{\"field\":7}]}}"), ERR_INPUT,
		"changelog.items[0].field: want a string, got a number");
}

/* ---- real samples ---- */

static void real_samples(void **state)
{
	static const struct {
		const char *name, *type, *status, *status_from;
		int64_t ms;
	} files[] = {
		{"webhook-issue-created.json", "jira_issue_created", "To Do", "",
			INT64_C(1550286113023)},
		{"webhook-issue-updated-resolved.json", "jira_issue_updated", "Done", "In Progress",
			INT64_C(1550286940507)},
		{"webhook-server-old-issue-updated-no-event-type-assigned.json",
			"jira_issue_updated", "To Do", "", INT64_C(1550287081752)},
		{"webhook-cloud-comment-created.json", "jira_comment_created", "To Do", "",
			INT64_C(1550286678321)},
	};

	(void)state;
	if (access(SHARED_DIR "/payloads/jira", R_OK) != 0)
		return; /* the golden files have their shapes */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str path =
			arena_printf(&rig.arena, SHARED_DIR "/payloads/jira/%s", files[i].name);
		const struct event *ev = one(rig_file(&rig, path.p));

		assert_str(ev->type, files[i].type);
		assert_str(event_label(ev, STR("issue")), "TES-41");
		assert_str(event_label(ev, STR("project")), "TES");
		assert_str(event_label(ev, STR("status")), files[i].status);
		assert_true(str_is(event_label(ev, STR("status_from")), files[i].status_from));
		assert_true(ev->time_ns == files[i].ms * 1000000);
		assert_int_equal(ev->severity, SEVERITY_ERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(golden_files),
		TEST(changes),
		TEST(link_of_the_page),
		TEST(faults),
		TEST(real_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
