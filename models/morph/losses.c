/* The loss of a trained model on cells: the prediction's MMD, with the bandwidth and estimator it was trained with. As published: of every batch of paired cells; otherwise of all cells of
 * a perturbation (at most 512) against as many predicted from controls drawn for it. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/morph/train_internal.h"

typedef struct {
    sow_i_morph_asker ask;
    const sow_i_morph_model *model;
    const sow_env *env;
    sow_index *which;          /* [most] */
    float *truth, *x, *y;      /* [SOW_I_MORPH_CONTROLS, genes] */
    sow_losses *out;
    sow_index capacity;
} losses_job;

static sow_index larger(sow_index a, sow_index b)
{
    return a > b ? a : b;
}

static sow_status job_begin(losses_job *j, const sow_i_morph_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index size = larger(SOW_I_MORPH_CONTROLS, m->s.o.batch) * m->s.sizes.genes;
    j->model = m;
    j->env = env;
    SOW_TRY(sow_i_morph_ask_begin(&j->ask, m, env, err));
    SOW_NEW(j->which, larger(m->groups.start[m->groups.n], larger(m->groups.n_control, SOW_I_MORPH_CONTROLS)));
    SOW_NEW(j->truth, size);
    SOW_NEW(j->x, size);
    SOW_NEW(j->y, size);
done:
    return st;
}

static void job_end(losses_job *j)
{
    sow_i_morph_ask_end(&j->ask);
    free(j->which);
    free(j->truth);
    free(j->x);
    free(j->y);
}

/* n of 0 .. of - 1 at random into which, without repeats; in turn again where there are not as many. Uses all `of` places. */
static void draw(sow_index *which, sow_index n, sow_index of, sow_rng *rng)
{
    for (sow_index i = 0; i < of; i++) which[i] = i;
    for (sow_index i = 0; i < n && i < of; i++) {
        const sow_index k = i + sow_rng_below(rng, of - i), card = which[k];
        which[k] = which[i];
        which[i] = card;
    }
    for (sow_index i = of; i < n; i++) which[i] = which[i - of];
}

static sow_status loss_of(double *loss, losses_job *j, sow_index member, sow_index perturbation, const float *truth, sow_index n, const sow_index *controls, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_morph_rows(j->x, &j->model->groups, SOW_I_CONTROLS, controls, n, j->env, err));
    SOW_TRY(sow_i_morph_cells(j->y, &j->ask, member, perturbation, j->x, n, err));
    SOW_TRY(sow_mmd_many(loss, &(sow_mmd_pair){j->y, truth, n, n}, 1, j->model->s.sizes.genes, &j->model->s.mmd, j->env, err));
done:
    return st;
}

static sow_status add(losses_job *j, sow_index group, double loss, sow_index cells, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_losses *l = j->out;
    if (l->n == j->capacity) {
        sow_index a = j->capacity, b = a, c = a, d = a;
        SOW_TRY(sow_grow(&l->perturbation, &a, l->n + 1, sizeof *l->perturbation, err));
        SOW_TRY(sow_grow(&l->loss, &b, l->n + 1, sizeof *l->loss, err));
        SOW_TRY(sow_grow(&l->cells, &c, l->n + 1, sizeof *l->cells, err));
        SOW_TRY(sow_grow(&l->held, &d, l->n + 1, sizeof *l->held, err));
        j->capacity = a;
    }
    l->perturbation[l->n] = j->model->groups.perturbation[group];
    l->loss[l->n] = loss;
    l->cells[l->n] = (double)cells;
    l->held[l->n] = j->model->fold[group] >= 0;
    l->n++;
done:
    return st;
}

/* All cells of a group; those of one held out by a member are predicted by that member. */
static sow_status whole_group(losses_job *j, sow_index group, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = j->model;
    const sow_index first = m->groups.start[group], all = m->groups.start[group + 1] - first, n = all < SOW_I_MORPH_CONTROLS ? all : SOW_I_MORPH_CONTROLS;
    sow_rng rng = sow_rng_make(m->s.seed, SOW_RNG_METRIC, m->s.round, (uint32_t)m->groups.perturbation[group] + 1);
    double loss = 0;
    draw(j->which, n, all, &rng);
    for (sow_index i = 0; i < n; i++) j->which[i] += first;
    SOW_TRY(sow_i_morph_rows(j->truth, &m->groups, SOW_I_PERTURBED, j->which, n, j->env, err));
    draw(j->which, n, m->groups.n_control, &rng);
    SOW_TRY(loss_of(&loss, j, m->fold[group], m->groups.perturbation[group], j->truth, n, j->which, err));
    SOW_TRY(add(j, group, loss, n, err));
done:
    return st;
}

