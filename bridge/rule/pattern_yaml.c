/* pattern_yaml.c: what a file says about log patterns, as struct pattern, with every finding at its
 * byte.
 *
 * Guarantee: where no finding was added, a pattern is complete: its regexes are compiled, its
 * values are within the bounds of pattern.h, its name is the only one, and what its counter-pattern
 * must give to find the alert, it gives.
 */
#include "rule/pattern_yaml.h"

#include <stdlib.h>
#include "rule/prefilter.h"
#include "rule/regex.h"

/* One pattern while its map is read. */
struct pattern_build {
	struct rules_build *all;
	struct pattern *p;
	const struct yaml *match, *resolve_match, *by;
	bool bad; /* a regex is not there: then what depends on its groups is not looked at */
};

/* ---- the plain keys ---- */

static bool is_name(struct str s)
{
	bool good = s.n > 0 && s.n <= PATTERN_NAME_LIMIT && s.p[0] != '-';

	for (size_t i = 0; i < s.n; i++)
		good &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
			(s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_';
	return good;
}

static void read_name(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern_build *b = into;
	struct str s;

	if (!reader_text(r, y, &s))
		return;
	if (!is_name(s)) {
		reader_error(r, y,
			"'%.*s' cannot be a pattern's name: use letters, digits, - and _, at most "
			"%d of them",
			(int)(s.n < 200 ? s.n : 200), s.p, PATTERN_NAME_LIMIT);
		return;
	}
	b->all->pattern_places[b->all->rs->patterns.n - 1] =
		(struct rules_place){y->line, y->column};
	b->p->name = s;
}

static void read_description(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct pattern_build *)into)->p->description);
}

static void read_source(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern_build *b = into;
	struct pattern *p = b->p;
	const struct yaml **v;
	size_t n;
	struct err e;

	reader_list(r, y, true, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct matchers m;
		p->source_text = arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(p->source_text),
			i ? ", " : "", STR_ARG(v[i]->text));
		if (matchers_parse_pooled(r->arena, v[i]->text, b->all->regexes, &m, &e) != 0) {
			reader_error_in(r, v[i], "", &e);
		} else if (matchers_join(r->arena, &p->source, &m, &e) < 0) {
			matchers_release(&m);
			reader_error(r, v[i], "%s", e.text);
		}
	}
}

static void read_severity(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {
		"unknown", "info", "warning", "error", "critical", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct pattern_build *)into)->p->severity = (enum event_severity)i;
}

static void read_summary(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern *p = ((struct pattern_build *)into)->p;
	struct str text;
	struct err e;

	if (!reader_text(r, y, &text))
		return;
	p->summary = template_parse(r->arena, text, &e);
	if (!p->summary)
		reader_error_in(r, y, "", &e);
	else if (template_is_late(p->summary))
		reader_error(r, y,
			"a summary is made when the line comes: incident, steps, event.id and "
			"event.received are "
			"not known then");
}

static void read_lines(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 0, PATTERN_LINES_MAX, &((struct pattern_build *)into)->p->lines);
}

static void read_series(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 1, PATTERN_SERIES_MAX, &((struct pattern_build *)into)->p->series);
}

/* ---- regexes ---- */

/* NULL with a finding. */
static struct regex *read_regex(struct reader *r, const struct yaml *y, struct str *text)
{
	struct regex *re;
	struct err e;
	size_t at;

	if (!reader_text(r, y, text))
		return NULL;
	if (text->n > MATCHER_REGEX_LIMIT) {
		reader_error(r, y, "a regex of %zu bytes, at most %d are taken", text->n,
			MATCHER_REGEX_LIMIT);
		return NULL;
	}
	re = regex_anywhere(*text, &at, &e);
	if (re)
		return re;
	e.offset = at;
	reader_error_in(r, y, "", &e);
	return NULL;
}

/* A second key of the same name does not come here: YAML refuses it. */
static void read_match(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern_build *b = into;

	b->match = y;
	b->p->match_line = y->line;
	b->p->match_column = y->column;
	b->p->match = read_regex(r, y, &b->p->match_text);
	b->bad |= !b->p->match;
}

static void read_exclude(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern *p = ((struct pattern_build *)into)->p;

	p->exclude = read_regex(r, y, &p->exclude_text);
}

/* ---- threshold ---- */

static void read_count(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 1, PATTERN_COUNT_MAX, &((struct pattern_build *)into)->p->count);
}

static void read_within(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(
		r, y, 1, PATTERN_DURATION_MAX_MS, &((struct pattern_build *)into)->p->within_ms);
}

