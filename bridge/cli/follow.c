/* follow.c: a run's output as it comes, and the wait for its end.
 *
 * The output of a run only grows, so a stream that broke off is taken up again: asked for anew, and what
 * was printed already is skipped. On a terminal the text is escaped on its way (a character may come in
 * two pieces); into a pipe or a file go the bytes as the run printed them.
 */
#include "cli/cli.h"

#include <poll.h>
#include <stdio.h>
#include "cli/show.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 1000
#define BROKEN_MAX 10	/* answers that broke off, one after the other */

struct follow {
	struct cli *c;
	uint64_t printed;	/* bytes of the output that were taken */
	uint64_t skip;		/* bytes of this answer that were taken before */
	struct buf rest;	/* the start of a character */
};

static void show(struct follow *f, struct str s)
{
	size_t wait;

	if (!f->c->term.is_terminal) {
		buf_str(&f->c->out, s);
		return;
	}
	buf_str(&f->rest, s);
	wait = term_incomplete(buf_as_str(&f->rest));
	term_escape_lines(&f->c->out, (struct str){f->rest.p, f->rest.n - wait});
	buf_consume(&f->rest, f->rest.n - wait);
}

static int on_data(void *ctx, const char *p, size_t n)
{
	struct follow *f = ctx;
	size_t skip = f->skip < n ? (size_t)f->skip : n;

	f->skip -= skip;
	if (n == skip)
		return 0;
	f->printed += n - skip;
	show(f, (struct str){p + skip, n - skip});
	return cli_flush(f->c) ? 0 : 1;
}

/* One answer. *broken: it broke off. */
static int stream(struct follow *f, const char *path, bool *broken)
{
	struct request q = {.method = "GET", .path = path, .on_data = on_data, .ctx = f};
	uint64_t before = f->printed;
	struct err e = {0};
	struct reply r;
	int rc = 0;

	f->skip = f->printed;
	*broken = false;
	if (client_call(&f->c->client, &q, &r, &e) < 0) {
		*broken = r.status == 200 || f->printed > before;
		if (!*broken)
			rc = cli_away(f->c, &e);
	} else if (r.status != 200) {
		rc = cli_problem(f->c, &r);
	}
	reply_release(&r);
	return rc;
}

static bool has_ended(const struct json *run)
{
	struct str state = show_text(run, "state");

	return state.n && !str_is(state, "queued") && !str_is(state, "approval") &&
		!str_is(state, "running");
}

static int get_run(struct cli *c, const char *run, const struct json **out)
{
	struct buf path;
	int rc;

	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/runs/");
	url_segment(&path, run);
	rc = cli_get(c, path.p, out);
	buf_release(&path);
	return rc;
}

static void wait_a_bit(int *ms)
{
	poll(NULL, 0, *ms);
	*ms = *ms * 2 < PAUSE_MAX_MS ? *ms * 2 : PAUSE_MAX_MS;
}

/* An answer may end before the run does: where it was still queued, or the bridge was restarted. */
static int follow_to_end(struct follow *f, const char *run, const char *path)
{
	int broken_n = 0, pause = PAUSE_FIRST_MS;

	for (;;) {
		const struct json *now;
		uint64_t before = f->printed;
		bool broken, ended;
		int rc = get_run(f->c, run, &now);

		if (rc)
			return rc;
		ended = has_ended(now);
		rc = stream(f, path, &broken);
		if (rc || (ended && !broken))
			return rc;
		broken_n = broken ? broken_n + 1 : 0;
		if (broken_n > BROKEN_MAX) {
			cli_error("the output of '%s' broke off; the run itself goes on", run);
			return CLI_AWAY;
		}
		if (f->printed > before)
			pause = PAUSE_FIRST_MS;
		wait_a_bit(&pause);
	}
}

int cli_follow_output(struct cli *c, const char *run, bool follow)
{
	struct follow f = {.c = c};
	struct buf path;
	bool broken = false;
	int rc;

	buf_init(&f.rest, BUF_NO_LIMIT);
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/runs/");
	url_segment(&path, run);
	buf_puts(&path, "/output");
	url_query(&path, "format", c->o.format == CLI_TABLE ? NULL : "json");
	if (follow) {
		url_query(&path, "follow", "1");
		rc = follow_to_end(&f, run, path.p);
	} else {
		rc = stream(&f, path.p, &broken);
		if (rc == 0 && broken) {
			cli_error("the output of '%s' broke off", run);
			rc = CLI_AWAY;
		}
	}
	term_escape_lines(&c->out, buf_as_str(&f.rest));
	buf_release(&f.rest);
	buf_release(&path);
	return rc;
}

int cli_wait_run(struct cli *c, const char *run, const struct json **out)
{
	int pause = PAUSE_FIRST_MS;

	for (;;) {
		int rc = get_run(c, run, out);

		if (rc || has_ended(*out))
			return rc;
		wait_a_bit(&pause);
	}
}
