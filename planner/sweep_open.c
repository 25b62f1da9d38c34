/* Before anything is played: every arm's campaign is read, opened and asked whether it can be played; all problems of all arms come at once. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/sweep_open.h"

/* ---- problems, each said once with the arms that have it */

typedef struct {
    char *text;
    sow_index arm, more; /* the first that has it (-1: the sweep as a whole), and how many others */
} problem;

typedef struct {
    problem *list;
    sow_index n, capacity;
} problems_of;

static void problems_clear(problems_of *p)
{
    for (sow_index i = 0; i < p->n; i++)
        free(p->list[i].text);
    free(p->list);
}

/* Takes text. */
static sow_status add_problem(problems_of *p, char *text, sow_index arm, sow_error *err)
{
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    for (sow_index i = 0; i < p->n; i++) {
        if (strcmp(p->list[i].text, text) != 0) continue;
        p->list[i].more++;
        free(text);
        return SOW_OK;
    }
    const sow_status st = sow_grow(&p->list, &p->capacity, p->n + 1, sizeof *p->list, err);
    if (st == SOW_OK) p->list[p->n++] = (problem){text, arm, 0};
    else free(text);
    return st;
}

/* "--set KEY=VALUE: what" of an arm's setting is said at its place in the sweep file; what the base campaign has wrong by itself stays as it is. */
static char *placed(const sow_sweep_config *k, const sow_sweep_arm *arm, const char *line)
{
    const char *rest = strncmp(line, "--set ", 6) == 0 ? line + 6 : NULL;
    for (sow_index i = 0; rest && i < arm->n; i++) {
        const sow_setting *s = arm->setting[i];
        const size_t n = strlen(s->text);
        if (strncmp(rest, s->text, n) != 0 || strncmp(rest + n, ": ", 2) != 0) continue;
        return s->line ? sow_format("%s:%ld:%ld: %s", k->path, s->line, s->column, rest + n + 2) : sow_format("%s: %s: %s", k->path, s->text, rest + n + 2);
    }
    return rest ? sow_format("%s: %s", k->path, rest) : sow_strdup(line);
}

static sow_status add_lines(problems_of *p, const sow_sweep_config *k, sow_index arm, const char *lines, sow_error *err)
{
    sow_status st = SOW_OK;
    char *copy = sow_strdup(lines);
    if (!copy) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    char *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        SOW_TRY(add_problem(p, placed(k, &k->arm[arm], line), arm, err));
done:
    free(copy);
    return st;
}

static sow_status say_problems(const problems_of *p, const sow_sweep_config *k, char **all, sow_error *err)
{
    sow_text t = {0};
    for (sow_index i = 0; i < p->n; i++) {
        const problem *one = &p->list[i];
        sow_text_printf(&t, "%s%s", i ? "\n" : "", one->text);
        if (one->arm >= 0 && k->n_arms > 1 && one->more + 1 < k->n_arms) sow_text_printf(&t, one->more ? " (arm '%s' and %lld more)" : " (arm '%s')", k->arm[one->arm].name, (long long)one->more);
    }
    if (t.failed) sow_text_clear(&t);
    const sow_status st = SOW_ERROR(err, SOW_E_CONFIG, "%.*s", t.text ? (int)strcspn(t.text, "\n") : 0, t.text ? t.text : "");
    if (all) *all = t.text;
    else sow_text_clear(&t);
    return st;
}

/* ---- metrics */

static int is_hits(const sow_config *k)
{
    return strcmp(k->objective.kind, "hits") == 0;
}

/* Why arms cannot be compared by a metric in this campaign; NULL = they can. */
static const char *metric_trouble(const sow_sweep_metric *m, const sow_campaign *c)
{
    if (!(m->readouts & (1u << c->config->readout.kind))) return "this readout does not have it";
    if (strncmp(m->name, "truth_", 6) == 0 && strcmp(c->config->oracle.kind, "generative") != 0) return "only a simulated screen (oracle: {kind: generative}) says what is true";
    if (m->needs_hits && !is_hits(c->config)) return "it needs `objective: {kind: hits, ...}`";
    if (m->needs_variance && !(c->model_class->caps & SOW_CAP_VARIANCE)) return "it needs a model with predictive variances";
    if (m->needs_measured && !c->config->evaluation.measured) return "it needs `evaluation: {measured: true}`";
    if (!m->of_campaign && !m->needs_measured && c->n_held_out < 2) return "predictions are judged on held-out perturbations, and oracle.held_out leaves fewer than two";
    return NULL;
}

