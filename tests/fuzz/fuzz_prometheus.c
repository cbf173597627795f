/* Any bytes as alerts for an Alertmanager. */
#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("prometheus", NULL, NULL, data, size);
	return 0;
}
