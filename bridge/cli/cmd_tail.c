/* cmd_tail.c: events tail: events as they come, one a line.
 *
 * Reads the stream of the bridge (server-sent events). Where that breaks off, it is taken up again
 * behind the last id that was heard, so each event is shown once, whatever is started again
 * meanwhile; only what the bus does not hold any more is missed, and that is said. The first call
 * has to succeed: an address where nobody answers is an error, not something to wait for.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/sse.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 2000
#define SILENCE_S 60 /* the stream says something every ten seconds */
#define EVENT_ARENA ((size_t)256 << 20)

struct tail {
	struct cli *c;
	struct arena event;
	struct sse sse;
	bool heard; /* the stream has begun, once */
	bool ended; /* standard output takes no more */
	bool said;  /* that it broke off */
	int pause;
};

/* ---- an event ---- */

static void column(struct tail *t, enum style style, struct str s, int width)
{
	struct buf *out = &t->c->out, text;

	buf_init(&text, BUF_NO_LIMIT);
	term_escape(&text, s);
	term_styled(&t->c->term, out, style, buf_as_str(&text));
	for (int n = term_width(buf_as_str(&text)); n < width; n++)
		buf_putc(out, ' ');
	buf_puts(out, width ? "  " : "\n");
	buf_release(&text);
}

static void print_row(struct tail *t, const struct json *event)
{
	struct str status = show_text(event, "status"), severity = show_text(event, "severity");
	struct str summary = show_text(event, "summary");
	char time[SHOW_TIME_MAX];

	show_local(show_time(event, "received"), clock_wall_ms(), time);
	column(t, STYLE_DIM, str_of(time), 8);
	column(t, term_style_of(status), status, 8);
	column(t, term_style_of(severity), severity, 8);
	column(t, STYLE_PLAIN, show_text(event, "source"), 12);
	column(t, STYLE_PLAIN, show_text(event, "type"), 12);
	column(t, STYLE_PLAIN,
		summary.n ? summary : show_pairs(&t->event, json_get(event, "labels")), 0);
}

static void print_event(struct tail *t, struct str json)
{
	struct err e = {0};
	const struct json *event;

	if (t->c->o.format == CLI_JSON) { /* a line each, for programs */
		if (t->c->term.is_terminal)
			term_escape(&t->c->out, json);
		else
			buf_str(&t->c->out, json);
		buf_putc(&t->c->out, '\n');
		return;
	}
	arena_reset(&t->event);
	event = cli_parse(&t->event, json, &e);
	if (!event) {
		cli_unread(t->c, &e);
	} else if (t->c->o.format == CLI_YAML) {
		buf_puts(&t->c->out, "---\n");
		show_yaml(&t->c->out, event);
	} else {
		print_row(t, event);
	}
}

static void say_gone(struct tail *t, struct str data)
{
	struct err e = {0};

	arena_reset(&t->event);
	const struct json *j = json_parse(&t->event, data, &e);
	cli_error("events behind %.*s are not all held any more; some are missing here",
		STR_ARG(show_text(j, "after")));
}

/* ---- the stream ---- */

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct tail *t = ctx;

	if (ev->data.n == 0)
		return;
	if (str_is(ev->type, "gone"))
		say_gone(t, ev->data);
	else
		print_event(t, ev->data);
}

static int on_data(void *ctx, const char *p, size_t n)
{
	struct tail *t = ctx;

	t->heard = true;
	t->said = false;
	t->pause = PAUSE_FIRST_MS;
	sse_feed(&t->sse, p, n);
	t->ended = !cli_flush(t->c) || sse_failed(&t->sse);
	return t->ended;
}

/* One answer. 0: it was a good one, and has ended or broken off. */
static int stream(struct tail *t, const char *path)
{
	struct request q = {.method = "GET",
		.path = path,
		.on_data = on_data,
		.ctx = t,
		.silence_s = SILENCE_S};
	struct err e = {0};
	struct reply r;
	int rc = 0;

	sse_restart(&t->sse);
	if (client_call(&t->c->client, &q, &r, &e) < 0)
		rc = t->heard ? 0 : cli_away(t->c, &e);
	else if (r.status != 200 && !(t->heard && r.status == 503))
		rc = cli_problem(t->c, &r);
	reply_release(&r);
	return rc;
}

static int make_path(struct tail *t, const char *since, struct buf *path)
{
	buf_clear(path);
	buf_puts(path, "/api/v1/events/stream");
	url_query(path, "filter", t->c->o.filter);
	if (id_valid(str_of(t->sse.id)))
		url_query(path, "last_event_id", t->sse.id);
	else
		url_query(path, "since", since);
	buf_putc(path, '\0');
	return buf_failed(path) ? CLI_FAILED : 0;
}

static int follow(struct tail *t, const char *since)
{
	struct buf path;
	int rc = 0;

	buf_init(&path, BUF_NO_LIMIT);
	while (rc == 0 && !t->ended) {
		rc = make_path(t, since, &path);
		if (rc == 0)
			rc = stream(t, path.p);
		if (rc || t->ended)
			break;
		if (!t->said)
			cli_error("the stream of %s broke off; trying again", t->c->client.shown);
		t->said = true;
		poll(NULL, 0, t->pause);
		t->pause = t->pause * 2 < PAUSE_MAX_MS ? t->pause * 2 : PAUSE_MAX_MS;
	}
	buf_release(&path);
	return rc;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct tail t = {.c = c, .pause = PAUSE_FIRST_MS};
	char since[CLOCK_RFC3339_MAX];
	int rc;

	(void)argc;
	(void)argv;
	if (c->o.since && !cli_time_arg(c, c->o.since, since)) {
		cli_error("'%s' is no time; give a duration such as 30m or 2h, for so long ago, or "
			  "an RFC 3339 time such as 2026-11-22T19:30:00Z",
			c->o.since);
		return CLI_USAGE;
	}
	arena_init(&t.event, EVENT_ARENA);
	sse_init(&t.sse, CLIENT_BODY_LIMIT, on_event, &t);
	rc = follow(&t, c->o.since ? since : NULL);
	sse_release(&t.sse);
	arena_release(&t.event);
	return rc;
}

const struct command command_events_tail = {
	.name = "events tail",
	.synopsis = "[--since TIME]",
	.sentence = "events as they come, one a line, until it is ended",
	.scopes = SCOPE_FILTER | SCOPE_SINCE,
	.run = run,
};
