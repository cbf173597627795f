/* cmd_token.c: token new: a token, and the line of runbookd.yml that knows it.
 *
 * The token is printed once and kept nowhere: runbookd.yml gets its SHA-256. It asks nobody.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "base/hash.h"
#include "cli/commands.h"
#include "conf/conf.h"

#define TOKEN_PREFIX "rb_"
#define TOKEN_BYTES 32

/* "rb_" and 64 hex digits. */
static int make_token(char out[sizeof(TOKEN_PREFIX) + 2 * TOKEN_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[TOKEN_BYTES];
	char *p = out;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		cli_error("the system gives no random bytes: %s", strerror(errno));
		return CLI_FAILED;
	}
	memcpy(p, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
	p += strlen(TOKEN_PREFIX);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		*p++ = hex[bytes[i] >> 4];
		*p++ = hex[bytes[i] & 15];
	}
	*p = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

/* The YAML line is read back as the configuration would be: what is printed is taken. */
static int check(struct str line)
{
	struct diags d;
	struct buf text;
	struct conf *c;
	int rc = 0;

	diags_init(&d);
	buf_init(&text, BUF_NO_LIMIT);
	buf_puts(&text, "tokens:\n");
	buf_str(&text, line);
	c = conf_parse(buf_as_str(&text), "token", "/", &d);
	for (size_t i = 0; i < d.n; i++)
		cli_error("%s", d.v[i].text);
	if (!c)
		rc = CLI_USAGE;
	conf_free(c);
	buf_release(&text);
	diags_release(&d);
	return rc;
}

static void put_line(struct buf *out, const struct cli_options *o, const char *hash)
{
	buf_printf(out, "  - {name: %s, hash: \"sha256:%s\", scopes: [", o->name ? o->name : "new", hash);
	for (size_t i = 0; i < o->scopes_n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", o->scopes[i]);
	buf_puts(out, o->scopes_n ? "]}\n" : "read]}\n");
}

static void print_data(struct cli *c, const char *token, const char *hash)
{
	const struct cli_options *o = &c->o;
	struct json_w w;
	struct buf text;
	struct err e;

	buf_init(&text, BUF_NO_LIMIT);
	json_w_init(&w, &text);
	json_w_object(&w);
	json_w_kstr(&w, "token", str_of(token));
	json_w_kstr(&w, "name", str_of(o->name ? o->name : "new"));
	json_w_key(&w, STR("hash"));
	json_w_str(&w, arena_printf(&c->arena, "sha256:%s", hash));
	json_w_key(&w, STR("scopes"));
	json_w_array(&w);
	for (size_t i = 0; i < o->scopes_n; i++)
		json_w_str(&w, str_of(o->scopes[i]));
	if (o->scopes_n == 0)
		json_w_str(&w, STR("read"));
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	const struct json *j = json_parse(&c->arena, buf_as_str(&text), &e);
	if (j)
		cli_print(c, j);
	buf_release(&text);
}

static int run(struct cli *c, int argc, char **argv)
{
	char token[sizeof(TOKEN_PREFIX) + 2 * TOKEN_BYTES], hash[HASH_SHA256_HEX];
	struct buf line;
	int rc = make_token(token);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	hash_sha256_hex(str_of(token), hash);
	buf_init(&line, BUF_NO_LIMIT);
	put_line(&line, &c->o, hash);
	rc = check(buf_as_str(&line));
	if (rc == 0 && c->o.format == CLI_TABLE)
		buf_printf(&c->out, "%s\n\n# runbookd.yml; the token itself is kept nowhere\ntokens:\n%s", token,
			line.p);
	else if (rc == 0)
		print_data(c, token, hash);
	buf_release(&line);
	explicit_bzero(token, sizeof(token));
	return rc;
}

const struct command command_token_new = {
	.name = "token new",
	.synopsis = "[--name NAME] [--scope SCOPE]...",
	.sentence = "a new token, printed once, and its line for tokens in runbookd.yml",
	.scopes = SCOPE_TOKEN,
	.run = run,
};
