/* cmd_explain.c: explain: what the rules would make of a payload or of a stored event, and why.
 *
 * The bridge explains, with the rules that it has loaded and the state that it is in; here it is put into words,
 * a rule a block: with + the decision and what would run, with - the matcher that failed and what it saw. Nothing
 * is stored by it.
 */
#include "cli/commands.h"

#include <string.h>
#include "base/file.h"
#include "base/id.h"
#include "base/utf8.h"
#include "cli/show.h"

#define PAYLOAD_LIMIT ((size_t)16 << 20)

static void escaped(struct cli *c, enum style style, struct str text)
{
	term_style_on(&c->term, &c->out, style);
	term_escape(&c->out, text);
	term_style_off(&c->term, &c->out, style);
}

/* Spaces, then text as one line. */
static void line(struct cli *c, int indent, enum style style, struct str text)
{
	for (int i = 0; i < indent; i++)
		buf_putc(&c->out, ' ');
	escaped(c, style, text);
	buf_putc(&c->out, '\n');
}

/* ---- the event ---- */

static void print_event(struct cli *c, const struct json *entry)
{
	const struct json *event = json_get(entry, "event");
	struct str status = show_text(event, "status"), severity = show_text(event, "severity");
	struct str id = show_text(event, "id"), outcome = show_text(entry, "outcome");
	struct str key = show_pairs(&c->arena, json_get(entry, "incident_key"));

	escaped(c, term_style_of(status), status);
	buf_putc(&c->out, ' ');
	escaped(c, STYLE_BOLD, str_is(show_text(event, "type"), "alert") ? show_alert_name(&c->arena, event)
									 : show_text(event, "type"));
	buf_puts(&c->out, ", ");
	escaped(c, term_style_of(severity), severity);
	buf_puts(&c->out, ", from ");
	escaped(c, STYLE_PLAIN, show_text(event, "source"));
	if (id.n) {
		buf_puts(&c->out, ", event ");
		escaped(c, STYLE_DIM, id);
	}
	buf_putc(&c->out, '\n');
	line(c, 2, STYLE_DIM, show_pairs(&c->arena, json_get(event, "labels")));
	if (str_is(outcome, "duplicate"))
		line(c, 2, STYLE_PLAIN, STR("it is known already: the same occurrence of its alert"));
	else if (str_is(outcome, "reopened"))
		line(c, 2, STYLE_PLAIN, STR("it would reopen its alert, which was resolved here and not by the sender"));
	if (key.n)
		line(c, 2, STYLE_PLAIN, arena_printf(&c->arena, "incident of %.*s", STR_ARG(key)));
}

/* ---- a rule that does not match ---- */

static void print_failing(struct cli *c, const struct json *failing)
{
	struct str saw = show_text(failing, "saw");

	buf_puts(&c->out, "    ");
	escaped(c, STYLE_PLAIN, show_text(failing, "matcher"));
	if (saw.n) {
		buf_puts(&c->out, "  saw \"");
		escaped(c, STYLE_YELLOW, saw);
		buf_puts(&c->out, "\"\n");
	} else {
		buf_puts(&c->out, "  saw no value\n");
	}
}

static void print_miss(struct cli *c, const struct json *rule)
{
	struct str because = show_text(rule, "because");
	const struct json *failing = json_get(rule, "failing");

	buf_puts(&c->out, "- ");
	escaped(c, STYLE_BOLD, show_text(rule, "rule"));
	buf_puts(&c->out, ": does not match");
	buf_puts(&c->out, str_is(because, "any") ? ", none of 'any' holds\n" : "\n");
	if (str_is(because, "own_event")) {
		line(c, 4, STYLE_PLAIN, STR("runbookd's own event, and the rule names neither event.type nor event.source"));
		return;
	}
	if (str_is(because, "unknown"))
		line(c, 4, STYLE_PLAIN, STR("its matchers take too long to say which; --rule looks at it alone"));
	for (const struct json *f = failing ? failing->child : NULL; f; f = f->next)
		print_failing(c, f);
}

/* ---- a rule that matches ---- */

