/* github.c: what GitHub posts to a webhook, as JSON or as the member `payload` of a form.
 *
 * One request is one event, `data` its whole body. X-GitHub-Event names it; without that header
 * (explain, a proxy that drops it) the members that only one event has do, and where none is sure
 * the type is `github`. A ping gives nothing.
 *
 *	workflow_run		completed: the alert of a workflow on a branch, failing or not
 *	check_run		completed: the alert of an app's check on a commit, by its suite
 *	deployment_status	the alert of an environment
 *	*_alert			the alert of that number in the repository
 *	all others		info events; docs/sources.md lists them
 *
 * What neither fails nor succeeds (cancelled, skipped) says nothing about the alert and is an info
 * event. An alert-like message without what identifies it is an info event, too, rather than an
 * error: GitHub does not send again, and nobody would see it.
 */
#include "source/draft.h"
#include "source/fields.h"
#include "source/form.h"
#include "source/kinds.h"

struct github_event {
	const char *name;    /* as in X-GitHub-Event */
	const char *members; /* that a body of it has, and none of an event further down */
	void (*read)(struct draft *d);
};

static struct str action_of(struct draft *d)
{
	return draft_text(d, "action");
}

/* ---- pushes and pull requests ---- */

static void read_push(struct draft *d)
{
	struct str ref = draft_text(d, "ref"), branch = draft_after(ref, "refs/heads/"),
		   tag = draft_after(ref, "refs/tags/");
	bool deleted = draft_flag(d, "deleted");

	if (branch.n == 0 && tag.n == 0)
		return;
	draft_put(d, "branch", branch);
	draft_put(d, "tag", tag);
	draft_take(d, "sha", deleted ? "before" : "after");
	draft_take(d, "actor", "pusher.name");
	draft_take(d, "actor", "sender.login");
	if (draft_flag(d, "forced"))
		draft_put(d, "forced", STR("true"));
	draft_link(d, "compare", draft_text(d, "compare"));
	d->event->time_ns = draft_time(d, "repository.pushed_at");
	if (branch.n)
		draft_type(d, deleted ? "git_branch_deleted" : "git_push", STR_NONE);
	else
		draft_type(d, deleted ? "git_tag_deleted" : "git_tag_pushed", STR_NONE);
	draft_summary(d, "%.*s %s %.*s", STR_ARG(draft_label_of(d, "repo")),
		deleted ? "deleted" : "pushed", STR_ARG(branch.n ? branch : tag));
}

static void read_pull_request(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"number", "pull_request.number"},
		{"branch", "pull_request.base.ref"},
		{"source_branch", "pull_request.head.ref"},
		{"sha", "pull_request.head.sha"},
		{"author", "pull_request.user.login"},
	};
	struct str action = action_of(d), title = draft_text(d, "pull_request.title");
	bool closed = str_is(action, "closed"),
	     merged = closed && draft_flag(d, "pull_request.merged");

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	if (merged) {
		draft_take(d, "sha", "pull_request.merge_commit_sha");
		draft_take(d, "actor", "pull_request.merged_by.login");
		draft_type(d, "git_branch_merged", STR_NONE);
	} else {
		draft_type(d, action.n ? "git_pull_request_" : "git_pull_request", action);
	}
	d->event->time_ns = draft_time(d, merged  ? "pull_request.merged_at"
					: closed ? "pull_request.closed_at"
						 : "pull_request.updated_at");
	draft_link(d, "pull_request", draft_text(d, "pull_request.html_url"));
	draft_summary(d, "%.*s #%.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "number")), STR_ARG(fields_cut(title, 1024)));
}

/* ---- workflows, checks, deployments ---- */

/* By a word like a conclusion. */
static enum event_status outcome_of(struct str word)
{
	static const char *const bad[] = {"failure", "timed_out", "startup_failure", "error", NULL};

	if (draft_is_one(word, bad))
		return EVENT_FIRING;
	return str_is(word, "success") ? EVENT_RESOLVED : EVENT_INFO;
}

