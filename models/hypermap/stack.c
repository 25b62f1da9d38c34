/* What programs or networks say joined with what gp says, by w and 1 - w. gp carries over what other contexts agree on, and looks at which seeds a perturbation is like; programs learn how contexts differ. w is the one of highest mean correlation over
 * seeds that neither has seen, fold by fold (models/stacking.h); with few seeds both count alike. */
#include <stdlib.h>

#include "core/memory.h"
#include "models/hypermap/row_internal.h"
#include "models/stacking.h"

enum { FOLDS = 5, FEWEST_HELD = 8, ENOUGH_HELD = 60 };
static const double weight_of_few = 0.5;

typedef struct {
    sow_i_hypermap_model *m;
    const sow_training *t;
    sow_model_options options;
    sow_index n, *item;      /* [n] the target's items, in random order: number i is of fold i mod FOLDS */
    unsigned char *keep;     /* [t->n] */
    sow_i_part part;         /* the references' rows, and behind them those of the target that are kept */
    sow_index n_references;  /* rows */
    sow_i_hypermap_adapted adapted;
    double *said, *base;     /* [d] */
    sow_i_products *each;    /* [n] */
} chooser;

static void chooser_clear(chooser *x)
{
    sow_i_hypermap_adapted_clear(&x->adapted, x->m->n_members);
    free(x->item);
    free(x->keep);
    sow_i_part_clear(&x->part);
    free(x->said);
    free(x->base);
    free(x->each);
}

static sow_status chooser_make(chooser *x, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = x->t;
    sow_rng rng = sow_rng_make(x->m->s.seed, SOW_RNG_STACK, 0, 1);
    SOW_NEW(x->item, t->n);
    SOW_NEW(x->keep, t->n);
    SOW_NEW(x->said, t->n_features);
    SOW_NEW(x->base, t->n_features);
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == t->target) x->item[x->n++] = i;
    sow_rng_permute(&rng, x->item, x->n);
    SOW_NEW(x->each, x->n);
done:
    return st;
}

/* Once for all folds: the references' rows are most of them. */
static sow_status take_references(chooser *x, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < x->t->n; i++) x->keep[i] = x->t->context[i] != x->t->target;
    SOW_TRY(sow_i_part_make(&x->part, x->t, x->keep, err));
    x->n_references = x->part.t.n;
    x->part.t.lasting = 1; /* a fold's gp is gone before the next fold's rows are written */
    /* The campaign's response components have seen the items that are left out; those of the references have not. Where hypermap has none gp finds its own in every fold. */
    x->part.t.response = x->m->space.genes ? NULL : &x->m->space.components;
done:
    return st;
}

static void take_kept(chooser *x)
{
    sow_i_part *p = &x->part;
    p->t.n = x->n_references;
    for (sow_index i = 0; i < x->t->n; i++)
        if (x->t->context[i] == x->t->target && x->keep[i]) sow_i_part_add(p, x->t, i);
}

static sow_status hold_out(chooser *x, sow_index fold, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = x->t->n_features;
    sow_model *base = NULL;
    for (sow_index i = 0; i < x->t->n; i++) x->keep[i] = 1;
    for (sow_index i = fold; i < x->n; i += FOLDS) x->keep[x->item[i]] = 0;
    take_kept(x);
    SOW_TRY(sow_model_fit(&base, &sow_i_gp, &x->part.t, &x->options, env, err));
    SOW_TRY(sow_i_hypermap_adapt(&x->adapted, x->m, x->keep, env, err));
    for (sow_index i = fold; i < x->n; i += FOLDS) {
        const sow_index at = x->item[i], p = x->t->perturbation[at];
        const sow_query q = {.n = 1, .perturbation = &p, .context = &x->t->target};
        SOW_TRY(sow_model_predict(base, &q, x->base, NULL, NULL, NULL, err));
        SOW_TRY(sow_i_hypermap_ask(x->said, &x->adapted, x->m, p, err));
        x->each[x->m->stack.held++] = sow_i_products_of(x->said, x->base, x->t->y + at * d, d);
    }
done:
    sow_i_hypermap_adapted_clear(&x->adapted, x->m->n_members);
    sow_model_destroy(base);
    return st;
}

static sow_status choose_weight(chooser *x, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_hypermap_stack *s = &x->m->stack;
    s->weight = weight_of_few;
    s->held = 0;
    if (x->n < FEWEST_HELD) return SOW_OK;
    SOW_TRY(take_references(x, err));
    for (sow_index f = 0; f < FOLDS && s->held < ENOUGH_HELD; f++) { /* with hundreds of seeds one fold says it */
        SOW_TRY(sow_progress(env, "weighing hypermap and gp", (double)f / FOLDS, err));
        SOW_TRY(hold_out(x, f, env, err));
    }
    SOW_TRY(sow_progress(env, "weighing hypermap and gp", 1, err));
    s->weight = sow_i_stack_weight(x->each, s->held, 1);
done:
    return st;
}

/* On all; its components are the campaign's, or hypermap's where there are none. */
static sow_status fit_base(sow_i_hypermap_model *m, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_training all = *t;
    all.cells_of = NULL;
    if (!all.response && !m->space.genes) all.response = &m->space.components;
    return sow_model_fit(&m->stack.base, &sow_i_gp, &all, options, env, err);
}

sow_status sow_i_hypermap_stack_make(sow_i_hypermap_model *m, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    chooser x = {.m = m, .t = t, .options = *options};
    x.options.warm = NULL;
    x.options.resume = NULL;
    x.options.checkpoints = (sow_checkpoints){0};
    SOW_TRY(chooser_make(&x, err));
    if (x.n == 0) goto done; /* gp has nothing to learn from in the target */
    if (m->stack.weight < 0) SOW_TRY(choose_weight(&x, env, err)); /* else it was kept */
    sow_i_part_clear(&x.part); /* as large as the training: it is wanted for gp */
    SOW_TRY(fit_base(m, t, &x.options, env, err));
done:
    chooser_clear(&x);
    return st;
}