static bool is_late(const struct json *step, struct str name)
{
	const struct json *late = json_get(step, "late");

	for (const struct json *l = late ? late->child : NULL; l; l = l->next)
		if (str_eq(json_str(l), name))
			return true;
	return false;
}

static void print_step(struct cli *c, const struct json *step, size_t number)
{
	const struct json *params = json_get(step, "params");

	buf_printf(&c->out, "    %zu. ", number);
	escaped(c, STYLE_BOLD, show_text(step, "runbook"));
	buf_puts(&c->out, "  pool ");
	escaped(c, STYLE_PLAIN, show_text(step, "pool"));
	buf_puts(&c->out, ", timeout ");
	escaped(c, STYLE_PLAIN, show_text(step, "timeout"));
	buf_puts(&c->out, show_bool(step, "always") ? ", always\n" : "\n");
	for (const struct json *p = params ? params->child : NULL; p; p = p->next) {
		buf_puts(&c->out, "       ");
		escaped(c, STYLE_PLAIN, p->key);
		buf_puts(&c->out, " = ");
		escaped(c, STYLE_PLAIN, p->text);
		if (is_late(step, p->key))
			escaped(c, STYLE_DIM, STR("  (filled in when a worker takes it)"));
		buf_putc(&c->out, '\n');
	}
}

/* What was decided when the event came, where it is a stored one. */
static void print_then(struct cli *c, const struct json *event, struct str rule)
{
	const struct json *list = json_get(event, "decisions");

	for (const struct json *d = list ? list->child : NULL; d; d = d->next) {
		if (!str_eq(show_text(d, "rule"), rule))
			continue;
		buf_puts(&c->out, "    when it came: ");
		escaped(c, term_style_of(show_text(d, "decision")), show_text(d, "decision"));
		if (show_text(d, "reason").n) {
			buf_puts(&c->out, ", ");
			escaped(c, STYLE_PLAIN, show_text(d, "reason"));
		}
		buf_putc(&c->out, '\n');
	}
}

static void print_match(struct cli *c, const struct json *rule, const struct json *event)
{
	struct str decision = show_text(rule, "decision"), reason = show_text(rule, "reason");
	const struct json *if_new = json_get(rule, "if_new"), *steps = json_get(rule, "steps");
	const struct json *groups = json_get(rule, "groups");
	size_t n = 0;

	buf_puts(&c->out, "+ ");
	escaped(c, STYLE_BOLD, show_text(rule, "rule"));
	buf_puts(&c->out, ": ");
	escaped(c, decision.n ? term_style_of(decision) : STYLE_PLAIN, decision.n ? decision : STR("matches"));
	buf_putc(&c->out, '\n');
	if (reason.n)
		line(c, 4, STYLE_PLAIN, reason);
	if (if_new) {
		buf_puts(&c->out, "    were it new: ");
		escaped(c, term_style_of(show_text(if_new, "decision")), show_text(if_new, "decision"));
		buf_puts(&c->out, ", ");
		escaped(c, STYLE_PLAIN, show_text(if_new, "reason"));
		buf_putc(&c->out, '\n');
	}
	print_then(c, event, show_text(rule, "rule"));
	if (groups && groups->count)
		line(c, 4, STYLE_DIM, arena_printf(&c->arena, "groups: %.*s", STR_ARG(show_pairs(&c->arena, groups))));
	for (const struct json *s = steps ? steps->child : NULL; s; s = s->next)
		print_step(c, s, ++n);
}

static void print_entry(struct cli *c, const struct json *entry)
{
	const struct json *rules = json_get(entry, "rules");
	size_t matching = 0;

	for (const struct json *r = rules ? rules->child : NULL; r; r = r->next)
		matching += show_bool(r, "matches");
	print_event(c, entry);
	buf_printf(&c->out, "  %zu of %zu rules match\n\n", matching, rules ? rules->count : 0);
	for (const struct json *r = rules ? rules->child : NULL; r; r = r->next) {
		if (show_bool(r, "matches"))
			print_match(c, r, json_get(entry, "event"));
		else
			print_miss(c, r);
	}
}

