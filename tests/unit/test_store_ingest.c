/* What a message about an alert means, and which incident it belongs to. */
#include "store_rig.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"
#define T0 RIG_T0

static void first_and_again(void **state)
{
	struct rig r;
	struct rig_event ev = rig_alert(A, 'f', T0 - MINUTE);

	(void)state;
	rig_start(&r, true);
	struct rig_answer first = rig_ingest(&r, &ev);
	assert_int_equal(first.outcome, STORE_NEW);
	assert_int_equal(strlen(first.id), ID_LEN);
	assert_int_equal(strlen(first.incident), ID_LEN);
	rig_pass(&r, SECOND);
	struct rig_answer again = rig_ingest(&r, &ev);
	assert_int_equal(again.outcome, STORE_DUPLICATE);
	assert_string_equal(again.id, first.id);
	assert_string_equal(again.incident, first.incident);
	struct rig_text t = rig_get(&r, STORE_INCIDENT, first.incident);
	assert_text(t, "\"status\":\"open\"");
	struct rig_text e = rig_get(&r, STORE_EVENT, first.id);
	printf("%s\n%s\n", t.text, e.text);
	rig_stop(&r);
}

TESTS_MAIN(cmocka_unit_test(first_and_again))
