/* From options, campaign and baseline to what power is computed from. */
#include "planner/power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/baseline.h"
#include "planner/power_internal.h"

static void power_clear(sow_i_power *p)
{
    for (sow_index k = 0; k < SOW_I_POWER_LEVELS_MOST; k++) free(p->name[k]);
    sow_baseline_clear(&p->baseline);
    sow_campaign_abandon(p->c);
}

static const char *asker(const sow_i_power *p)
{
    return p->config ? p->config->path : "sower power";
}

double sow_i_power_umis(const sow_i_power *p)
{
    return p->has_curve ? sow_umis_of_reads(&p->curve, p->reads) : p->baseline.umis;
}

double sow_i_power_controls(const sow_i_power *p, double n_trt)
{
    return p->controls_per_cell > 0 ? fmax(1, ceil(n_trt * p->controls_per_cell - 1e-9)) : p->controls;
}

sow_power_design sow_i_power_design(const sow_i_power *p, sow_index level, double n_trt, double n_ctl)
{
    return (sow_power_design){n_trt, n_ctl, p->group[level].share * sow_i_power_umis(p), p->group[level].size, p->baseline.library_cv, p->guides, p->guide_sd, p->alpha};
}

/* ---- what is asked ---- */

static sow_status find_correction(sow_i_power *p, sow_error *err)
{
    const char *name = p->o->correction ? p->o->correction : "bh", *names[] = {"bh", "bonferroni", "none"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        p->correction = (sow_power_correction)i;
        return SOW_OK;
    }
    return SOW_ERROR(err, SOW_E_CONFIG, "--correction takes bh, bonferroni or none, not '%s'", name);
}

static sow_status check_share(const char *option, double x, int may_be_one, sow_error *err)
{
    if (x > 0 && (x < 1 || (may_be_one && x == 1))) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CONFIG, "--%s takes a number above 0 and %s 1, not %g", option, may_be_one ? "up to" : "below", x);
}

static sow_status read_options(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_power_options *o = p->o;
    p->fold = o->fold != 0 ? o->fold : 0.5;
    p->power = o->power != 0 ? o->power : 0.8;
    p->level = o->level != 0 ? o->level : 0.05;
    p->changed = o->changed != 0 ? o->changed : 0.05;
    p->guide_sd = isnan(o->guide_sd) ? 0.3 : o->guide_sd;
    if (!(p->fold >= 1e-3 && p->fold <= 1000) || p->fold == 1) SOW_FAIL(err, SOW_E_CONFIG, "--fold takes a fold change from 0.001 to 1000 other than 1 (0.5: lowered to half, 2: doubled), not %g", p->fold);
    SOW_TRY(check_share("power", p->power, 0, err));
    SOW_TRY(check_share("fdr", p->level, 0, err));
    SOW_TRY(check_share("changed", p->changed, 1, err));
    SOW_TRY(find_correction(p, err));
    if (!(p->guide_sd >= 0 && p->guide_sd <= 3)) SOW_FAIL(err, SOW_E_CONFIG, "--guide-sd takes a number from 0 to 3, not %g", p->guide_sd);
    if (o->levels < 0 || o->levels > SOW_I_POWER_LEVELS_MOST) SOW_FAIL(err, SOW_E_CONFIG, "--levels takes a number from 1 to %d, not %lld", SOW_I_POWER_LEVELS_MOST, (long long)o->levels);
    if (o->tested < 0 || o->controls < 0 || o->guides < 0 || o->reads < 0) SOW_FAIL(err, SOW_E_CONFIG, "genes, control cells, guides and reads are numbers above 0");
    for (sow_index i = 0; i < o->n_cells; i++)
        if (o->cells[i] < 1) SOW_FAIL(err, SOW_E_CONFIG, "--cells takes numbers of at least 1, not %lld", (long long)o->cells[i]);
done:
    return st;
}

