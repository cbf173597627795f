/* pattern.c: one line against one pattern, and the alert that comes of it.
 *
 * Guarantee: the identity of an alert (its fingerprint) hangs on the pattern's name and the values
 * of its `by` labels alone, so that lines of the same trouble are one alert, whatever else they
 * say; a line that resolves has the same identity as one that raises. An alert has the labels of
 * the line that is at hand.
 *
 * Does not count, and does not know a line's form: whoever calls has split its header off.
 */
#include "rule/pattern.h"

#include "base/utf8.h"
#include "rule/matcher_impl.h"
#include "rule/prefilter.h"

size_t patterns_candidates(const struct patterns *p, struct str text, const uint32_t **out)
{
	if (p->n == 0) {
		*out = NULL;
		return 0;
	}
	return prefilter_scan(p->prefilter, text, out);
}

/* As regex_on, and its groups. */
static int with_groups(const struct regex *r, struct str what, struct matcher_scratch *s,
	struct arena *a, struct str message, struct matcher_groups *g, struct err *e)
{
	int rc = matcher_regex_on(r, what, s, message, e);

	if (rc != 1)
		return rc;
	g->n = 0;
	g->v = arena_array(a, r->names_n ? r->names_n : 1, sizeof(*g->v));
	if (!g->v)
		return err_set(
			e, ERR_LIMIT, "the groups of a match do not fit the memory of a request");
	matcher_regex_groups(r, s, message, g);
	return 1;
}

static enum pattern_verdict try_match(const struct pattern *p, struct matcher_scratch *s,
	struct arena *a, struct str message, struct matcher_groups *groups, struct err *e)
{
	int rc = with_groups(p->match, p->match_text, s, a, message, groups, e);

	if (rc == 1 && p->exclude) {
		int out = matcher_regex_on(p->exclude, p->exclude_text, s, message, e);
		if (out != 0)
			return out < 0 ? PATTERN_FAILED : PATTERN_EXCLUDED;
	}
	return rc < 0 ? PATTERN_FAILED : rc ? PATTERN_MATCHED : PATTERN_NOT;
}

enum pattern_verdict pattern_try(const struct pattern *p, struct matcher_scratch *s,
	struct arena *a, const struct event *line, struct str message,
	struct matcher_groups *groups, struct err *e)
{
	int rc = p->source.n ? matchers_eval(&p->source, s, a, line, NULL, e) : 1;

	if (rc != 1)
		return rc < 0 ? PATTERN_FAILED : PATTERN_NOT;
	rc = p->resolve ? with_groups(p->resolve, p->resolve_text, s, a, message, groups, e) : 0;
	if (rc != 0)
		return rc < 0 ? PATTERN_FAILED : PATTERN_RESOLVES;
	return try_match(p, s, a, message, groups, e);
}

/* ---- the alert ---- */

static int full(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the labels of a line do not fit the memory of a request");
}

static struct str cut(struct str s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80)
		most--;
	return (struct str){s.p, most};
}

/* A group may cut a character in two only where the message was no UTF-8, which it is here; still,
 * what a regex calls a match is not to be trusted with that. */
static struct str sound(struct str s)
{
	return (struct str){s.p, utf8_valid(s)};
}

static int put_labels(const struct pattern *p, const struct matcher_groups *g, struct arena *a,
	const struct event *line, struct event *out, struct err *e)
{
	size_t n = 0;
	struct kv *v = arena_array(a, line->labels_n + g->n + 1, sizeof(*v));

	if (!v)
		return full(e);
	/* Of one name the last counts. */
	for (size_t i = 0; i < line->labels_n; i++)
		v[n++] = line->labels[i];
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].value.n > 0)
			v[n++] = (struct kv){g->v[i].name, sound(g->v[i].value)};
	v[n++] = (struct kv){STR("alertname"), p->name};
	event_sort_labels(v, &n, true);
	out->labels = v;
	out->labels_n = n;
	return 0;
}

static int put_identity(const struct pattern *p, struct arena *a, struct event *out, struct err *e)
{
	size_t n = 0;
	struct kv *v = arena_array(a, p->by_n + 1, sizeof(*v));

	if (!v)
		return full(e);
	for (size_t i = 0; i < p->by_n; i++)
		v[n++] = (struct kv){p->by[i], event_label(out, p->by[i])};
	v[n++] = (struct kv){STR("alertname"), p->name};
	event_sort_labels(v, &n, true);
	out->fingerprint = event_fingerprint(a, v, n);
	return out->fingerprint.p ? 0 : full(e);
}

/* A summary that lacks a value is no reason to lose the alert: the line says the rest. */
static void put_summary(const struct pattern *p, const struct matcher_groups *g, struct arena *a,
	struct str message, struct event *out)
{
	const struct template_ctx ctx = {.event = out, .match = g->v, .match_n = g->n};
	struct err ignored;

	out->summary = message;
	if (p->summary && template_render(p->summary, a, &ctx, &out->summary, &ignored) != 0)
		out->summary = message;
	out->summary = cut(out->summary, PATTERN_SUMMARY_LIMIT);
}

int pattern_event(const struct pattern *p, bool resolves, const struct matcher_groups *groups,
	struct arena *a, const struct event *line, struct str message, struct event *out,
	struct err *e)
{
	*out = (struct event){
		.source = line->source,
		.type = STR("alert"),
		.status = resolves ? EVENT_RESOLVED : EVENT_FIRING,
		.severity = p->severity,
		.time_ns = line->time_ns,
	};
	if (put_labels(p, groups, a, line, out, e) != 0 || put_identity(p, a, out, e) != 0)
		return -1;
	put_summary(p, groups, a, message, out);
	return arena_failed(a) ? full(e) : 0;
}
