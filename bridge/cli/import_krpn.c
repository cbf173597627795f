/* import_krpn.c: import krpn: the configuration of krpn/prometheus-alert-webhooker, YAML or JSON.
 *
 * Each rule becomes a rule, each of its actions a step with a runbook (import_krpn_action.c). A
 * condition is a regex there where it compiles and has a group, and else a plain text; so it is here.
 * `block` becomes the rule's cooldown, by what the placeholders of the action name.
 */
#include "cli/commands.h"
#include "cli/import.h"
#include "cli/import_krpn.h"

#include <ctype.h>
#include <string.h>
#include "rule/ruleset.h"

static const char *const top_keys[] = {"block_cache_size", "pool_size", "runners",
	"remote_config_refresh_interval", "common_parameters", "rules", NULL};
static const char *const rule_keys[] = {"name", "conditions", "actions", NULL};
static const char *const condition_keys[] = {
	"alert_status", "alert_labels", "alert_annotations", NULL};
static const char *const action_keys[] = {
	"executor", "type", "common_parameters", "parameters", "block", NULL};

static void note_top(struct import *im, const struct yaml *root)
{
	const struct yaml *y;

	import_unknown_keys(im, &im->notes, root, top_keys);
	if ((y = yaml_get(root, "runners")))
		import_note(im, &im->notes, y, "'runners' is worker.slots of runbookd.yml (8)");
	if ((y = yaml_get(root, "pool_size")))
		import_note(im, &im->notes, y, "'pool_size' is limits.queue of runbookd.yml (10000): a full queue is answered with 503, not waited for");
	if ((y = yaml_get(root, "block_cache_size")))
		import_note(im, &im->notes, y, "'block_cache_size' has no equivalent: cooldowns are kept in Redis, also over a restart");
	if ((y = yaml_get(root, "remote_config_refresh_interval")))
		import_note(im, &im->notes, y, "'remote_config_refresh_interval' has no equivalent: files are read, and read again when they change");
	import_note(im, &im->notes, NULL,
		"set the url of Alertmanager's webhook_configs to http://HOST:9911/ingest/alertmanager instead of /webhooker");
	import_note(im, &im->notes, NULL,
		"a rule runs once for one occurrence of an alert; there, each repetition ran again unless `block` held it");
	import_note(im, &im->notes, NULL,
		"`alert_status` was that of the message, so that a resolved alert in a message that still fires counted as firing; "
		"here it is the alert's own");
	import_note(im, &im->notes, NULL,
		"placeholders took a label's name in any case; here it is the name in small letters: mend `with` where a label has "
		"capitals. A label that is missing was left as ${…} in the text; here the decision is `error`");
	import_note_brakes(im);
}

/* ---- conditions ---- */

/* Does Go see a group to capture in it, and nothing that Go does not know? */
static bool is_go_regex(struct str s)
{
	bool class = false, group = false;

	for (size_t i = 0; i < s.n; i++) {
		struct str rest = {s.p + i, s.n - i};
		if (s.p[i] == '\\') {
			i++;
			if (i < s.n && s.p[i] >= '1' && s.p[i] <= '9' && !class)
				return false;
		} else if (class) {
			class = s.p[i] != ']';
		} else if (s.p[i] == '[') {
			class = true;
			i += i + 1 < s.n && s.p[i + 1] == '^';
			i += i + 1 < s.n && s.p[i + 1] == ']';
		} else if (str_starts(rest, STR("(?=")) || str_starts(rest, STR("(?!")) ||
			   str_starts(rest, STR("(?<=")) || str_starts(rest, STR("(?<!")) ||
			   str_starts(rest, STR("(?>")) || str_starts(rest, STR("(*"))) {
			return false;
		} else if (s.p[i] == '(') {
			group = group || i + 1 >= s.n || s.p[i + 1] != '?' || str_starts(rest, STR("(?P<")) ||
				str_starts(rest, STR("(?<"));
		} else if (strchr("*+?}", s.p[i]) && i + 1 < s.n && s.p[i + 1] == '+') {
			return false; /* possessive in PCRE2, an error in Go */
		}
	}
	return group;
}

