/* alertmanager.c: what Prometheus Alertmanager posts to a webhook, version 4 and, by its fields, 3.
 *
 * One event an alert, in the order of the message. alerts[].status says firing or resolved; the
 * status of the message does not, since one message carries both. An alert that is not in the
 * message says nothing about that alert: max_alerts cuts the list, and truncatedAlerts, which is
 * handed on, says by how many.
 *
 * Known fields have their type or the whole message is refused; unknown ones, which newer versions
 * add, are left alone and stay in the event's data. null stands for "not set", as Go writes it, for
 * all but the list of alerts. A firing alert without startsAt, which only a payload of an
 * operator's own making has, is taken: Alertmanager would repeat a refused message for ever, and
 * the store counts from its arrival then. Fingerprints are taken as given where they look like one.
 */
#include "base/hash.h"
#include "source/fields.h"
#include "source/kinds.h"
#include "source/prom_alert.h"

/* The fields of a message and of an alert: what they must be, null apart. */
enum {
	TOP_ALERTS,
	TOP_TRUNCATED,
	TOP_GROUP_KEY,
	TOP_EXTERNAL_URL,
	TOP_VERSION,
	TOP_STATUS,
	TOP_RECEIVER,
	TOP_GROUP_LABELS,
	TOP_COMMON_LABELS,
	TOP_COMMON_ANNOTATIONS,
	TOP_COUNT,

	ALERT_STATUS = 0,
	ALERT_LABELS,
	ALERT_ANNOTATIONS,
	ALERT_STARTS,
	ALERT_ENDS,
	ALERT_GENERATOR,
	ALERT_FINGERPRINT,
	ALERT_COUNT,
};

static const struct field top_fields[TOP_COUNT] = {
	[TOP_ALERTS] = FIELD("alerts", FIELD_LIST),
	[TOP_TRUNCATED] = FIELD("truncatedAlerts", FIELD_NUMBER),
	[TOP_GROUP_KEY] = FIELD("groupKey", FIELD_TEXT),
	[TOP_EXTERNAL_URL] = FIELD("externalURL", FIELD_STRING),
	[TOP_VERSION] = FIELD("version", FIELD_STRING),
	[TOP_STATUS] = FIELD("status", FIELD_STRING),
	[TOP_RECEIVER] = FIELD("receiver", FIELD_STRING),
	[TOP_GROUP_LABELS] = FIELD("groupLabels", FIELD_MAP),
	[TOP_COMMON_LABELS] = FIELD("commonLabels", FIELD_MAP),
	[TOP_COMMON_ANNOTATIONS] = FIELD("commonAnnotations", FIELD_MAP),
};

static const struct field alert_fields[ALERT_COUNT] = {
	[ALERT_STATUS] = FIELD("status", FIELD_STRING),
	[ALERT_LABELS] = FIELD("labels", FIELD_MAP),
	[ALERT_ANNOTATIONS] = FIELD("annotations", FIELD_MAP),
	[ALERT_STARTS] = FIELD("startsAt", FIELD_STRING),
	[ALERT_ENDS] = FIELD("endsAt", FIELD_STRING),
	[ALERT_GENERATOR] = FIELD("generatorURL", FIELD_STRING),
	[ALERT_FINGERPRINT] = FIELD("fingerprint", FIELD_STRING),
};

#define TOP(field) ((struct source_place){.name = (field)})
#define IN_ALERT(i, field) ((struct source_place){"alerts", (i), (field)})

static int read_status(const struct json *j, size_t index, enum event_status *out, struct err *e)
{
	if (j && str_is(j->text, "firing"))
		*out = EVENT_FIRING;
	else if (j && str_is(j->text, "resolved"))
		*out = EVENT_RESOLVED;
	else
		return fields_odd(e, j, IN_ALERT(index, "status"), "'firing' or 'resolved'");
	return 0;
}

static int read_times(const struct json **f, size_t index, struct event *ev, struct err *e)
{
	if (fields_time(f[ALERT_STARTS], IN_ALERT(index, "startsAt"), &ev->starts_ns, e) < 0 ||
		fields_time(f[ALERT_ENDS], IN_ALERT(index, "endsAt"), &ev->ends_ns, e) < 0)
		return -1;
	/* It fires, says its status; when it will have ended is not known yet. */
	if (ev->status == EVENT_FIRING)
		ev->ends_ns = 0;
	ev->time_ns = ev->ends_ns ? ev->ends_ns : ev->starts_ns;
	return 0;
}

static bool is_fingerprint(const struct json *j)
{
	if (!j || j->text.n != 16)
		return false;
	for (size_t i = 0; i < 16; i++) {
		char c = j->text.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
			return false;
	}
	return true;
}

static int set_links(struct arena *a, const struct json *alertmanager, const struct json *generator,
	struct event *ev)
{
	struct kv *v = arena_array(a, 2, sizeof(*v));

