/* A prior on its way in: as its file has it, then laid over the catalogue, then scaled and fused. Not installed. */
#ifndef SOWER_IO_PRIORS_INTERNAL_H
#define SOWER_IO_PRIORS_INTERNAL_H

#include "io/gmt.h"
#include "io/priors.h"

/** What a file says, by its own names. */
typedef struct {
    sow_prior_kind kind;
    sow_names *names;   /* DENSE: rows; SETS: members, borrowed from gmt */
    sow_names *columns; /* DENSE: may be NULL; SETS: sets, borrowed from gmt */
    sow_index dim;
    double *x; /* DENSE: [names, dim] */
    sow_gmt *gmt;
} sow_i_raw_prior;

/** Read spec->file, or the rows of spec->context. Duplicate names, NaN entries and columns that are no numbers are SOW_E_DATA with their place. */
SOW_MUST_CHECK sow_status sow_i_prior_read(sow_i_raw_prior *out, const sow_prior_spec *spec, const sow_screen *screen, sow_error *err);
void sow_i_raw_prior_clear(sow_i_raw_prior *raw);

/** out->fused and has_any from out->priors; see sow_priors_read. */
SOW_MUST_CHECK sow_status sow_i_priors_fuse(sow_prior_set *out, const unsigned char *in_pool, sow_index prior_dims, const sow_env *env,
                                            sow_error *err);

#endif
