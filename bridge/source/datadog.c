/* datadog.c: what Datadog's Webhooks integration posts, whose body is a template of the operator's.
 *
 * So there is no schema: each fact is looked for under the names that contrib/datadog/webhook.json
 * and the templates in use give it, and the first one that holds something counts. A variable that
 * Datadog did not expand ("$ALERT_CYCLE_KEY") holds nothing, or unrelated alerts would be one.
 * Whatever is known must be a text or a number; the rest is left alone in the event's data.
 *
 * One event a request. It is an alert where its transition, or its type within a cycle, says that
 * it fires or ends and something tells which alert it is; else it is an event of its own type that
 * neither fires nor resolves. Only "Recovered" resolves. starts_at is never set: Datadog says when
 * each notification was, not when the alert began, and a time that moves would make a new
 * occurrence of each repetition.
 *
 * A form is read as the object of its pairs, or as the JSON in its pair `payload`.
 */
#include <strings.h>
#include "base/clock.h"
#include "source/fields.h"
#include "source/kinds.h"
#include "source/labels.h"

#define BLANKS " \t\r\n"

enum fact {
	ID,
	ALERT_ID,
	CYCLE_KEY,
	AGGREG_KEY,
	TRANSITION,
	ALERT_TYPE,
	PRIORITY,
	SCOPE,
	METRIC,
	QUERY,
	STATUS,
	ALERT_TITLE,
	TITLE,
	TEXT,
	HOSTNAME,
	TAGS,
	LINK,
	SNAPSHOT,
	EVENT_TYPE,
	ORG_NAME,
	DATE_MS,
	DATE_S,
	UPDATED_MS,
	UPDATED_S,
	FACTS,
};

#define NAMES_MAX 5

/* What a fact is called, the best name first. */
static const char *const names[FACTS][NAMES_MAX] = {
	[ID] = {"id", "event_id", "eventId"},
	[ALERT_ID] = {"alert_id", "alertId", "monitor_id", "monitorId"},
	[CYCLE_KEY] = {"alert_cycle_key", "alertCycleKey", "cycle_key"},
	[AGGREG_KEY] = {"aggreg_key", "aggregKey"},
	[TRANSITION] = {"alert_transition", "alertTransition", "transition"},
	[ALERT_TYPE] = {"alert_type", "alertType"},
	[PRIORITY] = {"alert_priority", "alertPriority", "severity"},
	[SCOPE] = {"alert_scope", "alertScope", "scopes", "scope"},
	[METRIC] = {"alert_metric", "alertMetric"},
	[QUERY] = {"alert_query", "alertQuery"},
	[STATUS] = {"alert_status", "alertStatus"},
	[ALERT_TITLE] = {"alert_title", "alertTitle"},
	[TITLE] = {"title", "event_title"},
	[TEXT] = {"body", "eventMessage", "event_msg", "message"},
	[HOSTNAME] = {"hostname", "host"},
	[TAGS] = {"tags"},
	[LINK] = {"link", "url"},
	[SNAPSHOT] = {"snapshot"},
	[EVENT_TYPE] = {"event_type", "eventType"},
	[ORG_NAME] = {"org_name", "orgName"},
	[DATE_MS] = {"date"},
	[DATE_S] = {"date_posix"},
	[UPDATED_MS] = {"last_updated"},
	[UPDATED_S] = {"last_updated_posix"},
};

static const struct {
	const char *word;
	enum event_status status;
	enum event_severity severity; /* where nothing else says it */
	bool caps;		      /* it is no worse than that, whatever else says */
} transitions[] = {
	{"Triggered", EVENT_FIRING, SEVERITY_ERROR, false},
	{"Re-Triggered", EVENT_FIRING, SEVERITY_ERROR, false},
	{"Warn", EVENT_FIRING, SEVERITY_WARNING, true},
	{"Re-Warn", EVENT_FIRING, SEVERITY_WARNING, true},
	{"No Data", EVENT_FIRING, SEVERITY_WARNING, false},
	{"Re-No Data", EVENT_FIRING, SEVERITY_WARNING, false},
	{"Renotify", EVENT_FIRING, SEVERITY_UNKNOWN, false},
	{"Null", EVENT_FIRING, SEVERITY_UNKNOWN, false},
	{"Recovered", EVENT_RESOLVED, SEVERITY_UNKNOWN, false},
};
#define TRANSITIONS (sizeof(transitions) / sizeof(transitions[0]))

#define TOP(field) ((struct source_place){.name = (field)})

