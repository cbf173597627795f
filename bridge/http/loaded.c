/* loaded.c: the rules and runbooks that are loaded now, as JSON, page by page.
 *
 * A cursor is a place in one ruleset, and names it: after a reload the pages before do not fit any more, and
 * that is said instead of showing a rule twice or not at all.
 */
#include <string.h>
#include "base/json.h"
#include "base/units.h"
#include "http/handlers.h"
#include "http/state.h"
#include "rule/miss.h"

static void write_duration(struct json_w *w, const char *key, int64_t ms)
{
	char text[UNITS_TEXT_MAX];

	json_w_key(w, str_of(key));
	if (ms > 0) {
		units_format_duration(ms, text);
		json_w_str(w, str_of(text));
	} else {
		json_w_null(w);
	}
}

#define CURSOR_HASH 16 /* digits of the ruleset's hash in a cursor */
#define CURSOR_DIGITS 9

struct page {
	size_t from, to; /* rows; to is not among them */
	size_t n;	 /* all rows */
};

/* "120-3f2a9c0155aa77de" */
static int read_cursor(struct request *r, size_t *from, struct err *e)
{
	const char *hash = r->server->app.ic->rules->hash;
	struct str s = request_param(r, "cursor");
	size_t i = 0, n = 0;

	*from = 0;
	if (s.n == 0)
		return 0;
	for (; i < s.n && i < CURSOR_DIGITS && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		n = n * 10 + (size_t)(s.p[i] - '0');
	if (i == 0 || s.n != i + 1 + CURSOR_HASH || s.p[i] != '-')
		return err_set(e, ERR_INPUT, "'cursor' is none that a list gave as 'next'");
	if (memcmp(s.p + i + 1, hash, CURSOR_HASH) != 0)
		return err_set(e, ERR_INPUT,
			"the rules were loaded anew since that page; begin again without 'cursor'");
	*from = n;
	return 0;
}

static int read_page(struct request *r, size_t n, struct page *p, struct err *e)
{
	static const char *const known[] = {"limit", "cursor", NULL};
	int64_t limit;

	if (request_params_known(r, known, e) != 0 || list_limit(r, &limit, e) != 0 ||
		read_cursor(r, &p->from, e) != 0)
		return -1;
	p->n = n;
	if (p->from > n)
		p->from = n;
	p->to = n - p->from > (size_t)limit ? p->from + (size_t)limit : n;
	return 0;
}

static void begin_list(struct json_w *w, struct request *r)
{
	json_w_init(w, &r->out);
	json_w_object(w);
	json_w_key(w, STR("items"));
	json_w_array(w);
}

static void end_list(struct json_w *w, struct request *r, const struct page *p)
{
	json_w_end(w, ']');
	json_w_key(w, STR("next"));
	if (p->to < p->n)
		json_w_str(w, arena_printf(&r->arena, "%zu-%.*s", p->to, CURSOR_HASH,
			r->server->app.ic->rules->hash));
	else
		json_w_null(w);
	json_w_kstr(w, "ruleset_hash", str_of(r->server->app.ic->rules->hash));
	json_w_end(w, '}');
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

/* ---- rules ---- */

static void write_step(struct json_w *w, const struct rule_step *s)
{
	json_w_object(w);
	json_w_kstr(w, "name", s->name);
	json_w_kstr(w, "runbook", s->runbook->name);
	json_w_key(w, STR("with"));
	json_w_object(w);
	for (size_t i = 0; i < s->with_n; i++) {
		json_w_key(w, s->with[i].name);
		json_w_str(w, template_text(s->with[i].value));
	}
	json_w_end(w, '}');
	json_w_kstr(w, "pool", s->pool ? template_text(s->pool) : STR("default"));
	write_duration(w, "timeout", s->timeout_ms ? s->timeout_ms : s->runbook->timeout_ms);
	json_w_kbool(w, "always", s->always);
	json_w_end(w, '}');
}

static void write_cooldown(struct json_w *w, const struct rule *rule)
{
	json_w_key(w, STR("cooldown"));
	if (!rule->cooldown_ms) {
		json_w_null(w);
		return;
	}
	json_w_object(w);
	write_duration(w, "every", rule->cooldown_ms);
	json_w_key(w, STR("by"));
	json_w_array(w);
	for (size_t i = 0; i < rule->cooldown_by_n; i++)
		json_w_str(w, rule->cooldown_by[i].text);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

/* null: it is over one event */
static void write_gate(struct json_w *w, const struct rule_gate *g)
{
	json_w_key(w, STR("gate"));
	if (g->kind == RULE_GATE_NONE) {
		json_w_null(w);
		return;
	}
	json_w_object(w);
	json_w_kstr(w, "kind", str_of(rule_gate_name(g->kind)));
	if (g->kind != RULE_GATE_ABSENT)
		json_w_ki64(w, "count", g->count);
	write_duration(w, g->kind == RULE_GATE_ABSENT ? "every" : "within", g->within_ms);
	json_w_key(w, STR("by"));
	json_w_array(w);
	for (size_t i = 0; i < g->by_n; i++)
		json_w_str(w, g->by[i].text);
	json_w_end(w, ']');
	json_w_key(w, STR("on_timeout"));
	json_w_array(w);
	for (size_t i = 0; i < g->timeout_steps_n; i++)
		write_step(w, &g->timeout_steps[i]);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static void write_rule(struct json_w *w, const struct rule *rule)
{
	json_w_object(w);
	json_w_kstr(w, "name", rule->name);
	json_w_kstr(w, "description", rule->description);
	json_w_kstr(w, "file", rule->file);
	json_w_ki64(w, "line", rule->line);
	json_w_kstr(w, "match", rule->source_yaml);
	json_w_kstr(w, "when", str_of(rule_when_name(rule->when)));
	write_gate(w, &rule->gate);
	json_w_key(w, STR("only"));
	if (rule->only_root)
		json_w_str(w, STR("root"));
	else
		json_w_null(w);
	json_w_kbool(w, "parallel", rule->parallel);
	json_w_kstr(w, "mode", rule->dry_run ? STR("dry_run") : STR("enforce"));
	write_cooldown(w, rule);
	json_w_key(w, STR("steps"));
	json_w_array(w);
	for (size_t j = 0; j < rule->steps_n; j++)
		write_step(w, &rule->steps[j]);
	json_w_end(w, ']');
	json_w_end(w, '}');
}

static void rules(struct request *r)
{
	const struct ruleset *rs = r->server->app.ic->rules;
	struct err e = {0};
	struct json_w w;
	struct page p;

	if (read_page(r, rs->rules_n, &p, &e) != 0) {
		request_fail(r, &e);
		return;
	}
	begin_list(&w, r);
	for (size_t i = p.from; i < p.to; i++)
		write_rule(&w, &rs->rules[i]);
	end_list(&w, r, &p);
}

/* ---- runbooks ---- */

static const char *kind_name(enum runbook_kind k)
{
	static const char *const names[] = {
		[RUNBOOK_DIAGNOSE] = "diagnose",
		[RUNBOOK_REMEDIATE] = "remediate",
		[RUNBOOK_NOTIFY] = "notify",
	};
	return names[k];
}

static const char *type_name(enum param_type t)
{
	static const char *const names[] = {
		[PARAM_STRING] = "string",
		[PARAM_INT] = "int",
		[PARAM_FLOAT] = "float",
		[PARAM_BOOL] = "bool",
		[PARAM_ENUM] = "enum",
		[PARAM_DURATION] = "duration",
	};
	return names[t];
}

static void write_param(struct json_w *w, const struct param *p)
{
	json_w_object(w);
	json_w_kstr(w, "name", p->name);
	json_w_kstr(w, "type", str_of(type_name(p->type)));
	json_w_kbool(w, "required", p->required);
	if (p->has_default)
		json_w_kstr(w, "default", p->default_);
	if (p->pattern.n)
		json_w_kstr(w, "pattern", p->pattern);
	if (p->values_n) {
		json_w_key(w, STR("values"));
		json_w_array(w);
		for (size_t i = 0; i < p->values_n; i++)
			json_w_str(w, p->values[i]);
		json_w_end(w, ']');
	}
	if (p->summary.n)
		json_w_kstr(w, "summary", p->summary);
	json_w_end(w, '}');
}

static void write_runbook(struct json_w *w, const struct runbook *rb)
{
	json_w_object(w);
	json_w_kstr(w, "name", rb->name);
	json_w_kstr(w, "summary", rb->summary);
	json_w_kstr(w, "kind", str_of(kind_name(rb->kind)));
	json_w_key(w, STR("params"));
	json_w_array(w);
	for (size_t i = 0; i < rb->params_n; i++)
		write_param(w, &rb->params[i]);
	json_w_end(w, ']');
	write_duration(w, "timeout", rb->timeout_ms);
	json_w_kbool(w, "idempotent", rb->idempotent);
	json_w_ki64(w, "retries", rb->retries_max);
	json_w_key(w, STR("user"));
	if (rb->user.n)
		json_w_str(w, rb->user);
	else
		json_w_null(w);
	json_w_kstr(w, "path", rb->path);
	json_w_kstr(w, "sha256", str_of(rb->sha256));
	json_w_end(w, '}');
}

static void runbooks(struct request *r)
{
	const struct runbooks *list = &r->server->app.ic->rules->runbooks;
	struct err e = {0};
	struct json_w w;
	struct page p;

	if (read_page(r, list->n, &p, &e) != 0) {
		request_fail(r, &e);
		return;
	}
	begin_list(&w, r);
	for (size_t i = p.from; i < p.to; i++)
		write_runbook(&w, list->v[i]);
	end_list(&w, r, &p);
}

const struct route_handler handler_rules = {.finish = rules};
const struct route_handler handler_runbooks = {.finish = runbooks};
