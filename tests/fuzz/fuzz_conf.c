/* Any bytes as runbookd.yml: findings, or a configuration that its own dump tells whole, and that a
 * ruleset takes: correlation, changes, maintenance windows, inhibit rules. */
#include "fuzz.h"

#include "conf/conf.h"
#include "rule/ruleset.h"

static struct conf *parse(struct str bytes, struct diags *d)
{
	diags_init(d);
	struct conf *c = conf_parse(bytes, "runbookd.yml", "/etc/runbookd", d);
	FUZZ_MUST((c != NULL) == (d->errors == 0));
	return c;
}

/* What the dump says is the same configuration. */
static void dump(const struct conf *c)
{
	struct buf once, twice;
	struct diags d, restart;

	buf_init(&once, BUF_NO_LIMIT);
	buf_init(&twice, BUF_NO_LIMIT);
	conf_dump(c, &once);
	struct conf *again = parse(buf_as_str(&once), &d);
	FUZZ_MUST(again);
	conf_dump(again, &twice);
	FUZZ_MUST(str_eq(buf_as_str(&once), buf_as_str(&twice)));
	diags_init(&restart);
	conf_diff_restart(c, again, &restart);
	FUZZ_MUST(restart.n == 0);
	diags_release(&restart);
	diags_release(&d);
	conf_free(again);
	buf_release(&once);
	buf_release(&twice);
}

static void use(const struct ruleset *rs)
{
	struct kv labels[] = {{STR("alertname"), STR("DiskFull")},
		{STR("instance"), STR("web-1:9100")}, {STR("cluster"), STR("eu")}};
	struct event ev = {.source = STR("am"),
		.type = STR("alert"),
		.fingerprint = STR("1"),
		.labels = labels,
		.labels_n = 3};
	struct rule_correlation c;
	struct str facts;
	struct arena a;

	arena_init(&a, FUZZ_MEMORY);
	(void)ruleset_correlate(rs, &a, &ev, &c);
	(void)ruleset_facts(rs, &a, &ev, &facts);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags d, found;
	struct conf *c = parse((struct str){(const char *)data, size}, &d);

	if (c) {
		struct ruleset_input in = {.conf = c};
		dump(c);
		diags_init(&found);
		struct ruleset *rs = ruleset_build(&in, &found);
		FUZZ_MUST((rs != NULL) == (found.errors == 0));
		if (rs)
			use(rs);
		ruleset_unref(rs);
		diags_release(&found);
	}
	conf_free(c);
	diags_release(&d);
	return 0;
}