/* A file's UMIs come from the curve (K562's unless said); an estimated baseline has its own and gets a curve only when one is given. */
static sow_status read_curve(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_power_options *o = p->o;
    const sow_umi_curve k562 = SOW_UMI_CURVE_K562;
    p->has_curve = (o->baseline && !o->of_round && !o->context) || !isnan(o->umis);
    p->curve = (sow_umi_curve){isnan(o->umis) ? k562.saturation : o->umis, isnan(o->variation) ? k562.variation : o->variation, isnan(o->mapping) ? k562.mapping : o->mapping};
    if (!p->has_curve && (!isnan(o->variation) || !isnan(o->mapping))) SOW_FAIL(err, SOW_E_CONFIG, "--variation and --mapping shape the curve from reads to UMIs, which starts from --umis N (UMIs of a cell at saturation); give it too");
    if (!p->has_curve && o->reads > 0)
        SOW_FAIL(err, SOW_E_CONFIG, "--reads changes nothing where UMIs are those of the control cells; give the curve from reads to UMIs too: --umis N (of a cell at saturation), --variation, --mapping");
    if (o->of_round && !isnan(o->umis)) SOW_FAIL(err, SOW_E_CONFIG, "--umis plans ahead; a round that is measured has the UMIs it has");
    if (!(p->curve.saturation > 0 && p->curve.saturation <= 1e9)) SOW_FAIL(err, SOW_E_CONFIG, "--umis takes a number above 0 and up to 1e9, not %g", p->curve.saturation);
    if (!(p->curve.variation >= 0 && p->curve.variation <= 1)) SOW_FAIL(err, SOW_E_CONFIG, "--variation takes a number from 0 to 1, not %g", p->curve.variation);
    SOW_TRY(check_share("mapping", p->curve.mapping, 1, err));
done:
    return st;
}

/* Cells, controls, guides and reads: as said, or as the campaign's design has them. */
static sow_status read_design(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_power_options *o = p->o;
    const sow_config *k = p->config;
    const double share = k ? k->design.control_share : 0, batch = k ? (double)(k->rounds.initial_size + k->constraints.n_controls) : 1;
    p->planned = o->n_cells > 0 ? o->cells[0] : k ? k->design.cells_per_perturbation : 100;
    for (sow_index i = 0; i < o->n_cells; i++) p->cells[i] = o->cells[i];
    p->n_cells = o->n_cells;
    for (sow_index four_times = 1; o->n_cells == 0 && four_times <= 16; four_times *= 2) {
        const sow_index cells = (p->planned * four_times + 3) / 4;
        if (p->n_cells == 0 || cells != p->cells[p->n_cells - 1]) p->cells[p->n_cells++] = cells;
    }
    p->guides = o->guides > 0 ? o->guides : k ? k->design.guides_per_target : 1;
    p->reads = o->reads > 0 ? o->reads : k ? k->design.reads_per_cell : 20000;
    if (o->controls > 0) p->controls = (double)o->controls;
    else if (!k) p->controls = 1000;
    else if (share > 0) p->controls_per_cell = batch * share / (1 - share);
    else if (!o->of_round) SOW_FAIL(err, SOW_E_CONFIG, "%s: design.control_share is 0, so there are no control cells to compare with: set it, or say how many there will be with --controls N", k->path);
    if (p->has_curve && !(p->reads > 0)) SOW_FAIL(err, SOW_E_CONFIG, "%s: design.reads_per_cell is 0, and UMIs follow from reads: set it, or say --reads N", asker(p));
done:
    return st;
}

/* ---- what is known ---- */

static sow_status find_context(sow_i_power *p, sow_error *err)
{
    const sow_campaign *c = p->c;
    p->context = c->here->target;
    if (p->o->context) {
        p->context = sow_names_find(c->screen->contexts, p->o->context);
        if (p->context >= 0) return SOW_OK;
        const char *near = sow_names_nearest(c->screen->contexts, p->o->context);
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: --context: there is no context '%s' in the data%s%s%s", c->config->path, p->o->context, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (c->n_sites == 1) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CONFIG, "%s: power is of one context, and there are %lld target contexts, '%s' and '%s' among them: say which with --context NAME", c->config->path, (long long)c->n_sites,
                     sow_i_site_name(c, 0), sow_i_site_name(c, 1));
}

