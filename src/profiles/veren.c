#include "profiles/veren.h"

#include "core/json.h"

#define CA_FILE "/home/app/kafka.pem" /* where Veren's images have it */

const char *const veren_topic[] = {"DOMAIN_EVENTS_TOPIC_ARN", NULL};
const char *const veren_kafka[] = {"KAFKA_BROKER1", NULL};
const char *const veren_kafka_user[] = {"KAFKA_SASL_USERNAME", NULL};
const char *const veren_kafka_password[] = {"KAFKA_SASL_PASSWORD", NULL};
const char *const veren_kafka_ca[] = {"KAFKA_CA_PATH", NULL};
const char *const veren_kafka_client[] = {"KAFKA_CLIENT_ID", NULL};

void veren_notify(struct profile_draft *draft, const char *format, const char *log_format, const char *log_topic)
{
    const char *topic_variable, *broker_variable;
    const char *topic = profile_text(draft, "topic", &topic_variable);
    const char *broker = profile_text(draft, "kafka", &broker_variable);
    const char *ca = profile_text(draft, "kafka ca", NULL);
    json_t *entry;

    if (topic)
        profile_notify(draft, "sns", topic, topic_variable, format, "started");
    if (!broker)
        return;
    entry = profile_notify(draft, "kafka", broker, broker_variable, log_format, "log");
    json_put_text(entry, "topic", log_topic);
    json_put_text(entry, "key", "log");
    json_put_text(entry, "ca_bundle", ca ? ca : CA_FILE);
    profile_notify_value(draft, entry, "username", "kafka user");
    profile_notify_value(draft, entry, "password", "kafka password");
}
