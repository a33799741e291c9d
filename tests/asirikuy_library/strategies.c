/* Strategies whose results follow from what was passed by one formula each. Number 29 and its two relatives take
 * TREND_MODE 200 to 204; any other mode looks at rates 0 to 5, as the original does, and says nothing. */
#include "standin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BARS = 19, TAKEOVER = 26, AUTOBBS = 29, AUTOBBSWEEKLY = 30, TRENDLIMIT = 31 };
enum { ROW = 200, AVERAGES = 201, METRONOME = 202, ECHO = 203, SCRIPT = 204 };
enum { ANY = -1, NEWEST = -2, BUYS = 0x1ff };

StrategyResults *nextRow(Run *run) { /* rows beyond the array are dropped without a word */
    return run->usedRows < run->resultRows ? &run->results[run->usedRows++] : NULL;
}

static void say(Run *run, int bits, double ticket, double lots, double sl, double tp) {
    StrategyResults *row = nextRow(run);
    if (!row) return;
    row->tradingSignals = bits;
    row->ticketNumber = ticket == NEWEST ? (run->orderCount ? run->orders[0].ticket : ANY) : ticket;
    row->lots = lots;
    row->brokerSL = sl;
    row->brokerTP = tp;
}

/* Settings 25..32: bits, ticket (-1 any, -2 the newest), lots, distance of a pending order's price from ask or bid,
 * stop, target, trailing, life in seconds. One row in each run. */
static void oneRow(Run *run) {
    const double *s = run->settings + ROW_SETTINGS;
    const Series *primary = &run->instance->series[0];
    int bits = (int)s[0];
    say(run, bits, s[1], s[2], s[4], s[5]);
    if (!run->usedRows) return;
    StrategyResults *row = &run->results[run->usedRows - 1];
    row->entryPrice = run->bidAsk[bits & BUYS ? 1 : 0] + s[3];
    row->useTrailingSL = s[6];
    row->expirationTime = s[7] ? (double)primary->time[primary->size - 1] + s[7] : 0;
}

static double average(const Series *of, int end, int count) {
    double sum = 0;
    for (int i = end - count; i < end; i++) sum += of->close[i];
    return sum / count;
}

/* Settings 25..29: fast and slow period, lots, stop, target. Crosses of averages over complete bars. */
static int crossOfAverages(Run *run) {
    const double *s = run->settings + ROW_SETTINGS;
    const Series *primary = &run->instance->series[0];
    int fast = (int)s[0], slow = (int)s[1], end = primary->size - 1;
    if (fast <= 0 || slow <= fast) return INVALID_PARAMETER;
    if (end <= slow) return NOT_ENOUGH_RATES_DATA;
    int isAbove = average(primary, end, fast) > average(primary, end, slow);
    int wasAbove = average(primary, end - 1, fast) > average(primary, end - 1, slow);
    if (isAbove && !wasAbove) say(run, CLOSE_SELL | OPEN_BUY, ANY, s[2], s[3], s[4]);
    if (!isAbove && wasAbove) say(run, CLOSE_BUY | OPEN_SELL, ANY, s[2], s[3], s[4]);
    return SUCCESS;
}

/* Settings 25, 27, 29, 30: period in bars, lots, stop, target. Bars are counted from 1970: a buy opens at each
 * multiple of the period and is closed half a period later. */
static int metronome(Run *run) {
    const double *s = run->settings + ROW_SETTINGS;
    const Series *primary = &run->instance->series[0];
    long bar = primary->time[primary->size - 1] / (primary->timeframe * 60L), period = (long)s[0];
    if (period < 2) return INVALID_PARAMETER;
    if (bar % period == 0) say(run, OPEN_BUY, ANY, s[2], s[4], s[5]);
    if (bar % period == period / 2) say(run, CLOSE_BUY, ANY, 0, 0, 0);
    return SUCCESS;
}