static sow_status open_campaign(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign_options as = {.dir = p->o->dir, .mode = p->o->of_round ? SOW_CAMPAIGN_READ : SOW_CAMPAIGN_CHECK, .cache = p->o->cache};
    const int on_cells = p->config->readout.kind == SOW_READOUT_CELLS;
    if (!on_cells && (p->o->of_round || !p->o->baseline))
        SOW_FAIL(err, SOW_E_CONFIG, "%s: this campaign measures no single cells (readout.kind), so there are no counts to estimate from%s", p->config->path,
                 p->o->of_round ? "" : ": give a measured baseline with --baseline FILE");
    if (p->o->baseline && !p->o->of_round && !p->o->context) goto done; /* its design and prices are all that is asked of it */
    SOW_TRY(sow_campaign_open(&p->c, p->config, &as, p->env, err));
    p->c->env = p->env;
    SOW_TRY(find_context(p, err));
done:
    return st;
}

/* Listed genes are levels of their own. */
static sow_status list_genes(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_baseline *b = &p->baseline;
    for (const char *at = p->o->genes; *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        char *name = sow_strndup(at, length);
        at += length;
        if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        if (length == 0) {
            free(name);
            continue;
        }
        if (p->n_levels == SOW_I_POWER_LEVELS_MOST) {
            free(name);
            SOW_FAIL(err, SOW_E_CONFIG, "--genes takes up to %d genes", SOW_I_POWER_LEVELS_MOST);
        }
        const sow_index i = sow_names_find(b->genes, name);
        const char *near = i < 0 ? sow_names_nearest(b->genes, name) : NULL;
        if (i < 0) st = SOW_ERROR(err, SOW_E_CONFIG, "--genes: the baseline has no gene '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        p->name[p->n_levels] = name;
        if (i >= 0) p->group[p->n_levels++] = (sow_power_level){1, b->share[i], b->size[i], b->share[i], b->share[i]};
        else SOW_TRY(st);
    }
    if (p->n_levels == 0) SOW_FAIL(err, SOW_E_CONFIG, "--genes takes names with commas between");
done:
    return st;
}

static sow_status find_levels(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index all = p->baseline.n;
    if (p->o->tested > all) SOW_FAIL(err, SOW_E_CONFIG, "--tested asks for %lld genes, and the baseline has %lld", (long long)p->o->tested, (long long)all);
    p->tested = p->o->tested > 0 ? p->o->tested : all;
    p->alpha = sow_power_alpha(p->correction, p->level, p->tested, p->changed, p->power);
    p->n_levels = 0;
    for (sow_index k = 0; k < SOW_I_POWER_LEVELS_MOST; k++) {
        free(p->name[k]);
        p->name[k] = NULL;
    }
    if (p->o->genes) return list_genes(p, err);
    SOW_TRY(sow_power_levels(p->group, &p->n_levels, &p->baseline, p->tested, p->o->levels > 0 ? p->o->levels : 10, err));
    for (sow_index k = 0; k < p->n_levels; k++) {
        p->name[k] = sow_format("%lld of %lld", (long long)k + 1, (long long)p->n_levels);
        if (!p->name[k]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
done:
    return st;
}

sow_status sow_i_power_baseline(sow_i_power *p, const sow_index *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const double umis = p->baseline.umis, cv = p->baseline.library_cv;
    sow_baseline measured = {0};
    sow_baseline_clear(&p->baseline);
    if (n > 0) SOW_TRY(sow_baseline_estimate(&p->baseline, &p->c->cells->table, control, n, err));
    if (p->o->baseline) { /* its shares and sizes; libraries are those of the cells where there are any */
        SOW_TRY(sow_baseline_read(&measured, p->o->baseline, err));
        measured.umis = n > 0 ? p->baseline.umis : umis;
        measured.library_cv = n > 0 ? p->baseline.library_cv : cv;
        measured.n_cells = p->baseline.n_cells;
        sow_baseline_clear(&p->baseline);
        p->baseline = measured;
        measured = (sow_baseline){0};
    }
    SOW_TRY(find_levels(p, err));
done:
    sow_baseline_clear(&measured);
    return st;
}

static sow_status find_baseline(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *control = NULL;
    const sow_index n = p->c && p->c->cells ? sow_cells_of(&control, &p->c->cells->table, SOW_CONTROL, p->context) : 0;
    const char *where = p->c ? sow_names_get(p->c->screen->contexts, p->context) : NULL;
    if (p->o->context && n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: --context: %s has no control cells", p->config->path, where);
    if (!p->o->baseline && n == 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: context %s has no control cells to estimate from yet: name one that has with --context NAME, or give a measured baseline with --baseline FILE", p->config->path, where);
    st = sow_i_power_baseline(p, control, n, err);
    if (st == SOW_E_DATA && !p->o->baseline) sow_error_prefix(err, "%s: context %s", p->config->path, where);
done:
    return st;
}

/* ---- what is said ---- */

void sow_i_power_put(json_t *out, const sow_i_power *p)
{
    static const char *const corrections[] = {"bh", "bonferroni", "none"};
    json_object_set_new(out, "fold", json_real(p->fold));
    json_object_set_new(out, "power", json_real(p->power));
    json_object_set_new(out, "level", json_real(p->level));
    json_object_set_new(out, "correction", json_string(corrections[p->correction]));
    json_object_set_new(out, "changed", p->correction == SOW_POWER_BH ? json_real(p->changed) : json_null());
    json_object_set_new(out, "nominal_level", json_real(p->alpha));
    json_object_set_new(out, "genes_tested", json_integer(p->tested));
    json_object_set_new(out, "guides_per_target", json_integer(p->guides));
    json_object_set_new(out, "guide_sd", json_real(p->guide_sd));
    json_object_set_new(out, "baseline", p->o->baseline ? json_string(p->o->baseline) : json_null());
    json_object_set_new(out, "baseline_cells", json_integer(p->baseline.n_cells));
    json_object_set_new(out, "context", p->c ? json_string(sow_names_get(p->c->screen->contexts, p->context)) : json_null());
    json_object_set_new(out, "umis_per_cell", json_real(sow_i_power_umis(p)));
    json_object_set_new(out, "library_cv", json_real(p->baseline.library_cv));
    json_object_set_new(out, "reads_per_cell", p->reads > 0 ? json_real(p->reads) : json_null());
    json_object_set_new(out, "currency", p->config ? json_string(p->config->costs.currency) : json_null());
    if (p->has_curve)
        json_object_set_new(out, "curve", json_pack("{s:f,s:f,s:f}", "umis", p->curve.saturation, "variation", p->curve.variation, "mapping", p->curve.mapping));
}

sow_status sow_power_report(char **json, const sow_config *config, const sow_power_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_power p = {.o = options, .config = config, .env = env, .context = -1};
    sow_text csv = {0};
    json_t *out = json_object();
    *json = NULL;
    p.baseline.umis = NAN;
    SOW_TRY(read_options(&p, err));
    if (!config && !options->baseline) SOW_FAIL(err, SOW_E_CONFIG, "power needs a campaign file or --baseline FILE");
    SOW_TRY(read_curve(&p, err));
    SOW_TRY(read_design(&p, err));
    if (config) SOW_TRY(open_campaign(&p, err));
    if (options->of_round) {
        SOW_TRY(sow_i_power_round(out, &csv, &p, err));
    } else {
        SOW_TRY(find_baseline(&p, err));
        SOW_TRY(sow_i_power_plan(out, &csv, &p, err));
        SOW_TRY(sow_i_power_profile(out, &p, err));
    }
    sow_i_power_put(out, &p);
    *json = sow_i_json_text(out, 1);
    if (!*json) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (options->file) SOW_TRY(sow_text_save(&csv, options->file, err));
done:
    if (st != SOW_OK) {
        free(*json);
        *json = NULL;
    }
    json_decref(out);
    sow_text_clear(&csv);
    power_clear(&p);
    return st;
}
