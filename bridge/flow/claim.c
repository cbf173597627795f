/* claim.c: from the texts of a claim to what a runbook is given.
 *
 * Owns the last step of a run's parameters: what was not known when its rule decided (the incident,
 * earlier steps) is filled in, and the whole is checked against a front matter. It takes nothing on
 * trust from Redis but data.
 */
#include "flow/claim.h"

#include "rule/ruleset.h"

int claim_part(
	struct arena *a, struct str text, const char *what, const struct json **out, struct err *e)
{
	struct err inner;

	*out = NULL;
	if (text.n == 0)
		return 0;
	const struct json *j = json_parse(a, text, &inner);
	if (!j)
		return err_set(e, inner.code, "the run's %s cannot be read: %s", what, inner.text);
	*out = j->kind == JSON_NULL ? NULL : j;
	return 0;
}

static int read_inputs(
	struct claim_inputs *in, struct arena *a, const struct store_claimed *c, struct err *e)
{
	if (claim_part(a, c->event_json, "event", &in->event_json, e) < 0 ||
		claim_part(a, c->incident_json, "incident", &in->incident, e) < 0 ||
		claim_part(a, c->steps_json, "earlier steps", &in->steps, e) < 0)
		return -1;
	return in->event_json ? event_read_json(a, in->event_json, &in->event, e) : 0;
}

/* Texts as an object for the check. */
static const struct json *as_object(struct arena *a, const struct kv *v, size_t n)
{
	struct json *nodes = arena_array(a, n + 1, sizeof(*nodes));

	if (!nodes)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		nodes[i + 1] =
			(struct json){.kind = JSON_STRING, .key = v[i].name, .text = v[i].value};
		nodes[i + 1].next = i + 1 < n ? &nodes[i + 2] : NULL;
	}
	nodes[0] = (struct json){.kind = JSON_OBJECT, .child = n ? &nodes[1] : NULL, .count = n};
	return nodes;
}

/* What was known only now is filled in. */
static int render(
	const struct claim_inputs *in, struct arena *a, const struct json **given, struct err *e)
{
	struct template_ctx ctx = {
		.event = in->event_json ? &in->event : NULL,
		.incident = in->incident,
		.steps = in->steps,
	};
	struct kv *v;
	size_t n;

	if (rule_render_late(a, *given, &ctx, &v, &n, e) < 0)
		return -1;
	*given = as_object(a, v, n);
	return *given ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

int claim_read(struct claim_inputs *in, struct arena *a, const struct store_claimed *c,
	const struct runbook *own, struct err *e)
{
	const struct json *given;

	*in = (struct claim_inputs){.event_json = NULL};
	if (read_inputs(in, a, c, e) < 0 ||
		claim_part(a, c->params_json, "parameters", &given, e) < 0)
		return -1;
	if (c->late && render(in, a, &given, e) < 0)
		return -1;
	return runbook_check_params(own, a, given, &in->params, &in->params_n, e);
}
