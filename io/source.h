/* Sources: the files of a campaign's `data:` read into one screen (core/screen.h). */
#ifndef SOWER_IO_SOURCE_H
#define SOWER_IO_SOURCE_H

#include "core/env.h"
#include "core/screen.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_VALUES_RESPONSE, SOW_VALUES_COUNTS, SOW_VALUES_LOG1P } sow_source_values;

/** One entry of data.sources; strings owned by the config, NULL = not given. */
typedef struct {
    const char *file; /* path as to be opened (already resolved against the YAML's folder) */
    sow_source_role role;
    const char *context;        /* a fixed name ... */
    const char *context_column; /* ... or a column; with both, the name serves where the file lacks the column */
    const char *perturbation_column, *separator, *control, *dose_column;
    const char *replicate_column; /* reported, rows are replicates anyway */
    const char *cells_column;     /* number of cells behind a row */
    const char *variance_column;  /* weight = 1/variance instead of cells */
    int duplicates_allowed;       /* repeated (perturbation, context) rows are replicates; else an error by name */
    sow_index n_keep_contexts;    /* only these values of the context column; 0 = all */
    const char **keep_contexts;
    int names_only; /* a list of candidates: every name becomes a row with NaN values and cells; the readout column may be absent */
    const char *guide_column, *batch_column; /* cells: guide and technical batch of each cell */
    const char *layer;       /* cells: "X", "raw" or a layer; NULL = X */
    const char *gene_column; /* cells: var column with gene names; NULL = the index */
    const char *labels;      /* cells in an MTX folder: table of labels, first column = barcode */
    sow_source_values values; /* what the numbers are */
    int may_be_empty; /* no usable row is no error: results in which everything failed */
} sow_source;

typedef struct {
    sow_readout_kind kind;
    const char *column;     /* scalar: the column */
    const char *transform;  /* "none", "log1p", "log", "log2", "log10", "sqrt", "abs"; profiles also "rank": each row by itself */
    sow_index n_adjust;
    const char **adjust_for; /* "log(cells)", "cells", or a column name, or "log(COLUMN)" */
    const char *hit_column;  /* objective.column, or NULL */
    const char *or_hit_column; /* objective.or_column, or NULL: a row's hit value is the better of the two ... */
    int hit_is_above;        /* ... the larger when hits lie above a bound, else the smaller */
} sow_readout_spec;

/** What happened on the way in, for `check` and the report: one line each, "file: what". */
typedef struct {
    sow_index n, capacity;
    struct {
        char *what;    /* "NaN readout" */
        char *names;   /* the perturbations, comma separated, at most 20 then "... and 34 more" */
        sow_index count;
    } *item;
} sow_dropped;
void sow_dropped_clear(sow_dropped *d);

/** Read all sources into one merged screen. Tables: CSV/TSV by extension (.csv .tsv .txt, .gz); `.h5ad`: obs columns and dense X (profile), or an obs column (scalar).
 *  Rows whose readout is NaN or infinite are dropped by name; control rows (perturbation == control) are left out of the catalogue.
 *  Profile: features are the intersection of the sources' genes in the first source's order. SOW_E_DATA names file and line. */
SOW_MUST_CHECK sow_status sow_sources_read(sow_screen **out, sow_dropped *dropped, const sow_source *sources, sow_index n,
                                           const sow_readout_spec *readout, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
