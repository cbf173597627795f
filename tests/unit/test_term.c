/* test_term.c: no byte of others reaches a terminal raw, and tables fit. */
#include "cli/table.h"
#include "cli/term.h"
#include "unit.h"

static struct buf out;

static int set_up(void **state)
{
	struct term t;

	(void)state;
	term_init(&t);	/* sets the locale that widths need */
	buf_init(&out, BUF_NO_LIMIT);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_release(&out);
	return 0;
}

static void escapes(const char *from, size_t n, const char *want)
{
	buf_clear(&out);
	term_escape(&out, (struct str){from, n});
	assert_str(buf_as_str(&out), want);
}

#define ESCAPES(literal, want) escapes(literal, sizeof(literal) - 1, want)

static void test_text_passes(void **state)
{
	(void)state;
	ESCAPES("plain text, \"quotes\" and \\d+", "plain text, \"quotes\" and \\d+");
	ESCAPES("Grüße 日本語 🔥", "Grüße 日本語 🔥");
}

static void test_controls_are_escaped(void **state)
{
	(void)state;
	ESCAPES("\x1b[31mred", "\\x1b[31mred");
	ESCAPES("\x1b]0;title\x07", "\\x1b]0;title\\x07");
	ESCAPES("a\nb\tc\rd", "a\\nb\\tc\\rd");
	ESCAPES("nul\0!", "nul\\x00!");
	ESCAPES("del\x7f", "del\\x7f");
	ESCAPES("csi\xc2\x9b" "31m", "csi\\u009b31m");
}

static void test_invalid_bytes_are_escaped(void **state)
{
	(void)state;
	ESCAPES("\x9b" "31m", "\\x9b31m");
	ESCAPES("\xc3", "\\xc3");
	ESCAPES("\xe2\x82", "\\xe2\\x82");
	ESCAPES("\xed\xa0\x80", "\\xed\\xa0\\x80");
	ESCAPES("\xc0\x9b", "\\xc0\\x9b");
}

static void test_reordering_is_escaped(void **state)
{
	(void)state;
	ESCAPES("rm \u202egnp.exe", "rm \\u202egnp.exe");
	ESCAPES("a\u2066b\u200bc\ufeff", "a\\u2066b\\u200bc\\ufeff");
	ESCAPES("tag\U000e0041", "tag\\U000e0041");
}

static void test_every_byte_is_safe(void **state)
{
	char pair[2];

	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			pair[0] = (char)a;
			pair[1] = (char)b;
			buf_clear(&out);
			term_escape(&out, (struct str){pair, 2});
			for (size_t i = 0; i < out.n; i++) {
				unsigned char c = (unsigned char)out.p[i];

				assert_true(c >= 0x20 && c != 0x7f);
				/* No C1 control either: U+0080 to U+009F are C2 80 to C2 9F. */
				if (c == 0xc2)
					assert_true((unsigned char)out.p[i + 1] >= 0xa0);
			}
		}
	}
}

static void test_lines_keep_newline_and_tab(void **state)
{
	(void)state;
	term_escape_lines(&out, STR("a\tb\r\nc\rd\x1b\n"));
	assert_str(buf_as_str(&out), "a\tb\nc\\rd\\x1b\n");
}

/* However a text is cut in two, the pieces give what the whole gives. */
static void test_pieces_join(void **state)
{
	static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x94\xa5\r\nb\xe2\x82" "c\xff\r\n";
	struct str whole = {text, sizeof(text) - 1};
	struct buf want;

	(void)state;
	buf_init(&want, BUF_NO_LIMIT);
	term_escape_lines(&want, whole);
	for (size_t cut = 0; cut <= whole.n; cut++) {
		size_t wait = term_incomplete((struct str){whole.p, cut});

		assert_in_range(wait, 0, 3);
		buf_clear(&out);
		term_escape_lines(&out, (struct str){whole.p, cut - wait});
		term_escape_lines(&out, (struct str){whole.p + cut - wait, whole.n - cut + wait});
		assert_str(buf_as_str(&out), want.p);
	}
	buf_release(&want);
}

