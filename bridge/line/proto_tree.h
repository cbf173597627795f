/* proto_tree.h: a message of Protocol Buffers as the JSON tree that its JSON mapping has, so that
 * what reads the one reads the other. */
#ifndef RB_LINE_PROTO_TREE_H
#define RB_LINE_PROTO_TREE_H

#include "base/json.h"
#include "line/proto.h"

#define PROTO_TREE_DEPTH 32 /* messages in one another */
#define PROTO_SHAPE_FIELDS 16

enum proto_type {
	PROTO_TEXT,
	PROTO_HEX,  /* bytes, as hexadecimal digits */
	PROTO_INT,  /* int32, int64, enum */
	PROTO_UINT, /* fixed64, fixed32, uint64 */
	PROTO_BOOL,
	PROTO_DOUBLE,
	PROTO_MESSAGE,
};

struct proto_shape {
	struct proto_shape_field {
		uint32_t number; /* 0: the end */
		const char *name;
		enum proto_type type;
		bool many; /* an array */
		const struct proto_shape *message;
	} fields[PROTO_SHAPE_FIELDS];
};

/* In a; NULL with e: broken, nested too deep, or a is full. Texts point into the message. */
struct json *proto_tree(
	struct arena *a, const struct proto_shape *shape, struct proto p, struct err *e);

#endif
