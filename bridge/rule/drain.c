/* drain.c: the tree that leads from a line to the few groups that it may belong to.
 *
 * After P. He and others, "Drain: an online log parsing approach with fixed depth tree" (2017): the
 * way goes by program, number of tokens and the first tokens (those with digits or marks share one
 * branch); at its end the group that has most tokens in common with the line takes it, where that
 * is enough, and gives up the tokens that differ. Else the line begins a group.
 *
 * Bounds: children of a node, groups of a leaf and of all, memory. What has no room in the tree
 * takes the branch that is shared; what has no room among the groups is counted. Nothing is ever
 * dropped from a group, so what it says is true of all its lines.
 */
#include "rule/drain.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"

struct node {
	struct str key;
	struct node *child, *next;
	size_t children;
	struct drain_group *groups;
	size_t groups_n;
};

struct drain {
	struct arena arena;   /* nodes, groups and their texts */
	struct arena scratch; /* one line */
	struct node root;
	struct drain_group **groups;
	size_t groups_n;
	uint64_t left_out;
};

#define SHARED STR("\x01") /* the branch of all that have none of their own */

struct drain *drain_new(void)
{
	struct drain *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	arena_init(&d->arena, DRAIN_MEMORY);
	arena_init(&d->scratch, DRAIN_MEMORY);
	d->groups = arena_array(&d->arena, DRAIN_GROUPS, sizeof(struct drain_group *));
	if (d->groups)
		return d;
	drain_free(d);
	return NULL;
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	arena_release(&d->arena);
	arena_release(&d->scratch);
	free(d);
}

/* ---- the tree ---- */

static struct node *child_of(struct node *of, struct str key)
{
	for (struct node *c = of->child; c; c = c->next)
		if (str_eq(c->key, key))
			return c;
	return NULL;
}

static struct node *step(struct drain *d, struct node *from, struct str key)
{
	struct node *c = child_of(from, key);

	if (!c && from->children >= DRAIN_CHILDREN && !str_eq(key, SHARED)) {
		key = SHARED;
		c = child_of(from, key);
	}
	if (c)
		return c;
	c = arena_zalloc(&d->arena, sizeof(*c));
	if (!c)
		return NULL;
	c->key = arena_strdup(&d->arena, key);
	c->next = from->child;
	from->child = c;
	from->children++;
	return c;
}

/* A token that may well differ in the next line. */
static bool is_loose(struct str token)
{
	for (size_t i = 0; i < token.n; i++)
		if (drain_is_mark(token.p[i]) || (token.p[i] >= '0' && token.p[i] <= '9'))
			return true;
	return false;
}

static struct node *leaf_of(struct drain *d, struct str program, const struct str *tokens, size_t n)
{
	char count[24];
	struct node *at = step(d, &d->root, program);

	snprintf(count, sizeof(count), "%zu", n);
	at = at ? step(d, at, str_of(count)) : NULL;
	for (size_t i = 0; at && i < n && i < DRAIN_DEPTH; i++)
		at = step(d, at, is_loose(tokens[i]) ? SHARED : tokens[i]);
	return at;
}

/* ---- groups ---- */

/* Tokens that are the same; those that are wholly a mark for anything say nothing. */
static size_t common(const struct drain_group *g, const struct str *tokens)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += str_eq(g->tokens[i], tokens[i]) && !str_eq(tokens[i], SHARED);
	return n;
}

/* n: more than 0. */
static struct drain_group *nearest_group(
	const struct node *leaf, const struct str *tokens, size_t n)
{
	struct drain_group *best = NULL;
	size_t most = 0;

	for (struct drain_group *g = leaf->groups; g; g = g->next_in_leaf) {
		size_t has = common(g, tokens);

		if (!best || has > most) {
			best = g;
			most = has;
		}
	}
	return best && most * 100 >= n * DRAIN_SIMILAR ? best : NULL;
}

static struct drain_group *begin(struct drain *d, struct node *leaf, const struct drain_line *l,
	const struct drain_tokens *t)
{
	struct drain_group *g;

	if (d->groups_n == DRAIN_GROUPS || leaf->groups_n == DRAIN_LEAF)
		return NULL;
	g = arena_zalloc(&d->arena, sizeof(*g));
	if (!g)
		return NULL;
	g->tokens = arena_array(&d->arena, t->n, sizeof(*g->tokens));
	g->wide = arena_array(&d->arena, t->n, sizeof(*g->wide));
	if (!g->tokens || !g->wide)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		g->tokens[i] = arena_strdup(&d->arena, t->v[i]);
		if (!g->tokens[i].p)
			return NULL;
	}
	g->n = t->n;
	g->first = l->number;
	g->program = arena_strdup(&d->arena, l->program);
	g->next_in_leaf = leaf->groups;
	leaf->groups = g;
	leaf->groups_n++;
	d->groups[d->groups_n++] = g;
	return g;
}

