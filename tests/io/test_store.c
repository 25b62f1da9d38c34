#include "io/store.h"

#include "core/memory.h"
#include "io/file.h"
#include "scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>

TestSuite(store, .init = scratch_create, .fini = scratch_remove);

static sow_store *open_or_die(sow_store_mode mode)
{
    sow_error err = {0};
    sow_store *s = NULL;
    cr_assert_eq(sow_store_open(&s, scratch_path("c.sower"), mode, &err), SOW_OK, "%s", err.message);
    return s;
}

static void close_or_die(sow_store *s)
{
    sow_error err = {0};
    cr_assert_eq(sow_store_close(s, &err), SOW_OK, "%s", err.message);
}

static void append_or_die(sow_store *s, const char *kind, sow_index round, const char *payload)
{
    sow_error err = {0};
    cr_assert_eq(sow_store_append(s, kind, round, payload, &err), SOW_OK, "%s", err.message);
}

static void make_three_events(void)
{
    sow_store *s = open_or_die(SOW_STORE_CREATE);
    append_or_die(s, "created", -1, "{\"seed\": 1}");
    append_or_die(s, "planned", 0, "{\"batch\": [\"A\", \"B\"]}");
    append_or_die(s, "measured", 0, "{\"A\": 1.5}");
    close_or_die(s);
}

/* Change the database behind the store's back. */
static void tamper(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    cr_assert_eq(sqlite3_open(scratch_path("c.sower/campaign.db"), &db), SQLITE_OK);
    sqlite3_exec(db, "DROP TRIGGER event_is_not_changed; DROP TRIGGER event_is_not_removed;", NULL, NULL, NULL);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s", message);
    sqlite3_close(db);
}

static void expect_refused(sow_store_mode mode, sow_status status, const char *words)
{
    sow_error err = {0};
    sow_store *s = NULL;
    cr_assert_eq(sow_store_open(&s, scratch_path("c.sower"), mode, &err), status, "%s", err.message);
    cr_assert_null(s);
    cr_assert(strstr(err.message, words), "'%s' does not say '%s'", err.message, words);
}

Test(store, keeps_events_in_order_across_openings)
{
    make_three_events();
    sow_store *s = open_or_die(SOW_STORE_WRITE);
    sow_index n = 0;
    const sow_event *e = sow_store_events(s, &n);
    cr_assert_eq(n, 3);
    cr_assert_eq(e[2].seq, 3);
    cr_assert_str_eq(e[1].kind, "planned");
    cr_assert_eq(e[0].round, -1);
    cr_assert_str_eq(e[1].payload, "{\"batch\": [\"A\", \"B\"]}");
    cr_assert_eq(strlen(e[0].time), strlen("2024-01-01T00:00:00Z"));
    append_or_die(s, "evaluated", 0, "{}");
    sow_store_events(s, &n);
    cr_assert_eq(n, 4);
    close_or_die(s);
}

Test(store, chains_events_by_the_documented_hash)
{
    char zeros[65] = {0}, first[65], second[65], text[300];
    memset(zeros, '0', 64);
    sow_store *s = open_or_die(SOW_STORE_CREATE);
    cr_assert_str_eq(sow_store_head(s), zeros);
    append_or_die(s, "created", -1, "{}");
    snprintf(text, sizeof text, "%s\n1\ncreated\n-1\n{}", zeros);
    sow_sha256(first, text, strlen(text));
    cr_assert_str_eq(sow_store_head(s), first);
    append_or_die(s, "planned", 7, "[]");
    snprintf(text, sizeof text, "%s\n2\nplanned\n7\n[]", first);
    sow_sha256(second, text, strlen(text));
    cr_assert_str_eq(sow_store_head(s), second);
    close_or_die(s);
    s = open_or_die(SOW_STORE_READ);
    cr_assert_str_eq(sow_store_head(s), second);
    close_or_die(s);
}

Test(store, needs_a_campaign_to_read_or_continue_one)
{
    expect_refused(SOW_STORE_READ, SOW_E_STATE, "no campaign");
    expect_refused(SOW_STORE_WRITE, SOW_E_STATE, "no campaign");
    cr_assert_not(sow_file_exists(scratch_path("c.sower")), "a refusal leaves nothing behind");
}

Test(store, takes_an_empty_database_as_not_started)
{
    /* what a kill between creating the file and its schema leaves */
    mkdir(scratch_path("c.sower"), 0777);
    scratch_write("c.sower/campaign.db", "");
    expect_refused(SOW_STORE_READ, SOW_E_STATE, "no campaign");
    expect_refused(SOW_STORE_WRITE, SOW_E_STATE, "no campaign");
    make_three_events();
}

Test(store, refuses_a_file_that_is_not_a_campaign)
{
    mkdir(scratch_path("c.sower"), 0777);
    scratch_write("c.sower/campaign.db",
                  "this is a shopping list, long enough to be looked at as a database header, and so on and so forth");
    expect_refused(SOW_STORE_WRITE, SOW_E_DATA, "not a campaign");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "not a campaign");
}

