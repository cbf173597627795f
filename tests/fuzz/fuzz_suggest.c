/* Lines of a log: each is in a group or left out, and what is proposed for the groups is a file of
 * patterns of which each takes every line of its group. */
#include "base/utf8.h"
#include "fuzz.h"
#include "rule/ruleset.h"
#include "rule/suggest.h"

#define LINES 64
#define LINE_BYTES 2000

struct line {
	struct str text;
	struct drain_group *group;
};

/* What whoever reads a line makes of it: UTF-8 without NUL. */
static struct str sound(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	FUZZ_MUST(p);
	for (size_t i = 0, n; i < s.n; i += n) {
		n = s.p[i] ? utf8_char(s.p + i, s.n - i) : 0;
		if (n == 0)
			p[i] = '?';
		else
			memcpy(p + i, s.p + i, n);
		n += n == 0;
	}
	return (struct str){p, s.n};
}

static size_t read_lines(struct arena *a, struct str rest, struct drain *d, struct line v[LINES])
{
	size_t n = 0;

	while (rest.n && n < LINES) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t length = end ? (size_t)(end - rest.p) : rest.n;
		struct str text = {rest.p, length < LINE_BYTES ? length : LINE_BYTES};

		v[n].text = sound(a, text);
		v[n].group =
			drain_add(d, &(struct drain_line){.message = v[n].text, .number = n + 1});
		rest = (struct str){
			rest.p + length + (end != NULL), rest.n - length - (end != NULL)};
		n++;
	}
	drain_finish(d);
	for (size_t i = 0; i < n; i++)
		while (v[i].group && v[i].group->into)
			v[i].group = v[i].group->into;
	return n;
}

static struct ruleset *load(struct str yaml)
{
	struct diags d;
	const struct ruleset_file file = {"p.yml", yaml};

	diags_init(&d);
	struct conf *conf = conf_parse(STR(""), "c.yml", "/", &d);
	FUZZ_MUST(conf);
	struct ruleset *rs = ruleset_build(
		&(struct ruleset_input){.rules = &file, .rules_n = 1, .conf = conf}, &d);
	FUZZ_MUST(rs && d.errors == 0);
	conf_free(conf);
	diags_release(&d);
	return rs;
}

static void hold(struct arena *a, const struct ruleset *rs, size_t i, struct str text)
{
	const struct event line = {.source = STR("logs")};
	struct matcher_groups groups = {0};
	const uint32_t *which;
	struct err e;
	size_t n = patterns_candidates(&rs->patterns, text, &which);

	while (n > 0 && which[n - 1] != i)
		n--;
	FUZZ_MUST(n > 0);
	matcher_scratch_begin(rs->scratch);
	FUZZ_MUST(pattern_try(&rs->patterns.v[i], rs->scratch, a, &line, text, &groups, &e) ==
		  PATTERN_MATCHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct line v[LINES] = {0};
	struct drain *d = drain_new();
	struct drain_group *const *g;
	size_t n, groups, proposed = 0;
	struct buf yaml;

	FUZZ_MUST(d);
	arena_init(&a, FUZZ_MEMORY);
	buf_init(&yaml, BUF_NO_LIMIT);
	n = read_lines(&a, (struct str){(const char *)data, size}, d, v);
	g = drain_groups(d, &groups);
	struct drain_group *of[LINES];
	buf_puts(&yaml, "patterns:\n");
	for (size_t i = 0; i < groups; i++) {
		struct suggestion s;

		if (!suggest_pattern(&a, g[i], &s))
			continue;
		s.name = arena_printf(&a, "p%zu", i);
		suggest_write(&yaml, &s);
		of[proposed++] = g[i];
	}
	if (proposed) {
		struct ruleset *rs = load(buf_as_str(&yaml));

		FUZZ_MUST(rs->patterns.n == proposed);
		for (size_t k = 0; k < n; k++)
			for (size_t i = 0; i < proposed; i++)
				if (v[k].group == of[i])
					hold(&a, rs, i, v[k].text);
		ruleset_unref(rs);
	}
	buf_release(&yaml);
	arena_release(&a);
	drain_free(d);
	return 0;
}
