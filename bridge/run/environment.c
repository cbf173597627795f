/* environment.c: the facts of a run as an environment and as JSON.
 *
 * Labels and annotations are data of strangers: their names and values can be anything. None of it
 * is ever put into a text that something interprets; what the environment cannot hold is left out,
 * by rules that do not depend on the value's meaning, and listed. The JSON on standard input holds
 * all.
 *
 * The order of entries decides what is left out when room ends: the run's own names first, then
 * parameters, then what the runbook asked for by `env:`, then AMX_*, labels, annotations.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "run/environment.h"

#define STDIN_MAX ((size_t)64 << 20)

struct builder {
	struct arena *a;
	char **v;
	size_t n, cap;
	size_t bytes;
	struct json_w omitted;
	struct buf omitted_json;
	size_t omitted_n;
};

static bool is_name(struct str s)
{
	if (s.n == 0 || isdigit((unsigned char)s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z')))
			return false;
	}
	return true;
}

static void omit(struct builder *b, const char *prefix, struct str name)
{
	size_t p = strlen(prefix);
	char *whole;

	if (b->omitted_json.n + (p + name.n) * 6 + 8 > ENVIRONMENT_OMITTED_MAX)
		return; /* the list is full; the first ones tell enough */
	whole = arena_alloc(b->a, p + name.n + 1);
	if (!whole)
		return;
	memcpy(whole, prefix, p);
	if (name.n)
		memcpy(whole + p, name.p, name.n);
	json_w_str(&b->omitted, (struct str){whole, p + name.n});
	b->omitted_n++;
}

/* All that an environment can hold: prometheus-am-executor puts a label's name in as it is. */
static bool is_any_name(struct str s)
{
	return s.n && !memchr(s.p, '=', s.n) && !memchr(s.p, '\0', s.n);
}

static void put_if(
	struct builder *b, bool name_ok, const char *prefix, struct str name, struct str value)
{
	size_t p = strlen(prefix), n = p + name.n + 1 + value.n + 1;

	if (!name_ok || (value.n && memchr(value.p, '\0', value.n)) ||
		n > ENVIRONMENT_ENTRY_MAX || n > ENVIRONMENT_MAX - b->bytes) {
		omit(b, prefix, name);
		return;
	}
	char *e = arena_alloc(b->a, n);
	if (!e)
		return;
	memcpy(e, prefix, p);
	memcpy(e + p, name.p, name.n);
	e[p + name.n] = '=';
	if (value.n)
		memcpy(e + p + name.n + 1, value.p, value.n);
	e[n - 1] = '\0';
	b->v[b->n++] = e;
	b->bytes += n;
}

static void put(struct builder *b, const char *prefix, struct str name, struct str value)
{
	put_if(b, is_name(name), prefix, name, value);
}

static void put_z(struct builder *b, const char *name, struct str value)
{
	put(b, "", str_of(name), value);
}

static void put_all(struct builder *b, const char *prefix, const struct kv *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(b, prefix, v[i].name, v[i].value);
}

/* The names that are ours are not for `env:` to change. */
static bool is_ours(struct str name)
{
	return str_is(name, "PATH") || str_is(name, "HOME") || str_starts(name, STR("RUNBOOK_")) ||
	       str_starts(name, STR("PARAM_")) || str_starts(name, STR("LABEL_")) ||
	       str_starts(name, STR("ANNOTATION_"));
}

static void put_passed(struct builder *b, const struct run_facts *f)
{
	for (size_t i = 0; i < f->pass_n; i++) {
		struct str name = f->pass[i];
		if (is_ours(name) || (f->amx_n && str_starts(name, STR("AMX_"))))
			continue;
		for (char *const *e = f->own; e && *e; e++) {
			if (strncmp(*e, name.p, name.n) == 0 && (*e)[name.n] == '=') {
				put(b, "", name, str_of(*e + name.n + 1));
				break;
			}
		}
	}
}

static void put_run(struct builder *b, const struct run_facts *f)
{
	put_z(b, "PATH", STR(ENVIRONMENT_PATH));
	put_z(b, "HOME", f->home);
	put_z(b, "RUNBOOK_RUN", f->run);
	put_z(b, "RUNBOOK_RULE", f->rule);
	put_z(b, "RUNBOOK_INCIDENT", f->incident);
	put_z(b, "RUNBOOK_ATTEMPT", arena_printf(b->a, "%lld", (long long)f->attempt));
	put_z(b, "RUNBOOK_DRY_RUN", STR("0"));
	put_z(b, "RUNBOOK_ARTIFACTS", f->artifacts);
	put_z(b, "RUNBOOK_EVENTS", f->events);
}

