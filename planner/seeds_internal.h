/* Inside the choice of seeds: seeds.c goes from the campaign file to the files; seeds_choose.c shows references to strategies; seeds_replay.c plays references as if they were new; seeds_tables.c sums up
 * and chooses a strategy; seeds_report.c says it. */
#ifndef SOWER_PLANNER_SEEDS_INTERNAL_H
#define SOWER_PLANNER_SEEDS_INTERNAL_H

#include "planner/choice_internal.h"
#include "planner/context_rows.h"
#include "planner/seeds.h"

enum { SOW_I_SEED_COUNTS = 6 };

/** A reference context that is taken for new. A run is one draw of one strategy. */
typedef struct {
    sow_index context, n;  /* rows: what it measured */
    sow_index possible;    /* of these in the target's pool */
    unsigned char *played; /* [strategies, draws, counts] */
    unsigned char *seed;   /* [strategies, draws, counts, n] is among the seeds */
    double *value;         /* [strategies, draws, counts, n, columns] */
} sow_i_replay;

typedef struct {
    sow_campaign *c;
    const sow_env *env;
    sow_i_context_measures measures;
    sow_index wanted, n_draws;
    sow_index n_counts, count[SOW_I_SEED_COUNTS]; /* ascending; `wanted` and five more among them */
    sow_index n_strategies;
    const sow_strategy **strategy;
    sow_index n_references;
    unsigned char *reference; /* [contexts of the screen] */
    sow_index n_replays;      /* 0 with one reference */
    sow_i_replay *replay;
    sow_index n_pool, *pool;  /* catalogue positions, ascending */
    sow_index chosen;         /* strategy */
    sow_pick *pick;           /* [wanted] positions in pool */
    double done, total;
} sow_i_seeds;

static inline sow_index sow_i_run(const sow_i_seeds *e, sow_index strategy, sow_index draw, sow_index count)
{
    return (strategy * e->n_draws + draw) * e->n_counts + count;
}

/* seeds_choose.c */
/** Strategies that can choose before anything is measured: all such (names NULL), or those named. */
SOW_MUST_CHECK sow_status sow_i_choose_strategies(sow_i_seeds *e, const char *names, sow_error *err);
/** Can the strategy choose when so many contexts are known? */
int sow_i_strategy_plays(const sow_strategy *s, sow_index known);
/** Seeds from the known rows of r: picks [batch], positions in candidate [n] (catalogue, ascending). `ruled`: by the campaign's constraints. */
SOW_MUST_CHECK sow_status sow_i_pick_seeds(sow_pick *picks, sow_index batch, const sow_strategy *s, const sow_i_context_rows *r, const sow_index *candidate, sow_index n, sow_index draw, int ruled,
                                           const sow_env *env, sow_error *err);

/* seeds_replay.c */
SOW_MUST_CHECK sow_status sow_i_replay_references(sow_i_seeds *e, sow_error *err);

/* seeds_tables.c */
typedef struct {
    double mean, low, high; /* NaN where undefined */
    sow_index replays;
    sow_index ahead; /* of a difference within references: in how many of them the first is better */
} sow_i_seed_mean;
/** Expected accuracy: mean over references of the mean over draws; the interval is Student's over references, so that it speaks of a further context. */
SOW_MUST_CHECK sow_status sow_i_seed_accuracy(sow_i_seed_mean *out, const sow_i_seeds *e, sow_index strategy, sow_index count, sow_index metric, sow_error *err);
/** Accuracy of strategy a with ca seeds less that of b with cb, on the perturbations that are seeds in neither. */
typedef struct {
    sow_index a, ca, b, cb;
} sow_i_seed_pair;
/** `within`: the interval is over draws within references (how sure it is of these), else over references. */
SOW_MUST_CHECK sow_status sow_i_seed_difference(sow_i_seed_mean *out, const sow_i_seeds *e, const sow_i_seed_pair *p, sow_index metric, int within, sow_error *err);
sow_index sow_i_seed_count(const sow_i_seeds *e, sow_index seeds); /* its place among the counts, or -1 */
sow_index sow_i_seed_strategy(const sow_i_seeds *e, const char *name); /* or -1 */
/** Of the strategies that with the wanted seeds are better than random in every reference, with an interval over draws that is clear of 0, the best; else random (or, where it is not among them, the
 *  first). Several are tried, so that one interval alone would be clear now and then by chance. */
SOW_MUST_CHECK sow_status sow_i_choose_best(sow_i_seeds *e, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_write_seed_tables(const sow_i_seeds *e, const char *dir, sow_error *err);

/* seeds_report.c */
/** What there is to say, as JSON: for --json and for the page. New reference in *out. */
SOW_MUST_CHECK sow_status sow_i_seeds_json(json_t **out, const sow_i_seeds *e, sow_error *err);

#endif
