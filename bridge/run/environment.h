/* environment.h: what a runbook is told: its environment and the JSON on its standard input.
 *
 * Pure. The names are those of docs/runbooks.md and runbook(5): people's scripts read them.
 */
#ifndef RB_RUN_ENVIRONMENT_H
#define RB_RUN_ENVIRONMENT_H

#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"

#define ENVIRONMENT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ENVIRONMENT_ENTRY_MAX (128 << 10)	/* bytes of NAME=value with its NUL: the kernel's limit */
#define ENVIRONMENT_MAX (1 << 20)		/* bytes of all entries */
#define ENVIRONMENT_OMITTED_MAX (16 << 10)	/* bytes of the list of names that were left out */

struct run_facts {
	struct str run, rule, runbook, step, incident, pool, worker;	/* rule, incident: "" none */
	int64_t attempt;
	int64_t started_ms;
	struct str home;
	struct str artifacts, events;	/* absolute paths */
	const struct kv *params;	/* checked */
	size_t params_n;
	const struct event *event;	/* NULL: a run by hand */
	struct str event_json;		/* "" none */
	struct str events_json;		/* ids of the other events of a rule over several; "" none */
	struct str incident_json;	/* "" none */
	const struct str *pass;		/* names of the worker's own environment that the runbook asks for */
	size_t pass_n;
	char *const *own;		/* the worker's environment */
	const struct kv *amx;		/* amx_entries, for `compat: am-executor` */
	size_t amx_n;
};

/* Entries in a, ended by NULL. What cannot be an entry (no such name, a NUL, too long, no room) is left out and named
 * in RUNBOOK_ENV_OMITTED, a JSON array; it is in the JSON all the same. NULL: the arena is full. */
char **environment_build(struct arena *a, const struct run_facts *f);
/* {"run":…,"event":…,"incident":…,"params":{…}} in a; STR_NONE: the arena is full. */
struct str environment_stdin(struct arena *a, const struct run_facts *f);
/* {"name":"value",…}, for the record of the run. */
struct str environment_params(struct arena *a, const struct run_facts *f);

#endif
