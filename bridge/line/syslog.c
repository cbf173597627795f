/* syslog.c: headers of syslog. Lenient: a part that is not there, or reads wrong, ends the header,
 * and what follows is the message. Nothing is refused.
 *
 * A line without <PRI> has a header only where all of it is there, up to the colon behind the
 * program: any program may begin its lines with a time.
 */
#include "line/syslog.h"

#include <string.h>
#include "base/clock.h"
#include "line/time.h"

#define PRI_MAX 191
#define TAG_MAX 64

struct header {
	struct str text; /* what is still to be read */
	int pri;	 /* -1: none */
	int64_t time_ns;
	struct str host, program, pid, msgid, data;
};

/* ---- pieces ---- */

static void skip(struct header *h, size_t n)
{
	h->text.p += n;
	h->text.n -= n;
}

/* Up to the next blank, which is dropped. */
static struct str word(struct header *h)
{
	const char *end = h->text.n ? memchr(h->text.p, ' ', h->text.n) : NULL;
	struct str w = {h->text.p, end ? (size_t)(end - h->text.p) : h->text.n};

	skip(h, w.n + (end != NULL));
	return w;
}

static struct str no_nil(struct str s)
{
	return str_is(s, "-") ? STR_NONE : s;
}

static bool read_pri(struct header *h)
{
	int v = 0;
	size_t i = 1;

	if (h->text.n < 3 || h->text.p[0] != '<')
		return false;
	for (; i < h->text.n && i < 4 && h->text.p[i] >= '0' && h->text.p[i] <= '9'; i++)
		v = v * 10 + (h->text.p[i] - '0');
	if (i == 1 || i == h->text.n || h->text.p[i] != '>' || v > PRI_MAX)
		return false;
	h->pri = v;
	skip(h, i + 1);
	return true;
}

/* ---- RFC 5424 ---- */

/* The bytes of an element [ID NAME="VALUE" …]; 0 where it is broken. */
static size_t element(struct str s)
{
	bool quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == ']' && !quoted)
			return i + 1;
	}
	return 0;
}

static void read_data(struct header *h)
{
	const char *begin = h->text.p;

	if (str_starts(h->text, STR("-"))) {
		skip(h, 1);
	} else {
		while (h->text.n && h->text.p[0] == '[') {
			size_t n = element(h->text);

			if (n == 0)
				break;
			skip(h, n);
		}
		h->data = (struct str){begin, (size_t)(h->text.p - begin)};
	}
	if (h->text.n && h->text.p[0] == ' ')
		skip(h, 1);
}

static bool read_5424(struct header *h)
{
	struct header was = *h;
	struct str time;

	if (h->text.n < 2 || memcmp(h->text.p, "1 ", 2) != 0)
		return false;
	skip(h, 2);
	time = no_nil(word(h));
	if (time.n > 0 && !clock_parse_rfc3339(time, &h->time_ns)) {
		*h = was;
		return false;
	}
	h->host = no_nil(word(h));
	h->program = no_nil(word(h));
	h->pid = no_nil(word(h));
	h->msgid = no_nil(word(h));
	read_data(h);
	return true;
}

/* Backslashes of a value taken out where there are any. */
static struct str unescape(struct arena *a, struct str s)
{
	char *p;
	size_t n = 0;

	if (s.n == 0 || !memchr(s.p, '\\', s.n) || !(p = arena_alloc(a, s.n)))
		return s;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && memchr("\\\"]", s.p[i + 1], 3))
			i++;
		p[n++] = s.p[i];
	}
	return (struct str){p, n};
}

static void put_param(struct line_maker *m, struct str id, struct str name, struct str value)
{
	struct str joined = arena_printf(&m->arena, "%.*s_%.*s",
		(int)(id.n < LINE_NAME_LIMIT ? id.n : LINE_NAME_LIMIT), id.p,
		(int)(name.n < LINE_NAME_LIMIT ? name.n : LINE_NAME_LIMIT), name.p);

	line_maker_label(m, joined, unescape(&m->arena, value));
}

