/* conf_parse.c: the bytes of runbookd.yml into a struct conf: all of it or nothing, with all
 * errors at once.
 *
 * Order: first every key of the table gets its default (which is parsed like a file's value),
 * then the file is walked. So a struct conf is complete at each moment, and the file needs to
 * name only what differs. The YAML tree is freed with the call; what stays are copies in the
 * conf's own arena.
 *
 * It checks form, never existence, and reads no file. Nothing is logged: findings go to the
 * caller's struct diags.
 */
#include "conf/conf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/nearest.h"
#include "base/units.h"
#include "base/yaml.h"
#include "conf/conf_impl.h"
#include "conf/conf_table.h"

#define ARENA_LIMIT ((size_t)64 << 20)
#define NAMES_MAX 64

static void *field(struct conf *c, const struct conf_key *k)
{
	return (char *)c + k->offset;
}

/* ---- scalars ---- */

const char *kind_of(const struct yaml *y)
{
	switch (y->kind) {
	case YAML_NULL:
		return "nothing";
	case YAML_SCALAR:
		return "a text";
	case YAML_SEQ:
		return "a list";
	case YAML_MAP:
		break;
	}
	return "a map";
}

bool take_text(struct loader *l, const char *path, const struct yaml *y, struct str *text)
{
	if (y->kind != YAML_SCALAR) {
		complain(l, y, "'%s' is %s; it must be a text", path, kind_of(y));
		return false;
	}
	if (memchr(y->text.p, '\0', y->text.n)) {
		complain(l, y, "'%s' holds a NUL byte; leave it out", path);
		return false;
	}
	*text = arena_strdup(&l->conf->arena, y->text);
	return true;
}

static bool check_text(
	struct loader *l, const struct conf_key *k, const struct yaml *y, struct str s)
{
	const char *why = k->check ? k->check(s) : NULL;
	/* A password must not get into a message. */
	bool secret = k->type == CONF_PLACED && s.n && memchr(s.p, '@', s.n);
	if (why && secret)
		complain(l, y, "'%s': %s", k->path, why);
	else if (why)
		complain(l, y, "'%s' is '%.*s': %s", k->path, STR_ARG(shown(s)), why);
	return !why;
}

static void set_text(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	struct str s;
	if (!take_text(l, k->path, y, &s))
		return;
	if ((int64_t)s.n < k->min || (int64_t)s.n > k->max) {
		complain(l, y, "'%s' has %zu bytes; it must have from %lld to %lld", k->path, s.n,
			(long long)k->min, (long long)k->max);
		return;
	}
	if (!check_text(l, k, y, s))
		return;
	if (k->type == CONF_PATH && s.n) {
		*(struct str *)field(l->conf, k) = file_join(&l->conf->arena, l->conf->dir, s);
	} else if (k->type == CONF_PLACED) {
		*(struct conf_text *)field(l->conf, k) = (struct conf_text){s, y->line, y->column};
	} else {
		*(struct str *)field(l->conf, k) = s;
	}
}

static bool parse_number(enum conf_type type, const struct yaml *y, int64_t *v)
{
	if (y->kind != YAML_SCALAR)
		return false;
	if (type == CONF_DURATION)
		return units_parse_duration(y->text, v);
	if (type == CONF_SIZE)
		return units_parse_size(y->text, v);
	return yaml_i64(y, v);
}

static void format_number(enum conf_type type, int64_t v, char out[UNITS_TEXT_MAX])
{
	if (type == CONF_DURATION)
		units_format_duration(v, out);
	else if (type == CONF_SIZE)
		units_format_size(v, out);
	else
		snprintf(out, UNITS_TEXT_MAX, "%lld", (long long)v);
}

bool take_number(struct loader *l, const char *path, enum conf_type type, int64_t min,
	int64_t max, const struct yaml *y, int64_t *v)
{
	static const char *const like[] = {
		[CONF_INT] = "number like 8",
		[CONF_DURATION] = "duration like 500ms, 10s, 5m, 2h or 30d",
		[CONF_SIZE] = "size like 64KiB or 8MiB",
	};
	char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

	if (!parse_number(type, y, v)) {
		if (y->kind == YAML_SCALAR)
			complain(l, y, "'%s' is '%.*s'; it must be a %s", path,
				STR_ARG(shown(y->text)), like[type]);
		else
			complain(l, y, "'%s' is %s; it must be a %s", path, kind_of(y), like[type]);
		return false;
	}
	if (*v >= min && *v <= max)
		return true;
	format_number(type, min, least);
	format_number(type, max, most);
	complain(l, y, "'%s' is %.*s; it must be from %s to %s", path, STR_ARG(y->text), least,
		most);
	return false;
}

