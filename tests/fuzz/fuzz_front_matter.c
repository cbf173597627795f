/* Any bytes as a runbook: findings, or a runbook whose parameters can be checked. */
#include "fuzz.h"
#include "rule/runbook.h"

static void check_values(struct arena *a, const struct runbook *r, struct str value)
{
	struct kv *v;
	size_t n;
	struct err e;

	(void)runbook_check_params(r, a, NULL, &v, &n, &e);
	for (size_t i = 0; i < r->params_n; i++)
		if (param_check(&r->params[i], value, &e) < 0)
			FUZZ_MUST(e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct diags d;
	struct str bytes = {(const char *)data, size};

	arena_init(&a, FUZZ_MEMORY);
	diags_init(&d);
	struct runbook *r = runbook_parse(&a, bytes, "fuzz.sh", &d);
	FUZZ_MUST((r != NULL) == (d.errors == 0));
	if (r) {
		check_values(&a, r, (struct str){bytes.p, size < 40 ? size : 40});
		runbook_release(r);
	}
	diags_release(&d);
	arena_release(&a);
	return 0;
}