/* NAME="VALUE" pairs of one element, without its brackets. */
static void put_element(struct line_maker *m, struct str s)
{
	struct header h = {.text = s};
	struct str id = word(&h);

	while (h.text.n > 0) {
		const char *eq = memchr(h.text.p, '=', h.text.n);
		struct str name = {h.text.p, eq ? (size_t)(eq - h.text.p) : 0};
		size_t i = 0;

		skip(&h, eq ? name.n + 1 : h.text.n);
		if (h.text.n == 0 || h.text.p[0] != '"')
			return;
		for (i = 1; i < h.text.n && h.text.p[i] != '"'; i++)
			if (h.text.p[i] == '\\')
				i++;
		if (i >= h.text.n)
			return;
		put_param(m, id, name, (struct str){h.text.p + 1, i - 1});
		skip(&h, i + 1);
		while (h.text.n && h.text.p[0] == ' ')
			skip(&h, 1);
	}
}

static void put_data(struct line_maker *m, struct str data)
{
	while (data.n > 0) {
		size_t n = element(data);

		put_element(m, (struct str){data.p + 1, n - 2});
		data.p += n;
		data.n -= n;
	}
}

/* ---- the older forms ---- */

/* "PROGRAM[PID]: ", or "PROGRAM: ". Its bytes; 0: there is no such thing. A colon may be left out
 * behind a bracket. */
static size_t read_tag(struct str s, struct str *program, struct str *pid)
{
	size_t n = 0, open;

	while (n < s.n && n < TAG_MAX && s.p[n] > ' ' && s.p[n] != ':' && s.p[n] != '[')
		n++;
	if (n == 0 || n == s.n || n == TAG_MAX)
		return 0;
	*program = (struct str){s.p, n};
	*pid = STR_NONE;
	if (s.p[n] == '[') {
		for (open = ++n; n < s.n && n < 2 * TAG_MAX && s.p[n] != ']'; n++)
			if (s.p[n] == ' ')
				return 0;
		if (n == s.n || s.p[n] != ']')
			return 0;
		*pid = (struct str){s.p + open, n - open};
		n++;
		if (n < s.n && s.p[n] == ':')
			n++;
	} else if (s.p[n++] != ':') {
		return 0;
	}
	if (n < s.n && s.p[n] != ' ')
		return 0;
	return n + (n < s.n);
}

static size_t read_time(struct str s, int64_t now_ns, int64_t *ns)
{
	const char *end = s.n ? memchr(s.p, ' ', s.n) : NULL;
	size_t n = end ? (size_t)(end - s.p) : s.n;

	if (n > 18 && clock_parse_rfc3339((struct str){s.p, n}, ns))
		return n;
	if (n > 0 && (s.p[0] == '*' || s.p[0] == '.') &&
		s.n > 1) { /* Cisco: the clock is not set */
		n = line_time_bsd((struct str){s.p + 1, s.n - 1}, now_ns, ns);
		return n > 0 ? n + 1 : 0;
	}
	return line_time_bsd(s, now_ns, ns);
}

/* Behind the time: HOST and a tag, or a tag alone. */
static bool read_origin(struct header *h)
{
	struct header was = *h;
	size_t n = read_tag(h->text, &h->program, &h->pid);

	if (n > 0 && h->pri >= 0) { /* no host, as programs write to /dev/log */
		skip(h, n);
		return true;
	}
	h->program = h->pid = STR_NONE;
	h->host = word(h);
	n = read_tag(h->text, &h->program, &h->pid);
	/* "2026-11-22T10:00:00Z ERROR db: …" is no host ERROR */
	if (h->host.n > 0 && n > 0 && line_level(h->host).n == 0) {
		skip(h, n);
		return true;
	}
	*h = was;
	return false;
}

/* With <PRI> there is a host, whatever comes behind it; rsyslog leaves the colon out where the
 * sender had none: then the tag is one word. */
static void read_loose_origin(struct header *h)
{
	struct header was;

	h->host = no_nil(word(h));
	was = *h;
	h->program = word(h);
	if (h->text.n == 0 || h->program.n == 0 || h->program.n > TAG_MAX) {
		*h = was;
		h->program = STR_NONE;
	}
}

