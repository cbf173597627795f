/* rule_render.c: the steps of a rule that matched, with pool and parameters filled in.
 *
 * Guarantee: a parameter that is known when the event comes is checked against the runbook's front
 * matter then, so that a decision `run` means a run whose parameters are good; what depends on the
 * incident or on earlier steps is checked at the claim instead. A value never becomes part of a
 * template (template_render_early). A pool's name comes from data and names a queue: only such as
 * rule_pool_ok takes.
 */
#include "rule/rule_yaml.h"

#define PARAMS_LIMIT                                                                               \
	(RUNBOOK_PARAMS_LIMIT *                                                                    \
		RUNBOOK_PARAM_LIMIT) /* bytes of one step's parameters, before quoting */

static int step_error(struct err *e, const struct rule_step *s)
{
	struct err inner = *e;

	return err_set(e, inner.code, "step '%.*s': %s", STR_ARG(s->name), inner.text);
}

static struct str pairs_json(struct arena *a, const struct kv *v, size_t n)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, (size_t)PARAMS_LIMIT * 6);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < n; i++) {
		json_w_key(&w, v[i].name);
		json_w_str(&w, v[i].value);
	}
	json_w_end(&w, '}');
	struct str s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	a->failed = a->failed || buf_failed(&b);
	buf_release(&b);
	return s;
}

static int no_room(struct err *e)
{
	return err_set(e, ERR_LIMIT, "the parameters do not fit the memory of a request");
}

static bool has_late_param(const struct rule_step *s)
{
	for (size_t i = 0; i < s->with_n; i++)
		if (template_is_late(s->with[i].value))
			return true;
	return false;
}

/* Everything is known: the texts, as an object for the check. */
static int render_now(const struct rule_step *s, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e)
{
	struct json *nodes = arena_array(a, s->with_n ? s->with_n : 1, sizeof(*nodes));
	struct json given = {
		.kind = JSON_OBJECT, .child = s->with_n ? nodes : NULL, .count = s->with_n};
	struct kv *v;
	size_t n;

	if (!nodes)
		return no_room(e);
	for (size_t i = 0; i < s->with_n; i++) {
		nodes[i] = (struct json){.kind = JSON_STRING, .key = s->with[i].name};
		nodes[i].next = i + 1 < s->with_n ? &nodes[i + 1] : NULL;
		if (template_render(s->with[i].value, a, ctx, &nodes[i].text, e) < 0)
			return -1;
	}
	if (runbook_check_params(s->runbook, a, &given, &v, &n, e) < 0)
		return -1;
	*out = pairs_json(a, v, n);
	return arena_failed(a) ? no_room(e) : 0;
}

/* Some must wait: templates, in which what is known is filled in and checked already. */
static int render_early(const struct rule_step *s, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e)
{
	struct kv *v = arena_array(a, s->with_n ? s->with_n : 1, sizeof(*v));

	if (!v)
		return no_room(e);
	for (size_t i = 0; i < s->with_n; i++) {
		const struct template *t = s->with[i].value;
		const struct param *p = runbook_param(s->runbook, s->with[i].name);
		struct str text;
		v[i].name = s->with[i].name;
		if (template_render_early(t, a, ctx, &v[i].value, e) < 0)
			return -1;
		if (template_is_late(t) || !p)
			continue;
		if (template_render(t, a, ctx, &text, e) < 0 || param_check(p, text, e) < 0)
			return -1;
	}
	*out = pairs_json(a, v, s->with_n);
	return arena_failed(a) ? no_room(e) : 0;
}

static int render_pool(const struct rule_step *s, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e)
{
	*out = STR("default");
	if (!s->pool)
		return 0;
	if (template_render(s->pool, a, ctx, out, e) < 0)
		return -1;
	if (rule_pool_ok(*out))
		return 0;
	return err_set(e, ERR_INPUT,
		"'%.*s' cannot be a pool's name: letters, digits and - _ . :, at most %d",
		(int)(out->n < 80 ? out->n : 80), out->p ? out->p : "", RULE_POOL_LIMIT);
}

int rule_render_steps(const struct rule_match *m, const struct rule_step *steps, size_t n,
	struct arena *a, const struct event *ev, struct rule_rendered_step **out, struct err *e)
{
	struct template_ctx ctx = {.event = ev, .match = m->groups.v, .match_n = m->groups.n};
	struct rule_rendered_step *v = arena_array(a, n ? n : 1, sizeof(*v));

	if (!v)
		return no_room(e);
	for (size_t i = 0; i < n; i++) {
		const struct rule_step *s = &steps[i];
		v[i].step = s;
		v[i].late = has_late_param(s);
		if (render_pool(s, a, &ctx, &v[i].pool, e) < 0 ||
			(v[i].late ? render_early : render_now)(s, a, &ctx, &v[i].params_json, e) <
				0)
			return step_error(e, s);
	}
	*out = v;
	return 0;
}

int rule_render(const struct rule_match *m, struct arena *a, const struct event *ev,
	struct rule_rendered_step **out, size_t *n, struct err *e)
{
	*n = m->rule->steps_n;
	return rule_render_steps(m, m->rule->steps, *n, a, ev, out, e);
}

int rule_render_late(struct arena *a, const struct json *params, const struct template_ctx *ctx,
	struct kv **out, size_t *n, struct err *e)
{
	*n = 0;
	if (!params || params->kind != JSON_OBJECT)
		return err_set(e, ERR_INPUT, "parameters: want an object");
	*out = arena_array(a, params->count ? params->count : 1, sizeof(**out));
	if (!*out)
		return no_room(e);
	for (const struct json *c = params->child; c; c = c->next) {
		if (c->kind != JSON_STRING)
			return err_set(e, ERR_INPUT, "parameter '%.*s': want a template, got %s",
				STR_ARG(c->key), json_kind_name(c->kind));
		struct template *t = template_parse(a, c->text, e);
		struct kv *kv = &(*out)[(*n)++];
		kv->name = c->key;
		struct err inner;
		if (t && template_render(t, a, ctx, &kv->value, &inner) == 0)
			continue;
		if (!t)
			inner = *e;
		return err_set(e, inner.code, "parameter '%.*s': %s", STR_ARG(c->key), inner.text);
	}
	return 0;
}
