/* The table of models and its checked front doors. */
#include "models/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/names.h"
#include "models/model_internal.h"

static const sow_model_class *const classes[] = {&sow_i_control, &sow_i_train_mean, &sow_i_source_shift, &sow_i_two_way,
                                                &sow_i_additive, &sow_i_linear, &sow_i_knn, &sow_i_gp, &sow_i_morph, &sow_i_hypermap};
enum { N_CLASSES = sizeof classes / sizeof classes[0] };

static const char *const aliases[][2] = {
    {"mean", "train-mean"}, {"train_mean", "train-mean"},    {"two_way", "two-way"}, {"ridge", "linear"},
    {"nearest", "knn"},     {"gaussian-process", "gp"},      {"source_shift", "source-shift"}, {"seed-mean", "train-mean"}, /* its mean is of the context's own: of a new one's seeds */
};
enum { N_ALIASES = sizeof aliases / sizeof aliases[0] };

static const char *const kernels[] = {"auto", "rbf", "exponential", "matern32", "tanimoto", "linear"};
static const char *const transfers[] = {"coregionalised", "mean", "none"};

const sow_model_class *const *sow_model_classes(sow_index *n)
{
    if (n) *n = N_CLASSES;
    return classes;
}

sow_status sow_model_find(const sow_model_class **out, const char *name, sow_error *err)
{
    const char *known[N_CLASSES];
    *out = NULL;
    for (size_t i = 0; i < N_ALIASES; i++)
        if (strcmp(aliases[i][0], name) == 0) name = aliases[i][1];
    for (size_t i = 0; i < N_CLASSES; i++) {
        known[i] = classes[i]->name;
        if (strcmp(known[i], name) == 0) {
            *out = classes[i];
            return SOW_OK;
        }
    }
    const char *near = sow_nearest_of(known, N_CLASSES, name);
    return SOW_ERROR(err, SOW_E_CONFIG, "unknown model '%s'; did you mean '%s'? (models: control, train-mean, source-shift, two-way, additive, linear, knn, gp, morph, hypermap)", name,
                     near ? near : "gp");
}

static sow_status check_word(const char *what, const char *word, const char *const *allowed, sow_index n, sow_error *err)
{
    if (!word) return SOW_ERROR(err, SOW_E_ARG, "model.%s is not set", what);
    for (sow_index i = 0; i < n; i++)
        if (strcmp(word, allowed[i]) == 0) return SOW_OK;
    const char *near = sow_nearest_of(allowed, n, word);
    return SOW_ERROR(err, SOW_E_CONFIG, "unknown model.%s '%s'; did you mean '%s'?", what, word, near ? near : allowed[0]);
}

static sow_status check_options(const sow_model_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    if (o->neighbours < 1) SOW_FAIL(err, SOW_E_CONFIG, "model.neighbours must be at least 1, not %lld", (long long)o->neighbours);
    if (o->iterations < 0) SOW_FAIL(err, SOW_E_CONFIG, "model.iterations must be at least 0, not %lld", (long long)o->iterations);
    if (o->components < 1) SOW_FAIL(err, SOW_E_CONFIG, "model.components must be at least 1, not %lld", (long long)o->components);
    SOW_TRY(check_word("kernel", o->kernel, kernels, sizeof kernels / sizeof kernels[0], err));
    SOW_TRY(check_word("transfer", o->transfer, transfers, sizeof transfers / sizeof transfers[0], err));
done:
    return st;
}

static sow_index catalogue_size(const sow_prior_set *priors)
{
    return priors && priors->n_priors > 0 ? priors->n_items : 0;
}

