/* Joining two models' predictions of mean changes by a weight that held-out items choose (stacking: Wolpert 1992, Breiman 1996). Not installed. */
#ifndef SOWER_MODELS_STACKING_H
#define SOWER_MODELS_STACKING_H

#include "models/model.h"

/** A training without some of its items and without cells. `t` borrows what is beside it and what the whole borrowed. */
typedef struct {
    sow_training t;
    sow_index *perturbation, *context;
    double *y, *cells;
} sow_i_part;
/** The items with keep[i] != 0. On failure: clear all the same. */
SOW_MUST_CHECK sow_status sow_i_part_make(sow_i_part *p, const sow_training *t, const unsigned char *keep, sow_error *err);
/** Item i of the whole behind the others; at most as many in all as the whole has. */
void sow_i_part_add(sow_i_part *p, const sow_training *t, sow_index i);
void sow_i_part_clear(sow_i_part *p);

/** Products over genes of one held-out item's changes, each less its own mean over genes: first model m, second r, measured y. */
typedef struct {
    double mm, mr, rr, my, ry, yy;
} sow_i_products;
sow_i_products sow_i_products_of(const double *m, const double *r, const double *y, sow_index d);

/** The w in hundredths of [0, 1] for which w m + (1 - w) r has the highest mean correlation with what was measured, the largest of equally good ones; 1 for no item. `kept` is the share of |m|^2 that is left in what
 *  will be asked in the place of m: 1, or less for the mean of many where m is one of them. Correlation, because the squared error is least for what is shrunk most: with few items it takes a model that hardly moves
 *  for a better one than a model that knows the direction (docs/results.md). */
double sow_i_stack_weight(const sow_i_products *each, sow_index n, double kept);

/** The x in [0, 1] that makes the sum over items of |r_i - x e_i| least; products [n, 3] of r.r, r.e and e.e. Distances, not squares, so that a strong item is
 *  one of many. */
double sow_i_best_share(const double *products, sow_index n);

#endif
