/* What the library writes: log, state, heartbeat, values for a display; and the flag that it reads. */
#include "standin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void logLine(const char *level, const char *format, ...) {
    FILE *file = config.log[0] ? fopen(config.log, "a") : NULL;
    if (!file) return;
    char stamp[32];
    time_t now = time(NULL);
    struct tm at;
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &at));
    fprintf(file, "[%s] [%s] ", stamp, level);
    va_list values;
    va_start(values, format);
    vfprintf(file, format, values);
    va_end(values);
    fputc('\n', file);
    fclose(file);
}

/* Libraries after November 2025 put a newline before the names of most files, and two before conversion symbols. */
int cleanNames(void) {
    const char *names = getenv("ASIRIKUY_STANDIN_NAMES");
    return names && !strcmp(names, "clean");
}

void fileName(char *out, const char *format, int id) {
    int length = sprintf(out, "%s/%s", config.temp, cleanNames() ? "" : "\n");
    sprintf(out + length, format, id);
}

static void stateName(char *out, int id) { sprintf(out, "%s/%d.state", config.temp, id); }

void readState(Instance *instance) {
    char name[600];
    stateName(name, instance->id);
    FILE *file = fopen(name, "rb");
    if (!file) return;
    State state;
    if (fread(&state, sizeof state, 1, file) == 1) instance->state = state;
    fclose(file);
}

void writeState(const Instance *instance) {
    char name[600];
    stateName(name, instance->id);
    FILE *file = fopen(name, "wb");
    if (!file) {
        logLine("ERROR", "cannot write %s", name);
        return;
    }
    fwrite(&instance->state, sizeof instance->state, 1, file);
    fclose(file);
}

void writeHeartbeat(int id) {
    char name[600], text[64];
    fileName(name, "%d_heartBeat.hb", id);
    FILE *file = fopen(name, "w");
    if (!file) return;
    time_t now = wallTime();
    struct tm at;
    strftime(text, sizeof text, "%H\n%d/%m/%y %H:%M\n", gmtime_r(&now, &at));
    fputs(text, file);
    fclose(file);
}

void writeUi(const Run *run) {
    char name[600];
    fileName(name, "%d.ui", run->instance->id);
    FILE *file = fopen(name, "w");
    if (!file) return;
    const Series *primary = &run->instance->series[0];
    fprintf(file, "bars, %d\nclose, %.5f\nequity, %.2f\n", primary->size, primary->close[primary->size - 1], run->account[2]);
    fclose(file);
}

int takeOrderFailure(int id) {
    char name[600], backup[610];
    fileName(name, "%d_orderFail.of", id);
    sprintf(backup, "%s.bak", name);
    return rename(name, backup) == 0;
}
