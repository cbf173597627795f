/* nasty.h: regexes that can take very long, and what they are slow on: for the unit test of the budget of an event and
 * for bench-rules. A value is `unit` as often as it fits, and then `tail`. */
#ifndef RB_TESTS_NASTY_H
#define RB_TESTS_NASTY_H

#include "base/arena.h"

static const struct nasty {
	const char *regex, *unit, *tail;
} nasty[] = {
	/* repetitions within repetitions */
	{"(a+)+b", "a", "b!"},
	{"(a*)*b", "a", "b!"},
	{"((a*)*)*b", "a", "b!"},
	{"(?:(?:a+)+)+b", "a", "b!"},
	{"(x+x+)+y", "x", "y!"},
	{"([a-z]+)*\\d", "a", "!"},
	{"(\\w+\\s?)*!", "word ", "!?"},
	{"(.*)*x", "a", "x!"},
	{".*(.+)+x", "a", "x!"},
	{"(?:(a{1,9}){1,9}){1,9}b", "a", "b!"},
	/* alternatives that overlap */
	{"(a|a)*b", "a", "b!"},
	{"(a|aa)+b", "a", "b!"},
	{"(a|b|ab)*c", "ab", "c!"},
	{"(\\d+|[a-z]+|a\\d)*;", "a1", ";!"},
	{"(?:.|\\n)*?x(?:.|\\n)*?y", "x", "z"},
	{"([^\"]|\\\\\")*\"z", "\\\"", "z"},
	/* one beside the other */
	{".*.*.*.*.*=", "a", "=!"},
	{"a*a*a*a*a*b", "a", "b!"},
	{".*a.*a.*a.*b", "a", "b!"},
	{"[ab]*[ab]*[ab]*c", "ab", "c!"},
	{"\\s*\\s*\\s*\\s*x", " ", "x!"},
	{".*x.*y", "x", "y!"},
	{"a.*b.*c.*d.*e.*f", "abcde", "f!"},
	{"(.*a){12}b", "a", "b!"},
	{"(?:.*,){11}P", ",", "P!"},
	{"(?:a?){30}a{30}b", "a", "b!"},
	/* looking around, back, and into itself */
	{"(?=(a+))a*b\\1", "a", "b!"},
	{"(a+)\\1+b", "a", "b!"},
	{"(?=.*x)(?=.*y)(?=.*z).*q", "x", "yzq!"},
	{"(?<n>a|b(?&n)c)*d", "a", "d!"},
	{"(\\((?:[^()]|(?1))*\\))*x", "(", ")x"},
	{"(?>a*a*)*b", "a", "b!"},
	{"(?:(?!ab).)*(?:(?!ab).)*ab!", "a", "ab?"},
	/* as they were found in the wild: e-mail, URL, time, quotes, comments */
	{"([a-zA-Z0-9_.-])+@(([a-zA-Z0-9-])+\\.)+([a-zA-Z0-9]{2,4})+", "a@a.", "!"},
	{"^(([a-z])+.)+[A-Z]([a-z])+b$", "a", "Ab!"},
	{"(http|https)://([\\w-]+\\.?)+(/[\\w-]*)*\\?x", "http://a-", "?y"},
	{"(?:\\d+:?)+ [AP]M", "1", " XM"},
	{"/\\*(?:[^*]|\\*+[^/*])*\\*+/x", "/**", "/x!"},
	{"(?:[^']*'[^']*')*[^']*x", "'", "x!"},
	{"\\s+$x|^\\s+x", " ", "x!"},
	/* letters that are more than a byte */
	{"(\xc3\xa9+)+b", "\xc3\xa9", "b!"},
	{"(?i)(\\p{L}+)+1", "\xc3\x84", "1!"},
};
#define NASTY_N (sizeof(nasty) / sizeof(nasty[0]))

static inline struct str nasty_value(struct arena *a, const struct nasty *t, size_t n)
{
	size_t unit = strlen(t->unit), tail = strlen(t->tail), at = 0;
	char *p = arena_alloc(a, n + unit + tail);

	if (!p)
		return STR_NONE;
	for (; at < n; at += unit)
		memcpy(p + at, t->unit, unit);
	memcpy(p + at, t->tail, tail);
	return (struct str){p, at + tail};
}

#endif
