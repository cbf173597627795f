/* A template and, after the first NUL, the value of the label x: rendering at once, and early and then late, are
 * the same. */
#include "fuzz.h"
#include "rule/template.h"

static void render(struct arena *a, const struct template *t, const struct template_ctx *ctx)
{
	struct str early, late, whole;
	struct err e;

	if (template_render(t, a, ctx, &whole, &e) < 0 || template_render_early(t, a, ctx, &early, &e) < 0) {
		FUZZ_MUST(e.text[0]);
		return;
	}
	struct template *rest = template_parse(a, early, &e);
	/* What is known may be longer in quotes than a template may be. */
	FUZZ_MUST(rest || arena_failed(a) || e.code == ERR_LIMIT);
	if (!rest)
		return;
	FUZZ_MUST(template_render(rest, a, ctx, &late, &e) == 0 || arena_failed(a));
	FUZZ_MUST(arena_failed(a) || str_eq(late, whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct err e;
	const void *nul = size ? memchr(data, '\0', size) : NULL;
	size_t n = nul ? (size_t)((const uint8_t *)nul - data) : size;
	struct str text = {(const char *)data, n};
	struct kv labels[] = {{STR("x"), {(const char *)data + n + (nul != NULL), size - n - (nul != NULL)}}};
	struct event ev = {.id = STR("ID"), .source = STR("am"), .type = STR("alert"), .labels = labels, .labels_n = 1};
	struct template_ctx ctx = {.event = &ev, .match = labels, .match_n = 1};

	arena_init(&a, FUZZ_MEMORY);
	ev.data = json_parse(&a, STR("{\"a\":[1,{\"b\":\"{{ x }}\"}],\"n\":null}"), &e);
	ctx.incident = ev.data;
	ctx.steps = json_parse(&a, STR("{\"s\":{\"output\":\"{{\",\"exit_code\":0}}"), &e);
	struct template *t = template_parse(&a, text, &e);
	if (t)
		render(&a, t, &ctx);
	else
		FUZZ_MUST(e.text[0] && e.offset <= n);
	arena_release(&a);
	return 0;
}
