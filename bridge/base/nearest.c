/* nearest.c: edit distance (insert, delete, replace, swap two neighbours), row by row. Pure.
 * A typed text longer than WIDTH is near nothing: names of ours are short, and the text may be
 * a whole file that someone pasted. Of equals the first one in the list wins. */
#include "base/nearest.h"

#define WIDTH 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(struct str a, struct str b)
{
	size_t rows[3][WIDTH + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b.n; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t d = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
			d = least(d, least(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				d = least(d, before[j - 2] + 1);
			now[j] = d;
		}
		size_t *t = before;
		before = last;
		last = now;
		now = t;
	}
	return last[b.n];
}

const char *nearest(struct str typed, const char *const *names, size_t n)
{
	const char *best = NULL;
	/* Where every letter differs it is another word, however short. */
	size_t bound = typed.n / 3 > 2 ? typed.n / 3 : least(2, typed.n ? typed.n - 1 : 0);

	if (typed.n > WIDTH)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct str name = str_of(names[i]);
		if (name.n > WIDTH)
			continue;
		size_t d = distance(typed, name);
		if (d > bound || d >= name.n)
			continue;
		best = names[i];
		if (d == 0)
			break;
		bound = d - 1;
	}
	return best;
}
