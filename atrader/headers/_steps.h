/* One step of each recurrence, for whole arrays and for a bar: the operations of Python in their order. */

#ifndef ATRADER_STEPS_H
#define ATRADER_STEPS_H

static inline double exponential_step(double last, double x, double k) { return (x - last) * k + last; }

static inline double wilder_step(double last, double x, double kept, double whole) { return (last * kept + x) / whole; }

/* What is left of a decaying sum before the next value is added. */
static inline double decayed(double sum, double n) { return sum - sum / n; }

#endif
