/* exit.h: how the programs end, for those who start them (docs/operations.md). 0 is good: stopped by a signal, or asked. */
#ifndef RB_BASE_EXIT_H
#define RB_BASE_EXIT_H

enum {
	EXIT_SYSTEM = 1,	/* the system said no */
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,	/* bad configuration: starting again does not help */
	EXIT_NEWER = 4,		/* Redis holds data of a newer version: neither */
};

#endif
