/* rule_gates.c: the keys of rules over several events, from YAML: threshold, all_of, sequence,
 * absent, and by, within, every, on_timeout with them.
 *
 * The parts of all_of and sequence are read as lists of `any`, so that the index files the rule
 * under each of them as it does with any other; rule->by_parts says that all that hold are to be
 * told, not the first one.
 *
 * Guarantee: where no finding was added, the keys go together and each value is within the bounds
 * that ruleset.h names. What counts, and until when, is the store's (library/35-gates.lua).
 */
#include "rule/rule_yaml.h"

static const char *const kind_names[] = {
	[RULE_GATE_NONE] = "none",
	[RULE_GATE_THRESHOLD] = "threshold",
	[RULE_GATE_ALL_OF] = "all_of",
	[RULE_GATE_SEQUENCE] = "sequence",
	[RULE_GATE_ABSENT] = "absent",
};

const char *rule_gate_name(enum rule_gate_kind k)
{
	return kind_names[k];
}

void rule_read_fields(struct reader *r, const struct yaml *y, struct field **out, size_t *out_n)
{
	const struct yaml **v;
	size_t n;
	struct err e;

	if (!reader_list(r, y, false, &v, &n))
		return;
	if (n > RULE_BY_LIMIT) {
		reader_error(r, y, "%zu fields, at most %d are taken", n, RULE_BY_LIMIT);
		return;
	}
	*out = arena_array(r->arena, n ? n : 1, sizeof(**out));
	*out_n = 0;
	for (size_t i = 0; i < n && *out; i++) {
		if (field_parse(r->arena, v[i]->text, &(*out)[*out_n], &e) == 0)
			++*out_n;
		else
			reader_error_in(r, v[i], "", &e);
	}
}

void rule_read_by(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_gate *g = &((struct rule_build *)into)->rule->gate;

	rule_read_fields(r, y, &g->by, &g->by_n);
}

void rule_read_within(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_GATE_WITHIN_MAX_MS,
		&((struct rule_build *)into)->rule->gate.within_ms);
}

/* ---- threshold ---- */

static void read_count(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 1, RULE_THRESHOLD_COUNT_MAX, &((struct rule_gate *)into)->count);
}

static void read_threshold_within(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_GATE_WITHIN_MAX_MS, &((struct rule_gate *)into)->within_ms);
}

static void read_threshold_by(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_gate *g = into;

	rule_read_fields(r, y, &g->by, &g->by_n);
}

/* One kind a rule: which one is looked at after all keys. */
static void set_kind(struct rule_build *b, enum rule_gate_kind kind)
{
	if (b->rule->gate.kind == RULE_GATE_NONE)
		b->rule->gate.kind = kind;
}

void rule_read_threshold(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"count", read_count, false},
		{"within", read_threshold_within, false},
		{"by", read_threshold_by, false},
		{NULL, NULL, false},
	};
	struct rule_build *b = into;

	set_kind(b, RULE_GATE_THRESHOLD);
	if (reader_map(r, y, "'threshold'", keys, &b->rule->gate) &&
		(!yaml_get(y, "count") || !yaml_get(y, "within")))
		reader_error(r, y,
			"'threshold' needs both 'count' and 'within', as in {count: 5, within: "
			"10m, by: "
			"[instance]}");
}

/* ---- all_of, sequence, absent ---- */

static struct str one_line(struct arena *a, struct str s)
{
	size_t n = s.n < RULE_PART_SHOWN ? s.n : RULE_PART_SHOWN;

	while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	struct str t = arena_printf(a, "%.*s%s", (int)n, s.p, n < s.n ? "…" : "");
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] == '\n')
			((char *)t.p)[i] = ' ';
	return t;
}

static void read_parts(
	struct reader *r, const struct yaml *y, struct rule_build *b, enum rule_gate_kind kind)
{
	const char *name = kind_names[kind];
	struct rule_gate *g = &b->rule->gate;
	const struct yaml **v;
	size_t n;

