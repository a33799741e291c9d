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

typedef struct {
    const int32_t *high, *low, *close;
    double kept, whole; /* (last * kept + range) / whole is the next average */
    double *out;
} Averages;

/* The true range of a bar that has one before it. */
static inline double value_at(const Averages *a, int64_t bar) {
    int32_t before = a->close[bar - 1], high = a->high[bar], low = a->low[bar];
    return (double)((high > before ? high : before) - (low < before ? low : before));
}

#include "atrader/headers/_wilder.h"

/* Wilder's average of the true ranges: their seed is a mean, each later one (last * (n - 1) + range) / n. */
static void average_range(const int32_t *high, const int32_t *low, const int32_t *close, int64_t count, int64_t period,
                          double *out) {
    Averages a = {high, low, close, (double)(period - 1), (double)period, out};
    double last = 0.0;
    int64_t bar = 0;
    for (; bar < count && bar <= period; bar++) {
        last += bar ? value_at(&a, bar) : 0.0;
        out[bar] = NAN;
    }
    if (bar <= period) return;
    out[period] = last /= a.whole;
    average_all(&a, last, bar, count);
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

enum { UNKNOWN = 2, GROUP = 16, FEW = 8 };

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
        /* A bit for each bar: without branches, as nobody foretells in which of them it crosses. */
        uint32_t above = 0, below = 0, known = 0;
        for (int64_t at = k; at < end; at++) {
            above |= (uint32_t)(fast[at] > slow[at]) << (at - k);
            below |= (uint32_t)(fast[at] < slow[at]) << (at - k);
            known |= (uint32_t)(fast[at] == fast[at] && slow[at] == slow[at]) << (at - k);
        }
        uint32_t up = above & ~(above << 1 | (was == 1)), down = below & ~(below << 1 | (was == -1));
        for (uint32_t at = (up | down) & (known << 1 | (was != UNKNOWN)); at; at &= at - 1) {
            int place = __builtin_ctz(at);
            note(found, first + k + place, up >> place & 1 ? 1 : -1);
        }
        uint32_t last = 1u << (end - k - 1);
        was = !(known & last) ? UNKNOWN : above & last ? 1 : below & last ? -1 : 0;
    }
    return was;
}

#ifdef MAY_HAVE_AVX2
#include <immintrin.h>

enum { WIDE = 32 };

/* Tell whether one column is above another at each of so many bars; both were rounded, which never turns an order round. */
__attribute__((target("avx2"))) static inline bool is_above(const float *upper, const float *under) {
    __m256 all = _mm256_cmp_ps(_mm256_loadu_ps(upper), _mm256_loadu_ps(under), _CMP_GT_OQ);
    for (int at = 8; at < WIDE; at += 8)
        all = _mm256_and_ps(all, _mm256_cmp_ps(_mm256_loadu_ps(upper + at), _mm256_loadu_ps(under + at), _CMP_GT_OQ));
    return _mm256_movemask_ps(all) == 0xff;
}

/* A bit for each bar at which one column is above another. */
__attribute__((target("avx2"))) static inline uint32_t bits_above(const double *upper, const double *under) {
    uint32_t bits = 0;
    for (int at = 0; at < WIDE; at += 4) {
        __m256d is = _mm256_cmp_pd(_mm256_loadu_pd(upper + at), _mm256_loadu_pd(under + at), _CMP_GT_OQ);
        bits |= (uint32_t)_mm256_movemask_pd(is) << at;
    }
    return bits;
}

/* What compare does, for a whole stretch of columns that are known there and one bar before. The rounded columns tell of
   most bars that nothing crosses in them, and are half as much to look at. */
__attribute__((target("avx2"))) static int compare_known(const double *fast, const double *slow, const float *near_fast,
                                                         const float *near_slow, int64_t first, int was,
                                                         Crossings *found) {
    for (int64_t k = 0; k < STRETCH; k += WIDE) {
        const float *upper = was > 0 ? near_fast : near_slow, *under = was > 0 ? near_slow : near_fast;
        if (was && is_above(upper + k, under + k)) continue;
        uint32_t above = bits_above(fast + k, slow + k), below = bits_above(slow + k, fast + k);
        uint32_t up = above & ~(above << 1 | (was > 0)), down = below & ~(below << 1 | (was < 0));
        for (uint32_t at = up | down; at; at &= at - 1) {
            int place = __builtin_ctz(at);
            note(found, first + k + place, up >> place & 1 ? 1 : -1);
        }
        was = (int)(above >> (WIDE - 1)) - (int)(below >> (WIDE - 1));
    }
    return was;
}
#else
static int compare_known(const double *fast, const double *slow, const float *near_fast, const float *near_slow,
                         int64_t first, int was, Crossings *found) {
    (void)near_fast;
    (void)near_slow;
    return compare(fast, slow, first, STRETCH, was, found);
}
#endif

/* Sums of the values since some bar: the difference of two is the sum of a window. */
typedef struct {
    double *sums; /* of the values before a bar; exact, as windows are no longer than LONGEST */
    int64_t room, first, end; /* the bars that have one */
} Totals;

enum { LONGEST = 1 << 21, MORE = 4096 };

