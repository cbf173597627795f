/* maker.c: labels, message and time of one line, as the decoders find them.
 *
 * Guarantee: whatever a sender writes, no line has more labels, longer names or longer values than
 * line.h and line_limit allow; what is over is left out or cut, and nothing is refused for it.
 *
 * The sender's own names stay. Beside them stand ours where a table knows what is meant: `host` for
 * `hostname`, `_HOSTNAME`, `host.name`. Of two that mean the same the first one counts; one that
 * has our name counts before both.
 */
#include "line/maker.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/utf8.h"
#include "event/event.h"
#include "line/time.h"

/* ---- what names mean ---- */

enum meaning {
	MEANS_NOTHING,
	MEANS_HOST,
	MEANS_LEVEL,
	MEANS_OPERATION,
	MEANS_PID,
	MEANS_PROGRAM,
	MEANS_SERVICE,
	MEANS_SPAN,
	MEANS_TAG, /* of syslog: program[pid]: */
	MEANS_TRACE,
	MEANS_UNIT,
};

static const char *const our_names[] = {
	[MEANS_HOST] = "host",
	[MEANS_LEVEL] = "level",
	[MEANS_OPERATION] = "operation",
	[MEANS_PID] = "pid",
	[MEANS_PROGRAM] = "program",
	[MEANS_SERVICE] = "service",
	[MEANS_SPAN] = "span_id",
	[MEANS_TRACE] = "trace_id",
	[MEANS_UNIT] = "unit",
};

/* As names are after they were made ours: sorted by byte. */
static const struct {
	const char *name;
	enum meaning meaning;
} known[] = {
	{"HOST", MEANS_HOST},
	{"HOSTNAME", MEANS_HOST},
	{"LEVEL", MEANS_LEVEL},
	{"PID", MEANS_PID},
	{"PRIORITY", MEANS_LEVEL},
	{"PROGRAM", MEANS_PROGRAM},
	{"SYSLOG_IDENTIFIER", MEANS_PROGRAM},
	{"SYSLOG_PID", MEANS_PID},
	{"_HOSTNAME", MEANS_HOST},
	{"_PID", MEANS_PID},
	{"_SYSTEMD_UNIT", MEANS_UNIT},
	{"app_name", MEANS_PROGRAM},
	{"appname", MEANS_PROGRAM},
	{"host", MEANS_HOST},
	{"host_name", MEANS_HOST},
	{"hostname", MEANS_HOST},
	{"ident", MEANS_PROGRAM},
	{"level", MEANS_LEVEL},
	{"levelname", MEANS_LEVEL},
	{"log_level", MEANS_LEVEL},
	{"loglevel", MEANS_LEVEL},
	{"lvl", MEANS_LEVEL},
	{"pid", MEANS_PID},
	{"priority", MEANS_LEVEL},
	{"process_executable_name", MEANS_PROGRAM},
	{"process_name", MEANS_PROGRAM},
	{"process_pid", MEANS_PID},
	{"procid", MEANS_PID},
	{"program", MEANS_PROGRAM},
	{"programname", MEANS_PROGRAM},
	{"service", MEANS_SERVICE},
	{"service_name", MEANS_SERVICE},
	{"severity", MEANS_LEVEL},
	{"severity_text", MEANS_LEVEL},
	{"spanId", MEANS_SPAN},
	{"span_id", MEANS_SPAN},
	{"syslogseverity_text", MEANS_LEVEL},
	{"syslogtag", MEANS_TAG},
	{"systemd_unit", MEANS_UNIT},
	{"tag", MEANS_TAG},
	{"traceId", MEANS_TRACE},
	{"trace_id", MEANS_TRACE},
	{"unit", MEANS_UNIT},
};

static enum meaning meaning_of(struct str name)
{
	size_t low = 0, high = sizeof(known) / sizeof(known[0]);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(str_of(known[mid].name), name);

		if (c == 0)
			return known[mid].meaning;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return MEANS_NOTHING;
}

/* ---- the level ---- */

