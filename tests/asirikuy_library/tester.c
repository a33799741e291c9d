/* The stand-in of the tester: market orders over bars, one call at each bar's open, stops on the bar before. */
#include "abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double open, high, low, close, volume, swapLong, swapShort;
    int time;
} ASTRates;

typedef struct {
    double spread;
    int fromDate, toDate, calculateExpectancy;
} TestSettings;

typedef struct {
    int testId, no, time, type, orderId;
    double lots, price, sl, tp, profit, balance;
} TradeSignal;

typedef struct {
    int testId, totalTrades;
    double cagr, sharpe, martin, riskReward, winning, finalBalance, maxDDDepth, maxDDLength, pf, r2, ulcerIndex, avgTradeDuration;
    int numShorts, numLongs;
    double yearsTraded;
    char symbol[5000];
} TestResult;

_Static_assert(sizeof(ASTRates) == 64 && sizeof(TestSettings) == 24, "sizes of the interface");
_Static_assert(sizeof(TradeSignal) == 72 && sizeof(TestResult) == 5120, "sizes of the interface");

typedef void (*OnUpdate)(int testId, double percent, COrderInfo order, double balance, char *symbol);
typedef void (*OnFinished)(TestResult result);
typedef void (*OnSignal)(TradeSignal signal);

enum { BUY_EVENT, SELL_EVENT, MODIFY_EVENT, CLOSE_EVENT, STOP_EVENT, TARGET_EVENT, MAX_ORDERS = 200 };

typedef struct { /* one system of a portfolio, and what all share */
    double *settings, *account, *balance, contract, spread, smallestLot;
    COrderInfo orders[MAX_ORDERS + 1]; /* open ones, oldest first as the original's */
    int count, *tickets, *events;
    TestResult *result;
    OnSignal onSignal;
} System;

static void tell(System *system, int type, int now, const COrderInfo *order, double price, double profit) {
    TradeSignal signal = {1, (*system->events)++, now, type, (int)order->ticket, order->lots, price, order->stopLoss,
                          order->takeProfit, profit, *system->balance};
    if (system->onSignal) system->onSignal(signal);
}

static void finish(System *system, int at, int type, int now, double price) {
    COrderInfo order = system->orders[at];
    double sign = order.type == 0 ? 1 : -1, profit = sign * (price - order.openPrice) * order.lots * system->contract;
    *system->balance += profit;
    system->result->totalTrades++;
    *(order.type == 0 ? &system->result->numLongs : &system->result->numShorts) += 1;
    system->result->winning += profit > 0;
    memmove(&system->orders[at], &system->orders[at + 1], sizeof order * (size_t)(--system->count - at));
    memset(&system->orders[system->count], 0, sizeof order);
    tell(system, type, now, &order, price, profit);
}

static void checkStops(System *system, const ASTRates *bar, int now) {
    for (int i = system->count - 1; i >= 0; i--) {
        COrderInfo *order = &system->orders[i];
        int isBuy = order->type == 0;
        double low = bar->low + (isBuy ? 0 : system->spread), high = bar->high + (isBuy ? 0 : system->spread);
        double worst = isBuy ? low : -high, best = isBuy ? high : -low, sign = isBuy ? 1 : -1;
        if (order->stopLoss != 0 && worst <= sign * order->stopLoss) finish(system, i, STOP_EVENT, now, order->stopLoss);
        else if (order->takeProfit != 0 && best >= sign * order->takeProfit) finish(system, i, TARGET_EVENT, now, order->takeProfit);
    }
}

static void openOrder(System *system, int isBuy, const StrategyResults *row, int now, double price) {
    if (row->lots < system->smallestLot || system->count == MAX_ORDERS) return;
    double sign = isBuy ? 1 : -1;
    COrderInfo *order = &system->orders[system->count++];
    *order = (COrderInfo){
        .ticket = ++*system->tickets, .instanceId = system->settings[STRATEGY_INSTANCE_ID], .type = !isBuy, .openTime = now,
        .openPrice = price, .lots = row->lots, .isOpen = 1,
        .stopLoss = row->brokerSL > 0 ? price - sign * row->brokerSL : 0,
        .takeProfit = row->brokerTP > 0 ? price + sign * row->brokerTP : 0,
    };
    tell(system, isBuy ? BUY_EVENT : SELL_EVENT, now, order, price, 0);
}

