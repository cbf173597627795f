/* cmd_patterns_test.c: patterns test: which lines of a log which patterns take.
 *
 * The matching is that of the bridge: its prefilter, its regexes, its order. Counted by pattern and
 * by line: a line is matched where a pattern raises or resolves by it, ignored where `exclude`
 * alone keeps it back, else missed. Thresholds are not played (`runbookctl test` does): how many
 * alerts the lines are told apart into is counted, for that is what `series` bounds.
 *
 * Times are of this machine and this run: each try of a regex is measured alone, the clock's own
 * cost included.
 */
#include "cli/commands.h"

#include <stdlib.h>
#include "cli/log_file.h"

#define SHOWN 5		  /* lines of each kind, without -v */
#define SHOWN_ALL 1000000 /* with it */
#define SHOWN_BYTES 400	  /* of one line */
#define SCRATCH_LIMIT ((size_t)64 << 20)
#define SEEN_FIRST 64

/* Identities of alerts, each once. */
struct seen {
	uint64_t *v; /* 0: free */
	size_t n, size;
};

struct shown {
	struct shown *next;
	uint64_t number;
	const char *verdict; /* NULL: no pattern took it */
	struct str text;     /* groups as JSON, or the line */
};

struct shown_list {
	struct shown *first, **last;
	size_t n, all;
};

struct tally {
	const struct pattern *p;
	uint64_t tried, verdicts[PATTERN_FAILED + 1];
	int64_t ns, slowest_ns;
	uint64_t slowest; /* line */
	struct seen seen;
	struct shown_list lines;
};

struct trial_of_log {
	struct cli *cli;
	const struct ruleset *rs;
	struct arena arena; /* one line */
	struct tally *tallies;
	size_t most;
	uint64_t lines, matched, ignored, failed, looked_at;
	struct shown_list missed;
	struct err why; /* of the last regex that gave up */
};

/* ---- identities ---- */

static bool seen_place(uint64_t *v, size_t size, uint64_t id)
{
	size_t at = (size_t)id & (size - 1);

	while (v[at] && v[at] != id)
		at = (at + 1) & (size - 1);
	if (v[at])
		return false;
	v[at] = id;
	return true;
}

/* Without memory it counts no further. */
static void seen_add(struct seen *s, struct str fingerprint)
{
	uint64_t id = hash_fnv1a(HASH_FNV1A_START, fingerprint.p, fingerprint.n);

	if (s->n * 2 >= s->size) {
		size_t size = s->size ? s->size * 2 : SEEN_FIRST;
		uint64_t *v = calloc(size, sizeof(*v));

		if (!v)
			return;
		for (size_t i = 0; i < s->size; i++)
			if (s->v[i])
				seen_place(v, size, s->v[i]);
		free(s->v);
		s->v = v;
		s->size = size;
	}
	s->n += seen_place(s->v, s->size, id ? id : 1);
}

/* ---- one line ---- */

static void show(struct trial_of_log *t, struct shown_list *l, uint64_t number, const char *verdict,
	struct str text)
{
	struct shown *s;

	l->all++;
	if (l->n >= t->most)
		return;
	s = arena_zalloc(&t->cli->arena, sizeof(*s));
	if (!s)
		return;
	s->number = number;
	s->verdict = verdict;
	s->text = arena_strdup(
		&t->cli->arena, (struct str){text.p, text.n < SHOWN_BYTES ? text.n : SHOWN_BYTES});
	*(l->last ? l->last : &l->first) = s;
	l->last = &s->next;
	l->n++;
}

static const char *verdict_name(enum pattern_verdict v)
{
	static const char *const names[] = {
		[PATTERN_NOT] = "missed",
		[PATTERN_EXCLUDED] = "ignored",
		[PATTERN_MATCHED] = "matched",
		[PATTERN_RESOLVES] = "resolves",
		[PATTERN_FAILED] = "failed",
	};

	return names[v];
}

