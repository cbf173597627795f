/* Who may send to a source: secrets read from files, what a request shows held against them, signatures to the last bit. */
#include "unit.h"

#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "auth/source_auth.h"
#include "base/base64.h"
#include "base/cidr.h"
#include "base/file.h"
#include "base/json.h"

#define BODY "{\"alert\":\"disk\",\"host\":\"web-1\"}"
#define NOW_MS INT64_C(1700000000000)
#define HEADERS_MAX 4

/* HMACs of BODY, made with openssl: sha1 and sha256 of "first-secret", sha256 of "second-secret". */
#define FIRST_1 "bb723146a1d98969514bced3fc09c9ffe73bcb41"
#define FIRST "a5fd0221b8e1fedff1b49579bfa47ba9aa37799087178a2298b31ec3f8f16ed8"
#define SECOND "7ed8564dd91e69b6d6bddb0de6b000374fb02ea6075400a4df7d0d26ed896b7b"
#define FIRST_512_BASE64 "0r9u8cVt9WnCOsVnRMlWo71sRwc5zci3a4KzWexAFFixust7spAPYkBsCokamLUNGOjU4RRABDba+HZpxQ38aA=="
/* Of "1700000000:" and BODY; and its SHA-256. */
#define TIMED "018aec0d360f99c5b44c128fdeb0e9525b5e2895fbca28a2e197c4b8423c40d9"
#define TIMED_2 "cb569d2f5a9fe63a2cbe735fad4f85e2361ae5d7308853c4b83fe15e85c3473e"
#define TIMED_NAME "a43b70777781a53c316e24c91157ddf190ee9485d84147c868bb2f32185f7133"
/* Of "msg_42.1700000000." and BODY. */
#define WHSEC "whsec_cnVuYm9va2QtdGVzdC1rZXktbnVtYmVyLW9uZQ=="
#define WHSEC_SIGNED "HLovbvWeB5/UMjCDNU0v9DZH1pF0waQzUJt1ajS3rAM="
#define WHSEC_2_SIGNED "kd/z/GRE/ECMkIakkXmNj0Tfvjj+i8H0qN56gCpxbgk="

static char dir[] = "/tmp/rb-auth-XXXXXX";
static struct diags diags;
static struct conf *conf;
static struct auth *auth;
static struct arena arena;

static struct kv headers[HEADERS_MAX];
static int64_t now_ms, took_ms; /* when the headers came; how long after them the body */
static struct signature *done; /* of the last verdict */

static void write_file(const char *name, struct str bytes, mode_t mode)
{
	char path[100];
	struct err e;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_write_atomic(path, bytes, mode, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file("first", STR("first-secret\n"), 0600);
	write_file("second", STR("second-secret"), 0600);
	write_file("whsec", STR(WHSEC "\n"), 0600);
	write_file("whsec2", STR("cnVuYm9va2QtdGVzdC1rZXktbnVtYmVyLXR3bw=="), 0600); /* without the prefix */
	return 0;
}

static int remove_dir(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "%s", dir);
	for (const char *const *name = (const char *const[]){"first", "second", "whsec", "whsec2", "more", NULL}; *name; name++) {
		char path[200];

		snprintf(path, sizeof(path), "%s/%s", dir, *name);
		unlink(path);
	}
	return rmdir(dir);
}

static int setup(void **state)
{
	(void)state;
	diags_init(&diags);
	arena_init(&arena, (size_t)64 << 20);
	now_ms = NOW_MS;
	took_ms = 0;
	return 0;
}

static void unload(void)
{
	signature_free(done);
	done = NULL;
	auth_unref(auth);
	auth = NULL;
	conf_free(conf);
	conf = NULL;
	diags_release(&diags);
}

static int teardown(void **state)
{
	(void)state;
	unload();
	arena_release(&arena);
	return 0;
}