static void changeOrders(System *system, int isBuy, int bits, const StrategyResults *row, int now, double bid, double ask) {
    double sign = isBuy ? 1 : -1, price = isBuy ? ask : bid;
    for (int i = system->count - 1; i >= 0; i--) {
        COrderInfo *order = &system->orders[i];
        if (order->type != !isBuy || (row->ticketNumber > 0 && row->ticketNumber != order->ticket)) continue;
        if (bits & CLOSE_BUY) {
            finish(system, i, CLOSE_EVENT, now, isBuy ? bid : ask);
        } else if (bits & UPDATE_BUY) {
            if (row->brokerSL >= 0) order->stopLoss = row->brokerSL > 0 ? price - sign * row->brokerSL : 0;
            if (row->brokerTP >= 0) order->takeProfit = row->brokerTP > 0 ? price + sign * row->brokerTP : 0;
            tell(system, MODIFY_EVENT, now, order, price, 0);
        }
    }
}

static void act(System *system, const StrategyResults *row, int now, double bid, double ask) {
    int bits = (int)row->tradingSignals;
    for (int side = 0; side < 2; side++, bits >>= 16) { /* buys first; opens before closes, as the original */
        int before = system->count;
        if (bits & OPEN_BUY) openOrder(system, !side, row, now, side ? bid : ask);
        COrderInfo made = system->orders[before];
        int isNew = system->count > before;
        if (isNew) system->count--;
        changeOrders(system, !side, bits, row, now, bid, ask);
        if (isNew) system->orders[system->count++] = made;
    }
}

/* Bars up to one of them, that one with its open only. */
static CRates *window(const ASTRates *rates, int size, int at) {
    CRates *bars = calloc((size_t)size, sizeof *bars);
    for (int i = 0; i < size; i++) {
        const ASTRates *from = &rates[at - size + 1 + i];
        bars[i] = (CRates){.open = from->open, .high = from->high, .low = from->low, .close = from->close,
                           .volume = from->volume, .time = from->time};
    }
    CRates *last = &bars[size - 1];
    last->high = last->low = last->close = last->open;
    last->volume = 0;
    return bars;
}

static void step(System *system, char *symbol, char *currency, char *broker, char *reference, CRatesInfo *info, ASTRates **rates, int at) {
    const ASTRates *bar = &rates[0][at];
    int rows = (int)system->settings[MAX_OPEN_ORDERS], counts[6] = {0}, now = bar->time;
    double bidAsk[6] = {bar->open, bar->open + system->spread, 1, 1, 1, 1};
    CRates *bars[RATES_ARRAYS] = {NULL};
    for (int i = 0; i < RATES_ARRAYS; i++)
        if (rates[i] && info[i].isEnabled != 0) bars[i] = window(rates[i], (int)info[i].ratesArraySize, at);
    StrategyResults *results = calloc((size_t)rows + 1, sizeof *results);
    system->account[1] = system->account[2] = *system->balance;
    int code = c_runStrategy(system->settings, symbol, currency, broker, reference, &now, counts, system->orders, system->account,
                             bidAsk, info, bars[0], bars[1], bars[2], bars[3], bars[4], bars[5], bars[6], bars[7], bars[8],
                             bars[9], (double *)results);
    for (int i = 0; code == SUCCESS && i < rows; i++) act(system, &results[i], now, bidAsk[0], bidAsk[1]);
    for (int i = 0; i < RATES_ARRAYS; i++) free(bars[i]);
    free(results);
}

void getCTesterFrameworkVersion(int *major, int *minor, int *bugfix) { *major = 1, *minor = 2, *bugfix = 1; }

int initCTesterFramework(char *logPath, int severity) {
    FILE *file = fopen(logPath, "a");
    if (!file) return 3012;
    fprintf(file, "severity %d\n", severity);
    fclose(file);
    return SUCCESS;
}