	if (!v)
		return -1;
	if (alertmanager && alertmanager->text.n > 0)
		v[ev->links_n++] = (struct kv){STR("alertmanager"), alertmanager->text};
	if (generator && generator->text.n > 0)
		v[ev->links_n++] = (struct kv){STR("generator"), generator->text};
	ev->links = v;
	return 0;
}

/* What the events of one message have in common. */
struct common {
	struct str source;
	struct str group;
	const struct json *external_url;
	struct event_message *message;
};

static int read_alert(struct arena *a, const struct common *all, const struct json *alert,
	size_t index, struct event *ev, struct err *e)
{
	const struct json *f[ALERT_COUNT] = {NULL};

	if (alert->kind != JSON_OBJECT)
		return fields_wrong(e, alert, IN_ALERT(index, ""), "an object");
	*ev = (struct event){.source = all->source,
		.type = STR("alert"),
		.data = alert,
		.group = all->group,
		.message = all->message};
	if (fields_pick(alert, alert_fields, ALERT_COUNT, IN_ALERT(index, ""), f, e) < 0 ||
		read_status(f[ALERT_STATUS], index, &ev->status, e) < 0 ||
		read_times(f, index, ev, e) < 0 ||
		prom_alert_pairs(a, f[ALERT_LABELS], f[ALERT_ANNOTATIONS], "alerts", index, ev, e) <
			0)
		return -1;
	ev->severity = event_severity_of(event_label(ev, STR("severity")));
	ev->summary = prom_alert_summary(ev);
	ev->fingerprint = is_fingerprint(f[ALERT_FINGERPRINT])
				  ? f[ALERT_FINGERPRINT]->text
				  : event_fingerprint(a, ev->labels, ev->labels_n);
	if (set_links(a, all->external_url, f[ALERT_GENERATOR], ev) < 0 || arena_failed(a))
		return err_set(e, ERR_LIMIT,
			"alerts[%zu]: the body does not fit the memory of a request", index);
	return 0;
}

/* Fields that nothing is made of yet have their types all the same. */
static int check_group_maps(const struct json **f, struct err *e)
{
	static const int maps[] = {TOP_GROUP_LABELS, TOP_COMMON_LABELS, TOP_COMMON_ANNOTATIONS};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (fields_map(NULL, f[maps[i]], TOP(top_fields[maps[i]].name.p), NULL, NULL, e) <
			0)
			return -1;
	return 0;
}

static int read_truncated(const struct json *j, int64_t *out, struct err *e)
{
	*out = 0;
	if (!j || (json_i64(j, out) && *out >= 0))
		return 0;
	err_set(e, ERR_INPUT, "truncatedAlerts: want a whole number from 0, got %.*s",
		(int)(j->text.n < 40 ? j->text.n : 40), j->text.p);
	e->offset = j->offset;
	return -1;
}

/* Each event of the message has it. Two groups stay two, however long their keys are. */
static struct str group_of(struct arena *a, struct str key)
{
	char hash[HASH_SHA256_HEX];

	if (key.n <= SOURCE_GROUP_LIMIT)
		return key;
	hash_sha256_hex(key, hash);
	return arena_printf(
		a, "%.*s#%s", STR_ARG(fields_cut(key, SOURCE_GROUP_LIMIT - HASH_SHA256_HEX)), hash);
}

int alertmanager_read(struct arena *a, const struct source_request *rq,
	const struct source_body *whole, struct source_batch *out, struct err *e)
{
	const struct json *f[TOP_COUNT] = {NULL}, *body = whole->json;

	if (body->kind != JSON_OBJECT)
		return fields_wrong(e, body, TOP("body"), "an object with 'alerts'");
	if (fields_pick(body, top_fields, TOP_COUNT, TOP(""), f, e) < 0 ||
		check_group_maps(f, e) < 0 ||
		read_truncated(f[TOP_TRUNCATED], &out->truncated, e) < 0)
		return -1;
	const struct json *alerts = f[TOP_ALERTS];
	if (!alerts)
		return fields_wrong(e, json_get(body, "alerts"), TOP("alerts"), "an array");
	out->group = f[TOP_GROUP_KEY] ? group_of(a, f[TOP_GROUP_KEY]->text) : STR_NONE;
	out->events = arena_array(a, alerts->count ? alerts->count : 1, sizeof(*out->events));
	struct common all = {
		rq->source, out->group, f[TOP_EXTERNAL_URL], arena_zalloc(a, sizeof(*all.message))};
	if (!out->events || !all.message)
		return err_set(e, ERR_LIMIT, "alerts: %zu do not fit the memory of a request",
			alerts->count);
	all.message->body = body;
	for (const struct json *alert = alerts->child; alert; alert = alert->next, out->n++)
		if (read_alert(a, &all, alert, out->n, &out->events[out->n], e) < 0)
			return -1;
	return 0;
}
