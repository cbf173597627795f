/* loki.h: a stream of Loki's push API as a JSON tree. For json.c and loki.c. */
#ifndef RB_LINE_LOKI_H
#define RB_LINE_LOKI_H

#include "line/maker.h"

/* Each value of {"stream": {…}, "values": [["NANOSECONDS", "LINE", {…}], …]} as a line. */
int loki_stream(struct line_maker *m, const struct json *stream, struct err *e);

#endif
