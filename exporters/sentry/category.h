/*
 * What a Sentry backend counts and limits apart: categories, and which of them
 * an item of an envelope belongs to.
 */
#ifndef EXPORTERS_SENTRY_CATEGORY_H
#define EXPORTERS_SENTRY_CATEGORY_H

#include <stddef.h>

/* Names as in X-Sentry-Rate-Limits and in client reports. */
#define EXP_CATEGORY_LIST(X)                                                   \
    X(DEFAULT, "default")                                                      \
    X(ERROR, "error")                                                          \
    X(TRANSACTION, "transaction")                                              \
    X(SPAN, "span")                                                            \
    X(PROFILE, "profile")                                                      \
    X(PROFILE_CHUNK, "profile_chunk")                                          \
    X(SESSION, "session")                                                      \
    X(ATTACHMENT, "attachment")                                                \
    X(MONITOR, "monitor")                                                      \
    X(LOG, "log_item")                                                         \
    X(INTERNAL, "internal")

enum exp_category {
#define EXP_CATEGORY_ENUM(name, text) EXP_CATEGORY_##name,
    EXP_CATEGORY_LIST(EXP_CATEGORY_ENUM)
#undef EXP_CATEGORY_ENUM
        EXP_CATEGORY_COUNT
};

const char *exp_category_name(enum exp_category category);

/* The category of this name; EXP_CATEGORY_COUNT when it is none of ours. */
enum exp_category exp_category_find(const char *name, size_t bytes);

/*
 * How long an envelope stays when there is no room for all: the lowest rank
 * goes first, the oldest of a rank first. An envelope has its items' highest.
 */
enum exp_rank {
    EXP_RANK_PROFILE,
    EXP_RANK_TRANSACTION,
    EXP_RANK_SESSION,
    EXP_RANK_EVENT,
    EXP_RANK_COUNT
};

/* Item types: the name in the item's header, its category and its rank. */
#define EXP_ITEM_LIST(X)                                                       \
    X(OTHER, "", DEFAULT, TRANSACTION) /* a later SDK's; see the reader */     \
    X(EVENT, "event", ERROR, EVENT)                                            \
    X(TRANSACTION, "transaction", TRANSACTION, TRANSACTION)                    \
    X(PROFILE, "profile", PROFILE, PROFILE)                                    \
    X(PROFILE_CHUNK, "profile_chunk", PROFILE_CHUNK, PROFILE)                  \
    X(SESSION, "session", SESSION, SESSION)                                    \
    X(SESSIONS, "sessions", SESSION, SESSION)                                  \
    X(ATTACHMENT, "attachment", ATTACHMENT, PROFILE)                           \
    X(CHECK_IN, "check_in", MONITOR, SESSION)                                  \
    X(LOG, "log", LOG, TRANSACTION)                                            \
    X(CLIENT_REPORT, "client_report", INTERNAL, PROFILE)

enum exp_item_type {
#define EXP_ITEM_ENUM(name, text, category, rank) EXP_ITEM_##name,
    EXP_ITEM_LIST(EXP_ITEM_ENUM)
#undef EXP_ITEM_ENUM
        EXP_ITEM_TYPE_COUNT
};

const char *exp_item_name(enum exp_item_type type);
enum exp_category exp_item_category(enum exp_item_type type);
enum exp_rank exp_item_rank(enum exp_item_type type);

/* The type of this name; EXP_ITEM_OTHER when it is none of ours. */
enum exp_item_type exp_item_find(const char *name, size_t bytes);

#endif
