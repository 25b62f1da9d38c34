/* Waves: as many shards as there are processes. This one takes the first of a wave, so that all of them can be added in order while nothing but one answer is held. */
#include "core/team.h"

void sow_team_init(sow_team *team, const sow_team_class *class_, int helpers)
{
    *team = (sow_team){.class_ = class_, .helpers = helpers, .owner = pthread_self()};
}

/* NULL for another thread than the one that made it (folds of an evaluation may be fitted at the same time), and for a sum within a sum. */
static sow_team *team_of(const sow_env *env)
{
    sow_team *team = env ? env->team : NULL;
    if (!team || !pthread_equal(team->owner, pthread_self()) || team->in_use) return NULL;
    return team->helpers > 0 ? team : NULL;
}

int sow_team_size(const sow_env *env)
{
    const sow_team *team = team_of(env);
    return team ? team->helpers + 1 : 1;
}

static sow_status give(sow_team *team, int helper, const sow_shards *s, sow_index i, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive order = {0};
    SOW_TRY(s->order(s->user, i, &order, err));
    SOW_TRY(team->class_->give(team, helper, s->work, &order, env, err));
    team->given++;
done:
    sow_archive_clear(&order);
    return st;
}

static sow_status take(sow_team *team, int helper, const sow_shards *s, sow_index i, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive answer = {0};
    SOW_TRY(team->class_->take(team, helper, &answer, env, err));
    SOW_TRY(s->add(s->user, i, &answer, err));
done:
    sow_archive_clear(&answer);
    return st;
}

static sow_status wave(sow_team *team, const sow_shards *s, sow_index first, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index left = s->n - first - 1;
    const int n = left < team->helpers ? (int)left : team->helpers;
    for (int h = 0; h < n; h++) SOW_TRY(give(team, h, s, first + 1 + h, env, err));
    SOW_TRY(s->here(s->user, first, err));
    for (int h = 0; h < n; h++) SOW_TRY(take(team, h, s, first + 1 + h, env, err));
done:
    return st;
}

sow_status sow_team_share(const sow_env *env, const sow_shards *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_team *team = team_of(env);
    if (team) {
        team->in_use = 1;
        team->what = s->what;
        team->done = s->done;
    }
    for (sow_index i = 0; i < s->n && st == SOW_OK; i += team ? team->helpers + 1 : 1) st = team ? wave(team, s, i, env, err) : s->here(s->user, i, err);
    if (team) team->in_use = 0;
    return st;
}
