/* import_am.c: import am-executor: prometheus-am-executor's YAML.
 *
 * Each command becomes a rule and a runbook that calls it with its arguments and with the AMX_*
 * variables. That program runs a command once a message; the rule does so by a cooldown of two
 * seconds on the message's group, which is longer than one message takes and shorter than
 * Alertmanager's pause between two.
 *
 * The file is read as that program does: keys that it does not know do nothing, and a command that
 * is there twice runs once.
 */
#include "cli/commands.h"
#include "cli/import.h"

#include <string.h>

#define COOLDOWN "2s"

static const char *const top_keys[] = {
	"listen_address", "verbose", "tls_key", "tls_crt", "commands", NULL};
static const char *const command_keys[] = {"cmd", "args", "match_labels", "notify_on_failure",
	"ignore_resolved", "resolved_signal", "max", NULL};

static void note_top(struct import *im, const struct yaml *root)
{
	const struct yaml *y;

	import_unknown_keys(im, &im->notes, root, top_keys);
	if ((y = yaml_get(root, "listen_address")))
		import_note(im, &im->notes, y,
			"'listen_address' is %.*s; runbookd listens on http.listen of runbookd.yml: set the url of "
			"Alertmanager's webhook_configs to http://HOST:9911/ingest/alertmanager, with send_resolved: true",
			STR_ARG(import_text(y)));
	if ((y = yaml_get(root, "tls_key")) || (y = yaml_get(root, "tls_crt")))
		import_note(im, &im->notes, y,
			"'tls_key' and 'tls_crt' have no equivalent in this version; let a proxy do TLS, or listen on loopback");
	if ((y = yaml_get(root, "verbose")))
		import_note(im, &im->notes, y, "'verbose' is log.level in runbookd.yml, and runbookctl runs and events show more");
	import_note(im, &im->notes, NULL,
		"a command ran again whenever Alertmanager sent its group again (repeat_interval, a failed command, "
		"another replica); a rule runs once for one occurrence of an alert");
	import_note_brakes(im);
	import_note(im, &im->notes, NULL,
		"'match_labels' had to be common to all alerts of a message; here they are those of the alert itself");
	import_note(im, &im->notes, NULL,
		"commands had the environment, the user and the working folder of prometheus-am-executor; runbooks have "
		"an environment of their own (name what they need in `env`), worker.user (or `user`) and a folder of the run");
}

/* ---- one command ---- */

static bool same_list(const struct yaml *x, const struct yaml *y)
{
	const struct yaml *i = x ? x->child : NULL, *k = y ? y->child : NULL;

	for (; i && k; i = i->next, k = k->next)
		if (!str_eq(import_text(i), import_text(k)))
			return false;
	return !i && !k;
}

static bool same_labels(const struct yaml *x, const struct yaml *y)
{
	for (const struct yaml *i = x ? x->child : NULL; i; i = i->next) {
		const struct yaml *k = y ? y->child : NULL;
		while (k && !str_eq(k->key, i->key))
			k = k->next;
		if (!k || !str_eq(import_text(i), import_text(k)))
			return false;
	}
	return (x ? x->count : 0) == (y ? y->count : 0);
}

static bool is_repeated(const struct yaml *list, const struct yaml *command)
{
	for (const struct yaml *y = list->child; y != command; y = y->next)
		if (str_eq(import_text(yaml_get(y, "cmd")), import_text(yaml_get(command, "cmd"))) &&
			same_list(yaml_get(y, "args"), yaml_get(command, "args")) &&
			same_labels(yaml_get(y, "match_labels"), yaml_get(command, "match_labels")))
			return true;
	return false;
}

