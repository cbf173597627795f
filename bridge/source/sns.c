/* sns.c: what Amazon SNS posts to an HTTP subscription, and the CloudWatch alarm inside.
 *
 * SNS calls its JSON text/plain, so the body is read as JSON whatever it is called; with raw
 * message delivery (x-amz-sns-rawdelivery: true) there is no envelope, and the body is what stands
 * in Message else. One request is one event: a CloudWatch alarm   an alert: ALARM fires, OK
 * resolves. Identity is AlarmArn. INSUFFICIENT_DATA says neither (a host that died sends no data,
 * and a new alarm has none yet), so it is an info event and the alert stays as it is other JSON an
 * info event, `data` is the message text                 an info event, `data` is the envelope a
 * confirmation       an info event with the link to follow; it is not followed here A Type that is
 * none of these gives no event. An alarm's resolve carries its own time as starts_ns too: SNS keeps
 * no order, and a late, older ALARM must not fire again after it.
 *
 * MessageAttributes become no labels: the signature does not cover them.
 */
#include "base/clock.h"
#include "base/utf8.h"
#include "source/fields.h"
#include "source/kinds.h"

enum {
	TOP_TYPE,
	TOP_MESSAGE_ID,
	TOP_TOPIC,
	TOP_SUBJECT,
	TOP_MESSAGE,
	TOP_TIMESTAMP,
	TOP_TOKEN,
	TOP_SUBSCRIBE_URL,
	TOP_SIGNATURE,
	TOP_SIGNATURE_VERSION,
	TOP_CERT_URL,
	TOP_COUNT,

	ALARM_NAME = 0,
	ALARM_DESCRIPTION,
	ALARM_ACCOUNT,
	ALARM_STATE,
	ALARM_OLD_STATE,
	ALARM_REASON,
	ALARM_TIME,
	ALARM_REGION,
	ALARM_ARN,
	ALARM_TRIGGER,
	ALARM_COUNT,

	METRIC_NAME = 0,
	METRIC_NAMESPACE,
	METRIC_DIMENSIONS,
	METRIC_METRICS,
	METRIC_COUNT,
};

static const struct field top_fields[TOP_COUNT] = {
	[TOP_TYPE] = FIELD("Type", FIELD_STRING),
	[TOP_MESSAGE_ID] = FIELD("MessageId", FIELD_STRING),
	[TOP_TOPIC] = FIELD("TopicArn", FIELD_STRING),
	[TOP_SUBJECT] = FIELD("Subject", FIELD_STRING),
	[TOP_MESSAGE] = FIELD("Message", FIELD_STRING),
	[TOP_TIMESTAMP] = FIELD("Timestamp", FIELD_STRING),
	[TOP_TOKEN] = FIELD("Token", FIELD_STRING),
	[TOP_SUBSCRIBE_URL] = FIELD("SubscribeURL", FIELD_STRING),
	[TOP_SIGNATURE] = FIELD("Signature", FIELD_STRING),
	[TOP_SIGNATURE_VERSION] = FIELD("SignatureVersion", FIELD_STRING),
	[TOP_CERT_URL] = FIELD("SigningCertURL", FIELD_STRING),
};

static const struct field alarm_fields[ALARM_COUNT] = {
	[ALARM_NAME] = FIELD("AlarmName", FIELD_STRING),
	[ALARM_DESCRIPTION] = FIELD("AlarmDescription", FIELD_STRING),
	[ALARM_ACCOUNT] = FIELD("AWSAccountId", FIELD_TEXT),
	[ALARM_STATE] = FIELD("NewStateValue", FIELD_STRING),
	[ALARM_OLD_STATE] = FIELD("OldStateValue", FIELD_STRING),
	[ALARM_REASON] = FIELD("NewStateReason", FIELD_STRING),
	[ALARM_TIME] = FIELD("StateChangeTime", FIELD_STRING),
	[ALARM_REGION] = FIELD("Region", FIELD_STRING),
	[ALARM_ARN] = FIELD("AlarmArn", FIELD_STRING),
	[ALARM_TRIGGER] = FIELD("Trigger", FIELD_OBJECT),
};

static const struct field metric_fields[METRIC_COUNT] = {
	[METRIC_NAME] = FIELD("MetricName", FIELD_STRING),
	[METRIC_NAMESPACE] = FIELD("Namespace", FIELD_STRING),
	[METRIC_DIMENSIONS] = FIELD("Dimensions", FIELD_LIST),
	[METRIC_METRICS] = FIELD("Metrics", FIELD_LIST),
};