/* The findings of a load of this auth, with DIR for the folder. */
static void load_more(const char *auth_text, const char *more, const char *findings)
{
	char text[2000], want[2000];
	const char *at;

	unload();
	snprintf(text, sizeof(text), "sources: {a: {kind: generic, auth: %s}}\n%s", auth_text, more);
	conf = conf_parse(str_of(text), "f.yml", dir, &diags);
	assert_findings(&diags, "");
	auth = auth_new(conf, &diags);
	want[0] = '\0';
	while ((at = strstr(findings, "DIR"))) {
		size_t n = strlen(want);

		snprintf(want + n, sizeof(want) - n, "%.*s%s", (int)(at - findings), findings, dir);
		findings = at + 3;
	}
	strncat(want, findings, sizeof(want) - strlen(want) - 1);
	assert_findings(&diags, want);
	assert_int_equal(auth == NULL, diags.errors > 0);
}

static const struct source_auth *load(const char *auth_text)
{
	load_more(auth_text, "", "");
	return auth_source(auth, STR("a"));
}

/* ---- loading ---- */

static void what_is_wrong_with_files(void **state)
{
	static char large[AUTH_SECRET_MAX + 2];

	(void)state;
	load_more("{bearer_file: none}", "",
		"f.yml:1:50: 'sources.a.auth': cannot open 'DIR/none': No such file or directory\n");
	write_file("more", STR("\n"), 0600);
	load_more("{github: {secret_files: [first, more]}}", "",
		"f.yml:1:68: 'sources.a.auth': 'DIR/more' is empty; put the secret there\n");
	write_file("more", STR("\n \t\r\n"), 0600);
	load_more("{github: {secret_file: more}}", "",
		"f.yml:1:59: 'sources.a.auth': 'DIR/more' is empty; put the secret there\n");
	memset(large, 'x', sizeof(large));
	write_file("more", (struct str){large, AUTH_SECRET_MAX}, 0600);
	load_more("{bearer_file: more}", "", "");
	write_file("more", (struct str){large, AUTH_SECRET_MAX + 1}, 0600);
	load_more("{bearer_file: more}", "", "f.yml:1:50: 'sources.a.auth': 'DIR/more' is larger than 4096 bytes\n");
	write_file("more", STR("whsec_no base64!"), 0600);
	load_more("{standard_webhooks: {secret_file: more}}", "",
		"f.yml:1:70: 'sources.a.auth': 'DIR/more' holds no secret of Standard Webhooks: whsec_ and then base64, as the "
		"sender shows it\n");
	load_more("{standard_webhooks: {secret_files: [whsec, whsec2]}}", "", "");
}

static void loose_modes_are_told(void **state)
{
	static const mode_t loose[] = {0640, 0604, 0620, 0644};
	char want[300];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		write_file("more", STR("s"), loose[i]);
		snprintf(want, sizeof(want),
			"f.yml:1:50: warning: 'sources.a.auth': 'DIR/more' has the mode %04o, so that others get at the "
			"secret; chmod go= DIR/more\n",
			(unsigned)loose[i]);
		load_more("{bearer_file: more}", "", want);
	}
	write_file("more", STR("s"), 0400);
	load_more("{bearer_file: more}", "", "");
}

/* An editor on Windows, or a blank too many: no sender would ever show that. */
static void white_space_around_a_secret_is_told(void **state)
{
	static const char *const odd[] = {"s\r\n", "s\n\n", " s", "s "};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		write_file("more", str_of(odd[i]), 0600);
		load_more("{bearer_file: more}", "",
			"f.yml:1:50: warning: 'sources.a.auth': 'DIR/more' has white space before or behind the secret, which counts as a "
			"part of it; only one final newline does not\n");
	}
	write_file("more", STR("s t\n"), 0600);
	load_more("{bearer_file: more}", "", "");
	write_file("more", STR(WHSEC "\r\n"), 0600); /* of base64 it is none */
	load_more("{standard_webhooks: {secret_file: more}}", "", "");
}

