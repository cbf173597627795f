/* json_write.c: JSON out. Appends to a struct buf and keeps only where commas go.
 *
 * Guarantee: strings are always valid JSON in valid UTF-8, whatever the bytes; numbers that
 * JSON does not have (NaN, infinity) become null. It does not check that keys and values
 * alternate: that is the caller's shape, and tests read it back.
 *
 * Errors are those of the buffer, sticky, looked at once at the end.
 */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/utf8.h"

void json_w_init(struct json_w *w, struct buf *out)
{
	w->out = out;
	w->depth = 0;
	w->comma[0] = false;
}

/* Before each value or key: the comma that stands between it and the one before. */
static void comma(struct json_w *w)
{
	if (w->comma[w->depth])
		buf_putc(w->out, ',');
	w->comma[w->depth] = true;
}

static void begin(struct json_w *w, char bracket)
{
	comma(w);
	buf_putc(w->out, bracket);
	if (w->depth + 1 < JSON_W_DEPTH)
		w->depth++;
	else
		w->out->failed = true;
	w->comma[w->depth] = false;
}

void json_w_object(struct json_w *w)
{
	begin(w, '{');
}

void json_w_array(struct json_w *w)
{
	begin(w, '[');
}

void json_w_end(struct json_w *w, char bracket)
{
	assert(w->depth > 0 || buf_failed(w->out));
	if (w->depth > 0)
		w->depth--;
	buf_putc(w->out, bracket);
}

/* 0: may stand in a string as it is. 1: must be escaped. 2: not ASCII, so to be checked. */
static const unsigned char kind_of[256] = {
	[0 ... 0x1F] = 1,
	['"'] = 1,
	['\\'] = 1,
	[0x80 ... 0xFF] = 2,
};

static void escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	/* pairs: the byte and its letter */
	const char *pair = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
	if (pair) {
		text[1] = pair[1];
		buf_add(out, text, 2);
	} else {
		buf_add(out, text, 6);
	}
}

/* Is one of these eight bytes a control, a quote, a backslash or not ASCII? A borrow may say yes
 * for a neighbour of such a byte, never no for the byte itself. */
static bool any_special(uint64_t eight)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t quote = eight ^ (ones * '"');
	uint64_t backslash = eight ^ (ones * '\\');
	return ((eight - ones * ' ') | (quote - ones) | (backslash - ones) | eight) & (ones * 0x80);
}

/* Most strings need no escape: found out first, they are one copy. */
static size_t plain_length(struct str s)
{
	const unsigned char *u = (const unsigned char *)s.p;
	size_t i = 0;
	for (uint64_t eight; s.n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, u + i, sizeof(eight));
		if (any_special(eight))
			break;
	}
	while (i < s.n && kind_of[u[i]] == 0)
		i++;
	return i;
}

static void quote_plain(struct buf *out, struct str s)
{
	char *to = buf_room(out, s.n + 2);
	if (!to)
		return;
	to[0] = '"';
	if (s.n)
		memcpy(to + 1, s.p, s.n);
	to[s.n + 1] = '"';
	buf_added(out, s.n + 2);
}

void json_quote(struct buf *out, struct str s)
{
	const unsigned char *u = (const unsigned char *)s.p;
	size_t from = 0, i = plain_length(s);

	if (i == s.n) {
		quote_plain(out, s);
		return;
	}
	buf_putc(out, '"');
	while (i < s.n) {
		if (kind_of[u[i]] == 0) {
			i++;
			continue;
		}
		size_t len = kind_of[u[i]] == 2 ? utf8_char(s.p + i, s.n - i) : 0;
		if (len) {
			i += len;
			continue;
		}
		buf_add(out, s.p + from, i - from);
		if (kind_of[u[i]] == 1)
			escape(out, u[i]);
		else
			buf_puts(out, UTF8_REPLACEMENT);
		from = ++i;
	}
	buf_add(out, s.p + from, i - from);
	buf_putc(out, '"');
}

void json_w_key(struct json_w *w, struct str key)
{
	comma(w);
	json_quote(w->out, key);
	buf_putc(w->out, ':');
	w->comma[w->depth] = false; /* the value follows without one */
}

void json_w_str(struct json_w *w, struct str s)
{
	comma(w);
	json_quote(w->out, s);
}

void json_w_i64(struct json_w *w, int64_t v)
{
	comma(w);
	buf_i64(w->out, v);
}

void json_w_double(struct json_w *w, double v)
{
	char text[32];
	comma(w);
	if (!isfinite(v)) {
		buf_puts(w->out, "null");
		return;
	}
	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_puts(w->out, text);
}

void json_w_bool(struct json_w *w, bool v)
{
	comma(w);
	buf_puts(w->out, v ? "true" : "false");
}

void json_w_null(struct json_w *w)
{
	comma(w);
	buf_puts(w->out, "null");
}

void json_w_raw(struct json_w *w, struct str json)
{
	comma(w);
	buf_str(w->out, json);
}

void json_w_time_ms(struct json_w *w, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];
	if (ms == 0) {
		json_w_null(w);
		return;
	}
	clock_format_ms(ms, text);
	json_w_str(w, str_of(text));
}

void json_w_kstr(struct json_w *w, const char *key, struct str s)
{
	json_w_key(w, str_of(key));
	json_w_str(w, s);
}

void json_w_ki64(struct json_w *w, const char *key, int64_t v)
{
	json_w_key(w, str_of(key));
	json_w_i64(w, v);
}

void json_w_kbool(struct json_w *w, const char *key, bool v)
{
	json_w_key(w, str_of(key));
	json_w_bool(w, v);
}

void json_w_kraw(struct json_w *w, const char *key, struct str json)
{
	json_w_key(w, str_of(key));
	json_w_raw(w, json);
}

void json_w_ktime_ms(struct json_w *w, const char *key, int64_t ms)
{
	json_w_key(w, str_of(key));
	json_w_time_ms(w, ms);
}

/* Recursion is as deep as the reader's depth limit, at most. */
void json_write(struct json_w *w, const struct json *j)
{
	switch (j->kind) {
	case JSON_NULL:
		json_w_null(w);
		return;
	case JSON_BOOL:
		json_w_bool(w, j->boolean);
		return;
	case JSON_NUMBER:
		json_w_raw(w, j->text);
		return;
	case JSON_STRING:
		json_w_str(w, j->text);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	bool object = j->kind == JSON_OBJECT;
	begin(w, object ? '{' : '[');
	for (const struct json *c = j->child; c; c = c->next) {
		if (object)
			json_w_key(w, c->key);
		json_write(w, c);
	}
	json_w_end(w, object ? '}' : ']');
}