	set_kind(b, kind);
	rule_note_place(b->rule, y);
	b->rule->by_parts = true;
	if (!reader_list(r, y, false, &v, &n)) {
		b->match_bad = true;
		return;
	}
	if (n < 2 || n > RULE_PARTS_LIMIT) {
		reader_error(r, y, "'%s' has %zu part%s; from 2 to %d are taken", name, n,
			n == 1 ? "" : "s", RULE_PARTS_LIMIT);
		b->match_bad = true;
		return;
	}
	rule_read_any_list(r, b, v, n, name);
	for (size_t i = 0; i < n; i++)
		g->parts = arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(g->parts), i ? "\n" : "",
			STR_ARG(one_line(r->arena, v[i]->text)));
	g->count = (int64_t)n;
}

void rule_read_all_of(struct reader *r, const struct yaml *y, void *into)
{
	read_parts(r, y, into, RULE_GATE_ALL_OF);
}

void rule_read_sequence(struct reader *r, const struct yaml *y, void *into)
{
	read_parts(r, y, into, RULE_GATE_SEQUENCE);
}

void rule_read_absent(struct reader *r, const struct yaml *y, void *into)
{
	struct rule_build *b = into;

	set_kind(b, RULE_GATE_ABSENT);
	rule_read_match(r, y, b);
	b->rule->gate.parts = one_line(r->arena, b->rule->source_yaml);
	b->rule->source_yaml =
		arena_printf(r->arena, "absent(%.*s)", STR_ARG(b->rule->source_yaml));
}

void rule_read_gate_every(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, RULE_ABSENT_EVERY_MIN_MS, RULE_GATE_WITHIN_MAX_MS,
		&((struct rule_build *)into)->rule->gate.within_ms);
}

/* ---- keys that do not go together ---- */

static void refuse(struct reader *r, const struct yaml *y, const char *key, const char *why)
{
	const struct yaml *at = yaml_get(y, key);

	if (at)
		reader_error_key(r, at, "'%s' %s", key, why);
}

static void need(struct reader *r, const struct yaml *y, const char *kind, const char *key,
	const char *example)
{
	if (!yaml_get(y, key))
		reader_error_key(
			r, yaml_get(y, kind), "'%s' needs '%s', as in %s", kind, key, example);
}

/* More than one of the four, or one of them beside what it stands for. */
static void check_kinds(struct reader *r, const struct yaml *y, enum rule_gate_kind kind)
{
	for (enum rule_gate_kind k = RULE_GATE_THRESHOLD; k <= RULE_GATE_ABSENT; k++)
		if (k != kind && yaml_get(y, kind_names[k]))
			reader_error_key(r, yaml_get(y, kind_names[k]),
				"a rule is of one kind, and this one has '%s', too; make it two "
				"rules",
				kind_names[kind]);
	if (kind == RULE_GATE_THRESHOLD)
		return;
	refuse(r, y, "match",
		"stands beside a key that takes its place; put its matchers into each part");
	refuse(r, y, "any",
		"stands beside a key that takes its place; put its matchers into each part");
}

void rule_check_gate(struct reader *r, const struct yaml *y, const struct rule *rule)
{
	enum rule_gate_kind kind = rule->gate.kind;
	bool parts = kind == RULE_GATE_ALL_OF || kind == RULE_GATE_SEQUENCE;

	if (!parts) {
		refuse(r, y, "on_timeout", "is for 'all_of' and 'sequence'");
		refuse(r, y, "within",
			kind == RULE_GATE_THRESHOLD ? "belongs into 'threshold'"
						    : "is for 'all_of' and 'sequence'");
	}
	if (kind != RULE_GATE_ABSENT)
		refuse(r, y, "every", "is for 'absent'");
	if (!parts && kind != RULE_GATE_ABSENT)
		refuse(r, y, "by",
			kind == RULE_GATE_THRESHOLD ? "belongs into 'threshold'"
						    : "is for 'all_of', 'sequence' and 'absent'");
	if (kind == RULE_GATE_NONE)
		return;
	check_kinds(r, y, kind);
	refuse(r, y, "for",
		"asks whether one alert still fires; it does not go with a rule over several "
		"events");
	if (parts)
		need(r, y, kind_names[kind], "within", "within: 30m");
	if (kind == RULE_GATE_ABSENT)
		need(r, y, kind_names[kind], "every", "every: 5m");
	if (kind != RULE_GATE_THRESHOLD)
		refuse(r, y, "on_resolve", "is for rules that run for one alert");
	if (parts && rule->when != WHEN_FIRING)
		refuse(r, y, "when", "cannot be given here: a resolve takes its alert's part back");
}
