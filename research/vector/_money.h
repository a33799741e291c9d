/* Money of the compiled execution: money.py, in C. */

#ifndef ATRADER_VECTOR_MONEY_H
#define ATRADER_VECTOR_MONEY_H

#include "_machine.h"

static int64_t half_even(wide numerator, int64_t denominator) {
    int64_t whole, rest;
    if (numerator == (int64_t)numerator) {
        whole = (int64_t)numerator / denominator;
        rest = (int64_t)numerator % denominator;
    } else {
        whole = (int64_t)(numerator / denominator);
        rest = (int64_t)(numerator % denominator);
    }
    if (rest < 0) {
        whole -= 1;
        rest += denominator;
    }
    uint64_t twice = 2 * (uint64_t)rest;
    return whole + (twice > (uint64_t)denominator || (twice == (uint64_t)denominator && (whole & 1)));
}

/* The same for denominators of any size: two fractions multiplied, as those of tiny ticks and of a margin of many digits. */
static int64_t half_even_of_wide(wide numerator, wide denominator) {
    if (denominator == (int64_t)denominator) return half_even(numerator, (int64_t)denominator);
    wide whole = numerator / denominator, rest = numerator % denominator;
    if (rest < 0) {
        whole -= 1;
        rest += denominator;
    }
    return (int64_t)(whole + (2 * rest > denominator || (2 * rest == denominator && (whole & 1))));
}

static double own_rate(int64_t middle_twice, double tick) {
    double rate = 2.0 / ((double)middle_twice * tick), scale = 1e11;
    while (rate * scale < 1e11) scale *= 10.0;
    while (rate * scale >= 1e12) scale /= 10.0;
    return rint(rate * scale) / scale;
}

static int64_t value(const Settings *s, int64_t product, double rate) {
    if (s->rate == HOME) return half_even((wide)product * s->value_num, s->value_den);
    return (int64_t)rint((double)product * s->value_scale * rate);
}

static int64_t commission_of(const Settings *s, int64_t product, double rate) {
    if (!s->commission_num) return 0;
    if (s->rate == HOME) return -half_even((wide)product * s->commission_num, s->commission_den);
    return -(int64_t)rint((double)product * s->commission_scale * rate);
}

static int64_t margin_of(const Settings *s, int64_t steps, int64_t middle_twice, double rate) {
    int64_t product = steps * middle_twice;
    if (s->rate == HOME)
        return half_even_of_wide((wide)product * s->value_num * s->margin_num, 2 * (wide)s->value_den * s->margin_den);
    double worth = (double)product * s->value_scale * rate;
    return (int64_t)rint(worth * (double)s->margin_num / (double)s->margin_den / 2.0);
}

static int64_t swap_of(const Settings *s, int64_t steps, int64_t middle_twice, double rate, double yearly, int days) {
    return (int64_t)rint((double)(steps * middle_twice) * s->value_scale * rate * yearly * (double)days / 730.0);
}

static int64_t steps_for_risk(const Settings *s, int64_t equity, int64_t risk, int64_t distance, double rate) {
    if (equity <= 0 || distance <= 0) return 0;
    int64_t wanted = s->most_steps;
    if (s->rate == HOME) {
        wide lost = (wide)distance * s->value_num * RISK_PARTS, sum;
        if (!__builtin_mul_overflow((wide)equity * risk, (wide)s->value_den, &sum) && sum / lost < wanted)
            wanted = (int64_t)(sum / lost);
    } else {
        double exact = (double)equity * ((double)risk * 1e-12) / ((double)distance * s->value_scale * rate);
        if (exact < (double)wanted) wanted = (int64_t)exact;
    }
    return wanted >= s->least_steps ? wanted : 0;
}

#endif
