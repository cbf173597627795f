/* syslog.h: what stands in front of a message of syslog, in the forms that are about.
 *
 *	<PRI>1 TIME HOST PROGRAM PID MSGID [DATA] MESSAGE	RFC 5424
 *	<PRI>Oct 11 22:14:15 HOST PROGRAM[PID]: MESSAGE		RFC 3164, and what devices make of
 *it <PRI>TIME HOST PROGRAM[PID]: MESSAGE			rsyslog's forward format
 *
 * The last two also without <PRI>: that is how files in /var/log look.
 */
#ifndef RB_LINE_SYSLOG_H
#define RB_LINE_SYSLOG_H

#include "line/maker.h"

/* Message, time and labels of one message, its line end cut off. What is no syslog is the message
 * as a whole. */
void syslog_read(struct line_maker *m, struct str text);

/* The header of a raw line split off, into *out: its labels are those of l and then those found,
 * where l has none of that name; the line's own time stays where it has one. Memory of a; now_ns as
 * in line_options. False: a is full, and *out is *l. */
bool line_split(struct arena *a, const struct line *l, int64_t now_ns, struct line *out);

#define SYSLOG_FRAME_LIMIT ((size_t)1 << 20) /* bytes of a message that is octet-counted */

/* A decoder of line_kind_syslog may live for months: what times without a year are near to from now
 * on. */
void line_syslog_now(struct line_decoder *d, int64_t now_ns);

#endif
