/* Any bytes as a notification of Datadog: as JSON, and as a form. */
#include "fuzz_source.h"

static struct str form(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "Content-Type") == 0 ? STR("application/x-www-form-urlencoded") : STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("datadog", NULL, NULL, data, size);
	fuzz_source("datadog", form, NULL, data, size);
	return 0;
}
