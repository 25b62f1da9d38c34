#include "core/status.h"
#include "core/env.h"

#include <criterion/criterion.h>
#include <string.h>

Test(status, names_and_explains_every_code)
{
    for (int s = 0; s < SOW_STATUS_COUNT; s++) {
        cr_assert_eq(strncmp(sow_status_name(s), "SOW_", 4), 0);
        cr_assert_gt(strlen(sow_status_text(s)), 4);
    }
    cr_assert_str_eq(sow_status_name(SOW_E_IO), "SOW_E_IO");
    cr_assert_str_eq(sow_status_text(SOW_E_IO), "reading or writing failed");
    cr_assert_str_eq(sow_status_name(-1), "unknown status");
    cr_assert_str_eq(sow_status_text(SOW_STATUS_COUNT), "unknown status");
}

static sow_status fails(sow_error *err)
{
    return SOW_ERROR(err, SOW_E_DATA, "row %d is empty", 3);
}

Test(status, keeps_message_and_place_and_takes_prefixes)
{
    sow_error err = {0};
    cr_assert_eq(fails(&err), SOW_E_DATA);
    cr_assert_eq(err.status, SOW_E_DATA);
    cr_assert_gt(err.line, 0);
    cr_assert_not_null(strstr(err.file, "test_status.c"));
    sow_error_prefix(&err, "%s", "a.csv");
    cr_assert_str_eq(err.message, "a.csv: row 3 is empty");
}

Test(status, cuts_a_message_that_is_too_long)
{
    sow_error err = {0};
    char longest[4096];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    sow_error_set(&err, SOW_E_DATA, __FILE__, __LINE__, "%s", longest);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
    sow_error_prefix(&err, "%s", longest);
    cr_assert_eq(strlen(err.message), sizeof err.message - 1);
}

Test(status, lives_without_an_error_struct)
{
    cr_assert_eq(fails(NULL), SOW_E_DATA);
    sow_error_prefix(NULL, "nothing");
}

static void keep_message(void *user, sow_log_level level, const char *message)
{
    if (level == SOW_LOG_WARN) strcpy(user, message);
}

static int ask_to_stop(void *user, const char *what, double fraction)
{
    cr_assert_str_eq(what, "fitting");
    *(double *)user = fraction;
    return fraction >= 0.5;
}

Test(env, passes_messages_on_and_stays_silent_without_a_listener)
{
    char heard[64] = "";
    sow_env env = {.log = keep_message, .log_user = heard};
    sow_log(&env, SOW_LOG_WARN, "%d genes dropped", 4);
    cr_assert_str_eq(heard, "4 genes dropped");
    sow_log(NULL, SOW_LOG_WARN, "nobody");
    cr_assert_eq(sow_progress(NULL, "fitting", 1, NULL), SOW_OK);
    cr_assert_null(sow_env_threads(NULL));
}

Test(env, turns_a_wish_to_stop_into_a_status)
{
    double seen = -1;
    sow_error err = {0};
    sow_env env = {.progress = ask_to_stop, .progress_user = &seen};
    cr_assert_eq(sow_progress(&env, "fitting", 0.25, &err), SOW_OK);
    cr_assert_eq(seen, 0.25);
    cr_assert_eq(sow_progress(&env, "fitting", 0.5, &err), SOW_E_CANCELLED);
    cr_assert_str_eq(err.message, "interrupted during fitting");
}
