/* matcher.c: Alertmanager's matchers, parsed once, held against many events.
 *
 * The grammar is Alertmanager's with UTF-8 names: NAME OP VALUE, commas between, braces round the
 * whole allowed, names and values plain or in double quotes. In quotes \" \\ and \n are escapes and
 * every other backslash is itself, so that "\d+" is a regex as one would write it. What a plain
 * word may not hold ({ } ! = ~ , \ " ' ` and blanks) needs the quotes.
 *
 * Cost: a label is found by binary search, an equality is a comparison of lengths and bytes, and a
 * regex that is but words with | between them is a list of such comparisons. Equalities are looked
 * at before regexes, so that most events leave a rule without PCRE2. A match allocates only where
 * it succeeds and has named groups (or where an object of `data` is compared as JSON).
 *
 * Bounds: comparisons, length of a regex and its groups at parse; match limit, JIT stack and heap
 * at match. A regex that meets one of the latter has no answer: matchers_eval says so instead of
 * guessing.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/matcher.h"

#include <pcre2.h>
#include <stdlib.h>
#include "base/nearest.h"
#include "base/utf8.h"

#define REGEX_OPTIONS                                                                              \
	(PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | \
		PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C)
#define JIT_STACK_START (32 * 1024)
#define DATA_TEXT_LIMIT (1 << 20) /* bytes of an object of data as JSON; past it, it is "" */

struct matcher {
	struct field field;
	enum matcher_op op;
	struct str text;  /* as written */
	struct str value; /* = and != */
	pcre2_code *code; /* =~ and !~; NULL where words say the same */
	struct str *words;
	size_t words_n;
	uint32_t names_n; /* named groups */
};

struct matcher_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

static const char *const op_texts[] = {
	[MATCH_EQ] = "=",
	[MATCH_NE] = "!=",
	[MATCH_RE] = "=~",
	[MATCH_NRE] = "!~",
};

static const char *const event_fields[] = {
	[FIELD_EVENT_SOURCE] = "source",
	[FIELD_EVENT_TYPE] = "type",
	[FIELD_EVENT_STATUS] = "status",
	[FIELD_EVENT_SEVERITY] = "severity",
	[FIELD_EVENT_SUMMARY] = "summary",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- words ---- */

struct cursor {
	struct str text;
	size_t at;
};

struct word {
	size_t from, to; /* in the text, with the quotes */
	bool quoted;
	struct str value; /* what it means */
};

static int fail_at(struct err *e, size_t offset, const char *what)
{
	err_set(e, ERR_INPUT, "%s", what);
	e->offset = offset;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_reserved(char c)
{
	return c == '\0' || strchr("{}!=~,\\\"'`", c) || is_blank(c);
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->text.n && is_blank(c->text.p[c->at]))
		c->at++;
}

static bool at_end(const struct cursor *c)
{
	return c->at >= c->text.n;
}

static char peek(const struct cursor *c)
{
	return at_end(c) ? '\0' : c->text.p[c->at];
}

/* Is the backslash at p[i] the begin of an escape? Others stand for themselves. */
static bool is_escape(struct str s, size_t i)
{
	return s.p[i] == '\\' && i + 1 < s.n &&
	       (s.p[i + 1] == '"' || s.p[i + 1] == '\\' || s.p[i + 1] == 'n');
}

static struct str unescape(struct arena *a, struct str raw)
{
	char *p = arena_alloc(a, raw.n + 1);
	size_t n = 0;

	if (!p)
		return STR_NONE;
	for (size_t i = 0; i < raw.n; i++) {
		if (is_escape(raw, i)) {
			i++;
			p[n++] = raw.p[i] == 'n' ? '\n' : raw.p[i];
		} else {
			p[n++] = raw.p[i];
		}
	}
	p[n] = '\0';
	return (struct str){p, n};
}

static int read_quoted(struct cursor *c, struct arena *a, struct word *out, struct err *e)
{
	size_t start = c->at + 1;
	struct str s = c->text;

	for (size_t i = start; i < s.n; i++) {
		if (is_escape(s, i)) {
			i++;
		} else if (s.p[i] == '"') {
			*out = (struct word){c->at, i + 1, true,
				unescape(a, (struct str){s.p + start, i - start})};
			c->at = i + 1;
			return 0;
		}
	}
	return fail_at(e, c->at, "this double quote is never closed");
}

/* A plain word may be empty: the caller knows what was wanted here. */
static int read_word(struct cursor *c, struct arena *a, struct word *out, struct err *e)
{
	size_t start = c->at;

	if (peek(c) == '"')
		return read_quoted(c, a, out, e);
	while (!at_end(c) && !is_reserved(c->text.p[c->at]))
		c->at++;
	struct str raw = {c->text.p + start, c->at - start};
	*out = (struct word){start, c->at, false, arena_strdup(a, raw)};
	return 0;
}

/* From a byte of the meaning back to the byte of the text. */
static size_t offset_in_text(const struct cursor *c, const struct word *w, size_t byte)
{
	size_t i = w->from;

	if (!w->quoted)
		return i + byte;
	for (i++; byte > 0 && i < w->to; byte--)
		i += is_escape(c->text, i) ? 2 : 1;
	return i;
}

/* ---- left sides ---- */

/* The rest after the prefix "event." and the like; "" where s begins otherwise. */
static bool take_prefix(struct str s, const char *prefix, struct str *rest)
{
	struct str p = str_of(prefix);

	if (!str_starts(s, p))
		return false;
	*rest = (struct str){s.p + p.n, s.n - p.n};
	return true;
}

static bool has_empty_segment(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '.' && (i == 0 || i + 1 == path.n || path.p[i + 1] == '.'))
			return true;
	return path.n == 0;
}

