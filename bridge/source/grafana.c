/* grafana.c: what a webhook contact point of Grafana posts: Alertmanager's message with more
 * fields, and the message of the alerting before Grafana 9.
 *
 * Alerts are read by alertmanager.c; here their links and values are added. A fingerprint is taken
 * as given: Grafana hashes labels, too, that it does not send. The old message is one rule, which
 * fires in the states alerting and no_data and is resolved in ok; it has no times, so its arrival
 * counts. Any other object is not Grafana's ({"text": …} of a product that was pointed here, or an
 * operator's own template), and becomes an event that neither fires nor resolves, since an error
 * would have it sent again.
 */
#include "source/fields.h"
#include "source/kinds.h"
#include "source/labels.h"

enum {
	OLD_RULE_ID,
	OLD_RULE_NAME,
	OLD_RULE_URL,
	OLD_STATE,
	OLD_TITLE,
	OLD_MESSAGE,
	OLD_IMAGE,
	OLD_ORG,
	OLD_DASHBOARD,
	OLD_PANEL,
	OLD_TAGS,
	OLD_MATCHES,
	OLD_COUNT,

	MORE_VALUES = 0,
	MORE_VALUE_STRING,
	MORE_SILENCE,
	MORE_DASHBOARD,
	MORE_PANEL,
	MORE_IMAGE,
	MORE_COUNT,
};

static const struct field old_fields[OLD_COUNT] = {
	[OLD_RULE_ID] = FIELD("ruleId", FIELD_TEXT),
	[OLD_RULE_NAME] = FIELD("ruleName", FIELD_STRING),
	[OLD_RULE_URL] = FIELD("ruleUrl", FIELD_STRING),
	[OLD_STATE] = FIELD("state", FIELD_STRING),
	[OLD_TITLE] = FIELD("title", FIELD_STRING),
	[OLD_MESSAGE] = FIELD("message", FIELD_STRING),
	[OLD_IMAGE] = FIELD("imageUrl", FIELD_STRING),
	[OLD_ORG] = FIELD("orgId", FIELD_TEXT),
	[OLD_DASHBOARD] = FIELD("dashboardId", FIELD_TEXT),
	[OLD_PANEL] = FIELD("panelId", FIELD_TEXT),
	[OLD_TAGS] = FIELD("tags", FIELD_MAP),
	[OLD_MATCHES] = FIELD("evalMatches", FIELD_LIST),
};

static const struct field more_fields[MORE_COUNT] = {
	[MORE_VALUES] = FIELD("values", FIELD_OBJECT),
	[MORE_VALUE_STRING] = FIELD("valueString", FIELD_STRING),
	[MORE_SILENCE] = FIELD("silenceURL", FIELD_STRING),
	[MORE_DASHBOARD] = FIELD("dashboardURL", FIELD_STRING),
	[MORE_PANEL] = FIELD("panelURL", FIELD_STRING),
	[MORE_IMAGE] = FIELD("imageURL", FIELD_STRING),
};

#define TOP(field) ((struct source_place){.name = (field)})

/* ---- Alertmanager's message, and more ---- */

static int add_links(struct arena *a, const struct json **f, struct event *ev, struct err *e)
{
	struct labels l = {.arena = a};

	for (size_t i = 0; i < ev->links_n; i++) {
		bool ours = str_is(ev->links[i].name, "alertmanager");
		if (labels_put(&l, ours ? STR("grafana") : ev->links[i].name, ev->links[i].value,
			    e) < 0)
			return -1;
	}
	if (labels_put(&l, STR("silence"), fields_text(f[MORE_SILENCE]), e) < 0 ||
		labels_put(&l, STR("dashboard"), fields_text(f[MORE_DASHBOARD]), e) < 0 ||
		labels_put(&l, STR("panel"), fields_text(f[MORE_PANEL]), e) < 0 ||
		labels_put(&l, STR("image"), fields_text(f[MORE_IMAGE]), e) < 0)
		return -1;
	labels_end(&l, &ev->links, &ev->links_n);
	return 0;
}

/* An annotation of the operator's own that is called so stays. */
static int add_values(struct arena *a, const struct json *values, struct event *ev, struct err *e)
{
	struct str text = fields_text(values);
	struct kv *v;

	if (text.n == 0 || event_annotation(ev, STR("value_string")).n > 0)
		return 0;
	v = arena_array(a, ev->annotations_n + 1, sizeof(*v));
	if (!v)
		return source_no_memory(e);
	if (ev->annotations_n)
		memcpy(v, ev->annotations, ev->annotations_n * sizeof(*v));
	v[ev->annotations_n++] =
		(struct kv){STR("value_string"), fields_cut(text, SOURCE_VALUE_LIMIT)};
	ev->annotations = v;
	event_sort_labels(v, &ev->annotations_n, false);
	return 0;
}

