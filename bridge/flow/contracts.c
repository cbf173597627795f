/* contracts.c: which contract an event has to keep to.
 *
 * Owns the table from types to contracts, sorted. An event whose type has none is free.
 */
#include "flow/contracts.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "contract/contract.h"

struct entry {
	char *type;
	struct contract *contract;
};

struct contracts {
	struct entry *v;
	size_t n;
	char hash[HASH_SHA256_HEX];
};

static int by_type(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->type, ((const struct entry *)b)->type);
}

static int find_type(const void *key, const void *of)
{
	return str_cmp(*(const struct str *)key, str_of(((const struct entry *)of)->type));
}

/* The type that a path stands for; NULL with a finding. */
static char *type_of(const char *path, struct diags *d)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name), end = strlen(CONTRACTS_END);

	if (n > end && strcmp(name + n - end, CONTRACTS_END) == 0)
		return strndup(name, n - end);
	diag_add(d, DIAG_ERROR, path, 0, 0,
		"is named by 'contracts' and is no contract: call it TYPE" CONTRACTS_END
		", after the type of event that it is for");
	return NULL;
}

static void add(struct contracts *c, const struct contract_file *f, struct diags *d)
{
	char *type = type_of(f->name, d);
	struct contract *contract = type ? contract_parse(f->bytes, f->name, d) : NULL;

	if (!contract) {
		free(type);
		return;
	}
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->v[i].type, type) == 0)
			diag_add(d, DIAG_ERROR, f->name, 0, 0,
				"there is another contract of '%s'; keep one of them", type);
	}
	c->v[c->n++] = (struct entry){type, contract};
}

/* Files come in the order of their paths. */
static bool hash_files(struct contracts *c, const struct contract_file *files, size_t n)
{
	struct buf all;

	buf_init(&all, BUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&all, "%s %zu\n", files[i].name, files[i].bytes.n);
		buf_str(&all, files[i].bytes);
	}
	hash_sha256_hex(buf_as_str(&all), c->hash);
	bool good = !buf_failed(&all);
	buf_release(&all);
	return good;
}

struct contracts *contracts_new(const struct contract_file *files, size_t n, struct diags *d)
{
	struct contracts *c = calloc(1, sizeof(*c));
	size_t errors = d->errors;

	if (n > CONTRACTS_MAX)
		diag_add(d, DIAG_ERROR, files[CONTRACTS_MAX].name, 0, 0,
			"there are %zu contracts, at most %d are read", n, CONTRACTS_MAX);
	if (c)
		c->v = calloc(n ? n : 1, sizeof(*c->v));
	if (!c || !c->v || !hash_files(c, files, n))
		diag_add(d, DIAG_ERROR, n ? files[0].name : "", 0, 0, "no memory");
	for (size_t i = 0; i < n && d->errors < errors + DIAGS_MAX && c && c->v; i++)
		add(c, &files[i], d);
	if (d->errors > errors) {
		contracts_free(c);
		return NULL;
	}
	qsort(c->v, c->n, sizeof(*c->v), by_type);
	return c;
}

void contracts_free(struct contracts *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].type);
		contract_free(c->v[i].contract);
	}
	free(c->v);
	free(c);
}

const char *contracts_hash(const struct contracts *c)
{
	return c->hash;
}

int contracts_check(const struct contracts *c, const struct event *ev, struct err *e)
{
	const struct entry *x =
		c && c->n ? bsearch(&ev->type, c->v, c->n, sizeof(*c->v), find_type) : NULL;
	struct err why = {0};

	if (!x || contract_check(x->contract, ev->data, &why) == 0)
		return 0;
	err_set(e, ERR_INPUT, "data breaks the contract of '%s': %s", x->type, why.text);
	e->offset = why.offset;
	return -1;
}