#define TOP(field) ((struct source_place){.name = (field)})
#define IN(list, field) ((struct source_place){(list), SOURCE_NO_INDEX, (field)})

#define ALARM_LABELS 16 /* at most, beside the dimensions */

/* A message on its way to an event. */
struct message {
	struct arena *arena;
	const struct json *envelope; /* NULL: raw delivery */
	struct str id, topic, subject, text;
	size_t offset; /* of text in the body */
	int64_t time_ns;
	struct event *event;
	struct kv *labels; /* not yet sorted */
	size_t labels_n, labels_cap;
};

/* ---- names and times ---- */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Does a word begin at s.p[i]? "DBInstanceId": D, I of Instance, I of Id. */
static bool begins_word(struct str s, size_t i)
{
	if (i == 0 || !is_upper(s.p[i]))
		return false;
	return is_lower(s.p[i - 1]) || is_digit(s.p[i - 1]) ||
	       (is_upper(s.p[i - 1]) && i + 1 < s.n && is_lower(s.p[i + 1]));
}

/* "InstanceId" -> "instance_id", after `prefix`; STR_NONE: no memory. */
static struct str label_name(struct arena *a, const char *prefix, struct str s)
{
	size_t n = strlen(prefix);
	char *out = arena_alloc(a, n + 2 * s.n + 1);

	if (!out)
		return STR_NONE;
	memcpy(out, prefix, n);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (begins_word(s, i))
			out[n++] = '_';
		if (is_upper(c))
			c = (char)(c - 'A' + 'a');
		out[n++] = is_lower(c) || is_digit(c) ? c : '_';
	}
	out[n] = '\0';
	return (struct str){out, n};
}

/* As fields_time; also with an offset that has no colon, "+0000", as CloudWatch writes it. */
static int read_time(const struct json *j, struct source_place place, int64_t *ns, struct err *e)
{
	char text[CLOCK_RFC3339_MAX + 1];
	size_t n = j ? j->text.n : 0;

	if (n > 5 && n < CLOCK_RFC3339_MAX &&
		(j->text.p[n - 5] == '+' || j->text.p[n - 5] == '-')) {
		memcpy(text, j->text.p, n - 2);
		text[n - 2] = ':';
		memcpy(text + n - 1, j->text.p + n - 2, 2);
		if (clock_parse_rfc3339((struct str){text, n + 1}, ns))
			return 0;
	}
	return fields_time(j, place, ns, e);
}

/* The parts of arn:partition:service:region:account:…, from 0; STR_NONE where there is none. */
static struct str arn_part(struct str arn, unsigned which)
{
	if (!str_starts(arn, STR("arn:")))
		return STR_NONE;
	while (which > 0) {
		const char *colon = arn.n ? memchr(arn.p, ':', arn.n) : NULL;

		if (!colon)
			return STR_NONE;
		arn.n -= (size_t)(colon + 1 - arn.p);
		arn.p = colon + 1;
		which--;
	}
	const char *end = arn.n ? memchr(arn.p, ':', arn.n) : NULL;
	return end ? (struct str){arn.p, (size_t)(end - arn.p)} : STR_NONE;
}

#define ARN_REGION 3
#define ARN_ACCOUNT 4

/* ---- labels ---- */

static int need_labels(struct message *m, size_t n, struct err *e)
{
	m->labels_cap = n;
	m->labels = arena_array(m->arena, n, sizeof(*m->labels));
	return m->labels ? 0 : source_no_memory(e);
}

static void put_label(struct message *m, struct str name, struct str value)
{
	if (value.n > 0 && m->labels_n < m->labels_cap)
		m->labels[m->labels_n++] = (struct kv){name, value};
}

static bool has_label(const struct message *m, struct str name)
{
	for (size_t i = 0; i < m->labels_n; i++) {
		if (str_eq(m->labels[i].name, name))
			return true;
	}
	return false;
}

static void sort_labels(struct message *m)
{
	m->event->labels = m->labels;
	m->event->labels_n = m->labels_n;
	event_sort_labels(m->event->labels, &m->event->labels_n, true);
}

/* ---- a CloudWatch alarm ---- */

