/* admin.c: for those who run it: metrics, health, readiness, reload.
 *
 * Counts of runs are kept in Redis, since many workers make them; /metrics mirrors them at each
 * scrape. While Redis is away those series are left out, rather than shown as they once were.
 */
#include "base/json.h"
#include "base/metrics.h"
#include "http/handlers.h"
#include "http/state.h"

#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* ---- /metrics ---- */

static const struct mirrored {
	const char *name; /* in store_stats */
	enum metric metric;
} mirrored[] = {
	{"runs", METRIC_RUNS},
	{"run_seconds", METRIC_RUN_SECONDS},
	{"event_to_start_seconds", METRIC_EVENT_TO_START_SECONDS},
	{"queue_depth", METRIC_QUEUE_DEPTH},
	{"oldest_queued_seconds", METRIC_OLDEST_QUEUED_SECONDS},
	{"runs_running", METRIC_RUNS_RUNNING},
	{"incidents_open", METRIC_INCIDENTS_OPEN},
	{"slo_objective_ratio", METRIC_SLO_OBJECTIVE},
	{"slo_error_budget_remaining_ratio", METRIC_SLO_BUDGET},
};

static void clear_mirrored(void)
{
	for (size_t i = 0; i < sizeof(mirrored) / sizeof(mirrored[0]); i++)
		metric_clear(mirrored[i].metric);
}

static void mirror(const struct store_stat *st)
{
	for (size_t i = 0; i < sizeof(mirrored) / sizeof(mirrored[0]); i++) {
		if (!str_is(st->name, mirrored[i].name))
			continue;
		if (st->buckets)
			metric_set_histogram(
				mirrored[i].metric, st->labels, st->buckets, st->count, st->value);
		else
			metric_set(mirrored[i].metric, st->value, st->labels);
	}
}

static void print_metrics(struct request *r)
{
	size_t n = 0;

	for (const struct conn *c = r->server->conns; c; c = c->next)
		n++;
	metric_set(METRIC_HTTP_CONNECTIONS, (double)n, NULL);
	metrics_print(&r->out);
	request_answer(r, MHD_HTTP_OK, TYPE_METRICS);
}

static void on_stats(void *ctx, const struct err *e, const struct store_stat *v, size_t n)
{
	clear_mirrored();
	for (size_t i = 0; !e && i < n; i++)
		mirror(&v[i]);
	print_metrics(ctx);
}

static void metrics(struct request *r)
{
	struct store *store = r->server->app.ic->store;
	struct err e = {0};

	if (store_up(store) && store_stats(store, on_stats, r, &e) == 0)
		return;
	clear_mirrored();
	print_metrics(r);
}

/* ---- health ---- */

static void healthy(struct request *r)
{
	buf_puts(&r->out, "ok\n");
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_TEXT);
}

static void ready(struct request *r)
{
	const struct server *s = r->server;

	if (s->stopping) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "this bridge is stopping");
	} else if (!store_up(s->app.ic->store)) {
		request_problemf(
			r, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", store_why(s->app.ic->store));
	} else {
		const char *warning = store_warning(s->app.ic->store);
		buf_puts(&r->out, "ready\n");
		if (warning[0])
			buf_printf(&r->out, "warning: %s\n", warning);
		request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_TEXT);
	}
}

/* ---- reload ---- */

static void answer_reloaded(struct request *r, const struct diags *d)
{
	struct json_w w;
	struct buf lines;

	buf_init(&lines, BUF_NO_LIMIT);
	diags_print(d, &lines);
	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_kbool(&w, "reloaded", true);
	json_w_kstr(&w, "ruleset_hash", str_of(r->server->app.ic->rules->hash));
	json_w_kstr(&w, "warnings", buf_as_str(&lines));
	json_w_end(&w, '}');
	buf_putc(&r->out, '\n');
	buf_release(&lines);
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

/* The lines may be longer than a struct err holds. */
static void answer_refused(struct request *r, const struct diags *d)
{
	struct json_w w;
	struct buf lines;

	buf_init(&lines, BUF_NO_LIMIT);
	diags_print(d, &lines);
	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_kstr(&w, "type", STR("about:blank"));
	json_w_kstr(&w, "title", STR("Configuration refused; the one before goes on"));
	json_w_ki64(&w, "status", MHD_HTTP_UNPROCESSABLE_CONTENT);
	json_w_kstr(&w, "detail", buf_as_str(&lines));
	json_w_end(&w, '}');
	buf_putc(&r->out, '\n');
	buf_release(&lines);
	request_answer(r, MHD_HTTP_UNPROCESSABLE_CONTENT, REQUEST_TYPE_PROBLEM);
}

static void answer_stopping(struct request *r)
{
	request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "cannot reload: this bridge is stopping");
}

static void on_reloaded(void *asked, bool taken, const struct diags *d)
{
	if (d)
		(taken ? answer_reloaded : answer_refused)(asked, d);
	else
		answer_stopping(asked);
}

static void reload(struct request *r)
{
	const struct server_app *app = &r->server->app;

	if (app->reload(app->ctx, r->who.n ? r->who.p : "http", on_reloaded, r) != 0)
		answer_stopping(r);
}

const struct route_handler handler_metrics = {.finish = metrics};
const struct route_handler handler_healthy = {.finish = healthy};
const struct route_handler handler_ready = {.finish = ready};
const struct route_handler handler_reload = {.finish = reload};
