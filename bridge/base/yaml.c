/* yaml.c: libyaml's events made into a tree of our own (docs/design/yaml.md says why it).
 *
 * Guarantee: in a tree that was returned without an error each map has each key once, all keys
 * are texts, nesting is at most YAML_DEPTH_LIMIT, and every value and key has its place. Nothing
 * of the library lives longer than the call, and it prints nothing. Findings of this file
 * (anchors, tags, doubled keys) do not stop the parser, so that all are told at once; what makes
 * the rest of a file unreadable does.
 *
 * The library says what its scanner missed; the table below says what the writer of the file
 * did, for the mistakes that people make.
 *
 * It does not know what a value means: text stays text until someone asks for a number.
 */
#include "base/yaml.h"

#include <yaml.h>
#include "base/utf8.h"

#define MAP_KEYS_LIMIT 4096	/* doubled keys are found by comparing with each */
#define TAG_PREFIX "tag:yaml.org,2002:"

struct frame {
	struct yaml *container;
	struct yaml *tail;
	bool has_key;		/* the next event is the value of key */
	struct str key;
	int key_line, key_column;
};

struct builder {
	struct arena *arena;
	struct str bytes;
	const char *name;
	struct diags *diags;
	size_t errors_before;
	int line_base, column_base;
	int line, column;	/* of the event at hand */
	struct yaml *root;
	unsigned documents;
	unsigned depth;
	bool done;		/* nothing more is wanted */
	struct frame frames[YAML_DEPTH_LIMIT + 1];
};

static int line_of(const struct builder *b, yaml_mark_t m)
{
	return (int)m.line + 1 + b->line_base;
}

static int column_of(const struct builder *b, yaml_mark_t m)
{
	return (int)m.column + 1 + b->column_base;
}

static void complain(struct builder *b, int line, int column, const char *text)
{
	diag_add(b->diags, DIAG_ERROR, b->name, line, column, "%s", text);
}

static void complain_here(struct builder *b, const char *text)
{
	complain(b, b->line, b->column, text);
}

static bool is_null(struct str s)
{
	return s.n == 0 || str_is(s, "~") || str_is(s, "null") || str_is(s, "Null") ||
		str_is(s, "NULL");
}

/* True where the tag says that a plain scalar is a text all the same. */
static bool check_tag(struct builder *b, const yaml_char_t *tag)
{
	static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
	struct str t = str_of((const char *)tag);
	struct str prefix = STR(TAG_PREFIX);

	if (!tag)
		return false;
	for (size_t i = 0; str_starts(t, prefix) && i < sizeof(core) / sizeof(core[0]); i++) {
		if (str_is((struct str){t.p + prefix.n, t.n - prefix.n}, core[i]))
			return i == 0;
	}
	complain_here(b, "tags are not taken; leave it out");
	return false;
}

static void check_anchor(struct builder *b, const yaml_char_t *anchor)
{
	if (anchor)
		complain_here(b, "anchors and aliases are not taken; write the value out");
}

/* ---- the tree ---- */

static void add_key(struct builder *b, struct frame *f, struct str key)
{
	for (const struct yaml *y = f->container->child; y; y = y->next) {
		if (str_eq(y->key, key)) {
			diag_add(b->diags, DIAG_ERROR, b->name, b->line, b->column,
				"key '%.*s' was given already in line %d", STR_ARG(key),
				y->key_line);
			break;
		}
	}
	f->key = arena_strdup(b->arena, key);
	f->key_line = b->line;
	f->key_column = b->column;
	f->has_key = true;
}

static struct yaml *add_value(struct builder *b, enum yaml_kind kind)
{
	struct frame *f = &b->frames[b->depth];
	struct yaml *y = arena_zalloc(b->arena, sizeof(*y));
	if (!y)
		return NULL;
	y->kind = kind;
	y->line = b->line;
	y->column = b->column;
	if (!f->container) {
		b->root = y;
		return y;
	}
	if (f->container->kind == YAML_MAP) {
		y->key = f->key;
		y->key_line = f->key_line;
		y->key_column = f->key_column;
		f->has_key = false;
	}
	if (f->tail)
		f->tail->next = y;
	else
		f->container->child = y;
	f->tail = y;
	if (++f->container->count == MAP_KEYS_LIMIT + 1 && f->container->kind == YAML_MAP)
		complain_here(b, "a map may have no more than 4096 keys");
	return y;
}

static bool wants_key(const struct builder *b)
{
	const struct frame *f = &b->frames[b->depth];
	return f->container && f->container->kind == YAML_MAP && !f->has_key;
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
	struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
	bool is_text = check_tag(b, event->data.scalar.tag);
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_text;

	check_anchor(b, event->data.scalar.anchor);
	if (wants_key(b)) {
		if (plain && is_null(text))
			complain_here(b, "a key must be a text");
		add_key(b, &b->frames[b->depth], text);
		return;
	}
	struct yaml *y = add_value(b, plain && is_null(text) ? YAML_NULL : YAML_SCALAR);
	if (!y)
		return;
	y->plain = plain;
	y->text = arena_strdup(b->arena, text);
}

