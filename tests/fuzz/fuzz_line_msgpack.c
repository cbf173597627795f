/* Any bytes as msgpack. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_msgpack, data, size);
	return 0;
}
