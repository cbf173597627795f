/* log.c: one occurrence, one line, one write(2).
 *
 * Guarantee: whatever the values hold, a line is one line and its keys are the caller's: values
 * are quoted and escaped, so that a label cannot forge a line or a key. A value longer than
 * VALUE_MAX is cut and says so, which is also what bounds a line.
 *
 * Owns the settings, one buffer and the ring of log_i64; not for two threads, not for signal
 * handlers. A line that cannot be written is lost: there is nowhere to say so.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#define VALUE_MAX ((size_t)2048)
#define RING 8

static const char *program = "runbookd";
static enum log_format format = LOG_LOGFMT;
static enum log_level least = LOG_INFO;

static const char *const levels[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

void log_init(const char *name, enum log_format f, enum log_level l)
{
	program = name;
	format = f;
	least = l;
}

bool log_on(enum log_level level)
{
	return level >= least;
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F)
			return true;
	}
	return s.n == 0 || utf8_valid(s) != s.n;
}

static struct str cut(struct str s)
{
	if (s.n > VALUE_MAX) {
		s.n = VALUE_MAX;
		/* not within a character */
		while (s.n && ((unsigned char)s.p[s.n] & 0xC0) == 0x80)
			s.n--;
	}
	return s;
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
	struct str whole = str_of(value);
	struct str s = cut(whole);
	bool json = format == LOG_JSON;

	if (b->n > (json ? 1u : 0u))
		buf_putc(b, json ? ',' : ' ');
	if (json)
		json_quote(b, str_of(key));
	else
		buf_puts(b, key);
	buf_putc(b, json ? ':' : '=');
	if (!json && !needs_quotes(s) && s.n == whole.n) {
		buf_str(b, s);
		return;
	}
	json_quote(b, s);
	if (s.n < whole.n && !buf_failed(b)) {
		b->n--; /* the closing quote */
		buf_printf(b, "... (%zu bytes)\"", whole.n);
	}
}

void log_kv(enum log_level level, const char *msg, ...)
{
	static struct buf line = {.limit = BUF_NO_LIMIT};
	char time[CLOCK_RFC3339_MAX];
	va_list ap;

	if (!log_on(level))
		return;
	buf_clear(&line);
	clock_format_ms(clock_wall_ms(), time);
	if (format == LOG_JSON)
		buf_putc(&line, '{');
	put_pair(&line, "time", time);
	put_pair(&line, "level", levels[level]);
	put_pair(&line, "program", program);
	put_pair(&line, "msg", msg);
	va_start(ap, msg);
	for (const char *key = va_arg(ap, const char *); key; key = va_arg(ap, const char *)) {
		const char *value = va_arg(ap, const char *);
		if (value)
			put_pair(&line, key, value);
	}
	va_end(ap);
	buf_puts(&line, format == LOG_JSON ? "}\n" : "\n");
	if (!buf_failed(&line) && write(STDERR_FILENO, line.p, line.n) < 0)
		return;
}

const char *log_i64(long long v)
{
	static char ring[RING][24];
	static unsigned at;
	char *text = ring[at++ % RING];
	snprintf(text, sizeof(ring[0]), "%lld", v);
	return text;
}
