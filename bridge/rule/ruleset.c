/* ruleset.c: building a ruleset, and asking it.
 *
 * Guarantee: a ruleset is whole or not there; once built it does not change, so a pointer to it is
 * a version of the rules. Its hash is that of the bytes of all rules and runbooks and of the
 * correlation, not of where they lie: two bridges with the same files have the same hash.
 *
 * Matching goes through the rules in order. A rule that does not match costs comparisons and no
 * memory. There is no index over the rules here: equalities fail first (matcher.c), and what an
 * index needs is all in struct rule. One thread: the scratch for regexes belongs to the ruleset.
 */
#include "rule/ruleset.h"

#include <assert.h>
#include <stdlib.h>
#include "rule/rule_yaml.h"

#define KEY_PLAIN_LIMIT 200	  /* bytes of a key; a longer one is hashed */
#define KEY_TEXT_LIMIT (64 << 20) /* what a key may be made of */
#define KEY_SHOWN_LIMIT 1024	  /* bytes of a value in key_json */
#define ALONE_WINDOW_MS (10 * 60 * 1000)
#define OWN_SOURCE "runbookd"

struct correlation {
	struct str
		id; /* of the policy: what it matches and by what; survives its moving up or down */
	struct matchers match;
	struct field *by;
	size_t by_n;
	int64_t window_ms;
};

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

/* ---- building: correlation ---- */

static void conf_error(struct rules_build *b, const struct ruleset_input *in,
	const struct conf_text *t, const struct err *e)
{
	diag_add(b->diags, DIAG_ERROR, in->conf->path.p ? in->conf->path.p : "", t->line, t->column,
		"correlation: %s: '%.*s'", e->text, (int)(t->text.n < 100 ? t->text.n : 100),
		t->text.p ? t->text.p : "");
}

static struct conf_list copy_list(struct arena *a, const struct conf_list *l)
{
	struct conf_list out = {arena_array(a, l->n ? l->n : 1, sizeof(*l->v)), 0};

	for (size_t i = 0; out.v && i < l->n; i++) {
		out.v[out.n] = l->v[i];
		out.v[out.n++].text = arena_strdup(a, l->v[i].text);
	}
	return out;
}

static void read_policy(struct rules_build *b, const struct ruleset_input *in,
	const struct conf_correlation *c, struct correlation *out)
{
	struct arena *a = &b->rs->arena;
	struct buf text;
	struct err e;

	buf_init(&text, KEY_TEXT_LIMIT);
	out->window_ms = c->window_ms;
	for (size_t i = 0; i < c->match.n; i++) {
		struct matchers m = {0};
		buf_printf(&text, "match=%zu:%.*s;", c->match.v[i].text.n,
			STR_ARG(c->match.v[i].text));
		if (matchers_parse(a, c->match.v[i].text, &m, &e) < 0 ||
			matchers_join(a, &out->match, &m, &e) < 0) {
			matchers_release(&m);
			conf_error(b, in, &c->match.v[i], &e);
		}
	}
	out->by = arena_array(a, c->by.n ? c->by.n : 1, sizeof(*out->by));
	for (size_t i = 0; i < c->by.n && out->by; i++) {
		buf_printf(&text, "by=%zu:%.*s;", c->by.v[i].text.n, STR_ARG(c->by.v[i].text));
		if (field_parse(a, c->by.v[i].text, &out->by[out->by_n], &e) == 0)
			out->by_n++;
		else
			conf_error(b, in, &c->by.v[i], &e);
	}
	char sha[HASH_SHA256_HEX];
	hash_sha256_hex(buf_as_str(&text), sha);
	out->id = arena_strdup(a, (struct str){sha, 12});
	buf_release(&text);
}