struct message {
	struct arena *arena;
	const struct json *body;
	struct str facts[FACTS];
	const struct json *dates[FACTS]; /* where the times stand, for what is wrong with them */
	struct str scope;		 /* SCOPE, else what the title says */
	struct str name;		 /* the monitor's */
};

static bool is_word(struct str s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* ---- the facts ---- */

/* "$ALERT_CYCLE_KEY": Datadog did not know it, or had nothing to put there. */
static bool is_variable(struct str s)
{
	if (s.n < 2 || s.p[0] != '$')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '_'))
			return false;
	return true;
}

static int find_fact(struct message *m, enum fact f, struct err *e)
{
	for (size_t i = 0; i < NAMES_MAX && names[f][i]; i++) {
		const struct json *j = json_get(m->body, names[f][i]);

		if (!j || j->kind == JSON_NULL)
			continue;
		if (j->kind != JSON_STRING && j->kind != JSON_NUMBER)
			return fields_wrong(e, j, TOP(names[f][i]), "a string");
		struct str s = str_trim(j->text, BLANKS);
		if (s.n == 0 || is_variable(s) || m->facts[f].n > 0)
			continue;
		m->facts[f] = s;
		m->dates[f] = j;
	}
	return 0;
}

/* {"org": {"id": …, "name": …}}, as Datadog's default payload has it; of a form, the text of that.
 */
static int find_org(struct message *m, struct err *e)
{
	const struct json *org = json_get(m->body, "org");
	struct err why = {0};

	if (org && org->kind == JSON_STRING && org->text.n > 0 && org->text.p[0] == '{')
		org = json_parse(m->arena, org->text, &why);
	if (arena_failed(m->arena))
		return source_no_memory(e);
	struct str name = fields_text(json_get(org, "name"));
	if (m->facts[ORG_NAME].n == 0 && !is_variable(name))
		m->facts[ORG_NAME] = name;
	return 0;
}

/* ---- titles: "[P2] [Triggered on {host:web-1}] Disk almost full" ---- */

static bool is_state(struct str s)
{
	if (s.n == 2 && s.p[0] == 'P' && s.p[1] >= '1' && s.p[1] <= '5')
		return true;
	for (size_t i = 0; i < TRANSITIONS; i++) {
		struct str word = str_of(transitions[i].word);

		if (s.n >= word.n && strncasecmp(s.p, word.p, word.n) == 0 &&
			(s.n == word.n || s.p[word.n] == ' '))
			return true;
	}
	return false;
}

/* The monitor's name: the title without what says the state. *scope: what stood in its braces. */
static struct str name_of(struct str title, struct str *scope)
{
	struct str rest = title;

	while (rest.n > 0 && rest.p[0] == '[') {
		const char *end = memchr(rest.p, ']', rest.n);
		if (!end || !is_state((struct str){rest.p + 1, (size_t)(end - rest.p) - 1}))
			break;
		const char *open = memchr(rest.p, '{', (size_t)(end - rest.p));
		if (open && end[-1] == '}')
			*scope = (struct str){open + 1, (size_t)(end - open) - 2};
		rest = str_trim((struct str){end + 1, rest.n - (size_t)(end + 1 - rest.p)}, BLANKS);
	}
	return rest.n > 0 ? rest : title;
}

static int find_facts(struct message *m, struct err *e)
{
	struct str said = STR_NONE;

	for (enum fact f = 0; f < FACTS; f++)
		if (find_fact(m, f, e) < 0)
			return -1;
	if (find_org(m, e) < 0)
		return -1;
	m->name = name_of(m->facts[TITLE], &said);
	if (m->facts[ALERT_TITLE].n > 0)
		m->name = name_of(m->facts[ALERT_TITLE], &said);
	m->scope = m->facts[SCOPE].n > 0 ? m->facts[SCOPE] : said;
	return 0;
}

/* ---- time ---- */

#define NS INT64_C(1000000000)

static bool whole_number(struct str s, int64_t most, int64_t *out)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || v > (most - 9) / 10)
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return s.n > 0;
}

/* One time; each that stands there is looked at, the first one counts. */
static int read_time(struct message *m, enum fact f, int64_t per_second, int64_t *ns, struct err *e)
{
	struct str s = m->facts[f];
	int64_t v;

	if (s.n == 0)
		return 0;
	if (whole_number(s, INT64_MAX / (NS / per_second), &v)) {
		v *= NS / per_second;
	} else if (!clock_parse_rfc3339(s, &v)) {
		err_set(e, ERR_INPUT, "%s: want %s since 1970, got '%.*s'", names[f][0],
			per_second == 1 ? "seconds" : "milliseconds", (int)(s.n < 40 ? s.n : 40),
			s.p);
		e->offset = m->dates[f]->offset;
		return -1;
	}
	if (*ns == 0)
		*ns = v;
	return 0;
}