static void set_number(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	int64_t v;
	if (take_number(l, k->path, k->type, k->min, k->max, y, &v))
		*(int64_t *)field(l->conf, k) = v;
}

static void set_bool(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	bool v;
	if (yaml_bool(y, &v))
		*(bool *)field(l->conf, k) = v;
	else
		complain(l, y, "'%s' must be true or false", k->path);
}

static void set_choice(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	struct str s = y->kind == YAML_SCALAR ? y->text : STR_NONE;
	struct buf all;

	buf_init(&all, BUF_NO_LIMIT);
	for (unsigned i = 0; k->choices[i]; i++) {
		if (str_is(s, k->choices[i])) {
			/* every enum in struct conf is as wide as this */
			memcpy(field(l->conf, k), &i, sizeof(i));
			buf_release(&all);
			return;
		}
		buf_printf(&all, "%s%s", i ? ", " : "", k->choices[i]);
	}
	complain(l, y, "'%s' is '%.*s'; it must be one of %s", k->path, STR_ARG(shown(s)),
		all.p ? all.p : "");
	buf_release(&all);
}

/* ---- lists ---- */

static bool is_doubled(const struct conf_list *list, struct str s)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->v[i].text, s))
			return true;
	}
	return false;
}

bool take_list(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *list)
{
	const struct yaml *first = y->kind == YAML_SEQ ? y->child : y;
	size_t n = y->kind == YAML_SEQ ? y->count : 1;

	*list = (struct conf_list){0};
	if (y->kind != YAML_SEQ && y->kind != YAML_SCALAR) {
		complain(l, y, "'%s' is %s; it must be a list of texts", path, kind_of(y));
		return false;
	}
	list->v = arena_array(&l->conf->arena, n, sizeof(*list->v));
	if (!list->v)
		return false;
	bool good = true;
	for (const struct yaml *c = first; c; c = y->kind == YAML_SEQ ? c->next : NULL) {
		struct str s;
		if (!take_text(l, path, c, &s)) {
			good = false;
		} else if (is_doubled(list, s)) {
			complain(l, c, "'%s' has '%.*s' twice", path, STR_ARG(shown(s)));
			good = false;
		} else {
			list->v[list->n++] = (struct conf_text){s, c->line, c->column};
		}
	}
	return good;
}

static bool take_pair(struct loader *l, const char *path, const struct yaml *y, struct conf_pair *pair)
{
	*pair = (struct conf_pair){.value = {.line = y->line, .column = y->column}};
	if (y->key.n == 0 || memchr(y->key.p, '\0', y->key.n)) {
		diag_add(l->diags, DIAG_ERROR, l->name, y->key_line, y->key_column,
			"'%s' has a name that is empty or holds a NUL byte", path);
		return false;
	}
	pair->name = arena_strdup(&l->conf->arena, y->key);
	struct str whole = arena_printf(&l->conf->arena, "%s.%.*s", path, STR_ARG(shown(y->key)));
	return whole.p && take_text(l, whole.p, y, &pair->value.text);
}

bool take_pairs(
	struct loader *l, const char *path, const struct yaml *y, struct conf_pairs *pairs)
{
	bool good = true;

	*pairs = (struct conf_pairs){0};
	if (y->kind != YAML_MAP) {
		complain(l, y, "'%s' is %s; it must be a map of texts", path, kind_of(y));
		return false;
	}
	if (y->count > CONF_PAIRS_MAX) {
		complain(l, y, "'%s' has %zu entries; it must have at most %d", path, y->count,
			CONF_PAIRS_MAX);
		return false;
	}
	pairs->v = arena_array(&l->conf->arena, y->count ? y->count : 1, sizeof(*pairs->v));
	for (const struct yaml *c = y->child; c && pairs->v; c = c->next) {
		if (take_pair(l, path, c, &pairs->v[pairs->n]))
			pairs->n++;
		else
			good = false;
	}
	return good && pairs->v;
}

static void set_list(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	struct conf_list list;
	if (y->kind == YAML_SEQ && ((int64_t)y->count < k->min || (int64_t)y->count > k->max)) {
		complain(l, y, "'%s' has %zu entries; it must have from %lld to %lld", k->path,
			y->count, (long long)k->min, (long long)k->max);
		return;
	}
	if (!take_list(l, k->path, y, &list))
		return;
	bool good = true;
	for (size_t i = 0; i < list.n; i++) {
		struct yaml place = {.line = list.v[i].line, .column = list.v[i].column};
		good &= check_text(l, k, &place, list.v[i].text);
	}
	if (good)
		*(struct conf_list *)field(l->conf, k) = list;
}

