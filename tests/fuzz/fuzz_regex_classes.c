/* A regex and, after the first NUL, a text: with its escapes put into classes it is still a regex,
 * and says the same of the text. Both are interpreted: what JIT gets wrong is not the question. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/regex_classes.h"
#include "fuzz.h"

#define OPTIONS (PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C)
#define STEPS 10000

static pcre2_code *compile(struct str regex)
{
	PCRE2_SIZE at;
	int code;

	return pcre2_compile(
		(PCRE2_SPTR)(regex.p ? regex.p : ""), regex.n, OPTIONS, &code, &at, NULL);
}

static int match(const pcre2_code *code, struct str text, pcre2_match_data *data)
{
	pcre2_match_context *context = pcre2_match_context_create(NULL);

	FUZZ_MUST(context);
	pcre2_set_match_limit(context, STEPS);
	pcre2_set_depth_limit(context, STEPS);
	pcre2_set_heap_limit(context, 16 * 1024);
	int rc = pcre2_match(code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, 0, data, context);
	pcre2_match_context_free(context);
	return rc;
}

static void hold(const pcre2_code *x, const pcre2_code *y, struct str text)
{
	pcre2_match_data *a = pcre2_match_data_create(16, NULL),
			 *b = pcre2_match_data_create(16, NULL);

	FUZZ_MUST(a && b);
	int p = match(x, text, a), q = match(y, text, b);
	/* Past a limit nothing is said. */
	if (p >= PCRE2_ERROR_NOMATCH && q >= PCRE2_ERROR_NOMATCH) {
		FUZZ_MUST(p == q);
		for (int i = 0; i < 2 * p; i++)
			FUZZ_MUST(
				pcre2_get_ovector_pointer(a)[i] == pcre2_get_ovector_pointer(b)[i]);
	}
	pcre2_match_data_free(a);
	pcre2_match_data_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const void *nul = size ? memchr(data, '\0', size) : NULL;
	size_t n = nul ? (size_t)((const uint8_t *)nul - data) : size;
	struct str regex = {(const char *)data, n};
	struct str text = {(const char *)data + n + (nul != NULL), size - n - (nul != NULL)};
	pcre2_code *x = n < 8192 ? compile(regex) : NULL, *y;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	if (x && regex_classes(regex, &b)) {
		y = compile(buf_as_str(&b));
		FUZZ_MUST(y);
		hold(x, y, text);
		pcre2_code_free(y);
	}
	buf_release(&b);
	pcre2_code_free(x);
	return 0;
}
