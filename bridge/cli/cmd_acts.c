/* cmd_acts.c: incidents ack, unack, close, note, merge and split: what people do with incidents.
 *
 * Texts are words, so that a reason cannot be left out. What may be done when is the bridge's to
 * say.
 */
#include "cli/commands.h"
#include "cli/show.h"

/* What is sent: {"KEY":VALUE,…}, written between begin_act and act. */
struct act_body {
	struct buf b;
	struct json_w w;
};

static void begin_act(struct act_body *a)
{
	buf_init(&a->b, BUF_NO_LIMIT);
	json_w_init(&a->w, &a->b);
	json_w_object(&a->w);
}

static void put_text(struct act_body *a, const char *key, int argc, char **argv, int i)
{
	if (i < argc)
		json_w_kstr(&a->w, key, str_of(argv[i]));
}

static int post_act(struct cli *c, const char *id, const char *name, struct act_body *a,
	const struct json **incident)
{
	struct buf path;
	int rc;

	json_w_end(&a->w, '}');
	buf_init(&path, BUF_NO_LIMIT);
	buf_puts(&path, "/api/v1/incidents/");
	url_segment(&path, id);
	buf_printf(&path, "/%s", name);
	rc = cli_post(c, path.p, buf_as_str(&a->b), NULL, incident);
	buf_release(&path);
	buf_release(&a->b);
	return rc;
}

/* POST …/incidents/ID/ACT with the body, and says what became of it, unless -o asks for the object.
 */
static int act(
	struct cli *c, const char *id, const char *name, struct act_body *a, const char *said)
{
	const struct json *incident = NULL;
	int rc = post_act(c, id, name, a, &incident);

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

static int run_ack(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	put_text(&a, "text", argc, argv, 1);
	return act(c, argv[0], "ack", &a, "is acknowledged");
}

static int run_unack(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	json_w_kbool(&a.w, "acked", false);
	put_text(&a, "text", argc, argv, 1);
	return act(c, argv[0], "ack", &a, "is not acknowledged any more");
}

static int run_close(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	put_text(&a, "reason", argc, argv, 1);
	return act(c, argv[0], "close", &a, "is closed");
}

static int run_note(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	put_text(&a, "text", argc, argv, 1);
	return act(c, argv[0], "note", &a, "has the note");
}

static int run_merge(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	put_text(&a, "into", argc, argv, 1);
	put_text(&a, "reason", argc, argv, 2);
	return act(c, argv[0], "merge", &a, "has it now");
}

static int run_split(struct cli *c, int argc, char **argv)
{
	struct act_body a;

	begin_act(&a);
	json_w_key(&a.w, STR("alerts"));
	json_w_array(&a.w);
	for (int i = 1; i < argc; i++)
		json_w_str(&a.w, str_of(argv[i]));
	json_w_end(&a.w, ']');
	return act(c, argv[0], "split", &a, "has them now");
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