static void choose_metrics(sow_i_sweep *s, const sow_campaign *c)
{
    static const char *const of[][2] = {[SOW_READOUT_SCALAR] = {"spearman", "rmse"}, [SOW_READOUT_PROFILE] = {"pearson_delta_all", "rmse_all"}, [SOW_READOUT_CELLS] = {"mmd_de", "pearson_delta_de"}};
    for (sow_index i = 0; i < s->config->n_metrics && i < SOW_I_SWEEP_METRICS_MAX; i++)
        s->metric[s->n_metrics++] = sow_sweep_metric_find(s->config->metrics[i]);
    if (s->n_metrics > 0) return;
    if (is_hits(c->config)) s->metric[s->n_metrics++] = sow_sweep_metric_find("hits_recall");
    for (int i = 0; i < 2 && c->n_held_out >= 2; i++)
        s->metric[s->n_metrics++] = sow_sweep_metric_find(of[c->config->readout.kind][i]);
}

static sow_status check_metrics(problems_of *p, sow_i_sweep *s, sow_index arm, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    if (s->n_metrics == 0) choose_metrics(s, c);
    if (s->n_metrics == 0) SOW_TRY(add_problem(p, sow_format("%s: there is nothing to compare by: no perturbation is held out, and the objective is not hits", s->config->path), arm, err));
    for (sow_index m = 0; m < s->n_metrics; m++) {
        const char *why = metric_trouble(s->metric[m], c);
        if (why) SOW_TRY(add_problem(p, sow_format("%s: metrics: '%s' cannot compare these arms: %s", s->config->path, s->metric[m]->name, why), arm, err));
    }
done:
    return st;
}

/* ---- arms */

/* What is expected of an arm: how long it takes, for the order of jobs, and what its rounds cost. */
static sow_status keep_expected(sow_i_sweep_arm *arm, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    json_t *j = NULL;
    SOW_TRY(sow_campaign_check_json(&text, c, err));
    j = json_loads(text, 0, NULL);
    if (!j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    arm->seconds = json_number_value(json_object_get(json_object_get(j, "effort"), "seconds_at_most"));
    SOW_TRY(sow_i_sweep_keep_bill(arm, j, err));
done:
    json_decref(j);
    free(text);
    return st;
}

static sow_status keep_arm(sow_i_sweep *s, sow_index arm, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sweep_arm *a = &s->arm[arm];
    SOW_TRY(sow_i_sweep_identity(&a->settings, a->data, c, err));
    a->model = sow_strdup(c->model_class->name);
    a->currency = sow_strdup(c->config->costs.currency);
    if (!a->model || !a->currency) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(keep_expected(a, c, err));
    if (s->config->baseline < 0 && s->baseline < 0 && strcmp(c->strategy->name, "random") == 0) s->baseline = arm;
    for (sow_index i = 0; i < s->config->n_seeds; i++) {
        sow_i_sweep_job *job = sow_i_sweep_job_of(s, arm, i);
        job->arm = arm;
        job->seed = i;
        SOW_TRY(sow_i_sweep_key(job->key, a->settings, a->data, s->config->seeds[i], err));
    }
done:
    return st;
}

static int is_wrong_input(sow_status st)
{
    return st == SOW_E_CONFIG || st == SOW_E_DATA || st == SOW_E_UNSUPPORTED || st == SOW_E_ARG;
}

static sow_status open_arm(problems_of *p, sow_i_sweep *s, sow_index arm, sow_cell_counts *counts, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_error own = {0};
    sow_config *config = NULL;
    sow_campaign *c = NULL;
    char *lines = NULL;
    st = sow_i_sweep_configure(&config, &lines, s->config, arm, 0, &own);
    if (st == SOW_OK && strcmp(config->oracle.kind, "lab") == 0)
        st = SOW_ERROR(&own, SOW_E_CONFIG, "%s: with oracle kind lab people measure; a sweep needs replay or generative", config->path);
    if (st == SOW_OK) {
        sow_env env = {.threads = sow_env_threads(s->env), .memory = s->env ? s->env->memory : 0}; /* what there is to say of the data is said by sower check, not once for every arm */
        sow_campaign_options as = {.mode = SOW_CAMPAIGN_CHECK, .cache = s->cache, .counts = counts};
        st = sow_campaign_open(&c, config, &as, &env, &own);
    }
    if (st != SOW_OK) {
        if (!is_wrong_input(st)) *err = own;
        else st = lines ? add_lines(p, s->config, arm, lines, err) : add_problem(p, sow_strdup(own.message), arm, err);
        goto done;
    }
    SOW_TRY(check_metrics(p, s, arm, c, err));
    SOW_TRY(keep_arm(s, arm, c, err));
done:
    free(lines);
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    return st;
}

static sow_status check_same_arms(problems_of *p, const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index a = 0; a < s->config->n_arms; a++)
        for (sow_index b = 0; b < a; b++)
            if (strcmp(sow_i_sweep_job_of(s, a, 0)->key, sow_i_sweep_job_of(s, b, 0)->key) == 0)
                SOW_TRY(add_problem(p, sow_format("%s: arms '%s' and '%s' are the same campaign: their settings are equal", s->config->path, s->config->arm[b].name, s->config->arm[a].name), a, err));
    for (sow_index a = 1; a < s->config->n_arms; a++)
        if (strcmp(s->arm[a].currency, s->arm[0].currency) != 0)
            SOW_TRY(add_problem(p, sow_format("%s: arms '%s' and '%s' count money in %s and %s; set costs.currency to one", s->config->path, s->config->arm[0].name, s->config->arm[a].name, s->arm[0].currency, s->arm[a].currency), a, err));
done:
    return st;
}

