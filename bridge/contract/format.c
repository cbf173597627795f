/* format.c: texts of a known form.
 *
 * By the grammar alone: that a day exists is looked at, that a host does is not.
 */
#include "contract/format.h"

#include <string.h>

static const char *const names[] = {[FORMAT_DATE_TIME] = "date-time", [FORMAT_URI] = "uri"};

enum format format_find(struct str name)
{
	for (int i = FORMAT_DATE_TIME; i <= FORMAT_URI; i++) {
		if (str_is(name, names[i]))
			return (enum format)i;
	}
	return FORMAT_NONE;
}

const char *format_name(enum format f)
{
	return f == FORMAT_NONE ? "" : names[f];
}

/* n digits at *at, as a number; -1 where there are fewer. */
static int digits(struct str s, size_t *at, int n)
{
	int v = 0;

	for (; n > 0; n--, ++*at) {
		if (*at >= s.n || s.p[*at] < '0' || s.p[*at] > '9')
			return -1;
		v = v * 10 + (s.p[*at] - '0');
	}
	return v;
}

static bool sign(struct str s, size_t *at, const char *any_of)
{
	if (*at >= s.n || !s.p[*at] || !strchr(any_of, s.p[*at]))
		return false;
	++*at;
	return true;
}

static bool is_date(struct str s, size_t *at)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(s, at, 4);
	int month = sign(s, at, "-") ? digits(s, at, 2) : -1;
	int day = sign(s, at, "-") ? digits(s, at, 2) : -1;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (year < 0 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap);
}

static bool is_time(struct str s, size_t *at)
{
	int hour = digits(s, at, 2);
	int minute = sign(s, at, ":") ? digits(s, at, 2) : -1;
	int second = sign(s, at, ":") ? digits(s, at, 2) : -1;

	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	if (!sign(s, at, "."))
		return true;
	size_t from = *at;
	while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9')
		++*at;
	return *at > from;
}

static bool is_date_time(struct str s)
{
	size_t at = 0;

	if (!is_date(s, &at) || !sign(s, &at, "Tt") || !is_time(s, &at))
		return false;
	if (sign(s, &at, "Zz"))
		return at == s.n;
	if (!sign(s, &at, "+-"))
		return false;
	int hour = digits(s, &at, 2);
	int minute = sign(s, &at, ":") ? digits(s, &at, 2) : -1;
	return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && at == s.n;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_uri(struct str s)
{
	size_t i = 0, fragments = 0;

	if (!s.n || !is_alpha(s.p[0]))
		return false;
	while (i < s.n && (is_alpha(s.p[i]) || (s.p[i] >= '0' && s.p[i] <= '9') ||
				  (s.p[i] && strchr("+-.", s.p[i]))))
		i++;
	if (i == s.n || s.p[i] != ':')
		return false;
	for (i++; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
		} else if (!is_alpha(c) && !(c >= '0' && c <= '9') &&
			   (!c || !strchr("-._~:/?#[]@!$&'()*+,;=", c))) {
			return false;
		}
		fragments += c == '#';
	}
	return fragments <= 1;
}

bool format_holds(enum format f, struct str s)
{
	return f == FORMAT_DATE_TIME ? is_date_time(s) : f == FORMAT_URI ? is_uri(s) : true;
}
