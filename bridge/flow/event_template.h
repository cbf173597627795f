/* flow/event_template.h: templates over an event that was just read, for what the configuration says about a source.
 * What only a rule or a claim knows (match, incident, steps, the event's id) is refused when they are parsed. Pure.
 */
#ifndef RB_FLOW_EVENT_TEMPLATE_H
#define RB_FLOW_EVENT_TEMPLATE_H

#include "rule/template.h"

/* In a. NULL with ERR_INPUT. */
const struct template *event_template_parse(struct arena *a, struct str text, struct err *e);
/* *out "" where the event lacks what is asked for: senders leave things out. -1: ERR_LIMIT. */
int event_template_render(const struct template *t, struct arena *a, const struct event *ev, struct str *out,
	struct err *e);

#endif
