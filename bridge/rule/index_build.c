/* index_build.c: making the index of all rules of a ruleset.
 *
 * A rule stands once for each branch of its `any`, with the matchers of `match` and of that branch.
 * Of these one is chosen that leaves the fewest rules together: judged by how often its texts are
 * asked for among the rules at hand, beside all that is asked of that field. Rules that then still
 * share a text are a node of their own, where another field is chosen, up to INDEX_DEPTH.
 *
 * Guarantee: a rule is filed under all texts of what was chosen, so that whichever of them an event
 * has leads to it. Rules that nothing can be chosen for stay in the node itself.
 *
 * Bound: alternatives file a rule several times, and again at each field; past INDEX_PLACES_FACTOR
 * on average rules stay where they are.
 */
#include <stdlib.h>
#include "rule/index_keys.h"

#define PRESENT_SCORE 50 /* worse than any text */
#define TEXT_BITS 12	/* bits of the filter for a text */

struct entry {
	uint32_t rule;
	uint32_t option[2], option_n[2]; /* of `match`, and of one branch of `any` */
};

struct filed {			/* an entry under a text */
	uint32_t field;
	enum index_kind kind;
	struct index_text text;
	uint32_t entry;
};

struct link {
	uint64_t key, filter;
	uint32_t target;
};

struct count {			/* how often: a text of a field, or all of a field */
	uint64_t key;		/* 0: free */
	uint32_t n;
};

struct build {
	struct arena *tmp;
	struct index_keys keys;
	struct entry *entries;
	struct index_node *nodes;
	struct index_group *groups;
	struct link *links;
	uint32_t *rest;
	size_t entries_n, entries_cap, nodes_n, nodes_cap, groups_n, groups_cap, links_n, links_cap;
	size_t rest_n, rest_cap, places, places_most;
	const struct pace *pace;
};

/* The fields that led to a node. */
struct path {
	uint32_t fields[INDEX_DEPTH];
	unsigned n;
};

static uint32_t add_node(struct build *b, const uint32_t *entries, size_t n, struct path path);

/* ---- which rules, and by what ---- */

static void add_entry(struct build *b, uint32_t rule, const uint32_t at[2], const uint32_t n[2])
{
	struct entry *v = index_room(
		b->tmp, b->entries, b->entries_n, &b->entries_cap, sizeof(*b->entries));

	if (!v)
		return;
	b->entries = v;
	b->entries[b->entries_n++] = (struct entry){rule, {at[0], at[1]}, {n[0], n[1]}};
}

static void add_rule(struct build *b, const struct rule *r, uint32_t number)
{
	uint32_t at[2] = {(uint32_t)b->keys.options_n, 0}, n[2] = {0, 0};

	index_keys_add(&b->keys, &r->match);
	n[0] = (uint32_t)b->keys.options_n - at[0];
	for (size_t i = 0; i < r->any_n; i++) {
		at[1] = (uint32_t)b->keys.options_n;
		index_keys_add(&b->keys, &r->any[i]);
		n[1] = (uint32_t)b->keys.options_n - at[1];
		add_entry(b, number, at, n);
	}
	if (r->any_n == 0)
		add_entry(b, number, at, n);
}

static size_t options_of(const struct build *b, uint32_t entry)
{
	return b->entries[entry].option_n[0] + b->entries[entry].option_n[1];
}

static const struct index_option *option_of(const struct build *b, uint32_t entry, size_t i)
{
	const struct entry *e = &b->entries[entry];
	bool second = i >= e->option_n[0];

	return &b->keys.options[second ? e->option[1] + i - e->option_n[0] : e->option[0] + i];
}

static bool is_used(const struct path *p, uint32_t field)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->fields[i] == field)
			return true;
	return false;
}

/* ---- the best choice ---- */

struct counts {
	struct count *v;
	uint64_t mask;
};

static struct count *count_at(struct counts *c, uint64_t key)
{
	key |= key == 0;
	uint64_t at = index_mix(key) & c->mask;

	while (c->v[at].key && c->v[at].key != key)
		at = (at + 1) & c->mask;
	c->v[at].key = key;
	return &c->v[at];
}

static uint64_t field_key(const struct index_option *o)
{
	return index_key(1, o->field, INDEX_PRESENT);
}

