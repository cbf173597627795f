/* template.c: texts with holes, filled from an event, its regex groups, its incident and earlier
 * steps.
 *
 * Guarantee: what is filled in is never read as a template. Rendering is one pass, and where a
 * template must wait for the claim (template_render_early) the values that are known by then are
 * written as quoted constants, escaped so that they parse back to themselves: a label that holds
 * "{{ steps.x.output }}" stays that text.
 *
 * An expression's value is a text or a piece of JSON; JSON becomes its text where text is wanted.
 * Missing and empty are one thing, as with labels: `default` fills it, else the rendering fails and
 * names the path. There are no conditions, loops or arithmetic, on purpose: a runbook can do that
 * better.
 */
#include "rule/template.h"

#include "base/clock.h"
#include "base/nearest.h"

enum filter_kind {
	FILTER_DEFAULT,
	FILTER_LOWER,
	FILTER_HOST,
	FILTER_JSON,
};

struct filter {
	enum filter_kind kind;
	struct str argument;
};

enum event_member {
	MEMBER_ID,
	MEMBER_SOURCE,
	MEMBER_TYPE,
	MEMBER_STATUS,
	MEMBER_SEVERITY,
	MEMBER_SUMMARY,
	MEMBER_FINGERPRINT,
	MEMBER_TIME,
	MEMBER_RECEIVED,
	MEMBER_STARTS_AT,
	MEMBER_ENDS_AT,
};

struct expr {
	enum template_root root;
	enum event_member member; /* where root is TEMPLATE_EVENT */
	struct str constant;
	struct str *path;
	size_t path_n;
	struct str path_text; /* as written */
	struct filter *filters;
	size_t filters_n;
	bool late;
};

struct part {
	struct str text; /* as written, with the braces where it is an expression */
	struct expr *expr;
	size_t offset;
};

struct template
{
	struct str text;
	struct part *parts;
	size_t n;
	bool late;
	bool constant;
};

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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- parsing ---- */

struct cursor {
	struct arena *arena;
	struct str text;
	size_t at;
};

static int fail_at(struct err *e, size_t offset, const char *what)
{
	err_set(e, ERR_INPUT, "%s", what);
	e->offset = offset;
	return -1;
}

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "no memory for a template");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->text.n && is_blank(c->text.p[c->at]))
		c->at++;
}

static bool looking_at(const struct cursor *c, const char *what)
{
	struct str rest = {c->text.p + c->at, c->text.n - c->at};

	return str_starts(rest, str_of(what));
}

/* In quotes \" \\ and \n are escapes; any other backslash is itself. */
static bool is_escape(struct str s, size_t i)
{
	return s.p[i] == '\\' && i + 1 < s.n &&
	       (s.p[i + 1] == '"' || s.p[i + 1] == '\\' || s.p[i + 1] == 'n');
}

static int read_quoted(struct cursor *c, struct str *out, struct err *e)
{
	size_t start = c->at, n = 0;
	struct str s = c->text;

	for (c->at++; c->at < s.n && s.p[c->at] != '"'; c->at++)
		c->at += is_escape(s, c->at);
	if (c->at >= s.n)
		return fail_at(e, start, "this double quote is never closed");
	char *p = arena_alloc(c->arena, c->at - start);
	if (!p)
		return no_memory(e);
	for (size_t i = start + 1; i < c->at; i++) {
		bool escape = is_escape(s, i);
		i += escape;
		p[n++] = escape && s.p[i] == 'n' ? '\n' : s.p[i];
	}
	c->at++;
	*out = (struct str){p, n};
	return 0;
}

/* One part of a path, or a bare argument: up to a dot, bar, brace, quote or blank. May be empty. */
static struct str read_bare(struct cursor *c)
{
	size_t start = c->at;

	while (c->at < c->text.n) {
		char x = c->text.p[c->at];
		if (x == '.' || x == '|' || x == '{' || x == '}' || x == '"' || is_blank(x))
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
			return fail_at(e, offset,
				"a name that holds a dot is put in double quotes: labels.\"a.b\"");
		return 0;
	case TEMPLATE_MATCH:
		return x->path_n > 1 ? fail_at(e, offset, "match.NAME has no parts below it") : 0;
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
		return x->path_n > 1 ? 0
				     : fail_at(e, offset,
					       "want steps.NAME.x, as in steps.disk-usage.output");
	case TEMPLATE_INCIDENT:
		x->late = true;
		return 0;
	case TEMPLATE_DATA:
	case TEMPLATE_CONSTANT:
		return 0;
	}
	return 0;
}

