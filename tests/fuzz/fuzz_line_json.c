/* Any bytes as JSON objects. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_json, data, size);
	return 0;
}