/* False: no memory. */
static bool count_texts(struct build *b, const uint32_t *entries, size_t n, struct counts *c)
{
	size_t all = 0, size = 16;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < options_of(b, entries[i]); k++)
			all += option_of(b, entries[i], k)->text_n + 1;
	while (size < all * 2)
		size *= 2;
	*c = (struct counts){calloc(size, sizeof(*c->v)), size - 1};
	for (size_t i = 0; c->v && i < n; i++) {
		pace_step(b->pace, i);
		for (size_t k = 0; k < options_of(b, entries[i]); k++) {
			const struct index_option *o = option_of(b, entries[i], k);
			for (uint32_t t = 0; t < o->text_n; t++)
				count_at(c, index_key(b->keys.texts[o->text + t].hash, o->field,
						    o->kind))
					->n++;
			count_at(c, field_key(o))->n += o->kind == INDEX_PRESENT ? 0 : o->text_n;
		}
	}
	return c->v != NULL;
}

/* How much of what comes in it lets through, by what the rules ask for, and what asking costs; less is better. */
static double score(struct build *b, struct counts *c, const struct index_option *o)
{
	static const double weights[] = {[INDEX_WORD] = 1, [INDEX_PREFIX] = 2, [INDEX_PART] = 32};
	double all = count_at(c, field_key(o))->n, sum = 0;

	if (o->kind == INDEX_PRESENT)
		return PRESENT_SCORE;
	for (uint32_t i = 0; i < o->text_n; i++) {
		const struct index_text *t = &b->keys.texts[o->text + i];
		sum += t->empty ? 1 : count_at(c, index_key(t->hash, o->field, o->kind))->n / all;
	}
	return sum * weights[o->kind];
}

static const struct index_option *best_option(
	struct build *b, struct counts *c, uint32_t entry, size_t entries, const struct path *p)
{
	const struct index_option *best = NULL;
	double least = 0;

	for (size_t i = 0; i < options_of(b, entry); i++) {
		const struct index_option *o = option_of(b, entry, i);
		if (is_used(p, o->field) ||
			(o->kind == INDEX_PART && entries < INDEX_PART_RULES))
			continue;
		double s = score(b, c, o);
		if (!best || s < least) {
			best = o;
			least = s;
		}
	}
	return best;
}

/* ---- filing ---- */

static void keep_here(struct build *b, uint32_t entry)
{
	uint32_t *v = index_room(b->tmp, b->rest, b->rest_n, &b->rest_cap, sizeof(*b->rest));

	if (!v)
		return;
	b->rest = v;
	b->rest[b->rest_n++] = b->entries[entry].rule;
}

static void add_link(struct build *b, const struct filed *f, uint32_t group, uint32_t target)
{
	bool part = f->kind == INDEX_PART;
	uint64_t key = index_key(part ? index_mix(f->text.hash) : f->text.hash, group, f->kind);
	uint64_t filter = part ? index_part_filter(f->text.hash, group) : index_filter(key);
	struct link *v =
		index_room(b->tmp, b->links, b->links_n, &b->links_cap, sizeof(*b->links));

	if (!v)
		return;
	b->links = v;
	b->links[b->links_n++] = (struct link){key, filter, target};
}

static bool same_text(const struct filed *x, const struct filed *y)
{
	return x->field == y->field && x->kind == y->kind && x->text.hash == y->text.hash;
}

static int by_field_and_text(const void *a, const void *b)
{
	const struct filed *x = a, *y = b;

	if (x->field != y->field)
		return x->field < y->field ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->text.hash != y->text.hash)
		return x->text.hash < y->text.hash ? -1 : 1;
	return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Files each entry under all texts of its best option; the others stay in the node. *out is malloc'ed. */
static size_t file_entries(struct build *b, const uint32_t *entries, size_t n,
	const struct path *path, struct filed **out)
{
	size_t filed_n = 0, cap = 0;
	struct filed *v = NULL;
	struct counts c;

	*out = NULL;
	if (!count_texts(b, entries, n, &c)) {
		b->tmp->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		pace_step(b->pace, i);
		const struct index_option *o = best_option(b, &c, entries[i], n, path);
		if (!o || b->places + filed_n + o->text_n > b->places_most) {
			keep_here(b, entries[i]);
			continue;
		}
		if (filed_n + o->text_n > cap) {
			cap = (filed_n + o->text_n) * 2;
			struct filed *more = reallocarray(v, cap, sizeof(*v));
			if (!more) {
				b->tmp->failed = true;
				break;
			}
			v = more;
		}
		for (uint32_t t = 0; t < o->text_n; t++)
			v[filed_n++] = (struct filed){
				o->field, o->kind, b->keys.texts[o->text + t], entries[i]};
	}
	free(c.v);
	*out = v;
	return filed_n;
}

