/* rule_yaml.c: what a rules file says, as struct rule, with every finding at its byte.
 *
 * Guarantee: where no finding was added, the rules are complete: matchers compiled, steps resolved
 * (rule_steps.c), what holds them back within bounds (rule_guards.c), names unique. What can be known
 * when a rule is loaded is said then.
 *
 * A documented key that this version does not act on is a finding of its own: a rule that seems to
 * promise a limit and does not keep it is worse than a rule that is refused.
 */
#include "rule/rule_yaml.h"

#include <limits.h>
#include <stdlib.h>
#include "rule/pattern_yaml.h"
#include "rule/topology.h"

/* ---- match, any ---- */

static void note_source(struct reader *r, struct rule *rule, const char *before, struct str text)
{
	rule->source_yaml = arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(rule->source_yaml),
		rule->source_yaml.n ? before : "", STR_ARG(text));
}

void rule_note_place(struct rule *rule, const struct yaml *y)
{
	if (rule->match_line == 0) {
		rule->match_line = y->line;
		rule->match_column = y->column;
	}
}

static bool parse_matchers(
	struct reader *r, const struct rule_build *b, const struct yaml *y, struct matchers *out)
{
	struct err e;

	if (matchers_parse_pooled(r->arena, y->text, b->all->regexes, out, &e) == 0)
		return true;
	reader_error_in(r, y, "", &e);
	return false;
}

void rule_read_match(struct reader *r, const struct yaml *y, struct rule_build *b)
{
	const struct yaml **v;
	size_t n;
	struct err e;

	rule_note_place(b->rule, y);
	b->match_bad |= !reader_list(r, y, true, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct matchers m;
		note_source(r, b->rule, ", ", v[i]->text);
		if (!parse_matchers(r, b, v[i], &m)) {
			b->match_bad = true;
		} else if (matchers_join(r->arena, &b->rule->match, &m, &e) < 0) {
			matchers_release(&m);
			reader_error(r, v[i], "%s", e.text);
		}
	}
}

static void read_match(struct reader *r, const struct yaml *y, void *into)
{
	rule_read_match(r, y, into);
}

void rule_read_any_list(struct reader *r, struct rule_build *b, const struct yaml **v, size_t n, const char *name)
{
	b->rule->any = arena_array(r->arena, n ? n : 1, sizeof(*b->rule->any));
	for (size_t i = 0; i < n && b->rule->any; i++) {
		note_source(r, b->rule, i ? "; " : ", ",
			i ? v[i]->text : arena_printf(r->arena, "%s(%.*s", name, STR_ARG(v[i]->text)));
		if (parse_matchers(r, b, v[i], &b->rule->any[b->rule->any_n]))
			b->rule->any_n++;
		else
			b->match_bad = true;
	}
	if (n > 0)
		note_source(r, b->rule, "", STR(")"));
}

static void read_any(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_build *b = into;
	const struct yaml **v;
	size_t n;

	rule_note_place(b->rule, y);
	if (reader_list(r, y, false, &v, &n))
		rule_read_any_list(r, b, v, n, "any");
	else
		b->match_bad = true;
}

static bool names_origin(const struct rule *rule)
{
	if (matchers_name_event_origin(&rule->match))
		return true;
	for (size_t i = 0; i < rule->any_n; i++)
		if (matchers_name_event_origin(&rule->any[i]))
			return true;
	return false;
}

/* ---- the plain keys ---- */

static void read_name(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_build *b = into;
	struct str s;

	if (!reader_name(r, y, "rule", RULE_NAME_LIMIT, &s))
		return;
	struct rules_place *place = &b->all->name_places[b->all->rs->rules_n - 1];
	*place = (struct rules_place){y->line, y->column};
	b->rule->name = s;
}

static void read_description(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct rule_build *)into)->rule->description);
}

static void read_when(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {
		[WHEN_FIRING] = "firing", [WHEN_RESOLVED] = "resolved", [WHEN_ANY] = "any", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct rule_build *)into)->rule->when = (enum rule_when)i;
}

static void read_mode(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {"enforce", "dry_run", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct rule_build *)into)->rule->dry_run = i == 1;
}

/* A list of steps is looked at when the whole map was read: it depends on other keys. */
static bool is_step_list(struct reader *r, const struct yaml *y)
{
	if (y->kind != YAML_SEQ || y->count == 0)
		reader_error(r, y, "want a list of steps, each with a 'runbook'");
	else if (y->count > RULE_STEPS_LIMIT)
		reader_error(r, y, "%zu steps, at most %d are taken", y->count, RULE_STEPS_LIMIT);
	else
		return true;
	return false;
}

static void read_steps(struct reader *r, const struct yaml *y, void *into)
{
	if (is_step_list(r, y))
		((struct rule_build *)into)->lists[STEPS_MAIN] = y;
}

