/* Any bytes as CloudEvents: structured, batched, by hand, and binary with the first line of them in its headers. */
#include "fuzz_source.h"

struct headers {
	const char *type;
	struct str value; /* of every attribute */
};

static struct str header(void *ctx, const char *name)
{
	const struct headers *h = ctx;

	return strcmp(name, "Content-Type") == 0 ? str_of(h->type) : STR_NONE;
}

static struct str header_binary(void *ctx, const char *name)
{
	return strcmp(name, "ce-specversion") == 0 ? STR("1.0") : header(ctx, name);
}

static void headers(void *ctx, void (*take)(void *arg, struct str name, struct str value), void *arg)
{
	const struct headers *h = ctx;

	take(arg, STR("CE-specversion"), STR("1.0"));
	take(arg, STR("ce-id"), h->value);
	take(arg, STR("ce-type"), h->value);
	take(arg, STR("ce-source"), h->value);
	take(arg, STR("ce-extension1"), h->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"application/cloudevents+json", "application/cloudevents-batch+json", "application/json"};
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - data) : 0;
	struct headers h = {"text/plain", {(const char *)data, n}};
	struct source_request rq = {.source = STR("cloudevents"), .header = header_binary, .headers = headers, .ctx = &h};

	fuzz_source("cloudevents", NULL, NULL, data, size);
	fuzz_request(rq, data + n, size - n);
	h.type = "application/json";
	fuzz_request(rq, data + n, size - n);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		h.type = types[i];
		fuzz_source("cloudevents", header, &h, data, size);
	}
	return 0;
}
