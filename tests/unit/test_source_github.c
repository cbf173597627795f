/* The GitHub source: golden files, forms, the header that names the event, which action fires,
 * identity, the type of each field, the limits; and real samples where they are at hand. */
#include "unit.h"
#include <unistd.h>
#include "source/draft.h"
#define RIG_KIND "github"
#include "source_rig.h"

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 39);
}

static const struct event *one(struct str body)
{
	return rig_one(&rig, body);
}

/* ---- headers ---- */

static const struct kv *headers(const char *event, const char *type)
{
	static struct kv list[4];

	list[0] = (struct kv){STR("x-github-event"), str_of(event)};
	list[1] =
		(struct kv){STR("X-GitHub-Delivery"), STR("5c1d3b1e-0000-4000-8000-000000000001")};
	list[2] = (struct kv){STR("content-type"), str_of(type)};
	list[3] = (struct kv){STR(""), STR("")};
	return list;
}

static void header_names_the_event(void **state)
{
	(void)state;
	rig.headers = headers("push", "application/json");
	const struct event *ev = one(rig_golden(&rig, "push", ".json"));
	assert_str(ev->type, "git_push");
	assert_str(ev->delivery, "5c1d3b1e-0000-4000-8000-000000000001");
	/* It counts, not what the body looks like. */
	rig.headers = headers("star", "application/json");
	ev = one(rig_golden(&rig, "push", ".json"));
	assert_str(ev->type, "github_star");
	assert_str(event_label(ev, STR("event")), "star");
	assert_str(event_label(ev, STR("repo")), "harbour/till");
	rig.headers = headers("ping", "application/json");
	assert_int_equal(rig_taken(&rig, STR("{}")).n, 0);
	rig.headers = headers("Odd Name/\xc3\xa9", "application/json");
	assert_str(one(STR("{}"))->type, "github_odd_name___");
	rig.headers = headers("\xff", "application/json");
	assert_str(one(STR("{}"))->type, "github");
	/* One that is ours without what it is about is an info event, not refused. */
	static const char *const ours[] = {"push", "pull_request", "workflow_run", "check_run",
		"deployment_status", "status", "code_scanning_alert", "dependabot_alert",
		"secret_scanning_alert", "issues", "release"};
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		rig.headers = headers(ours[i], "application/json");
		ev = one(STR("{\"action\":\"created\"}"));
		assert_int_equal(ev->status, EVENT_INFO);
		assert_int_equal(ev->fingerprint.n, 0);
	}
}

static struct str as_form(struct str json)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "payload=");
	for (size_t i = 0; i < json.n; i++)
		buf_printf(&b, "%%%02X", (unsigned char)json.p[i]);
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void forms(void **state)
{
	struct source_batch out;
	struct err e;

	(void)state;
	rig.headers = headers("issues", "application/x-www-form-urlencoded; charset=utf-8");
	const struct event *ev = one(as_form(rig_golden(&rig, "issues-opened", ".json")));
	assert_str(ev->type, "git_issue");
	assert_str(ev->summary, "harbour/till #91: Till sums wrongly \xe2\x80\x93 sometimes");
	rig_refused(&rig, STR(""), ERR_INPUT, "payload: missing");
	rig_refused(&rig, STR("body=1"), ERR_INPUT, "payload: missing");
	rig_refused(&rig, STR("payload=[1"), ERR_INPUT, "payload: ");
	rig_refused(&rig, STR("payload=[1]"), ERR_INPUT, "body: want an object, got an array");
	rig_refused(&rig, STR("{\"action\":1}"), ERR_INPUT, "payload: missing");
	/* The place in the payload as it was encoded from. */
	assert_int_equal(rig_take(&rig, as_form(STR("{\"action\":[]}")), 5, &out, &e), -1);
	assert_int_equal(e.offset, 10);
}

/* ---- what fires and what resolves ---- */

static struct str finding(const char *action)
{
	return arena_printf(&rig.arena,
		"{\"action\":\"%s\",\"repository\":{\"full_name\":\"o/r\"},\"alert\":{\"number\":7,"
		"\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-02T00:00:00Z\"}}",
		action);
}

