/* insights_write.c: insights as the API shows them: figures, pairs, rules, then suggestions.
 *
 * Numbers are rounded to three places. What no figure can be given for is null, never 0.
 */
#include "flow/insights_impl.h"

#include <math.h>
#include <stdlib.h>

/* ---- figures ---- */

/* Three places, so that a text does not pretend to know more. */
static void write_number(struct json_w *w, const char *key, double v)
{
	json_w_key(w, str_of(key));
	json_w_double(w, round(v * 1000) / 1000);
}

static void write_mean(struct json_w *w, const char *key, int64_t sum_ms, int64_t n)
{
	if (n > 0)
		write_number(w, key, (double)sum_ms / 1000 / (double)n);
	else
		json_w_kraw(w, key, STR("null"));
}

static void write_share(struct json_w *w, const char *key, int64_t part, int64_t of)
{
	if (of > 0)
		write_number(w, key, part < of ? (double)part / (double)of : 1);
	else
		json_w_kraw(w, key, STR("null"));
}

/* ---- alerts ---- */

static int noisiest_first(const void *a, const void *b)
{
	const struct insight_name *const *x = a, *const *y = b;

	if ((*x)->fired != (*y)->fired)
		return (*x)->fired < (*y)->fired ? 1 : -1;
	return str_cmp((*x)->name, (*y)->name);
}

static int flappers_first(const void *a, const void *b)
{
	const struct insight_name *const *x = a, *const *y = b;

	if ((*x)->flapped != (*y)->flapped)
		return (*x)->flapped < (*y)->flapped ? 1 : -1;
	return str_cmp((*x)->name, (*y)->name);
}

static void write_alert(
	struct json_w *w, const struct insights_sum *s, const struct insight_name *a)
{
	json_w_object(w);
	json_w_kstr(w, "alertname", a->name);
	json_w_ki64(w, "occurrences", a->fired);
	write_share(w, "share", a->fired, s->fired);
	json_w_ki64(w, "flapped", a->flapped);
	json_w_ki64(w, "resolved", a->resolved);
	write_mean(w, "acknowledge_seconds", a->ack_ms, a->acked);
	write_mean(w, "repair_seconds", a->repair_ms, a->repaired);
	write_mean(w, "resolve_seconds", a->resolve_ms, a->resolved);
	json_w_ki64(w, "repaired", a->repaired);
	write_share(w, "repaired_share", a->repaired, a->resolved);
	json_w_key(w, STR("rule"));
	if (a->rule.n > 0)
		json_w_str(w, a->rule);
	else
		json_w_null(w);
	json_w_end(w, '}');
}

static void write_flapper(struct json_w *w, const struct insight_name *a)
{
	json_w_object(w);
	json_w_kstr(w, "alertname", a->name);
	json_w_ki64(w, "flapped", a->flapped);
	json_w_ki64(w, "occurrences", a->fired);
	write_mean(w, "resolve_seconds", a->resolve_ms, a->resolved);
	json_w_end(w, '}');
}

static void write_alerts(struct json_w *w, struct insights_sum *s)
{
	size_t n = s->names_n, rows = (size_t)s->rows;
	const struct insight_name **v =
		arena_array(&s->a, n + 1, sizeof(const struct insight_name *));

	for (size_t i = 0; v && i < n; i++)
		v[i] = &s->names[i];
	json_w_key(w, STR("alerts"));
	json_w_array(w);
	if (v && n > 0)
		qsort(v, n, sizeof(*v), noisiest_first);
	for (size_t i = 0; v && i < n && i < rows; i++)
		write_alert(w, s, v[i]);
	json_w_end(w, ']');
	json_w_key(w, STR("flappers"));
	json_w_array(w);
	if (v && n > 0)
		qsort(v, n, sizeof(*v), flappers_first);
	for (size_t i = 0; v && i < n && i < rows && v[i]->flapped > 0; i++)
		write_flapper(w, v[i]);
	json_w_end(w, ']');
}

/* ---- pairs ---- */

static void write_sure(struct json_w *w, const struct insight_found *f)
{
	json_w_ki64(w, "support", f->support);
	write_number(w, "confidence", f->confidence);
	write_number(w, "lift", f->lift);
}

