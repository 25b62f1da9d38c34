/* Which column is what. Each role has a table of words with points; a column's points for a role are those of the best word its name matches.
 * Names are compared in lower case with everything but letters and digits as one blank: "pos|fdr" is "pos fdr". */
#include "io/inspect_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *word;
    int points; /* for the whole name; a name that only contains the word gets half */
} hint;

static const hint perturbation_hints[] = {{"perturbation", 100}, {"gene", 90},      {"target gene", 88}, {"gene symbol", 86}, {"target", 85},
                                          {"gene name", 84},     {"symbol", 82},    {"condition", 80},   {"sm name", 80},     {"drug", 80},
                                          {"compound", 80},      {"treatment", 75}, {"knockout", 75},    {"knockdown", 40},   {"id", 60},
                                          {"name", 50},          {"guide", 20},     {"sgrna", 20},       {"grna", 20},        {NULL, 0}};
static const hint context_hints[] = {{"context", 100},  {"cell line", 95}, {"cellline", 95}, {"cell type", 90}, {"celltype", 90}, {"line", 70},
                                     {"donor", 80},     {"tissue", 70},    {"patient", 70},  {"strain", 60},    {NULL, 0}};
static const hint cells_hints[] = {{"n cells", 100},        {"ncells", 100},        {"num cells", 100},         {"cells", 90},
                                   {"cell count", 95},      {"number of cells", 95}, {"number of cells filtered", 110}, {NULL, 0}};
static const hint readout_hints[] = {{"readout", 120},   {"response", 100},       {"phenotype", 95},  {"value", 90},    {"number of degs", 100},
                                     {"n degs", 100},    {"degs", 95},            {"lfc", 95},        {"log2fc", 95},   {"logfc", 95},
                                     {"log fold change", 95}, {"effect", 90},     {"score", 80},      {"beta", 75},     {"gamma", 75},
                                     {"tau", 75},        {"rho", 75},             {"viability", 85},  {"growth", 75},   {"fitness", 85},
                                     {"auc", 70},        {"intensity", 60},       {NULL, 0}};
static const hint significance_hints[] = {{"fdr", 100}, {"p value", 100}, {"pvalue", 100}, {"pval", 100},  {"padj", 100},
                                          {"qvalue", 100}, {"q value", 100}, {"adj p val", 100}, {NULL, 0}};
static const hint guide_hints[] = {{"guide", 100},    {"grna", 100},           {"sgrna", 100},  {"guide id", 100}, {"guide identity", 100},
                                   {"sgid", 100},     {"feature call", 90},    {"sgid ab", 100}, {"guides", 90},    {"barcode", 60},
                                   {NULL, 0}};
static const hint replicate_hints[] = {{"replicate", 100}, {"rep", 90}, {"bio rep", 90}, {NULL, 0}};
static const hint batch_hints[] = {{"technical batch", 110}, {"batch", 100},       {"gemgroup", 100}, {"gem group", 100}, {"gem", 70},    {"lane", 95},
                                   {"channel", 90},          {"library", 90},     {"library id", 90}, {"gem well", 95},   {"plate", 75},  {"orig ident", 60},
                                   {"sequencing batch", 100}, {"chip", 60},       {NULL, 0}};
static const hint dose_hints[] = {{"dose", 100}, {"dosage", 100}, {"concentration", 100}, {"dose um", 100}, {NULL, 0}};
static const char *const not_a_readout[] = {"rank", "std", "num", "index", "goodsgrna", "unfiltered", "core control", "id", "entrez", NULL};

/* Most certain first. */
static const char *const controls[] = {"non targeting", "nontargeting", "non targeting control", "no target",  "negative control", "neg control",
                                       "negctrl",       "ntc",          "control",               "dmso",       "vehicle",          "untreated",
                                       "unperturbed",   "untransduced", "scramble",              "scrambled",  "safe targeting",   "mock",
                                       "nt",            "ctrl",         "ctl",                   NULL};
enum { N_SURE_CONTROLS = 18, GENE_WIDE = 5000 }; /* CTRL is also a gene: one row of it in a genome-wide table is no control */
/* Cell lines whose name in a file's name says the context. */
static const char *const cell_lines[] = {"K562", "RPE1", "THP1", "Jurkat", "HepG2", "HEK293", "HEK293T", "A549", "MCF7", "U2OS", "HeLa", "A172", "T98G", "U87MG", "HCT116", "iPSC", "PBMC", NULL};

/* ---- words ---- */

