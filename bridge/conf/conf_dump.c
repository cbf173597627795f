/* conf_dump.c: the table as text: --dump-config, the rows of the manual page, and what a reload
 * cannot change. Pure.
 *
 * Guarantee: what conf_dump writes is a configuration that parses to the same values, but for the
 * password in `redis`, which is written <secret>. Texts are in double quotes with escapes unless
 * they are plain words.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <strings.h>
#include "base/json.h"
#include "base/units.h"
#include "base/utf8.h"
#include "conf/conf_impl.h"
#include "conf/conf_table.h"

static const void *field(const struct conf *c, const struct conf_key *k)
{
	return (const char *)c + k->offset;
}

/* ---- YAML ---- */

static bool is_word(struct str s)
{
	/* what this or another program's parser would not take for a text */
	static const char *const not_texts[] = {
		"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
		bool more = (c >= '0' && c <= '9') || c == '-' || c == '.';
		if (!letter && !(more && i))
			return false;
	}
	for (size_t i = 0; i < sizeof(not_texts) / sizeof(not_texts[0]); i++) {
		if (s.n == strlen(not_texts[i]) && strncasecmp(s.p, not_texts[i], s.n) == 0)
			return false;
	}
	return s.n > 0;
}

/* What YAML does not allow, or folds, unless it is escaped: C1 controls (U+0085 among them), the
 * separators U+2028 and U+2029, the byte order mark, U+FFFE and U+FFFF. 0 where it may stand. */
static unsigned must_escape(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	if (n == 2 && u[0] == 0xC2 && u[1] < 0xA0)
		return u[1];
	if (n != 3)
		return 0;
	unsigned v = (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
	return v == 0x2028 || v == 0x2029 || v == 0xFEFF || v >= 0xFFFE ? v : 0;
}

void put_text(struct buf *out, struct str s)
{
	if (is_word(s)) {
		buf_str(out, s);
		return;
	}
	struct buf json;
	buf_init(&json, BUF_NO_LIMIT);
	json_quote(&json, s);
	/* JSON's escapes are YAML's; YAML just needs a few more. */
	for (size_t i = 0; i < json.n;) {
		size_t n = utf8_char(json.p + i, json.n - i);
		unsigned v = must_escape(json.p + i, n);
		if (v)
			buf_printf(out, "\\u%04x", v);
		else if (json.p[i] == 0x7F)
			buf_puts(out, "\\u007f");
		else
			buf_add(out, json.p + i, n);
		i += n;
	}
	if (buf_failed(&json))
		out->failed = true;
	buf_release(&json);
}

static void put_redis(struct buf *out, struct str url, bool reveal)
{
	struct str password = conf_redis_password(url);
	struct buf masked;

	if (reveal || password.n == 0) {
		put_text(out, url);
		return;
	}
	buf_init(&masked, BUF_NO_LIMIT);
	buf_add(&masked, url.p, (size_t)(password.p - url.p));
	buf_puts(&masked, "<secret>");
	size_t before = (size_t)(password.p - url.p) + password.n;
	buf_add(&masked, url.p + before, url.n - before);
	put_text(out, buf_as_str(&masked));
	buf_release(&masked);
}

void put_list(struct buf *out, const struct conf_list *list)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			buf_puts(out, ", ");
		put_text(out, list->v[i].text);
	}
	buf_putc(out, ']');
}

void put_pairs(struct buf *out, const struct conf_pairs *pairs)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < pairs->n; i++) {
		if (i)
			buf_puts(out, ", ");
		put_text(out, pairs->v[i].name);
		buf_puts(out, ": ");
		put_text(out, pairs->v[i].value.text);
	}
	buf_putc(out, '}');
}

void conf_put_policies(struct buf *out, const struct conf_correlation *v, size_t n)
{
	char window[UNITS_TEXT_MAX];
	if (n == 0)
		buf_puts(out, "[]");
	for (size_t i = 0; i < n; i++) {
		const struct conf_correlation *p = &v[i];
		buf_puts(out, "\n  - {");
		if (p->match.n) {
			buf_puts(out, "match: ");
			put_list(out, &p->match);
			buf_puts(out, ", ");
		}
		buf_puts(out, "by: ");
		put_list(out, &p->by);
		units_format_duration(p->window_ms, window);
		buf_printf(out, ", window: %s}", window);
	}
}

