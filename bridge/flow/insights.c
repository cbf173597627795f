/* insights.c: from the days that the store has counted to one answer.
 *
 * The days are fetched one after the other, each in a call of its own, so that a long period holds
 * up nobody. The rules are those that were loaded when it was asked.
 */
#include "flow/insights_impl.h"

#include <stdlib.h>

struct insights_run {
	struct store *store;
	struct insights_sum sum;
	struct buf out;
	store_text_cb cb;
	void *ctx;
};

static void run_free(struct insights_run *r)
{
	ruleset_unref(r->sum.rules);
	insights_sum_release(&r->sum);
	buf_release(&r->out);
	free(r);
}

static void finish(struct insights_run *r, const struct err *e)
{
	struct err mine;

	if (!e && insights_write(&r->out, &r->sum, &mine) != 0)
		e = &mine;
	r->cb(r->ctx, e, e ? STR_NONE : buf_as_str(&r->out));
	run_free(r);
}

static void on_day(void *ctx, const struct err *e, const struct store_insight_day *day)
{
	struct insights_run *r = ctx;
	struct err mine;

	if (e)
		finish(r, e);
	else if (day->day < 0)
		finish(r, NULL);
	else if (insights_add_day(&r->sum, day, &mine) != 0)
		finish(r, &mine);
	else if (day->day >= r->sum.to)
		finish(r, NULL);
	else if (store_insights(r->store, day->day + 1, r->sum.to, on_day, r, &mine) != 0)
		finish(r, &mine);
}

int insights_read(const struct ingest_ctx *ic, const struct insights_ask *ask, store_text_cb cb,
	void *ctx, struct err *e)
{
	int64_t from = ask->since_ms / STORE_INSIGHTS_DAY_MS,
		to = (ask->until_ms - 1) / STORE_INSIGHTS_DAY_MS;
	struct insights_run *r;

	if (ask->since_ms < 0 || ask->until_ms <= ask->since_ms)
		return err_set(e, ERR_INPUT, "'since' is not before 'until'");
	if (to - from >= INSIGHTS_DAYS_MAX)
		return err_set(e, ERR_INPUT,
			"'since' and 'until' are more than %d days apart; ask for less at a time",
			INSIGHTS_DAYS_MAX);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	r->store = ic->store;
	r->sum.rules = ruleset_ref(ic->rules);
	r->sum.from = from;
	r->sum.to = to;
	r->sum.first = -1;
	r->sum.rows = ask->rows;
	r->cb = cb;
	r->ctx = ctx;
	arena_init(&r->sum.a, INSIGHTS_MEMORY);
	buf_init(&r->out, INSIGHTS_MEMORY);
	if (store_insights(ic->store, from, to, on_day, r, e) == 0)
		return 0;
	run_free(r);
	return -1;
}
