/* ruleset.c: building a ruleset, and asking it.
 *
 * Guarantee: a ruleset is whole or not there; once built it does not change, so a pointer to it is
 * a version of the rules. Its hash is that of the bytes of all rules and runbooks and of the
 * correlation and the changes, not of where they lie: two bridges with the same files have the same hash.
 *
 * Matching asks the index (index.h) for the rules that an event can concern, and holds these against
 * it in order. One thread: the scratch for regexes and that of the index belong to the ruleset.
 */
#include "rule/ruleset.h"

#include <assert.h>
#include <stdlib.h>
#include "rule/changes.h"
#include "rule/correlation.h"
#include "rule/planned.h"
#include "rule/index.h"
#include "rule/regex.h"
#include "rule/pattern_yaml.h"
#include "rule/rule_yaml.h"
#include "rule/topology.h"

#define OWN_SOURCE "runbookd"

/* ---- building: runbooks ---- */

static int by_name(const void *a, const void *b)
{
	const struct runbook *const *x = a, *const *y = b;
	int c = str_cmp((*x)->name, (*y)->name);

	return c ? c : str_cmp((*x)->path, (*y)->path);
}

static void read_runbooks(struct rules_build *b, const struct ruleset_input *in)
{
	struct runbooks *all = &b->rs->runbooks;

	all->v = arena_array(&b->rs->arena, in->runbooks_n + 1, sizeof(struct runbook *));
	b->broken = arena_array(&b->rs->arena, in->runbooks_n + 1, sizeof(*b->broken));
	if (!all->v || !b->broken)
		return;
	for (size_t i = 0; i < in->runbooks_n; i++) {
		const struct ruleset_file *f = &in->runbooks[i];
		struct runbook *r = runbook_parse(&b->rs->arena, f->bytes, f->name, b->diags);
		if (r)
			all->v[all->n++] = r;
		else
			b->broken[b->broken_n++] = runbook_name(f->name);
	}
	qsort(all->v, all->n, sizeof(struct runbook *), by_name);
	for (size_t i = 1; i < all->n; i++)
		if (str_eq(all->v[i - 1]->name, all->v[i]->name))
			diag_add(b->diags, DIAG_ERROR, all->v[i]->path.p, 0, 0,
				"a runbook '%.*s' is there already, as '%.*s'; the name is the "
				"file's without extension: rename one",
				STR_ARG(all->v[i]->name), STR_ARG(all->v[i - 1]->path));
}