/* As published, chunk by chunk. */
static sow_status chunk(losses_job *j, const sow_i_morph_plan *plan, sow_index c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = j->model;
    const struct sow_i_chunk *k = &plan->chunk[c];
    double loss = 0;
    SOW_TRY(sow_i_morph_rows(j->truth, &m->groups, SOW_I_PERTURBED, plan->order + k->first, k->count, j->env, err));
    SOW_TRY(loss_of(&loss, j, m->fold[k->group], m->groups.perturbation[k->group], j->truth, k->count, plan->control + k->first, err));
    SOW_TRY(add(j, k->group, loss, k->count, err));
done:
    return st;
}

static sow_status all_chunks(losses_job *j, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = j->model;
    sow_i_morph_plan plan = {0};
    sow_index *together = NULL;
    SOW_NEW(together, m->groups.n); /* all of one fold: everything is judged */
    SOW_TRY(sow_i_morph_plan_make(&plan, &m->groups, &m->s, together, 0, 0, SOW_I_JUDGE, err));
    for (sow_index c = 0; c < plan.n; c++) {
        SOW_TRY(sow_progress(j->env, "losses of morph", (double)c / (double)plan.n, err));
        SOW_TRY(chunk(j, &plan, c, err));
    }
done:
    sow_i_morph_plan_clear(&plan);
    free(together);
    return st;
}

static sow_status all_groups(losses_job *j, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index g = 0; g < j->model->groups.n; g++) {
        SOW_TRY(sow_progress(j->env, "losses of morph", (double)g / (double)j->model->groups.n, err));
        SOW_TRY(whole_group(j, g, err));
    }
done:
    return st;
}

sow_status sow_i_morph_all_losses(const sow_model *model, sow_losses *out, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    losses_job j = {.out = out};
    SOW_TRY(job_begin(&j, m, env, err));
    SOW_TRY(m->s.o.reference ? all_chunks(&j, err) : all_groups(&j, err));
    SOW_TRY(sow_progress(env, "losses of morph", 1, err));
done:
    job_end(&j);
    return st;
}

/* Of the first n rows of j->truth against controls j->which: at once, or as published the mean over batches. */
static sow_status loss_by_chunks(double *loss, losses_job *j, sow_index perturbation, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = j->model;
    const sow_index size = m->s.o.reference && n > m->s.o.batch ? m->s.o.batch : n, chunks = n / size;
    *loss = 0;
    for (sow_index c = 0; c < chunks; c++) {
        double each = 0;
        SOW_TRY(loss_of(&each, j, -1, perturbation, j->truth + c * size * m->s.sizes.genes, size, j->which + c * size, err));
        *loss += each / (double)chunks;
    }
done:
    return st;
}

sow_status sow_i_morph_loss_on(const sow_model *model, sow_index perturbation, const float *truth, sow_index n, double *loss, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_index d = m->s.sizes.genes, used = n < SOW_I_MORPH_CONTROLS ? n : SOW_I_MORPH_CONTROLS;
    sow_rng rng = sow_rng_make(m->s.seed, SOW_RNG_METRIC, m->s.round, (uint32_t)perturbation + 1);
    losses_job j = {0};
    sow_index *chosen = NULL;
    if (m->genes.first[perturbation] < 0) SOW_FAIL(err, SOW_E_DATA, "model morph: perturbation %lld has no prior row; there is no prediction to compare", (long long)perturbation);
    if (n < 2) SOW_FAIL(err, SOW_E_DATA, "model morph: a loss on %lld cell; at least 2 are needed", (long long)n);
    SOW_NEW(chosen, n);
    SOW_TRY(job_begin(&j, m, env, err));
    draw(chosen, used, n, &rng);
    for (sow_index i = 0; i < used; i++) memcpy(j.truth + i * d, truth + chosen[i] * d, (size_t)d * sizeof *truth);
    draw(j.which, used, m->groups.n_control, &rng);
    SOW_TRY(loss_by_chunks(loss, &j, perturbation, used, err));
done:
    job_end(&j);
    free(chosen);
    return st;
}
