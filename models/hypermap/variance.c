/* How sure programs are of what they say in the target (docs/math/hypermap.md).
 *
 *   var_g = shift_g + sum over r, s of C_rs u_rg u_sg,   noise_g = rest_g + sum over r, s of T_rs u_rg u_sg
 *
 * u_r program r in genes, C the covariance of the products of the target's activities and the perturbation's loadings, T what uncertain loadings add to the references' rows, rest_g what is left of these in gene g, shift_g
 * the variance of the target's shift given its n seeds: apart_g before them, how far the references' shifts are apart, and then 1 / (1 / apart_g + n / rest_g). apart_g has as many degrees of freedom as there are references
 * less one, so what the genes have in common counts as one reference more. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/hypermap/row_internal.h"

static const double smallest = 1e-12;

void sow_i_hypermap_doubts_clear(sow_i_hypermap_doubts *x)
{
    free(x->shift);
    free(x->noise);
    free(x->along);
    *x = (sow_i_hypermap_doubts){0};
}

/* out [d] += sum over r, s of c_rs u_rg u_sg; room [rank, d]. */
static sow_status add_form(double *out, double *room, const double *c, const sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = m->programs.rank, d = m->space.d;
    const double *u = m->doubts.along;
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, rank, d, rank, 1, c, rank, u, d, 0, room, d, err));
    for (sow_index r = 0; r < rank; r++)
        for (sow_index g = 0; g < d; g++) out[g] += u[r * d + g] * room[r * d + g];
done:
    return st;
}

static void shift_variances(sow_i_hypermap_model *m)
{
    const double contexts = (double)m->space.n_references, n = (double)m->n_seeds;
    const double ratio = contexts > 1 && m->rest > 0 ? m->apart / m->rest : 1; /* one reference: shifts are taken to be as far apart as rows are */
    for (sow_index g = 0; g < m->space.d; g++) {
        const double rest = fmax(m->rest_of[g], smallest), apart = fmax(((contexts - 1) * m->apart_of[g] + ratio * rest) / contexts, 0);
        m->doubts.shift[g] = n > 0 ? apart * rest / (n * apart + rest) : apart;
    }
}

sow_status sow_i_hypermap_doubts_make(sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    const sow_index rank = m->programs.rank, d = s->d;
    double *room = NULL;
    SOW_NEW(m->doubts.shift, d);
    SOW_NEW(m->doubts.noise, d);
    SOW_NEW(m->doubts.along, rank * d);
    SOW_NEW(room, rank * d);
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, rank, d, s->k, s->scale, m->programs.program, s->k, s->components.components, d, 0, m->doubts.along, d, err));
    SOW_TRY(add_form(m->doubts.noise, room, m->programs.unsure, m, env, err));
    for (sow_index g = 0; g < d; g++) m->doubts.noise[g] = fmax(m->doubts.noise[g] + m->rest_of[g], smallest);
    shift_variances(m);
done:
    free(room);
    return st;
}

sow_status sow_i_hypermap_variance(double *var, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = m->programs.rank, d = m->space.d;
    double *c = NULL, *room = NULL;
    memcpy(var, m->doubts.shift, (size_t)d * sizeof *var);
    if (perturbation >= m->space.n_items) return SOW_OK;
    SOW_NEW(c, rank * rank);
    SOW_NEW(room, rank * d);
    SOW_TRY(sow_programs_covariance(c, &m->programs, m->adapted.activity, m->adapted.covariance, perturbation, err));
    SOW_TRY(add_form(var, room, c, m, NULL, err));
    for (sow_index g = 0; g < d; g++) var[g] = fmax(var[g], 0);
done:
    free(c);
    free(room);
    return st;
}