static sow_status check_positions(const sow_index *perturbation, const sow_index *context, const double *cells, sow_index n,
                                  sow_index n_perturbations, sow_index n_contexts, sow_error *err)
{
    for (sow_index i = 0; i < n; i++) {
        if (perturbation[i] < 0 || (n_perturbations > 0 && perturbation[i] >= n_perturbations))
            return SOW_ERROR(err, SOW_E_SHAPE, "item %lld: perturbation %lld is outside the catalogue of %lld", (long long)i,
                             (long long)perturbation[i], (long long)n_perturbations);
        if (context[i] < 0 || context[i] >= n_contexts)
            return SOW_ERROR(err, SOW_E_SHAPE, "item %lld: context %lld is not one of the %lld contexts", (long long)i,
                             (long long)context[i], (long long)n_contexts);
        if (cells && (cells[i] <= 0 || isinf(cells[i])))
            return SOW_ERROR(err, SOW_E_DATA, "item %lld: %g cells; a positive number, or NaN where it is not known", (long long)i, cells[i]);
    }
    return SOW_OK;
}

static sow_status check_training(const sow_model_class *class_, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    if (t->n < 1) SOW_FAIL(err, SOW_E_ARG, "model '%s': nothing to learn from (0 items)", class_->name);
    if (t->n_features < 1 || !t->y || !t->perturbation || !t->context)
        SOW_FAIL(err, SOW_E_SHAPE, "model '%s': values, perturbations and contexts are needed", class_->name);
    if (t->target < 0 || t->target >= t->n_contexts)
        SOW_FAIL(err, SOW_E_SHAPE, "target context %lld is not one of the %lld contexts", (long long)t->target, (long long)t->n_contexts);
    if (!(class_->caps & (t->n_features == 1 ? SOW_CAP_SCALAR : SOW_CAP_PROFILE)))
        SOW_FAIL(err, SOW_E_UNSUPPORTED, "model '%s' does not take a %s readout", class_->name, t->n_features == 1 ? "scalar" : "profile");
    if ((class_->caps & SOW_CAP_NEEDS_CELLS) && !t->cells_of)
        SOW_FAIL(err, SOW_E_UNSUPPORTED, "model '%s' learns from single cells; this screen's values have none behind them", class_->name);
    if (t->response && t->response->dim != t->n_features)
        SOW_FAIL(err, SOW_E_SHAPE, "the response space has %lld features, the values %lld", (long long)t->response->dim,
                 (long long)t->n_features);
    SOW_TRY(check_positions(t->perturbation, t->context, t->cells, t->n, catalogue_size(t->priors), t->n_contexts, err));
    for (sow_index i = 0; i < t->n * t->n_features; i++)
        if (!isfinite(t->y[i]))
            SOW_FAIL(err, SOW_E_NONFINITE, "item %lld, feature %lld: the value is %g; drop such items before fitting",
                     (long long)(i / t->n_features), (long long)(i % t->n_features), t->y[i]);
done:
    return st;
}

static void set_base(sow_model *model, const sow_model_class *class_, const sow_training *training)
{
    model->class_ = class_;
    model->n_features = training->n_features;
    model->n_contexts = training->n_contexts;
    model->n_perturbations = catalogue_size(training->priors);
}

unsigned sow_model_caps_with(const sow_model_class *class_, const sow_model_options *options)
{
    return class_->caps_with ? class_->caps_with(options) : class_->caps;
}

sow_status sow_model_fit(sow_model **out, const sow_model_class *class_, const sow_training *training, const sow_model_options *options,
                         const sow_env *env, sow_error *err)
{
    static const sow_model_options defaults = SOW_MODEL_OPTIONS_INIT;
    sow_status st = SOW_OK;
    *out = NULL;
    SOW_TRY(check_options(options ? options : &defaults, err));
    SOW_TRY(check_training(class_, training, err));
    if (options && options->warm && options->warm->class_ != class_)
        SOW_FAIL(err, SOW_E_ARG, "model '%s' cannot go on from a model '%s'", class_->name, options->warm->class_->name);
    SOW_TRY(class_->fit(out, training, options ? options : &defaults, env, err));
    set_base(*out, class_, training);
done:
    return st;
}