static void what_would_let_nobody_in(void **state)
{
	static const char elsewhere[] =
		"http: {listen: ['0.0.0.0:1']}\n"
		"tokens: [{name: t, hash: 'sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb', scopes: read}]\n";

	(void)state;
	load_more("{token: true}", "",
		"f.yml:1:36: 'sources.a.auth': it asks for a token, and 'tokens' has none; runbookctl token new makes one\n");
	load_more("{client_cert: {names: [a]}}", "",
		"f.yml:1:36: 'sources.a.auth': client_cert needs http.tls with client_ca, which says who signs clients' certificates\n");
	load_more("{bearer_file: first}", elsewhere,
		"f.yml:1:36: warning: 'sources.a.auth': what its senders show crosses the network in the clear; set http.tls, or "
		"listen on this machine only, with a proxy in front that speaks TLS\n");
	load_more("{github: {secret_file: first}}", elsewhere, "");
	load_more("{basic: {user: u, password_file: first}}", "http: {tls: {cert: c, key: k}}\n", "");
}

static void a_changed_secret_makes_another_auth(void **state)
{
	struct auth *before;
	struct conf *conf_before;

	(void)state;
	write_file("more", STR("one"), 0600);
	load("{github: {secret_files: [first, more]}}");
	before = auth_ref(auth);
	conf_before = conf;
	assert_true(auth_same(before, auth));
	auth_unref(auth);
	auth = NULL;
	conf = NULL;
	load("{github: {secret_files: [first, more]}}");
	assert_true(auth_same(before, auth));
	write_file("more", STR("two"), 0600);
	load("{github: {secret_files: [first, more]}}");
	assert_false(auth_same(before, auth));
	auth_unref(before);
	conf_free(conf_before);
}

static void only_sources_with_an_auth_have_one(void **state)
{
	(void)state;
	assert_non_null(load("{allow: [10.0.0.0/8]}"));
	assert_null(auth_source(auth, STR("b")));
	assert_null(auth_source(auth, STR("")));
	assert_true(source_auth_is_by_place(auth_source(auth, STR("a"))));
}

/* ---- addresses ---- */

static bool takes(const struct source_auth *s, const char *address)
{
	unsigned char bytes[CIDR_ADDRESS];

	assert_true(cidr_parse_address(str_of(address), bytes));
	return source_auth_takes(s, bytes);
}

static void addresses(void **state)
{
	const struct source_auth *s = load("{bearer_file: first, allow: [10.0.0.0/8, '2001:db8::/32']}");

	(void)state;
	assert_true(takes(s, "10.1.2.3") && takes(s, "2001:db8::1"));
	assert_false(takes(s, "127.0.0.1") || takes(s, "::1"));
	assert_false(source_auth_takes(s, NULL));
	s = load("{bearer_file: first}");
	assert_true(takes(s, "127.0.0.1") && source_auth_takes(s, NULL));
}

static void proxies(void **state)
{
	unsigned char a[CIDR_ADDRESS];

	(void)state;
	load_more("{bearer_file: first}", "http: {trusted_proxies: [10.0.0.0/8, unix]}\n", "");
	assert_true(cidr_parse_address(STR("10.0.0.9"), a) && auth_is_proxy(auth, a));
	assert_true(cidr_parse_address(STR("127.0.0.1"), a));
	assert_false(auth_is_proxy(auth, a));
	assert_true(auth_is_proxy(auth, NULL));
	load("{bearer_file: first}");
	assert_false(auth_is_proxy(auth, NULL));
	assert_false(auth_is_proxy(auth, a));
}

/* ---- credentials and names ---- */

static enum auth_verdict shown(const struct source_auth *s, const char *authorization)
{
	struct err e = {0};
	enum auth_verdict v = source_auth_credentials(s, str_of(authorization), &e);

	assert_int_equal(v == AUTH_GOOD, e.code == ERR_NONE);
	return v;
}

static void bearer(void **state)
{
	const struct source_auth *s = load("{bearer_files: [first, second]}");

	(void)state;
	assert_int_equal(shown(s, "Bearer first-secret"), AUTH_GOOD);
	assert_int_equal(shown(s, "bearer second-secret"), AUTH_GOOD);
	assert_int_equal(shown(s, "Bearer third-secret"), AUTH_WRONG);
	assert_int_equal(shown(s, "Bearer first-secret\n"), AUTH_WRONG);
	assert_int_equal(shown(s, "Bearer first-secre"), AUTH_WRONG);
	assert_int_equal(shown(s, "Basic Zmlyc3Qtc2VjcmV0"), AUTH_NOTHING_SHOWN);
	assert_int_equal(shown(s, "Basic eDpmaXJzdC1zZWNyZXQ="), AUTH_NOTHING_SHOWN); /* x:first-secret */
	assert_int_equal(shown(s, NULL), AUTH_NOTHING_SHOWN);
	assert_has(str_of(source_auth_challenge(s)), "Bearer");
}

