/* redis_program.c: finds redis-server; does not start it. */
#include "run/redis_program.h"

#include <stdlib.h>
#include <unistd.h>

#define PLACES ":/usr/local/bin:/usr/bin:/bin" /* after $PATH */

struct str redis_program_find(struct arena *a)
{
	const char *env = getenv("PATH");
	struct str places = arena_printf(a, "%s" PLACES, env ? env : "");

	for (const char *p = places.p; p && *p;) {
		size_t n = strcspn(p, ":");
		struct str path = arena_printf(a, "%.*s/" REDIS_PROGRAM, (int)n, p);
		if (n && p[0] == '/' && path.p && access(path.p, X_OK) == 0)
			return path;
		p += n + (p[n] == ':');
	}
	return STR_NONE;
}
