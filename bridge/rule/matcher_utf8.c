/* matcher_utf8.c: Alertmanager's UTF-8 syntax of matchers.
 *
 * NAME OP VALUE, commas between, one before the end allowed, braces round the whole allowed in
 * pairs. Names and values are plain words of any letters or stand in double quotes. What a plain
 * word may not hold ({ } ! = ~ , \ " ' ` and blanks) needs the quotes, and so does the empty value.
 *
 * Its errors are those that people see where neither syntax takes a text: they say what to write.
 */
#include "rule/matcher_impl.h"

static int read_op(struct cursor *c, enum matcher_op *op, struct err *e)
{
	struct str rest = {c->text.p + c->at, c->text.n - c->at};

	if (!matcher_op_at(rest, op))
		return cursor_fail(e, c->at, "want one of = != =~ !~ here");
	c->at += matcher_op_text(*op).n;
	if (cursor_sees(c, "="))
		return cursor_fail(e, c->at, "one '=' too many; the operators are = != =~ !~");
	return 0;
}

/* What a wrong character after a whole matcher most likely means. */
static int fail_after(const struct cursor *c, const struct word *value, struct err *e)
{
	if (cursor_sees(c, "'") || cursor_sees(c, "`"))
		return cursor_fail(e, c->at, "only double quotes quote here");
	if (!value->quoted && value->to == c->at && !cursor_sees(c, "\""))
		return cursor_fail(e, c->at, "a value with this character needs double quotes");
	return cursor_fail(
		e, c->at, "want a comma or the end here; a value with blanks needs double quotes");
}

static int fail_empty(const struct cursor *c, const char *wanted, struct err *e)
{
	bool odd = cursor_sees(c, "'") || cursor_sees(c, "`");

	return cursor_fail(e, c->at, odd ? "only double quotes quote here" : wanted);
}

static int read_matcher(struct cursor *c, struct arena *a, struct raw_matcher *m, struct err *e)
{
	if (matcher_read_word(c, a, &m->name, e) < 0)
		return -1;
	if (m->name.to == m->name.from)
		return fail_empty(c, "want a label or field here", e);
	matcher_skip_spaces(c);
	if (read_op(c, &m->op, e) < 0)
		return -1;
	matcher_skip_spaces(c);
	if (matcher_read_word(c, a, &m->value, e) < 0)
		return -1;
	if (m->value.to > m->value.from)
		return 0;
	return cursor_at_end(c) || cursor_sees(c, ",") || cursor_sees(c, "}")
		       ? cursor_fail(e, c->at, "want a value here; the empty one is \"\"")
		       : fail_empty(c, "a value with this character needs double quotes", e);
}

/* Everything after the open brace, if there was one. */
static int read_list(
	struct cursor *c, struct arena *a, bool braced, struct raw_list *out, struct err *e)
{
	matcher_skip_spaces(c);
	while (!cursor_at_end(c) && !cursor_sees(c, "}")) {
		if (out->n == MATCHER_LIMIT)
			return matcher_too_many(c->at, e);
		struct raw_matcher *m = &out->v[out->n++];
		if (read_matcher(c, a, m, e) < 0)
			return -1;
		matcher_skip_spaces(c);
		if (cursor_sees(c, ",")) {
			c->at++;
			matcher_skip_spaces(c);
		} else if (!cursor_at_end(c) && !cursor_sees(c, "}")) {
			return fail_after(c, &m->value, e);
		}
	}
	if (!braced)
		return cursor_at_end(c) ? 0 : cursor_fail(e, c->at, "this '}' closes nothing");
	if (cursor_at_end(c))
		return cursor_fail(e, c->at, "the '{' at the beginning is never closed");
	c->at++;
	matcher_skip_spaces(c);
	return cursor_at_end(c) ? 0 : cursor_fail(e, c->at, "nothing may follow the '}'");
}

int matcher_read_utf8(struct str text, struct arena *a, struct raw_list *out, struct err *e)
{
	struct cursor c = {text, 0};

	out->n = 0;
	matcher_skip_spaces(&c);
	if (cursor_at_end(&c))
		return cursor_fail(e, 0, "no matcher here; '{}' matches every event");
	bool braced = cursor_sees(&c, "{");
	c.at += braced;
	return read_list(&c, a, braced, out, e);
}