Test(store, refuses_another_schema_version_and_other_databases)
{
    make_three_events();
    tamper("PRAGMA user_version=99");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "schema version 99");
    tamper("PRAGMA application_id=7");
    expect_refused(SOW_STORE_WRITE, SOW_E_DATA, "not of a sower campaign");
}

Test(store, names_the_event_whose_payload_was_changed)
{
    make_three_events();
    tamper("UPDATE event SET payload='{\"A\": 9.5}' WHERE seq=3");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "event 3 ('measured', round 0) was changed");
    expect_refused(SOW_STORE_WRITE, SOW_E_DATA, "event 3");
}

Test(store, notices_a_changed_round_kind_or_hash)
{
    make_three_events();
    tamper("UPDATE event SET round=5 WHERE seq=2");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "event 2");
    tamper("UPDATE event SET round=0, kind='painted' WHERE seq=2");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "event 2 ('painted'");
    tamper("UPDATE event SET kind='planned', hash=upper(hash) WHERE seq=1");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "event 1");
}

Test(store, notices_a_removed_event)
{
    make_three_events();
    tamper("DELETE FROM event WHERE seq=2");
    expect_refused(SOW_STORE_READ, SOW_E_DATA, "event 2 is missing");
}

Test(store, does_not_let_events_be_changed_through_sqlite)
{
    make_three_events();
    sqlite3 *db = NULL;
    cr_assert_eq(sqlite3_open(scratch_path("c.sower/campaign.db"), &db), SQLITE_OK);
    cr_assert_neq(sqlite3_exec(db, "UPDATE event SET payload='{}'", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_neq(sqlite3_exec(db, "DELETE FROM event", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int open_second(void)
{
    sow_error err = {0};
    sow_store *s = NULL;
    char holder[64], host[256];
    gethostname(host, sizeof host);
    snprintf(holder, sizeof holder, "process %ld on ", (long)getppid());
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_WRITE, &err) != SOW_E_STATE) return 1;
    if (!strstr(err.message, holder) || !strstr(err.message, host)) return 2;
    return sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_CREATE, &err) == SOW_E_STATE ? 0 : 3;
}

Test(store, refuses_a_second_process_with_pid_and_host_of_the_first)
{
    sow_store *s = open_or_die(SOW_STORE_CREATE);
    cr_assert_eq(scratch_in_child(open_second), 0);
    append_or_die(s, "created", -1, "{}");
    close_or_die(s);
    close_or_die(open_or_die(SOW_STORE_WRITE));
}

Test(store, refuses_a_second_handle_in_the_same_process)
{
    char mine[64];
    snprintf(mine, sizeof mine, "process %ld", (long)getpid());
    sow_store *s = open_or_die(SOW_STORE_CREATE);
    expect_refused(SOW_STORE_WRITE, SOW_E_STATE, mine);
    close_or_die(s);
}

Test(store, reads_while_a_writer_runs)
{
    sow_store *w = open_or_die(SOW_STORE_CREATE);
    append_or_die(w, "created", -1, "{}");
    sow_store *r = open_or_die(SOW_STORE_READ);
    sow_index n = 0;
    append_or_die(w, "planned", 0, "{}");
    sow_store_events(r, &n);
    cr_assert_eq(n, 1, "a reader keeps what it read");
    cr_assert_eq(sow_store_append(r, "planned", 1, "{}", NULL), SOW_E_STATE);
    close_or_die(r);
    r = open_or_die(SOW_STORE_READ);
    sow_store_events(r, &n);
    cr_assert_eq(n, 2);
    close_or_die(w);
    close_or_die(r);
}

static int append_until_killed(void)
{
    sow_store *s = NULL;
    char payload[4000];
    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_CREATE, NULL) != SOW_OK) return 1;
    for (;;)
        if (sow_store_append(s, "measured", 1, payload, NULL) != SOW_OK) return 2;
}

Test(store, loses_nothing_and_halves_nothing_when_killed, .timeout = 60)
{
    sow_index before = 0, n = 0;
    for (int kill_number = 0; kill_number < 8; kill_number++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) _exit(append_until_killed());
        for (int wait = 0; wait < 10000 && !sow_file_exists(scratch_path("c.sower/campaign.db-wal")); wait++)
            usleep(1000); /* however slow the machine: it has begun to write */
        usleep((useconds_t)(4000 * kill_number));
        kill(pid, SIGKILL);
        int status = 0;
        waitpid(pid, &status, 0);
        cr_assert(WIFSIGNALED(status), "the child ended by itself: %d", status);
        if (!sow_file_exists(scratch_path("c.sower/campaign.db"))) continue;
        sow_store *s = open_or_die(SOW_STORE_CREATE); /* the lock of a dead process is free, the chain verifies */
        const sow_event *e = sow_store_events(s, &n);
        cr_assert_geq(n, before);
        for (sow_index i = 0; i < n; i++)
            cr_assert_eq(strlen(e[i].payload), strcmp(e[i].kind, "after") == 0 ? 2u : 3999u);
        append_or_die(s, "after", 1, "{}");
        before = n + 1;
        if (kill_number % 2)
            close_or_die(s);
        else
            sow_store_abandon(s);
    }
    cr_assert_gt(before, 0);
}

