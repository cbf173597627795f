/* flow/bind_map.h: `map` of a source of the kind generic, from the texts of the configuration to what source/ goes by. */
#ifndef RB_FLOW_BIND_MAP_H
#define RB_FLOW_BIND_MAP_H

#include "base/arena.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "source/map.h"

/* In a; findings in d with their places. NULL: none is given, or no memory (arena_failed). */
const struct source_map *bind_map(struct arena *a, const struct conf *c, const struct conf_source *s, struct diags *d);

#endif