static void basic(void **state)
{
	const struct source_auth *s = load("{basic: {user: prom, password_files: [first, second]}}");

	(void)state;
	assert_int_equal(shown(s, "Basic cHJvbTpmaXJzdC1zZWNyZXQ="), AUTH_GOOD);      /* prom:first-secret */
	assert_int_equal(shown(s, "Basic cHJvbTpzZWNvbmQtc2VjcmV0"), AUTH_GOOD);      /* prom:second-secret */
	assert_int_equal(shown(s, "Basic cHJvbTp0aGlyZC1zZWNyZXQ="), AUTH_WRONG);     /* prom:third-secret */
	assert_int_equal(shown(s, "Basic UHJvbTpmaXJzdC1zZWNyZXQ="), AUTH_WRONG);     /* Prom:first-secret */
	assert_int_equal(shown(s, "Basic OnByb206Zmlyc3Qtc2VjcmV0"), AUTH_WRONG);     /* :prom:first-secret */
	assert_int_equal(shown(s, "Bearer first-secret"), AUTH_NOTHING_SHOWN);
	assert_int_equal(shown(s, "Basic !"), AUTH_NOTHING_SHOWN);
	assert_has(str_of(source_auth_challenge(s)), "Basic");
}

static void names_of_certificates(void **state)
{
	struct str names[] = {STR("alertmanager"), STR("AM.example")};
	struct err e = {0};

	(void)state;
	load_more("{client_cert: {names: [other, am.example]}}", "http: {tls: {cert: c, key: k, client_ca: a}}\n", "");
	const struct source_auth *s = auth_source(auth, STR("a"));
	assert_int_equal(source_auth_names(s, names, 2, &e), AUTH_GOOD);
	assert_int_equal(source_auth_names(s, names, 1, &e), AUTH_FORBIDDEN);
	assert_has(str_of(e.text), "'alertmanager' has none of the names");
	assert_int_equal(source_auth_names(s, NULL, 0, &e), AUTH_NOTHING_SHOWN);
}

/* ---- signatures ---- */

static struct str header(void *ctx, const char *name)
{
	(void)ctx;
	for (size_t i = 0; i < HEADERS_MAX; i++) {
		if (headers[i].name.n == strlen(name) && strncasecmp(headers[i].name.p, name, headers[i].name.n) == 0)
			return headers[i].value;
	}
	return STR_NONE;
}

static void set_headers(const char *const *pairs)
{
	memset(headers, 0, sizeof(headers));
	for (size_t i = 0; pairs[i]; i += 2)
		headers[i / 2] = (struct kv){str_of(pairs[i]), str_of(pairs[i + 1])};
}

#define HEADERS(...) set_headers((const char *const[]){__VA_ARGS__, NULL})

/* The whole way of a request whose body comes in pieces. */
static enum auth_verdict verdict(const struct source_auth *s, struct str body, size_t piece)
{
	struct err e = {0};
	enum auth_verdict v;

	signature_free(done);
	done = NULL;
	v = signature_begin(source_auth_signing(s), header, NULL, now_ms, &done, &e);
	assert_int_equal(v == AUTH_GOOD, done != NULL);
	for (size_t at = 0; done && at < body.n; at += piece)
		signature_feed(done, (struct str){body.p + at, body.n - at < piece ? body.n - at : piece});
	if (done)
		v = signature_end(done, now_ms + took_ms, &e);
	assert_int_equal(v == AUTH_GOOD, e.code == ERR_NONE);
	return v;
}

static enum auth_verdict of_body(const struct source_auth *s)
{
	return verdict(s, STR(BODY), 4096);
}

