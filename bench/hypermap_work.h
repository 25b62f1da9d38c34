/* The products of a step of HyperMap's meta-training: its floor is these over the rate of a large product. */
#ifndef SOWER_BENCH_HYPERMAP_WORK_H
#define SOWER_BENCH_HYPERMAP_WORK_H

#include "models/hypermap/hypermap.h"

/* Products of one pass over one row, each as often as a linear layer of a walk does it: `first` layers pass nothing on to their input. */
static inline double hypermap_products(const sow_hypermap_sizes *s, int first)
{
    const double k = (double)s->genes, x = (double)sow_hypermap_cell_width(s), d = (double)s->embedding, l = (double)s->latent, h = (double)s->hidden;
    const int alone = s->fusion == SOW_HYPERMAP_CONTEXT;
    const double fusion = alone ? 0 : (s->fusion == SOW_HYPERMAP_WHOLE ? 1 : 3) * l * l;
    return first ? x * h + d * h : 2 * (h * h + h * l) + fusion + (alone ? 1 : 2) * l * h + h * (h * l + h) + h * l + h * k;
}

/* Operations of a whole outer step of `tasks` x (`steps` inner steps + query) of `rows` rows. A layer inside: forward 1, back 2, walked back again 9; an input layer 1, 1 and 5 (forward, weight gradient; and for lambda:
 * forward, weight gradient again, its two factors, weight gradient). */
static inline double hypermap_operations(const sow_hypermap_sizes *s, double rows, double tasks, double steps, int exact)
{
    const double first = hypermap_products(s, 1), inside = hypermap_products(s, 0);
    return 2 * rows * tasks * ((steps + 1) * (3 * inside + 2 * first) + (exact ? steps * (9 * inside + 5 * first) : 0));
}

#endif
