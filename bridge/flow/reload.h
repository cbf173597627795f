/* flow/reload.h: reading configuration and rules again beside the loop.
 *
 * All is called, and calls back, on the loop's thread; what takes long (reading, compiling, freeing) is done on a thread of
 * libuv's pool. One load at a time: who asks while one is running gets the next one, together with all others who asked
 * meanwhile, so that each answer is about files as they were after the question.
 */
#ifndef RB_FLOW_RELOAD_H
#define RB_FLOW_RELOAD_H

#include <stdbool.h>
#include <uv.h>
#include "base/diag.h"
#include "flow/load.h"

#define RELOAD_WHO_MAX 80 /* bytes of who asked, with the NUL; what is longer is cut */
#define RELOAD_FREE_MS 100 /* how often it is looked whether old rules may go */

struct reload;

struct reload_app {
	/* A load is about to read the files. */
	void (*before)(void *ctx);
	/* It has ended: now belongs to the callee; NULL: refused, d says why. Findings may be added to d. quiet: nobody
	 * asked but the files. */
	void (*take)(void *ctx, struct loaded *now, const char *who, bool quiet, struct diags *d);
	void *ctx;
};

/* taken: the configuration was good. d: all findings, as long as the call; NULL: there was no time for it before
 * reload_close. */
typedef void (*reload_cb)(void *ctx, bool taken, const struct diags *d);

/* conf_path (may be NULL: the default) has to live as long. NULL: no memory. */
struct reload *reload_new(uv_loop_t *loop, const char *conf_path, const struct reload_app *app);
/* who: for the log and the audit; copied. done may be NULL. -1: no memory, or closed; done is not called then. */
int reload_ask(struct reload *r, const char *who, bool quiet, reload_cb done, void *ctx);
/* Frees old once nobody else holds its rules. */
void reload_retire(struct reload *r, struct loaded *old);
/* Answers who still waits, calls nobody after that, and frees r when the load under way has ended. */
void reload_close(struct reload *r);

#endif
