/* All that a library may do to its host, on request: by ASIRIKUY_STANDIN_MISBEHAVE=name[:first run][:once], or by
 * settings 34 (number, in the order below from 1) and 35 (first run). "once" holds over restarts: a file remembers. */
#include "standin.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"none", "crash", "hang", "garbage", "overflow", "stale", "chatter", "abort", "exit",
                                    "slow", "code", "race", "nan", NULL};
enum { NONE, CRASH, HANG, GARBAGE, OVERFLOW, STALE, CHATTER, ABORT, EXIT, SLOW, CODE, RACE, NOT_A_NUMBER };

static int runs;
static volatile int callers;

static void wait(long milliseconds) {
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

/* State without locks: who enters while another is inside finds it half changed. */
void beginCall(void) {
    if (callers++) *(volatile int *)16 = 1;
}

void endCall(void) { callers--; }

static int chosen(const Run *run, int *first, int *once) {
    const char *text = getenv("ASIRIKUY_STANDIN_MISBEHAVE");
    *first = (int)run->settings[MISBEHAVIOUR + 1];
    *once = text && strstr(text, ":once");
    if (!text) return (int)run->settings[MISBEHAVIOUR];
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    *first = colon ? atoi(colon + 1) : 0;
    for (int i = 0; names[i]; i++)
        if (strlen(names[i]) == length && !strncmp(names[i], text, length)) return i;
    return NONE;
}

static int isFirstTime(void) {
    char name[600];
    snprintf(name, sizeof name, "%s/misbehaved", config.temp);
    int file = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file >= 0) close(file);
    return file >= 0;
}

static void garbage(Run *run) {
    for (int i = 0; i < run->resultRows; i++)
        run->results[i] = (StrategyResults){i * 1e9 + 0.5, 12345678901.0, -3, 1e300, -1e300, 7, 8, 9, 0.25, -5};
}

static void chatter(void) {
    for (int i = 0; i < 20000; i++) fputs("1{\"looks\": \"like data\"}\n", stdout);
    for (int i = 0; i < 2000; i++) fputs("[DEBUG] noise\n", stderr);
    fflush(stdout);
}

/* Returns the code to answer with, or -1: go on. */
int misbehave(Run *run) {
    int first, once, kind = chosen(run, &first, &once);
    if (++runs < first || kind == NONE || (once && !isFirstTime())) return -1;
    switch (kind) {
        case CRASH: *(volatile int *)16 = 1; break;
        case HANG: for (volatile int spin = 0;; spin++) {}
        case GARBAGE: garbage(run); return SUCCESS;
        case OVERFLOW: memset(run->results + run->resultRows, 0x5a, sizeof *run->results); break;
        case STALE: return SUCCESS;
        case CHATTER: chatter(); break;
        case ABORT: abort();
        case EXIT: exit(0);
        case SLOW: wait(300); break;
        case CODE: return 4711;
        case RACE: wait(20); break;
        case NOT_A_NUMBER: nextRow(run)->brokerSL = NAN; return SUCCESS;
    }
    return -1;
}
