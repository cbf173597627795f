/* trial_lines.c: a line of a log in a trial.
 *
 * It goes the way that lines go in the bridge (flow/lines.h): decoder, patterns, one call of the
 * store. Each line is a body of its own and counts when it arrives: lines of a test are copies of
 * one another more often than they are sent again.
 */
#include "flow/lines.h"
#include "line/decoder.h"
#include "trial/trial_impl.h"

#define NS_PER_MS INT64_C(1000000)

static void on_stored(void *ctx, const struct err *e)
{
	trial_ended(ctx, e);
}

static int feed_whole(struct lines *l, struct str text, struct err *e)
{
	if (lines_feed(l, text, e) < 0)
		return -1;
	return lines_end(l, e);
}

int trial_feed_line(struct trial *t, int64_t at_ms, const struct trial_line *line, struct err *e)
{
	struct lines_options o = {
		.ic = &t->ic, .bound = line->bound, .kind = &line_kind_text, .on_arrival = true};
	struct line_label *labels;
	struct lines *l;
	int rc = -1;

	t->fed_id = STR_NONE;
	if (trial_advance(t, at_ms, e) < 0)
		return -1;
	arena_reset(&t->scratch);
	labels = arena_array(&t->scratch, line->labels_n + 1, sizeof(*labels));
	if (!labels)
		return trial_full(e);
	for (size_t i = 0; i < line->labels_n; i++)
		labels[i] = (struct line_label){line->labels[i].name, line->labels[i].value};
	o.line.labels = labels;
	o.line.labels_n = line->labels_n;
	o.line.now_ns = at_ms * NS_PER_MS;
	l = lines_new(&o, e);
	if (!l)
		return -1;
	if (feed_whole(l, line->text, e) == 0) {
		t->calls++; /* the callback may come at once */
		if (lines_store(l, on_stored, t, e) < 0)
			t->calls--;
		else
			rc = trial_await(t, e);
	}
	lines_free(l);
	if (rc == 0)
		rc = trial_stale_at(t, e);
	return rc < 0 ? -1 : trial_settle(t, e);
}
