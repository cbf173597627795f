/* template.h: `{{ path | filter }}` in `with` and `pool`.
 *
 * Paths: labels.x annotations.x data.a.b event.x match.x incident.x steps.NAME.x; a part with a dot, blank or
 * other odd character is put in double quotes (labels."kubernetes.io/name"), and a text in double quotes in
 * place of a path is itself ({{ "{{" }}). Filters: default "x", lower, host (drops a port, keeps [v6]), json.
 * A path that is missing or empty without `default` is an error, never an empty text. Parsed at load; rendering
 * allocates in the arena only. Pure.
 */
#ifndef RB_RULE_TEMPLATE_H
#define RB_RULE_TEMPLATE_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

#define TEMPLATE_OUTPUT_LIMIT (1 << 20)	/* bytes of one rendered text */
#define TEMPLATE_PARTS_LIMIT 1000	/* texts and expressions of one template */
#define TEMPLATE_PATH_LIMIT 32		/* parts of one path */
#define TEMPLATE_FILTERS_LIMIT 8	/* of one expression */

struct template;

/* e->offset: byte of text. In a. Text without {{ is a template, too. */
struct template *template_parse(struct arena *a, struct str text, struct err *e);
/* Needs what is known only when a worker claims the run: incident.x, steps.x, event.id or event.received. */
bool template_is_late(const struct template *t);
/* Needs nothing: renders to the same text with any context. */
bool template_is_constant(const struct template *t);
struct str template_text(const struct template *t);

/* What its expressions ask for, so that a rule can be checked when it is loaded. */
enum template_root {
	TEMPLATE_CONSTANT,
	TEMPLATE_LABELS,
	TEMPLATE_ANNOTATIONS,
	TEMPLATE_DATA,
	TEMPLATE_EVENT,
	TEMPLATE_MATCH,
	TEMPLATE_INCIDENT,
	TEMPLATE_STEPS,
};
struct template_ref {
	enum template_root root;
	struct str name;	/* the first part after the root */
	size_t offset;		/* of the expression in the text */
};
/* The i-th expression, from 0; false past the last. */
bool template_ref(const struct template *t, size_t i, struct template_ref *out);

struct template_ctx {
	const struct event *event;	/* NULL: its paths are missing */
	const struct kv *match;		/* named groups */
	size_t match_n;
	const struct json *incident;	/* NULL at decision time */
	const struct json *steps;	/* object by step name; NULL at decision time */
};

/* What the filter `host` makes of it: a part of s. */
struct str template_host(struct str s);

/* ERR_INPUT "labels.mountpoint is missing; give it a default", ERR_LIMIT. */
int template_render(const struct template *t, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e);
/* The same for a late template: what is known now is filled in, as text in quotes that no later rendering looks
 * into, and what is late stays. *out is a template again. */
int template_render_early(const struct template *t, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e);

#endif
