/* The interface of the framework library, as a caller sees it: structs, codes, bits, entry points. */
#ifndef ABI_H
#define ABI_H

/* A build with OTHER_SIZES=1..4 has one struct that is larger: a library of another interface. */
#ifndef OTHER_SIZES
#define OTHER_SIZES 0
#endif
#define GROWS(n) double other[OTHER_SIZES == (n)]

typedef struct {
    double open, high, low, close, volume;
    int time;
    GROWS(1);
} CRates;

typedef struct {
    double ticket, instanceId, type, openTime, closeTime, stopLoss, takeProfit, expiration;
    double openPrice, closePrice, lots, profit, commission, swap, isOpen;
    GROWS(2);
} COrderInfo;

typedef struct {
    double isEnabled, requiredTimeframe, totalBarsRequired, actualTimeframe, ratesArraySize, point, digits;
    GROWS(3);
} CRatesInfo;

typedef struct {
    double ticketNumber, tradingSignals, lots, entryPrice, brokerSL, brokerTP;
    double internalSL, internalTP, useTrailingSL, expirationTime;
    GROWS(4);
} StrategyResults;

#pragma pack(push, 1)
typedef struct {
    unsigned long long time;
    double open, high, low, close;
    long long tickVolume;
    long spread;
    long long realVolume;
} Mql5Rates;

typedef struct {
    unsigned int time;
    double open, low, high, close, volume;
} Mql4Rates;
#pragma pack(pop)

typedef struct {
    long length;
    char *string;
} Mql4String;

#if OTHER_SIZES == 0
_Static_assert(sizeof(CRates) == 48 && sizeof(COrderInfo) == 120, "sizes of the interface");
_Static_assert(sizeof(CRatesInfo) == 56 && sizeof(StrategyResults) == 80, "sizes of the interface");
_Static_assert(sizeof(Mql5Rates) == 64 && sizeof(Mql4Rates) == 44 && sizeof(Mql4String) == 16, "sizes");
#endif

enum { RATES_ARRAYS = 10, SETTINGS = 64 };

enum {
    SUCCESS = 0,
    UNKNOWN_SYMBOL = 3001,
    NULL_POINTER = 3005,
    INVALID_STRATEGY = 3006,
    NOT_ENOUGH_RATES_DATA = 3009,
    NORMALIZE_BARS_FAILED = 3011,
    INVALID_PARAMETER = 3017,
    UNKNOWN_TIMEZONE = 3019,
    LOCAL_TZ_MISMATCH = 3020,
    BROKER_TZ_MISMATCH = 3021,
    TOO_MANY_INSTANCES = 3022,
    INVALID_CONFIG = 3023,
    MISSING_CONFIG = 3024,
    UNKNOWN_INSTANCE_ID = 3026,
    BID_ASK_IS_ZERO = 3030
};

enum { /* settings */
    TREND_MODE = 2,
    ROW_SETTINGS = 25,
    MISBEHAVIOUR = 34,
    USE_SL = 41,
    USE_TP = 42,
    RUN_EVERY_TICK = 43,
    MAX_OPEN_ORDERS = 45,
    IS_BACKTESTING = 46,
    DISABLE_COMPOUNDING = 47,
    TIMED_EXIT_BARS = 48,
    OPERATIONAL_MODE = 50,
    STRATEGY_INSTANCE_ID = 51,
    INTERNAL_STRATEGY_ID = 52,
    TIMEFRAME = 53,
    ORDERINFO_ARRAY_SIZE = 63
};

enum { OPEN_BUY = 0x1, CLOSE_BUY = 0x2, UPDATE_BUY = 0x4, OPEN_SELL = 0x10000, CLOSE_SELL = 0x20000, UPDATE_SELL = 0x40000 };

void getFrameworkVersion(int *major, int *minor, int *bugfix);
int initInstanceC(int instanceId, int isTesting, char *configPath, char *accountName);
void deinitInstance(int instanceId);
int c_runStrategy(double *settings, char *symbol, char *currency, char *broker, char *reference, int *brokerTime,
                  int *openOrders, COrderInfo *orders, double *account, double *bidAsk, CRatesInfo *info, CRates *r0,
                  CRates *r1, CRates *r2, CRates *r3, CRates *r4, CRates *r5, CRates *r6, CRates *r7, CRates *r8,
                  CRates *r9, double *results);

#endif
