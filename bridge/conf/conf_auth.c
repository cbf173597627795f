/* conf_auth.c: `auth` of a source, read and written: who may send to it.
 *
 * Owns the table of the kinds and of each one's keys. Of a secret it knows the path of its file
 * only; who reads it is auth/. Exactly one kind, or only `allow`; what contradicts itself is found
 * here, with its place. Whether a kind fits the rest (tokens, http.tls, the source's own kind) is
 * not known here.
 */
#include "base/cidr.h"
#include "base/file.h"
#include "base/units.h"
#include "conf/conf_impl.h"

enum auth_type {
	TYPE_TRUE,  /* says nothing but that it is so */
	TYPE_FILE,  /* one secret, */
	TYPE_FILES, /* or several */
	TYPE_USER,
	TYPE_HEADER,
	TYPE_PREFIX,
	TYPE_ALGORITHM,
	TYPE_TOLERANCE,
	TYPE_NAMES,
	TYPE_TOPICS,
};

struct auth_key {
	const char *name;
	enum auth_type type;
	size_t offset; /* in struct conf_auth */
	bool needed;
};

struct auth_kind {
	struct auth_key self; /* its own value, where it is no map (keys_n 0) */
	enum conf_auth_kind kind;
	const char *like;
	const struct auth_key *keys;
	size_t keys_n;
};

#define AT(field) offsetof(struct conf_auth, field)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECRETS(what)                                                                              \
	{what "_file", TYPE_FILE, AT(secrets), false},                                             \
	{                                                                                          \
		what "_files", TYPE_FILES, AT(secrets), false                                      \
	}

static const struct auth_key basic_keys[] = {
	{"user", TYPE_USER, AT(user), true},
	SECRETS("password"),
};
static const struct auth_key hmac_keys[] = {
	{"header", TYPE_HEADER, AT(header), true},
	{"algorithm", TYPE_ALGORITHM, AT(algorithm), false},
	SECRETS("secret"),
	{"prefix", TYPE_PREFIX, AT(prefix), false},
	{"timestamp_header", TYPE_HEADER, AT(timestamp_header), false},
	{"tolerance", TYPE_TOLERANCE, AT(tolerance_ms), false},
};
static const struct auth_key standard_keys[] = {
	SECRETS("secret"),
	{"tolerance", TYPE_TOLERANCE, AT(tolerance_ms), false},
};
static const struct auth_key secret_keys[] = {SECRETS("secret")};
static const struct auth_key sns_keys[] = {{"topic_arns", TYPE_TOPICS, AT(sns_topics), true}};
static const struct auth_key cert_keys[] = {{"names", TYPE_NAMES, AT(names), true}};

#define MAP(name, kind, like, keys)                                                                \
	{                                                                                          \
		{name, TYPE_TRUE, 0, false}, kind, like, keys, COUNT(keys)                         \
	}
#define VALUE(name, type, offset, kind)                                                            \
	{                                                                                          \
		{name, type, offset, true}, kind, NULL, NULL, 0                                    \
	}

static const struct auth_kind kinds[] = {
	VALUE("token", TYPE_TRUE, 0, CONF_AUTH_TOKEN),
	VALUE("bearer_file", TYPE_FILE, AT(secrets), CONF_AUTH_BEARER),
	VALUE("bearer_files", TYPE_FILES, AT(secrets), CONF_AUTH_BEARER),
	MAP("basic", CONF_AUTH_BASIC, "{user: NAME, password_file: FILE}", basic_keys),
	MAP("hmac", CONF_AUTH_HMAC, "{header: X-Signature, secret_file: FILE}", hmac_keys),
	MAP("standard_webhooks", CONF_AUTH_STANDARD_WEBHOOKS, "{secret_file: FILE}", standard_keys),
	MAP("github", CONF_AUTH_GITHUB, "{secret_file: FILE}", secret_keys),
	MAP("pagerduty", CONF_AUTH_PAGERDUTY, "{secret_file: FILE}", secret_keys),
	MAP("sns", CONF_AUTH_SNS, "{topic_arns: [ARN]}", sns_keys),
	MAP("client_cert", CONF_AUTH_CLIENT_CERT, "{names: [NAME]}", cert_keys),
};

static const char *const algorithms[] = {
	[CONF_SHA1] = "sha1", [CONF_SHA256] = "sha256", [CONF_SHA512] = "sha512"};

