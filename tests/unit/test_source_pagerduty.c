/* The PagerDuty source: golden files, occurrences, types; and real messages where they are at hand.
 */
#include "unit.h"
#include <unistd.h>
#define RIG_KIND "pagerduty"
#include "source_rig.h"

static void golden_files(void **state)
{
	(void)state;
	assert_int_equal(rig_golden_files(&rig), 7);
}

#define EVENT(type, data)                                                                          \
	"{\"event\":{\"event_type\":\"" type                                                       \
	"\",\"occurred_at\":\"1970-01-01T00:00:09Z\",\"data\":{" data "}}}"

static struct event *one(const char *body)
{
	return rig_one(&rig, str_of(body));
}

static void occurrences(void **state)
{
	struct str id = one(EVENT("incident.triggered", "\"id\":\"A\""))->fingerprint;

	(void)state;
	assert_int_equal(id.n, 16);
	assert_true(
		one(EVENT("incident.triggered", "\"id\":\"A\""))->starts_ns == INT64_C(9000000000));
	const struct event *acked = one(EVENT(
		"incident.acknowledged", "\"id\":\"A\",\"created_at\":\"1970-01-01T00:00:05Z\""));
	assert_true(str_eq(acked->fingerprint, id) && acked->status == EVENT_FIRING);
	assert_true(acked->starts_ns == INT64_C(5000000000));
	assert_true(str_eq(one(EVENT("incident.resolved", "\"id\":\"A\""))->fingerprint, id));
	assert_int_equal(one(EVENT("incident.resolved", "\"id\":\"A\""))->status, EVENT_RESOLVED);
	assert_false(str_eq(one(EVENT("incident.resolved", "\"id\":\"B\""))->fingerprint, id));
	assert_int_equal(one(EVENT("incident.triggered", ""))->status, EVENT_INFO);
	assert_str(
		one(EVENT("service.updated", "\"id\":\"A\""))->type, "pagerduty_service_updated");
}

/* When the incident began is not known: after a resolve, as which it may come late, it would be
 * another occurrence. */
static void what_goes_on_without_a_beginning_changes_nothing(void **state)
{
	const struct event *ev = one(EVENT("incident.acknowledged", "\"id\":\"A\""));

	(void)state;
	assert_int_equal(ev->status, EVENT_INFO);
	assert_str(ev->type, "pagerduty_incident_acknowledged");
	assert_str(ev->fingerprint, "");
	assert_str(event_label(ev, STR("incident")), "A");
	assert_int_equal(
		one(EVENT("incident.escalated", "\"id\":\"A\",\"created_at\":null"))->status,
		EVENT_INFO);
}

static void delivery_by_header(void **state)
{
	static const struct kv headers[] = {{STR("x-webhook-id"), STR("d-1")}, {STR(""), STR("")}};

	(void)state;
	rig.headers = headers;
	assert_str(one(EVENT("incident.triggered", "\"id\":\"A\""))->delivery, "d-1");
	assert_str(one("{\"event\":{\"id\":\"own\"}}")->delivery, "own");
}

static void wrong_types(void **state)
{
	(void)state;
	rig_refused(&rig, STR("[]"), ERR_INPUT, "body: want an object with 'event', got an array");
	rig_refused(&rig, STR("{}"), ERR_INPUT, "event: missing, want an object");
	rig_refused(&rig, STR("{\"event\":[]}"), ERR_INPUT, "event: want an object, got an array");
	rig_refused(&rig, STR(EVENT("incident.triggered", "\"id\":{}")), ERR_INPUT, "data.id");
	rig_refused(&rig, STR("{\"event\":{\"occurred_at\":\"now\"}}"), ERR_INPUT, "occurred_at");
}

static void real_messages(void **state)
{
	(void)state;
	if (access(SHARED_DIR "/payloads/pagerduty", R_OK) != 0)
		return; /* the golden files have their shapes */
	assert_int_equal(
		one(rig_file(&rig, SHARED_DIR "/payloads/pagerduty/v3-triggered.json").p)->status,
		EVENT_FIRING);
	struct event *ev = one(rig_file(&rig, SHARED_DIR "/payloads/pagerduty/v3-resolved.json").p);
	assert_int_equal(ev->status, EVENT_RESOLVED);
	assert_str(ev->delivery, "01BZYH1JJY09P9LEIST8HG2PMN");
	assert_str(event_label(ev, STR("incident")), "PCPZE64");
}

TESTS_MAIN(TEST(golden_files), TEST(occurrences),
	TEST(what_goes_on_without_a_beginning_changes_nothing), TEST(delivery_by_header),
	TEST(wrong_types), TEST(real_messages))
