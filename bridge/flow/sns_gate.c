/* sns_gate.c: who of those that say they are SNS may send.
 *
 * The order is what keeps it safe: the topic must be one that the configuration names and the
 * message of now, before its URL is looked at; the URL must be SNS's and of that topic's region,
 * before anything is asked there; and a subscription is confirmed after the signature was found
 * good, by a URL that is signed.
 *
 * A key is got once, however many messages wait for it. What could not be had is remembered for a
 * while, so that a stranger who knows a topic's name cannot have the bridge ask on and on; and
 * where there is no room, such go first, so that he cannot drive out good keys either.
 */
#include "flow/sns_gate.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

struct check {
	struct check *next; /* of those that wait for the same key */
	struct sns_gate *gate;
	struct sns_signed m;
	int64_t now_ms;
	sns_gate_cb done;
	void *ctx;
};

struct entry {
	struct sns_gate *gate;
	char *url;	     /* NULL: free */
	struct sns_key *key; /* NULL: it is being got, or could not be had */
	bool busy;	     /* it is being got */
	bool held;	     /* it may not go */
	struct err failed;
	int64_t until_ms, used_ms; /* loop time */
	struct check *waiting;
};

struct sns_gate {
	uv_loop_t *loop;
	struct fetch *fetch;
	struct entry entries[SNS_GATE_KEYS];
	size_t waiting;
	char confirmed[SNS_GATE_CONFIRMED][HASH_SHA256_HEX];
	size_t confirmed_next;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static int64_t loop_ms(const struct sns_gate *g)
{
	return (int64_t)uv_now(g->loop);
}

/* ---- the end of a check ---- */

static void end(struct check *c, enum sns_verdict v, const struct err *e)
{
	c->done(c->ctx, v, e);
	free(c);
}

static void token_hash(const struct check *c, char out[HASH_SHA256_HEX])
{
	hash_sha256_hex(c->m.subscribe_url, out);
}

static void on_confirmed(void *ctx, const struct err *e, struct str body)
{
	struct check *c = ctx;
	struct sns_gate *g = c->gate;

	(void)body;
	if (e) {
		end(c, SNS_UNKNOWN, e);
		return;
	}
	token_hash(c, g->confirmed[g->confirmed_next]);
	g->confirmed_next = (g->confirmed_next + 1) % SNS_GATE_CONFIRMED;
	end(c, SNS_CONFIRMED, NULL);
}

static bool is_confirmed(const struct check *c)
{
	char hash[HASH_SHA256_HEX];

	token_hash(c, hash);
	for (size_t i = 0; i < SNS_GATE_CONFIRMED; i++) {
		if (strcmp(c->gate->confirmed[i], hash) == 0)
			return true;
	}
	return false;
}

static void confirm(struct check *c)
{
	struct err e = {0};

	if (sns_url_check(c->m.subscribe_url, SNS_URL_SUBSCRIBE, &e) < 0)
		end(c, SNS_REFUSED, &e);
	else if (is_confirmed(c))
		end(c, SNS_PASSED, NULL);
	else if (fetch_get(c->gate->fetch, c->m.subscribe_url, on_confirmed, c, &e) < 0)
		end(c, SNS_UNKNOWN, &e);
}

static void judge(struct check *c, const struct sns_key *key)
{
	struct err e = {0};

	if (sns_verify(&c->m, key, &e) < 0)
		end(c, e.code == ERR_INPUT ? SNS_REFUSED : SNS_UNKNOWN, &e);
	else if (c->m.type == SNS_SUBSCRIPTION)
		confirm(c);
	else
		end(c, SNS_PASSED, NULL);
}

/* ---- keys ---- */

static void forget(struct entry *x)
{
	struct sns_gate *g = x->gate;

	sns_key_free(x->key);
	free(x->url);
	*x = (struct entry){.gate = g};
}

/* Room for one: a free place, else of what could not be had, else of the keys the one not used for
 * longest. No key goes while another is being got, which may be none: who asks for many at once
 * has the places that are left, and no more. */
static struct entry *make_room(struct sns_gate *g)
{
	struct entry *best = NULL;
	bool getting = false;

