/* message.h: a sender's whole message, kept beside the events that were made of it.
 *
 * An event is one alert; what Alertmanager sent is a group of them. A runbook that needs the group (`compat:
 * am-executor`) finds it by the id in its event. Kept once however many events point at it, under the SHA-256 of its
 * text, so that a repetition costs nothing. Not through the function library: nothing is decided by it, and that Redis
 * drops it by its expiry only frees memory.
 */
#ifndef RB_STORE_MESSAGE_H
#define RB_STORE_MESSAGE_H

#include "store/store.h"

/* Keeps json under id for keep_ms from now on, also where it was kept before. cb without e: it is durable. */
int store_message_put(struct store *s, struct str id, struct str json, int64_t keep_ms, store_done_cb cb, void *ctx,
	struct err *e);
/* text: the JSON as it was put; ERR_NOT_FOUND. */
int store_message_get(struct store *s, struct str id, store_text_cb cb, void *ctx, struct err *e);

#endif