static int too_many(struct err *e, const struct json *list, const char *where)
{
	err_set(e, ERR_LIMIT, "%s: %zu elements, at most %d are taken", where, list->count,
		SOURCE_LABELS_LIMIT);
	e->offset = list->offset;
	return -1;
}

/* One of Dimensions, {"name": …, "value": …}, as it is in either case of letters. */
static const struct json *member(const struct json *d, const char *lower, const char *upper)
{
	const struct json *j = json_get(d, lower);

	return j ? j : json_get(d, upper);
}

static int check_dimensions(const struct json *list, struct err *e)
{
	static const char where[] = "Message.Trigger.Dimensions";
	size_t i = 0;

	if (!list)
		return 0;
	if (list->count > SOURCE_LABELS_LIMIT)
		return too_many(e, list, where);
	for (const struct json *d = list->child; d; d = d->next, i++) {
		if (d->kind != JSON_OBJECT)
			return fields_wrong(e, d, (struct source_place){where, i, ""}, "an object");
		const struct json *name = member(d, "name", "Name"),
				  *value = member(d, "value", "Value");
		if (!name || name->kind != JSON_STRING || name->text.n == 0)
			return fields_wrong(
				e, name, (struct source_place){where, i, "name"}, "a string");
		if (!value || value->kind != JSON_STRING)
			return fields_wrong(
				e, value, (struct source_place){where, i, "value"}, "a string");
		if (name->text.n > SOURCE_NAME_LIMIT || value->text.n > SOURCE_VALUE_LIMIT) {
			err_set(e, ERR_LIMIT,
				"%s[%zu]: a name of %zu or value of %zu bytes, at most %d and %d "
				"are taken",
				where, i, name->text.n, value->text.n, SOURCE_NAME_LIMIT,
				SOURCE_VALUE_LIMIT);
			e->offset = d->offset;
			return -1;
		}
	}
	return 0;
}

/* A dimension that is called as a label of ours (namespace: of Kubernetes, say) keeps that label
 * its meaning. */
static void put_dimension(struct message *m, struct str name, struct str value)
{
	struct str label = label_name(m->arena, is_digit(name.p[0]) ? "dimension_" : "", name);

	if (has_label(m, label) || str_is(label, "namespace") || str_is(label, "metric"))
		label = label_name(m->arena, "dimension_", name);
	if (label.n > 0)
		put_label(m, label, value);
}

static void put_dimensions(struct message *m, const struct json *list)
{
	for (const struct json *d = list ? list->child : NULL; d; d = d->next)
		put_dimension(
			m, member(d, "name", "Name")->text, member(d, "value", "Value")->text);
}

/* The metric of an element of Metrics; NULL: it is an expression. */
static const struct json *metric_of(const struct json *element)
{
	const struct json *metric = json_get(json_get(element, "MetricStat"), "Metric");

	return metric && metric->kind == JSON_OBJECT ? metric : NULL;
}

/* Does each metric of the list have this text under this name? */
static bool all_say(const struct json *list, const char *name, struct str text)
{
	for (const struct json *c = list->child; c; c = c->next) {
		const struct json *metric = metric_of(c);

		if (metric && !str_eq(json_str(json_get(metric, name)), text))
			return false;
	}
	return true;
}

static bool has_dimension(const struct json *metric, struct str name, struct str value)
{
	const struct json *list = json_get(metric, "Dimensions");

	if (list && list->count > SOURCE_LABELS_LIMIT)
		return false;
	for (const struct json *d = list ? list->child : NULL; d; d = d->next) {
		if (str_eq(json_str(member(d, "name", "Name")), name))
			return str_eq(json_str(member(d, "value", "Value")), value);
	}
	return false;
}

static bool all_have(const struct json *list, struct str name, struct str value)
{
	for (const struct json *c = list->child; c; c = c->next) {
		const struct json *metric = metric_of(c);

		if (metric && !has_dimension(metric, name, value))
			return false;
	}
	return true;
}

