/* Any bytes as a message of GitLab. */
#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("gitlab", NULL, NULL, data, size);
	return 0;
}
