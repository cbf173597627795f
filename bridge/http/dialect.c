/* dialect.c: which path is whose. */
#include "http/dialect.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool begins(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

static bool ends(const char *path, const char *with)
{
	size_t n = strlen(path), m = strlen(with);

	return n >= m && strcmp(path + n - m, with) == 0;
}

/* Behind /ingest/NAME, where that stands in front; NULL: nothing is behind it. */
static const char *native(const char *path)
{
	static const char prefix[] = "/ingest/";

	return begins(path, prefix) ? strchr(path + sizeof(prefix) - 1, '/') : path;
}

const struct dialect *dialect_of(const char *path)
{
	static const struct {
		const char *begin;
		const struct dialect *dialect;
	} known[] = {
		{"/_", &dialect_elastic},
		{"/services/collector", &dialect_splunk},
		{"/v1/logs", &dialect_otlp},
		{"/v1/traces", &dialect_otlp},
		{"/loki/", &dialect_loki},
		{"/upload", &dialect_journal},
	};
	const char *p = native(path);

	if (!p)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (begins(p, known[i].begin))
			return known[i].dialect;
	return strcmp(p, "/") == 0 || ends(p, "/_bulk") ? &dialect_elastic : NULL;
}
