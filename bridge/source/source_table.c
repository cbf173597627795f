/* source_table.c: the kinds of senders. A new one is its file and its line here.
 *
 * Owns nothing but the table, which docs and --check read as well. Does not say who may send: that
 * is the configuration's matter.
 */
#include "source/kinds.h"

const struct source_kind source_kinds[] = {
	{"alertmanager", "Prometheus Alertmanager's webhook, version 4 and 3.", true, NULL, alertmanager_read},
	{"prometheus", "Prometheus, vmalert or a ruler, as to an Alertmanager; also at /api/v2/alerts.", true, NULL,
		prometheus_read},
	{"grafana", "Grafana's webhook contact points, and those before Grafana 9.", true, NULL, grafana_read},
	{"pagerduty", "PagerDuty's webhooks, version 3.", false, NULL, pagerduty_read},
	{"argocd", "Argo CD's notifications, by the template in contrib/argocd.", false, NULL, argocd_read},
	{"datadog", "Datadog's Webhooks integration, by the template in contrib/datadog.", false, datadog_form, datadog_read},
	{"sns", "Amazon SNS's HTTP subscriptions, and CloudWatch alarms in them.", false, sns_form, sns_read},
	{"github", "GitHub's webhooks, as JSON or as a form.", false, github_form, github_read},
	{"gitlab", "GitLab's webhooks of projects and groups.", false, NULL, gitlab_read},
	{"jira", "Jira's webhooks, Cloud and Server.", false, NULL, jira_read},
	{"cloudevents", "CloudEvents 1.0: structured, batched or binary.", false, cloudevents_form, cloudevents_read},
	{"generic", "Any JSON, or a form, by a map of the configuration.", false, generic_form, generic_read},
	{NULL, NULL, false, NULL, NULL},
};

const struct source_kind *source_kind_find(struct str name)
{
	for (const struct source_kind *k = source_kinds; k->name; k++)
		if (str_is(name, k->name))
			return k;
	return NULL;
}
