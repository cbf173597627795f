/* acts.c: POST /api/v1/incidents/ID/ack, close, note, merge and split: what people do with one.
 *
 * A body is looked at here: its members, and that a text which others will read is there. What an
 * act means, and in which state of the incident it can be, is the store's to say. The answer is the
 * incident as it is then; of a merge the one that it is merged into, of a split the new one.
 */
#include <string.h>
#include "base/id.h"
#include "http/handlers.h"
#include "http/json_request.h"
#include "http/state.h"

#define BODY_LIMIT ((size_t)256 << 10)

/* What the body of an act may have. */
struct form {
	const char *text;    /* the member that is its text */
	const char *missing; /* what to say where there is none; NULL: it may be left out */
	const char *known;   /* the names of all members */
	const char *want;    /* an example */
};

static const struct form forms[] = {
	[STORE_ACK] = {"text", NULL, "acked, text", "{\"text\": \"…\"} or {\"acked\": false}"},
	[STORE_CLOSE] = {"reason", "'reason' is missing: those who look for it will ask", "reason",
		"{\"reason\": \"…\"}"},
	[STORE_NOTE] = {"text", "'text' is missing: what to note", "text", "{\"text\": \"…\"}"},
	[STORE_MERGE] = {"reason", NULL, "into, reason", "{\"into\": ID}"},
	[STORE_SPLIT] = {"reason", NULL, "alerts, reason",
		"{\"alerts\": [\"SOURCE:FINGERPRINT\", …]}"},
};

/* ---- the body ---- */

static int check_text(const struct form *f, const struct json *body, struct str *out, struct err *e)
{
	const struct json *text = json_get(body, f->text);

	*out = json_str(text);
	if (f->missing && out->n == 0)
		return json_request_wrong(text ? text : body, f->missing, e);
	if (out->n > STORE_ACT_TEXT_MAX) {
		err_set(e, ERR_INPUT, "'%s' is over %d bytes", f->text, STORE_ACT_TEXT_MAX);
		e->offset = text->offset;
		return -1;
	}
	return 0;
}

static int take_into(const struct json *m, struct store_act *act, struct err *e)
{
	act->into = json_str(m);
	if (!id_valid(act->into))
		return json_request_wrong(m, "'into' is the id of an incident", e);
	return 0;
}

static int take_alerts(
	struct arena *a, const struct json *list, struct store_act *act, struct err *e)
{
	struct str *v = arena_array(a, STORE_SPLIT_MAX, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	if (list->kind != JSON_ARRAY || !list->child)
		return json_request_wrong(
			list, "'alerts' is a list of alerts, \"SOURCE:FINGERPRINT\" each", e);
	for (const struct json *m = list->child; m; m = m->next) {
		if (n == STORE_SPLIT_MAX) {
			err_set(e, ERR_INPUT, "more than %d alerts; split them off in parts",
				STORE_SPLIT_MAX);
			e->offset = m->offset;
			return -1;
		}
		if (m->kind != JSON_STRING || !memchr(m->text.p, ':', m->text.n))
			return json_request_wrong(m, "an alert is \"SOURCE:FINGERPRINT\"", e);
		v[n++] = m->text;
	}
	act->alerts = v;
	act->alerts_n = n;
	return 0;
}

static int take_member(struct arena *a, const struct form *f, const struct json *m,
	struct store_act *act, struct err *e)
{
	if (str_is(m->key, f->text))
		return m->kind == JSON_STRING
			       ? 0
			       : json_request_wrong(m, "a text has to be a string", e);
	if (act->what == STORE_ACK && str_is(m->key, "acked")) {
		if (m->kind != JSON_BOOL)
			return json_request_wrong(m, "'acked' is true or false", e);
		act->what = m->boolean ? STORE_ACK : STORE_UNACK;
		return 0;
	}
	if (act->what == STORE_MERGE && str_is(m->key, "into"))
		return take_into(m, act, e);
	if (act->what == STORE_SPLIT && str_is(m->key, "alerts"))
		return take_alerts(a, m, act, e);
	return json_request_unknown(m, f->known, e);
}

static int read_body(struct arena *a, const struct json *body, struct store_act *act, struct err *e)
{
	const struct form *f = &forms[act->what];

	if (body->kind != JSON_OBJECT)
		return err_set(e, ERR_INPUT, "want an object %s, got %s", f->want,
			json_kind_name(body->kind));
	for (const struct json *m = body->child; m; m = m->next)
		if (take_member(a, f, m, act, e) != 0)
			return -1;
	if (act->what == STORE_MERGE && act->into.n == 0)
		return json_request_wrong(
			body, "'into' is missing: the incident to merge it into", e);
	if (act->what == STORE_SPLIT && act->alerts_n == 0)
		return json_request_wrong(body, "'alerts' is missing: those to split off", e);
	return check_text(f, body, &act->text, e);
}

/* ---- the acts ---- */

static void finish(struct request *r, enum store_act_kind what)
{
	static const struct json empty = {.kind = JSON_OBJECT};
	struct store_act act = {
		.what = what, .incident = r->args.id, .who = r->who.n ? r->who : STR("api")};
	struct err e = {0};
	/* Nothing but the address says enough where nothing is asked for. */
	bool bare = r->body_bytes == 0 && !forms[what].missing;
	const struct json *body = bare ? &empty : json_request_finish(r, &e);

	if (!body) {
		request_fault(r, &e);
	} else if (!id_valid(act.incident)) {
		request_problemf(r, MHD_HTTP_NOT_FOUND, "there is no incident '%.*s'",
			(int)(act.incident.n < 80 ? act.incident.n : 80), act.incident.p);
	} else if (read_body(&r->arena, body, &act, &e) != 0 ||
		   store_incident_act(r->server->app.ic->store, &act, request_answer_json, r, &e) !=
			   0) {
		request_fail(r, &e);
	}
}

static void finish_ack(struct request *r)
{
	finish(r, STORE_ACK);
}

static void finish_close(struct request *r)
{
	finish(r, STORE_CLOSE);
}

static void finish_note(struct request *r)
{
	finish(r, STORE_NOTE);
}

static void finish_merge(struct request *r)
{
	finish(r, STORE_MERGE);
}

static void finish_split(struct request *r)
{
	finish(r, STORE_SPLIT);
}

const struct route_handler handler_ack = {
	json_request_begin, json_request_feed, finish_ack, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_close = {
	json_request_begin, json_request_feed, finish_close, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_note = {
	json_request_begin, json_request_feed, finish_note, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_merge = {
	json_request_begin, json_request_feed, finish_merge, json_request_drop, BODY_LIMIT, NULL};
const struct route_handler handler_split = {
	json_request_begin, json_request_feed, finish_split, json_request_drop, BODY_LIMIT, NULL};
