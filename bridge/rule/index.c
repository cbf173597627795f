/* index.c: from an event to the rules that it can concern.
 *
 * Cost: a look-up for each label, annotation and field that rules are filed under; where rules are
 * filed under parts of a value, one for each of its bytes. What is found leads to a rule, or to a
 * node that asks the next field. Rules that cannot hold are not touched.
 *
 * Guarantee: each rule that holds is a candidate. Candidates are bits, so that a rule that was
 * found by several ways stands there once, and they come out in the order of the rules.
 *
 * Nothing is allocated. The index is written to while it is asked: one thread.
 */
#include "rule/index_impl.h"

/* ---- candidates ---- */

static void add(struct index *ix, uint32_t rule)
{
	ix->bits[rule / 64] |= UINT64_C(1) << rule % 64;
	ix->blocks[rule / 4096] |= UINT64_C(1) << rule / 64 % 64;
}

size_t index_next(struct index *ix)
{
	while (ix->block_at < ix->blocks_n && !ix->blocks[ix->block_at])
		ix->block_at++;
	if (ix->block_at == ix->blocks_n) {
		ix->block_at = 0;
		return INDEX_END;
	}
	uint64_t *block = &ix->blocks[ix->block_at];
	size_t word = ix->block_at * 64 + (size_t)__builtin_ctzll(*block);
	size_t bit = (size_t)__builtin_ctzll(ix->bits[word]);

	ix->bits[word] &= ix->bits[word] - 1;
	if (!ix->bits[word])
		*block &= *block - 1;
	return word * 64 + bit;
}

/* ---- values ---- */

static struct index_value *set_value(struct index *ix, size_t field, struct str text)
{
	struct index_value *v = &ix->values[field];

	*v = (struct index_value){text, index_hash(text.p, text.n), ix->event};
	return v;
}

static bool is_listed(const struct field *f)
{
	return f->kind == FIELD_LABEL || f->kind == FIELD_ANNOTATION;
}

/* Labels and annotations that the event has are known already. */
static const struct index_value *value_of(
	struct index *ix, size_t field, struct arena *a, const struct event *ev)
{
	const struct index_value *v = &ix->values[field];
	struct str text = STR_NONE;

	if (v->event == ix->event)
		return v;
	if (!is_listed(ix->fields[field]))
		text = field_value(a, ix->fields[field], ev);
	return set_value(ix, field, text);
}

/* Takes the values that rules ask for; the number of fields that are now in ix->seen. */
static size_t take_values(
	struct index *ix, size_t n, const struct kv *v, size_t v_n, enum field_kind kind)
{
	for (size_t i = 0; i < v_n; i++) {
		uint64_t at = index_name_hash(&v[i].name, kind) & ix->names_mask;
		if (v[i].value.n == 0)
			continue;
		for (; ix->names[at]; at = (at + 1) & ix->names_mask) {
			const struct field *f = ix->fields[ix->names[at] - 1];
			if (f->kind != kind || !str_eq(f->name, v[i].name))
				continue;
			if (ix->values[ix->names[at] - 1].event != ix->event)
				ix->seen[n++] = ix->names[at] - 1;
			set_value(ix, ix->names[at] - 1, v[i].value);
			break;
		}
	}
	return n;
}

/* ---- the way down ---- */

static void visit(struct index *ix, uint32_t node, struct arena *a, const struct event *ev);

static void follow(struct index *ix, uint32_t target, struct arena *a, const struct event *ev)
{
	if (target & INDEX_IS_RULE)
		add(ix, target & ~INDEX_IS_RULE);
	else
		visit(ix, target, a, ev);
}

static inline bool may_be_known(const struct index *ix, uint64_t filter)
{
	uint64_t bit = filter & ix->bits_mask;

	return ix->bits_known[bit / 64] >> bit % 64 & 1;
}

static void look_up(struct index *ix, uint64_t key, struct arena *a, const struct event *ev)
{
	uint64_t at = index_place(key) & ix->slots_mask;

	for (; ix->slots[at].target; at = (at + 1) & ix->slots_mask)
		if (ix->slots[at].tag == index_tag(key))
			follow(ix, ix->slots[at].target, a, ev);
}

static inline void look(struct index *ix, uint64_t key, struct arena *a, const struct event *ev)
{
	if (may_be_known(ix, index_filter(key)))
		look_up(ix, key, a, ev);
}