static void on_start(struct builder *b, enum yaml_kind kind, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	check_anchor(b, anchor);
	check_tag(b, tag);
	if (wants_key(b)) {
		complain_here(b, "a key must be a text; quote what begins with '{' or '['");
		b->done = true;
		return;
	}
	struct yaml *y = add_value(b, kind);
	if (!y)
		return;
	if (b->depth == YAML_DEPTH_LIMIT) {
		complain_here(b, "nested too deep");
		b->done = true;
		return;
	}
	b->frames[++b->depth] = (struct frame){.container = y};
}

static void on_alias(struct builder *b)
{
	complain_here(b, "anchors and aliases are not taken; write the value out");
	if (wants_key(b))
		add_key(b, &b->frames[b->depth], STR("*"));
	else
		add_value(b, YAML_NULL);
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
	b->line = line_of(b, event->start_mark);
	b->column = column_of(b, event->start_mark);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++b->documents > 1) {
			complain_here(b, "a second document; a file holds one");
			b->done = true;
		}
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, event);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b);
		break;
	case YAML_MAPPING_START_EVENT:
		on_start(b, YAML_MAP, event->data.mapping_start.anchor,
			event->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_start(b, YAML_SEQ, event->data.sequence_start.anchor,
			event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		b->depth--;
		break;
	case YAML_STREAM_END_EVENT:
		b->done = true;
		break;
	default:
		break;
	}
	b->done |= arena_failed(b->arena) || b->diags->n >= DIAGS_MAX;
}

/* ---- what the library found ---- */

enum place {
	AT_PROBLEM,
	AT_CONTEXT,	/* where that begins which is at fault */
	AT_PROBLEM_SINCE,	/* the text ends with the place of the context */
};

static const struct words {
	const char *context;	/* NULL: any */
	const char *problem;
	enum place place;
	const char *text;
} words[] = {
	{"while parsing a flow sequence", "did not find expected ',' or ']'", AT_PROBLEM_SINCE,
		"expected ',' or ']' in the list that begins"},
	{"while parsing a flow mapping", "did not find expected ',' or '}'", AT_PROBLEM_SINCE,
		"expected ',' or '}' in the map that begins"},
	{"while parsing a block mapping", "did not find expected key", AT_PROBLEM_SINCE,
		"check indentation and quotes: this does not fit the map that begins"},
	{"while parsing a block collection", "did not find expected '-' indicator",
		AT_PROBLEM_SINCE,
		"check indentation and quotes: this does not fit the list that begins"},
	{NULL, "mapping values are not allowed in this context", AT_PROBLEM,
		"a ':' that cannot stand here; check the indentation, or quote the text it is in"},
	{"while scanning a simple key", "could not find expected ':'", AT_CONTEXT,
		"a key without a ':' behind it"},
	{"while scanning a quoted scalar", "found unexpected end of stream", AT_CONTEXT,
		"the quote that begins here is not closed"},
	{"while parsing a quoted scalar", "found unknown escape character", AT_PROBLEM,
		"unknown escape; put a text with backslashes in single quotes"},
	{NULL, "block sequence entries are not allowed in this context", AT_PROBLEM,
		"a '-' that cannot stand here; check the indentation"},
};

static bool is_same(const char *wanted, const char *got)
{
	return !wanted || (got && strcmp(wanted, got) == 0);
}

/* "@x" or a tab: the library does not say which character it was. */
static void complain_of_character(struct builder *b, const yaml_parser_t *p)
{
	int line = line_of(b, p->problem_mark);
	int column = column_of(b, p->problem_mark);
	size_t i = p->problem_mark.index;
	char c = i < b->bytes.n ? b->bytes.p[i] : '\0';

	if (c == '\t')
		complain(b, line, column, "a tab; indent with spaces");
	else if (c > ' ')
		diag_add(b->diags, DIAG_ERROR, b->name, line, column,
			"a text cannot begin with '%c'; quote it", c);
	else
		complain(b, line, column, "a character that cannot stand here");
}

static void complain_in_words(struct builder *b, const yaml_parser_t *p, const struct words *w)
{
	int line = line_of(b, p->context_mark);
	int column = column_of(b, p->context_mark);

	if (w->place == AT_CONTEXT)
		complain(b, line, column, w->text);
	else if (w->place == AT_PROBLEM)
		complain(b, line_of(b, p->problem_mark), column_of(b, p->problem_mark), w->text);
	else
		diag_add(b->diags, DIAG_ERROR, b->name, line_of(b, p->problem_mark),
			column_of(b, p->problem_mark), "%s in line %d, column %d", w->text, line,
			column);
}

