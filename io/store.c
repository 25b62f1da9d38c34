/* The event store. SQLite carries the transaction; the lock file says who holds the campaign (SQLite's own locks last only as long
 * as a transaction and cannot name anybody); the hash chain tells a changed record from a true one. */
#include "io/store.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x534f5752 /* "SOWR" */, BUSY_MS = 10000 };

static const char schema[] =
    "CREATE TABLE event("
    "  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, round INTEGER NOT NULL, payload TEXT NOT NULL,"
    "  time TEXT NOT NULL, host TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"
    "CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;";

struct sow_store {
    char *dir, *path, *lock_path;
    int lock;    /* descriptor, -1 = none */
    sqlite3 *db; /* NULL once a reader has read */
    sqlite3_stmt *insert;
    sow_event *events;
    sow_index n, capacity;
    char head[65];
};

/* The errno behind a failed call. SQLite does not keep it for every path; then the one still standing is used if it is about disks.
 */
static int errno_behind(const sow_store *s, int standing)
{
    int e = sqlite3_system_errno(s->db);
    if (e) return e;
    return strcmp(sow_i_io_advice(standing), "") != 0 || standing == EIO ? standing : 0;
}

/* SQLite's answers translated, once. */
static sow_status sqlite_error(const sow_store *s, const char *verb, sow_error *err)
{
    int standing = errno, code = sqlite3_errcode(s->db) & 0xff, e = errno_behind(s, standing);
    switch (code) {
    case SQLITE_NOMEM:
        return SOW_ERROR(err, SOW_E_NOMEM, "cannot %s '%s': out of memory", verb, s->path);
    case SQLITE_FULL:
        return sow_i_io_error(err, verb, s->path, ENOSPC);
    case SQLITE_READONLY:
        return sow_i_io_error(err, verb, s->path, e ? e : EROFS);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return SOW_ERROR(err, SOW_E_DATA,
                         "cannot %s '%s': %s; it is not a campaign, or it was damaged: restore the folder from a copy", verb,
                         s->path, sqlite3_errmsg(s->db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SOW_ERROR(err, SOW_E_STATE, "cannot %s '%s': another program keeps the database busy; close it and try again", verb,
                         s->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        if (e) return sow_i_io_error(err, verb, s->path, e);
        break;
    default:
        break;
    }
    return SOW_ERROR(err, SOW_E_IO, "cannot %s '%s': %s", verb, s->path, sqlite3_errmsg(s->db));
}

/* ---- the lock: flock belongs to the open file, so it also keeps out a second handle of the same process, and the kernel drops it
 * when the holder dies however it dies. The file's text ("pid host") only serves the message. */

static void read_holder(int fd, char *text, size_t size)
{
    ssize_t k = pread(fd, text, size - 1, 0);
    text[k > 0 ? k : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static sow_status refuse_second(const sow_store *s, sow_error *err)
{
    char holder[300], host[256] = "?";
    long pid = 0;
    read_holder(s->lock, holder, sizeof holder);
    if (sscanf(holder, "%ld %255s", &pid, host) < 1)
        return SOW_ERROR(err, SOW_E_STATE, "another process is working on the campaign in '%s'; wait for it to finish", s->dir);
    return SOW_ERROR(err, SOW_E_STATE,
                     "process %ld on %s is working on the campaign in '%s'; wait for it to finish, or end it (nothing is lost)",
                     pid, host, s->dir);
}

static void host_name(char host[256])
{
    if (gethostname(host, 256) != 0 || !host[0]) snprintf(host, 256, "unknown");
    host[255] = '\0';
}

static sow_status take_lock(sow_store *s, sow_error *err)
{
    char host[256], text[300];
    s->lock = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock < 0) return sow_i_io_error(err, "lock the campaign with", s->lock_path, errno);
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? refuse_second(s, err) : sow_i_io_error(err, "lock the campaign with", s->lock_path, errno);
    host_name(host);
    int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host);
    if (ftruncate(s->lock, 0) != 0 || pwrite(s->lock, text, (size_t)n, 0) != n)
        return sow_i_io_error(err, "write", s->lock_path, errno);
    return SOW_OK;
}

static void drop_lock(sow_store *s)
{
    if (s->lock < 0) return;
    close(s->lock); /* the file stays: removing it would let two processes lock two files of one name */
    s->lock = -1;
}

/* ---- opening */

/* file: URI of the database with the characters that mean something in a URI escaped; NULL = out of memory. */
static char *immutable_uri(const char *path)
{
    sow_text t = {0};
    sow_text_append(&t, path[0] == '/' ? "file://" : "file:");
    for (const char *p = path; *p; p++)
        sow_text_printf(&t, strchr("%?#", *p) ? "%%%02X" : "%c", (unsigned)(unsigned char)*p);
    sow_text_append(&t, "?immutable=1");
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

static sow_status open_database(sow_store *s, const char *name, int flags, sow_error *err)
{
    sqlite3_close(s->db);
    s->db = NULL;
    int rc = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (!s->db) return SOW_ERROR(err, SOW_E_NOMEM, "cannot open '%s': out of memory", s->path);
    if (rc != SQLITE_OK) return sqlite_error(s, "open", err);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    return SOW_OK;
}

static sow_status execute(sow_store *s, const char *sql, const char *verb, sow_error *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? SOW_OK : sqlite_error(s, verb, err);
}

/* One whole number from a query. */
static sow_status query_integer(sow_store *s, sow_index *out, const char *sql, sow_error *err)
{
    sow_status st = SOW_OK;
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK || sqlite3_step(q) != SQLITE_ROW) {
        st = sqlite_error(s, "read", err);
        goto done;
    }
    *out = sqlite3_column_int64(q, 0);
done:
    sqlite3_finalize(q);
    return st;
}

/* Is there a campaign of our schema? `*empty`: a database without a table, as a kill in the middle of creating leaves it. */
static sow_status check_schema(sow_store *s, int *empty, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index version = 0, application = 0, tables = 0;
    SOW_TRY(query_integer(s, &tables, "SELECT count(*) FROM sqlite_schema", err));
    *empty = tables == 0;
    if (*empty) goto done;
    SOW_TRY(query_integer(s, &application, "PRAGMA application_id", err));
    SOW_TRY(query_integer(s, &version, "PRAGMA user_version", err));
    if (application != APPLICATION_ID) SOW_FAIL(err, SOW_E_DATA, "'%s' is a database, but not of a sower campaign", s->path);
    if (version != SCHEMA_VERSION)
        SOW_FAIL(err, SOW_E_DATA, "'%s' has schema version %lld and this sower reads %d; use the sower that wrote it", s->path,
                 (long long)version, SCHEMA_VERSION);
done:
    return st;
}

static sow_status no_campaign(const sow_store *s, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_STATE, "no campaign in '%s' yet; `sower plan` or `sower run` starts one", s->dir);
}

static sow_status create_schema(sow_store *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char *sql = sow_format("BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", schema, APPLICATION_ID,
                           SCHEMA_VERSION);
    if (!sql) SOW_FAIL(err, SOW_E_NOMEM, "out of memory creating '%s'", s->path);
    st = execute(s, sql, "create", err);
done:
    free(sql);
    return st;
}

static sow_status open_writer(sow_store *s, sow_store_mode mode, sow_error *err)
{
    sow_status st = SOW_OK;
    int empty = 0;
    if (mode == SOW_STORE_CREATE)
        SOW_TRY(sow_make_directories(s->dir, err));
    else if (!sow_file_exists(s->path))
        return no_campaign(s, err);
    SOW_TRY(take_lock(s, err));
    SOW_TRY(open_database(s, s->path, SQLITE_OPEN_READWRITE | (mode == SOW_STORE_CREATE ? SQLITE_OPEN_CREATE : 0), err));
    SOW_TRY(check_schema(s, &empty, err));
    if (empty && mode != SOW_STORE_CREATE) return no_campaign(s, err);
    /* A file system without shared memory answers WAL with a rollback journal: as safe, only readers wait. */
    SOW_TRY(execute(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", "open", err));
    if (empty) SOW_TRY(create_schema(s, err));
done:
    return st;
}

/* Is every event in the main file (no log beside it that a reader would need)? */
static int log_is_empty(const sow_store *s)
{
    char *log = sow_format("%s-wal", s->path);
    struct stat f;
    int empty = log && (stat(log, &f) != 0 ? errno == ENOENT : f.st_size == 0);
    free(log);
    return empty;
}

static sow_status open_reader(sow_store *s, sow_error *err)
{
    sow_status st = SOW_OK;
    int empty = 0;
    if (!sow_file_exists(s->path)) return no_campaign(s, err);
    st = open_database(s, s->path, SQLITE_OPEN_READONLY, err);
    if (st == SOW_OK) st = check_schema(s, &empty, err);
    if (st == SOW_E_IO && log_is_empty(s)) {
        /* WAL needs a shared-memory file beside the database; in a folder that cannot be written nobody else writes either. */
        char *uri = immutable_uri(s->path);
        if (!uri) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory opening '%s'", s->path);
        st = open_database(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
        free(uri);
        if (st == SOW_OK) st = check_schema(s, &empty, err);
    }
    return st == SOW_OK && empty ? no_campaign(s, err) : st;
}

/* ---- the chain */

static sow_status chain_hash(char hash[65], const char *previous, const sow_event *e, sow_error *err)
{
    char *text = sow_format("%s\n%lld\n%s\n%lld\n%s", previous, (long long)e->seq, e->kind, (long long)e->round, e->payload);
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory hashing an event");
    sow_sha256(hash, text, strlen(text));
    free(text);
    return SOW_OK;
}

static void event_clear(sow_event *e)
{
    free(e->kind);
    free(e->payload);
    free(e->time);
    *e = (sow_event){0};
}

static sow_status event_fill(sow_event *out, sow_index seq, const char *kind, sow_index round, const char *payload,
                             const char *time_text, sow_error *err)
{
    *out = (sow_event){.seq = seq, .round = round};
    out->kind = sow_strdup(kind);
    out->payload = sow_strdup(payload);
    out->time = sow_strdup(time_text);
    if (out->kind && out->payload && out->time) return SOW_OK;
    event_clear(out);
    return SOW_ERROR(err, SOW_E_NOMEM, "out of memory holding event %lld", (long long)seq);
}

static const char *column_text(sqlite3_stmt *q, int column)
{
    const char *s = (const char *)sqlite3_column_text(q, column);
    return s ? s : "";
}

/* Take the row under the cursor as the next event, if it continues the chain. */
static sow_status take_row(sow_store *s, sqlite3_stmt *q, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_event e = {0};
    char hash[65];
    SOW_TRY(sow_grow(&s->events, &s->capacity, s->n + 1, sizeof *s->events, err));
    SOW_TRY(event_fill(&e, sqlite3_column_int64(q, 0), column_text(q, 1), sqlite3_column_int64(q, 2), column_text(q, 3),
                       column_text(q, 4), err));
    SOW_TRY(chain_hash(hash, s->head, &e, err));
    if (e.seq != s->n + 1)
        SOW_FAIL(err, SOW_E_DATA, "'%s': event %lld is missing (event %lld follows %lld); restore the folder from a copy", s->path,
                 (long long)s->n + 1, (long long)e.seq, (long long)s->n);
    if (strcmp(column_text(q, 5), s->head) != 0 || strcmp(column_text(q, 6), hash) != 0)
        SOW_FAIL(err, SOW_E_DATA,
                 "'%s': event %lld ('%s', round %lld) was changed after it was written; restore the folder from a copy", s->path,
                 (long long)e.seq, e.kind, (long long)e.round);
    memcpy(s->head, hash, sizeof hash);
    s->events[s->n++] = e;
    e = (sow_event){0};
done:
    event_clear(&e);
    return st;
}

static sow_status read_events(sow_store *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sqlite3_stmt *q = NULL;
    int rc;
    if (sqlite3_prepare_v2(s->db, "SELECT seq, kind, round, payload, time, previous, hash FROM event ORDER BY seq", -1, &q, NULL) !=
        SQLITE_OK) {
        st = sqlite_error(s, "read", err);
        goto done;
    }
    while ((rc = sqlite3_step(q)) == SQLITE_ROW)
        SOW_TRY(take_row(s, q, err));
    if (rc != SQLITE_DONE) st = sqlite_error(s, "read", err);
done:
    sqlite3_finalize(q);
    return st;
}

static sow_status store_create(sow_store **out, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_store *s = NULL;
    SOW_NEW(s, 1);
    s->lock = -1;
    memset(s->head, '0', 64);
    s->dir = sow_strdup(dir);
    s->path = sow_path_join(dir, "campaign.db");
    s->lock_path = sow_path_join(dir, "lock");
    if (!s->dir || !s->path || !s->lock_path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory opening '%s'", dir);
    *out = s;
    s = NULL;
done:
    sow_store_abandon(s);
    return st;
}

sow_status sow_store_open(sow_store **out, const char *dir, sow_store_mode mode, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_store *s = NULL;
    *out = NULL;
    SOW_TRY(store_create(&s, dir, err));
    SOW_TRY(mode == SOW_STORE_READ ? open_reader(s, err) : open_writer(s, mode, err));
    SOW_TRY(read_events(s, err));
    if (mode == SOW_STORE_READ) { /* all is in memory: leave the file to the writer */
        sqlite3_close(s->db);
        s->db = NULL;
    }
    *out = s;
    s = NULL;
done:
    sow_store_abandon(s);
    return st;
}

void sow_store_abandon(sow_store *store)
{
    if (!store) return;
    sqlite3_finalize(store->insert);
    sqlite3_close(store->db);
    drop_lock(store);
    for (sow_index i = 0; i < store->n; i++)
        event_clear(&store->events[i]);
    free(store->events);
    free(store->dir);
    free(store->path);
    free(store->lock_path);
    free(store);
}

sow_status sow_store_close(sow_store *store, sow_error *err)
{
    if (!store) return SOW_OK;
    sow_status st = SOW_OK;
    if (store->db) {
        sqlite3_finalize(store->insert);
        store->insert = NULL;
        sqlite3_busy_timeout(store->db, 0); /* a reader may keep the log from being folded in: the events are safe in it */
        int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) st = sqlite_error(store, "flush", err);
    }
    sow_store_abandon(store);
    return st;
}

/* ---- appending */

static void utc_now(char text[32])
{
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) text[0] = '\0';
}

static sow_status insert_event(sow_store *s, const sow_event *e, const char *hash, sow_error *err)
{
    static const char sql[] = "INSERT INTO event(seq, kind, round, payload, time, host, previous, hash) VALUES(?,?,?,?,?,?,?,?)";
    char host[256];
    host_name(host);
    if (!s->insert && sqlite3_prepare_v2(s->db, sql, -1, &s->insert, NULL) != SQLITE_OK) return sqlite_error(s, "write", err);
    sqlite3_bind_int64(s->insert, 1, e->seq);
    sqlite3_bind_text(s->insert, 2, e->kind, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s->insert, 3, e->round);
    sqlite3_bind_text(s->insert, 4, e->payload, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 5, e->time, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 6, host, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 7, s->head, -1, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 8, hash, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s->insert); /* one statement is one transaction: commits, and flushes, here */
    sow_status st = rc == SQLITE_DONE ? SOW_OK : sqlite_error(s, "write", err);
    sqlite3_reset(s->insert);
    sqlite3_clear_bindings(s->insert);
    return st;
}

sow_status sow_store_append(sow_store *store, const char *kind, sow_index round, const char *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_event e = {0};
    char hash[65], now[32];
    if (!store->db) return SOW_ERROR(err, SOW_E_STATE, "the campaign in '%s' was opened for reading only", store->dir);
    utc_now(now);
    /* all memory first: once the event is on the disk nothing may fail */
    SOW_TRY(sow_grow(&store->events, &store->capacity, store->n + 1, sizeof *store->events, err));
    SOW_TRY(event_fill(&e, store->n + 1, kind, round, payload, now, err));
    SOW_TRY(chain_hash(hash, store->head, &e, err));
    SOW_TRY(insert_event(store, &e, hash, err));
    memcpy(store->head, hash, sizeof hash);
    store->events[store->n++] = e;
    e = (sow_event){0};
done:
    event_clear(&e);
    return st;
}

const sow_event *sow_store_events(const sow_store *store, sow_index *n)
{
    *n = store->n;
    return store->events;
}

const char *sow_store_head(const sow_store *store)
{
    return store->head;
}
