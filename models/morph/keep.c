/* What is kept of a training under way, and of a trained model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/morph/train_internal.h"

enum { NAME = 96 };

static const char *part(char name[NAME], sow_index member, const char *what)
{
    snprintf(name, NAME, "member/%lld/%s", (long long)member, what);
    return name;
}

/* ---- members ---- */

static sow_status put_member(sow_archive *a, const sow_i_morph_member *b, const sow_i_morph_model *m, int moments, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    SOW_TRY(sow_archive_put_integer(a, part(name, b->index, "epochs"), b->epochs, err));
    SOW_TRY(sow_archive_put_integer(a, part(name, b->index, "best_epoch"), b->best_epoch, err));
    SOW_TRY(sow_archive_put_integer(a, part(name, b->index, "since"), b->since, err));
    SOW_TRY(sow_archive_put_integer(a, part(name, b->index, "done"), b->done, err));
    SOW_TRY(sow_archive_put_number(a, part(name, b->index, "best_criterion"), b->best_criterion, err));
    SOW_TRY(sow_archive_put_text(a, part(name, b->index, "trouble"), b->trouble ? b->trouble : "", err));
    SOW_TRY(sow_archive_put(a, part(name, b->index, "history"), SOW_ARCHIVE_F64, b->history, b->epochs, SOW_I_SCORES, err));
    SOW_TRY(sow_archive_put(a, part(name, b->index, "moved"), SOW_ARCHIVE_F64, b->moved, m->genes.n_items, 1, err));
    if (b->best) SOW_TRY(sow_params_save(a, part(name, b->index, "best"), b->best, 0, err));
    if (!moments || !b->now) goto done;
    SOW_TRY(sow_params_save(a, part(name, b->index, "now"), b->now, 1, err));
    if (b->mean) SOW_TRY(sow_params_save(a, part(name, b->index, "mean"), b->mean, 0, err));
    SOW_TRY(sow_archive_put(a, part(name, b->index, "before"), SOW_ARCHIVE_F64, b->before, m->genes.n_items, m->s.sizes.zp, err));
done:
    return st;
}

static sow_status get_count(sow_index *out, const sow_archive *a, const char *name, sow_index least, sow_index most, sow_error *err)
{
    int64_t x = 0;
    const sow_status st = sow_archive_get_integer(&x, a, name, err);
    if (st != SOW_OK) return st;
    if (x < least || x > most) return SOW_ERROR(err, SOW_E_DATA, "'%s' is %lld; %lld to %lld is expected", name, (long long)x, (long long)least, (long long)most);
    *out = x;
    return SOW_OK;
}

static sow_status copy_numbers(double *out, const sow_archive *a, const char *name, sow_index rows, sow_index cols, sow_error *err)
{
    const void *data = NULL;
    const sow_status st = sow_archive_get(&data, a, name, SOW_ARCHIVE_F64, rows, cols, err);
    if (st == SOW_OK && rows * cols > 0) memcpy(out, data, (size_t)(rows * cols) * sizeof *out);
    return st;
}

static sow_status get_weights(sow_i_morph_member *b, const sow_archive *a, const sow_i_morph_model *m, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    if (b->best_epoch >= 0) {
        SOW_TRY(sow_morph_params_create(&b->best, &m->s.sizes, SOW_F32, 0, 0, err));
        SOW_TRY(sow_params_load(b->best, a, part(name, b->index, "best"), 0, err));
    }
    if (b->done) goto done;
    SOW_TRY(sow_morph_params_create(&b->now, &m->s.sizes, SOW_F32, 0, 0, err));
    SOW_TRY(sow_params_load(b->now, a, part(name, b->index, "now"), 1, err));
    if (m->s.o.mean_epochs > 0) {
        SOW_TRY(sow_morph_params_create(&b->mean, &m->s.sizes, SOW_F32, 0, 0, err));
        SOW_TRY(sow_params_load(b->mean, a, part(name, b->index, "mean"), 0, err));
    }
    SOW_NEW(b->before, m->genes.n_items * m->s.sizes.zp);
    SOW_TRY(copy_numbers(b->before, a, part(name, b->index, "before"), m->genes.n_items, m->s.sizes.zp, err));
done:
    return st;
}