static sow_status check_budget(problems_of *p, const sow_i_sweep *s, sow_error *err)
{
    char *trouble = NULL;
    const sow_status st = sow_i_sweep_budget_trouble(&trouble, s, err);
    return st == SOW_OK && trouble ? add_problem(p, trouble, -1, err) : st;
}

sow_status sow_i_sweep_open(sow_i_sweep *s, char **problems, sow_error *err)
{
    sow_status st = SOW_OK;
    problems_of p = {0};
    sow_cell_counts counts = {0}; /* most arms are on one screen */
    const sow_sweep_config *k = s->config;
    SOW_NEW(s->arm, k->n_arms);
    SOW_NEW(s->job, k->n_arms * k->n_seeds);
    SOW_NEW(s->seeds_due, k->n_arms);
    s->baseline = k->baseline;
    for (sow_index a = 0; a < k->n_arms; a++) {
        SOW_TRY(sow_progress(s->env, "checking arms", (double)a / (double)k->n_arms, err));
        SOW_TRY(open_arm(&p, s, a, &counts, err));
    }
    SOW_TRY(sow_progress(s->env, "checking arms", 1, err));
    if (p.n == 0) SOW_TRY(check_same_arms(&p, s, err));
    if (p.n == 0) SOW_TRY(check_budget(&p, s, err));
    if (p.n > 0) SOW_TRY(say_problems(&p, k, problems, err));
    if (s->baseline < 0) s->baseline = 0;
done:
    sow_cell_counts_clear(&counts);
    problems_clear(&p);
    return st;
}

void sow_i_sweep_clear(sow_i_sweep *s)
{
    for (sow_index a = 0; s->arm && a < s->config->n_arms; a++) {
        json_decref(s->arm[a].settings);
        free(s->arm[a].model);
        free(s->arm[a].currency);
        free(s->arm[a].cost);
        free(s->arm[a].weeks);
    }
    for (sow_index i = 0; s->job && i < s->config->n_arms * s->config->n_seeds; i++)
        sow_i_course_clear(&s->job[i].course);
    free(s->arm);
    free(s->job);
    free(s->seeds_due);
    free(s->dir);
}
