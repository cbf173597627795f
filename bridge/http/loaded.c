/* loaded.c: the rules and runbooks that are loaded now, as JSON. One page: they are few. */
#include "base/json.h"
#include "base/units.h"
#include "http/handlers.h"
#include "http/state.h"

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

static void begin_list(struct json_w *w, struct request *r)
{
	json_w_init(w, &r->out);
	json_w_object(w);
	json_w_key(w, STR("items"));
	json_w_array(w);
}

static void end_list(struct json_w *w, struct request *r)
{
	json_w_end(w, ']');
	json_w_key(w, STR("next"));
	json_w_null(w);
	json_w_kstr(w, "ruleset_hash", str_of(r->server->app.ic->rules->hash));
	json_w_end(w, '}');
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

/* ---- rules ---- */

static const char *when_name(enum rule_when w)
{
	static const char *const names[] = {
		[WHEN_FIRING] = "firing",
		[WHEN_RESOLVED] = "resolved",
		[WHEN_ANY] = "any",
	};
	return names[w];
}

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

static void rules(struct request *r)
{
	const struct ruleset *rs = r->server->app.ic->rules;
	struct json_w w;

	begin_list(&w, r);
	for (size_t i = 0; i < rs->rules_n; i++) {
		const struct rule *rule = &rs->rules[i];

		json_w_object(&w);
		json_w_kstr(&w, "name", rule->name);
		json_w_kstr(&w, "description", rule->description);
		json_w_kstr(&w, "file", rule->file);
		json_w_ki64(&w, "line", rule->line);
		json_w_kstr(&w, "match", rule->source_yaml);
		json_w_kstr(&w, "when", str_of(when_name(rule->when)));
		json_w_kstr(&w, "mode", rule->dry_run ? STR("dry_run") : STR("enforce"));
		write_cooldown(&w, rule);
		json_w_key(&w, STR("steps"));
		json_w_array(&w);
		for (size_t j = 0; j < rule->steps_n; j++)
			write_step(&w, &rule->steps[j]);
		json_w_end(&w, ']');
		json_w_end(&w, '}');
	}
	end_list(&w, r);
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
	struct json_w w;

	begin_list(&w, r);
	for (size_t i = 0; i < list->n; i++)
		write_runbook(&w, list->v[i]);
	end_list(&w, r);
}

const struct route_handler handler_rules = {.finish = rules};
const struct route_handler handler_runbooks = {.finish = runbooks};
