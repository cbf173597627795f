/* matcher_parse.c: from a matcher's text to compiled comparisons.
 *
 * A text means what Alertmanager takes it to mean unless it is told otherwise: what its classic syntax takes
 * (matcher_classic.c) is read as that; anything else by its UTF-8 syntax (matcher_utf8.c). Beyond that: blanks round the
 * whole are dropped, a text without a matcher is refused unless it is {}, a name is not empty, and names with a dot are
 * fields (field.c). docs/rules.md says so, too.
 *
 * Guarantee: after an error nothing stays compiled, and the error's offset is the byte of the text
 * to look at, also inside a regex and behind escapes. Bounds: comparisons a text, length and groups
 * of a regex.
 */
#include "rule/literals.h"
#include "rule/matcher_impl.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const op_texts[] = {
	[MATCH_EQ] = "=",
	[MATCH_NE] = "!=",
	[MATCH_RE] = "=~",
	[MATCH_NRE] = "!~",
};

/* ---- what both syntaxes share ---- */

bool matcher_op_at(struct str rest, enum matcher_op *op)
{
	for (size_t i = COUNT(op_texts); i-- > 0;) /* the longer ones first */
		if (str_starts(rest, str_of(op_texts[i]))) {
			*op = (enum matcher_op)i;
			return true;
		}
	return false;
}

struct str matcher_op_text(enum matcher_op op)
{
	return str_of(op_texts[op]);
}

void matcher_skip_spaces(struct cursor *c)
{
	while (!cursor_at_end(c) && words_space(c->text, c->at) > 0)
		c->at += words_space(c->text, c->at);
}

int matcher_too_many(size_t offset, struct err *e)
{
	err_set(e, ERR_LIMIT, "more than %d matchers in one text; use a regex", MATCHER_LIMIT);
	e->offset = offset;
	return -1;
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

/* "(a|b)-c": the words that it comes to. False: it is more than that. */
static bool expand_words(struct arena *a, struct str regex, struct matcher *m)
{
	struct literals l;
	struct arena tmp;

	arena_init(&tmp, LITERALS_MEMORY);
	bool found = literals_of(&tmp, regex, &l) && l.precise;
	struct str *words = found ? arena_array(a, l.n, sizeof(*words)) : NULL;
	for (size_t i = 0; words && i < l.n; i++)
		words[i] = arena_strdup(a, l.v[i]);
	if (words && !arena_failed(a)) {
		m->words = words;
		m->words_n = l.n;
	}
	arena_release(&tmp);
	return m->words_n > 0;
}

/* Does s end with what, not counting what a backslash takes away? */
static bool ends_plainly(struct str s, const char *what)
{
	size_t n = strlen(what), slashes = 0;

	if (s.n < n || memcmp(s.p + s.n - n, what, n) != 0)
		return false;
	for (size_t i = s.n - n; i > 0 && s.p[i - 1] == '\\'; i--)
		slashes++;
	return slashes % 2 == 0;
}

/* Outside of groups, and of classes: "[(|]" has none. */
static bool has_alternatives(struct str regex)
{
	size_t depth = 0;
	bool class = false;

	for (size_t i = 0; i < regex.n; i++) {
		char c = regex.p[i];
		depth += !class && c == '(';
		depth -= !class && c == ')' && depth > 0;
		if (!class && c == '|' && depth == 0)
			return true;
		class = class ? c != ']' : c == '[';
		i += c == '\\';
	}
	return false;
}

static enum matcher_open take_head(struct str *regex)
{
	enum matcher_open open = str_starts(*regex, STR(".*")) ? OPEN_ANY
				 : str_starts(*regex, STR(".+")) ? OPEN_SOME : OPEN_NOT;

	if (open != OPEN_NOT)
		*regex = (struct str){regex->p + 2, regex->n - 2};
	return open;
}

static enum matcher_open take_tail(struct str *regex)
{
	enum matcher_open open = ends_plainly(*regex, ".*") ? OPEN_ANY
				 : ends_plainly(*regex, ".+") ? OPEN_SOME : OPEN_NOT;

	regex->n -= open != OPEN_NOT ? 2 : 0;
	return open;
}

/* "Host.*", ".*(disk|memory).*", "^.+Down$": words beside which anything may stand. A comparison of
 * bytes then says what the regex says; of a value that is no UTF-8 it is not asked (matcher.c). */
static void open_words(struct arena *a, struct str regex, struct matcher *m)
{
	if (has_alternatives(regex))
		return;
	if (str_starts(regex, STR("^")))
		regex = (struct str){regex.p + 1, regex.n - 1};
	if (ends_plainly(regex, "$"))
		regex.n--;
	enum matcher_open head = take_head(&regex), tail = take_tail(&regex);
	if (head != OPEN_NOT && str_starts(regex, STR("^"))) /* the value's beginning, not the words' */
		return;
	if (tail != OPEN_NOT && ends_plainly(regex, "$"))
		return;
	if ((head == OPEN_NOT && tail == OPEN_NOT) || !expand_words(a, regex, m))
		return;
	bool empty = false;
	for (size_t i = 0; i < m->words_n; i++)
		empty |= m->words[i].n == 0;
	if (empty && head == OPEN_SOME && tail == OPEN_SOME) { /* two characters, of however many bytes */
		m->words_n = 0;
		return;
	}
	m->head = head;
	m->tail = tail;
}

static int compile(struct arena *a, struct regex_pool *pool, struct str regex, struct matcher *m,
	size_t *at, struct err *e)
{
	*at = 0;
	if (regex.n > MATCHER_REGEX_LIMIT)
		return err_set(e, ERR_LIMIT, "a regex of %zu bytes, at most %d are taken", regex.n,
			MATCHER_REGEX_LIMIT);
	if (split_words(a, regex, m) || expand_words(a, regex, m))
		return 0;
	m->regex = regex_get(pool, regex, at, e);
	if (!m->regex)
		return -1;
	m->code = m->regex->code;
	m->names_n = m->regex->names_n;
	open_words(a, regex, m);
	return 0;
}

/* ---- the list ---- */

static int build_one(struct str text, const struct raw_matcher *raw, struct arena *a,
	struct regex_pool *pool, struct matcher *m, struct err *e)
{
	size_t at;

	if (field_of_word(&raw->name, &m->field, e) < 0)
		return -1;
	m->op = raw->op;
	m->value = raw->value.value;
	m->text = arena_strdup(
		a, (struct str){text.p + raw->name.from, raw->value.to - raw->name.from});
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "no memory for a matcher");
	if ((m->op == MATCH_RE || m->op == MATCH_NRE) && compile(a, pool, m->value, m, &at, e) < 0) {
		e->offset = matcher_offset_in_text(text, &raw->value, at);
		return -1;
	}
	return 0;
}

