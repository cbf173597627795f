/* gitlab.c: what GitLab posts to a webhook of a project, a group or the instance.
 *
 * One request is one event, `data` its whole body; object_kind names it (of a system hook
 *event_name, and else the header X-Gitlab-Event). Types and labels are those of github.c where both
 *have such a thing, so that one rule serves both.
 *
 *	pipeline	failed, success: the alert of a ref of a project
 *	build (a job)	failed, success: the alert of that job on the ref; not where it is allowed
 *to fail deployment	failed, success: the alert of an environment all others	info events;
 *docs/sources.md lists them
 *
 * What neither fails nor succeeds (running, canceled) is an info event. GitLab disables a hook
 *whose answers are 4xx, so a kind that is not known here is taken whatever its members are like.
 *
 * The delivery id is Idempotency-Key. X-Gitlab-Event-UUID is none: webhooks that follow from one
 *another share it, and nothing in a message says whether this one does; as a delivery id it would
 *swallow all but the first.
 */
#include "source/draft.h"
#include "source/fields.h"
#include "source/kinds.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The title, beginning of a summary. */
static struct str title_of(struct draft *d)
{
	return fields_cut(draft_text(d, "object_attributes.title"), 1024);
}

/* ---- pushes and merge requests ---- */

/* Git's name for "none": the other side of a push that creates or deletes. */
static bool is_zero(struct str sha)
{
	for (size_t i = 0; i < sha.n; i++)
		if (sha.p[i] != '0')
			return false;
	return sha.n > 0;
}

static void read_push(struct draft *d)
{
	struct str ref = draft_text(d, "ref"), branch = draft_after(ref, "refs/heads/"),
		   tag = draft_after(ref, "refs/tags/");
	bool deleted = is_zero(draft_text(d, "after"));

	if (branch.n == 0 && tag.n == 0)
		return;
	draft_put(d, "branch", branch);
	draft_put(d, "tag", tag);
	draft_take(d, "sha", deleted ? "before" : "after");
	draft_take(d, "actor", "user_username");
	if (branch.n)
		draft_type(d, deleted ? "git_branch_deleted" : "git_push", STR_NONE);
	else
		draft_type(d, deleted ? "git_tag_deleted" : "git_tag_pushed", STR_NONE);
	draft_summary(d, "%.*s %s %.*s", STR_ARG(draft_label_of(d, "repo")),
		deleted ? "deleted" : "pushed", STR_ARG(branch.n ? branch : tag));
}

/* Of GitLab's words for what was done those that GitHub has, too. */
static struct str action_word(struct str action)
{
	if (str_is(action, "open"))
		return STR("opened");
	if (str_is(action, "close"))
		return STR("closed");
	return str_is(action, "reopen") ? STR("reopened") : action;
}

/* Merged is what `action` says: the hook's test button sends an old one, whose `state` may be
 * merged, without. */
static void read_merge_request(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"number", "object_attributes.iid"},
		{"branch", "object_attributes.target_branch"},
		{"source_branch", "object_attributes.source_branch"},
		{"sha", "object_attributes.last_commit.id"},
	};
	struct str action = draft_label_of(d, "action");

	draft_take_all(d, labels, COUNT(labels));
	if (str_is(action, "merge")) {
		draft_take(d, "sha", "object_attributes.merge_commit_sha");
		draft_type(d, "git_branch_merged", STR_NONE);
	} else {
		draft_type(d, action.n ? "git_pull_request_" : "git_pull_request",
			action_word(action));
	}
	d->event->time_ns = draft_time(d, "object_attributes.updated_at");
	draft_link(d, "pull_request", draft_text(d, "object_attributes.url"));
	draft_summary(d, "%.*s !%.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "number")), STR_ARG(title_of(d)));
}

/* ---- pipelines, jobs, deployments ---- */

static enum event_status outcome_of(struct str status)
{
	if (str_is(status, "failed"))
		return EVENT_FIRING;
	return str_is(status, "success") ? EVENT_RESOLVED : EVENT_INFO;
}

/* A ref is a branch, or a tag where the message says so. */
static void put_ref(struct draft *d, const char *flag)
{
	draft_put(d, draft_flag(d, flag) ? "tag" : "branch", draft_label_of(d, "ref"));
}

static void read_pipeline(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"pipeline", "object_attributes.name"},
		{"ref", "object_attributes.ref"},
		{"sha", "object_attributes.sha"},
		{"run_id", "object_attributes.id"},
		{"trigger", "object_attributes.source"},
		{"conclusion", "object_attributes.status"},
	};
	static const char *const identity[] = {
		"project_id", "ref", "source_project_id", "tag", "child", NULL};
	struct str from = draft_text(d, "merge_request.source_project_id");

	draft_take_all(d, labels, COUNT(labels));
	put_ref(d, "object_attributes.tag");
	/* A fork may call its branch as ours is called. */
	if (!str_eq(from, draft_text(d, "merge_request.target_project_id")))
		draft_put(d, "source_project_id", from);
	/* Its end is not that of the pipeline that started it. */
	if (str_is(draft_label_of(d, "trigger"), "parent_pipeline"))
		draft_put(d, "child", STR("true"));
	struct str status = draft_label_of(d, "conclusion");
	d->event->time_ns = draft_time(d, "object_attributes.finished_at");
	draft_link(d, "run", draft_text(d, "object_attributes.url"));
	draft_summary(d, "pipeline on %.*s of %.*s: %.*s", STR_ARG(draft_label_of(d, "ref")),
		STR_ARG(draft_label_of(d, "repo")), STR_ARG(status));
	if (outcome_of(status) != EVENT_INFO)
		draft_alert(
			d, "PipelineFailed", outcome_of(status), identity, 2, d->event->time_ns);
}

