/* suggest.c: from a group's tokens to a regex with names, and to YAML.
 *
 * Guarantee: the regex matches every line of the group (property test in tests/unit/test_drain.c):
 * each mark has the regex of what it was put for, each other byte is itself, and where blanks are
 * more than one space in some line they are \s+. What is a group with a name is a guess from the
 * word before it and from how its values differ.
 */
#include "rule/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include "base/utf8.h"

#define SUMMARY_MAX 160
#define KEY_MAX 3 /* words of the lines in a pattern's name */

struct making {
	struct arena *a;
	const struct drain_group *g;
	struct suggestion *out;
	struct buf match, summary;
	struct drain_tokens *values; /* of each sample */
};

static const char *const mark_regex[DRAIN_MARKS] = {
	[DRAIN_ANY] = "\\S+",
	[DRAIN_MAYBE] = "\\S*",
	[DRAIN_NUMBER] = "[-+]?\\d+",
	[DRAIN_ADDRESS] = "[0-9A-Fa-f:.]+",
	[DRAIN_HEX] = "(?:0[xX])?[0-9A-Fa-f]+",
	[DRAIN_UUID] = "[0-9A-Fa-f-]{36}",
	[DRAIN_DAY] = "[A-Z][a-z]{2}",
	[DRAIN_PATH] = "/[^\\s\"'<>|;,)\\]}]*",
};

static const char *const mark_name[DRAIN_MARKS] = {
	[DRAIN_ANY] = "value",
	[DRAIN_MAYBE] = "value",
	[DRAIN_NUMBER] = "number",
	[DRAIN_ADDRESS] = "ip",
	[DRAIN_HEX] = "hex",
	[DRAIN_UUID] = "id",
	[DRAIN_DAY] = "day",
	[DRAIN_PATH] = "path",
};

/* ---- names ---- */

static bool is_in(const char *words, struct str word)
{
	char padded[SUGGEST_GROUP_NAME + 3];

	snprintf(padded, sizeof(padded), " %.*s ", STR_ARG(word));
	return strstr(words, padded) != NULL;
}

/* Words before a value that do not say what it is. */
static bool says_nothing(struct str word)
{
	return is_in(" a an and are as at be been by for from has have in into is it not of off on "
		     "or out over than that the "
		     "then this to until up was were while will with within without again after "
		     "before more new old "
		     "got found expected received between because due named called alertname ",
		word);
}

/* What has a value of its own for nearly each line, by its name. */
static bool is_volatile(struct str name)
{
	return is_in(" port pid tid ppid id ids uid euid gid seq sequence request request_id "
		     "trace_id span_id session "
		     "session_id transaction offset lsn xid day time timestamp ts duration took "
		     "bytes size count number hex "
		     "took_ms elapsed latency ",
		name);
}

static struct str lower(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; p && i < s.n; i++)
		p[i] = (char)tolower((unsigned char)s.p[i]);
	return p ? (struct str){p, s.n} : STR_NONE;
}

