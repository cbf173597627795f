/* import_webhook.c: import webhook: the hooks of adnanh/webhook, JSON or YAML.
 *
 * Each hook becomes a source of kind generic (as comments, since this version does not read those
 * yet), a rule for what that source sends, and a runbook that calls the command. What the command was
 * given of the payload travels as parameters: each is one word of the call, and never a piece of
 * script. Secrets are not copied; the notes say which file wants them.
 */
#include "cli/commands.h"
#include "cli/import.h"
#include "cli/import_trigger.h"

#include <string.h>
#include "rule/runbook.h"
#include "rule/template.h"


static const char *const hook_keys[] = {"id", "execute-command", "command-working-directory",
	"response-message", "response-headers", "success-http-response-code",
	"incoming-payload-content-type", "include-command-output-in-response",
	"include-command-output-in-response-on-error", "parse-parameters-as-json",
	"pass-arguments-to-command", "pass-environment-to-command", "pass-file-to-command",
	"pre-hook-command", "trigger-rule", "trigger-rule-mismatch-http-response-code",
	"trigger-signature-soft-failures", "http-methods", NULL};

/* Keys that are noted and nothing else. */
static const struct {
	const char *key, *text;
} noted[] = {
	{"response-message", "'response-message': the sender is answered with what was decided, as JSON"},
	{"response-headers", "'response-headers': answers have none of the operator's"},
	{"success-http-response-code", "'success-http-response-code': what was stored is answered with 200"},
	{"include-command-output-in-response",
		"'include-command-output-in-response': the answer comes before the command runs; its output is at "
		"GET /api/v1/runs/ID/output, and the answer names the run"},
	{"include-command-output-in-response-on-error",
		"'include-command-output-in-response-on-error': see the run instead; `on_failure` can act on it"},
	{"trigger-rule-mismatch-http-response-code",
		"'trigger-rule-mismatch-http-response-code': what no rule wants is answered with 200, and a wrong signature "
		"with 401"},
	{"trigger-signature-soft-failures", "'trigger-signature-soft-failures': a signature is the source's and not a condition"},
	{"http-methods", "'http-methods': sources take POST"},
	{"incoming-payload-content-type",
		"'incoming-payload-content-type': a generic source reads JSON, whatever Content-Type says; forms and XML "
		"have no equivalent"},
	{"parse-parameters-as-json",
		"'parse-parameters-as-json': JSON inside a text stays text; let the runbook parse it, with jq"},
	{"pre-hook-command", "'pre-hook-command' has no equivalent: nothing runs before an event is stored"},
};

struct hook {
	struct import *im;
	const struct yaml *y;
	struct import_rule rule;
	struct import_runbook book;
	struct import_step step;
	struct texts names, values; /* of the parameters */
	struct texts exports;	    /* NAME='…' of env, for names that sh cannot export */
	struct buf before;	    /* lines before the call */
	size_t files_n;
	bool whole; /* some argument is the whole payload */
	struct buf *sources;
};

/* ---- values ---- */

static struct str parameter(struct hook *h, struct str value)
{
	struct arena *a = h->im->a;
	struct str name;

	for (size_t i = 0; i < h->values.n; i++)
		if (str_eq(h->values.v[i], value))
			return h->names.v[i];
	name = arena_printf(a, "value_%zu", h->values.n + 1);
	texts_add(a, &h->values, value);
	texts_add(a, &h->names, name);
	texts_add(a, &h->book.params, name);
	return name;
}

static struct str quoted(struct hook *h, struct str literal)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	import_sh(&b, literal);
	struct str s = arena_strdup(h->im->a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

/* A path with an empty part, or with very many, can only be the name of one member, at which webhook looks first. */
static bool is_path(struct str name)
{
	size_t parts = 1;

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '.')
			continue;
		if (i == 0 || i + 1 == name.n || name.p[i + 1] == '.')
			return false;
		parts++;
	}
	return parts < TEMPLATE_PATH_LIMIT;
}

/* An argument, as a word of sh. What has no equivalent is an empty word, as in webhook where a value is missing. */
static struct str word_of(struct hook *h, const struct yaml *y)
{
	struct arena *a = h->im->a;
	struct str source = import_text(yaml_get(y, "source")), name = import_text(yaml_get(y, "name"));

