/* AsirikuyConfig.xml and broker-tz.csv, read with the faults of the original: text as it stands, empty elements kill. */
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

Config config;

enum { MAX_ZONES = 100, MAX_LINE = 500 };
static Zone zones[MAX_ZONES];
static int zoneCount;

/* Copies the text of an element; 0 when there is none. An empty one is a null pointer to the original's parser. */
static int element(const char *xml, const char *tag, char *out, size_t room) {
    char open[80], shut[80];
    snprintf(open, sizeof open, "<%s>", tag);
    snprintf(shut, sizeof shut, "</%s>", tag);
    const char *from = strstr(xml, open), *to = from ? strstr(from, shut) : NULL;
    if (!to) return 0;
    from += strlen(open);
    const char *volatile text = to == from ? NULL : from;
    char first = *text;
    size_t length = (size_t)(to - from) < room ? (size_t)(to - from) : room - 1;
    memcpy(out, text, length);
    out[length] = 0;
    out[0] = first;
    return 1;
}

int readConfig(const char *path, const char *accountName) {
    if (!path) return INVALID_CONFIG;
    FILE *file = fopen(path, "r");
    if (!file) return MISSING_CONFIG;
    static char xml[20000];
    xml[fread(xml, 1, sizeof xml - 1, file)] = 0;
    fclose(file);
    char folder[256], csv[256], path_of_csv[600], number[64];
    if (strncmp(xml, "<?xml", 5) || !element(xml, "TempFileFolderPath", config.temp, sizeof config.temp) ||
        !element(xml, "ConfigFolderPath", folder, sizeof folder) || !element(xml, "BrokerTZFilename", csv, sizeof csv) ||
        !element(xml, "ParamSpaceFilenameExtension", number, sizeof number) ||
        !element(xml, "MaxSeverity", number, sizeof number))
        return INVALID_CONFIG;
    config.extension = element(xml, "RatesBufferExtension", number, sizeof number) ? atoi(number) : 100;
    snprintf(path_of_csv, sizeof path_of_csv, "%s/%s", folder, csv);
    if (!element(xml, "Folder", folder, sizeof folder)) return INVALID_CONFIG;
    mkdir(folder, 0777);
    snprintf(config.log, sizeof config.log, "%s/%sAsirikuyFramework.log", folder, accountName ? accountName : "");
    if (!strstr(xml, "<TradingWeekBoundaries>")) return NULL_POINTER;
    return readZones(path_of_csv);
}

static int column(char *const *names, int count, const char *wanted) {
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], wanted)) return i;
    return -1;
}

static int split(char *line, char **out, int room) {
    int count = 0;
    for (char *at = line; at && count < room; count++) {
        out[count] = at + (*at == '"');
        char *end = strpbrk(at, ";\r\n");
        at = end && *end == ';' ? end + 1 : NULL;
        if (end) end[end > out[count] && end[-1] == '"' ? -1 : 0] = 0;
    }
    return count;
}

int readZones(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return NULL_POINTER;
    char header[MAX_LINE], line[MAX_LINE], *names[32], *values[32];
    int columns = fgets(header, sizeof header, file) ? split(header, names, 32) : 0;
    static const char *const wanted[] = {"DSTStartMonth", "DSTEndMonth", "DSTStartNth", "DSTEndNth",
                                         "DSTStartDay", "DSTEndDay", "GMTOffsetStd", "GMTOffsetDST"};
    for (zoneCount = 0; zoneCount < MAX_ZONES && fgets(line, sizeof line, file);) {
        Zone *zone = &zones[zoneCount];
        int count = split(line, values, 32), name = column(names, columns, "Broker");
        if (name < 0 || name >= count || !values[name][0]) continue;
        snprintf(zone->name, sizeof zone->name, "%s", values[name]);
        for (int i = 0; i < 8; i++) {
            int at = column(names, columns, wanted[i]);
            (&zone->startMonth)[i] = at >= 0 && at < count ? atoi(values[at]) : 0;
        }
        zoneCount++;
    }
    fclose(file);
    return SUCCESS;
}

const Zone *findZone(const char *name) {
    for (int i = 0; i < zoneCount; i++)
        if (!strcmp(zones[i].name, name)) return &zones[i];
    return NULL;
}

/* Day of this year (from 0) of the nth weekday of a month; nth 0 is the last. */
static int ruleDay(int year, int month, int nth, int weekday) {
    struct tm first = {.tm_year = year, .tm_mon = month - 1, .tm_mday = 1};
    timegm(&first);
    int day = first.tm_yday + (weekday - first.tm_wday + 7) % 7;
    if (nth) return day + (nth - 1) * 7;
    struct tm next = {.tm_year = year, .tm_mon = month, .tm_mday = 1};
    timegm(&next);
    int end = next.tm_yday ? next.tm_yday : first.tm_yday + 31;
    while (day + 7 < end) day += 7;
    return day;
}

/* Days of this year's rules, applied to every year; hours count for nothing; a month of 0 means summer all year. */
int zoneOffset(const Zone *zone, long when) {
    time_t now = wallTime(), then = (time_t)when;
    struct tm today, that;
    gmtime_r(&now, &today);
    gmtime_r(&then, &that);
    if (!zone->startMonth || !zone->endMonth) return zone->offsetSummer;
    int start = ruleDay(today.tm_year, zone->startMonth, zone->startNth, zone->startDay);
    int end = ruleDay(today.tm_year, zone->endMonth, zone->endNth, zone->endDay);
    int day = that.tm_yday;
    int summer = start < end ? day >= start && day < end : day >= start || day < end;
    return summer ? zone->offsetSummer : zone->offsetStandard;
}
