/* Sessions. */
#include "exporters/sentry/session.h"

#include "exporters/json.h"
#include "exporters/sentry/envelope.h"
#include "exporters/sentry/scope.h"
#include "exporters/sentry/time_text.h"
#include "exporters/writer.h"

static void write_session(
    const struct exp_session *session, enum exp_session_status status,
    bool is_first, uint64_t now_ms, struct exp_writer *writer)
{
    static const char *const names[] = {
        [EXP_SESSION_OK] = "ok",
        [EXP_SESSION_EXITED] = "exited",
        [EXP_SESSION_CRASHED] = "crashed",
        [EXP_SESSION_ABNORMAL] = "abnormal"};
    struct exp_json json = exp_json_init(writer, EXP_JSON_COMPACT);
    char time[EXP_TIME_BYTES];
    uint32_t errors = session->errors;
    if (status == EXP_SESSION_CRASHED && errors == 0)
        errors = 1; /* a crash is one */
    exp_json_begin_object(&json);
    exp_json_member_string(&json, "sid", session->id);
    exp_json_key(&json, "init");
    exp_json_bool(&json, is_first);
    exp_json_member_string(
        &json, "started", exp_time_text(session->started_ms, time));
    exp_json_member_string(&json, "timestamp", exp_time_text(now_ms, time));
    exp_json_member_string(&json, "status", names[status]);
    exp_json_key(&json, "errors");
    exp_json_u64(&json, errors);
    if (status != EXP_SESSION_OK && now_ms >= session->started_ms) {
        exp_json_key(&json, "duration");
        exp_json_fixed(&json, now_ms - session->started_ms, 3);
    }
    exp_json_key(&json, "attrs");
    exp_json_begin_object(&json);
    exp_json_member_string(&json, "release", session->release);
    exp_json_member_string(
        &json, "environment", exp_scope_environment(session->environment));
    exp_json_end(&json);
    exp_json_end(&json);
}

bool exp_session_add(
    struct exp_envelope *envelope, const struct exp_session *session,
    enum exp_session_status status, bool is_first, uint64_t now_ms)
{
    struct exp_writer *writer = exp_writer_create_memory();
    size_t bytes = 0;
    if (writer != NULL)
        write_session(session, status, is_first, now_ms, writer);
    const char *text = writer ? exp_writer_bytes(writer, &bytes) : NULL;
    if (text != NULL)
        exp_envelope_add(envelope, EXP_ITEM_SESSION, NULL, 0, text, bytes);
    exp_writer_destroy(writer);
    return text != NULL;
}
