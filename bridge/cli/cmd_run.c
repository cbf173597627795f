/* cmd_run.c: run: starts a runbook by hand.
 *
 * Each call has an Idempotency-Key of its own, so a repeat inside the HTTP library cannot start it twice.
 * Prints the run's id and nothing else, so that $(runbookctl run …) is the id; with --wait the output
 * follows, and the exit status is the run's outcome.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>
#include "base/id.h"
#include "cli/run_view.h"
#include "cli/show.h"

static void write_body(struct cli *c, const char *runbook, struct buf *body)
{
	struct json_w w;

	json_w_init(&w, body);
	json_w_object(&w);
	json_w_kstr(&w, "runbook", str_of(runbook));
	json_w_key(&w, STR("params"));
	json_w_object(&w);
	for (size_t i = 0; i < c->o.params_n; i++) {
		const char *equals = strchr(c->o.params[i], '=');

		json_w_key(&w, (struct str){c->o.params[i], (size_t)(equals - c->o.params[i])});
		json_w_str(&w, str_of(equals + 1));
	}
	json_w_end(&w, '}');
	json_w_end(&w, '}');
}

static int start(struct cli *c, const char *runbook, const struct json **out)
{
	char key[ID_LEN + 1];
	struct buf body;
	int rc;

	id_new(c->now_ms, key);
	buf_init(&body, BUF_NO_LIMIT);
	write_body(c, runbook, &body);
	rc = cli_post(c, "/api/v1/runs", buf_as_str(&body), key, out);
	buf_release(&body);
	if (rc == 0 && show_text(*out, "id").n == 0) {
		cli_error("the answer of %s has no run id; is it runbookd?", c->client.shown);
		rc = CLI_FAILED;
	}
	return rc;
}

/* "succeeded after 1.2s", "failed after 3.0s: exit status 3", on standard error. */
static void say_outcome(struct cli *c, const struct json *run)
{
	struct str took = run_took(c, run), reason = run_reason(c, run);
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	term_escape(&b, show_text(run, "state"));
	buf_puts(&b, took.n ? " after " : "");
	buf_str(&b, took);
	buf_puts(&b, reason.n ? ": " : "");
	term_escape(&b, reason);
	fprintf(stderr, "%s\n", b.p ? b.p : "");
	buf_release(&b);
}

static int wait_for_it(struct cli *c, const char *id)
{
	const struct json *run = NULL;
	int rc;

	if (!cli_flush(c))
		return CLI_FAILED;
	rc = c->o.format == CLI_TABLE ? cli_follow_output(c, id, true) : 0;
	if (rc == 0 && !cli_flush(c))
		rc = CLI_FAILED;
	if (rc == 0)
		rc = cli_wait_run(c, id, &run);
	if (rc) {
		fprintf(stderr, "  the run itself goes on: runbookctl runs show %s\n", id);
		return rc;
	}
	if (c->o.format == CLI_TABLE)
		say_outcome(c, run);
	else
		cli_print(c, run);
	return str_is(show_text(run, "state"), "succeeded") ? CLI_GOOD : CLI_FAILED;
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct json *made;
	struct str id;
	int rc = start(c, argv[0], &made);

	(void)argc;
	if (rc)
		return rc;
	id = arena_strdup(&c->arena, show_text(made, "id"));
	if (c->o.format == CLI_TABLE) {
		term_escape(&c->out, id);
		buf_putc(&c->out, '\n');
	} else if (!c->o.wait) {
		cli_print(c, made);
	}
	return c->o.wait ? wait_for_it(c, id.p) : CLI_GOOD;
}

const struct command command_run = {
	.name = "run",
	.synopsis = "RUNBOOK [-p NAME=VALUE]... [--wait]",
	.sentence = "start a runbook by hand; prints the run's id",
	.scopes = SCOPE_RUN,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
