/* Any bytes as a body with Content-Encoding: gzip. */
#include "fuzz_inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_inflate(INFLATE_GZIP, data, size);
}