struct str line_level_of_syslog(unsigned severity)
{
	static const char *const words[] = {
		"critical", "critical", "critical", "error", "warning", "info", "info", "debug"};

	return severity < sizeof(words) / sizeof(words[0]) ? str_of(words[severity]) : STR_NONE;
}

static bool is_debug(struct str word)
{
	static const char *const words[] = {
		"debug", "trace", "verbose", "dbg", "fine", "finer", "finest"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word.n == strlen(words[i]) && strncasecmp(word.p, words[i], word.n) == 0)
			return true;
	return false;
}

static bool small_number(struct str s, unsigned *v)
{
	if (s.n == 0 || s.n > 2)
		return false;
	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*v = *v * 10 + (unsigned)(s.p[i] - '0');
	}
	return true;
}

static struct str level_of_number(unsigned v)
{
	/* pino and bunyan: trace 10, debug 20, info 30, warn 40, error 50, fatal 60 */
	if (v < 10)
		return line_level_of_syslog(v);
	return v < 30	? STR("debug")
	       : v < 40 ? STR("info")
	       : v < 50 ? STR("warning")
	       : v < 60 ? STR("error")
			: STR("critical");
}

struct str line_level(struct str word)
{
	unsigned number;
	enum event_severity severity;

	if (small_number(word, &number))
		return level_of_number(number);
	if (is_debug(word))
		return STR("debug");
	severity = event_severity_of(word);
	return severity == SEVERITY_UNKNOWN ? STR_NONE : str_of(event_severity_name(severity));
}

/* ---- putting ---- */

void line_maker_init(
	struct line_maker *m, const struct line_options *o, const struct line_sink *sink)
{
	m->sink = sink ? *sink : (struct line_sink){0};
	m->report = o->report;
	m->line_limit = o->line_limit ? o->line_limit : LINE_LIMIT;
	m->now_ns = o->now_ns;
	arena_init(&m->arena, LINE_ITEM_LIMIT);
	arena_init(&m->base_arena, LINE_ITEM_LIMIT);
	m->base_n = o->labels_n < LINE_LABELS_LIMIT ? o->labels_n : LINE_LABELS_LIMIT;
	m->line = (struct line){0};
	m->fixed_offset = 0;
	for (size_t i = 0; i < m->base_n; i++)
		m->labels[i] = o->labels[i];
	m->request_n = m->base_n;
}

void line_maker_release(struct line_maker *m)
{
	arena_release(&m->arena);
	arena_release(&m->base_arena);
}

void *line_maker_new(
	size_t n, const struct line_options *o, const struct line_sink *sink, struct err *e)
{
	struct line_maker *m = calloc(1, n);

	if (m)
		line_maker_init(m, o, sink);
	else
		err_set(e, ERR_NOMEM, "no memory for lines");
	return m;
}

void line_maker_free(void *decoder)
{
	if (decoder)
		line_maker_release(decoder);
	free(decoder);
}

void line_maker_begin(struct line_maker *m, uint64_t offset)
{
	m->line = (struct line){.offset = m->fixed_offset ? m->fixed_offset : offset,
		.labels = m->labels,
		.labels_n = m->base_n};
}

size_t line_maker_base(struct line_maker *m)
{
	size_t before = m->base_n;

	for (size_t i = before; i < m->line.labels_n; i++) {
		m->labels[i].name = arena_strdup(&m->base_arena, m->labels[i].name);
		m->labels[i].value = arena_strdup(&m->base_arena, m->labels[i].value);
	}
	m->base_n = m->line.labels_n;
	arena_reset(&m->arena);
	return before;
}

void line_maker_unbase(struct line_maker *m, size_t before)
{
	m->base_n = before;
	if (before == m->request_n)
		arena_reset(&m->base_arena);
}

/* At most n bytes, without half of a character at the end. */
static struct str cut(struct str s, size_t n)
{
	size_t back = 0;

	if (s.n <= n)
		return s;
	while (back < 3 && back < n && ((unsigned char)s.p[n - back] & 0xC0) == 0x80)
		back++;
	return (struct str){s.p, n - back};
}

