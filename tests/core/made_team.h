/* Helpers that are this very process: an order is done when it is given, by way of the bytes that would be sent. */
#ifndef SOWER_TESTS_CORE_MADE_TEAM_H
#define SOWER_TESTS_CORE_MADE_TEAM_H

#include <stdlib.h>
#include <string.h>

#include "core/team.h"

enum { MADE_HELPERS = 8 };

typedef struct {
    sow_team base;
    const sow_work *work;
    void *room[MADE_HELPERS];
    unsigned char *answer[MADE_HELPERS]; /* what was said and not yet taken */
    size_t size[MADE_HELPERS];
    sow_error error[MADE_HELPERS];
} made_team;

static inline sow_status made_copy(sow_archive *to, const sow_archive *from, sow_error *e)
{
    unsigned char *bytes = NULL;
    size_t n = 0;
    sow_status st = sow_archive_to_bytes(&bytes, &n, from, e);
    if (st == SOW_OK) st = sow_archive_from_bytes(to, bytes, n, e);
    free(bytes);
    return st;
}

static inline sow_status made_give(sow_team *team, int helper, const char *work, const sow_archive *order, const sow_env *env, sow_error *e)
{
    made_team *t = (made_team *)team;
    sow_archive sent = {0}, answer = {0};
    sow_error *own = &t->error[helper];
    if (strcmp(work, t->work->name) != 0) return SOW_ERROR(e, SOW_E_UNSUPPORTED, "nobody here can do '%s'", work);
    sow_status st = made_copy(&sent, order, e);
    if (st != SOW_OK) return st;
    const sow_env alone = {.threads = sow_env_threads(env)};
    free(t->answer[helper]);
    t->answer[helper] = NULL;
    *own = (sow_error){0};
    own->status = t->work->run(&answer, &t->room[helper], &sent, &alone, own);
    if (own->status == SOW_OK) own->status = sow_archive_to_bytes(&t->answer[helper], &t->size[helper], &answer, own);
    sow_archive_clear(&sent);
    sow_archive_clear(&answer);
    return SOW_OK;
}

static inline sow_status made_take(sow_team *team, int helper, sow_archive *answer, const sow_env *env, sow_error *e)
{
    made_team *t = (made_team *)team;
    (void)env;
    if (t->error[helper].status != SOW_OK) {
        if (e) *e = t->error[helper];
        return t->error[helper].status;
    }
    return sow_archive_from_bytes(answer, t->answer[helper], t->size[helper], e);
}

static inline void made_team_init(made_team *t, int helpers, const sow_work *work)
{
    static const sow_team_class class_ = {made_give, made_take};
    memset(t, 0, sizeof *t);
    sow_team_init(&t->base, &class_, helpers);
    t->work = work;
}

static inline void made_team_clear(made_team *t)
{
    for (int h = 0; h < MADE_HELPERS; h++) {
        t->work->forget(t->room[h]);
        free(t->answer[h]);
    }
}

#endif
