/* The reading of plain stream messages: what zmtp.py, stream_messages.py and stream_tracker.py do in Python, for the
   messages of which nearly all of a stream consists. A process that was woken runs with cold caches, where each step of
   Python costs several times what it does in a loop.

   Whatever is not plain - a long frame, a command, a heartbeat, a gap, a value of another type, garbage - is left to
   Python, which begins where this ended. So nothing here reports an error but the lack of memory. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "atrader/headers/_tuples.h"

enum { END_FRAME = 0, MORE_FRAME = 1 };  // flags of short frames

typedef struct {
    const unsigned char *bytes;
    Py_ssize_t size;
} Frame;

/* Find the two short frames with which some bytes begin; return the length of their message, 0 when there is none. */
static Py_ssize_t next_plain(const unsigned char *bytes, Py_ssize_t end, Frame *name, Frame *body) {
    if (end < 4 || bytes[0] != MORE_FRAME) return 0;
    *name = (Frame){bytes + 2, bytes[1]};
    Py_ssize_t second = 2 + name->size;
    if (end - second < 2 || bytes[second] != END_FRAME) return 0;
    *body = (Frame){bytes + second + 2, bytes[second + 1]};
    Py_ssize_t next = second + 2 + body->size;
    return next > end ? 0 : next;
}

/* Read what a socket has; return how many bytes: -1 when nothing has come, 0 when the other side is gone. */
static Py_ssize_t receive_now(int descriptor, const Py_buffer *room) {
    Py_ssize_t count = recv(descriptor, room->buf, (size_t)room->len, MSG_DONTWAIT);  // never waits: the GIL stays
    if (count >= 0) return count;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : 0;
}

static PyObject *receive(PyObject *self, PyObject *args) {
    (void)self;
    int descriptor;
    Py_buffer room;
    PyObject *messages;
    if (!PyArg_ParseTuple(args, "iw*O!", &descriptor, &room, &PyList_Type, &messages)) return NULL;
    Py_ssize_t count = receive_now(descriptor, &room), at = 0, next;
    Frame name, body;
    int failed = 0;
    while (!failed && at < count && (next = next_plain((unsigned char *)room.buf + at, count - at, &name, &body))) {
        PyObject *frames = Py_BuildValue("[y#y#]", name.bytes, name.size, body.bytes, body.size);
        failed = !frames || PyList_Append(messages, frames);
        Py_XDECREF(frames);
        at += next;
    }
    PyBuffer_Release(&room);
    return failed ? NULL : Py_BuildValue("nn", count, at);
}

typedef struct {
    const unsigned char *at, *end;
} Cursor;

/* The big-endian number behind the next byte. */
static bool take_bytes(Cursor *c, int size, uint64_t *number) {
    if (c->end - c->at < size) return false;
    *number = 0;
    for (int i = 0; i < size; i++) *number = *number << 8 | *c->at++;
    return true;
}

/* A whole number that fits 63 bits and a sign; others are not plain. */
static bool take_int(Cursor *c, int64_t *value) {
    if (c->at == c->end) return false;
    unsigned char head = *c->at++;
    uint64_t n;
    if (head < 0x80 || head >= 0xe0) {
        *value = (int8_t)head;
        return true;
    }
    if (head < 0xcc || head > 0xd3) return false;
    int size = 1 << (head & 3);
    if (!take_bytes(c, size, &n)) return false;
    if (head >= 0xd0) {
        int unused = 64 - 8 * size;
        *value = (int64_t)(n << unused) >> unused;
        return true;
    }
    *value = (int64_t)n;
    return n <= INT64_MAX;
}

static bool take_text(Cursor *c, const char **text, Py_ssize_t *size) {
    if (c->at == c->end) return false;
    unsigned char head = *c->at++;
    uint64_t n = head & 0x1f;
    if ((head & 0xe0) != 0xa0 && !(head == 0xd9 && take_bytes(c, 1, &n))) return false;
    if ((uint64_t)(c->end - c->at) < n) return false;
    *text = (const char *)c->at;
    *size = (Py_ssize_t)n;
    c->at += n;
    return true;
}

