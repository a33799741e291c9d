/* The entry points of MetaTrader: other bars and strings, the same way. */
#include "abi.h"

#include <stdlib.h>

#define RATES_PARAMETERS(type) \
    type *r0, type *r1, type *r2, type *r3, type *r4, type *r5, type *r6, type *r7, type *r8, type *r9
#define RUN(symbol, currency, broker, reference, r)                                                               \
    c_runStrategy(settings, symbol, currency, broker, reference, brokerTime, openOrders, orders, account, bidAsk, \
                  info, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], results)
#define CONVERT(name, type, volumeField)                                                                           \
    static CRates *name(const type *from, const CRatesInfo *info) {                                                \
        int count = from && info->isEnabled ? (int)info->ratesArraySize : 0;                                       \
        CRates *to = calloc(count + 1, sizeof *to);                                                                \
        for (int i = 0; i < count; i++)                                                                            \
            to[i] = (CRates){.open = from[i].open, .high = from[i].high, .low = from[i].low, .close = from[i].close, \
                             .volume = (double)from[i].volumeField, .time = (int)from[i].time};                    \
        return to;                                                                                                 \
    }

CONVERT(fromMql5, Mql5Rates, tickVolume)
CONVERT(fromMql4, Mql4Rates, volume)

int mql5_runStrategy(double *settings, char *symbol, char *currency, char *broker, char *reference, int *brokerTime,
                     int *openOrders, COrderInfo *orders, double *account, double *bidAsk, CRatesInfo *info,
                     RATES_PARAMETERS(Mql5Rates), double *results) {
    Mql5Rates *from[] = {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9};
    CRates *to[RATES_ARRAYS];
    for (int i = 0; i < RATES_ARRAYS; i++) to[i] = fromMql5(from[i], &info[i]);
    int code = RUN(symbol, currency, broker, reference, to);
    for (int i = 0; i < RATES_ARRAYS; i++) free(to[i]);
    return code;
}

int mql4_runStrategy(double *settings, Mql4String *symbol, Mql4String *currency, Mql4String *broker,
                     Mql4String *reference, int *brokerTime, int *openOrders, COrderInfo *orders, double *account,
                     double *bidAsk, CRatesInfo *info, RATES_PARAMETERS(Mql4Rates), double *results) {
    Mql4Rates *from[] = {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9};
    CRates *to[RATES_ARRAYS];
    for (int i = 0; i < RATES_ARRAYS; i++) to[i] = fromMql4(from[i], &info[i]);
    int code = RUN(symbol->string, currency->string, broker->string, reference->string, to);
    for (int i = 0; i < RATES_ARRAYS; i++) free(to[i]);
    return code;
}
