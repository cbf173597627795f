/* auth.c: what a configuration says about who may ask and who may send, as one value with a count.
 *
 * Owns the life of a struct auth. Tokens stay where the configuration has them; secrets are read
 * here, at a load, and never again: a request stands on what was good when the load was. What is
 * wrong with them is found by --check and by a reload, and by no request.
 */
#include "auth/auth.h"

#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>
#include "auth/auth_impl.h"

static void no_memory(struct auth_load *l)
{
	diag_add(l->d, DIAG_ERROR, l->auth->conf->path.p, 0, 0, "no memory");
}

static void load_proxies(struct auth_load *l)
{
	const struct conf_list *list = &l->auth->conf->http.trusted_proxies;
	struct auth *a = l->auth;

	a->proxies = calloc(list->n ? list->n : 1, sizeof(*a->proxies));
	if (!a->proxies)
		no_memory(l);
	for (size_t i = 0; a->proxies && i < list->n; i++) {
		if (str_is(list->v[i].text, CONF_UNIX))
			a->unix_is_proxy = true;
		else
			a->proxies_n += cidr_parse(list->v[i].text, &a->proxies[a->proxies_n]);
	}
}

static void load_sources(struct auth_load *l)
{
	const struct conf *c = l->auth->conf;
	struct auth *a = l->auth;

	a->sources = calloc(c->sources_n ? c->sources_n : 1, sizeof(*a->sources));
	if (!a->sources)
		no_memory(l);
	for (size_t i = 0; a->sources && i < c->sources_n; i++) {
		if (!conf_has_auth(&c->sources[i].auth))
			continue;
		a->sources[a->sources_n].conf = &c->sources[i];
		source_auth_load(l, &a->sources[a->sources_n++]);
	}
}

struct auth *auth_new(const struct conf *c, struct diags *d)
{
	struct auth_load l = {.auth = calloc(1, sizeof(*l.auth)), .d = d};
	size_t errors = d->errors;

	if (!l.auth) {
		diag_add(d, DIAG_ERROR, c->path.p, 0, 0, "no memory");
		return NULL;
	}
	l.auth->refs = 1;
	l.auth->conf = c;
	sha256_init(&l.secrets);
	load_proxies(&l);
	load_sources(&l);
	sha256_digest(&l.secrets, sizeof(l.auth->secrets), l.auth->secrets);
	explicit_bzero(&l.secrets, sizeof(l.secrets));
	if (d->errors == errors)
		return l.auth;
	auth_unref(l.auth);
	return NULL;
}

struct auth *auth_ref(struct auth *a)
{
	a->refs++;
	return a;
}

void auth_unref(struct auth *a)
{
	if (!a || --a->refs)
		return;
	for (size_t i = 0; i < a->sources_n; i++)
		source_auth_release(&a->sources[i]);
	free(a->sources);
	free(a->proxies);
	explicit_bzero(a, sizeof(*a));
	free(a);
}

bool auth_shared(const struct auth *a)
{
	return a->refs > 1;
}

bool auth_same(const struct auth *a, const struct auth *b)
{
	return memeql_sec(a->secrets, b->secrets, sizeof(a->secrets));
}

bool auth_is_proxy(const struct auth *a, const unsigned char *address)
{
	return address ? cidr_any(a->proxies, a->proxies_n, address) : a->unix_is_proxy;
}

const struct source_auth *auth_source(const struct auth *a, struct str name)
{
	for (size_t i = 0; i < a->sources_n; i++) {
		if (str_eq(a->sources[i].conf->name, name))
			return &a->sources[i];
	}
	return NULL;
}
