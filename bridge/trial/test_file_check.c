/* test_file_check.c: the names of a test file against the rules and runbooks that are loaded.
 *
 * An expectation about a rule that is not there could hold for ever, so it is an error of the file,
 * with the nearest name. So is a runbook that the rule does not have, and a parameter that the
 * runbook does not have.
 */
#include "trial/test_file.h"

#include <stdlib.h>
#include "base/nearest.h"

struct check {
	const char *file;
	const struct ruleset *rs;
	struct diags *d;
};

static void unknown(const struct check *c, struct test_place at, const char *what, struct str name,
	const char *near)
{
	diag_add(c->d, DIAG_ERROR, c->file, at.line, at.column, "there is no %s '%.*s'%s%s%s", what,
		STR_ARG(name), near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool is_pattern(const struct check *c, struct str name)
{
	for (size_t i = 0; i < c->rs->patterns.n; i++)
		if (str_eq(c->rs->patterns.v[i].name, name))
			return true;
	return false;
}

static const struct rule *find_rule(const struct check *c, struct str name, struct test_place at)
{
	const char **names;

	for (size_t i = 0; i < c->rs->rules_n; i++)
		if (str_eq(c->rs->rules[i].name, name))
			return &c->rs->rules[i];
	names = calloc(c->rs->rules_n + 1, sizeof(*names));
	for (size_t i = 0; names && i < c->rs->rules_n; i++)
		names[i] = c->rs->rules[i].name.p;
	unknown(c, at, "rule", name, names ? nearest(name, names, c->rs->rules_n) : NULL);
	free(names);
	return NULL;
}

static const struct runbook *in_steps(const struct rule_step *steps, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(steps[i].runbook->name, name))
			return steps[i].runbook;
	return NULL;
}

static const struct runbook *of_rule(const struct rule *rule, struct str name)
{
	const struct runbook *rb = in_steps(rule->steps, rule->steps_n, name);

	if (!rb)
		rb = in_steps(rule->resolve_steps, rule->resolve_steps_n, name);
	if (!rb)
		rb = in_steps(rule->failure_steps, rule->failure_steps_n, name);
	return rb ? rb : in_steps(rule->gate.timeout_steps, rule->gate.timeout_steps_n, name);
}

#define NAMES_MAX (4 * RULE_STEPS_LIMIT)

static size_t add_names(const char **names, size_t at, const struct rule_step *steps, size_t n)
{
	for (size_t i = 0; i < n && at < NAMES_MAX; i++)
		names[at++] = steps[i].runbook->name.p;
	return at;
}

static const struct runbook *find_runbook(
	const struct check *c, const struct rule *rule, struct str name, struct test_place at)
{
	const struct runbook *rb = of_rule(rule, name);
	const char *names[NAMES_MAX];
	size_t n = 0;

	if (rb)
		return rb;
	n = add_names(names, n, rule->steps, rule->steps_n);
	n = add_names(names, n, rule->resolve_steps, rule->resolve_steps_n);
	n = add_names(names, n, rule->failure_steps, rule->failure_steps_n);
	n = add_names(names, n, rule->gate.timeout_steps, rule->gate.timeout_steps_n);
	const char *near = nearest(name, names, n);
	diag_add(c->d, DIAG_ERROR, c->file, at.line, at.column,
		"the rule '%.*s' has no step '%.*s'%s%s%s", STR_ARG(rule->name), STR_ARG(name),
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return NULL;
}

static void check_params(
	const struct check *c, const struct runbook *rb, const struct test_expect *x)
{
	const char *names[RUNBOOK_PARAMS_LIMIT];

	for (size_t i = 0; i < rb->params_n; i++)
		names[i] = rb->params[i].name.p;
	for (size_t i = 0; i < x->with.n; i++) {
		struct str name = x->with.v[i].name;
		if (runbook_param(rb, name))
			continue;
		const char *near = nearest(name, names, rb->params_n);
		diag_add(c->d, DIAG_ERROR, c->file, x->with_place.line, x->with_place.column,
			"the runbook '%.*s' has no parameter '%.*s'%s%s%s", STR_ARG(rb->name),
			STR_ARG(name), near ? ", did you mean '" : "", near ? near : "",
			near ? "'?" : "");
	}
}

static void check_pause(const struct check *c, const struct test_pause *p)
{
	const struct runbook *rb = NULL;
	struct arena a;
	struct err e;

	if (p->kind == TEST_PAUSE_RULE)
		find_rule(c, p->name, p->name_place);
	if (p->kind != TEST_PAUSE_RUNBOOK)
		return;
	arena_init(&a, TEST_FILE_MEMORY);
	rb = ruleset_find_runbook(c->rs, p->name, &a, &e);
	if (!rb)
		diag_add(c->d, DIAG_ERROR, c->file, p->name_place.line, p->name_place.column, "%s",
			e.text);
	arena_release(&a);
}

static void check_test(const struct check *c, const struct rule_test *t)
{
	for (size_t i = 0; i < t->events_n; i++) {
		const struct test_run *run = &t->events[i].run;
		if (t->events[i].kind == TEST_PAUSE || t->events[i].kind == TEST_RESUME)
			check_pause(c, &t->events[i].pause);
		if (t->events[i].kind != TEST_RUN)
			continue;
		const struct rule *rule = find_rule(c, run->rule, run->rule_place);
		if (rule)
			find_runbook(c, rule, run->runbook, run->runbook_place);
	}
	for (size_t i = 0; i < t->expect_n; i++) {
		const struct test_expect *x = &t->expect[i];
		if (x->alert.n)
			continue;
		const struct rule *rule = find_rule(c, x->rule, x->rule_place);
		const struct runbook *rb =
			rule && x->runbook.n ? find_runbook(c, rule, x->runbook, x->runbook_place)
					     : NULL;
		if (rb)
			check_params(c, rb, x);
	}
	for (size_t i = 0; i < t->expect_none_n; i++)
		if (!is_pattern(c, t->expect_none[i].text))
			find_rule(c, t->expect_none[i].text, t->expect_none[i].place);
}

bool test_file_check(const struct test_file *f, const struct ruleset *rs, struct diags *d)
{
	size_t before = d->errors;
	struct check c = {f->name, rs, d};

	for (size_t i = 0; i < f->tests_n; i++)
		check_test(&c, &f->tests[i]);
	return d->errors == before;
}
