/* rule_check_regex.c: regexes that can take very long.
 *
 * A regex is suspicious by its form (regex_walk.c); it is warned of only where PCRE2, given a text
 * of 256 bytes that was made for it, needs more than 100,000 steps. So a warning is never wrong
 * about the regex, and says with which text; that there is none is no proof.
 *
 * A regex that many rules have is tried once.
 */
#include "rule/rule_check.h"

#include <stdlib.h>
#include "rule/regex_walk.h"

#define SHOWN 60 /* bytes of a text that a warning shows */

struct use {
	const struct rule *rule;
	const struct matcher *matcher;
	struct str worst; /* the text that it takes long for; "" none */
};

/* before, then again and again, then last, what the regex cannot take, and what stands behind that. In
 * scratch. */
static struct str text_of(struct rule_check *c, const struct regex_pump *p, struct str last,
	bool bad, struct str behind)
{
	struct buf b;

	buf_init(&b, RULE_CHECK_LENGTH * 8);
	buf_str(&b, p->before);
	for (size_t n = 0; n < RULE_CHECK_LENGTH; n += p->again.n)
		buf_str(&b, p->again);
	buf_str(&b, last);
	if (bad)
		buf_putc(&b, '\x01');
	buf_str(&b, behind);
	struct str s = arena_strdup(&c->scratch, buf_as_str(&b));
	buf_release(&b);
	return s;
}

struct str rule_check_worst(struct rule_check *c, struct str regex, const pcre2_code *code)
{
	struct regex_pumps pumps;

	arena_reset(&c->scratch);
	if (!regex_pumps(&c->scratch, regex, &pumps))
		return STR_NONE;
	for (size_t i = 0; i < pumps.n; i++)
		/* PCRE2 gives up at once where a character is missing that every match has: for a regex that may
		 * match anywhere it stands behind, where it is no part of the match. */
		for (int how = 0; how < 4; how++) {
			struct str text = text_of(c, &pumps.v[i], how == 1 ? pumps.plain : STR_NONE,
				how > 0, how == 3 ? pumps.plain : STR_NONE);
			if (rule_check_regex_on(c, code, text) >= 0)
				continue;
			size_t n = text.n < SHOWN ? text.n : SHOWN;
			while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
				n++;
			return arena_strdup(&c->arena, (struct str){text.p, n});
		}
	return STR_NONE;
}

static struct use *collect(struct rule_check *c, size_t *n)
{
	const struct ruleset *rs = c->rs;
	struct use *v;
	size_t most = 0;

	for (size_t i = 0; i < rs->rules_n; i++) {
		most += rs->rules[i].match.n;
		for (size_t k = 0; k < rs->rules[i].any_n; k++)
			most += rs->rules[i].any[k].n;
	}
	*n = 0;
	v = arena_array(&c->arena, most ? most : 1, sizeof(*v));
	for (size_t i = 0; v && i < rs->rules_n; i++) {
		const struct rule *r = &rs->rules[i];
		for (size_t k = 0; k <= r->any_n; k++) {
			const struct matchers *m = k == 0 ? &r->match : &r->any[k - 1];
			for (size_t x = 0; x < m->n; x++)
				if (m->v[x].code)
					v[(*n)++] = (struct use){r, &m->v[x], STR_NONE};
		}
	}
	return v;
}

static int by_regex(const void *a, const void *b)
{
	const struct use *const *x = a, *const *y = b;

	return str_cmp((*x)->matcher->value, (*y)->matcher->value);
}

static void check_rules(struct rule_check *c)
{
	size_t n;
	struct use *v = collect(c, &n);
	struct use **sorted = arena_array(&c->arena, n ? n : 1, sizeof(*sorted));

	if (!v || !sorted)
		return;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &v[i];
	qsort(sorted, n, sizeof(*sorted), by_regex);
	for (size_t i = 0; i < n; i++)
		sorted[i]->worst =
			i > 0 && by_regex(&sorted[i - 1], &sorted[i]) == 0
				? sorted[i - 1]->worst
				: rule_check_worst(c, sorted[i]->matcher->value, sorted[i]->matcher->code);
	for (size_t i = 0; i < n; i++)
		if (v[i].worst.n > 0)
			rule_check_warn(c, v[i].rule,
				"the regex of '%.*s' can take very long: a value such as '%.*s…' "
				"of %d bytes "
				"needs more than %d steps, and past limits.match_limit the "
				"decision is 'error'; "
				"let its repetitions not take the same text in two ways",
				(int)(v[i].matcher->text.n < 200 ? v[i].matcher->text.n : 200),
				v[i].matcher->text.p, STR_ARG(v[i].worst), RULE_CHECK_LENGTH,
				RULE_CHECK_STEPS);
}

static void check_runbook(struct rule_check *c, const struct runbook *b)
{
	for (size_t i = 0; i < b->params_n; i++) {
		const struct param *p = &b->params[i];
		struct str worst = p->code ? rule_check_worst(c, p->pattern, p->code) : STR_NONE;
		if (worst.n > 0)
			diag_add(c->diags, DIAG_WARNING, b->path.p, 0, 0,
				"parameter '%.*s': its pattern '%.*s' can take very long: a value "
				"such as '%.*s…' "
				"of %d bytes needs more than %d steps; let its repetitions not "
				"take the same "
				"text in two ways",
				STR_ARG(p->name), (int)(p->pattern.n < 200 ? p->pattern.n : 200),
				p->pattern.p, STR_ARG(worst), RULE_CHECK_LENGTH, RULE_CHECK_STEPS);
	}
}

void rule_check_regexes(struct rule_check *c)
{
	check_rules(c);
	for (size_t i = 0; i < c->rs->runbooks.n; i++)
		check_runbook(c, c->rs->runbooks.v[i]);
}
