/* Any bytes as Elasticsearch's _bulk. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_bulk, data, size);
	return 0;
}