static void add_condition(struct import *im, struct import_rule *rule, const struct yaml *y, struct str left)
{
	struct str value = import_text(y), ours = import_regex(im->a, value);
	const char *differs;

	if (left.n == 0) {
		import_note(im, &rule->notes, y, "'%.*s' cannot be named in a matcher; the condition is left out, so the rule is in dry_run",
			STR_ARG(y->key));
		rule->dry_run = true;
		return;
	}
	if (!is_go_regex(value) || !import_regex_ok(im->a, ours)) {
		texts_add(im->a, &rule->match, import_matcher(im->a, left, "=", value));
		return;
	}
	differs = import_regex_differs(value);
	if (differs)
		import_note(im, &rule->notes, y, "in this regex %s", differs);
	texts_add(im->a, &rule->match, import_matcher(im->a, left, "=~", ours));
	if (import_regex_empty(im->a, ours))
		texts_add(im->a, &rule->match, import_matcher(im->a, left, "!=", STR_NONE));
}

static void add_conditions(struct import *im, struct import_rule *rule, const struct yaml *conditions)
{
	const struct yaml *status = yaml_get(conditions, "alert_status");
	const struct yaml *labels = yaml_get(conditions, "alert_labels");
	const struct yaml *annotations = yaml_get(conditions, "alert_annotations");

	import_unknown_keys(im, &rule->notes, conditions, condition_keys);
	texts_add(im->a, &rule->match, STR("event.source = \"alertmanager\""));
	if (str_is(import_text(status), "resolved"))
		rule->when = "resolved";
	else if (import_text(status).n && !str_is(status->text, "firing"))
		import_error(im, status, "'alert_status' is '%.*s', and firing or resolved are known", STR_ARG(status->text));
	for (const struct yaml *y = labels ? labels->child : NULL; y; y = y->next)
		add_condition(im, rule, y, import_label(im->a, y->key));
	for (const struct yaml *y = annotations ? annotations->child : NULL; y; y = y->next)
		add_condition(im, rule, y, import_field(im->a, "annotations", y->key));
}

/* ---- actions ---- */

/* Common parameters are found by their name in small letters, in which that program keeps them. */
static const struct yaml *common_of(struct import *im, const struct yaml *root, const struct yaml *action,
	struct import_rule *rule)
{
	const struct yaml *y = yaml_get(action, "common_parameters"), *all = yaml_get(root, "common_parameters");
	struct str name = import_text(y);

	if (name.n == 0)
		return NULL;
	for (const struct yaml *m = all ? all->child : NULL; m; m = m->next)
		if (m->key.n == name.n && strncasecmp(m->key.p, name.p, name.n) == 0)
			return m;
	import_note(im, &rule->notes, y, "there are no common parameters '%.*s'", STR_ARG(name));
	return NULL;
}

static void add_block(struct krpn_action *x)
{
	const struct yaml *y = yaml_get(x->y, "block");
	struct import_rule *rule = x->rule;
	int64_t ms = 0;

	if (!y || y->kind == YAML_NULL)
		return;
	if (!krpn_duration(import_text(y), &ms)) {
		import_note(x->im, &rule->notes, y, "'block' is no duration; it is left out");
		return;
	}
	if (ms == 0)
		return;
	if (ms > RULE_DURATION_MAX_MS) {
		import_note(x->im, &rule->notes, y, "'block: %.*s' is longer than a cooldown may be; it is 366d",
			STR_ARG(import_text(y)));
		ms = RULE_DURATION_MAX_MS;
	}
	if (rule->cooldown.n) {
		import_note(x->im, &rule->notes, y, "'block: %.*s' of a further action: the rule has one cooldown, that of the first",
			STR_ARG(import_text(y)));
		return;
	}
	rule->cooldown = arena_printf(x->im->a, "%lldms", (long long)ms);
	if (ms % 1000 == 0)
		rule->cooldown = arena_printf(x->im->a, "%llds", (long long)(ms / 1000));
	for (size_t i = 0; i < x->fields.n && i < RULE_BY_LIMIT; i++)
		if (x->fields.v[i].n)
			texts_add(x->im->a, &rule->by, x->fields.v[i]);
	if (rule->by.n == 0)
		texts_add(x->im->a, &rule->by, STR("event.source"));
	import_note(x->im, &rule->notes, y,
		"'block' began when the action had succeeded; the cooldown begins with the decision, also where the run fails");
}

