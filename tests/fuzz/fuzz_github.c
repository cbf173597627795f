/* Any bytes as a message of GitHub, each of whose events may be the one that the header names: JSON and as a form. */
#include "fuzz_source.h"

static const char *const events[] = {"push", "pull_request", "workflow_run", "check_run", "deployment_status", "status",
	"code_scanning_alert", "dependabot_alert", "secret_scanning_alert", "issues", "release"};

struct headers {
	const char *event, *type;
};

static struct str header(void *ctx, const char *name)
{
	const struct headers *h = ctx;

	if (strcmp(name, "X-GitHub-Event") == 0)
		return str_of(h->event);
	return strcmp(name, "Content-Type") == 0 ? str_of(h->type) : STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct headers h = {NULL, "application/x-www-form-urlencoded"};

	fuzz_source("github", NULL, NULL, data, size);
	fuzz_source("github", header, &h, data, size);
	h.type = "application/json";
	h.event = events[size ? data[size - 1] % (sizeof(events) / sizeof(events[0])) : 0];
	fuzz_source("github", header, &h, data, size);
	return 0;
}
