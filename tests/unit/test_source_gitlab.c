/* The GitLab source: golden files, headers, identity, the type of each field, what is not known;
 * and real samples where they are at hand. */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "gitlab"
#include "source_rig.h"

static const struct kv delivery[] = {
	{STR("idempotency-key"), STR("2d8b7a64-1111-4222-8333-000000000001")}, {STR(""), STR("")}};

static void golden_files(void **state)
{
	(void)state;
	rig.headers = delivery;
	assert_int_equal(rig_golden_files(&rig), 28);
}

static const struct event *one(struct str body)
{
	return rig_one(&rig, body);
}

static const struct event *golden(const char *name)
{
	return one(rig_golden(&rig, name, ".json"));
}

/* ---- headers ---- */

static void event_uuid_is_no_delivery(void **state)
{
	static const struct kv shared[] = {{STR("X-Gitlab-Event-UUID"), STR("u-1")},
		{STR("X-Gitlab-Webhook-UUID"), STR("u-2")},
		{STR("X-Gitlab-Event"), STR("Push Hook")}, {STR(""), STR("")}};

	(void)state;
	rig.headers = shared;
	assert_int_equal(golden("push")->delivery.n, 0);
	/* The body names the event; the header only where it does not. */
	assert_str(golden("pipeline-failed")->type, "alert");
	assert_str(one(STR("{}"))->type, "gitlab_push_hook");
	rig.headers = NULL;
	assert_str(one(STR("{}"))->type, "gitlab");
}

/* ---- identity ---- */

static void identity(void **state)
{
	(void)state;
	struct str main = golden("pipeline-failed")->fingerprint;

	assert_int_equal(main.n, 16);
	assert_true(str_eq(main, golden("pipeline-succeeded")->fingerprint));
	assert_false(str_eq(main, golden("pipeline-of-a-tag")->fingerprint));
	assert_false(str_eq(main, golden("pipeline-of-a-fork")->fingerprint));
	assert_true(
		str_eq(golden("job-failed")->fingerprint, golden("job-succeeded")->fingerprint));
	assert_false(str_eq(golden("job-failed")->fingerprint, main));
	assert_false(str_eq(
		golden("job-failed")->fingerprint, golden("job-of-an-environment")->fingerprint));
	assert_true(str_eq(golden("deployment-failed")->fingerprint,
		golden("deployment-succeeded")->fingerprint));
	/* A merge request inside the project is no fork. */
	assert_true(str_eq(main,
		one(STR("{\"object_kind\":\"pipeline\",\"project\":{\"id\":315},\"merge_request\":{"
			"\"source_project_id\":315,\"target_project_id\":315},\"object_"
			"attributes\":{\"ref\":\"main\",\"status\":\"failed\"}}"))
			->fingerprint));
	/* A pipeline that another one of the project started says nothing about that one. */
	const struct event *child = one(
		STR("{\"object_kind\":\"pipeline\",\"project\":{\"id\":315},\"object_attributes\":{"
		    "\"ref\":\"main\",\"status\":\"success\",\"source\":\"parent_pipeline\"}}"));
	assert_int_equal(child->status, EVENT_RESOLVED);
	assert_false(str_eq(main, child->fingerprint));
	/* A tag may be called as a branch is. */
	assert_false(str_eq(main, one(STR("{\"object_kind\":\"pipeline\",\"project\":{\"id\":315},"
					  "\"object_attributes\":{"
					  "\"ref\":\"main\",\"tag\":true,\"status\":\"success\"}}"))
					  ->fingerprint));
	assert_false(str_eq(one(STR("{\"object_kind\":\"build\",\"project_id\":1,\"ref\":\"v1\","
				    "\"build_name\":\"t\",\"tag\":true,"
				    "\"build_status\":\"failed\"}"))
				    ->fingerprint,
		one(STR("{\"object_kind\":\"build\",\"project_id\":1,\"ref\":\"v1\",\"build_name\":"
			"\"t\",\"build_status\":\"failed\"}"))
			->fingerprint));
	/* Without what it is about it is no alert, and no fault either. */
	const struct event *ev = one(STR(
		"{\"object_kind\":\"pipeline\",\"object_attributes\":{\"status\":\"failed\"}}"));
	assert_str(ev->type, "gitlab_pipeline");
	assert_int_equal(ev->status, EVENT_INFO);
	assert_int_equal(ev->fingerprint.n, 0);
}

