/* drain_mask.c: a message cut into tokens, and what changes by its nature replaced by marks.
 *
 * A mark is put only for a whole word: what stands beside it is no letter, digit or underscore, so
 * that "ssh2" and "eth0" stay names; a number may be followed by a unit. What a mark stands for is
 * what its regex matches (suggest.c), whatever the value: that is the guarantee others build on.
 */
#include "rule/drain.h"

#include "base/utf8.h"

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Part of a word: a letter past ASCII is one, too. */
static bool is_word(char c)
{
	return is_digit(c) || is_letter(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char at(struct str s, size_t i)
{
	return i < s.n ? s.p[i] : '\0';
}

static size_t run_of(struct str s, size_t i, bool (*is)(char))
{
	size_t n = 0;

	while (i + n < s.n && is(s.p[i + n]))
		n++;
	return n;
}

/* ---- what a mark stands for: each gives the bytes at i that are one, 0 none ---- */

static size_t uuid(struct str s, size_t i)
{
	static const size_t groups[] = {8, 4, 4, 4, 12};
	size_t n = 0;

	for (size_t g = 0; g < 5; g++) {
		if (run_of(s, i + n, is_hex) != groups[g] ||
			(g < 4 && at(s, i + n + groups[g]) != '-'))
			return 0;
		n += groups[g] + (g < 4);
	}
	return is_word(at(s, i + n)) ? 0 : n;
}

static size_t ipv4(struct str s, size_t i)
{
	size_t n = 0;

	for (int part = 0; part < 4; part++) {
		size_t digits = run_of(s, i + n, is_digit);

		if (digits == 0 || digits > 3 || (part < 3 && at(s, i + n + digits) != '.'))
			return 0;
		n += digits + (part < 3);
	}
	return is_word(at(s, i + n)) || (at(s, i + n) == '.' && is_digit(at(s, i + n + 1))) ? 0 : n;
}

static bool is_hex_or_colon(char c)
{
	return is_hex(c) || c == ':';
}

/* IPv6 has "::" or seven colons; a MAC address has six pairs. Times have neither. */
static size_t colon_address(struct str s, size_t i)
{
	size_t n = run_of(s, i, is_hex_or_colon), colons = 0, pairs = 0;
	bool twice = false;

	while (n > 0 && s.p[i + n - 1] == ':' && !(n > 1 && s.p[i + n - 2] == ':'))
		n--; /* of the sentence */
	for (size_t k = 0; k < n; k++) {
		colons += s.p[i + k] == ':';
		twice = twice || (s.p[i + k] == ':' && k > 0 && s.p[i + k - 1] == ':');
		pairs += s.p[i + k] == ':' && k % 3 == 2;
	}
	if (is_word(at(s, i + n)) || n < 3)
		return 0;
	if (twice && colons <= 7 && at(s, i + n) != '.') /* ::ffff:1.2.3.4 is left to the merge */
		return n;
	return colons == 7 || (colons == 5 && pairs == 5 && n == 17) ? n : 0;
}

static size_t hex(struct str s, size_t i)
{
	bool prefix = at(s, i) == '0' && (at(s, i + 1) == 'x' || at(s, i + 1) == 'X');
	size_t from = prefix ? i + 2 : i, n = run_of(s, from, is_hex), digits = 0;

	for (size_t k = 0; k < n; k++)
		digits += is_digit(s.p[from + k]);
	if (n == 0 || is_word(at(s, from + n)))
		return 0;
	if (!prefix && (n < 8 || digits == 0 || digits == n))
		return 0;
	return from + n - i;
}

static bool unit_follows(struct str s, size_t i)
{
	static const char *const units[] = {"ms", "us", "ns", "s", "m", "h", "d", "b", "B", "k",
		"K", "M", "G", "T", "kB", "KB", "MB", "GB", "TB", "kb", "KiB", "MiB", "GiB", "TiB",
		"C", "W", "V", "x"};
	struct str unit = {s.p + i, run_of(s, i, is_letter)};

	if (is_word(at(s, i + unit.n)))
		return false;
	for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++)
		if (str_is(unit, units[k]))
			return true;
	return false;
}

static size_t number(struct str s, size_t i)
{
	size_t sign = at(s, i) == '-' || at(s, i) == '+', n = run_of(s, i + sign, is_digit);

	if (n == 0 || (is_word(at(s, i + sign + n)) && !unit_follows(s, i + sign + n)))
		return 0;
	return sign + n;
}

static bool is_in_path(char c)
{
	return !is_blank(c) && (unsigned char)c >= ' ' && !strchr("\"'<>|;,)]}", c);
}

static size_t path(struct str s, size_t i)
{
	char next = at(s, i + 1);
	size_t n;

	if (s.p[i] != '/' || !(is_word(next) || next == '.') ||
		(i > 0 && !strchr("=\"'([{<,:", s.p[i - 1])))
		return 0;
	n = run_of(s, i, is_in_path);
	while (n > 2 && strchr(":.", s.p[i + n - 1]))
		n--; /* of the sentence */
	return n;
}

/* A token of its own, or what a date begins with. */
static size_t day(struct str s, size_t i)
{
	static const char names[] =
		" Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
	char padded[] = {' ', at(s, i), at(s, i + 1), at(s, i + 2), ' ', '\0'};
	size_t next = i + 3 + (at(s, i + 3) == ',' || at(s, i + 3) == '/' || at(s, i + 3) == '-');

	if (is_word(at(s, i + 3)) || i + 3 > s.n || !strstr(names, padded))
		return 0;
	return next < s.n ? 3 * is_digit(s.p[next]) : 3;
}

/* ---- tokens ---- */

static char mark_at(struct str s, size_t i, size_t *n)
{
	if ((*n = path(s, i)))
		return DRAIN_PATH;
	if (i > 0 && is_word(s.p[i - 1]))
		return '\0';
	if ((*n = day(s, i)))
		return DRAIN_DAY;
	if ((*n = uuid(s, i)))
		return DRAIN_UUID;
	if ((*n = ipv4(s, i)) || (*n = colon_address(s, i)))
		return DRAIN_ADDRESS;
	if ((*n = hex(s, i)))
		return DRAIN_HEX;
	if ((*n = number(s, i)))
		return DRAIN_NUMBER;
	return '\0';
}

/* U+0080 to U+009F, the separators and the byte order mark: nobody would see them in a pattern. */
static bool is_unseen(struct str s, size_t i)
{
	unsigned char a = (unsigned char)s.p[i], b = (unsigned char)at(s, i + 1),
		      c = (unsigned char)at(s, i + 2);

	return (a == 0xc2 && b < 0xa1) ||
	       (a == 0xe2 && b == 0x80 && (c < 0x90 || (c >= 0xa8 && c <= 0xaf))) ||
	       (a == 0xef && ((b == 0xbb && c == 0xbf) || (b == 0xbf && c >= 0xbe)));
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f || is_unseen(s, i))
			return false;
	return utf8_valid(s) == s.n;
}

