/* rule_check_match.c: matchers that exclude each other, and values that are not what they look
 * like.
 *
 * For each left side that a rule compares: where its values are few (an equality, an alternation of
 * words, a field that only has so many), each is held against all matchers of that side; where they
 * are not, the texts that the regexes must begin with are. What a regex cannot be asked is taken to
 * match.
 */
#include "rule/rule_check.h"

#include "rule/literals.h"

#define SIDES_MAX (2 * MATCHER_LIMIT) /* matchers of one rule that are looked at together */
#define TEXTS_MAX 400		      /* bytes of matchers that a warning shows */

/* The matchers of `match`, and of one list of `any`. */
struct side {
	const struct matcher *v[SIDES_MAX];
	size_t n;
};

static void add_all(struct side *s, const struct matchers *m)
{
	for (size_t i = 0; i < m->n && s->n < SIDES_MAX; i++)
		s->v[s->n++] = &m->v[i];
}

static bool same_field(const struct field *a, const struct field *b)
{
	return a->kind == b->kind && a->event == b->event && str_eq(a->name, b->name);
}

static bool is_event(const struct field *f, enum field_event which)
{
	return f->kind == FIELD_EVENT && f->event == which;
}

/* ---- one matcher, one value ---- */

static bool may_hold(struct rule_check *c, const struct matcher *m, struct str v)
{
	bool regex = m->op == MATCH_RE || m->op == MATCH_NRE, same = false;

	if (!regex)
		return str_eq(m->value, v) == (m->op == MATCH_EQ);
	if (m->code) {
		int rc = rule_check_regex_on(c, m->code, v);
		return rc < 0 || rc == (m->op == MATCH_RE);
	}
	for (size_t i = 0; i < m->words_n; i++)
		same |= str_eq(m->words[i], v);
	return same == (m->op == MATCH_RE);
}

static bool all_may_hold(struct rule_check *c, const struct side *s, struct str v)
{
	for (size_t i = 0; i < s->n; i++)
		if (!may_hold(c, s->v[i], v))
			return false;
	return true;
}

static bool one_may_hold(struct rule_check *c, const struct side *s, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all_may_hold(c, s, v[i]))
			return true;
	return n == 0;
}

/* ---- fields with few values ---- */

static bool status_may_hold(struct rule_check *c, const struct rule *r, const struct side *s)
{
	static const struct str v[] = {{"firing", 6}, {"info", 4}, {"resolved", 8}};

	switch (r->when) {
	case WHEN_FIRING:
		return one_may_hold(c, s, v, 2);
	case WHEN_RESOLVED:
		return one_may_hold(c, s, v + 2, 1);
	case WHEN_ANY:
		return one_may_hold(c, s, v, 3);
	}
	return true;
}

static bool severity_may_hold(struct rule_check *c, const struct side *s)
{
	struct str v[SEVERITY_CRITICAL + 1];

	for (int i = 0; i <= SEVERITY_CRITICAL; i++)
		v[i] = str_of(event_severity_name((enum event_severity)i));
	return one_may_hold(c, s, v, SEVERITY_CRITICAL + 1);
}

/* ---- regexes ---- */

static bool prefix_of_one(struct str s, const struct literals *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_starts(s, l->v[i]) || (!l->exact && str_starts(l->v[i], s)))
			return true;
	return false;
}

/* May a value be of both? Not exact: a value begins with one of the texts. */
static bool may_meet(const struct literals *a, const struct literals *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (prefix_of_one(a->v[i], b))
			return true;
	return false;
}

static bool is_text(const struct matcher *m, enum matcher_op op, const char *text)
{
	return m->op == op && str_is(m->value, text);
}

/* `x!~".*"`; and `x!~".+"` beside what wants a value. */
static bool nothing_left(const struct side *s)
{
	bool no_value = false, wants_value = false;

	for (size_t i = 0; i < s->n; i++) {
		if (is_text(s->v[i], MATCH_NRE, ".*"))
			return true;
		no_value |= is_text(s->v[i], MATCH_NRE, ".+");
		wants_value |= is_text(s->v[i], MATCH_NE, "") || is_text(s->v[i], MATCH_RE, ".+");
	}
	return no_value && wants_value;
}

/* Few values or not: may one pass all? */
static bool values_may_hold(struct rule_check *c, const struct side *s)
{
	struct literals l[MATCHER_LIMIT];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct matcher *m = s->v[i];
		if (m->op == MATCH_EQ)
			return all_may_hold(c, s, m->value);
		if (m->op == MATCH_RE && !m->code)
			return one_may_hold(c, s, m->words, m->words_n);
		if (m->op != MATCH_RE || n == MATCHER_LIMIT ||
			!literals_of(&c->scratch, m->value, &l[n]))
			continue;
		if (l[n].exact)
			return one_may_hold(c, s, l[n].v, l[n].n);
		for (size_t k = 0; k < n; k++)
			if (!may_meet(&l[k], &l[n]))
				return false;
		n++;
	}
	return !nothing_left(s);
}

/* ---- a rule ---- */

static struct str texts_of(struct rule_check *c, const struct side *s)
{
	struct str out = STR("");

	for (size_t i = 0; i < s->n && out.n < TEXTS_MAX; i++)
		out = arena_printf(&c->scratch, "%.*s%s'%.*s'", STR_ARG(out), i ? ", " : "",
			(int)(s->v[i]->text.n < 120 ? s->v[i]->text.n : 120), s->v[i]->text.p);
	return out;
}