static struct str groups_json(struct arena *a, const struct matcher_groups *g)
{
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < g->n; i++) {
		json_w_key(&w, g->v[i].name);
		json_w_str(&w, g->v[i].value);
	}
	json_w_end(&w, '}');
	struct str s = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static enum pattern_verdict try_one(struct trial_of_log *t, struct tally *y, const struct event *ev,
	struct str message, uint64_t number)
{
	struct matcher_groups groups = {0};
	struct event alert;
	struct err e = {0};
	int64_t began = clock_mono_ns(), ns;
	enum pattern_verdict v =
		pattern_try(y->p, t->rs->scratch, &t->arena, ev, message, &groups, &e);

	ns = clock_mono_ns() - began;
	y->tried++;
	y->ns += ns;
	if (ns > y->slowest_ns) {
		y->slowest_ns = ns;
		y->slowest = number;
	}
	y->verdicts[v]++;
	if (v == PATTERN_FAILED)
		t->why = e;
	if (v == PATTERN_NOT)
		return v;
	if (v == PATTERN_MATCHED &&
		pattern_event(y->p, false, &groups, &t->arena, ev, message, &alert, &e) == 0)
		seen_add(&y->seen, alert.fingerprint);
	show(t, &y->lines, number, verdict_name(v), groups_json(&t->arena, &groups));
	return v;
}

static int take(void *ctx, uint64_t number, const struct line *l, struct err *e)
{
	struct trial_of_log *t = ctx;
	bool verdicts[PATTERN_FAILED + 1] = {false};
	struct str message = l->message;
	const uint32_t *which;
	struct event ev;
	size_t n;

	t->lines++;
	arena_reset(&t->arena);
	n = patterns_candidates(&t->rs->patterns, l->message, &which);
	if (n && log_line_event(&t->arena, l, t->cli->now_ms, &ev, &message, e) < 0)
		return -1;
	t->looked_at += n > 0;
	matcher_scratch_begin(t->rs->scratch);
	for (size_t i = 0; i < n; i++)
		verdicts[try_one(t, &t->tallies[which[i]], &ev, message, number)] = true;
	t->failed += verdicts[PATTERN_FAILED];
	if (verdicts[PATTERN_MATCHED] || verdicts[PATTERN_RESOLVES]) {
		t->matched++;
	} else if (verdicts[PATTERN_EXCLUDED]) {
		t->ignored++;
	} else {
		message = line_text(&t->arena, l->message);
		show(t, &t->missed, number, NULL, message);
	}
	return 0;
}

/* ---- what came of it ---- */

static const struct tally *slowest(const struct trial_of_log *t)
{
	const struct tally *worst = NULL;

	for (size_t i = 0; i < t->rs->patterns.n; i++)
		if (t->tallies[i].tried && (!worst || t->tallies[i].slowest_ns > worst->slowest_ns))
			worst = &t->tallies[i];
	return worst;
}

static struct str us(struct arena *a, int64_t ns, uint64_t per)
{
	return arena_printf(a, "%.2f", per ? (double)ns / 1000.0 / (double)per : 0.0);
}

static void print_table(struct trial_of_log *t)
{
	static const struct table_column columns[] = {
		{"PATTERN", COLUMN_FLEXIBLE},
		{"MATCHED", COLUMN_NUMBER},
		{"IGNORED", COLUMN_NUMBER},
		{"RESOLVES", COLUMN_NUMBER},
		{"ALERTS", COLUMN_NUMBER},
		{"TRIED", COLUMN_NUMBER},
		{"US/TRY", COLUMN_NUMBER},
	};
	struct arena *a = &t->cli->arena;
	struct table table;

	table_init(&table, a, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < t->rs->patterns.n; i++) {
		const struct tally *y = &t->tallies[i];
		if (y->tried == 0)
			continue;
		const uint64_t figures[] = {y->verdicts[PATTERN_MATCHED],
			y->verdicts[PATTERN_EXCLUDED], y->verdicts[PATTERN_RESOLVES], y->seen.n,
			y->tried};

		table_cell(&table, y->verdicts[PATTERN_MATCHED] ? STYLE_BOLD : STYLE_PLAIN,
			y->p->name);
		for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++)
			table_cell(&table, STYLE_PLAIN,
				arena_printf(a, "%llu", (unsigned long long)figures[k]));
		table_cell(&table, STYLE_DIM, us(a, y->ns, y->tried));
	}
	if (table.rows)
		table_print(&table, &t->cli->term, &t->cli->out);
}

