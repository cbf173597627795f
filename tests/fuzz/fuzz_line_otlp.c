/* Any bytes as OTLP in JSON, logs and traces. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_otlp_logs_json, data, size);
	fuzz_kind(&line_kind_otlp_traces_json, data, size);
	return 0;
}