static void put(struct line_maker *m, struct str name, struct str value)
{
	if (value.n > 0 && m->line.labels_n < LINE_LABELS_LIMIT)
		m->labels[m->line.labels_n++] =
			(struct line_label){name, cut(value, m->line_limit)};
}

void line_maker_set(struct line_maker *m, const char *name, struct str value)
{
	put(m, str_of(name), value);
}

bool line_maker_has(const struct line_maker *m, const char *name)
{
	return line_label(&m->line, str_of(name)).n > 0;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* STR_NONE: no memory, or no name. */
static struct str our_name(struct line_maker *m, struct str name)
{
	size_t good = 0;
	bool digit;
	char *p;

	name = cut(name, LINE_NAME_LIMIT);
	if (name.n == 0)
		return STR_NONE;
	digit = name.p[0] >= '0' && name.p[0] <= '9';
	while (good < name.n && is_name_char(name.p[good]))
		good++;
	if (good == name.n && !digit)
		return name;
	p = arena_alloc(&m->arena, name.n + 1);
	if (!p)
		return STR_NONE;
	p[0] = '_';
	for (size_t i = 0; i < name.n; i++)
		p[i + digit] = is_name_char(name.p[i]) ? name.p[i] : '_';
	return (struct str){p, name.n + digit};
}

static void put_meaning(struct line_maker *m, enum meaning meaning, struct str value)
{
	if (!line_maker_has(m, our_names[meaning]))
		line_maker_set(m, our_names[meaning], value);
}

/* "sshd[24200]:" */
static void put_tag(struct line_maker *m, struct str tag)
{
	const char *open, *close;

	if (tag.n && tag.p[tag.n - 1] == ':')
		tag.n--;
	open = tag.n ? memchr(tag.p, '[', tag.n) : NULL;
	close = open ? memchr(open, ']', tag.n - (size_t)(open - tag.p)) : NULL;
	if (close)
		put_meaning(m, MEANS_PID, (struct str){open + 1, (size_t)(close - open) - 1});
	if (open)
		tag.n = (size_t)(open - tag.p);
	put_meaning(m, MEANS_PROGRAM, tag);
}

static void put_level(struct line_maker *m, struct str name, struct str value)
{
	struct str level = line_level(value);

	if (!str_is(name, "level"))
		put(m, name, value);
	else if (level.n == 0)
		put(m, name, value);
	else if (!str_eq(level, value))
		line_maker_set(m, "level_word", value);
	if (level.n == 0)
		put_meaning(m, MEANS_LEVEL, value);
	else if (str_is(name, "level"))
		line_maker_set(m, "level", level);
	else
		put_meaning(m, MEANS_LEVEL, level);
}

void line_maker_label(struct line_maker *m, struct str name, struct str value)
{
	struct str ours = our_name(m, name);
	enum meaning meaning;

	if (ours.n == 0 || value.n == 0)
		return;
	meaning = meaning_of(ours);
	if (meaning == MEANS_LEVEL) {
		put_level(m, ours, value);
		return;
	}
	put(m, ours, value);
	if (meaning == MEANS_TAG)
		put_tag(m, value);
	else if (meaning != MEANS_NOTHING && !str_is(ours, our_names[meaning]))
		put_meaning(m, meaning, value);
}

void line_maker_message(struct line_maker *m, struct str message)
{
	if (str_starts(message, STR("\xEF\xBB\xBF"))) { /* a byte order mark */
		message.p += 3;
		message.n -= 3;
	}
	if (message.n && message.p[message.n - 1] == '\n')
		message.n--;
	if (message.n && message.p[message.n - 1] == '\r')
		message.n--;
	m->line.message = cut(message, m->line_limit);
	m->line.cut = m->line.message.n < message.n;
}

/* ---- objects ---- */

/* A scalar as text; STR_NONE of others. */
static struct str scalar(const struct json *j)
{
	switch (j->kind) {
	case JSON_STRING:
	case JSON_NUMBER:
		return j->text;
	case JSON_BOOL:
		return j->boolean ? STR("true") : STR("false");
	default:
		return STR_NONE;
	}
}

static const struct json *message_in(const struct json *object, unsigned depth)
{
	static const char *const names[] = {
		"message", "log", "msg", "MESSAGE", "event", "body", "short_message"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct json *j = json_get(object, names[i]), *inside;

		if (j && scalar(j).n > 0)
			return j;
		inside = j && depth > 1 ? message_in(j, depth - 1) : NULL;
		if (inside)
			return inside;
	}
	return NULL;
}

static bool is_time(struct line_maker *m, const struct json *j)
{
	static const char *const names[] = {"@timestamp", "timestamp", "time", "ts", "date",
		"ISODATE", "datetime", "eventTime", "timegenerated", "timereported"};
	int64_t ns;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!str_is(j->key, names[i]))
			continue;
		if (!line_time(scalar(j), &ns))
			return false;
		if (m->line.time_ns == 0)
			m->line.time_ns = ns;
		return true;
	}
	return false;
}

