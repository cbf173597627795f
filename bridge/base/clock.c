/* clock.c: clocks of the system, and RFC 3339 by arithmetic on days (no time zone of the
 * system, no locale, no struct tm is involved). Owns nothing.
 *
 * A leap second (":60") is the first moment of the next minute. It does not smooth steps of
 * the wall clock: whoever measures takes clock_mono_ms.
 */
#include "base/clock.h"

#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_clock(clockid_t id, int64_t per_s)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * per_s + t.tv_nsec / (NS_PER_S / per_s);
}

int64_t clock_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME, 1000);
}

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000);
}

int64_t clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000000);
}

int64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC, NS_PER_S);
}

/* Days since 1970-01-01 of a Gregorian date: years are counted from March, so that the leap
 * day is a year's last. */
static int64_t days_of(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year));
}

static bool digits(struct str *s, size_t n, int *v)
{
	*v = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*v = *v * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->n -= n;
	return true;
}

static bool one_of(struct str *s, const char *chars, char *c)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(chars, s->p[0]))
		return false;
	*c = s->p[0];
	s->p++;
	s->n--;
	return true;
}

static bool fraction(struct str *s, int64_t *ns)
{
	char c;
	int64_t scale = NS_PER_S / 10;
	*ns = 0;
	if (!one_of(s, ".", &c))
		return true;
	size_t i = 0;
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		*ns += (s->p[i] - '0') * scale;
		scale /= 10;
	}
	s->p += i;
	s->n -= i;
	return i > 0;
}

static bool zone(struct str *s, int *minutes)
{
	char sign, c;
	int h, m;
	*minutes = 0;
	if (one_of(s, "Zz", &c))
		return true;
	if (!one_of(s, "+-", &sign) || !digits(s, 2, &h) || !one_of(s, ":", &c) ||
		!digits(s, 2, &m))
		return false;
	if (h > 23 || m > 59)
		return false;
	*minutes = sign == '-' ? -(h * 60 + m) : h * 60 + m;
	return true;
}

bool clock_parse_rfc3339(struct str s, int64_t *ns)
{
	int year, month, day, hour, minute, second, offset;
	int64_t frac;
	char c;

	if (!digits(&s, 4, &year) || !one_of(&s, "-", &c) || !digits(&s, 2, &month) ||
		!one_of(&s, "-", &c) || !digits(&s, 2, &day) || !one_of(&s, "Tt", &c) ||
		!digits(&s, 2, &hour) || !one_of(&s, ":", &c) || !digits(&s, 2, &minute) ||
		!one_of(&s, ":", &c) || !digits(&s, 2, &second) || !fraction(&s, &frac) ||
		!zone(&s, &offset) || s.n)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
		minute > 59 || second > 60)
		return false;
	if (year == 1) {
		*ns = 0;
		return true;
	}
	if (year < 1678 || year > 2261)
		return false;
	int64_t secs =
		days_of(year, month, day) * 86400 + hour * 3600 + (minute - offset) * 60 + second;
	*ns = secs * NS_PER_S + frac;
	return true;
}

/* By hand, for it is on the request path and printf takes ten times as long. */
static char *put_digits(char *out, size_t n, int64_t v)
{
	for (size_t i = n; i > 0; i--) {
		out[i - 1] = (char)('0' + v % 10);
		v /= 10;
	}
	return out + n;
}

static void format(int64_t secs, int64_t frac, size_t width, char out[CLOCK_RFC3339_MAX])
{
	int64_t year;
	int month, day;
	int64_t of_day = secs % 86400;
	int64_t days = secs / 86400;
	if (of_day < 0) {
		of_day += 86400;
		days--;
	}
	date_of(days, &year, &month, &day);
	/* Nobody sends a year of five digits: four keep the text within its bounds. */
	char *p = put_digits(out, 4, year < 0 ? 0 : year > 9999 ? 9999 : year);
	*p++ = '-';
	p = put_digits(p, 2, month);
	*p++ = '-';
	p = put_digits(p, 2, day);
	*p++ = 'T';
	p = put_digits(p, 2, of_day / 3600);
	*p++ = ':';
	p = put_digits(p, 2, of_day / 60 % 60);
	*p++ = ':';
	p = put_digits(p, 2, of_day % 60);
	*p++ = '.';
	p = put_digits(p, width, frac);
	*p++ = 'Z';
	*p = '\0';
}

void clock_format_ms(int64_t ms, char out[CLOCK_RFC3339_MAX])
{
	int64_t frac = ms % 1000;
	int64_t secs = ms / 1000;
	if (frac < 0) {
		frac += 1000;
		secs--;
	}
	format(secs, frac, 3, out);
}

void clock_format_ns(int64_t ns, char out[CLOCK_RFC3339_MAX])
{
	int64_t frac = ns % NS_PER_S;
	int64_t secs = ns / NS_PER_S;
	if (frac < 0) {
		frac += NS_PER_S;
		secs--;
	}
	if (frac % 1000000 == 0)
		format(secs, frac / 1000000, 3, out);
	else if (frac % 1000 == 0)
		format(secs, frac / 1000, 6, out);
	else
		format(secs, frac, 9, out);
}