/* Patterns whose texts no line holds. */
static void print_untried(struct trial_of_log *t)
{
	struct buf *out = &t->cli->out;
	size_t n = 0;

	for (size_t i = 0; i < t->rs->patterns.n; i++) {
		if (t->tallies[i].tried)
			continue;
		buf_puts(out, n++ ? ", " : "no line holds what these need: ");
		term_escape(out, t->tallies[i].p->name);
	}
	buf_puts(out, n ? "\n" : "");
}

static void print_list(struct cli *c, const struct shown_list *l, struct str what)
{
	if (l->all == 0)
		return;
	buf_putc(&c->out, '\n');
	term_escape(&c->out, what);
	buf_puts(&c->out, ":\n");
	for (const struct shown *s = l->first; s; s = s->next) {
		buf_printf(&c->out, "  %8llu  ", (unsigned long long)s->number);
		if (s->verdict)
			buf_printf(&c->out, "%-8s  ", s->verdict);
		term_escape(&c->out, s->text);
		buf_putc(&c->out, '\n');
	}
	if (l->all > l->n)
		buf_printf(&c->out, "  … and %zu more%s\n", l->all - l->n,
			l->n < SHOWN_ALL ? "; -v shows all" : "");
}

static void print_sum(struct trial_of_log *t, int64_t ns)
{
	struct cli *c = t->cli;
	const struct tally *worst = slowest(t);

	buf_printf(&c->out,
		"\n%llu lines: %llu matched, %llu ignored, %llu missed; %.2f us a line\n",
		(unsigned long long)t->lines, (unsigned long long)t->matched,
		(unsigned long long)t->ignored,
		(unsigned long long)(t->lines - t->matched - t->ignored),
		t->lines ? (double)ns / 1000.0 / (double)t->lines : 0.0);
	buf_printf(&c->out, "the prefilter let %llu of them pass to a regex\n",
		(unsigned long long)t->looked_at);
	if (worst) {
		buf_puts(&c->out, "the slowest try: ");
		term_escape(&c->out, worst->p->name);
		buf_printf(&c->out, " on line %llu, %.2f us\n", (unsigned long long)worst->slowest,
			(double)worst->slowest_ns / 1000.0);
	}
	if (t->failed)
		cli_error("on %llu lines a regex gave up: %s", (unsigned long long)t->failed,
			t->why.text);
	for (size_t i = 0; i < t->rs->patterns.n; i++)
		if (t->tallies[i].seen.n > (uint64_t)t->tallies[i].p->series)
			cli_error("warning: pattern '%.*s' would be %zu alerts, and series allows "
				  "%lld; count by fewer labels",
				STR_ARG(t->tallies[i].p->name), t->tallies[i].seen.n,
				(long long)t->tallies[i].p->series);
}

static void print_text(struct trial_of_log *t, int64_t ns)
{
	print_table(t);
	print_untried(t);
	for (size_t i = 0; i < t->rs->patterns.n; i++)
		print_list(t->cli, &t->tallies[i].lines, t->tallies[i].p->name);
	print_list(t->cli, &t->missed, STR("no pattern took"));
	print_sum(t, ns);
}

/* ---- the same as data ---- */

static void write_lines(struct json_w *w, const char *key, const struct shown_list *l, bool groups)
{
	json_w_key(w, str_of(key));
	json_w_array(w);
	for (const struct shown *s = l->first; s; s = s->next) {
		json_w_object(w);
		json_w_ki64(w, "line", (int64_t)s->number);
		if (s->verdict)
			json_w_kstr(w, "verdict", str_of(s->verdict));
		if (groups)
			json_w_kraw(w, "groups", s->text);
		else
			json_w_kstr(w, "text", s->text);
		json_w_end(w, '}');
	}
	json_w_end(w, ']');
}

