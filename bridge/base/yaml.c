/* yaml.c: libfyaml's events made into a tree of our own (docs/design/yaml.md says why it).
 *
 * Guarantee: in a tree that was returned without an error each map has each key once, all keys
 * are texts, nesting is at most YAML_DEPTH_LIMIT, and every value and key has its place. Nothing
 * of the library lives longer than the call, and it prints nothing: its findings are collected
 * and become ours. Findings of this file (anchors, tags, doubled keys) do not stop the parser, so
 * that all are told at once; the library itself stops at its first.
 *
 * It does not know what a value means: text stays text until someone asks for a number.
 */
#include "base/yaml.h"

#include <libfyaml.h>
#include "base/utf8.h"

#define MAP_KEYS_LIMIT 4096	/* doubled keys are found by comparing with each */

struct frame {
	struct yaml *container;
	struct yaml *tail;
	bool has_key;		/* the next event is the value of key */
	struct str key;
	int key_line, key_column;
};

struct builder {
	struct arena *arena;
	const char *name;
	struct diags *diags;
	size_t errors_before;
	int line_base, column_base;
	int line, column;	/* of the event at hand */
	struct yaml *root;
	unsigned documents;
	unsigned depth;
	unsigned skip;		/* open containers inside a key or below the depth limit */
	struct frame frames[YAML_DEPTH_LIMIT + 1];
};

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