static void test_width(void **state)
{
	int took;

	(void)state;
	assert_int_equal(term_width(STR("abc")), 3);
	assert_int_equal(term_width(STR("Grüße")), 5);
	assert_int_equal(term_width(STR("日本")), 4);
	assert_int_equal(term_width(STR("e\u0301")), 1);
	assert_str(term_fit(STR("日本語"), 5, &took), "日本");
	assert_int_equal(took, 4);
}

/* ---- tables ---- */

static const struct table_column columns[] = {
	{"ID", COLUMN_FIXED},
	{"N", COLUMN_NUMBER},
	{"TITLE", COLUMN_FLEXIBLE},
	{"END", COLUMN_EXTRA},
};

static void fill(struct table *t, struct arena *a)
{
	table_init(t, a, columns, 4);
	table_cellz(t, STYLE_PLAIN, "a1");
	table_cellz(t, STYLE_PLAIN, "7");
	table_cellz(t, STYLE_RED, "a title that is rather long");
	table_cellz(t, STYLE_PLAIN, "x");
	table_cellz(t, STYLE_PLAIN, "b22");
	table_cellz(t, STYLE_PLAIN, "128");
	table_cellz(t, STYLE_PLAIN, "日本語の題名です。とても長い");
	table_cellz(t, STYLE_PLAIN, "");
}

static void prints(const struct term *term, const char *want)
{
	struct arena a;
	struct table t;

	arena_init(&a, 1 << 20);
	fill(&t, &a);
	buf_clear(&out);
	table_print(&t, term, &out);
	assert_str(buf_as_str(&out), want);
	arena_release(&a);
}

static void test_table_without_terminal_is_whole(void **state)
{
	(void)state;
	prints(&(struct term){0},
		"ID     N  TITLE                         END\n"
		"a1     7  a title that is rather long   x\n"
		"b22  128  日本語の題名です。とても長い\n");
}

static void test_table_fits_terminal(void **state)
{
	(void)state;
	prints(&(struct term){.is_terminal = true, .width = 30},
		"ID     N  TITLE\n"
		"a1     7  a title that is rat…\n"
		"b22  128  日本語の題名です。…\n");
}

static void test_table_never_wraps(void **state)
{
	(void)state;
	for (int width = 1; width < 50; width++) {
		struct term term = {.is_terminal = true, .width = width};
		struct arena a;
		struct table t;
		struct str rest;

		arena_init(&a, 1 << 20);
		fill(&t, &a);
		buf_clear(&out);
		table_print(&t, &term, &out);
		rest = buf_as_str(&out);
		for (int line = 0; line < 3; line++) {
			const char *end = memchr(rest.p, '\n', rest.n);

			assert_non_null(end);
			assert_in_range(term_width((struct str){rest.p, (size_t)(end - rest.p)}), 0, width);
			rest = (struct str){end + 1, rest.n - (size_t)(end + 1 - rest.p)};
		}
		arena_release(&a);
	}
}

static void test_table_escapes_cells(void **state)
{
	static const struct table_column one[] = {{NULL, COLUMN_FLEXIBLE}};
	struct term term = {.is_terminal = true, .colour = true, .width = 80};
	struct arena a;
	struct table t;

	(void)state;
	arena_init(&a, 1 << 20);
	table_init(&t, &a, one, 1);
	table_cellz(&t, STYLE_RED, "\x1b[2J\n");
	table_print(&t, &term, &out);
	assert_str(buf_as_str(&out), "\x1b[31m\\x1b[2J\\n\x1b[0m\n");
	arena_release(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

TESTS_MAIN(TEST(test_text_passes), TEST(test_controls_are_escaped), TEST(test_invalid_bytes_are_escaped),
	TEST(test_reordering_is_escaped), TEST(test_every_byte_is_safe), TEST(test_lines_keep_newline_and_tab),
	TEST(test_pieces_join), TEST(test_width), TEST(test_table_without_terminal_is_whole),
	TEST(test_table_fits_terminal), TEST(test_table_never_wraps), TEST(test_table_escapes_cells))