/* Where the n entries that were filed under one text are found. */
static uint32_t target_of(struct build *b, const struct filed *v, size_t n, struct path path)
{
	uint32_t *entries = malloc(n * sizeof(*entries));
	size_t kept = 0;
	uint32_t target;

	if (!entries) {
		b->tmp->failed = true;
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || entries[kept - 1] != v[i].entry)
			entries[kept++] = v[i].entry;
	if (kept == 1)
		target = b->entries[entries[0]].rule | INDEX_IS_RULE;
	else
		target = add_node(b, entries, kept, path);
	free(entries);
	return target;
}

/* The entries that were filed under one field. */
static void fill_group(
	struct build *b, uint32_t group, const struct filed *v, size_t n, struct path path)
{
	struct index_group g = {.field = v[0].field};
	size_t end;

	path.fields[path.n++] = g.field;
	for (size_t i = 0, texts = 0; i < n; i = end, texts++) {
		pace_step(b->pace, texts);
		for (end = i + 1; end < n && same_text(&v[i], &v[end]);)
			end++;
		uint32_t target = target_of(b, v + i, end - i, path);
		if (v[i].kind == INDEX_PRESENT) {
			g.present = target;
			continue;
		}
		g.words |= v[i].kind == INDEX_WORD;
		g.empty |= v[i].kind == INDEX_WORD && v[i].text.empty;
		if (v[i].kind == INDEX_PREFIX)
			g.prefixes |= UINT32_C(1) << (v[i].text.length - 1);
		if (v[i].kind == INDEX_PART) {
			g.parts |= UINT32_C(1) << (v[i].text.length - 1);
			g.part_starts |= UINT64_C(1) << (v[i].text.start & 63);
		}
		add_link(b, &v[i], group, target);
	}
	if (!arena_failed(b->tmp))
		b->groups[group] = g;
}

/* Room for n more groups, side by side. */
static size_t add_groups(struct build *b, size_t n)
{
	size_t first = b->groups_n;

	for (size_t i = 0; i < n; i++) {
		struct index_group *v = index_room(
			b->tmp, b->groups, b->groups_n, &b->groups_cap, sizeof(*b->groups));
		if (!v)
			break;
		b->groups = v;
		b->groups[b->groups_n++] = (struct index_group){0};
	}
	return first;
}

static void split(struct build *b, uint32_t node, const uint32_t *entries, size_t n, struct path path)
{
	struct filed *v;
	size_t filed_n = file_entries(b, entries, n, &path, &v), groups = 0, end;

	b->nodes[node].rest_n = (uint32_t)b->rest_n - b->nodes[node].rest;
	b->places += filed_n;
	if (filed_n > 1)
		qsort(v, filed_n, sizeof(*v), by_field_and_text);
	for (size_t i = 0; i < filed_n; i++)
		groups += i == 0 || v[i - 1].field != v[i].field;
	uint32_t group = (uint32_t)add_groups(b, groups);
	b->nodes[node].group = group;
	b->nodes[node].group_n = (uint32_t)groups;
	for (size_t i = 0; i < filed_n && !arena_failed(b->tmp); i = end) {
		for (end = i + 1; end < filed_n && v[i].field == v[end].field;)
			end++;
		fill_group(b, group++, v + i, end - i, path);
	}
	free(v);
}

static uint32_t add_node(struct build *b, const uint32_t *entries, size_t n, struct path path)
{
	struct index_node *v =
		index_room(b->tmp, b->nodes, b->nodes_n, &b->nodes_cap, sizeof(*b->nodes));
	uint32_t node = (uint32_t)b->nodes_n;

	if (!v)
		return 1;
	b->nodes = v;
	b->nodes[b->nodes_n++] = (struct index_node){.rest = (uint32_t)b->rest_n};
	if (n > INDEX_LEAF && path.n < INDEX_DEPTH) {
		split(b, node, entries, n, path);
		return node;
	}
	for (size_t i = 0; i < n; i++)
		keep_here(b, entries[i]);
	b->nodes[node].rest_n = (uint32_t)b->rest_n - b->nodes[node].rest;
	return node;
}

/* ---- the whole ---- */

static void *copied(struct arena *a, const void *v, size_t n, size_t size)
{
	void *p = arena_array(a, n + 1, size);

	if (p && n)
		memcpy(p, v, n * size);
	return p;
}

