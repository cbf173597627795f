/* prometheus.c: what Prometheus, vmalert or a ruler of Loki or Mimir posts to an Alertmanager's
 * /api/v2/alerts, and amtool with it.
 *
 * One event an alert. There is no status: an alert fires while its endsAt is ahead, and endsAt is
 * then its deadline, since a Prometheus that is gone says no more; one whose endsAt is past is
 * resolved. Without endsAt the deadline is PROMETHEUS_RESOLVE_MS from now. There is no fingerprint
 * either: it is that of the labels, as Alertmanager would have it. A firing event's time is its
 * startsAt, which stays while endsAt moves with each repetition.
 *
 * Item by item, as Alertmanager: an alert that cannot be read is left out, the first of them is
 * what batch->refused says, and the others are taken.
 *
 * Without the time of day (now_ms 0) nothing is past, and what has no endsAt has no deadline.
 */
#include "source/kinds.h"
#include "source/prom_alert.h"

enum {
	ALERT_LABELS,
	ALERT_ANNOTATIONS,
	ALERT_STARTS,
	ALERT_ENDS,
	ALERT_GENERATOR,
	ALERT_COUNT,
};

static const struct field alert_fields[ALERT_COUNT] = {
	[ALERT_LABELS] = FIELD("labels", FIELD_MAP),
	[ALERT_ANNOTATIONS] = FIELD("annotations", FIELD_MAP),
	[ALERT_STARTS] = FIELD("startsAt", FIELD_STRING),
	[ALERT_ENDS] = FIELD("endsAt", FIELD_STRING),
	[ALERT_GENERATOR] = FIELD("generatorURL", FIELD_STRING),
};

#define IN_ALERT(i, field) ((struct source_place){"alerts", (i), (field)})
#define NS_MS INT64_C(1000000)

static int read_times(
	const struct json **f, size_t index, int64_t now_ms, struct event *ev, struct err *e)
{
	int64_t ends;

	if (fields_time(f[ALERT_STARTS], IN_ALERT(index, "startsAt"), &ev->starts_ns, e) < 0 ||
		fields_time(f[ALERT_ENDS], IN_ALERT(index, "endsAt"), &ends, e) < 0)
		return -1;
	if (ends && ev->starts_ns && ends < ev->starts_ns) {
		err_set(e, ERR_INPUT, "alerts[%zu].endsAt: it is before startsAt", index);
		e->offset = f[ALERT_ENDS]->offset;
		return -1;
	}
	if (ends && ends / NS_MS <= now_ms) {
		ev->status = EVENT_RESOLVED;
		ev->ends_ns = ends;
		if (!ev->starts_ns)
			ev->starts_ns = ends;
	} else {
		ev->status = EVENT_FIRING;
		ev->expires_ns = ends	  ? ends
				 : now_ms ? (now_ms + PROMETHEUS_RESOLVE_MS) * NS_MS
					  : 0;
	}
	ev->time_ns = ev->ends_ns ? ev->ends_ns : ev->starts_ns;
	return 0;
}

static int set_link(struct arena *a, const struct json *generator, struct event *ev)
{
	if (!generator || generator->text.n == 0)
		return 0;
	struct kv *v = arena_array(a, 1, sizeof(*v));
	if (!v)
		return -1;
	v[0] = (struct kv){STR("generator"), generator->text};
	ev->links = v;
	ev->links_n = 1;
	return 0;
}

static int read_alert(struct arena *a, const struct source_request *rq, const struct json *alert,
	size_t index, struct event *ev, struct err *e)
{
	const struct json *f[ALERT_COUNT] = {NULL};

	if (alert->kind != JSON_OBJECT)
		return fields_wrong(e, alert, IN_ALERT(index, ""), "an object");
	*ev = (struct event){.source = rq->source, .type = STR("alert"), .data = alert};
	if (fields_pick(alert, alert_fields, ALERT_COUNT, IN_ALERT(index, ""), f, e) < 0 ||
		read_times(f, index, rq->now_ms, ev, e) < 0 ||
		prom_alert_pairs(a, f[ALERT_LABELS], f[ALERT_ANNOTATIONS], "alerts", index, ev, e) <
			0)
		return -1;
	if (ev->labels_n == 0) {
		err_set(e, ERR_INPUT,
			"alerts[%zu].labels: want at least one label that is not empty", index);
		e->offset = f[ALERT_LABELS] ? f[ALERT_LABELS]->offset : alert->offset;
		return -1;
	}
	ev->severity = event_severity_of(event_label(ev, STR("severity")));
	ev->summary = prom_alert_summary(ev);
	ev->fingerprint = event_fingerprint(a, ev->labels, ev->labels_n);
	if (set_link(a, f[ALERT_GENERATOR], ev) < 0)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	return 0;
}

int prometheus_read(struct arena *a, const struct source_request *rq,
	const struct source_body *whole, struct source_batch *out, struct err *e)
{
	const struct json *body = whole->json;
	size_t index = 0;

	if (body->kind != JSON_ARRAY)
		return fields_wrong(
			e, body, (struct source_place){.name = "body"}, "an array of alerts");
	out->events = arena_array(a, body->count ? body->count : 1, sizeof(*out->events));
	for (const struct json *alert = out->events ? body->child : NULL; alert;
		alert = alert->next, index++) {
		struct err why = {0};

		if (read_alert(a, rq, alert, index, &out->events[out->n], &why) == 0)
			out->n++;
		else if (out->refused.code == ERR_NONE)
			out->refused = why;
	}
	if (arena_failed(a))
		return err_set(e, ERR_LIMIT, "alerts: %zu do not fit the memory of a request",
			body->count);
	return 0;
}
