/* argocd.c: what Argo CD's notifications post, whose body is a template of the operator's: that of
 * contrib/argocd/notifications-cm.yaml, or another flat object with the same names.
 *
 * An application is one alert, whatever is wrong with it, and over when all is well: so it resolves
 * only where health and sync are both there and both good. Where it does not fire and is not well
 * (it is progressing, suspended, out of sync) the message is an info event, and the alert stays
 * what it was. starts_at is never set: Argo CD tells each change of what is wrong, and a time that
 * moves would make a new occurrence of it.
 */
#include "source/draft.h"
#include "source/fields.h"
#include "source/kinds.h"

static const char *const bad_health[] = {"Degraded", "Missing", "Unknown", NULL};
static const char *const bad_phase[] = {"Failed", "Error", NULL};

static void read_labels(struct draft *d)
{
	static const struct draft_label labels[] = {
		{"app", "app"},
		{"namespace", "namespace"},
		{"project", "project"},
		{"health", "health"},
		{"sync", "sync"},
		{"phase", "phase"},
		{"revision", "revision"},
		{"repo", "repo"},
		{"dest_namespace", "dest_namespace"},
		{"dest_server", "dest_server"},
		{"trigger", "trigger"},
		{"severity", "severity"},
	};

	draft_take_all(d, labels, sizeof(labels) / sizeof(labels[0]));
	draft_link(d, "application", draft_text(d, "url"));
}

static enum event_status status_of(const struct draft *d)
{
	struct str health = draft_label_of(d, "health"), sync = draft_label_of(d, "sync");

	if (draft_is_one(health, bad_health) ||
		draft_is_one(draft_label_of(d, "phase"), bad_phase) || str_is(sync, "Unknown"))
		return EVENT_FIRING;
	return str_is(health, "Healthy") && str_is(sync, "Synced") ? EVENT_RESOLVED : EVENT_INFO;
}

/* The template's own word; else what is broken is worse than what is not known. */
static enum event_severity severity_of(const struct draft *d, enum event_status status)
{
	struct str word = draft_label_of(d, "severity");

	if (word.n > 0)
		return event_severity_of(word);
	if (status != EVENT_FIRING)
		return SEVERITY_UNKNOWN;
	return str_is(draft_label_of(d, "health"), "Degraded") ||
			       draft_is_one(draft_label_of(d, "phase"), bad_phase)
		       ? SEVERITY_ERROR
		       : SEVERITY_WARNING;
}

/* "till: Degraded, OutOfSync, Failed: two objects were refused" */
static struct str summary_of(struct draft *d)
{
	static const char *const states[] = {"health", "sync", "phase"};
	struct str message = fields_cut(draft_text(d, "message"), SOURCE_SUMMARY_LIMIT);
	struct str s = draft_label_of(d, "app");
	const char *between = ": ";

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct str state = draft_label_of(d, states[i]);

		if (state.n == 0)
			continue;
		s = arena_printf(
			d->arena, "%.*s%s%.*s", STR_ARG(s), s.n ? between : "", STR_ARG(state));
		between = ", ";
	}
	if (message.n == 0)
		return s;
	return arena_printf(d->arena, "%.*s%s%.*s", STR_ARG(s), s.n ? ": " : "", STR_ARG(message));
}

int argocd_read(struct arena *a, const struct source_request *rq, const struct source_body *body,
	struct source_batch *out, struct err *e)
{
	static const char *const identity[] = {"app", "namespace", "project", NULL};
	struct draft d;

	if (draft_begin(&d, a, rq, body->json, out, e) < 0)
		return -1;
	d.event->type = STR("argocd");
	d.event->time_ns = draft_time(&d, "time");
	read_labels(&d);
	enum event_status status = status_of(&d);
	d.event->severity = severity_of(&d, status);
	if (status != EVENT_INFO)
		draft_alert(&d, "ArgoCDApplication", status, identity, 1, 0);
	if (d.event->status == EVENT_RESOLVED)
		d.event->ends_ns = d.event->time_ns;
	draft_summary(&d, "%.*s", STR_ARG(summary_of(&d)));
	return draft_end(&d, out);
}