/* The next value, of the type that the letter names; NULL, sometimes with an error set, when it is none. */
static PyObject *take_value(Cursor *c, char letter) {
    int64_t whole;
    uint64_t bits;
    double real;
    const char *text;
    Py_ssize_t size;
    switch (letter) {
        case 'i': return take_int(c, &whole) ? PyLong_FromLongLong(whole) : NULL;
        case 's': return take_text(c, &text, &size) ? PyUnicode_DecodeUTF8(text, size, NULL) : NULL;
        case 'f':
            if (c->at == c->end || *c->at++ != 0xcb || !take_bytes(c, 8, &bits)) return NULL;
            memcpy(&real, &bits, sizeof real);
            return PyFloat_FromDouble(real);
        case 'b':
            if (c->at == c->end || (*c->at & 0xfe) != 0xc2) return NULL;
            return PyBool_FromLong(*c->at++ & 1);
        default: return NULL;
    }
}

/* A new named tuple, still to be filled. */
static PyObject *named(PyObject *type, Py_ssize_t count) {
    PyObject *made = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, count);
    if (made) FORGET_HASH(made);
    return made;
}

static bool take_array(Cursor *c, Py_ssize_t count) {
    return c->at != c->end && *c->at++ == (0x90 | count) && count < 16;
}

static PyObject *take_values(Cursor *c, PyObject *type, const char *letters, Py_ssize_t count) {
    if (!take_array(c, count)) return NULL;
    PyObject *values = named(type, count);
    for (Py_ssize_t i = 0; values && i < count; i++) {
        PyObject *value = take_value(c, letters[i]);
        if (!value) Py_CLEAR(values);
        else PyTuple_SET_ITEM(values, i, value);
    }
    if (values && c->at != c->end) Py_CLEAR(values);
    return values;
}

typedef struct {
    PyObject *plain, *seen, *retired, *message_type, *items;
} Stream;

/* Whether the number is the next one of a topic that is followed, in the same life of the publisher. */
static bool is_next(Stream *s, PyObject *topic, int64_t epoch, int64_t seq, PyObject **its_epoch) {
    PyObject *known = seq < 1 ? NULL : PyDict_GetItemWithError(s->seen, topic);
    if (!known || !PyTuple_CheckExact(known) || PyTuple_GET_SIZE(known) != 2) return false;
    *its_epoch = PyTuple_GET_ITEM(known, 0);
    int other;
    if (PyLong_AsLongLongAndOverflow(*its_epoch, &other) != epoch || other || PyErr_Occurred()) return false;
    if (PyLong_AsLongLongAndOverflow(PyTuple_GET_ITEM(known, 1), &other) != seq - 1 || other) return false;
    return PySequence_Contains(s->retired, *its_epoch) == 0;
}