static void read_by(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern_build *b = into;
	const struct yaml **v;
	struct field f;
	struct err e;
	size_t n;

	if (!reader_list(r, y, false, &v, &n))
		return;
	if (n > PATTERN_BY_LIMIT) {
		reader_error(r, y, "%zu labels, at most %d are taken", n, PATTERN_BY_LIMIT);
		return;
	}
	b->by = y;
	b->p->by_given = true;
	b->p->by = arena_array(r->arena, n, sizeof(*b->p->by));
	for (size_t i = 0; i < n && b->p->by; i++) {
		if (field_parse(r->arena, v[i]->text, &f, &e) != 0)
			reader_error_in(r, v[i], "", &e);
		else if (f.kind != FIELD_LABEL)
			reader_error(r, v[i],
				"'%.*s' is no label; a pattern counts by labels of the line and "
				"named groups",
				STR_ARG(v[i]->text));
		else
			b->p->by[b->p->by_n++] = f.name;
	}
}

static void read_threshold(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"count", read_count, false},
		{"within", read_within, false},
		{"by", read_by, false},
		{NULL, NULL, false},
	};
	const struct yaml *count, *within;

	if (!reader_map(r, y, "'threshold'", keys, into))
		return;
	count = yaml_get(y, "count");
	within = yaml_get(y, "within");
	/* Of one line there is nothing to be within. */
	if (within ? !count : count && !str_is(count->text, "1"))
		reader_error(r, y,
			"'threshold' needs both 'count' and 'within', as in {count: 5, within: "
			"2m}");
}

/* ---- resolve ---- */

static void read_after(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, PATTERN_DURATION_MAX_MS,
		&((struct pattern_build *)into)->p->resolve_after_ms);
}

static void read_resolve_match(struct reader *r, const struct yaml *y, void *into)
{
	struct pattern_build *b = into;

	b->resolve_match = y;
	b->p->resolve = read_regex(r, y, &b->p->resolve_text);
	b->bad |= !b->p->resolve;
}

static void read_resolve(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"after", read_after, false},
		{"match", read_resolve_match, false},
		{NULL, NULL, false},
	};

	if (reader_map(r, y, "'resolve'", keys, into) && !y->child)
		reader_error(r, y, "'resolve' names neither 'after' nor 'match'");
}

/* ---- groups ---- */

static bool has_group(const struct regex *re, struct str name)
{
	uint32_t number;

	for (uint32_t i = 0; i < re->names_n; i++)
		if (str_eq(regex_group(re, i, &number), name))
			return true;
	return false;
}

static bool stands_in(const struct str *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], name))
			return true;
	return false;
}

/* Without a `by` of its own: all named groups, each once, and the host. */
static void default_by(struct reader *r, struct pattern *p)
{
	uint32_t number;

	p->by = arena_array(r->arena, p->match->names_n + 1, sizeof(*p->by));
	for (uint32_t i = 0; p->by && i < p->match->names_n; i++) {
		struct str name = regex_group(p->match, i, &number);
		if (!stands_in(p->by, p->by_n, name))
			p->by[p->by_n++] = arena_strdup(r->arena, name);
	}
	if (p->by && !stands_in(p->by, p->by_n, STR("host")))
		p->by[p->by_n++] = STR("host");
}

static void check_groups(struct reader *r, const struct pattern_build *b)
{
	const struct pattern *p = b->p;

	if (has_group(p->match, STR("alertname")))
		reader_error(r, b->match,
			"a group cannot be called 'alertname': that label is the pattern's name");
	for (size_t i = 0; p->resolve && i < p->by_n; i++)
		if (has_group(p->match, p->by[i]) && !has_group(p->resolve, p->by[i]))
			reader_error(r, b->resolve_match,
				"it lacks the group '%.*s', by which the alert is told from "
				"others; add (?<%.*s>…)%s",
				STR_ARG(p->by[i]), STR_ARG(p->by[i]),
				p->by_given ? "" : ", or set threshold.by");
}

/* ---- one pattern, a list of them ---- */

static const struct reader_key pattern_keys[] = {
	{"name", read_name, false},
	{"description", read_description, false},
	{"source", read_source, false},
	{"match", read_match, false},
	{"exclude", read_exclude, false},
	{"threshold", read_threshold, false},
	{"resolve", read_resolve, false},
	{"severity", read_severity, false},
	{"summary", read_summary, false},
	{"lines", read_lines, false},
	{"series", read_series, false},
	{NULL, NULL, false},
};

/* Room for one more; NULL: no memory. */
static struct pattern *new_pattern(struct rules_build *b)
{
	struct patterns *p = &b->rs->patterns;

	if (p->n == b->patterns_cap) {
		size_t cap = b->patterns_cap ? b->patterns_cap * 2 : 16;
		struct pattern *v = arena_grow(
			&b->rs->arena, p->v, b->patterns_cap * sizeof(*v), cap * sizeof(*v));
		struct rules_place *places = arena_grow(&b->rs->arena, b->pattern_places,
			b->patterns_cap * sizeof(*places), cap * sizeof(*places));
		if (!v || !places)
			return NULL;
		p->v = v;
		b->pattern_places = places;
		b->patterns_cap = cap;
	}
	p->v[p->n] = (struct pattern){
		.count = 1,
		.severity = SEVERITY_WARNING,
		.lines = PATTERN_LINES_DEFAULT,
		.series = PATTERN_SERIES_DEFAULT,
	};
	b->pattern_places[p->n] = (struct rules_place){0};
	return &p->v[p->n++];
}