/* Good as it stands, and in pieces; with any one bit of the body or of the header `of` (behind `from`) changed, not. */
static void every_bit_counts(const struct source_auth *s, struct str body, size_t of, size_t from)
{
	char *copy = arena_alloc(&arena, body.n + 1);
	struct str value = headers[of].value;
	char *text = arena_alloc(&arena, value.n + 1);

	assert_int_equal(verdict(s, body, 4096), AUTH_GOOD);
	assert_int_equal(verdict(s, body, 1), AUTH_GOOD);
	assert_int_equal(verdict(s, body, 7), AUTH_GOOD);
	memcpy(copy, body.p, body.n);
	for (size_t bit = 0; bit < body.n * 8; bit++) {
		copy[bit / 8] ^= (char)(1 << bit % 8);
		if (verdict(s, (struct str){copy, body.n}, 4096) == AUTH_GOOD)
			fail_msg("bit %zu of the body does not count", bit);
		copy[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_not_equal(verdict(s, (struct str){copy, body.n - 1}, 4096), AUTH_GOOD);
	memcpy(text, value.p, value.n);
	headers[of].value.p = text;
	/* The last but one letter of base64 may have bits that stand for nothing; hex in capitals is the same. */
	for (size_t i = from; i + 2 < value.n; i++) {
		text[i] = text[i] == 'a' ? 'b' : text[i] == 'b' ? 'c' : 'a';
		if (text[i] != value.p[i] && verdict(s, body, 4096) == AUTH_GOOD)
			fail_msg("byte %zu of the header does not count", i);
		text[i] = value.p[i];
	}
	headers[of].value = value;
}

static void github(void **state)
{
	const struct source_auth *s = load("{github: {secret_file: first}}");

	(void)state;
	HEADERS("X-Hub-Signature-256", "sha256=" FIRST);
	every_bit_counts(s, STR(BODY), 0, 7);
	assert_int_equal(signature_delivery(done).n, 0);
	HEADERS("X-Hub-Signature-256", "sha256=" SECOND);
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Hub-Signature-256", FIRST);
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Hub-Signature", "sha1=" FIRST_1);
	assert_int_equal(of_body(s), AUTH_NOTHING_SHOWN);
	HEADERS("X-Hub-Signature-256", "");
	assert_int_equal(of_body(s), AUTH_NOTHING_SHOWN);
	HEADERS("X-Hub-Signature-256", "sha256=");
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Hub-Signature-256", "sha256=a5fd");
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Hub-Signature-256", "sha256=78e1e119fe23813ce2fcfb10079cc89d6387b094902832639ccb5a8ff2fd6778");
	assert_int_equal(verdict(s, STR(""), 1), AUTH_WRONG);
}

static void rotation(void **state)
{
	const struct source_auth *s = load("{github: {secret_files: [first, second]}}");

	(void)state;
	HEADERS("X-Hub-Signature-256", "sha256=" FIRST);
	every_bit_counts(s, STR(BODY), 0, 7);
	HEADERS("X-Hub-Signature-256", "sha256=" SECOND);
	every_bit_counts(s, STR(BODY), 0, 7);
	s = load("{github: {secret_file: second}}");
	assert_int_equal(of_body(s), AUTH_GOOD);
	HEADERS("X-Hub-Signature-256", "sha256=" FIRST);
	assert_int_equal(of_body(s), AUTH_WRONG);
}

static void pagerduty(void **state)
{
	const struct source_auth *s = load("{pagerduty: {secret_file: second}}");

	(void)state;
	HEADERS("X-PagerDuty-Signature", "v1=" SECOND);
	every_bit_counts(s, STR(BODY), 0, 3);
	HEADERS("X-PagerDuty-Signature", "v1=" FIRST ", v1=" SECOND);
	assert_int_equal(of_body(s), AUTH_GOOD);
	HEADERS("X-PagerDuty-Signature", "v1=" SECOND ",v1=" FIRST ",v2=zz");
	assert_int_equal(of_body(s), AUTH_GOOD);
	HEADERS("X-PagerDuty-Signature", "v2=" SECOND);
	assert_int_equal(of_body(s), AUTH_WRONG);
}

static void as_many_signatures_as_may_be(void **state)
{
	const struct source_auth *s = load("{pagerduty: {secret_file: first}}");
	struct buf list;

	(void)state;
	buf_init(&list, BUF_NO_LIMIT);
	for (int i = 1; i < AUTH_SIGNATURES_MAX; i++)
		buf_puts(&list, "v1=" SECOND ",");
	buf_puts(&list, "v1=" FIRST);
	HEADERS("X-PagerDuty-Signature", list.p);
	assert_int_equal(of_body(s), AUTH_GOOD);
	buf_puts(&list, ",v1=" FIRST);
	HEADERS("X-PagerDuty-Signature", list.p);
	assert_int_equal(of_body(s), AUTH_WRONG);
	buf_release(&list);
}

static void hmac_by_word_of_the_configuration(void **state)
{
	const struct source_auth *s = load("{hmac: {header: X-Sig, algorithm: sha1, secret_file: first, prefix: 'sha1='}}");

	(void)state;
	HEADERS("x-sig", "sha1=" FIRST_1);
	every_bit_counts(s, STR(BODY), 0, 5);
	HEADERS("X-Sig", "sha1=BB723146A1D98969514BCED3FC09C9FFE73BCB41");
	assert_int_equal(of_body(s), AUTH_GOOD);
	s = load("{hmac: {header: X-Sig, algorithm: sha512, secret_file: first}}");
	HEADERS("X-Sig", FIRST_512_BASE64);
	every_bit_counts(s, STR(BODY), 0, 0);
	s = load("{hmac: {header: X-Sig, secret_file: first}}");
	HEADERS("X-Sig", "  " FIRST " ");
	assert_int_equal(of_body(s), AUTH_GOOD);
}

static void with_a_time(void **state)
{
	const struct source_auth *s =
		load("{hmac: {header: X-Sig, timestamp_header: X-Time, tolerance: 10s, secret_files: [first, second]}}");

	(void)state;
	HEADERS("X-Sig", TIMED, "X-Time", "1700000000");
	every_bit_counts(s, STR(BODY), 0, 0);
	assert_int_equal(of_body(s), AUTH_GOOD);
	assert_str(signature_delivery(done), TIMED_NAME);
	HEADERS("X-Sig", TIMED_2 ", " TIMED, "X-Time", "1700000000");
	assert_int_equal(of_body(s), AUTH_GOOD);
	assert_str(signature_delivery(done), TIMED_NAME); /* the same message, however it is signed */
	HEADERS("X-Sig", FIRST, "X-Time", "1700000000");
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Sig", TIMED, "X-Time", "1700000001");
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("X-Sig", TIMED);
	assert_int_equal(of_body(s), AUTH_NOTHING_SHOWN);
	HEADERS("X-Time", "1700000000");
	assert_int_equal(of_body(s), AUTH_NOTHING_SHOWN);
	static const char *const no_time[] = {"x", "-1", "17e8", "1700000000.0", "1700000000000000", " "};
	for (size_t i = 0; i < sizeof(no_time) / sizeof(no_time[0]); i++) {
		HEADERS("X-Sig", TIMED, "X-Time", no_time[i]);
		assert_int_equal(of_body(s), AUTH_FORBIDDEN);
	}
}

static void at_the_edges_of_the_tolerance(void **state)
{
	const struct source_auth *s = load("{hmac: {header: X-Sig, timestamp_header: X-Time, tolerance: 10s, secret_file: first}}");

	(void)state;
	HEADERS("X-Sig", TIMED, "X-Time", "1700000000");
	now_ms = NOW_MS + 10000;
	assert_int_equal(of_body(s), AUTH_GOOD);
	now_ms = NOW_MS + 10001;
	assert_int_equal(of_body(s), AUTH_FORBIDDEN);
	now_ms = NOW_MS - 10000;
	assert_int_equal(of_body(s), AUTH_GOOD);
	now_ms = NOW_MS - 10001;
	assert_int_equal(of_body(s), AUTH_FORBIDDEN);
}

/* What is begun in time and then sent a byte a second would outlast the memory of its first delivery. */
static void a_body_that_comes_too_late(void **state)
{
	const struct source_auth *s = load("{hmac: {header: X-Sig, timestamp_header: X-Time, tolerance: 10s, secret_file: first}}");

	(void)state;
	HEADERS("X-Sig", TIMED, "X-Time", "1700000000");
	now_ms = NOW_MS + 9000;
	took_ms = 1000;
	assert_int_equal(of_body(s), AUTH_GOOD);
	took_ms = 1001;
	assert_int_equal(of_body(s), AUTH_FORBIDDEN);
	s = load("{hmac: {header: X-Sig, secret_file: first}}");
	HEADERS("X-Sig", FIRST);
	took_ms = 86400000;
	assert_int_equal(of_body(s), AUTH_GOOD);
}

static void standard_webhooks(void **state)
{
	const struct source_auth *s = load("{standard_webhooks: {secret_files: [whsec]}}");

	(void)state;
	HEADERS("webhook-id", "msg_42", "webhook-timestamp", "1700000000", "webhook-signature", "v1," WHSEC_SIGNED);
	every_bit_counts(s, STR(BODY), 2, 3);
	assert_int_equal(of_body(s), AUTH_GOOD);
	assert_str(signature_delivery(done), "msg_42");
	HEADERS("webhook-id", "msg_42", "webhook-timestamp", "1700000000", "webhook-signature",
		"v1a,AAAA v1," WHSEC_2_SIGNED " v1," WHSEC_SIGNED);
	assert_int_equal(of_body(s), AUTH_GOOD);
	HEADERS("webhook-id", "msg_42", "webhook-timestamp", "1700000000", "webhook-signature", "v1a," WHSEC_SIGNED);
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("webhook-id", "msg_43", "webhook-timestamp", "1700000000", "webhook-signature", "v1," WHSEC_SIGNED);
	assert_int_equal(of_body(s), AUTH_WRONG);
	HEADERS("webhook-timestamp", "1700000000", "webhook-signature", "v1," WHSEC_SIGNED);
	assert_int_equal(of_body(s), AUTH_NOTHING_SHOWN);
	HEADERS("webhook-id", "msg_42", "webhook-timestamp", "1700000000", "webhook-signature", "v1," WHSEC_2_SIGNED);
	assert_int_equal(of_body(s), AUTH_WRONG);
	s = load("{standard_webhooks: {secret_files: [whsec, whsec2]}}");
	assert_int_equal(of_body(s), AUTH_GOOD);
	now_ms = NOW_MS + 300001;
	assert_int_equal(of_body(s), AUTH_FORBIDDEN);
}

/* ---- what others publish ---- */

static const struct json *published(const char *name)
{
	char path[300];
	struct err e;
	struct buf b;

	snprintf(path, sizeof(path), SHARED_DIR "/payloads/%s", name);
	if (access(SHARED_DIR "/payloads", R_OK) != 0)
		return NULL;
	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) != 0)
		fail_msg("%s", e.text);
	const struct json *j = json_parse(&arena, buf_as_str(&b), &e);
	assert_non_null(j);
	buf_release(&b);
	return j;
}