static bool read_older(struct header *h, int64_t now_ns)
{
	struct header was = *h;
	size_t n = read_time(h->text, now_ns, &h->time_ns);
	bool rfc3339 = n > 0 && h->text.p[0] >= '0' && h->text.p[0] <= '9', good;

	if (n > 0 && n < h->text.n && h->text.p[n] == ':') /* Cisco */
		n++;
	good = n > 0 && n < h->text.n && h->text.p[n] == ' ';
	if (good) {
		skip(h, n + 1);
		good = read_origin(h) || h->pri >= 0;
		if (good && rfc3339 && h->program.n == 0)
			read_loose_origin(h);
	}
	if (!good)
		*h = was;
	return good;
}

/* ---- whole ---- */

static void read_header(struct header *h, struct str text, int64_t now_ns)
{
	*h = (struct header){.text = text, .pri = -1};
	read_pri(h);
	if ((h->pri < 0 || !read_5424(h)) && !read_older(h, now_ns) && h->pri >= 0) {
		size_t n = read_tag(h->text, &h->program, &h->pid);

		skip(h, n);
		if (n == 0)
			h->program = h->pid = STR_NONE;
	}
	if (str_starts(h->text, STR("\xEF\xBB\xBF")))
		skip(h, 3);
	if (h->pri >= 0 && h->text.n && h->text.p[0] == ' ') /* rsyslog's msg begins with one */
		skip(h, 1);
}

static void put_header(struct line_maker *m, const struct header *h)
{
	static const char *const facilities[] = {"kern", "user", "mail", "daemon", "auth", "syslog",
		"lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "console",
		"cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
		"local7"};

	if (h->pri >= 0) {
		line_maker_set(m, "facility", str_of(facilities[h->pri / 8]));
		line_maker_set(m, "level", line_level_of_syslog((unsigned)h->pri % 8));
	}
	line_maker_set(m, "host", h->host);
	line_maker_set(m, "program", h->program);
	line_maker_set(m, "pid", h->pid);
	line_maker_set(m, "msgid", h->msgid);
	put_data(m, h->data);
}

void syslog_read(struct line_maker *m, struct str text)
{
	struct header h;

	read_header(&h, text, m->now_ns);
	m->line.time_ns = h.time_ns;
	put_header(m, &h);
	line_maker_message(m, h.text);
}

/* ---- of a line that is made already ---- */

static bool join(
	struct arena *a, const struct line *l, const struct line_maker *found, struct line *out)
{
	struct line_label *v = arena_array(a, l->labels_n + found->line.labels_n + 1, sizeof(*v));

	if (!v)
		return false;
	for (size_t i = 0; i < l->labels_n; i++)
		v[out->labels_n++] = l->labels[i];
	for (size_t i = 0; i < found->line.labels_n; i++) {
		const struct line_label *f = &found->labels[i];

		if (line_label(l, f->name).n > 0)
			continue;
		v[out->labels_n].name = arena_strdup(a, f->name);
		v[out->labels_n++].value = arena_strdup(a, f->value);
	}
	out->labels = v;
	return !arena_failed(a);
}

bool line_split(struct arena *a, const struct line *l, int64_t now_ns, struct line *out)
{
	struct line_maker *m;
	struct header h;
	bool fine = true;

	*out = *l;
	out->raw = false;
	if (!l->raw)
		return true;
	read_header(&h, l->message, now_ns);
	if (h.text.p == l->message.p && h.pri < 0)
		return true;
	m = arena_alloc(a, sizeof(*m));
	if (!m)
		return false;
	line_maker_init(m, &(struct line_options){.line_limit = l->message.n}, NULL);
	line_maker_begin(m, 0);
	put_header(m, &h);
	out->labels_n = 0;
	fine = join(a, l, m, out);
	line_maker_release(m);
	out->message = h.text;
	out->time_ns = l->time_ns ? l->time_ns : h.time_ns;
	if (!fine)
		*out = *l;
	return fine;
}