static sow_status get_member(sow_i_morph_member *out, sow_index index, const sow_archive *a, const sow_i_morph_model *m, sow_index most_epochs, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_member b = {.index = index};
    sow_index done = 0;
    const char *trouble = NULL;
    char name[NAME];
    SOW_TRY(get_count(&b.epochs, a, part(name, index, "epochs"), 0, most_epochs, err));
    SOW_TRY(get_count(&b.best_epoch, a, part(name, index, "best_epoch"), -1, b.epochs - 1, err));
    SOW_TRY(get_count(&b.since, a, part(name, index, "since"), 0, b.epochs, err));
    SOW_TRY(get_count(&done, a, part(name, index, "done"), 0, 1, err));
    b.done = done != 0;
    SOW_TRY(sow_archive_get_number(&b.best_criterion, a, part(name, index, "best_criterion"), err));
    SOW_TRY(sow_archive_get_text(&trouble, a, part(name, index, "trouble"), err));
    b.trouble = *trouble ? sow_strdup(trouble) : NULL;
    if (*trouble && !b.trouble) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(b.history, most_epochs * SOW_I_SCORES);
    SOW_NEW(b.moved, m->genes.n_items);
    SOW_TRY(copy_numbers(b.history, a, part(name, index, "history"), b.epochs, SOW_I_SCORES, err));
    SOW_TRY(copy_numbers(b.moved, a, part(name, index, "moved"), m->genes.n_items, 1, err));
    SOW_TRY(get_weights(&b, a, m, err));
    *out = b;
    b = (sow_i_morph_member){0};
done:
    sow_i_morph_member_clear(&b);
    return st;
}

/* ---- a training under way ---- */

sow_status sow_i_morph_checkpoint(sow_archive *out, const sow_i_morph_model *m, sow_index member, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_archive_put_integer(out, "print", (int64_t)m->print, err));
    SOW_TRY(sow_archive_put_integer(out, "member_now", member, err));
    for (sow_index i = 0; i <= member; i++) SOW_TRY(put_member(out, &m->member[i], m, 1, err));
done:
    return st;
}

sow_status sow_i_morph_resume(sow_i_morph_model *m, const sow_archive *state, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t print = 0;
    sow_index last = 0;
    if (sow_archive_get_integer(&print, state, "print", NULL) != SOW_OK || (sow_i_print)print != m->print) {
        sow_log(env, SOW_LOG_WARN, "the interrupted training of morph was of other data, options or seed; it starts anew");
        return SOW_OK;
    }
    SOW_TRY(get_count(&last, state, "member_now", 0, m->n_members - 1, err));
    for (sow_index i = 0; i <= last; i++) SOW_TRY(get_member(&m->member[i], i, state, m, m->s.o.epochs, err));
    sow_log(env, SOW_LOG_INFO, "the training of morph goes on with member %lld after epoch %lld", (long long)last + 1, (long long)m->member[last].epochs);
done:
    return st;
}

/* ---- a trained model ---- */

typedef struct {
    const char *name;
    sow_index value;
} width;
enum { WIDTHS = 13 };

/* What must be the same for the weights to mean anything. */
static void list_widths(width w[WIDTHS], const sow_i_morph_model *m)
{
    const sow_morph_sizes *s = &m->s.sizes;
    const width all[WIDTHS] = {{"sizes/genes", s->genes}, {"sizes/perturbations", m->genes.n_items}, {"sizes/priors", s->n_priors}, {"sizes/prior_1", s->prior[0]}, {"sizes/prior_2", s->prior[1]},
                               {"sizes/prior_3", s->prior[2]}, {"sizes/variant", (sow_index)s->variant}, {"sizes/latent_cell", s->zc}, {"sizes/latent_perturbation", s->zp},
                               {"sizes/programs", s->programs}, {"sizes/program_dim", s->program_dim}, {"sizes/hidden", s->hidden}, {"sizes/encoder", s->encoder}};
    memcpy(w, all, sizeof all);
}

