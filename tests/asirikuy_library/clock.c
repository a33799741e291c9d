/* The clock checks of live calls. A time server that does not answer is asked for ever, with a lock held. */
#include "standin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOLERANCE_S = 1800 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ASIRIKUY_STANDIN_NOW: what time it is, so that a test needs no working day. */
long wallTime(void) {
    const char *now = getenv("ASIRIKUY_STANDIN_NOW");
    return now ? atol(now) : time(NULL);
}

/* ASIRIKUY_STANDIN_NTP: "never", or the seconds by which the server's time differs from this machine's. */
static long serverTime(void) {
    const char *answer = getenv("ASIRIKUY_STANDIN_NTP");
    pthread_mutex_lock(&mutex);
    while (answer && !strcmp(answer, "never")) {
        logLine("ERROR", "no answer from any time server");
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    pthread_mutex_unlock(&mutex);
    return wallTime() + (answer ? atol(answer) : 0);
}

int checkClock(long brokerTime, const Zone *broker) {
    long server = serverTime();
    if (labs(server - wallTime()) > TOLERANCE_S) return LOCAL_TZ_MISMATCH;
    return labs(server + zoneOffset(broker, server) * 3600L - brokerTime) > TOLERANCE_S ? BROKER_TZ_MISMATCH : SUCCESS;
}
