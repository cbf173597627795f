/* Any bytes as a connection of syslog. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_syslog, data, size);
	return 0;
}