static void put_sources(struct buf *out, const struct conf *c)
{
	if (c->sources_n == 0)
		buf_puts(out, "{}");
	for (size_t i = 0; i < c->sources_n; i++) {
		buf_puts(out, "\n  ");
		put_text(out, c->sources[i].name);
		buf_puts(out, ": ");
		conf_put_source(out, &c->sources[i]);
	}
}

static void put_windows(struct buf *out, const struct conf *c)
{
	if (c->maintenance_n == 0)
		buf_puts(out, "[]");
	for (size_t i = 0; i < c->maintenance_n; i++) {
		buf_puts(out, "\n  - ");
		conf_put_window(out, &c->maintenance[i]);
	}
}

static void put_inhibits(struct buf *out, const struct conf *c)
{
	if (c->inhibit_n == 0)
		buf_puts(out, "[]");
	for (size_t i = 0; i < c->inhibit_n; i++) {
		buf_puts(out, "\n  - ");
		conf_put_inhibit(out, &c->inhibit[i]);
	}
}

static void put_tokens(struct buf *out, const struct conf *c)
{
	if (c->tokens_n == 0)
		buf_puts(out, "[]");
	for (size_t i = 0; i < c->tokens_n; i++) {
		buf_puts(out, "\n  - ");
		conf_put_token(out, &c->tokens[i]);
	}
}

static void put_number(struct buf *out, enum conf_type type, int64_t v)
{
	char text[UNITS_TEXT_MAX];
	if (type == CONF_DURATION)
		units_format_duration(v, text);
	else if (type == CONF_SIZE)
		units_format_size(v, text);
	else
		snprintf(text, sizeof(text), "%lld", (long long)v);
	buf_puts(out, text);
}

static void put_tls(struct buf *out, const struct conf_tls *tls)
{
	if (!tls->cert.n) {
		buf_puts(out, "none");
		return;
	}
	buf_puts(out, "{cert: ");
	put_text(out, tls->cert);
	buf_puts(out, ", key: ");
	put_text(out, tls->key);
	if (tls->client_ca.n) {
		buf_puts(out, ", client_ca: ");
		put_text(out, tls->client_ca);
	}
	buf_putc(out, '}');
}

void put_rate(struct buf *out, const struct conf_rate *rate)
{
	char per[UNITS_TEXT_MAX];

	units_format_duration(rate->per_ms, per);
	if (rate->count)
		buf_printf(out, "{count: %lld, per: %s}", (long long)rate->count, per);
	else
		buf_puts(out, "none");
}

static void put_value(struct buf *out, const struct conf *c, const struct conf_key *k, bool reveal)
{
	const void *p = field(c, k);
	unsigned choice;

	switch (k->type) {
	case CONF_BOOL:
		buf_puts(out, *(const bool *)p ? "true" : "false");
		break;
	case CONF_INT:
	case CONF_DURATION:
	case CONF_SIZE:
		put_number(out, k->type, *(const int64_t *)p);
		break;
	case CONF_CHOICE:
		memcpy(&choice, p, sizeof(choice));
		buf_puts(out, k->choices[choice]);
		break;
	case CONF_TEXT:
	case CONF_PATH:
		put_text(out, *(const struct str *)p);
		break;
	case CONF_PLACED:
		put_redis(out, ((const struct conf_text *)p)->text, reveal);
		break;
	case CONF_LIST:
		put_list(out, p);
		break;
	case CONF_RATE:
		put_rate(out, p);
		break;
	case CONF_TLS:
		put_tls(out, p);
		break;
	case CONF_POLICIES:
		conf_put_policies(out, c->correlation, c->correlation_n);
		break;
	case CONF_WINDOWS:
		put_windows(out, c);
		break;
	case CONF_INHIBITS:
		put_inhibits(out, c);
		break;
	case CONF_SOURCES:
		put_sources(out, c);
		break;
	case CONF_TOKENS:
		put_tokens(out, c);
		break;
	}
}