static struct str masked(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	struct str out = {p, 0};

	if (!p)
		return STR("\x01");
	for (size_t i = 0, n; i < s.n; i += n) {
		char mark = mark_at(s, i, &n);

		p[out.n++] = mark ? mark : s.p[i];
		if (!mark)
			n = 1;
	}
	return out;
}

/* Is what stands between two tokens more than, or another blank than, one space? */
static bool is_wide(struct str message, size_t from, size_t to, bool first)
{
	return first ? to > from : to - from != 1 || message.p[from] != ' ';
}

void drain_tokens(struct arena *a, struct str message, bool marks, struct drain_tokens *out)
{
	size_t end = message.n < DRAIN_BYTES ? message.n : DRAIN_BYTES;

	out->n = 0;
	out->trailing = false;
	out->cut = message.n > end;
	for (size_t i = 0, from, before; i < end;) {
		before = i;
		while (i < end && is_blank(message.p[i]))
			i++;
		from = i;
		while (i < end && !is_blank(message.p[i]))
			i++;
		if (i == from) {
			out->trailing = true;
			break;
		}
		if (out->n == DRAIN_TOKENS || (i == end && out->cut && !is_blank(message.p[i]))) {
			out->cut = true; /* half a token is none */
			break;
		}
		struct str token = {message.p + from, i - from};
		out->wide[out->n] = is_wide(message, before, from, out->n == 0);
		out->v[out->n++] = !marks	     ? token
				   : is_plain(token) ? masked(a, token)
						     : STR("\x01");
	}
}

/* ---- merging ---- */

/* Where what is common may end: behind a mark or one of these, before what differs. */
static bool opens(char c)
{
	return drain_is_mark(c) || (c && strchr("=:([{<\"'/,;@|#&?-", c));
}

static bool closes(char c)
{
	return drain_is_mark(c) || (c && strchr(")]}>\"',;:/@|#&?.", c));
}

static size_t common_start(struct str x, struct str y)
{
	size_t n = 0;

	while (n < x.n && n < y.n && x.p[n] == y.p[n] && x.p[n] != DRAIN_ANY &&
		x.p[n] != DRAIN_MAYBE)
		n++;
	while (n > 0 && !opens(x.p[n - 1]))
		n--;
	return n;
}

static size_t common_end(struct str x, struct str y, size_t most)
{
	size_t n = 0;

	while (n < most && x.p[x.n - 1 - n] == y.p[y.n - 1 - n] && x.p[x.n - 1 - n] != DRAIN_ANY &&
		x.p[x.n - 1 - n] != DRAIN_MAYBE)
		n++;
	while (n > 0 && !closes(x.p[x.n - n]))
		n--;
	return n;
}

struct str drain_merge(struct arena *a, struct str x, struct str y)
{
	size_t least = x.n < y.n ? x.n : y.n, start, end;
	bool maybe;
	char *p;

	if (str_eq(x, y))
		return x;
	start = common_start(x, y);
	end = common_end(x, y, least - start);
	maybe = x.n == start + end || y.n == start + end ||
		memchr(x.p + start, DRAIN_MAYBE, x.n - start - end) ||
		memchr(y.p + start, DRAIN_MAYBE, y.n - start - end);
	p = arena_alloc(a, start + end + 1);
	if (!p)
		return STR("\x01");
	memcpy(p, x.p, start);
	p[start] = maybe && start + end > 0 ? DRAIN_MAYBE : DRAIN_ANY;
	memcpy(p + start + 1, x.p + x.n - end, end);
	return (struct str){p, start + end + 1};
}
