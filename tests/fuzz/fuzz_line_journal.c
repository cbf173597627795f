/* Any bytes as the journal's export. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_journal, data, size);
	return 0;
}