static int enough(const CRatesInfo *info, int at) {
    for (int i = 0; i < RATES_ARRAYS; i++)
        if (info[i].isEnabled != 0 && at + 1 < info[i].ratesArraySize) return 0;
    return 1;
}

static int initialise(const char *symbol, int id) {
    char path[600];
    snprintf(path, sizeof path, "./tmp/%s_%d/AsirikuyConfig.xml", symbol, id);
    FILE *file = fopen(path, "r");
    if (file) fclose(file);
    return initInstanceC(id, 1, file ? path : "./config/AsirikuyConfig.xml", "");
}

TestResult runPortfolioTest(int testId, double **settings, char **symbols, char *currency, char *broker, char *reference,
                            double **accounts, TestSettings *tests, CRatesInfo **infos, int candles, int count,
                            ASTRates ***rates, double smallestLot, OnUpdate onUpdate, OnFinished onFinished, OnSignal onSignal) {
    TestResult result = {.testId = count};
    double balance = accounts[0][1];
    int tickets = 0, events = 0;
    System *systems = calloc((size_t)count, sizeof *systems);
    (void)testId;
    for (int i = 0; i < count; i++) {
        systems[i] = (System){.settings = settings[i], .account = accounts[i], .balance = &balance, .contract = accounts[i][5],
                              .spread = tests[i].spread, .smallestLot = smallestLot, .tickets = &tickets, .events = &events,
                              .result = &result, .onSignal = onSignal};
        if (initialise(symbols[i], (int)settings[i][STRATEGY_INSTANCE_ID]) != SUCCESS) candles = 0;
    }
    for (int at = 1; at < candles; at++) {
        for (int i = 0; i < count; i++) {
            int now = rates[i][0][at].time;
            if (now < tests[i].fromDate || now > tests[i].toDate || !enough(infos[i], at)) continue;
            checkStops(&systems[i], &rates[i][0][at - 1], now);
            step(&systems[i], symbols[i], currency, broker, reference, infos[i], rates[i], at);
        }
        if (onUpdate) onUpdate(count, 100.0 * at / candles, systems[0].orders[0], balance, symbols[0]);
    }
    result.finalBalance = balance;
    if (result.totalTrades) result.winning *= 100.0 / result.totalTrades;
    snprintf(result.symbol, sizeof result.symbol, "%s", symbols[0]);
    free(systems);
    if (onFinished) onFinished(result);
    return result;
}

typedef struct {
    int population;
    double crossover, mutation, migration;
    int evolutionaryMode, elitismMode, mutationMode, crossoverMode, maxGenerations, stopIfConverged, discardAssymetricSets;
    int minTradesAYear, optimizationGoal;
} GeneticOptimizationSettings;
_Static_assert(sizeof(GeneticOptimizationSettings) == 72, "size of the interface");

typedef struct {
    int index;
    double start, step, stop;
} OptimizationParam;
_Static_assert(sizeof(OptimizationParam) == 32, "size of the interface");

typedef void (*OnOptimized)(TestResult result, double *pairs, int count);
static volatile int isStopped;

void stopOptimization(void) { isStopped = 1; }

/* Exhaustive, over the first parameter only. */
int runOptimizationMultipleSymbols(OptimizationParam *parameters, int parameterCount, int type, GeneticOptimizationSettings search,
                                   int threads, double *settings, char **symbols, char *currency, char *broker, char *reference,
                                   double *account, TestSettings *tests, CRatesInfo **infos, int candles, int count,
                                   ASTRates ***rates, double smallestLot, OnOptimized onOptimized, OnFinished onFinished, char **error) {
    (void)type, (void)search, (void)threads, (void)onFinished, (void)error;
    if (!parameterCount || !count) return 3017;
    isStopped = 0;
    double start = account[1];
    for (double value = parameters[0].start; value <= parameters[0].stop && !isStopped; value += parameters[0].step) {
        double pair[2] = {parameters[0].index, value};
        settings[parameters[0].index] = value;
        account[1] = start;
        TestResult result = runPortfolioTest(0, &settings, symbols, currency, broker, reference, &account, tests, infos, candles, 1,
                                             rates, smallestLot, NULL, NULL, NULL);
        onOptimized(result, pair, 1);
    }
    return SUCCESS;
}
