/* conf_source.c: one entry of `sources`, read and written.
 *
 * Owns the table of its keys. Whether a kind exists, and whether what a key says fits the kind, is
 * not known here (flow/sources.c).
 */
#include "conf/conf_impl.h"

#define RATE_MAX 1000000000

struct source_key {
	const char *name;
	void (*set)(struct loader *l, const char *path, const struct yaml *y,
		struct conf_source *source);
	bool (*said)(const struct conf_source *source);
	void (*put)(
		struct buf *out, const struct conf_source *source); /* its value, for the dump */
};

static void set_kind(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	if (take_text(l, path, y, &source->kind) && source->kind.n == 0)
		complain(l, y, "'%s' must not be empty", path);
}

static bool always(const struct conf_source *source)
{
	(void)source;
	return true;
}

static void put_kind(struct buf *out, const struct conf_source *source)
{
	put_text(out, source->kind);
}

static void set_rate(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	source->rate.per_ms = 1000;
	if (take_rate(l, path, "{count: 1000, per: 1s}", 1, RATE_MAX, y, &source->rate) &&
		source->rate.count == 0 && y->kind == YAML_MAP)
		complain(l, y, "'%s' needs 'count', as in {count: 1000, per: 1s}", path);
}

static bool has_rate(const struct conf_source *source)
{
	return source->rate.count > 0;
}

static void put_source_rate(struct buf *out, const struct conf_source *source)
{
	put_rate(out, &source->rate);
}

static void set_labels(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	take_pairs(l, path, y, &source->labels);
}

static bool has_labels(const struct conf_source *source)
{
	return source->labels.n > 0;
}

static void put_labels(struct buf *out, const struct conf_source *source)
{
	put_pairs(out, &source->labels);
}

static void set_auth(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	conf_set_auth(l, path, y, &source->auth);
}

static bool has_auth(const struct conf_source *source)
{
	return conf_has_auth(&source->auth);
}

static void put_auth(struct buf *out, const struct conf_source *source)
{
	conf_put_auth(out, &source->auth);
}

static const char *const times[] = {[CONF_TIME_BOUNDED] = "bounded", [CONF_TIME_TRUST] = "trust", NULL};

static void set_time(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	struct str word;

	if (!take_text(l, path, y, &word))
		return;
	for (int i = 0; times[i]; i++) {
		if (str_is(word, times[i])) {
			source->time = (enum conf_time)i;
			return;
		}
	}
	complain(l, y, "'%s' is '%.*s'; it must be bounded or trust", path, STR_ARG(shown(word)));
}

static bool has_time(const struct conf_source *source)
{
	return source->time != CONF_TIME_BOUNDED;
}

static void put_time(struct buf *out, const struct conf_source *source)
{
	put_text(out, str_of(times[source->time]));
}

static void set_map(
	struct loader *l, const char *path, const struct yaml *y, struct conf_source *source)
{
	conf_set_map(l, path, y, &source->map);
}

static bool has_map(const struct conf_source *source)
{
	return source->map.given;
}

static void put_map(struct buf *out, const struct conf_source *source)
{
	conf_put_map(out, &source->map);
}

static const struct source_key keys[] = {
	{"kind", set_kind, always, put_kind},
	{"auth", set_auth, has_auth, put_auth},
	{"rate", set_rate, has_rate, put_source_rate},
	{"labels", set_labels, has_labels, put_labels},
	{"time", set_time, has_time, put_time},
	{"map", set_map, has_map, put_map},
};
#define KEYS_N (sizeof(keys) / sizeof(keys[0]))

static void set_key(
	struct loader *l, const char *section, const struct yaml *y, struct conf_source *source)
{
	const char *names[KEYS_N];

	for (size_t i = 0; i < KEYS_N; i++) {
		names[i] = keys[i].name;
		if (!str_is(y->key, keys[i].name))
			continue;
		struct str path = arena_printf(&l->conf->arena, "%s.%s", section, keys[i].name);
		if (path.p)
			keys[i].set(l, path.p, y, source);
		return;
	}
	unknown_key(l, section, y, names, KEYS_N);
}

void conf_set_source(struct loader *l, const struct yaml *y, struct conf_source *source)
{
	const char *why = conf_check_source(y->key);

	source->line = y->key_line;
	source->column = y->key_column;
	source->name = arena_strdup(&l->conf->arena, y->key);
	if (why)
		diag_add(l->diags, DIAG_ERROR, l->name, y->key_line, y->key_column,
			"'sources' has '%.*s': %s", STR_ARG(shown(y->key)), why);
	if (y->kind != YAML_MAP) {
		complain(l, y, "'sources.%.*s' is %s; it must be a map, as in {kind: alertmanager}",
			STR_ARG(shown(y->key)), kind_of(y));
		return;
	}
	struct str path = arena_printf(&l->conf->arena, "sources.%.*s", STR_ARG(shown(y->key)));
	for (const struct yaml *c = y->child; c && path.p; c = c->next)
		set_key(l, path.p, c, source);
	if (!yaml_get(y, "kind"))
		complain(l, y, "'sources.%.*s' needs 'kind', as in {kind: alertmanager}",
			STR_ARG(shown(y->key)));
}

void conf_put_source(struct buf *out, const struct conf_source *source)
{
	const char *before = "{";

	for (size_t i = 0; i < KEYS_N; i++) {
		if (!keys[i].said(source))
			continue;
		buf_printf(out, "%s%s: ", before, keys[i].name);
		keys[i].put(out, source);
		before = ", ";
	}
	buf_putc(out, '}');
}
