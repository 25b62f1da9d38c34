/* What trained networks say: latents, cells and mean shifts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/model_internal.h"
#include "models/morph/train_internal.h"

enum { LATENT_ROWS = 1024 };

/* ---- latents ---- */

/* Of the catalogue's own rows: gene [n_items, zp]. */
static sow_status encode_rows(float *gene, sow_params *p, const sow_i_morph_genes *genes, const sow_i_morph_settings *s, sow_tape *tape, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index r = 0; r < genes->n_items; r += LATENT_ROWS) {
        const sow_index n = genes->n_items - r < LATENT_ROWS ? genes->n_items - r : LATENT_ROWS;
        const void *rows[SOW_MORPH_MOST_PRIORS] = {NULL};
        for (sow_index k = 0; k < genes->n_priors; k++) rows[k] = genes->x[k] + r * genes->dim[k];
        sow_tape_reset(tape);
        const sow_var latent = sow_morph_latent(tape, p, &s->sizes, rows, n);
        SOW_TRY(sow_tape_status(tape, err));
        memcpy(gene + r * s->sizes.zp, sow_tape_value(tape, latent).data, (size_t)(n * s->sizes.zp) * sizeof *gene);
    }
done:
    return st;
}

sow_status sow_i_morph_latents(double *latent, sow_params *p, const sow_i_morph_genes *genes, const sow_i_morph_settings *s, sow_tape *tape, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index zp = s->sizes.zp;
    float *gene = NULL;
    SOW_NEW(gene, genes->n_items * zp);
    SOW_TRY(encode_rows(gene, p, genes, s, tape, err));
    for (sow_index i = 0; i < genes->n_items; i++)
        for (sow_index j = 0; j < zp; j++) {
            const sow_index a = genes->first[i], b = genes->second[i];
            latent[i * zp + j] = a < 0 ? 0 : (double)gene[a * zp + j] + (b < 0 ? 0 : (double)gene[b * zp + j]);
        }
done:
    free(gene);
    return st;
}

/* ---- cells ---- */

sow_status sow_i_morph_ask_begin(sow_i_morph_asker *a, const sow_i_morph_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *a = (sow_i_morph_asker){.model = m};
    SOW_TRY(sow_tape_create(&a->tape, NULL, SOW_F32, sow_env_threads(env), err));
    SOW_TRY(sow_i_morph_stage_make(&a->stage, &m->s, &m->genes, 1, SOW_I_MORPH_CONTROLS, err));
    SOW_NEW(a->each, m->n_members > 1 ? SOW_I_MORPH_CONTROLS * m->s.sizes.genes : 0);
done:
    return st;
}

void sow_i_morph_ask_end(sow_i_morph_asker *a)
{
    sow_tape_destroy(a->tape);
    sow_i_morph_stage_clear(&a->stage);
    free(a->each);
}

/* At most SOW_I_MORPH_CONTROLS rows by one member. */
static sow_status forward(float *out, sow_i_morph_asker *a, sow_index member, sow_index perturbation, const float *control, sow_index n, sow_rng *noise, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = a->model;
    const sow_index d = m->s.sizes.genes;
    sow_morph_values v;
    sow_tape_reset(a->tape);
    sow_i_morph_stage_ask(&a->stage, &perturbation, &n, 1, &m->genes, m->s.sizes.zc, noise);
    a->stage.batch.x = control;
    sow_morph_forward(&v, a->tape, m->member[member].best, &m->s.sizes, &a->stage.batch);
    SOW_TRY(sow_tape_status(a->tape, err));
    memcpy(out, sow_tape_value(a->tape, v.y_hat).data, (size_t)(n * d) * sizeof *out);
done:
    return st;
}

/* Draws of the latent are a function of the perturbation and the member, not of who asks when. */
static sow_rng noise_of(const sow_i_morph_model *m, sow_index member, sow_index perturbation)
{
    return sow_rng_make(m->s.seed ^ (uint64_t)member << 32, SOW_RNG_LATENT, m->s.round, 0x80000000u | (uint32_t)perturbation);
}

/* Mean over the members of a block of rows. */
static sow_status mean_cells(float *out, sow_i_morph_asker *a, sow_index perturbation, const float *control, sow_index n, sow_rng *noise, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index members = a->model->n_members, size = n * a->model->s.sizes.genes;
    SOW_TRY(forward(out, a, 0, perturbation, control, n, &noise[0], err));
    for (sow_index b = 1; b < members; b++) {
        SOW_TRY(forward(a->each, a, b, perturbation, control, n, &noise[b], err));
        for (sow_index i = 0; i < size; i++) out[i] += a->each[i];
    }
    for (sow_index i = 0; members > 1 && i < size; i++) out[i] /= (float)members;
done:
    return st;
}

sow_status sow_i_morph_cells(float *out, sow_i_morph_asker *a, sow_index member, sow_index perturbation, const float *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = a->model->s.sizes.genes;
    sow_rng *noise = NULL;
    SOW_NEW(noise, a->model->n_members);
    for (sow_index b = 0; b < a->model->n_members; b++) noise[b] = noise_of(a->model, b, perturbation);
    for (sow_index i = 0; i < n; i += SOW_I_MORPH_CONTROLS) {
        const sow_index rows = n - i < SOW_I_MORPH_CONTROLS ? n - i : SOW_I_MORPH_CONTROLS;
        if (member < 0)
            SOW_TRY(mean_cells(out + i * d, a, perturbation, control + i * d, rows, noise, err));
        else
            SOW_TRY(forward(out + i * d, a, member, perturbation, control + i * d, rows, &noise[member], err));
    }
done:
    free(noise);
    return st;
}

