/* insights_suggest.c: what could be configured otherwise, as YAML to paste.
 *
 * Three kinds: a correlation policy for alerts that come together and are two incidents now; `for`
 * for the rule of an alert that flaps; a cooldown for a rule that runs again and again. A rule is
 * given whole, as it stands in its file, with the one key more. Nothing is suggested that is there
 * already, and nothing that would not load: names that a matcher would read otherwise are left
 * alone.
 */
#include "flow/insights_impl.h"

#include "base/units.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define TOGETHER_WINDOW_MS (10 * MINUTE_MS)
#define FOR_MOST_MS HOUR_MS
#define COOLDOWN_LEAST_MS (5 * MINUTE_MS)
#define COOLDOWN_MOST_MS (6 * HOUR_MS)

/* The least of some round times that is as long. */
static int64_t round_up(int64_t ms)
{
	static const int64_t minutes[] = {1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 360};

	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
		if (ms <= minutes[i] * MINUTE_MS)
			return minutes[i] * MINUTE_MS;
	return 360 * MINUTE_MS;
}

static void put(struct json_w *w, const char *kind, struct str why, struct buf *yaml)
{
	if (!buf_failed(yaml) && why.n > 0) {
		json_w_object(w);
		json_w_kstr(w, "kind", str_of(kind));
		json_w_kstr(w, "why", why);
		json_w_kstr(w, "yaml", buf_as_str(yaml));
		json_w_end(w, '}');
	}
	buf_release(yaml);
}

/* ---- a correlation policy ---- */

/* Means it the same in a regex? */
static bool is_plain(struct str name)
{
	static const char others[] = "_-: ";

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    memchr(others, c, sizeof(others) - 1)))
			return false;
	}
	return name.n > 0;
}

static bool has_label(const struct insight_found *f, struct str name)
{
	for (size_t i = 0; i < f->labels_n; i++)
		if (str_eq(f->labels[i], name))
			return true;
	return false;
}

/* The first policy that looks at every alert makes them one already, where they agree in all that
 * it goes by. */
static bool is_one_already(const struct ruleset *rs, const struct insight_found *f)
{
	for (size_t i = 0; i < rs->correlation_n; i++) {
		const struct conf_correlation *p = &rs->correlation_conf[i];
		bool all = p->by.n > 0;

		if (p->match.n > 0)
			continue;
		for (size_t k = 0; k < p->by.n; k++)
			all &= has_label(f, p->by.v[k].text);
		return all;
	}
	return false;
}

/* The new policy in front of those that are loaded, as a policy's place decides. */
static void put_policies(
	struct buf *yaml, struct arena *a, const struct ruleset *rs, const struct insight_found *f)
{
	size_t n = rs->correlation_n;
	struct conf_correlation *all = arena_array(a, n + 1, sizeof(*all));
	struct conf_text *by = arena_array(a, f->labels_n + 1, sizeof(*by));
	struct conf_text match = {.text = arena_printf(a, "alertname =~ \"%.*s|%.*s\"",
					  STR_ARG(f->first), STR_ARG(f->second))};

	if (!all || !by)
		return;
	for (size_t i = 0; i < f->labels_n; i++)
		by[i].text = f->labels[i];
	all[0] = (struct conf_correlation){{&match, 1}, {by, f->labels_n}, TOGETHER_WINDOW_MS};
	for (size_t i = 0; i < n; i++)
		all[i + 1] = rs->correlation_conf[i];
	buf_puts(yaml, "correlation:");
	conf_put_policies(yaml, all, n + 1);
	buf_putc(yaml, '\n');
}

static void suggest_policy(struct json_w *w, struct insights_sum *s, const struct insight_found *f)
{
	struct buf yaml;

	buf_init(&yaml, BUF_NO_LIMIT);
	put_policies(&yaml, &s->a, s->rules, f);
	put(w, "correlation",
		arena_printf(&s->a,
			"'%.*s' and '%.*s' came together %lld times, and are incidents of their "
			"own",
			STR_ARG(f->first), STR_ARG(f->second), (long long)f->support),
		&yaml);
}

static size_t suggest_policies(
	struct json_w *w, struct insights_sum *s, const struct insights_found *found, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < found->together_n && n < room; i++) {
		const struct insight_found *f = &found->together[i];
		if (f->labels_n == 0 || !is_plain(f->first) || !is_plain(f->second) ||
			is_one_already(s->rules, f))
			continue;
		suggest_policy(w, s, f);
		n++;
	}
	return n;
}

