/* cmd_acts.c: incidents ack, unack, close, note, merge and split: what people do with incidents.
 *
 * Texts are words, so that a reason cannot be left out. What may be done when is the bridge's to
 * say.
 */
#include "cli/commands.h"
#include "cli/show.h"

/* POST …/incidents/ID/ACT with the body, and says what became of it, unless -o asks for the object.
 */
static int act(
	struct cli *c, const char *id, const char *name, const struct buf *body, const char *said)
{
	const struct json *incident = NULL;
	struct buf path;
	int rc;

	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/incidents/");
	url_segment(&path, id);
	buf_printf(&path, "/%s", name);
	rc = cli_post(c, path.p, buf_as_str(body), NULL, &incident);
	buf_release(&path);
	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE) {
		cli_print(c, incident);
		return CLI_GOOD;
	}
	buf_puts(&c->out, "incident ");
	term_escape(&c->out, show_text(incident, "id"));
	buf_printf(&c->out, " %s", said);
	if (str_is(str_of(name), "ack") && show_bool(incident, "acked")) {
		buf_puts(&c->out, " by ");
		term_escape(&c->out, show_text(incident, "acked_by"));
	}
	buf_putc(&c->out, '\n');
	return CLI_GOOD;
}

/* An act whose text is the member `key`; argv: the incident, and maybe the text. */
static int act_text(
	struct cli *c, const char *name, const char *key, int argc, char **argv, const char *said)
{
	struct json_w w;
	struct buf body;
	int rc;

	buf_init(&body, BUF_NO_LIMIT);
	json_w_init(&w, &body);
	json_w_object(&w);
	if (argc > 1)
		json_w_kstr(&w, key, str_of(argv[1]));
	json_w_end(&w, '}');
	rc = act(c, argv[0], name, &body, said);
	buf_release(&body);
	return rc;
}

static int run_ack(struct cli *c, int argc, char **argv)
{
	return act_text(c, "ack", "text", argc, argv, "is acknowledged");
}

static int run_unack(struct cli *c, int argc, char **argv)
{
	struct json_w w;
	struct buf body;
	int rc;

	buf_init(&body, BUF_NO_LIMIT);
	json_w_init(&w, &body);
	json_w_object(&w);
	json_w_kbool(&w, "acked", false);
	if (argc > 1)
		json_w_kstr(&w, "text", str_of(argv[1]));
	json_w_end(&w, '}');
	rc = act(c, argv[0], "ack", &body, "is not acknowledged any more");
	buf_release(&body);
	return rc;
}

static int run_close(struct cli *c, int argc, char **argv)
{
	return act_text(c, "close", "reason", argc, argv, "is closed");
}

static int run_note(struct cli *c, int argc, char **argv)
{
	return act_text(c, "note", "text", argc, argv, "has the note");
}

/* ---- several at once ---- */

static int run_merge(struct cli *c, int argc, char **argv)
{
	struct json_w w;
	struct buf body;
	int rc;

	buf_init(&body, BUF_NO_LIMIT);
	json_w_init(&w, &body);
	json_w_object(&w);
	json_w_kstr(&w, "into", str_of(argv[1]));
	if (argc > 2)
		json_w_kstr(&w, "reason", str_of(argv[2]));
	json_w_end(&w, '}');
	rc = act(c, argv[0], "merge", &body, "has it now");
	buf_release(&body);
	return rc;
}

static int run_split(struct cli *c, int argc, char **argv)
{
	struct json_w w;
	struct buf body;
	int rc;

	buf_init(&body, BUF_NO_LIMIT);
	json_w_init(&w, &body);
	json_w_object(&w);
	json_w_key(&w, STR("alerts"));
	json_w_array(&w);
	for (int i = 1; i < argc; i++)
		json_w_str(&w, str_of(argv[i]));
	json_w_end(&w, ']');
	json_w_end(&w, '}');
	rc = act(c, argv[0], "split", &body, "has them now");
	buf_release(&body);
	return rc;
}

const struct command command_incidents_ack = {
	.name = "incidents ack",
	.synopsis = "ID [TEXT]",
	.sentence = "say that somebody looks at an incident, until it breaks again",
	.args_min = 1,
	.args_max = 2,
	.run = run_ack,
};

const struct command command_incidents_unack = {
	.name = "incidents unack",
	.synopsis = "ID [TEXT]",
	.sentence = "take that back",
	.args_min = 1,
	.args_max = 2,
	.run = run_unack,
};

const struct command command_incidents_close = {
	.name = "incidents close",
	.synopsis = "ID REASON",
	.sentence = "be done with an incident: it takes no more alerts, and what has not begun "
		    "does not run",
	.args_min = 2,
	.args_max = 2,
	.run = run_close,
};

const struct command command_incidents_note = {
	.name = "incidents note",
	.synopsis = "ID TEXT",
	.sentence = "leave a note on the timeline",
	.args_min = 2,
	.args_max = 2,
	.run = run_note,
};

const struct command command_incidents_merge = {
	.name = "incidents merge",
	.synopsis = "ID INTO [REASON]",
	.sentence = "make one incident of two: INTO has from then on what ID has, and ID is closed",
	.args_min = 2,
	.args_max = 3,
	.run = run_merge,
};

const struct command command_incidents_split = {
	.name = "incidents split",
	.synopsis = "ID SOURCE:FINGERPRINT...",
	.sentence = "take alerts out of an incident into a new one",
	.args_min = 2,
	.args_max = -1,
	.run = run_split,
};