static void read_workflow_run(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"pipeline", "workflow_run.name"},
		{"pipeline", "workflow.name"},
		{"workflow_id", "workflow_run.workflow_id"},
		{"branch", "workflow_run.head_branch"},
		{"sha", "workflow_run.head_sha"},
		{"run_id", "workflow_run.id"},
		{"run_attempt", "workflow_run.run_attempt"},
		{"trigger", "workflow_run.event"},
		{"actor", "workflow_run.triggering_actor.login"},
		{"conclusion", "workflow_run.conclusion"},
	};
	static const char *const identity[] = {"repo", "workflow_id", "branch", "head_repo", NULL};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	/* A fork may call its branch as ours is called. */
	struct str head = draft_text(d, "workflow_run.head_repository.full_name");
	if (!str_eq(head, draft_label_of(d, "repo")))
		draft_put(d, "head_repo", head);
	struct str conclusion = draft_label_of(d, "conclusion");
	d->event->time_ns = draft_time(d, "workflow_run.updated_at");
	draft_link(d, "run", draft_text(d, "workflow_run.html_url"));
	draft_summary(d, "%.*s on %.*s of %.*s: %.*s", STR_ARG(draft_label_of(d, "pipeline")),
		STR_ARG(draft_label_of(d, "branch")), STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(conclusion.n ? conclusion : draft_text(d, "workflow_run.status")));
	if (str_is(action_of(d), "completed") && outcome_of(conclusion) != EVENT_INFO)
		draft_alert(d, "PipelineFailed", outcome_of(conclusion), identity, 3,
			d->event->time_ns);
}

static void read_check_run(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"job", "check_run.name"},
		{"sha", "check_run.head_sha"},
		{"branch", "check_run.check_suite.head_branch"},
		{"run_id", "check_run.id"},
		{"app", "check_run.app.slug"},
		{"suite_id", "check_run.check_suite.id"},
		{"conclusion", "check_run.conclusion"},
	};
	/* Each run of a workflow is a suite, also when it runs again. */
	static const char *const identity[] = {"repo", "job", "sha", "app", "suite_id", NULL};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	struct str conclusion = draft_label_of(d, "conclusion");
	d->event->time_ns = draft_time(d, "check_run.completed_at");
	draft_link(d, "run", draft_text(d, "check_run.html_url"));
	draft_summary(d, "%.*s at %.*s of %.*s: %.*s", STR_ARG(draft_label_of(d, "job")),
		STR_ARG(draft_label_of(d, "sha")), STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(conclusion.n ? conclusion : draft_text(d, "check_run.status")));
	if (str_is(action_of(d), "completed") && outcome_of(conclusion) != EVENT_INFO)
		draft_alert(d, "JobFailed", outcome_of(conclusion), identity, 3, d->event->time_ns);
}

/* By its environment, not by deployment.id: it is another deployment that mends a failed one. */
static void read_deployment_status(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"environment", "deployment.environment"},
		{"environment", "deployment_status.environment"},
		{"deployment_id", "deployment.id"},
		{"ref", "deployment.ref"},
		{"sha", "deployment.sha"},
		{"task", "deployment.task"},
		{"state", "deployment_status.state"},
	};
	static const char *const identity[] = {"repo", "environment", "task", NULL};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	struct str state = draft_label_of(d, "state"),
		   why = draft_text(d, "deployment_status.description");
	d->event->time_ns = draft_time(d, "deployment_status.created_at");
	draft_link(d, "environment", draft_text(d, "deployment_status.environment_url"));
	draft_link(d, "log", draft_text(d, "deployment_status.log_url"));
	draft_summary(d, "%.*s to %.*s: %.*s%s%.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "environment")), STR_ARG(state), why.n ? ": " : "",
		STR_ARG(fields_cut(why, 1024)));
	if (outcome_of(state) != EVENT_INFO)
		draft_alert(
			d, "DeploymentFailed", outcome_of(state), identity, 2, d->event->time_ns);
}

static void read_status(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"repo", "name"},
		{"sha", "sha"},
		{"context", "context"},
		{"state", "state"},
	};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	draft_link(d, "target", draft_text(d, "target_url"));
	d->event->time_ns = draft_time(d, "updated_at");
	draft_summary(d, "%.*s at %.*s of %.*s: %.*s", STR_ARG(draft_label_of(d, "context")),
		STR_ARG(draft_label_of(d, "sha")), STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "state")));
}

