/* insights_sum.c: days of insights, added up.
 *
 * Guarantee: the three lists are sorted by name and have each name once, so what a day brings is
 * looked up in what was there before the day. Texts are copied, since a day's live only while it is
 * told.
 */
#include "flow/insights_impl.h"

#include <stdlib.h>

/* ---- lists ---- */

static int by_name(const void *a, const void *b)
{
	return str_cmp(
		((const struct insight_name *)a)->name, ((const struct insight_name *)b)->name);
}

static int by_rule(const void *a, const void *b)
{
	return str_cmp(
		((const struct insight_rule *)a)->name, ((const struct insight_rule *)b)->name);
}

static int by_pair(const void *a, const void *b)
{
	const struct insight_pair *x = a, *y = b;
	int c = str_cmp(x->first, y->first);

	return c ? c : str_cmp(x->second, y->second);
}

static void *find(const void *key, const void *v, size_t n, size_t size,
	int (*cmp)(const void *, const void *))
{
	return n ? bsearch(key, v, n, size, cmp) : NULL;
}

/* Room for one more. */
static void *grow(void *v, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return v;
	size_t more = *cap ? 2 * *cap : 64;
	void *bigger = realloc(v, more * size);
	if (bigger)
		*cap = more;
	return bigger;
}

const struct insight_name *insights_name(const struct insights_sum *s, struct str name)
{
	struct insight_name key = {.name = name};

	return find(&key, s->names, s->names_n, sizeof(key), by_name);
}

const struct insight_pair *insights_pair(
	const struct insights_sum *s, struct str first, struct str second)
{
	struct insight_pair key = {.first = first, .second = second};

	return find(&key, s->pairs, s->pairs_n, sizeof(key), by_pair);
}

const struct insight_rule *insights_rule(const struct insights_sum *s, struct str name)
{
	struct insight_rule key = {.name = name};

	return find(&key, s->ruled, s->ruled_n, sizeof(key), by_rule);
}

/* ---- one of each ---- */

/* Is one of these runbooks, "a+b", loaded and there to repair? */
static bool remediates(const struct ruleset *rules, struct str set)
{
	while (set.n > 0) {
		const char *plus = memchr(set.p, '+', set.n);
		struct str name = {set.p, plus ? (size_t)(plus - set.p) : set.n};
		const struct runbook *rb = ruleset_runbook(rules, name);
		size_t skip = name.n + (plus ? 1 : 0);

		if (rb && rb->kind == RUNBOOK_REMEDIATE)
			return true;
		set = (struct str){set.p + skip, set.n - skip};
	}
	return false;
}

static void add_name(
	struct insights_sum *s, struct insight_name *to, const struct store_insight_name *in)
{
	to->fired += in->fired;
	to->begun += in->begun;
	to->flapped += in->flapped;
	to->resolved += in->resolved;
	to->resolve_ms += in->resolve_ms;
	to->acked += in->acked;
	to->ack_ms += in->ack_ms;
	if (in->rule.n > 0 && !str_eq(in->rule, to->rule))
		to->rule = arena_strdup(&s->a, in->rule);
	for (size_t i = 0; i < in->repairs_n; i++) {
		if (!remediates(s->rules, in->repairs[i].runbooks))
			continue;
		to->repaired += in->repairs[i].n;
		to->repair_ms += in->repairs[i].ms;
	}
}

static void add_label(
	struct insights_sum *s, struct insight_pair *to, const struct store_insight_label *l)
{
	for (size_t i = 0; i < to->labels_n; i++) {
		if (str_eq(to->labels[i].name, l->name)) {
			to->labels[i].n += l->n;
			return;
		}
	}
	if (to->labels_n < STORE_INSIGHTS_LABELS)
		to->labels[to->labels_n++] =
			(struct store_insight_label){arena_strdup(&s->a, l->name), l->n};
}

static void add_pair(
	struct insights_sum *s, struct insight_pair *to, const struct store_insight_pair *in)
{
	to->n += in->n;
	to->near += in->near;
	to->seconds += (double)in->seconds;
	to->squares += (double)in->squares;
	for (size_t i = 0; i < in->labels_n; i++)
		add_label(s, to, &in->labels[i]);
}