static bool is_quoted(struct fy_event *event)
{
	if (event->type != FYET_SCALAR || !event->scalar.value)
		return false;
	enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* An empty value has no place of its own: it gets the one of what came before it. The library
 * counts from 0, and marks a quoted text and an alias behind their first character. */
static void note_place(struct builder *b, struct fy_event *event)
{
	const struct fy_mark *m = fy_event_start_mark(event);
	if (!m)
		return;
	bool behind = is_quoted(event) || event->type == FYET_ALIAS;
	b->line = m->line + 1 + b->line_base;
	b->column = m->column + !behind + b->column_base;
}

static void check_tag(struct builder *b, struct fy_token *tag, bool *is_text)
{
	static const char *const core[] = {"str", "int", "float", "bool", "null", "map", "seq"};
	const char *handle = tag ? fy_tag_token_handle0(tag) : NULL;
	const char *suffix = tag ? fy_tag_token_suffix0(tag) : NULL;

	*is_text = false;
	if (!tag)
		return;
	for (size_t i = 0; handle && suffix && i < sizeof(core) / sizeof(core[0]); i++) {
		if (strcmp(handle, "!!") == 0 && strcmp(suffix, core[i]) == 0) {
			*is_text = i == 0;
			return;
		}
	}
	complain_here(b, "tags are not taken; leave it out");
}

static void check_anchor(struct builder *b, struct fy_token *anchor)
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

static void on_scalar(struct builder *b, struct fy_event *event)
{
	struct fy_token *token = event->scalar.value;
	struct str text = STR_NONE;
	bool is_text;

	if (b->skip)
		return;
	check_anchor(b, event->scalar.anchor);
	check_tag(b, event->scalar.tag, &is_text);
	if (token)
		text.p = fy_token_get_text(token, &text.n);
	bool plain = !is_text && (!token || fy_token_scalar_style(token) == FYSS_PLAIN);
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

static void on_start(struct builder *b, enum yaml_kind kind, struct fy_token *anchor,
	struct fy_token *tag)
{
	bool ignored;
	if (b->skip) {
		b->skip++;
		return;
	}
	check_anchor(b, anchor);
	check_tag(b, tag, &ignored);
	if (wants_key(b)) {
		complain_here(b, "a key must be a text; quote it where it begins with '{' or '['");
		add_key(b, &b->frames[b->depth], STR("?"));
		b->skip = 1;
		return;
	}
	struct yaml *y = add_value(b, kind);
	if (!y || b->depth == YAML_DEPTH_LIMIT) {
		if (y)
			complain_here(b, "nested too deep");
		b->skip = 1;
		return;
	}
	b->frames[++b->depth] = (struct frame){.container = y};
}

static void on_end(struct builder *b)
{
	if (b->skip)
		b->skip--;
	else if (b->depth)
		b->depth--;
}

static void on_alias(struct builder *b)
{
	if (b->skip)
		return;
	complain_here(b, "anchors and aliases are not taken; write the value out");
	if (wants_key(b))
		add_key(b, &b->frames[b->depth], STR("*"));
	else
		add_value(b, YAML_NULL);
}

/* False: nothing more is wanted. */
static bool on_event(struct builder *b, struct fy_event *event)
{
	note_place(b, event);
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (++b->documents == 1)
			return true;
		complain_here(b, "a second document; a file holds one");
		return false;
	case FYET_SCALAR:
		on_scalar(b, event);
		break;
	case FYET_ALIAS:
		on_alias(b);
		break;
	case FYET_MAPPING_START:
		on_start(b, YAML_MAP, event->mapping_start.anchor, event->mapping_start.tag);
		break;
	case FYET_SEQUENCE_START:
		on_start(b, YAML_SEQ, event->sequence_start.anchor, event->sequence_start.tag);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		on_end(b);
		break;
	default:
		break;
	}
	return !arena_failed(b->arena) && b->diags->n < DIAGS_MAX;
}

/* ---- the library ---- */

static void take_findings(struct builder *b, struct fy_diag *diag)
{
	void *at = NULL;
	struct fy_diag_error *f;
	while ((f = fy_diag_errors_iterate(diag, &at))) {
		if (f->type < FYET_ERROR)
			continue;
		int line = f->line > 0 ? f->line : 1;
		int column = f->column > 0 ? f->column : 1;
		complain(b, line + b->line_base, column + b->column_base, f->msg);
	}
}

static void run(struct builder *b, struct str bytes, struct fy_parser *parser)
{
	struct fy_event *event;
	bool more = true;
	if (fy_parser_set_string(parser, bytes.n ? bytes.p : "", bytes.n) != 0) {
		complain(b, 1, 1, "no memory");
		return;
	}
	while (more && (event = fy_parser_parse(parser))) {
		more = on_event(b, event);
		fy_parser_event_free(parser, event);
	}
}

static void parse(struct builder *b, struct str bytes)
{
	struct fy_diag_cfg diag_cfg;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.level = FYET_ERROR;
	struct fy_diag *diag = fy_diag_create(&diag_cfg);
	if (!diag) {
		complain(b, 1, 1, "no memory");
		return;
	}
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE,
		.diag = diag,
	};
	struct fy_parser *parser = fy_parser_create(&cfg);
	if (parser) {
		run(b, bytes, parser);
		take_findings(b, diag);
		if (fy_parser_get_stream_error(parser) && b->diags->errors == b->errors_before)
			complain_here(b, "this is not YAML");
		fy_parser_destroy(parser);
	} else {
		complain(b, 1, 1, "no memory");
	}
	fy_diag_destroy(diag);
}

/* What no YAML may hold, found here with its place: the library takes a NUL for the end. */
static bool check_bytes(struct builder *b, struct str bytes)
{
	size_t valid = utf8_valid(bytes);
	int line = 1, column = 1;
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];
		bool control = c < ' ' && c != '\t' && c != '\n' && c != '\r';
		if (i == valid || control || c == 0x7F) {
			complain(b, line + b->line_base, column + b->column_base,
				i == valid ? "invalid bytes: not UTF-8" : "a control character");
			return false;
		}
		if (c == '\n') {
			line++;
			column = 1;
		} else if ((c & 0xC0) != 0x80) {
			column++;
		}
	}
	return true;
}

struct yaml *yaml_parse_at(struct arena *a, struct str bytes, const char *name, int line_base,
	int column_base, struct diags *d)
{
	struct builder b = {
		.arena = a,
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
	if (!check_bytes(&b, bytes))
		return NULL;
	parse(&b, bytes);
	if (arena_failed(a))
		complain(&b, b.line, b.column, "the file needs more memory than it may have");
	if (d->errors > b.errors_before)
		return NULL;
	if (!b.root) {
		b.root = add_value(&b, YAML_NULL);
		if (!b.root)
			complain(&b, b.line, b.column, "no memory");
	}
	return b.root;
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
