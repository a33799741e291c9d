/* Averages of whole columns, and where they cross: averages.py, in C. */

#ifndef ATRADER_VECTOR_AVERAGES_H
#define ATRADER_VECTOR_AVERAGES_H

#include "_shared.h"

#include <string.h>

#define STRETCH 128 /* bars worked on in one go */

VECTORISED static void moving_average(const int32_t *values, int64_t count, int64_t period, double *out) {
    int64_t sum = 0, known = period - 1 < count ? period - 1 : count;
    for (int64_t i = 0; i < known; i++) {
        sum += values[i];
        out[i] = NAN;
    }
    for (int64_t i = known; i < count; i++) {
        sum += values[i];
        out[i] = (double)sum / (double)period;
        sum -= values[i - known];
    }
}

/* Wilder's average of the true ranges: their seed is a mean, each later one (last * (n - 1) + range) / n. */
static void average_range(const int32_t *high, const int32_t *low, const int32_t *close, int64_t count, int64_t period,
                          double *out) {
    double kept = (double)(period - 1), whole = (double)period, last = 0.0;
    for (int64_t i = 0; i < count; i++) {
        int32_t before = i ? close[i - 1] : high[i];
        int32_t top = high[i] > before ? high[i] : before, bottom = low[i] < before ? low[i] : before;
        double range = (double)(top - bottom);
        if (i > period) {
            last = (last * kept + range) / whole;
        } else {
            last += i ? range : 0.0;
            if (i == period) last /= whole;
        }
        out[i] = i < period ? NAN : last;
    }
}

typedef struct {
    int32_t *bars;
    int8_t *sides;
    int64_t count, room;
} Crossings;

static inline void note(Crossings *found, int64_t bar, int side) {
    if (found->count < found->room) {
        found->bars[found->count] = (int32_t)bar;
        found->sides[found->count] = (int8_t)side;
    }
    found->count++;
}

enum { UNKNOWN = 2, GROUP = 16 };

typedef double Doubles __attribute__((vector_size(32)));
typedef int64_t Longs __attribute__((vector_size(32)));

/* Note the crossings of two columns in a stretch; was: which one was above before it (1, -1, 0 none, or UNKNOWN). */
VECTORISED static int compare(const double *fast, const double *slow, int64_t first, int64_t size, int was,
                              Crossings *found) {
    for (int64_t k = 0; k < size; k += GROUP) {
        int64_t end = size - k < GROUP ? size : k + GROUP;
        if (end == k + GROUP && (was == 1 || was == -1)) {
            const double *upper = was > 0 ? fast + k : slow + k, *under = was > 0 ? slow + k : fast + k;
            Longs stays = {-1, -1, -1, -1};
            for (int at = 0; at < GROUP; at += 4) {
                Doubles more, less;
                memcpy(&more, upper + at, sizeof more);
                memcpy(&less, under + at, sizeof less);
                stays &= more > less;
            }
            if (stays[0] & stays[1] & stays[2] & stays[3]) continue;
        }
        for (int64_t at = k; at < end; at++) {
            bool is_known = fast[at] == fast[at] && slow[at] == slow[at];
            int is = is_known ? (fast[at] > slow[at]) - (fast[at] < slow[at]) : UNKNOWN;
            if (is != was && is != 0 && is_known && was != UNKNOWN) note(found, first + at, is);
            was = is;
        }
    }
    return was;
}

/* One block of an average, given the sum of the period - 1 values before it (fewer at the beginning). */
VECTORISED static void average_block(const int32_t *values, int64_t first, int64_t size, int64_t period, int64_t *sum,
                                     double *out) {
    int64_t sums[STRETCH];
    for (int64_t k = 0; k < size; k++) {
        int64_t i = first + k;
        *sum += values[i];
        sums[k] = *sum;
        if (i >= period - 1) *sum -= values[i - period + 1];
    }
    for (int64_t k = 0; k < size; k++) out[k] = (double)sums[k] / (double)period;
    for (int64_t k = 0; k < size && first + k < period - 1; k++) out[k] = NAN;
}

/* Crossings of many pairs of averages, block by block, so that the averages stay in the cache. */
static void grid_crossings(const int32_t *values, int64_t count, const int64_t *periods, int64_t period_count,
                           const int32_t *pairs, int64_t pair_count, Crossings *found, double *averages, int64_t *sums,
                           int8_t *last) {
    for (int64_t first = 0; first < count; first += STRETCH) {
        int64_t size = count - first < STRETCH ? count - first : STRETCH;
        for (int64_t p = 0; p < period_count; p++)
            average_block(values, first, size, periods[p], &sums[p], averages + p * STRETCH);
        for (int64_t pair = 0; pair < pair_count; pair++) {
            const double *fast = averages + pairs[2 * pair] * STRETCH, *slow = averages + pairs[2 * pair + 1] * STRETCH;
            last[pair] = (int8_t)compare(fast, slow, first, size, last[pair], &found[pair]);
        }
    }
}

VECTORISED static void average_crossings(const int32_t *values, int64_t count, int64_t fast, int64_t slow, Crossings *found) {
    int64_t longest = fast > slow ? fast : slow;
    if (count < longest) return;
    int64_t fast_sum = 0, slow_sum = 0;
    for (int64_t i = longest - fast; i < longest; i++) fast_sum += values[i];
    for (int64_t i = longest - slow; i < longest; i++) slow_sum += values[i];
    int64_t apart = fast_sum * slow - slow_sum * fast, moves[STRETCH];
    int32_t fast_bars = (int32_t)fast, slow_bars = (int32_t)slow;
    bool above = apart > 0, below = apart < 0;
    for (int64_t first = longest; first < count; first += STRETCH) {
        const int32_t *now = values + first;
        int64_t size = count - first < STRETCH ? count - first : STRETCH;
        for (int64_t k = 0; k < size; k++)
            moves[k] = (int64_t)(now[k] - now[k - fast]) * slow_bars - (int64_t)(now[k] - now[k - slow]) * fast_bars;
        for (int64_t k = 0; k < size; k++) {
            apart += moves[k];
            bool is_above = apart > 0, is_below = apart < 0;
            if (is_above == above && is_below == below) continue;
            if (is_above && !above) note(found, first + k, 1);
            if (is_below && !below) note(found, first + k, -1);
            above = is_above;
            below = is_below;
        }
    }
}

#endif