/* ---- the repository where a job does not name it ---- */

static struct str repo_of(const char *homepage)
{
	return event_label(
		one(arena_printf(&rig.arena,
			"{\"object_kind\":\"build\",\"repository\":{\"homepage\":\"%s\"}}",
			homepage)),
		STR("repo"));
}

static void repo_of_a_job(void **state)
{
	(void)state;
	assert_str(repo_of("http://git.example:8080/a/b/c"), "a/b/c");
	assert_int_equal(repo_of("https://git.example").n, 0);
	assert_int_equal(repo_of("https://git.example/").n, 0);
	assert_int_equal(repo_of("git@git.example:a/b").n, 0);
	assert_str(
		event_label(one(STR("{\"object_kind\":\"build\",\"project\":{\"path_with_"
				    "namespace\":\"x/y\"},"
				    "\"repository\":{\"homepage\":\"https://git.example/a/b\"}}")),
			STR("repo")),
		"x/y");
}

/* ---- faults ---- */

static void faults(void **state)
{
	(void)state;
	rig_refused(&rig, STR("[]"), ERR_INPUT, "body: want an object, got an array");
	rig_refused(&rig, STR("{\"object_kind\":{}}"), ERR_INPUT,
		"object_kind: want a string, got an object");
	rig_refused(&rig, STR("{\"object_kind\":\"push\",\"ref\":true}"), ERR_INPUT,
		"ref: want a string, got a boolean");
	rig_refused(&rig, STR("{\"object_kind\":\"push\",\"project\":7}"), ERR_INPUT,
		"project: want an object, got a number");
	rig_refused(&rig, STR("{\"object_kind\":\"build\",\"build_allow_failure\":\"no\"}"),
		ERR_INPUT, "build_allow_failure: want true or false, got a string");
	rig_refused(&rig,
		STR("{\"object_kind\":\"pipeline\",\"object_attributes\":{\"finished_at\":\"soon\"}"
		    "}"),
		ERR_INPUT, "object_attributes.finished_at: 'soon' is no time");
}

/* A hook whose answers are 4xx is disabled: what is nothing to us is taken, whatever it looks like.
 */
static void not_known_is_taken(void **state)
{
	(void)state;
	const struct event *ev =
		one(STR("{\"object_kind\":\"Odd/"
			"kind\",\"project\":[7],\"user\":true,\"object_attributes\":1}"));

	assert_str(ev->type, "gitlab_odd_kind");
	assert_int_equal(ev->status, EVENT_INFO);
	assert_int_equal(ev->labels_n, 1);
	/* A push to neither a branch nor a tag. */
	assert_str(one(STR("{\"object_kind\":\"push\",\"ref\":\"refs/keep-around/1\"}"))->type,
		"gitlab_push");
}

/* ---- real samples ---- */

static void real_samples(void **state)
{
	static const struct {
		const char *name, *type, *repo;
		enum event_status status;
	} files[] = {
		{"push.json", "git_push", "mike/diaspora", EVENT_INFO},
		{"merge_request.json", "git_pull_request_opened", "gitlabhq/gitlab-test",
			EVENT_INFO},
		{"pipeline.json", "alert", "gitlab-org/gitlab-test", EVENT_RESOLVED},
		{"job.json", "alert", "jsmithy2/release-tools-fake", EVENT_RESOLVED},
	};

	(void)state;
	if (access(SHARED_DIR "/payloads/gitlab", R_OK) != 0)
		return; /* the golden files have their shapes */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct str path =
			arena_printf(&rig.arena, SHARED_DIR "/payloads/gitlab/%s", files[i].name);
		const struct event *ev = one(rig_file(&rig, path.p));

		assert_str(ev->type, files[i].type);
		assert_str(event_label(ev, STR("repo")), files[i].repo);
		assert_int_equal(ev->status, files[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(golden_files),
		TEST(event_uuid_is_no_delivery),
		TEST(identity),
		TEST(repo_of_a_job),
		TEST(faults),
		TEST(not_known_is_taken),
		TEST(real_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
