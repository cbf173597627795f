/* Each message of a real sender that lies beside the project, one row a file: status, type,
 * identity and times of its events.
 *
 * A file that has no row is a failure, so that none is forgotten. Where the folder is not there,
 * the golden files of each kind (tests/golden) have the shapes. What is left out here belongs to
 * others: signatures to test_auth_source and test_auth_sns, lines of logs to the tests of lines. */
#include "unit.h"
#include <unistd.h>
#include "base/clock.h"
#define RIG_KIND "alertmanager"
#include "source_rig.h"

#define DIR_OF_ALL SHARED_DIR "/payloads"
#define MS INT64_C(1000000)
#define NOW_OF_PROMETHEUS                                                                          \
	INT64_C(1795375520000) /* 19:25:20, between the ends that its messages name */

struct row {
	const char *name;
	const char *header[2]; /* that came with the body; of an .http file they stand in it */
	/* A line an event: status type fingerprint time starts ends; or "refused, byte N"; NULL: it
	 * is no message. */
	const char *want;
};

struct folder {
	const char *name, *kind;
	int64_t now_ms;
	const struct row *rows;
};

#define NO_HEADER                                                                                  \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

static const struct row alertmanager[] = {
	{"alerta-prometheus_v3_alert.json", NO_HEADER,
		"firing alert d2089d8d0f422129 2016-08-01T10:27:08.008Z "
		"2016-08-01T10:27:08.008Z -\n"},
	{"fingerprint-vectors.json", NO_HEADER, NULL},
	{"live-0.25-alertmanager-Everything-firing-repeat.json", NO_HEADER,
		"firing alert aeab29ae8eca5d98 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-alertmanager-Everything-firing.http", NO_HEADER,
		"firing alert aeab29ae8eca5d98 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-alertmanager-Everything-firing.json", NO_HEADER,
		"firing alert aeab29ae8eca5d98 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-alertmanager-Everything-resolved.json", NO_HEADER,
		"resolved alert aeab29ae8eca5d98 2026-11-22T19:24:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z 2026-11-22T19:24:32.624714673Z\n"},
	{"live-0.25-alertmanager-InstanceDown-firing.json", NO_HEADER,
		"firing alert cf8846a848edaafc 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"
		"firing alert 9bcc5e68f7a6ce1b 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-alertmanager-InstanceDown-mixed.json", NO_HEADER,
		"resolved alert cf8846a848edaafc 2026-11-22T19:19:46.747884Z "
		"2026-11-22T19:19:32.624714673Z 2026-11-22T19:19:46.747884Z\n"
		"firing alert 9bcc5e68f7a6ce1b 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-alertmanager-InstanceDown-resolved.json", NO_HEADER,
		"resolved alert 9bcc5e68f7a6ce1b 2026-11-22T19:19:54.877478Z "
		"2026-11-22T19:19:32.624714673Z 2026-11-22T19:19:54.877478Z\n"},
	{"live-0.25-bearer-AuthBearer-firing.http", NO_HEADER,
		"firing alert e7e2707419c045d7 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-0.25-bearer-AuthBearer-firing.json", NO_HEADER,
		"firing alert e7e2707419c045d7 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{"live-config.yml", NO_HEADER, NULL},
	{"retry-timeline-s400.txt", NO_HEADER, NULL},
	{"retry-timeline-s429.txt", NO_HEADER, NULL},
	{"retry-timeline-s500.txt", NO_HEADER, NULL},
	{"synthetic-0.34-new-fields.json", NO_HEADER,
		"firing alert cf8846a848edaafc 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"
		"firing alert 9bcc5e68f7a6ce1b 2026-11-22T19:19:32.624714673Z "
		"2026-11-22T19:19:32.624714673Z -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row argocd[] = {
	{"synthetic-app-health-degraded.json", NO_HEADER, "firing alert c805bf1e06c81948 - - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row sns[] = {
	{"cloudwatch-alarm-inner-message.json", {"x-amz-sns-rawdelivery", "true"},
		"firing alert 2324d2f12afdafb0 2015-06-03T17:43:27.123Z "
		"2015-06-03T17:43:27.123Z -\n"},
	{"headers.txt", NO_HEADER, NULL},
	{"notification-alarm-v1.json", NO_HEADER,
		"firing alert 2324d2f12afdafb0 2026-11-22T19:00:00.000Z "
		"2026-11-22T19:00:00.000Z -\n"},
	{"notification-alarm-v2.json", NO_HEADER,
		"firing alert 2324d2f12afdafb0 2026-11-22T19:00:00.000Z "
		"2026-11-22T19:00:00.000Z -\n"},
	{"notification-alarm.string-to-sign.txt", NO_HEADER, NULL},
	{"notification-ok-v2.json", NO_HEADER,
		"resolved alert 2324d2f12afdafb0 2026-11-22T19:10:00.000Z "
		"2026-11-22T19:10:00.000Z 2026-11-22T19:10:00.000Z\n"},
	{"signing-cert.pem", NO_HEADER, NULL},
	{"subscription-confirmation-v1.json", NO_HEADER,
		"info sns_subscription_confirmation - 2012-04-26T20:45:04.751Z - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row cloudevents[] = {
	{"binary-percent-encoded.http", NO_HEADER, "info com.example.alert - - - -\n"},
	{"live-jssdk-batch.http", NO_HEADER,
		"info com.github.pull_request.opened - 2018-04-05T17:31:00.000Z - -\n"
		"info com.example.alert - 2026-11-22T19:25:02.433Z - -\n"},
	{"live-jssdk-binary.http", NO_HEADER,
		"info com.github.pull_request.opened - 2018-04-05T17:31:00.000Z - -\n"},
	{"live-jssdk-structured-data_base64.http", NO_HEADER,
		"info com.example.alert - 2026-11-22T19:23:46.392Z - -\n"},
	{"live-jssdk-structured.http", NO_HEADER,
		"info com.github.pull_request.opened - 2018-04-05T17:31:00.000Z - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row datadog[] = {
	{"rendered-broken-quotes.txt", NO_HEADER, "refused, byte 630\n"},
	{"rendered-form-encoded.txt", {"Content-Type", "application/x-www-form-urlencoded"},
		"firing alert bb8cf29bad1d069a 2026-11-22T19:16:40.000Z - -\n"},
	{"rendered-recovered.json", NO_HEADER,
		"resolved alert bb8cf29bad1d069a 2026-11-22T19:26:40.000Z "
		"- 2026-11-22T19:26:40.000Z\n"},
	{"rendered-renotify.json", NO_HEADER,
		"firing alert bb8cf29bad1d069a 2026-11-22T20:16:40.000Z - -\n"},
	{"rendered-triggered.json", NO_HEADER,
		"firing alert bb8cf29bad1d069a 2026-11-22T19:16:40.000Z - -\n"},
	{"rendered-unexpanded-variable.json", NO_HEADER,
		"firing alert 6942cdb96320f095 2026-11-22T19:16:40.000Z - -\n"},
	{"template-ilert.json", NO_HEADER, "info datadog - - - -\n"},
	{"template-keep.json", NO_HEADER, "info datadog - - - -\n"},
	{"template-squadcast.json", NO_HEADER, "info datadog - - - -\n"},
	{"template-suggested-bridge.json", NO_HEADER, "info datadog - - - -\n"},
	{"template-zenduty.json", NO_HEADER, "info datadog - - - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row github[] = {
	{"code_scanning_alert-created.json", {"X-GitHub-Event", "code_scanning_alert"},
		"firing alert c2bd48f4a530730e 2021-02-11T03:10:43.000Z "
		"2021-02-11T03:10:43.000Z -\n"},
	{"code_scanning_alert-fixed.json", {"X-GitHub-Event", "code_scanning_alert"},
		"resolved alert c2bd48f4a530730e - - -\n"},
	{"headers.txt", NO_HEADER, NULL},
	{"ping.json", {"X-GitHub-Event", "ping"}, ""},
	{"pull_request-closed-merged-derived.json", {"X-GitHub-Event", "pull_request"},
		"info git_branch_merged - 2019-05-15T15:21:18.000Z - -\n"},
	{"pull_request-closed-unmerged.json", {"X-GitHub-Event", "pull_request"},
		"info git_pull_request_closed - 2019-05-15T15:21:18.000Z - -\n"},
	{"push-branch-deleted.json", {"X-GitHub-Event", "push"},
		"info git_tag_deleted - 2019-05-15T15:20:57.000Z - -\n"},
	{"push-compact-signed.json", {"X-GitHub-Event", "push"},
		"info git_push - 2019-05-15T15:20:57.000Z - -\n"},
	{"push.json", {"X-GitHub-Event", "push"}, "info git_push - 2019-05-15T15:20:57.000Z - -\n"},
	{"signature-vectors.json", NO_HEADER, NULL},
	{"status.json", {"X-GitHub-Event", "status"},
		"info github_status - 2019-05-15T15:20:55.000Z - -\n"},
	{"workflow_run-completed.json", {"X-GitHub-Event", "workflow_run"},
		"info github_workflow_run - 2021-12-16T19:37:22.000Z - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row gitlab[] = {
	{"job.json", NO_HEADER,
		"resolved alert 65353d1d7d47fffd 2023-01-10T13:50:54.000Z "
		"2023-01-10T13:50:54.000Z 2023-01-10T13:50:54.000Z\n"},
	{"merge_request.json", NO_HEADER,
		"info git_pull_request_opened - 2013-12-03T17:23:34.000Z - -\n"},
	{"pipeline.json", NO_HEADER,
		"resolved alert af030449743d9d90 2016-08-12T15:26:29.000Z "
		"2016-08-12T15:26:29.000Z 2016-08-12T15:26:29.000Z\n"},
	{"push.json", NO_HEADER, "info git_push - - - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row grafana[] = {
	{"hmac-body.json", NO_HEADER,
		"firing alert e6349a25f5ef0e9e 2024-03-01T02:09:00.000Z "
		"2024-03-01T02:09:00.000Z -\n"},
	{"hmac-vectors.json", NO_HEADER, NULL},
	{"v11-firing.json", NO_HEADER,
		"firing alert e6349a25f5ef0e9e 2024-03-01T02:09:00.000Z "
		"2024-03-01T02:09:00.000Z -\n"},
	{"v11-resolved-derived.json", NO_HEADER,
		"resolved alert e6349a25f5ef0e9e 2024-03-01T02:14:00.000Z "
		"2024-03-01T02:09:00.000Z 2024-03-01T02:14:00.000Z\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row jira[] = {
	{"webhook-cloud-comment-created.json", NO_HEADER,
		"info jira_comment_created - 2019-02-16T03:11:18.321Z - -\n"},
	{"webhook-issue-created.json", NO_HEADER,
		"info jira_issue_created - 2019-02-16T03:01:53.023Z - -\n"},
	{"webhook-issue-updated-resolved.json", NO_HEADER,
		"info jira_issue_updated - 2019-02-16T03:15:40.507Z - -\n"},
	{"webhook-server-old-issue-updated-no-event-type-assigned.json", NO_HEADER,
		"info jira_issue_updated - 2019-02-16T03:18:01.752Z - -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row pagerduty[] = {
	{"v3-resolved.json", NO_HEADER,
		"resolved alert 1c82d14e1ad7f115 2021-06-04T13:16:53.816Z "
		"2021-06-04T13:16:53.816Z 2021-06-04T13:16:53.816Z\n"},
	{"v3-signature-vector.json", NO_HEADER, NULL},
	{"v3-triggered.json", NO_HEADER,
		"firing alert e5f5b7a378c69514 2021-06-04T13:35:29.781Z "
		"2021-06-04T13:35:29.781Z -\n"},
	{NULL, NO_HEADER, NULL},
};

static const struct row prometheus[] = {
	{"live-2.42-firing-resend.json", NO_HEADER,
		"firing alert 63ec8294adc73409 2026-11-22T19:25:02.568Z "
		"2026-11-22T19:25:02.568Z -\n"},
	{"live-2.42-firing.http", NO_HEADER,
		"firing alert 63ec8294adc73409 2026-11-22T19:25:02.568Z "
		"2026-11-22T19:25:02.568Z -\n"},
	{"live-2.42-firing.json", NO_HEADER,
		"firing alert 63ec8294adc73409 2026-11-22T19:25:02.568Z "
		"2026-11-22T19:25:02.568Z -\n"},
	{"live-2.42-resolved.json", NO_HEADER,
		"resolved alert 63ec8294adc73409 2026-11-22T19:25:15.568Z "
		"2026-11-22T19:25:02.568Z 2026-11-22T19:25:15.568Z\n"},
	{"live-config.yml", NO_HEADER, NULL},
	{"live-rules.yml", NO_HEADER, NULL},
	{"timeline.txt", NO_HEADER, NULL},
	{NULL, NO_HEADER, NULL},
};

static const struct row standard_webhooks[] = {
	{"vector.json", NO_HEADER, NULL},
	{NULL, NO_HEADER, NULL},
};

static const struct folder folders[] = {
	{"alertmanager", "alertmanager", 0, alertmanager},
	{"argocd", "argocd", 0, argocd},
	{"aws-sns", "sns", 0, sns},
	{"cloudevents", "cloudevents", 0, cloudevents},
	{"datadog", "datadog", 0, datadog},
	{"github", "github", 0, github},
	{"gitlab", "gitlab", 0, gitlab},
	{"grafana", "grafana", 0, grafana},
	{"jira", "jira", 0, jira},
	{"pagerduty", "pagerduty", 0, pagerduty},
	{"prometheus-v2", "prometheus", NOW_OF_PROMETHEUS, prometheus},
	{"standard-webhooks", "generic", 0, standard_webhooks},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool there(void)
{
	return access(DIR_OF_ALL, R_OK) == 0;
}

static struct str payload(const char *folder, const char *name)
{
	return rig_file(&rig, arena_printf(&rig.arena, DIR_OF_ALL "/%s/%s", folder, name).p);
}

/* ---- what the events say ---- */

static void put_time(struct buf *out, int64_t ns)
{
	char text[CLOCK_RFC3339_MAX] = "-";

	if (ns)
		clock_format_ns(ns, text);
	buf_printf(out, " %s", text);
}

static void put_event(struct buf *out, const struct event *ev)
{
	buf_printf(out, "%s %.*s %s", event_status_name(ev->status), STR_ARG(ev->type),
		ev->fingerprint.n ? ev->fingerprint.p : "-");
	put_time(out, ev->time_ns);
	put_time(out, ev->starts_ns);
	put_time(out, ev->ends_ns);
	buf_putc(out, '\n');
}

static void put_batch(struct buf *out, struct str body)
{
	struct source_batch batch;
	struct err e;

	if (rig_take(&rig, body, RIG_PIECE, &batch, &e) == 0) {
		for (size_t i = 0; i < batch.n; i++)
			put_event(out, &batch.events[i]);
		return;
	}
	assert_int_equal(e.code, ERR_INPUT);
	buf_printf(out, "refused, byte %zu\n", e.offset);
}

static bool is_as_said(const struct folder *f, const struct row *row)
{
	struct kv headers[] = {{STR(""), STR("")}, {STR(""), STR("")}};
	struct str body = payload(f->name, row->name);
	struct buf got;
	bool same;

	rig.kind = rig.source = f->kind;
	rig.now_ms = f->now_ms;
	if (row->header[0])
		headers[0] = (struct kv){str_of(row->header[0]), str_of(row->header[1])};
	rig.headers = headers;
	if (strstr(row->name, ".http"))
		body = rig_http(&rig, body);
	buf_init(&got, BUF_NO_LIMIT);
	put_batch(&got, body);
	same = str_is(buf_as_str(&got), row->want);
	if (!same)
		print_error("%s/%s:\ngot  %.*swant %s", f->name, row->name,
			STR_ARG(buf_as_str(&got)), row->want);
	buf_release(&got);
	return same;
}

static void each_message_gives_what_protocols_says(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(folders) && there(); i++) {
		for (const struct row *row = folders[i].rows; row->name; row++)
			wrong += row->want && !is_as_said(&folders[i], row);
	}
	assert_int_equal(wrong, 0);
}

static bool has_row(const struct folder *f, const char *name)
{
	for (const struct row *row = f->rows; row->name; row++) {
		if (strcmp(row->name, name) == 0)
			return true;
	}
	return false;
}

static void no_file_is_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(folders) && there(); i++) {
		DIR *d = opendir(arena_printf(&rig.arena, DIR_OF_ALL "/%s", folders[i].name).p);
		struct dirent *f;

		assert_non_null(d);
		while ((f = readdir(d))) {
			if (f->d_name[0] != '.' && !has_row(&folders[i], f->d_name))
				fail_msg("%s/%s has no row", folders[i].name, f->d_name);
		}
		closedir(d);
	}
}

/* ---- identity ---- */

static void fingerprints_as_alertmanager_computes_them(void **state)
{
	struct err e;

	(void)state;
	if (!there())
		return;
	const struct json *list =
		json_parse(&rig.arena, payload("alertmanager", "fingerprint-vectors.json"), &e);
	assert_non_null(list);
	assert_true(list->count >= 12);
	for (const struct json *v = list->child; v; v = v->next) {
		const struct json *labels = json_get(v, "labels");
		struct kv *kv = arena_array(&rig.arena, labels->count + 1, sizeof(*kv));
		size_t n = 0;

		for (const struct json *l = labels->child; l; l = l->next)
			kv[n++] = (struct kv){l->key, l->text};
		assert_str(event_fingerprint(&rig.arena, kv, n),
			json_str(json_get(v, "fingerprint")).p);
	}
}

/* A variable that Datadog left as it stood is no cycle: the alert is its monitor's and its scope's,
 * as without that field. */
static void a_literal_variable_is_no_identity(void **state)
{
	(void)state;
	if (!there())
		return;
	rig.kind = rig.source = "datadog";
	struct str body = payload("datadog", "rendered-unexpanded-variable.json");
	char *key = memmem(body.p, body.n, "\"$ALERT_CYCLE_KEY\"", 18);
	assert_non_null(key);
	struct event *ev = rig_one(&rig, body);
	assert_str(event_label(ev, STR("cycle_key")), "");
	memcpy(key, "null              ", 18);
	assert_str(rig_one(&rig, body)->fingerprint, ev->fingerprint.p);
}

static void labels_of_what_is_percent_encoded(void **state)
{
	(void)state;
	if (!there())
		return;
	rig.kind = rig.source = "cloudevents";
	struct event *ev = rig_one(
		&rig, rig_http(&rig, payload("cloudevents", "binary-percent-encoded.http")));
	assert_str(event_label(ev, STR("subject")), "Euro € 😀");
}

/* ---- a Prometheus over a minute ---- */

#define EPISODES_MAX 8

struct episode {
	struct str fingerprint;
	int64_t starts_ns;
	char seen[32]; /* F or R a message */
	size_t n;
};

/* A time and a body a line, as they came: each alert of it, by when it began. */
static size_t follow(struct str text, struct episode *episodes)
{
	size_t n = 0, k;

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		assert_non_null(end);
		rig.now_ms = (int64_t)(strtod(text.p, NULL) * 1000);
		struct str body = {end + 1, text.n - (size_t)(end + 1 - text.p)};
		end = memchr(body.p, '\n', body.n);
		struct str line = {body.p, end ? (size_t)(end - body.p) : body.n};
		text = (struct str){
			line.p + line.n + (end != NULL), body.n - line.n - (end != NULL)};
		struct event *ev = rig_one(&rig, line);

		for (k = 0; k < n && (!str_eq(episodes[k].fingerprint, ev->fingerprint) ||
					     episodes[k].starts_ns != ev->starts_ns);
			k++)
			;
		assert_true(k < EPISODES_MAX && episodes[k].n + 1 < sizeof(episodes[k].seen));
		n += k == n;
		episodes[k].fingerprint = ev->fingerprint;
		episodes[k].starts_ns = ev->starts_ns;
		episodes[k].seen[episodes[k].n++] = ev->status == EVENT_FIRING ? 'F' : 'R';
		assert_true(ev->status == EVENT_FIRING ? ev->expires_ns > rig.now_ms * MS
						       : ev->ends_ns <= rig.now_ms * MS);
	}
	return n;
}

/* Two alerts; one of them begins three times, and each end is told more than once. */
static void alerts_of_a_minute(void **state)
{
	static const char *const want[] = {"FFFFFFFFFFFF", "FFRRR", "FFFRRR", "FF"};
	struct episode episodes[EPISODES_MAX] = {0};

	(void)state;
	if (!there())
		return;
	rig.kind = rig.source = "prometheus";
	assert_int_equal(follow(payload("prometheus-v2", "timeline.txt"), episodes), COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++)
		assert_string_equal(episodes[i].seen, want[i]);
	assert_true(str_eq(episodes[1].fingerprint, episodes[3].fingerprint));
	assert_false(str_eq(episodes[0].fingerprint, episodes[1].fingerprint));
}

TESTS_MAIN(TEST(each_message_gives_what_protocols_says), TEST(no_file_is_left_out),
	TEST(fingerprints_as_alertmanager_computes_them), TEST(a_literal_variable_is_no_identity),
	TEST(labels_of_what_is_percent_encoded), TEST(alerts_of_a_minute))
