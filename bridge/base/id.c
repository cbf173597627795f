/* id.c: ULIDs as 16 bytes, big end first: 6 of milliseconds, 10 of chance or sequence.
 *
 * Guarantee: two calls of id_new in one process never give the same id, and within one
 * millisecond each is greater than the one before (the 80 bits are counted up). Ids of
 * different processes differ by chance alone (79 bits). Owns the last id given out; not for
 * two threads.
 */
#include "base/id.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define MS_MAX ((INT64_C(1) << 48) - 1)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static unsigned char last[16];
static int64_t last_ms = -1;

static void put_ms(unsigned char *b, int64_t ms)
{
	uint64_t v = (uint64_t)(ms < 0 ? 0 : ms > MS_MAX ? MS_MAX : ms);
	for (int i = 5; i >= 0; i--) {
		b[i] = (unsigned char)v;
		v >>= 8;
	}
}

/* 128 bits as 26 digits of 5: the first digit holds the top 3. */
static void encode(const unsigned char *b, char out[ID_LEN + 1])
{
	for (int i = 0; i < ID_LEN; i++) {
		int value = 0;
		for (int bit = i * 5 - 2; bit < i * 5 + 3; bit++) {
			value <<= 1;
			if (bit >= 0)
				value |= b[bit / 8] >> (7 - bit % 8) & 1;
		}
		out[i] = alphabet[value];
	}
	out[ID_LEN] = '\0';
}

static bool decode(struct str id, unsigned char *b)
{
	if (id.n != ID_LEN || id.p[0] > '7')
		return false;
	memset(b, 0, 16);
	for (int i = 0; i < ID_LEN; i++) {
		const char *at = id.p[i] ? strchr(alphabet, id.p[i]) : NULL;
		if (!at)
			return false;
		int value = (int)(at - alphabet);
		for (int k = 0; k < 5; k++) {
			int bit = i * 5 - 2 + k;
			if (bit >= 0 && (value >> (4 - k) & 1))
				b[bit / 8] |= (unsigned char)(1 << (7 - bit % 8));
		}
	}
	return true;
}

static void fill_random(unsigned char *p, size_t n)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0) {
			/* Without flags it can only be interrupted. */
			assert(errno == EINTR);
			continue;
		}
		p += got;
		n -= (size_t)got;
	}
}

void id_new(int64_t wall_ms, char out[ID_LEN + 1])
{
	if (wall_ms == last_ms) {
		for (int i = 15; i >= 6; i--) {
			if (++last[i])
				break;
		}
	} else {
		last_ms = wall_ms;
		put_ms(last, wall_ms);
		fill_random(last + 6, 10);
		last[6] &= 0x7F; /* room to count up */
	}
	encode(last, out);
}

void id_from_ms_seq(int64_t ms, uint64_t seq, char out[ID_LEN + 1])
{
	unsigned char b[16] = {0};
	put_ms(b, ms);
	for (int i = 15; i >= 8; i--) {
		b[i] = (unsigned char)seq;
		seq >>= 8;
	}
	encode(b, out);
}

bool id_to_ms_seq(struct str id, int64_t *ms, uint64_t *seq)
{
	unsigned char b[16];
	if (!decode(id, b) || b[6] || b[7])
		return false;
	uint64_t v = 0;
	for (int i = 0; i < 6; i++)
		v = v << 8 | b[i];
	*ms = (int64_t)v;
	v = 0;
	for (int i = 8; i < 16; i++)
		v = v << 8 | b[i];
	*seq = v;
	return true;
}

bool id_valid(struct str id)
{
	unsigned char b[16];
	return decode(id, b);
}