/* Of an alarm on an expression over several metrics: what they have in common. */
static int put_common(struct message *m, const struct json *list, struct err *e)
{
	const struct json *first = NULL, *dimensions;

	if (list->count > SOURCE_LABELS_LIMIT)
		return too_many(e, list, "Message.Trigger.Metrics");
	for (const struct json *c = list->child; c && !first; c = c->next)
		first = metric_of(c);
	if (!first)
		return 0;
	struct str space = json_str(json_get(first, "Namespace")),
		   name = json_str(json_get(first, "MetricName"));
	if (all_say(list, "Namespace", space))
		put_label(m, STR("namespace"), space);
	if (all_say(list, "MetricName", name))
		put_label(m, STR("metric"), name);
	dimensions = json_get(first, "Dimensions");
	if (dimensions && dimensions->kind == JSON_ARRAY && dimensions->count > SOURCE_LABELS_LIMIT)
		return too_many(e, dimensions, "Message.Trigger.Metrics: Dimensions");
	for (const struct json *d = dimensions ? dimensions->child : NULL; d; d = d->next) {
		struct str key = json_str(member(d, "name", "Name")),
			   value = json_str(member(d, "value", "Value"));

		if (key.n > 0 && key.n <= SOURCE_NAME_LIMIT && value.n <= SOURCE_VALUE_LIMIT &&
			all_have(list, key, value))
			put_dimension(m, key, value);
	}
	return 0;
}

static int put_metric(struct message *m, const struct json *trigger, struct err *e)
{
	const struct json *f[METRIC_COUNT] = {NULL};

	if (!trigger)
		return 0;
	if (fields_pick(trigger, metric_fields, METRIC_COUNT, IN("Message.Trigger", ""), f, e) <
			0 ||
		check_dimensions(f[METRIC_DIMENSIONS], e) < 0)
		return -1;
	put_label(m, STR("namespace"), fields_text(f[METRIC_NAMESPACE]));
	put_label(m, STR("metric"), fields_text(f[METRIC_NAME]));
	put_dimensions(m, f[METRIC_DIMENSIONS]);
	return f[METRIC_METRICS] ? put_common(m, f[METRIC_METRICS], e) : 0;
}

/* Room for a label of each dimension, wherever they stand: an object is one of them at most. */
static size_t labels_room(const struct json *trigger)
{
	return ALARM_LABELS + (trigger ? 2 * SOURCE_LABELS_LIMIT : 0);
}

static enum event_status state_of(const struct json **f)
{
	struct str state = fields_text(f[ALARM_STATE]);

	if (str_is(state, "ALARM"))
		return EVENT_FIRING;
	return str_is(state, "OK") ? EVENT_RESOLVED : EVENT_INFO;
}

static int read_alarm_labels(struct message *m, const struct json **f, struct err *e)
{
	struct str arn = fields_text(f[ALARM_ARN]), region = arn_part(arn, ARN_REGION),
		   words = fields_text(f[ALARM_REGION]);

	if (need_labels(m, labels_room(f[ALARM_TRIGGER]), e) < 0)
		return -1;
	put_label(m, STR("alertname"), fields_text(f[ALARM_NAME]));
	put_label(m, STR("alarm_arn"), arn);
	put_label(m, STR("account"), fields_text(f[ALARM_ACCOUNT]));
	put_label(m, STR("region"), region.n ? region : words);
	put_label(m, STR("topic_arn"), m->topic);
	if (state_of(f) == EVENT_INFO)
		put_label(m, STR("state"), fields_text(f[ALARM_STATE]));
	if (put_metric(m, f[ALARM_TRIGGER], e) < 0)
		return -1;
	sort_labels(m);
	return 0;
}

/* AlarmArn; where older messages lack it, what it would consist of. */
static struct str alarm_fingerprint(struct message *m)
{
	struct event *ev = m->event;
	struct str arn = event_label(ev, STR("alarm_arn"));
	struct kv of_arn[] = {{STR("alarm_arn"), arn}};
	struct kv of_name[] = {{STR("account"), event_label(ev, STR("account"))},
		{STR("alertname"), event_label(ev, STR("alertname"))},
		{STR("region"), event_label(ev, STR("region"))}};

	return arn.n ? event_fingerprint(m->arena, of_arn, 1)
		     : event_fingerprint(m->arena, of_name, 3);
}

static int read_alarm_texts(struct message *m, const struct json **f, struct err *e)
{
	struct event *ev = m->event;
	struct str reason = fields_text(f[ALARM_REASON]);

	ev->annotations = arena_array(m->arena, 2, sizeof(*ev->annotations));
	if (!ev->annotations)
		return source_no_memory(e);
	ev->annotations[ev->annotations_n++] =
		(struct kv){STR("description"), fields_text(f[ALARM_DESCRIPTION])};
	ev->annotations[ev->annotations_n++] = (struct kv){STR("reason"), reason};
	event_sort_labels(ev->annotations, &ev->annotations_n, true);
	if (reason.n == 0)
		reason = m->subject.n ? m->subject : fields_text(f[ALARM_NAME]);
	ev->summary = fields_cut(reason, SOURCE_SUMMARY_LIMIT);
	return 0;
}

