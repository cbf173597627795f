/* topology.c: nodes and what they depend on, and which of that an event has to do with.
 *
 * Guarantee: once read there are no cycles, and `pairs` holds every node with all that it depends
 * on, directly or by way of others. A step of a way asks that both ends have the same values of
 * some labels; a whole way asks for those of all its steps, so that the two ends of a way whose
 * middle is silent are never brought together by less than each step asks for.
 *
 * What goes out are keys: two alerts that stand at the two ends of a pair, with the same values,
 * have the same key, one as what is depended on, one as what depends. The store brings their
 * incidents together; this neither knows incidents nor time.
 */
#include "rule/topology.h"

#include <stdlib.h>
#include "base/nearest.h"
#include "rule/reader.h"

#define KEY_TEXT_LIMIT (64 << 20) /* what a key may be made of */
#define KEY_HEX 32		  /* of its hash: enough to be unique */

struct same {
	struct field *v; /* sorted by text, none twice */
	size_t n;
};

/* `depends_on` as written. */
struct step {
	struct str node;
	int line, column; /* of the name; 0: it has none */
	struct same same;
	size_t to;
};

struct topology_node {
	struct str name;
	const char *file;
	int line, column;
	struct matchers match;
	struct step *steps;
	size_t steps_n;
	struct topology_pair *pairs; /* all that it depends on */
	size_t pairs_n;
	struct same *as_root; /* what those who depend on it ask to be the same; none twice */
	size_t as_root_n;
};

struct topology_pair {
	size_t to;
	struct same same;
};

struct topology_build {
	struct rules_build *all;
	struct topology_node *node; /* that is being read */
	struct step *step;
};

/* ---- files ---- */

static int by_text(const void *a, const void *b)
{
	return str_cmp(((const struct field *)a)->text, ((const struct field *)b)->text);
}

static void sort_same(struct same *s)
{
	size_t kept = 0;

	if (s->n > 1)
		qsort(s->v, s->n, sizeof(s->v[0]), by_text);
	for (size_t i = 0; i < s->n; i++)
		if (kept == 0 || !str_eq(s->v[kept - 1].text, s->v[i].text))
			s->v[kept++] = s->v[i];
	s->n = kept;
}

static void read_same(struct reader *r, const struct yaml *y, void *into)
{
	struct same *same = &((struct topology_build *)into)->step->same;
	const struct yaml **v;
	struct err e;
	size_t n;

	if (!reader_list(r, y, true, &v, &n))
		return;
	if (n > RULE_BY_LIMIT) {
		reader_error(r, y, "%zu fields, at most %d are taken", n, RULE_BY_LIMIT);
		return;
	}
	same->v = arena_array(r->arena, n, sizeof(*same->v));
	for (size_t i = 0; i < n && same->v; i++) {
		if (field_parse(r->arena, v[i]->text, &same->v[same->n], &e) == 0)
			same->n++;
		else
			reader_error_in(r, v[i], "", &e);
	}
	sort_same(same);
}

static void read_step_node(struct reader *r, const struct yaml *y, void *into)
{
	struct step *step = ((struct topology_build *)into)->step;

	if (!reader_text(r, y, &step->node))
		return;
	step->line = y->line;
	step->column = y->column;
}

static void read_step(struct reader *r, const struct yaml *y, struct topology_build *b)
{
	static const struct reader_key keys[] = {
		{"node", read_step_node, false},
		{"same", read_same, false},
		{NULL, NULL, false},
	};

	*b->step = (struct step){0};
	if (y->kind == YAML_SCALAR)
		read_step_node(r, y, b);
	else if (reader_map(r, y, "an entry of 'depends_on'", keys, b) && !yaml_get(y, "node"))
		reader_error(r, y,
			"this entry has no 'node'; it is one as in {node: database, same: "
			"[cluster]}");
}

static void read_depends_on(struct reader *r, const struct yaml *y, void *into)
{
	struct topology_build *b = into;

	if (y->kind != YAML_SEQ || y->count == 0 || y->count > TOPOLOGY_DEPENDS_MAX) {
		reader_error(r, y,
			"want a list of nodes, at most %d, as in [{node: database, same: "
			"[cluster]}]",
			TOPOLOGY_DEPENDS_MAX);
		return;
	}
	b->node->steps = arena_array(r->arena, y->count, sizeof(*b->node->steps));
	for (const struct yaml *c = y->child; c && b->node->steps; c = c->next) {
		b->step = &b->node->steps[b->node->steps_n];
		read_step(r, c, b);
		if (b->step->line)
			b->node->steps_n++;
	}
}

