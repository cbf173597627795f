/* log.h: one line an occurrence, structured, to standard error.
 *
 * logfmt by default (time=… level=… program=… msg="…" key=value …), JSON by
 * option. Each line names its object: event=, incident= or run=. Only edges
 * (http/, syslog/, run/, main_*) log. Values are escaped, so a label cannot forge a line.
 */
#ifndef RB_BASE_LOG_H
#define RB_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

enum log_format {
	LOG_LOGFMT,
	LOG_JSON,
};

/* program is kept, not copied. */
void log_init(const char *program, enum log_format format, enum log_level least);
/* Pairs of const char * key, const char * value, ended by (char *)NULL; a pair with value NULL is left out. */
void log_kv(enum log_level level, const char *msg, ...) __attribute__((sentinel));
bool log_on(enum log_level level);

/* For the number in a pair: a small ring of buffers inside; valid for the next 8 calls. */
const char *log_i64(long long v);

#endif
