/* decimal.c: a JSON number as sign, significant digits and the place of its point.
 *
 * Guarantee: exact, and as much work as the text is long, whatever its exponent says. An exponent
 * of more than 18 digits counts as one of 18.
 */
#include "contract/decimal.h"

#include <stdint.h>

#define EXPONENT_MOST INT64_C(1000000000000000000)

struct decimal {
	bool negative;
	struct str text; /* the digits, with a point between them perhaps */
	size_t from, to; /* the significant ones in text: from the first to behind the last that is
			    no 0 */
	int64_t scale;	 /* it is 0.DIGITS times ten to the scale; no digits: zero */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t read_exponent(struct str s)
{
	bool negative = s.n && s.p[0] == '-';
	int64_t v = 0;

	for (size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'); i < s.n; i++)
		v = v < EXPONENT_MOST / 10 ? v * 10 + (s.p[i] - '0') : EXPONENT_MOST;
	return negative ? -v : v;
}

static struct decimal decimal_of(struct str s)
{
	struct decimal d = {.negative = s.n && s.p[0] == '-'};
	size_t i = d.negative, point = SIZE_MAX;
	int64_t whole = 0; /* digits before the point, from the first significant one on; negative:
			      zeros behind it */

	d.text = s;
	for (; i < s.n && (is_digit(s.p[i]) || s.p[i] == '.'); i++) {
		if (s.p[i] == '.') {
			point = i;
			continue;
		}
		if (s.p[i] != '0') {
			if (d.to == 0)
				d.from = i;
			d.to = i + 1;
		}
		if (d.to && point == SIZE_MAX)
			whole++;
		else if (!d.to && point != SIZE_MAX)
			whole--;
	}
	d.scale = whole;
	if (i < s.n)
		d.scale += read_exponent((struct str){s.p + i + 1, s.n - i - 1});
	return d;
}

/* The next significant digit; '0' where there are no more. */
static char next_digit(const struct decimal *d, size_t *at)
{
	if (*at < d->to && d->text.p[*at] == '.')
		++*at;
	return *at < d->to ? d->text.p[(*at)++] : '0';
}

static int cmp_size(const struct decimal *a, const struct decimal *b)
{
	size_t i = a->from, j = b->from;

	if (!a->to || !b->to)
		return (a->to > 0) - (b->to > 0);
	if (a->scale != b->scale)
		return a->scale < b->scale ? -1 : 1;
	while (i < a->to || j < b->to) {
		char x = next_digit(a, &i), y = next_digit(b, &j);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

int decimal_cmp(struct str s, struct str t)
{
	struct decimal a = decimal_of(s), b = decimal_of(t);
	bool less_a = a.negative && a.to, less_b = b.negative && b.to; /* -0 is 0 */

	if (less_a != less_b)
		return less_a ? -1 : 1;
	return less_a ? cmp_size(&b, &a) : cmp_size(&a, &b);
}

bool decimal_is_whole(struct str s)
{
	struct decimal d = decimal_of(s);
	int64_t digits = 0;

	for (size_t i = d.from; i < d.to; i++)
		digits += d.text.p[i] != '.';
	return digits <= d.scale || d.to == 0;
}