static void normalise(char *out, size_t size, const char *name)
{
    size_t n = 0;
    for (; *name && n + 1 < size; name++) {
        if (isalnum((unsigned char)*name))
            out[n++] = (char)tolower((unsigned char)*name);
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = 0;
}

/* 1 when `word` stands in `name` between blanks or ends. */
static int contains_word(const char *name, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = strstr(name, word); at; at = strstr(at + 1, word))
        if ((at == name || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return 1;
    return 0;
}

static int points(const char *name, const hint *hints)
{
    char plain[128];
    int best = 0;
    normalise(plain, sizeof plain, name);
    for (; hints->word; hints++) {
        int p = strcmp(plain, hints->word) == 0 ? hints->points : contains_word(plain, hints->word) ? hints->points / 2 : 0;
        if (p > best) best = p;
    }
    return best;
}

/* Place among the words for controls, from 1; 0 = none of them. */
static int control_rank(const char *value)
{
    char plain[64];
    normalise(plain, sizeof plain, value);
    for (int i = 0; controls[i]; i++)
        if (strcmp(plain, controls[i]) == 0) return i + 1;
    return 0;
}

int sow_i_is_control(const char *value)
{
    return control_rank(value) > 0;
}

/* ---- values ---- */

static sow_status distinct_values(sow_names **out, const sow_i_frame *f, sow_index column, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    *out = NULL;
    SOW_TRY(sow_names_create(&names, err));
    for (sow_index i = 0; i < f->n_rows; i++) {
        char buffer[40];
        const char *text = sow_i_frame_text(f, i, column, buffer);
        if (*text) SOW_TRY(sow_names_add(names, text, NULL, err));
    }
    *out = names;
    names = NULL;
done:
    sow_names_destroy(names);
    return st;
}

static sow_index count_value(const sow_i_frame *f, sow_index column, const char *value)
{
    sow_index n = 0;
    for (sow_index i = 0; i < f->n_rows; i++) n += strcmp(sow_i_frame_text(f, i, column, (char[40]){0}), value) == 0;
    return n;
}

/* ---- roles ---- */

static sow_index best_column(const sow_inspection *in, const int *score, int least)
{
    sow_index best = -1;
    for (sow_index i = 0; i < in->n_columns; i++)
        if (score[i] >= least && (best < 0 || score[i] > score[best])) best = i;
    return best;
}

static void mark(sow_inspection *in, const char *role, const hint *hints, sow_column_kind kind, int any_kind)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        sow_inspect_column *c = &in->column[i];
        if (!*c->role && (any_kind || c->kind == kind) && points(c->name, hints) >= 50) c->role = role;
    }
}

static sow_index find_perturbation(const sow_inspection *in, int *score)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        score[i] = -1;
        if (c->kind != SOW_COLUMN_STRING || c->distinct < 2) continue;
        score[i] = points(c->name, perturbation_hints);
        if (c->has_control) score[i] += 15;
        if (score[i] == 0 && 2 * c->distinct > in->rows) score[i] = 10; /* a nameless column of names */
    }
    return best_column(in, score, 10);
}

static sow_index find_context(const sow_inspection *in, int *score)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        int few = c->distinct >= 1 && c->distinct <= 200 && 2 * c->distinct <= in->rows && c->missing == 0;
        score[i] = !*c->role && c->kind != SOW_COLUMN_BOOL && few ? points(c->name, context_hints) : -1;
    }
    return best_column(in, score, 60);
}

static sow_index find_cells(const sow_inspection *in, int *score)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        score[i] = !*c->role && c->kind == SOW_COLUMN_NUMBER && !(c->low < 0) ? points(c->name, cells_hints) : -1;
    }
    return best_column(in, score, 45);
}

static int could_be_readout(const sow_inspect_column *c)
{
    char plain[128];
    normalise(plain, sizeof plain, c->name);
    if (*c->role || c->kind != SOW_COLUMN_NUMBER || c->distinct < 2) return 0;
    for (int i = 0; not_a_readout[i]; i++)
        if (contains_word(plain, not_a_readout[i])) return 0;
    return 1;
}

/* The best readout; every column that could be one gets the role. */
static sow_index find_readout(sow_inspection *in, int *score)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        sow_inspect_column *c = &in->column[i];
        score[i] = could_be_readout(c) ? 10 + points(c->name, readout_hints) : -1;
        if (score[i] > 0) c->role = "readout";
    }
    return best_column(in, score, 10);
}

/* ---- guesses ---- */