static bool is_name(struct str s, size_t least)
{
	if (s.n < least || s.n > SUGGEST_GROUP_NAME - 3 || isdigit((unsigned char)s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

/* `key=` or `key:` in the token, right before byte `at`. */
static struct str key_before(struct str token, size_t at)
{
	size_t end = at, from;

	while (end > 0 && strchr("\"'([{<", token.p[end - 1]))
		end--;
	if (end == 0 || !strchr("=:", token.p[end - 1]))
		return STR_NONE;
	from = --end;
	while (from > 0 && (isalnum((unsigned char)token.p[from - 1]) || token.p[from - 1] == '_'))
		from--;
	struct str key = {token.p + from, end - from};
	return is_name(key, 1) ? key : STR_NONE;
}

/* The word before the token, where the mark at byte `at` begins it. */
static struct str word_before(const struct drain_group *g, size_t t, size_t at)
{
	struct str word, token = g->tokens[t];

	for (size_t i = 0; i < at; i++)
		if (!strchr("\"'([{<", token.p[i]))
			return STR_NONE;
	if (t == 0)
		return STR_NONE;
	word = g->tokens[t - 1];
	if (word.n && strchr(":=", word.p[word.n - 1]))
		word.n--;
	for (size_t i = 0; i < word.n; i++)
		if (!isalpha((unsigned char)word.p[i]))
			return STR_NONE;
	return is_name(word, 2) ? word : STR_NONE;
}

/* keyed: the line itself says so. */
static struct str name_of(struct making *m, size_t t, size_t at, char mark, bool *keyed)
{
	struct str key = key_before(m->g->tokens[t], at);

	*keyed = true;
	if (key.n == 0)
		key = word_before(m->g, t, at);
	key = lower(m->a, key);
	if (key.n && !says_nothing(key) &&
		!(mark == DRAIN_ADDRESS && !is_in(" host client server peer upstream ", key)))
		return key;
	*keyed = false;
	return str_of(mark_name[(int)mark]);
}

static struct str unique(struct making *m, struct str name)
{
	struct str s = name;

	for (unsigned k = 2, i = 0; i < m->out->groups_n;) {
		if (!str_eq(m->out->groups[i++], s))
			continue;
		s = arena_printf(m->a, "%.*s%u", STR_ARG(name), k++);
		i = 0;
	}
	return s;
}

/* ---- values ---- */

static size_t distinct_values(const struct making *m, size_t t)
{
	size_t n = 0;

	for (size_t i = 0; i < m->g->samples_n; i++) {
		size_t k = 0;

		while (k < i && !str_eq(m->values[k].v[t], m->values[i].v[t]))
			k++;
		n += k == i;
	}
	return n;
}

static bool all_have_digits(const struct making *m, size_t t)
{
	for (size_t i = 0; i < m->g->samples_n; i++) {
		struct str v = m->values[i].v[t];
		size_t k = 0;

		while (k < v.n && !isdigit((unsigned char)v.p[k]))
			k++;
		if (k == v.n)
			return false;
	}
	return true;
}

/* Is it something that alerts may be told apart by? */
static bool is_a_thing(const struct making *m, size_t t, char mark, struct str name, bool keyed)
{
	size_t samples = m->g->samples_n, distinct = distinct_values(m, t);

	if (is_volatile(name))
		return false;
	if (mark == DRAIN_ADDRESS)
		return true;
	if (mark == DRAIN_NUMBER || mark == DRAIN_HEX || mark == DRAIN_UUID)
		return keyed && samples >= 4 && distinct * 2 <= samples;
	return !(samples >= DRAIN_SAMPLES / 2 && distinct == samples && all_have_digits(m, t));
}

/* ---- the regex ---- */

static void put_literal(struct buf *out, char c)
{
	if (c && strchr("\\^$.[]|()?*+{}#-", c))
		buf_putc(out, '\\');
	buf_putc(out, c);
}

static void put_mark(struct making *m, size_t t, size_t at, char mark)
{
	struct suggestion *s = m->out;
	bool keyed;
	struct str name = name_of(m, t, at, mark, &keyed);
	const char *regex = mark_regex[(int)mark];

	if (s->groups_n == SUGGEST_GROUPS || !is_a_thing(m, t, mark, name, keyed)) {
		buf_puts(&m->match, regex);
		buf_puts(&m->summary, "…");
		return;
	}
	name = unique(m, name);
	s->groups[s->groups_n++] = name;
	if (s->by.n == 0 || (mark == DRAIN_ADDRESS && !str_starts(s->by, STR("ip"))))
		s->by = name;
	buf_printf(&m->match, "(?<%.*s>%s)", STR_ARG(name), regex);
	buf_printf(&m->summary, "{{ labels.%.*s }}", STR_ARG(name));
}

/* Nearly: blanks and letters make a text that is looked for; false: the group says too little. */
static bool has_literal(const struct drain_group *g)
{
	for (size_t t = 0; t < g->n; t++)
		for (size_t i = 0, n = 0; i < g->tokens[t].n; i++) {
			n = drain_is_mark(g->tokens[t].p[i]) ? 0 : n + 1;
			if (n >= SUGGEST_LITERAL)
				return true;
		}
	return false;
}

static void put_token(struct making *m, size_t t)
{
	struct str token = m->g->tokens[t];

	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i];

		if (drain_is_mark(c)) {
			put_mark(m, t, i, c);
			continue;
		}
		put_literal(&m->match, c);
		if (c == '{')
			buf_puts(&m->summary, "("); /* "{{" would be a template's */
		else
			buf_putc(&m->summary, c);
	}
}

static void put_all(struct making *m)
{
	buf_puts(&m->match, m->g->wide[0] ? "^\\s*" : "^");
	for (size_t t = 0; t < m->g->n; t++) {
		if (t) {
			buf_puts(&m->match, m->g->wide[t] ? "\\s+" : " ");
			buf_putc(&m->summary, ' ');
		}
		put_token(m, t);
	}
	if (!m->g->cut)
		buf_puts(&m->match, m->g->trailing ? "\\s*$" : "$");
}

/* ---- around it ---- */

static void put_words(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (isalnum(c))
			buf_putc(out, (char)tolower(c));
		else if (out->n && out->p[out->n - 1] != '-')
			buf_putc(out, '-');
	}
	if (out->n && out->p[out->n - 1] != '-')
		buf_putc(out, '-');
}

static bool is_plain_word(struct str token)
{
	size_t letters = 0;

	for (size_t i = 0; i < token.n; i++) {
		if (drain_is_mark(token.p[i]))
			return false;
		letters += isalpha((unsigned char)token.p[i]) != 0;
	}
	return letters * 2 > token.n;
}

/* The program and the first words that stay. */
static struct str name_for(struct making *m)
{
	struct buf b;
	size_t words = 0;
	struct str s;

