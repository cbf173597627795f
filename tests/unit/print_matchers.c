/* Reads matcher texts from standard input, each ended by a NUL, and prints a line for each: which of Alertmanager's two
 * syntaxes takes it, and as what, written as amtool writes it; or "refused". For tests/integration/test_matchers.py,
 * which holds the lines against amtool's.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "rule/matcher_impl.h"

static void print_value(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] == '\n')
			fputs("\\n", stdout);
		else if (v.p[i] == '"' || v.p[i] == '\\')
			printf("\\%c", v.p[i]);
		else
			putchar(v.p[i]);
}

static void print_one(struct str text)
{
	struct arena a;
	struct matchers m;
	struct raw_list raw;
	struct err e;

	arena_init(&a, 16 << 20);
	if (matchers_parse(&a, text, &m, &e) < 0) {
		puts("refused");
	} else {
		fputs(matcher_read_classic(text, &a, &raw, &e) == 0 ? "classic {" : "utf8 {", stdout);
		for (size_t i = 0; i < m.n; i++) {
			struct str op = matcher_op_text(m.v[i].op);
			printf("%s%.*s%.*s\"", i ? "," : "", STR_ARG(m.v[i].field.name), STR_ARG(op));
			print_value(m.v[i].value);
			putchar('"');
		}
		puts("}");
		matchers_release(&m);
	}
	arena_release(&a);
}

int main(void)
{
	struct buf b;
	int c;

	buf_init(&b, BUF_NO_LIMIT);
	while ((c = getchar()) != EOF)
		if (c == '\0') {
			print_one(buf_as_str(&b));
			buf_clear(&b);
		} else {
			buf_putc(&b, (char)c);
		}
	buf_release(&b);
	return 0;
}
