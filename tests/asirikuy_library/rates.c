/* The bars of an instance: read whole once, then rolled by one; what is skipped stays a hole. */
#include "standin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MONDAY = 4 * 86400 /* the first Monday of the epoch */, WEEK = 10080 };

/* The original names every array and frees only those of index 0. */
void forgetRates(Instance *instance) {
    Series *primary = &instance->series[0];
    free(primary->time);
    free(primary->open), free(primary->high), free(primary->low), free(primary->close), free(primary->volume);
    memset(instance->series, 0, sizeof instance->series);
}

int isClosed(long when, const char *symbol) {
    time_t then = (time_t)when;
    struct tm at;
    gmtime_r(&then, &at);
    int holiday = (at.tm_mon == 11 && at.tm_mday == 25) || (at.tm_mon == 0 && at.tm_mday == 1);
    int weekend = (at.tm_wday == 0 || at.tm_wday == 6) && !strstr(symbol, "BTCUSD") && !strstr(symbol, "ETHUSD");
    return holiday || weekend;
}

long toReference(const Call *call, long brokerTime) {
    return brokerTime + (zoneOffset(call->reference, brokerTime) - zoneOffset(call->broker, brokerTime)) * 3600L;
}

static long bucket(long when, int minutes) {
    long seconds = minutes * 60L, origin = minutes == WEEK ? MONDAY : 0;
    return (when - origin) / seconds * seconds + origin;
}

static void put(Series *to, int at, const CRates *bar, long when) {
    to->time[at] = when;
    to->open[at] = bar->open;
    to->high[at] = bar->high;
    to->low[at] = bar->low;
    to->close[at] = bar->close;
    to->volume[at] = bar->volume;
}

static void widen(Series *to, const CRates *bar) {
    int last = to->size - 1;
    to->high[last] = fmax(to->high[last], bar->high);
    to->low[last] = fmin(to->low[last], bar->low);
}

static void append(Series *to, const CRates *bar, long when) {
    if (to->size == to->room) {
        size_t rest = (size_t)(--to->size) * sizeof(double);
        memmove(to->time, to->time + 1, rest);
        for (double **one = &to->open; one <= &to->volume; one++) memmove(*one, *one + 1, rest);
    }
    put(to, to->size++, bar, when);
}

static int allocate(Series *to, int room) {
    to->room = room;
    to->time = calloc((size_t)room, sizeof(long));
    for (double **one = &to->open; one <= &to->volume; one++) *one = calloc((size_t)room, sizeof(double));
    return to->time && to->volume;
}

/* The first call after an initialisation: all that is passed, built into bars of the timeframe that is wanted. */
static int readAll(Series *to, const CRatesInfo *info, const CRates *from, const Call *call) {
    int count = (int)info->ratesArraySize, wanted = (int)info->totalBarsRequired;
    if (count < floor(info->totalBarsRequired * 1.2 * info->requiredTimeframe / info->actualTimeframe)) return NOT_ENOUGH_RATES_DATA;
    if (!from) return NULL_POINTER;
    to->timeframe = (int)info->requiredTimeframe;
    if (to->timeframe <= 0 || !allocate(to, wanted + config.extension)) return NORMALIZE_BARS_FAILED;
    for (int i = 0; i < count; i++) {
        if (i && from[i].time <= from[i - 1].time) return NORMALIZE_BARS_FAILED;
        long when = toReference(call, from[i].time), at = bucket(when, to->timeframe);
        if (isClosed(when, call->symbol)) continue;
        if (to->size && to->time[to->size - 1] == at) {
            widen(to, &from[i]);
            to->close[to->size - 1] = from[i].close;
            to->volume[to->size - 1] += from[i].volume;
        } else {
            append(to, &from[i], at);
        }
    }
    return to->size >= wanted && to->size ? SUCCESS : NOT_ENOUGH_RATES_DATA;
}

/* Every later call: the last bar and the one before decide, whatever happened since the call before. */
static void roll(Series *to, int isPrimary, const CRates *from, int count, const Call *call) {
    const CRates *bar = &from[count - 1], *before = &from[count - 2];
    long at = bucket(toReference(call, bar->time), to->timeframe);
    long past = bucket(toReference(call, before->time), to->timeframe);
    int last = to->size - 1;
    if (at != to->time[last] && at != past) {
        if (isPrimary) put(to, last, before, past);
        append(to, bar, at);
        return;
    }
    widen(to, bar); /* same bar, or a boundary that nobody saw: the new one goes into the old */
    if (!isPrimary) to->close[last] = bar->close;
}

int updateRates(Instance *instance, const Call *call) {
    const CRatesInfo *info = call->info;
    CRates *const *rates = call->rates;
    for (int i = 0; i < RATES_ARRAYS; i++) {
        Series *series = &instance->series[i];
        int count = (int)info[i].ratesArraySize, isNew = !series->size;
        if (info[i].isEnabled == 0) continue;
        int failed = isNew ? readAll(series, &info[i], rates[i], call) : SUCCESS;
        if (failed) {
            memset(series, 0, sizeof *series);
            return failed;
        }
        if (!isNew && count > 1) roll(series, i == 0, rates[i], count, call);
    }
    return instance->series[0].size ? SUCCESS : NOT_ENOUGH_RATES_DATA;
}
