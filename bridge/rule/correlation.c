/* correlation.c: which incident an event belongs to, and the keys that `by` lists make.
 *
 * Guarantee: two lists of values have the same key only where they are the same list: each value
 * carries its length. Keys are short: a long one is its SHA-256. A policy's part of the key is made
 * of what it matches and by what, so that it may move up or down in the configuration and its
 * incidents stay.
 *
 * Who opens, joins or closes an incident is the store's matter; this only names it.
 */
#include "rule/correlation.h"

#define KEY_PLAIN_LIMIT 200	  /* bytes of a key; a longer one is hashed */
#define KEY_TEXT_LIMIT (64 << 20) /* what a key may be made of */
#define KEY_SHOWN_LIMIT 1024	  /* bytes of a value in key_json */
#define ALONE_WINDOW_MS (10 * 60 * 1000)

struct correlation {
	struct str id; /* made of what it matches and by what, not of its place */
	struct matchers match;
	struct field *by;
	size_t by_n;
	int64_t window_ms;
};

/* ---- policies ---- */

static void conf_error(
	const struct conf *conf, struct diags *d, const struct conf_text *t, const struct err *e)
{
	diag_add(d, DIAG_ERROR, conf->path.p ? conf->path.p : "", t->line, t->column,
		"correlation: %s: '%.*s'", e->text, (int)(t->text.n < 100 ? t->text.n : 100),
		t->text.p ? t->text.p : "");
}

static struct conf_list copy_list(struct arena *a, const struct conf_list *l)
{
	struct conf_list out = {arena_array(a, l->n ? l->n : 1, sizeof(*l->v)), 0};

	for (size_t i = 0; out.v && i < l->n; i++) {
		out.v[out.n] = l->v[i];
		out.v[out.n++].text = arena_strdup(a, l->v[i].text);
	}
	return out;
}

static void read_policy(struct ruleset *rs, const struct conf *conf, struct diags *d,
	const struct conf_correlation *c, struct correlation *out)
{
	struct arena *a = &rs->arena;
	struct buf text;
	struct err e;

	buf_init(&text, KEY_TEXT_LIMIT);
	out->window_ms = c->window_ms;
	for (size_t i = 0; i < c->match.n; i++) {
		struct matchers m = {0};
		buf_printf(&text, "match=%zu:%.*s;", c->match.v[i].text.n,
			STR_ARG(c->match.v[i].text));
		if (matchers_parse(a, c->match.v[i].text, &m, &e) < 0 ||
			matchers_join(a, &out->match, &m, &e) < 0) {
			matchers_release(&m);
			conf_error(conf, d, &c->match.v[i], &e);
		}
	}
	out->by = arena_array(a, c->by.n ? c->by.n : 1, sizeof(*out->by));
	for (size_t i = 0; i < c->by.n && out->by; i++) {
		buf_printf(&text, "by=%zu:%.*s;", c->by.v[i].text.n, STR_ARG(c->by.v[i].text));
		if (field_parse(a, c->by.v[i].text, &out->by[out->by_n], &e) == 0)
			out->by_n++;
		else
			conf_error(conf, d, &c->by.v[i], &e);
	}
	char sha[HASH_SHA256_HEX];
	hash_sha256_hex(buf_as_str(&text), sha);
	out->id = arena_strdup(a, (struct str){sha, 12});
	buf_release(&text);
}

void correlation_read(struct ruleset *rs, const struct conf *conf, struct diags *d)
{
	size_t n = conf->correlation_n;

	rs->correlation = arena_array(&rs->arena, n ? n : 1, sizeof(*rs->correlation));
	rs->correlation_conf = arena_array(&rs->arena, n ? n : 1, sizeof(*rs->correlation_conf));
	for (size_t i = 0; i < n && rs->correlation && rs->correlation_conf; i++) {
		const struct conf_correlation *c = &conf->correlation[i];
		rs->correlation_conf[i] =
			(struct conf_correlation){copy_list(&rs->arena, &c->match),
				copy_list(&rs->arena, &c->by), c->window_ms};
		read_policy(rs, conf, d, c, &rs->correlation[i]);
		rs->correlation_n++;
	}
}

void correlation_release(struct ruleset *rs)
{
	for (size_t i = 0; i < rs->correlation_n; i++)
		matchers_release(&rs->correlation[i].match);
}

void correlation_describe(const struct ruleset *rs, struct buf *out)
{
	for (size_t i = 0; i < rs->correlation_n; i++)
		buf_printf(out, "correlation %.*s %lld\n", STR_ARG(rs->correlation[i].id),
			(long long)rs->correlation[i].window_ms);
}

