/* Names of clients' certificates: real handshakes in memory, with certificates that openssl makes. */
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "auth/certs.h"

#define DAY (24 * 60 * 60)
#define NAMES_SAID 100 /* of the certificate with too many */

/* In its folder: `authority NAME`; `leaf NAME AUTHORITY SUBJECT EXTENSION…`, valid for 30 days. */
static const char make_certificates[] =
	"set -e; cd \"$1\"\n"
	"new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
	"authority() { openssl req -x509 $new -days 3650 -subj /CN=$1 -keyout $1.key -out $1.pem; }\n"
	"leaf() {\n"
	"	name=$1 ca=$2 subject=$3; shift 3\n"
	"	{ echo '[req]'; echo 'distinguished_name = dn'; echo '[dn]'; echo '[ext]'; printf '%s\\n' \"$@\"; } >conf\n"
	"	openssl req -config conf -new $new -subj \"$subject\" -keyout $name.key -out request\n"
	"	openssl x509 -req -in request -CA $ca.pem -CAkey $ca.key -CAcreateserial -days 30 \\\n"
	"		-extfile conf -extensions ext -out $name.pem\n"
	"}\n"
	"authority ours; authority theirs\n"
	"leaf server ours /CN=localhost\n"
	"leaf all ours /CN=sender.example/O=None 'subjectAltName = DNS:a.example, email:ops@example.net,"
	" URI:spiffe://example.net/sender, IP:192.0.2.7, IP:2001:db8::7, RID:1.2.3.4'\n"
	"leaf common ours /CN=only.example\n"
	"leaf alternative ours /O=None subjectAltName=DNS:b.example\n"
	"leaf nameless ours /O=None basicConstraints=CA:FALSE\n"
	"leaf client ours /CN=client.example extendedKeyUsage=clientAuth\n"
	"leaf serveronly ours /CN=serveronly.example extendedKeyUsage=serverAuth\n"
	"leaf stranger theirs /CN=sender.example subjectAltName=DNS:a.example\n"
	"leaf nul ours /CN=nul.example subjectAltName=DER:300c820a676f6f64002e6576696c\n" /* good\0.evil */
	"leaf many ours /CN=many.example \"subjectAltName = $(seq -s, -f DNS:n%g.example 100)\"\n"
	"leaf between ours /CN=between basicConstraints=critical,CA:TRUE\n"
	"leaf deep between /CN=deep.example basicConstraints=CA:FALSE\n"
	"cat between.pem >>deep.pem\n"
	"leaf alone between /CN=deep.example basicConstraints=CA:FALSE\n"
	"authority self\n"
	"cat ours.pem theirs.pem >both.pem\n";

static char dir[] = "/tmp/rb-certs-XXXXXX";

static int shell(const char *script)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("sh", "sh", "-c", script, "sh", dir, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? shell(make_certificates) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return shell("rm -r \"$1\"");
}

/* As the bridge has them; client_ca is a file in the folder, or NULL. */
static struct certs *certs_of(const char *client_ca)
{
	struct buf text;
	struct conf *conf;
	struct certs *c;
	struct diags d;

	buf_init(&text, BUF_NO_LIMIT);
	buf_puts(&text, "http:\n  tls:\n    cert: server.pem\n    key: server.key\n");
	if (client_ca)
		buf_printf(&text, "    client_ca: %s\n", client_ca);
	diags_init(&d);
	conf = conf_parse((struct str){text.p, text.n}, "f.yml", dir, &d);
	c = certs_new(conf, &conf->http.tls, "http.tls", (int64_t)time(NULL) * 1000, &d);
	assert_findings(&d, "");
	assert_non_null(c);
	diags_release(&d);
	conf_free(conf);
	buf_release(&text);
	return c;
}

/* ---- a handshake ---- */

struct talk {
	int fds[2];
	gnutls_session_t server, client;
	gnutls_certificate_credentials_t server_cred, client_cred;
};

static struct certs *in_use;

static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
	unsigned *n, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_n, gnutls_privkey_t *key, unsigned *flags)
{
	(void)session;
	(void)info;
	*ocsp = NULL;
	*ocsp_n = *flags = 0;
	*n = certs_chain(in_use, chain, key);
	return 0;
}

static gnutls_session_t session_on(int fd, unsigned flags, const char *versions, gnutls_certificate_credentials_t cred)
{
	gnutls_session_t s;

	assert_int_equal(gnutls_init(&s, flags | GNUTLS_NONBLOCK), 0);
	assert_int_equal(gnutls_priority_set_direct(s, versions, NULL), 0);
	assert_int_equal(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred), 0);
	gnutls_transport_set_int(s, fd);
	return s;
}

/* A client that shows NAME.pem, or nothing where name is NULL. */
static void talk_begin(struct talk *t, struct certs *c, const char *name, const char *versions)
{
	char cert[128], key[128];
	int server = GNUTLS_E_AGAIN, client = GNUTLS_E_AGAIN;

	in_use = c;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t->fds), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&t->server_cred), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&t->client_cred), 0);
	gnutls_certificate_set_retrieve_function3(t->server_cred, retrieve);
	if (name) {
		snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
		snprintf(key, sizeof(key), "%s/%s.key", dir, name);
		assert_int_equal(gnutls_certificate_set_x509_key_file(t->client_cred, cert, key, GNUTLS_X509_FMT_PEM), 0);
	}
	t->server = session_on(t->fds[0], GNUTLS_SERVER, versions, t->server_cred);
	t->client = session_on(t->fds[1], GNUTLS_CLIENT, versions, t->client_cred);
	gnutls_certificate_server_set_request(t->server, GNUTLS_CERT_REQUEST);
	while (server == GNUTLS_E_AGAIN || client == GNUTLS_E_AGAIN) {
		if (client == GNUTLS_E_AGAIN)
			client = gnutls_handshake(t->client);
		if (server == GNUTLS_E_AGAIN)
			server = gnutls_handshake(t->server);
	}
	assert_int_equal(client, 0);
	assert_int_equal(server, 0);
}