static void write_pattern(struct json_w *w, const struct tally *y)
{
	json_w_object(w);
	json_w_kstr(w, "name", y->p->name);
	json_w_kstr(w, "file", y->p->file);
	json_w_ki64(w, "line", y->p->line);
	for (enum pattern_verdict v = PATTERN_EXCLUDED; v <= PATTERN_FAILED; v++)
		json_w_ki64(w, verdict_name(v), (int64_t)y->verdicts[v]);
	json_w_ki64(w, "alerts", (int64_t)y->seen.n);
	json_w_ki64(w, "tried", (int64_t)y->tried);
	json_w_ki64(w, "ns", y->ns);
	json_w_ki64(w, "slowest_ns", y->slowest_ns);
	json_w_ki64(w, "slowest_line", (int64_t)y->slowest);
	write_lines(w, "lines", &y->lines, true);
	json_w_end(w, '}');
}

static int print_data(struct trial_of_log *t, int64_t ns)
{
	struct cli *c = t->cli;
	struct json_w w;
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_ki64(&w, "lines", (int64_t)t->lines);
	json_w_ki64(&w, "matched", (int64_t)t->matched);
	json_w_ki64(&w, "ignored", (int64_t)t->ignored);
	json_w_ki64(&w, "missed", (int64_t)(t->lines - t->matched - t->ignored));
	json_w_ki64(&w, "failed", (int64_t)t->failed);
	json_w_ki64(&w, "to_regex", (int64_t)t->looked_at);
	json_w_ki64(&w, "ns", ns);
	json_w_key(&w, STR("patterns"));
	json_w_array(&w);
	for (size_t i = 0; i < t->rs->patterns.n; i++)
		write_pattern(&w, &t->tallies[i]);
	json_w_end(&w, ']');
	write_lines(&w, "no_pattern", &t->missed, false);
	json_w_end(&w, '}');
	rc = cli_print_text(c, buf_as_str(&b), "leave out -v");
	buf_release(&b);
	return rc;
}

/* ---- the command ---- */

static int play(struct trial_of_log *t)
{
	const struct log_sink sink = {take, t};
	struct cli_options *o = &t->cli->o;
	int64_t began = clock_mono_ns(), ns;
	struct err e = {0};
	int rc = CLI_GOOD;

	if (log_file_read(o->log, o->log_format, t->cli->now_ms, &sink, &e) < 0) {
		cli_error("%s", e.text);
		return CLI_UNREADABLE;
	}
	ns = clock_mono_ns() - began;
	if (o->format == CLI_TABLE)
		print_text(t, ns);
	else
		rc = print_data(t, ns);
	return rc ? rc : t->matched && !t->failed ? CLI_GOOD : CLI_FAILED;
}

static int try_patterns(struct cli *c, const struct ruleset *rs)
{
	struct trial_of_log t = {.cli = c, .rs = rs, .most = c->o.verbose ? SHOWN_ALL : SHOWN};
	size_t n = rs->patterns.n;
	int rc = CLI_FAILED;

	arena_init(&t.arena, SCRATCH_LIMIT);
	t.tallies = calloc(n ? n : 1, sizeof(*t.tallies));
	for (size_t i = 0; t.tallies && i < n; i++)
		t.tallies[i].p = &rs->patterns.v[i];
	if (t.tallies)
		rc = play(&t);
	else
		cli_error("no memory");
	for (size_t i = 0; t.tallies && i < n; i++)
		free(t.tallies[i].seen.v);
	free(t.tallies);
	arena_release(&t.arena);
	return rc;
}

static int run(struct cli *c, int argc, char **argv)
{
	return log_patterns_run(c, "patterns test", argc, argv, try_patterns);
}

const struct command command_patterns_test = {
	.name = "patterns test",
	.synopsis = "[FILE]... --log FILE",
	.sentence = "which lines of a log which patterns take; exit 0 where some line is matched, "
		    "else 1 (default: the "
		    "patterns of -c)",
	.scopes = SCOPE_CONFIG | SCOPE_LOG,
	.args_max = -1,
	.run = run,
};
