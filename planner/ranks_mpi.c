/* Helpers of a training over MPI. This file and sweep_mpi.c are the ones that see it. Used from one thread.
 *
 * A message is its head (size, and what it is) and then its bytes. Whoever waits for a head sleeps between looks, since MPI's own waiting keeps a core busy and some waits last seconds; once it is there the other side is in
 * its send, and bytes are exchanged at once. So a helper that has an answer sends the head and waits to be told to go on: rank 0 may still be at its own share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/team.h"
#include "core/version.h"
#include "models/works.h"
#include "planner/ranks_internal.h"

#ifdef SOWER_MPI
#include <mpi.h>

enum { TAG_HELLO = 21, TAG_ORDER, TAG_ANSWER, TAG_GO, TAG_BYTES, TAG_DISMISSED, CHUNK = 1 << 22, NAMED = 5 };

typedef struct {
    char program[96], processor[64];
} hello;

typedef struct {
    uint64_t size;
    char work[64];
} order_head;

typedef struct {
    uint64_t size;
    int status;
    char message[512];
} answer_head;

typedef struct {
    sow_team base;
    unsigned char *owes; /* [helpers] 1: an answer that was not taken */
} rank_team;

/* From .1 ms, for small networks, to 10 ms for what takes seconds: a look costs 20 us of processor time. */
static void nap(int *times)
{
    const long ns = 100000L * (1 + *times / 4);
    const struct timespec t = {0, ns < 10000000L ? ns : 10000000L};
    nanosleep(&t, NULL);
    if (*times < 1000) (*times)++;
}

/* ---- messages; an MPI call that fails ends all ranks (MPI's default) ---- */