	if (str_is(source, "string") && (!name.n || !memchr(name.p, '\0', name.n)))
		return quoted(h, name);
	if (str_is(source, "payload") && name.n) {
		if (h->values.n < RUNBOOK_PARAMS_LIMIT) {
			struct str p = parameter(h, import_template(a, "data", name, is_path(name), "| default \"\""));
			return import_cat(a, STR("\"$PARAM_"), p, STR("\""));
		}
		import_note(h->im, &h->book.notes, y, "a runbook has at most %d parameters; this value is left empty",
			RUNBOOK_PARAMS_LIMIT);
		return STR("''");
	}
	if (str_is(source, "entire-payload") || str_is(source, "raw-request-body")) {
		h->whole = true;
		if (str_is(source, "raw-request-body"))
			import_note(h->im, &h->book.notes, y,
				"'raw-request-body': the payload is given as JSON written anew, not byte for byte");
		return STR("\"$payload\"");
	}
	import_note(h->im, &h->book.notes, y,
		"source '%.*s' of '%.*s' has no equivalent: an event holds the payload, and no header, query or address; it is empty",
		STR_ARG(source), STR_ARG(name));
	return STR("''");
}

static bool is_sh_name(struct str s)
{
	if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
			    (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_'))
			return false;
	return true;
}

/* A variable of the command: exported, or by env where it is no name for sh. */
static void set_variable(struct hook *h, const struct yaml *y, struct str name, struct str word)
{
	if (is_sh_name(name)) {
		buf_printf(&h->before, "export %.*s=%.*s\n", STR_ARG(name), STR_ARG(word));
	} else if (name.n == 0 || memchr(name.p, '=', name.n) || memchr(name.p, '\0', name.n)) {
		import_note(h->im, &h->book.notes, y, "'%.*s' cannot be the name of a variable; it is left out", STR_ARG(name));
	} else {
		struct str assign = import_cat(h->im->a, name, STR("="), STR_NONE);
		texts_add(h->im->a, &h->exports, import_cat(h->im->a, quoted(h, assign), word, STR_NONE));
	}
}

static struct str upper(struct arena *a, struct str s)
{
	struct str copy = arena_strdup(a, s);
	char *p = (char *)(uintptr_t)copy.p;

	for (size_t i = 0; p && i < copy.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (char)(p[i] - 'a' + 'A');
	return copy;
}

static void add_variables(struct hook *h, const struct yaml *list)
{
	for (const struct yaml *y = list ? list->child : NULL; y; y = y->next) {
		struct str name = import_text(yaml_get(y, "envname"));
		if (name.n == 0)
			name = import_cat(h->im->a, STR("HOOK_"), import_text(yaml_get(y, "name")), STR_NONE);
		set_variable(h, y, name, word_of(h, y));
	}
}

static void add_files(struct hook *h, const struct yaml *list)
{
	for (const struct yaml *y = list ? list->child : NULL; y; y = y->next) {
		struct str name = import_text(yaml_get(y, "envname")), word = word_of(h, y);
		bool base64 = false;
		size_t i = ++h->files_n;
		yaml_bool(yaml_get(y, "base64decode"), &base64);
		if (name.n == 0)
			name = import_cat(h->im->a, STR("HOOK_"), upper(h->im->a, import_text(yaml_get(y, "name"))), STR_NONE);
		buf_printf(&h->before, "file_%zu=$(mktemp) || exit 1\nfiles=\"$files $file_%zu\"\n", i, i);
		buf_printf(&h->before, "printf %%s %.*s %s>\"$file_%zu\" || exit 1\n", STR_ARG(word),
			base64 ? "| base64 -d " : "", i);
		set_variable(h, y, name, arena_printf(h->im->a, "\"$file_%zu\"", i));
	}
}

/* ---- the script ---- */

static bool bad_text(struct str s)
{
	return s.n == 0 || memchr(s.p, '\0', s.n) != NULL;
}

static void put_call(struct hook *h, struct str command, const struct yaml *args)
{
	struct buf *b = &h->book.body;
	struct buf words;

	buf_init(&words, BUF_NO_LIMIT);
	for (const struct yaml *y = args ? args->child : NULL; y; y = y->next) {
		buf_putc(&words, ' ');
		buf_str(&words, word_of(h, y));
	}
	if (h->whole)
		buf_puts(b, "payload=$(jq -c .event.data) || exit 1\n");
	if (h->files_n)
		buf_puts(b, "files=\ntrap 'rm -f $files' EXIT\ntrap 'exit 143' TERM\n");
	buf_str(b, buf_as_str(&h->before));
	buf_puts(b, h->files_n ? "" : "exec ");
	if (h->exports.n)
		buf_puts(b, "env ");
	for (size_t i = 0; i < h->exports.n; i++)
		buf_printf(b, "%.*s ", STR_ARG(h->exports.v[i]));
	import_sh(b, command);
	buf_str(b, buf_as_str(&words));
	buf_puts(b, " </dev/null\n");
	buf_release(&words);
}

/* The folder, and the command as webhook looks it up. */
static struct str put_place(struct hook *h, const struct yaml *folder, const struct yaml *command)
{
	struct str dir = import_text(folder), cmd = import_text(command);

	if (dir.n) {
		buf_puts(&h->book.body, "cd ");
		import_sh(&h->book.body, dir);
		buf_puts(&h->book.body, " || exit 1\n");
		if (dir.p[0] != '/')
			import_note(h->im, &h->book.notes, folder,
				"'command-working-directory' is relative to the folder that webhook was started in; write the whole path");
		if (cmd.p[0] != '/')
			cmd = import_cat(h->im->a, dir, STR("/"), cmd);
	} else if (!memchr(cmd.p, '/', cmd.n)) {
		import_note(h->im, &h->book.notes, command,
			"'%.*s' was looked up in webhook's PATH; runbooks have /usr/local/sbin:/usr/local/bin:/usr/sbin:"
			"/usr/bin:/sbin:/bin",
			STR_ARG(cmd));
	} else if (cmd.p[0] != '/') {
		import_note(h->im, &h->book.notes, command,
			"'%.*s' is relative to the folder that webhook was started in; write the whole path", STR_ARG(cmd));
	}
	return cmd;
}

static void note_whole(struct hook *h)
{
	if (h->whole)
		import_note(h->im, &h->book.notes, h->y, "it reads the whole payload with jq; install that where the worker runs");
	if (h->exports.n && memchr(import_text(yaml_get(h->y, "execute-command")).p, '=',
				    import_text(yaml_get(h->y, "execute-command")).n))
		import_note(h->im, &h->book.notes, h->y, "env(1) takes a command with '=' in its name for a variable; call it by a link");
}

/* ---- the source ---- */

static void put_auth(struct hook *h, const struct trigger_auth *auth)
{
	struct buf *out = h->sources;
	struct str name = h->rule.name;
	bool begun = false;

	if (!auth->hmac && auth->allow.n == 0) {
		buf_puts(out, "#     # nothing here says who may send; give it an auth\n");
		return;
	}
	buf_puts(out, "#     auth: {");
	if (auth->hmac) {
		struct buf b;
		buf_init(&b, BUF_NO_LIMIT);
		import_yaml(&b, import_text(yaml_get(yaml_get(auth->hmac, "parameter"), "name")));
		buf_printf(out, "hmac: {header: %s, algorithm: %s, secret_file: secrets/%.*s, prefix: \"%s=\"}",
			b.p ? b.p : "''", auth->algorithm, STR_ARG(name), auth->algorithm);
		buf_release(&b);
		begun = true;
		import_note(h->im, &h->rule.notes, auth->hmac,
			"the signature is checked by the source '%.*s': write the secret of this hook into the file secrets/%.*s "
			"beside runbookd.yml (mode 600)",
			STR_ARG(name), STR_ARG(name));
	}
	for (size_t i = 0; i < auth->allow.n; i++) {
		buf_puts(out, i == 0 ? (begun ? ", allow: [" : "allow: [") : ", ");
		import_yaml(out, auth->allow.v[i]);
	}
	buf_puts(out, auth->allow.n ? "]}\n" : "}\n");
}

static void put_source(struct hook *h, struct str id, const struct trigger_auth *auth)
{
	struct buf *out = h->sources;
	struct buf line;

	buf_init(&line, BUF_NO_LIMIT);
	import_yaml(&line, import_cat(h->im->a, STR("hook "), import_short(h->im->a, id), STR_NONE));
	buf_printf(out, "#   %.*s:   # POST /ingest/%.*s instead of /hooks/ID\n#     kind: generic\n",
		STR_ARG(h->rule.name), STR_ARG(h->rule.name));
	put_auth(h, auth);
	buf_printf(out, "#     map: {type: webhook, summary: %s}\n", line.p ? line.p : "''");
	buf_release(&line);
}

/* ---- one hook ---- */

static void fill_step(struct hook *h)
{
	h->step.runbook = h->book.name;
	h->step.with = arena_array(h->im->a, h->names.n + 1, sizeof(*h->step.with));
	for (size_t i = 0; h->step.with && i < h->names.n; i++)
		h->step.with[h->step.with_n++] = (struct kv){h->names.v[i], h->values.v[i]};
	h->rule.steps = &h->step;
	h->rule.steps_n = 1;
}

static void note_keys(struct hook *h)
{
	const struct yaml *y;

	import_unknown_keys(h->im, &h->rule.notes, h->y, hook_keys);
	for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++)
		if ((y = yaml_get(h->y, noted[i].key)) && y->kind != YAML_NULL)
			import_note(h->im, &h->rule.notes, y, "%s", noted[i].text);
}

/* Some text anywhere that only `webhook -template` gives its meaning. */
static bool has_template(const struct yaml *y)
{
	bool found = y->kind == YAML_SCALAR && memmem(y->text.p ? y->text.p : "", y->text.n, "{{", 2);

	for (const struct yaml *m = y->child; m && !found; m = m->next)
		found = has_template(m);
	return found;
}

static void import_hook(struct import *im, const struct yaml *y, struct buf *sources)
{
	struct hook h = {.im = im, .y = y, .sources = sources, .book.interpreter = "/bin/bash"};
	const struct yaml *command = yaml_get(y, "execute-command"), *trigger = yaml_get(y, "trigger-rule");
	const struct yaml *folder = yaml_get(y, "command-working-directory");
	struct str id = import_text(yaml_get(y, "id"));
	struct trigger_auth auth = {0};

	if (id.n == 0 || bad_text(import_text(command)) || (import_text(folder).n && bad_text(folder->text))) {
		import_note(im, &im->notes, y, "a hook without 'id' or 'execute-command' could not run; it is left out");
		return;
	}
	buf_init(&h.before, BUF_NO_LIMIT);
	buf_init(&h.book.body, BUF_NO_LIMIT);
	h.rule.name = h.book.name = import_name(im, "hook-", id);
	struct str shown = import_short(im->a, import_text(command));
	h.rule.description = import_cat(im->a, STR("Runs "), shown, import_cat(im->a, STR(" for hook "), import_short(im->a, id), STR_NONE));
	h.book.summary = import_cat(im->a, STR("Calls "), shown, STR_NONE);
	texts_add(im->a, &h.rule.match, import_matcher(im->a, STR("event.source"), "=", h.rule.name));
	if (has_template(y))
		import_note(im, &h.rule.notes, y, "'{{' stands in it: for webhook -template, render the file first and import that");
	note_keys(&h);
	if (trigger && trigger->kind != YAML_NULL)
		trigger_import(im, trigger, &h.rule, &auth);
	struct str call = put_place(&h, folder, command);
	add_variables(&h, yaml_get(y, "pass-environment-to-command"));
	add_files(&h, yaml_get(y, "pass-file-to-command"));
	put_call(&h, call, yaml_get(y, "pass-arguments-to-command"));
	note_whole(&h);
	put_source(&h, id, &auth);
	fill_step(&h);
	import_put_rule(im, &h.rule);
	import_put_runbook(im, &h.book);
	buf_release(&h.before);
}

static void put_sources_file(struct import *im, const struct buf *sources)
{
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	buf_puts(&b, "# For runbookd.yml. This version of runbookd does not read sources of kind generic yet and would refuse\n"
		     "# them, so they stand here as comments; until then the rules beside this file have no events.\n#\n# sources:\n");
	buf_str(&b, buf_as_str(sources));
	import_put_file(im, STR("sources-webhook.yml"), buf_as_str(&b), false);
	buf_release(&b);
}

static int run(struct cli *c, int argc, char **argv)
{
	struct import im = {.program = "webhook", .slug = "webhook"};
	const struct yaml *root;
	struct buf sources;

	(void)argc;
	if (import_begin(&im, c, argv[0], &root) < 0)
		return import_end(&im);
	if (root->kind != YAML_SEQ) {
		import_error(&im, root, "no list of hooks: is this webhook's file?");
		return import_end(&im);
	}
	buf_init(&sources, BUF_NO_LIMIT);
	import_note(&im, &im.notes, NULL,
		"each hook wants a source of kind generic, which this version does not read yet: see sources-webhook.yml; the "
		"sender's URL becomes /ingest/NAME");
	import_note_brakes(&im);
	for (const struct yaml *y = root->child; y; y = y->next) {
		if (y->kind == YAML_MAP)
			import_hook(&im, y, &sources);
		else
			import_error(&im, y, "a hook that is no map");
	}
	put_sources_file(&im, &sources);
	buf_release(&sources);
	return import_end(&im);
}

const struct command command_import_webhook = {
	.name = "import webhook",
	.synopsis = "FILE",
	.sentence = "the same out of the hooks of adnanh/webhook, JSON or YAML; secrets are not copied",
	.scopes = SCOPE_IMPORT,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
