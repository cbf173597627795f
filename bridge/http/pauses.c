/* pauses.c: POST /api/v1/pause and /resume, GET /api/v1/pauses.
 *
 * What is to be paused has to be there, so that a name with a slip in it is refused; what is
 * resumed may be gone from the configuration since. How a pause holds is the store's to say.
 */
#include "base/json.h"
#include "base/nearest.h"
#include "base/units.h"
#include "http/handlers.h"
#include "http/state.h"

#define BODY_LIMIT ((size_t)64 << 10)
#define FOR_LEAST_MS 1000

struct act {
	struct json_reader *reader; /* NULL: ended */
	bool pauses;
};

/* ---- the body ---- */

static void begin(struct request *r)
{
	struct act *q = arena_zalloc(&r->arena, sizeof(*q));

	if (q)
		q->reader = json_reader_new(&r->arena, NULL);
	r->data = q;
	if (!q || !q->reader)
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
}

static int feed(struct request *r, struct str piece, struct err *e)
{
	struct act *q = r->data;

	return json_reader_feed(q->reader, piece.p, piece.n, e);
}

static void drop(struct request *r)
{
	struct act *q = r->data;

	if (q && q->reader)
		json_reader_free(q->reader);
}

static int wrong(struct err *e, const struct json *at, const char *text)
{
	err_set(e, ERR_INPUT, "%s", text);
	e->offset = at->offset;
	return -1;
}

/* The one member that says what it is about, or NULL with e. */
static const struct json *check_members(const struct json *body, bool pauses, struct err *e)
{
	const struct json *what = NULL;

	for (const struct json *m = body->kind == JSON_OBJECT ? body->child : NULL; m;
		m = m->next) {
		bool all = str_is(m->key, "all");

		if (all || str_is(m->key, "rule") || str_is(m->key, "runbook")) {
			if (what) {
				wrong(e, m, "one of 'rule', 'runbook' and 'all' at a time");
				return NULL;
			}
			what = m;
			if (all ? m->kind != JSON_BOOL || !m->boolean : m->kind != JSON_STRING) {
				wrong(e, m, "'rule' and 'runbook' are names, and 'all' is true");
				return NULL;
			}
		} else if (!str_is(m->key, "reason") && !(pauses && str_is(m->key, "for"))) {
			err_set(e, ERR_INPUT,
				"unknown member '%.*s'; known are: rule, runbook, all, %sreason",
				(int)(m->key.n < 80 ? m->key.n : 80), m->key.p,
				pauses ? "for, " : "");
			e->offset = m->offset;
			return NULL;
		} else if (m->kind != JSON_STRING) {
			wrong(e, m,
				pauses ? "'for' and 'reason' are strings" : "'reason' is a string");
			return NULL;
		}
	}
	if (!what)
		wrong(e, body,
			pauses ? "want an object {\"rule\": NAME, \"for\": \"1h\", \"reason\": …}, "
				 "or with 'runbook' or \"all\": true"
			       : "want an object {\"rule\": NAME}, or with 'runbook' or \"all\": "
				 "true");
	return what;
}

static int not_there(struct err *e, const char *kind, struct str name, const char *near)
{
	return err_set(e, ERR_NOT_FOUND, "there is no %s '%.*s'%s%s%s", kind,
		(int)(name.n < 100 ? name.n : 100), name.p, near ? "; did you mean '" : "",
		near ? near : "", near ? "'" : "");
}

static int find_rule(struct request *r, struct str name, struct err *e)
{
	const struct ruleset *rs = r->server->app.ic->rules;
	const char **names = arena_array(&r->arena, rs->rules_n + 1, sizeof(*names));

	for (size_t i = 0; i < rs->rules_n; i++) {
		if (str_eq(rs->rules[i].name, name))
			return 0;
		if (names)
			names[i] = arena_strdup(&r->arena, rs->rules[i].name).p;
	}
	return not_there(e, "rule", name,
		names && !arena_failed(&r->arena) ? nearest(name, names, rs->rules_n) : NULL);
}

static int find_runbook(struct request *r, struct str name, struct err *e)
{
	const struct ruleset *rs = r->server->app.ic->rules;
	const char **names = arena_array(&r->arena, rs->runbooks.n + 1, sizeof(*names));

	if (ruleset_runbook(rs, name))
		return 0;
	for (size_t i = 0; names && i < rs->runbooks.n; i++)
		names[i] = rs->runbooks.v[i]->name.p;
	return not_there(e, "runbook", name, names ? nearest(name, names, rs->runbooks.n) : NULL);
}

/* ---- acts ---- */

static void on_done(void *ctx, const struct err *e, struct str json)
{
	struct request *r = ctx;

	if (e) {
		request_fail(r, e);
		return;
	}
	buf_str(&r->out, json);
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static int check_times(const struct json *body, struct store_pause *p, struct err *e)
{
	const struct json *time = json_get(body, "for"), *reason = json_get(body, "reason");

	if (!time)
		return wrong(e, body, "'for' is missing: how long, as \"1h\" or \"2d\"");
	if (!units_parse_duration(time->text, &p->for_ms) || p->for_ms < FOR_LEAST_MS ||
		p->for_ms > STORE_PAUSE_MAX_MS)
		return wrong(e, time, "'for' is a time from 1s to 366d, as \"1h\" or \"2d\"");
	if (!reason || reason->text.n == 0)
		return wrong(e, reason ? reason : body,
			"'reason' is missing: those who are woken will ask");
	return 0;
}

static int act(struct request *r, const struct json *body, struct err *e)
{
	const struct act *q = r->data;
	const struct json *what = check_members(body, q->pauses, e),
			  *reason = json_get(body, "reason");
	struct store_pause p = {.who = r->who.n ? r->who : STR("api"), .reason = json_str(reason)};
	bool all;

	if (!what || (q->pauses && check_times(body, &p, e) != 0))
		return -1;
	if (p.reason.n > STORE_PAUSE_REASON_MAX) {
		err_set(e, ERR_INPUT, "'reason' is over %d bytes", STORE_PAUSE_REASON_MAX);
		e->offset = reason->offset;
		return -1;
	}
	all = str_is(what->key, "all");
	if (q->pauses && !all &&
		(str_is(what->key, "rule") ? find_rule : find_runbook)(r, what->text, e) != 0)
		return -1;
	p.what =
		all ? STR("all")
		    : arena_printf(&r->arena, "%.*s %.*s", STR_ARG(what->key), STR_ARG(what->text));
	if (!p.what.p)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	return (q->pauses ? store_pause : store_resume)(
		r->server->app.ic->store, &p, on_done, r, e);
}

static void finish(struct request *r, bool pauses)
{
	struct act *q = r->data;
	struct err e = {0};
	struct json *body = json_reader_finish(q->reader, &e);

	json_reader_free(q->reader);
	q->reader = NULL;
	q->pauses = pauses;
	if (!body)
		request_fault(r, &e);
	else if (act(r, body, &e) != 0)
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

const struct route_handler handler_pause = {begin, feed, finish_pause, drop, BODY_LIMIT, NULL};
const struct route_handler handler_resume = {begin, feed, finish_resume, drop, BODY_LIMIT, NULL};
const struct route_handler handler_pauses = {.finish = list};