	for (size_t i = 0; i < SNS_GATE_KEYS; i++) {
		struct entry *x = &g->entries[i];

		if (!x->url)
			return x;
		getting = getting || x->busy;
		if (x->busy || x->held)
			continue;
		if (!best || (best->key && !x->key) ||
			(!best->key == !x->key && x->used_ms < best->used_ms))
			best = x;
	}
	if (best && best->key && getting)
		return NULL;
	if (best)
		forget(best);
	return best;
}

static void on_key(void *ctx, const struct err *e, struct str pem)
{
	struct entry *x = ctx;
	struct sns_gate *g = x->gate;
	struct check *c = x->waiting, *next;

	x->busy = false;
	x->waiting = NULL;
	x->failed = e ? *e : (struct err){0};
	x->key = e ? NULL : sns_key_new(pem, c->now_ms, &x->failed);
	x->until_ms = loop_ms(g) + (x->key ? SNS_GATE_KEEP_MS : SNS_GATE_FAILED_MS);
	/* A check that ends may begin another one, which must not take this place away. */
	x->held = true;
	for (; c; c = next) {
		next = c->next;
		g->waiting--;
		if (x->key)
			judge(c, x->key);
		else
			end(c, SNS_UNKNOWN, &x->failed);
	}
	x->held = false;
}

static void wait_for(struct entry *x, struct check *c)
{
	struct check **at = &x->waiting;
	struct err e;

	if (x->gate->waiting >= SNS_GATE_WAITING) {
		err_set(&e, ERR_FULL, "%d messages wait for certificates already; send this again",
			SNS_GATE_WAITING);
		end(c, SNS_UNKNOWN, &e);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = c;
	x->gate->waiting++;
}

static void get_key(struct entry *x, struct check *c)
{
	struct sns_gate *g = c->gate;
	struct err e = {0};

	x->url = strndup(c->m.cert_url.p, c->m.cert_url.n);
	if (!x->url)
		err_set(&e, ERR_NOMEM, "no memory for a certificate");
	if (!x->url || fetch_get(g->fetch, c->m.cert_url, on_key, x, &e) < 0) {
		forget(x);
		end(c, SNS_UNKNOWN, &e);
		return;
	}
	x->busy = true;
	x->used_ms = loop_ms(g);
	wait_for(x, c);
}

static struct entry *find(struct sns_gate *g, const struct check *c)
{
	for (size_t i = 0; i < SNS_GATE_KEYS; i++) {
		struct entry *x = &g->entries[i];

		if (!x->url || !str_is(c->m.cert_url, x->url))
			continue;
		if (x->busy || x->held ||
			(loop_ms(g) < x->until_ms &&
				(!x->key || c->now_ms <= sns_key_ends_ms(x->key))))
			return x;
		forget(x);
		return NULL;
	}
	return NULL;
}

static void find_key(struct check *c)
{
	struct sns_gate *g = c->gate;
	struct entry *x = find(g, c);
	struct err e;

	if (x && x->key) {
		x->used_ms = loop_ms(g);
		judge(c, x->key);
	} else if (x && x->busy) {
		wait_for(x, c);
	} else if (x) {
		e = x->failed;
		end(c, SNS_UNKNOWN, &e);
	} else if ((x = make_room(g))) {
		get_key(x, c);
	} else {
		err_set(&e, ERR_FULL, "%d certificates are being got already; send this again",
			SNS_GATE_KEYS);
		end(c, SNS_UNKNOWN, &e);
	}
}

/* ---- the check ---- */

static int check_topic(const struct sns_signed *m, const struct conf_list *topics, struct err *e)
{
	for (size_t i = 0; i < topics->n; i++) {
		if (str_eq(topics->v[i].text, m->topic_arn))
			return 0;
	}
	return err_set(e, ERR_INPUT,
		"the topic '%.*s' may not send here; add it to topic_arns of this source if it "
		"shall",
		(int)(m->topic_arn.n < 200 ? m->topic_arn.n : 200), m->topic_arn.p);
}

/* arn:aws:sns:REGION:…, and https://sns.REGION.amazonaws.com/…: nobody else's host is asked. */
static int check_region(const struct sns_signed *m, struct err *e)
{
	struct str arn = m->topic_arn, url = m->cert_url;
	size_t at = sizeof("https://sns.") - 1;
	const char *end_of_region;

	for (int colons = 0; colons < 3 && arn.n; arn.p++, arn.n--)
		colons += *arn.p == ':';
	end_of_region = arn.n ? memchr(arn.p, ':', arn.n) : NULL;
	size_t n = end_of_region ? (size_t)(end_of_region - arn.p) : 0;
	if (n > 0 && url.n > at + n && memcmp(url.p + at, arn.p, n) == 0 && url.p[at + n] == '.')
		return 0;
	return err_set(e, ERR_INPUT,
		"SigningCertURL: its host is not that of the region of the topic '%.*s'",
		(int)(m->topic_arn.n < 200 ? m->topic_arn.n : 200), m->topic_arn.p);
}

static int check_all(
	const struct json *body, const struct conf_list *topics, struct check *c, struct err *e)
{
	if (!body)
		return err_set(e, ERR_INPUT,
			"raw message delivery is not signed; turn it off for this subscription");
	if (sns_signed_read(body, &c->m, e) < 0 || check_topic(&c->m, topics, e) < 0 ||
		sns_check_age(&c->m, c->now_ms, e) < 0 ||
		sns_url_check(c->m.cert_url, SNS_URL_CERT, e) < 0)
		return -1;
	return check_region(&c->m, e);
}

void sns_gate_check(struct sns_gate *g, const struct json *body, const struct conf_list *topics,
	int64_t now_ms, sns_gate_cb done, void *ctx)
{
	struct check *c = calloc(1, sizeof(*c));
	struct err e = {0};

	if (!c) {
		err_set(&e, ERR_NOMEM, "no memory to check a signature");
		done(ctx, SNS_UNKNOWN, &e);
		return;
	}
	*c = (struct check){.gate = g, .now_ms = now_ms, .done = done, .ctx = ctx};
	if (check_all(body, topics, c, &e) < 0)
		end(c, SNS_REFUSED, &e);
	else
		find_key(c);
}

/* ---- life ---- */

struct sns_gate *sns_gate_new(const struct fetch_options *o, struct err *e)
{
	struct sns_gate *g = calloc(1, sizeof(*g));

	if (!g) {
		err_set(e, ERR_NOMEM, "no memory to check signatures");
		return NULL;
	}
	g->loop = o->loop;
	for (size_t i = 0; i < SNS_GATE_KEYS; i++)
		g->entries[i].gate = g;
	g->fetch = fetch_new(o, e);
	if (g->fetch)
		return g;
	free(g);
	return NULL;
}

static void on_closed(void *ctx)
{
	struct sns_gate *g = ctx;

	for (size_t i = 0; i < SNS_GATE_KEYS; i++)
		forget(&g->entries[i]);
	if (g->closed)
		g->closed(g->closed_ctx);
	free(g);
}

void sns_gate_close(struct sns_gate *g, void (*closed)(void *ctx), void *ctx)
{
	g->closed = closed;
	g->closed_ctx = ctx;
	fetch_close(g->fetch, on_closed, g);
}