static sow_i_print print_of_priors(const sow_i_morph_model *m)
{
    sow_i_print p = SOW_I_PRINT_INIT;
    sow_i_print_genes(&p, &m->genes);
    return p;
}

static sow_status put_gene_names(sow_archive *out, const sow_i_morph_model *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_names *genes = m->groups.space->genes;
    const char **name = NULL;
    SOW_NEW(name, sow_names_count(genes));
    for (sow_index i = 0; i < sow_names_count(genes); i++) name[i] = sow_names_get(genes, i);
    SOW_TRY(sow_archive_put(out, "genes", SOW_ARCHIVE_TEXT, name, sow_names_count(genes), 1, err));
done:
    free(name);
    return st;
}

static sow_status put_folds(sow_archive *out, const sow_i_morph_model *m, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t *fold = NULL;
    SOW_NEW(fold, 2 * m->groups.n);
    for (sow_index g = 0; g < m->groups.n; g++) {
        fold[2 * g] = m->groups.perturbation[g];
        fold[2 * g + 1] = m->fold[g];
    }
    SOW_TRY(sow_archive_put(out, "folds", SOW_ARCHIVE_I64, fold, m->groups.n, 2, err));
done:
    free(fold);
    return st;
}

sow_status sow_i_morph_save(const sow_model *model, sow_archive *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    width w[WIDTHS];
    list_widths(w, m);
    for (int i = 0; i < WIDTHS; i++) SOW_TRY(sow_archive_put_integer(out, w[i].name, w[i].value, err));
    SOW_TRY(put_gene_names(out, m, err));
    SOW_TRY(put_folds(out, m, err));
    SOW_TRY(sow_archive_put_integer(out, "priors", (int64_t)print_of_priors(m), err));
    SOW_TRY(sow_archive_put_integer(out, "members", m->n_members, err));
    SOW_TRY(sow_archive_put_integer(out, "segments", m->s.o.segments, err));
    SOW_TRY(sow_archive_put_integer(out, "print", (int64_t)m->print, err));
    SOW_TRY(sow_archive_put_number(out, "rate", m->s.o.rate, err));
    SOW_TRY(sow_archive_put_number(out, "sigma", m->s.mmd.sigma, err));
    SOW_TRY(sow_archive_put(out, "mean_shift", SOW_ARCHIVE_F64, m->mean_shift, 1, m->s.sizes.genes, err));
    if (m->stack.line) {
        SOW_TRY(sow_archive_put_number(out, "stack_weight", m->stack.weight, err));
        SOW_TRY(sow_archive_put_integer(out, "stack_held", m->stack.held, err));
    }
    for (sow_index i = 0; i < m->n_members; i++) SOW_TRY(put_member(out, &m->member[i], m, 0, err));
done:
    return st;
}

/* The stack's weight; a model that was kept without one chooses it again, from the same networks to the same number. */
static sow_status get_stack(sow_i_morph_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t held = 0;
    double weight = 0;
    if (!m->s.o.stack || !sow_archive_find(a, "stack_weight")) return SOW_OK;
    SOW_TRY(sow_archive_get_number(&weight, a, "stack_weight", err));
    SOW_TRY(sow_archive_get_integer(&held, a, "stack_held", err));
    if (!(weight >= 0 && weight <= 1) || held < 0)
        SOW_FAIL(err, SOW_E_DATA, "the saved model weighs its networks by %g, as %lld perturbations say", weight, (long long)held);
    m->stack.weight = weight;
    m->stack.held = held;
done:
    return st;
}

