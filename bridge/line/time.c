/* time.c: see time.h. Calendars are base/clock.h's: what is found here is put into its form.
 *
 * A stamp without a zone is UTC: whoever logs local time without saying so is off by its zone, and
 * the bound on how far a line's time may be away decides what that means.
 */
#include "line/time.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_NS (86400 * NS_PER_S)
#define STAMP_MAX 64

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- numbers ---- */

/* Digits of the integer part tell the unit: 10 to 11 are seconds for the next thousands of years.
 */
static bool scale_of(size_t digits, int64_t *ns_per_unit)
{
	if (digits < 9 || digits > 19)
		return false;
	*ns_per_unit = digits < 12 ? NS_PER_S : digits < 15 ? 1000000 : digits < 18 ? 1000 : 1;
	return true;
}

static bool number(struct str s, int64_t *ns)
{
	int64_t whole = 0, scale, part;
	size_t i = 0;

	for (; i < s.n && is_digit(s.p[i]); i++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, s.p[i] - '0', &whole))
			return false;
	if (!scale_of(i, &scale) || __builtin_mul_overflow(whole, scale, ns))
		return false;
	if (i == s.n)
		return true;
	if (s.p[i++] != '.' || i == s.n)
		return false;
	for (part = scale; i < s.n && is_digit(s.p[i]); i++) {
		part /= 10;
		*ns += (s.p[i] - '0') * part;
	}
	return i == s.n;
}

/* ---- texts ---- */

static bool has_zone(struct str s)
{
	char last = s.p[s.n - 1];

	return last == 'Z' || last == 'z' || memchr(s.p + 10, '+', s.n - 10) ||
	       memchr(s.p + 10, '-', s.n - 10);
}

bool line_time(struct str s, int64_t *ns)
{
	char text[STAMP_MAX];
	size_t n = s.n;

	if (n > 0 && is_digit(s.p[0]) && number(s, ns))
		return true;
	if (n < 19 || n > sizeof(text) - 2)
		return false;
	memcpy(text, s.p, n);
	if (text[10] == ' ')
		text[10] = 'T';
	if (n > 19 && text[19] == ',')
		text[19] = '.';
	if (!has_zone(s))
		text[n++] = 'Z';
	return clock_parse_rfc3339((struct str){text, n}, ns) && *ns != 0;
}

/* ---- RFC 3164 ---- */

struct stamp {
	int month, day, year;
	struct str clock; /* hh:mm:ss and perhaps a fraction */
};

static size_t month_of(struct str s, int *month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; s.n >= 3 && i < 12; i++) {
		if (memcmp(s.p, names + (size_t)i * 3, 3) == 0) {
			*month = i + 1;
			return 3;
		}
	}
	return 0;
}

static void skip_blanks(struct str *s)
{
	while (s->n && s->p[0] == ' ') {
		s->p++;
		s->n--;
	}
}

/* Up to `most` digits; how many. */
static size_t digits(struct str *s, size_t most, int *v)
{
	size_t n = 0;

	for (*v = 0; n < most && s->n && is_digit(s->p[0]); n++) {
		*v = *v * 10 + (s->p[0] - '0');
		s->p++;
		s->n--;
	}
	return n;
}

static bool clock_of(struct str *s, struct str *clock)
{
	static const char shape[] = "00:00:00";
	size_t n = 8;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (shape[i] == '0' ? !is_digit(s->p[i]) : s->p[i] != shape[i])
			return false;
	if (s->n > n + 1 && s->p[n] == '.' && is_digit(s->p[n + 1]))
		for (n++; n < s->n && n < 8 + 10 && is_digit(s->p[n]);)
			n++;
	*clock = (struct str){s->p, n};
	s->p += n;
	s->n -= n;
	return true;
}

/* " 2026", before or behind the time of day. */
static void year_of(struct str *s, int *year)
{
	struct str try = *s;
	int v;

	skip_blanks(&try);
	if (try.p != s->p && digits(&try, 4, &v) == 4 && v >= 1970 && v < 2200 &&
		(try.n == 0 || try.p[0] == ' ' || try.p[0] == ':')) {
		*year = v;
		*s = try;
	}
}

static size_t read_stamp(struct str s, struct stamp *t)
{
	const char *begin = s.p;
	size_t n = month_of(s, &t->month);

	if (n == 0)
		return 0;
	s.p += n;
	s.n -= n;
	skip_blanks(&s);
	t->year = 0;
	if (digits(&s, 2, &t->day) == 0)
		return 0;
	year_of(&s, &t->year);
	if (s.n == 0 || s.p[0] != ' ')
		return 0;
	skip_blanks(&s);
	if (!clock_of(&s, &t->clock))
		return 0;
	if (t->year == 0)
		year_of(&s, &t->year);
	return (size_t)(s.p - begin);
}

static bool in_year(const struct stamp *t, int year, int64_t *ns)
{
	char text[STAMP_MAX];
	int n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%.*sZ", year, t->month, t->day,
		STR_ARG(t->clock));

	return n > 0 && (size_t)n < sizeof(text) && clock_parse_rfc3339(str_of(text), ns);
}

static int year_at(int64_t ns)
{
	char text[CLOCK_RFC3339_MAX];
	int year = 0;

	clock_format_ms(ns / 1000000, text);
	for (int i = 0; i < 4; i++)
		year = year * 10 + (text[i] - '0');
	return year;
}

size_t line_time_bsd(struct str s, int64_t now_ns, int64_t *ns)
{
	struct stamp t;
	size_t n = read_stamp(s, &t);
	int newest;

	*ns = 0;
	if (n == 0)
		return 0;
	if (t.year > 0)
		return in_year(&t, t.year, ns) ? n : 0;
	if (now_ns == 0)
		return in_year(&t, 2024, ns) ? (*ns = 0, n) : 0;
	newest = year_at(now_ns + DAY_NS);
	for (int year = newest; year > newest - 5;
		year--) /* the 29th of February may be four years back */
		if (in_year(&t, year, ns) && *ns <= now_ns + DAY_NS)
			return n;
	*ns = 0;
	return 0;
}
