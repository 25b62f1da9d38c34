/* Learning from the references, member by member, and what is kept of it. Adapting takes moments and is done again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/team.h"
#include "models/hypermap/row_internal.h"

enum { NAME = 160 };
static const char state_prefix[] = "state/";

static const char *part(char name[NAME], sow_index member, const char *what)
{
    snprintf(name, NAME, "member/%lld/%s", (long long)member, what);
    return name;
}

/* ---- members ---- */

static sow_status put_member(sow_archive *a, const sow_i_hypermap_member *b, sow_index index, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    SOW_TRY(sow_archive_put_integer(a, part(name, index, "steps"), b->course.steps, err));
    SOW_TRY(sow_archive_put_integer(a, part(name, index, "best"), b->course.best, err));
    SOW_TRY(sow_archive_put_integer(a, part(name, index, "not_finite"), b->course.not_finite, err));
    SOW_TRY(sow_archive_put(a, part(name, index, "loss"), SOW_ARCHIVE_F64, b->course.loss, b->course.steps, 1, err));
    SOW_TRY(sow_archive_put(a, part(name, index, "validation"), SOW_ARCHIVE_F64, b->course.validation, b->course.steps, 1, err));
    SOW_TRY(sow_params_save(a, part(name, index, "meta"), b->meta, 0, err));
done:
    return st;
}

static sow_status get_count(sow_index *out, const sow_archive *a, const char *name, sow_index most, sow_error *err)
{
    int64_t x = 0;
    const sow_status st = sow_archive_get_integer(&x, a, name, err);
    if (st != SOW_OK) return st;
    if (x < 0 || x > most) return SOW_ERROR(err, SOW_E_DATA, "'%s' is %lld; 0 to %lld is expected", name, (long long)x, (long long)most);
    *out = x;
    return SOW_OK;
}

static sow_status get_numbers(double **out, const sow_archive *a, const char *name, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *data = NULL;
    SOW_TRY(sow_archive_get(&data, a, name, SOW_ARCHIVE_F64, n, 1, err));
    SOW_NEW(*out, n);
    if (n > 0) memcpy(*out, data, (size_t)n * sizeof **out);
done:
    return st;
}

static sow_status get_member(sow_i_hypermap_member *b, const sow_archive *a, sow_index index, const sow_i_hypermap_settings *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    SOW_TRY(get_count(&b->course.steps, a, part(name, index, "steps"), s->o.steps, err));
    SOW_TRY(get_count(&b->course.best, a, part(name, index, "best"), s->o.steps, err));
    SOW_TRY(get_count(&b->course.not_finite, a, part(name, index, "not_finite"), s->o.steps, err));
    SOW_TRY(get_numbers(&b->course.loss, a, part(name, index, "loss"), b->course.steps, err));
    SOW_TRY(get_numbers(&b->course.validation, a, part(name, index, "validation"), b->course.steps, err));
    SOW_TRY(sow_hypermap_params_create(&b->meta, &s->sizes, SOW_F32, 0, 0, err));
    SOW_TRY(sow_params_load(b->meta, a, part(name, index, "meta"), 0, err));
done:
    return st;
}

/* ---- a model ---- */

/* What the print is of, as far as it is a number. */
typedef struct {
    const char *name;
    double value;
} fact;
enum { FACTS = 26 };

static void list_facts(fact f[FACTS], const sow_i_hypermap_model *m)
{
    const sow_hypermap_options *o = &m->s.o;
    const fact all[FACTS] = {{"genes", (double)m->space.d}, {"response components", (double)m->space.k}, {"other contexts", (double)m->space.n_references}, {"responses in them", (double)m->n_known},
                             {"perturbations", (double)m->space.n_items}, {"prior dimensions", (double)m->prior_dim}, {"networks", (double)m->n_members}, {"embedding", o->embedding}, {"rows cells", o->cells},
                             {"fusion", o->fusion}, {"method", o->method}, {"split", o->split}, {"steps", (double)o->steps}, {"tasks", (double)o->tasks}, {"batch", (double)o->batch},
                             {"inner_batches", (double)o->inner_batches}, {"inner_steps", (double)o->inner_steps}, {"adapt_steps", (double)o->adapt_steps}, {"inner_rate", o->inner_rate}, {"adapt_rate", o->adapt_rate},
                             {"meta_rate", o->meta_rate}, {"dropout", o->dropout}, {"clip", o->clip}, {"latent", (double)o->latent}, {"hidden", (double)o->hidden}, {"seed", (double)m->s.seed}};
    memcpy(f, all, sizeof all);
}

