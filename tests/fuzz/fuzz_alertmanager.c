/* Any bytes as an Alertmanager message. */
#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("alertmanager", NULL, NULL, data, size);
	return 0;
}
