/* changes.c: which events are changes: a deploy, a merged commit, a pushed configuration.
 *
 * Only what neither fires nor resolves can be one: an alert is what a change may have led to. Which
 * incidents it concerns is the store's matter. A regex that gives up is no: the event is then one
 * like any other.
 */
#include "rule/changes.h"

void changes_read(struct ruleset *rs, const struct conf *conf, struct diags *d)
{
	const struct conf_list *l = &conf->changes;
	struct err e;

	rs->changes = arena_array(&rs->arena, l->n ? l->n : 1, sizeof(*rs->changes));
	rs->changes_text = arena_array(&rs->arena, l->n ? l->n : 1, sizeof(*rs->changes_text));
	for (size_t i = 0; rs->changes && rs->changes_text && i < l->n; i++) {
		const struct conf_text *t = &l->v[i];
		if (matchers_parse(&rs->arena, t->text, &rs->changes[rs->changes_n], &e) == 0)
			rs->changes_text[rs->changes_n++] = arena_strdup(&rs->arena, t->text);
		else
			diag_add(d, DIAG_ERROR, conf->path.p ? conf->path.p : "", t->line,
				t->column, "changes: %s: '%.*s'", e.text,
				(int)(t->text.n < 100 ? t->text.n : 100), t->text.p);
	}
}

void changes_release(struct ruleset *rs)
{
	for (size_t i = 0; i < rs->changes_n; i++)
		matchers_release(&rs->changes[i]);
}

void changes_describe(const struct ruleset *rs, struct buf *out)
{
	for (size_t i = 0; i < rs->changes_n; i++)
		buf_printf(out, "change %zu:%.*s\n", rs->changes_text[i].n,
			STR_ARG(rs->changes_text[i]));
}

bool ruleset_is_change(const struct ruleset *rs, struct arena *a, const struct event *ev)
{
	if (ev->status != EVENT_INFO || rs->changes_n == 0)
		return false;
	matcher_scratch_begin(rs->scratch);
	for (size_t i = 0; i < rs->changes_n; i++)
		if (matchers_eval(&rs->changes[i], rs->scratch, a, ev, NULL, NULL) == 1)
			return true;
	return false;
}
