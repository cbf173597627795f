/* prepare.c: what the worker checks itself before anything is executed.
 *
 * From Redis it takes names and data: which runbook, which parameters, which event. Everything that
 * gives power is the worker's own: the file is found by its name in the worker's folders, its owner
 * and mode and those of the folders above it are checked, parameters are checked against the front
 * matter of that very file, the user comes from there or from the worker's configuration, and a
 * step may only shorten the timeout. So a bridge, or a Redis, that was taken over can start what is
 * there already, with parameters that its author allowed, and nothing else.
 *
 * That the file is another one than the rule was decided with (its sha256 differs) does not stop
 * the run: the worker's copy is the one that its operator put there and that was checked just now;
 * the hash in Redis is the other side's word. It is said in the reason. But whether a run may start
 * a second time is decided in Redis, by that other file: where it allows more than ours, the run is
 * refused.
 *
 * Each refusal is a sentence with the remedy in it. It does not start anything.
 */
#include <string.h>
#include "base/id.h"
#include "base/json.h"
#include "event/event.h"
#include "flow/claim.h"
#include "run/amx.h"
#include "run/environment.h"
#include "run/prepare.h"

struct inputs { /* of one preparation */
	const struct store_claimed *claim;
	const struct runbook *runbook;
	struct claim_inputs data;
	struct kv *amx;
	size_t amx_n;
};

/* Redis starts a run again where the front matter that it was queued with allows it. */
static int check_again(const struct store_claimed *c, const struct runbook *own, struct err *e)
{
	if (c->idempotent && !own->idempotent)
		return err_set(e, ERR_INPUT,
			"queued as idempotent, but this worker's '%.*s' is not; install the same "
			"file on both sides, then reload the bridge",
			STR_ARG(own->name));
	if (c->retries_max > own->retries_max)
		return err_set(e, ERR_INPUT,
			"queued with %lld retries, but this worker's '%.*s' allows %lld; install "
			"the same file on both sides, then reload the bridge",
			(long long)c->retries_max, STR_ARG(own->name), (long long)own->retries_max);
	return 0;
}

struct str prepare_message_id(
	struct arena *a, const struct store_claimed *claim, const struct runbook *rb)
{
	const struct json *event;
	struct event ev;
	struct err e;

	if (!rb || rb->compat != RUNBOOK_COMPAT_AM_EXECUTOR)
		return STR_NONE;
	if (claim_part(a, claim->event_json, "event", &event, &e) < 0 || !event ||
		event_read_json(a, event, &ev, &e) < 0 || !ev.message)
		return STR_NONE;
	return str_of(ev.message->id);
}

static int make_amx(
	struct inputs *in, struct prepared *p, struct arena *a, struct str message, struct err *e)
{
	const struct json *m;

	if (in->runbook->compat != RUNBOOK_COMPAT_AM_EXECUTOR)
		return 0;
	if (claim_part(a, message, "message", &m, e) < 0)
		return -1;
	p->amx_alone = !m && in->data.event_json;
	if (amx_entries(a, m, in->data.event_json ? &in->data.event : NULL, &in->amx, &in->amx_n) <
		0)
		return err_set(e, ERR_LIMIT,
			"its message does not fit into the memory of a run; let Alertmanager send "
			"fewer alerts in one (max_alerts)");
	return 0;
}

static struct run_facts facts_of(const struct inputs *in, const struct prepared *p,
	const struct runas *user, const struct prepare_host *h)
{
	const struct store_claimed *c = in->claim;

	return (struct run_facts){
		.run = c->run,
		.rule = c->rule,
		.runbook = in->runbook->name,
		.step = c->step,
		.incident = c->incident,
		.pool = c->pool,
		.worker = h->worker,
		.attempt = c->attempt,
		.started_ms = c->claimed_ms,
		.home = user->home,
		.artifacts = p->artifacts.dir,
		.events = p->artifacts.events,
		.params = in->data.params,
		.params_n = in->data.params_n,
		.event = in->data.event_json ? &in->data.event : NULL,
		.event_json = c->event_json,
		.events_json = c->events_json,
		.incident_json = c->incident_json,
		.pass = in->runbook->env,
		.pass_n = in->runbook->env_n,
		.own = h->environment,
		.amx = in->amx,
		.amx_n = in->amx_n,
	};
}

static int fill_in(struct prepared *p, struct arena *a, const struct inputs *in,
	const struct runas *user, const struct run_facts *facts, struct err *e)
{
	const struct runbook *rb = in->runbook;
	struct str path = arena_strdup(a, rb->path);
	struct str name = arena_printf(
		a, "%.*s.%lld", STR_ARG(in->claim->run), (long long)in->claim->attempt);
	char **argv = arena_array(a, 2, sizeof(*argv));
	int64_t step = in->claim->timeout_ms;

	p->timeout_ms = step > 0 && step < rb->timeout_ms ? step : rb->timeout_ms;
	p->spec = (struct child_spec){
		.name = name.p,
		.path = path.p,
		.argv = argv,
		.envp = environment_build(a, facts),
		.dir = p->artifacts.dir.p,
		.become = user->become,
		.uid = user->uid,
		.gid = user->gid,
		.groups = user->groups,
		.groups_n = user->groups_n,
		.no_new_privs = user->uid != 0,
		.stdin_bytes = environment_stdin(a, facts),
		.output_limit = rb->output_limit,
		.timeout_ms = p->timeout_ms,
		.grace_ms = rb->grace_ms,
	};
	if (arena_failed(a) || !argv || !p->spec.envp || !p->spec.stdin_bytes.p)
		return err_set(e, ERR_LIMIT,
			"its event, incident and parameters do not fit into the memory of a run");
	argv[0] = (char *)path.p;
	return 0;
}

const struct runbook *prepare_find(
	const struct store_claimed *claim, const struct prepare_host *h, struct err *e)
{
	return shelf_get(h->shelf, h->conf, claim->runbook, e);
}

int prepare_run(struct prepared *p, struct arena *a, const struct store_claimed *claim,
	const struct runbook *rb, struct str message, const struct prepare_host *h, struct err *e)
{
	struct inputs in = {.claim = claim, .runbook = rb};
	struct runas user;

	if (!id_valid(claim->run))
		return err_set(e, ERR_INPUT, "its id is no ULID");
	p->idempotent = in.runbook->idempotent;
	p->sha256 = arena_strdup(a, str_of(in.runbook->sha256));
	p->other_file = claim->runbook_sha256.n && !str_eq(claim->runbook_sha256, p->sha256);
	if (check_again(claim, in.runbook, e) < 0 ||
		claim_read(&in.data, a, claim, in.runbook, e) < 0 ||
		make_amx(&in, p, a, message, e) < 0 ||
		runas_find(h->users, &user, a, in.runbook->user, h->conf->worker.user, e) < 0 ||
		artifacts_make(&p->artifacts, a, h->state_dir, h->ahead, claim->run, &user, e) < 0)
		return -1;
	p->have_artifacts = true;
	struct run_facts facts = facts_of(&in, p, &user, h);
	p->params_json = environment_params(a, &facts);
	return fill_in(p, a, &in, &user, &facts, e);
}
