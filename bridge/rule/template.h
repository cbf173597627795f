/* template.h: `{{ path | filter }}` in `with` and `pool`.
 *
 * Paths: labels.x annotations.x data.a.b event.x match.x incident.x steps.NAME.x. Filters: default "x",
 * lower, host (drops a port, keeps [v6]), json. A missing path without `default` is an error, never an
 * empty text. Parsed at load; rendering allocates in the arena only. Pure.
 */
#ifndef RB_RULE_TEMPLATE_H
#define RB_RULE_TEMPLATE_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

#define TEMPLATE_OUTPUT_LIMIT (1 << 20)	/* bytes of one rendered text */

struct template;

/* e->offset: byte of text. In a. Text without {{ is a template, too. */
struct template *template_parse(struct arena *a, struct str text, struct err *e);
/* Needs what is known only when a worker claims the run: incident.x or steps.x. */
bool template_is_late(const struct template *t);
struct str template_text(const struct template *t);

struct template_ctx {
	const struct event *event;
	const struct kv *match;		/* named groups */
	size_t match_n;
	const struct json *incident;	/* NULL at decision time */
	const struct json *steps;	/* object by step name; NULL at decision time */
};

/* ERR_INPUT "labels.mountpoint is missing; give it a default", ERR_LIMIT. */
int template_render(const struct template *t, struct arena *a, const struct template_ctx *ctx,
	struct str *out, struct err *e);

#endif
