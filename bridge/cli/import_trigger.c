/* import_trigger.c: and, or, not and match of adnanh/webhook as `match` and `any` of a rule.
 *
 * A rule of ours is "all of these, and one of those": any nesting is multiplied out into alternatives
 * of matchers, with `not` pushed down to them.
 *
 * There, a value that is not in the payload is false and an error at once; `not` makes it true and
 * keeps the error, and only an `and` heeds that: it is false then. So each part is translated with what
 * it has to be where a value is missing (`missing`).
 *
 * Signatures and addresses at the top are who may send, and become the source's auth. What cannot be
 * said (headers, query, a signature inside an `or`) is left out, and the rule is put into dry_run.
 */
#include "cli/import_trigger.h"

#include <string.h>

struct alternative {
	struct texts matchers; /* all must hold */
};

struct terms { /* one must hold; n 0: never */
	struct alternative *v;
	size_t n;
	bool failed; /* too many */
};

struct trigger {
	struct import *im;
	struct import_rule *rule;
	struct trigger_auth *auth;
};

static const char *const match_keys[] = {
	"type", "value", "regex", "secret", "parameter", "ip-range", NULL};

/* ---- alternatives ---- */

static struct terms always(struct trigger *t)
{
	struct terms out = {arena_array(t->im->a, 1, sizeof(*out.v)), 1, false};

	return out.v ? out : (struct terms){.failed = true};
}

static struct terms one(struct trigger *t, struct str x, struct str y)
{
	struct terms out = always(t);

	if (out.v && x.n)
		texts_add(t->im->a, &out.v[0].matchers, x);
	if (out.v && y.n)
		texts_add(t->im->a, &out.v[0].matchers, y);
	return out;
}

static struct terms either(struct trigger *t, struct terms x, struct terms y)
{
	struct terms out = {.failed = x.failed || y.failed || x.n + y.n > TRIGGER_TERMS_LIMIT};

	if (out.failed)
		return out;
	out.v = arena_array(t->im->a, x.n + y.n + 1, sizeof(*out.v));
	if (!out.v)
		return (struct terms){.failed = true};
	for (size_t i = 0; i < x.n; i++)
		out.v[out.n++] = x.v[i];
	for (size_t i = 0; i < y.n; i++)
		out.v[out.n++] = y.v[i];
	return out;
}

static bool has(const struct texts *t, struct str s)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->v[i], s))
			return true;
	return false;
}

static struct alternative joined(struct trigger *t, const struct alternative *x, const struct alternative *y)
{
	const struct alternative *from[] = {x, y};
	struct alternative out = {0};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < from[k]->matchers.n; i++)
			if (!has(&out.matchers, from[k]->matchers.v[i]))
				texts_add(t->im->a, &out.matchers, from[k]->matchers.v[i]);
	return out;
}

static struct terms both(struct trigger *t, struct terms x, struct terms y)
{
	struct terms out = {.failed = x.failed || y.failed || x.n * y.n > TRIGGER_TERMS_LIMIT};

	if (out.failed)
		return out;
	out.v = arena_array(t->im->a, x.n * y.n + 1, sizeof(*out.v));
	for (size_t i = 0; out.v && i < x.n; i++)
		for (size_t k = 0; k < y.n; k++) {
			out.v[out.n] = joined(t, &x.v[i], &y.v[k]);
			if (out.v[out.n++].matchers.n > TRIGGER_WIDTH_LIMIT)
				return (struct terms){.failed = true};
		}
	return out.v ? out : (struct terms){.failed = true};
}

/* ---- one match ---- */

static struct terms left_out(struct trigger *t, const struct yaml *y, const char *why)
{
	import_note(t->im, &t->rule->notes, y,
		"a condition has no equivalent and is left out, so the rule is in dry_run: %s", why);
	t->rule->dry_run = true;
	return always(t);
}

/* Below a `not` that is below another one, a missing value may have to hold. */
static struct terms or_missing(struct trigger *t, struct terms x, struct str field, bool missing)
{
	return missing ? either(t, x, one(t, import_matcher(t->im->a, field, "=", STR_NONE), STR_NONE)) : x;
}

