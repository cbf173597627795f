/* template.c: templates from text to parts, and what their expressions ask for.
 *
 * A template is texts and expressions in turn; an expression is a path or a text in quotes, and
 * filters. All names are checked here: roots, members of event, filters, and how many parts a path
 * has, so that what can be wrong about a template at run time is only that a value is missing.
 *
 * There are no conditions, loops or arithmetic, on purpose: a runbook can do that better.
 */
#include "rule/template_impl.h"

#include "base/nearest.h"
#include "rule/words.h"

static const char *const root_names[] = {
	[TEMPLATE_CONSTANT] = "",
	[TEMPLATE_LABELS] = "labels",
	[TEMPLATE_ANNOTATIONS] = "annotations",
	[TEMPLATE_DATA] = "data",
	[TEMPLATE_EVENT] = "event",
	[TEMPLATE_MATCH] = "match",
	[TEMPLATE_INCIDENT] = "incident",
	[TEMPLATE_STEPS] = "steps",
};

static const char *const filter_names[] = {
	[FILTER_DEFAULT] = "default",
	[FILTER_LOWER] = "lower",
	[FILTER_HOST] = "host",
	[FILTER_JSON] = "json",
};

static const char *const member_names[] = {
	[MEMBER_ID] = "id",
	[MEMBER_SOURCE] = "source",
	[MEMBER_TYPE] = "type",
	[MEMBER_STATUS] = "status",
	[MEMBER_SEVERITY] = "severity",
	[MEMBER_SUMMARY] = "summary",
	[MEMBER_FINGERPRINT] = "fingerprint",
	[MEMBER_TIME] = "time",
	[MEMBER_RECEIVED] = "received",
	[MEMBER_STARTS_AT] = "starts_at",
	[MEMBER_ENDS_AT] = "ends_at",
};

/* As docs/http-api.md has it; what is below `key` and `labels` is the incident's own. */
static const char *const incident_names[] = {"id", "status", "acked", "severity", "title", "key", "labels",
	"opened", "updated", "resolved", "alerts", "firing", "sources", "runs", "truncated", "acked_at",
	"acked_by", "closed_by", "closed_reason", "flapping", "dropped", "merged_into", "merged", "split_from"};
static const char *const step_names[] = {"state", "exit_code", "output"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- parsing ---- */

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "no memory for a template");
}

/* One part of a path, or a bare argument: up to a dot, bar, brace, quote or blank. May be empty. */
static struct str read_bare(struct cursor *c)
{
	size_t start = c->at;

	while (c->at < c->text.n) {
		char x = c->text.p[c->at];
		if (x == '.' || x == '|' || x == '{' || x == '}' || x == '"' || words_is_blank(x))
			break;
		c->at++;
	}
	return (struct str){c->text.p + start, c->at - start};
}

static int unknown(struct err *e, size_t offset, const char *what, struct str name,
	const char *const *names, size_t n, const char *known)
{
	const char *near = nearest(name, names, n);

	err_set(e, ERR_INPUT, "unknown %s '%.*s'%s%s%s; known are %s", what, STR_ARG(name),
		near ? ", did you mean '" : "", near ? near : "", near ? "'" : "", known);
	e->offset = offset;
	return -1;
}

static int find_name(struct str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i][0] && str_is(name, names[i]))
			return (int)i;
	return -1;
}