/* ---- mean shifts ---- */

static void mean_difference(double *out, const float *y, const float *x, sow_index n, sow_index d)
{
    memset(out, 0, (size_t)d * sizeof *out);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) out[j] += (double)y[i * d + j] - (double)x[i * d + j];
    for (sow_index j = 0; j < d; j++) out[j] /= (double)n;
}

sow_status sow_i_morph_shift(double *shift, sow_i_morph_asker *a, sow_index member, sow_index perturbation, float *cells, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = a->model;
    if (m->s.o.mean_latent) /* m->n_control is at most one block */
        SOW_TRY(forward(cells, a, member, perturbation, m->control, m->n_control, NULL, err));
    else
        SOW_TRY(sow_i_morph_cells(cells, a, member, perturbation, m->control, m->n_control, err));
    mean_difference(shift, cells, m->control, m->n_control, m->s.sizes.genes);
done:
    return st;
}

/* Mean over members and (with several) the variance between them (n - 1). shift [members, d], cells [n_control, d]: room to work. */
static sow_status predict_one(double *mean, double *var, double *shift, float *cells, sow_i_morph_asker *a, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = a->model;
    const sow_index d = m->s.sizes.genes, members = m->n_members;
    for (sow_index b = 0; b < members; b++) SOW_TRY(sow_i_morph_shift(shift + b * d, a, b, perturbation, cells, err));
    for (sow_index j = 0; j < d; j++) {
        double sum = 0, squares = 0;
        for (sow_index b = 0; b < members; b++) sum += shift[b * d + j];
        mean[j] = sum / (double)members;
        for (sow_index b = 0; b < members; b++) squares += (shift[b * d + j] - mean[j]) * (shift[b * d + j] - mean[j]);
        var[j] = members > 1 ? squares / (double)(members - 1) : NAN;
    }
done:
    return st;
}

sow_status sow_i_morph_predict(const sow_model *model, const sow_query *query, double *mean, double *var, double *noise, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_index d = m->s.sizes.genes;
    double *own = NULL, *shift = NULL;
    float *cells = NULL;
    sow_i_morph_asker a;
    SOW_TRY(sow_i_morph_ask_begin(&a, m, env, err));
    SOW_NEW(own, d);
    SOW_NEW(shift, m->n_members * d);
    SOW_NEW(cells, m->n_control * d);
    for (sow_index i = 0; i < query->n; i++) {
        const sow_index p = query->perturbation[i];
        double *var_i = var ? var + i * d : own;
        SOW_TRY(sow_progress(env, "predicting with morph", (double)i / (double)query->n, err));
        if (m->genes.first[p] >= 0) {
            SOW_TRY(predict_one(mean + i * d, var_i, shift, cells, &a, p, err));
            SOW_TRY(sow_i_morph_stacked(mean + i * d, m, p, err));
            for (sow_index j = 0; m->stack.line && j < d; j++) var_i[j] *= m->stack.weight * m->stack.weight;
        } else {
            memcpy(mean + i * d, m->mean_shift, (size_t)d * sizeof *mean);
            for (sow_index j = 0; j < d; j++) var_i[j] = NAN;
        }
        for (sow_index j = 0; noise && j < d; j++) noise[i * d + j] = NAN;
    }
    SOW_TRY(sow_progress(env, "predicting with morph", 1, err));
done:
    sow_i_morph_ask_end(&a);
    free(own);
    free(shift);
    free(cells);
    return st;
}

/* What the line adds to the mean of the networks' cells: [d]. */
static sow_status added_by_line(double *added, sow_i_morph_asker *a, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = a->model;
    const sow_index d = m->s.sizes.genes;
    double *shift = NULL, *mean = NULL, *var = NULL;
    float *cells = NULL;
    SOW_NEW(shift, m->n_members * d);
    SOW_NEW(mean, d);
    SOW_NEW(var, d);
    SOW_NEW(cells, m->n_control * d);
    SOW_TRY(predict_one(mean, var, shift, cells, a, perturbation, err));
    memcpy(added, mean, (size_t)d * sizeof *added);
    SOW_TRY(sow_i_morph_stacked(added, m, perturbation, err));
    for (sow_index j = 0; j < d; j++) added[j] -= mean[j];
done:
    free(shift);
    free(mean);
    free(var);
    free(cells);
    return st;
}

sow_status sow_i_morph_generate(const sow_model *model, sow_index perturbation, sow_index context, const float *control, sow_index n, float *out, const sow_env *env,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_index d = m->s.sizes.genes;
    double *added = NULL;
    sow_i_morph_asker a = {0};
    (void)context; /* what is learned in the target context is said of any */
    if (m->genes.first[perturbation] < 0) {
        for (sow_index i = 0; i < n; i++)
            for (sow_index j = 0; j < d; j++) out[i * d + j] = (float)((double)control[i * d + j] + m->mean_shift[j]);
        return SOW_OK;
    }
    SOW_TRY(sow_i_morph_ask_begin(&a, m, env, err));
    SOW_TRY(sow_i_morph_cells(out, &a, -1, perturbation, control, n, err));
    if (!m->stack.line) goto done;
    SOW_NEW(added, d);
    SOW_TRY(added_by_line(added, &a, perturbation, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) out[i * d + j] = (float)((double)out[i * d + j] + added[j]);
done:
    free(added);
    sow_i_morph_ask_end(&a);
    return st;
}
