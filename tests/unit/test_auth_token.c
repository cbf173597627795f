/* Tokens: what a header shows, whose it is, what it may do. */
#include "unit.h"

#include "auth/auth.h"
#include "auth/credentials.h"

/* SHA-256 of "rb_oncall", "rb_sender", "rb_one", "rb_admin". */
static const char text[] =
	"tokens:\n"
	"  - {name: oncall, hash: \"sha256:3a7c85bf1a45433ab428971c99b439c7fddbcfecd1263a1a6c29e5c9849b4129\", scopes: [operate]}\n"
	"  - {name: sender, hash: \"sha256:68a8fd29c8f9244807d65919480ce9ba34d17db3af2fe81d906741e67365fc97\", scopes: [ingest]}\n"
	"  - {name: one, hash: \"sha256:ee2b34d4ee623ca67c9290a3f0de3a301ef97903fca5f3068a45d7aec79a2081\", scopes: [\"ingest:github\", read]}\n"
	"  - {name: admin, hash: \"sha256:80daf94ad5696d0ba9a0ba83627ba87e586a4c71e97de854095a5aec150393bb\", scopes: [admin]}\n";

static struct conf *conf;
static struct auth *auth;

static int setup(void **state)
{
	struct diags d;

	(void)state;
	diags_init(&d);
	conf = conf_parse(str_of(text), "f.yml", "/etc/rb", &d);
	assert_findings(&d, "");
	auth = auth_new(conf, &d);
	assert_findings(&d, "");
	diags_release(&d);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auth_unref(auth);
	conf_free(conf);
	return 0;
}

static const char *name_of(const char *header)
{
	const struct conf_token *t = auth_token(auth, str_of(header));

	return t ? t->name.p : "none";
}

static void bearer_and_basic(void **state)
{
	(void)state;
	assert_true(auth_has_tokens(auth));
	assert_string_equal(name_of("Bearer rb_oncall"), "oncall");
	assert_string_equal(name_of("bearer   rb_sender "), "sender");
	assert_string_equal(name_of("Basic YW55Ym9keTpyYl9vbmU="), "one"); /* anybody:rb_one */
	assert_string_equal(name_of("BASIC OnJiX2FkbWlu"), "admin");	     /* :rb_admin */
	assert_true(auth_is_bearer(STR("Bearer x")));
	assert_false(auth_is_bearer(STR("Basic OnJiX2FkbWlu")));
	assert_false(auth_is_bearer(STR_NONE));
}

static void what_is_no_token(void **state)
{
	static const char *const bad[] = {"", "Bearer", "Bearer ", "Bearer rb_oncalL", "Bearer rb_oncall2", "Bearer rb_oncal",
		"rb_oncall", "Bearerrb_oncall", "Digest rb_oncall", "Basic rb_oncall", "Basic cmJfb25jYWxs", /* no colon */
		"Basic !!!!", "Basic OnJiX2FkbWl",
		/* the hash is no token */
		"Bearer 3a7c85bf1a45433ab428971c99b439c7fddbcfecd1263a1a6c29e5c9849b4129"};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(name_of(bad[i]), "none");
	buf_init(&b, BUF_NO_LIMIT);
	buf_printf(&b, "Bearer %0*d", AUTH_CREDENTIALS_MAX + 1, 0);
	assert_string_equal(name_of(b.p), "none");
	buf_clear(&b);
	buf_puts(&b, "Basic ");
	for (int i = 0; i < AUTH_CREDENTIALS_MAX; i++)
		buf_puts(&b, "QUFB");
	assert_string_equal(name_of(b.p), "none");
	buf_release(&b);
}

static void basic_is_split_at_the_first_colon(void **state)
{
	struct credentials c;

	(void)state;
	credentials_read(STR("Basic YTpiOmM="), &c);
	assert_int_equal(c.form, CREDENTIALS_BASIC);
	assert_str(c.user, "a");
	assert_str(c.secret, "b:c");
	credentials_wipe(&c);
	for (size_t i = 0; i < sizeof(c.space); i++)
		assert_int_equal(c.space[i], 0);
}

/* What shippers show is a token by another name, and no browser shows it. */
static void names_of_shippers(void **state)
{
	static const char *const shown[] = {"Splunk rb_oncall", "splunk  rb_oncall", "ApiKey aWQ6cmJfb25jYWxs"};

	(void)state;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		assert_string_equal(name_of(shown[i]), "oncall");
		assert_true(auth_is_bearer(str_of(shown[i])));
	}
	assert_string_equal(name_of("Splunk other"), "none");
	assert_string_equal(name_of("ApiKey !"), "none");
	assert_string_equal(name_of("Splunk"), "none");
}

static void scopes_hold_lesser_ones(void **state)
{
	static const struct {
		const char *shown;
		bool read, operate, admin, github, gitlab;
	} t[] = {
		{"Bearer rb_oncall", true, true, false, false, false},
		{"Bearer rb_sender", false, false, false, true, true},
		{"Bearer rb_one", true, false, false, true, false},
		{"Bearer rb_admin", true, true, true, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct conf_token *token = auth_token(auth, str_of(t[i].shown));

		assert_non_null(token);
		assert_int_equal(auth_token_may(token, CONF_SCOPE_READ), t[i].read);
		assert_int_equal(auth_token_may(token, CONF_SCOPE_OPERATE), t[i].operate);
		assert_int_equal(auth_token_may(token, CONF_SCOPE_ADMIN), t[i].admin);
		assert_int_equal(auth_token_may_send(token, STR("github")), t[i].github);
		assert_int_equal(auth_token_may_send(token, STR("gitlab")), t[i].gitlab);
	}
}

static void references_are_counted(void **state)
{
	(void)state;
	assert_false(auth_shared(auth));
	assert_ptr_equal(auth_ref(auth), auth);
	assert_true(auth_shared(auth));
	auth_unref(auth);
	assert_false(auth_shared(auth));
	auth_unref(NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
TESTS_MAIN(T(bearer_and_basic), T(what_is_no_token), T(basic_is_split_at_the_first_colon), T(names_of_shippers), T(scopes_hold_lesser_ones),
	T(references_are_counted))