static void look_up_part(struct index *ix, uint64_t part, size_t group, struct arena *a,
	const struct event *ev)
{
	uint64_t key = index_key(index_mix(part), group, INDEX_PART);
	uint64_t *last = &ix->followed[key % INDEX_FOLLOWED], this = key ^ index_mix(ix->event);

	if (*last == this)
		return;
	*last = this;
	look_up(ix, key, a, ev);
}

/* The parts of n bytes. Most of what a value holds is nobody's part: that is seen from a byte, else from a bit. */
static inline void look_for(struct index *ix, size_t group, struct str v, size_t n, struct arena *a,
	const struct event *ev)
{
	const uint64_t starts = ix->groups[group].part_starts;

	for (size_t i = 0; i + n <= v.n; i++) {
		if (!(starts >> (v.p[i] & 63) & 1))
			continue;
		uint64_t part = index_part(v.p + i, n);
		if (may_be_known(ix, index_part_filter(part, group)))
			look_up_part(ix, part, group, a, ev);
	}
}

/* Most parts have 8 bytes, and a constant makes of that a loop of few instructions. */
static void look_for_parts(struct index *ix, size_t group, struct str v, struct arena *a,
	const struct event *ev)
{
	uint32_t lengths = ix->groups[group].parts;

	for (; lengths; lengths &= lengths - 1) {
		size_t n = (size_t)__builtin_ctz(lengths) + 1;
		if (n == 8)
			look_for(ix, group, v, 8, a, ev);
		else
			look_for(ix, group, v, n, a, ev);
	}
}

static void visit_group(struct index *ix, size_t group, const struct index_value *v,
	struct arena *a, const struct event *ev)
{
	const struct index_group *g = &ix->groups[group];
	struct str text = v->text;

	if (g->words && (text.n > 0 || g->empty))
		look(ix, index_key(v->hash, group, INDEX_WORD), a, ev);
	if (text.n == 0)
		return;
	if (g->present)
		follow(ix, g->present, a, ev);
	for (uint32_t lengths = g->prefixes; lengths; lengths &= lengths - 1) {
		size_t n = (size_t)__builtin_ctz(lengths) + 1;
		if (n > text.n)
			break;
		look(ix, index_key(index_hash(text.p, n), group, INDEX_PREFIX), a, ev);
	}
	if (g->parts)
		look_for_parts(ix, group, text, a, ev);
}

static void add_rest(struct index *ix, const struct index_node *n)
{
	for (uint32_t i = 0; i < n->rest_n; i++)
		add(ix, ix->rest[n->rest + i]);
}

/* At most INDEX_DEPTH deep. */
static void visit(struct index *ix, uint32_t node, struct arena *a, const struct event *ev)
{
	struct index_node *n = &ix->nodes[node];

	if (n->event == ix->event)
		return;
	n->event = ix->event;
	add_rest(ix, n);
	for (uint32_t i = 0; i < n->group_n; i++) {
		size_t group = n->group + i;
		visit_group(ix, group, value_of(ix, ix->groups[group].field, a, ev), a, ev);
	}
}

void index_find(struct index *ix, struct arena *a, const struct event *ev)
{
	size_t n = 0;

	ix->event++;
	add_rest(ix, &ix->nodes[0]);
	if (ix->names_mask > 0)
		n = take_values(ix, n, ev->labels, ev->labels_n, FIELD_LABEL);
	if (ix->has_annotations)
		n = take_values(
			ix, n, ev->annotations, ev->annotations_n, FIELD_ANNOTATION);
	for (size_t i = 0; i < n; i++) {
		uint32_t group = ix->first_group[ix->seen[i]];
		if (group != INDEX_NONE)
			visit_group(ix, group, &ix->values[ix->seen[i]], a, ev);
	}
	for (size_t i = 0; i < ix->always_n; i++) {
		size_t field = ix->groups[ix->always[i]].field;
		bool seen = is_listed(ix->fields[field]) &&
			    ix->values[field].event == ix->event && ix->values[field].text.n > 0;
		if (!seen)
			visit_group(ix, ix->always[i], value_of(ix, field, a, ev), a, ev);
	}
}

struct index_figures index_figures(const struct index *ix)
{
	return (struct index_figures){ix->nodes[0].rest_n, ix->bytes};
}
