/* alertmanager.c: what the bridge holds, in the form in which an Alertmanager tells it (GET
 * /api/v2/…), for amtool, karma and dashboards.
 *
 * Alerts that fire, of all sources, without what an Alertmanager would do to them: there is one
 * receiver, RECEIVER, no silence and no inhibition, and all alerts are one group. What has no
 * deadline is said to end incidents.stale_after after it was last heard of, since that is when we
 * would take it as resolved.
 *
 * Bounded: at most ALERTS_MAX alerts an answer, read page by page; where there are more the answer
 * is 400 and says so, as a part would be taken for the whole. Refusals are JSON strings, as the
 * clients expect. Only reads.
 */
#include "config.h"
#include "base/clock.h"
#include "base/json.h"
#include "flow/query.h"
#include "http/handlers.h"
#include "http/state.h"
#include "rule/matcher.h"

#define RECEIVER "runbookd"
#define ALERTS_MAX 10000
#define MATCH_LIMIT 100000

/* A list under way. */
struct am_list {
	struct query query;
	bool grouped;
	struct arena page; /* of one page */
	struct json_w w;
	size_t n;
	int64_t stale_after_ms;
};

static void answer_fault(struct request *r, const struct err *e)
{
	buf_clear(&r->out);
	json_quote(&r->out, str_of(e->text));
	buf_putc(&r->out, '\n');
	request_answer(r, request_status_of(e), REQUEST_TYPE_JSON);
}

/* ---- an alert ---- */

static void write_member(struct json_w *w, const char *key, const struct json *j)
{
	json_w_key(w, str_of(key));
	if (j && j->kind == JSON_OBJECT)
		json_write(w, j);
	else
		json_w_raw(w, STR("{}"));
}

static bool time_of(const struct json *alert, const char *member, int64_t *ms)
{
	int64_t ns;

	if (!clock_parse_rfc3339(json_str(json_get(alert, member)), &ns) || ns == 0)
		return false;
	*ms = ns / 1000000;
	return true;
}

static void write_receiver(struct json_w *w)
{
	json_w_object(w);
	json_w_kstr(w, "name", STR(RECEIVER));
	json_w_end(w, '}');
}

static void write_times(struct am_list *l, const struct json *alert)
{
	int64_t first = 0, last = 0, ms;

	time_of(alert, "first_seen", &first);
	time_of(alert, "last_seen", &last);
	json_w_ktime_ms(&l->w, "startsAt", time_of(alert, "starts_at", &ms) ? ms : first);
	json_w_ktime_ms(
		&l->w, "endsAt", time_of(alert, "expires_at", &ms) ? ms : last + l->stale_after_ms);
	json_w_ktime_ms(&l->w, "updatedAt", last);
}

static void write_alert(struct am_list *l, const struct json *alert)
{
	struct json_w *w = &l->w;
	struct str generator = json_str(json_path(alert, STR("links.generator")));

	json_w_object(w);
	write_member(w, "annotations", json_get(alert, "annotations"));
	json_w_kstr(w, "fingerprint", json_str(json_get(alert, "fingerprint")));
	json_w_key(w, STR("receivers"));
	json_w_array(w);
	write_receiver(w);
	json_w_end(w, ']');
	write_times(l, alert);
	json_w_kraw(
		w, "status", STR("{\"inhibitedBy\":[],\"silencedBy\":[],\"state\":\"active\"}"));
	if (generator.n > 0)
		json_w_kstr(w, "generatorURL", generator);
	write_member(w, "labels", json_get(alert, "labels"));
	json_w_end(w, '}');
}

/* ---- the list ---- */

static void begin_list(struct am_list *l)
{
	json_w_array(&l->w);
}

/* The group stands around its alerts where there are any. */
static void begin_group(struct am_list *l)
{
	json_w_object(&l->w);
	json_w_kraw(&l->w, "labels", STR("{}"));
	json_w_key(&l->w, STR("receiver"));
	write_receiver(&l->w);
	json_w_key(&l->w, STR("alerts"));
	json_w_array(&l->w);
}

