/* suggest_words.c: how bad lines of a kind are, by what they say of themselves and by their words.
 *
 * Owns the table of alarming words. Words are looked for in what all lines of a group have in
 * common, so that a user called "panic" alarms nobody.
 */
#include "rule/suggest.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

static const struct alarm {
	enum event_severity severity;
	const char *words; /* between blanks */
} alarms[] = {
	{SEVERITY_CRITICAL, " panic fatal emerg emergency alert crit critical oom-killer corrupt "
			    "corrupted corruption "
			    "oops segfault "},
	{SEVERITY_ERROR, " err error errors fail failed failure failures fails failing exception "
			 "traceback denied "
			 "refused cannot unable abort aborted crash crashed timeout unreachable "
			 "lost dead killed severe "
			 "break-in attack unhealthy rejected "},
	{SEVERITY_WARNING, " warn warning warnings deprecated retry retrying retries slow degraded "
			   "missing invalid "
			   "unknown expired throttled throttling "},
};

/* Parts of a word: "oom-killer" and "BREAK-IN" are one. */
static bool is_part(char c)
{
	return isalpha((unsigned char)c) || c == '-';
}

static enum event_severity severity_of(struct str word)
{
	char padded[32];

	if (word.n == 0 || word.n + 3 > sizeof(padded))
		return SEVERITY_INFO;
	padded[0] = ' ';
	for (size_t i = 0; i < word.n; i++)
		padded[i + 1] = (char)tolower((unsigned char)word.p[i]);
	memcpy(padded + word.n + 1, " ", 2);
	for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++)
		if (strstr(alarms[i].words, padded))
			return alarms[i].severity;
	return SEVERITY_INFO;
}

static enum event_severity worst_word(struct str token)
{
	enum event_severity worst = SEVERITY_INFO;

	for (size_t i = 0, n; i < token.n; i += n + 1) {
		enum event_severity found;

		for (n = 0; i + n < token.n && is_part(token.p[i + n]);)
			n++;
		found = severity_of((struct str){token.p + i, n});
		worst = found > worst ? found : worst;
	}
	return worst;
}

enum event_severity suggest_severity(const struct drain_group *g)
{
	enum event_severity worst = g->level;

	for (size_t i = 0; i < g->n; i++) {
		enum event_severity found = worst_word(g->tokens[i]);

		worst = found > worst ? found : worst;
	}
	return worst;
}

/* A step of severity weighs as much as a thousand times the lines. */
double suggest_weight(const struct drain_group *g)
{
	return 10.0 * suggest_severity(g) + log2(1.0 + (double)g->count);
}
