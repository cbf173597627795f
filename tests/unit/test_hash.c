/* The hashes against their published vectors. */
#include "unit.h"
#include "base/hash.h"

static void sha256(void **state)
{
	(void)state;
	char hex[HASH_SHA256_HEX];
	hash_sha256_hex(STR_NONE, hex);
	assert_string_equal(
		hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_sha256_hex(STR("abc"), hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void fnv1a(void **state)
{
	(void)state;
	assert_true(hash_fnv1a(HASH_FNV1A_START, "", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(hash_fnv1a(HASH_FNV1A_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(hash_fnv1a(HASH_FNV1A_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

TESTS_MAIN(cmocka_unit_test(sha256), cmocka_unit_test(fnv1a))