static struct str body_of(const struct json *vector, const char *folder)
{
	struct str name = json_str(json_get(vector, "body_file"));
	char path[300];
	struct err e;
	struct buf b;

	if (name.n == 0)
		return json_str(json_get(vector, "body"));
	snprintf(path, sizeof(path), SHARED_DIR "/payloads/%s/%.*s", folder, STR_ARG(name));
	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(path, &b, &e) != 0)
		fail_msg("%s", e.text);
	struct str body = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return body;
}

static const char *text_of(const struct json *vector, const char *key)
{
	return arena_strdup(&arena, json_str(json_get(vector, key))).p;
}

static void published_of_github(void **state)
{
	const struct json *list = published("github/signature-vectors.json");

	(void)state;
	for (const struct json *v = list ? list->child : NULL; v; v = v->next) {
		struct str body = body_of(v, "github");

		write_file("more", json_str(json_get(v, "secret")), 0600);
		HEADERS("X-Hub-Signature-256", text_of(v, "X-Hub-Signature-256"));
		every_bit_counts(load("{github: {secret_file: more}}"), body, 0, 7);
		if (!json_get(v, "X-Hub-Signature"))
			continue;
		HEADERS("X-Hub-Signature", text_of(v, "X-Hub-Signature"));
		every_bit_counts(load("{hmac: {header: X-Hub-Signature, algorithm: sha1, secret_file: more, prefix: 'sha1='}}"),
			body, 0, 5);
	}
}