static sow_status put_print(sow_archive *a, const sow_i_hypermap_model *m, sow_error *err)
{
    sow_status st = SOW_OK;
    fact f[FACTS];
    char name[NAME];
    list_facts(f, m);
    for (int i = 0; i < FACTS; i++) {
        snprintf(name, NAME, "of/%s", f[i].name);
        SOW_TRY(sow_archive_put_number(a, name, f[i].value, err));
    }
    SOW_TRY(sow_archive_put_integer(a, "print", (int64_t)m->print, err));
done:
    return st;
}

/* "genes 250 (here 240), steps 50 (here 20)", or that the numbers behind are others. Caller frees; NULL = out of memory. */
static char *name_facts(const sow_archive *a, const sow_i_hypermap_model *m)
{
    fact f[FACTS];
    char name[NAME], *said = NULL;
    list_facts(f, m);
    for (int i = 0; i < FACTS; i++) {
        double then = 0;
        snprintf(name, NAME, "of/%s", f[i].name);
        if (sow_archive_get_number(&then, a, name, NULL) != SOW_OK || then == f[i].value) continue; /* an earlier version said less */
        char *longer = sow_format("%s%s%s %g (here %g)", said ? said : "", said ? ", " : "", f[i].name, then, f[i].value);
        free(said);
        if (!(said = longer)) return NULL;
    }
    return said ? said : sow_strdup("other responses of the other contexts, or other priors");
}

