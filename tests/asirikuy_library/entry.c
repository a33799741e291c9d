/* Life of an instance, and the way of a call: what is checked, in which order, and when nothing is written. */
#include "standin.h"

#include <stdio.h>
#include <string.h>

enum { MAX_INSTANCES = 200 };
static Instance instances[MAX_INSTANCES];
static int isInitialised;

static Instance *find(int id) {
    for (int i = 0; i < MAX_INSTANCES; i++)
        if (instances[i].used && instances[i].id == id) return &instances[i];
    return NULL;
}

static Instance *findOrAdd(int id) {
    Instance *found = find(id);
    for (int i = 0; !found && i < MAX_INSTANCES; i++)
        if (!instances[i].used) {
            found = &instances[i];
            found->used = 1;
            found->id = found->state.instanceId = id;
        }
    return found;
}

void getFrameworkVersion(int *major, int *minor, int *bugfix) {
#ifndef VERSION_MAJOR
#define VERSION_MAJOR 4
#endif
    *major = VERSION_MAJOR;
    *minor = 5;
    *bugfix = 10;
}

int initInstanceC(int id, int isTesting, char *configPath, char *accountName) {
    if (!isInitialised) { /* a later path is ignored */
        int failed = readConfig(configPath, accountName);
        if (failed) return failed;
        fprintf(stderr, "[DEBUG] logger initialised\n");
        isInitialised = 1;
    }
    Instance *instance = findOrAdd(id);
    if (!instance) return TOO_MANY_INSTANCES;
    forgetRates(instance);
    if (isTesting) {
        memset(&instance->state, 0, sizeof instance->state);
        instance->state.instanceId = id;
        writeState(instance);
    } else {
        readState(instance);
    }
    return SUCCESS;
}

int initInstanceMQL5(int id, int isTesting, char *configPath) {
    return initInstanceC(id, isTesting, configPath, "");
}

int initInstanceMQL4(int id, int isTesting, Mql4String *configPath) {
    return initInstanceC(id, isTesting, configPath->string, "");
}

void deinitInstance(int id) {
    Instance *instance = find(id);
    if (instance) forgetRates(instance);
}

static int settingsAreValid(const double *s) {
    return (s[IS_BACKTESTING] == 0 || s[IS_BACKTESTING] == 1) && (s[DISABLE_COMPOUNDING] == 0 || s[DISABLE_COMPOUNDING] == 1) &&
           s[MAX_OPEN_ORDERS] >= 0 && s[TIMED_EXIT_BARS] >= 0 && s[STRATEGY_INSTANCE_ID] >= 0 &&
           s[ORDERINFO_ARRAY_SIZE] >= 0;
}

static int runsAgain(const Run *run, int isLive) {
    if (run->settings[RUN_EVERY_TICK] != 0) return 1;
    if (!isLive) return 0;
    if (takeOrderFailure(run->instance->id)) return 1;
    for (int i = 0; i < run->orderCount; i++) {
        const COrderInfo *order = &run->orders[i];
        if (order->isOpen && run->settings[USE_SL] != 0 && order->stopLoss == 0) return 1;
        if (order->isOpen && run->settings[USE_TP] != 0 && order->takeProfit == 0) return 1;
    }
    return 0;
}

static int runOn(Run *run, const Call *call) {
    int isLive = run->settings[IS_BACKTESTING] == 0;
    int failed = isLive ? checkClock(call->now, call->broker) : SUCCESS;
    if (isLive) writeHeartbeat(run->instance->id);
    if (failed) return failed;
    if (run->bidAsk[0] < 1e-9 || run->bidAsk[1] < 1e-9) return BID_ASK_IS_ZERO;
    if (isClosed(toReference(call, call->now), run->symbol)) {
        logLine("CRITICAL", "%s: the market is closed", run->symbol);
        return SUCCESS;
    }
    failed = updateRates(run->instance, call);
    if (failed) return failed;
    Series *primary = &run->instance->series[0];
    unsigned int bar = primary->time[primary->size - 1];
    if (bar == run->instance->state.lastRunTime && !runsAgain(run, isLive)) return SUCCESS;
    int answer = misbehave(run);
    if (answer >= 0) return answer;
    failed = strategy(run);
    if (failed) return failed;
    run->instance->state.lastRunTime = bar;
    if (isLive) {
        writeState(run->instance);
        writeUi(run);
    }
    if (run->resultRows && run->results[0].ticketNumber > 0) printf("1");
    return SUCCESS;
}

int c_runStrategy(double *settings, char *symbol, char *currency, char *broker, char *reference, int *brokerTime,
                  int *openOrders, COrderInfo *orders, double *account, double *bidAsk, CRatesInfo *info, CRates *r0,
                  CRates *r1, CRates *r2, CRates *r3, CRates *r4, CRates *r5, CRates *r6, CRates *r7, CRates *r8,
                  CRates *r9, double *results) {
    CRates *rates[RATES_ARRAYS] = {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9};
    if (settings[OPERATIONAL_MODE] == 0) return SUCCESS;
    if (!symbol || !currency || !broker || !reference) return NULL_POINTER;
    if (!settingsAreValid(settings)) return INVALID_PARAMETER;
    (void)*(volatile int *)openOrders; /* NULL ends the process */
    Instance *instance = find((int)settings[STRATEGY_INSTANCE_ID]);
    if (!instance) return UNKNOWN_INSTANCE_ID;
    Call call = {findZone(broker), findZone(reference), *brokerTime, symbol, info, rates};
    if (!call.broker || !call.reference) return UNKNOWN_TIMEZONE;
    Run run = {
        .instance = instance, .settings = settings, .account = account, .bidAsk = bidAsk, .symbol = symbol,
        .orders = orders, .results = (StrategyResults *)results, .orderCount = (int)settings[ORDERINFO_ARRAY_SIZE],
        .resultRows = (int)settings[MAX_OPEN_ORDERS],
    };
    beginCall();
    int code = runOn(&run, &call);
    endCall();
    return code;
}

int jf_runStrategy(double *settings, double *results) {
    (void)settings, (void)results;
    return SUCCESS;
}
