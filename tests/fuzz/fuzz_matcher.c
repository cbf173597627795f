/* A matcher and, after the first NUL, the value of the label x that it is held against. */
#include "fuzz.h"
#include "rule/matcher.h"
#include "rule/matcher_plain.h"

static void hold(struct arena *a, const struct matchers *m, struct str value)
{
	struct kv labels[] = {{STR("alertname"), STR("DiskFull")}, {STR("x"), value}};
	struct event ev = {.source = STR("am"), .type = STR("alert"), .summary = value, .labels = labels, .labels_n = 2};
	struct matcher_scratch *s = matcher_scratch_new(10000);
	struct matcher_groups g = {0};
	struct str text, saw;
	struct err e;

	FUZZ_MUST(s);
	int rc = matchers_eval(m, s, a, &ev, &g, &e);
	size_t failing = matchers_first_failing(m, s, a, &ev, &text, &saw);
	/* Where a regex gave up, nothing needs to have failed. */
	FUZZ_MUST(rc < 0 || arena_failed(a) || (rc == 1 ? failing == m->n : failing < m->n));
	for (size_t i = 0; i < g.n; i++)
		FUZZ_MUST(g.v[i].value.n <= value.n + 16);
	matcher_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct err e;
	struct matchers m;
	struct field f;
	const void *nul = size ? memchr(data, '\0', size) : NULL;
	size_t n = nul ? (size_t)((const uint8_t *)nul - data) : size;
	struct str text = {(const char *)data, n};
	struct str value = {(const char *)data + n + (nul != NULL), size - n - (nul != NULL)};

	arena_init(&a, FUZZ_MEMORY);
	if (field_parse(&a, text, &f, &e) < 0)
		FUZZ_MUST(e.text[0] && e.offset <= n);
	if (matchers_parse(&a, text, &m, &e) < 0) {
		FUZZ_MUST(e.text[0] && e.offset <= n);
	} else {
		hold(&a, &m, value);
		matchers_release(&m);
	}
	struct matcher_plain plain, again;
	if (matcher_plain_parse(&a, text, &plain, &e) < 0)
		FUZZ_MUST(e.text[0]);
	else if (matcher_plain_parse(&a, plain.text, &again, &e) == 0)
		FUZZ_MUST(str_eq(plain.text, again.text) && plain.tests.n == again.tests.n);
	arena_release(&a);
	return 0;
}
