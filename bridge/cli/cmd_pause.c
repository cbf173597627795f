/* cmd_pause.c: pause and resume: rules that do not run for a time.
 *
 * Words in place of options, so that time and reason cannot be left out. What they may be is the
 * bridge's to say.
 */
#include <stdio.h>
#include "cli/commands.h"
#include "cli/show.h"

/* ---- acts ---- */

/* "rule NAME", "runbook NAME", "matchers TEXT" or "all". */
static struct str what_of(struct cli *c, const struct json *pause)
{
	static const char *const kinds[] = {"rule", "runbook", "matchers"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (show_text(pause, kinds[i]).n)
			return arena_printf(&c->arena, "%s %.*s", kinds[i],
				STR_ARG(show_text(pause, kinds[i])));
	return STR("all");
}

static void say(struct cli *c, const struct json *pause, bool pauses)
{
	char until[SHOW_TIME_MAX];

	term_escape(&c->out, what_of(c, pause));
	if (pauses) {
		show_local_full(show_time(pause, "until"), until);
		buf_printf(&c->out, " is paused until %s\n", until);
	} else {
		buf_puts(&c->out, " is not paused any more\n");
	}
}

/* kind NULL: all. Of args the name stands first, where there is one. */
static int act(struct cli *c, const char *kind, bool pauses, int argc, char **argv)
{
	const struct json *answer = NULL;
	struct json_w w;
	struct buf body;
	int at = 0, rc;

	buf_init(&body, BUF_NO_LIMIT);
	json_w_init(&w, &body);
	json_w_object(&w);
	if (kind)
		json_w_kstr(&w, kind, str_of(argv[at++]));
	else
		json_w_kbool(&w, "all", true);
	if (pauses)
		json_w_kstr(&w, "for", str_of(argv[at++]));
	if (at < argc)
		json_w_kstr(&w, "reason", str_of(argv[at]));
	json_w_end(&w, '}');
	rc = cli_post(
		c, pauses ? "/api/v1/pause" : "/api/v1/resume", buf_as_str(&body), NULL, &answer);
	buf_release(&body);
	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE)
		cli_print(c, answer);
	else
		say(c, answer, pauses);
	return CLI_GOOD;
}

static int pause_rule(struct cli *c, int argc, char **argv)
{
	return act(c, "rule", true, argc, argv);
}

static int pause_runbook(struct cli *c, int argc, char **argv)
{
	return act(c, "runbook", true, argc, argv);
}

static int pause_matchers(struct cli *c, int argc, char **argv)
{
	return act(c, "matchers", true, argc, argv);
}

static int pause_all(struct cli *c, int argc, char **argv)
{
	return act(c, NULL, true, argc, argv);
}

static int resume_rule(struct cli *c, int argc, char **argv)
{
	return act(c, "rule", false, argc, argv);
}

static int resume_runbook(struct cli *c, int argc, char **argv)
{
	return act(c, "runbook", false, argc, argv);
}

static int resume_matchers(struct cli *c, int argc, char **argv)
{
	return act(c, "matchers", false, argc, argv);
}

static int resume_all(struct cli *c, int argc, char **argv)
{
	return act(c, NULL, false, argc, argv);
}

/* ---- the list ---- */

static int list(struct cli *c, int argc, char **argv)
{
	static const struct table_column columns[] = {{"PAUSED", COLUMN_FIXED},
		{"UNTIL", COLUMN_FIXED}, {"WHO", COLUMN_FLEXIBLE}, {"REASON", COLUMN_FLEXIBLE}};
	const struct json *page = NULL, *items;
	char until[SHOW_TIME_MAX];
	struct table t;
	int rc = cli_get(c, "/api/v1/pauses", &page);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	if (c->o.format != CLI_TABLE) {
		cli_print(c, page);
		return CLI_GOOD;
	}
	items = json_get(page, "items");
	if (!items || !items->child) {
		fprintf(stderr, "no pauses\n");
		return CLI_GOOD;
	}
	table_init(&t, &c->arena, columns, sizeof(columns) / sizeof(columns[0]));
	for (const struct json *p = items->child; p; p = p->next) {
		show_local(show_time(p, "until"), c->now_ms, until);
		table_cell(&t, STYLE_PLAIN, what_of(c, p));
		table_cellz(&t, STYLE_PLAIN, until);
		table_cell(&t, STYLE_PLAIN, show_text(p, "who"));
		table_cell(&t, STYLE_PLAIN, show_text(p, "reason"));
	}
	table_print(&t, &c->term, &c->out);
	return CLI_GOOD;
}

const struct command command_pause_list = {
	.name = "pause list",
	.synopsis = "",
	.sentence = "what is paused, until when, by whom and why",
	.run = list,
};

const struct command command_pause_rule = {
	.name = "pause rule",
	.synopsis = "NAME FOR REASON",
	.sentence = "keep a rule from running for a time (FOR: 30m, 2h, 3d)",
	.args_min = 3,
	.args_max = 3,
	.run = pause_rule,
};

const struct command command_pause_runbook = {
	.name = "pause runbook",
	.synopsis = "NAME FOR REASON",
	.sentence = "the same for all rules that have this runbook in a step",
	.args_min = 3,
	.args_max = 3,
	.run = pause_runbook,
};

const struct command command_pause_matchers = {
	.name = "pause matchers",
	.synopsis = "MATCHERS FOR REASON",
	.sentence = "the same for events for which these matchers hold, as "
		    "'cluster=\"eu\",instance=~\"db-.*\"'",
	.args_min = 3,
	.args_max = 3,
	.run = pause_matchers,
};

const struct command command_pause_all = {
	.name = "pause all",
	.synopsis = "FOR REASON",
	.sentence = "the same for all rules",
	.args_min = 2,
	.args_max = 2,
	.run = pause_all,
};

const struct command command_resume_rule = {
	.name = "resume rule",
	.synopsis = "NAME [REASON]",
	.sentence = "end the pause of a rule before its time",
	.args_min = 1,
	.args_max = 2,
	.run = resume_rule,
};

const struct command command_resume_runbook = {
	.name = "resume runbook",
	.synopsis = "NAME [REASON]",
	.sentence = "end the pause of a runbook before its time",
	.args_min = 1,
	.args_max = 2,
	.run = resume_runbook,
};

const struct command command_resume_matchers = {
	.name = "resume matchers",
	.synopsis = "MATCHERS [REASON]",
	.sentence = "end the pause of these matchers before its time",
	.args_min = 1,
	.args_max = 2,
	.run = resume_matchers,
};

const struct command command_resume_all = {
	.name = "resume all",
	.synopsis = "[REASON]",
	.sentence = "end the pause of all rules before its time; those of one rule or runbook stay",
	.args_max = 1,
	.run = resume_all,
};