static const char *also(const struct rule *r, const struct field *f)
{
	if (is_event(f, FIELD_EVENT_SEVERITY))
		return "; there are critical, error, warning, info and unknown";
	if (!is_event(f, FIELD_EVENT_STATUS))
		return "";
	return r->when == WHEN_FIRING
		       ? " with 'when: firing', the default; there are firing and info"
	       : r->when == WHEN_RESOLVED ? " with 'when: resolved'"
					  : "; there are firing, info and resolved";
}

/* The first left side of which no value passes, as a side of its own; false where there is none. */
static bool find_dead(
	struct rule_check *c, const struct rule *r, const struct side *all, struct side *dead)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct field *f = &all->v[i]->field;
		dead->n = 0;
		for (size_t k = 0; k < all->n; k++)
			if (same_field(f, &all->v[k]->field))
				dead->v[dead->n++] = all->v[k];
		if (dead->v[0] != all->v[i])
			continue; /* seen */
		arena_reset(&c->scratch);
		if ((is_event(f, FIELD_EVENT_STATUS) && !status_may_hold(c, r, dead)) ||
			(is_event(f, FIELD_EVENT_SEVERITY) && !severity_may_hold(c, dead)) ||
			!values_may_hold(c, dead))
			return true;
	}
	return false;
}

static void warn_dead(
	struct rule_check *c, const struct rule *r, const char *what, const struct side *dead)
{
	const struct field *f = &dead->v[0]->field;
	struct str texts = texts_of(c, dead);

	rule_check_warn(c, r, "%s: no value of '%.*s' passes %.*s%s", what, STR_ARG(f->text),
		STR_ARG(texts), also(r, f));
}

/* `match` with one list of `any`; n is the rule's any_n: `match` alone. */
static bool is_dead(struct rule_check *c, const struct rule *r, size_t i, struct side *dead)
{
	struct side all = {.n = 0};

	add_all(&all, &r->match);
	if (i < r->any_n)
		add_all(&all, &r->any[i]);
	return find_dead(c, r, &all, dead);
}

static void check_reach(struct rule_check *c, const struct rule *r)
{
	struct side dead;
	size_t alive = 0;

	if (is_dead(c, r, r->any_n, &dead)) {
		warn_dead(c, r, "it never matches", &dead);
		return;
	}
	for (size_t i = 0; i < r->any_n; i++)
		alive += !is_dead(c, r, i, &dead);
	if (r->any_n > 0 && alive == 0)
		warn_dead(c, r, "it never matches", &dead);
	for (size_t i = 0; i < r->any_n && alive > 0; i++)
		if (is_dead(c, r, i, &dead))
			warn_dead(c, r, "a part of 'any' never holds", &dead);
}

/* ---- values ---- */

static void check_value(struct rule_check *c, const struct rule *r, const struct matcher *m)
{
	struct raw_list raw;
	struct err e;
	bool odd = false;

	arena_reset(&c->scratch);
	for (size_t i = 0; i < m->value.n && m->op >= MATCH_RE; i++) {
		unsigned char b = (unsigned char)m->value.p[i];
		if (b >= 0x20 || b == '\t' || b == '\n' || b == '\r')
			continue;
		rule_check_warn(c, r,
			"the regex of '%.*s' holds the control character 0x%02x; in a text with "
			"names in quotes "
			"escapes are Go's, and a backslash is written \\\\",
			STR_ARG(m->text), b);
		return;
	}
	if (matcher_read_classic(m->text, &c->scratch, &raw, &e) < 0 || raw.n != 1 ||
		raw.v[0].value.quoted)
		return;
	struct str written = {
		m->text.p + raw.v[0].value.from, raw.v[0].value.to - raw.v[0].value.from};
	for (size_t i = 0; i < written.n; i++)
		odd |= matcher_is_reserved(written, i);
	if (odd)
		rule_check_warn(c, r,
			"'%.*s' has the value '%.*s'; put it into double quotes, so that it says "
			"so",
			STR_ARG(m->text), STR_ARG(m->value));
}

void rule_check_matchers(struct rule_check *c, const struct rule *r)
{
	check_reach(c, r);
	for (size_t i = 0; i < r->match.n; i++)
		check_value(c, r, &r->match.v[i]);
	for (size_t k = 0; k < r->any_n; k++)
		for (size_t i = 0; i < r->any[k].n; i++)
			check_value(c, r, &r->any[k].v[i]);
}

/* What a line of a log is as an event, before a pattern makes an alert of it. */
static void check_line_event(struct rule_check *c, const struct rule *r, const struct matcher *m)
{
	static const struct {
		enum field_event field;
		const char *name, *value;
	} always[] = {
		{FIELD_EVENT_TYPE, "type", "log"},
		{FIELD_EVENT_STATUS, "status", "info"},
		{FIELD_EVENT_SEVERITY, "severity", "unknown"},
	};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (is_event(&m->field, always[i].field) &&
			!may_hold(c, m, str_of(always[i].value)))
			rule_check_warn(c, r,
				"it never matches: a line has no %s of its own, it is '%s'; ask "
				"for a "
				"label of the line",
				always[i].name, always[i].value);
}

void rule_check_source(struct rule_check *c, const struct pattern *p)
{
	const struct rule r = {
		.name = p->name,
		.file = p->file,
		.match_line = p->match_line,
		.match_column = p->match_column,
		.match = p->source,
		.when = WHEN_ANY,
	};
	size_t before = c->diags->n;

	c->what = "source of pattern";
	for (size_t i = 0; i < r.match.n; i++)
		check_line_event(c, &r, &r.match.v[i]);
	if (r.match.n > 0 && c->diags->n == before)
		rule_check_matchers(c, &r);
	c->what = "rule";
}