static int read_times(struct message *m, int64_t *ns, struct err *e)
{
	*ns = 0;
	if (read_time(m, DATE_MS, 1000, ns, e) < 0 || read_time(m, DATE_S, 1, ns, e) < 0 ||
		read_time(m, UPDATED_MS, 1000, ns, e) < 0 || read_time(m, UPDATED_S, 1, ns, e) < 0)
		return -1;
	return 0;
}

/* ---- labels ---- */

/* A tag's key as the name of a label: lower case, "_" for what is no letter or digit. */
static struct str label_name(struct arena *a, const char *prefix, struct str key)
{
	size_t start = strlen(prefix);
	bool digit = start == 0 && key.n > 0 && key.p[0] >= '0' && key.p[0] <= '9';
	struct str s = arena_printf(a, "%s%.*s", digit ? "tag_" : prefix, STR_ARG(key));
	char *p = (char *)s.p;

	for (size_t i = 0; i < s.n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
		else if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')))
			p[i] = '_';
	}
	return s;
}

/* Is value one of those in joined ("a,b")? */
static bool has_value(struct str joined, struct str value)
{
	for (size_t at = 0; at <= joined.n;) {
		const char *comma =
			at < joined.n ? memchr(joined.p + at, ',', joined.n - at) : NULL;
		size_t n = comma ? (size_t)(comma - joined.p) - at : joined.n - at;

		if (str_eq((struct str){joined.p + at, n}, value))
			return true;
		at += n + 1;
	}
	return false;
}

/* A tag whose key is there already: of another tag its value is joined to that one's; of a label of
 * ours (the first `own`) it becomes tag_KEY, unless it says the same. */
static int put_tag(struct labels *l, size_t own, struct str tag, struct err *e)
{
	const char *colon = tag.n ? memchr(tag.p, ':', tag.n) : NULL;
	struct str key = colon ? (struct str){tag.p, (size_t)(colon - tag.p)} : tag;
	struct str value = colon ? str_trim((struct str){colon + 1, tag.n - key.n - 1}, BLANKS)
				 : STR("true");

	key = str_trim(key, BLANKS);
	if (key.n == 0 || value.n == 0 || str_is(key, "*"))
		return 0;
	if (key.n > SOURCE_NAME_LIMIT)
		return labels_put(l, key, value, e);
	struct str name = label_name(l->arena, "", key);
	struct kv *old = labels_find(l, name);
	if (old && old < l->v + own) {
		if (str_eq(old->value, value))
			return 0;
		name = label_name(l->arena, "tag_", key);
		old = labels_find(l, name);
	}
	if (arena_failed(l->arena))
		return source_no_memory(e);
	if (!old)
		return labels_put(l, name, value, e);
	if (has_value(old->value, value))
		return 0;
	if (old->value.n + value.n >= SOURCE_VALUE_LIMIT)
		return err_set(e, ERR_LIMIT, "tags: the values of '%.40s' are longer than %d bytes",
			name.p, SOURCE_VALUE_LIMIT);
	old->value = arena_printf(l->arena, "%.*s,%.*s", STR_ARG(old->value), STR_ARG(value));
	return old->value.p ? 0 : source_no_memory(e);
}

/* "env:prod, host:web-1,monitor" */
static int put_tags(struct labels *l, size_t own, struct str tags, struct err *e)
{
	size_t seen = 0;

	for (size_t at = 0; at < tags.n;) {
		const char *comma = memchr(tags.p + at, ',', tags.n - at);
		size_t n = comma ? (size_t)(comma - tags.p) - at : tags.n - at;

		if (++seen > SOURCE_LABELS_LIMIT)
			return err_set(e, ERR_LIMIT,
				"tags: more than %d, at most that many are taken",
				SOURCE_LABELS_LIMIT);
		if (put_tag(l, own, str_trim((struct str){tags.p + at, n}, BLANKS), e) < 0)
			return -1;
		at += n + 1;
	}
	return 0;
}

