/* flow/watch.h: calls back when files were changed and have been left alone since.
 *
 * For reloading by itself. What changed is not said: the callee reads everything again and
 * compares. A path that is not there is not watched; a file that was replaced is watched again
 * after the next watch_set.
 */
#ifndef RB_FLOW_WATCH_H
#define RB_FLOW_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/str.h"

#define WATCH_CALM_MS 300    /* without another change, before it calls */
#define WATCH_LATEST_MS 3000 /* after the first change it calls in any case */

struct watch;

/* NULL: no memory. */
struct watch *watch_new(uv_loop_t *loop, void (*on_change)(void *ctx), void *ctx);
/* These paths (copied), and no others. */
void watch_set(struct watch *w, const struct str *paths, size_t n);
/* Were these the paths of the last watch_set, in this order? */
bool watch_has(const struct watch *w, const struct str *paths, size_t n);
/* How many changes were seen so far; for each it has called after it, or will. */
uint64_t watch_changes(const struct watch *w);
/* Frees w; on_change is not called any more. */
void watch_close(struct watch *w);

#endif