/* ---- the parts of a day ---- */

static int no_memory(struct err *e)
{
	return err_set(e, ERR_LIMIT, "so many days need too much memory; ask for a shorter time");
}

static int add_names(struct insights_sum *s, const struct store_insight_day *day, struct err *e)
{
	size_t n = s->names_n, had = n;

	for (size_t i = 0; i < day->names_n; i++) {
		struct insight_name key = {.name = day->names[i].name};
		struct insight_name *to = find(&key, s->names, had, sizeof(key), by_name);
		if (!to) {
			void *v = grow(s->names, n, &s->names_cap, sizeof(*s->names));
			if (!v)
				return no_memory(e);
			s->names = v;
			to = &s->names[n++];
			*to = (struct insight_name){.name = arena_strdup(&s->a, key.name)};
		}
		add_name(s, to, &day->names[i]);
		s->names_n = n;
	}
	if (n > had)
		qsort(s->names, n, sizeof(*s->names), by_name);
	return 0;
}

static int add_pairs(struct insights_sum *s, const struct store_insight_day *day, struct err *e)
{
	size_t n = s->pairs_n, had = n;

	for (size_t i = 0; i < day->pairs_n; i++) {
		struct insight_pair key = {
			.first = day->pairs[i].first, .second = day->pairs[i].second};
		struct insight_pair *to = find(&key, s->pairs, had, sizeof(key), by_pair);
		if (!to) {
			void *v = grow(s->pairs, n, &s->pairs_cap, sizeof(*s->pairs));
			if (!v)
				return no_memory(e);
			s->pairs = v;
			to = &s->pairs[n++];
			*to = (struct insight_pair){.first = arena_strdup(&s->a, key.first),
				.second = arena_strdup(&s->a, key.second)};
		}
		add_pair(s, to, &day->pairs[i]);
		s->pairs_n = n;
	}
	if (n > had)
		qsort(s->pairs, n, sizeof(*s->pairs), by_pair);
	return 0;
}

/* Sorted, and each rule once: one that is new may have come twice in its first day. */
static void fold_rules(struct insights_sum *s)
{
	size_t n = 0;

	qsort(s->ruled, s->ruled_n, sizeof(*s->ruled), by_rule);
	for (size_t i = 0; i < s->ruled_n; i++) {
		if (n > 0 && str_eq(s->ruled[n - 1].name, s->ruled[i].name)) {
			s->ruled[n - 1].matched += s->ruled[i].matched;
			s->ruled[n - 1].ran += s->ruled[i].ran;
		} else {
			s->ruled[n++] = s->ruled[i];
		}
	}
	s->ruled_n = n;
}

static int add_rules(struct insights_sum *s, const struct store_insight_day *day, struct err *e)
{
	size_t had = s->ruled_n;

	for (size_t i = 0; i < day->rules_n; i++) {
		const struct store_insight_rule *in = &day->rules[i];
		struct insight_rule key = {.name = in->name};
		struct insight_rule *to = find(&key, s->ruled, had, sizeof(key), by_rule);
		if (!to) {
			void *v = grow(s->ruled, s->ruled_n, &s->ruled_cap, sizeof(*s->ruled));
			if (!v)
				return no_memory(e);
			s->ruled = v;
			to = &s->ruled[s->ruled_n++];
			*to = (struct insight_rule){.name = arena_strdup(&s->a, in->name)};
		}
		to->matched += in->matched;
		to->ran += in->ran;
	}
	if (s->ruled_n > had)
		fold_rules(s);
	return 0;
}

int insights_add_day(struct insights_sum *s, const struct store_insight_day *day, struct err *e)
{
	if (s->first < 0)
		s->first = day->day;
	s->fired += day->fired;
	s->left_names += day->left_names;
	s->left_fired += day->left_fired;
	if (add_names(s, day, e) != 0 || add_pairs(s, day, e) != 0 || add_rules(s, day, e) != 0)
		return -1;
	return arena_failed(&s->a) ? no_memory(e) : 0;
}

void insights_sum_release(struct insights_sum *s)
{
	free(s->names);
	free(s->pairs);
	free(s->ruled);
	arena_release(&s->a);
}
