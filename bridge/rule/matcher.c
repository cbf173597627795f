/* matcher.c: compiled matchers held against events.
 *
 * Cost: a label is found by binary search, an equality is a comparison of lengths and bytes, and a
 * regex that is but words with | between them, or such words with .* before or behind them, is a list
 * of such comparisons. Equalities are looked
 * at before regexes, so that most events leave a rule without PCRE2. A match allocates only where
 * it succeeds and has named groups (or where an object of `data` is compared as JSON).
 *
 * Bounds: match limit, JIT stack and heap. A regex that meets one of them has no answer:
 * matchers_eval says so instead of guessing.
 *
 * The budget of an event: PCRE2 does not tell how many steps a match took, only that it took more than
 * a limit. So a regex is tried with a small limit first, and again with more where that was not enough,
 * and what it did not manage with is counted. A step costs the more the longer the value is, since
 * between two of them PCRE2 may go through it: the costs below are those of the slowest regexes of
 * tests/unit/nasty.h. Words that are looked for in a long value count, too. Second tries stop at
 * half of the budget: one bad regex leaves room for the first tries of the many good ones.
 */
#include "rule/matcher_impl.h"

#include <stdlib.h>
#include "base/utf8.h"

#define JIT_STACK_START (32 * 1024)
#define FIRST_TRY 32	/* steps; what most regexes manage with */
#define TRY_FACTOR 8	/* the next try may take so many times more */
#define TRY_COST 4	/* of a try, and for each repetition of the regex one more by */
#define LOOP_BYTES 16	/* so many bytes of the value */
#define PASS_BYTES 8	/* going through so many bytes costs as much as a step */
#define PASSES 16	/* so many steps of a try may each go through the whole value, */
#define STEP_BYTES 128	/* all others through a part: one more for so many bytes */
#define SCAN_BYTES 64	/* looking through so many bytes for a word, or for bad UTF-8, costs as much as a step */

struct matcher_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	uint32_t match_limit;
	uint64_t budget, used; /* steps of one event; budget 0: no bound */
};

bool matchers_name_event_origin(const struct matchers *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct field *f = &m->v[i].field;
		if (f->kind == FIELD_EVENT &&
			(f->event == FIELD_EVENT_TYPE || f->event == FIELD_EVENT_SOURCE))
			return true;
	}
	return false;
}

size_t matchers_labels(const struct matchers *m, struct kv *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n && n < max; i++) {
		const struct matcher *one = &m->v[i];
		if (one->op == MATCH_EQ && one->field.kind == FIELD_LABEL && one->value.n > 0)
			out[n++] = (struct kv){one->field.name, one->value};
	}
	return n;
}

bool matchers_have_group(const struct matchers *m, struct str name)
{
	uint32_t number;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].op != MATCH_RE)
			continue;
		for (uint32_t k = 0; k < m->v[i].names_n; k++)
			if (str_eq(regex_group(m->v[i].regex, k, &number), name))
				return true;
	}
	return false;
}

/* ---- matching ---- */

struct matcher_scratch *matcher_scratch_new(uint32_t match_limit)
{
	struct matcher_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->data = pcre2_match_data_create(MATCHER_GROUPS_LIMIT + 1, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->stack = pcre2_jit_stack_create(JIT_STACK_START, MATCHER_JIT_STACK, NULL);
	if (!s->data || !s->context) {
		matcher_scratch_free(s);
		return NULL;
	}
	s->match_limit = match_limit;
	pcre2_set_heap_limit(s->context, MATCHER_HEAP_LIMIT);
	if (s->stack)
		pcre2_jit_stack_assign(s->context, NULL, s->stack);
	return s;
}

void matcher_scratch_free(struct matcher_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s);
}

static bool is_open(const struct matcher *m)
{
	return m->head != OPEN_NOT || m->tail != OPEN_NOT;
}

/* Is PCRE2 needed? */
static bool is_regex(const struct matcher *m)
{
	return m->code != NULL && !is_open(m);
}

static bool stands_in(const struct matcher *m, struct str word, struct str v)
{
	size_t before = m->head == OPEN_SOME, behind = m->tail == OPEN_SOME;

	if (v.n < before + word.n + behind)
		return false;
	if (word.n == 0)
		return true;
	if (m->head == OPEN_NOT)
		return memcmp(v.p, word.p, word.n) == 0;
	if (m->tail == OPEN_NOT)
		return memcmp(v.p + v.n - word.n, word.p, word.n) == 0;
	return memmem(v.p + before, v.n - before - behind, word.p, word.n) != NULL;
}