/* What each root asks of the rest of its path. */
static int check_path(struct expr *x, size_t offset, struct err *e)
{
	int i;

	switch (x->root) {
	case TEMPLATE_LABELS:
	case TEMPLATE_ANNOTATIONS:
		if (x->path_n > 1)
			return cursor_fail(e, offset,
				"a name that holds a dot is put in double quotes: labels.\"a.b\"");
		return 0;
	case TEMPLATE_MATCH:
		return x->path_n > 1 ? cursor_fail(e, offset, "match.NAME has no parts below it")
				     : 0;
	case TEMPLATE_EVENT:
		i = find_name(x->path[0], member_names, COUNT(member_names));
		if (i < 0 || x->path_n > 1)
			return unknown(e, offset, "member of event", x->path[0], member_names,
				COUNT(member_names),
				"id source type status severity summary fingerprint time received "
				"starts_at ends_at");
		x->member = (enum event_member)i;
		x->late = x->member == MEMBER_ID || x->member == MEMBER_RECEIVED;
		return 0;
	case TEMPLATE_STEPS:
		x->late = true;
		if (x->path_n < 2)
			return cursor_fail(e, offset, "want steps.NAME.x, as in steps.disk-usage.output");
		if (x->path_n > 2)
			return cursor_fail(e, offset, "steps.NAME.x has no parts below it");
		if (find_name(x->path[1], step_names, COUNT(step_names)) < 0)
			return unknown(e, offset, "member of a step", x->path[1], step_names,
				COUNT(step_names), "state exit_code output");
		return 0;
	case TEMPLATE_INCIDENT:
		x->late = true;
		if (find_name(x->path[0], incident_names, COUNT(incident_names)) < 0)
			return unknown(e, offset, "member of incident", x->path[0], incident_names,
				COUNT(incident_names),
				"id status acked severity title key labels opened updated resolved alerts "
				"firing sources runs truncated");
		return 0;
	case TEMPLATE_DATA:
	case TEMPLATE_CONSTANT:
		return 0;
	}
	return 0;
}

static int read_path(struct cursor *c, struct arena *a, struct expr *x, struct err *e)
{
	size_t start = c->at;
	struct str parts[TEMPLATE_PATH_LIMIT];
	struct str root = read_bare(c);

	int i = find_name(root, root_names, COUNT(root_names));
	if (root.n == 0)
		return cursor_fail(e, c->at, "want a path here, as in {{ labels.instance }}");
	if (i < 0)
		return unknown(e, start, "path", root, root_names + 1, COUNT(root_names) - 1,
			"labels.x annotations.x data.x event.x match.x incident.x steps.NAME.x");
	x->root = (enum template_root)i;
	while (cursor_sees(c, ".")) {
		c->at++;
		if (x->path_n == COUNT(parts))
			return cursor_fail(e, c->at, "this path has too many parts");
		struct str part;
		if (!cursor_sees(c, "\""))
			part = read_bare(c);
		else if (cursor_quoted(c, a, &part, e) < 0)
			return -1;
		if (part.n == 0)
			return cursor_fail(e, c->at, "a part of this path is empty");
		parts[x->path_n++] = part;
	}
	if (x->path_n == 0) {
		err_set(e, ERR_INPUT, "'%.*s' needs a name after it, as in %.*s.x", STR_ARG(root),
			STR_ARG(root));
		e->offset = start;
		return -1;
	}
	x->path_text = (struct str){c->text.p + start, c->at - start};
	x->path = arena_array(a, x->path_n, sizeof(*x->path));
	if (!x->path)
		return no_memory(e);
	memcpy(x->path, parts, x->path_n * sizeof(*parts));
	return check_path(x, start, e);
}

static int read_filter(struct cursor *c, struct arena *a, struct filter *f, struct err *e)
{
	size_t start = c->at;
	struct str name = read_bare(c);
	int i = find_name(name, filter_names, COUNT(filter_names));

	if (i < 0)
		return unknown(e, start, "filter", name, filter_names, COUNT(filter_names),
			"default \"x\", lower, host, json");
	f->kind = (enum filter_kind)i;
	if (f->kind != FILTER_DEFAULT)
		return 0;
	cursor_skip_blanks(c);
	if (cursor_sees(c, "\""))
		return cursor_quoted(c, a, &f->argument, e);
	f->argument = read_bare(c);
	return f->argument.n > 0 ? 0
				 : cursor_fail(e, c->at, "'default' needs a text: default \"x\"");
}