static void set_alarm_state(struct message *m, enum event_status state)
{
	struct event *ev = m->event;

	ev->status = state;
	if (state == EVENT_INFO) {
		ev->type = STR("cloudwatch_alarm");
		return;
	}
	ev->type = STR("alert");
	ev->starts_ns = ev->time_ns;
	ev->ends_ns = state == EVENT_RESOLVED ? ev->time_ns : 0;
	ev->fingerprint = alarm_fingerprint(m);
}

static int read_alarm(struct message *m, const struct json *alarm, struct err *e)
{
	const struct json *f[ALARM_COUNT] = {NULL};
	int64_t changed;

	if (fields_pick(alarm, alarm_fields, ALARM_COUNT, IN("Message", ""), f, e) < 0 ||
		read_time(f[ALARM_TIME], IN("Message", "StateChangeTime"), &changed, e) < 0)
		return -1;
	if (!f[ALARM_NAME] || f[ALARM_NAME]->text.n == 0)
		return fields_wrong(e, f[ALARM_NAME], IN("Message", "AlarmName"), "a name");
	if (changed)
		m->event->time_ns = changed;
	if (read_alarm_labels(m, f, e) < 0 || read_alarm_texts(m, f, e) < 0)
		return -1;
	set_alarm_state(m, state_of(f));
	return 0;
}

/* ---- any message ---- */

static bool is_alarm(const struct json *j)
{
	return j->kind == JSON_OBJECT && json_get(j, "AlarmName") && json_get(j, "NewStateValue");
}

static bool looks_like_json(struct str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n'))
		i++;
	return i < s.n && (s.p[i] == '{' || s.p[i] == '[');
}

/* *out NULL: it is a text. */
static int parse_text(struct message *m, const struct json **out, struct err *e)
{
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};
	struct err why = {0};

	*out = NULL;
	if (!looks_like_json(m->text))
		return 0;
	*out = json_parse_within(m->arena, &limits, m->text, &why);
	if (*out || (why.code == ERR_INPUT && !arena_failed(m->arena)))
		return 0;
	err_set(e, ERR_LIMIT, "Message: %s", why.text);
	e->offset = why.offset;
	return -1;
}

static struct str first_line(struct str s)
{
	const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;

	return end ? (struct str){s.p, (size_t)(end - s.p)} : s;
}

static int read_info(struct message *m, const char *type, struct err *e)
{
	struct event *ev = m->event;

	ev->type = str_of(type);
	ev->summary =
		fields_cut(m->subject.n ? m->subject : first_line(m->text), SOURCE_SUMMARY_LIMIT);
	if (need_labels(m, 3, e) < 0)
		return -1;
	put_label(m, STR("account"), arn_part(m->topic, ARN_ACCOUNT));
	put_label(m, STR("region"), arn_part(m->topic, ARN_REGION));
	put_label(m, STR("topic_arn"), m->topic);
	sort_labels(m);
	return 0;
}

static int keep_text(struct message *m, struct err *e)
{
	struct event *ev = m->event;

	if (m->text.n == 0)
		return 0;
	ev->annotations = arena_array(m->arena, 1, sizeof(*ev->annotations));
	if (!ev->annotations)
		return source_no_memory(e);
	ev->annotations[ev->annotations_n++] =
		(struct kv){STR("message"), fields_cut(m->text, SOURCE_VALUE_LIMIT)};
	return 0;
}

static int read_message(struct message *m, struct err *e)
{
	const struct json *inside;
	int rc;

	if (parse_text(m, &inside, e) < 0)
		rc = -1;
	else if (!inside)
		rc = read_info(m, "sns_notification", e) == 0 ? keep_text(m, e) : -1;
	else if (is_alarm(inside))
		rc = read_alarm(m, inside, e);
	else
		rc = read_info(m, "sns_notification", e);
	if (inside)
		m->event->data = inside;
	/* Inside a string there is no place but the string's. */
	if (rc < 0 && m->envelope && e->offset)
		e->offset = m->offset;
	return rc;
}

static int read_confirmation(
	struct message *m, const char *type, const struct json *url, struct err *e)
{
	struct event *ev = m->event;