static int read_path(struct cursor *c, struct expr *x, struct err *e)
{
	size_t start = c->at;
	struct str parts[TEMPLATE_PATH_LIMIT];
	struct str root = read_bare(c);

	int i = find_name(root, root_names, COUNT(root_names));
	if (root.n == 0)
		return fail_at(e, c->at, "want a path here, as in {{ labels.instance }}");
	if (i < 0)
		return unknown(e, start, "path", root, root_names + 1, COUNT(root_names) - 1,
			"labels.x annotations.x data.x event.x match.x incident.x steps.NAME.x");
	x->root = (enum template_root)i;
	while (looking_at(c, ".")) {
		c->at++;
		if (x->path_n == COUNT(parts))
			return fail_at(e, c->at, "this path has too many parts");
		struct str part;
		if (!looking_at(c, "\""))
			part = read_bare(c);
		else if (read_quoted(c, &part, e) < 0)
			return -1;
		if (part.n == 0)
			return fail_at(e, c->at, "a part of this path is empty");
		parts[x->path_n++] = part;
	}
	if (x->path_n == 0) {
		err_set(e, ERR_INPUT, "'%.*s' needs a name after it, as in %.*s.x", STR_ARG(root),
			STR_ARG(root));
		e->offset = start;
		return -1;
	}
	x->path_text = (struct str){c->text.p + start, c->at - start};
	x->path = arena_array(c->arena, x->path_n, sizeof(*x->path));
	if (!x->path)
		return no_memory(e);
	memcpy(x->path, parts, x->path_n * sizeof(*parts));
	return check_path(x, start, e);
}

static int read_filter(struct cursor *c, struct filter *f, struct err *e)
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
	skip_blanks(c);
	if (looking_at(c, "\""))
		return read_quoted(c, &f->argument, e);
	f->argument = read_bare(c);
	return f->argument.n > 0 ? 0 : fail_at(e, c->at, "'default' needs a text: default \"x\"");
}

static int read_filters(struct cursor *c, struct expr *x, struct err *e)
{
	struct filter filters[TEMPLATE_FILTERS_LIMIT] = {0};

	for (skip_blanks(c); looking_at(c, "|"); skip_blanks(c)) {
		c->at++;
		skip_blanks(c);
		if (x->filters_n == COUNT(filters))
			return fail_at(e, c->at, "too many filters in one expression");
		if (read_filter(c, &filters[x->filters_n++], e) < 0)
			return -1;
	}
	if (x->filters_n == 0)
		return 0;
	x->filters = arena_array(c->arena, x->filters_n, sizeof(*x->filters));
	if (!x->filters)
		return no_memory(e);
	memcpy(x->filters, filters, x->filters_n * sizeof(*filters));
	return 0;
}

/* From the open braces through the closing ones. */
static int read_expr(struct cursor *c, struct part *p, struct err *e)
{
	size_t start = c->at;
	struct expr *x = arena_zalloc(c->arena, sizeof(*x));

	if (!x)
		return no_memory(e);
	c->at += 2;
	skip_blanks(c);
	if (looking_at(c, "\"")) {
		if (read_quoted(c, &x->constant, e) < 0)
			return -1;
	} else if (read_path(c, x, e) < 0) {
		return -1;
	}
	if (read_filters(c, x, e) < 0)
		return -1;
	if (c->at >= c->text.n)
		return fail_at(e, start, "this '{{' is never closed");
	if (!looking_at(c, "}}"))
		return fail_at(e, c->at, "want '|' or '}}' here");
	c->at += 2;
	*p = (struct part){{c->text.p + start, c->at - start}, x, start};
	return 0;
}

/* Up to the next open braces, or the end. */
static void read_literal(struct cursor *c, struct part *p)
{
	size_t start = c->at;

	while (c->at < c->text.n && !looking_at(c, "{{"))
		c->at++;
	*p = (struct part){{c->text.p + start, c->at - start}, NULL, start};
}