static void read_match(struct reader *r, const struct yaml *y, void *into)
{
	struct topology_node *node = ((struct topology_build *)into)->node;
	const struct yaml **v;
	struct err e;
	size_t n;

	reader_list(r, y, true, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct matchers m;
		if (matchers_parse(r->arena, v[i]->text, &m, &e) < 0) {
			reader_error_in(r, v[i], "", &e);
		} else if (matchers_join(r->arena, &node->match, &m, &e) < 0) {
			matchers_release(&m);
			reader_error(r, v[i], "%s", e.text);
		}
	}
}

static void read_name(struct reader *r, const struct yaml *y, void *into)
{
	struct topology_node *node = ((struct topology_build *)into)->node;
	struct str s;

	if (!reader_name(r, y, "node", RULE_NAME_LIMIT, &s))
		return;
	node->name = s;
	node->line = y->line;
	node->column = y->column;
}

/* NULL: no memory. */
static struct topology_node *new_node(struct topology_build *b)
{
	struct ruleset *rs = b->all->rs;

	if (!rs->nodes)
		rs->nodes = arena_array(&rs->arena, TOPOLOGY_NODES_MAX, sizeof(*rs->nodes));
	if (!rs->nodes)
		return NULL;
	struct topology_node *node = &rs->nodes[rs->nodes_n++];
	*node = (struct topology_node){0};
	return node;
}

static void read_node(struct reader *r, const struct yaml *y, struct topology_build *b)
{
	static const struct reader_key keys[] = {
		{"node", read_name, false},
		{"match", read_match, false},
		{"depends_on", read_depends_on, false},
		{NULL, NULL, false},
	};

	b->node = new_node(b);
	if (!b->node)
		return;
	struct str file = arena_strdup(r->arena, str_of(r->file));
	b->node->file = file.p ? file.p : "";
	if (!reader_map(r, y, "a node", keys, b))
		return;
	if (!yaml_get(y, "node"))
		reader_error(r, y, "this node has no name; give it one with 'node'");
	if (!yaml_get(y, "match"))
		reader_error(r, y,
			"this node has no 'match', which says whose alerts are its own, as in "
			"'service = \"postgres\"'");
}

void topology_read(struct reader *r, const struct yaml *y, void *into)
{
	struct topology_build b = {.all = into};

	if (y->kind != YAML_SEQ) {
		reader_error(r, y, "want a list of nodes");
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		if (b.all->rs->nodes_n == TOPOLOGY_NODES_MAX) {
			reader_error(r, c,
				"more than %d nodes in all files; say more with one matcher",
				TOPOLOGY_NODES_MAX);
			return;
		}
		read_node(r, c, &b);
	}
}

/* ---- nodes among each other ---- */

static size_t find_node(const struct ruleset *rs, struct str name)
{
	size_t i = 0;

	while (i < rs->nodes_n && !str_eq(rs->nodes[i].name, name))
		i++;
	return i;
}

static void unknown_node(const struct ruleset *rs, const struct topology_node *of,
	const struct step *s, struct diags *d)
{
	const char *names[TOPOLOGY_NODES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < rs->nodes_n; i++)
		if (rs->nodes[i].name.n)
			names[n++] = rs->nodes[i].name.p;
	const char *near = nearest(s->node, names, n);
	diag_add(d, DIAG_ERROR, of->file, s->line, s->column, "there is no node '%.*s'%s%s%s",
		STR_ARG(s->node), near ? ", did you mean '" : "; add one with 'node'",
		near ? near : "", near ? "'?" : "");
}

static void resolve_names(struct ruleset *rs, struct diags *d)
{
	for (size_t i = 0; i < rs->nodes_n; i++) {
		struct topology_node *n = &rs->nodes[i];
		if (n->name.n && find_node(rs, n->name) < i)
			diag_add(d, DIAG_ERROR, n->file, n->line, n->column,
				"there is a node '%.*s' already, in %s:%d; names are unique across "
				"files",
				STR_ARG(n->name), rs->nodes[find_node(rs, n->name)].file,
				rs->nodes[find_node(rs, n->name)].line);
		for (size_t k = 0; k < n->steps_n; k++) {
			n->steps[k].to = find_node(rs, n->steps[k].node);
			if (n->steps[k].to == rs->nodes_n)
				unknown_node(rs, n, &n->steps[k], d);
		}
	}
}

/* A way through the nodes: which node, and which of its steps comes next. */
struct way {
	size_t node[TOPOLOGY_NODES_MAX + 1];
	size_t next[TOPOLOGY_NODES_MAX + 1];
	size_t n;
};