static struct terms value_match(
	struct trigger *t, const struct yaml *m, struct str field, bool negated, bool missing)
{
	struct arena *a = t->im->a;
	struct str value = import_text(yaml_get(m, "value"));
	struct str there = import_matcher(a, field, "!=", STR_NONE);

	if (value.n == 0)
		import_note(t->im, &t->rule->notes, m,
			"%.*s is compared with the empty text; here a missing value counts as empty", STR_ARG(field));
	if (!negated)
		return or_missing(t, one(t, import_matcher(a, field, "=", value), STR_NONE), field, missing);
	return one(t, missing ? STR_NONE : there, import_matcher(a, field, "!=", value));
}

static struct terms regex_match(
	struct trigger *t, const struct yaml *m, struct str field, bool negated, bool missing)
{
	struct arena *a = t->im->a;
	struct str go = import_text(yaml_get(m, "regex")), ours = import_regex(a, go);
	struct str there = import_matcher(a, field, "!=", STR_NONE);
	const char *differs = import_regex_differs(go);

	if (!import_regex_ok(a, ours))
		return left_out(t, m, "PCRE2 does not take its regex; write it anew");
	if (differs)
		import_note(t->im, &t->rule->notes, m, "in this regex %s", differs);
	if (negated)
		return one(t, missing ? STR_NONE : there, import_matcher(a, field, "!~", ours));
	return or_missing(t,
		one(t, import_matcher(a, field, "=~", ours), import_regex_empty(a, ours) ? there : STR_NONE),
		field, missing);
}

static const char *hmac_of(struct str type)
{
	static const char *const names[] = {"sha1", "sha256", "sha512"};

	for (size_t i = 0; i < 3; i++) {
		struct str n = str_of(names[i]);
		if ((str_starts(type, STR("payload-hmac-")) || str_starts(type, STR("payload-hash-"))) &&
			str_eq((struct str){type.p + 13, type.n - 13}, n))
			return names[i];
	}
	return NULL;
}

static void add_ranges(struct trigger *t, const struct yaml *y)
{
	struct str s = import_text(y);

	for (size_t i = 0; i < s.n;) {
		size_t n = 0;
		while (i + n < s.n && !strchr(" \t\r\n", s.p[i + n]))
			n++;
		struct str range = {s.p + i, n};
		if (n && !memchr(range.p, '/', n))
			range = import_cat(t->im->a, range, memchr(range.p, ':', n) ? STR("/128") : STR("/32"),
				STR_NONE);
		if (n)
			texts_add(t->im->a, &t->auth->allow, range);
		i += n + 1;
	}
}

static struct terms match(struct trigger *t, const struct yaml *m, bool negated, bool missing, bool top)
{
	struct str type = import_text(yaml_get(m, "type"));
	const struct yaml *parameter = yaml_get(m, "parameter");
	struct str from = import_text(yaml_get(parameter, "source"));
	const char *hmac = hmac_of(type);

	import_unknown_keys(t->im, &t->rule->notes, m, match_keys);
	if (hmac && top && !t->auth->hmac && str_is(from, "header") &&
		!yaml_get(parameter, "headers-to-add-to-signature-payload")) {
		t->auth->hmac = m;
		t->auth->algorithm = hmac;
		return always(t);
	}
	if (hmac)
		return left_out(t, m, "a signature that is not the one condition for all of it; let each sender have a source of its own");
	if (str_is(type, "ip-whitelist") && top && t->auth->allow.n == 0) {
		add_ranges(t, yaml_get(m, "ip-range"));
		return always(t);
	}
	if (str_is(type, "ip-whitelist"))
		return left_out(t, m, "an address inside an alternative; `allow` of a source is for all of it");
	if (str_is(type, "scalr-signature"))
		return left_out(t, m, "no auth knows Scalr's signature; put a proxy before it that checks it");
	if (!str_is(type, "value") && !str_is(type, "regex"))
		return left_out(t, m, "its type is not known");
	if (!str_is(from, "payload"))
		return left_out(t, m,
			"it looks at a header, the query or the request, of which an event holds nothing; "
			"a secret there becomes `auth` of the source (bearer_file, basic, hmac, client_cert), anything else belongs into the payload");
	struct str field = import_field(t->im->a, "data", import_text(yaml_get(parameter, "name")));
	if (field.n == 0)
		return left_out(t, m, "the name of its value cannot be written as data.NAME in a matcher");
	return str_is(type, "value") ? value_match(t, m, field, negated, missing)
				     : regex_match(t, m, field, negated, missing);
}