static int read_parts(struct cursor *c, struct template *t, struct err *e)
{
	size_t room = 0;

	t->constant = true;
	while (c->at < c->text.n) {
		if (t->n == TEMPLATE_PARTS_LIMIT)
			return fail_at(e, c->at, "too many expressions in one template");
		if (t->n == room) {
			size_t more = room ? room * 2 : 4;
			t->parts = arena_grow(c->arena, t->parts, room * sizeof(*t->parts),
				more * sizeof(*t->parts));
			if (!t->parts)
				return no_memory(e);
			room = more;
		}
		struct part *p = &t->parts[t->n++];
		if (!looking_at(c, "{{")) {
			read_literal(c, p);
			continue;
		}
		if (read_expr(c, p, e) < 0)
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
	struct cursor c = {a, t->text, 0};
	return read_parts(&c, t, e) == 0 ? t : NULL;
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

/* ---- rendering ---- */

/* json NULL: text is the value. Both empty: missing. */
struct value {
	struct str text;
	const struct json *json;
};

static struct str json_text(struct arena *a, const struct json *j)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, TEMPLATE_OUTPUT_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, j);
	struct str s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	a->failed = a->failed || buf_failed(&b);
	buf_release(&b);
	return s;
}

static struct str quoted_text(struct arena *a, struct str s)
{
	struct buf b;

	buf_init(&b, 2 * TEMPLATE_OUTPUT_LIMIT);
	json_quote(&b, s);
	struct str out = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	a->failed = a->failed || buf_failed(&b);
	buf_release(&b);
	return out;
}

/* Strings are texts; what has a text of its own is read as that by every filter but json. */
static struct value value_of_json(const struct json *j)
{
	if (!j || j->kind == JSON_NULL)
		return (struct value){0};
	if (j->kind == JSON_STRING)
		return (struct value){.text = j->text};
	return (struct value){.json = j};
}

static struct str value_text(struct arena *a, struct value v)
{
	return v.json ? json_text(a, v.json) : v.text;
}

static const struct json *walk(const struct json *j, const struct str *path, size_t n)
{
	for (size_t i = 0; i < n && j; i++)
		j = j->kind == JSON_ARRAY ? json_path(j, path[i]) : json_getn(j, path[i]);
	return j;
}

static struct str time_text(struct arena *a, int64_t ns)
{
	char text[CLOCK_RFC3339_MAX];

	if (ns == 0)
		return STR_NONE;
	clock_format_ns(ns, text);
	return arena_strdup(a, str_of(text));
}

static struct str event_member_text(struct arena *a, enum event_member m, const struct event *ev)
{
	switch (m) {
	case MEMBER_ID:
		return ev->id;
	case MEMBER_SOURCE:
		return ev->source;
	case MEMBER_TYPE:
		return ev->type;
	case MEMBER_STATUS:
		return str_of(event_status_name(ev->status));
	case MEMBER_SEVERITY:
		return str_of(event_severity_name(ev->severity));
	case MEMBER_SUMMARY:
		return ev->summary;
	case MEMBER_FINGERPRINT:
		return ev->fingerprint;
	case MEMBER_TIME:
		return time_text(a, ev->time_ns);
	case MEMBER_RECEIVED:
		return time_text(a, ev->received_ms * 1000000);
	case MEMBER_STARTS_AT:
		return time_text(a, ev->starts_ns);
	case MEMBER_ENDS_AT:
		return time_text(a, ev->ends_ns);
	}
	return STR_NONE;
}

static struct str match_text(const struct template_ctx *ctx, struct str name)
{
	for (size_t i = 0; i < ctx->match_n; i++)
		if (str_eq(ctx->match[i].name, name))
			return ctx->match[i].value;
	return STR_NONE;
}

static struct value value_of(const struct expr *x, struct arena *a, const struct template_ctx *ctx)
{
	switch (x->root) {
	case TEMPLATE_CONSTANT:
		return (struct value){.text = x->constant};
	case TEMPLATE_LABELS:
		return (struct value){.text = event_label(ctx->event, x->path[0])};
	case TEMPLATE_ANNOTATIONS:
		return (struct value){.text = event_annotation(ctx->event, x->path[0])};
	case TEMPLATE_DATA:
		return value_of_json(walk(ctx->event->data, x->path, x->path_n));
	case TEMPLATE_EVENT:
		return (struct value){.text = event_member_text(a, x->member, ctx->event)};
	case TEMPLATE_MATCH:
		return (struct value){.text = match_text(ctx, x->path[0])};
	case TEMPLATE_INCIDENT:
		return value_of_json(walk(ctx->incident, x->path, x->path_n));
	case TEMPLATE_STEPS:
		return value_of_json(walk(ctx->steps, x->path, x->path_n));
	}
	return (struct value){0};
}

