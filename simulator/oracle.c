/* The table of oracles and what they share. */
#include "simulator/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/oracle_internal.h"

static const sow_oracle_class *const table[] = {&sow_i_oracle_replay, &sow_i_oracle_generative, &sow_i_oracle_lab};
enum { ROWS = sizeof table / sizeof table[0] };

const sow_oracle_class *const *sow_oracle_classes(sow_index *n)
{
    if (n) *n = ROWS;
    return table;
}

sow_status sow_oracle_find(const sow_oracle_class **out, const char *name, sow_error *err)
{
    const char *names[ROWS], *nearest;
    *out = NULL;
    for (sow_index i = 0; i < ROWS; i++) {
        names[i] = table[i]->name;
        if (name && strcmp(table[i]->name, name) == 0) *out = table[i];
    }
    if (*out) return SOW_OK;
    nearest = name ? sow_nearest_of(names, ROWS, name) : NULL;
    return SOW_ERROR(err, SOW_E_CONFIG, "unknown oracle '%s'%s%s%s; allowed: replay, generative, lab", name ? name : "",
                     nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

sow_status sow_oracle_measure(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n, sow_index round,
                              sow_error *err)
{
    memset(out, 0, sizeof *out);
    if (!oracle || n < 0 || (n > 0 && !requests) || round < 0 || round > UINT32_MAX)
        return SOW_ERROR(err, SOW_E_ARG, "cannot measure %lld requests of round %lld", (long long)n, (long long)round);
    for (sow_index i = 0; i < n; i++)
        if (requests[i].planned_cells < 0)
            return SOW_ERROR(err, SOW_E_ARG, "request %lld plans %lld cells: 0 (not said) or more are allowed", (long long)i,
                             (long long)requests[i].planned_cells);
    const sow_status st = oracle->class_->measure(out, oracle, requests, n, round, err);
    if (st != SOW_OK) sow_measurements_clear(out);
    return st;
}

void sow_oracle_destroy(sow_oracle *oracle)
{
    if (oracle) oracle->class_->destroy(oracle);
}

void sow_measurements_clear(sow_measurements *m)
{
    if (!m) return;
    for (sow_index i = 0; m->item && i < m->n; i++) {
        free(m->item[i].values);
        free(m->item[i].covariate);
        free(m->item[i].cell);
    }
    free(m->item);
    free(m->control);
    memset(m, 0, sizeof *m);
}

static sow_status init_one(sow_measurement *m, const sow_request *request, const sow_screen *screen, sow_index n_features,
                           sow_index n_covariates, sow_error *err)
{
    sow_status st = SOW_OK;
    if (screen && (request->perturbation < 0 || request->perturbation >= sow_screen_n_perturbations(screen)))
        SOW_FAIL(err, SOW_E_ARG, "a request asks for perturbation %lld; the screen has %lld", (long long)request->perturbation,
                 (long long)sow_screen_n_perturbations(screen));
    if (screen && (request->context < 0 || request->context >= sow_names_count(screen->contexts)))
        SOW_FAIL(err, SOW_E_ARG, "a request asks for context %lld; the screen has %lld", (long long)request->context,
                 (long long)sow_names_count(screen->contexts));
    m->perturbation = request->perturbation;
    m->context = request->context;
    m->outcome = SOW_PENDING;
    m->cells = m->weight = m->hit = NAN;
    SOW_NEW(m->values, n_features);
    SOW_NEW(m->covariate, n_covariates);
    for (sow_index j = 0; j < n_features; j++)
        m->values[j] = NAN;
    for (sow_index j = 0; j < n_covariates; j++)
        m->covariate[j] = NAN;
done:
    return st;
}

sow_status sow_i_measurements_init(sow_measurements *out, const sow_request *requests, sow_index n, const sow_screen *screen,
                                   sow_error *err)
{
    sow_status st = SOW_OK;
    sow_measurements m = {.n_features = screen ? sow_screen_n_features(screen) : 0,
                          .n_covariates = screen ? sow_screen_n_covariates(screen) : 0};
    memset(out, 0, sizeof *out);
    SOW_NEW(m.item, n);
    m.n = n;
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(init_one(&m.item[i], &requests[i], screen, m.n_features, m.n_covariates, err));
    *out = m;
    memset(&m, 0, sizeof m);
done:
    sow_measurements_clear(&m);
    return st;
}

void sow_i_measurement_from_row(sow_measurement *m, const sow_screen *screen, sow_index row)
{
    const sow_index d = sow_screen_n_features(screen), p = sow_screen_n_covariates(screen);
    m->cells = screen->cells[row];
    m->weight = screen->weight[row];
    m->hit = screen->hit[row];
    memcpy(m->values, screen->values + row * d, (size_t)d * sizeof *m->values);
    if (p > 0) memcpy(m->covariate, screen->covariate + row * p, (size_t)p * sizeof *m->covariate);
}