static void tell_cycle(const struct ruleset *rs, const struct way *w, size_t from, struct diags *d)
{
	const struct topology_node *first = &rs->nodes[w->node[from]];
	struct buf path;

	buf_init(&path, BUF_NO_LIMIT);
	for (size_t i = from; i < w->n; i++)
		buf_printf(&path, "%.*s -> ", STR_ARG(rs->nodes[w->node[i]].name));
	buf_str(&path, first->name);
	diag_add(d, DIAG_ERROR, first->file, first->line, first->column,
		"these nodes depend on each other in a circle: %s; remove one 'depends_on'",
		path.p ? path.p : "");
	buf_release(&path);
}

enum { WHITE, GREY, BLACK }; /* not seen, on the way, done */

/* Depth first from one node, without recursion: a file says how deep it goes. */
static void find_cycles_from(const struct ruleset *rs, size_t start, struct way *w,
	unsigned char *colour, struct diags *d)
{
	w->n = 1;
	w->node[0] = start;
	w->next[0] = 0;
	colour[start] = GREY;
	while (w->n > 0) {
		size_t at = w->n - 1;
		const struct topology_node *n = &rs->nodes[w->node[at]];
		if (w->next[at] == n->steps_n) {
			colour[w->node[at]] = BLACK;
			w->n--;
			continue;
		}
		size_t to = n->steps[w->next[at]++].to;
		if (colour[to] == GREY) {
			size_t from = 0;
			while (w->node[from] != to)
				from++;
			tell_cycle(rs, w, from, d);
		} else if (colour[to] == WHITE) {
			colour[to] = GREY;
			w->node[w->n] = to;
			w->next[w->n++] = 0;
		}
	}
}

static void find_cycles(struct ruleset *rs, struct diags *d)
{
	unsigned char *colour = arena_zalloc(&rs->arena, rs->nodes_n + 1);
	struct way *w = arena_alloc(&rs->arena, sizeof(*w));

	for (size_t i = 0; colour && w && i < rs->nodes_n; i++)
		if (colour[i] == WHITE)
			find_cycles_from(rs, i, w, colour, d);
}

/* ---- all pairs ---- */

static bool is_same(const struct same *a, const struct same *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->v[i].text, b->v[i].text))
			return false;
	return true;
}

static struct same joined(struct arena *a, const struct same *x, const struct same *y)
{
	struct same out = {arena_array(a, x->n + y->n + 1, sizeof(*out.v)), 0};

	for (size_t i = 0; out.v && i < x->n; i++)
		out.v[out.n++] = x->v[i];
	for (size_t i = 0; out.v && i < y->n; i++)
		out.v[out.n++] = y->v[i];
	sort_same(&out);
	return out;
}

/* False: there is no room for it. */
static bool add_pair(struct topology_node *n, size_t to, struct same same)
{
	for (size_t i = 0; i < n->pairs_n; i++)
		if (n->pairs[i].to == to && is_same(&n->pairs[i].same, &same))
			return true;
	if (n->pairs_n == TOPOLOGY_DEPENDS_MAX)
		return false;
	n->pairs[n->pairs_n++] = (struct topology_pair){to, same};
	return true;
}

static bool pairs_by(struct ruleset *rs, struct topology_node *n, const struct step *s)
{
	const struct topology_node *to = &rs->nodes[s->to];
	bool fit = add_pair(n, s->to, s->same);

	for (size_t i = 0; i < to->pairs_n && fit; i++)
		fit = add_pair(
			n, to->pairs[i].to, joined(&rs->arena, &s->same, &to->pairs[i].same));
	return fit;
}

static bool pairs_known(const struct ruleset *rs, const struct topology_node *n)
{
	for (size_t i = 0; i < n->steps_n; i++)
		if (!rs->nodes[n->steps[i].to].pairs)
			return false;
	return true;
}

static void find_pairs_of(struct ruleset *rs, struct topology_node *n, struct diags *d)
{
	bool fit = true;

	n->pairs = arena_array(&rs->arena, TOPOLOGY_DEPENDS_MAX, sizeof(*n->pairs));
	for (size_t i = 0; i < n->steps_n && n->pairs && fit; i++)
		fit = pairs_by(rs, n, &n->steps[i]);
	if (!fit)
		diag_add(d, DIAG_ERROR, n->file, n->line, n->column,
			"the node '%.*s' depends on more than %d others, directly or by way of "
			"others",
			STR_ARG(n->name), TOPOLOGY_DEPENDS_MAX);
}

/* Those that depend on nothing first: there are no cycles, so each round finds some. */
static void find_pairs(struct ruleset *rs, struct diags *d)
{
	size_t left = rs->nodes_n;

	while (left > 0 && !arena_failed(&rs->arena)) {
		for (size_t i = 0; i < rs->nodes_n && !arena_failed(&rs->arena); i++) {
			struct topology_node *n = &rs->nodes[i];
			if (n->pairs || !pairs_known(rs, n))
				continue;
			find_pairs_of(rs, n, d);
			left--;
		}
	}
}

