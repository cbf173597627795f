/* Any bytes as a message of SNS: in its envelope, and bare (raw delivery). */
#include "fuzz_source.h"

static struct str raw(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "x-amz-sns-rawdelivery") == 0 ? STR("true") : STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("sns", NULL, NULL, data, size);
	fuzz_source("sns", raw, NULL, data, size);
	return 0;
}
