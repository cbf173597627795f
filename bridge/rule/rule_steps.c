/* rule_steps.c: the lists of steps of a rule, from YAML: runbook, parameters, pool, timeout.
 *
 * Guarantee: where no finding was added, the step names a runbook that is there, gives it each
 * parameter that it requires and none that it does not know, its constant values pass the runbook's
 * own checks, its timeout does not exceed the runbook's, and each {{ match.x }} and {{ steps.x }}
 * names a group or a step that has ended by then. A step's name is its own in the whole rule.
 */
#include "rule/rule_yaml.h"

#include "base/nearest.h"
#include "base/units.h"

struct step_build {
	struct rule_build *of;
	enum rule_list list;
	struct rule_step *step;
	const struct yaml *runbook, *with, *pool, *timeout;
};

static bool has_group(const struct rule *rule, struct str name)
{
	if (matchers_have_group(&rule->match, name))
		return true;
	for (size_t i = 0; i < rule->any_n; i++)
		if (matchers_have_group(&rule->any[i], name))
			return true;
	return false;
}

static void read_runbook(struct reader *r, const struct yaml *y, void *into)
{
	struct step_build *b = into;
	struct str ignored;

	if (reader_text(r, y, &ignored))
		b->runbook = y;
}

static void read_with(struct reader *r, const struct yaml *y, void *into)
{
	if (y->kind == YAML_MAP)
		((struct step_build *)into)->with = y;
	else
		reader_error(r, y, "want parameters here, as names and values");
}

static void read_pool(struct reader *r, const struct yaml *y, void *into)
{
	struct str ignored;

	if (reader_text(r, y, &ignored))
		((struct step_build *)into)->pool = y;
}

static void read_timeout(struct reader *r, const struct yaml *y, void *into)
{
	struct step_build *b = into;

	if (reader_duration(r, y, 1, RUNBOOK_TIMEOUT_MAX_MS, &b->step->timeout_ms))
		b->timeout = y;
}

static void read_always(struct reader *r, const struct yaml *y, void *into)
{
	reader_bool(r, y, &((struct step_build *)into)->step->always);
}

static bool is_broken(const struct rules_build *b, struct str name)
{
	for (size_t i = 0; i < b->broken_n; i++)
		if (str_eq(b->broken[i], name))
			return true;
	return false;
}

