/* rule_check.c: what is allowed in rules and hardly meant, said as warnings.
 *
 * Looks at a ruleset that is built and good; changes nothing in it. Each part is a file of its own:
 * matchers that exclude each other (rule_check_match.c), regexes that can take very long
 * (rule_check_regex.c), rules that do the work of another one (rule_check_twins.c), log patterns
 * (rule_check_pattern.c). A warning is a claim: what is not sure is not said.
 */
#include "rule/rule_check.h"

#include <stdarg.h>
#include <stdio.h>

#define JIT_STACK_START (32 * 1024)
#define WARNING_MAX 1000

void rule_check_warn(struct rule_check *c, const struct rule *r, const char *fmt, ...)
{
	char text[WARNING_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(c->diags, DIAG_WARNING, r->file.p, r->match_line, r->match_column,
		"%s '%.*s': %s", c->what, STR_ARG(r->name), text);
}

int rule_check_regex_on(struct rule_check *c, const pcre2_code *code, struct str value)
{
	int rc = pcre2_match(
		code, (PCRE2_SPTR)(value.p ? value.p : ""), value.n, 0, 0, c->data, c->context);

	return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

void ruleset_check(const struct ruleset *rs, struct diags *d)
{
	struct rule_check c = {
		.rs = rs,
		.diags = d,
		.what = "rule",
		.data = pcre2_match_data_create(MATCHER_GROUPS_LIMIT + 1, NULL),
		.context = pcre2_match_context_create(NULL),
		.stack = pcre2_jit_stack_create(JIT_STACK_START, MATCHER_JIT_STACK, NULL),
	};

	arena_init(&c.arena, RULE_CHECK_MEMORY);
	arena_init(&c.scratch, RULE_CHECK_MEMORY);
	if (c.data && c.context) {
		pcre2_set_match_limit(c.context, RULE_CHECK_STEPS);
		pcre2_set_heap_limit(c.context, MATCHER_HEAP_LIMIT);
		if (c.stack)
			pcre2_jit_stack_assign(c.context, NULL, c.stack);
		for (size_t i = 0; i < rs->rules_n; i++)
			rule_check_matchers(&c, &rs->rules[i]);
		rule_check_regexes(&c);
		rule_check_twins(&c);
		rule_check_patterns(&c);
	}
	if (!c.data || !c.context || arena_failed(&c.arena))
		diag_add(d, DIAG_WARNING, "", 0, 0, "no memory to look at all of the rules");
	pcre2_match_data_free(c.data);
	pcre2_match_context_free(c.context);
	pcre2_jit_stack_free(c.stack);
	arena_release(&c.scratch);
	arena_release(&c.arena);
}