/* False: there is no room for it. */
static bool note_root(struct ruleset *rs, struct topology_node *n, const struct same *same)
{
	if (!n->as_root)
		n->as_root = arena_array(&rs->arena, TOPOLOGY_SAMES_MAX, sizeof(*n->as_root));
	for (size_t i = 0; i < n->as_root_n; i++)
		if (is_same(&n->as_root[i], same))
			return true;
	if (!n->as_root || n->as_root_n == TOPOLOGY_SAMES_MAX)
		return arena_failed(&rs->arena);
	n->as_root[n->as_root_n++] = *same;
	return true;
}

static void find_roots(struct ruleset *rs, struct diags *d)
{
	for (size_t i = 0; i < rs->nodes_n; i++) {
		const struct topology_node *from = &rs->nodes[i];
		for (size_t k = 0; k < from->pairs_n; k++) {
			struct topology_node *to = &rs->nodes[from->pairs[k].to];
			if (note_root(rs, to, &from->pairs[k].same))
				continue;
			diag_add(d, DIAG_ERROR, to->file, to->line, to->column,
				"those who depend on the node '%.*s' have more than %d different "
				"lists "
				"'same' together",
				STR_ARG(to->name), TOPOLOGY_SAMES_MAX);
			return;
		}
	}
}

void topology_check(struct ruleset *rs, struct diags *d)
{
	size_t errors = d->errors;

	resolve_names(rs, d);
	if (d->errors == errors)
		find_cycles(rs, d);
	if (d->errors == errors)
		find_pairs(rs, d);
	if (d->errors == errors)
		find_roots(rs, d);
}

void topology_release(struct ruleset *rs)
{
	for (size_t i = 0; i < rs->nodes_n; i++)
		matchers_release(&rs->nodes[i].match);
}

/* ---- an event ---- */

static bool is_host(const struct field *f)
{
	return str_is(f->text, "host");
}

/* "u" or "d", the node that is depended on, and a hash of the values. STR_NONE: the event has no
 * value of one. */
static struct str make_key(struct arena *a, const struct topology_node *root,
	const struct same *same, char side, const struct event *ev)
{
	char sha[HASH_SHA256_HEX];
	bool whole = true;
	struct buf b;

	buf_init(&b, KEY_TEXT_LIMIT);
	for (size_t i = 0; i < same->n; i++) {
		struct str v =
			is_host(&same->v[i]) ? rule_host(ev) : field_value(a, &same->v[i], ev);
		whole = whole && v.n > 0;
		buf_printf(&b, "%.*s=%zu:", STR_ARG(same->v[i].text), v.n);
		buf_str(&b, v);
		buf_putc(&b, ';');
	}
	if (buf_failed(&b))
		a->failed = true;
	else
		hash_sha256_hex(buf_as_str(&b), sha);
	whole = whole && !buf_failed(&b);
	buf_release(&b);
	return whole ? arena_printf(a, "%c%.*s:%.*s", side, STR_ARG(root->name), KEY_HEX, sha)
		     : STR_NONE;
}

static void add_key(struct rule_topology *out, struct str key)
{
	if (key.n == 0 || out->n == TOPOLOGY_KEYS_MAX)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->keys[i], key))
			return;
	out->keys[out->n++] = key;
}

static void add_keys(const struct ruleset *rs, struct arena *a, const struct topology_node *n,
	const struct event *ev, struct rule_topology *out)
{
	for (size_t i = 0; i < n->as_root_n; i++)
		add_key(out, make_key(a, n, &n->as_root[i], 'u', ev));
	for (size_t i = 0; i < n->pairs_n; i++) {
		const struct topology_pair *p = &n->pairs[i];
		add_key(out, make_key(a, &rs->nodes[p->to], &p->same, 'd', ev));
	}
}

int ruleset_topology(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_topology *out)
{
	*out = (struct rule_topology){0};
	if (rs->nodes_n == 0 || ev->status != EVENT_FIRING || ev->fingerprint.n == 0)
		return 0;
	out->keys = arena_array(a, TOPOLOGY_KEYS_MAX, sizeof(*out->keys));
	if (!out->keys)
		return -1;
	matcher_scratch_begin(rs->scratch);
	for (size_t i = 0; i < rs->nodes_n; i++) {
		const struct topology_node *n = &rs->nodes[i];
		/* A regex that gives up (-1) leaves the alert out of the node. */
		if ((n->as_root_n || n->pairs_n) &&
			matchers_eval(&n->match, rs->scratch, a, ev, NULL, NULL) == 1)
			add_keys(rs, a, n, ev, out);
	}
	return arena_failed(a) ? -1 : 0;
}