static void talk_end(struct talk *t)
{
	gnutls_deinit(t->server);
	gnutls_deinit(t->client);
	gnutls_certificate_free_credentials(t->server_cred);
	gnutls_certificate_free_credentials(t->client_cred);
	close(t->fds[0]);
	close(t->fds[1]);
}

/* The names of the talk's client by c are exactly `want`, with spaces between them. */
static void assert_names_of(const struct talk *t, const struct certs *c, const char *want)
{
	struct str *names = NULL;
	struct arena a;
	struct buf got;
	size_t n;

	arena_init(&a, 1 << 20);
	buf_init(&got, BUF_NO_LIMIT);
	n = certs_client_names(c, t->server, &a, &names);
	for (size_t i = 0; i < n; i++)
		buf_printf(&got, "%s%.*s", i ? " " : "", STR_ARG(names[i]));
	assert_string_equal(got.p ? got.p : "", want);
	buf_release(&got);
	arena_release(&a);
}

static void assert_names(const char *client_ca, const char *name, const char *want)
{
	static const char *const versions[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"};
	struct certs *c = certs_of(client_ca);

	for (size_t i = 0; i < 2; i++) {
		struct talk t;

		talk_begin(&t, c, name, versions[i]);
		assert_names_of(&t, c, want);
		talk_end(&t);
	}
	certs_unref(c);
}

/* ---- tests ---- */

static void names_of_a_certificate_that_is_vouched_for(void **state)
{
	(void)state;
	assert_names("ours.pem", "all",
		"sender.example a.example ops@example.net spiffe://example.net/sender 192.0.2.7 2001:db8::7");
	assert_names("ours.pem", "common", "only.example");
	assert_names("ours.pem", "alternative", "b.example");
	assert_names("ours.pem", "nameless", "");
	assert_names("ours.pem", "client", "client.example");
	assert_names("both.pem", "stranger", "sender.example a.example");
}

static void nobody_vouches(void **state)
{
	(void)state;
	assert_names("ours.pem", NULL, "");
	assert_names("ours.pem", "stranger", "");
	assert_names("ours.pem", "self", "");
	assert_names("theirs.pem", "all", "");
	assert_names(NULL, "all", "");
}

static void certificate_for_servers_only(void **state)
{
	(void)state;
	assert_names("ours.pem", "serveronly", "");
}

static void authority_between(void **state)
{
	(void)state;
	assert_names("ours.pem", "deep", "deep.example");
	assert_names("ours.pem", "alone", ""); /* without the one between */
}

static void name_with_a_zero_byte_is_no_name(void **state)
{
	(void)state;
	assert_names("ours.pem", "nul", "nul.example");
}

static void names_end_at_their_limit(void **state)
{
	struct buf want;

	(void)state;
	assert_true(NAMES_SAID > CERTS_NAMES_MAX);
	buf_init(&want, BUF_NO_LIMIT);
	buf_puts(&want, "many.example");
	for (int i = 1; i < CERTS_NAMES_MAX; i++)
		buf_printf(&want, " n%d.example", i);
	assert_names("ours.pem", "many", want.p);
	buf_release(&want);
}

static int days_on; /* how far GnuTLS's clock goes ahead */

static time_t other_time(time_t *t)
{
	time_t now = time(NULL) + (time_t)days_on * DAY;

	if (t)
		*t = now;
	return now;
}

/* The same connection: valid for 30 days, and not before. */
static void certificate_has_its_time(void **state)
{
	static const struct {
		int days;
		const char *want;
	} v[] = {{0, "only.example"}, {29, "only.example"}, {31, ""}, {-1, ""}, {0, "only.example"}};
	struct certs *c = certs_of("ours.pem");
	struct talk t;

	(void)state;
	talk_begin(&t, c, "common", "NORMAL");
	gnutls_global_set_time_function(other_time);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		days_on = v[i].days;
		assert_names_of(&t, c, v[i].want);
	}
	gnutls_global_set_time_function(time);
	talk_end(&t);
	certs_unref(c);
}

/* A connection that goes on over a reload is held against the client_ca of now. */
static void client_ca_is_rotated(void **state)
{
	struct certs *old = certs_of("ours.pem"), *both = certs_of("both.pem"), *now = certs_of("theirs.pem"),
		     *none = certs_of(NULL);
	struct talk t;

	(void)state;
	assert_true(certs_asks_clients(old));
	assert_false(certs_asks_clients(none));
	assert_false(certs_same(old, both));
	talk_begin(&t, old, "common", "NORMAL");
	assert_names_of(&t, old, "only.example");
	assert_names_of(&t, both, "only.example");
	assert_names_of(&t, now, "");
	assert_names_of(&t, none, "");
	talk_end(&t);
	certs_unref(old);
	certs_unref(both);
	certs_unref(now);
	certs_unref(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_a_certificate_that_is_vouched_for),
		cmocka_unit_test(nobody_vouches),
		cmocka_unit_test(certificate_for_servers_only),
		cmocka_unit_test(authority_between),
		cmocka_unit_test(name_with_a_zero_byte_is_no_name),
		cmocka_unit_test(names_end_at_their_limit),
		cmocka_unit_test(certificate_has_its_time),
		cmocka_unit_test(client_ca_is_rotated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
