/* insights_find.c: of all pairs of alerts those that belong together.
 *
 * A pair stands out where it came often enough (INSIGHTS_SUPPORT_LEAST), nearly always
 * (INSIGHTS_CONFIDENCE_LEAST), and several times as often as two that know nothing of each other
 * would within so long (INSIGHTS_LIFT_LEAST): an alert that begins all day is near everything. What
 * comes together is not told of once more as one that follows the other.
 */
#include "flow/insights_impl.h"

#include <math.h>
#include <stdlib.h>

double insights_seconds(const struct insights_sum *s)
{
	int64_t from = s->first > s->from ? s->first : s->from;
	int64_t days = s->first < 0 ? 0 : s->to - from + 1;

	return (double)days * (double)STORE_INSIGHTS_DAY_MS / 1000;
}

/* How many times as often as by chance. times: how often the two came within `within_s` of each
 * other. */
static double lift(const struct insights_sum *s, double times, int64_t begun_a, int64_t begun_b,
	double within_s)
{
	double expected = (double)begun_a * (double)begun_b * within_s / insights_seconds(s);

	return expected > 0 ? times / expected : 0;
}

static bool stands_out(const struct insight_found *f)
{
	return f->support >= INSIGHTS_SUPPORT_LEAST && f->confidence >= INSIGHTS_CONFIDENCE_LEAST &&
	       f->lift >= INSIGHTS_LIFT_LEAST;
}

static double at_most_one(double v)
{
	return v > 1 ? 1 : v;
}

/* ---- together ---- */

static int64_t label_times(const struct insight_pair *p, struct str name)
{
	for (size_t i = 0; p && i < p->labels_n; i++)
		if (str_eq(p->labels[i].name, name))
			return p->labels[i].n;
	return 0;
}

/* Labels in which the two agreed nearly each time; either of p and back may be NULL. */
static void find_labels(
	struct insight_found *f, const struct insight_pair *p, const struct insight_pair *back)
{
	const struct insight_pair *one = p ? p : back;

	for (size_t i = 0; i < one->labels_n; i++) {
		struct str name = one->labels[i].name;
		double n = (double)(label_times(p, name) + label_times(back, name));
		if (n >= INSIGHTS_LABEL_LEAST * (double)f->support)
			f->labels[f->labels_n++] = name;
	}
}

/* Are the two, in either order, always there together? Told of by the one whose name comes first.
 */
static bool find_together(
	const struct insights_sum *s, const struct insight_pair *p, struct insight_found *f)
{
	const struct insight_pair *back = insights_pair(s, p->second, p->first);
	const struct insight_name *a = insights_name(s, p->first), *b = insights_name(s, p->second);

	if (!a || !b || a->begun == 0 || b->begun == 0)
		return false;
	int64_t most = a->begun > b->begun ? a->begun : b->begun;
	*f = (struct insight_found){.first = p->first,
		.second = p->second,
		.support = p->near + (back ? back->near : 0)};
	f->confidence = at_most_one((double)f->support / (double)most);
	f->lift = lift(
		s, (double)f->support, a->begun, b->begun, 2.0 * STORE_INSIGHTS_NEAR_MS / 1000);
	if (!stands_out(f))
		return false;
	find_labels(f, p, back);
	return true;
}

/* ---- one after the other ---- */

static bool find_follows(
	const struct insights_sum *s, const struct insight_pair *p, struct insight_found *f)
{
	const struct insight_name *a = insights_name(s, p->first), *b = insights_name(s, p->second);
	struct insight_found together;

	if (!a || !b || a->begun == 0 || b->begun == 0 || p->n == 0)
		return false;
	double n = (double)p->n, mean = p->seconds / n, variance = p->squares / n - mean * mean;
	*f = (struct insight_found){
		.first = p->first, .second = p->second, .support = p->n, .delay_s = mean};
	f->spread_s = variance > 0 ? sqrt(variance) : 0;
	f->confidence = at_most_one(n / (double)a->begun);
	f->lift = lift(s, n, a->begun, b->begun, STORE_INSIGHTS_GAP_MS / 1000.0);
	return stands_out(f) && !find_together(s, p, &together);
}

/* ---- all ---- */

/* The surest first, of those the most frequent. */
static int best_first(const void *a, const void *b)
{
	const struct insight_found *x = a, *y = b;

	if (x->confidence != y->confidence)
		return x->confidence < y->confidence ? 1 : -1;
	if (x->support != y->support)
		return x->support < y->support ? 1 : -1;
	int c = str_cmp(x->first, y->first);
	return c ? c : str_cmp(x->second, y->second);
}

int insights_find(struct insights_sum *s, struct insights_found *out, struct err *e)
{
	out->together = arena_array(&s->a, s->pairs_n + 1, sizeof(*out->together));
	out->follows = arena_array(&s->a, s->pairs_n + 1, sizeof(*out->follows));
	out->together_n = out->follows_n = 0;
	if (!out->together || !out->follows)
		return err_set(e, ERR_LIMIT,
			"so many pairs of alerts need too much memory; ask for a shorter time");
	for (size_t i = 0; i < s->pairs_n; i++) {
		const struct insight_pair *p = &s->pairs[i];
		bool told =
			str_cmp(p->first, p->second) > 0 && insights_pair(s, p->second, p->first);
		out->together_n += !told && find_together(s, p, &out->together[out->together_n]);
		out->follows_n += find_follows(s, p, &out->follows[out->follows_n]);
	}
	qsort(out->together, out->together_n, sizeof(*out->together), best_first);
	qsort(out->follows, out->follows_n, sizeof(*out->follows), best_first);
	return 0;
}