	buf_init(&b, 4 * DRAIN_BYTES);
	put_words(&b, m->g->program);
	for (size_t t = 0; t < m->g->n && words < KEY_MAX; t++)
		if (is_plain_word(m->g->tokens[t])) {
			put_words(&b, m->g->tokens[t]);
			words++;
		}
	if (b.n == 0)
		buf_puts(&b, "log-line");
	s = (struct str){b.p, b.n < SUGGEST_NAME ? b.n : SUGGEST_NAME};
	while (s.n > 0 && s.p[s.n - 1] == '-')
		s.n--;
	s = arena_strdup(m->a, s);
	buf_release(&b);
	return s;
}

/* A label's value in double quotes; "" where it would need more than that. */
static struct str source_for(struct making *m)
{
	struct str p = m->g->program;

	for (size_t i = 0; i < p.n; i++)
		if (!isalnum((unsigned char)p.p[i]) && !strchr("._/-", p.p[i]))
			return STR_NONE;
	return p.n ? arena_printf(m->a, "{program=\"%.*s\"}", STR_ARG(p)) : STR_NONE;
}

static struct str summary_for(struct making *m)
{
	struct str s = buf_as_str(&m->summary), only = STR_NONE;

	if (s.n <= SUMMARY_MAX)
		return arena_strdup(m->a, s);
	if (m->out->by.n)
		only = arena_printf(m->a, " ({{ labels.%.*s }})", STR_ARG(m->out->by));
	return arena_printf(m->a, "%.*s%.*s", STR_ARG(m->out->name), STR_ARG(only));
}

/* Counted as the budget of a line counts it: by the characters, whatever they mean. */
static size_t costs(const struct making *m)
{
	size_t loops = 1;

	for (size_t i = 0; i < m->match.n; i++)
		loops += m->match.p[i] == '*' || m->match.p[i] == '+' || m->match.p[i] == '{';
	return loops * m->g->longest;
}

static bool read_values(struct making *m)
{
	m->values = arena_array(m->a, m->g->samples_n, sizeof(*m->values));
	for (size_t i = 0; m->values && i < m->g->samples_n; i++)
		drain_tokens(m->a, m->g->samples[i], false, &m->values[i]);
	return m->values != NULL;
}

bool suggest_pattern(struct arena *a, const struct drain_group *g, struct suggestion *out)
{
	struct making m = {.a = a, .g = g, .out = out};
	bool ok;

	*out = (struct suggestion){.group = g, .severity = suggest_severity(g)};
	if (!has_literal(g) || !read_values(&m))
		return false;
	buf_init(&m.match, BUF_NO_LIMIT);
	buf_init(&m.summary, BUF_NO_LIMIT);
	put_all(&m);
	ok = costs(&m) <= SUGGEST_COST;
	out->match = arena_strdup(a, buf_as_str(&m.match));
	out->name = name_for(&m);
	out->source = source_for(&m);
	out->threshold = g->count >= SUGGEST_OFTEN && out->severity < SEVERITY_CRITICAL;
	out->summary = summary_for(&m);
	ok = ok && !buf_failed(&m.match) && !buf_failed(&m.summary) && !arena_failed(a);
	buf_release(&m.match);
	buf_release(&m.summary);
	return ok;
}

/* ---- YAML ---- */

/* In single quotes, where nothing but the quote itself is special. */
static void put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_putc(out, '\'');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '\'');
}

/* A line as a comment: what YAML or a terminal would act on is a dot. */
static void put_comment(struct buf *out, struct str line)
{
	size_t most = 200, n;

	for (size_t i = 0; i < line.n && i < most; i += n) {
		n = utf8_char(line.p + i, line.n - i);
		if (n == 1 && (unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f)
			buf_putc(out, line.p[i]);
		else
			buf_putc(out, '.');
		n += n == 0;
	}
}

void suggest_write(struct buf *out, const struct suggestion *s)
{
	const struct drain_group *g = s->group;

	buf_printf(out,
		"  # %llu lines, the first one is line %llu: ", (unsigned long long)g->count,
		(unsigned long long)g->first);
	put_comment(out, g->samples_n ? g->samples[0] : STR_NONE);
	buf_printf(out, "\n  - name: %.*s\n", STR_ARG(s->name));
	if (s->source.n) {
		buf_puts(out, "    source: ");
		put_quoted(out, s->source);
		buf_putc(out, '\n');
	}
	buf_puts(out, "    match: ");
	put_quoted(out, s->match);
	buf_putc(out, '\n');
	if (s->threshold && s->by.n)
		buf_printf(
			out, "    threshold: {count: 5, within: 5m, by: [%.*s]}\n", STR_ARG(s->by));
	else if (s->threshold)
		buf_puts(out, "    threshold: {count: 5, within: 5m}\n");
	buf_printf(out, "    resolve: {after: 10m}\n    severity: %s\n    summary: ",
		event_severity_name(s->severity));
	put_quoted(out, s->summary);
	buf_putc(out, '\n');
}