/* The body that was signed is not published with it: it must not fit those that are. */
static void published_of_pagerduty(void **state)
{
	static const char *const others[] = {"{\"body_file\":\"v3-triggered.json\"}", "{\"body_file\":\"v3-resolved.json\"}"};
	const struct json *v = published("pagerduty/v3-signature-vector.json");
	struct err e;

	(void)state;
	if (!v)
		return;
	write_file("more", json_str(json_get(v, "secret")), 0600);
	HEADERS("X-PagerDuty-Signature", text_of(v, "value"));
	assert_str(json_str(json_get(v, "header")), headers[0].name.p);
	const struct source_auth *s = load("{pagerduty: {secret_file: more}}");
	for (size_t i = 0; i < 2; i++) {
		struct str body = body_of(json_parse(&arena, str_of(others[i]), &e), "pagerduty");

		assert_true(body.n > 1000);
		assert_int_equal(verdict(s, body, 4096), AUTH_WRONG);
	}
}

static void published_of_standard_webhooks(void **state)
{
	const struct json *v = published("standard-webhooks/vector.json");

	(void)state;
	if (!v)
		return;
	write_file("more", json_str(json_get(v, "secret")), 0600);
	HEADERS("webhook-id", text_of(v, "webhook-id"), "webhook-timestamp", text_of(v, "webhook-timestamp"),
		"webhook-signature", text_of(v, "webhook-signature"));
	now_ms = strtoll(text_of(v, "webhook-timestamp"), NULL, 10) * 1000;
	every_bit_counts(load("{standard_webhooks: {secret_file: more}}"), body_of(v, "standard-webhooks"), 2, 3);
}

