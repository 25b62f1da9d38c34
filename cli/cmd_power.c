#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "planner/power.h"

/* ---- options ---- */

static int refuse(const char *option, const char *takes, const char *value)
{
    fprintf(stderr, "sower: --%s takes %s, not '%s'\n", option, takes, value);
    return EXIT_WRONG_INPUT;
}

/* A number above 0 unless zero is allowed; untouched when not said. What is too large is the planner's to say. */
static int read_number(double *out, const char *option, int zero, const char *text)
{
    char *end = NULL;
    if (!text) return 0;
    errno = 0;
    const double x = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(x) || x < 0 || (x == 0 && !zero)) return refuse(option, zero ? "a number of at least 0" : "a number above 0", text);
    *out = x;
    return 0;
}

static int read_whole(sow_index *out, const char *option, long long least, const char *text)
{
    char *end = NULL, takes[48];
    if (!text) return 0;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    snprintf(takes, sizeof takes, "a whole number from %lld to 1000000", least);
    if (errno || end == text || *end || n < least || n > 1000000) return refuse(option, takes, text);
    *out = (sow_index)n;
    return 0;
}

static int read_cells(sow_power_options *o, const char *text)
{
    const char *takes = "whole numbers from 1 to 1000000 with commas between, at most 32";
    if (!text) return 0;
    for (const char *at = text;;) {
        char *end = NULL;
        errno = 0;
        const long long n = strtoll(at, &end, 10);
        if (errno || end == at || (*end && *end != ',') || n < 1 || n > 1000000 || o->n_cells == SOW_POWER_GRID_MOST) return refuse("cells", takes, text);
        o->cells[o->n_cells++] = (sow_index)n;
        if (!*end) return 0;
        at = end + 1;
    }
}

static int read_options(sow_power_options *o, const cli_args *a)
{
    int bad = read_number(&o->fold, "fold", 0, a->power.fold) || read_number(&o->power, "power", 0, a->power.power) || read_number(&o->level, "fdr", 0, a->power.fdr) ||
              read_number(&o->changed, "changed", 0, a->power.changed) || read_number(&o->reads, "reads", 0, a->power.reads) || read_number(&o->guide_sd, "guide-sd", 1, a->power.guide_sd) ||
              read_number(&o->umis, "umis", 0, a->power.umis) || read_number(&o->variation, "variation", 1, a->power.variation) || read_number(&o->mapping, "mapping", 0, a->power.mapping);
    bad = bad || read_whole(&o->tested, "tested", 1, a->power.tested) || read_whole(&o->levels, "levels", 1, a->power.levels) || read_whole(&o->controls, "controls", 1, a->power.controls) ||
          read_whole(&o->guides, "guides", 1, a->power.guides) || read_whole(&o->round, "round", 0, a->power.round) || read_cells(o, a->power.cells);
    if (bad) return EXIT_WRONG_INPUT;
    o->of_round = a->power.round != NULL;
    if (o->of_round && (a->power.cells || a->power.controls || a->power.reads || a->power.reliability)) {
        fprintf(stderr, "sower: --round looks back at the cells that came; --cells, --controls, --reads and --reliability plan ahead\n");
        return EXIT_WRONG_INPUT;
    }
    if (!o->of_round && a->power.folder) {
        fprintf(stderr, "sower: --folder says where the campaign of --round is; without --round no campaign is looked at\n");
        return EXIT_WRONG_INPUT;
    }
    o->correction = a->power.correction;
    o->genes = a->power.genes;
    o->baseline = a->power.baseline;
    o->reliability = a->power.reliability;
    o->context = a->context;
    o->dir = a->power.folder;
    o->cache = cli_cache_folder(a);
    o->file = a->out;
    return 0;
}

/* ---- table ---- */

/* A number with three digits, "-" where there is none. */
static const char *text_of(char text[24], const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    if (json_is_string(x)) snprintf(text, 24, "%s", json_string_value(x));
    else if (!json_is_number(x)) snprintf(text, 24, "-");
    else if (json_number_value(x) >= 1000) snprintf(text, 24, "%.0f", json_number_value(x));
    else snprintf(text, 24, "%.3g", json_number_value(x));
    return text;
}

static const char *money_of(char text[24], const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    if (json_is_number(x)) snprintf(text, 24, "%.2f", json_number_value(x));
    else snprintf(text, 24, "-");
    return text;
}