static bool check_words(struct import *im, const struct yaml *command)
{
	const struct yaml *cmd = yaml_get(command, "cmd"), *args = yaml_get(command, "args");
	const struct yaml *labels = yaml_get(command, "match_labels");

	if (import_text(cmd).n == 0) {
		import_error(im, command, "a command without 'cmd'");
		return false;
	}
	if (args && args->kind != YAML_SEQ && args->kind != YAML_NULL) {
		import_error(im, args, "'args' is no list");
		return false;
	}
	if (labels && labels->kind != YAML_MAP && labels->kind != YAML_NULL) {
		import_error(im, labels, "'match_labels' is no map");
		return false;
	}
	for (const struct yaml *y = args ? args->child : NULL; y; y = y->next)
		if (y->kind == YAML_SEQ || y->kind == YAML_MAP) {
			import_error(im, y, "an argument that is no text");
			return false;
		}
	return true;
}

static void note_cmd(struct import *im, struct texts *notes, const struct yaml *cmd)
{
	struct str s = cmd->text;

	if (!memchr(s.p, '/', s.n))
		import_note(im, notes, cmd,
			"'%.*s' was looked up in prometheus-am-executor's PATH; runbooks have /usr/local/sbin:"
			"/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			STR_ARG(s));
	else if (s.p[0] != '/')
		import_note(im, notes, cmd,
			"'%.*s' is relative to the folder that prometheus-am-executor was started in; write it with its "
			"whole path",
			STR_ARG(s));
}

static void set_resolve(struct import *im, const struct yaml *command, struct import_rule *rule,
	struct import_runbook *book)
{
	const struct yaml *signal = yaml_get(command, "resolved_signal");
	struct str name = import_text(signal);
	bool ignore = false;

	yaml_bool(yaml_get(command, "ignore_resolved"), &ignore);
	rule->on_resolve = ignore ? "ignore" : "cancel";
	if (ignore) {
		if (signal)
			import_note(im, &rule->notes, signal, "'resolved_signal' had no effect beside 'ignore_resolved'");
		return;
	}
	bool kill = name.n == 0 || str_is(name, "9") ||
		    (name.n == 7 && strncasecmp(name.p, "SIGKILL", 7) == 0);
	bool term = str_is(name, "15") || (name.n == 7 && strncasecmp(name.p, "SIGTERM", 7) == 0);
	if (kill)
		book->grace = "0s   # KILL at once when it resolves, as before; give it time to clean up";
	else if (!term)
		import_note(im, &rule->notes, signal,
			"'resolved_signal' %.*s: a run whose alert resolved gets TERM to all its processes, and KILL "
			"after `grace`; let the script trap TERM",
			STR_ARG(name));
}

static void note_rest(struct import *im, const struct yaml *command, struct import_rule *rule)
{
	const struct yaml *y;
	bool notify;

	import_unknown_keys(im, &rule->notes, command, command_keys);
	if ((y = yaml_get(command, "notify_on_failure")) && yaml_bool(y, &notify))
		import_note(im, &rule->notes, y,
			notify ? "'notify_on_failure': Alertmanager is answered when the alert is stored, before anything runs, so it does "
				 "not hear of failures; `on_failure` does, and `idempotent` with `retries` runs again"
			       : "'notify_on_failure: false' is always so: Alertmanager does not hear of failures");
	if ((y = yaml_get(command, "max")))
		import_note(im, &rule->notes, y,
			"'max: %.*s' counted runs for one alert at a time; an alert that is still the same one never has two",
			STR_ARG(import_text(y)));
}

static void put_command(struct import *im, const struct yaml *command, struct import_rule *rule,
	struct import_runbook *book)
{
	const struct yaml *args = yaml_get(command, "args");
	struct str cmd = import_text(yaml_get(command, "cmd"));
	struct buf words, plain;

	buf_init(&words, BUF_NO_LIMIT);
	buf_init(&plain, BUF_NO_LIMIT);
	import_sh(&words, cmd);
	buf_str(&plain, cmd);
	for (const struct yaml *y = args ? args->child : NULL; y; y = y->next) {
		buf_putc(&words, ' ');
		import_sh(&words, import_text(y));
		buf_putc(&plain, ' ');
		buf_str(&plain, import_text(y));
	}
	struct str shown = arena_strdup(im->a, import_short(im->a, buf_as_str(&plain)));
	rule->description = import_cat(im->a, STR("Runs "), shown, STR(", as prometheus-am-executor did"));
	book->summary = import_cat(im->a, STR("Calls "), shown, STR_NONE);
	buf_puts(&book->body, "exec ");
	buf_str(&book->body, buf_as_str(&words));
	buf_puts(&book->body, " </dev/null\n");
	buf_release(&words);
	buf_release(&plain);
}

static void add_labels(struct import *im, const struct yaml *labels, struct import_rule *rule)
{
	texts_add(im->a, &rule->match, STR("event.source = \"alertmanager\""));
	for (const struct yaml *y = labels ? labels->child : NULL; y; y = y->next) {
		struct str left = import_label(im->a, y->key);
		if (left.n)
			texts_add(im->a, &rule->match, import_matcher(im->a, left, "=", import_text(y)));
		if (import_text(y).n == 0)
			import_note(im, &rule->notes, y,
				"'%.*s' had to be there and empty; Alertmanager drops empty labels, so this command never ran; "
				"here it would, for alerts without that label",
				STR_ARG(y->key));
		rule->dry_run = rule->dry_run || import_text(y).n == 0 || left.n == 0;
	}
}

static bool has_nul(const struct yaml *command)
{
	struct str cmd = import_text(yaml_get(command, "cmd"));
	const struct yaml *args = yaml_get(command, "args");
	bool found = memchr(cmd.p, '\0', cmd.n) != NULL;

	for (const struct yaml *y = args ? args->child : NULL; y; y = y->next)
		found = found || (import_text(y).n && memchr(y->text.p, '\0', y->text.n));
	return found;
}

static void import_command(struct import *im, const struct yaml *command)
{
	struct import_rule rule = {0};
	struct import_runbook book = {.interpreter = "/bin/bash", .am_executor = true};
	struct import_step step = {0};

	if (!check_words(im, command))
		return;
	if (has_nul(command)) {
		import_note(im, &im->notes, command, "a command with a NUL byte could never run; it is left out");
		return;
	}
	buf_init(&book.body, BUF_NO_LIMIT);
	const struct yaml *cmd = yaml_get(command, "cmd");
	rule.name = book.name = step.runbook = import_name(im, "am-", import_base_name(cmd->text));
	rule.cooldown = STR(COOLDOWN);
	texts_add(im->a, &rule.by, STR("event.group"));
	rule.steps = &step;
	rule.steps_n = 1;
	add_labels(im, yaml_get(command, "match_labels"), &rule);
	note_cmd(im, &book.notes, cmd);
	set_resolve(im, command, &rule, &book);
	note_rest(im, command, &rule);
	put_command(im, command, &rule, &book);
	import_put_rule(im, &rule);
	import_put_runbook(im, &book);
}

static int run(struct cli *c, int argc, char **argv)
{
	struct import im = {.program = "prometheus-am-executor", .slug = "am-executor"};
	const struct yaml *root, *list;

	(void)argc;
	if (import_begin(&im, c, argv[0], &root) < 0)
		return import_end(&im);
	list = yaml_get(root, "commands");
	if (root->kind != YAML_MAP || !list || list->kind != YAML_SEQ || !list->child) {
		import_error(&im, list ? list : root, "no list of 'commands': is this prometheus-am-executor's file?");
		return import_end(&im);
	}
	note_top(&im, root);
	for (const struct yaml *y = list->child; y; y = y->next) {
		if (y->kind != YAML_MAP)
			import_error(&im, y, "a command that is no map");
		else if (is_repeated(list, y))
			import_note(&im, &im.notes, y, "the same command was there before, and ran once; it is left out");
		else
			import_command(&im, y);
	}
	return import_end(&im);
}

const struct command command_import_am = {
	.name = "import am-executor",
	.synopsis = "FILE",
	.sentence = "rules and runbooks out of prometheus-am-executor's configuration; what has no equivalent is named",
	.scopes = SCOPE_IMPORT,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