static void fill_step(struct krpn_action *x)
{
	x->step.runbook = x->book.name;
	x->step.with = arena_array(x->im->a, x->values.n + 1, sizeof(*x->step.with));
	for (size_t i = 0; x->step.with && i < x->values.n; i++)
		x->step.with[x->step.with_n++] = (struct kv){x->book.params.v[i], x->values.v[i]};
}

static void add_action(struct import *im, const struct yaml *root, const struct yaml *y, struct import_rule *rule)
{
	struct krpn_action x = {.im = im, .y = y, .rule = rule};

	if (y->kind != YAML_MAP || rule->steps_n == RULE_STEPS_LIMIT) {
		import_error(im, y, y->kind != YAML_MAP ? "an action that is no map" : "more than %d actions of a rule",
			RULE_STEPS_LIMIT);
		return;
	}
	import_unknown_keys(im, &rule->notes, y, action_keys);
	x.common = common_of(im, root, y, rule);
	x.book.interpreter = "/bin/bash";
	x.book.name = rule->steps_n == 0 ? rule->name
					 : arena_printf(im->a, "%.*s-step-%zu", STR_ARG(rule->name), rule->steps_n + 1);
	buf_init(&x.book.body, BUF_NO_LIMIT);
	if (!krpn_script(&x)) {
		buf_release(&x.book.body);
		rule->dry_run = true;
		return;
	}
	add_block(&x);
	fill_step(&x);
	rule->steps[rule->steps_n++] = x.step;
	import_put_runbook(im, &x.book);
}

static void import_rule(struct import *im, const struct yaml *root, const struct yaml *y)
{
	const struct yaml *actions = yaml_get(y, "actions");
	struct import_rule rule = {0};
	struct str name = import_text(yaml_get(y, "name"));

	if (y->kind != YAML_MAP || name.n == 0 || !actions || actions->kind != YAML_SEQ || !actions->child) {
		import_error(im, y, "a rule without 'name' or 'actions'");
		return;
	}
	import_unknown_keys(im, &rule.notes, y, rule_keys);
	rule.name = import_name(im, "krpn-", name);
	rule.description = import_cat(im->a, STR("Rule "), import_short(im->a, name), STR(" of prometheus-alert-webhooker"));
	rule.steps = arena_array(im->a, RULE_STEPS_LIMIT, sizeof(*rule.steps));
	if (!rule.steps)
		return;
	add_conditions(im, &rule, yaml_get(y, "conditions"));
	for (const struct yaml *m = actions->child; m; m = m->next)
		add_action(im, root, m, &rule);
	if (rule.steps_n)
		import_put_rule(im, &rule);
	else
		import_note(im, &im->notes, y, "nothing can be made of the actions of '%.*s'; the rule is left out", STR_ARG(name));
}

static int run(struct cli *c, int argc, char **argv)
{
	struct import im = {.program = "prometheus-alert-webhooker", .slug = "krpn"};
	const struct yaml *root, *rules;

	(void)argc;
	if (import_begin(&im, c, argv[0], &root) < 0)
		return import_end(&im);
	rules = yaml_get(root, "rules");
	if (root->kind != YAML_MAP || !rules || rules->kind != YAML_SEQ || !rules->child) {
		import_error(&im, rules ? rules : root,
			"no list of 'rules': is this prometheus-alert-webhooker's file? (TOML, HCL and properties are to be written as YAML first)");
		return import_end(&im);
	}
	note_top(&im, root);
	for (const struct yaml *y = rules->child; y; y = y->next)
		import_rule(&im, root, y);
	return import_end(&im);
}

const struct command command_import_krpn = {
	.name = "import krpn",
	.synopsis = "FILE",
	.sentence = "the same out of krpn/prometheus-alert-webhooker's configuration, YAML or JSON",
	.scopes = SCOPE_IMPORT,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
