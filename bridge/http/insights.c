/* insights.c: GET /api/v1/insights: what was learned of alerts and rules over a period. */
#include "flow/insights.h"

#include "base/clock.h"
#include "http/handlers.h"
#include "http/state.h"

static void insights(struct request *r)
{
	static const char *const known[] = {"since", "until", "limit", NULL};
	int64_t now = clock_wall_ms();
	struct insights_ask ask = {.until_ms = now};
	struct err e = {0};

	if (request_params_known(r, known, &e) != 0 ||
		list_time(r, "since", &ask.since_ms, &e) != 0 ||
		list_time(r, "until", &ask.until_ms, &e) != 0 ||
		list_limit(r, &ask.rows, &e) != 0) {
		request_fail(r, &e);
		return;
	}
	if (ask.until_ms > now)
		ask.until_ms = now;
	if (ask.since_ms == 0)
		ask.since_ms = ask.until_ms - INSIGHTS_PERIOD_DEFAULT_MS;
	if (insights_read(r->server->app.ic, &ask, request_answer_json, r, &e) != 0)
		request_fail(r, &e);
}

const struct route_handler handler_insights = {.finish = insights};
