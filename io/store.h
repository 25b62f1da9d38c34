/* The campaign's memory: campaign.db, SQLite in WAL mode, one append-only table of events chained by SHA-256.
 *
 * event(seq, kind, round, payload, time, previous, hash): hash = SHA-256(previous \n seq \n kind \n round \n payload). `time` and `host` are kept for people
 * and are not part of the hash. Opening takes an exclusive lock (DIR/lock, with pid and host); a second process is refused and told who
 * holds it. Every append is one transaction with synchronous=FULL: after a kill the event is there whole or not at all. */
#ifndef SOWER_IO_STORE_H
#define SOWER_IO_STORE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index seq;   /* from 1 */
    char *kind;      /* "created", "planned", "measured", "evaluated", ... */
    sow_index round; /* -1 = the campaign as a whole */
    char *payload;   /* JSON text, sorted keys, as given to append */
    char *time;      /* UTC, ISO 8601 */
} sow_event;

typedef struct sow_store sow_store;
typedef enum {
    SOW_STORE_READ,  /* must exist; no lock (status, inspect, report) */
    SOW_STORE_WRITE, /* must exist; locked */
    SOW_STORE_CREATE /* created when absent; locked */
} sow_store_mode;

/** Open DIR/campaign.db. SOW_E_STATE: another process holds it (pid and host in the message), or no campaign there. SOW_E_IO: disk, permissions.
 *  SOW_E_DATA: not a campaign, another schema version, or a broken hash chain (names the first bad event). */
SOW_MUST_CHECK sow_status sow_store_open(sow_store **out, const char *dir, sow_store_mode mode, sow_error *err);
/** Flushes, releases the lock. The checked way out; abandon() for error paths. */
SOW_MUST_CHECK sow_status sow_store_close(sow_store *store, sow_error *err);
void sow_store_abandon(sow_store *store);
SOW_MUST_CHECK sow_status sow_store_append(sow_store *store, const char *kind, sow_index round, const char *payload, sow_error *err);
/** All events in order; borrowed, valid until the next append or close. */
const sow_event *sow_store_events(const sow_store *store, sow_index *n);
/** Hash of the last event (64 hex digits), or 64 zeros. */
const char *sow_store_head(const sow_store *store);

#ifdef __cplusplus
}
#endif
#endif