static void read_correlation(struct rules_build *b, const struct ruleset_input *in)
{
	struct ruleset *rs = b->rs;
	size_t n = in->conf->correlation_n;

	rs->correlation = arena_array(&rs->arena, n ? n : 1, sizeof(*rs->correlation));
	rs->correlation_conf = arena_array(&rs->arena, n ? n : 1, sizeof(*rs->correlation_conf));
	for (size_t i = 0; i < n && rs->correlation && rs->correlation_conf; i++) {
		const struct conf_correlation *c = &in->conf->correlation[i];
		rs->correlation_conf[i] =
			(struct conf_correlation){copy_list(&rs->arena, &c->match),
				copy_list(&rs->arena, &c->by), c->window_ms};
		read_policy(b, in, c, &rs->correlation[i]);
		rs->correlation_n++;
	}
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
	for (size_t i = 0; i < rs->correlation_n; i++)
		buf_printf(&b, "correlation %.*s %lld\n", STR_ARG(rs->correlation[i].id),
			(long long)rs->correlation[i].window_ms);
	hash_sha256_hex(buf_as_str(&b), rs->hash);
	buf_release(&b);
}

static uint32_t match_limit(const struct conf *c)
{
	int64_t v = c->limits.match_limit;

	return v < 1 ? 1 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

struct ruleset *ruleset_build(const struct ruleset_input *in, struct diags *d)
{
	size_t errors = d->errors;
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs) {
		diag_add(d, DIAG_ERROR, "", 0, 0, "no memory for the rules");
		return NULL;
	}
	rs->refs = 1;
	arena_init(&rs->arena, RULESET_MEMORY_LIMIT);
	rs->scratch = matcher_scratch_new(match_limit(in->conf));
	struct rules_build b = {.rs = rs, .diags = d};
	read_runbooks(&b, in);
	for (size_t i = 0; i < in->rules_n; i++)
		rules_read_file(&b, &in->rules[i]);
	rules_check_names(&b);
	read_correlation(&b, in);
	if ((arena_failed(&rs->arena) || !rs->scratch) && d->errors == errors)
		diag_add(d, DIAG_ERROR, "", 0, 0,
			"the rules and runbooks need more than %zu MiB of memory; split them",
			RULESET_MEMORY_LIMIT >> 20);
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
	for (size_t i = 0; i < rs->correlation_n; i++)
		matchers_release(&rs->correlation[i].match);
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

static int rule_holds(const struct rule *r, const struct ruleset *rs, struct arena *a,
	const struct event *ev, struct matcher_groups *g, struct err *e)
{
	if (!when_holds(r, ev))
		return 0;
	int rc = matchers_eval(&r->match, rs->scratch, a, ev, g, e);
	return rc == 1 ? any_holds(r, rs, a, ev, g, e) : rc;
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

int ruleset_match(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_match **out, size_t *n)
{
	struct match_list list = {0};
	struct err e;
	bool own = str_is(ev->source, OWN_SOURCE);

	for (size_t i = 0; i < rs->rules_n; i++) {
		const struct rule *r = &rs->rules[i];
		struct rule_match m = {.rule = r};
		if (own && !r->sees_own_events)
			continue;
		int rc = rule_holds(r, rs, a, ev, &m.groups, &e);
		if (rc == 0)
			continue;
		if (rc < 0) {
			m.failed = true;
			m.reason = arena_strdup(a, str_of(e.text));
		}
		if (add_match(&list, a, &m) < 0)
			return -1;
	}
	*out = list.v;
	*n = list.n;
	return arena_failed(a) ? -1 : 0;
}

/* ---- keys ---- */

static struct str finish_key(struct arena *a, struct buf *b)
{
	char sha[HASH_SHA256_HEX];
	struct str key;

	if (buf_failed(b)) {
		a->failed = true;
		key = STR_NONE;
	} else if (b->n <= KEY_PLAIN_LIMIT) {
		key = arena_strdup(a, buf_as_str(b));
	} else {
		hash_sha256_hex(buf_as_str(b), sha);
		key = arena_printf(a, "#%s", sha);
	}
	buf_release(b);
	return key;
}

struct str rule_by_key(struct arena *a, const struct field *by, size_t n, const struct event *ev)
{
	struct buf b;

	buf_init(&b, KEY_TEXT_LIMIT);
	for (size_t i = 0; i < n; i++) {
		struct str v = field_value(a, &by[i], ev);
		buf_str(&b, by[i].text);
		buf_putc(&b, '=');
		buf_u64(&b, v.n);
		buf_putc(&b, ':');
		buf_str(&b, v);
		buf_putc(&b, ';');
	}
	return finish_key(a, &b);
}

static bool has_any(struct arena *a, const struct correlation *c, const struct event *ev)
{
	for (size_t i = 0; i < c->by_n; i++)
		if (field_value(a, &c->by[i], ev).n > 0)
			return true;
	return false;
}

/* For people: the name as written, without the quotes it may need in a matcher. */
static struct str shown_name(const struct field *f)
{
	return f->kind == FIELD_LABEL ? f->name : f->text;
}

static struct str shown_value(struct str v)
{
	size_t n = v.n < KEY_SHOWN_LIMIT ? v.n : KEY_SHOWN_LIMIT;

	while (n < v.n && n > 0 && ((unsigned char)v.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){v.p, n};
}

static struct str by_json(struct arena *a, const struct correlation *c, const struct event *ev)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, KEY_TEXT_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < c->by_n; i++) {
		struct str v = field_value(a, &c->by[i], ev);
		if (v.n == 0)
			continue;
		json_w_key(&w, shown_name(&c->by[i]));
		json_w_str(&w, shown_value(v));
	}
	json_w_end(&w, '}');
	struct str s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	a->failed = a->failed || buf_failed(&b);
	buf_release(&b);
	return s;
}

static int correlate_alone(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_correlation *out)
{
	struct buf b;

	out->window_ms = rs->correlation_n ? rs->correlation[rs->correlation_n - 1].window_ms
					   : ALONE_WINDOW_MS;
	if (ev->fingerprint.n == 0) {
		out->key_json = STR("{}");
		return 0;
	}
	buf_init(&b, KEY_TEXT_LIMIT);
	buf_puts(&b, "alert:");
	buf_u64(&b, ev->source.n);
	buf_putc(&b, ':');
	buf_str(&b, ev->source);
	buf_putc(&b, ':');
	buf_str(&b, ev->fingerprint);
	out->key = finish_key(a, &b);
	buf_init(&b, KEY_TEXT_LIMIT);
	buf_puts(&b, "{\"fingerprint\":");
	json_quote(&b, ev->fingerprint);
	buf_putc(&b, '}');
	out->key_json = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return arena_failed(a) ? -1 : 0;
}

int ruleset_correlate(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_correlation *out)
{
	*out = (struct rule_correlation){0};
	for (size_t i = 0; i < rs->correlation_n; i++) {
		const struct correlation *c = &rs->correlation[i];
		/* A regex that gives up (-1) leaves the event to the next policy. */
		if (!has_any(a, c, ev) ||
			matchers_eval(&c->match, rs->scratch, a, ev, NULL, NULL) != 1)
			continue;
		struct str values = rule_by_key(a, c->by, c->by_n, ev);
		out->key = arena_printf(a, "%.*s:", STR_ARG(c->id));
		/* Not by %.*s: a value may hold a NUL. */
		char *p = arena_alloc(a, out->key.n + values.n + 1);
		if (!p || arena_failed(a))
			return -1;
		memcpy(p, out->key.p, out->key.n);
		memcpy(p + out->key.n, values.p, values.n + 1);
		out->key = (struct str){p, out->key.n + values.n};
		out->key_json = by_json(a, c, ev);
		out->window_ms = c->window_ms;
		return arena_failed(a) ? -1 : 0;
	}
	return correlate_alone(rs, a, ev, out);
}