static void say_assumptions(const json_t *j)
{
    const char *correction = cli_json_text(j, "correction"), *baseline = cli_json_text(j, "baseline");
    const long long genes = cli_json_integer(j, "genes_tested");
    if (*baseline) printf("baseline   %s", baseline);
    else printf("baseline   %lld control cells of %s", cli_json_integer(j, "baseline_cells"), cli_json_text(j, "context"));
    printf(": %.0f UMIs a cell", cli_json_number(j, "umis_per_cell"));
    if (json_object_get(j, "curve")) {
        const json_t *c = json_object_get(j, "curve");
        printf(" at %.0f reads (%.0f at saturation, variation %g, mapping %g)\n", cli_json_number(j, "reads_per_cell"), cli_json_number(c, "umis"), cli_json_number(c, "variation"), cli_json_number(c, "mapping"));
    } else {
        printf(" as they are, libraries vary by %.0f %%\n", 100 * cli_json_number(j, "library_cv"));
    }
    printf("test       %lld genes, two-sided, ", genes);
    if (strcmp(correction, "bh") == 0) printf("false-discovery rate %g (Benjamini-Hochberg, %g %% of genes changed)", cli_json_number(j, "level"), 100 * cli_json_number(j, "changed"));
    else if (strcmp(correction, "bonferroni") == 0) printf("family-wise error %g (Bonferroni)", cli_json_number(j, "level"));
    else printf("level %g, not corrected", cli_json_number(j, "level"));
    printf(": p below %.3g\nguides     %lld of a target, their effects vary by %g %%\n", cli_json_number(j, "nominal_level"), cli_json_integer(j, "guides_per_target"), 100 * cli_json_number(j, "guide_sd"));
}

static void say_levels(const json_t *j, const json_t *design)
{
    const json_t *levels = json_object_get(design, "levels");
    char text[8][24];
    printf("\n%lld cells a perturbation against %.0f controls: fold change %g, wanted power %g\n", cli_json_integer(design, "cells"), cli_json_number(design, "controls"), cli_json_number(j, "fold"), cli_json_number(j, "power"));
    printf("%-14s %6s %10s %7s %7s %9s %9s %9s %9s %12s\n", "level", "genes", "UMIs/cell", "size", "power", "decrease", "increase", "cells", "reads", "cost");
    for (size_t k = 0; k < json_array_size(levels); k++) {
        const json_t *l = json_array_get(levels, k);
        printf("%-14s %6lld %10s %7s %7.3f %9s %9s %9s %9s %12s\n", cli_json_text(l, "level"), cli_json_integer(l, "genes"), text_of(text[0], l, "mean_umis"), text_of(text[1], l, "size"),
               cli_json_number(l, "power"), text_of(text[2], l, "smallest_decrease"), text_of(text[3], l, "smallest_increase"), text_of(text[4], l, "cells_needed"), text_of(text[5], l, "reads_needed"),
               money_of(text[6], l, "cost_of_cells_needed"));
    }
    printf("decrease, increase: smallest fold change found with that power. cells, reads: what the wanted fold change takes, alone; cost: of those cells, a perturbation.\n");
}

static void say_designs(const json_t *j)
{
    const json_t *designs = json_object_get(j, "designs"), *at = json_object_get(json_object_get(j, "replicates"), "at");
    char text[4][24];
    printf("\n%-8s %9s %8s %12s %14s %14s   (%s)\n", "cells", "controls", "found", "replicates", "perturbation", "round", *cli_json_text(j, "currency") ? cli_json_text(j, "currency") : "no prices without a campaign");
    for (size_t i = 0; i < json_array_size(designs); i++) {
        const json_t *d = json_array_get(designs, i);
        printf("%-8lld %9.0f %7.1f%% %12s %14s %14s\n", cli_json_integer(d, "cells"), cli_json_number(d, "controls"), 100 * cli_json_number(d, "found"),
               text_of(text[0], json_object_get(json_array_get(at, i), "correlation"), "median"), money_of(text[1], d, "cost"), money_of(text[2], d, "round_cost"));
    }
    printf("found: share of the changed genes. replicates: median correlation between the responses of so many cells twice.\n");
}

