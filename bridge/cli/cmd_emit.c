/* cmd_emit.c: events emit: puts an event on the bus.
 *
 * The event is made here of the options and sent as a CloudEvent; what the rules decide is in the answer. Each
 * call has an id of its own, so a repeat inside the HTTP library is the same event.
 */
#include "cli/commands.h"

#include <string.h>
#include "base/file.h"
#include "base/id.h"
#include "cli/show.h"

#define DATA_LIMIT ((size_t)16 << 20)

/* JSON, "@FILE" or "-". */
static int read_data(struct cli *c, const char *text, const struct json **out)
{
	bool standard = strcmp(text, "-") == 0, file = standard || text[0] == '@';
	const char *path = standard ? text : text + 1;
	struct str s = str_of(text);
	struct err e = {0};
	struct buf b;

	buf_init(&b, DATA_LIMIT);
	if (file && cli_read_file(path, &b, &e) < 0) {
		cli_error("%s", e.text);
		buf_release(&b);
		return CLI_FAILED;
	}
	if (file)
		s = arena_strdup(&c->arena, buf_as_str(&b));
	buf_release(&b);
	*out = json_parse(&c->arena, s, &e);
	if (*out)
		return 0;
	cli_error("--data is no JSON: %s at byte %zu; a text has double quotes: '\"text\"'", e.text, e.offset);
	return CLI_USAGE;
}

static bool is_member(struct str name)
{
	static const char *const members[] = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype",
		"dataschema", "data", "data_base64"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (str_is(name, members[i]))
			return true;
	return false;
}

static struct str label_name(const char *label)
{
	return (struct str){label, (size_t)(strchr(label, '=') - label)};
}

static int check_usage(const struct cli_options *o)
{
	if (!o->type || !*o->type) {
		cli_error("'events emit' needs a type: --type TYPE");
		return CLI_USAGE;
	}
	for (size_t i = 0; i < o->labels_n; i++) {
		struct str name = label_name(o->labels[i]);

		if (is_member(name)) {
			cli_error("'%.*s' is a member of every event and cannot be a label; call it otherwise", STR_ARG(name));
			return CLI_USAGE;
		}
	}
	return 0;
}

static void write_event(struct cli *c, const struct json *data, struct buf *out)
{
	const struct cli_options *o = &c->o;
	char id[ID_LEN + 1];
	struct json_w w;

	id_new(c->now_ms, id);
	json_w_init(&w, out);
	json_w_object(&w);
	json_w_kstr(&w, "specversion", STR("1.0"));
	json_w_kstr(&w, "id", str_of(id));
	json_w_kstr(&w, "source", STR("runbookctl"));
	json_w_kstr(&w, "type", str_of(o->type));
	if (o->subject)
		json_w_kstr(&w, "subject", str_of(o->subject));
	for (size_t i = 0; i < o->labels_n; i++) {
		json_w_key(&w, label_name(o->labels[i]));
		json_w_str(&w, str_of(strchr(o->labels[i], '=') + 1));
	}
	if (data) {
		json_w_key(&w, STR("data"));
		json_write(&w, data);
	}
	json_w_end(&w, '}');
}

static void print(struct cli *c, const struct json *answer)
{
	const struct json *decisions = json_get(answer, "decisions");

	if (c->o.format != CLI_TABLE) {
		cli_print(c, answer);
		return;
	}
	if (!decisions || !decisions->child)
		buf_puts(&c->out, "no rule wants it\n");
	for (const struct json *d = decisions ? decisions->child : NULL; d; d = d->next) {
		struct str run = show_text(d, "run");

		term_escape(&c->out, show_text(d, "rule"));
		buf_puts(&c->out, ": ");
		term_escape(&c->out, show_text(d, "decision"));
		buf_puts(&c->out, ", ");
		term_escape(&c->out, show_text(d, "reason"));
		buf_puts(&c->out, run.n ? ", run " : "");
		term_escape(&c->out, run);
		buf_putc(&c->out, '\n');
	}
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct json *data = NULL, *answer = NULL;
	struct buf body;
	int rc = check_usage(&c->o);

	(void)argc;
	(void)argv;
	if (rc == 0 && c->o.data)
		rc = read_data(c, c->o.data, &data);
	if (rc)
		return rc;
	buf_init(&body, BUF_NO_LIMIT);
	write_event(c, data, &body);
	rc = cli_post(c, "/api/v1/events", buf_as_str(&body), NULL, &answer);
	buf_release(&body);
	if (rc == 0)
		print(c, answer);
	return rc;
}

const struct command command_events_emit = {
	.name = "events emit",
	.synopsis = "--type TYPE [--subject TEXT] [--data JSON|@FILE|-] [-l NAME=VALUE]...",
	.sentence = "put an event on the bus; prints what the rules decide",
	.scopes = SCOPE_EMIT | SCOPE_LABEL,
	.run = run,
};
