/* What the files of the stand-in share. */
#ifndef STANDIN_H
#define STANDIN_H

#include "abi.h"

typedef struct {
    int startMonth, endMonth, startNth, endNth, startDay, endDay, offsetStandard, offsetSummer;
    char name[50];
} Zone;

typedef struct {
    char temp[256], log[600];
    int extension;
} Config;

typedef struct {
    int timeframe, size, room; /* minutes; bars held; bars there is memory for */
    long *time;
    double *open, *high, *low, *close, *volume;
} Series;

typedef struct {
    int instanceId;
    unsigned int lastRunTime, lastOrderUpdateTime;
    int totalParameters;
    char parameters[200][60];
    int isParameterSpaceLoaded;
} State;
_Static_assert(sizeof(State) == 12020, "size of a state file");

typedef struct {
    int id, used;
    State state;
    Series series[RATES_ARRAYS];
} Instance;

typedef struct { /* one call, as a strategy sees it */
    Instance *instance;
    const double *settings, *account, *bidAsk;
    const char *symbol;
    const COrderInfo *orders;
    StrategyResults *results;
    int orderCount, resultRows, usedRows;
} Run;

typedef struct { /* where and when */
    const Zone *broker, *reference;
    long now;
    const char *symbol;
    const CRatesInfo *info;
    CRates *const *rates;
} Call;

extern Config config;

int readConfig(const char *path, const char *accountName);
int readZones(const char *path);
const Zone *findZone(const char *name);
int zoneOffset(const Zone *zone, long time);

int updateRates(Instance *instance, const Call *call);
long toReference(const Call *call, long brokerTime);
void forgetRates(Instance *instance);
int isClosed(long time, const char *symbol);

void logLine(const char *level, const char *format, ...);
void fileName(char *out, const char *format, int id);
int cleanNames(void);
void readState(Instance *instance);
void writeState(const Instance *instance);
void writeHeartbeat(int id);
void writeUi(const Run *run);
int takeOrderFailure(int id);

long wallTime(void);
int checkClock(long brokerTime, const Zone *broker);

int strategy(Run *run);
StrategyResults *nextRow(Run *run);

int misbehave(Run *run);
void beginCall(void);
void endCall(void);

#endif