/* ---- and, or, not ---- */

static struct terms node(struct trigger *t, const struct yaml *y, bool negated, bool missing, bool top);

/* What y is where a value in it is missing and no `and` is there to heed it: false, but for each `not`. */
static bool when_missing(const struct yaml *y)
{
	bool value = false;

	while (!yaml_get(y, "and") && !yaml_get(y, "or") && yaml_get(y, "not")) {
		y = yaml_get(y, "not");
		value = !value;
	}
	return value;
}

static struct terms and_list(struct trigger *t, const struct yaml *y, bool missing, bool top)
{
	struct terms out = always(t);

	for (const struct yaml *m = y->child; m; m = m->next)
		out = both(t, out, node(t, m, false, missing, top));
	return out;
}

/* The first that does not hold, the ones before it do: as it is evaluated there, one after the other. */
static struct terms not_and_list(struct trigger *t, const struct yaml *y, bool missing)
{
	struct terms out = {0}, before = always(t);

	for (const struct yaml *m = y->child; m; m = m->next) {
		out = either(t, out, both(t, before, node(t, m, true, missing, false)));
		if (!missing)
			before = both(t, before, node(t, m, false, false, false));
	}
	return out;
}

static struct terms or_list(struct trigger *t, const struct yaml *y, bool negated)
{
	struct terms out = negated ? always(t) : (struct terms){0};

	for (const struct yaml *m = y->child; m; m = m->next) {
		struct terms x = node(t, m, negated, when_missing(m) != negated, false);
		out = negated ? both(t, out, x) : either(t, out, x);
	}
	return out;
}

/* webhook looks at the first of these that is there. Depth is bounded by the reader of the file. */
static struct terms node(struct trigger *t, const struct yaml *y, bool negated, bool missing, bool top)
{
	const struct yaml *m;

	if ((m = yaml_get(y, "and")) && m->kind == YAML_SEQ)
		return negated ? not_and_list(t, m, missing) : and_list(t, m, missing, top);
	if ((m = yaml_get(y, "or")) && m->kind == YAML_SEQ)
		return or_list(t, m, negated);
	if ((m = yaml_get(y, "not")) && m->kind == YAML_MAP)
		return node(t, m, !negated, missing, false);
	if ((m = yaml_get(y, "match")) && m->kind == YAML_MAP)
		return match(t, m, negated, missing, top);
	return left_out(t, y, "it is none of and, or, not, match");
}

static struct str joined_text(struct arena *a, const struct texts *t)
{
	struct str s = t->n ? t->v[0] : STR_NONE;

	for (size_t i = 1; i < t->n; i++)
		s = import_cat(a, s, STR(", "), t->v[i]);
	return s;
}

void trigger_import(struct import *im, const struct yaml *trigger, struct import_rule *rule, struct trigger_auth *auth)
{
	struct trigger t = {im, rule, auth};
	struct terms terms = node(&t, trigger, false, when_missing(trigger), true);

	if (terms.failed) {
		left_out(&t, trigger, "it is too large when multiplied out; split it into several rules");
		return;
	}
	if (terms.n == 0) {
		left_out(&t, trigger, "it never held");
		return;
	}
	for (size_t i = 0; i < terms.n; i++)
		if (terms.v[i].matchers.n == 0)
			return; /* one alternative is always so: all are */
	for (size_t i = 0; terms.n == 1 && i < terms.v[0].matchers.n; i++)
		texts_add(im->a, &rule->match, terms.v[0].matchers.v[i]);
	for (size_t i = 0; terms.n > 1 && i < terms.n; i++)
		texts_add(im->a, &rule->any, joined_text(im->a, &terms.v[i].matchers));
}
