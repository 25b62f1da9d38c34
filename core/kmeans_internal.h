/* The Lloyd iteration behind sow_kmeans. */
#ifndef SOWER_CORE_KMEANS_INTERNAL_H
#define SOWER_CORE_KMEANS_INTERNAL_H

#include "core/kmeans.h"

typedef struct {
    sow_index n, d, k;
    const double *weight;    /* [n] or NULL; borrowed */
    double *x;               /* [n, d] with the column means taken out: smaller numbers, smaller rounding */
    double *norm2;           /* [n] */
    double *centres, *moved; /* [k, d] */
    double *centre_norm2;    /* [k] */
    double centre_norm2_max;
    double *share;              /* [k] weight of each cluster */
    double *near2;              /* [n] squared distance to the nearest centre */
    sow_index *labels, *before; /* [n] */
    float *bound;               /* [n, k] lower bounds of the distances; NULL when too large */
    float *drift;               /* [k] how far each centre moved since the last assignment, rounded up */
    int bounds_hold;            /* bound and drift belong to the labels */
    sow_index fresh;            /* seeding: the centre just placed */
    sow_threads *threads;
} sow_i_kmeans;

SOW_MUST_CHECK sow_status sow_i_kmeans_init(sow_i_kmeans *p, sow_index n, sow_index d, sow_index k, const double *weight,
                                            sow_threads *threads, sow_error *err);
void sow_i_kmeans_clear(sow_i_kmeans *p);
/** From the centres as they stand to convergence or `most` iterations; labels always belong to the final centres. */
SOW_MUST_CHECK sow_status sow_i_kmeans_lloyd(sow_i_kmeans *p, sow_index most, double tolerance, sow_index *iterations,
                                             sow_error *err);
/** Weighted sum of squared distances to the own centre. */
double sow_i_kmeans_inertia(const sow_i_kmeans *p);
double sow_i_kmeans_weight(const sow_i_kmeans *p, sow_index i);
/** |a - b|^2 by four running sums. */
double sow_i_kmeans_distance2(const double *a, const double *b, sow_index d);

#endif