/* What was seen, as numbers in rows without bits: a row for each rates index (bars, first and last time, last bar's
 * prices, sum of closes, of volumes), one for prices, one for the account, one for each order. */
static void echo(Run *run) {
    double *row;
    for (int i = 0; i < RATES_ARRAYS && (row = (double *)nextRow(run)); i++) {
        const Series *series = &run->instance->series[i];
        int last = series->size - 1;
        if (last < 0) continue;
        double values[10] = {series->size, 0, (double)series->time[0], (double)series->time[last], series->open[last],
                             series->high[last], series->low[last], series->close[last]};
        for (int k = 0; k <= last; k++) values[8] += series->close[k], values[9] += series->volume[k];
        memcpy(row, values, sizeof values);
    }
    if ((row = (double *)nextRow(run))) memcpy(row, run->bidAsk, 6 * sizeof *row);
    if ((row = (double *)nextRow(run))) memcpy(row, run->account, 10 * sizeof *row);
    for (int i = 0; i < run->orderCount && (row = (double *)nextRow(run)); i++)
        memcpy(row, &run->orders[i], 10 * sizeof *row);
}

/* Lines of a file: time of a primary bar (or 0: every bar), bits, ticket, lots, entry price, stop, target. */
static int script(Run *run) {
    const char *name = getenv("ASIRIKUY_STANDIN_SCRIPT");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (!file) return INVALID_PARAMETER;
    const Series *primary = &run->instance->series[0];
    long when;
    int bits;
    double ticket, lots, entry, sl, tp;
    while (fscanf(file, "%ld %i %lf %lf %lf %lf %lf", &when, &bits, &ticket, &lots, &entry, &sl, &tp) == 7)
        if (!when || when == primary->time[primary->size - 1]) {
            say(run, bits, ticket, lots, sl, tp);
            if (run->usedRows) run->results[run->usedRows - 1].entryPrice = entry;
        }
    fclose(file);
    return SUCCESS;
}

static void recordBars(const Run *run) {
    char name[600], format[64];
    const Series *primary = &run->instance->series[0];
    int last = primary->size - 2;
    snprintf(format, sizeof format, cleanNames() ? "%.20s_%%d.csv" : "%.20s_\n%%d.csv", run->symbol);
    fileName(name, format, primary->timeframe);
    FILE *file = last >= 0 ? fopen(name, "a") : NULL;
    if (!file) return;
    fprintf(file, "%ld,%.10g,%.10g,%.10g,%.10g,%.10g\n", primary->time[last], primary->open[last], primary->high[last],
            primary->low[last], primary->close[last], primary->volume[last]);
    fclose(file);
}

/* Gives each open order without a stop one, at the distance of setting 1; targets stay. */
static void takeOver(Run *run) {
    for (int i = 0; i < run->orderCount; i++) {
        const COrderInfo *order = &run->orders[i];
        if (order->isOpen && order->stopLoss == 0)
            say(run, order->type == 0 ? UPDATE_BUY : UPDATE_SELL, order->ticket, 0, run->settings[1], -1);
    }
}

static int autobbs(Run *run) {
    switch ((int)run->settings[TREND_MODE]) {
        case ROW: oneRow(run); return SUCCESS;
        case AVERAGES: return crossOfAverages(run);
        case METRONOME: return metronome(run);
        case ECHO: echo(run); return SUCCESS;
        case SCRIPT: return script(run);
    }
    volatile double sum = 0;
    for (int i = 0; i <= 5; i++) sum += run->instance->series[i].close[0]; /* too few arrays end the process */
    return SUCCESS;
}

int strategy(Run *run) {
    switch ((int)run->settings[INTERNAL_STRATEGY_ID]) {
        case RECORD_BARS: recordBars(run); return SUCCESS;
        case TAKEOVER: takeOver(run); return SUCCESS;
        case AUTOBBS:
        case AUTOBBSWEEKLY:
        case TRENDLIMIT: return autobbs(run);
    }
    return INVALID_STRATEGY;
}
