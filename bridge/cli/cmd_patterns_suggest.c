/* cmd_patterns_suggest.c: patterns suggest: patterns for lines of a log that no pattern takes yet.
 *
 * Lines of one kind are put together (rule/drain.h), the worst and most common kinds come first,
 * and for each a pattern is proposed (rule/suggest.h) as an entry of `patterns:`. Without -v only
 * kinds that sound like trouble. What is printed is read back by the loader of patterns first: it
 * is taken. Writes nothing but its output: a person looks at it, and puts it where it belongs.
 */
#include "cli/commands.h"

#include <stdlib.h>
#include "cli/log_file.h"
#include "rule/suggest.h"

#define SCRATCH_LIMIT ((size_t)64 << 20)
#define NAMES_TRIED 1000

struct search {
	struct cli *cli;
	const struct ruleset *rs; /* of the patterns that are known */
	struct arena arena;	  /* one line */
	struct drain *drain;
	uint64_t lines, known;
	struct suggestion *v;
	size_t n;
};

/* ---- lines ---- */

static bool is_known(
	struct search *s, const struct line *l, const struct event *ev, struct str message)
{
	const uint32_t *which;
	size_t n = patterns_candidates(&s->rs->patterns, l->message, &which);
	struct err e;

	matcher_scratch_begin(s->rs->scratch);
	for (size_t i = 0; i < n; i++) {
		struct matcher_groups groups = {0};

		if (pattern_try(&s->rs->patterns.v[which[i]], s->rs->scratch, &s->arena, ev,
			    message, &groups, &e) != PATTERN_NOT)
			return true;
	}
	return false;
}

static int take(void *ctx, uint64_t number, const struct line *l, struct err *e)
{
	struct search *s = ctx;
	struct drain_line line = {.number = number};
	struct event ev;

	s->lines++;
	arena_reset(&s->arena);
	if (log_line_event(&s->arena, l, s->cli->now_ms, &ev, &line.message, e) < 0)
		return -1;
	if (is_known(s, l, &ev, line.message)) {
		s->known++;
		return 0;
	}
	line.program = event_label(&ev, STR("program"));
	line.level = event_severity_of(event_label(&ev, STR("level")));
	drain_add(s->drain, &line);
	return 0;
}

/* ---- proposals ---- */

static int by_weight(const void *a, const void *b)
{
	const struct drain_group *const *x = a, *const *y = b;
	double p = suggest_weight(*x), q = suggest_weight(*y);

	if (p != q)
		return p < q ? 1 : -1;
	return ((*x)->first > (*y)->first) - ((*x)->first < (*y)->first);
}

static bool is_taken(const struct search *s, struct str name)
{
	for (size_t i = 0; i < s->rs->patterns.n; i++)
		if (str_eq(s->rs->patterns.v[i].name, name))
			return true;
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].name, name))
			return true;
	return false;
}

static struct str free_name(struct search *s, struct str name)
{
	struct str tried = name;

	for (int k = 2; is_taken(s, tried) && k < NAMES_TRIED; k++)
		tried = arena_printf(&s->cli->arena, "%.*s-%d", STR_ARG(name), k);
	return tried;
}

static void propose(struct search *s, size_t most)
{
	struct drain_group *const *groups;
	struct drain_group **sorted;
	size_t n;

	drain_finish(s->drain);
	groups = drain_groups(s->drain, &n);
	sorted = arena_array(&s->cli->arena, n, sizeof(struct drain_group *));
	s->v = arena_array(&s->cli->arena, most, sizeof(*s->v));
	if (n == 0 || !sorted || !s->v)
		return;
	memcpy(sorted, groups, n * sizeof(struct drain_group *));
	qsort(sorted, n, sizeof(struct drain_group *), by_weight);
	for (size_t i = 0; i < n && s->n < most; i++) {
		struct suggestion *to = &s->v[s->n];

		if (!s->cli->o.verbose && suggest_severity(sorted[i]) < SEVERITY_WARNING)
			continue;
		if (!suggest_pattern(&s->cli->arena, sorted[i], to))
			continue;
		to->name = free_name(s, to->name);
		s->n++;
	}
}

/* ---- printing ---- */

static void write_yaml(const struct search *s, struct buf *out)
{
	size_t kinds;

	drain_groups(s->drain, &kinds);
	buf_printf(out,
		"# %llu lines, of which the given patterns know %llu; %zu kinds among the others",
		(unsigned long long)s->lines, (unsigned long long)s->known, kinds);
	if (drain_left_out(s->drain))
		buf_printf(out, ", and %llu lines that are too unlike each other",
			(unsigned long long)drain_left_out(s->drain));
	buf_putc(out, '\n');
	buf_puts(out, s->n ? "patterns:\n" : "patterns: []\n");
	for (size_t i = 0; i < s->n; i++)
		suggest_write(out, &s->v[i]);
}