char **environment_build(struct arena *a, const struct run_facts *f)
{
	struct builder b = {.a = a, .bytes = ENVIRONMENT_OMITTED_MAX + 64};
	size_t labels_n = f->event ? f->event->labels_n : 0,
	       annotations_n = f->event ? f->event->annotations_n : 0;

	b.cap = 16 + f->params_n + f->pass_n + f->amx_n + labels_n + annotations_n;
	b.v = arena_array(a, b.cap, sizeof(*b.v));
	if (!b.v)
		return NULL;
	buf_init(&b.omitted_json, ENVIRONMENT_OMITTED_MAX + 64);
	json_w_init(&b.omitted, &b.omitted_json);
	json_w_array(&b.omitted);
	put_run(&b, f);
	put_all(&b, "PARAM_", f->params, f->params_n);
	put_passed(&b, f);
	for (size_t i = 0; i < f->amx_n; i++)
		put_if(&b, is_any_name(f->amx[i].name), "", f->amx[i].name, f->amx[i].value);
	put_all(&b, "LABEL_", labels_n ? f->event->labels : NULL, labels_n);
	put_all(&b, "ANNOTATION_", annotations_n ? f->event->annotations : NULL, annotations_n);
	json_w_end(&b.omitted, ']');
	if (b.omitted_n && !buf_failed(&b.omitted_json)) {
		b.bytes = 0; /* its room was kept from the start */
		put_z(&b, "RUNBOOK_ENV_OMITTED", buf_as_str(&b.omitted_json));
	}
	buf_release(&b.omitted_json);
	return arena_failed(a) ? NULL : b.v;
}

static struct str taken(struct arena *a, struct buf *b)
{
	struct str s = buf_failed(b) ? STR_NONE : arena_strdup(a, buf_as_str(b));

	buf_release(b);
	return s;
}

static void write_params(struct json_w *w, const struct run_facts *f)
{
	json_w_object(w);
	for (size_t i = 0; i < f->params_n; i++) {
		json_w_key(w, f->params[i].name);
		json_w_str(w, f->params[i].value);
	}
	json_w_end(w, '}');
}

static void str_or_null(struct json_w *w, const char *key, struct str s)
{
	json_w_key(w, str_of(key));
	if (s.n)
		json_w_str(w, s);
	else
		json_w_null(w);
}

struct str environment_params(struct arena *a, const struct run_facts *f)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, STDIN_MAX);
	json_w_init(&w, &b);
	write_params(&w, f);
	return taken(a, &b);
}

struct str environment_stdin(struct arena *a, const struct run_facts *f)
{
	struct buf b;
	struct json_w w;

	buf_init(&b, STDIN_MAX);
	json_w_init(&w, &b);
	json_w_object(&w);
	json_w_key(&w, STR("run"));
	json_w_object(&w);
	json_w_kstr(&w, "id", f->run);
	str_or_null(&w, "rule", f->rule);
	json_w_kstr(&w, "runbook", f->runbook);
	str_or_null(&w, "step", f->step);
	json_w_kstr(&w, "state", STR("running"));
	str_or_null(&w, "incident", f->incident);
	str_or_null(&w, "event", f->event ? f->event->id : STR(""));
	json_w_kstr(&w, "pool", f->pool);
	json_w_kstr(&w, "worker", f->worker);
	json_w_ki64(&w, "attempt", f->attempt);
	json_w_kbool(&w, "dry_run", false);
	json_w_ktime_ms(&w, "started", f->started_ms);
	json_w_end(&w, '}');
	json_w_kraw(&w, "event", f->event_json.n ? f->event_json : STR("null"));
	json_w_kraw(&w, "events", f->events_json.n ? f->events_json : STR("[]"));
	json_w_kraw(&w, "incident", f->incident_json.n ? f->incident_json : STR("null"));
	json_w_key(&w, STR("params"));
	write_params(&w, f);
	json_w_end(&w, '}');
	buf_putc(&b, '\n');
	return taken(a, &b);
}
