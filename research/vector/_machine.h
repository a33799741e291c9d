/* What a run knows at any moment: terms, prices, what is wanted, what is held. */

#ifndef ATRADER_VECTOR_MACHINE_H
#define ATRADER_VECTOR_MACHINE_H

#include "_shared.h"

#define MOST_TRADES 64
#define MOST_TARGETS 4
#define PARTS_PER_UNIT 1000000000LL
#define RISK_PARTS 1000000000000LL
#define NEVER INT32_MAX

enum { HOME, OWN, GIVEN };
enum { MARKET, LIMIT, STOP };
enum { OPENED, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, TARGET, TIME, MARGIN_CLOSEOUT, SWAP };
enum { WRONG_SIDE, SIZE, MARGIN, HALTED, REFUSALS };
enum { AFTER_CLOSE = 4 };
enum { AT_ENTRY, AT_BROKER, AT_EXIT, SLIPS }; /* settings.py: of an entry, of a stop or close-out, of an exit that is decided */

typedef __int128 wide;

typedef struct { /* settings.Settings */
    int64_t balance, next_open, in_range, protect_next, stop_before_open, order_type, distances, most_trades, slippage,
        targets, break_even_after, rate, value_num, value_den, commission_num, commission_den, margin_num, margin_den,
        closeout_num, closeout_den, spread_bid, spread_ask, least_steps, most_steps, target_parts[MOST_TARGETS];
    double target_r[MOST_TARGETS], tick, value_scale, commission_scale, swap_long, swap_short;
} Settings;

typedef struct {
    int32_t number, price, stop, target, trail, until, bar;
    int64_t steps, opened, distance;
    int8_t stage, phase, leaving;
} Trade;

typedef struct {
    bool waits, resting;
    int32_t decision, price, stop, target, expires;
    int64_t steps;
    int side;
} Order;

typedef struct {
    const int32_t *bid_open, *bid_high, *bid_low, *bid_close, *ask_open, *ask_high, *ask_low, *ask_close, *ask_least,
        *ask_most;
    int64_t count;
} Prices;

typedef struct {
    const int32_t *bar;
    const int8_t *entry, *leave;
    const int32_t *price, *stop, *target, *trail;
    const int64_t *steps, *risk;
    const int32_t *until, *expires;
    int64_t count;
} Decisions;

typedef struct {
    const int32_t *bar;
    const int8_t *phase;
    const int32_t *since;
    const int8_t *days;
    int64_t count;
    const int32_t *halted;
    int64_t halts;
} Schedule;

typedef struct { /* places of decisions */
    int32_t entry, ends_long, ends_short;
} Next;

typedef struct {
    int32_t low, high;
} Levels;

typedef struct {
    const Settings *s;
    double margin_frac, closeout_frac; /* of value; of margin */
    Prices p;
    Decisions d;
    Schedule days;
    const double *rates;
    const int32_t *slips; /* by decision; NULL: always that of the settings */
    TradeRow *trades; /* NULL, as the next: what happens is counted only */
    Fill *fills;
    int64_t trade_room, fill_room, trade_count, fill_count, closed_count;
    const Next *next; /* NULL: a run that neither _swift.h nor _plain.h knows how to play */
    bool is_full; /* an array was too small: never, if the caller counted right */
    int64_t balance, refused[REFUSALS], next_decision, next_day, next_halt, pending;
    int64_t quiet;           /* up to this bar nothing happens, if nothing happened since */
    int32_t lowest, highest; /* bid and ask of the bars that are played now */
    Levels at_bid, at_ask;   /* between these nothing happens; known since the last look for the next bar */
    int32_t bar, bid, ask;
    int phase, side, held;
    Order order;
    Trade open[MOST_TRADES]; /* oldest first */
} Machine;

#endif
