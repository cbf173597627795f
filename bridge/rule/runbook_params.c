/* runbook_params.c: a runbook's parameters: declared in its front matter, checked before each run.
 *
 * Guarantee: a value that passed is text without NUL, at most RUNBOOK_PARAM_LIMIT bytes, of its
 * parameter's type and pattern; nothing that the front matter does not name gets through. In a
 * pattern, $ is the very end: a value with a line feed behind it does not pass ^/var/log$. The same
 * function serves the bridge, before it queues a run, and the worker, which trusts only itself.
 *
 * Patterns run without JIT, under a match limit: they are few, and the worker may be forbidden to
 * make code.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/params.h"

#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/nearest.h"
#include "base/units.h"
#include "base/utf8.h"

#define NAME_LIMIT 64
#define SHOWN_MAX 80 /* bytes of a value in an error */
#define VALUES_LIMIT 256
#define HEAP_LIMIT (16 * 1024) /* KiB */

static const char *const type_names[] = {
	[PARAM_STRING] = "string",
	[PARAM_INT] = "int",
	[PARAM_FLOAT] = "float",
	[PARAM_BOOL] = "bool",
	[PARAM_ENUM] = "enum",
	[PARAM_DURATION] = "duration",
	NULL,
};

const char *param_type_name(enum param_type t)
{
	return type_names[t];
}

bool params_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.n > 0 && name.n <= NAME_LIMIT;
}

const struct param *runbook_param(const struct runbook *r, struct str name)
{
	for (size_t i = 0; i < r->params_n; i++)
		if (str_eq(r->params[i].name, name))
			return &r->params[i];
	return NULL;
}

/* ---- checking a value ---- */

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static bool is_int(struct str s)
{
	char text[24];

	if (s.n > 20)
		return false;
	bool minus = s.n > 0 && s.p[0] == '-';
	if (!all_digits((struct str){s.p + minus, s.n - minus}))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	char *end;
	long long v = strtoll(text, &end, 10);
	/* Out of range gives the ends of it: write those back to tell. */
	if (v == INT64_MAX || v == INT64_MIN)
		return str_is(s, v == INT64_MAX ? "9223372036854775807" : "-9223372036854775808");
	return *end == '\0';
}

/* Digits with a sign, a point and an exponent; no hex, no "nan", no "inf". */
static bool is_float(struct str s)
{
	char text[64], *end;

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789+-.eE", s.p[i]) || s.p[i] == '\0')
			return false;
	if (s.p[0] == '+')
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	double v = strtod(text, &end);
	return *end == '\0' && isfinite(v);
}

static bool is_one_of(const struct param *p, struct str value)
{
	for (size_t i = 0; i < p->values_n; i++)
		if (str_eq(p->values[i], value))
			return true;
	return false;
}

static bool has_type(const struct param *p, struct str value)
{
	int64_t ms;

	switch (p->type) {
	case PARAM_STRING:
		return true;
	case PARAM_INT:
		return is_int(value);
	case PARAM_FLOAT:
		return is_float(value);
	case PARAM_BOOL:
		return str_is(value, "true") || str_is(value, "false");
	case PARAM_ENUM:
		return is_one_of(p, value);
	case PARAM_DURATION:
		return units_parse_duration(value, &ms);
	}
	return false;
}

/* What the type wants, for people. */
static void wanted_text(const struct param *p, char *out, size_t n)
{
	static const char *const texts[] = {
		[PARAM_STRING] = "a text",
		[PARAM_INT] = "a whole number",
		[PARAM_FLOAT] = "a number",
		[PARAM_BOOL] = "true or false",
		[PARAM_ENUM] = "one of",
		[PARAM_DURATION] = "a duration such as 30s or 5m",
	};
	size_t at = (size_t)snprintf(out, n, "%s", texts[p->type]);

	for (size_t i = 0; p->type == PARAM_ENUM && i < p->values_n && at < n; i++)
		at += (size_t)snprintf(
			out + at, n - at, "%s %.*s", i ? "," : "", STR_ARG(p->values[i]));
}

/* The beginning of a value that is fit for a message. */
static struct str shown(struct str value)
{
	size_t n = value.n < SHOWN_MAX ? value.n : SHOWN_MAX;

	while (n < value.n && n > 0 && ((unsigned char)value.p[n] & 0xc0) == 0x80)
		n--;
	return (struct str){value.p, n};
}

static int refuse(const struct param *p, struct str value, const char *wanted, struct err *e)
{
	struct str s = shown(value);

	return err_set(e, ERR_INPUT, "parameter '%.*s': want %s, got '%.*s'%s", STR_ARG(p->name),
		wanted, STR_ARG(s), s.n < value.n ? "…" : "");
}