static void keep_sample(struct drain *d, struct drain_group *g, struct str message)
{
	struct str copy;

	message.n = message.n < DRAIN_BYTES ? message.n : DRAIN_BYTES;
	if (g->samples_n == DRAIN_SAMPLES)
		return;
	for (size_t i = 0; i < g->samples_n; i++)
		if (str_eq(g->samples[i], message))
			return;
	copy = arena_strdup(&d->arena, message);
	if (copy.p)
		g->samples[g->samples_n++] = copy;
}

struct drain_group *drain_add(struct drain *d, const struct drain_line *l)
{
	struct drain_tokens t;
	struct drain_group *g = NULL;
	struct node *leaf;

	arena_reset(&d->scratch);
	drain_tokens(&d->scratch, l->message, true, &t);
	if (t.n == 0)
		return NULL;
	leaf = leaf_of(d, l->program, t.v, t.n);
	if (leaf)
		g = nearest_group(leaf, t.v, t.n);
	if (leaf && !g)
		g = begin(d, leaf, l, &t);
	if (!g) {
		d->left_out++;
		return NULL;
	}
	for (size_t i = 0; i < t.n; i++) {
		g->tokens[i] = drain_merge(&d->arena, g->tokens[i], t.v[i]);
		g->wide[i] = g->wide[i] || t.wide[i];
	}
	g->trailing = g->trailing || t.trailing;
	if (!str_eq(g->program, l->program))
		g->program = STR_NONE;
	g->cut = g->cut || t.cut;
	g->level = l->level > g->level ? l->level : g->level;
	g->longest = l->message.n > g->longest ? l->message.n : g->longest;
	g->last = l->number;
	g->count++;
	keep_sample(d, g, l->message);
	return g;
}

/* ---- afterwards ---- */

/* A group without its token i. */
struct frame {
	uint64_t hash;
	struct drain_group *group;
	size_t at, order;
};

static uint64_t frame_hash(const struct drain_group *g, size_t without)
{
	uint64_t h = hash_fnv1a(HASH_FNV1A_START, g->program.p, g->program.n);

	h = hash_fnv1a(h, &without, sizeof(without));
	for (size_t i = 0; i < g->n; i++) {
		if (i != without)
			h = hash_fnv1a(h, g->tokens[i].p, g->tokens[i].n);
		h = hash_fnv1a(h, "", 1);
	}
	return h;
}

static int by_hash(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Do they differ in the one token alone? */
static bool same_frame(const struct drain_group *x, const struct drain_group *y, size_t without)
{
	if (x->n != y->n || !str_eq(x->program, y->program))
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (i != without && !str_eq(x->tokens[i], y->tokens[i]))
			return false;
	return true;
}

static void join(struct drain *d, struct drain_group *to, struct drain_group *from)
{
	for (size_t i = 0; i < to->n; i++) {
		to->tokens[i] = drain_merge(&d->arena, to->tokens[i], from->tokens[i]);
		to->wide[i] = to->wide[i] || from->wide[i];
	}
	to->trailing = to->trailing || from->trailing;
	to->longest = from->longest > to->longest ? from->longest : to->longest;
	to->cut = to->cut || from->cut;
	to->count += from->count;
	to->level = from->level > to->level ? from->level : to->level;
	to->first = from->first < to->first ? from->first : to->first;
	to->last = from->last > to->last ? from->last : to->last;
	for (size_t i = 0; i < from->samples_n && to->samples_n < DRAIN_SAMPLES; i++)
		to->samples[to->samples_n++] = from->samples[i];
	from->into = to;
}

/* Frames of one hash. */
static void join_alike(struct drain *d, struct frame *v, size_t n)
{
	struct drain_group *to = NULL;
	size_t alike = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].group->into || (to && !same_frame(to, v[i].group, v[i].at)))
			continue;
		to = to ? to : v[i].group;
		alike++;
	}
	if (alike < DRAIN_ALIKE)
		return;
	for (size_t i = 0; i < n; i++)
		if (v[i].group != to && !v[i].group->into && same_frame(to, v[i].group, v[i].at))
			join(d, to, v[i].group);
}

void drain_finish(struct drain *d)
{
	struct frame *v;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < d->groups_n; i++)
		n += d->groups[i]->n;
	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return; /* they stay apart */
	n = 0;
	for (size_t i = 0; i < d->groups_n; i++)
		for (size_t k = 0; d->groups[i]->n > 1 && k < d->groups[i]->n; k++, n++)
			v[n] = (struct frame){frame_hash(d->groups[i], k), d->groups[i], k, i};
	qsort(v, n, sizeof(*v), by_hash);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && v[end].hash == v[i].hash;)
			end++;
		join_alike(d, v + i, end - i);
	}
	free(v);
	for (size_t i = 0; i < d->groups_n; i++)
		if (!d->groups[i]->into)
			d->groups[kept++] = d->groups[i];
	d->groups_n = kept;
}

struct drain_group *const *drain_groups(const struct drain *d, size_t *n)
{
	*n = d->groups_n;
	return d->groups;
}

uint64_t drain_left_out(const struct drain *d)
{
	return d->left_out;
}
