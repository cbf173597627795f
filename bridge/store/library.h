/* library.h: the folder library/ as part of the program; library_lua.c is made from it by the Makefile. */
#ifndef RB_STORE_LIBRARY_H
#define RB_STORE_LIBRARY_H

extern const char store_library[];	/* the whole text, NUL-terminated */

#endif