static void actions(void **state)
{
	static const char *const kinds[] = {
		"code_scanning_alert", "dependabot_alert", "secret_scanning_alert"};
	static const struct {
		const char *action;
		enum event_status status;
		int64_t day; /* of starts_ns; 0: not set */
	} cases[] = {
		{"created", EVENT_FIRING, 1},
		{"reopened", EVENT_FIRING, 2},
		{"reopened_by_user", EVENT_FIRING, 2},
		{"reintroduced", EVENT_FIRING, 2},
		{"auto_reopened", EVENT_FIRING, 2},
		{"appeared_in_branch", EVENT_FIRING, 0},
		{"fixed", EVENT_RESOLVED, 2},
		{"closed_by_user", EVENT_RESOLVED, 2},
		{"dismissed", EVENT_RESOLVED, 2},
		{"auto_dismissed", EVENT_RESOLVED, 2},
		{"resolved", EVENT_RESOLVED, 2},
		{"assigned", EVENT_INFO, 0},
		{"updated_assignment", EVENT_INFO, 0},
	};

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		rig.headers = headers(kinds[k], "application/json");
		struct str fingerprint = one(finding("created"))->fingerprint;
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			const struct event *ev = one(finding(cases[i].action));
			assert_int_equal(ev->status, cases[i].status);
			if (cases[i].status == EVENT_INFO) {
				assert_str(ev->type,
					arena_printf(&rig.arena, "github_%s", kinds[k]).p);
				assert_int_equal(ev->fingerprint.n, 0);
				continue;
			}
			assert_str(ev->type, "alert");
			assert_true(str_eq(ev->fingerprint, fingerprint));
			assert_true(
				ev->starts_ns ==
				(cases[i].day ? (INT64_C(1767225600) + (cases[i].day - 1) * 86400) *
							1000000000
					      : 0));
			assert_true(ev->ends_ns ==
				    (cases[i].status == EVENT_RESOLVED ? ev->starts_ns : 0));
		}
	}
}

static const struct event *workflow(
	const char *conclusion, const char *branch, const char *head_repo)
{
	rig.headers = headers("workflow_run", "application/json");
	return one(arena_printf(&rig.arena,
		"{\"action\":\"completed\",\"repository\":{\"full_name\":\"o/"
		"r\"},\"workflow_run\":{"
		"\"workflow_id\":5,\"name\":\"ci\",\"head_branch\":\"%s\",\"conclusion\":\"%s\","
		"\"head_repository\":"
		"{\"full_name\":\"%s\"}}}",
		branch, conclusion, head_repo));
}