static void unknown_runbook(struct reader *r, const struct yaml *y, const struct rules_build *b)
{
	const struct runbooks *all = &b->rs->runbooks;
	const char *near = NULL;

	if (is_broken(b, y->text))
		return;
	if (all->n == 0) {
		reader_error(r, y,
			"there is no runbook '%.*s', nor any other; see 'runbooks' in runbookd.yml",
			STR_ARG(y->text));
		return;
	}
	const char **names = arena_array(r->arena, all->n, sizeof(const char *));
	for (size_t i = 0; names && i < all->n; i++)
		names[i] = all->v[i]->name.p;
	if (names)
		near = nearest(y->text, names, all->n);
	reader_error(r, y, "there is no runbook '%.*s'%s%s%s", STR_ARG(y->text),
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static const struct rule_step *list_of(
	const struct rule *rule, enum rule_list which, size_t *n)
{
	switch (which) {
	case STEPS_MAIN:
		*n = rule->steps_n;
		return rule->steps;
	case STEPS_RESOLVE:
		*n = rule->resolve_steps_n;
		return rule->resolve_steps;
	case STEPS_FAILURE:
		*n = rule->failure_steps_n;
		return rule->failure_steps;
	case STEPS_TIMEOUT:
		*n = rule->gate.timeout_steps_n;
		return rule->gate.timeout_steps;
	case STEPS_LISTS:
		break;
	}
	*n = 0;
	return NULL;
}

static bool list_has_step(const struct rule *rule, enum rule_list which, struct str name)
{
	size_t n = 0;
	const struct rule_step *v = list_of(rule, which, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return true;
	return false;
}

/* In any list: a run is told by its rule and step. */
static bool has_step(const struct rule *rule, struct str name)
{
	for (enum rule_list l = STEPS_MAIN; l < STEPS_LISTS; l++)
		if (list_has_step(rule, l, name))
			return true;
	return false;
}

/* "disk-usage", and "disk-usage-2" where the rule has that name already. */
static struct str step_name(struct reader *r, const struct rule *rule, const struct runbook *book)
{
	struct str name = book->name;

	for (unsigned times = 2; has_step(rule, name) && !arena_failed(r->arena); times++)
		name = arena_printf(r->arena, "%.*s-%u", STR_ARG(book->name), times);
	return name;
}

/* Has that step ended when one of this list begins? The list itself has only the earlier ones by now. */
static bool sees_step(const struct rule *rule, enum rule_list which, struct str name)
{
	if (which == STEPS_MAIN && rule->parallel)
		return false;
	return list_has_step(rule, which, name) ||
	       (which == STEPS_FAILURE && list_has_step(rule, STEPS_MAIN, name));
}

/* Do the expressions name what this rule has? */
static bool check_refs(struct reader *r, const struct yaml *y, const struct template *t,
	const struct step_build *s)
{
	const struct rule_build *b = s->of;
	struct template_ref ref;
	struct err e;
	size_t errors = r->diags->errors;

	for (size_t i = 0; template_ref(t, i, &ref); i++) {
		e.code = ERR_NONE;
		if (ref.root == TEMPLATE_MATCH && !b->match_bad && !has_group(b->rule, ref.name))
			err_set(&e, ERR_INPUT,
				"no regex of this rule has a group 'match.%.*s'; write (?<%.*s>…)",
				STR_ARG(ref.name), STR_ARG(ref.name));
		if (ref.root == TEMPLATE_STEPS && !sees_step(b->rule, s->list, ref.name))
			err_set(&e, ERR_INPUT, "no step before this one is called '%.*s'%s",
				STR_ARG(ref.name),
				s->list == STEPS_MAIN && b->rule->parallel
					? "; with 'parallel' all steps start at once"
					: "");
		e.offset = ref.offset;
		if (e.code != ERR_NONE)
			reader_error_in(r, y, "", &e);
	}
	return r->diags->errors == errors;
}

static struct template *read_template(
	struct reader *r, const struct yaml *y, const struct step_build *b)
{
	struct err e;
	struct template *t = template_parse(r->arena, y->text, &e);

	if (!t) {
		reader_error_in(r, y, "", &e);
		return NULL;
	}
	return check_refs(r, y, t, b) ? t : NULL;
}

bool rule_pool_ok(struct str pool)
{
	if (pool.n == 0 || pool.n > RULE_POOL_LIMIT)
		return false;
	for (size_t i = 0; i < pool.n; i++) {
		char c = pool.p[i];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == '\0' || !strchr("-_.:%[]", c)))
			return false;
	}
	return true;
}

static void set_pool(struct reader *r, struct step_build *b)
{
	const struct template_ctx none = {0};
	struct str text;
	struct err e;

	struct template *t = read_template(r, b->pool, b);
	if (!t)
		return;
	if (template_is_late(t))
		reader_error(r, b->pool,
			"a pool must be known when the run is queued: no incident.x, steps.x, "
			"event.id or event.received");
	else if (template_is_constant(t) &&
		 (template_render(t, r->arena, &none, &text, &e) < 0 || !rule_pool_ok(text)))
		reader_error(r, b->pool,
			"'%.*s' cannot be a pool's name: use letters, digits and - _ . :",
			STR_ARG(b->pool->text));
	else
		b->step->pool = t;
}

/* A value without expressions is checked now, not when the alert comes. */
static void check_constant(
	struct reader *r, const struct yaml *y, const struct template *t, const struct param *p)
{
	const struct template_ctx none = {0};
	struct str text;
	struct err e;

	if (template_is_constant(t) && (template_render(t, r->arena, &none, &text, &e) < 0 ||
					       param_check(p, text, &e) < 0))
		reader_error(r, y, "%s", e.text);
}

static void unknown_param(struct reader *r, const struct yaml *y, const struct runbook *book)
{
	const char *names[RUNBOOK_PARAMS_LIMIT];

	for (size_t i = 0; i < book->params_n; i++)
		names[i] = book->params[i].name.p;
	const char *near = nearest(y->key, names, book->params_n);
	reader_error_key(r, y, "runbook '%.*s' has no parameter '%.*s'%s%s%s", STR_ARG(book->name),
		STR_ARG(y->key), near ? ", did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

static void set_param(struct reader *r, const struct yaml *y, struct step_build *b)
{
	struct rule_step *step = b->step;
	const struct param *p = step->runbook ? runbook_param(step->runbook, y->key) : NULL;

	if (y->kind != YAML_SCALAR) {
		reader_error(r, y,
			"parameter '%.*s': want one value; write \"\" for the empty text",
			STR_ARG(y->key));
		return;
	}
	if (step->runbook && !p)
		unknown_param(r, y, step->runbook);
	struct template *t = read_template(r, y, b);
	if (!t)
		return;
	if (p)
		check_constant(r, y, t, p);
	step->with[step->with_n++] = (struct rule_param){y->key, t};
}

static void set_with(struct reader *r, struct step_build *b)
{
	b->step->with =
		arena_array(r->arena, b->with->count ? b->with->count : 1, sizeof(*b->step->with));
	for (const struct yaml *c = b->with->child; c && b->step->with; c = c->next)
		set_param(r, c, b);
}

static void check_required(struct reader *r, const struct step_build *b)
{
	const struct runbook *book = b->step->runbook;

	for (size_t i = 0; i < book->params_n; i++) {
		const struct param *p = &book->params[i];
		if (p->required && !(b->with && yaml_get(b->with, p->name.p)))
			reader_error(r, b->runbook,
				"runbook '%.*s' needs the parameter '%.*s'; give it in 'with'",
				STR_ARG(book->name), STR_ARG(p->name));
	}
}

static void check_timeout(struct reader *r, const struct step_build *b)
{
	char text[UNITS_TEXT_MAX];

	if (b->step->timeout_ms <= b->step->runbook->timeout_ms)
		return;
	units_format_duration(b->step->runbook->timeout_ms, text);
	reader_error(r, b->timeout,
		"a step may only shorten the timeout of its runbook; that of '%.*s' is %s",
		STR_ARG(b->step->runbook->name), text);
}

/* Into *step, which is none of its list's until it is counted. */
static void read_step(struct reader *r, const struct yaml *y, struct rule_build *of,
	enum rule_list which, struct rule_step *step, size_t *n)
{
	static const struct reader_key keys[] = {
		{"runbook", read_runbook, false},
		{"with", read_with, false},
		{"pool", read_pool, false},
		{"timeout", read_timeout, false},
		{"always", read_always, false},
		{NULL, NULL, false},
	};
	struct step_build b = {.of = of, .list = which, .step = step};

	if (!reader_map(r, y, "a step", keys, &b))
		return;
	if (!b.runbook) {
		if (!yaml_get(y, "runbook"))
			reader_error(r, y, "this step has no 'runbook'");
	} else {
		step->runbook = ruleset_runbook(of->all->rs, b.runbook->text);
		if (!step->runbook)
			unknown_runbook(r, b.runbook, of->all);
	}
	if (step->always && which == STEPS_MAIN && of->rule->parallel)
		reader_error(r, yaml_get(y, "always"),
			"'always' is for a step behind one that failed; with 'parallel' all steps "
			"start at once, so remove it");
	if (b.pool)
		set_pool(r, &b);
	if (b.with)
		set_with(r, &b);
	if (step->runbook) {
		check_required(r, &b);
		check_timeout(r, &b);
		step->name = step_name(r, of->rule, step->runbook);
	} else if (b.runbook) {
		step->name = b.runbook->text;
	}
	++*n;
}

void rule_read_list(struct reader *r, struct rule_build *of, enum rule_list which)
{
	const struct yaml *y = of->lists[which];
	struct rule *rule = of->rule;
	bool single = y->kind == YAML_MAP;
	struct rule_step *v = arena_array(r->arena, single ? 1 : y->count, sizeof(*v));
	struct rule_step **to[] = {&rule->steps, &rule->resolve_steps, &rule->failure_steps,
		&rule->gate.timeout_steps};
	size_t *n[] = {&rule->steps_n, &rule->resolve_steps_n, &rule->failure_steps_n,
		&rule->gate.timeout_steps_n};

	if (!v)
		return;
	*to[which] = v;
	for (const struct yaml *c = single ? y : y->child; c; c = single ? NULL : c->next)
		read_step(r, c, of, which, &v[*n[which]], n[which]);
}
