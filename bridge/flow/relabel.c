/* relabel.c: a source's templates over each of its events.
 *
 * Owns the compiled templates, in the arena of the sources they belong to. The order of the file does
 * not matter: every template sees the event as its kind read it.
 */
#include "flow/relabel.h"

#include "flow/event_template.h"

struct rename {
	struct str name;
	const struct template *value; /* NULL: the label is dropped */
};

struct relabel {
	struct rename *v;
	size_t n;
};

static void compile(struct arena *a, const struct conf *c, const struct conf_source *s,
	const struct conf_pair *from, struct rename *out, struct diags *d)
{
	struct err e = {0};
	const struct template *t = event_template_parse(a, from->value.text, &e);

	*out = (struct rename){from->name, t};
	if (!t)
		diag_add(d, DIAG_ERROR, c->path.p, from->value.line, from->value.column,
			"'sources.%.*s.labels.%.*s': %s", STR_ARG(s->name), STR_ARG(from->name),
			e.text);
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
		const struct rename *m = &r->v[i];
		struct str value = STR_NONE;
		if (m->value && event_template_render(m->value, a, ev, &value, e) != 0)
			return -1;
		/* Of one name the last counts, and an empty one goes. */
		if (value.n > 0 || !m->value)
			v[n++] = (struct kv){m->name, value};
	}
	event_sort_labels(v, &n, true);
	ev->labels = v;
	ev->labels_n = n;
	return 0;
}
