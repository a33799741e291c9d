/* Wilder's averages of a whole column, in four parts at once.

   What it is an average of is told before this is included: `Averages`, with where they go (out) and the terms of a step
   (kept, whole), and `value_at`, the value of a row. So nothing is called, or copied, to get at a value. */

#ifndef ATRADER_WILDER_H
#define ATRADER_WILDER_H

#include "_steps.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline double next_average(const Averages *a, double last, int64_t at) {
    return wilder_step(last, value_at(a, at), a->kept, a->whole);
}

/* Go on from the average before a row; return the last one. Stops where it gets what is there already, if it may. */
static double average_part(const Averages *a, double last, int64_t first, int64_t end, bool is_again) {
    for (int64_t at = first; at < end; at++) {
        last = next_average(a, last, at);
        if (is_again && a->out[at] == last) return a->out[end - 1];
        a->out[at] = last;
    }
    return last;
}

enum { SIDE_BY_SIDE = 4, WARM_UP = 48 };

/* Each average waits for the one before it, so some parts of the column are worked on side by side: the later ones begin
   with what a while of values before them gives, which is mostly the same to the last bit, as averages forget. Where it
   is not they are done again, until both agree. */
static double average_parts(const Averages *a, double last, int64_t first, int64_t size, int64_t warm_up) {
    double now[SIDE_BY_SIDE] = {last}, guess[SIDE_BY_SIDE];
    for (int64_t k = -warm_up; k < 0; k++)
        for (int part = 1; part < SIDE_BY_SIDE; part++) now[part] = next_average(a, now[part], first + part * size + k);
    memcpy(guess, now, sizeof guess);
    for (int64_t k = 0; k < size; k++)
        for (int part = 0; part < SIDE_BY_SIDE; part++) {
            int64_t at = first + part * size + k;
            a->out[at] = now[part] = next_average(a, now[part], at);
        }
    last = now[0];
    for (int part = 1; part < SIDE_BY_SIDE; part++) {
        int64_t begin = first + part * size;
        last = last == guess[part] ? now[part] : average_part(a, last, begin, begin + size, true);
    }
    return last;
}

/* Put the averages of the rows from the first on, given the one before it, into out. */
static void average_all(const Averages *a, double last, int64_t first, int64_t count) {
    int64_t size = (count - first) / SIDE_BY_SIDE, warm_up = WARM_UP * (int64_t)a->whole;
    if (size > warm_up) {
        last = average_parts(a, last, first, size, warm_up);
        first += SIDE_BY_SIDE * size;
    }
    average_part(a, last, first, count, false);
}

#endif