/* Older versions have no `project` here: its path is that of its page. */
static void put_repo_of_page(struct draft *d)
{
	struct str page = draft_text(d, "repository.homepage"),
		   rest = draft_after(page, "https://");

	rest = rest.n ? rest : draft_after(page, "http://");
	const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	if (slash && draft_label_of(d, "repo").n == 0)
		draft_put(
			d, "repo", (struct str){slash + 1, (size_t)(rest.p + rest.n - slash - 1)});
}

static void read_job(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"job", "build_name"},
		{"stage", "build_stage"},
		{"ref", "ref"},
		{"sha", "sha"},
		{"run_id", "pipeline_id"},
		{"job_id", "build_id"},
		{"environment", "environment.name"},
		{"conclusion", "build_status"},
	};
	static const char *const identity[] = {"project_id", "ref", "job", "tag", NULL};

	draft_take_all(d, labels, COUNT(labels));
	put_ref(d, "tag");
	put_repo_of_page(d);
	struct str status = draft_label_of(d, "conclusion");
	bool harmless = draft_flag(d, "build_allow_failure") && str_is(status, "failed");
	if (str_is(status, "failed"))
		draft_take(d, "reason", "build_failure_reason");
	d->event->time_ns = draft_time(d, "build_finished_at");
	draft_summary(d, "%.*s on %.*s of %.*s: %.*s", STR_ARG(draft_label_of(d, "job")),
		STR_ARG(draft_label_of(d, "ref")), STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(status));
	if (outcome_of(status) != EVENT_INFO && !harmless)
		draft_alert(d, "JobFailed", outcome_of(status), identity, 3, d->event->time_ns);
}

static void read_deployment(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"environment", "environment"},
		{"deployment_id", "deployment_id"},
		{"ref", "ref"},
		{"sha", "short_sha"},
		{"state", "status"},
	};
	static const char *const identity[] = {"project_id", "environment", NULL};

	draft_take_all(d, labels, COUNT(labels));
	struct str state = draft_label_of(d, "state");
	d->event->time_ns = draft_time(d, "status_changed_at");
	draft_link(d, "environment", draft_text(d, "environment_external_url"));
	draft_link(d, "log", draft_text(d, "deployable_url"));
	draft_summary(d, "%.*s to %.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "environment")), STR_ARG(state));
	if (outcome_of(state) != EVENT_INFO)
		draft_alert(
			d, "DeploymentFailed", outcome_of(state), identity, 2, d->event->time_ns);
}

/* ---- issues and releases ---- */

static void read_issue(struct draft *d)
{
	draft_take(d, "number", "object_attributes.iid");
	draft_link(d, "issue", draft_text(d, "object_attributes.url"));
	d->event->time_ns = draft_time(d, "object_attributes.updated_at");
	draft_type(d, "git_issue", STR_NONE);
	draft_summary(d, "%.*s #%.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "number")), STR_ARG(title_of(d)));
}

static void read_release(struct draft *d)
{
	draft_take(d, "tag", "tag");
	draft_take(d, "action", "action");
	draft_take(d, "sha", "commit.id");
	draft_link(d, "release", draft_text(d, "url"));
	d->event->time_ns = draft_time(d, "released_at");
	draft_type(d, "git_release", STR_NONE);
	draft_summary(d, "%.*s released %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "tag")));
}

/* ---- any event ---- */

static const struct {
	const char *kind;
	void (*read)(struct draft *d);
} kinds[] = {
	{"push", read_push},
	{"tag_push", read_push},
	{"merge_request", read_merge_request},
	{"pipeline", read_pipeline},
	{"build", read_job},
	{"deployment", read_deployment},
	{"issue", read_issue},
	{"release", read_release},
};

static void read_known(struct draft *d, void (*read)(struct draft *d))
{
	static const struct draft_label labels[] = {
		{"repo", "project.path_with_namespace"},
		{"project_id", "project_id"},
		{"project_id", "project.id"},
		{"actor", "user.username"},
	};

	draft_take_all(d, labels, COUNT(labels));
	/* Of a job, a push and so on there are no attributes; draft_at gives none then. */
	draft_take(d, "action", "object_attributes.action");
	read(d);
}

/* A text of a kind that is not known, where it is one. */
static void take_if_text(struct draft *d, const char *label, const char *path)
{
	const struct json *j = json_path(d->body, str_of(path));

	if (j && j->kind == JSON_STRING)
		draft_put(d, label, fields_cut(j->text, SOURCE_VALUE_LIMIT));
}

static void read_other(struct draft *d)
{
	take_if_text(d, "repo", "project.path_with_namespace");
	take_if_text(d, "actor", "user.username");
	take_if_text(d, "action", "object_attributes.action");
}

static struct str kind_of(struct draft *d, const struct source_request *rq)
{
	struct str kind = draft_text(d, "object_kind");

	if (kind.n == 0)
		kind = draft_text(d, "event_name");
	return fields_cut(kind.n ? kind : draft_header(d, rq, "X-Gitlab-Event"), DRAFT_WORD_LIMIT);
}

int gitlab_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	struct draft d;
	struct str kind;
	void (*read)(struct draft *) = NULL;

	if (draft_begin(&d, a, rq, body->json, out, e) < 0)
		return -1;
	kind = kind_of(&d, rq);
	d.event->delivery = draft_header(&d, rq, "Idempotency-Key");
	draft_put(&d, "event", kind);
	draft_type(&d, kind.n ? "gitlab_" : "gitlab", kind);
	draft_summary(&d, "%.*s", STR_ARG(kind.n ? kind : STR("gitlab")));
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_is(kind, kinds[i].kind))
			read = kinds[i].read;
	if (read)
		read_known(&d, read);
	else
		read_other(&d);
	return draft_end(&d, out);
}