	ev->severity = SEVERITY_INFO;
	if (url) {
		ev->links = arena_array(m->arena, 1, sizeof(*ev->links));
		if (!ev->links)
			return source_no_memory(e);
		ev->links[ev->links_n++] = (struct kv){STR("subscribe"), url->text};
	}
	return read_info(m, type, e) == 0 ? keep_text(m, e) : -1;
}

/* ---- the request ---- */

static int begin_event(
	struct message *m, const struct source_request *rq, struct source_batch *out, struct err *e)
{
	out->events = arena_array(m->arena, 1, sizeof(*out->events));
	if (!out->events)
		return source_no_memory(e);
	m->event = &out->events[0];
	*m->event = (struct event){.source = rq->source,
		.status = EVENT_INFO,
		.time_ns = m->time_ns,
		.delivery = m->id,
		.data = m->envelope};
	return 0;
}

static bool is_raw(const struct source_request *rq)
{
	return str_is(source_header(rq, "x-amz-sns-rawdelivery"), "true");
}

enum source_form sns_form(const struct source_request *rq)
{
	return is_raw(rq) ? SOURCE_BYTES : SOURCE_JSON;
}

static int read_raw(struct arena *a, const struct source_request *rq, struct str bytes,
	struct source_batch *out, struct err *e)
{
	struct message m = {.arena = a,
		.id = arena_strdup(a, source_header(rq, "x-amz-sns-message-id")),
		.topic = arena_strdup(a, source_header(rq, "x-amz-sns-topic-arn")),
		.text = bytes};
	size_t valid = utf8_valid(bytes);

	if (arena_failed(a))
		return source_no_memory(e);
	if (valid < bytes.n) {
		err_set(e, ERR_INPUT, "the message is not UTF-8");
		e->offset = valid;
		return -1;
	}
	if (begin_event(&m, rq, out, e) < 0 || read_message(&m, e) < 0)
		return -1;
	out->n = 1;
	return arena_failed(a) ? source_no_memory(e) : 0;
}

static int read_envelope(struct message *m, const struct json **f, const struct source_request *rq,
	struct source_batch *out, struct err *e)
{
	struct str type = fields_text(f[TOP_TYPE]);
	int rc;

	if (begin_event(m, rq, out, e) < 0)
		return -1;
	if (str_is(type, "Notification")) {
		if (!f[TOP_MESSAGE])
			return fields_wrong(e, NULL, TOP("Message"), "a string");
		rc = read_message(m, e);
	} else if (str_is(type, "SubscriptionConfirmation")) {
		rc = read_confirmation(m, "sns_subscription_confirmation", f[TOP_SUBSCRIBE_URL], e);
	} else if (str_is(type, "UnsubscribeConfirmation")) {
		rc = read_confirmation(m, "sns_unsubscribe_confirmation", f[TOP_SUBSCRIBE_URL], e);
	} else {
		return 0;
	}
	out->n = rc == 0;
	return rc;
}

int sns_read(struct arena *a, const struct source_request *rq, const struct source_body *whole,
	struct source_batch *out, struct err *e)
{
	const struct json *f[TOP_COUNT] = {NULL}, *body = whole->json;
	struct message m = {.arena = a, .envelope = body};

	if (whole->form == SOURCE_BYTES)
		return read_raw(a, rq, whole->bytes, out, e);
	if (body->kind != JSON_OBJECT)
		return fields_wrong(e, body, TOP("body"), "an object with 'Type'");
	if (fields_pick(body, top_fields, TOP_COUNT, TOP(""), f, e) < 0 ||
		fields_time(f[TOP_TIMESTAMP], TOP("Timestamp"), &m.time_ns, e) < 0)
		return -1;
	if (!f[TOP_TYPE])
		return fields_wrong(e, json_get(body, "Type"), TOP("Type"),
			"'Notification' (of raw message delivery: the header "
			"x-amz-sns-rawdelivery)");
	m.id = fields_text(f[TOP_MESSAGE_ID]);
	m.topic = fields_text(f[TOP_TOPIC]);
	m.subject = fields_text(f[TOP_SUBJECT]);
	m.text = fields_text(f[TOP_MESSAGE]);
	m.offset = f[TOP_MESSAGE] ? f[TOP_MESSAGE]->offset : 0;
	if (read_envelope(&m, f, rq, out, e) < 0)
		return -1;
	return arena_failed(a) ? source_no_memory(e) : 0;
}
