/* Any bytes as events of Splunk's collector. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_splunk, data, size);
	return 0;
}