static void write_together(struct json_w *w, const struct insight_found *f)
{
	json_w_object(w);
	json_w_key(w, STR("alertnames"));
	json_w_array(w);
	json_w_str(w, f->first);
	json_w_str(w, f->second);
	json_w_end(w, ']');
	write_sure(w, f);
	json_w_key(w, STR("labels"));
	json_w_array(w);
	for (size_t i = 0; i < f->labels_n; i++)
		json_w_str(w, f->labels[i]);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static void write_follows(struct json_w *w, const struct insight_found *f)
{
	json_w_object(w);
	json_w_kstr(w, "first", f->first);
	json_w_kstr(w, "then", f->second);
	write_sure(w, f);
	write_number(w, "delay_seconds", f->delay_s);
	write_number(w, "spread_seconds", f->spread_s);
	json_w_end(w, '}');
}

static void write_pairs(
	struct json_w *w, const struct insights_sum *s, const struct insights_found *found)
{
	size_t rows = (size_t)s->rows;

	json_w_key(w, STR("together"));
	json_w_array(w);
	for (size_t i = 0; i < found->together_n && i < rows; i++)
		write_together(w, &found->together[i]);
	json_w_end(w, ']');
	json_w_key(w, STR("follows"));
	json_w_array(w);
	for (size_t i = 0; i < found->follows_n && i < rows; i++)
		write_follows(w, &found->follows[i]);
	json_w_end(w, ']');
}

/* ---- rules and sums ---- */

/* In the order of the rules. matched: it was held back each time. */
static void write_idle_rules(struct json_w *w, const struct insights_sum *s)
{
	size_t rows = 0;

	json_w_key(w, STR("rules_never_fired"));
	json_w_array(w);
	for (size_t i = 0; i < s->rules->rules_n && rows < (size_t)s->rows; i++) {
		struct str name = s->rules->rules[i].name;
		const struct insight_rule *r = insights_rule(s, name);
		if (r && r->ran > 0)
			continue;
		json_w_object(w);
		json_w_kstr(w, "rule", name);
		json_w_ki64(w, "matched", r ? r->matched : 0);
		json_w_end(w, '}');
		rows++;
	}
	json_w_end(w, ']');
}

static void write_repairs(struct json_w *w, const struct insights_sum *s)
{
	int64_t resolved = 0, repaired = 0;

	for (size_t i = 0; i < s->names_n; i++) {
		resolved += s->names[i].resolved;
		repaired += s->names[i].repaired;
	}
	json_w_key(w, STR("repaired_without_a_person"));
	json_w_object(w);
	json_w_ki64(w, "resolved", resolved);
	json_w_ki64(w, "repaired", repaired);
	write_share(w, "share", repaired, resolved);
	json_w_end(w, '}');
}

static void write_period(struct json_w *w, const struct insights_sum *s)
{
	int64_t from = s->first > s->from ? s->first : s->from;

	json_w_ktime_ms(w, "since", s->first < 0 ? 0 : from * STORE_INSIGHTS_DAY_MS);
	json_w_ktime_ms(w, "until", (s->to + 1) * STORE_INSIGHTS_DAY_MS);
	json_w_ki64(w, "occurrences", s->fired);
	json_w_key(w, STR("left_out"));
	json_w_object(w);
	json_w_ki64(w, "alertnames", s->left_names);
	json_w_ki64(w, "occurrences", s->left_fired);
	json_w_end(w, '}');
}

int insights_write(struct buf *out, struct insights_sum *s, struct err *e)
{
	struct insights_found found;
	struct json_w w;

	if (insights_find(s, &found, e) != 0)
		return -1;
	json_w_init(&w, out);
	json_w_object(&w);
	write_period(&w, s);
	write_alerts(&w, s);
	write_pairs(&w, s, &found);
	write_repairs(&w, s);
	write_idle_rules(&w, s);
	json_w_key(&w, STR("suggestions"));
	insights_suggest(&w, s, &found);
	json_w_end(&w, '}');
	buf_putc(out, '\n');
	if (buf_failed(out) || arena_failed(&s->a))
		return err_set(
			e, ERR_NOMEM, "no memory for the answer; ask for fewer rows with 'limit'");
	return 0;
}