static void take_finding(struct builder *b, const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "no memory";

	if (p->error == YAML_SCANNER_ERROR &&
		strcmp(problem, "found character that cannot start any token") == 0) {
		complain_of_character(b, p);
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (is_same(words[i].context, p->context) && is_same(words[i].problem, problem)) {
			complain_in_words(b, p, &words[i]);
			return;
		}
	}
	diag_add(b->diags, DIAG_ERROR, b->name, line_of(b, p->problem_mark),
		column_of(b, p->problem_mark), "%s%s%s", p->context ? p->context : "",
		p->context ? ": " : "", problem);
}

static void parse(struct builder *b)
{
	yaml_parser_t parser;
	yaml_event_t event;

	if (!yaml_parser_initialize(&parser)) {
		complain(b, 1, 1, "no memory");
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)b->bytes.p, b->bytes.n);
	while (!b->done) {
		if (!yaml_parser_parse(&parser, &event)) {
			take_finding(b, &parser);
			break;
		}
		on_event(b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

/* What no YAML may hold, by the specification's "printable": found here with its place, which
 * the library's reader does not give. */
static const char *bad_character(struct str rest)
{
	const unsigned char *u = (const unsigned char *)rest.p;
	size_t n = utf8_char(rest.p, rest.n);
	if (n == 0)
		return "invalid bytes: not UTF-8";
	bool c0 = u[0] < ' ' && u[0] != '\t' && u[0] != '\n' && u[0] != '\r';
	bool c1 = n == 2 && u[0] == 0xC2 && u[1] < 0xA0 && u[1] != 0x85;
	bool none = n == 3 && u[0] == 0xEF && u[1] == 0xBF && u[2] >= 0xBE;
	return c0 || c1 || none || u[0] == 0x7F ? "a control character; write it as an escape"
						: NULL;
}

static bool check_bytes(struct builder *b)
{
	struct str rest = b->bytes;
	int line = 1, column = 1;
	while (rest.n) {
		const char *bad = bad_character(rest);
		if (bad) {
			complain(b, line + b->line_base, column + b->column_base, bad);
			return false;
		}
		size_t n = utf8_char(rest.p, rest.n);
		column = rest.p[0] == '\n' ? 1 : column + 1;
		line += rest.p[0] == '\n';
		rest.p += n;
		rest.n -= n;
	}
	return true;
}

struct yaml *yaml_parse_at(struct arena *a, struct str bytes, const char *name, int line_base,
	int column_base, struct diags *d)
{
	struct builder b = {
		.arena = a,
		.bytes = bytes.n ? bytes : STR(""),
		.name = name,
		.diags = d,
		.errors_before = d->errors,
		.line_base = line_base,
		.column_base = column_base,
		.line = 1 + line_base,
		.column = 1 + column_base,
	};
	if (bytes.n > YAML_FILE_LIMIT) {
		diag_add(d, DIAG_ERROR, name, 0, 0, "the file is larger than %zu bytes",
			YAML_FILE_LIMIT);
		return NULL;
	}
	if (!check_bytes(&b))
		return NULL;
	parse(&b);
	if (d->errors == b.errors_before && !b.root)
		add_value(&b, YAML_NULL);
	if (arena_failed(a))
		complain(&b, b.line, b.column, "the file needs more memory than it may have");
	return d->errors == b.errors_before ? b.root : NULL;
}

struct yaml *yaml_parse(struct arena *a, struct str bytes, const char *name, struct diags *d)
{
	return yaml_parse_at(a, bytes, name, 0, 0, d);
}

const struct yaml *yaml_get(const struct yaml *y, const char *key)
{
	if (!y || y->kind != YAML_MAP)
		return NULL;
	for (const struct yaml *c = y->child; c; c = c->next) {
		if (str_is(c->key, key))
			return c;
	}
	return NULL;
}

bool yaml_bool(const struct yaml *y, bool *v)
{
	if (!y || y->kind != YAML_SCALAR || !y->plain)
		return false;
	*v = str_is(y->text, "true");
	return *v || str_is(y->text, "false");
}

bool yaml_i64(const struct yaml *y, int64_t *v)
{
	if (!y || y->kind != YAML_SCALAR || !y->plain)
		return false;
	bool minus = y->text.p[0] == '-';
	size_t i = minus;
	if (i == y->text.n)
		return false;
	*v = 0;
	for (; i < y->text.n; i++) {
		int digit = y->text.p[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		if (__builtin_mul_overflow(*v, 10, v) ||
			__builtin_add_overflow(*v, minus ? -digit : digit, v))
			return false;
	}
	return true;
}
