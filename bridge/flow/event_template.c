/* event_template.c: the two differences from a rule's templates: less is known, and less is a fault.
 *
 * Owns nothing. A name that is misspelt is found when the file is read, and not by a value that never
 * comes; but a value that one message lacks is no reason to refuse it, as it is in a rule's `with`,
 * where an empty argument could do harm.
 */
#include "flow/event_template.h"

static bool sees_more_than_the_event(const struct template *t)
{
	struct template_ref ref;

	for (size_t i = 0; template_ref(t, i, &ref); i++) {
		if (ref.root == TEMPLATE_MATCH)
			return true;
	}
	return template_is_late(t);
}

const struct template *event_template_parse(struct arena *a, struct str text, struct err *e)
{
	const struct template *t = template_parse(a, text, e);

	if (!t || !sees_more_than_the_event(t))
		return t;
	err_set(e, ERR_INPUT,
		"only the event is known here: labels.x, annotations.x, data.x, event.x but for event.id "
		"and event.received");
	return NULL;
}

int event_template_render(const struct template *t, struct arena *a, const struct event *ev,
	struct str *out, struct err *e)
{
	struct template_ctx ctx = {.event = ev};

	if (template_render(t, a, &ctx, out, e) == 0)
		return 0;
	if (e->code != ERR_INPUT)
		return -1;
	*e = (struct err){0};
	*out = STR_NONE;
	return 0;
}
