/* Any bytes as a message of PagerDuty. */
#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("pagerduty", NULL, NULL, data, size);
	return 0;
}
