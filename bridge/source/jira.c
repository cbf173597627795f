/* jira.c: what Jira, Cloud and Server, posts to a webhook.
 *
 * One request is one info event, `data` its whole body: `jira:issue_created` is jira_issue_created,
 * comment_created is jira_comment_created. A ticket is no alert: it is open for weeks, and most say
 * nothing about what runs; who wants one to start something has a rule for the type and its labels,
 * `status_from` and `status_to` among them. Old servers have no issue_event_type_name, and some
 * events no issue: labels are those that there are.
 *
 * A body without webhookEvent, which Automation for Jira and templates of an operator post, is of
 * type jira.
 */
#include "source/draft.h"
#include "source/fields.h"
#include "source/kinds.h"

enum { ITEM_FIELD, ITEM_ID, ITEM_FROM, ITEM_TO, ITEM_COUNT };

static const struct field item_fields[ITEM_COUNT] = {
	[ITEM_FIELD] = FIELD("field", FIELD_STRING),
	[ITEM_ID] = FIELD("fieldId", FIELD_STRING),
	[ITEM_FROM] = FIELD("fromString", FIELD_TEXT),
	[ITEM_TO] = FIELD("toString", FIELD_TEXT),
};

#define CHANGES_LIMIT 64 /* items of the changelog that the label `changed` names, at most */

static struct str text_of(const struct json *j)
{
	return j ? j->text : STR_NONE;
}

/* The names of what was changed, with commas between. */
static void put_changed(struct draft *d, const struct str *names, size_t n)
{
	size_t size = 0, at = 0;
	char *text;

	for (size_t i = 0; i < n; i++)
		size += names[i].n + 1;
	if (n == 0 || !(text = arena_alloc(d->arena, size)))
		return;
	for (size_t i = 0; i < n; i++) {
		if (names[i].n)
			memcpy(text + at, names[i].p, names[i].n);
		at += names[i].n;
		text[at++] = ',';
	}
	draft_put(d, "changed", (struct str){text, size - 1});
}

static int read_item(struct draft *d, const struct json *item, size_t index, struct str *name)
{
	const struct json *f[ITEM_COUNT] = {NULL};
	struct source_place place = {"changelog.items", index, ""};

	if (item->kind != JSON_OBJECT)
		return fields_wrong(d->err, item, place, "an object");
	if (fields_pick(item, item_fields, ITEM_COUNT, place, f, d->err) < 0)
		return -1;
	*name = text_of(f[ITEM_FIELD]);
	if (str_is(text_of(f[ITEM_ID]), "status") || str_is(*name, "status") ||
		str_is(*name, "Status")) {
		draft_put(d, "status_from", text_of(f[ITEM_FROM]));
		draft_put(d, "status_to", text_of(f[ITEM_TO]));
	}
	return 0;
}

static void read_changes(struct draft *d)
{
	const struct json *items = draft_at(d, "changelog.items");
	struct str names[CHANGES_LIMIT];
	size_t n = 0, index = 0;

	if (!items)
		return;
	if (items->kind != JSON_ARRAY) {
		fields_wrong(d->err, items, (struct source_place){.name = "changelog.items"},
			"an array");
		return;
	}
	for (const struct json *i = items->child; i; i = i->next, index++) {
		struct str name;

		if (read_item(d, i, index, &name) < 0)
			return;
		if (name.n && n < CHANGES_LIMIT)
			names[n++] = name;
	}
	put_changed(d, names, n);
}

/* The page of the issue: what there is, `self`, is its place in the API. */
static void link_issue(struct draft *d, struct str key)
{
	static const char api[] = "/rest/";
	struct str self = draft_text(d, "issue.self");

	for (size_t i = 0; key.n && i + sizeof(api) - 1 <= self.n; i++) {
		if (memcmp(self.p + i, api, sizeof(api) - 1) != 0)
			continue;
		draft_link(d, "issue",
			arena_printf(d->arena, "%.*s/browse/%.*s", (int)i, self.p, STR_ARG(key)));
		return;
	}
}

static void read_issue(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"issue", "issue.key"},
		{"project", "issue.fields.project.key"},
		{"issue_type", "issue.fields.issuetype.name"},
		{"status", "issue.fields.status.name"},
		{"priority", "issue.fields.priority.name"},
		{"resolution", "issue.fields.resolution.name"},
		{"assignee", "issue.fields.assignee.displayName"},
		{"actor", "comment.author.displayName"},
		{"actor", "comment.updateAuthor.displayName"},
		{"actor", "user.displayName"},
		{"action", "issue_event_type_name"},
	};
	struct str title = fields_cut(draft_text(d, "issue.fields.summary"), 1024), key;

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	read_changes(d);
	key = draft_label_of(d, "issue");
	link_issue(d, key);
	d->event->severity = event_severity_of(draft_label_of(d, "priority"));
	if (key.n)
		draft_summary(d, "%.*s%s%.*s", STR_ARG(key), title.n ? ": " : "", STR_ARG(title));
}

int jira_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	struct draft d;
	struct str name, word;

	if (draft_begin(&d, a, rq, body->json, out, e) < 0)
		return -1;
	name = draft_text(&d, "webhookEvent");
	word = draft_after(name, "jira:");
	word = word.n ? word : name;
	d.event->delivery = draft_header(&d, rq, "X-Atlassian-Webhook-Identifier");
	draft_type(&d, word.n ? "jira_" : "jira", word);
	draft_put(&d, "event", word);
	draft_summary(&d, "%.*s", STR_ARG(word.n ? word : STR("jira")));
	read_issue(&d);
	d.event->time_ns = draft_time_ms(&d, "timestamp");
	if (d.event->time_ns == 0)
		d.event->time_ns = draft_time(&d, "issue.fields.updated");
	return draft_end(&d, out);
}