/* ---- findings: code scanning, Dependabot, secret scanning ---- */

static enum event_status finding_status(struct str action)
{
	static const char *const opens[] = {"created", "reopened", "reopened_by_user",
		"appeared_in_branch", "reintroduced", "auto_reopened", NULL};
	static const char *const closes[] = {
		"fixed", "closed_by_user", "dismissed", "auto_dismissed", "resolved", NULL};

	if (draft_is_one(action, opens))
		return EVENT_FIRING;
	return draft_is_one(action, closes) ? EVENT_RESOLVED : EVENT_INFO;
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When it opened, or was closed; 0 where the message has no such time. That of `created` is no time
 * for any other opening: it would say that nothing is new. */
static int64_t finding_time(struct draft *d, struct str action)
{
	int64_t created = draft_time(d, "alert.created_at"),
		updated = draft_time(d, "alert.updated_at");

	if (str_is(action, "created"))
		return created;
	if (finding_status(action) == EVENT_FIRING)
		return str_is(action, "appeared_in_branch") ? 0 : updated;
	int64_t closed =
		latest(draft_time(d, "alert.fixed_at"), draft_time(d, "alert.dismissed_at"));
	closed = latest(closed, draft_time(d, "alert.auto_dismissed_at"));
	closed = latest(closed, draft_time(d, "alert.resolved_at"));
	return closed ? closed : updated;
}

static void end_finding(struct draft *d, const char *alertname, struct str what)
{
	static const char *const identity[] = {"repo", "number", NULL};
	struct str action = action_of(d);
	enum event_status status = finding_status(action);

	draft_take(d, "number", "alert.number");
	d->event->severity = event_severity_of(draft_label_of(d, "severity"));
	d->event->time_ns = finding_time(d, action);
	draft_link(d, "alert", draft_text(d, "alert.html_url"));
	draft_summary(d, "%.*s #%.*s %.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "number")), STR_ARG(action),
		STR_ARG(fields_cut(what, 1024)));
	if (status != EVENT_INFO)
		draft_alert(d, alertname, status, identity, 2, d->event->time_ns);
}

static void read_code_scanning(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"rule", "alert.rule.id"},
		{"severity", "alert.rule.severity"},
		{"severity", "alert.rule.security_severity_level"},
		{"tool", "alert.tool.name"},
		{"ref", "ref"},
		{"sha", "commit_oid"},
	};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	draft_put(d, "branch", draft_after(draft_label_of(d, "ref"), "refs/heads/"));
	end_finding(d, "CodeScanningAlert", draft_text(d, "alert.rule.description"));
}

static void read_dependabot(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"package", "alert.dependency.package.name"},
		{"ecosystem", "alert.dependency.package.ecosystem"},
		{"manifest", "alert.dependency.manifest_path"},
		{"severity", "alert.security_advisory.severity"},
		{"severity", "alert.security_vulnerability.severity"},
		{"cve", "alert.security_advisory.cve_id"},
		{"ghsa", "alert.security_advisory.ghsa_id"},
	};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	end_finding(d, "DependabotAlert", draft_text(d, "alert.security_advisory.summary"));
}

static void read_secret_scanning(struct draft *d)
{
	draft_take(d, "secret_type", "alert.secret_type");
	draft_take(d, "resolution", "alert.resolution");
	struct str name = draft_text(d, "alert.secret_type_display_name");
	end_finding(d, "SecretScanningAlert", name.n ? name : draft_label_of(d, "secret_type"));
}

/* ---- issues and releases, as other code hosts have them ---- */

