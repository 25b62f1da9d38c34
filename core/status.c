#include "core/status.h"

#include <stdio.h>
#include <string.h>

sow_status sow_error_set(sow_error *err, sow_status status, const char *file, int line, const char *format, ...)
{
    if (!err) return status;
    err->status = status;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

void sow_error_prefix(sow_error *err, const char *format, ...)
{
    if (!err) return;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof err->message) return;
    int room = (int)(sizeof err->message - (size_t)n) - 3; /* ": " and the end */
    snprintf(err->message + n, sizeof err->message - (size_t)n, ": %.*s", room > 0 ? room : 0, old);
}

#define STATUS_NAME(name, text) #name,
#define STATUS_TEXT(name, text) text,
static const char *const names[] = {SOW_STATUS_LIST(STATUS_NAME)};
static const char *const texts[] = {SOW_STATUS_LIST(STATUS_TEXT)};

const char *sow_status_name(sow_status status)
{
    return status >= 0 && status < SOW_STATUS_COUNT ? names[status] : "unknown status";
}

const char *sow_status_text(sow_status status)
{
    return status >= 0 && status < SOW_STATUS_COUNT ? texts[status] : "unknown status";
}