static int event_field_of(struct str name, size_t offset, struct field *out, struct err *e)
{
	for (size_t i = 0; i < COUNT(event_fields); i++)
		if (str_is(name, event_fields[i])) {
			out->kind = FIELD_EVENT;
			out->event = (enum field_event)i;
			return 0;
		}
	const char *near = nearest(name, event_fields, COUNT(event_fields));
	err_set(e, ERR_INPUT,
		"there is no 'event.%.*s'%s%s%s; known are event.source, event.type, event.status, "
		"event.severity, event.summary",
		STR_ARG(name), near ? ", did you mean 'event." : "", near ? near : "",
		near ? "'" : "");
	e->offset = offset;
	return -1;
}

static int dotted_label(struct str name, size_t offset, struct err *e)
{
	static const char *const prefixes[] = {"event", "annotations", "data", "labels"};
	size_t n = 0;

	while (name.p[n] != '.')
		n++;
	const char *near = nearest((struct str){name.p, n}, prefixes, COUNT(prefixes) - 1);
	if (str_starts(name, STR("labels.")))
		err_set(e, ERR_INPUT, "a label is written without 'labels.': '%.*s'",
			(int)(name.n - 7), name.p + 7);
	else
		err_set(e, ERR_INPUT,
			"'%.*s' is no field%s%s%s; for a label of that name write \"%.*s\" in "
			"double quotes",
			STR_ARG(name), near ? ", did you mean '" : "", near ? near : "",
			near ? ".…'" : "", STR_ARG(name));
	e->offset = offset;
	return -1;
}

static int field_of_word(const struct word *w, struct field *out, struct err *e)
{
	struct str name = w->value;

	*out = (struct field){.kind = FIELD_LABEL, .name = name, .text = name};
	if (name.n == 0)
		return fail_at(e, w->from, "a label or field is missing here");
	if (w->quoted || !memchr(name.p, '.', name.n))
		return 0;
	if (take_prefix(name, "event.", &out->name))
		return event_field_of(out->name, w->from, out, e);
	if (take_prefix(name, "annotations.", &out->name)) {
		out->kind = FIELD_ANNOTATION;
		return out->name.n > 0
			       ? 0
			       : fail_at(e, w->from, "'annotations.' lacks the annotation's name");
	}
	if (take_prefix(name, "data.", &out->name)) {
		out->kind = FIELD_DATA;
		return has_empty_segment(out->name)
			       ? fail_at(e, w->from, "a part of this path is empty")
			       : 0;
	}
	return dotted_label(name, w->from, e);
}

static int check_utf8(struct str text, struct err *e)
{
	size_t good = utf8_valid(text);

	return good == text.n ? 0 : fail_at(e, good, "this is not UTF-8");
}

int field_parse(struct arena *a, struct str text, struct field *out, struct err *e)
{
	struct cursor c = {text, 0};
	struct word w;

	if (check_utf8(text, e) < 0)
		return -1;
	skip_blanks(&c);
	if (read_word(&c, a, &w, e) < 0)
		return -1;
	skip_blanks(&c);
	if (!at_end(&c))
		return fail_at(e, c.at,
			"want one label or field here; put a name with such characters in double "
			"quotes");
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "no memory for a field");
	if (field_of_word(&w, out, e) < 0)
		return -1;
	out->text = arena_strdup(a, (struct str){text.p + w.from, w.to - w.from});
	return arena_failed(a) ? err_set(e, ERR_NOMEM, "no memory for a field") : 0;
}