static void read_parallel(struct reader *r, const struct yaml *y, void *into)
{
	reader_bool(r, y, &((struct rule_build *)into)->rule->parallel);
}

static void read_on_failure(struct reader *r, const struct yaml *y, void *into)
{
	if (y->kind == YAML_MAP || is_step_list(r, y))
		((struct rule_build *)into)->lists[STEPS_FAILURE] = y;
}

static void read_on_timeout(struct reader *r, const struct yaml *y, void *into)
{
	if (y->kind == YAML_MAP || is_step_list(r, y))
		((struct rule_build *)into)->lists[STEPS_TIMEOUT] = y;
}

static void read_on_resolve(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_build *b = into;

	if (y->kind == YAML_SCALAR && str_is(y->text, "cancel")) {
		b->rule->on_resolve = ON_RESOLVE_CANCEL;
	} else if (y->kind == YAML_SCALAR && !str_is(y->text, "ignore")) {
		reader_error(r, y,
			"want ignore, cancel, or a step as in {runbook: %.*s}, got '%.*s'",
			(int)(y->text.n < 80 ? y->text.n : 80), y->text.p,
			(int)(y->text.n < 80 ? y->text.n : 80), y->text.p);
	} else if (y->kind == YAML_MAP || (y->kind == YAML_SEQ && is_step_list(r, y))) {
		b->rule->on_resolve = ON_RESOLVE_STEP;
		b->lists[STEPS_RESOLVE] = y;
	}
}

/* ---- rules and files ---- */

/* A walk through the lines of a file, which only goes on. */
struct line_walk {
	struct str bytes;
	int line; /* from 1 */
	size_t at; /* its first byte */
};

/* The first byte of that line, or the file's end. */
static size_t line_start(struct line_walk *w, int line)
{
	while (w->line < line && w->at < w->bytes.n) {
		const char *nl = memchr(w->bytes.p + w->at, '\n', w->bytes.n - w->at);
		w->at = nl ? (size_t)(nl - w->bytes.p) + 1 : w->bytes.n;
		w->line++;
	}
	return w->at;
}

/* Without blanks and empty lines at its end, and without a last line that is but the dash of the next rule. */
static struct str trim_text(struct str s)
{
	s = str_trim(s, " \r\n");
	if (s.n > 1 && s.p[s.n - 1] == '-') {
		struct str before = str_trim((struct str){s.p, s.n - 1}, " ");
		if (before.n > 0 && before.p[before.n - 1] == '\n')
			s = str_trim(before, " \r\n");
	}
	return s;
}

/* end: the line behind it, or INT_MAX. */
static void note_text(struct reader *r, struct rule *rule, const struct yaml *y, int end, struct line_walk *w)
{
	size_t start = line_start(w, y->line), from = start + (size_t)y->column - 1;
	bool alone = y->column >= 3 && from < r->bytes.n;

	for (size_t i = start; alone && i < from; i++)
		alone = r->bytes.p[i] == ' ' || r->bytes.p[i] == '-';
	size_t to = line_start(w, end);
	if (!alone || to <= from)
		return;
	rule->text = arena_strdup(r->arena, trim_text((struct str){r->bytes.p + from, to - from}));
	rule->text_column = y->column;
}

/* Texts are cut out of lists of which each item has lines of its own. */
static bool is_block(struct line_walk *w, const struct yaml *list)
{
	size_t at = line_start(w, list->line) + (size_t)list->column - 1;

	return at < w->bytes.n && w->bytes.p[at] == '-';
}

static const struct reader_key rule_keys[] = {
	{"name", read_name, false},
	{"description", read_description, false},
	{"match", read_match, false},
	{"any", read_any, false},
	{"when", read_when, false},
	{"for", rule_read_for, false},
	{"cooldown", rule_read_cooldown, false},
	{"limits", rule_read_limits, false},
	{"on_resolve", read_on_resolve, false},
	{"on_flapping", rule_read_on_flapping, false},
	{"approval", rule_read_approval, false},
	{"only", rule_read_only, false},
	{"mode", read_mode, false},
	{"steps", read_steps, false},
	{"on_failure", read_on_failure, false},
	{"slo", rule_read_slo, false},
	{"threshold", rule_read_threshold, false},
	{"all_of", rule_read_all_of, false},
	{"sequence", rule_read_sequence, false},
	{"absent", rule_read_absent, false},
	{"by", rule_read_by, false},
	{"within", rule_read_within, false},
	{"every", rule_read_gate_every, false},
	{"on_timeout", read_on_timeout, false},
	{"parallel", read_parallel, false},
	{"verify", NULL, true},
	{NULL, NULL, false},
};

static bool is_pattern_rule(const struct yaml *y)
{
	return yaml_get(y, "all_of") || yaml_get(y, "sequence") || yaml_get(y, "absent");
}