static int build(struct str text, const struct raw_list *raw, struct arena *a, struct regex_pool *pool,
	struct matchers *out, struct err *e)
{
	*out = (struct matchers){0};
	out->v = arena_array(a, raw->n ? raw->n : 1, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	for (size_t i = 0; i < raw->n; i++)
		if (build_one(text, &raw->v[i], a, pool, &out->v[out->n++], e) < 0) {
			matchers_release(out);
			return -1;
		}
	return 0;
}

static struct str trim(struct str s)
{
	struct cursor c = {s, 0};
	size_t end = 0;

	matcher_skip_spaces(&c);
	for (size_t i = c.at; i < s.n; i++)
		if (words_space(s, i) > 0)
			i += words_space(s, i) - 1;
		else
			end = i + 1;
	return end > c.at ? (struct str){s.p + c.at, end - c.at} : STR_NONE;
}

int matchers_parse(struct arena *a, struct str text, struct matchers *out, struct err *e)
{
	return matchers_parse_pooled(a, text, NULL, out, e);
}

int matchers_parse_pooled(struct arena *a, struct str text, struct regex_pool *pool,
	struct matchers *out, struct err *e)
{
	struct str s = trim(text);
	struct raw_list raw;
	struct err classic = {0};
	bool is_classic;

	*out = (struct matchers){0};
	if (matcher_check_utf8(text, e) < 0)
		return -1;
	is_classic = matcher_read_classic(s, a, &raw, &classic) == 0;
	if (is_classic && build(s, &raw, a, pool, out, &classic) == 0)
		return 0;
	if (matcher_read_utf8(s, a, &raw, e) == 0 && build(s, &raw, a, pool, out, e) == 0)
		return 0;
	if (is_classic)
		*e = classic;
	e->offset += s.n ? (size_t)(s.p - text.p) : 0;
	return -1;
}

void matchers_release(struct matchers *m)
{
	for (size_t i = 0; i < m->n; i++)
		regex_unref(m->v[i].regex);
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

/* Copies s to *p, which moves on. */
static void pack_text(char **p, struct str *s)
{
	if (s->n > 0)
		memcpy(*p, s->p, s->n);
	s->p = *p;
	*p += s->n;
}

int matchers_pack(struct arena *a, struct matchers *m, struct err *e)
{
	size_t bytes = m->n * sizeof(*m->v), words = 0;

	for (size_t i = 0; i < m->n; i++) {
		bytes += m->v[i].field.name.n + m->v[i].value.n + m->v[i].words_n * sizeof(struct str);
		for (size_t k = 0; k < m->v[i].words_n; k++)
			bytes += m->v[i].words[k].n;
		words += m->v[i].words_n;
	}
	struct matcher *v = arena_alloc(a, bytes + 1);
	if (!v)
		return err_set(e, ERR_NOMEM, "no memory for matchers");
	struct str *word = (struct str *)(v + m->n);
	char *p = (char *)(word + words);
	for (size_t i = 0; i < m->n; i++) {
		v[i] = m->v[i];
		pack_text(&p, &v[i].field.name);
		pack_text(&p, &v[i].value);
		v[i].words = word;
		for (size_t k = 0; k < v[i].words_n; k++) {
			word[k] = m->v[i].words[k];
			pack_text(&p, &word[k]);
		}
		word += v[i].words_n;
	}
	m->v = v;
	return 0;
}