static void workflows(void **state)
{
	static const struct {
		const char *conclusion;
		enum event_status status;
	} cases[] = {
		{"failure", EVENT_FIRING},
		{"timed_out", EVENT_FIRING},
		{"startup_failure", EVENT_FIRING},
		{"success", EVENT_RESOLVED},
		{"cancelled", EVENT_INFO},
		{"skipped", EVENT_INFO},
		{"neutral", EVENT_INFO},
		{"stale", EVENT_INFO},
		{"action_required", EVENT_INFO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			workflow(cases[i].conclusion, "main", "o/r")->status, cases[i].status);
	struct str red = workflow("failure", "main", "o/r")->fingerprint;
	assert_true(str_eq(red, workflow("success", "main", "o/r")->fingerprint));
	assert_false(str_eq(red, workflow("success", "dev", "o/r")->fingerprint));
	/* The branch of that name in a fork is another one. */
	assert_false(str_eq(red, workflow("success", "main", "fork/r")->fingerprint));
	assert_str(event_label(workflow("success", "main", "fork/r"), STR("head_repo")), "fork/r");
	assert_str(event_label(workflow("failure", "main", "o/r"), STR("head_repo")), "");
	assert_int_equal(workflow("failure", "", "o/r")->status, EVENT_INFO);
}

/* ---- types and limits ---- */

static struct str check_of(const char *app, const char *suite, const char *conclusion)
{
	rig.headers = headers("check_run", "application/json");
	const struct event *ev = one(arena_printf(&rig.arena,
		"{\"action\":\"completed\",\"repository\":{\"full_name\":\"o/r\"},"
		"\"check_run\":{\"name\":\"build\",\"head_sha\":\"1f\",\"conclusion\":\"%s\","
		"\"app\":%s,\"check_suite\":%s}}",
		conclusion, app, suite));
	assert_str(ev->type, "alert");
	return ev->fingerprint;
}

static struct str check(const char *app, const char *conclusion)
{
	return check_of(app, "null", conclusion);
}

/* Apps name their checks as they like: one's success says nothing about another's failure. */
static void checks(void **state)
{
	static const char ours[] = "{\"slug\":\"github-actions\"}",
			  other[] = "{\"slug\":\"buildkite\"}";

	(void)state;
	assert_true(str_eq(check(ours, "failure"), check(ours, "success")));
	assert_false(str_eq(check(ours, "failure"), check(other, "success")));
	assert_true(str_eq(check("null", "failure"), check("null", "success")));
}

/* Each run of a workflow is a suite of its own, and two workflows may have jobs of one name. */
static void checks_of_two_workflows(void **state)
{
	static const char app[] = "{\"slug\":\"github-actions\"}";
	struct str red = check_of(app, "{\"id\":61}", "failure");

	(void)state;
	assert_true(str_eq(red, check_of(app, "{\"id\":61}", "success")));
	assert_false(str_eq(red, check_of(app, "{\"id\":62}", "success")));
	assert_false(str_eq(red, check(app, "success")));
}

static void wrong_types(void **state)
{
	static const struct {
		const char *event, *body, *want;
	} cases[] = {
		{"push", "[]", "body: want an object, got an array"},
		{"push", "{\"ref\":1.5,\"action\":[]}", "action: want a string, got an array"},
		{"push", "{\"ref\":[]}", "ref: want a string, got an array"},
		{"push", "{\"repository\":[]}", "repository: want an object, got an array"},
		{"push", "{\"repository\":{\"full_name\":{}}}",
			"repository.full_name: want a string, got an object"},
		{"push", "{\"sender\":\"x\"}", "sender: want an object, got a string"},
		{"push", "{\"ref\":\"refs/heads/a\",\"deleted\":\"no\"}",
			"deleted: want true or false, got a string"},
		{"push", "{\"ref\":\"refs/heads/a\",\"repository\":{\"pushed_at\":1e3}}",
			"repository.pushed_at: want a time, got 1e3"},
		{"push", "{\"ref\":\"refs/heads/a\",\"repository\":{\"pushed_at\":-1}}",
			"repository.pushed_at: want a time"},
		{"push", "{\"ref\":\"refs/heads/a\",\"repository\":{\"pushed_at\":9223372036}}",
			"repository.pushed_at: want a time"},
		{"push", "{\"ref\":\"refs/heads/a\",\"repository\":{\"pushed_at\":\"now\"}}",
			"repository.pushed_at: 'now' is no time"},
		{"pull_request", "{\"pull_request\":7}",
			"pull_request: want an object, got a number"},
		{"pull_request", "{\"pull_request\":{\"base\":\"main\"}}",
			"pull_request.base: want an object, got a string"},
		{"pull_request", "{\"action\":\"closed\",\"pull_request\":{\"merged\":1}}",
			"pull_request.merged: want true or false"},
		{"workflow_run", "{\"workflow_run\":{\"workflow_id\":true}}",
			"workflow_run.workflow_id: want a string, got a boolean"},
		{"workflow_run", "{\"workflow_run\":{\"updated_at\":\"2026\"}}",
			"workflow_run.updated_at: '2026' is no time"},
		{"check_run", "{\"check_run\":{\"check_suite\":[]}}",
			"check_run.check_suite: want an object"},
		{"deployment_status", "{\"deployment\":[]}", "deployment: want an object"},
		{"status", "{\"state\":{}}", "state: want a string"},
		{"code_scanning_alert", "{\"alert\":{\"rule\":\"x\"}}",
			"alert.rule: want an object"},
		{"dependabot_alert", "{\"alert\":{\"number\":[]}}", "alert.number: want a string"},
		{"secret_scanning_alert", "{\"alert\":{\"secret_type\":[]}}",
			"alert.secret_type: want a string"},
		{"issues", "{\"issue\":[]}", "issue: want an object"},
		{"release", "{\"release\":{\"published_at\":[]}}",
			"release.published_at: want a string"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig.headers = headers(cases[i].event, "application/json");
		rig_refused(&rig, str_of(cases[i].body), ERR_INPUT, cases[i].want);
	}
}

static struct str ref_of(size_t n)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "{\"ref\":\"refs/heads/");
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, 'b');
	buf_puts(&b, "\"}");
	struct str s = arena_strdup(&rig.arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static void limits(void **state)
{
	static char longer[200];
	struct buf b;

	(void)state;
	rig.headers = headers("push", "application/json");
	const struct event *ev = one(ref_of(SOURCE_VALUE_LIMIT));
	assert_int_equal(event_label(ev, STR("branch")).n, SOURCE_VALUE_LIMIT);
	assert_int_equal(ev->summary.n, SOURCE_SUMMARY_LIMIT);
	rig_refused(&rig, ref_of(SOURCE_VALUE_LIMIT + 1), ERR_LIMIT,
		"label 'branch' has 1048577 bytes, at most 1048576");
	memset(longer, 'x', sizeof(longer) - 1);
	rig.headers = headers(longer, "application/json");
	assert_int_equal(one(STR("{}"))->type.n, strlen("github_") + DRAFT_WORD_LIMIT);
	/* Nesting in a form's payload counts as in a body. */
	rig.headers = headers("push", "application/x-www-form-urlencoded");
	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "payload=");
	for (unsigned i = 0; i <= SOURCE_DEPTH_LIMIT; i++)
		buf_putc(&b, '[');
	rig_refused(&rig, buf_as_str(&b), ERR_LIMIT, "payload: nested too deep");
	buf_release(&b);
}

