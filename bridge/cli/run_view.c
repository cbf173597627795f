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

/* The last `lines` lines; *cut: lines before them. */
static struct str tail(struct str text, size_t lines, size_t *cut)
{
	size_t at, seen = 0;

	while (text.n && strchr("\r\n", text.p[text.n - 1]))
		text.n--;
	*cut = 0;
	for (at = text.n; at > 0; at--) {
		if (text.p[at - 1] == '\n' && ++seen == lines)
			break;
	}
	for (size_t i = 0; i < at; i++)
		*cut += text.p[i] == '\n';
	if (at == 0)
		return text;
	return (struct str){text.p + at, text.n - at};
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

int run_print_tail(struct cli *c, const struct json *run, const char *margin, size_t lines)
{
	struct str id = show_text(run, "id"), text;
	struct buf b;
	size_t cut;
	int rc;

	buf_init(&b, BUF_NO_LIMIT);
	rc = get_output(c, id, &b);
	text = tail(buf_as_str(&b), lines, &cut);
	if (rc == 0 && cut) {
		struct str rest = arena_printf(&c->arena, "%s%zu %s before: runbookctl runs output %.*s",
			margin, cut, cut == 1 ? "line" : "lines", STR_ARG(id));

		term_styled(&c->term, &c->out, STYLE_DIM, rest);
		buf_putc(&c->out, '\n');
	}
	if (rc == 0)
		print_lines(c, text, margin);
	buf_release(&b);
	return rc;
}
