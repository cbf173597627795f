/* Any bytes as plain lines, and bodies of no type. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_text, data, size);
	fuzz_kind(&line_kind_any, data, size);
	return 0;
}