/* ---- values ---- */

/* As long as a list may be, or a finding. */
static bool check_count(
	struct loader *l, const char *path, const struct yaml *y, size_t n, size_t most)
{
	if (n >= 1 && n <= most)
		return true;
	complain(l, y, "'%s' has %zu entries; it must have from 1 to %zu", path, n, most);
	return false;
}

static void set_user(struct loader *l, const char *path, const struct yaml *y, struct str *out)
{
	if (take_text(l, path, y, out) && (out->n == 0 || memchr(out->p, ':', out->n)))
		complain(l, y, "'%s' is '%.*s'; it must not be empty, nor hold a colon", path,
			STR_ARG(shown(*out)));
}

static void set_files(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *files)
{
	struct conf *c = l->conf;

	if (!take_list(l, path, y, files) || !check_count(l, path, y, files->n, CONF_SECRETS_MAX))
		return;
	for (size_t i = 0; i < files->n; i++) {
		struct conf_text *t = &files->v[i];
		struct yaml place = {.line = t->line, .column = t->column};

		if (t->text.n == 0)
			complain(l, &place, "'%s' must not be empty: it names a file", path);
		t->text = file_join(&c->arena, c->dir, t->text);
	}
}

static void set_file(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *files)
{
	if (y->kind == YAML_SCALAR)
		set_files(l, path, y, files);
	else
		complain(l, y, "'%s' is %s; it must be the path of a file", path, kind_of(y));
}

static void set_header(struct loader *l, const char *path, const struct yaml *y, struct str *out)
{
	const char *why = take_text(l, path, y, out) ? conf_check_header(*out) : NULL;

	if (why)
		complain(l, y, "'%s' is '%.*s': %s", path, STR_ARG(shown(*out)), why);
}

static void set_prefix(struct loader *l, const char *path, const struct yaml *y, struct str *out)
{
	if (take_text(l, path, y, out) && out->n && memchr(out->p, ',', out->n))
		complain(l, y,
			"'%s' is '%.*s': a comma stands between signatures, and cannot be in one",
			path, STR_ARG(shown(*out)));
}

static void set_algorithm(
	struct loader *l, const char *path, const struct yaml *y, enum conf_algorithm *out)
{
	struct str s;

	if (!take_text(l, path, y, &s))
		return;
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		if (str_is(s, algorithms[i])) {
			*out = (enum conf_algorithm)i;
			return;
		}
	}
	complain(l, y, "'%s' is '%.*s'; it must be one of sha1, sha256, sha512", path,
		STR_ARG(shown(s)));
}

static void set_names(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *names)
{
	if (take_list(l, path, y, names))
		check_count(l, path, y, names->n, CONF_CERT_NAMES_MAX);
}

static void set_topics(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *topics)
{
	if (!take_list(l, path, y, topics))
		return;
	if (topics->n == 0)
		complain(l, y, "'%s' must name a topic at least", path);
	for (size_t i = 0; i < topics->n; i++) {
		struct str arn = topics->v[i].text;

		if (!str_starts(arn, STR("arn:")) || !memmem(arn.p, arn.n, ":sns:", 5))
			diag_add(l->diags, DIAG_ERROR, l->name, topics->v[i].line,
				topics->v[i].column,
				"'%s' has '%.*s', which is no ARN of a topic, as in "
				"arn:aws:sns:eu-west-1:123456789012:NAME",
				path, STR_ARG(shown(arn)));
	}
}

static void set_allow(
	struct loader *l, const char *path, const struct yaml *y, struct conf_list *allow)
{
	struct cidr range;

	if (!take_list(l, path, y, allow) || !check_count(l, path, y, allow->n, CONF_RANGES_MAX))
		return;
	for (size_t i = 0; i < allow->n; i++) {
		struct yaml place = {.line = allow->v[i].line, .column = allow->v[i].column};

		if (!cidr_parse(allow->v[i].text, &range))
			complain(l, &place, "'%s' has '%.*s': " CONF_RANGE_LIKE, path,
				STR_ARG(shown(allow->v[i].text)));
	}
}

static void set_true(struct loader *l, const char *path, const struct yaml *y)
{
	bool v;

	if (!yaml_bool(y, &v) || !v)
		complain(l, y, "'%s' can only be true; else leave it out", path);
}