/* ---- keys ---- */

static struct str finish_key(struct arena *a, struct buf *b)
{
	char sha[HASH_SHA256_HEX];
	struct str key;

	if (buf_failed(b)) {
		a->failed = true;
		key = STR_NONE;
	} else if (b->n <= KEY_PLAIN_LIMIT) {
		key = arena_strdup(a, buf_as_str(b));
	} else {
		hash_sha256_hex(buf_as_str(b), sha);
		key = arena_printf(a, "#%s", sha);
	}
	buf_release(b);
	return key;
}

static void put_values(
	struct buf *b, struct arena *a, const struct field *by, size_t n, const struct event *ev)
{
	for (size_t i = 0; i < n; i++) {
		struct str v = field_value(a, &by[i], ev);
		buf_str(b, by[i].text);
		buf_putc(b, '=');
		buf_u64(b, v.n);
		buf_putc(b, ':');
		buf_str(b, v);
		buf_putc(b, ';');
	}
}

struct str rule_by_key(struct arena *a, const struct field *by, size_t n, const struct event *ev)
{
	struct buf b;

	buf_init(&b, KEY_TEXT_LIMIT);
	put_values(&b, a, by, n, ev);
	return finish_key(a, &b);
}

static bool has_any(struct arena *a, const struct correlation *c, const struct event *ev)
{
	for (size_t i = 0; i < c->by_n; i++)
		if (field_value(a, &c->by[i], ev).n > 0)
			return true;
	return false;
}

/* For people: the name as written, without the quotes it may need in a matcher. */
static struct str shown_name(const struct field *f)
{
	return f->kind == FIELD_LABEL ? f->name : f->text;
}

static struct str shown_value(struct str v)
{
	size_t n = v.n < KEY_SHOWN_LIMIT ? v.n : KEY_SHOWN_LIMIT;

	while (n < v.n && n > 0 && ((unsigned char)v.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){v.p, n};
}

static struct str by_json(struct arena *a, const struct correlation *c, const struct event *ev)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, KEY_TEXT_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < c->by_n; i++) {
		struct str v = field_value(a, &c->by[i], ev);
		if (v.n == 0)
			continue;
		json_w_key(&w, shown_name(&c->by[i]));
		json_w_str(&w, shown_value(v));
	}
	json_w_end(&w, '}');
	struct str s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	a->failed = a->failed || buf_failed(&b);
	buf_release(&b);
	return s;
}

static int correlate_alone(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_correlation *out)
{
	struct buf b;

	out->window_ms = rs->correlation_n ? rs->correlation[rs->correlation_n - 1].window_ms
					   : ALONE_WINDOW_MS;
	if (ev->fingerprint.n == 0) {
		out->key_json = STR("{}");
		return 0;
	}
	buf_init(&b, KEY_TEXT_LIMIT);
	buf_puts(&b, "alert:");
	buf_u64(&b, ev->source.n);
	buf_putc(&b, ':');
	buf_str(&b, ev->source);
	buf_putc(&b, ':');
	buf_str(&b, ev->fingerprint);
	out->key = finish_key(a, &b);
	buf_init(&b, KEY_TEXT_LIMIT);
	buf_puts(&b, "{\"fingerprint\":");
	json_quote(&b, ev->fingerprint);
	buf_putc(&b, '}');
	out->key_json = arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return arena_failed(a) ? -1 : 0;
}

struct str rule_host(const struct event *ev)
{
	struct str instance = event_label(ev, STR("instance"));

	return instance.n ? template_host(instance) : event_label(ev, STR("host"));
}

int ruleset_correlate(const struct ruleset *rs, struct arena *a, const struct event *ev,
	struct rule_correlation *out)
{
	*out = (struct rule_correlation){0};
	matcher_scratch_begin(rs->scratch);
	for (size_t i = 0; i < rs->correlation_n; i++) {
		const struct correlation *c = &rs->correlation[i];
		/* A regex that gives up (-1) leaves the event to the next policy. */
		if (!has_any(a, c, ev) ||
			matchers_eval(&c->match, rs->scratch, a, ev, NULL, NULL) != 1)
			continue;
		struct buf b;
		buf_init(&b, KEY_TEXT_LIMIT);
		buf_str(&b, c->id);
		buf_putc(&b, ':');
		put_values(&b, a, c->by, c->by_n, ev);
		out->key = finish_key(a, &b);
		out->key_json = by_json(a, c, ev);
		out->window_ms = c->window_ms;
		return arena_failed(a) ? -1 : 0;
	}
	return correlate_alone(rs, a, ev, out);
}
