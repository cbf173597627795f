/* Any bytes as a message of Argo CD. */
#include "fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_source("argocd", NULL, NULL, data, size);
	return 0;
}
