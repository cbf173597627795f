/* conf_map.c: `map` of a source, read and written.
 *
 * Owns the table of its keys. What the texts mean (a path, a literal, a template) and whether they
 * are good is not known here (flow/bind_map.c).
 */
#include "conf/conf_impl.h"

enum map_type {
	MAP_TEXT,
	MAP_TEXTS,
	MAP_PAIRS,
	MAP_STATUS,
};

struct map_key {
	const char *name;
	enum map_type type;
	size_t offset; /* in the struct that it is a key of */
};

static const struct map_key map_keys[] = {
	{"each", MAP_TEXT, offsetof(struct conf_map, each)},
	{"type", MAP_TEXT, offsetof(struct conf_map, type)},
	{"status", MAP_STATUS, offsetof(struct conf_map, status)},
	{"fingerprint", MAP_TEXTS, offsetof(struct conf_map, fingerprint)},
	{"labels", MAP_PAIRS, offsetof(struct conf_map, labels)},
	{"annotations", MAP_PAIRS, offsetof(struct conf_map, annotations)},
	{"summary", MAP_TEXT, offsetof(struct conf_map, summary)},
	{"severity", MAP_TEXT, offsetof(struct conf_map, severity)},
	{"starts_at", MAP_TEXT, offsetof(struct conf_map, starts_at)},
	{"ends_at", MAP_TEXT, offsetof(struct conf_map, ends_at)},
};

static const struct map_key status_keys[] = {
	{"path", MAP_TEXT, offsetof(struct conf_status, path)},
	{"firing", MAP_TEXTS, offsetof(struct conf_status, firing)},
	{"resolved", MAP_TEXTS, offsetof(struct conf_status, resolved)},
};

#define KEYS_MAX 16
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_placed(
	struct loader *l, const char *path, const struct yaml *y, struct conf_text *out)
{
	if (take_text(l, path, y, &out->text) && out->text.n == 0)
		complain(l, y, "'%s' must not be empty; leave it out", path);
	out->line = y->line;
	out->column = y->column;
}

static void set_keys(struct loader *l, const char *path, const struct yaml *y,
	const struct map_key *keys, size_t n, void *into);

static void set_status(
	struct loader *l, const char *path, const struct yaml *y, struct conf_status *status)
{
	if (y->kind != YAML_MAP) {
		set_placed(l, path, y, &status->path);
		return;
	}
	set_keys(l, path, y, status_keys, COUNT(status_keys), status);
	if (!yaml_get(y, "path"))
		complain(l, y, "'%s' needs 'path', as in {path: state, firing: [alarm], resolved: [ok]}", path);
	if (!yaml_get(y, "firing") && !yaml_get(y, "resolved"))
		complain(l, y,
			"'%s' needs 'firing' or 'resolved', as in {path: state, firing: [alarm], resolved: [ok]}",
			path);
}

static void set_key(struct loader *l, const char *path, const struct map_key *k,
	const struct yaml *y, void *into)
{
	char *at = (char *)into + k->offset;

	switch (k->type) {
	case MAP_TEXT:
		set_placed(l, path, y, (struct conf_text *)at);
		break;
	case MAP_TEXTS:
		if (take_list(l, path, y, (struct conf_list *)at) && y->kind == YAML_SEQ &&
			(y->count == 0 || y->count > CONF_PAIRS_MAX))
			complain(l, y, "'%s' has %zu entries; it must have from 1 to %d", path,
				y->count, CONF_PAIRS_MAX);
		break;
	case MAP_PAIRS:
		take_pairs(l, path, y, (struct conf_pairs *)at);
		break;
	case MAP_STATUS:
		set_status(l, path, y, (struct conf_status *)at);
		break;
	}
}

static void set_keys(struct loader *l, const char *path, const struct yaml *y,
	const struct map_key *keys, size_t n, void *into)
{
	const char *names[KEYS_MAX];

	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	for (const struct yaml *c = y->child; c; c = c->next) {
		size_t i = 0;
		while (i < n && !str_is(c->key, names[i]))
			i++;
		if (i == n) {
			unknown_key(l, path, c, names, n);
			continue;
		}
		struct str whole = arena_printf(&l->conf->arena, "%s.%s", path, names[i]);
		if (whole.p)
			set_key(l, whole.p, &keys[i], c, into);
	}
}

void conf_set_map(struct loader *l, const char *path, const struct yaml *y, struct conf_map *map)
{
	*map = (struct conf_map){.given = true, .line = y->line, .column = y->column};
	if (y->kind != YAML_MAP)
		complain(l, y, "'%s' is %s; it must be a map, as in {status: state, labels: {host: host.name}}",
			path, kind_of(y));
	else
		set_keys(l, path, y, map_keys, COUNT(map_keys), map);
}

static void put_keys(struct buf *out, const struct map_key *keys, size_t n, const void *from);

static void put_status(struct buf *out, const struct conf_status *status)
{
	if (status->firing.n + status->resolved.n > 0)
		put_keys(out, status_keys, COUNT(status_keys), status);
	else
		put_text(out, status->path.text);
}

static bool is_given(const struct map_key *k, const char *at)
{
	switch (k->type) {
	case MAP_TEXT:
		return ((const struct conf_text *)at)->text.p;
	case MAP_TEXTS:
		return ((const struct conf_list *)at)->n > 0;
	case MAP_PAIRS:
		return ((const struct conf_pairs *)at)->n > 0;
	case MAP_STATUS:
		return ((const struct conf_status *)at)->path.text.p;
	}
	return false;
}

static void put_value(struct buf *out, const struct map_key *k, const char *at)
{
	switch (k->type) {
	case MAP_TEXT:
		put_text(out, ((const struct conf_text *)at)->text);
		break;
	case MAP_TEXTS:
		put_list(out, (const struct conf_list *)at);
		break;
	case MAP_PAIRS:
		put_pairs(out, (const struct conf_pairs *)at);
		break;
	case MAP_STATUS:
		put_status(out, (const struct conf_status *)at);
		break;
	}
}

static void put_keys(struct buf *out, const struct map_key *keys, size_t n, const void *from)
{
	const char *before = "";

	buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		const char *at = (const char *)from + keys[i].offset;
		if (!is_given(&keys[i], at))
			continue;
		buf_printf(out, "%s%s: ", before, keys[i].name);
		put_value(out, &keys[i], at);
		before = ", ";
	}
	buf_putc(out, '}');
}

void conf_put_map(struct buf *out, const struct conf_map *map)
{
	put_keys(out, map_keys, COUNT(map_keys), map);
}
