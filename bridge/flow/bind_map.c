/* bind_map.c: paths are parsed and templates compiled once, when the configuration is read.
 *
 * Owns nothing: the map lives in the arena of the sources, its words in the configuration's. This is
 * the one place that knows both source/map.h and rule/template.h: source/ gets a function to fill a
 * template in (docs/design/sources.md).
 */
#include "flow/bind_map.h"

#include "flow/event_template.h"

struct binder {
	struct arena *a;
	const struct conf *c;
	const struct conf_source *s;
	struct diags *d;
};

static int render(const void *template, struct arena *a, const struct event *ev, struct str *out,
	struct err *e)
{
	return event_template_render(template, a, ev, out, e);
}

static void complain(struct binder *b, const struct conf_text *t, const char *key, struct str name,
	const char *text)
{
	diag_add(b->d, DIAG_ERROR, b->c->path.p, t->line, t->column, "'sources.%.*s.map.%s%s%.*s': %s",
		STR_ARG(b->s->name), key, name.n ? "." : "", STR_ARG(name), text);
}

static void bind_value(struct binder *b, const struct conf_text *t, const char *key, struct str name,
	struct source_value *out)
{
	struct err e = {0};

	*out = (struct source_value){0};
	if (!t->text.p)
		return;
	if (source_value_parse(b->a, t->text, out, &e) != 0) {
		complain(b, t, key, name, e.text);
		return;
	}
	if (out->kind != SOURCE_TEMPLATE)
		return;
	out->template = event_template_parse(b->a, t->text, &e);
	if (!out->template)
		complain(b, t, key, name, e.text);
}

static struct source_named *bind_pairs(struct binder *b, const struct conf_pairs *pairs, const char *key)
{
	struct source_named *v = arena_array(b->a, pairs->n ? pairs->n : 1, sizeof(*v));

	for (size_t i = 0; v && i < pairs->n; i++) {
		v[i].name = pairs->v[i].name;
		bind_value(b, &pairs->v[i].value, key, v[i].name, &v[i].value);
	}
	return v;
}

static struct str *bind_words(struct binder *b, const struct conf_list *list)
{
	struct str *v = arena_array(b->a, list->n ? list->n : 1, sizeof(*v));

	for (size_t i = 0; v && i < list->n; i++)
		v[i] = list->v[i].text;
	return v;
}

static void bind_fingerprint(struct binder *b, const struct conf_list *list, struct source_map *m)
{
	struct source_value *v = arena_array(b->a, list->n ? list->n : 1, sizeof(*v));

	for (size_t i = 0; v && i < list->n; i++)
		bind_value(b, &list->v[i], "fingerprint", STR_NONE, &v[i]);
	m->fingerprint = v;
	m->fingerprint_n = list->n;
}

/* What each key's text is good for, and what one key asks of another. */
static void check(struct binder *b, const struct source_map *m)
{
	const struct conf_map *from = &b->s->map;

	if (m->each.kind == SOURCE_TEMPLATE || m->each.kind == SOURCE_LITERAL)
		complain(b, &from->each, "each", STR_NONE, "want the path of a list, as in alerts");
	if (from->status.path.text.p && from->fingerprint.n + from->labels.n == 0)
		complain(b, &from->status.path, "status", STR_NONE,
			"an alert needs 'fingerprint' or 'labels', which tell that it is the same one");
}

const struct source_map *bind_map(
	struct arena *a, const struct conf *c, const struct conf_source *s, struct diags *d)
{
	const struct conf_map *from = &s->map;
	struct binder b = {a, c, s, d};
	struct source_map *m;

	if (!from->given)
		return NULL;
	if (!str_is(s->kind, "generic"))
		diag_add(d, DIAG_ERROR, c->path.p, from->line, from->column,
			"'sources.%.*s.map': only a source of kind 'generic' has a map",
			STR_ARG(s->name));
	m = arena_zalloc(a, sizeof(*m));
	if (!m)
		return NULL;
	m->render = render;
	bind_value(&b, &from->each, "each", STR_NONE, &m->each);
	bind_value(&b, &from->type, "type", STR_NONE, &m->type);
	bind_value(&b, &from->status.path, "status", STR_NONE, &m->status);
	bind_value(&b, &from->summary, "summary", STR_NONE, &m->summary);
	bind_value(&b, &from->severity, "severity", STR_NONE, &m->severity);
	bind_value(&b, &from->starts_at, "starts_at", STR_NONE, &m->starts_at);
	bind_value(&b, &from->ends_at, "ends_at", STR_NONE, &m->ends_at);
	m->firing = bind_words(&b, &from->status.firing);
	m->firing_n = from->status.firing.n;
	m->resolved = bind_words(&b, &from->status.resolved);
	m->resolved_n = from->status.resolved.n;
	bind_fingerprint(&b, &from->fingerprint, m);
	m->labels = bind_pairs(&b, &from->labels, "labels");
	m->labels_n = from->labels.n;
	m->annotations = bind_pairs(&b, &from->annotations, "annotations");
	m->annotations_n = from->annotations.n;
	check(&b, m);
	return m;
}