static void set_value(struct loader *l, const char *path, const struct auth_key *k,
	const struct yaml *y, struct conf_auth *auth)
{
	void *at = (char *)auth + k->offset;

	switch (k->type) {
	case TYPE_TRUE:
		set_true(l, path, y);
		break;
	case TYPE_FILE:
		set_file(l, path, y, at);
		break;
	case TYPE_FILES:
		set_files(l, path, y, at);
		break;
	case TYPE_USER:
		set_user(l, path, y, at);
		break;
	case TYPE_HEADER:
		set_header(l, path, y, at);
		break;
	case TYPE_PREFIX:
		set_prefix(l, path, y, at);
		break;
	case TYPE_ALGORITHM:
		set_algorithm(l, path, y, at);
		break;
	case TYPE_TOLERANCE:
		take_number(l, path, CONF_DURATION, CONF_TOLERANCE_MIN_MS, CONF_TOLERANCE_MAX_MS, y,
			at);
		break;
	case TYPE_NAMES:
		set_names(l, path, y, at);
		break;
	case TYPE_TOPICS:
		set_topics(l, path, y, at);
		break;
	}
}

/* ---- one kind ---- */

static void set_key(struct loader *l, const char *path, const struct auth_kind *kind,
	const struct yaml *y, struct conf_auth *auth)
{
	const char *names[COUNT(hmac_keys)];

	for (size_t i = 0; i < kind->keys_n; i++) {
		names[i] = kind->keys[i].name;
		if (!str_is(y->key, names[i]))
			continue;
		struct str whole = arena_printf(&l->conf->arena, "%s.%s", path, names[i]);
		if (whole.p)
			set_value(l, whole.p, &kind->keys[i], y, auth);
		return;
	}
	unknown_key(l, path, y, names, kind->keys_n);
}

/* What is missing, and what contradicts itself. */
static void check_keys(
	struct loader *l, const char *path, const struct auth_kind *kind, const struct yaml *y)
{
	const char *one = NULL, *several = NULL;

	for (size_t i = 0; i < kind->keys_n; i++) {
		const struct auth_key *k = &kind->keys[i];

		if (k->needed && !yaml_get(y, k->name))
			complain(l, y, "'%s' needs '%s', as in %s", path, k->name, kind->like);
		if (k->type == TYPE_FILE)
			one = k->name;
		if (k->type == TYPE_FILES)
			several = k->name;
	}
	if (one && !yaml_get(y, one) && !yaml_get(y, several))
		complain(l, y, "'%s' needs '%s', as in %s", path, one, kind->like);
	if (one && yaml_get(y, one) && yaml_get(y, several))
		complain(l, yaml_get(y, several), "'%s' has both '%s' and '%s'; take one of them",
			path, one, several);
	if (kind->kind == CONF_AUTH_HMAC && yaml_get(y, "tolerance") &&
		!yaml_get(y, "timestamp_header"))
		complain(l, yaml_get(y, "tolerance"),
			"'%s.tolerance' needs 'timestamp_header': without a time nothing is too "
			"old",
			path);
}

static void set_kind(struct loader *l, const char *path, const struct auth_kind *kind,
	const struct yaml *y, struct conf_auth *auth)
{
	auth->kind = kind->kind;
	auth->algorithm = CONF_SHA256;
	auth->tolerance_ms = CONF_TOLERANCE_MS;
	if (kind->keys_n == 0) {
		set_value(l, path, &kind->self, y, auth);
		return;
	}
	if (y->kind != YAML_MAP) {
		complain(l, y, "'%s' is %s; it must be a map, as in %s", path, kind_of(y),
			kind->like);
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next)
		set_key(l, path, kind, c, auth);
	check_keys(l, path, kind, y);
}

/* ---- all of it ---- */

/* NULL, with a finding, where it is no kind, or the second one. */
static const struct auth_kind *take_kind(
	struct loader *l, const char *path, const struct yaml *y, const char **before)
{
	const char *names[COUNT(kinds) + 1];
	const struct auth_kind *found = NULL;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		names[i] = kinds[i].self.name;
		if (str_is(y->key, names[i]))
			found = &kinds[i];
	}
	names[COUNT(kinds)] = "allow";
	if (!found) {
		unknown_key(l, path, y, names, COUNT(kinds) + 1);
		return NULL;
	}
	if (*before) {
		diag_add(l->diags, DIAG_ERROR, l->name, y->key_line, y->key_column,
			"'%s' has both '%s' and '%s'; it takes one of them", path, *before,
			found->self.name);
		return NULL;
	}
	*before = found->self.name;
	return found;
}