static void say_replicates(const json_t *j)
{
    const json_t *r = json_object_get(j, "replicates"), *needed = json_object_get(r, "needed");
    char text[3][24];
    if (!r) return;
    if (json_is_true(json_object_get(r, "given"))) printf("\nwhole profiles, from the reliability given\n");
    else printf("\nwhole profiles, from halves of %lld perturbations (median correlation %.3f at %.0f cells)\n", cli_json_integer(r, "perturbations"), cli_json_number(r, "median_correlation"), cli_json_number(r, "median_cells"));
    printf("%-12s %18s %10s %16s\n", "correlation", "strongest quarter", "median", "weakest quarter");
    for (size_t i = 0; i < json_array_size(needed); i++) {
        const json_t *n = json_array_get(needed, i), *cells = json_object_get(n, "cells");
        printf("%-12g %18s %10s %16s\n", cli_json_number(n, "correlation"), text_of(text[0], cells, "strongest_quarter"), text_of(text[1], cells, "median"), text_of(text[2], cells, "weakest_quarter"));
    }
    printf("cells of each replicate; none: halves do not agree at all.\n");
}

static void say_round(const json_t *j)
{
    const json_t *rows = json_object_get(j, "perturbations"), *levels = json_object_get(j, "levels");
    const size_t n_levels = json_array_size(levels), middle = n_levels / 2;
    char text[4][24];
    printf("\nround %lld: %zu perturbations against %.0f controls of %s; smallest fold changes found with power %g\n", cli_json_integer(j, "round"), json_array_size(rows), cli_json_number(j, "controls"),
           cli_json_text(j, "context"), cli_json_number(j, "power"));
    printf("%-24s %7s %8s %10s %10s %10s %10s   %s\n", "", "", "", "decrease", "increase", "decrease", "increase", "levels with");
    printf("%-24s %7s %8s %21s %21s   fold %g\n", "perturbation", "cells", "planned", cli_json_text(json_array_get(levels, 0), "level"), cli_json_text(json_array_get(levels, middle), "level"), cli_json_number(j, "fold"));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *all = json_object_get(row, "levels"), *high = json_array_get(all, 0), *mid = json_array_get(all, middle);
        printf("%-24s %7lld %8lld %10s %10s %10s %10s   %lld of %zu%s\n", cli_json_text(row, "perturbation"), cli_json_integer(row, "cells"), cli_json_integer(row, "planned_cells"), text_of(text[0], high, "smallest_decrease"),
               text_of(text[1], high, "smallest_increase"), text_of(text[2], mid, "smallest_decrease"), text_of(text[3], mid, "smallest_increase"), cli_json_integer(row, "levels_reached"), n_levels,
               json_is_true(json_object_get(row, "too_few")) ? ": too few cells" : "");
    }
    printf("%lld of %zu had too few cells to find a fold change of %g at any level.\n", cli_json_integer(j, "too_few"), json_array_size(rows), cli_json_number(j, "fold"));
}

static void say(const char *source, const char *file)
{
    json_t *j = json_loads(source, 0, NULL);
    const json_t *designs = json_object_get(j, "designs");
    say_assumptions(j);
    if (json_object_get(j, "round")) {
        say_round(j);
    } else {
        for (size_t i = 0; i < json_array_size(designs); i++)
            if (cli_json_integer(json_array_get(designs, i), "cells") == cli_json_integer(j, "cells_per_perturbation")) {
                say_levels(j, json_array_get(designs, i));
                break;
            }
        say_designs(j);
        say_replicates(j);
    }
    if (file) printf("\n%s\n", file);
    json_decref(j);
}

int cmd_power(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    char *json = NULL;
    int code = EXIT_DONE;
    sow_config *config = NULL;
    sow_power_options options = SOW_POWER_OPTIONS_INIT;
    if (read_options(&options, args)) return EXIT_WRONG_INPUT;
    if (args->n_positional > 0 || !options.baseline || options.of_round) {
        config = cli_read_config(args, &code);
        if (!config) return code;
    }
    const sow_status st = sow_power_report(&json, config, &options, env, &err);
    if (st != SOW_OK) code = cli_fail_unwritten(&err);
    else if (args->json) puts(json);
    else say(json, options.file);
    free(json);
    sow_config_destroy(config);
    return st == SOW_E_STATE ? EXIT_WAITING : code;
}
