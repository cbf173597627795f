/* For tests/integration/test_fetch.py: gets the URLs given, all asked at once, and prints a line for each as it comes:
 * "200 BYTES SHA256" or the error. print_fetch CA_FILE|- CONNECT_TO|- TIME_MS stop|- URL... : stop gives all up when the
 * first one was printed. Exit status 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "fetch/fetch.h"

static struct fetch *fetch;
static bool stop, closing;
static int left;

static void on_closed(void *ctx)
{
	(void)ctx;
	puts("closed");
}

static void close_when_over(bool now)
{
	if (closing || (left > 0 && !now))
		return;
	closing = true;
	fetch_close(fetch, on_closed, NULL);
}

static void on_got(void *ctx, const struct err *e, struct str body)
{
	char hash[HASH_SHA256_HEX];

	hash_sha256_hex(body, hash);
	if (e)
		printf("%s %s %s\n", (const char *)ctx, err_name(e->code), e->text);
	else
		printf("%s 200 %zu %s\n", (const char *)ctx, body.n, hash);
	fflush(stdout);
	left--;
	close_when_over(stop);
}

int main(int argc, char **argv)
{
	uv_loop_t loop;
	struct err e = {0};

	if (argc < 6)
		return 2;
	uv_loop_init(&loop);
	struct fetch_options o = {.loop = &loop,
		.ca_file = strcmp(argv[1], "-") ? argv[1] : NULL,
		.connect_to = strcmp(argv[2], "-") ? argv[2] : NULL,
		.time_ms = atoll(argv[3])};
	stop = strcmp(argv[4], "stop") == 0;
	fetch = fetch_new(&o, &e);
	if (!fetch)
		return 1;
	for (int i = 5; i < argc; i++) {
		if (fetch_get(fetch, str_of(argv[i]), on_got, argv[i], &e) == 0)
			left++;
		else
			printf("%s %s %s\n", argv[i], err_name(e.code), e.text);
	}
	close_when_over(false);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 ? 0 : 1;
}
