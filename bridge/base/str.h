/* str.h: a borrowed piece of text.
 *
 * A struct str owns nothing and is not NUL-terminated; whoever hands one out
 * says how long it lives. The empty string may have p == NULL.
 */
#ifndef RB_BASE_STR_H
#define RB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* One name/value pair, as a label or an annotation. */
struct kv {
	struct str name;
	struct str value;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *z)
{
	return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

static inline bool str_starts(struct str a, struct str prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Without any of these bytes at its ends. */
static inline struct str str_trim(struct str s, const char *bytes)
{
	size_t k = strlen(bytes);

	while (s.n && memchr(bytes, s.p[0], k))
		s = (struct str){s.p + 1, s.n - 1};
	while (s.n && memchr(bytes, s.p[s.n - 1], k))
		s.n--;
	return s;
}

/* Byte order; shorter first where one is the other's beginning. */
static inline int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

#endif
