/* lists.c: what happened, for those who ask: lists page by page, and one thing by its id.
 *
 * A list says no to a parameter that it does not know: a filter that was mistyped and ignored would
 * be an answer to another question. Rows are JSON of the store and go out as they are.
 */
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/units.h"
#include "flow/query.h"
#include "http/handlers.h"
#include "http/state.h"

static const char *const incident_statuses[] = {"open", "resolved", "closed", NULL};
static const char *const alert_statuses[] = {"firing", "resolved", NULL};
static const char *const event_statuses[] = {"firing", "resolved", "info", NULL};
static const char *const run_states[] = {"queued", "approval", "running", "succeeded", "failed",
	"timed_out", "cancelled", "rejected", "lost", NULL};
static const char *const list_params[] = {
	"status", "filter", "since", "until", "limit", "cursor", NULL};
static const char *const run_params[] = {
	"status", "state", "filter", "since", "until", "limit", "cursor", NULL};
static const char *const audit_params[] = {"filter", "since", "until", "limit", "cursor", NULL};
static const char *const timeline_params[] = {"filter", "limit", "cursor", NULL};
static const char *const related_params[] = {
	"label", "status", "filter", "since", "until", "limit", "cursor", NULL};
static const char *const no_params[] = {NULL};

/* "2026-11-22T19:00:00Z", or how long ago: "2h". */
int list_time(struct request *r, const char *name, int64_t *ms, struct err *e)
{
	struct str s = request_param(r, name);
	int64_t ns, ago;

	if (s.n == 0)
		return 0;
	if (clock_parse_rfc3339(s, &ns)) {
		*ms = ns / 1000000;
		return 0;
	}
	if (units_parse_duration(s, &ago)) {
		*ms = clock_wall_ms() - ago;
		return 0;
	}
	return err_set(e, ERR_INPUT,
		"'%s' is '%.*s'; want a time (2026-11-22T19:00:00Z) or how long ago (2h)", name,
		(int)(s.n < 80 ? s.n : 80), s.p);
}

int list_limit(struct request *r, int64_t *limit, struct err *e)
{
	struct str s = request_param(r, "limit");
	int64_t v = 0;

	*limit = QUERY_LIMIT_DEFAULT;
	if (s.n == 0)
		return 0;
	for (size_t i = 0; i < s.n && v <= QUERY_LIMIT_MAX; i++)
		v = s.p[i] >= '0' && s.p[i] <= '9' ? v * 10 + (s.p[i] - '0') : QUERY_LIMIT_MAX + 1;
	if (v < 1 || v > QUERY_LIMIT_MAX)
		return err_set(e, ERR_INPUT, "'limit' is '%.*s'; want a number from 1 to %d",
			(int)(s.n < 80 ? s.n : 80), s.p, QUERY_LIMIT_MAX);
	*limit = v;
	return 0;
}

static int read_status(struct request *r, const char *name, const char *const *known,
	struct str *status, struct err *e)
{
	struct str s = request_param(r, name);
	struct buf list;

	if (s.n == 0)
		return 0;
	buf_init(&list, 256);
	for (size_t i = 0; known[i]; i++) {
		if (str_is(s, known[i])) {
			*status = s;
			buf_release(&list);
			return 0;
		}
		buf_puts(&list, i ? ", " : "");
		buf_puts(&list, known[i]);
	}
	err_set(e, ERR_INPUT, "'%s' is '%.*s'; want one of: %s", name, (int)(s.n < 80 ? s.n : 80),
		s.p, list.p ? list.p : "");
	buf_release(&list);
	return -1;
}

/* What all lists are asked for. */
static int read_query(struct request *r, const char *const *params, const char *const *statuses,
	struct query *q, struct err *e)
{
	q->filter = request_param(r, "filter");
	q->page.id = r->args.id;
	q->page.cursor = request_param(r, "cursor");
	if (request_params_known(r, params, e) != 0 || list_limit(r, &q->page.limit, e) != 0 ||
		list_time(r, "since", &q->page.since_ms, e) != 0 ||
		list_time(r, "until", &q->page.until_ms, e) != 0)
		return -1;
	return statuses ? read_status(r, "status", statuses, &q->page.status, e) : 0;
}

static void answer_list(struct request *r, enum store_list what, const char *const *params,
	const char *const *statuses)
{
	struct query q = {.what = what};
	struct err e = {0};

	if (read_query(r, params, statuses, &q, &e) != 0 ||
		(what == STORE_RUNS &&
			read_status(r, "state", statuses, &q.page.status, &e) != 0) ||
		query_list(r->server->app.ic->store, &q, request_answer_json, r, &e) != 0)
		request_fail(r, &e);
}