const struct runbook *ruleset_runbook(const struct ruleset *rs, struct str name)
{
	size_t low = 0, high = rs->runbooks.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(rs->runbooks.v[mid]->name, name);
		if (c == 0)
			return rs->runbooks.v[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- building: the whole ---- */

static void hash_all(struct ruleset *rs, const struct ruleset_input *in)
{
	char sha[HASH_SHA256_HEX];
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < in->rules_n; i++) {
		hash_sha256_hex(in->rules[i].bytes, sha);
		buf_printf(&b, "rules %s\n", sha);
	}
	for (size_t i = 0; i < rs->runbooks.n; i++)
		buf_printf(&b, "runbook %.*s %s\n", STR_ARG(rs->runbooks.v[i]->name),
			rs->runbooks.v[i]->sha256);
	correlation_describe(rs, &b);
	planned_describe(rs, &b);
	changes_describe(rs, &b);
	hash_sha256_hex(buf_as_str(&b), rs->hash);
	buf_release(&b);
}

static uint32_t match_limit_of(const struct conf *c)
{
	int64_t v = c->limits.match_limit;

	return v < 1 ? 1 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* Without memory the arena has failed, which the end of the build looks at. */
static void pack_matchers(struct ruleset *rs)
{
	struct err e;

	for (size_t i = 0; i < rs->rules_n; i++) {
		matchers_pack(&rs->arena, &rs->rules[i].match, &e);
		for (size_t k = 0; k < rs->rules[i].any_n; k++)
			matchers_pack(&rs->arena, &rs->rules[i].any[k], &e);
	}
}

struct ruleset *ruleset_build(const struct ruleset_input *in, struct diags *d)
{
	return ruleset_build_paced(in, NULL, d);
}

struct ruleset *ruleset_build_paced(const struct ruleset_input *in, const struct pace *pace, struct diags *d)
{
	size_t errors = d->errors;
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs) {
		diag_add(d, DIAG_ERROR, "", 0, 0, "no memory for the rules");
		return NULL;
	}
	rs->refs = 1;
	arena_init(&rs->arena, RULESET_MEMORY_LIMIT);
	if (pace)
		arena_on_growth(&rs->arena, pace->pause, pace->ctx);
	rs->scratch = matcher_scratch_new(match_limit_of(in->conf));
	if (rs->scratch)
		matcher_scratch_budget(rs->scratch, (uint64_t)in->conf->limits.match_budget);
	struct rules_build b = {.rs = rs, .diags = d, .regexes = regex_pool_new()};
	read_runbooks(&b, in);
	for (size_t i = 0; i < in->rules_n; i++)
		rules_read_file(&b, &in->rules[i]);
	regex_pool_free(b.regexes);
	rules_check_names(&b);
	patterns_check_names(&b);
	correlation_read(rs, in->conf, d);
	planned_read(rs, in->conf, d);
	changes_read(rs, in->conf, d);
	topology_check(rs, d);
	if (d->errors == errors)
		pack_matchers(rs);
	bool patterns_fit = d->errors > errors || patterns_index(rs);
	if (d->errors == errors)
		rs->index = index_new(&rs->arena, rs->rules, rs->rules_n, pace);
	if ((arena_failed(&rs->arena) || !rs->scratch || !rs->index || !patterns_fit) &&
		d->errors == errors)
		diag_add(d, DIAG_ERROR, "", 0, 0,
			"the rules and runbooks need more than %zu MiB of memory; split them",
			RULESET_MEMORY_LIMIT >> 20);
	arena_on_growth(&rs->arena, NULL, NULL); /* the pace is the caller's */
	if (d->errors == errors) {
		hash_all(rs, in);
		return rs;
	}
	ruleset_unref(rs);
	return NULL;
}

struct ruleset *ruleset_ref(struct ruleset *rs)
{
	rs->refs++;
	return rs;
}

void ruleset_unref(struct ruleset *rs)
{
	if (!rs)
		return;
	assert(rs->refs > 0);
	if (--rs->refs > 0)
		return;
	for (size_t i = 0; i < rs->rules_n; i++) {
		matchers_release(&rs->rules[i].match);
		for (size_t k = 0; k < rs->rules[i].any_n; k++)
			matchers_release(&rs->rules[i].any[k]);
	}
	patterns_release(&rs->patterns);
	correlation_release(rs);
	planned_release(rs);
	changes_release(rs);
	topology_release(rs);
	for (size_t i = 0; i < rs->runbooks.n; i++)
		runbook_release(rs->runbooks.v[i]);
	matcher_scratch_free(rs->scratch);
	arena_release(&rs->arena);
	free(rs);
}

/* ---- matching ---- */

static bool when_holds(const struct rule *r, const struct event *ev)
{
	switch (r->when) {
	case WHEN_FIRING:
		return ev->status != EVENT_RESOLVED;
	case WHEN_RESOLVED:
		return ev->status == EVENT_RESOLVED;
	case WHEN_ANY:
		return true;
	}
	return false;
}

/* 1, 0, or -1 where a regex gave up and nothing else decides. */
static int any_holds(const struct rule *r, const struct ruleset *rs, struct arena *a,
	const struct event *ev, struct matcher_groups *g, struct err *e)
{
	int result = r->any_n == 0;
	struct err ignored;

	for (size_t i = 0; i < r->any_n; i++) {
		int rc =
			matchers_eval(&r->any[i], rs->scratch, a, ev, g, result < 0 ? &ignored : e);
		if (rc == 1)
			return 1;
		if (rc < 0)
			result = -1;
	}
	return result;
}

/* The same for a rule by parts, of which all that hold count. */
static int parts_hold(const struct rule *r, const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match *m, struct err *e)
{
	int result = 0;
	struct err ignored;

	for (size_t i = 0; i < r->any_n; i++) {
		int rc = matchers_eval(&r->any[i], rs->scratch, a, ev, &m->groups, result < 0 ? &ignored : e);
		if (rc == 1)
			m->parts |= UINT32_C(1) << i;
		if (rc < 0)
			result = -1;
	}
	return m->parts ? 1 : result;
}

static int rule_holds(const struct rule *r, const struct ruleset *rs, struct arena *a,
	const struct event *ev, struct rule_match *m, struct err *e)
{
	if (!when_holds(r, ev))
		return 0;
	struct err ignored;
	if (r->by_parts)
		return parts_hold(r, rs, a, ev, m, e);
	int rc = matchers_eval(&r->match, rs->scratch, a, ev, &m->groups, e);
	if (rc == 0)
		return 0;
	int any = any_holds(r, rs, a, ev, &m->groups, rc < 0 ? &ignored : e);
	return any == 1 ? rc : any;
}

struct match_list {
	struct rule_match *v;
	size_t n, cap;
};

static int add_match(struct match_list *l, struct arena *a, const struct rule_match *m)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct rule_match *v = arena_grow(a, l->v, l->cap * sizeof(*v), cap * sizeof(*v));
		if (!v)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *m;
	return 0;
}

/* Appends the rule where it wants the event. -1: the arena is full. */
static int match_rule(const struct rule *r, const struct ruleset *rs, struct arena *a,
	const struct event *ev, struct match_list *list)
{
	struct rule_match m = {.rule = r};
	struct err e;

	if (!r->sees_own_events && str_is(ev->source, OWN_SOURCE))
		return 0;
	int rc = rule_holds(r, rs, a, ev, &m, &e);
	if (rc == 0)
		return 0;
	if (rc < 0) {
		m.failed = true;
		m.reason = arena_strdup(a, str_of(e.text));
	}
	return add_match(list, a, &m);
}

int ruleset_match(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n)
{
	struct match_list list = {0};
	int rc = 0;
	size_t i;

	matcher_scratch_begin(rs->scratch);
	index_find(rs->index, a, ev);
	while ((i = index_next(rs->index)) != INDEX_END) /* to its end, also after a failure */
		if (rc == 0)
			rc = match_rule(&rs->rules[i], rs, a, ev, &list);
	*out = list.v;
	*n = list.n;
	return rc < 0 || arena_failed(a) ? -1 : 0;
}

int ruleset_match_scan(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n)
{
	struct match_list list = {0};
	int rc = 0;

	matcher_scratch_begin(rs->scratch);
	for (size_t i = 0; i < rs->rules_n && rc == 0; i++)
		rc = match_rule(&rs->rules[i], rs, a, ev, &list);
	*out = list.v;
	*n = list.n;
	return rc < 0 || arena_failed(a) ? -1 : 0;
}