static int check_pattern(const struct param *p, struct str value, struct err *e)
{
	char wanted[200];
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int rc = PCRE2_ERROR_NOMEMORY;

	if (context && data) {
		pcre2_set_match_limit(context, RUNBOOK_PATTERN_MATCH_LIMIT);
		pcre2_set_heap_limit(context, HEAP_LIMIT);
		rc = pcre2_match(p->code, (PCRE2_SPTR)(value.p ? value.p : ""), value.n, 0, 0, data,
			context);
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	if (rc >= 0)
		return 0;
	snprintf(wanted, sizeof(wanted),
		rc == PCRE2_ERROR_NOMATCH ? "a match of %.*s"
					  : "what %.*s can decide within its limits",
		STR_ARG(p->pattern));
	return refuse(p, value, wanted, e);
}

int param_check(const struct param *p, struct str value, struct err *e)
{
	char wanted[300];

	if (value.n > RUNBOOK_PARAM_LIMIT)
		return err_set(e, ERR_LIMIT, "parameter '%.*s': %zu bytes, at most %d are taken",
			STR_ARG(p->name), value.n, RUNBOOK_PARAM_LIMIT);
	if (value.n > 0 && memchr(value.p, '\0', value.n))
		return err_set(e, ERR_INPUT,
			"parameter '%.*s': the value holds a NUL byte, which no program can be "
			"given",
			STR_ARG(p->name));
	if (utf8_valid(value) != value.n)
		return err_set(
			e, ERR_INPUT, "parameter '%.*s': the value is not UTF-8", STR_ARG(p->name));
	if (!has_type(p, value)) {
		wanted_text(p, wanted, sizeof(wanted));
		return refuse(p, value, wanted, e);
	}
	return p->code ? check_pattern(p, value, e) : 0;
}

static int unknown_param(const struct runbook *r, struct str name, struct err *e)
{
	const char *names[RUNBOOK_PARAMS_LIMIT];

	for (size_t i = 0; i < r->params_n; i++)
		names[i] = r->params[i].name.p;
	const char *near = nearest(name, names, r->params_n);
	struct str s = shown(name);
	return err_set(e, ERR_INPUT, "runbook '%.*s' has no parameter '%.*s'%s%s%s",
		STR_ARG(r->name), STR_ARG(s), near ? ", did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

static int check_given(const struct runbook *r, const struct json *given, struct err *e)
{
	if (!given)
		return 0;
	if (given->kind != JSON_OBJECT)
		return err_set(e, ERR_INPUT, "parameters: want an object, got %s",
			json_kind_name(given->kind));
	for (const struct json *c = given->child; c; c = c->next)
		if (!runbook_param(r, c->key))
			return unknown_param(r, c->key, e);
	return 0;
}

static int text_of(const struct param *p, const struct json *j, struct str *out, struct err *e)
{
	switch (j->kind) {
	case JSON_STRING:
	case JSON_NUMBER:
		*out = j->text;
		return 0;
	case JSON_BOOL:
		*out = j->boolean ? STR("true") : STR("false");
		return 0;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return err_set(e, ERR_INPUT, "parameter '%.*s': want one value, got %s", STR_ARG(p->name),
		json_kind_name(j->kind));
}

int runbook_check_params(const struct runbook *r, struct arena *a, const struct json *given,
	struct kv **out, size_t *n, struct err *e)
{
	*n = 0;
	*out = arena_array(a, r->params_n ? r->params_n : 1, sizeof(**out));
	if (!*out)
		return err_set(e, ERR_LIMIT, "the parameters do not fit the memory of a request");
	if (check_given(r, given, e) < 0)
		return -1;
	for (size_t i = 0; i < r->params_n; i++) {
		const struct param *p = &r->params[i];
		const struct json *j = json_getn(given, p->name);
		struct str value = p->default_;
		if (!j && p->required)
			return err_set(e, ERR_INPUT,
				"parameter '%.*s' of runbook '%.*s' is missing", STR_ARG(p->name),
				STR_ARG(r->name));
		if (!j && !p->has_default)
			continue;
		if (j && (text_of(p, j, &value, e) < 0 || param_check(p, value, e) < 0))
			return -1;
		(*out)[(*n)++] = (struct kv){p->name, value};
	}
	return 0;
}

void runbook_release(struct runbook *r)
{
	for (size_t i = 0; i < r->params_n; i++) {
		pcre2_code_free(r->params[i].code);
		r->params[i].code = NULL;
	}
}

/* ---- reading the declarations ---- */

static void read_type(struct reader *r, const struct yaml *y, void *into)
{
	int i;

	if (reader_choice(r, y, type_names, &i))
		((struct param *)into)->type = (enum param_type)i;
}

static void read_required(struct reader *r, const struct yaml *y, void *into)
{
	reader_bool(r, y, &((struct param *)into)->required);
}

static void read_summary(struct reader *r, const struct yaml *y, void *into)
{
	reader_text(r, y, &((struct param *)into)->summary);
}

static void read_default(struct reader *r, const struct yaml *y, void *into)
{
	struct param *p = into;

	if (y->kind != YAML_SCALAR) {
		reader_error(r, y, "a default is one value");
		return;
	}
	p->default_ = y->text;
	p->has_default = true;
}

static void read_pattern(struct reader *r, const struct yaml *y, void *into)
{
	struct param *p = into;
	struct err e;
	int code;
	size_t at;
	PCRE2_UCHAR text[128];

	if (!reader_text(r, y, &p->pattern))
		return;
	p->code = pcre2_compile((PCRE2_SPTR)p->pattern.p, p->pattern.n,
		PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (p->code)
		return;
	pcre2_get_error_message(code, text, sizeof(text));
	err_set(&e, ERR_INPUT, "bad pattern: %s", (const char *)text);
	e.offset = at;
	reader_error_in(r, y, "", &e);
}

static void read_values(struct reader *r, const struct yaml *y, void *into)
{
	struct param *p = into;
	const struct yaml **v;
	size_t n;

	if (!reader_list(r, y, false, &v, &n))
		return;
	if (n > VALUES_LIMIT) {
		reader_error(r, y, "more than %d values", VALUES_LIMIT);
		return;
	}
	p->values = arena_array(r->arena, n, sizeof(*p->values));
	for (size_t i = 0; p->values && i < n; i++) {
		if (is_one_of(p, v[i]->text))
			reader_error(r, v[i], "'%.*s' is in the list twice", STR_ARG(v[i]->text));
		p->values[p->values_n++] = v[i]->text;
	}
}

static const struct reader_key param_keys[] = {
	{"type", read_type, false},
	{"required", read_required, false},
	{"default", read_default, false},
	{"pattern", read_pattern, false},
	{"values", read_values, false},
	{"summary", read_summary, false},
	{NULL, NULL, false},
};

/* What the keys of one parameter say together. */
static void check_declaration(struct reader *r, const struct yaml *y, const struct param *p)
{
	struct err e;

	if (p->required && p->has_default)
		reader_error_key(r, y,
			"parameter '%.*s' is required and has a default; remove one of the two",
			STR_ARG(p->name));
	if (p->type == PARAM_ENUM && !yaml_get(y, "values"))
		reader_error_key(
			r, y, "parameter '%.*s' is an enum without 'values'", STR_ARG(p->name));
	if (p->type != PARAM_ENUM && p->values_n > 0)
		reader_error(
			r, yaml_get(y, "values"), "only an enum has 'values'; write type: enum");
	if (p->type != PARAM_STRING && p->pattern.n > 0)
		reader_error(r, yaml_get(y, "pattern"), "only a string has a 'pattern'");
	if (p->has_default && param_check(p, p->default_, &e) < 0)
		reader_error(r, yaml_get(y, "default"), "the default does not pass: %s", e.text);
}

void params_read(struct reader *r, const struct yaml *y, void *into)
{
	struct runbook *b = into;

	if (y->kind != YAML_MAP) {
		reader_error(r, y, "want parameters here, each a name and its keys");
		return;
	}
	if (y->count > RUNBOOK_PARAMS_LIMIT) {
		reader_error(r, y, "%zu parameters, at most %d are taken", y->count,
			RUNBOOK_PARAMS_LIMIT);
		return;
	}
	b->params = arena_array(r->arena, y->count ? y->count : 1, sizeof(*b->params));
	for (const struct yaml *c = y->child; c && b->params; c = c->next) {
		struct param *p = &b->params[b->params_n++];
		size_t errors = r->diags->errors;
		p->name = c->key;
		if (!params_name_ok(c->key))
			reader_error_key(r, c,
				"'%.*s' cannot be a parameter's name: it becomes PARAM_<name>, so "
				"letters, digits and _",
				STR_ARG(c->key));
		if (c->kind != YAML_NULL && reader_map(r, c, "a parameter", param_keys, p) &&
			r->diags->errors == errors)
			check_declaration(r, c, p);
	}
}