/* ---- a key more in a rule ---- */

static const struct rule *rule_named(const struct ruleset *rs, struct str name)
{
	for (size_t i = 0; i < rs->rules_n; i++)
		if (name.n > 0 && str_eq(rs->rules[i].name, name))
			return &rs->rules[i];
	return NULL;
}

/* False: the rule's text is not of a form in which a key can be put. */
static bool put_rule(struct buf *yaml, const struct rule *r, const char *key, int64_t ms)
{
	char time[UNITS_TEXT_MAX];
	int indent = r->text_column - 1;

	if (r->text.n == 0)
		return false;
	units_format_duration(ms, time);
	buf_printf(yaml, "rules:\n%*s- ", indent - 2, "");
	if (r->text.p[0] == '{') {
		buf_printf(yaml, "{%s: %s, ", key, time);
		buf_str(yaml, (struct str){r->text.p + 1, r->text.n - 1});
	} else {
		buf_printf(yaml, "%s: %s\n%*s", key, time, indent, "");
		buf_str(yaml, r->text);
	}
	if (yaml->n > 0 && yaml->p[yaml->n - 1] != '\n')
		buf_putc(yaml, '\n');
	return true;
}

/* An alert that flaps is over soon: so soon that a rule may as well wait. */
static bool suggest_for(struct json_w *w, struct insights_sum *s, const struct insight_name *a)
{
	const struct rule *r = rule_named(s->rules, a->rule);
	int64_t mean = a->resolved ? a->resolve_ms / a->resolved : 0,
		wait = round_up(mean + mean / 2);
	char time[UNITS_TEXT_MAX];
	struct buf yaml;

	if (!r || r->for_ms > 0 || r->gate.kind != RULE_GATE_NONE || r->when == WHEN_RESOLVED ||
		mean == 0 || wait > FOR_MOST_MS)
		return false;
	buf_init(&yaml, BUF_NO_LIMIT);
	if (!put_rule(&yaml, r, "for", wait)) {
		buf_release(&yaml);
		return false;
	}
	units_format_duration((mean + 999) / 1000 * 1000, time);
	put(w, "for",
		arena_printf(&s->a,
			"'%.*s' flaps, and is over after %s on average; rule '%.*s' runs at once",
			STR_ARG(a->name), time, STR_ARG(r->name)),
		&yaml);
	return true;
}

static bool suggest_cooldown(struct json_w *w, struct insights_sum *s, const struct rule *r)
{
	const struct insight_rule *c = insights_rule(s, r->name);
	struct buf yaml;

	if (!c || c->ran < INSIGHTS_COOLDOWN_RUNS || r->cooldown_ms > 0)
		return false;
	int64_t gap = (int64_t)(insights_seconds(s) * 1000) / c->ran, time = 2 * gap;
	if (gap > COOLDOWN_MOST_MS)
		return false;
	time = time < COOLDOWN_LEAST_MS	 ? COOLDOWN_LEAST_MS
	       : time > COOLDOWN_MOST_MS ? COOLDOWN_MOST_MS
					 : time;
	buf_init(&yaml, BUF_NO_LIMIT);
	if (!put_rule(&yaml, r, "cooldown", round_up(time))) {
		buf_release(&yaml);
		return false;
	}
	put(w, "cooldown",
		arena_printf(&s->a, "rule '%.*s' was let through %lld times, and has no cooldown",
			STR_ARG(r->name), (long long)c->ran),
		&yaml);
	return true;
}

void insights_suggest(struct json_w *w, struct insights_sum *s, const struct insights_found *found)
{
	size_t n = 0;

	json_w_array(w);
	n += suggest_policies(w, s, found, INSIGHTS_SUGGESTIONS_MAX);
	for (size_t i = 0; i < s->names_n && n < INSIGHTS_SUGGESTIONS_MAX; i++)
		n += s->names[i].flapped > 0 && suggest_for(w, s, &s->names[i]);
	for (size_t i = 0; i < s->rules->rules_n && n < INSIGHTS_SUGGESTIONS_MAX; i++)
		n += suggest_cooldown(w, s, &s->rules->rules[i]);
	json_w_end(w, ']');
}
