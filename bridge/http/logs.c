/* logs.c: a request that brings lines of logs, from its headers to its answer.
 *
 * Lines are looked at as they come, so a body may be of any length; what patterns want of it goes
 * to the store when its last byte was there and good, and the answer comes when Redis has confirmed
 * it. So 200 means durable, and a body that is refused leaves nothing behind. A body without end is
 * stored as it comes: what was confirmed stays.
 *
 * That a regex gave up on a line, or that lines were cut, is told to the operator, one line in ten
 * seconds at most.
 */
#include "http/logs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/intake.h"
#include "http/state.h"
#include "line/decoder.h"

struct logs {
	struct intake intake; /* first: intake.h */
	struct lines *lines;
	logs_answer answer;
	bool as_it_comes, storing, ended;
	struct err failed; /* of a store call under way while the body came */
};

static void answer_plain(struct request *r, const struct lines *l)
{
	lines_answer(l, &r->out);
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static const struct line_kind *kind_of(
	struct request *r, const struct logs_options *o, struct err *e)
{
	struct str type = request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE);

	return o && o->kind ? o->kind : line_kind_of(type.p ? type : STR(""), e);
}

static void open_lines(struct request *r, struct logs *l, const struct logs_options *o)
{
	struct err e = {0};
	struct lines_options options = {
		.ic = r->server->app.ic,
		.bound = l->intake.bound,
		.kind = kind_of(r, o, &e),
	};

	if (!options.kind) {
		l->intake.reason = "encoding";
		if (l->intake.fault)
			l->intake.fault(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, &e);
		else
			request_problem(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, &e);
		return;
	}
	if (o)
		options.line = o->line;
	l->lines = lines_new(&options, &e);
	if (!l->lines)
		intake_refuse(r, &e);
}

void logs_begin(struct request *r, const struct bound_source *bound, const struct logs_options *o)
{
	struct logs *l = arena_zalloc(&r->arena, sizeof(*l));

	if (!l) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	l->answer = o && o->answer ? o->answer : answer_plain;
	/* Whether a body is signed as it should be is known at its end. */
	l->as_it_comes = o && o->as_it_comes && !r->signature;
	l->intake.fault = o ? o->fault : NULL;
	if (intake_open(r, &l->intake, bound))
		open_lines(r, l, o);
}

static void tell_operator(struct request *r, const struct logs *l)
{
	struct server *s = r->server;
	struct lines_counts c = lines_counts(l->lines);
	int64_t now = (int64_t)uv_now(s->loop);

	if ((c.failed == 0 && c.cut == 0) ||
		(s->lines_told_ms && now - s->lines_told_ms < INTAKE_COMPLAIN_MS))
		return;
	log_kv(LOG_WARN, c.failed ? "a log pattern gave up on lines" : "lines of a log were cut",
		"source", l->intake.source.p, "lines",
		log_i64((long long)(c.failed ? c.failed : c.cut)), "error",
		c.failed ? lines_failure(l->lines) : "longer than logs.line_limit", (char *)NULL);
	s->lines_told_ms = now;
}

/* ---- as it comes ---- */

static void ask_turn(struct request *r, struct logs *l);

static int store_part(struct request *r, struct logs *l, struct err *e);

/* What came meanwhile waits for no further piece: there may be none. */
static void on_part(void *ctx, const struct err *e)
{
	struct request *r = ctx;
	struct logs *l = r->data;
	struct err mine = {0};

	l->storing = false;
	if (e)
		l->failed = *e;
	if (r->answered)
		return;
	if (l->ended)
		ask_turn(r, l);
	else if (store_part(r, l, &mine) != 0)
		request_hang_up(r);
}

static int store_part(struct request *r, struct logs *l, struct err *e)
{
	if (l->failed.code) {
		intake_refuse(r, &l->failed);
		return -1;
	}
	if (l->storing || lines_wanted(l->lines) == 0)
		return 0;
	l->storing = true;
	if (lines_store(l->lines, on_part, r, e) == 0)
		return 0;
	l->storing = false;
	intake_refuse(r, e);
	return -1;
}

/* Who sends without end hears of a reload at the first piece before which nothing waits. */
static int renew(struct request *r, struct logs *l, struct err *e)
{
	const struct ingest_ctx *ic = r->server->app.ic;
	const struct bound_source *bound;

	if (!l->as_it_comes || l->intake.sources == ic->sources || l->storing ||
		lines_wanted(l->lines) > 0)
		return 0;
	bound = sources_find(ic->sources, l->intake.source);
	if (!bound || !bound->kind->lines)
		return err_set(e, ERR_NOT_FOUND, "there is no source '%.*s' of kind logs any more",
			STR_ARG(l->intake.source));
	lines_renew(l->lines, ic, bound);
	sources_unref(l->intake.sources);
	l->intake.sources = sources_ref(ic->sources);
	l->intake.bound = bound;
	return 0;
}

int logs_feed(struct request *r, struct str piece, struct err *e)
{
	struct logs *l = r->data;
	int rc = renew(r, l, e) != 0 ? -1 : lines_feed(l->lines, piece, e);

	r->aside = lines_held(l->lines);
	if (rc == 0)
		return l->as_it_comes ? store_part(r, l, e) : 0;
	intake_refuse(r, e);
	return -1;
}

/* ---- the end ---- */

static void answer(struct request *r, struct logs *l)
{
	metric_observe(
		METRIC_INGEST_SECONDS, (double)(clock_mono_us() - l->intake.whole_us) / 1e6, NULL);
	tell_operator(r, l);
	l->answer(r, l->lines);
}

static void on_stored(void *ctx, const struct err *e)
{
	struct request *r = ctx;
	struct logs *l = r->data;

	turns_done(r->server->turns, &l->intake.turn);
	if (e)
		intake_refuse(r, e);
	else
		answer(r, l);
}

static void on_turn(struct turn *turn, bool refused)
{
	struct request *r = turn->ctx;
	struct logs *l = r->data;
	struct err e = {0};

	if (refused) {
		intake_refuse_busy(r);
	} else if (lines_store(l->lines, on_stored, r, &e) != 0) {
		turns_done(r->server->turns, turn);
		intake_refuse(r, &e);
	}
}

static void ask_turn(struct request *r, struct logs *l)
{
	if (l->failed.code) {
		intake_refuse(r, &l->failed);
		return;
	}
	if (lines_wanted(l->lines) == 0) {
		answer(r, l);
		return;
	}
	l->intake.turn = (struct turn){.go = on_turn, .ctx = r, .events = lines_wanted(l->lines)};
	if (!turns_ask(r->server->turns, l->intake.place, &l->intake.turn))
		intake_refuse_busy(r);
}

void logs_finish(struct request *r)
{
	struct logs *l = r->data;
	struct err e = {0};

	l->intake.whole_us = clock_mono_us();
	if (r->signature && !intake_rate(r, &l->intake))
		return;
	if (lines_end(l->lines, &e) != 0) {
		intake_refuse(r, &e);
		return;
	}
	l->ended = true;
	if (!l->storing)
		ask_turn(r, l);
}

void logs_drop(struct request *r)
{
	struct logs *l = r->data;

	if (l)
		lines_free(l->lines);
	intake_close(r, l ? &l->intake : NULL);
}
