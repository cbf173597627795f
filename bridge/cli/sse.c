/* sse.c: server-sent events.
 *
 * An event counts when its blank line is there, and so does its id: where a stream breaks off
 * within an event, the id is still that of the one before, so that nothing is missed by going on
 * behind it.
 */
#include "cli/sse.h"

#include <string.h>

#define MARK "\xef\xbb\xbf" /* of UTF-8, before the first line; no part of it */

void sse_init(struct sse *s, size_t limit, sse_cb cb, void *ctx)
{
	*s = (struct sse){.cb = cb, .ctx = ctx};
	buf_init(&s->line, limit);
	buf_init(&s->data, limit);
}

void sse_release(struct sse *s)
{
	buf_release(&s->line);
	buf_release(&s->data);
}

static void clear_event(struct sse *s)
{
	buf_clear(&s->data);
	s->type[0] = '\0';
	s->has_data = false;
}

void sse_restart(struct sse *s)
{
	clear_event(s);
	buf_clear(&s->line);
	memcpy(s->next_id, s->id, sizeof(s->id));
	s->begun = s->cr = false;
}

bool sse_failed(const struct sse *s)
{
	return buf_failed(&s->line) || buf_failed(&s->data);
}

static void end_event(struct sse *s)
{
	struct sse_event ev = {
		.type = s->type[0] ? str_of(s->type) : STR("message"),
		.data = buf_as_str(&s->data),
	};

	memcpy(s->id, s->next_id, sizeof(s->id));
	if (s->has_data)
		s->cb(s->ctx, &ev);
	clear_event(s);
}

static void set_text(char *to, size_t room, struct str value)
{
	size_t n = value.n < room ? value.n : room;

	memcpy(to, value.n ? value.p : "", n);
	to[n] = '\0';
}

static void take_field(struct sse *s, struct str name, struct str value)
{
	if (str_is(name, "data")) {
		if (s->has_data)
			buf_putc(&s->data, '\n');
		buf_str(&s->data, value);
		s->has_data = true;
	} else if (str_is(name, "event")) {
		set_text(s->type, SSE_TYPE_MAX, value);
	} else if (str_is(name, "id") && value.n <= SSE_ID_MAX &&
		   !(value.n && memchr(value.p, '\0', value.n))) {
		set_text(s->next_id, SSE_ID_MAX, value);
	}
}

static void take_line(struct sse *s, struct str line)
{
	if (!s->begun && str_starts(line, STR(MARK)))
		line = (struct str){line.p + strlen(MARK), line.n - strlen(MARK)};
	s->begun = true;
	if (line.n == 0) {
		end_event(s);
		return;
	}
	const char *colon = memchr(line.p, ':', line.n);
	size_t n = colon ? (size_t)(colon - line.p) : line.n, from = colon ? n + 1 : n;
	if (from < line.n && colon && line.p[from] == ' ')
		from++;
	take_field(s, (struct str){line.p, n}, (struct str){line.p + from, line.n - from});
}

void sse_feed(struct sse *s, const char *p, size_t n)
{
	while (n && !sse_failed(s)) {
		if (s->cr && *p == '\n') {
			p++;
			n--;
		}
		s->cr = false;
		size_t part = 0;
		while (part < n && p[part] != '\n' && p[part] != '\r')
			part++;
		buf_add(&s->line, p, part);
		if (part < n) {
			s->cr = p[part] == '\r';
			if (!buf_failed(&s->line))
				take_line(s, buf_as_str(&s->line));
			if (!buf_failed(&s->line))
				buf_clear(&s->line);
			part++;
		}
		p += part;
		n -= part;
	}
}