/* times: members that are the line's time are no labels. */
static void flatten(struct line_maker *m, struct str prefix, const struct json *j,
	const struct json *except, bool times, unsigned depth)
{
	for (const struct json *c = j->child; c; c = c->next) {
		struct str name = c->key;

		if (c == except || (times && is_time(m, c)))
			continue;
		if (prefix.n > 0)
			name = arena_printf(&m->arena, "%.*s_%.*s", STR_ARG(prefix),
				(int)(name.n < LINE_NAME_LIMIT ? name.n : LINE_NAME_LIMIT), name.p);
		if (c->kind != JSON_OBJECT)
			line_maker_label(m, name, scalar(c));
		else if (depth > 1 && name.n <= LINE_NAME_LIMIT)
			flatten(m, name, c, except, false, depth - 1);
	}
}

void line_maker_flatten(struct line_maker *m, const struct json *object)
{
	flatten(m, STR_NONE, object, NULL, false, LINE_PATH_DEPTH);
}

/* The object itself, where nothing in it is its message. */
static struct str as_text(struct line_maker *m, const struct json *j)
{
	struct buf b;
	struct json_w w;
	struct str s;

	buf_init(&b, LINE_ITEM_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, j);
	s = arena_strdup(&m->arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

void line_maker_object(struct line_maker *m, const struct json *object)
{
	const struct json *message = message_in(object, LINE_PATH_DEPTH);

	flatten(m, STR_NONE, object, message, true, LINE_PATH_DEPTH);
	line_maker_message(m, message ? scalar(message) : as_text(m, object));
	m->line.raw = message && !line_maker_has(m, "program");
}

void line_maker_text(struct line_maker *m, struct str text)
{
	static const struct json_limits limits = {LINE_JSON_DEPTH, LINE_JSON_NODES};
	const struct json *j = NULL;
	struct err e;

	if (text.n > 1 && text.p[0] == '{' && text.p[text.n - 1] == '}')
		j = json_parse_within(&m->arena, &limits, text, &e);
	if (j && j->kind == JSON_OBJECT) {
		line_maker_object(m, j);
		return;
	}
	line_maker_message(m, text);
	m->line.raw = !line_maker_has(m, "program");
}

void line_maker_value(struct line_maker *m, const struct json *j)
{
	struct str text = scalar(j);

	if (j->kind == JSON_STRING)
		line_maker_text(m, text);
	else
		line_maker_message(m, text.n > 0 ? text : as_text(m, j));
}

int line_maker_end(struct line_maker *m, struct err *e)
{
	int rc;

	if (arena_failed(&m->arena) || arena_failed(&m->base_arena)) {
		err_set(e, ERR_LIMIT,
			"one item of the body needs more than %zu bytes; send smaller items",
			LINE_ITEM_LIMIT);
		e->offset = m->line.offset;
		return -1;
	}
	rc = m->sink.take(m->sink.ctx, &m->line, e);
	if (m->arena.used > 0)
		arena_reset(&m->arena);
	return rc;
}