static void file_bits(struct index *ix, struct arena *a, const struct build *b)
{
	size_t bits = 64;

	while (bits < b->links_n * TEXT_BITS)
		bits *= 2;
	ix->bits_known = arena_array(a, bits / 64, sizeof(*ix->bits_known));
	ix->bits_mask = bits - 1;
	for (size_t i = 0; ix->bits_known && i < b->links_n; i++) {
		uint64_t bit = b->links[i].filter & ix->bits_mask;
		ix->bits_known[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static void file_links(struct index *ix, struct arena *a, const struct build *b)
{
	size_t size = 2;

	while (size < b->links_n + b->links_n / 2)
		size *= 2;
	ix->slots = arena_array(a, size, sizeof(*ix->slots));
	ix->slots_mask = size - 1;
	for (size_t i = 0; ix->slots && i < b->links_n; i++) {
		uint64_t key = b->links[i].key, at = index_place(key) & ix->slots_mask;
		while (ix->slots[at].target)
			at = (at + 1) & ix->slots_mask;
		ix->slots[at] = (struct index_slot){index_tag(key), b->links[i].target};
	}
	file_bits(ix, a, b);
}

static void file_names(struct index *ix, struct arena *a)
{
	size_t size = 2;

	while (size < ix->fields_n * 2)
		size *= 2;
	ix->names = arena_array(a, size, sizeof(*ix->names));
	ix->names_mask = size - 1;
	for (size_t i = 0; ix->names && i < ix->fields_n; i++) {
		const struct field *f = ix->fields[i];
		if (f->kind != FIELD_LABEL && f->kind != FIELD_ANNOTATION)
			continue;
		ix->has_annotations |= f->kind == FIELD_ANNOTATION;
		uint64_t at = index_name_hash(&f->name, f->kind) & ix->names_mask;
		while (ix->names[at])
			at = (at + 1) & ix->names_mask;
		ix->names[at] = (uint32_t)i + 1;
	}
}

/* The first node's groups, by field. */
static void file_first(struct index *ix, struct arena *a)
{
	const struct index_node *first = &ix->nodes[0];

	ix->first_group = arena_array(a, ix->fields_n + 1, sizeof(*ix->first_group));
	ix->always = arena_array(a, first->group_n + 1, sizeof(*ix->always));
	if (!ix->first_group || !ix->always)
		return;
	for (size_t i = 0; i < ix->fields_n; i++)
		ix->first_group[i] = INDEX_NONE;
	for (uint32_t i = 0; i < first->group_n; i++) {
		const struct index_group *g = &ix->groups[first->group + i];
		enum field_kind kind = ix->fields[g->field]->kind;
		bool listed = kind == FIELD_LABEL || kind == FIELD_ANNOTATION;
		if (listed)
			ix->first_group[g->field] = first->group + i;
		if (!listed || g->empty)
			ix->always[ix->always_n++] = first->group + i;
	}
}

static struct index *finish(struct arena *a, const struct build *b, size_t rules)
{
	size_t used = a->used;
	struct index *ix = arena_zalloc(a, sizeof(*ix));

	if (!ix)
		return NULL;
	ix->nodes = copied(a, b->nodes, b->nodes_n, sizeof(*b->nodes));
	ix->groups = copied(a, b->groups, b->groups_n, sizeof(*b->groups));
	ix->rest = copied(a, b->rest, b->rest_n, sizeof(*b->rest));
	ix->fields_n = b->keys.fields_n;
	ix->fields = copied(a, b->keys.fields, ix->fields_n, sizeof(const struct field *));
	file_links(ix, a, b);
	if (arena_failed(a))
		return NULL;
	file_names(ix, a);
	file_first(ix, a);
	ix->values = arena_array(a, ix->fields_n + 1, sizeof(*ix->values));
	ix->seen = arena_array(a, ix->fields_n + 1, sizeof(*ix->seen));
	ix->bits = arena_array(a, rules / 64 + 1, sizeof(*ix->bits));
	ix->blocks_n = rules / 4096 + 1;
	ix->blocks = arena_array(a, ix->blocks_n, sizeof(*ix->blocks));
	ix->bytes = a->used - used;
	return arena_failed(a) ? NULL : ix;
}

struct index *index_new(struct arena *a, const struct rule *rules, size_t n, const struct pace *pace)
{
	struct index *ix = NULL;
	struct arena tmp;
	struct build b = {.tmp = &tmp, .keys.tmp = &tmp, .pace = pace};

	arena_init(&tmp, RULESET_MEMORY_LIMIT);
	for (size_t i = 0; i < n; i++) {
		pace_step(pace, i);
		add_rule(&b, &rules[i], (uint32_t)i);
	}
	uint32_t *all = arena_array(&tmp, b.entries_n + 1, sizeof(*all));
	for (size_t i = 0; all && i < b.entries_n; i++)
		all[i] = (uint32_t)i;
	b.places_most = 65536 + b.entries_n * INDEX_PLACES_FACTOR;
	if (!arena_failed(&tmp))
		add_node(&b, all, b.entries_n, (struct path){{0}, 0});
	if (!arena_failed(&tmp))
		ix = finish(a, &b, n);
	arena_release(&tmp);
	return ix;
}