static struct str data_text(struct arena *a, const struct json *j)
{
	struct buf b;
	struct json_w w;
	struct str s = STR_NONE;

	if (!j)
		return STR_NONE;
	switch (j->kind) {
	case JSON_NULL:
		return STR_NONE;
	case JSON_BOOL:
		return j->boolean ? STR("true") : STR("false");
	case JSON_NUMBER:
	case JSON_STRING:
		return j->text;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	buf_init(&b, DATA_TEXT_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, j);
	if (!buf_failed(&b))
		s = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct str event_field_value(enum field_event which, const struct event *ev)
{
	switch (which) {
	case FIELD_EVENT_SOURCE:
		return ev->source;
	case FIELD_EVENT_TYPE:
		return ev->type;
	case FIELD_EVENT_STATUS:
		return str_of(event_status_name(ev->status));
	case FIELD_EVENT_SEVERITY:
		return str_of(event_severity_name(ev->severity));
	case FIELD_EVENT_SUMMARY:
		return ev->summary;
	}
	return STR_NONE;
}

struct str field_value(struct arena *a, const struct field *f, const struct event *ev)
{
	switch (f->kind) {
	case FIELD_LABEL:
		return event_label(ev, f->name);
	case FIELD_EVENT:
		return event_field_value(f->event, ev);
	case FIELD_ANNOTATION:
		return event_annotation(ev, f->name);
	case FIELD_DATA:
		return data_text(a, json_path(ev->data, f->name));
	}
	return STR_NONE;
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
			return fail_at(e, c->at, "one '=' too many; the operators are = != =~ !~");
		return 0;
	}
	return fail_at(e, c->at, "want one of = != =~ !~ here");
}

/* What a wrong character after a whole matcher most likely means. */
static int fail_after(const struct cursor *c, const struct word *value, struct err *e)
{
	char next = peek(c);

	if (next == '\'' || next == '`')
		return fail_at(e, c->at, "only double quotes quote here");
	if (!value->quoted && value->to == c->at && is_reserved(next) && next != '"')
		return fail_at(e, c->at, "a value with this character needs double quotes");
	return fail_at(
		e, c->at, "want a comma or the end here; a value with blanks needs double quotes");
}

static int read_matcher(
	struct cursor *c, struct arena *a, struct matcher *m, struct word *value, struct err *e)
{
	struct word left;
	size_t start = c->at, at;

	if (read_word(c, a, &left, e) < 0)
		return -1;
	if (left.to == left.from)
		return fail_at(e, c->at,
			peek(c) == '\'' || peek(c) == '`' ? "only double quotes quote here"
							  : "want a label or field here");
	if (field_of_word(&left, &m->field, e) < 0)
		return -1;
	skip_blanks(c);
	if (read_op(c, &m->op, e) < 0)
		return -1;
	skip_blanks(c);
	if (read_word(c, a, value, e) < 0)
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

