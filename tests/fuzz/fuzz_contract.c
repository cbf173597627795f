/* Any two texts as a contract and a value, parted by a NUL: findings, or an answer within the limits. */
#include "fuzz.h"
#include "contract/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nul = size ? memchr(text, '\0', size) : NULL;
	struct str schema = {text, nul ? (size_t)(nul - text) : size};
	struct str value = {nul ? nul + 1 : text, nul ? size - schema.n - 1 : size};
	struct arena a;
	struct diags d;
	struct err e = {0};

	arena_init(&a, FUZZ_MEMORY);
	diags_init(&d);
	struct contract *c = contract_parse(schema, "c.schema.json", &d);
	FUZZ_MUST((c == NULL) == (d.errors > 0));
	struct json *v = json_parse(&a, value, &e);
	if (c && v && contract_check(c, v, &e) < 0)
		FUZZ_MUST(e.text[0] && (e.code == ERR_INPUT || e.code == ERR_LIMIT));
	contract_free(c);
	diags_release(&d);
	arena_release(&a);
	return 0;
}
