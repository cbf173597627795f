/* relabel.c: a source's templates over each of its events.
 *
 * Owns the compiled templates, in the arena of the sources they belong to. The order of the file does
 * not matter: every template sees the event as its kind read it. What only a claim or a rule knows
 * (incident, steps, match, the event's id) is refused when the file is read, so that a name that is
 * misspelt is found there and not by a label that never comes.
 *
 * A value that an event lacks is no fault here, unlike in a rule's `with`: senders leave things out.
 */
#include "flow/relabel.h"

#include "rule/template.h"

struct rename {
	struct str name;
	const struct template *value; /* NULL: the label is dropped */
};

struct relabel {
	struct rename *v;
	size_t n;
};

static bool sees_more_than_the_event(const struct template *t)
{
	struct template_ref ref;

	for (size_t i = 0; template_ref(t, i, &ref); i++) {
		if (ref.root == TEMPLATE_MATCH)
			return true;
	}
	return template_is_late(t);
}

static void compile(struct arena *a, const struct conf *c, const struct conf_source *s,
	const struct conf_pair *from, struct rename *out, struct diags *d)
{
	struct err e = {0};
	struct template *t = template_parse(a, from->value.text, &e);

	*out = (struct rename){from->name, t};
	if (!t)
		diag_add(d, DIAG_ERROR, c->path.p, from->value.line, from->value.column,
			"'sources.%.*s.labels.%.*s': %s", STR_ARG(s->name), STR_ARG(from->name),
			e.text);
	else if (sees_more_than_the_event(t))
		diag_add(d, DIAG_ERROR, c->path.p, from->value.line, from->value.column,
			"'sources.%.*s.labels.%.*s': only the event is known here: labels.x, "
			"annotations.x, data.x, event.x but for event.id and event.received",
			STR_ARG(s->name), STR_ARG(from->name));
	else if (from->value.text.n == 0)
		out->value = NULL;
}

const struct relabel *relabel_new(
	struct arena *a, const struct conf *c, const struct conf_source *s, struct diags *d)
{
	struct relabel *r;

	if (s->labels.n == 0)
		return NULL;
	r = arena_zalloc(a, sizeof(*r));
	if (r)
		r->v = arena_array(a, s->labels.n, sizeof(*r->v));
	if (!r || !r->v)
		return NULL;
	for (; r->n < s->labels.n; r->n++)
		compile(a, c, s, &s->labels.v[r->n], &r->v[r->n], d);
	return r;
}

/* "" where the event lacks what the template asks for. */
static int value_of(const struct rename *m, struct arena *a, const struct event *ev,
	struct str *value, struct err *e)
{
	struct template_ctx ctx = {.event = ev};

	*value = STR_NONE;
	if (!m->value || template_render(m->value, a, &ctx, value, e) == 0)
		return 0;
	if (e->code != ERR_INPUT)
		return -1;
	*e = (struct err){0};
	*value = STR_NONE;
	return 0;
}

int relabel_apply(const struct relabel *r, struct arena *a, struct event *ev, struct err *e)
{
	size_t n = ev->labels_n;
	struct kv *v;

	if (!r)
		return 0;
	v = arena_array(a, n + r->n, sizeof(*v));
	if (!v)
		return err_set(e, ERR_LIMIT, "the labels do not fit the memory of a request");
	for (size_t i = 0; i < n; i++)
		v[i] = ev->labels[i];
	for (size_t i = 0; i < r->n; i++) {
		struct str value;
		if (value_of(&r->v[i], a, ev, &value, e) != 0)
			return -1;
		/* Of one name the last counts, and an empty one goes. */
		if (value.n > 0 || !r->v[i].value)
			v[n++] = (struct kv){r->v[i].name, value};
	}
	event_sort_labels(v, &n, true);
	ev->labels = v;
	ev->labels_n = n;
	return 0;
}
