/* conf_token.c: `tokens`, read and written.
 *
 * Owns the form of an entry: a name that no other has, the hash of a token, never the token itself,
 * and its scopes. A text that looks like a token where its hash should stand is named as that and
 * not repeated in the finding. Whether the sources of `ingest:NAME` exist is flow/load.c's to tell.
 */
#include "conf/conf_impl.h"

#define HASH_PREFIX STR("sha256:")
#define INGEST_PREFIX STR("ingest:")

static const struct {
	const char *name;
	enum conf_scope scope;
} scopes[] = {
	{"ingest", CONF_SCOPE_INGEST},
	{"read", CONF_SCOPE_READ},
	{"operate", CONF_SCOPE_OPERATE},
	{"admin", CONF_SCOPE_ADMIN},
};
#define SCOPES_N (sizeof(scopes) / sizeof(scopes[0]))

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_hash(struct str s, unsigned char out[CONF_TOKEN_HASH])
{
	if (!str_starts(s, HASH_PREFIX) || s.n != HASH_PREFIX.n + 2 * (size_t)CONF_TOKEN_HASH)
		return false;
	for (size_t i = 0; i < CONF_TOKEN_HASH; i++) {
		int high = digit(s.p[HASH_PREFIX.n + 2 * i]), low = digit(s.p[HASH_PREFIX.n + 2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static void set_name(struct loader *l, const struct yaml *y, struct conf_token *token)
{
	if (!take_text(l, "tokens.name", y, &token->name))
		return;
	const char *why = conf_check_token(token->name);
	if (why)
		complain(l, y, "'tokens.name' is '%.*s': %s", STR_ARG(shown(token->name)), why);
}

/* What stands there may be the token itself: it is not shown. */
static void set_hash(struct loader *l, const struct yaml *y, struct conf_token *token)
{
	if (y->kind != YAML_SCALAR || !parse_hash(y->text, token->hash))
		complain(l, y,
			"'tokens.hash' must be sha256: and 64 hex digits, as runbookctl token new prints it; "
			"the token itself does not belong here");
}

static void set_scope(struct loader *l, struct conf_text *t, struct conf_token *token)
{
	struct yaml place = {.line = t->line, .column = t->column};

	for (size_t i = 0; i < SCOPES_N; i++) {
		if (str_is(t->text, scopes[i].name)) {
			token->scopes |= scopes[i].scope;
			return;
		}
	}
	struct str name = {t->text.p + INGEST_PREFIX.n, t->text.n - INGEST_PREFIX.n};
	if (!str_starts(t->text, INGEST_PREFIX) || conf_check_source(name)) {
		complain(l, &place,
			"'tokens.scopes' has '%.*s'; scopes are ingest, ingest:NAME of a source, read, operate "
			"and admin",
			STR_ARG(shown(t->text)));
		return;
	}
	token->ingest.v[token->ingest.n++] = (struct conf_text){name, t->line, t->column};
}

static void set_scopes(struct loader *l, const struct yaml *y, struct conf_token *token)
{
	struct conf_list list;

	if (!take_list(l, "tokens.scopes", y, &list))
		return;
	if (list.n == 0 || list.n > CONF_SCOPES_MAX) {
		complain(l, y, "'tokens.scopes' has %zu entries; it must have from 1 to %d", list.n,
			CONF_SCOPES_MAX);
		return;
	}
	token->ingest.v = arena_array(&l->conf->arena, list.n, sizeof(*token->ingest.v));
	for (size_t i = 0; i < list.n && token->ingest.v; i++)
		set_scope(l, &list.v[i], token);
}

static void set_token(struct loader *l, const struct yaml *y, struct conf_token *token)
{
	static const char *const names[] = {"name", "hash", "scopes"};

	*token = (struct conf_token){.line = y->line, .column = y->column};
	if (y->kind != YAML_MAP) {
		complain(l, y, "'tokens' has %s; each token is a map of name, hash and scopes", kind_of(y));
		return;
	}
	for (const struct yaml *c = y->child; c; c = c->next) {
		if (str_is(c->key, "name"))
			set_name(l, c, token);
		else if (str_is(c->key, "hash"))
			set_hash(l, c, token);
		else if (str_is(c->key, "scopes"))
			set_scopes(l, c, token);
		else
			unknown_key(l, "tokens", c, names, 3);
	}
	for (size_t i = 0; i < 3; i++) {
		if (!yaml_get(y, names[i]))
			complain(l, y, "a token of 'tokens' needs '%s'; runbookctl token new prints a whole one",
				names[i]);
	}
}

/* Two of one name could not be told apart in the audit; of one hash, only the first would count. */
static void check_twins(struct loader *l, const struct conf_token *v, size_t n)
{
	const struct conf_token *now = &v[n];
	struct yaml place = {.line = now->line, .column = now->column};

	for (size_t i = 0; i < n; i++) {
		if (str_eq(v[i].name, now->name))
			complain(l, &place, "'tokens' has the name '%.*s' twice", STR_ARG(shown(now->name)));
		else if (memcmp(v[i].hash, now->hash, sizeof(now->hash)) == 0)
			complain(l, &place, "the tokens '%.*s' and '%.*s' have one hash", STR_ARG(shown(v[i].name)),
				STR_ARG(shown(now->name)));
	}
}

void conf_set_tokens(struct loader *l, const struct yaml *y)
{
	size_t errors = l->diags->errors, n = 0;

	l->tokens_lost = true;
	if (y->kind != YAML_SEQ || y->count > CONF_TOKENS_MAX) {
		complain(l, y, "'tokens' must be a list of at most %d tokens", CONF_TOKENS_MAX);
		return;
	}
	struct conf_token *v = arena_array(&l->conf->arena, y->count ? y->count : 1, sizeof(*v));
	if (!v)
		return;
	for (const struct yaml *e = y->child; e; e = e->next) {
		size_t before = l->diags->errors;

		set_token(l, e, &v[n]);
		if (l->diags->errors == before)
			check_twins(l, v, n++);
	}
	if (l->diags->errors > errors)
		return;
	l->tokens_lost = false;
	l->conf->tokens = v;
	l->conf->tokens_n = n;
}

void conf_put_token(struct buf *out, const struct conf_token *token)
{
	const char *before = "";

	buf_puts(out, "{name: ");
	put_text(out, token->name);
	buf_puts(out, ", hash: \"sha256:");
	for (size_t i = 0; i < CONF_TOKEN_HASH; i++)
		buf_printf(out, "%02x", token->hash[i]);
	buf_puts(out, "\", scopes: [");
	for (size_t i = 0; i < SCOPES_N; i++) {
		if (!(token->scopes & scopes[i].scope))
			continue;
		buf_printf(out, "%s%s", before, scopes[i].name);
		before = ", ";
	}
	for (size_t i = 0; i < token->ingest.n; i++) {
		/* quoted, for the colon */
		buf_printf(out, "%s\"ingest:%.*s\"", before, STR_ARG(token->ingest.v[i].text));
		before = ", ";
	}
	buf_puts(out, "]}");
}
