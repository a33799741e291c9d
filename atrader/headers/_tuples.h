/* Tuples that are filled by others than their own constructor. */

#ifndef ATRADER_TUPLES_H
#define ATRADER_TUPLES_H

#include <Python.h>

#if PY_VERSION_HEX >= 0x030E0000 /* tuples keep their hash, and only their own constructor knows that there is none yet */
#define FORGET_HASH(tuple) (((PyTupleObject *)(tuple))->ob_hash = -1)
#else
#define FORGET_HASH(tuple) ((void)(tuple))
#endif

#endif
