/* print_config.c: writes the table of runbookd.yml's keys, for runbookd.yml(5).
 *
 * Runs once, while the manual page is made: so the page has the keys that the parser has. Not installed.
 */
#include <stdio.h>
#include "base/buf.h"
#include "conf/conf.h"

int main(void)
{
	struct buf b;
	int bad;

	buf_init(&b, BUF_NO_LIMIT);
	conf_print_man(&b);
	bad = buf_failed(&b) || fwrite(b.p, 1, b.n, stdout) != b.n || fflush(stdout) != 0;
	buf_release(&b);
	return bad;
}
