/* shipper.c: from the path of a shipper's endpoint to the source whose lines it brings, and the
 * labels that are in the request's headers: the tenant that Loki's clients name, and what syslog-ng
 * says about a message that it sends alone. */
#include "http/shipper.h"

#include "http/handlers.h"
#include "http/state.h"

static const struct {
	const char *header, *label;
} known[] = {
	{"X-Scope-OrgID", "tenant"},
	{"X-Syslog-Host", "host"},
	{"X-Syslog-Program", "program"},
	{"X-Syslog-Facility", "facility"},
	{"X-Syslog-Level", "level"},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

/* NULL: it is answered. */
static const struct bound_source *find(struct request *r)
{
	struct str name = ingest_source(r);
	const struct bound_source *bound = sources_find(r->server->app.ic->sources, name);
	int n = (int)(name.n < 100 ? name.n : 100);

	if (!bound)
		request_problemf(r, MHD_HTTP_NOT_FOUND,
			"there is no source '%.*s'; add it under 'sources'", n, name.p);
	else if (!bound->kind->lines)
		request_problemf(r, MHD_HTTP_NOT_FOUND,
			"the source '%.*s' is of kind %s; only one of kind logs takes lines", n,
			name.p, bound->kind->name);
	else
		return bound;
	return NULL;
}

void shipper_begin_at(struct request *r, const struct bound_source *bound, struct logs_options *o,
	const struct line_label *more, size_t more_n)
{
	struct line_label *v;
	size_t n = 0;

	v = arena_array(&r->arena, KNOWN + more_n, sizeof(*v));
	if (!v) {
		request_problemf(r, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the request");
		return;
	}
	for (size_t i = 0; i < KNOWN; i++) {
		struct str value = request_header(r, known[i].header);

		if (value.n > 0)
			v[n++] = (struct line_label){str_of(known[i].label), value};
	}
	for (size_t i = 0; i < more_n; i++)
		if (more[i].value.n > 0)
			v[n++] = more[i];
	o->line.labels = v;
	o->line.labels_n = n;
	logs_begin(r, bound, o);
}

void shipper_begin(
	struct request *r, struct logs_options *o, const struct line_label *more, size_t more_n)
{
	const struct bound_source *bound = find(r);

	if (bound)
		shipper_begin_at(r, bound, o, more, more_n);
}

bool shipper_any_length(struct request *r)
{
	(void)r;
	return true;
}
