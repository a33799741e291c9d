/* Symbols and currencies: parts of a name, and the pairs that convert into the account's currency. */
#include "standin.h"

#include <stdio.h>
#include <string.h>

/* In the order in which markets quote them: of two, the first is the base. */
static const char *const currencies[] = {"EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "SEK", "NOK", "JPY", NULL};
static const char *const others[] = {"US500", "SpotCrude", "XAU", "XAG", "BTC", "ETH", NULL};

typedef struct {
    char prefix[64], base[64], separator[64], quote[64], suffix[64];
} Parts;

static int rank(const char *currency) {
    int at = 0;
    while (currencies[at] && strncmp(currency, currencies[at], 3)) at++;
    return currencies[at] ? at : -1;
}

static size_t baseAt(const char *at) {
    for (int i = 0; others[i]; i++)
        if (!strncmp(at, others[i], strlen(others[i]))) return strlen(others[i]);
    return rank(at) >= 0 ? 3 : 0;
}

static void part(char *out, const char *from, size_t length) {
    memcpy(out, from, length);
    out[length] = 0;
}

static int parse(const char *symbol, Parts *parts) {
    if (strlen(symbol) >= sizeof parts->prefix) return UNKNOWN_SYMBOL;
    for (const char *at = symbol; *at; at++) {
        size_t base = baseAt(at);
        if (!base) continue;
        const char *quote = at + base + (strchr("/_-", at[base]) && at[base]);
        if (rank(quote) < 0) continue;
        part(parts->prefix, symbol, (size_t)(at - symbol));
        part(parts->base, at, base);
        part(parts->separator, at + base, (size_t)(quote - at) - base);
        part(parts->quote, quote, 3);
        strcpy(parts->suffix, quote + 3);
        return SUCCESS;
    }
    return UNKNOWN_SYMBOL;
}

static void pair(char *out, const char *one, const char *other) {
    int first = rank(one) < 0 || (rank(one) < rank(other));
    sprintf(out, "%s%s%s", cleanNames() ? "" : "\n\n", first ? one : other, first ? other : one);
}

int mql5_normalizeCurrency(char *currency) {
    if (rank(currency) < 0) strcpy(currency, "USD");
    return SUCCESS;
}

int mql5_parseSymbol(char *symbol, char *prefix, char *base, char *separator, char *quote, char *suffix) {
    Parts parts;
    int failed = parse(symbol, &parts);
    if (failed) return failed;
    strcpy(prefix, parts.prefix), strcpy(base, parts.base), strcpy(separator, parts.separator);
    strcpy(quote, parts.quote), strcpy(suffix, parts.suffix);
    return SUCCESS;
}

int mql5_normalizeSymbol(char *symbol) {
    Parts parts;
    int failed = parse(symbol, &parts);
    if (!failed) sprintf(symbol, "%s%s", parts.base, parts.quote);
    return failed;
}

int mql5_getConversionSymbols(char *symbol, char *currency, char *base, char *quote) {
    Parts parts;
    int failed = parse(symbol, &parts);
    if (failed) return failed;
    mql5_normalizeCurrency(currency);
    base[0] = quote[0] = 0;
    if (!strcmp(parts.base, currency) || !strcmp(parts.quote, currency)) return SUCCESS;
    pair(base, parts.base, currency);
    pair(quote, parts.quote, currency);
    return SUCCESS;
}

int C_getConversionSymbols(char *symbol, char *currency, char *base, char *quote) {
    return mql5_getConversionSymbols(symbol, currency, base, quote);
}

int mql4_getConversionSymbols(Mql4String *symbol, Mql4String *currency, Mql4String *base, Mql4String *quote) {
    return mql5_getConversionSymbols(symbol->string, currency->string, base->string, quote->string);
}
