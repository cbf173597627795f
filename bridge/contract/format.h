/* format.h: the formats that contracts may ask for. */
#ifndef RB_CONTRACT_FORMAT_H
#define RB_CONTRACT_FORMAT_H

#include <stdbool.h>
#include "base/str.h"

enum format {
	FORMAT_NONE,
	FORMAT_DATE_TIME, /* RFC 3339, section 5.6 */
	FORMAT_URI,	  /* RFC 3986: absolute, with a scheme */
};

/* FORMAT_NONE where the name is not known. */
enum format format_find(struct str name);
const char *format_name(enum format f);
bool format_holds(enum format f, struct str s);

#endif