static void print_all(struct cli *c, const struct json *answer)
{
	const struct json *events = json_get(answer, "events");
	struct str refused = show_text(answer, "refused"), not_taken = show_text(answer, "not_taken");

	if (refused.n) {
		buf_puts(&c->out, "it would be refused for now: ");
		escaped(c, STYLE_RED, refused);
		buf_puts(&c->out, "\n\n");
	}
	if (not_taken.n) {
		buf_puts(&c->out, "not all of it would be taken: ");
		escaped(c, STYLE_RED, not_taken);
		buf_puts(&c->out, "\n\n");
	}
	for (const struct json *e = events ? events->child : NULL; e; e = e->next) {
		print_entry(c, e);
		if (e->next)
			buf_putc(&c->out, '\n');
	}
	if (!events || events->count == 0)
		buf_puts(&c->out, "the payload holds no event\n");
}

/* ---- asking ---- */

static int read_payload(struct cli *c, const char *path, struct buf *out)
{
	bool standard = strcmp(path, "-") == 0;
	struct err e = {0};
	size_t good;

	(void)c;
	if (cli_read_file(path, out, &e) < 0) {
		cli_error("%s", e.text);
		return CLI_FAILED;
	}
	good = utf8_valid(buf_as_str(out));
	if (good == out->n)
		return 0;
	cli_error("%s: byte %zu is not UTF-8", standard ? "standard input" : path, good);
	return CLI_FAILED;
}

/* 'Name: value' as a member; blanks around the value are none of it. */
static void write_header(struct json_w *w, const char *text)
{
	const char *colon = strchr(text, ':');
	struct str value = str_of(colon + 1 + strspn(colon + 1, " \t"));

	while (value.n > 0 && strchr(" \t", value.p[value.n - 1]))
		value.n--;
	json_w_key(w, (struct str){text, (size_t)(colon - text)});
	json_w_str(w, value);
}

static int write_body(struct cli *c, const char *word, struct buf *body)
{
	struct buf payload;
	struct json_w w;
	int rc = 0;

	buf_init(&payload, PAYLOAD_LIMIT);
	json_w_init(&w, body);
	json_w_object(&w);
	if (c->o.source) {
		json_w_kstr(&w, "source", str_of(c->o.source));
		rc = read_payload(c, word, &payload);
		json_w_kstr(&w, "payload", buf_as_str(&payload));
		json_w_key(&w, STR("headers"));
		json_w_object(&w);
		for (size_t i = 0; i < c->o.headers_n; i++)
			write_header(&w, c->o.headers[i]);
		json_w_end(&w, '}');
	} else {
		json_w_kstr(&w, "event", str_of(word));
	}
	if (c->o.rule)
		json_w_kstr(&w, "rule", str_of(c->o.rule));
	json_w_end(&w, '}');
	buf_release(&payload);
	return rc;
}

static int run(struct cli *c, int argc, char **argv)
{
	const struct json *answer = NULL;
	struct buf body;
	int rc;

	(void)argc;
	if (!c->o.source && !id_valid(str_of(argv[0]))) {
		cli_error("'%s' is no event's id; for a payload in a file, name what sends it: --source NAME", argv[0]);
		return CLI_USAGE;
	}
	if (!c->o.source && c->o.headers_n) {
		cli_error("--header is of a payload, not of a stored event; name what sends it: --source NAME");
		return CLI_USAGE;
	}
	buf_init(&body, BUF_NO_LIMIT);
	rc = write_body(c, argv[0], &body);
	if (rc == 0)
		rc = cli_post(c, "/api/v1/explain", buf_as_str(&body), NULL, &answer);
	buf_release(&body);
	if (rc)
		return rc;
	if (c->o.format == CLI_TABLE)
		print_all(c, answer);
	else
		cli_print(c, answer);
	return CLI_GOOD;
}

const struct command command_explain = {
	.name = "explain",
	.synopsis = "EVENT-ID | --source NAME [--header 'NAME: VALUE']... FILE",
	.sentence = "for each rule: the matcher that fails and what it saw, or what it would decide and run (FILE may be -)",
	.scopes = SCOPE_EXPLAIN,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
