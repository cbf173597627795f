/* amx.c: AMX_RECEIVER, AMX_LABEL_x, AMX_ALERT_1_START and the others.
 *
 * What scripts written for prometheus-am-executor read, variable for variable: labels with an empty
 * value are there, times are whole seconds since 1970 and "0" where Go's zero time stands, alerts
 * count from 1 in the order of the message. What a message lacks is the empty text, as a Go struct
 * has it, and a value of another type likewise: the message was checked when it came in, and the
 * place that it is read from now is not trusted to have kept it.
 */
#include "run/amx.h"

#include "base/clock.h"

struct list {
	struct arena *a;
	struct kv *v;
	size_t n, cap;
};

static void add(struct list *l, struct str prefix, struct str name, struct str value)
{
	char *p = arena_alloc(l->a, prefix.n + name.n + 1);

	if (!p)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct kv *v = arena_grow(
			l->a, l->v, l->cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return;
		l->v = v;
		l->cap = cap;
	}
	memcpy(p, prefix.p, prefix.n);
	if (name.n)
		memcpy(p + prefix.n, name.p, name.n);
	p[prefix.n + name.n] = '\0';
	l->v[l->n++] = (struct kv){{p, prefix.n + name.n}, value};
}

static void add_members(struct list *l, struct str prefix, const struct json *map)
{
	if (!map || map->kind != JSON_OBJECT)
		return;
	for (const struct json *m = map->child; m; m = m->next)
		add(l, prefix, m->key, json_str(m));
}

static void add_pairs(struct list *l, struct str prefix, const struct kv *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(l, prefix, v[i].name, v[i].value);
}

static struct str seconds(struct arena *a, int64_t ns)
{
	int64_t s = ns / 1000000000;

	if (ns % 1000000000 < 0) /* Unix seconds are rounded down, also before 1970 */
		s--;
	return arena_printf(a, "%lld", (long long)s);
}

static struct str time_member(struct arena *a, const struct json *alert, const char *name)
{
	struct str text = json_str(json_get(alert, name));
	int64_t ns = 0;

	if (text.n && !clock_parse_rfc3339(text, &ns))
		ns = 0;
	return ns ? seconds(a, ns) : STR("0");
}

static void add_alert(struct list *l, const struct json *alert, size_t number)
{
	struct arena *a = l->a;
	struct str prefix = arena_printf(a, "AMX_ALERT_%zu_", number);

	add(l, prefix, STR("STATUS"), json_str(json_get(alert, "status")));
	add(l, prefix, STR("START"), time_member(a, alert, "startsAt"));
	add(l, prefix, STR("END"), time_member(a, alert, "endsAt"));
	add(l, prefix, STR("URL"), json_str(json_get(alert, "generatorURL")));
	add(l, prefix, STR("FINGERPRINT"), json_str(json_get(alert, "fingerprint")));
	add_members(l, arena_printf(a, "AMX_ALERT_%zu_LABEL_", number), json_get(alert, "labels"));
	add_members(l, arena_printf(a, "AMX_ALERT_%zu_ANNOTATION_", number),
		json_get(alert, "annotations"));
}

static void add_head(struct list *l, struct str receiver, struct str status, struct str url, size_t n)
{
	struct str prefix = STR("AMX_");

	add(l, prefix, STR("RECEIVER"), receiver);
	add(l, prefix, STR("STATUS"), status);
	add(l, prefix, STR("EXTERNAL_URL"), url);
	add(l, prefix, STR("ALERT_LEN"), arena_printf(l->a, "%zu", n));
}

static void add_message(struct list *l, const struct json *m)
{
	const struct json *alerts = json_get(m, "alerts");
	size_t number = 0;

	if (alerts && alerts->kind != JSON_ARRAY)
		alerts = NULL;
	add_head(l, json_str(json_get(m, "receiver")), json_str(json_get(m, "status")),
		json_str(json_get(m, "externalURL")), alerts ? alerts->count : 0);
	add_members(l, STR("AMX_LABEL_"), json_get(m, "commonLabels"));
	add_members(l, STR("AMX_GLABEL_"), json_get(m, "groupLabels"));
	add_members(l, STR("AMX_ANNOTATION_"), json_get(m, "commonAnnotations"));
	for (const struct json *alert = alerts ? alerts->child : NULL; alert; alert = alert->next)
		add_alert(l, alert, ++number);
}

static struct str link_of(const struct event *ev, const char *name)
{
	for (size_t i = 0; i < ev->links_n; i++)
		if (str_is(ev->links[i].name, name))
			return ev->links[i].value;
	return STR_NONE;
}

static void add_event(struct list *l, const struct event *ev)
{
	struct str prefix = STR("AMX_ALERT_1_"), status = str_of(event_status_name(ev->status));

	add_head(l, STR_NONE, status, link_of(ev, "alertmanager"), 1);
	add_pairs(l, STR("AMX_LABEL_"), ev->labels, ev->labels_n);
	add_pairs(l, STR("AMX_ANNOTATION_"), ev->annotations, ev->annotations_n);
	add(l, prefix, STR("STATUS"), status);
	add(l, prefix, STR("START"), ev->starts_ns ? seconds(l->a, ev->starts_ns) : STR("0"));
	add(l, prefix, STR("END"), ev->ends_ns ? seconds(l->a, ev->ends_ns) : STR("0"));
	add(l, prefix, STR("URL"), link_of(ev, "generator"));
	add(l, prefix, STR("FINGERPRINT"), ev->fingerprint);
	add_pairs(l, STR("AMX_ALERT_1_LABEL_"), ev->labels, ev->labels_n);
	add_pairs(l, STR("AMX_ALERT_1_ANNOTATION_"), ev->annotations, ev->annotations_n);
}

int amx_entries(struct arena *a, const struct json *message, const struct event *ev, struct kv **out,
	size_t *n)
{
	struct list l = {.a = a};

	if (message)
		add_message(&l, message);
	else if (ev)
		add_event(&l, ev);
	else
		add_head(&l, STR_NONE, STR_NONE, STR_NONE, 0);
	*out = l.v;
	*n = l.n;
	return arena_failed(a) ? -1 : 0;
}
