/* runs.c: POST /api/v1/runs, and the files that a run left.
 *
 * A run by hand is checked against the runbook's front matter before it is stored, as a rule's
 * would be, and the worker checks it again. The answer is the run as the API shows it.
 *
 * A file is opened by its folder and its own name, which has no slash, does not begin with a dot,
 * and is no link; what is sent is bytes, whatever is in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "flow/decide.h"
#include "http/handlers.h"
#include "http/json_request.h"
#include "http/state.h"

#define BODY_LIMIT ((size_t)1 << 20)
#define KEY_LIMIT 255 /* bytes of an Idempotency-Key */

/* ---- POST /api/v1/runs ---- */

static int check_members(const struct json *body, struct err *e)
{
	static const char *const known[] = {"runbook", "params", "pool"};

	if (body->kind != JSON_OBJECT)
		return err_set(e, ERR_INPUT,
			"want an object {\"runbook\": …, \"params\": {…}}, got %s",
			json_kind_name(body->kind));
	for (const struct json *m = body->child; m; m = m->next) {
		if (!str_is(m->key, known[0]) && !str_is(m->key, known[1]) &&
			!str_is(m->key, known[2]))
			return json_request_unknown(m, "runbook, params, pool", e);
	}
	return 0;
}

static const struct runbook *find_runbook(struct request *r, const struct json *body, struct err *e)
{
	struct str name = json_str(json_get(body, "runbook"));

	if (name.n > 0)
		return ruleset_find_runbook(r->server->app.ic->rules, name, &r->arena, e);
	err_set(e, ERR_INPUT, "'runbook' is missing; GET /api/v1/runbooks lists them");
	return NULL;
}

static struct str params_json(struct arena *a, const struct kv *v, size_t n)
{
	struct buf b;
	struct json_w w;
	struct str s;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (size_t i = 0; i < n; i++) {
		json_w_key(&w, v[i].name);
		json_w_str(&w, v[i].value);
	}
	json_w_end(&w, '}');
	s = buf_failed(&b) ? STR_NONE : arena_strdup(a, buf_as_str(&b));
	buf_release(&b);
	return s;
}

/* Of what was asked for, however it was spaced. */
static struct str digest(struct arena *a, const struct json *body)
{
	char hex[HASH_SHA256_HEX];
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_write(&w, body);
	hash_sha256_hex(buf_as_str(&b), hex);
	bool failed = buf_failed(&b);
	buf_release(&b);
	return failed ? STR_NONE : arena_strdup(a, str_of(hex));
}

static void answer_run(struct request *r, struct str json)
{
	const struct str *id = r->data;

	if (json.n) {
		buf_str(&r->out, json);
	} else {
		buf_puts(&r->out, "{\"id\":");
		json_quote(&r->out, *id);
		buf_putc(&r->out, '}');
	}
	buf_putc(&r->out, '\n');
	r->location = arena_printf(&r->arena, "/api/v1/runs/%.*s", STR_ARG(*id));
	request_answer(r, MHD_HTTP_CREATED, REQUEST_TYPE_JSON);
}

/* The run is durable already: where it cannot be read now, its id will do. */
static void on_run(void *ctx, const struct err *e, struct str json)
{
	answer_run(ctx, e ? STR_NONE : json);
}

static void on_made(void *ctx, const struct err *e, struct str id)
{
	struct request *r = ctx;
	struct str *made = r->data;
	struct err mine = {0};

	if (e) {
		request_fail(r, e);
		return;
	}
	*made = arena_strdup(&r->arena, id);
	if (store_get(r->server->app.ic->store, STORE_RUN, *made, on_run, r, &mine) != 0)
		answer_run(r, STR_NONE);
}

static int make_run(struct request *r, const struct json *body, struct err *e)
{
	const struct ingest_ctx *ic = r->server->app.ic;
	struct str pool = json_str(json_get(body, "pool"));
	const struct runbook *rb = find_runbook(r, body, e);
	struct store_manual_run run = {.who = r->who.n ? r->who : STR("api"), .limits = decide_limits(ic->conf)};
	struct kv *v = NULL;
	size_t n = 0;

	if (!rb || runbook_check_params(rb, &r->arena, json_get(body, "params"), &v, &n, e) != 0)
		return -1;
	if (pool.n && !rule_pool_ok(pool))
		return err_set(e, ERR_INPUT, "'pool' takes letters, digits and - _ . :, at most %d",
			RULE_POOL_LIMIT);
	run.idempotency_key = request_header(r, "Idempotency-Key");
	if (run.idempotency_key.n > KEY_LIMIT)
		return err_set(e, ERR_INPUT, "the Idempotency-Key is over %d bytes", KEY_LIMIT);
	run.ruleset_hash = str_of(ic->rules->hash);
	run.step = (struct store_step_in){
		.name = rb->name,
		.runbook = rb->name,
		.runbook_sha256 = str_of(rb->sha256),
		.pool = pool.n ? pool : STR("default"),
		.params_json = params_json(&r->arena, v, n),
		.idempotent = rb->idempotent,
		.retries_max = rb->retries_max,
		.retries_backoff_ms = rb->retries_backoff_ms,
	};
	run.request_sha256 = digest(&r->arena, body);
	r->data = arena_zalloc(&r->arena, sizeof(struct str)); /* the run's id */
	if (!run.step.params_json.p || !run.request_sha256.p || !r->data)
		return err_set(e, ERR_NOMEM, "no memory for the request");
	return store_run_new(ic->store, &run, on_made, r, e);
}

static void finish(struct request *r)
{
	struct err e = {0};
	const struct json *body = json_request_finish(r, &e);

	if (!body)
		request_fault(r, &e);
	else if (check_members(body, &e) != 0 || make_run(r, body, &e) != 0)
		request_fail(r, &e);
}

const struct route_handler handler_run_new = {
	json_request_begin, json_request_feed, finish, json_request_drop, BODY_LIMIT, NULL};

/* ---- GET /api/v1/runs/ID/artifacts/NAME ---- */

static int open_artifact(const struct server *s, struct str run, struct str name)
{
	char dir[ID_LEN + 1], file[NAME_MAX + 1];
	struct buf path;
	int top = -1, folder = -1, fd = -1;

	memcpy(dir, run.p, ID_LEN);
	dir[ID_LEN] = '\0';
	memcpy(file, name.p, name.n);
	file[name.n] = '\0';
	buf_init(&path, BUF_NO_LIMIT);
	buf_str(&path, s->state_dir);
	buf_puts(&path, "/artifacts");
	if (!buf_failed(&path))
		top = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_release(&path);
	if (top >= 0)
		folder = openat(top, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0)
		fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (folder >= 0)
		close(folder);
	if (top >= 0)
		close(top);
	return fd;
}

static void artifact(struct request *r)
{
	struct str name = r->args.name;
	struct stat st;
	int fd = -1;

	if (id_valid(r->args.id) && name.n <= NAME_MAX && name.p[0] != '.')
		fd = open_artifact(r->server, r->args.id, name);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		request_answer_file(r, fd, (uint64_t)st.st_size);
		return;
	}
	if (fd >= 0)
		close(fd);
	request_problemf(r, MHD_HTTP_NOT_FOUND, "run '%.*s' left no file '%.*s' on this machine",
		(int)(r->args.id.n < 80 ? r->args.id.n : 80), r->args.id.p,
		(int)(name.n < 80 ? name.n : 80), name.p);
}

const struct route_handler handler_artifact = {.finish = artifact};
