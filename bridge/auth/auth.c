/* auth.c: what a configuration says about who may ask, as one value with a count.
 *
 * Owns the life of a struct auth. Tokens stay where the configuration has them.
 */
#include "auth/auth.h"

#include <stdlib.h>
#include "auth/auth_impl.h"

struct auth *auth_new(const struct conf *c, struct diags *d)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (!a) {
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0, "no memory");
		return NULL;
	}
	a->refs = 1;
	a->conf = c;
	return a;
}

struct auth *auth_ref(struct auth *a)
{
	a->refs++;
	return a;
}

void auth_unref(struct auth *a)
{
	if (!a || --a->refs)
		return;
	free(a);
}

bool auth_shared(const struct auth *a)
{
	return a->refs > 1;
}
