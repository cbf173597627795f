/* matcher_plain.c: what matchers say, as comparisons of bytes.
 *
 * A regex that is nothing but words ("a|b", "db-(1|2)", "web-.*") says the same without PCRE2,
 * which matcher_parse.c finds out anyway; one that is more is refused here, so that what is written
 * holds exactly. Two texts that differ in order, blanks or quotes are one.
 */
#include "rule/matcher_plain.h"

#include <stdlib.h>
#include "base/json.h"
#include "rule/matcher_impl.h"

static bool is_regex(const struct matcher *m)
{
	return m->op == MATCH_RE || m->op == MATCH_NRE;
}

/* Words with room on both sides that may be nothing are not told apart by bytes. */
static bool is_plain(const struct matcher *m)
{
	if (!is_regex(m))
		return true;
	for (size_t i = 0; i < m->words_n; i++)
		if (m->words[i].n == 0 && m->head != OPEN_NOT && m->tail != OPEN_NOT)
			return false;
	return m->words_n > 0;
}

static int check_one(struct str text, const struct matcher *m, struct err *e)
{
	if (m->field.kind == FIELD_DATA)
		err_set(e, ERR_INPUT,
			"'%.*s' is of the event's data, which cannot be paused by; name labels, "
			"annotations or event.…",
			STR_ARG(m->field.text));
	else if (!is_plain(m))
		err_set(e, ERR_INPUT,
			"the regex of '%.*s' is more than words, as in \"db-1|db-2\" or "
			"\"web-.*\"; pause by words, or plan a "
			"maintenance window, which takes every regex",
			STR_ARG(m->text));
	else
		return 0;
	const char *at = memmem(text.p, text.n, m->text.p, m->text.n);
	e->offset = at ? (size_t)(at - text.p) : 0;
	return -1;
}

static void write_test(struct json_w *w, const struct matcher *m)
{
	static const char *const kinds[] = {[FIELD_LABEL] = "l",
		[FIELD_EVENT] = "e",
		[FIELD_ANNOTATION] = "a",
		[FIELD_DATA] = ""};

	json_w_array(w);
	json_w_str(w, str_of(kinds[m->field.kind]));
	json_w_str(w, m->field.kind == FIELD_EVENT ? str_of(field_event_name(m->field.event))
						   : m->field.name);
	json_w_i64(w, m->op == MATCH_NE || m->op == MATCH_NRE);
	json_w_i64(w, is_regex(m) ? m->head : OPEN_NOT);
	json_w_i64(w, is_regex(m) ? m->tail : OPEN_NOT);
	if (!is_regex(m))
		json_w_str(w, m->value);
	for (size_t i = 0; is_regex(m) && i < m->words_n; i++)
		json_w_str(w, m->words[i]);
	json_w_end(w, ']');
}

static void write_name(struct buf *b, const struct field *f)
{
	if (f->kind == FIELD_LABEL && memchr(f->text.p, '.', f->text.n))
		json_quote(b, f->text); /* else it would be a field */
	else
		buf_str(b, f->text);
}

static struct str one_text(struct arena *a, struct buf *b, const struct matcher *m)
{
	buf_clear(b);
	write_name(b, &m->field);
	buf_str(b, matcher_op_text(m->op));
	json_quote(b, m->value);
	return arena_strdup(a, buf_as_str(b));
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str sorted_text(struct arena *a, struct buf *b, const struct matchers *m)
{
	struct str *v = arena_array(a, m->n, sizeof(*v));

	for (size_t i = 0; v && i < m->n; i++)
		v[i] = one_text(a, b, &m->v[i]);
	if (!v || arena_failed(a))
		return STR_NONE;
	qsort(v, m->n, sizeof(*v), by_text);
	buf_clear(b);
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		buf_str(b, v[i]);
	}
	return arena_strdup(a, buf_as_str(b));
}

static int write_all(
	struct arena *a, const struct matchers *m, struct matcher_plain *out, struct err *e)
{
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	out->text = sorted_text(a, &b, m);
	buf_clear(&b);
	json_w_init(&w, &b);
	json_w_array(&w);
	for (size_t i = 0; i < m->n; i++)
		write_test(&w, &m->v[i]);
	json_w_end(&w, ']');
	out->tests = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	if (arena_failed(a) || !out->tests.p)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	if (out->text.n > MATCHER_PLAIN_TEXT_MAX)
		return err_set(
			e, ERR_INPUT, "the matchers are over %d bytes", MATCHER_PLAIN_TEXT_MAX);
	return 0;
}

int matcher_plain_parse(struct arena *a, struct str text, struct matcher_plain *out, struct err *e)
{
	struct matchers m;
	int rc = matchers_parse(a, text, &m, e);

	if (rc < 0)
		return -1;
	if (m.n == 0)
		rc = err_set(
			e, ERR_INPUT, "this holds for every event; name a label, or pause all");
	for (size_t i = 0; rc == 0 && i < m.n; i++)
		rc = check_one(text, &m.v[i], e);
	if (rc == 0)
		rc = write_all(a, &m, out, e);
	matchers_release(&m);
	return rc;
}