static int read_filters(struct cursor *c, struct arena *a, struct expr *x, struct err *e)
{
	struct filter filters[TEMPLATE_FILTERS_LIMIT] = {0};

	for (cursor_skip_blanks(c); cursor_sees(c, "|"); cursor_skip_blanks(c)) {
		c->at++;
		cursor_skip_blanks(c);
		if (x->filters_n == COUNT(filters))
			return cursor_fail(e, c->at, "too many filters in one expression");
		if (read_filter(c, a, &filters[x->filters_n++], e) < 0)
			return -1;
	}
	if (x->filters_n == 0)
		return 0;
	x->filters = arena_array(a, x->filters_n, sizeof(*x->filters));
	if (!x->filters)
		return no_memory(e);
	memcpy(x->filters, filters, x->filters_n * sizeof(*filters));
	return 0;
}

/* From the open braces through the closing ones. */
static int read_expr(struct cursor *c, struct arena *a, struct part *p, struct err *e)
{
	size_t start = c->at;
	struct expr *x = arena_zalloc(a, sizeof(*x));

	if (!x)
		return no_memory(e);
	c->at += 2;
	cursor_skip_blanks(c);
	if (cursor_sees(c, "\"")) {
		if (cursor_quoted(c, a, &x->constant, e) < 0)
			return -1;
	} else if (read_path(c, a, x, e) < 0) {
		return -1;
	}
	if (read_filters(c, a, x, e) < 0)
		return -1;
	if (c->at >= c->text.n)
		return cursor_fail(e, start, "this '{{' is never closed");
	if (!cursor_sees(c, "}}"))
		return cursor_fail(e, c->at, "want '|' or '}}' here");
	c->at += 2;
	*p = (struct part){{c->text.p + start, c->at - start}, x, start};
	return 0;
}

/* Up to the next open braces, or the end. */
static void read_literal(struct cursor *c, struct part *p)
{
	size_t start = c->at;

	while (c->at < c->text.n && !cursor_sees(c, "{{"))
		c->at++;
	*p = (struct part){{c->text.p + start, c->at - start}, NULL, start};
}

static int read_parts(struct cursor *c, struct arena *a, struct template *t, struct err *e)
{
	size_t room = 0;

	t->constant = true;
	while (c->at < c->text.n) {
		if (t->n == TEMPLATE_PARTS_LIMIT)
			return cursor_fail(e, c->at, "too many expressions in one template");
		if (t->n == room) {
			size_t more = room ? room * 2 : 4;
			t->parts = arena_grow(
				a, t->parts, room * sizeof(*t->parts), more * sizeof(*t->parts));
			if (!t->parts)
				return no_memory(e);
			room = more;
		}
		struct part *p = &t->parts[t->n++];
		if (!cursor_sees(c, "{{")) {
			read_literal(c, p);
			continue;
		}
		if (read_expr(c, a, p, e) < 0)
			return -1;
		t->late = t->late || p->expr->late;
		t->constant = t->constant && p->expr->root == TEMPLATE_CONSTANT;
	}
	return 0;
}

struct template *template_parse(struct arena *a, struct str text, struct err *e)
{
	struct template *t = arena_zalloc(a, sizeof(*t));

	if (!t || (t->text = arena_strdup(a, text), arena_failed(a))) {
		no_memory(e);
		return NULL;
	}
	struct cursor c = {t->text, 0};
	return read_parts(&c, a, t, e) == 0 ? t : NULL;
}

bool template_is_late(const struct template *t)
{
	return t->late;
}

bool template_is_constant(const struct template *t)
{
	return t->constant;
}

struct str template_text(const struct template *t)
{
	return t->text;
}

bool template_ref(const struct template *t, size_t i, struct template_ref *out)
{
	for (size_t k = 0; k < t->n; k++) {
		const struct expr *x = t->parts[k].expr;
		if (!x || i-- > 0)
			continue;
		*out = (struct template_ref){
			x->root, x->path_n > 0 ? x->path[0] : STR_NONE, t->parts[k].offset};
		return true;
	}
	return false;
}