/* Append the message of two frames, and note its number; false when it is not plain. */
static bool take_message(Stream *s, Frame name, Frame body) {
    if (name.size < 2 || name.bytes[0] == 0 || name.bytes[name.size - 1] != '|') return false;
    Cursor c = {body.bytes, body.bytes + body.size};
    const char *text, *begin = (const char *)c.at;
    Py_ssize_t size;
    int64_t version, epoch, seq;
    if (!take_array(&c, 5) || !take_text(&c, &text, &size) || !take_int(&c, &version)) return false;
    PyObject *head = PyBytes_FromStringAndSize(begin, (const char *)c.at - begin);
    PyObject *schema = head ? PyDict_GetItemWithError(s->plain, head) : NULL;
    Py_XDECREF(head);
    if (!schema || !take_int(&c, &epoch) || !take_int(&c, &seq)) return false;
    PyObject *kind, *type, *letters, *its_epoch;
    if (!PyArg_ParseTuple(schema, "UO!S", &kind, &PyType_Type, &type, &letters)) return false;

    bool is_taken = false;
    PyObject *topic = PyUnicode_DecodeUTF8((const char *)name.bytes, name.size - 1, NULL);
    if (topic && is_next(s, topic, epoch, seq, &its_epoch)) {
        PyObject *values = take_values(&c, type, PyBytes_AS_STRING(letters), PyBytes_GET_SIZE(letters));
        PyObject *number = values ? PyLong_FromLongLong(seq) : NULL;
        PyObject *place = number ? PyTuple_Pack(2, its_epoch, number) : NULL;
        PyObject *message = place ? named(s->message_type, 5) : NULL;
        if (message) {
            PyObject *parts[5] = {topic, kind, number, values, its_epoch};
            for (int i = 0; i < 5; i++) PyTuple_SET_ITEM(message, i, Py_NewRef(parts[i]));
            is_taken = PyList_Append(s->items, message) == 0 && PyDict_SetItem(s->seen, topic, place) == 0;
        }
        Py_XDECREF(values);
        Py_XDECREF(number);
        Py_XDECREF(place);
        Py_XDECREF(message);
    }
    Py_XDECREF(topic);
    return is_taken;
}

/* Forget what kept a message from being plain: Python finds it again, and says what it is. True without memory. */
static bool has_failed(void) {
    if (!PyErr_Occurred()) return false;
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) return true;
    PyErr_Clear();
    return false;
}

static bool take_frames(Stream *s, PyObject *frames) {
    if (!PyList_CheckExact(frames) || PyList_GET_SIZE(frames) != 2) return false;
    PyObject *name = PyList_GET_ITEM(frames, 0), *body = PyList_GET_ITEM(frames, 1);
    if (!PyBytes_CheckExact(name) || !PyBytes_CheckExact(body)) return false;
    return take_message(s, (Frame){(unsigned char *)PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)},
                        (Frame){(unsigned char *)PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body)});
}

static PyObject *read_plain(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *messages;
    Py_ssize_t at;
    Stream s;
    if (!PyArg_ParseTuple(args, "O!nO!O!OO!O!", &PyList_Type, &messages, &at, &PyDict_Type, &s.plain, &PyDict_Type, &s.seen,
                          &s.retired, &PyType_Type, &s.message_type, &PyList_Type, &s.items)) return NULL;
    while (at < PyList_GET_SIZE(messages) && take_frames(&s, PyList_GET_ITEM(messages, at))) at++;
    return has_failed() ? NULL : PyLong_FromSsize_t(at);
}

static PyObject *receive_plain(PyObject *self, PyObject *args) {
    (void)self;
    int descriptor;
    Py_ssize_t limit, at = 0, number = 0;
    Py_buffer room;
    Stream s;
    if (!PyArg_ParseTuple(args, "iw*nO!O!OO!O!", &descriptor, &room, &limit, &PyDict_Type, &s.plain, &PyDict_Type, &s.seen,
                          &s.retired, &PyType_Type, &s.message_type, &PyList_Type, &s.items)) return NULL;
    Py_ssize_t count = receive_now(descriptor, &room);
    Frame name, body;
    while (number < limit && at < count) {
        Py_ssize_t next = next_plain((unsigned char *)room.buf + at, count - at, &name, &body);
        if (!next || !take_message(&s, name, body)) break;
        at += next;
        number++;
    }
    PyBuffer_Release(&room);
    return has_failed() ? NULL : Py_BuildValue("nnn", count, at, number);
}

static PyMethodDef methods[] = {
    {"receive", receive, METH_VARARGS, "receive(descriptor, buffer, messages)"},
    {"read_plain", read_plain, METH_VARARGS, "read_plain(messages, at, plain, seen, retired, message_type, items)"},
    {"receive_plain", receive_plain, METH_VARARGS,
     "receive_plain(descriptor, buffer, limit, plain, seen, retired, message_type, items)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_reading", "Plain stream messages. " SOURCES, 0, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__reading(void) { return PyModuleDef_Init(&module); }
