/* json_impl.h: the reader inside, for json.c and json_items.c. Not for others. */
#ifndef RB_BASE_JSON_IMPL_H
#define RB_BASE_JSON_IMPL_H

#include <yajl/yajl_parse.h>
#include "base/json.h"

struct json_frame {
	struct json *container;
	struct json *tail;
	uint64_t seen; /* one bit a key: filter for doubled ones */
	bool doubled;  /* perhaps */
};

struct json_reader {
	struct arena *arena;
	yajl_handle yajl;
	struct json *root;
	struct str key; /* of the member whose value comes next */
	size_t nodes;
	size_t nodes_max;
	unsigned depth;
	unsigned depth_max;
	size_t base;  /* bytes of the pieces before this one */
	bool started; /* something but white space came */
	bool dead;
	struct err err; /* set by a callback that stopped the parser */
	struct json_frame frames[JSON_DEPTH_LIMIT + 1];
};

/* Puts values into the tree; the context is the reader. */
extern const yajl_callbacks json_tree_callbacks;

/* False: no memory. ctx is what the callbacks get. */
bool json_reader_init(struct json_reader *r, struct arena *a, const struct json_limits *limits,
	const yajl_callbacks *callbacks, void *ctx);
/* The byte behind the token that was read last. */
size_t json_reader_where(const struct json_reader *r);
/* For a callback: stops the parser. Returns 0. */
int json_reader_stop(struct json_reader *r, enum err_code code, const char *text);
/* What yajl said, in e; -1. */
int json_reader_fail(struct json_reader *r, yajl_status status, struct err *e);

#endif