static struct str lower(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (!p)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

/* "web-1:9100" -> "web-1", "[::1]:80" -> "[::1]"; a bare IPv6 address has more than one colon and
 * no port. */
static struct str host(struct str s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] >= '0' && s.p[n - 1] <= '9')
		n--;
	if (n == s.n || n < 2 || s.p[n - 1] != ':')
		return s;
	struct str before = {s.p, n - 1};
	if (memchr(before.p, ':', before.n) && before.p[before.n - 1] != ']')
		return s;
	return before;
}

static struct value apply(const struct filter *f, struct arena *a, struct value v)
{
	bool missing = !v.json && v.text.n == 0;

	switch (f->kind) {
	case FILTER_DEFAULT:
		return missing ? (struct value){.text = f->argument} : v;
	case FILTER_LOWER:
		return missing ? v : (struct value){.text = lower(a, value_text(a, v))};
	case FILTER_HOST:
		return missing ? v : (struct value){.text = host(value_text(a, v))};
	case FILTER_JSON:
		if (missing)
			return v;
		return (struct value){
			.text = v.json ? json_text(a, v.json) : quoted_text(a, v.text)};
	}
	return v;
}

static bool has_default(const struct expr *x)
{
	for (size_t i = 0; i < x->filters_n; i++)
		if (x->filters[i].kind == FILTER_DEFAULT)
			return true;
	return false;
}

static int too_big(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the text is larger than %d bytes", TEMPLATE_OUTPUT_LIMIT);
}

static int render_expr(const struct expr *x, struct arena *a, const struct template_ctx *ctx,
	struct buf *out, struct err *e)
{
	struct value v = value_of(x, a, ctx);

	for (size_t i = 0; i < x->filters_n; i++)
		v = apply(&x->filters[i], a, v);
	struct str text = value_text(a, v);
	if (arena_failed(a))
		return too_big(e);
	if (text.n == 0 && x->root != TEMPLATE_CONSTANT && !has_default(x))
		return err_set(e, ERR_INPUT, "%.*s is missing; give it a default",
			(int)(x->path_text.n < 200 ? x->path_text.n : 200), x->path_text.p);
	buf_str(out, text);
	return 0;
}

static int finish(struct buf *b, struct arena *a, int rc, struct str *out, struct err *e)
{
	if (rc == 0 && buf_failed(b))
		rc = too_big(e);
	if (rc == 0) {
		*out = arena_strdup(a, buf_as_str(b));
		if (arena_failed(a))
			rc = too_big(e);
	}
	buf_release(b);
	return rc;
}

int template_render(const struct template *t, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e)
{
	struct buf b;
	int rc = 0;

	*out = STR_NONE;
	if (t->n == 0 || (t->n == 1 && !t->parts[0].expr)) {
		*out = t->text;
		return 0;
	}
	buf_init(&b, TEMPLATE_OUTPUT_LIMIT);
	for (size_t i = 0; i < t->n && rc == 0; i++) {
		if (t->parts[i].expr)
			rc = render_expr(t->parts[i].expr, a, ctx, &b, e);
		else
			buf_str(&b, t->parts[i].text);
	}
	return finish(&b, a, rc, out, e);
}

/* Text that parses back to itself: where a brace is in it, as a constant in quotes. Empties it. */
static void flush_known(struct buf *known, struct buf *out)
{
	struct str s = buf_as_str(known);

	if (s.n > 0 && !memchr(s.p, '{', s.n)) {
		buf_str(out, s);
	} else if (s.n > 0) {
		buf_puts(out, "{{ \"");
		for (size_t i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				buf_putc(out, '\\');
			buf_putc(out, s.p[i]);
		}
		buf_puts(out, "\" }}");
	}
	out->failed = out->failed || buf_failed(known);
	buf_clear(known);
}

int template_render_early(const struct template *t, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e)
{
	struct buf b, known;
	int rc = 0;

	*out = STR_NONE;
	buf_init(&b, TEMPLATE_OUTPUT_LIMIT);
	buf_init(&known, TEMPLATE_OUTPUT_LIMIT);
	for (size_t i = 0; i < t->n && rc == 0; i++) {
		const struct part *p = &t->parts[i];
		if (p->expr && p->expr->late) {
			flush_known(&known, &b);
			buf_str(&b, p->text);
		} else if (p->expr) {
			rc = render_expr(p->expr, a, ctx, &known, e);
		} else {
			buf_str(&known, p->text);
		}
	}
	flush_known(&known, &b);
	buf_release(&known);
	return finish(&b, a, rc, out, e);
}