/* ---- maps with parsers of their own ---- */

void unknown_key(struct loader *l, const char *section, const struct yaml *y,
	const char *const *names, size_t n)
{
	const char *near = nearest(y->key, names, n);
	diag_add(l->diags, DIAG_ERROR, l->name, y->key_line, y->key_column,
		"unknown key '%s%s%.*s'%s%s%s", section, *section ? "." : "",
		STR_ARG(shown(y->key)), near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

static void set_policy(struct loader *l, const struct yaml *y, struct conf_correlation *policy)
{
	static const char *const names[] = {"match", "by", "window"};
	const struct yaml *by = yaml_get(y, "by");

	policy->window_ms = CONF_WINDOW_MS;
	if (y->kind != YAML_MAP) {
		complain(l, y, "'correlation' has %s; each policy is a map of match, by and window",
			kind_of(y));
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		if (str_is(c->key, "match"))
			take_list(l, "correlation.match", c, &policy->match);
		else if (str_is(c->key, "by"))
			take_list(l, "correlation.by", c, &policy->by);
		else if (str_is(c->key, "window"))
			take_number(l, "correlation.window", CONF_DURATION, CONF_WINDOW_MIN_MS,
				CONF_WINDOW_MAX_MS, c, &policy->window_ms);
		else
			unknown_key(l, "correlation", c, names, 3);
	}
	if (!by || (by->kind == YAML_SEQ && by->count == 0))
		complain(l, by ? by : y, "a policy of 'correlation' needs 'by', a list of labels");
}

static void set_policies(struct loader *l, const struct yaml *y)
{
	struct conf *c = l->conf;
	size_t errors = l->diags->errors;

	if (y->kind != YAML_SEQ || y->count > CONF_POLICIES_MAX) {
		complain(l, y, "'correlation' must be a list of at most %d policies",
			CONF_POLICIES_MAX);
		return;
	}
	struct conf_correlation *v = arena_array(&c->arena, y->count, sizeof(*v));
	if (!v)
		return;
	size_t n = 0;
	for (const struct yaml *e = y->child; e; e = e->next)
		set_policy(l, e, &v[n++]);
	if (l->diags->errors > errors)
		return;
	c->correlation = v;
	c->correlation_n = n;
}

static void set_sources(struct loader *l, const struct yaml *y)
{
	struct conf *c = l->conf;
	size_t errors = l->diags->errors;

	if (y->kind != YAML_MAP || y->count > CONF_SOURCES_MAX) {
		complain(l, y, "'sources' must be a map of at most %d sources", CONF_SOURCES_MAX);
		return;
	}
	struct conf_source *v = arena_array(&c->arena, y->count, sizeof(*v));
	if (!v)
		return;
	size_t n = 0;
	for (const struct yaml *e = y->child; e; e = e->next)
		conf_set_source(l, e, &v[n++]);
	if (l->diags->errors > errors)
		return;
	c->sources = v;
	c->sources_n = n;
}

static void set_tls(struct loader *l, const char *path, const struct yaml *y, struct conf_tls *tls)
{
	static const char *const names[] = {"cert", "key", "client_ca"};
	struct str *const at[] = {&tls->cert, &tls->key, &tls->client_ca};
	size_t errors = l->diags->errors;

	if (y->kind == YAML_SCALAR && str_is(y->text, "none"))
		return;
	if (y->kind != YAML_MAP) {
		complain(l, y, "'%s' is %s; it must be none or a map, as in {cert: FILE, key: FILE}",
			path, kind_of(y));
		return;
	}
	tls->line = y->line;
	tls->column = y->column;
	for (const struct yaml *c = y->child; c; c = c->next) {
		struct str key = arena_printf(&l->conf->arena, "%s.%.*s", path, STR_ARG(c->key));
		struct str text;
		size_t i = 0;

		while (i < 3 && !str_is(c->key, names[i]))
			i++;
		if (i == 3)
			unknown_key(l, path, c, names, 3);
		else if (key.p && take_text(l, key.p, c, &text) && text.n == 0)
			complain(l, c, "'%s' must not be empty", key.p);
		else if (key.p && c->kind == YAML_SCALAR)
			*at[i] = file_join(&l->conf->arena, l->conf->dir, text);
	}
	if (l->diags->errors == errors && (!yaml_get(y, "cert") || !yaml_get(y, "key")))
		complain(l, y, "'%s' needs both 'cert' and 'key', as in {cert: FILE, key: FILE}", path);
}

bool take_rate(struct loader *l, const char *path, const char *like, int64_t min, int64_t max,
	const struct yaml *y, struct conf_rate *rate)
{
	static const char *const names[] = {"count", "per"};
	struct conf_rate now = *rate;
	bool good = true;

	if (y->kind == YAML_SCALAR && str_is(y->text, "none")) {
		*rate = (struct conf_rate){.per_ms = now.per_ms};
		return true;
	}
	if (y->kind != YAML_MAP) {
		complain(l, y, "'%s' is %s; it must be none or a map like %s", path, kind_of(y),
			like);
		return false;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		struct str key = arena_printf(&l->conf->arena, "%s.%.*s", path, STR_ARG(c->key));
		if (!key.p)
			return false;
		if (str_is(c->key, "count"))
			good &= take_number(l, key.p, CONF_INT, min, max, c, &now.count);
		else if (str_is(c->key, "per"))
			good &= take_number(l, key.p, CONF_DURATION, CONF_PER_MIN_MS,
				CONF_PER_MAX_MS, c, &now.per_ms);
		else
			unknown_key(l, path, c, names, 2);
	}
	if (good)
		*rate = now;
	return good;
}

/* ---- the table ---- */

static void set_value(struct loader *l, const struct conf_key *k, const struct yaml *y)
{
	switch (k->type) {
	case CONF_BOOL:
		set_bool(l, k, y);
		break;
	case CONF_INT:
	case CONF_DURATION:
	case CONF_SIZE:
		set_number(l, k, y);
		break;
	case CONF_CHOICE:
		set_choice(l, k, y);
		break;
	case CONF_TEXT:
	case CONF_PATH:
	case CONF_PLACED:
		set_text(l, k, y);
		break;
	case CONF_LIST:
		set_list(l, k, y);
		break;
	case CONF_RATE:
		take_rate(l, k->path, k->initial, k->min, k->max, y, field(l->conf, k));
		break;
	case CONF_TLS:
		set_tls(l, k->path, y, field(l->conf, k));
		break;
	case CONF_POLICIES:
		set_policies(l, y);
		break;
	case CONF_WINDOWS:
		conf_set_windows(l, y);
		break;
	case CONF_INHIBITS:
		conf_set_inhibits(l, y);
		break;
	case CONF_SOURCES:
		set_sources(l, y);
		break;
	case CONF_TOKENS:
		conf_set_tokens(l, y);
		break;
	}
}

/* The part of k's path below section, "" being the top; NULL where it is elsewhere. */
static const char *below(const struct conf_key *k, const char *section)
{
	size_t n = strlen(section);
	if (n == 0)
		return k->path;
	return strncmp(k->path, section, n) == 0 && k->path[n] == '.' ? k->path + n + 1 : NULL;
}

static void unknown_in_section(struct loader *l, const char *section, const struct yaml *y)
{
	char parts[NAMES_MAX][48];
	const char *names[NAMES_MAX] = {NULL};
	size_t n = 0;

	for (size_t i = 0; i < conf_keys_n && n < NAMES_MAX; i++) {
		const char *part = below(&conf_keys[i], section);
		if (!part)
			continue;
		snprintf(parts[n], sizeof(parts[n]), "%.*s", (int)strcspn(part, "."), part);
		names[n] = parts[n];
		n++;
	}
	if (nearest(y->key, names, n)) {
		unknown_key(l, section, y, names, n);
		return;
	}
	/* Right name, wrong section: "did you mean 'http.listen'?" */
	n = 0;
	for (size_t i = 0; i < conf_keys_n; i++) {
		const char *dot = strchr(conf_keys[i].path, '.');
		if (dot && str_is(y->key, dot + 1)) {
			diag_add(l->diags, DIAG_ERROR, l->name, y->key_line, y->key_column,
				"unknown key '%s%s%.*s'; did you mean '%s'?", section,
				*section ? "." : "", STR_ARG(y->key), conf_keys[i].path);
			return;
		}
	}
	unknown_key(l, section, y, names, 0);
}

static void load_map(struct loader *l, const char *section, const struct yaml *map);

/* Without these, rules would be read from elsewhere, or held against no runbooks. */
static bool names_paths(struct str key)
{
	static const char *const names[] = {"rules", "runbooks", "patterns"};

	return nearest(key, names, 3) != NULL;
}

/* One key of the file: of the table, or the name of a section, or unknown. */
static void load_key(struct loader *l, const char *section, const struct yaml *y)
{
	bool is_section = false;
	for (size_t i = 0; i < conf_keys_n; i++) {
		const char *part = below(&conf_keys[i], section);
		if (!part)
			continue;
		if (str_is(y->key, part)) {
			if (y->kind == YAML_NULL)
				complain(l, y,
					"'%s' has no value; leave the key out for its default, %s",
					conf_keys[i].path, conf_keys[i].initial);
			else
				set_value(l, &conf_keys[i], y);
			return;
		}
		is_section |= strlen(part) > y->key.n && part[y->key.n] == '.' &&
			      memcmp(part, y->key.p, y->key.n) == 0;
	}
	if (!is_section)
		unknown_in_section(l, section, y);
	else if (y->kind == YAML_MAP)
		load_map(l, y->key.p, y);
	else if (y->kind != YAML_NULL)
		complain(l, y, "'%.*s' is %s; it must be a map of keys", STR_ARG(y->key),
			kind_of(y));
}

/* Sections are one level deep, as the table's paths are. */
static void load_map(struct loader *l, const char *section, const struct yaml *map)
{
	for (const struct yaml *y = map->child; y; y = y->next) {
		size_t errors = l->diags->errors;
		load_key(l, section, y);
		if (!*section && l->diags->errors > errors && names_paths(y->key))
			l->lost = true;
	}
}

/* Nobody wrote a default: a finding about it has no place in the file. */
static void forget_places(struct yaml *y)
{
	y->line = y->column = 0;
	for (struct yaml *child = y->child; child; child = child->next)
		forget_places(child);
}

static void load_defaults(struct loader *l)
{
	struct arena scratch;
	arena_init(&scratch, ARENA_LIMIT);
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		struct yaml *y = yaml_parse(&scratch, str_of(k->initial), k->path, l->diags);
		if (y) {
			forget_places(y);
			set_value(l, k, y);
		}
		arena_reset(&scratch);
	}
	arena_release(&scratch);
}

static void load_file(struct loader *l, struct str bytes)
{
	struct arena scratch;
	arena_init(&scratch, ARENA_LIMIT);
	const struct yaml *y = yaml_parse(&scratch, bytes, l->name, l->diags);
	l->lost = !y;
	if (y && y->kind == YAML_MAP)
		load_map(l, "", y);
	else if (y && y->kind != YAML_NULL)
		complain(l, y, "the file holds %s; it must be a map of keys", kind_of(y));
	arena_release(&scratch);
}

/* Whoever can reach an address may ask there: without tokens that is to be this machine only. */
static void check_open(struct loader *l)
{
	const struct conf_list *listen = &l->conf->http.listen;

	if (l->conf->tokens_n || l->tokens_lost)
		return;
	for (size_t i = 0; i < listen->n; i++) {
		if (!conf_listen_is_local(listen->v[i].text))
			diag_add(l->diags, DIAG_ERROR, l->name, listen->v[i].line, listen->v[i].column,
				"'http.listen' is '%.*s': without tokens runbookd listens on loopback and "
				"unix sockets only; make tokens with runbookctl token new, or "
				"listen on 127.0.0.1 or unix:/path",
				STR_ARG(shown(listen->v[i].text)));
	}
}

static struct conf *new_conf(const char *path, const char *dir)
{
	struct conf *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	arena_init(&c->arena, ARENA_LIMIT);
	c->path = arena_strdup(&c->arena, str_of(path));
	c->dir = arena_strdup(&c->arena, str_of(dir));
	return c;
}

struct conf *conf_build(struct str bytes, const char *name, const char *path, const char *dir,
	bool some, struct diags *d)
{
	struct loader l = {.diags = d, .name = name, .errors_before = d->errors};
	l.conf = new_conf(path, dir);
	if (!l.conf) {
		diag_add(d, DIAG_ERROR, name, 0, 0, "no memory");
		return NULL;
	}
	load_defaults(&l);
	assert(d->errors == l.errors_before || arena_failed(&l.conf->arena));
	load_file(&l, bytes);
	check_open(&l);
	l.conf->redis_embedded = str_is(l.conf->redis.text, "embedded");
	if (arena_failed(&l.conf->arena))
		diag_add(d, DIAG_ERROR, name, 0, 0, "the file needs more memory than it may have");
	if (d->errors > l.errors_before && (!some || l.lost || arena_failed(&l.conf->arena))) {
		conf_free(l.conf);
		return NULL;
	}
	return l.conf;
}