static int is_there(int from, int tag)
{
    int there = 0;
    MPI_Iprobe(from, tag, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
    return there;
}

static void send_bytes(const unsigned char *bytes, size_t n, int to)
{
    for (size_t at = 0; at < n; at += CHUNK) MPI_Send(bytes + at, (int)(n - at < CHUNK ? n - at : CHUNK), MPI_BYTE, to, TAG_BYTES, MPI_COMM_WORLD);
}

/* bytes NULL: there is no room for them, and they are dropped, since the other side is in its send. */
static void receive_bytes(unsigned char *bytes, size_t n, int from)
{
    static unsigned char dropped[CHUNK];
    for (size_t at = 0; at < n; at += CHUNK) MPI_Recv(bytes ? bytes + at : dropped, (int)(n - at < CHUNK ? n - at : CHUNK), MPI_BYTE, from, TAG_BYTES, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static sow_status receive_archive(sow_archive *out, size_t n, int from, sow_error *err)
{
    unsigned char *bytes = sow_calloc((sow_index)n, 1);
    receive_bytes(bytes, n, from);
    if (!bytes) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory for a message of %zu bytes between ranks", n);
    const sow_status st = sow_archive_from_bytes(out, bytes, n, err);
    free(bytes);
    return st;
}

/* ---- rank 0 ---- */

static void let_go(rank_team *t, int helper, int wanted)
{
    MPI_Send(&wanted, 1, MPI_INT, helper + 1, TAG_GO, MPI_COMM_WORLD);
    t->owes[helper] = 0;
}

/* The head of an answer; SOW_E_CANCELLED leaves it where it is. */
static sow_status wait_for(answer_head *head, const sow_team *team, int helper, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    for (int naps = 0; !is_there(helper + 1, TAG_ANSWER); nap(&naps))
        if (naps % 20 == 0) SOW_TRY(sow_progress(env, team->what, team->done, err));
    MPI_Recv(head, (int)sizeof *head, MPI_BYTE, helper + 1, TAG_ANSWER, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
done:
    return st;
}

static sow_status give(sow_team *team, int helper, const char *work, const sow_archive *order, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    rank_team *t = (rank_team *)team;
    unsigned char *bytes = NULL;
    size_t n = 0;
    order_head head = {0};
    answer_head old;
    if (t->owes[helper]) {
        SOW_TRY(wait_for(&old, team, helper, env, err));
        let_go(t, helper, 0);
    }
    SOW_TRY(sow_archive_to_bytes(&bytes, &n, order, err));
    head.size = n;
    snprintf(head.work, sizeof head.work, "%s", work);
    MPI_Send(&head, (int)sizeof head, MPI_BYTE, helper + 1, TAG_ORDER, MPI_COMM_WORLD);
    send_bytes(bytes, n, helper + 1);
    t->owes[helper] = 1;
done:
    free(bytes);
    return st;
}

static sow_status take(sow_team *team, int helper, sow_archive *answer, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    rank_team *t = (rank_team *)team;
    answer_head head;
    SOW_TRY(wait_for(&head, team, helper, env, err));
    let_go(t, helper, head.status == SOW_OK);
    if (head.status != SOW_OK) SOW_FAIL(err, (sow_status)head.status, "%s", head.message);
    SOW_TRY(receive_archive(answer, head.size, helper + 1, err));
done:
    return st;
}

static void introduce(hello *h)
{
    *h = (hello){0};
    snprintf(h->program, sizeof h->program, "%s (%s)", sow_version(), sow_git_hash());
    snprintf(h->processor, sizeof h->processor, "%s", sow_linalg_kernels());
}

/* Another version computes something else; another kind of processor the same but for the last bits. */
static sow_status meet(int helpers, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    hello mine, theirs;
    sow_error first = {0};
    introduce(&mine);
    for (int h = 0; h < helpers; h++) {
        MPI_Recv(&theirs, (int)sizeof theirs, MPI_BYTE, h + 1, TAG_HELLO, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (first.status == SOW_OK && strcmp(mine.program, theirs.program) != 0)
            st = SOW_ERROR(&first, SOW_E_STATE, "rank %d runs sower %s and rank 0 %s: start the same program on every machine", h + 1, theirs.program, mine.program);
        if (strcmp(mine.processor, theirs.processor) != 0)
            sow_log(env, SOW_LOG_WARN, "rank %d has another kind of processor than rank 0 (%s, %s): results agree within rounding, not bit for bit", h + 1, theirs.processor, mine.processor);
    }
    if (st != SOW_OK && err) *err = first;
    return st;
}

static sow_status lead(sow_team **out, int helpers, const sow_env *env, sow_error *err)
{
    static const sow_team_class class_ = {give, take};
    sow_status st = SOW_OK;
    rank_team *t = NULL;
    SOW_NEW(t, 1);
    sow_team_init(&t->base, &class_, helpers);
    SOW_NEW(t->owes, helpers);
    SOW_TRY(meet(helpers, env, err));
    *out = &t->base;
    t = NULL;
done:
    sow_ranks_end(t ? &t->base : NULL);
    return st;
}

sow_index sow_ranks_end(sow_team *team)
{
    rank_team *t = (rank_team *)team;
    answer_head old;
    if (!t) return 0;
    const sow_index given = team->given;
    for (int h = 0; h < team->helpers; h++) MPI_Send(NULL, 0, MPI_BYTE, h + 1, TAG_DISMISSED, MPI_COMM_WORLD);
    for (int h = 0; t->owes && h < team->helpers; h++) {
        if (t->owes[h] && wait_for(&old, team, h, NULL, NULL) == SOW_OK) let_go(t, h, 0);
    }
    MPI_Finalize();
    free(t->owes);
    free(t);
    return given;
}

/* ---- the others ---- */

typedef struct {
    const sow_env *parent;
    void *room[NAMED]; /* of the works, in the order of their table */
} helper;

/* Asked by works now and then. */
static int stop(void *user, const char *what, double fraction)
{
    const helper *h = user;
    if (is_there(0, TAG_DISMISSED)) return 1;
    return h->parent && h->parent->progress ? h->parent->progress(h->parent->progress_user, what, fraction) : 0;
}

static sow_status perform(sow_archive *answer, helper *h, const order_head *head, const sow_archive *order, sow_error *err)
{
    sow_index n = 0;
    const sow_work *const *works = sow_model_works(&n);
    const sow_env env = {.threads = sow_env_threads(h->parent), .memory = h->parent ? h->parent->memory : 0, .progress = stop, .progress_user = h};
    for (sow_index i = 0; i < n && i < NAMED; i++)
        if (strcmp(works[i]->name, head->work) == 0) return works[i]->run(answer, &h->room[i], order, &env, err);
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "nobody here can do '%s'", head->work);
}

static void answer_order(helper *h)
{
    order_head head;
    sow_archive order = {0}, answer = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    int wanted = 0;
    sow_error err = {0};
    MPI_Recv(&head, (int)sizeof head, MPI_BYTE, 0, TAG_ORDER, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    sow_status st = receive_archive(&order, head.size, 0, &err);
    if (st == SOW_OK) st = perform(&answer, h, &head, &order, &err);
    sow_archive_clear(&order);
    if (st == SOW_OK) st = sow_archive_to_bytes(&bytes, &n, &answer, &err);
    sow_archive_clear(&answer);
    answer_head said = {.size = n, .status = st};
    snprintf(said.message, sizeof said.message, "%.*s", (int)sizeof said.message - 1, st == SOW_OK ? "" : *err.message ? err.message : sow_status_text(st));
    MPI_Send(&said, (int)sizeof said, MPI_BYTE, 0, TAG_ANSWER, MPI_COMM_WORLD);
    for (int naps = 0; !is_there(0, TAG_GO);) nap(&naps);
    MPI_Recv(&wanted, 1, MPI_INT, 0, TAG_GO, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (wanted && bytes) send_bytes(bytes, n, 0);
    free(bytes);
}

static void serve(const sow_env *env)
{
    helper h = {.parent = env};
    hello mine;
    sow_index n = 0;
    const sow_work *const *works = sow_model_works(&n);
    introduce(&mine);
    MPI_Send(&mine, (int)sizeof mine, MPI_BYTE, 0, TAG_HELLO, MPI_COMM_WORLD);
    for (int naps = 0; !is_there(0, TAG_DISMISSED);) {
        if (!is_there(0, TAG_ORDER)) nap(&naps);
        else answer_order(&h), naps = 0;
    }
    MPI_Recv(NULL, 0, MPI_BYTE, 0, TAG_DISMISSED, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (sow_index i = 0; i < n && i < NAMED; i++) works[i]->forget(h.room[i]);
    MPI_Finalize();
}

sow_status sow_ranks_begin(sow_team **team, int *helped, const sow_env *env, sow_error *err)
{
    int rank = 0, n = 1, level = 0;
    *team = NULL;
    *helped = 0;
    if (sow_ranks_count() == 1) return SOW_OK;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS) return SOW_ERROR(err, SOW_E_IO, "MPI does not start");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    if (rank == 0) return lead(team, n - 1, env, err);
    serve(env);
    *helped = 1;
    return SOW_OK;
}

#else

/* Without MPI every process of an mpirun would take itself for the only one. */
sow_status sow_ranks_begin(sow_team **team, int *helped, const sow_env *env, sow_error *err)
{
    (void)env;
    *team = NULL;
    *helped = 0;
    if (sow_ranks_count() == 1) return SOW_OK;
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "this sower was built without MPI: apt-get install libopenmpi-dev and build it again (SOWER_MPI), or start it without mpirun; --threads N uses the processors of one machine");
}

sow_index sow_ranks_end(sow_team *team)
{
    (void)team;
    return 0;
}
#endif