/* As a file of patterns would be. */
static int check(struct str yaml)
{
	struct diags d;
	struct conf *conf;
	struct ruleset *rs = NULL;
	const struct ruleset_file file = {"proposals", yaml};

	diags_init(&d);
	conf = conf_parse(STR(""), "proposals", "/", &d);
	if (conf)
		rs = ruleset_build(
			&(struct ruleset_input){.rules = &file, .rules_n = 1, .conf = conf}, &d);
	for (size_t i = 0; !rs && i < d.n; i++)
		cli_error("%d:%d: %s", d.v[i].line, d.v[i].column, d.v[i].text);
	conf_free(conf);
	diags_release(&d);
	if (!rs)
		return CLI_FAILED;
	ruleset_unref(rs);
	return 0;
}

static void write_one(struct json_w *w, const struct suggestion *p)
{
	json_w_object(w);
	json_w_kstr(w, "name", p->name);
	json_w_ki64(w, "lines", (int64_t)p->group->count);
	json_w_ki64(w, "first_line", (int64_t)p->group->first);
	json_w_kstr(w, "source", p->source);
	json_w_kstr(w, "match", p->match);
	json_w_kstr(w, "severity", str_of(event_severity_name(p->severity)));
	json_w_kstr(w, "summary", p->summary);
	json_w_key(w, STR("groups"));
	json_w_array(w);
	for (size_t i = 0; i < p->groups_n; i++)
		json_w_str(w, p->groups[i]);
	json_w_end(w, ']');
	json_w_key(w, STR("samples"));
	json_w_array(w);
	for (size_t i = 0; i < p->group->samples_n; i++)
		json_w_str(w, p->group->samples[i]);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static int print_data(const struct search *s, struct str yaml)
{
	const struct json *j;
	struct json_w w;
	struct buf b;
	struct err e;
	size_t kinds;

	drain_groups(s->drain, &kinds);
	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_ki64(&w, "lines", (int64_t)s->lines);
	json_w_ki64(&w, "known", (int64_t)s->known);
	json_w_ki64(&w, "kinds", (int64_t)kinds);
	json_w_ki64(&w, "left_out", (int64_t)drain_left_out(s->drain));
	json_w_key(&w, STR("patterns"));
	json_w_array(&w);
	for (size_t i = 0; i < s->n; i++)
		write_one(&w, &s->v[i]);
	json_w_end(&w, ']');
	json_w_kstr(&w, "yaml", yaml);
	json_w_end(&w, '}');
	j = cli_parse(&s->cli->arena, buf_as_str(&b), &e);
	buf_release(&b);
	if (!j)
		return cli_unread(s->cli, &e);
	cli_print(s->cli, j);
	return CLI_GOOD;
}

static int print(struct search *s)
{
	struct buf yaml;
	int rc;

	buf_init(&yaml, BUF_NO_LIMIT);
	write_yaml(s, &yaml);
	rc = check(buf_as_str(&yaml));
	if (rc == 0 && s->cli->o.format == CLI_TABLE)
		buf_str(&s->cli->out, buf_as_str(&yaml));
	else if (rc == 0)
		rc = print_data(s, buf_as_str(&yaml));
	buf_release(&yaml);
	return rc;
}

/* ---- the command ---- */

static int search(struct search *s)
{
	const struct log_sink sink = {take, s};
	struct cli_options *o = &s->cli->o;
	struct err e = {0};

	if (log_file_read(o->log, o->log_format, s->cli->now_ms, &sink, &e) < 0) {
		cli_error("%s", e.text);
		return CLI_UNREADABLE;
	}
	propose(s, o->limit ? (size_t)o->limit : CLI_LIMIT_DEFAULT);
	return print(s);
}

static int suggest(struct cli *c, const struct ruleset *rs)
{
	struct search s = {.cli = c, .rs = rs, .drain = drain_new()};
	int rc = CLI_FAILED;

	arena_init(&s.arena, SCRATCH_LIMIT);
	if (s.drain)
		rc = search(&s);
	else
		cli_error("no memory");
	drain_free(s.drain);
	arena_release(&s.arena);
	return rc;
}

static int run(struct cli *c, int argc, char **argv)
{
	return log_patterns_run(c, "patterns suggest", argc, argv, suggest);
}

const struct command command_patterns_suggest = {
	.name = "patterns suggest",
	.synopsis = "[FILE]... --log FILE",
	.sentence = "propose patterns for lines of a log that sound like trouble (-v: for all "
		    "kinds) and that the patterns "
		    "in FILE or of -c do not take",
	.scopes = SCOPE_CONFIG | SCOPE_LIMIT | SCOPE_LOG,
	.args_max = -1,
	.run = run,
};