static sow_status set(char **field, const char *text, sow_error *err)
{
    *field = sow_strdup(text);
    return *field ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* The two halves of a value at its first separator; 0 when it has none or a half is empty. */
static int halves(char left[128], const char **right, const char *value, const char *separator)
{
    const char *at = strstr(value, separator);
    if (!at || at == value || !at[strlen(separator)] || (size_t)(at - value) >= 128) return 0;
    memcpy(left, value, (size_t)(at - value));
    left[at - value] = 0;
    *right = at + strlen(separator);
    return 1;
}

static sow_status count_half(sow_names *parts, sow_index **count, sow_index *capacity, const char *text, sow_error *err)
{
    sow_index at = 0;
    sow_status st = sow_names_add(parts, text, &at, err);
    if (st == SOW_OK) st = sow_grow(count, capacity, at + 1, sizeof **count, err);
    if (st == SOW_OK) (*count)[at]++;
    return st;
}

/* A separator is believed when at least two values, and half of those that have it, are made of halves that also stand alone. "+", which is in
 * few names, is believed more easily: a quarter, and meeting the half in another combination will do. */
static sow_status separates(int *out, const sow_names *values, const char *separator, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *parts = NULL;
    sow_index *count = NULL, capacity = 0, with = 0, composed = 0;
    int plus = strcmp(separator, "+") == 0;
    sow_index enough = plus ? 2 : INT64_MAX;
    char left[128];
    const char *right = NULL;
    *out = 0;
    SOW_TRY(sow_names_create(&parts, err));
    for (sow_index i = 0; i < sow_names_count(values); i++) {
        if (!halves(left, &right, sow_names_get(values, i), separator)) continue;
        SOW_TRY(count_half(parts, &count, &capacity, left, err));
        SOW_TRY(count_half(parts, &count, &capacity, right, err));
    }
    for (sow_index i = 0; i < sow_names_count(values); i++) {
        if (!halves(left, &right, sow_names_get(values, i), separator)) continue;
        with++;
        int known_left = sow_i_is_control(left) || sow_names_find(values, left) >= 0 || count[sow_names_find(parts, left)] >= enough;
        int known_right = sow_i_is_control(right) || sow_names_find(values, right) >= 0 || count[sow_names_find(parts, right)] >= enough;
        composed += known_left && known_right;
    }
    *out = composed >= 2 && (plus ? 4 : 2) * composed >= with;
done:
    sow_names_destroy(parts);
    free(count);
    return st;
}

static sow_status guess_labels(sow_inspection *in, const sow_i_frame *f, sow_index column, sow_error *err)
{
    static const char *const separators[] = {"+", "|", ";", "_"};
    sow_status st = SOW_OK;
    sow_names *values = NULL;
    const char *control = NULL;
    sow_index most = 0;
    SOW_TRY(distinct_values(&values, f, column, err));
    for (sow_index i = 0; i < sow_names_count(values); i++) {
        const char *value = sow_names_get(values, i);
        int rank = control_rank(value);
        if (rank == 0) continue;
        sow_index n = count_value(f, column, value);
        if (rank > N_SURE_CONTROLS && n == 1 && sow_names_count(values) > GENE_WIDE) continue;
        if (n > most || (n == most && rank < control_rank(control))) {
            most = n;
            control = value;
        }
    }
    in->n_perturbations = sow_names_count(values) - (control != NULL);
    if (control) SOW_TRY(set(&in->control, control, err));
    for (size_t i = 0; i < sizeof separators / sizeof *separators && !in->separator; i++) {
        int believed = 0;
        SOW_TRY(separates(&believed, values, separators[i], err));
        if (believed) SOW_TRY(set(&in->separator, separators[i], err));
    }
done:
    sow_names_destroy(values);
    return st;
}

static sow_status context_from_path(sow_inspection *in, sow_error *err)
{
    const char *base = sow_i_basename(in->path);
    char plain[256], line[32];
    normalise(plain, sizeof plain, base);
    for (int i = 0; cell_lines[i]; i++) {
        normalise(line, sizeof line, cell_lines[i]);
        if (contains_word(plain, line)) return set(&in->context, cell_lines[i], err);
    }
    size_t n = strcspn(base, ".");
    in->context = n ? sow_strndup(base, n) : sow_strdup(base);
    return in->context ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* Whole numbers from 0 into the hundreds are counts: log1p. */
static const char *transform_for(const sow_inspect_column *c, const sow_i_frame *f, sow_index column)
{
    if (!(c->low >= 0) || !(c->high > 100)) return "none";
    for (sow_index i = 0; i < f->n_rows; i++) {
        double x = NAN;
        if (sow_i_parse_number(&x, sow_i_frame_text(f, i, column, (char[40]){0})) && isfinite(x) && x != floor(x)) return "none";
    }
    return "log1p";
}

static sow_status guess_readout(sow_inspection *in, const sow_i_frame *f, int *score, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = 0, readout = find_readout(in, score);
    for (sow_index i = 0; i < in->n_columns; i++) n += score[i] > 0;
    int named = readout >= 0 && score[readout] > 45;
    if (!in->perturbation_column) goto done;
    if (in->x_is_dense && in->width > 1) {
        SOW_TRY(set(&in->readout_kind, "profile", err));
    } else if (n > 50 && !named) {
        SOW_TRY(set(&in->readout_kind, "profile", err));
    } else if (readout >= 0) {
        SOW_TRY(set(&in->readout_kind, "scalar", err));
        SOW_TRY(set(&in->readout_column, in->column[readout].name, err));
        SOW_TRY(set(&in->transform, transform_for(&in->column[readout], f, readout), err));
    }
done:
    return st;
}

/* ---- single cells ---- */

/* Its best column with at least two values, by the words for a role that was marked. */
static sow_status choose_column(char **out, const sow_inspection *in, const char *role, const hint *hints, sow_error *err)
{
    sow_index best = -1;
    for (sow_index i = 0; i < in->n_columns; i++) {
        const sow_inspect_column *c = &in->column[i];
        if (strcmp(c->role, role) != 0 || c->distinct < 2 || c->missing == in->rows) continue;
        if (best < 0 || points(c->name, hints) > points(in->column[best].name, hints)) best = i;
    }
    return best < 0 ? SOW_OK : set(out, in->column[best].name, err);
}

/* A barcode is no guide and no batch: labels come many times. */
static void unmark_barcodes(sow_inspection *in)
{
    for (sow_index i = 0; i < in->n_columns; i++) {
        sow_inspect_column *c = &in->column[i];
        const int repeated = strcmp(c->role, "guide") == 0 || strcmp(c->role, "replicate") == 0 || strcmp(c->role, "technical batch") == 0;
        if (repeated && 2 * c->distinct > in->rows) c->role = "";
    }
}

static sow_status guess_cells(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    mark(in, "technical batch", batch_hints, SOW_COLUMN_STRING, 1);
    unmark_barcodes(in);
    SOW_TRY(choose_column(&in->guide_column, in, "guide", guide_hints, err));
    SOW_TRY(choose_column(&in->replicate_column, in, "replicate", replicate_hints, err));
    SOW_TRY(choose_column(&in->batch_column, in, "technical batch", batch_hints, err));
    SOW_TRY(sow_i_inspect_labels(in, f, err));
    if (in->chosen >= 0 && in->target >= 0 && in->control) SOW_TRY(set(&in->readout_kind, "cells", err));
done:
    return st;
}

sow_status sow_i_inspect_guess(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    int *score = NULL;
    SOW_NEW(score, in->n_columns);
    sow_index column = find_perturbation(in, score);
    if (column >= 0) {
        in->column[column].role = "perturbation";
        SOW_TRY(set(&in->perturbation_column, in->column[column].name, err));
        SOW_TRY(guess_labels(in, f, column, err));
    }
    SOW_TRY(sow_i_inspect_are_cells(in, f, err));
    mark(in, "significance", significance_hints, SOW_COLUMN_NUMBER, 0);
    mark(in, "guide", guide_hints, SOW_COLUMN_STRING, 0);
    mark(in, "replicate", replicate_hints, SOW_COLUMN_STRING, 1);
    mark(in, "dose", dose_hints, SOW_COLUMN_STRING, 1);
    column = find_context(in, score);
    if (column >= 0) {
        in->column[column].role = "context";
        SOW_TRY(set(&in->context_column, in->column[column].name, err));
    } else if (in->perturbation_column) {
        SOW_TRY(context_from_path(in, err));
    }
    if (in->is_cells) {
        SOW_TRY(guess_cells(in, f, err));
        goto done;
    }
    column = find_cells(in, score);
    if (column >= 0) {
        SOW_TRY(set(&in->cells_column, in->column[column].name, err));
        mark(in, "cells", cells_hints, SOW_COLUMN_NUMBER, 0);
        in->column[column].role = "cells";
    }
    SOW_TRY(guess_readout(in, f, score, err));
done:
    free(score);
    return st;
}
