/* err.h: what went wrong, as a value.
 *
 * Three kinds of failure have three ways: a bug is an assert; a resource that
 * ran out and bad input are a struct err that the callee fills and the edge
 * logs or answers, once. Library layers never log.
 */
#ifndef RB_BASE_ERR_H
#define RB_BASE_ERR_H

#include <stddef.h>

enum err_code {
	ERR_NONE = 0,
	ERR_INPUT,	/* the sender's or the operator's bytes are wrong */
	ERR_LIMIT,	/* a named limit was reached */
	ERR_NOMEM,
	ERR_IO,		/* the system said no: errno is in the text */
	ERR_AWAY,	/* Redis is not there, or too slow */
	ERR_FULL,	/* a queue is full */
	ERR_NOT_FOUND,
	ERR_CONFLICT,	/* the state does not allow it; a fence said no */
	ERR_VERSION,	/* data of a newer program */
};

struct err {
	enum err_code code;
	size_t offset;	/* byte offset into the input, where it has one; else 0 */
	char text[480];	/* lower case, no full stop, subject in quotes, the remedy named */
};

/* Sets code and text; returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with ": strerror(errno)" appended. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "input", "limit", ... for logs and metrics. */
const char *err_name(enum err_code code);

#endif