static int read_labels(struct message *m, struct event *ev, struct err *e)
{
	struct labels l = {.arena = m->arena};
	const struct str *f = m->facts;
	struct str severity = f[PRIORITY].n > 0 ? f[PRIORITY] : f[ALERT_TYPE];
	const struct kv own[] = {
		{STR("alertname"), m->name},
		{STR("severity"), severity},
		{STR("host"), f[HOSTNAME]},
		{STR("alert_id"), f[ALERT_ID]},
		{STR("cycle_key"), f[CYCLE_KEY]},
		{STR("aggreg_key"), f[AGGREG_KEY]},
		{STR("transition"), f[TRANSITION]},
		{STR("alert_type"), f[ALERT_TYPE]},
		{STR("priority"), f[PRIORITY]},
		{STR("scope"), m->scope},
		{STR("metric"), f[METRIC]},
		{STR("event_type"), f[EVENT_TYPE]},
		{STR("org"), f[ORG_NAME]},
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (labels_put(&l, own[i].name, own[i].value, e) < 0)
			return -1;
	size_t n = l.n;
	if (put_tags(&l, n, f[TAGS], e) < 0 || put_tags(&l, n, m->scope, e) < 0)
		return -1;
	labels_end(&l, &ev->labels, &ev->labels_n);
	return 0;
}

/* Markdown stands between two lines of "%%%". */
static struct str without_marks(struct str s)
{
	if (str_starts(s, STR("%%%")))
		s = str_trim((struct str){s.p + 3, s.n - 3}, BLANKS);
	if (s.n >= 3 && memcmp(s.p + s.n - 3, "%%%", 3) == 0)
		s = str_trim((struct str){s.p, s.n - 3}, BLANKS);
	return s;
}

static int read_texts(struct message *m, struct event *ev, struct err *e)
{
	struct labels annotations = {.arena = m->arena}, links = {.arena = m->arena};
	const struct str *f = m->facts;

	if (labels_put(&annotations, STR("description"), without_marks(f[TEXT]), e) < 0 ||
		labels_put(&annotations, STR("query"), f[QUERY], e) < 0 ||
		labels_put(&annotations, STR("status"), f[STATUS], e) < 0 ||
		labels_put(&links, STR("generator"), f[LINK], e) < 0 ||
		labels_put(&links, STR("snapshot"), f[SNAPSHOT], e) < 0)
		return -1;
	labels_end(&annotations, &ev->annotations, &ev->annotations_n);
	labels_end(&links, &ev->links, &ev->links_n);
	struct str summary = f[TITLE].n > 0 ? f[TITLE] : m->name.n > 0 ? m->name : f[STATUS];
	ev->summary = fields_cut(summary, SOURCE_SUMMARY_LIMIT);
	return 0;
}

/* ---- state, severity, identity ---- */

static enum event_status status_of(const struct message *m)
{
	struct str word = m->facts[TRANSITION], type = m->facts[ALERT_TYPE];

	for (size_t i = 0; i < TRANSITIONS; i++)
		if (is_word(word, transitions[i].word))
			return transitions[i].status;
	if (word.n > 0 || m->facts[CYCLE_KEY].n == 0)
		return EVENT_INFO;
	if (is_word(type, "success"))
		return EVENT_RESOLVED;
	return is_word(type, "error") || is_word(type, "warning") ? EVENT_FIRING : EVENT_INFO;
}

/* The monitor's priority, else what the notification is; a warning is never worse than a warning.
 */
static enum event_severity severity_of(const struct message *m)
{
	enum event_severity s = event_severity_of(m->facts[PRIORITY]);

	if (s == SEVERITY_UNKNOWN)
		s = event_severity_of(m->facts[ALERT_TYPE]);
	for (size_t i = 0; i < TRANSITIONS; i++) {
		if (!is_word(m->facts[TRANSITION], transitions[i].word))
			continue;
		if (s == SEVERITY_UNKNOWN || (transitions[i].caps && s > transitions[i].severity))
			s = transitions[i].severity;
	}
	return s;
}

/* The cycle; else the monitor and its group; else its name and where. "": nothing tells. */
static struct str fingerprint_of(const struct message *m)
{
	const struct str *f = m->facts;
	struct kv id[4];
	size_t n = 0;

	if (f[CYCLE_KEY].n > 0) {
		id[n++] = (struct kv){STR("cycle_key"), f[CYCLE_KEY]};
		return event_fingerprint(m->arena, id, n);
	}
	if (f[AGGREG_KEY].n > 0)
		id[n++] = (struct kv){STR("aggreg_key"), f[AGGREG_KEY]};
	if (f[ALERT_ID].n > 0)
		id[n++] = (struct kv){STR("alert_id"), f[ALERT_ID]};
	if (n == 0 && m->name.n > 0)
		id[n++] = (struct kv){STR("alertname"), m->name};
	if (n == 0)
		return STR_NONE;
	if (m->scope.n == 0 && f[HOSTNAME].n > 0)
		id[n++] = (struct kv){STR("host"), f[HOSTNAME]};
	if (m->scope.n > 0)
		id[n++] = (struct kv){STR("scope"), m->scope};
	return event_fingerprint(m->arena, id, n);
}

/* $ID is one notification's. Templates also put a monitor's id there, so alone it would drop the
 * end of an alert as another copy of its begin, and of groups that are evaluated at once all but
 * one. */
static struct str delivery_of(const struct message *m)
{
	const struct str *f = m->facts;
	struct str at = f[DATE_MS].n	  ? f[DATE_MS]
			: f[DATE_S].n	  ? f[DATE_S]
			: f[UPDATED_MS].n ? f[UPDATED_MS]
					  : f[UPDATED_S];

	if (f[ID].n == 0 || at.n == 0)
		return STR_NONE;
	struct str which = fingerprint_of(m);
	return arena_printf(m->arena, "%.*s:%.*s:%.*s:%.*s", STR_ARG(f[ID]), STR_ARG(f[TRANSITION]),
		STR_ARG(at), STR_ARG(which));
}

static void set_state(struct message *m, struct event *ev)
{
	ev->status = status_of(m);
	ev->severity = severity_of(m);
	if (ev->status != EVENT_INFO)
		ev->fingerprint = fingerprint_of(m);
	if (ev->fingerprint.n > 0) {
		ev->type = STR("alert");
		ev->ends_ns = ev->status == EVENT_RESOLVED ? ev->time_ns : 0;
		return;
	}
	ev->status = EVENT_INFO;
	ev->type = m->facts[EVENT_TYPE].n > 0 && !str_is(m->facts[EVENT_TYPE], "alert")
			   ? m->facts[EVENT_TYPE]
			   : STR("datadog");
}

/* ---- the request ---- */

enum source_form datadog_form(const struct source_request *rq)
{
	return source_type_is(rq, "application/x-www-form-urlencoded") ? SOURCE_FORM : SOURCE_JSON;
}

/* Of a name that stands there twice the last one counts, as in JSON. */
static bool stands_later(const struct source_body *body, size_t i)
{
	for (size_t k = i + 1; k < body->pairs_n; k++)
		if (str_eq(body->pairs[k].name, body->pairs[i].name))
			return true;
	return false;
}

static const struct json *object_of_pairs(struct arena *a, const struct source_body *body)
{
	size_t n = 0;
	struct json *o = arena_zalloc(a, sizeof(*o));
	struct json *m = arena_array(a, body->pairs_n + 1, sizeof(*m));

	if (!o || !m)
		return NULL;
	o->kind = JSON_OBJECT;
	for (size_t i = 0; i < body->pairs_n; i++) {
		if (stands_later(body, i))
			continue;
		m[n] = (struct json){.kind = JSON_STRING,
			.key = body->pairs[i].name,
			.text = body->pairs[i].value};
		if (n > 0)
			m[n - 1].next = &m[n];
		n++;
	}
	o->child = n ? m : NULL;
	o->count = n;
	return o;
}

/* The object that the body is, or holds. NULL with e. */
static const struct json *object_of(struct arena *a, const struct source_body *body, struct err *e)
{
	static const struct json_limits limits = {SOURCE_DEPTH_LIMIT, SOURCE_NODES_LIMIT};
	const struct json *j = body->json;
	struct err why = {0};

	if (body->form == SOURCE_FORM && body->pairs_n == 1 &&
		str_is(body->pairs[0].name, "payload")) {
		j = json_parse_within(a, &limits, body->pairs[0].value, &why);
		if (!j) {
			err_set(e, why.code, "payload, byte %zu: %s", why.offset, why.text);
			return NULL;
		}
	} else if (body->form == SOURCE_FORM) {
		j = object_of_pairs(a, body);
	}
	if (!j)
		source_no_memory(e);
	else if (j->kind != JSON_OBJECT)
		fields_wrong(e, j, TOP("body"), "an object");
	return j && j->kind == JSON_OBJECT ? j : NULL;
}

int datadog_read(struct arena *a, const struct source_request *rq, const struct source_body *whole,
	struct source_batch *out, struct err *e)
{
	struct message m = {.arena = a, .body = object_of(a, whole, e)};
	struct event *ev;

	if (!m.body)
		return -1;
	out->events = ev = arena_array(a, 1, sizeof(*ev));
	if (!ev)
		return source_no_memory(e);
	*ev = (struct event){.source = rq->source, .data = m.body};
	if (find_facts(&m, e) < 0 || read_times(&m, &ev->time_ns, e) < 0 ||
		read_labels(&m, ev, e) < 0 || read_texts(&m, ev, e) < 0)
		return -1;
	ev->delivery = delivery_of(&m);
	set_state(&m, ev);
	if (arena_failed(a))
		return source_no_memory(e);
	out->n = 1;
	return 0;
}