/* Takes a number of steps from the budget; false, and none, where it has not as many. */
static bool spend(struct matcher_scratch *s, uint64_t steps)
{
	if (steps == 0 || s->budget == 0)
		return true;
	if (s->used >= s->budget || steps > s->budget - s->used)
		return false;
	s->used += steps;
	return true;
}

/* As the regex: its dot takes a character, and what is no UTF-8 is none. 1, 0, or -1 where the budget does not allow for
 * an answer. */
static int open_word_matches(const struct matcher *m, struct matcher_scratch *s, struct str v)
{
	bool anywhere = m->head != OPEN_NOT && m->tail != OPEN_NOT;

	if (anywhere && !spend(s, m->words_n * (v.n / SCAN_BYTES)))
		return -1;
	for (size_t i = 0; i < m->words_n; i++)
		if (stands_in(m, m->words[i], v))
			return spend(s, v.n / SCAN_BYTES) ? utf8_valid(v) == v.n : -1;
	return 0;
}

static int word_holds(const struct matcher *m, struct matcher_scratch *s, struct str v)
{
	if (m->op == MATCH_EQ || m->op == MATCH_NE)
		return str_eq(v, m->value) == (m->op == MATCH_EQ);
	if (is_open(m)) {
		int rc = open_word_matches(m, s, v);
		return rc < 0 ? -1 : rc == (m->op == MATCH_RE);
	}
	for (size_t i = 0; i < m->words_n; i++)
		if (str_eq(v, m->words[i]))
			return m->op == MATCH_RE;
	return m->op == MATCH_NRE;
}

void matcher_scratch_budget(struct matcher_scratch *s, uint64_t steps)
{
	s->budget = steps;
}

void matcher_scratch_begin(struct matcher_scratch *s)
{
	s->used = 0;
}

uint64_t matcher_scratch_used(const struct matcher_scratch *s)
{
	return s->used;
}

static int try_with(const pcre2_code *code, struct matcher_scratch *s, struct str v, uint64_t limit)
{
	pcre2_set_match_limit(s->context, (uint32_t)limit);
	return pcre2_match(
		code, (PCRE2_SPTR)(v.p ? v.p : ""), v.n, 0, 0, s->data, s->context);
}

/* What a try with this limit may cost, besides what each try costs. */
static uint64_t cost_of(uint64_t limit, size_t bytes)
{
	uint64_t passes = limit < PASSES ? limit : PASSES;

	return passes * (bytes / PASS_BYTES) + limit * (1 + bytes / STEP_BYTES);
}

/* The largest limit for which that is at most `left`. */
static uint64_t affordable(uint64_t left, size_t bytes)
{
	uint64_t pass = bytes / PASS_BYTES, step = 1 + bytes / STEP_BYTES;

	if (left < PASSES * (pass + step))
		return left / (pass + step);
	return (left - PASSES * pass) / step;
}

/* As pcre2_match; 0 where the budget does not allow for an answer. */
static int match(const struct regex *r, struct matcher_scratch *s, struct str v)
{
	const uint64_t try_cost = TRY_COST + v.n / LOOP_BYTES * r->loops;

	if (s->budget == 0)
		return try_with(r->code, s, v, s->match_limit);
	for (uint64_t wanted = FIRST_TRY;; wanted *= TRY_FACTOR) {
		uint64_t all = wanted == FIRST_TRY ? s->budget : s->budget / 2;
		uint64_t left = all > s->used ? all - s->used : 0;
		uint64_t limit = wanted < s->match_limit ? wanted : s->match_limit;
		uint64_t most = left > try_cost ? affordable(left - try_cost, v.n) : 0;
		if (most == 0)
			return 0;
		limit = limit < most ? limit : most;
		int rc = try_with(r->code, s, v, limit);
		s->used += try_cost;
		if (rc < PCRE2_ERROR_NOMATCH || wanted > FIRST_TRY)
			s->used += cost_of(limit, v.n);
		if (rc != PCRE2_ERROR_MATCHLIMIT || limit == s->match_limit)
			return rc;
	}
}

static void say_why(struct err *e, struct str what, const struct matcher_scratch *s, struct str v, int rc)
{
	PCRE2_UCHAR text[128];
	int shown = (int)(what.n < 200 ? what.n : 200);

	if (rc == 0) {
		err_set(e, ERR_LIMIT,
			"'%.*s' gave up on a value of %zu bytes: the budget of the event is used up "
			"(limits.match_budget, %llu steps); make the regexes simpler",
			shown, what.p, v.n, (unsigned long long)s->budget);
		return;
	}
	pcre2_get_error_message(rc, text, sizeof(text));
	err_set(e, ERR_LIMIT, "'%.*s' gave up on a value of %zu bytes: %s; make the regex simpler", shown,
		what.p, v.n, (const char *)text);
}