static void published_of_grafana(void **state)
{
	const struct json *list = published("grafana/hmac-vectors.json");

	(void)state;
	for (const struct json *v = list ? list->child : NULL; v; v = v->next) {
		const char *signature = text_of(v, "X-Grafana-Alerting-Signature");
		bool timed = json_get(v, "timestamp_header_value") != NULL;

		write_file("more", json_str(json_get(v, "secret")), 0600);
		HEADERS("X-Grafana-Alerting-Signature", signature);
		if (timed) {
			HEADERS("X-Grafana-Alerting-Signature", signature, "X-Grafana-Alerting-Timestamp",
				text_of(v, "timestamp_header_value"));
			now_ms = strtoll(text_of(v, "timestamp_header_value"), NULL, 10) * 1000;
		}
		every_bit_counts(load(timed ? "{hmac: {header: X-Grafana-Alerting-Signature, secret_file: more, "
					      "timestamp_header: X-Grafana-Alerting-Timestamp}}"
					    : "{hmac: {header: X-Grafana-Alerting-Signature, secret_file: more}}"),
			body_of(v, "grafana"), 0, 0);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(what_is_wrong_with_files), T(loose_modes_are_told), T(white_space_around_a_secret_is_told),
		T(what_would_let_nobody_in),
		T(a_changed_secret_makes_another_auth), T(only_sources_with_an_auth_have_one), T(addresses), T(proxies),
		T(bearer), T(basic), T(names_of_certificates), T(github), T(rotation), T(pagerduty),
		T(as_many_signatures_as_may_be), T(hmac_by_word_of_the_configuration), T(with_a_time),
		T(at_the_edges_of_the_tolerance), T(a_body_that_comes_too_late), T(standard_webhooks), T(published_of_github),
		T(published_of_pagerduty),
		T(published_of_standard_webhooks), T(published_of_grafana)};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
