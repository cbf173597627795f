/* fuzz.h: the entry that libFuzzer calls, and replay.c where there is no libFuzzer. A target checks what must
 * hold for any bytes with FUZZ_MUST, which stops the program whatever the build. */
#ifndef RB_TESTS_FUZZ_H
#define RB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MEMORY ((size_t)64 << 20)

#define FUZZ_MUST(what) \
	do { \
		if (!(what)) \
			abort(); \
	} while (0)

#endif