/* Make room for the sums of more bars, if there is none for those of a stretch, and keep those of the last window. */
static void go_on_summing(Totals *t, const int32_t *values, int64_t count, int64_t end) {
    if (end < t->end) return;
    int64_t kept = t->end - t->first < t->room - MORE ? t->end - t->first : t->room - MORE;
    memmove(t->sums, t->sums + (t->end - t->first) - kept, (size_t)kept * sizeof(double));
    t->first = t->end - kept;
    double begin = t->sums[0];
    for (int64_t k = 0; k < kept; k++) t->sums[k] -= begin; /* so that they stay small */
    for (int64_t until = t->first + t->room; t->end < until && t->end <= count; t->end++)
        t->sums[t->end - t->first] = t->sums[t->end - t->first - 1] + values[t->end - 1];
}

/* One block of an average, as it is and rounded; NaN until there are values enough. */
VECTORISED static void average_block(const Totals *t, int64_t first, int64_t size, int64_t period, double *out,
                                     float *near) {
    int64_t missing = period - 1 - first;
    if (missing < 0) missing = 0;
    if (missing > size) missing = size;
    for (int64_t k = 0; k < missing; k++) out[k] = NAN;
    const double *ends = t->sums + (first + 1 - t->first), *begins = ends - period;
    double bars = (double)period;
    for (int64_t k = missing; k < size; k++) out[k] = (ends[k] - begins[k]) / bars;
    for (int64_t k = 0; k < size; k++) near[k] = (float)out[k];
}

/* Crossings of many pairs of averages, block by block, so that the averages stay in the cache. */
static void grid_crossings(const int32_t *values, int64_t count, const int64_t *periods, int64_t period_count,
                           int64_t longest, const int32_t *pairs, int64_t pair_count, Crossings *found, double *averages,
                           Totals *totals, int8_t *last) {
    float *rounded = (float *)(averages + period_count * STRETCH);
    bool is_wide = has_avx2();
    for (int64_t first = 0; first < count; first += STRETCH) {
        int64_t size = count - first < STRETCH ? count - first : STRETCH;
        go_on_summing(totals, values, count, first + size);
        for (int64_t p = 0; p < period_count; p++)
            average_block(totals, first, size, periods[p], averages + p * STRETCH, rounded + p * STRETCH);
        bool is_known = is_wide && size == STRETCH && first >= longest;
        for (int64_t pair = 0; pair < pair_count; pair++) {
            int64_t one = pairs[2 * pair] * STRETCH, other = pairs[2 * pair + 1] * STRETCH;
            const double *fast = averages + one, *slow = averages + other;
            const float *near_fast = rounded + one, *near_slow = rounded + other;
            last[pair] = (int8_t)(is_known
                                      ? compare_known(fast, slow, near_fast, near_slow, first, last[pair], &found[pair])
                                      : compare(fast, slow, first, size, last[pair], &found[pair]));
        }
    }
}

/* Move a sum by a few steps; note where it gets to another side, if there is room for a crossing at each. Without branches:
   nobody foretells in which step it crosses. Return the side it is on then. */
static inline int move_few(int64_t *sum, int was, const int64_t *moves, int64_t bar, Crossings *found) {
    int64_t apart = *sum, count = found->count;
    for (int k = 0; k < FEW; k++) {
        apart += moves[k];
        int is = (apart > 0) - (apart < 0);
        found->bars[count] = (int32_t)(bar + k);
        found->sides[count] = (int8_t)is;
        count += (is != 0) & (is != was);
        was = is;
    }
    *sum = apart;
    found->count = count;
    return was;
}

/* Move a sum if it stays on its side meanwhile; tell whether it does. */
static inline bool stays(int64_t *sum, bool is_above, const int64_t *moves) {
    int64_t beyond = (is_above ? *sum : -*sum) - 1, any = 0; /* negative on the other side, and at zero */
    if (is_above)
        for (int k = 0; k < FEW; k++) any |= beyond += moves[k];
    else
        for (int k = 0; k < FEW; k++) any |= beyond -= moves[k];
    if (any < 0) return false;
    *sum = is_above ? beyond + 1 : -beyond - 1;
    return true;
}

/* Where the averages cross: the sign of fast_sum * slow - slow_sum * fast, whole numbers, bar by bar. */
VECTORISED static void average_crossings(const int32_t *values, int64_t count, int64_t fast, int64_t slow, Crossings *found) {
    int64_t longest = fast > slow ? fast : slow;
    if (count < longest) return;
    int64_t fast_sum = 0, slow_sum = 0;
    for (int64_t i = longest - fast; i < longest; i++) fast_sum += values[i];
    for (int64_t i = longest - slow; i < longest; i++) slow_sum += values[i];
    int64_t apart = fast_sum * slow - slow_sum * fast, moves[STRETCH];
    int32_t fast_bars = (int32_t)fast, slow_bars = (int32_t)slow;
    int was = (apart > 0) - (apart < 0);
    for (int64_t first = longest; first < count; first += STRETCH) {
        const int32_t *now = values + first;
        int64_t size = count - first < STRETCH ? count - first : STRETCH;
        for (int64_t k = 0; k < size; k++)
            moves[k] = (int64_t)(now[k] - now[k - fast]) * slow_bars - (int64_t)(now[k] - now[k - slow]) * fast_bars;
        for (int64_t k = 0; k < size;) {
            int64_t end = size - k < FEW ? size : k + FEW;
            bool is_whole = end == k + FEW;
            if (is_whole && was && stays(&apart, was > 0, moves + k)) k = end;
            if (is_whole && k < end && found->count + FEW <= found->room) {
                was = move_few(&apart, was, moves + k, first + k, found);
                k = end;
            }
            for (; k < end; k++) {
                apart += moves[k];
                int is = (apart > 0) - (apart < 0);
                if (is && is != was) note(found, first + k, is);
                was = is;
            }
        }
    }
}

#endif