	skip_blanks(c);
	while (!at_end(c) && peek(c) != '}') {
		if (out->n == MATCHER_LIMIT) {
			err_set(e, ERR_LIMIT, "more than %d matchers in one text; use a regex",
				MATCHER_LIMIT);
			e->offset = c->at;
			return -1;
		}
		if (read_matcher(c, a, &out->v[out->n++], &value, e) < 0)
			return -1;
		skip_blanks(c);
		if (peek(c) == ',') {
			c->at++;
			skip_blanks(c);
		} else if (!at_end(c) && peek(c) != '}') {
			return fail_after(c, &value, e);
		}
	}
	if (!braced)
		return at_end(c) ? 0 : fail_at(e, c->at, "this '}' closes nothing");
	if (at_end(c))
		return fail_at(e, c->at, "the '{' at the beginning is never closed");
	c->at++;
	skip_blanks(c);
	return at_end(c) ? 0 : fail_at(e, c->at, "nothing may follow the '}'");
}

int matchers_parse(struct arena *a, struct str text, struct matchers *out, struct err *e)
{
	struct cursor c = {text, 0};
	bool braced;

	*out = (struct matchers){0};
	if (check_utf8(text, e) < 0)
		return -1;
	skip_blanks(&c);
	if (at_end(&c))
		return fail_at(e, 0, "no matcher here; '{}' matches every event");
	/* As many as there can be: one more than commas, bounded by the limit. */
	size_t most = 1;
	for (size_t i = 0; i < text.n && most < MATCHER_LIMIT; i++)
		most += text.p[i] == ',';
	out->v = arena_array(a, most, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	braced = peek(&c) == '{';
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

/* The i-th entry of a regex's table of names. */
static struct str group_name(const pcre2_code *code, uint32_t i, uint32_t *number)
{
	PCRE2_SPTR table = NULL;
	uint32_t size = 0;

	pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
	pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	PCRE2_SPTR entry = table + (size_t)i * size;
	*number = (uint32_t)entry[0] << 8 | entry[1];
	return str_of((const char *)entry + 2);
}

bool matchers_have_group(const struct matchers *m, struct str name)
{
	uint32_t number;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].op != MATCH_RE)
			continue;
		for (uint32_t k = 0; k < m->v[i].names_n; k++)
			if (str_eq(group_name(m->v[i].code, k, &number), name))
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
	pcre2_set_match_limit(s->context, match_limit);
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

static bool is_regex(const struct matcher *m)
{
	return m->code != NULL;
}

static bool word_holds(const struct matcher *m, struct str v)
{
	if (m->op == MATCH_EQ || m->op == MATCH_NE)
		return str_eq(v, m->value) == (m->op == MATCH_EQ);
	for (size_t i = 0; i < m->words_n; i++)
		if (str_eq(v, m->words[i]))
			return m->op == MATCH_RE;
	return m->op == MATCH_NRE;
}

/* 1, 0, or -1 where PCRE2 gave up. */
static int regex_holds(
	const struct matcher *m, struct matcher_scratch *s, struct str v, struct err *e)
{
	PCRE2_UCHAR text[128];
	int rc = pcre2_match(m->code, (PCRE2_SPTR)(v.p ? v.p : ""), v.n, 0, 0, s->data, s->context);

	if (rc >= 0)
		return m->op == MATCH_RE;
	if (rc == PCRE2_ERROR_NOMATCH)
		return m->op == MATCH_NRE;
	if (e) {
		pcre2_get_error_message(rc, text, sizeof(text));
		err_set(e, ERR_LIMIT,
			"'%.*s' gave up on a value of %zu bytes: %s; make the regex simpler",
			(int)(m->text.n < 200 ? m->text.n : 200), m->text.p, v.n,
			(const char *)text);
	}
	return -1;
}

static void add_group(struct matcher_groups *g, struct str name, struct str value)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_eq(g->v[i].name, name))
			return;
	g->v[g->n++] = (struct kv){name, value};
}

/* m has just matched; its groups that took part go to g, which has room. */
static void take_groups(
	const struct matcher *m, struct matcher_scratch *s, struct str v, struct matcher_groups *g)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(s->data);

	for (uint32_t i = 0; i < m->names_n; i++) {
		uint32_t k;
		struct str name = group_name(m->code, i, &k);
		/* \K in a lookahead can make an end that lies before its start. */
		if (at[2 * k] == PCRE2_UNSET || at[2 * k + 1] < at[2 * k] || at[2 * k + 1] > v.n)
			continue;
		add_group(g, name, (struct str){v.p + at[2 * k], at[2 * k + 1] - at[2 * k]});
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
		take_groups(x, s, v, g);
	}
	return 1;
}

int matchers_eval(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct matcher_groups *groups, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (!is_regex(&m->v[i]) &&
			!word_holds(&m->v[i], field_value(a, &m->v[i].field, ev)))
			return 0;
	for (size_t i = 0; i < m->n; i++) {
		if (!is_regex(&m->v[i]))
			continue;
		int rc = regex_holds(&m->v[i], s, field_value(a, &m->v[i].field, ev), e);
		if (rc != 1)
			return rc;
	}
	return groups ? collect_groups(m, s, a, ev, groups, e) : 1;
}

size_t matchers_first_failing(const struct matchers *m, struct matcher_scratch *s, struct arena *a,
	const struct event *ev, struct str *text, struct str *saw)
{
	size_t i;

	*text = *saw = STR_NONE;
	for (i = 0; i < m->n; i++) {
		const struct matcher *x = &m->v[i];
		struct str v = field_value(a, &x->field, ev);
		if (is_regex(x) ? regex_holds(x, s, v, NULL) == 1 : word_holds(x, v))
			continue;
		*text = x->text;
		*saw = v;
		break;
	}
	return i;
}
