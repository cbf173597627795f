/* rule_check_pattern.c: log patterns that cost each line, take each line or none, or name what is
 * not there.
 *
 * That a line must hold some text is what keeps a pattern cheap (prefilter.h); one of which no such
 * text is known is tried on every line that comes. What a regex takes is tried, not guessed: on
 * three texts that have nothing in common. A label that lines may have by themselves cannot be
 * known; it is spoken of only where it looks like a misspelt name of a group or of a label that all
 * shippers have.
 */
#include "rule/rule_check.h"

#include <stdio.h>
#include "base/nearest.h"
#include "rule/regex.h"

#define LITERAL_GOOD 3 /* bytes; shorter ones are in nearly every line */
#define NAMES_MAX 128  /* groups, and labels of lines */
#define SHOWN 200      /* bytes of a regex that a warning shows */

static const char *const line_labels[] = {
	"host", "unit", "program", "pid", "level", "service", "operation", "trace_id", "span_id"};

static void warn(struct rule_check *c, const struct pattern *p, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void warn(struct rule_check *c, const struct pattern *p, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(c->diags, DIAG_WARNING, p->file.p, p->match_line, p->match_column,
		"pattern '%.*s': %s", STR_ARG(p->name), text);
}

/* ---- time ---- */

static void check_literal(struct rule_check *c, const struct pattern *p)
{
	if (p->literal == 0)
		warn(c, p,
			"no text is known that each line it takes must hold, so every line that "
			"comes is held against "
			"its regex; let a word of 3 bytes or more stand outside of brackets, or in "
			"each "
			"alternative, in match and in resolve.match");
	else if (p->literal < LITERAL_GOOD)
		warn(c, p,
			"each line that holds a certain text of %zu bytes is held against its "
			"regex, which is nearly "
			"every line; let a longer word stand outside of brackets",
			p->literal);
}

static void check_slow(struct rule_check *c, const struct pattern *p, const char *what,
	struct str text, const struct regex *r)
{
	struct str worst = r ? rule_check_worst(c, text, r->code) : STR_NONE;

	if (worst.n > 0)
		warn(c, p,
			"its %s can take very long: a line such as '%.*s…' of %d bytes needs more "
			"than %d steps, and "
			"past limits.match_limit it is not matched; let its repetitions not take "
			"the same text in "
			"two ways",
			what, STR_ARG(worst), RULE_CHECK_LENGTH, RULE_CHECK_STEPS);
}

/* ---- every line, or none ---- */

static bool takes_everything(struct rule_check *c, const struct regex *r)
{
	static const char *const texts[] = {"a", "  7 !", "\xc3\xa9~X\t_"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (rule_check_regex_on(c, r->code, str_of(texts[i])) != 1)
			return false;
	return true;
}

/* False: it takes every line, so that more about what it costs would be twice. */
static bool check_scope(struct rule_check *c, const struct pattern *p)
{
	bool all = takes_everything(c, p->match);

	if (all)
		warn(c, p,
			"its match takes every line; write what the lines hold that it is about");
	if (p->exclude &&
		(takes_everything(c, p->exclude) || str_eq(p->exclude_text, p->match_text)))
		warn(c, p, "it never fires: its exclude takes every line that its match takes");
	else if (p->resolve &&
		 (takes_everything(c, p->resolve) || str_eq(p->resolve_text, p->match_text)))
		warn(c, p,
			"it never fires: its resolve.match takes every line that its match takes, "
			"and comes first");
	return !all;
}

/* ---- names ---- */

static bool has_group(const struct regex *r, struct str name)
{
	uint32_t number;

	for (uint32_t i = 0; r && i < r->names_n; i++)
		if (str_eq(regex_group(r, i, &number), name))
			return true;
	return false;
}

/* A group of match or a label of lines that this is a misspelling of; NULL: it is one, or like
 * none. */
static const char *meant(struct rule_check *c, const struct pattern *p, struct str name)
{
	const char *names[NAMES_MAX];
	uint32_t number;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(line_labels) / sizeof(line_labels[0]); i++)
		names[n++] = line_labels[i];
	names[n++] = "alertname";
	for (uint32_t i = 0; i < p->match->names_n && n < NAMES_MAX; i++)
		names[n++] = arena_strdup(&c->scratch, regex_group(p->match, i, &number)).p;
	for (size_t i = 0; i < n; i++)
		if (!names[i] || str_is(name, names[i]))
			return NULL;
	return nearest(name, names, n);
}

static void check_by(struct rule_check *c, const struct pattern *p)
{
	for (size_t i = 0; p->by_given && i < p->by_n; i++) {
		const char *near = meant(c, p, p->by[i]);

		if (near)
			warn(c, p,
				"threshold.by has '%.*s', which is no group of its match; did you "
				"mean '%s'? Where lines "
				"have no such label, all of them count together",
				STR_ARG(p->by[i]), near);
	}
}

static void check_summary(struct rule_check *c, const struct pattern *p)
{
	struct template_ref ref;

	for (size_t i = 0; p->summary && template_ref(p->summary, i, &ref); i++) {
		const char *near = ref.root == TEMPLATE_LABELS ? meant(c, p, ref.name) : NULL;

		if (ref.root == TEMPLATE_MATCH && !has_group(p->match, ref.name))
			warn(c, p,
				"its summary has match.%.*s, which is no group of its match; the "
				"line stands in its place",
				STR_ARG(ref.name));
		else if (near)
			warn(c, p,
				"its summary has labels.%.*s, which is no group of its match; did "
				"you mean '%s'?",
				STR_ARG(ref.name), near);
	}
}

void rule_check_patterns(struct rule_check *c)
{
	for (size_t i = 0; i < c->rs->patterns.n; i++) {
		const struct pattern *p = &c->rs->patterns.v[i];

		arena_reset(&c->scratch);
		rule_check_source(c, p);
		check_by(c, p);
		check_summary(c, p);
		if (check_scope(c, p))
			check_literal(c, p);
		check_slow(c, p, "match", p->match_text, p->match);
		check_slow(c, p, "exclude", p->exclude_text, p->exclude);
		check_slow(c, p, "resolve.match", p->resolve_text, p->resolve);
	}
}