/* 1, 0, or -1 where it gave up. */
static int plain_holds(
	const struct matcher *m, struct matcher_scratch *s, struct str v, struct err *e)
{
	int rc = word_holds(m, s, v);

	if (rc < 0 && e)
		say_why(e, m->text, s, v, 0);
	return rc;
}

int matcher_regex_on(const struct regex *r, struct str what, struct matcher_scratch *s, struct str v, struct err *e)
{
	int rc = match(r, s, v);

	if (rc > 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (e)
		say_why(e, what, s, v, rc);
	return -1;
}

static int regex_holds(
	const struct matcher *m, struct matcher_scratch *s, struct str v, struct err *e)
{
	int rc = matcher_regex_on(m->regex, m->text, s, v, e);

	return rc < 0 ? -1 : rc == (m->op == MATCH_RE);
}

static void add_group(struct matcher_groups *g, struct str name, struct str value)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_eq(g->v[i].name, name))
			return;
	g->v[g->n++] = (struct kv){name, value};
}

void matcher_regex_groups(const struct regex *r, struct matcher_scratch *s, struct str v, struct matcher_groups *g)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(s->data);
	const char *p = v.p ? v.p : ""; /* an absent label has no bytes to point at */

	for (uint32_t i = 0; i < r->names_n; i++) {
		uint32_t k;
		struct str name = regex_group(r, i, &k);
		/* \K in a lookahead can make an end that lies before its start. */
		if (at[2 * k] == PCRE2_UNSET || at[2 * k + 1] < at[2 * k] || at[2 * k + 1] > v.n)
			continue;
		add_group(g, name, (struct str){p + at[2 * k], at[2 * k + 1] - at[2 * k]});
	}
}

/* All hold: matches once more those that have names. A second match of few rules costs less than
 * keeping the groups of the many that fail at a later matcher. */
static int collect_groups(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct matcher_groups *g, struct err *e)
{
	size_t most = g->n;

	for (size_t i = 0; i < m->n; i++)
		most += m->v[i].op == MATCH_RE ? m->v[i].names_n : 0;
	if (most == g->n)
		return 1;
	g->v = arena_grow(a, g->v, g->n * sizeof(*g->v), most * sizeof(*g->v));
	if (!g->v) {
		g->n = 0;
		return err_set(
			e, ERR_LIMIT, "the groups of a match do not fit the memory of a request");
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct matcher *x = &m->v[i];
		if (x->op != MATCH_RE || x->names_n == 0)
			continue;
		struct str v = field_value(a, &x->field, ev);
		if (regex_holds(x, s, v, e) < 0)
			return -1;
		matcher_regex_groups(x->regex, s, v, g);
	}
	return 1;
}

int matchers_eval(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct matcher_groups *groups, struct err *e)
{
	int result = 1;

	for (int regexes = 0; regexes <= 1; regexes++)
		for (size_t i = 0; i < m->n; i++) {
			const struct matcher *x = &m->v[i];
			if (is_regex(x) != regexes)
				continue;
			/* One that gives up leaves it to the others to say no; the first one's text stays. */
			struct str v = field_value(a, &x->field, ev);
			struct err *why = result < 0 ? NULL : e;
			int rc = regexes ? regex_holds(x, s, v, why) : plain_holds(x, s, v, why);
			if (rc == 0)
				return 0;
			if (rc < 0)
				result = -1;
		}
	if (result < 0)
		return -1;
	return groups ? collect_groups(m, s, a, ev, groups, e) : 1;
}

/* Besides the steps of PCRE2, and those of words with open ends. */
static uint64_t look_cost(const struct matcher *m, const struct event *ev, struct str v)
{
	size_t looked_through = is_regex(m) ? v.n : 0;

	return field_cost(&m->field, ev, v) / PASS_BYTES + looked_through / SCAN_BYTES;
}

static bool may_look(const struct matcher *m, const struct matcher_scratch *s)
{
	return s->budget == 0 || s->used < s->budget || (m->field.kind != FIELD_DATA && !is_open(m));
}

size_t matchers_first_failing(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct str *text, struct str *saw)
{
	size_t i;

	*text = *saw = STR_NONE;
	for (i = 0; i < m->n; i++) {
		const struct matcher *x = &m->v[i];
		if (!may_look(x, s))
			continue;
		struct str v = field_value(a, &x->field, ev);
		s->used += look_cost(x, ev, v);
		/* One that gave up has not failed: were it the only one, the whole would be an error. */
		if ((is_regex(x) ? regex_holds(x, s, v, NULL) : plain_holds(x, s, v, NULL)) != 0)
			continue;
		*text = x->text;
		*saw = v;
		break;
	}
	return i;
}
