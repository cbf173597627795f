/* rule_guards.c: the keys that hold a rule back or count it, from YAML: for, cooldown, limits,
 * approval, on_flapping, only, slo.
 *
 * Guarantee: where no finding was added, each value is within the bounds that ruleset.h names, and
 * the keys go together: what could never come true (a `for` of a rule that waits for the resolve)
 * is a finding here, not a rule that silently does nothing.
 */
#include "rule/rule_yaml.h"

#define SLO_OBJECTIVE_DIGITS 9 /* after the point: a double keeps them */

/* ---- cooldown ---- */

static void read_every(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_DURATION_MAX_MS, &((struct rule *)into)->cooldown_ms);
}

static void read_by(struct reader *r, const struct yaml *y, void *into)
{
	struct rule *rule = into;

	rule_read_fields(r, y, &rule->cooldown_by, &rule->cooldown_by_n);
}

void rule_read_cooldown(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"every", read_every, false},
		{"by", read_by, false},
		{NULL, NULL, false},
	};
	struct rule *rule = ((struct rule_build *)into)->rule;

	if (y->kind == YAML_SCALAR)
		reader_duration(r, y, 1, RULE_DURATION_MAX_MS, &rule->cooldown_ms);
	else if (reader_map(r, y, "'cooldown'", keys, rule) && !yaml_get(y, "every"))
		reader_error(r, y, "'cooldown' lacks 'every', the time for which it holds");
}

/* ---- for, on_flapping, approval ---- */

void rule_read_for(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_DURATION_MAX_MS, &((struct rule_build *)into)->rule->for_ms);
}

void rule_read_on_flapping(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {"run", "skip", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct rule_build *)into)->rule->skip_flapping = i == 1;
}

void rule_read_only(struct reader *r, const struct yaml *y, void *into)
{
	static const char *const names[] = {"root", NULL};
	int i;

	if (reader_choice(r, y, names, &i))
		((struct rule_build *)into)->rule->only_root = true;
}

static void read_expires(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_DURATION_MAX_MS, &((struct rule *)into)->approval_expires_ms);
}

void rule_read_approval(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"expires", read_expires, false},
		{NULL, NULL, false},
	};
	static const char *const names[] = {"none", "required", NULL};
	struct rule *rule = ((struct rule_build *)into)->rule;
	int i;

	if (y->kind == YAML_SCALAR) {
		if (reader_choice(r, y, names, &i))
			rule->approval = i == 1;
		return;
	}
	rule->approval = true;
	if (reader_map(r, y, "'approval'", keys, rule) && !yaml_get(y, "expires"))
		reader_error(r, y,
			"'approval' lacks 'expires'; without an end write approval: required");
}

/* ---- limits ---- */

static void read_count(struct reader *r, const struct yaml *y, void *into)
{
	reader_int(r, y, 1, RULE_LIMIT_COUNT_MAX, &((struct rule_limit *)into)->count);
}

static void read_per(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_DURATION_MAX_MS, &((struct rule_limit *)into)->per_ms);
}

static void read_limit(
	struct reader *r, const struct yaml *y, const char *what, struct rule_limit *limit)
{
	static const struct reader_key keys[] = {
		{"count", read_count, false},
		{"per", read_per, false},
		{NULL, NULL, false},
	};

	if (!reader_map(r, y, what, keys, limit))
		return;
	if (!yaml_get(y, "count") || !yaml_get(y, "per"))
		reader_error(
			r, y, "%s needs both 'count' and 'per', as in {count: 5, per: 1h}", what);
}

static void read_runs(struct reader *r, const struct yaml *y, void *into)
{
	read_limit(r, y, "'limits.runs'", &((struct rule *)into)->limit_runs);
}

static void read_hosts(struct reader *r, const struct yaml *y, void *into)
{
	read_limit(r, y, "'limits.hosts'", &((struct rule *)into)->limit_hosts);
}

void rule_read_limits(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"runs", read_runs, false},
		{"hosts", read_hosts, false},
		{NULL, NULL, false},
	};

	if (reader_map(r, y, "'limits'", keys, ((struct rule_build *)into)->rule) && !y->child)
		reader_error(r, y, "'limits' names neither 'runs' nor 'hosts'");
}

/* ---- slo ---- */

/* "99.9": digits, and at most so many after a point; above 0 and below 100. */
static bool parse_objective(struct str s, double *out)
{
	double v = 0, unit = 1;
	size_t i = 0, digits;

	for (; i < s.n && i < 3 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (s.p[i] - '0');
	if (i == 0)
		return false;
	if (i < s.n && s.p[i] == '.') {
		for (digits = ++i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
			unit /= 10;
			v += (s.p[i] - '0') * unit;
		}
		if (i == digits || i - digits > SLO_OBJECTIVE_DIGITS)
			return false;
	}
	*out = v;
	return i == s.n && v > 0 && v < 100;
}

static void read_objective(struct reader *r, const struct yaml *y, void *into)
{
	if (y->kind == YAML_SCALAR &&
		parse_objective(y->text, &((struct rule *)into)->slo.objective))
		return;
	reader_error(r, y, "want a percentage above 0 and below 100, such as 99 or 99.5%s%.*s%s",
		y->kind == YAML_SCALAR ? ", got '" : "",
		y->kind == YAML_SCALAR ? (int)(y->text.n < 80 ? y->text.n : 80) : 0,
		y->kind == YAML_SCALAR ? y->text.p : "", y->kind == YAML_SCALAR ? "'" : "");
}

static void read_within(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, 1, RULE_SLO_WINDOW_MAX_MS, &((struct rule *)into)->slo.within_ms);
}

static void read_window(struct reader *r, const struct yaml *y, void *into)
{
	reader_duration(r, y, RULE_SLO_WINDOW_MIN_MS, RULE_SLO_WINDOW_MAX_MS,
		&((struct rule *)into)->slo.window_ms);
}

void rule_read_slo(struct reader *r, const struct yaml *y, void *into)
{
	static const struct reader_key keys[] = {
		{"objective", read_objective, false},
		{"within", read_within, false},
		{"window", read_window, false},
		{NULL, NULL, false},
	};
	struct rule *rule = ((struct rule_build *)into)->rule;

	rule->slo.window_ms = RULE_SLO_WINDOW_DEFAULT_MS;
	if (!reader_map(r, y, "'slo'", keys, rule))
		return;
	if (!yaml_get(y, "objective") || !yaml_get(y, "within"))
		reader_error(r, y,
			"'slo' needs 'objective' and 'within', as in {objective: 99, within: 30s, "
			"window: 30d}");
	else if (rule->slo.within_ms > rule->slo.window_ms)
		reader_error(r, y, "'within' is longer than 'window'");
}

/* ---- keys that do not go together ---- */

void rule_check_together(struct reader *r, const struct yaml *y, const struct rule *rule)
{
	static const char *const when[] = {
		[WHEN_FIRING] = "firing", [WHEN_RESOLVED] = "resolved", [WHEN_ANY] = "any"};
	const struct yaml *key;

	if (rule->when == WHEN_FIRING)
		return;
	key = yaml_get(y, "for");
	if (key)
		reader_error_key(r, key,
			"'for' waits whether an alert still fires; with 'when: %s' it would wait "
			"in vain: remove one of them",
			when[rule->when]);
	key = yaml_get(y, "on_resolve");
	if (key && rule->on_resolve != ON_RESOLVE_IGNORE)
		reader_error_key(r, key,
			"with 'when: %s' the rule itself runs at the resolve; 'on_resolve' is for "
			"rules that run while an alert fires: remove one of them",
			when[rule->when]);
}
