/* gate.h: what gate.c and sender.c share: the two halves of "may this request have this route?". Not for others. */
#ifndef RB_HTTP_GATE_H
#define RB_HTTP_GATE_H

#include "auth/auth.h"
#include "http/request.h"

/* Is it a web page that asks? Then it is answered. by_place: it stands on nothing but being where it is. */
bool gate_from_page(struct request *r, bool by_place);
/* The token that it shows, which may send to `source`. False: it is answered. */
bool gate_token_may_send(struct request *r, struct str source);

/* May it send to a source with an auth of its own, as far as its headers tell? False: it is answered. */
bool sender_may(struct request *r, const struct source_auth *s, struct str source);

#endif
