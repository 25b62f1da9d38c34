/* Weights of the prediction and of KL by epoch, as the published code makes them with torch.linspace in float32. Its numbers, to the last bit, are those of a processor with eight floats in a
 * register (AVX2; the golden file): whole blocks of 16 are filled eight at a time as first + k step, the rest one by one with a fused multiply-add; from the middle on, counted back from the end. */
#include "models/morph/morph.h"

#include <math.h>

enum { LANES = 8, BLOCK = 2 * LANES };

/* n evenly spaced floats from 0 to `end`, both included; one alone is 0. */
static void ramp(float *out, sow_index n, float end)
{
    const float step = n > 1 ? end / (float)(n - 1) : 0;
    if (n == 1) end = 0;
    const sow_index whole = n / BLOCK * BLOCK, middle = n / 2;
    for (sow_index i = 0; i < n; i++) {
        const sow_index from = i < whole ? i / LANES * LANES : i;
        const float first = from < middle ? step * (float)from : fmaf(-step, (float)(n - 1 - from), end);
        out[i] = first + (float)(i - from) * step;
    }
}

/* 0 before `from`, the ramp over from .. to - 1, `most` from `to` on. */
static void ramp_between(float *out, sow_index epochs, sow_index from, sow_index to, double most)
{
    for (sow_index i = 0; i < epochs; i++) out[i] = i < from ? 0 : (float)most;
    if (from < to && to <= epochs) ramp(out + from, to - from, (float)most);
}

void sow_morph_schedules(float *alpha, float *beta, const sow_morph_schedule *s)
{
    ramp_between(alpha, s->epochs, s->alpha_zero, s->epochs / 2, s->alpha_max);
    ramp_between(beta, s->epochs, s->beta_zero, s->epochs, s->beta_max);
}
