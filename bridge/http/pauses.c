/* pauses.c: POST /api/v1/pause and /resume, GET /api/v1/pauses.
 *
 * What is to be paused has to be there, so that a name with a slip in it is refused; what is
 * resumed may be gone from the configuration since. How a pause holds is the store's to say.
 */
#include "base/units.h"
#include "http/handlers.h"
#include "http/json_request.h"
#include "http/state.h"
#include "rule/matcher_plain.h"

#define BODY_LIMIT ((size_t)64 << 10)
#define FOR_LEAST_MS 1000

/* The one member that says what it is about, or NULL with e. */
static const struct json *check_members(const struct json *body, bool pauses, struct err *e)
{
	const struct json *what = NULL;

	for (const struct json *m = body->kind == JSON_OBJECT ? body->child : NULL; m;
		m = m->next) {
		bool all = str_is(m->key, "all");

		if (all || str_is(m->key, "rule") || str_is(m->key, "runbook") ||
			str_is(m->key, "matchers")) {
			if (what) {
				json_request_wrong(m,
					"one of 'rule', 'runbook', 'matchers' and 'all' at a time",
					e);
				return NULL;
			}
			what = m;
			if (all ? m->kind != JSON_BOOL || !m->boolean : m->kind != JSON_STRING) {
				json_request_wrong(m,
					"'rule' and 'runbook' are names, 'matchers' a text, and "
					"'all' is "
					"true",
					e);
				return NULL;
			}
		} else if (!str_is(m->key, "reason") && !(pauses && str_is(m->key, "for"))) {
			json_request_unknown(m,
				pauses ? "rule, runbook, matchers, all, for, reason"
				       : "rule, runbook, matchers, all, reason",
				e);
			return NULL;
		} else if (m->kind != JSON_STRING) {
			json_request_wrong(m,
				pauses ? "'for' and 'reason' are strings" : "'reason' is a string",
				e);
			return NULL;
		}
	}
	if (!what)
		json_request_wrong(body,
			pauses ? "want an object {\"rule\": NAME, \"for\": \"1h\", \"reason\": …}, "
				 "or with 'runbook', 'matchers' or \"all\": true"
			       : "want an object {\"rule\": NAME}, or with 'runbook', 'matchers' "
				 "or \"all\": true",
			e);
	return what;
}

/* ---- acts ---- */

static int check_times(const struct json *body, struct store_pause *p, struct err *e)
{
	const struct json *time = json_get(body, "for"), *reason = json_get(body, "reason");

	if (!time)
		return json_request_wrong(
			body, "'for' is missing: how long, as \"1h\" or \"2d\"", e);
	if (!units_parse_duration(time->text, &p->for_ms) || p->for_ms < FOR_LEAST_MS ||
		p->for_ms > STORE_PAUSE_MAX_MS)
		return json_request_wrong(
			time, "'for' is a time from 1s to 366d, as \"1h\" or \"2d\"", e);
	if (!reason || reason->text.n == 0)
		return json_request_wrong(reason ? reason : body,
			"'reason' is missing: those who are woken will ask", e);
	return 0;
}

/* Is there what the member `what` names? */
static bool is_there(struct request *r, const struct json *what, struct err *e)
{
	const struct ruleset *rs = r->server->app.ic->rules;

	if (str_is(what->key, "rule"))
		return ruleset_find_rule(rs, what->text, &r->arena, e) != NULL;
	if (str_is(what->key, "runbook"))
		return ruleset_find_runbook(rs, what->text, &r->arena, e) != NULL;
	return true;
}

/* p->what, and of matchers what they say. */
static int name_what(
	struct request *r, const struct json *what, struct store_pause *p, struct err *e)
{
	struct matcher_plain plain;
	struct str name = what->text;

	if (str_is(what->key, "all")) {
		p->what = what->key;
		return 0;
	}
	if (str_is(what->key, "matchers")) {
		if (matcher_plain_parse(&r->arena, what->text, &plain, e) != 0) {
			e->offset = what->offset;
			return -1;
		}
		name = plain.text;
		p->tests = plain.tests;
	}
	p->what = arena_printf(&r->arena, "%.*s %.*s", STR_ARG(what->key), STR_ARG(name));
	return p->what.p ? 0 : err_set(e, ERR_NOMEM, "no memory for the request");
}

static int act(struct request *r, const struct json *body, bool pauses, struct err *e)
{
	const struct json *what = check_members(body, pauses, e),
			  *reason = json_get(body, "reason");
	struct store_pause p = {.who = r->who.n ? r->who : STR("api"), .reason = json_str(reason)};

	if (!what || (pauses && check_times(body, &p, e) != 0))
		return -1;
	if (p.reason.n > STORE_PAUSE_REASON_MAX) {
		err_set(e, ERR_INPUT, "'reason' is over %d bytes", STORE_PAUSE_REASON_MAX);
		e->offset = reason->offset;
		return -1;
	}
	if (pauses && !is_there(r, what, e))
		return -1;
	if (name_what(r, what, &p, e) != 0)
		return -1;
	return (pauses ? store_pause : store_resume)(
		r->server->app.ic->store, &p, request_answer_json, r, e);
}

static void finish(struct request *r, bool pauses)
{
	struct err e = {0};
	const struct json *body = json_request_finish(r, &e);

	if (!body)
		request_fault(r, &e);
	else if (act(r, body, pauses, &e) != 0)
		request_fail(r, &e);
}

static void finish_pause(struct request *r)
{
	finish(r, true);
}

static void finish_resume(struct request *r)
{
	finish(r, false);
}

/* ---- the list ---- */

static void on_list(void *ctx, const struct err *e, struct str json)
{
	struct request *r = ctx;

	if (e) {
		request_fail(r, e);
		return;
	}
	buf_puts(&r->out, "{\"items\":");
	buf_str(&r->out, json);
	buf_puts(&r->out, ",\"next\":null}\n");
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void list(struct request *r)
{
	static const char *const none[] = {NULL};
	struct err e = {0};

	if (request_params_known(r, none, &e) != 0 ||
		store_pauses(r->server->app.ic->store, on_list, r, &e) != 0)
		request_fail(r, &e);
}

const struct route_handler handler_pause = {
	json_request_begin, json_request_feed, finish_pause, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_resume = {
	json_request_begin, json_request_feed, finish_resume, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_pauses = {.finish = list};