static void check_rule(struct reader *r, const struct yaml *y, const struct rule_build *b)
{
	if (!yaml_get(y, "name"))
		reader_error(r, y, "this rule has no 'name'");
	if (!yaml_get(y, "match") && !yaml_get(y, "any") && !is_pattern_rule(y))
		reader_error(r, y,
			"this rule has neither 'match' nor 'any'; match: '{}' would match every "
			"event");
	if (!yaml_get(y, "steps"))
		reader_error(r, y, "this rule has no 'steps'");
	rule_check_together(r, y, b->rule);
	rule_check_gate(r, y, b->rule);
	b->rule->sees_own_events = names_origin(b->rule);
}

/* Room for one more; NULL: no memory. Rules move: no pointer to one is kept while files are read.
 */
static struct rule *new_rule(struct rules_build *b)
{
	struct ruleset *rs = b->rs;

	if (rs->rules_n == b->rules_cap) {
		size_t cap = b->rules_cap ? b->rules_cap * 2 : 16;
		struct rule *v = arena_grow(
			&rs->arena, rs->rules, b->rules_cap * sizeof(*v), cap * sizeof(*v));
		struct rules_place *p = arena_grow(
			&rs->arena, b->name_places, b->rules_cap * sizeof(*p), cap * sizeof(*p));
		if (!v || !p)
			return NULL;
		rs->rules = v;
		b->name_places = p;
		b->rules_cap = cap;
	}
	struct rule *rule = &rs->rules[rs->rules_n++];
	*rule = (struct rule){0};
	return rule;
}

static void read_rule(struct reader *r, const struct yaml *y, struct rules_build *all)
{
	if (y->kind != YAML_MAP) {
		reader_error(r, y, "want a rule here, with 'name', 'match' and 'steps'");
		return;
	}
	struct rule_build b = {.all = all, .rule = new_rule(all)};
	if (!b.rule)
		return;
	b.rule->file = arena_strdup(r->arena, str_of(r->file));
	b.rule->line = y->line;
	reader_map(r, y, "a rule", rule_keys, &b);
	check_rule(r, y, &b);
	for (enum rule_list l = STEPS_MAIN; l < STEPS_LISTS; l++)
		if (b.lists[l])
			rule_read_list(r, &b, l);
}

static void read_rules(struct reader *r, const struct yaml *y, void *into)
{
	if (y->kind != YAML_SEQ) {
		reader_error(r, y, "want a list of rules");
		return;
	}
	struct line_walk w = {.bytes = r->bytes, .line = 1};
	bool block = is_block(&w, y);
	for (const struct yaml *c = y->child; c; c = c->next) {
		struct ruleset *rs = ((struct rules_build *)into)->rs;
		size_t had = rs->rules_n;
		int end = c->next ? c->next->line : y->next ? y->next->key_line : INT_MAX;

		read_rule(r, c, into);
		if (block && rs->rules_n > had)
			note_text(r, &rs->rules[had], c, end, &w);
	}
}

static int by_name_and_order(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;
	int c = str_cmp((*x)->name, (*y)->name);

	return c ? c : (*x > *y) - (*x < *y);
}

void rules_check_names(struct rules_build *b)
{
	struct ruleset *rs = b->rs;
	const struct rule **v =
		arena_array(&rs->arena, rs->rules_n + 1, sizeof(const struct rule *));

	for (size_t i = 0; v && i < rs->rules_n; i++)
		v[i] = &rs->rules[i];
	if (v && rs->rules_n > 1)
		qsort(v, rs->rules_n, sizeof(const struct rule *), by_name_and_order);
	for (size_t i = 1; v && i < rs->rules_n; i++) {
		if (v[i]->name.n == 0 || !str_eq(v[i - 1]->name, v[i]->name))
			continue;
		const struct rules_place *p = &b->name_places[v[i] - rs->rules];
		diag_add(b->diags, DIAG_ERROR, v[i]->file.p, p->line, p->column,
			"there is a rule '%.*s' already, in %.*s:%d; names are unique across files",
			STR_ARG(v[i]->name), STR_ARG(v[i - 1]->file), v[i - 1]->line);
	}
}

void rules_read_file(struct rules_build *b, const struct ruleset_file *f)
{
	static const struct reader_key keys[] = {
		{"rules", read_rules, false},
		{"patterns", patterns_read, false},
		{"topology", topology_read, false},
		{NULL, NULL, false},
	};
	struct reader r = {&b->rs->arena, f->name, f->bytes, b->diags};
	struct yaml *y = yaml_parse(r.arena, f->bytes, f->name, b->diags);

	if (y && y->kind != YAML_NULL && y->kind != YAML_MAP)
		reader_error(&r, y, "want 'rules:' or 'patterns:' here, and a list below it");
	else if (y && y->kind == YAML_MAP)
		reader_map(&r, y, "a rules file", keys, b);
}