static sow_status check_print(const sow_archive *a, const sow_i_hypermap_model *m, sow_error *err)
{
    sow_status st = SOW_OK;
    int64_t print = 0, networks = 0;
    char *of = NULL;
    SOW_TRY(sow_archive_get_integer(&print, a, "print", err));
    SOW_TRY(sow_archive_get_integer(&networks, a, "members", err));
    if ((uint64_t)print == m->print && networks <= m->n_members) goto done;
    if (!(of = name_facts(a, m))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_FAIL(err, SOW_E_DATA, "this model is not of the campaign; it was learned from %s", of);
done:
    free(of);
    return st;
}

sow_status sow_i_hypermap_save(const sow_model *model, sow_archive *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_model *m = (const sow_i_hypermap_model *)model;
    SOW_TRY(put_print(out, m, err));
    SOW_TRY(sow_archive_put_integer(out, "members", m->n_members, err));
    SOW_TRY(sow_archive_put_integer(out, "stack_held", m->stack.held, err));
    SOW_TRY(sow_archive_put_number(out, "stack_weight", m->stack.weight, err));
    for (sow_index b = 0; b < m->n_members; b++) SOW_TRY(put_member(out, &m->member[b], b, err));
    if (!m->n_members) SOW_TRY(sow_programs_save(out, &m->programs, err));
done:
    return st;
}

sow_status sow_i_hypermap_restore(sow_i_hypermap_model *m, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(check_print(a, m, err));
    for (sow_index b = 0; b < m->n_members; b++) SOW_TRY(get_member(&m->member[b], a, b, &m->s, err));
    if (!m->n_members) SOW_TRY(sow_programs_load(&m->programs, a, err));
    SOW_TRY(get_count(&m->stack.held, a, "stack_held", INT32_MAX, err));
    SOW_TRY(sow_archive_get_number(&m->stack.weight, a, "stack_weight", err));
done:
    return st;
}

/* ---- learning ---- */

typedef struct {
    const sow_i_hypermap_model *m;
    const sow_model_options *options;
    sow_index done; /* members */
} under_way;

/* The members that are done, and the state of the one that learns. */
static sow_status take_state(void *user, sow_archive *state, sow_error *err)
{
    sow_status st = SOW_OK;
    const under_way *u = user;
    sow_archive a = {0};
    SOW_TRY(put_print(&a, u->m, err));
    SOW_TRY(sow_archive_put_integer(&a, "members", u->done, err));
    for (sow_index b = 0; b < u->done; b++) SOW_TRY(put_member(&a, &u->m->member[b], b, err));
    SOW_TRY(sow_archive_move(&a, state_prefix, state, err));
    SOW_TRY(u->options->checkpoints.take(u->options->checkpoints.user, &a, err));
done:
    sow_archive_clear(&a);
    return st;
}

static int state_is_due(void *user)
{
    const sow_checkpoints *keep = &((const under_way *)user)->options->checkpoints;
    return keep->due(keep->user);
}

/* The state in it, borrowed: 70 MB at the published size. Only the list is the caller's to free. */
static sow_status view_state(sow_archive *state, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const size_t n = strlen(state_prefix);
    SOW_NEW(state->item, a->n);
    for (sow_index i = 0; i < a->n; i++) {
        if (strncmp(a->item[i].name, state_prefix, n) != 0) continue;
        state->item[state->n] = a->item[i];
        state->item[state->n++].name += n;
    }
done:
    return st;
}

/* What was done before an interruption; an archive of something else is as good as none. */
static sow_status go_on(under_way *u, sow_archive *state, sow_i_hypermap_model *m, const sow_archive *a, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_error why = {0};
    sow_index done = 0;
    if (check_print(a, m, &why) != SOW_OK) {
        sow_log(env, SOW_LOG_WARN, "the interrupted training is of something else (%s); it begins again", why.message);
        return SOW_OK;
    }
    SOW_TRY(get_count(&done, a, "members", m->n_members, err));
    for (; u->done < done; u->done++) SOW_TRY(get_member(&m->member[u->done], a, u->done, &m->s, err));
    SOW_TRY(view_state(state, a, err));
done:
    return st;
}

/* Validation takes the references in turn. */
static sow_status learn_member(sow_i_hypermap_model *m, under_way *u, const sow_archive *state, const sow_env *env, sow_error *err)
{
    const sow_index b = u->done;
    const sow_hypermap_data data = sow_i_hypermap_data(&m->w, 0);
    sow_hypermap_learning o = m->s.learning;
    sow_i_hypermap_member *member = &m->member[b];
    const sow_checkpoints keep = {take_state, u->options->checkpoints.due ? state_is_due : NULL, u};
    o.seed = m->s.seed + 0x9e3779b97f4a7c15u * (uint64_t)(b + 1);
    o.validation = m->s.o.validate ? b % m->space.n_references : -1;
    const sow_status st = sow_hypermap_params_create(&member->meta, &m->s.sizes, SOW_F32, m->s.seed, (uint32_t)b, err);
    if (st != SOW_OK) return st;
    return sow_hypermap_learn(member->meta, &member->course, &m->s.sizes, &data, &o, state->n ? state : NULL, u->options->checkpoints.take ? &keep : NULL, env, err);
}

sow_status sow_i_hypermap_learn_all(sow_i_hypermap_model *m, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    under_way u = {.m = m, .options = options};
    sow_archive state = {0};
    if (sow_team_size(env) > m->s.o.tasks) sow_log(env, SOW_LOG_WARN, "%lld of %d ranks have a task: model.hypermap.tasks is %lld, and a task is done by one", (long long)m->s.o.tasks, sow_team_size(env), (long long)m->s.o.tasks);
    if (options->resume) SOW_TRY(go_on(&u, &state, m, options->resume, env, err));
    for (; u.done < m->n_members; u.done++) {
        SOW_TRY(learn_member(m, &u, &state, env, err));
        state.n = 0; /* it was of the first */
    }
done:
    free(state.item);
    return st;
}
