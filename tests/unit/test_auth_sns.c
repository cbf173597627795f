/* Signatures of SNS: signed messages, one bit off, certificates that are not SNS's, and URLs that must not be asked. */
#include "unit.h"
#include <dirent.h>
#include <unistd.h>
#include "auth/sns.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"

static struct arena arena;
static int64_t valid_ms;	/* a time at which the certificates of the golden folder are valid */

static int begin(void **state)
{
	int64_t ns;

	(void)state;
	arena_init(&arena, 64 << 20);
	assert_true(clock_parse_rfc3339(STR("2027-06-01T00:00:00Z"), &ns));
	valid_ms = ns / 1000000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct str read_file(const char *dir, const char *name)
{
	struct buf b;
	struct err e;

	buf_init(&b, BUF_NO_LIMIT);
	if (file_read(arena_printf(&arena, "%s/%s", dir, name).p, &b, &e) < 0)
		fail_msg("%s", e.text);
	struct str s = arena_strdup(&arena, buf_as_str(&b));
	buf_release(&b);
	return s;
}

static struct sns_key *key_of(const char *dir, const char *name)
{
	struct err e;
	struct sns_key *k = sns_key_new(read_file(dir, name), valid_ms, &e);

	if (!k)
		fail_msg("%s: %s", name, e.text);
	return k;
}

#define CERTS GOLDEN_DIR "/sns/certs"

static struct json *parse(struct str bytes)
{
	struct err e;
	struct json *j = json_parse(&arena, bytes, &e);

	if (!j)
		fail_msg("%s", e.text);
	return j;
}

static struct sns_signed signed_of(struct str bytes)
{
	struct sns_signed m;
	struct err e;

	if (sns_signed_read(parse(bytes), &m, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

/* ---- signatures ---- */

static void golden_messages_verify(void **state)
{
	struct sns_key *good = key_of(CERTS, "good.pem"), *other = key_of(CERTS, "other-key.pem");
	DIR *d = opendir(GOLDEN_DIR "/sns");
	struct dirent *f;
	struct err e;
	unsigned seen[3] = {0};

	(void)state;
	assert_non_null(d);
	while ((f = readdir(d))) {
		if (!strstr(f->d_name, ".json") || strcmp(f->d_name, "newer-type.json") == 0)
			continue;
		struct sns_signed m = signed_of(read_file(GOLDEN_DIR "/sns", f->d_name));
		if (sns_verify(&m, good, &e) < 0)
			fail_msg("%s: %s", f->d_name, e.text);
		assert_int_equal(sns_url_check(m.cert_url, SNS_URL_CERT, &e), 0);
		if (m.type != SNS_NOTIFICATION)
			assert_int_equal(sns_url_check(m.subscribe_url, SNS_URL_SUBSCRIBE, &e), 0);
		assert_int_equal(sns_verify(&m, other, &e), -1);
		assert_has(str_of(e.text), "Signature: it is not Amazon's of this message");
		/* Either digest, and no other. */
		m.version = 3 - m.version;
		assert_int_equal(sns_verify(&m, good, &e), -1);
		seen[m.version]++;
	}
	closedir(d);
	assert_true(seen[1] >= 5 && seen[2] >= 5);
	sns_key_free(good);
	sns_key_free(other);
}

/* One bit in some forty places of each signed member. */
static void one_bit_off(struct sns_signed *m, struct str *part, const struct sns_key *k)
{
	struct str whole = *part;
	char *copy = arena_alloc(&arena, whole.n ? whole.n : 1);
	struct err e;

	memcpy(copy, whole.p, whole.n);
	*part = (struct str){copy, whole.n};
	assert_int_equal(sns_verify(m, k, &e), 0);
	for (size_t i = 0; i < whole.n; i += 1 + whole.n / 40) {
		copy[i] = (char)(copy[i] ^ 1 << i % 8);
		if (sns_verify(m, k, &e) == 0)
			fail_msg("verifies with byte %zu of '%.*s' changed", i, STR_ARG(whole));
		copy[i] = whole.p[i];
	}
	part->n = whole.n - 1;
	assert_int_equal(sns_verify(m, k, &e), -1);
	*part = whole;
}

static void bits(void **state)
{
	static const char *const names[] = {"cpu-alarm.json", "cpu-ok.json", "subscription.json", "unsubscribe.json"};
	struct sns_key *k = key_of(CERTS, "good.pem");

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sns_signed m = signed_of(read_file(GOLDEN_DIR "/sns", names[i]));
		struct err e;

		one_bit_off(&m, &m.message, k);
		one_bit_off(&m, &m.message_id, k);
		one_bit_off(&m, &m.timestamp, k);
		one_bit_off(&m, &m.topic_arn, k);
		one_bit_off(&m, &m.type_name, k);
		one_bit_off(&m, &m.signature, k);
		if (m.type == SNS_NOTIFICATION) {
			one_bit_off(&m, &m.subject, k);
			m.has_subject = false;
			assert_int_equal(sns_verify(&m, k, &e), -1);
		} else {
			one_bit_off(&m, &m.subscribe_url, k);
			one_bit_off(&m, &m.token, k);
		}
	}
	sns_key_free(k);
}

static void odd_signatures(void **state)
{
	struct sns_key *k = key_of(CERTS, "good.pem");
	struct sns_signed m = signed_of(read_file(GOLDEN_DIR "/sns", "cpu-ok.json"));
	struct str odd[] = {STR(""), STR("====") , STR("!"), STR("AAAA"), STR("QQ=="), STR_NONE, STR_NONE};
	char *longer = arena_alloc(&arena, SNS_SIGNATURE_LIMIT + 4);
	struct err e;

	(void)state;
	memset(longer, 'A', SNS_SIGNATURE_LIMIT + 4);
	odd[5] = (struct str){longer, SNS_SIGNATURE_LIMIT};
	odd[6] = (struct str){longer, SNS_SIGNATURE_LIMIT + 4};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		m.signature = odd[i];
		assert_int_equal(sns_verify(&m, k, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_has(str_of(e.text), i == 6 ? "no base64 of a signature" : "Signature: ");
	}
	sns_key_free(k);
}

static void what_is_signed(void **state)
{
	struct sns_signed m = signed_of(STR("{\"Type\":\"Notification\",\"Message\":\"a\\nb\",\"MessageId\":\"1\",\"Subject\":\"s\","
		"\"Timestamp\":\"2026-11-20T09:15:27.190Z\",\"TopicArn\":\"t\",\"SignatureVersion\":\"1\",\"Signature\":\"x\","
		"\"SigningCertURL\":\"u\",\"SubscribeURL\":\"not signed here\",\"Token\":5}"));
	struct buf b;

	(void)state;
	buf_init(&b, BUF_NO_LIMIT);
	sns_string_to_sign(&m, &b);
	assert_str(buf_as_str(&b), "Message\na\nb\nMessageId\n1\nSubject\ns\nTimestamp\n2026-11-20T09:15:27.190Z\nTopicArn\nt\nType\nNotification\n");
	buf_clear(&b);
	m = signed_of(STR("{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"a\",\"MessageId\":\"1\",\"Subject\":\"s\",\"Token\":\"k\","
		"\"Timestamp\":\"2026-11-20T09:15:27.190Z\",\"TopicArn\":\"t\",\"SignatureVersion\":\"2\",\"Signature\":\"x\","
		"\"SigningCertURL\":\"u\",\"SubscribeURL\":\"l\"}"));
	sns_string_to_sign(&m, &b);
	assert_str(buf_as_str(&b), "Message\na\nMessageId\n1\nSubscribeURL\nl\nTimestamp\n2026-11-20T09:15:27.190Z\nToken\nk\nTopicArn\nt\n"
		"Type\nSubscriptionConfirmation\n");
	buf_release(&b);
}

/* ---- members ---- */

/* The golden confirmation with one member set to other JSON, or taken away. */
static int read_with(const char *member, const char *value, struct err *e)
{
	const struct json *j = parse(read_file(GOLDEN_DIR "/sns", "subscription.json"));
	struct sns_signed m;
	struct json_w w;
	struct buf b;

	buf_init(&b, BUF_NO_LIMIT);
	json_w_init(&w, &b);
	json_w_object(&w);
	for (const struct json *c = j->child; c; c = c->next) {
		if (!str_is(c->key, member)) {
			json_w_key(&w, c->key);
			json_write(&w, c);
		} else if (value) {
			json_w_kraw(&w, member, str_of(value));
		}
	}
	json_w_end(&w, '}');
	j = parse(arena_strdup(&arena, buf_as_str(&b)));
	buf_release(&b);
	return sns_signed_read(j, &m, e);
}

static void members(void **state)
{
	static const char *const names[] = {"Type", "Message", "MessageId", "Timestamp", "TopicArn", "SignatureVersion", "Signature",
		"SigningCertURL", "SubscribeURL", "Token"};
	struct err e;

	(void)state;
	assert_int_equal(read_with("Other", "1", &e), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		static const char *const values[] = {NULL, "null", "5", "{}", "\"a\\nb\""};

		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			bool good = strcmp(names[i], "Message") == 0 && k == 4;

			assert_int_equal(read_with(names[i], values[k], &e), good ? 0 : -1);
			if (good)
				continue;
			assert_int_equal(e.code, ERR_INPUT);
			assert_has(str_of(e.text), names[i]);
		}
	}
	assert_int_equal(read_with("SignatureVersion", "\"3\"", &e), -1);
	assert_has(str_of(e.text), "known are '1' and '2'");
	assert_int_equal(read_with("Type", "\"Other\"", &e), -1);
	assert_int_equal(read_with("Timestamp", "\"yesterday\"", &e), -1);
	assert_int_equal(sns_signed_read(parse(STR("[]")), &(struct sns_signed){0}, &e), -1);
}

static void ages(void **state)
{
	struct sns_signed m = {.timestamp = STR("then"), .time_ns = INT64_C(1000000000) * 1000000};
	int64_t at = 1000000000;
	struct err e;

	(void)state;
	assert_int_equal(sns_check_age(&m, at, &e), 0);
	assert_int_equal(sns_check_age(&m, at + SNS_AGE_MAX_MS, &e), 0);
	assert_int_equal(sns_check_age(&m, at + SNS_AGE_MAX_MS + 1, &e), -1);
	assert_has(str_of(e.text), "Timestamp: then is long ago");
	assert_int_equal(sns_check_age(&m, at - SNS_AHEAD_MAX_MS, &e), 0);
	assert_int_equal(sns_check_age(&m, at - SNS_AHEAD_MAX_MS - 1, &e), -1);
	assert_has(str_of(e.text), "then is in the future");
}

/* ---- URLs ---- */

static void good_urls(void **state)
{
	static const char *const certs[] = {
		"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem",
		"https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0123.pem",
		"https://sns.us-gov-west-1.amazonaws.com/a/b.pem",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++)
		if (sns_url_check(str_of(certs[i]), SNS_URL_CERT, &e) < 0)
			fail_msg("%s", e.text);
	if (sns_url_check(STR("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:1:t"
			      "&Token=2336412f37fb687f5d51e6e2425f004ae%2B"), SNS_URL_SUBSCRIBE, &e) < 0)
		fail_msg("%s", e.text);
}

static void hostile_urls(void **state)
{
	static const char *const urls[] = {
		"", "/a.pem", "a.pem", "https://", "https:///a.pem", "file:///etc/passwd.pem",
		"http://sns.us-east-1.amazonaws.com/a.pem", "HTTPS://sns.us-east-1.amazonaws.com/a.pem",
		"ftp://sns.us-east-1.amazonaws.com/a.pem", " https://sns.us-east-1.amazonaws.com/a.pem",
		"https://sns.us-east-1.amazonaws.com", "https://sns.us-east-1.amazonaws.com/", "https://sns.us-east-1.amazonaws.com/.pem.",
		"https://sns.us-east-1.amazonaws.com/.pem/../x", "https://sns.us-east-1.amazonaws.com/../a.pem",
		"https://sns.us-east-1.amazonaws.com/a.pem?x", "https://sns.us-east-1.amazonaws.com/a?x=.pem",
		"https://sns.us-east-1.amazonaws.com/a#.pem", "https://sns.us-east-1.amazonaws.com/a%2e.pem",
		"https://sns.us-east-1.amazonaws.com/a;.pem", "https://sns.us-east-1.amazonaws.com\\@evil.example/a.pem",
		"https://sns.us-east-1.amazonaws.com/a.PEM", "https://sns.us-east-1.amazonaws.com/a.pem ",
		"https://sns.us-east-1.amazonaws.com/a.pem\n", "https://sns.us-east-1.amazonaws.com/a\r\nHost: x.pem",
		"https://user@sns.us-east-1.amazonaws.com/a.pem", "https://user:pw@sns.us-east-1.amazonaws.com/a.pem",
		"https://sns.us-east-1.amazonaws.com@evil.example/a.pem", "https://sns.us-east-1.amazonaws.com:443/a.pem",
		"https://sns.us-east-1.amazonaws.com:8443/a.pem", "https://sns.us-east-1.amazonaws.com./a.pem",
		"https://evil.example/a.pem", "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
		"https://evil.example?https://sns.us-east-1.amazonaws.com/a.pem", "https://evil.example#sns.us-east-1.amazonaws.com/a.pem",
		"https://sns.us-east-1.amazonaws.com.evil.example/a.pem", "https://evilsns.us-east-1.amazonaws.com/a.pem",
		"https://sns.us-east-1.evilamazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com.cn.evil/a.pem",
		"https://sns.a.b.amazonaws.com/a.pem", "https://sns.us_east.amazonaws.com/a.pem", "https://sns..amazonaws.com/a.pem",
		"https://sns.ab.amazonaws.com/a.pem", "https://sns.amazonaws.com/a.pem", "https://s3.us-east-1.amazonaws.com/a.pem",
		"https://sns.s3.amazonaws.com.co/a.pem", "https://SNS.us-east-1.amazonaws.com/a.pem", "https://127.0.0.1/a.pem",
		"https://[::1]/a.pem", "https://169.254.169.254/latest/meta-data/a.pem", "https://localhost/a.pem",
		"https://sns.us\342\200\244east-1.amazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com%00.evil/a.pem",
		"https://sns.us-east-1.amazonaws.com/\xff.pem", "https:/sns.us-east-1.amazonaws.com/a.pem",
		"https://sns.us-east-1.amazonaws.com.cn.cn/a.pem", "//sns.us-east-1.amazonaws.com/a.pem",
	};
	static const char with_nul[] = "https://sns.us-east-1.amazonaws.com/a\0.pem";
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		if (sns_url_check(str_of(urls[i]), SNS_URL_CERT, &e) == 0)
			fail_msg("taken: %s", urls[i]);
		assert_int_equal(e.code, ERR_INPUT);
		if (sns_url_check(str_of(urls[i]), SNS_URL_SUBSCRIBE, &e) == 0)
			fail_msg("taken: %s", urls[i]);
	}
	assert_int_equal(sns_url_check((struct str){with_nul, sizeof(with_nul) - 1}, SNS_URL_CERT, &e), -1);
	assert_int_equal(sns_url_check(STR_NONE, SNS_URL_CERT, &e), -1);
}

static void hostile_subscribe_urls(void **state)
{
	static const char *const paths[] = {"", "/", "/a.pem", "/?Action=Unsubscribe&SubscriptionArn=x", "/?Action=ConfirmSubscription",
		"/?Action=ConfirmSubscriptions&x", "/?x&Action=ConfirmSubscription&", "/x?Action=ConfirmSubscription&T=1",
		"/?Action=ConfirmSubscription&T=1#x", "/?Action=ConfirmSubscription&T=a b", "/?Action=ConfirmSubscription&T=\"",
		"/?Action=ConfirmSubscription&T=\\", "/?Action=ConfirmSubscription&T=@", "/?Action=ConfirmSubscription&T=\r\n"};
	char *longer = arena_alloc(&arena, SNS_URL_LIMIT + 1);
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct str url = arena_printf(&arena, "https://sns.us-east-1.amazonaws.com%s", paths[i]);
		if (sns_url_check(url, SNS_URL_SUBSCRIBE, &e) == 0)
			fail_msg("taken: %s", url.p);
		assert_has(str_of(e.text), "SubscribeURL: 'https://sns.us-east-1.amazonaws.com");
	}
	static const char start[] = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&";
	memset(longer, 'x', SNS_URL_LIMIT + 1);
	memcpy(longer, start, sizeof(start) - 1);
	assert_int_equal(sns_url_check((struct str){longer, SNS_URL_LIMIT}, SNS_URL_SUBSCRIBE, &e), 0);
	assert_int_equal(sns_url_check((struct str){longer, SNS_URL_LIMIT + 1}, SNS_URL_SUBSCRIBE, &e), -1);
	assert_has(str_of(e.text), "longer than 2048 bytes");
}

/* ---- certificates ---- */

static void refused_cert(struct str pem, int64_t now_ms, const char *want)
{
	struct err e = {0};

	assert_null(sns_key_new(pem, now_ms, &e));
	assert_int_equal(e.code, ERR_INPUT);
	assert_has(str_of(e.text), want);
}

static void certificates(void **state)
{
	struct str good = read_file(CERTS, "good.pem");
	struct sns_key *k = key_of(CERTS, "good.pem"), *other;
	char *large = arena_alloc(&arena, SNS_CERT_LIMIT + 1);

	(void)state;
	refused_cert(read_file(CERTS, "other-name.pem"), valid_ms, "the certificate is that of 'sns.example.com'");
	refused_cert(read_file(CERTS, "no-name.pem"), valid_ms, "the certificate is that of ''");
	refused_cert(read_file(CERTS, "short-key.pem"), valid_ms, "has 1024 bits, fewer than 2048");
	refused_cert(read_file(CERTS, "not-rsa.pem"), valid_ms, "none of RSA");
	refused_cert(good, 0, "valid only from 2026-11-28T");
	refused_cert(good, sns_key_ends_ms(k) + 1, "valid only until 2126-");
	refused_cert(STR(""), valid_ms, "none (PEM)");
	refused_cert(STR("<html>not found</html>"), valid_ms, "none (PEM)");
	refused_cert((struct str){good.p, good.n / 2}, valid_ms, "none (PEM)");
	memset(large, '\n', SNS_CERT_LIMIT + 1);
	memcpy(large, good.p, good.n);
	refused_cert((struct str){large, SNS_CERT_LIMIT + 1}, valid_ms, "larger than 64 KiB");
	sns_key_free(k);
	/* At both ends, and in regions with a name of their own. */
	k = key_of(CERTS, "china.pem");
	struct err e;
	other = sns_key_new(read_file(CERTS, "china.pem"), sns_key_ends_ms(k), &e);
	assert_non_null(other);
	sns_key_free(other);
	sns_key_free(k);
	sns_key_free(key_of(CERTS, "other-key.pem"));
	sns_key_free(NULL);
}

/* ---- messages as published, where they lie beside the project ---- */

static void published_messages(void **state)
{
	static const char *const names[] = {"notification-alarm-v1.json", "notification-alarm-v2.json", "notification-ok-v2.json",
		"subscription-confirmation-v1.json"};
	static const char dir[] = SHARED_DIR "/payloads/aws-sns";
	struct buf b;
	struct err e;

	(void)state;
	if (access(dir, R_OK) != 0)
		return; /* the golden messages are signed in the same ways */
	struct sns_key *k = key_of(dir, "signing-cert.pem");
	buf_init(&b, BUF_NO_LIMIT);
	for (size_t i = 0; i < 4; i++) {
		struct sns_signed m = signed_of(read_file(dir, names[i]));

		if (sns_verify(&m, k, &e) < 0)
			fail_msg("%s: %s", names[i], e.text);
		one_bit_off(&m, &m.message, k);
		one_bit_off(&m, &m.signature, k);
		buf_clear(&b);
		sns_string_to_sign(&m, &b);
		if (i < 2)
			assert_true(str_eq(buf_as_str(&b), read_file(dir, "notification-alarm.string-to-sign.txt")));
		assert_int_equal(sns_url_check(m.cert_url, SNS_URL_CERT, &e), 0);
	}
	buf_release(&b);
	sns_key_free(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

TESTS_MAIN(TEST(golden_messages_verify), TEST(bits), TEST(odd_signatures), TEST(what_is_signed), TEST(members), TEST(ages),
	TEST(good_urls), TEST(hostile_urls), TEST(hostile_subscribe_urls), TEST(certificates), TEST(published_messages))