static int read_alerts(struct arena *a, const struct source_request *rq,
	const struct source_body *body, struct source_batch *out, struct err *e)
{
	if (alertmanager_read(a, rq, body, out, e) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		const struct json *f[MORE_COUNT] = {NULL};
		struct event *ev = &out->events[i];

		if (fields_pick(ev->data, more_fields, MORE_COUNT,
			    (struct source_place){"alerts", i, ""}, f, e) < 0 ||
			add_links(a, f, ev, e) < 0 ||
			add_values(a, f[MORE_VALUE_STRING], ev, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- before Grafana 9 ---- */

static int old_labels(struct arena *a, const struct json **f, struct event *ev, struct err *e)
{
	struct labels l = {.arena = a}, links = {.arena = a}, annotations = {.arena = a};
	struct kv *tags;
	size_t tags_n;

	/* Those that come last win, so a tag does not replace what says which alert it is. */
	if (fields_map(a, f[OLD_TAGS], TOP("tags"), &tags, &tags_n, e) < 0)
		return -1;
	for (size_t i = 0; i < tags_n; i++)
		if (labels_put(&l, tags[i].name, tags[i].value, e) < 0)
			return -1;
	if (labels_put(&l, STR("alertname"), fields_text(f[OLD_RULE_NAME]), e) < 0 ||
		labels_put(&l, STR("rule_id"), fields_text(f[OLD_RULE_ID]), e) < 0 ||
		labels_put(&l, STR("org_id"), fields_text(f[OLD_ORG]), e) < 0 ||
		labels_put(&l, STR("dashboard_id"), fields_text(f[OLD_DASHBOARD]), e) < 0 ||
		labels_put(&l, STR("panel_id"), fields_text(f[OLD_PANEL]), e) < 0 ||
		labels_put(&l, STR("state"), fields_text(f[OLD_STATE]), e) < 0 ||
		labels_put(&links, STR("generator"), fields_text(f[OLD_RULE_URL]), e) < 0 ||
		labels_put(&links, STR("image"), fields_text(f[OLD_IMAGE]), e) < 0 ||
		labels_put(&annotations, STR("message"), fields_text(f[OLD_MESSAGE]), e) < 0)
		return -1;
	labels_end(&l, &ev->labels, &ev->labels_n);
	labels_end(&links, &ev->links, &ev->links_n);
	labels_end(&annotations, &ev->annotations, &ev->annotations_n);
	return 0;
}

static struct str old_fingerprint(struct arena *a, const struct json **f)
{
	struct kv id[2] = {{STR("org_id"), fields_text(f[OLD_ORG])},
		{STR("rule_id"), fields_text(f[OLD_RULE_ID])}};
	size_t n = 2;

	if (id[1].value.n == 0)
		id[1] = (struct kv){STR("alertname"), fields_text(f[OLD_RULE_NAME])};
	if (id[1].value.n == 0)
		return STR_NONE;
	event_sort_labels(id, &n, true);
	return event_fingerprint(a, id, n);
}

static struct str other_summary(const struct json *body)
{
	static const char *const names[] = {"title", "message", "text"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str s = fields_text(json_get(body, names[i]));
		if (s.n > 0)
			return s;
	}
	return STR_NONE;
}

/* One rule, or what is not Grafana's at all. */
static int read_object(struct arena *a, const struct json *body, struct event *ev, struct err *e)
{
	const struct json *f[OLD_COUNT] = {NULL};

	/* Of what is not Grafana's no type is known. */
	if (!json_get(body, "ruleId") && !json_get(body, "ruleName") &&
		!json_get(body, "evalMatches")) {
		ev->type = STR("grafana");
		ev->status = EVENT_INFO;
		ev->summary = fields_cut(other_summary(body), SOURCE_SUMMARY_LIMIT);
		return 0;
	}
	if (fields_pick(body, old_fields, OLD_COUNT, TOP(""), f, e) < 0 ||
		old_labels(a, f, ev, e) < 0)
		return -1;
	struct str state = fields_text(f[OLD_STATE]);
	ev->severity = event_severity_of(event_label(ev, STR("severity")));
	bool fires = str_is(state, "alerting") || str_is(state, "no_data");
	if (fires || str_is(state, "ok"))
		ev->fingerprint = old_fingerprint(a, f);
	ev->type = ev->fingerprint.n ? STR("alert") : STR("grafana");
	ev->status = ev->fingerprint.n == 0 ? EVENT_INFO : fires ? EVENT_FIRING : EVENT_RESOLVED;
	struct str summary = fields_text(f[OLD_TITLE]);
	if (summary.n == 0)
		summary = fields_text(f[OLD_MESSAGE]);
	if (summary.n == 0)
		summary = fields_text(f[OLD_RULE_NAME]);
	ev->summary = fields_cut(summary, SOURCE_SUMMARY_LIMIT);
	return 0;
}

/* ---- the request ---- */

int grafana_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	struct event *ev;

	if (body->json->kind != JSON_OBJECT)
		return fields_wrong(e, body->json, TOP("body"), "an object");
	if (json_get(body->json, "alerts"))
		return read_alerts(a, rq, body, out, e);
	out->events = ev = arena_array(a, 1, sizeof(*ev));
	if (!ev)
		return source_no_memory(e);
	*ev = (struct event){.source = rq->source, .data = body->json};
	if (read_object(a, body->json, ev, e) < 0)
		return -1;
	if (arena_failed(a))
		return source_no_memory(e);
	out->n = 1;
	return 0;
}
