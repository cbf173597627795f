/* library.h: the folder library/ in the program; the Makefile makes library_lua.c of it. */
#ifndef RB_STORE_LIBRARY_H
#define RB_STORE_LIBRARY_H

extern const char store_library[];	/* the whole text, NUL-terminated */

#endif