static void read_issues(struct draft *d)
{
	struct str title = draft_text(d, "issue.title");

	draft_take(d, "number", "issue.number");
	draft_take(d, "author", "issue.user.login");
	draft_link(d, "issue", draft_text(d, "issue.html_url"));
	d->event->time_ns = draft_time(d, "issue.updated_at");
	draft_type(d, "git_issue", STR_NONE);
	draft_summary(d, "%.*s #%.*s: %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "number")), STR_ARG(fields_cut(title, 1024)));
}

static void read_release(struct draft *d)
{
	draft_take(d, "tag", "release.tag_name");
	draft_take(d, "branch", "release.target_commitish");
	draft_link(d, "release", draft_text(d, "release.html_url"));
	d->event->time_ns = draft_time(d, "release.published_at");
	draft_type(d, "git_release", STR_NONE);
	draft_summary(d, "%.*s released %.*s", STR_ARG(draft_label_of(d, "repo")),
		STR_ARG(draft_label_of(d, "tag")));
}

/* ---- any event ---- */

/* The first that fits a body is what it is taken for. */
static const struct github_event events[] = {
	{"ping", "zen hook_id", NULL},
	{"push", "ref before after commits", read_push},
	{"pull_request_review", "pull_request review", NULL},
	{"pull_request", "pull_request number", read_pull_request},
	{"deployment_status", "deployment_status", read_deployment_status},
	{"deployment", "deployment", NULL},
	{"workflow_run", "workflow_run", read_workflow_run},
	{"check_run", "check_run", read_check_run},
	{"status", "sha state context", read_status},
	{"code_scanning_alert", "alert.rule alert.tool", read_code_scanning},
	{"dependabot_alert", "alert.dependency", read_dependabot},
	{"secret_scanning_alert_location", "alert.secret_type location", NULL},
	{"secret_scanning_alert", "alert.secret_type", read_secret_scanning},
	{"release", "release", read_release},
	{"issue_comment", "issue comment", NULL},
	{"issues", "issue", read_issues},
};

/* Does the body have all of "a b.c"? */
static bool has_all(const struct json *body, const char *members)
{
	for (const char *at = members; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (!json_path(body, (struct str){at, n}))
			return false;
		at += n;
	}
	return true;
}

/* NULL: it is none of those that are known. *name: by the header, else as guessed, else "". */
static const struct github_event *which(
	struct draft *d, const struct source_request *rq, struct str *name)
{
	*name = fields_cut(draft_header(d, rq, "X-GitHub-Event"), DRAFT_WORD_LIMIT);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (name->n ? str_is(*name, events[i].name) : has_all(d->body, events[i].members)) {
			*name = str_of(events[i].name);
			return &events[i];
		}
	}
	return NULL;
}

static int read_body(struct arena *a, const struct source_request *rq, const struct json *body,
	struct source_batch *out, struct err *e)
{
	static const struct draft_label labels[] = {
		{"repo", "repository.full_name"},
		{"organization", "organization.login"},
		{"actor", "sender.login"},
		{"action", "action"},
	};
	struct draft d;
	struct str name;

	if (draft_begin(&d, a, rq, body, out, e) < 0)
		return -1;
	const struct github_event *event = which(&d, rq, &name);
	if (event && str_is(name, "ping"))
		return 0;
	d.event->delivery = draft_header(&d, rq, "X-GitHub-Delivery");
	draft_put(&d, "event", name);
	draft_take_all(&d, labels, sizeof(labels) / sizeof(labels[0]));
	draft_type(&d, name.n ? "github_" : "github", name);
	draft_summary(&d, "%.*s %.*s %.*s", STR_ARG(draft_label_of(&d, "repo")),
		STR_ARG(name.n ? name : STR("github")), STR_ARG(draft_label_of(&d, "action")));
	if (event && event->read)
		event->read(&d);
	return draft_end(&d, out);
}

enum source_form github_form(const struct source_request *rq)
{
	return source_type_is(rq, "application/x-www-form-urlencoded") ? SOURCE_FORM : SOURCE_JSON;
}

int github_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};
	struct str payload;
	struct err why = {0};

	if (body->form == SOURCE_JSON)
		return read_body(a, rq, body->json, out, e);
	payload = form_get(body->pairs, body->pairs_n, "payload");
	if (payload.n == 0)
		return err_set(e, ERR_INPUT, "payload: missing; GitHub's forms have one");
	const struct json *json = json_parse_within(a, &limits, payload, &why);
	if (json)
		return read_body(a, rq, json, out, e);
	err_set(e, why.code, "payload: %s", why.text);
	e->offset = why.offset;
	return -1;
}
