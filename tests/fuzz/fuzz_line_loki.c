/* Any bytes as a push to Loki. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_loki_json, data, size);
	return 0;
}