static sow_status check_query(const sow_model *model, const sow_query *q, sow_error *err)
{
    if (q->n < 0 || (q->n > 0 && (!q->perturbation || !q->context)))
        return SOW_ERROR(err, SOW_E_SHAPE, "model '%s': a query needs perturbations and contexts", model->class_->name);
    return check_positions(q->perturbation, q->context, q->cells, q->n, model->n_perturbations, model->n_contexts, err);
}

sow_status sow_model_predict(const sow_model *model, const sow_query *query, double *mean, double *var, double *noise, const sow_env *env,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(check_query(model, query, err));
    if (query->n == 0) goto done;
    if (!mean) SOW_FAIL(err, SOW_E_ARG, "model '%s': nowhere to write the mean", model->class_->name);
    SOW_TRY(model->class_->predict(model, query, mean, var, noise, env, err));
    for (sow_index i = 0; i < query->n * model->n_features; i++)
        if (!isfinite(mean[i]))
            SOW_FAIL(err, SOW_E_NONFINITE, "model '%s' predicted %g for item %lld", model->class_->name, mean[i],
                     (long long)(i / model->n_features));
done:
    return st;
}

sow_status sow_model_posterior(sow_posterior **out, const sow_model *model, const sow_query *query, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = NULL;
    if (!(model->class_->caps & SOW_CAP_JOINT) || !model->class_->posterior)
        SOW_FAIL(err, SOW_E_UNSUPPORTED, "model '%s' has no joint posterior; use model gp", model->class_->name);
    if (model->n_features != 1) SOW_FAIL(err, SOW_E_UNSUPPORTED, "a joint posterior needs a scalar readout");
    SOW_TRY(check_query(model, query, err));
    SOW_TRY(model->class_->posterior(out, model, query, env, err));
done:
    return st;
}

void sow_model_destroy(sow_model *model)
{
    if (model) model->class_->destroy(model);
}

void sow_posterior_destroy(sow_posterior *p)
{
    if (p) p->destroy(p);
}

static sow_status lacks(const sow_model_class *class_, const char *what, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "model '%s' %s; use model morph", class_->name, what);
}

static sow_status check_perturbations(const sow_model *model, const sow_index *perturbation, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        if (perturbation[i] < 0 || (model->n_perturbations > 0 && perturbation[i] >= model->n_perturbations))
            return SOW_ERROR(err, SOW_E_SHAPE, "model '%s': perturbation %lld is outside the catalogue of %lld", model->class_->name, (long long)perturbation[i],
                             (long long)model->n_perturbations);
    return SOW_OK;
}

sow_index sow_model_latent_dim(const sow_model *model)
{
    return model->class_->latent_dim ? model->class_->latent_dim(model) : 0;
}

sow_status sow_model_embed(const sow_model *model, const sow_index *perturbation, sow_index n, double *latent, unsigned char *has, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *own = NULL;
    if (!model->class_->embed) SOW_TRY(lacks(model->class_, "has no learned representation", err));
    SOW_TRY(check_perturbations(model, perturbation, n, err));
    if (!has) SOW_NEW(own, n);
    SOW_TRY(model->class_->embed(model, perturbation, n, latent, has ? has : own, err));
    for (sow_index i = 0; i < n * sow_model_latent_dim(model); i++)
        if (!isfinite(latent[i])) SOW_FAIL(err, SOW_E_NONFINITE, "model '%s': a latent number is %g", model->class_->name, latent[i]);
done:
    free(own);
    return st;
}

sow_status sow_model_drift(const sow_model *model, const sow_index *perturbation, sow_index n, double *drift, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!model->class_->drift) SOW_TRY(lacks(model->class_, "does not follow how its representation moves", err));
    SOW_TRY(check_perturbations(model, perturbation, n, err));
    SOW_TRY(model->class_->drift(model, perturbation, n, drift, err));
done:
    return st;
}

