#include "core/env.h"

#include <stdio.h>

void sow_log(const sow_env *env, sow_log_level level, const char *format, ...)
{
    if (!env || !env->log) return;
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    env->log(env->log_user, level, message);
}

sow_status sow_progress(const sow_env *env, const char *what, double fraction, sow_error *err)
{
    if (!env || !env->progress) return SOW_OK;
    if (env->progress(env->progress_user, what, fraction) == 0) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CANCELLED, "interrupted during %s", what ? what : "the computation");
}

sow_threads *sow_env_threads(const sow_env *env)
{
    return env ? env->threads : NULL;
}