void conf_dump(const struct conf *c, struct buf *out)
{
	struct str section = STR_NONE;
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		const char *dot = strchr(k->path, '.');
		struct str now = {k->path, dot ? (size_t)(dot - k->path) : 0};
		if (now.n && !str_eq(now, section))
			buf_printf(out, "%.*s:\n", STR_ARG(now));
		section = now;
		bool block = (k->type == CONF_POLICIES && c->correlation_n) ||
			(k->type == CONF_WINDOWS && c->maintenance_n) ||
			(k->type == CONF_INHIBITS && c->inhibit_n) ||
			(k->type == CONF_SOURCES && c->sources_n) ||
			(k->type == CONF_TOKENS && c->tokens_n);
		buf_printf(
			out, "%s%s:%s", dot ? "  " : "", dot ? dot + 1 : k->path, block ? "" : " ");
		put_value(out, c, k, false);
		buf_putc(out, '\n');
	}
}

/* ---- restarts ---- */

void conf_diff_restart(const struct conf *old, const struct conf *now, struct diags *d)
{
	struct buf a, b;
	buf_init(&a, BUF_NO_LIMIT);
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		if (!k->restart)
			continue;
		buf_clear(&a);
		buf_clear(&b);
		put_value(&a, old, k, true);
		put_value(&b, now, k, true);
		if (!str_eq(buf_as_str(&a), buf_as_str(&b)))
			diag_add(d, DIAG_WARNING, now->path.p, 0, 0,
				"'%s' was changed; restart runbookd for it to take effect",
				k->path);
	}
	buf_release(&a);
	buf_release(&b);
}

/* ---- the manual page ---- */

static void put_roff(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			buf_puts(out, "\\e");
		else if (*p == '-')
			buf_puts(out, "\\-");
		else if (*p == '"')
			buf_puts(out, "\\(dq");
		else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
			buf_printf(out, "\\&%c", *p);
		else
			buf_putc(out, *p);
	}
}

static void put_type(struct buf *out, const struct conf_key *k)
{
	static const char *const names[] = {
		[CONF_BOOL] = "true or false",
		[CONF_INT] = "number",
		[CONF_DURATION] = "duration",
		[CONF_SIZE] = "size",
		[CONF_CHOICE] = "one of",
		[CONF_TEXT] = "text",
		[CONF_PATH] = "path",
		[CONF_PLACED] = "text",
		[CONF_LIST] = "list of texts",
		[CONF_RATE] = "map of count and per, or none",
		[CONF_TLS] = "map of cert, key and client_ca, or none",
		[CONF_POLICIES] = "list of maps",
		[CONF_WINDOWS] = "list of maps",
		[CONF_INHIBITS] = "list of maps",
		[CONF_SOURCES] = "map of maps",
		[CONF_TOKENS] = "list of maps",
	};
	buf_puts(out, names[k->type]);
	for (size_t i = 0; k->choices && k->choices[i]; i++)
		buf_printf(out, "%s%s", i ? ", " : " ", k->choices[i]);
	if (k->type != CONF_INT && k->type != CONF_DURATION && k->type != CONF_SIZE)
		return;
	buf_puts(out, " from ");
	put_number(out, k->type, k->min);
	buf_puts(out, " to ");
	put_number(out, k->type, k->max);
}

void conf_print_man(struct buf *out)
{
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];
		buf_puts(out, ".TP\n.B ");
		put_roff(out, k->path);
		buf_puts(out, "\n(");
		put_type(out, k);
		buf_puts(out, "; default\n.BR \"");
		put_roff(out, k->initial);
		buf_puts(out, "\" )\n.br\n");
		put_roff(out, k->sentence);
		buf_printf(out, "%s\n", k->restart ? "\nA change needs a restart." : "");
	}
}
