/* units.c: durations and sizes as people write them. Pure. The formatters give the largest
 * single unit that divides the value, so what they write parses back to the same. */
#include "base/units.h"

#include <stdio.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{"d", INT64_C(86400000)},
	{"h", INT64_C(3600000)},
	{"m", INT64_C(60000)},
	{"s", INT64_C(1000)},
	{"ms", INT64_C(1)},
};
static const struct unit sizes[] = {
	{"TiB", INT64_C(1) << 40},
	{"GiB", INT64_C(1) << 30},
	{"MiB", INT64_C(1) << 20},
	{"KiB", INT64_C(1) << 10},
	{"B", INT64_C(1)},
};

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
#define DURATION_MAX (INT64_C(36525) * 86400000)
#define SIZE_MAX_BYTES (INT64_C(1) << 53)

static bool take_number(struct str *s, int64_t *v)
{
	size_t i = 0;
	*v = 0;
	for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) {
		if (__builtin_mul_overflow(*v, 10, v) ||
			__builtin_add_overflow(*v, s->p[i] - '0', v))
			return false;
	}
	s->p += i;
	s->n -= i;
	return i > 0;
}

static size_t take_unit(struct str *s, const struct unit *units, size_t n)
{
	size_t letters = 0;
	while (letters < s->n && (s->p[letters] < '0' || s->p[letters] > '9'))
		letters++;
	struct str name = {s->p, letters};
	for (size_t i = 0; i < n; i++) {
		if (str_is(name, units[i].name)) {
			s->p += letters;
			s->n -= letters;
			return i;
		}
	}
	return n;
}

/* A sum goes from large to small units, each at most once: "1h30m", never "30m1h". */
bool units_parse_duration(struct str s, int64_t *ms)
{
	int64_t sum = 0;
	size_t next = 0;

	if (str_is(s, "0")) {
		*ms = 0;
		return true;
	}
	do {
		int64_t v;
		if (!take_number(&s, &v))
			return false;
		size_t unit = take_unit(&s, durations, COUNT(durations));
		if (unit == COUNT(durations) || unit < next)
			return false;
		next = unit + 1;
		if (__builtin_mul_overflow(v, durations[unit].factor, &v) ||
			__builtin_add_overflow(sum, v, &sum) || sum > DURATION_MAX)
			return false;
	} while (s.n);
	*ms = sum;
	return true;
}

bool units_parse_size(struct str s, int64_t *bytes)
{
	int64_t v;
	if (!take_number(&s, &v))
		return false;
	if (s.n) {
		size_t unit = take_unit(&s, sizes, COUNT(sizes));
		if (unit == COUNT(sizes) || s.n)
			return false;
		if (__builtin_mul_overflow(v, sizes[unit].factor, &v))
			return false;
	}
	if (v > SIZE_MAX_BYTES)
		return false;
	*bytes = v;
	return true;
}

static void format(int64_t v, const struct unit *units, size_t n, char *out)
{
	size_t i = 0;
	while (i < n - 1 && v % units[i].factor)
		i++;
	snprintf(out, UNITS_TEXT_MAX, "%lld%s", (long long)(v / units[i].factor), units[i].name);
}

void units_format_duration(int64_t ms, char out[UNITS_TEXT_MAX])
{
	if (ms == 0)
		snprintf(out, UNITS_TEXT_MAX, "0s");
	else
		format(ms, durations, COUNT(durations), out);
}

void units_format_size(int64_t bytes, char out[UNITS_TEXT_MAX])
{
	if (bytes == 0)
		snprintf(out, UNITS_TEXT_MAX, "0B");
	else
		format(bytes, sizes, COUNT(sizes), out);
}
