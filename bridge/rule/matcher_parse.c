/* matcher_parse.c: Alertmanager's matcher syntax, from text to compiled comparisons.
 *
 * The grammar is Alertmanager's with UTF-8 names: NAME OP VALUE, commas between, braces round the
 * whole allowed, a comma before the end allowed, names and values plain or in double quotes, the
 * value may be missing and is empty then. What a plain word may not hold ({ } ! = ~ , \ " ' ` and
 * blanks) needs the quotes.
 *
 * Guarantee: after an error nothing stays compiled, and the error's offset is the byte of the text
 * to look at, also inside a regex and behind escapes. Bounds: comparisons a text, length and groups
 * of a regex.
 */
#include "rule/matcher_impl.h"

#define REGEX_OPTIONS                                                                              \
	(PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | \
		PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const op_texts[] = {
	[MATCH_EQ] = "=",
	[MATCH_NE] = "!=",
	[MATCH_RE] = "=~",
	[MATCH_NRE] = "!~",
};

/* From a byte of the meaning back to the byte of the text. */
static size_t offset_in_text(const struct cursor *c, const struct word *w, size_t byte)
{
	size_t i = w->from;

	if (!w->quoted)
		return i + byte;
	for (i++; byte > 0 && i < w->to; byte--)
		i += words_escape_length(c->text, i);
	return i;
}

/* ---- right sides ---- */

/* "a|b|c" of plain characters: the words, so that no regex is needed. False: it is more than that.
 */
static bool split_words(struct arena *a, struct str regex, struct matcher *m)
{
	size_t n = 1, start = 0;

	for (size_t i = 0; i < regex.n; i++) {
		if (regex.p[i] == '\0' || strchr("\\^$.[]()*+?{}", regex.p[i]))
			return false;
		n += regex.p[i] == '|';
	}
	m->words = arena_array(a, n, sizeof(*m->words));
	if (!m->words)
		return false;
	for (size_t i = 0; i <= regex.n; i++)
		if (i == regex.n || regex.p[i] == '|') {
			m->words[m->words_n++] = (struct str){regex.p + start, i - start};
			start = i + 1;
		}
	return true;
}

static int compile(struct arena *a, struct str regex, struct matcher *m, size_t *at, struct err *e)
{
	int code;
	uint32_t groups = 0;
	PCRE2_UCHAR text[128];

	*at = 0;
	if (regex.n > MATCHER_REGEX_LIMIT)
		return err_set(e, ERR_LIMIT, "a regex of %zu bytes, at most %d are taken", regex.n,
			MATCHER_REGEX_LIMIT);
	if (split_words(a, regex, m))
		return 0;
	m->code = pcre2_compile((PCRE2_SPTR)regex.p, regex.n, REGEX_OPTIONS, &code, at, NULL);
	if (!m->code) {
		pcre2_get_error_message(code, text, sizeof(text));
		return err_set(e, ERR_INPUT, "bad regex: %s", (const char *)text);
	}
	pcre2_pattern_info(m->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_pattern_info(m->code, PCRE2_INFO_NAMECOUNT, &m->names_n);
	if (groups > MATCHER_GROUPS_LIMIT) {
		pcre2_code_free(m->code);
		m->code = NULL;
		return err_set(e, ERR_LIMIT,
			"a regex of %u groups, at most %d are taken; write (?:…) where nothing is "
			"captured",
			groups, MATCHER_GROUPS_LIMIT);
	}
	/* Where the system forbids JIT, PCRE2 interprets: slower, the same answer. */
	(void)pcre2_jit_compile(m->code, PCRE2_JIT_COMPLETE);
	return 0;
}

/* ---- the list ---- */

static int read_op(struct cursor *c, enum matcher_op *op, struct err *e)
{
	struct str rest = {c->text.p + c->at, c->text.n - c->at};

	for (size_t i = COUNT(op_texts); i-- > 0;) { /* the longer ones first */
		struct str t = str_of(op_texts[i]);
		if (!str_starts(rest, t))
			continue;
		*op = (enum matcher_op)i;
		c->at += t.n;
		if (str_starts((struct str){c->text.p + c->at, c->text.n - c->at}, STR("=")))
			return cursor_fail(
				e, c->at, "one '=' too many; the operators are = != =~ !~");
		return 0;
	}
	return cursor_fail(e, c->at, "want one of = != =~ !~ here");
}

/* What a wrong character after a whole matcher most likely means. */
static int fail_after(const struct cursor *c, const struct word *value, struct err *e)
{
	char next = cursor_peek(c);

	if (next == '\'' || next == '`')
		return cursor_fail(e, c->at, "only double quotes quote here");
	if (!value->quoted && value->to == c->at && matcher_is_reserved(next) && next != '"')
		return cursor_fail(e, c->at, "a value with this character needs double quotes");
	return cursor_fail(
		e, c->at, "want a comma or the end here; a value with blanks needs double quotes");
}

static int read_matcher(
	struct cursor *c, struct arena *a, struct matcher *m, struct word *value, struct err *e)
{
	struct word left;
	size_t start = c->at, at;

	if (matcher_read_word(c, a, &left, e) < 0)
		return -1;
	if (left.to == left.from)
		return cursor_fail(e, c->at,
			cursor_peek(c) == '\'' || cursor_peek(c) == '`'
				? "only double quotes quote here"
				: "want a label or field here");
	if (field_of_word(&left, &m->field, e) < 0)
		return -1;
	cursor_skip_blanks(c);
	if (read_op(c, &m->op, e) < 0)
		return -1;
	cursor_skip_blanks(c);
	if (matcher_read_word(c, a, value, e) < 0)
		return -1;
	m->value = value->value;
	m->text = arena_strdup(a, (struct str){c->text.p + start, value->to - start});
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "no memory for a matcher");
	if ((m->op == MATCH_RE || m->op == MATCH_NRE) && compile(a, m->value, m, &at, e) < 0) {
		e->offset = offset_in_text(c, value, at);
		return -1;
	}
	return 0;
}

/* Everything after the open brace, if there was one. */
static int read_list(
	struct cursor *c, struct arena *a, bool braced, struct matchers *out, struct err *e)
{
	struct word value;

	cursor_skip_blanks(c);
	while (!cursor_at_end(c) && cursor_peek(c) != '}') {
		if (out->n == MATCHER_LIMIT) {
			err_set(e, ERR_LIMIT, "more than %d matchers in one text; use a regex",
				MATCHER_LIMIT);
			e->offset = c->at;
			return -1;
		}
		if (read_matcher(c, a, &out->v[out->n++], &value, e) < 0)
			return -1;
		cursor_skip_blanks(c);
		if (cursor_peek(c) == ',') {
			c->at++;
			cursor_skip_blanks(c);
		} else if (!cursor_at_end(c) && cursor_peek(c) != '}') {
			return fail_after(c, &value, e);
		}
	}
	if (!braced)
		return cursor_at_end(c) ? 0 : cursor_fail(e, c->at, "this '}' closes nothing");
	if (cursor_at_end(c))
		return cursor_fail(e, c->at, "the '{' at the beginning is never closed");
	c->at++;
	cursor_skip_blanks(c);
	return cursor_at_end(c) ? 0 : cursor_fail(e, c->at, "nothing may follow the '}'");
}

int matchers_parse(struct arena *a, struct str text, struct matchers *out, struct err *e)
{
	struct cursor c = {text, 0};
	bool braced;

	*out = (struct matchers){0};
	if (matcher_check_utf8(text, e) < 0)
		return -1;
	cursor_skip_blanks(&c);
	if (cursor_at_end(&c))
		return cursor_fail(e, 0, "no matcher here; '{}' matches every event");
	/* As many as there can be: one more than commas, bounded by the limit. */
	size_t most = 1;
	for (size_t i = 0; i < text.n && most < MATCHER_LIMIT; i++)
		most += text.p[i] == ',';
	out->v = arena_array(a, most, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	braced = cursor_peek(&c) == '{';
	c.at += braced;
	if (read_list(&c, a, braced, out, e) < 0) {
		matchers_release(out);
		return -1;
	}
	return 0;
}

void matchers_release(struct matchers *m)
{
	for (size_t i = 0; i < m->n; i++)
		pcre2_code_free(m->v[i].code);
	*m = (struct matchers){0};
}

int matchers_join(struct arena *a, struct matchers *to, struct matchers *from, struct err *e)
{
	struct matcher *v = arena_array(a, to->n + from->n, sizeof(*v));

	if (!v)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	if (to->n > 0)
		memcpy(v, to->v, to->n * sizeof(*v));
	if (from->n > 0)
		memcpy(v + to->n, from->v, from->n * sizeof(*v));
	*to = (struct matchers){v, to->n + from->n};
	*from = (struct matchers){0};
	return 0;
}