void conf_set_auth(struct loader *l, const char *path, const struct yaml *y, struct conf_auth *auth)
{
	const char *before = NULL;

	*auth = (struct conf_auth){.line = y->line, .column = y->column};
	if (y->kind != YAML_MAP) {
		complain(l, y, "'%s' is %s; it must be a map, as in {token: true}", path,
			kind_of(y));
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		struct str whole =
			arena_printf(&l->conf->arena, "%s.%.*s", path, STR_ARG(shown(c->key)));
		const struct auth_kind *kind = NULL;

		if (whole.p && str_is(c->key, "allow"))
			set_allow(l, whole.p, c, &auth->allow);
		else if (whole.p)
			kind = take_kind(l, path, c, &before);
		if (kind)
			set_kind(l, whole.p, kind, c, auth);
	}
	if (!y->child)
		complain(l, y,
			"'%s' says nothing; it takes one of token, bearer_file, basic, hmac, "
			"standard_webhooks, github, pagerduty, sns and client_cert, and allow",
			path);
}

bool conf_has_auth(const struct conf_auth *auth)
{
	return auth->kind != CONF_AUTH_NONE || auth->allow.n > 0;
}

/* ---- written ---- */

static bool is_said(const struct auth_key *k, const struct conf_auth *auth)
{
	const void *at = (const char *)auth + k->offset;

	switch (k->type) {
	case TYPE_FILE:
		return auth->secrets.n == 1;
	case TYPE_FILES:
		return auth->secrets.n > 1;
	case TYPE_USER:
	case TYPE_HEADER:
	case TYPE_PREFIX:
		return ((const struct str *)at)->n > 0;
	case TYPE_TOLERANCE:
		return auth->kind != CONF_AUTH_HMAC || auth->timestamp_header.n > 0;
	case TYPE_TRUE:
	case TYPE_ALGORITHM:
	case TYPE_NAMES:
	case TYPE_TOPICS:
		break;
	}
	return true;
}

static void put_value(struct buf *out, const struct auth_key *k, const struct conf_auth *auth)
{
	const void *at = (const char *)auth + k->offset;
	char text[UNITS_TEXT_MAX];

	switch (k->type) {
	case TYPE_TRUE:
		buf_puts(out, "true");
		break;
	case TYPE_FILE:
		put_text(out, auth->secrets.v[0].text);
		break;
	case TYPE_FILES:
	case TYPE_NAMES:
	case TYPE_TOPICS:
		put_list(out, at);
		break;
	case TYPE_USER:
	case TYPE_HEADER:
	case TYPE_PREFIX:
		put_text(out, *(const struct str *)at);
		break;
	case TYPE_ALGORITHM:
		buf_puts(out, algorithms[auth->algorithm]);
		break;
	case TYPE_TOLERANCE:
		units_format_duration(auth->tolerance_ms, text);
		buf_puts(out, text);
		break;
	}
}

static void put_keys(struct buf *out, const struct auth_kind *kind, const struct conf_auth *auth)
{
	const char *before = "{";

	for (size_t i = 0; i < kind->keys_n; i++) {
		if (!is_said(&kind->keys[i], auth))
			continue;
		buf_printf(out, "%s%s: ", before, kind->keys[i].name);
		put_value(out, &kind->keys[i], auth);
		before = ", ";
	}
	buf_putc(out, '}');
}

void conf_put_auth(struct buf *out, const struct conf_auth *auth)
{
	const char *before = "{";

	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct auth_kind *kind = &kinds[i];

		if (kind->kind != auth->kind || !is_said(&kind->self, auth))
			continue;
		buf_printf(out, "%s%s: ", before, kind->self.name);
		if (kind->keys_n)
			put_keys(out, kind, auth);
		else
			put_value(out, &kind->self, auth);
		before = ", ";
	}
	if (auth->allow.n) {
		buf_printf(out, "%sallow: ", before);
		put_list(out, &auth->allow);
	}
	buf_putc(out, '}');
}
