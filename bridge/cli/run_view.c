/* run_view.c: the parts of a run that more than one page shows.
 *
 * What a run printed is untrusted text: it is escaped line by line, on a terminal and off it, since a page
 * is made of lines. For the bytes as they were there is `runs output`.
 */
#include "cli/run_view.h"

#include <string.h>
#include "cli/show.h"

struct str run_took(struct cli *c, const struct json *run)
{
	int64_t started = show_time(run, "started"), finished = show_time(run, "finished");
	char text[SHOW_TIME_MAX];

	if (!started)
		return STR("");
	if (show_text(run, "duration_ms").n)
		show_duration(show_i64(run, "duration_ms"), text);
	else
		show_duration((finished ? finished : c->now_ms) - started, text);
	return arena_strdup(&c->arena, str_of(text));
}

struct str run_reason(struct cli *c, const struct json *run)
{
	struct str reason = show_text(run, "reason");
	struct str code = show_text(run, "exit_code"), sig = show_text(run, "signal");

	if (reason.n)
		return reason;
	if (code.n && !str_is(code, "0"))
		return arena_printf(&c->arena, "exit status %.*s", STR_ARG(code));
	if (sig.n && !str_is(sig, "0"))
		return arena_printf(&c->arena, "signal %.*s", STR_ARG(sig));
	return STR("");
}

static size_t count_lines(struct str text)
{
	size_t n = text.n > 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* Its first `lines` lines, with the last one's newline; *rest: what follows. */
static struct str take_lines(struct str text, size_t lines, struct str *rest)
{
	size_t at = 0;

	while (at < text.n && lines > 0)
		lines -= text.p[at++] == '\n';
	*rest = (struct str){text.p + at, text.n - at};
	return (struct str){text.p, at};
}

static void print_lines(struct cli *c, struct str text, const char *margin)
{
	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		struct str line = {text.p, end ? (size_t)(end - text.p) : text.n};

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		term_styled(&c->term, &c->out, STYLE_DIM, str_of(margin));
		term_escape_lines(&c->out, line);
		buf_putc(&c->out, '\n');
		if (!end)
			return;
		text = (struct str){end + 1, text.n - (size_t)(end + 1 - text.p)};
	}
}

static int get_output(struct cli *c, struct str id, struct buf *out)
{
	struct request q = {.method = "GET"};
	struct str z = arena_strdup(&c->arena, id);
	struct err e = {0};
	struct buf path;
	struct reply r;
	int rc = 0;

	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/runs/");
	url_segment(&path, z.p ? z.p : "");
	buf_puts(&path, "/output");
	q.path = path.p;
	if (client_call(&c->client, &q, &r, &e) < 0)
		rc = cli_away(c, &e);
	else if (r.status == 200)
		buf_str(out, buf_as_str(&r.body));
	else if (r.status != 404)
		rc = cli_problem(c, &r);
	reply_release(&r);
	buf_release(&path);
	return rc;
}

static void print_ends(struct cli *c, struct str text, struct str id, const char *margin)
{
	struct str first, last;
	size_t lines;

	while (text.n && strchr("\r\n", text.p[text.n - 1]))
		text.n--;
	lines = count_lines(text);
	if (lines <= RUN_VIEW_FIRST + RUN_VIEW_LAST) {
		print_lines(c, text, margin);
		return;
	}
	lines -= RUN_VIEW_FIRST + RUN_VIEW_LAST;
	first = take_lines(text, RUN_VIEW_FIRST, &last);
	take_lines(last, lines, &last);
	print_lines(c, first, margin);
	term_styled(&c->term, &c->out, STYLE_DIM,
		arena_printf(&c->arena, "%s... %zu %s left out: runbookctl runs output %.*s", margin, lines,
			lines == 1 ? "line" : "lines", STR_ARG(id)));
	buf_putc(&c->out, '\n');
	print_lines(c, last, margin);
}

int run_print_ends(struct cli *c, const struct json *run, const char *margin)
{
	struct str id = show_text(run, "id");
	struct buf b;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	rc = get_output(c, id, &b);
	if (rc == 0)
		print_ends(c, buf_as_str(&b), id, margin);
	buf_release(&b);
	return rc;
}
