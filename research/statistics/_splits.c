/* Cross-validation of many trials, split by split: splits.py has the same in numpy, the same operations in the same order,
   so that both give the same to the last bit (compiled without contraction of floating point). The GIL is released. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "atrader/headers/_vectorised.h"

enum { MOST_BLOCKS = 20, LANES = 8 };

typedef struct { /* of each trial, over the blocks of one half; NULL: over none */
    const double *sums, *squares;
} Half;

typedef struct {
    const double *sums, *squares, *lengths; /* of each block and trial; periods of each block */
    int64_t blocks, trials;
    double *rows, *keys[2]; /* room: sums and squares of each block; a key of each trial for both halves */
    Half halves[MOST_BLOCKS + 1][2]; /* of the blocks before each: those out of the sample, those in it */
} Work;

typedef struct { /* what is found of one side of a split */
    int64_t *best;
    double *rank, *moments;
} Found;

VECTORISED static void add(const double *one, const double *other, int64_t count, double *out) {
    for (int64_t i = 0; i < count; i++) out[i] = one[i] + other[i];
}

/* Put what orders trials as their Sharpe ratios do, at one division each, into out: 0 for those that do not vary. */
VECTORISED static void keys_of(const double *sums, const double *squares, int64_t count, double periods, double *out) {
    double share = 1.0 / periods;
    for (int64_t i = 0; i < count; i++) {
        double sum = sums[i], square = squares[i], key = sum * fabs(sum) / square;
        out[i] = square - sum * sum * share > square * 1e-12 ? key : 0.0; /* also where squares overflow: never NaN */
    }
}

/* Return the first of the largest. */
VECTORISED static int64_t first_largest(const double *keys, int64_t count) {
    double most[LANES], largest = keys[0];
    int64_t i = 0;
    for (int k = 0; k < LANES; k++) most[k] = keys[0];
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) most[k] = keys[i + k] > most[k] ? keys[i + k] : most[k];
    for (; i < count; i++) largest = keys[i] > largest ? keys[i] : largest;
    for (int k = 0; k < LANES; k++) largest = most[k] > largest ? most[k] : largest;
    for (i = 0; keys[i] != largest;) i++;
    return i;
}

/* Return the place of a key among all, from 1; those that tie share their mean. */
VECTORISED static double rank_of(const double *keys, int64_t count, double key) {
    int64_t places = 0;
    for (int64_t i = 0; i < count; i++) places += (keys[i] < key) + (keys[i] <= key);
    return (double)(places + 1) / 2.0;
}

/* Take the blocks from one on into the half they belong to; those before are as they were in the split before. */
static void take_blocks(Work *w, uint32_t mask, int first) {
    for (int64_t k = first; k < w->blocks; k++) {
        Half *now = w->halves[k + 1], block = {w->sums + k * w->trials, w->squares + k * w->trials};
        now[0] = w->halves[k][0];
        now[1] = w->halves[k][1];
        Half *its = &now[mask >> k & 1];
        if (!its->sums) {
            *its = block;
            continue;
        }
        double *sums = w->rows + 2 * k * w->trials, *squares = sums + w->trials;
        add(its->sums, block.sums, w->trials, sums);
        add(its->squares, block.squares, w->trials, squares);
        *its = (Half){sums, squares};
    }
}

/* Choose in each half what is best there, and look it up in the other. */
static void cross_halves(const Work *w, uint32_t mask, Found *found) {
    double periods[2] = {0.0, 0.0};
    for (int64_t k = 0; k < w->blocks; k++) periods[mask >> k & 1] += w->lengths[k];
    const Half *halves = w->halves[w->blocks];
    for (int side = 0; side < 2; side++)
        keys_of(halves[side].sums, halves[side].squares, w->trials, periods[side], w->keys[side]);
    for (int side = 1; side >= 0; side--, found->best++, found->rank++, found->moments += 4) {
        int64_t best = first_largest(w->keys[side], w->trials);
        *found->best = best;
        *found->rank = rank_of(w->keys[!side], w->trials, w->keys[!side][best]);
        const Half *in = &halves[side], *out = &halves[!side];
        const double moments[4] = {in->sums[best], in->squares[best], out->sums[best], out->squares[best]};
        for (int i = 0; i < 4; i++) found->moments[i] = moments[i];
    }
}

static void cross_all(Work *w, const uint32_t *masks, int64_t count, Found found) {
    for (int64_t i = 0; i < count; i++) {
        if (!i || masks[i] != masks[i - 1]) take_blocks(w, masks[i], i ? __builtin_ctz(masks[i] ^ masks[i - 1]) : 0);
        cross_halves(w, masks[i], &found);
    }
}

enum { SUMS, SQUARES, LENGTHS, MASKS, BEST, RANKS, MOMENTS, ARGUMENTS };

/* Tell whether the arrays fit each other, and have halves of at least one block. */
static bool fits(const Py_buffer *of) {
    int64_t blocks = of[LENGTHS].len / 8, count = of[MASKS].len / 4;
    for (int i = 0; i < ARGUMENTS; i++)
        if (of[i].itemsize != (i == MASKS ? 4 : 8)) return false;
    if (blocks < 2 || blocks > MOST_BLOCKS || of[SUMS].len < blocks * 8 || of[SUMS].len % (blocks * 8)) return false;
    const uint32_t *masks = of[MASKS].buf, all = (1u << blocks) - 1;
    for (int64_t i = 0; i < count; i++)
        if (!masks[i] || masks[i] >= all) return false;
    return of[SQUARES].len == of[SUMS].len && of[BEST].len == 16 * count && of[RANKS].len == 16 * count &&
           of[MOMENTS].len == 64 * count;
}

static PyObject *cross(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t given) {
    if (given != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "expected %d arguments", ARGUMENTS);
        return NULL;
    }
    Py_buffer of[ARGUMENTS];
    int taken = 0;
    while (taken < ARGUMENTS &&
           !PyObject_GetBuffer(args[taken], &of[taken], PyBUF_C_CONTIGUOUS | (taken >= BEST ? PyBUF_WRITABLE : 0)))
        taken++;
    if (taken == ARGUMENTS && !fits(of)) PyErr_SetString(PyExc_ValueError, "the arrays do not fit each other");
    if (!PyErr_Occurred()) {
        Work w = {of[SUMS].buf, of[SQUARES].buf, of[LENGTHS].buf, of[LENGTHS].len / 8, .halves = {{{NULL, NULL}}}};
        w.trials = of[SUMS].len / 8 / w.blocks;
        w.rows = PyMem_RawMalloc((size_t)(2 * (w.blocks + 1) * w.trials) * sizeof(double));
        if (w.rows) {
            w.keys[0] = w.rows + 2 * w.blocks * w.trials;
            w.keys[1] = w.keys[0] + w.trials;
            Py_BEGIN_ALLOW_THREADS
            cross_all(&w, of[MASKS].buf, of[MASKS].len / 4, (Found){of[BEST].buf, of[RANKS].buf, of[MOMENTS].buf});
            Py_END_ALLOW_THREADS
            PyMem_RawFree(w.rows);
        } else {
            PyErr_NoMemory();
        }
    }
    while (taken) PyBuffer_Release(&of[--taken]);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"cross", (PyCFunction)(void (*)(void))cross, METH_FASTCALL,
     "cross(sums, squares, lengths, masks, best, ranks, moments)\n--\n\nFill the last three: both sides of each split."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_splits", "Cross-validation of many trials. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__splits(void) { return PyModuleDef_Init(&module); }
