/* For tests/integration/test_sns_gate.py: reads lines from standard input, "check JSON" (or "check" and nothing: no JSON) or
 * "wait", and prints a line for each message, in order of their ends: "NUMBER VERDICT text". What stands between two "wait"s is
 * checked at once. print_sns_gate CA_FILE CONNECT_TO TIME_MS NOW_MS TOPIC[,TOPIC...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "flow/sns_gate.h"

struct asked {
	int number;
	struct arena arena;
};

static struct sns_gate *gate;
static uv_loop_t loop;
static int under_way;

static void on_verdict(void *ctx, enum sns_verdict v, const struct err *e)
{
	static const char *const names[] = {"passed", "confirmed", "refused", "unknown"};
	struct asked *q = ctx;

	printf("%d %s%s%s\n", q->number, names[v], e ? " " : "", e ? e->text : "");
	fflush(stdout);
	under_way--;
	arena_release(&q->arena);
	free(q);
}

static void check(int number, struct str text, const struct conf_list *topics, int64_t now_ms)
{
	struct asked *q = calloc(1, sizeof(*q));
	struct json *body = NULL;
	struct err e;

	q->number = number;
	arena_init(&q->arena, 16 << 20);
	if (text.n)
		body = json_parse(&q->arena, text, &e);
	under_way++;
	sns_gate_check(gate, body, topics, now_ms, on_verdict, q);
}

static void wait_for_all(void)
{
	while (under_way)
		uv_run(&loop, UV_RUN_ONCE);
}

static void on_closed(void *ctx)
{
	(void)ctx;
	puts("closed");
}

int main(int argc, char **argv)
{
	struct conf_text arns[8];
	struct conf_list topics = {arns, 0};
	char *line = NULL, *save = NULL;
	size_t cap = 0;
	int number = 0;
	struct err e = {0};

	if (argc != 6)
		return 2;
	uv_loop_init(&loop);
	gate = sns_gate_new(&(struct fetch_options){.loop = &loop, .ca_file = argv[1], .connect_to = argv[2], .time_ms = atoll(argv[3])}, &e);
	if (!gate)
		return 1;
	for (char *t = strtok_r(argv[5], ",", &save); t && topics.n < 8; t = strtok_r(NULL, ",", &save))
		arns[topics.n++] = (struct conf_text){str_of(t), 0, 0};
	for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
		if (strncmp(line, "wait", 4) == 0)
			wait_for_all();
		else if (n > 6)
			check(number++, (struct str){line + 6, (size_t)n - 7}, &topics, atoll(argv[4]));
		else
			check(number++, STR_NONE, &topics, atoll(argv[4]));
	}
	free(line);
	sns_gate_close(gate, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return under_way == 0 && uv_loop_close(&loop) == 0 ? 0 : 1;
}