static sow_status check_widths(const sow_i_morph_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    width w[WIDTHS];
    int64_t kept = 0;
    char *differs = NULL;
    list_widths(w, m);
    for (int i = 0; i < WIDTHS; i++) {
        SOW_TRY(sow_archive_get_integer(&kept, a, w[i].name, err));
        if (kept == w[i].value) continue;
        char *longer = sow_format("%s%s%s %lld (here %lld)", differs ? differs : "", differs ? ", " : "", strchr(w[i].name, '/') + 1, (long long)kept, (long long)w[i].value);
        free(differs);
        if (!(differs = longer)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    if (differs) SOW_FAIL(err, SOW_E_DATA, "the saved model is of another campaign: %s; delete it, and it is made again", differs);
    SOW_TRY(sow_archive_get_integer(&kept, a, "priors", err));
    if ((sow_i_print)kept != print_of_priors(m)) SOW_FAIL(err, SOW_E_DATA, "the saved model learned from other priors; delete it, and it is made again");
done:
    free(differs);
    return st;
}

/* Asked before the widths: other genes are most often another number of them, and a number says less than their names. */
static sow_status check_genes(const sow_i_morph_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_names *genes = m->groups.space->genes;
    const void *then = NULL;
    sow_archive here = {0};
    char *differs = NULL;
    SOW_TRY(sow_archive_get(&then, a, "genes", SOW_ARCHIVE_TEXT, -1, 1, err));
    SOW_TRY(put_gene_names(&here, m, err));
    SOW_TRY(sow_names_difference(&differs, "gene", then, sow_archive_find(a, "genes")->rows, here.item[0].data, sow_names_count(genes), err));
    if (differs) SOW_FAIL(err, SOW_E_DATA, "the saved model was learned from %s; delete it, and it is made again", differs);
done:
    sow_archive_clear(&here);
    free(differs);
    return st;
}

/* A perturbation that the saved model has never seen is held out by all: it is judged by the first member. */
static sow_status get_folds(sow_i_morph_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *data = NULL;
    sow_index *of = NULL;
    SOW_TRY(sow_archive_get(&data, a, "folds", SOW_ARCHIVE_I64, -1, 2, err));
    const int64_t *fold = data;
    const sow_index n = sow_archive_find(a, "folds")->rows;
    SOW_NEW(of, m->genes.n_items);
    for (sow_index i = 0; i < n; i++) {
        if (fold[2 * i] < 0 || fold[2 * i] >= m->genes.n_items || fold[2 * i + 1] < -1 || fold[2 * i + 1] >= m->n_members)
            SOW_FAIL(err, SOW_E_DATA, "the saved model's folds name perturbation %lld and member %lld, which there are not", (long long)fold[2 * i], (long long)fold[2 * i + 1]);
        of[fold[2 * i]] = fold[2 * i + 1];
    }
    for (sow_index g = 0; g < m->groups.n; g++) m->fold[g] = of[m->groups.perturbation[g]];
done:
    free(of);
    return st;
}

sow_status sow_i_morph_restore(sow_i_morph_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t print = 0;
    SOW_TRY(check_genes(m, a, err));
    SOW_TRY(check_widths(m, a, err));
    SOW_TRY(get_count(&m->n_members, a, "members", 1, 64, err));
    SOW_TRY(get_count(&m->s.o.segments, a, "segments", 1, 1024, err));
    SOW_TRY(sow_archive_get_integer(&print, a, "print", err));
    m->print = (sow_i_print)print;
    SOW_TRY(sow_archive_get_number(&m->s.o.rate, a, "rate", err));
    SOW_TRY(sow_archive_get_number(&m->s.mmd.sigma, a, "sigma", err));
    if (!(m->s.mmd.sigma > 0) || !isfinite(m->s.mmd.sigma)) SOW_FAIL(err, SOW_E_DATA, "the saved model's bandwidth is %g", m->s.mmd.sigma);
    SOW_TRY(get_folds(m, a, err));
    SOW_TRY(copy_numbers(m->mean_shift, a, "mean_shift", 1, m->s.sizes.genes, err));
    SOW_TRY(get_stack(m, a, err));
    SOW_NEW(m->member, m->n_members);
    for (sow_index i = 0; i < m->n_members; i++) {
        SOW_TRY(get_member(&m->member[i], i, a, m, 100000, err));
        if (!m->member[i].done || !m->member[i].best) SOW_FAIL(err, SOW_E_DATA, "member %lld of the saved model has no weights", (long long)i + 1);
    }
done:
    return st;
}
