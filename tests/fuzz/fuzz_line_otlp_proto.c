/* Any bytes as OTLP in protobuf, logs and traces. */
#include "fuzz_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kind(&line_kind_otlp_logs_proto, data, size);
	fuzz_kind(&line_kind_otlp_traces_proto, data, size);
	return 0;
}