static void read_pattern(struct reader *r, const struct yaml *y, struct rules_build *all)
{
	struct pattern_build b = {.all = all};

	if (y->kind != YAML_MAP) {
		reader_error(r, y, "want a pattern here, with 'name' and 'match'");
		return;
	}
	b.p = new_pattern(all);
	if (!b.p)
		return;
	b.p->file = arena_strdup(r->arena, str_of(r->file));
	b.p->line = y->line;
	reader_map(r, y, "a pattern", pattern_keys, &b);
	if (!yaml_get(y, "name"))
		reader_error(r, y, "this pattern has no 'name'");
	if (!yaml_get(y, "match"))
		reader_error(r, y, "this pattern has no 'match'");
	if (!b.p->match || b.bad)
		return;
	if (!b.p->by_given)
		default_by(r, b.p);
	check_groups(r, &b);
}

void patterns_read(struct reader *r, const struct yaml *y, void *into)
{
	struct rules_build *all = into;

	if (y->kind != YAML_SEQ) {
		reader_error(r, y, "want a list of patterns");
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		if (all->rs->patterns.n == PATTERNS_LIMIT) {
			reader_error(r, c, "there are %d patterns already, and no more are taken",
				PATTERNS_LIMIT);
			return;
		}
		read_pattern(r, c, all);
	}
}

/* ---- all of them ---- */

static int by_name_and_order(const void *a, const void *b)
{
	const struct pattern *const *x = a, *const *y = b;
	int c = str_cmp((*x)->name, (*y)->name);

	return c ? c : (*x > *y) - (*x < *y);
}

void patterns_check_names(struct rules_build *b)
{
	struct patterns *p = &b->rs->patterns;
	const struct pattern **v =
		arena_array(&b->rs->arena, p->n + 1, sizeof(const struct pattern *));

	for (size_t i = 0; v && i < p->n; i++)
		v[i] = &p->v[i];
	if (v && p->n > 1)
		qsort(v, p->n, sizeof(const struct pattern *), by_name_and_order);
	for (size_t i = 1; v && i < p->n; i++) {
		const struct rules_place *at = &b->pattern_places[v[i] - p->v];
		if (v[i]->name.n > 0 && str_eq(v[i - 1]->name, v[i]->name))
			diag_add(b->diags, DIAG_ERROR, v[i]->file.p, at->line, at->column,
				"there is a pattern '%.*s' already, in %.*s:%d; names are unique "
				"across files",
				STR_ARG(v[i]->name), STR_ARG(v[i - 1]->file), v[i - 1]->line);
	}
}

/* What the line must hold for match, or for the counter-pattern. */
static struct prefilter_need need_of(struct arena *a, struct pattern *p, bool *caseless)
{
	struct prefilter_need x = prefilter_need_of(a, p->match_text, caseless), y = {NULL, 0};
	bool other = false;
	struct str *v;

	if (p->resolve)
		y = prefilter_need_of(a, p->resolve_text, &other);
	*caseless |= other;
	if (x.n == 0 || (p->resolve && y.n == 0))
		return (struct prefilter_need){NULL, 0};
	v = arena_array(a, x.n + y.n, sizeof(*v));
	if (!v)
		return (struct prefilter_need){NULL, 0};
	memcpy(v, x.v, x.n * sizeof(*v));
	if (y.n > 0)
		memcpy(v + x.n, y.v, y.n * sizeof(*v));
	p->literal = v[0].n;
	for (size_t i = 1; i < x.n + y.n; i++)
		p->literal = v[i].n < p->literal ? v[i].n : p->literal;
	return (struct prefilter_need){v, x.n + y.n};
}

static bool make_prefilter(struct ruleset *rs, struct arena *tmp)
{
	struct patterns *p = &rs->patterns;
	struct prefilter_need *needs = arena_array(tmp, p->n, sizeof(*needs));
	bool *caseless = arena_array(tmp, p->n, sizeof(*caseless));

	if (!needs || !caseless)
		return false;
	for (size_t i = 0; i < p->n; i++)
		needs[i] = need_of(tmp, &p->v[i], &caseless[i]);
	p->prefilter = prefilter_new(&rs->arena, needs, caseless, p->n);
	return p->prefilter && !arena_failed(tmp);
}

bool patterns_index(struct ruleset *rs)
{
	struct arena tmp;
	bool good;

	if (rs->patterns.n == 0)
		return true;
	arena_init(&tmp, RULESET_MEMORY_LIMIT);
	good = make_prefilter(rs, &tmp);
	arena_release(&tmp);
	return good;
}

void patterns_release(struct patterns *p)
{
	for (size_t i = 0; i < p->n; i++) {
		matchers_release(&p->v[i].source);
		regex_unref(p->v[i].match);
		regex_unref(p->v[i].exclude);
		regex_unref(p->v[i].resolve);
	}
}