static void a_full_arena(void **state)
{
	struct str body = rig_golden(&rig, "workflow-run-failed", ".json");
	struct arena whole = rig.arena;
	struct source_batch out;
	struct err e;
	unsigned refused = 0, taken = 0;

	(void)state;
	for (size_t limit = 1 << 10; limit < 96 << 10; limit += 64) {
		arena_init(&rig.arena, limit);
		if (rig_take(&rig, body, 4096, &out, &e) < 0) {
			assert_int_equal(e.code, ERR_LIMIT);
			refused++;
		} else {
			assert_int_equal(out.events[0].status, EVENT_FIRING);
			assert_int_equal(out.events[0].fingerprint.n, 16);
			taken++;
		}
		arena_release(&rig.arena);
	}
	rig.arena = whole;
	assert_true(refused > 0 && taken > 0);
}

/* ---- messages as published, where they lie beside the project ---- */

static void published_messages(void **state)
{
	static const struct {
		const char *name, *event, *type;
		enum event_status status;
	} files[] = {
		{"code_scanning_alert-created.json", "code_scanning_alert", "alert", EVENT_FIRING},
		{"code_scanning_alert-fixed.json", "code_scanning_alert", "alert", EVENT_RESOLVED},
		{"pull_request-closed-merged-derived.json", "pull_request", "git_branch_merged",
			EVENT_INFO},
		{"pull_request-closed-unmerged.json", "pull_request", "git_pull_request_closed",
			EVENT_INFO},
		{"push-branch-deleted.json", "push", "git_tag_deleted", EVENT_INFO},
		{"push-compact-signed.json", "push", "git_push", EVENT_INFO},
		{"push.json", "push", "git_push", EVENT_INFO},
		{"status.json", "status", "github_status", EVENT_INFO},
		{"workflow_run-completed.json", "workflow_run", "github_workflow_run", EVENT_INFO},
	};
	struct str fingerprint = STR_NONE;

	(void)state;
	if (access(SHARED_DIR "/payloads/github", R_OK) != 0)
		return; /* the golden files have their shapes */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str body = rig_file(&rig,
			arena_printf(&rig.arena, SHARED_DIR "/payloads/github/%s", files[i].name)
				.p);

		for (unsigned guess = 0; guess < 2; guess++) {
			rig.headers = guess ? NULL : headers(files[i].event, "application/json");
			const struct event *ev = one(body);
			assert_str(ev->type, files[i].type);
			assert_str(event_label(ev, STR("event")), files[i].event);
			assert_int_equal(ev->status, files[i].status);
			assert_int_equal(ev->delivery.n, guess ? 0 : 36);
			if (ev->fingerprint.n == 0)
				continue;
			assert_true(!fingerprint.n || str_eq(fingerprint, ev->fingerprint));
			fingerprint = ev->fingerprint;
		}
	}
	rig.headers = NULL;
	assert_int_equal(
		rig_taken(&rig, rig_file(&rig, SHARED_DIR "/payloads/github/ping.json")).n, 0);
}

TESTS_MAIN(TEST(golden_files), TEST(header_names_the_event), TEST(forms), TEST(actions),
	TEST(workflows), TEST(checks), TEST(checks_of_two_workflows), TEST(wrong_types),
	TEST(limits), TEST(a_full_arena), TEST(published_messages))
