/* template_render.c: templates filled from an event, its regex groups, its incident and earlier
 * steps.
 *
 * Guarantee: what is filled in is never read as a template. Rendering is one pass, and where a
 * template must wait for the claim (template_render_early) the values that are known by then are
 * written as quoted constants, escaped so that they parse back to themselves: a label that holds
 * "{{ steps.x.output }}" stays that text.
 *
 * An expression's value is a text or a piece of JSON; JSON becomes its text where text is wanted.
 * Missing and empty are one thing, as with labels: `default` fills it, else the rendering fails and
 * names the path.
 */
#include "rule/template_impl.h"

#include "base/clock.h"

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

/* A run that was started by hand has no event. */
static bool needs_event(enum template_root root)
{
	return root == TEMPLATE_LABELS || root == TEMPLATE_ANNOTATIONS || root == TEMPLATE_DATA ||
	       root == TEMPLATE_EVENT;
}

static struct value value_of(const struct expr *x, struct arena *a, const struct template_ctx *ctx)
{
	if (needs_event(x->root) && !ctx->event)
		return (struct value){0};
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
struct str template_host(struct str s)
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
		return missing ? v : (struct value){.text = template_host(value_text(a, v))};
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