static int append_on_full_disk(void)
{
    sow_error err = {0};
    sow_store *s = NULL;
    static char big[200000];
    memset(big, 'x', sizeof big - 1);
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_WRITE, &err) != SOW_OK) return 1;
    scratch_limit_file_size(100000);
    if (sow_store_append(s, "measured", 1, big, &err) != SOW_E_IO) return 2;
    if (!strstr(err.message, "campaign.db") || !strstr(err.message, "run the same command again")) return 3;
    sow_index n = 0;
    sow_store_events(s, &n);
    if (n != 3) return 4;
    sow_store_abandon(s);
    return 0;
}

Test(store, keeps_the_chain_whole_when_the_disk_is_full)
{
    make_three_events();
    cr_assert_eq(scratch_in_child(append_on_full_disk), 0);
    sow_store *s = open_or_die(SOW_STORE_WRITE);
    sow_index n = 0;
    sow_store_events(s, &n);
    cr_assert_eq(n, 3);
    append_or_die(s, "measured", 1, "{}");
    close_or_die(s);
}

static int create_on_full_disk(void)
{
    sow_error err = {0};
    sow_store *s = NULL;
    scratch_limit_file_size(2000);
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_CREATE, &err) != SOW_E_IO) return 1;
    return strstr(err.message, "run the same command again") ? 0 : 2;
}

Test(store, can_be_created_again_after_a_full_disk)
{
    cr_assert_eq(scratch_in_child(create_on_full_disk), 0);
    make_three_events();
}

static int read_only_folder(void)
{
    sow_error err = {0};
    sow_store *s = NULL;
    sow_index n = 0;
    if (!scratch_be_nobody()) return SCRATCH_SKIP;
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_READ, &err) != SOW_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    sow_store_events(s, &n);
    if (n != 3 || sow_store_close(s, &err) != SOW_OK) return 2;
    if (sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_WRITE, &err) != SOW_E_IO) return 3;
    if (!strstr(err.message, "no permission")) return 4;
    if (sow_store_open(&s, scratch_path("d.sower"), SOW_STORE_CREATE, &err) != SOW_E_IO) return 5;
    return strstr(err.message, "no permission") ? 0 : 6;
}

static void expect_read_only_folder_works(void)
{
    chmod(scratch_path("c.sower"), 0555);
    chmod(scratch, 0755);
    int code = scratch_in_child(read_only_folder);
    chmod(scratch_path("c.sower"), 0755);
    if (code == SCRATCH_SKIP) {
        fprintf(stderr, "SKIPPED: needs a user whom permissions stop\n");
        cr_skip_test("root without setuid");
    }
    cr_assert_eq(code, 0, "step %d", code);
}

Test(store, reads_a_campaign_in_a_folder_that_cannot_be_written)
{
    make_three_events();
    expect_read_only_folder_works();
}

Test(store, reads_a_killed_campaign_in_a_folder_that_cannot_be_written)
{
    pid_t pid = fork();
    if (pid == 0) { /* leaves its log beside the database, as a kill does */
        sow_store *s = open_or_die(SOW_STORE_CREATE);
        for (int i = 0; i < 3; i++)
            append_or_die(s, "measured", i, "{}");
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
    cr_assert(sow_file_exists(scratch_path("c.sower/campaign.db-wal")));
    expect_read_only_folder_works();
}

Test(store, opens_in_a_folder_with_marks_that_mean_something_in_a_uri)
{
    sow_error err = {0};
    sow_store *s = NULL;
    const char *dir = scratch_path("50% of #1?.sower");
    cr_assert_eq(sow_store_open(&s, dir, SOW_STORE_CREATE, &err), SOW_OK, "%s", err.message);
    append_or_die(s, "created", -1, "{\"caf\xc3\xa9\": \"x\\ny\"}");
    close_or_die(s);
    cr_assert_eq(sow_store_open(&s, dir, SOW_STORE_READ, &err), SOW_OK, "%s", err.message);
    close_or_die(s);
}

Test(store, survives_every_failing_allocation)
{
    make_three_events();
    sow_status st = SOW_E_NOMEM;
    for (int i = 0; st != SOW_OK; i++) {
        sow_error err = {0};
        sow_store *s = NULL;
        sow_memory_fail_after(i);
        st = sow_store_open(&s, scratch_path("c.sower"), SOW_STORE_WRITE, &err);
        if (st == SOW_OK) st = sow_store_append(s, "more", 1, "{}", &err);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "%s", err.message);
        sow_store_abandon(s);
        cr_assert_lt(i, 200);
    }
    sow_store *s = open_or_die(SOW_STORE_READ);
    sow_index n = 0;
    sow_store_events(s, &n);
    cr_assert_eq(n, 4);
    close_or_die(s);
    sow_store_abandon(NULL);
    cr_assert_eq(sow_store_close(NULL, NULL), SOW_OK);
}
