/* fetch.c: libcurl on a thread of libuv's pool, one request at a time.
 *
 * libcurl waits; on the loop every request would wait with it. What the thread works on is the job
 * alone, which the loop does not touch until it has it back. The thread is told to stop by one
 * flag, which libcurl looks at as it goes on.
 *
 * It keeps nothing: neither connections nor answers. It does not try again.
 */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

struct job {
	struct job *next;
	struct fetch *fetch;
	uv_work_t work;
	char *url;
	fetch_cb done;
	void *ctx;
	struct buf body;
	struct err failed; /* code ERR_NONE: it is there */
};

struct fetch {
	uv_loop_t *loop;
	char *ca_file;
	struct curl_slist *connect_to;
	int64_t time_ms;
	struct job *first, **last; /* the first one is the thread's while `busy` */
	size_t n;
	bool busy;
	atomic_bool stop;
	uv_async_t wake; /* so that what fails at once is told later, too */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* ---- the thread ---- */

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;

	buf_add(&j->body, p, size * n);
	return buf_failed(&j->body) ? 0 : size * n;
}

static int look_around(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct job *j = ctx;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&j->fetch->stop);
}

static void set_up(CURL *h, struct job *j, char *why)
{
	const struct fetch *f = j->fetch;

	curl_easy_setopt(h, CURLOPT_URL, j->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "runbook-bridge");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)f->time_ms);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, j);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, look_around);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, j);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	if (f->ca_file)
		curl_easy_setopt(h, CURLOPT_CAINFO, f->ca_file);
	if (f->connect_to) {
		curl_easy_setopt(h, CURLOPT_CONNECT_TO, f->connect_to);
		curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	}
}

static void judge(struct job *j, CURL *h, CURLcode code, const char *why)
{
	long status = 0;

	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (buf_failed(&j->body))
		err_set(&j->failed, ERR_LIMIT, "'%.200s' is larger than %zu KiB", j->url,
			FETCH_BYTES >> 10);
	else if (code != CURLE_OK)
		err_set(&j->failed, ERR_AWAY, "cannot get '%.200s': %.200s", j->url,
			why[0] ? why : curl_easy_strerror(code));
	else if (status != 200)
		err_set(&j->failed, ERR_AWAY, "cannot get '%.200s': the server answered %ld",
			j->url, status);
}

static void get(uv_work_t *work)
{
	struct job *j = work->data;
	char why[CURL_ERROR_SIZE] = "";
	CURL *h = curl_easy_init();

	if (!h) {
		err_set(&j->failed, ERR_AWAY, "no memory to get '%.200s'", j->url);
		return;
	}
	set_up(h, j, why);
	judge(j, h, curl_easy_perform(h), why);
	curl_easy_cleanup(h);
}

/* ---- the loop ---- */

static void job_free(struct job *j)
{
	buf_release(&j->body);
	free(j->url);
	free(j);
}

static void end_first(struct fetch *f)
{
	struct job *j = f->first;

	f->first = j->next;
	if (!f->first)
		f->last = &f->first;
	f->n--;
	if (j->failed.code)
		j->done(j->ctx, &j->failed, STR_NONE);
	else
		j->done(j->ctx, NULL, buf_as_str(&j->body));
	job_free(j);
}

static void on_wake_closed(uv_handle_t *handle)
{
	struct fetch *f = handle->data;

	if (f->closed)
		f->closed(f->closed_ctx);
	curl_slist_free_all(f->connect_to);
	free(f->ca_file);
	free(f);
	curl_global_cleanup();
}

static void give_up(struct fetch *f)
{
	while (f->first) {
		err_set(&f->first->failed, ERR_AWAY, "cannot get '%.200s': this bridge is stopping",
			f->first->url);
		end_first(f);
	}
	uv_close((uv_handle_t *)&f->wake, on_wake_closed);
}

static void on_got(uv_work_t *work, int status)
{
	struct job *j = work->data;
	struct fetch *f = j->fetch;

	(void)status;
	f->busy = false;
	end_first(f);
	uv_async_send(&f->wake);
}

static void next(uv_async_t *wake)
{
	struct fetch *f = wake->data;

	if (f->busy)
		return;
	if (atomic_load(&f->stop)) {
		if (!uv_is_closing((uv_handle_t *)wake))
			give_up(f);
		return;
	}
	if (!f->first)
		return;
	f->busy = true;
	f->first->work.data = f->first;
	if (uv_queue_work(f->loop, &f->first->work, get, on_got) == 0)
		return;
	f->busy = false;
	err_set(&f->first->failed, ERR_AWAY, "no thread to get '%.200s'", f->first->url);
	end_first(f);
	uv_async_send(wake);
}

int fetch_get(struct fetch *f, struct str url, fetch_cb done, void *ctx, struct err *e)
{
	struct job *j;

	if (atomic_load(&f->stop))
		return err_set(e, ERR_AWAY, "this bridge is stopping");
	if (f->n >= FETCH_QUEUE_LIMIT)
		return err_set(e, ERR_FULL, "%d files are to be got already; send this again",
			FETCH_QUEUE_LIMIT);
	j = calloc(1, sizeof(*j));
	if (j)
		j->url = strndup(url.p ? url.p : "", url.n);
	if (!j || !j->url) {
		free(j);
		return err_set(e, ERR_NOMEM, "no memory to get a file");
	}
	j->fetch = f;
	j->done = done;
	j->ctx = ctx;
	buf_init(&j->body, FETCH_BYTES);
	*f->last = j;
	f->last = &j->next;
	f->n++;
	uv_async_send(&f->wake);
	return 0;
}

static int copy_options(struct fetch *f, const struct fetch_options *o)
{
	struct buf b;

	f->loop = o->loop;
	f->time_ms = o->time_ms ? o->time_ms : FETCH_TIME_MS;
	if (o->ca_file && !(f->ca_file = strdup(o->ca_file)))
		return -1;
	if (!o->connect_to)
		return 0;
	buf_init(&b, 1024);
	buf_puts(&b, "::"); /* whatever host and port */
	buf_puts(&b, o->connect_to);
	f->connect_to = buf_failed(&b) ? NULL : curl_slist_append(NULL, b.p);
	buf_release(&b);
	return f->connect_to ? 0 : -1;
}

struct fetch *fetch_new(const struct fetch_options *o, struct err *e)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		free(f);
		err_set(e, ERR_NOMEM, "cannot start libcurl");
		return NULL;
	}
	f->last = &f->first;
	if (copy_options(f, o) == 0 && uv_async_init(o->loop, &f->wake, next) == 0) {
		f->wake.data = f;
		return f;
	}
	curl_slist_free_all(f->connect_to);
	free(f->ca_file);
	free(f);
	curl_global_cleanup();
	err_set(e, ERR_NOMEM, "no memory to get files");
	return NULL;
}

void fetch_close(struct fetch *f, void (*closed)(void *ctx), void *ctx)
{
	f->closed = closed;
	f->closed_ctx = ctx;
	atomic_store(&f->stop, true);
	uv_async_send(&f->wake);
}
