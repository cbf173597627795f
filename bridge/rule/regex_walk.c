/* regex_walk.c: what the repetitions of a regex take, as texts to try.
 *
 * Walks over the regex's tree (regex_tree.c). It proposes texts, and PCRE2 judges them.
 */
#include "rule/regex_walk.h"

#include "base/buf.h"
#include "rule/regex_tree.h"

#define MANY 8		    /* a repetition of up to so many times or more counts as open */
#define SAMPLE_LIMIT 200    /* bytes of one proposed text */
#define SAMPLE_TIMES 3	    /* of a counted repetition */
#define OPEN_SUSPECT 3	    /* open repetitions in a row: time grows with the third power */
#define SAMPLE_NODES 200000 /* visited for the samples of one regex */

struct walk {
	struct arena *a;
	unsigned budget; /* nodes that samples may still visit: repetitions of repetitions multiply
			  */
	struct regex_pumps *out;
};

/* ---- suspicion ---- */

static bool is_open(const struct regex_node *n)
{
	return n->kind == REGEX_LOOP && n->max >= MANY && n->max > n->min && !n->possessive;
}

/* Has it more than one way to match, so that a repetition of it may have many? */
static bool has_ways(const struct regex_node *n)
{
	if (n->kind == REGEX_ALT || (n->kind == REGEX_LOOP && n->max > n->min))
		return true;
	for (const struct regex_node *c = n->child; c; c = c->next)
		if (has_ways(c))
			return true;
	return false;
}

/* Open repetitions that one match may go through, one after the other; OPEN_SUSPECT where one holds
 * ways of its own. */
static unsigned openness(const struct regex_node *n)
{
	unsigned sum = 0, most = 0;

	if (is_open(n) && has_ways(n->child))
		return OPEN_SUSPECT;
	for (const struct regex_node *c = n->child; c; c = c->next) {
		unsigned k = openness(c);
		sum += k;
		most = k > most ? k : most;
	}
	if (n->kind == REGEX_ALT)
		return most;
	if (n->kind == REGEX_LOOP && n->min > 1)
		sum *= n->min;
	return is_open(n) ? sum + 1 : sum;
}

/* ---- texts ---- */

static void put_set(const struct regex_node *n, struct buf *b)
{
	static const char likes[] = "a0A_ -./:,=x";

	for (const char *p = likes; *p; p++)
		if (regex_has_char(n, (unsigned char)*p)) {
			buf_putc(b, *p);
			return;
		}
	for (unsigned c = 32; c < 128 + 32; c++)
		if (regex_has_char(n, c % 128)) {
			buf_putc(b, (char)(c % 128));
			return;
		}
	buf_str(b, n->other);
}

/* A text that n matches: the which-th alternative, and what is optional once where full. */
static void put_sample(
	struct walk *w, const struct regex_node *n, unsigned which, bool full, struct buf *b)
{
	const struct regex_node *c = n->child;

	if (b->n > SAMPLE_LIMIT || w->budget == 0)
		return;
	w->budget--;
	switch (n->kind) {
	case REGEX_EMPTY:
		return;
	case REGEX_SET:
		put_set(n, b);
		return;
	case REGEX_SEQ:
		for (; c; c = c->next)
			put_sample(w, c, which, full, b);
		return;
	case REGEX_ALT:
		for (unsigned i = 0; i < which && c->next; i++)
			c = c->next;
		put_sample(w, c, which, full, b);
		return;
	case REGEX_LOOP: {
		unsigned times = n->min < SAMPLE_TIMES ? n->min : SAMPLE_TIMES;
		for (unsigned i = full && times == 0 ? 1 : times; i > 0; i--)
			put_sample(w, c, which, full, b);
		return;
	}
	}
}

static void add_pump(struct walk *w, struct str before, struct str again)
{
	struct regex_pumps *out = w->out;

	if (again.n == 0 || again.n > SAMPLE_LIMIT || before.n > SAMPLE_LIMIT)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->v[i].before, before) && str_eq(out->v[i].again, again))
			return;
	if (out->n < REGEX_PUMPS_LIMIT)
		out->v[out->n++] =
			(struct regex_pump){arena_strdup(w->a, before), arena_strdup(w->a, again)};
}

static bool set_within(const struct regex_node *n, char c)
{
	if (n->kind == REGEX_SET)
		return regex_has_char(n, (unsigned char)c);
	for (const struct regex_node *x = n->child; x; x = x->next)
		if (set_within(x, c))
			return true;
	return false;
}

/* What this repetition takes: samples of its body, and single characters that its sets share with
 * others. */
static void pump_loop(struct walk *w, const struct regex_node *body, struct str before)
{
	static const char likes[] = "a0 ";
	struct buf b;

	buf_init(&b, 2 * SAMPLE_LIMIT);
	for (unsigned which = 0; which < 3; which++)
		for (int full = 0; full < 2; full++) {
			buf_clear(&b);
			put_sample(w, body, which, full, &b);
			add_pump(w, before, buf_as_str(&b));
		}
	for (size_t i = 0; i < w->out->plain.n; i++)
		if (set_within(body, w->out->plain.p[i]))
			add_pump(w, before, (struct str){w->out->plain.p + i, 1});
	for (size_t i = 0; likes[i]; i++)
		if (set_within(body, likes[i]))
			add_pump(w, before, (struct str){likes + i, 1});
	buf_release(&b);
}

/* before: a text that leads to n; what n adds to it is appended. */
static void find_loops(struct walk *w, const struct regex_node *n, struct buf *before)
{
	size_t start = before->n;

	if (w->out->n == REGEX_PUMPS_LIMIT || start > SAMPLE_LIMIT)
		return;
	if (is_open(n))
		pump_loop(w, n->child, buf_as_str(before));
	for (const struct regex_node *c = n->child; c; c = c->next) {
		find_loops(w, c, before);
		if (n->kind == REGEX_ALT)
			before->n = start;
	}
	before->n = start;
	put_sample(w, n, 0, false, before);
}

/* Each plain ASCII character of the tree, once. */
static void find_plain(const struct regex_node *n, struct regex_node *seen, struct buf *b)
{
	if (n->kind == REGEX_SET && (n->set[0] == 0 || n->set[1] == 0)) {
		uint64_t bits = n->set[0] | n->set[1];
		for (unsigned c = 0; c < 128 && (bits & (bits - 1)) == 0; c++)
			if (regex_has_char(n, (unsigned char)c) &&
				!regex_has_char(seen, (unsigned char)c)) {
				regex_add_char(seen, (unsigned char)c);
				buf_putc(b, (char)c);
			}
	}
	for (const struct regex_node *c = n->child; c; c = c->next)
		find_plain(c, seen, b);
}

bool regex_pumps(struct arena *a, struct str regex, struct regex_pumps *out)
{
	struct walk w = {.a = a, .budget = SAMPLE_NODES, .out = out};
	struct regex_node seen = {0};
	struct buf b;

	out->n = 0;
	out->plain = STR_NONE;
	const struct regex_node *n = regex_tree(a, regex);
	if (!n || openness(n) < OPEN_SUSPECT)
		return false;
	buf_init(&b, 4 * SAMPLE_LIMIT);
	find_plain(n, &seen, &b);
	out->plain = arena_strdup(a, buf_as_str(&b));
	buf_clear(&b);
	find_loops(&w, n, &b);
	buf_release(&b);
	return out->n > 0 && !arena_failed(a);
}