sow_status sow_model_losses(const sow_model *model, sow_losses *out, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = (sow_losses){0};
    if (!model->class_->losses) SOW_TRY(lacks(model->class_, "has no losses of its own", err));
    SOW_TRY(model->class_->losses(model, out, env, err));
    for (sow_index i = 0; i < out->n; i++)
        if (!isfinite(out->loss[i])) SOW_FAIL(err, SOW_E_NONFINITE, "model '%s': the loss on perturbation %lld is %g", model->class_->name, (long long)out->perturbation[i], out->loss[i]);
done:
    if (st != SOW_OK) sow_losses_clear(out);
    return st;
}

sow_status sow_model_history(const sow_model *model, sow_history *out, sow_error *err)
{
    *out = (sow_history){0};
    if (!model->class_->history) return SOW_OK;
    const sow_status st = model->class_->history(model, out, err);
    if (st != SOW_OK) sow_history_clear(out);
    return st;
}

sow_status sow_model_loss_on(const sow_model *model, sow_index perturbation, const float *truth, sow_index n, double *loss, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!model->class_->loss_on) SOW_TRY(lacks(model->class_, "has no loss on cells", err));
    SOW_TRY(check_perturbations(model, &perturbation, 1, err));
    if (n < 1) SOW_FAIL(err, SOW_E_ARG, "model '%s': a loss on %lld cells", model->class_->name, (long long)n);
    SOW_TRY(model->class_->loss_on(model, perturbation, truth, n, loss, env, err));
    if (!isfinite(*loss)) SOW_FAIL(err, SOW_E_NONFINITE, "model '%s': the loss on perturbation %lld is %g", model->class_->name, (long long)perturbation, *loss);
done:
    return st;
}

sow_status sow_model_generate(const sow_model *model, sow_index perturbation, sow_index context, const float *control, sow_index m, float *out, const sow_env *env,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    if (!model->class_->generate) SOW_TRY(lacks(model->class_, "predicts no cells", err));
    SOW_TRY(check_positions(&perturbation, &context, NULL, 1, model->n_perturbations, model->n_contexts, err));
    if (m < 0) SOW_FAIL(err, SOW_E_SHAPE, "model '%s': %lld control cells", model->class_->name, (long long)m);
    if (m == 0) goto done;
    SOW_TRY(model->class_->generate(model, perturbation, context, control, m, out, env, err));
    for (sow_index i = 0; i < m * model->n_features; i++)
        if (!isfinite(out[i])) SOW_FAIL(err, SOW_E_NONFINITE, "model '%s' predicted %g in cell %lld", model->class_->name, (double)out[i], (long long)(i / model->n_features));
done:
    return st;
}

sow_status sow_model_save(const sow_model *model, sow_archive *out, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!model->class_->save) SOW_TRY(lacks(model->class_, "is not kept in files (it is fitted anew when it is needed)", err));
    if (out->n > 0) SOW_FAIL(err, SOW_E_ARG, "a model is saved into an empty archive; this one has %lld items", (long long)out->n);
    SOW_TRY(model->class_->save(model, out, err));
done:
    return st;
}

sow_status sow_model_load(sow_model **out, const sow_model_class *class_, const sow_archive *archive, const sow_training *training, const sow_model_options *options,
                          const sow_env *env, sow_error *err)
{
    static const sow_model_options defaults = SOW_MODEL_OPTIONS_INIT;
    sow_status st = SOW_OK;
    *out = NULL;
    if (!class_->load) SOW_TRY(lacks(class_, "is not kept in files (it is fitted anew when it is needed)", err));
    SOW_TRY(check_options(options ? options : &defaults, err));
    SOW_TRY(class_->load(out, archive, training, options ? options : &defaults, env, err));
    set_base(*out, class_, training);
done:
    return st;
}

char *sow_model_describe(const sow_model *model)
{
    return model->class_->describe ? model->class_->describe(model) : sow_strdup(model->class_->summary);
}

void sow_history_clear(sow_history *h)
{
    free(h->trained);
    free(h->held);
    free(h->best);
    *h = (sow_history){0};
}

void sow_losses_clear(sow_losses *l)
{
    free(l->perturbation);
    free(l->loss);
    free(l->cells);
    free(l->held);
    *l = (sow_losses){0};
}
