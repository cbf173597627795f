/* pagerduty.c: webhooks of PagerDuty, version 3: one event a request.
 *
 * An incident is an alert, identified by its id. Being acknowledged, escalated or given to another
 * one it fires as before: that has the incident's begin as its time, so it is no new occurrence;
 * only triggered and reopened begin one. Where that begin is missing it is an info event, since it
 * may come after the resolve. So is anything else that is said of incidents, services and so on, of
 * its own type, and pagey.ping is nothing.
 */
#include "source/draft.h"
#include "source/fields.h"
#include "source/kinds.h"

static const char *const begins[] = {"incident.triggered", "incident.reopened", NULL};
static const char *const goes_on[] = {"incident.acknowledged", "incident.unacknowledged",
	"incident.escalated", "incident.reassigned", "incident.delegated",
	"incident.priority_updated", NULL};

static void read_labels(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"event_type", "event_type"},
		{"actor", "agent.summary"},
		{"client", "client.name"},
		{"incident", "data.incident.id"},
		{"incident_status", "data.status"},
		{"number", "data.number"},
		{"title", "data.title"},
		{"urgency", "data.urgency"},
		{"priority", "data.priority.summary"},
		{"service", "data.service.summary"},
		{"service_id", "data.service.id"},
		{"escalation_policy", "data.escalation_policy.summary"},
	};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	draft_link(d, "incident", draft_text(d, "data.html_url"));
	struct str word = draft_label_of(d, "priority");
	if (event_severity_of(word) == SEVERITY_UNKNOWN)
		word = draft_label_of(d, "urgency");
	draft_put(d, "severity", word);
	d->event->severity = event_severity_of(word);
}

static void read_incident(struct draft *d, struct str type)
{
	static const char *const identity[] = {"incident", NULL};
	int64_t created = draft_time(d, "data.created_at");
	bool reopened = str_is(type, "incident.reopened");
	bool ends = str_is(type, "incident.resolved");

	draft_take(d, "incident", "data.id");
	if (ends)
		draft_alert(d, "PagerDutyIncident", EVENT_RESOLVED, identity, 1, d->event->time_ns);
	else if (reopened || (created == 0 && draft_is_one(type, begins)))
		draft_alert(d, "PagerDutyIncident", EVENT_FIRING, identity, 1, d->event->time_ns);
	else if (created)
		draft_alert(d, "PagerDutyIncident", EVENT_FIRING, identity, 1, created);
}

int pagerduty_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	const struct json *event = json_get(body->json, "event");
	struct draft d;

	if (body->json->kind != JSON_OBJECT)
		return fields_wrong(e, body->json, (struct source_place){.name = "body"},
			"an object with 'event'");
	if (!event || event->kind != JSON_OBJECT)
		return fields_wrong(e, event, (struct source_place){.name = "event"}, "an object");
	if (draft_begin(&d, a, rq, event, out, e) < 0)
		return -1;
	struct str type = draft_text(&d, "event_type");
	if (str_is(type, "pagey.ping"))
		return 0;
	d.event->delivery = draft_text(&d, "id");
	if (d.event->delivery.n == 0)
		d.event->delivery = draft_header(&d, rq, "X-Webhook-Id");
	d.event->time_ns = draft_time(&d, "occurred_at");
	draft_type(&d, "pagerduty_", type.n ? type : STR("event"));
	read_labels(&d);
	if (str_is(type, "incident.resolved") || draft_is_one(type, begins) ||
		draft_is_one(type, goes_on))
		read_incident(&d, type);
	struct str title = draft_label_of(&d, "title");
	draft_summary(&d, "%.*s", STR_ARG(title.n ? title : type));
	return draft_end(&d, out);
}