/* label=instance=db-17, once or more. */
static int read_labels(struct request *r, struct kv *v, size_t *n, struct err *e)
{
	struct str given[QUERY_LABELS_MAX];

	*n = request_params_list(r, "label", given, QUERY_LABELS_MAX);
	if (*n == 0 || *n > QUERY_LABELS_MAX)
		return err_set(e, ERR_INPUT,
			"there are %zu of 'label'; want 1 to %d, as label=instance=db-17", *n,
			QUERY_LABELS_MAX);
	for (size_t i = 0; i < *n; i++) {
		struct str s = given[i];
		const char *equals = s.n ? memchr(s.p, '=', s.n) : NULL;
		size_t name = equals ? (size_t)(equals - s.p) : 0;

		v[i].name = (struct str){s.p, name};
		v[i].value = equals ? (struct str){equals + 1, s.n - name - 1} : STR_NONE;
		if (!store_label_indexed(v[i].name, v[i].value))
			return err_set(e, ERR_INPUT,
				"'label' is '%.*s'; want name=value, neither of them empty, of at "
				"most %d bytes",
				(int)(s.n < 80 ? s.n : 80), s.p ? s.p : "", STORE_LABEL_MAX);
	}
	return 0;
}

static void related(struct request *r)
{
	struct kv labels[QUERY_LABELS_MAX];
	struct query q = {.what = STORE_INCIDENTS, .page = {.labels = labels, .any_label = true}};
	struct err e = {0};

	if (read_query(r, related_params, incident_statuses, &q, &e) != 0 ||
		read_labels(r, labels, &q.page.labels_n, &e) != 0 ||
		query_list(r->server->app.ic->store, &q, request_answer_json, r, &e) != 0)
		request_fail(r, &e);
}

static void incidents(struct request *r)
{
	answer_list(r, STORE_INCIDENTS, list_params, incident_statuses);
}

static void alerts(struct request *r)
{
	answer_list(r, STORE_ALERTS, list_params, alert_statuses);
}

static void events(struct request *r)
{
	answer_list(r, STORE_EVENTS, list_params, event_statuses);
}

static void runs(struct request *r)
{
	answer_list(r, STORE_RUNS, run_params, run_states);
}

static void audit(struct request *r)
{
	answer_list(r, STORE_AUDIT, audit_params, NULL);
}

static void no_such(struct request *r, const char *what)
{
	request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no %s '%.*s'", what,
		(int)(r->args.id.n < 80 ? r->args.id.n : 80), r->args.id.p);
}

static void part_of_incident(struct request *r, enum store_list what)
{
	if (id_valid(r->args.id))
		answer_list(r, what, timeline_params, NULL);
	else
		no_such(r, "incident");
}

static void timeline(struct request *r)
{
	part_of_incident(r, STORE_TIMELINE);
}

static void incident_alerts(struct request *r)
{
	part_of_incident(r, STORE_INCIDENT_ALERTS);
}

static void incident_runs(struct request *r)
{
	part_of_incident(r, STORE_INCIDENT_RUNS);
}

/* ---- one thing ---- */

static void answer_thing(struct request *r, enum store_kind kind, const char *what)
{
	struct err e = {0};

	if (!id_valid(r->args.id))
		no_such(r, what);
	else if (request_params_known(r, no_params, &e) != 0 ||
		 store_get(r->server->app.ic->store, kind, r->args.id, request_answer_json, r,
			&e) != 0)
		request_fail(r, &e);
}

static void incident(struct request *r)
{
	answer_thing(r, STORE_INCIDENT, "incident");
}

static void event(struct request *r)
{
	answer_thing(r, STORE_EVENT, "event");
}

static void run(struct request *r)
{
	answer_thing(r, STORE_RUN, "run");
}

const struct route_handler handler_incidents = {.finish = incidents};
const struct route_handler handler_related = {.finish = related};
const struct route_handler handler_alerts = {.finish = alerts};
const struct route_handler handler_events = {.finish = events};
const struct route_handler handler_runs = {.finish = runs};
const struct route_handler handler_audit = {.finish = audit};
const struct route_handler handler_timeline = {.finish = timeline};
const struct route_handler handler_incident_alerts = {.finish = incident_alerts};
const struct route_handler handler_incident_runs = {.finish = incident_runs};
const struct route_handler handler_incident = {.finish = incident};
const struct route_handler handler_event = {.finish = event};
const struct route_handler handler_run = {.finish = run};
