/* names.c: rules and runbooks by name, and what is said where there is none of that name. */
#include "base/nearest.h"
#include "rule/ruleset.h"

#define NAME_SHOWN 100 /* bytes of it in a refusal */

/* near: a name that may have been meant, or NULL. */
static void not_there(const char *kind, struct str name, const char *near, struct err *e)
{
	err_set(e, ERR_NOT_FOUND, "there is no %s '%.*s'%s%s%s", kind,
		(int)(name.n < NAME_SHOWN ? name.n : NAME_SHOWN), name.p,
		near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
}

const struct rule *ruleset_find_rule(
	const struct ruleset *rs, struct str name, struct arena *a, struct err *e)
{
	const char **names;

	for (size_t i = 0; i < rs->rules_n; i++)
		if (str_eq(rs->rules[i].name, name))
			return &rs->rules[i];
	names = arena_array(a, rs->rules_n + 1, sizeof(*names));
	for (size_t i = 0; names && i < rs->rules_n; i++)
		names[i] = rs->rules[i].name.p;
	not_there("rule", name, names ? nearest(name, names, rs->rules_n) : NULL, e);
	return NULL;
}

const struct runbook *ruleset_find_runbook(
	const struct ruleset *rs, struct str name, struct arena *a, struct err *e)
{
	const struct runbook *rb = ruleset_runbook(rs, name);
	const char **names;

	if (rb)
		return rb;
	names = arena_array(a, rs->runbooks.n + 1, sizeof(*names));
	for (size_t i = 0; names && i < rs->runbooks.n; i++)
		names[i] = rs->runbooks.v[i]->name.p;
	not_there("runbook", name, names ? nearest(name, names, rs->runbooks.n) : NULL, e);
	return NULL;
}