static void end_list(struct request *r, struct am_list *l)
{
	if (l->grouped && l->n > 0) {
		json_w_end(&l->w, ']');
		json_w_end(&l->w, '}');
	}
	json_w_end(&l->w, ']');
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static int take_page(struct am_list *l, struct str text, struct str *next, struct err *e)
{
	const struct json *page;

	arena_reset(&l->page);
	page = json_parse(&l->page, text, e);
	if (!page)
		return -1;
	for (const struct json *a = json_get(page, "items")->child; a; a = a->next) {
		if (l->grouped && l->n == 0)
			begin_group(l);
		if (++l->n > ALERTS_MAX)
			return err_set(e, ERR_INPUT,
				"there are more than %d alerts that fire; narrow them down with "
				"'filter'",
				ALERTS_MAX);
		write_alert(l, a);
	}
	*next = json_str(json_get(page, "next"));
	return 0;
}

static void on_page(void *ctx, const struct err *e, struct str text)
{
	struct request *r = ctx;
	struct am_list *l = r->data;
	struct err mine = {0};
	struct str next = STR_NONE;

	if (!e && take_page(l, text, &next, &mine) == 0) {
		if (next.n == 0) {
			end_list(r, l);
			return;
		}
		l->query.page.cursor = arena_strdup(&r->arena, next);
		if (!l->query.page.cursor.p)
			err_set(&mine, ERR_NOMEM, "no memory for the answer");
		else if (query_list(r->server->app.ic->store, &l->query, on_page, r, &mine) == 0)
			return;
	}
	answer_fault(r, e ? e : &mine);
}

/* ---- what is asked for ---- */

/* A parameter that is true or false; true by default. */
static int read_flag(struct request *r, const char *name, bool *out, struct err *e)
{
	struct str s = request_param(r, name);

	*out = !str_is(s, "false");
	if (s.n == 0 || str_is(s, "true") || str_is(s, "false"))
		return 0;
	return err_set(e, ERR_INPUT, "'%s' is '%.*s'; want true or false", name,
		(int)(s.n < 80 ? s.n : 80), s.p);
}

/* 1: the regex, anchored, is one of our receiver's name. */
static int receiver_fits(struct request *r, struct err *e)
{
	struct kv label = {STR("receiver"), STR(RECEIVER)};
	const struct event ev = {.labels = &label, .labels_n = 1};
	struct str regex = request_param(r, "receiver");
	struct matcher_scratch *scratch;
	struct matchers m = {0};
	struct buf text;
	int fits;

	if (regex.n == 0)
		return 1;
	buf_init(&text, BUF_NO_LIMIT);
	buf_puts(&text, "receiver =~ ");
	json_quote(&text, regex);
	fits = matchers_parse(&r->arena, buf_as_str(&text), &m, e);
	if (fits == 0) {
		scratch = matcher_scratch_new(MATCH_LIMIT);
		fits = scratch ? matchers_eval(&m, scratch, &r->arena, &ev, NULL, e)
			       : err_set(e, ERR_NOMEM, "no memory for the request");
		matcher_scratch_free(scratch);
		matchers_release(&m);
	}
	buf_release(&text);
	return fits;
}

/* filter=a="b"&filter=c="d": one matcher each, all must hold. */
static int read_filter(struct request *r, struct str *out, struct err *e)
{
	struct buf all;
	int rc = 0;

	buf_init(&all, (size_t)64 << 10);
	request_params_join(r, "filter", &all, ", ");
	*out = arena_strdup(&r->arena, buf_as_str(&all));
	if (buf_failed(&all) || (all.n > 0 && !out->p))
		rc = err_set(e, ERR_INPUT, "'filter' is too long");
	buf_release(&all);
	return rc;
}

/* 1: ask; 0: nothing that we have is wanted. */
static int wanted(struct request *r, const char *const *params, struct err *e)
{
	bool active, any;
	int fits;

	if (request_params_known(r, params, e) != 0 || read_flag(r, "active", &active, e) != 0 ||
		read_flag(r, "silenced", &any, e) != 0 || read_flag(r, "inhibited", &any, e) != 0 ||
		read_flag(r, "unprocessed", &any, e) != 0)
		return -1;
	fits = receiver_fits(r, e);
	return fits < 0 ? -1 : fits && active;
}

static void answer_alerts(struct request *r, bool grouped)
{
	static const char *const params[] = {
		"filter", "active", "silenced", "inhibited", "unprocessed", "receiver", NULL};
	struct am_list *l = arena_zalloc(&r->arena, sizeof(*l));
	struct err e = {0};
	int want = l ? wanted(r, params, &e) : err_set(&e, ERR_NOMEM, "no memory for the request");

	if (want >= 0) {
		arena_init(&l->page, (size_t)64 << 20);
		r->data = l;
		l->grouped = grouped;
		l->stale_after_ms = r->server->app.ic->conf->incidents.stale_after_ms;
		json_w_init(&l->w, &r->out);
		begin_list(l);
		l->query = (struct query){.what = STORE_ALERTS};
		l->query.page.limit = QUERY_LIMIT_MAX;
		l->query.page.status = STR("firing");
	}
	if (want == 0)
		end_list(r, l);
	else if (want < 0 || read_filter(r, &l->query.filter, &e) != 0 ||
		 query_list(r->server->app.ic->store, &l->query, on_page, r, &e) != 0)
		answer_fault(r, &e);
}

static void drop_list(struct request *r)
{
	struct am_list *l = r->data;

	if (l)
		arena_release(&l->page);
}

static void alerts(struct request *r)
{
	answer_alerts(r, false);
}

static void groups(struct request *r)
{
	answer_alerts(r, true);
}

/* ---- what is always the same ---- */

static void receivers(struct request *r)
{
	buf_puts(&r->out, "[{\"name\":\"" RECEIVER "\"}]\n");
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void silences(struct request *r)
{
	buf_puts(&r->out, "[]\n");
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

static void status(struct request *r)
{
	struct json_w w;

	json_w_init(&w, &r->out);
	json_w_object(&w);
	json_w_kraw(&w, "cluster", STR("{\"status\":\"disabled\",\"peers\":[]}"));
	json_w_kraw(&w, "config",
		STR("{\"original\":\"route: {receiver: " RECEIVER "}\\nreceivers: [{name: " RECEIVER
		    "}]\\n\"}"));
	json_w_ktime_ms(&w, "uptime", r->server->started_ms);
	json_w_kraw(&w, "versionInfo",
		STR("{\"version\":\"" PACKAGE_VERSION
		    "\",\"revision\":\"\",\"branch\":\"runbookd\","
		    "\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}"));
	json_w_end(&w, '}');
	buf_putc(&r->out, '\n');
	request_answer(r, MHD_HTTP_OK, REQUEST_TYPE_JSON);
}

const struct route_handler handler_am_alerts = {.finish = alerts, .drop = drop_list};
const struct route_handler handler_am_groups = {.finish = groups, .drop = drop_list};
const struct route_handler handler_am_receivers = {.finish = receivers};
const struct route_handler handler_am_silences = {.finish = silences};
const struct route_handler handler_am_status = {.finish = status};
