/* What a long computation is given to live with: threads, a place to say things, progress and cancellation.
 *
 * Every function that may take long has a `const sow_env *env`; NULL means one thread, silence and no cancellation. */
#ifndef SOWER_CORE_ENV_H
#define SOWER_CORE_ENV_H

#include "core/status.h"
#include "core/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Levels by consequence: ERROR the command fails; WARN the result stands but a person should look; INFO what was done; DEBUG how. */
typedef enum { SOW_LOG_ERROR, SOW_LOG_WARN, SOW_LOG_INFO, SOW_LOG_DEBUG } sow_log_level;

typedef struct sow_team sow_team;

typedef struct {
    sow_threads *threads; /* borrowed; NULL = serial */
    void (*log)(void *user, sow_log_level level, const char *message);
    void *log_user;
    /* 0 first, 1 last on success, about 100 calls; a non-zero return cancels: the function answers SOW_E_CANCELLED. */
    int (*progress)(void *user, const char *what, double fraction);
    void *progress_user;
    sow_index memory; /* bytes that buffers may take in all (--memory); 0 = not said */
    sow_team *team;   /* borrowed: processes that help with a training (core/team.h); NULL = none */
} sow_env;

void sow_log(const sow_env *env, sow_log_level level, const char *format, ...) SOW_PRINTF(3, 4);
/** SOW_OK, or SOW_E_CANCELLED when the callback asks to stop. */
SOW_MUST_CHECK sow_status sow_progress(const sow_env *env, const char *what, double fraction, sow_error *err);
/** env's threads, or NULL. */
sow_threads *sow_env_threads(const sow_env *env);

#ifdef __cplusplus
}
#endif
#endif
