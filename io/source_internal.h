/* Parts of reading sources: the transform of a readout, the name of a perturbation, what was dropped. Not installed. */
#ifndef SOWER_IO_SOURCE_INTERNAL_H
#define SOWER_IO_SOURCE_INTERNAL_H

#include "core/names.h"
#include "core/screen.h"
#include "io/frame_internal.h"
#include "io/source.h"

/* ---- transform.c ---- */

typedef enum {
    SOW_I_NONE,
    SOW_I_LOG1P,
    SOW_I_LOG,
    SOW_I_LOG2,
    SOW_I_LOG10,
    SOW_I_SQRT,
    SOW_I_ABS,
    SOW_I_RANK
} sow_i_transform;

/** NULL is "none". SOW_E_CONFIG names what is allowed and the nearest spelling. */
SOW_MUST_CHECK sow_status sow_i_transform_parse(sow_i_transform *out, const char *name, sow_error *err);
/** NaN outside the transform's domain. RANK leaves the value: it needs the others too. */
double sow_i_transform_value(sow_i_transform t, double x);
/** x [n] -> (average rank - 1/2) / n, in (0, 1). */
SOW_MUST_CHECK sow_status sow_i_rank_values(double *x, sow_index n, sow_error *err);

/** One entry of readout.adjust_for: "cells", "log(cells)", "COLUMN" or "log(COLUMN)". */
typedef struct {
    char *column; /* owned; NULL = the source's cells */
    int is_log;
} sow_i_covariate;
SOW_MUST_CHECK sow_status sow_i_covariate_parse(sow_i_covariate *out, const char *text, sow_error *err);

/* ---- perturbation.c ---- */

/** How a source writes perturbations. NULL = not given. */
typedef struct {
    const char *separator; /* between agents in the file */
    const char *control;   /* label of a control; as one agent of several it is left out */
    const char *joint;     /* between agents in the printed name, the same for all sources */
} sow_i_spelling;

/** Agents sorted by name and each once, so that "B+A" and "A+B" are one perturbation; an agent with a dose prints as AGENT@DOSE. `dose` may be NULL
 *  or "", one number for all agents, or one each, separated as the agents are. *name NULL and SOW_OK: a control. Caller frees *name and clears
 *  *detail. SOW_E_DATA (with `place`) for a dose that is no number, or another number of doses than of agents. */
SOW_MUST_CHECK sow_status sow_i_perturbation_parse(char **name, sow_perturbation *detail, const char *text, const char *dose,
                                                   const sow_i_spelling *spelling, const char *place, sow_error *err);
void sow_i_perturbation_clear(sow_perturbation *detail);

/* ---- catalogue.c ---- */

/** Perturbations and contexts by first appearance, while sources are read. */
typedef struct {
    sow_names *perturbations, *contexts;
    sow_perturbation *detail; /* [perturbations] */
    sow_source_role *role;    /* [contexts] */
    sow_index detail_capacity, role_capacity;
} sow_i_catalogue;
SOW_MUST_CHECK sow_status sow_i_catalogue_create(sow_i_catalogue *c, sow_error *err);
void sow_i_catalogue_clear(sow_i_catalogue *c);
/** Position of a context, added when new. SOW_E_DATA when another source gave it the other role. */
SOW_MUST_CHECK sow_status sow_i_catalogue_context(sow_index *out, sow_i_catalogue *c, const char *name, sow_source_role role, const char *path,
                                                  sow_error *err);
/** Position of a perturbation, added when new: `detail` is taken then, else left. */
SOW_MUST_CHECK sow_status sow_i_catalogue_perturbation(sow_index *out, sow_i_catalogue *c, const char *name, sow_perturbation *detail, sow_error *err);
/** Fill an empty screen's catalogue, in name order, and its contexts; renames[i] is where the i-th perturbation went. Details are moved over. */
SOW_MUST_CHECK sow_status sow_i_catalogue_sort(sow_screen *screen, sow_index *renames, sow_i_catalogue *c, sow_error *err);

int sow_i_context_is_kept(const sow_source *spec, const char *name);
/** The context of a source that names no column: its fixed name, or the file's up to the first dot. Caller frees; NULL = out of memory. */
char *sow_i_own_context(const sow_source *spec);
/** The separator of printed names: the first that a source gives. Borrowed; NULL = none does. */
const char *sow_i_joint(const sow_source *sources, sow_index n);

/* ---- dropped.c ---- */

typedef enum {
    SOW_I_DROP_CONTROL,
    SOW_I_DROP_NO_NAME,
    SOW_I_DROP_CONTEXT,
    SOW_I_DROP_READOUT,
    SOW_I_DROP_TRANSFORM,
    SOW_I_DROP_CELLS,
    SOW_I_DROP_VARIANCE,
    SOW_I_DROP_COVARIATE,
    SOW_I_DROP_COUNT
} sow_i_drop;

/** What one source lost, rule by rule. */
typedef struct {
    sow_names *names[SOW_I_DROP_COUNT];
    sow_index count[SOW_I_DROP_COUNT];
} sow_i_tally;
SOW_MUST_CHECK sow_status sow_i_tally_create(sow_i_tally *t, sow_error *err);
void sow_i_tally_clear(sow_i_tally *t);
SOW_MUST_CHECK sow_status sow_i_tally_add(sow_i_tally *t, sow_i_drop rule, const char *name, sow_error *err);
/** "109 control rows, 12 readout missing"; caller frees; NULL = out of memory. */
char *sow_i_tally_summary(const sow_i_tally *t);
/** Append the tally to `dropped` (NULL = nowhere). Rows of contexts that were not asked for are not "dropped". */
SOW_MUST_CHECK sow_status sow_i_tally_report(sow_dropped *dropped, const sow_i_tally *t, const char *path, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_dropped_add(sow_dropped *dropped, const char *path, const char *what, const sow_names *names,
                                            sow_index count, sow_error *err);
enum { SOW_I_NAMES_SHOWN = 20 };
/** The same for `count` things of which only the first SOW_I_NAMES_SHOWN names (or all, when they are fewer) need be in `names`. */
SOW_MUST_CHECK sow_status sow_i_dropped_add_first(sow_dropped *dropped, const char *path, const char *what, const char *const *names,
                                                  sow_index count, sow_error *err);

/* ---- source_load.c ---- */

/** A source's file, opened, its columns found. Positions are -1 where the source names no such column. */
typedef struct {
    const sow_source *spec;
    sow_i_frame frame;
    sow_index perturbation, context, dose, cells, variance, hit, or_hit, readout;
    int hit_is_above; /* which of hit and or_hit counts: the larger, else the smaller */
    sow_index *covariate; /* [n_covariates] -1: the cells */
    const double *x;      /* profile: [n_rows, width], the file's own columns */
    sow_index width;
    double *own_x;          /* behind x when it was read from a table */
    sow_names *features;    /* profile: [width] */
    sow_index *feature_map; /* [features of the screen] column of x */
    sow_i_tally tally;
} sow_i_loaded;

SOW_MUST_CHECK sow_status sow_i_source_load(sow_i_loaded *out, const sow_source *spec, const sow_readout_spec *readout,
                                            const sow_i_covariate *covariates, sow_index n_covariates, sow_dropped *dropped, sow_error *err);
void sow_i_source_unload(sow_i_loaded *s);
/** The features that every source has, in the first one's order, into `features` (empty on entry); fills each feature_map. */
SOW_MUST_CHECK sow_status sow_i_sources_intersect(sow_names *features, sow_i_loaded *loaded, sow_index n, sow_dropped *dropped, sow_error *err);

#endif
